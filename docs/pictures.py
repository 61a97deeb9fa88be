"""The pictures of README and docs, from a real study: `python docs/pictures.py [FOLDER]`, with `make test-browser`'s
Chromium. Runs the study of `make run` (or takes a finished one), photographs its report, and another while it runs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent
STEEPEST = [sys.executable, "-m", "steepest"]
REPORT = {"x": 0, "y": 0, "width": 1280, "height": 1410}
SHARP = 1.5
"""Pixels of a picture for one of the page."""


def main() -> None:
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        here = Path(place)
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        finished = Path(sys.argv[1]) if len(sys.argv) > 1 else here / "digits"
        if not finished.exists():
            subprocess.run([*STEEPEST, "run", "--out", finished, "--quiet"], check=True)
        photograph_report(chromium, finished, here / "report.html")
        photograph_live_page(chromium, here / "live")
        chromium.close()


def photograph_report(chromium: Any, study: Path, report: Path) -> None:
    """The first screen and a half, where the verdict, the ranking and the curves are."""
    subprocess.run([*STEEPEST, "report", study, "--out", report], check=True)
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=SHARP)
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    page.screenshot(path=DOCS / "report.png", clip=REPORT, full_page=True)
    page.close()


def photograph_live_page(chromium: Any, study: Path) -> None:
    """A study that has come about half the way."""
    command = [*STEEPEST, "run", "digits", "-o", "sgd,momentum,adagrad,rmsprop,adam", "--seeds", "20", "--out", study]
    training = subprocess.Popen([*command, "--quiet", "--workers", "1"], stdout=subprocess.DEVNULL)
    serving = None
    try:
        while not (study / "study.json").exists():
            assert training.poll() is None
            time.sleep(0.2)
        serving = subprocess.Popen([*STEEPEST, "serve", study, "--no-open"], stdout=subprocess.PIPE, text=True)
        assert serving.stdout is not None
        link = next(found[0] for line in serving.stdout if (found := re.search(r"http://\S+", line)))
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(link)
        page.wait_for_selector("html[data-ready=yes]", state="attached", timeout=120_000)
        page.wait_for_function(HALF_WAY, timeout=600_000)
        page.screenshot(path=DOCS / "live-page.png")
        page.close()
    finally:
        for process in (training, serving):
            if process is not None:
                process.terminate()
                process.wait()


HALF_WAY = """() => {
    const told = document.querySelector('#progress p')?.innerText.match(/([\\d,]+) of ([\\d,]+)/);
    return told && Number(told[1].replace(/,/g, '')) >= 0.5 * Number(told[2].replace(/,/g, ''));
}"""


if __name__ == "__main__":
    main()
