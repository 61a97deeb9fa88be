"""How fast the page is for a study of 10,000 trials: its first view, and the longest task of each interaction.

    python -m benchmarks.many_trials STUDY    # a real study folder; its trials are repeated with other seeds

Runs a server and a headless Chromium on this machine (`pip install -e '.[browser]'`). The study is enlarged by copies
of its real curves under new seeds, so that table, groups and parallel coordinates contain 10,000 real curves. A task is
an interval in which the browser does not react to its user; its CPU time, printed beside its wall time, does not depend
on how busy the machine is. The first visit is cold: a click in the list on a study that the server has not read, since
it reads only the most recently changed ones in advance. The second visit is to one of those.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright  # pyright: ignore[reportMissingImports]  an extra

from steepest.records.files import file_digest, read_trace, write_json, write_trace
from steepest.serving.serve import READ_AHEAD_STUDIES
from steepest.study import store
from steepest.study.database import DATABASE, changing, put_rows, writer
from steepest.study.spec import SPEC, read_spec

TRIALS = 10_000
READY = "document.documentElement.dataset.ready === 'yes' && document.querySelector('.tally').textContent"
"""Everything is drawn, the trials included."""
CARD = ".cards a:has-text('large')"


def enlarge(source: Path, folder: Path, trials: int = TRIALS) -> Path:
    """A finished study of at least `trials` trials: those of `source`, repeated with other seeds."""
    spec, study = read_spec(source), store.read(source)
    assert spec.plan is not None
    copies = -(-trials // len(study.results))
    seeds = study.protocol.seeds
    protocol = replace(spec.plan.protocol, seeds=seeds * copies)
    plan = spec.plan.model_copy(update={"protocol": protocol, "trials": len(study.results) * copies})
    (folder / "curves").mkdir(parents=True)
    write_json(folder / SPEC, spec.model_copy(update={"plan": plan}).to_json())
    database = writer(folder / DATABASE)
    with changing(database) as stored:
        stored.add("sitting", [(1, study.created, study.seconds * copies)])
        for name in {row.shard for row in study.results}:
            trace = read_trace(source / "curves" / f"{name}.npz")
            for copy in range(copies):
                file = folder / "curves" / f"{name}-{copy}.npz"
                write_trace(file, trace)
                stored.add("shard", [(f"{name}-{copy}", file_digest(file), 1.0, 1)])
        for copy in range(copies):
            rows = (replace(row, seed=row.seed + seeds * copy, shard=f"{row.shard}-{copy}") for row in study.results)
            put_rows(stored, tuple(rows))
        stored.add("finish", [(study.created,)])
    database.close()
    return folder


class Meter:
    """The browser's own record of what the page's main thread did."""

    def __init__(self, page: Page) -> None:
        self.page, self.browser = page, page.context.browser
        self.worst = (0.0, 0.0)

    def longest(self, act: Callable[[], None]) -> tuple[float, float, float]:
        """Milliseconds of the longest task until all is drawn: by the clock, of CPU; and the CPU time of all tasks."""
        assert self.browser is not None
        self.browser.start_tracing(page=self.page, categories=["toplevel", "disabled-by-default-system_stats"])
        act()
        self.page.wait_for_timeout(120)
        until(self.page, READY)
        until(self.page, "[...document.querySelectorAll('.parallel canvas')].every((c) => c.dataset.done !== 'no')")
        self.page.wait_for_timeout(120)
        events = json.loads(self.browser.stop_tracing())["traceEvents"]
        mains = {e["pid"]: e["tid"] for e in events if e.get("args", {}).get("name") == "CrRendererMain"}
        tasks = [
            (e["dur"] / 1000, e.get("tdur", 0) / 1000)
            for e in events
            if e.get("ph") == "X" and "RunTask" in e["name"] and mains.get(e["pid"]) == e["tid"]
        ]
        return max(t[0] for t in tasks), max(t[1] for t in tasks), sum(t[1] for t in tasks)

    def tell(self, name: str, act: Callable[[], None]) -> None:
        wall, busy, total = self.longest(act)
        self.worst = max(self.worst[0], wall), max(self.worst[1], busy)
        print(f"  {name:<30} {wall:6.0f} ms, CPU {busy:6.0f} ms, all tasks {total:6.0f} ms", flush=True)


def until(page: Page, condition: str) -> None:
    """Wait for a condition; the page's content policy forbids playwright's own way of waiting."""
    while not page.evaluate(condition):
        page.wait_for_timeout(10)


def main(source: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        enlarge(source, Path(temporary) / "large")
        for number in range(READ_AHEAD_STUDIES):  # newer ones, which are read ahead instead of it
            newer = shutil.copytree(source, Path(temporary) / f"newer-{number}")
            (newer / DATABASE).touch()
        command = [sys.executable, "-u", "-m", "steepest", "serve", temporary, "--no-open"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        try:
            measure(link, server.pid)
        finally:
            server.terminate()
            server.wait()


def cpu_seconds(process: int) -> float:
    """Of all threads of a process, since it began."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(link: str, server: int) -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(link)
        page.wait_for_timeout(4000)  # until the others have been read
        for visit in ("first", "second"):
            began, busy = time.perf_counter(), cpu_seconds(server)
            page.click(CARD, no_wait_after=True)
            page.wait_for_selector(".verdict .headline")
            words = time.perf_counter() - began
            page.wait_for_selector(".u-wrap canvas")
            curves = time.perf_counter() - began
            read = cpu_seconds(server) - busy
            until(page, READY)
            whole = time.perf_counter() - began
            painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
            print(
                f"{visit} visit: painted after {painted:.2f} s; found by the driver: verdict after {words:.2f} s, "
                f"curves after {curves:.2f} s, every trial after {whole:.2f} s; the server took {read:.2f} s of CPU "
                "until there were curves",
                flush=True,
            )
            if visit == "first":
                page.go_back()
                page.wait_for_selector(CARD)
        print(f"longest task, {page.locator('.tally').first.inner_text()}:")
        act_on(page)
        browser.close()


def act_on(page: Page) -> None:
    """What readers do, one thing after the other."""
    meter = Meter(page)
    curves, table = page.locator("figure[data-figure=learning]"), page.locator("figure[data-figure=trials]")
    body = table.locator(".rows-body")
    meter.tell("load the page", lambda: page.reload() and None)
    meter.tell("nothing", lambda: None)
    meter.tell("isolate an optimizer", lambda: curves.locator("[data-contender]").first.click())
    meter.tell("show all again", lambda: curves.locator(".all").click())
    meter.tell("hover", lambda: hover(page))
    meter.tell("smooth", lambda: curves.locator("[data-control=smooth]").fill("0.6"))
    meter.tell("logarithmic steps", lambda: curves.locator("[data-control=xscale] [value=log]").click())
    meter.tell("curves of all rates", lambda: choose(curves, "rate", ""))
    meter.tell("grouped by seed", lambda: choose(curves, "group", "seed"))
    meter.tell("grouped by rate", lambda: choose(curves, "group", "rate"))
    meter.tell("mean and its interval", lambda: curves.locator("[data-control=band] [value=mean]").click())
    meter.tell("each trial", lambda: curves.locator("[data-control=band] [value=each]").click())
    meter.tell("dark", lambda: page.click("#theme [value=dark]"))
    meter.tell("Chinese", lambda: page.click("#language [value=zh]"))
    meter.tell("English", lambda: page.click("#language [value=en]"))
    meter.tell("sort the table", lambda: table.locator("[data-key=test]").click())
    meter.tell("find in the table", lambda: table.locator("[data-control=find]").fill("adam seed 3"))
    meter.tell("clear", lambda: table.locator(".clear").click())
    meter.tell("filter by outcome", lambda: choose(table, "outcome", "ok"))
    meter.tell("scroll to the end", lambda: body.evaluate("box => box.scrollTop = box.scrollHeight"))
    meter.tell("open a trial", lambda: table.locator(".rows-space .line").nth(8).click())
    meter.tell("compare two", lambda: table.locator(".rows-space .line").nth(12).click())
    table.locator(".parallel canvas").scroll_into_view_if_needed()
    meter.tell("brush an axis", lambda: brush(page))
    print(f"worst: {meter.worst[0]:.0f} ms, CPU {meter.worst[1]:.0f} ms")


def choose(figure: Locator, control: str, value: str) -> None:
    figure.locator(f"select[data-control={control}]").select_option(value)


def hover(page: Page) -> None:
    box = page.locator("figure[data-figure=learning] .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 60)
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 120, steps=12)


def brush(page: Page) -> None:
    """Drag along the axis of the validation metric."""
    box = page.locator(".parallel canvas").bounding_box()
    assert box is not None
    x = box["x"] + 130 + (box["width"] - 200) * 4 / 6
    page.mouse.move(x, box["y"] + 45)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 120, steps=8)
    page.mouse.up()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
