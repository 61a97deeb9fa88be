"""How fast the page is for a study of 10,000 trials: its first view, and the longest stall of each interaction.

    python -m benchmarks.many_trials STUDY    # a real study folder; its trials are repeated with other seeds

Runs a server and a headless Chromium on this machine (`pip install -e '.[browser]'`). The study is made larger by
copies of its real curves under new seeds, so that table, groups and parallel coordinates hold 10,000 real shapes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, sync_playwright  # pyright: ignore[reportMissingImports]  an extra

from steepest.files import file_digest, read_trace, write_json, write_trace
from steepest.study import store
from steepest.study.database import DATABASE, put_rows, transaction, writer
from steepest.study.spec import SPEC, read_spec

TRIALS = 10_000
WARM = 25.0
"""Seconds that the server has to read the study before its page is opened."""
LONGEST = """() => {
    window.longest = 0;
    let last = performance.now();
    const tick = () => {
        const now = performance.now();
        window.longest = Math.max(window.longest, now - last);
        last = now;
        requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
}"""
"""The longest time between two frames: a page that is busy draws none."""


def enlarge(source: Path, folder: Path, trials: int = TRIALS) -> Path:
    """A finished study of at least so many trials: that of `source`, again and again with other seeds."""
    spec, study = read_spec(source), store.read(source)
    assert spec.plan is not None
    copies = -(-trials // len(study.results))
    seeds = study.protocol.seeds
    protocol = replace(spec.plan.protocol, seeds=seeds * copies)
    plan = spec.plan.model_copy(update={"protocol": protocol, "trials": len(study.results) * copies})
    (folder / "curves").mkdir(parents=True)
    write_json(folder / SPEC, spec.model_copy(update={"plan": plan}).to_json())
    database = writer(folder / DATABASE)
    with transaction(database):
        database.execute(
            "INSERT INTO sitting (started, seconds) VALUES (?, ?)", (study.created, study.seconds * copies)
        )
        for name in {row.shard for row in study.results}:
            trace = read_trace(source / "curves" / f"{name}.npz")
            for copy in range(copies):
                file = folder / "curves" / f"{name}-{copy}.npz"
                write_trace(file, trace)
                values = (f"{name}-{copy}", file_digest(file), 1.0, 1)
                database.execute("INSERT INTO shard VALUES (?, ?, ?, ?)", values)
        for copy in range(copies):
            rows = (replace(row, seed=row.seed + seeds * copy, shard=f"{row.shard}-{copy}") for row in study.results)
            put_rows(database, tuple(rows))
        database.execute("INSERT INTO finish VALUES (?)", (study.created,))
    database.close()
    return folder


def stall(page: Page, name: str, act) -> None:
    """Print the longest time without a frame while something is done and drawn, and the CPU time of all its work."""
    meter = page.context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        values = {item["name"]: item["value"] for item in meter.send("Performance.getMetrics")["metrics"]}
        return 1000 * values["ScriptDuration"]

    page.evaluate("window.longest = 0")
    before = busy()
    act()
    page.wait_for_timeout(700)
    print(
        f"  {name:<30} {page.evaluate('window.longest'):6.0f} ms, script {busy() - before:6.0f} ms of CPU", flush=True
    )
    meter.detach()


def main(source: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = enlarge(source, Path(temporary) / "large")
        command = [sys.executable, "-u", "-m", "steepest", "serve", str(folder), "--no-open"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        time.sleep(WARM)
        try:
            measure(link)
        finally:
            server.terminate()
            server.wait()


def measure(link: str) -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        for visit in ("first", "second"):
            began = time.perf_counter()
            page.goto(link if visit == "first" else page.url, wait_until="commit")
            page.wait_for_selector(".headline")
            words = time.perf_counter() - began
            page.wait_for_selector("html[data-ready=yes]", state="attached")
            page.wait_for_selector(".u-wrap canvas")
            print(
                f"{visit} visit: verdict after {words:.2f} s, curves after {time.perf_counter() - began:.2f} s",
                flush=True,
            )
        page.evaluate(LONGEST)
        page.wait_for_timeout(1500)
        print(f"longest time without a frame, {page.locator('.tally').first.inner_text()}:")
        curves, table = page.locator("figure[data-figure=learning]"), page.locator("figure[data-figure=trials]")
        stall(page, "nothing", lambda: None)
        stall(page, "isolate an optimizer", lambda: curves.locator("[data-contender]").first.click())
        stall(page, "show all again", lambda: curves.locator(".all").click())
        stall(page, "curves of all rates", lambda: curves.locator("select[data-control=rate]").select_option(""))
        stall(page, "grouped by seed", lambda: curves.locator("select[data-control=group]").select_option("seed"))
        stall(page, "each trial", lambda: curves.locator("[data-control=band] [value=each]").click())
        stall(page, "dark", lambda: page.click("#theme [value=dark]"))
        stall(page, "sort the table", lambda: table.locator("[data-key=test]").click())
        stall(page, "find in the table", lambda: table.locator("[data-control=find]").fill("adam seed 3"))
        stall(page, "clear", lambda: table.locator(".clear").click())
        body = table.locator(".rows-body")
        stall(page, "scroll to the end", lambda: body.evaluate("box => box.scrollTop = box.scrollHeight"))
        box = table.locator(".parallel canvas").bounding_box()
        assert box is not None
        x = box["x"] + 110 + (box["width"] - 180) * 4 / 6

        def brush() -> None:
            page.mouse.move(x, box["y"] + 45)
            page.mouse.down()
            page.mouse.move(x, box["y"] + 120, steps=8)
            page.mouse.up()

        table.locator(".parallel canvas").scroll_into_view_if_needed()
        stall(page, "brush an axis", brush)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
