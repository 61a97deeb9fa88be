"""No serious barrier (axe) on any page: report, finished and running study, list of studies, playground; in both
languages, light and dark."""

from contextlib import ExitStack

import pytest
from report.studies import default_study, trials_of
from report.test_browser import chromium, until  # noqa: F401
from serving import folders
from serving.servers import running
from verdict.factory import DIGITS, HOUSING, SEVEN, synthetic_study

from steepest.playground import page as playground
from steepest.report.html import html
from steepest.report.view import view

pytestmark = pytest.mark.browser
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install 'steepest[browser]'")

LOOKS = [(language, theme) for language in ("en", "zh") for theme in ("light", "dark")]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """The address of each kind of page, and whether it has switches for language and theme."""
    folder = tmp_path_factory.mktemp("studies")
    growing = folders.Folder(folder / "going", *synthetic_study(SEVEN[:4], (DIGITS, HOUSING), seeds=4))
    growing.grow(9)
    folders.finished(folder / "done", *synthetic_study(SEVEN[:3], seeds=5))
    report = folder / "report.html"
    report.write_text(html(view(*default_study()), trials_of(default_study())), encoding="utf-8")
    with ExitStack() as stack:
        going, done, both = [stack.enter_context(running(p)) for p in (folder / "going", folder / "done", folder)]
        yield {
            "report": report.as_uri,
            "running": going.link,
            "finished": done.link,
            "list": both.link,
            "playground": playground.write(folder / "playground.html").as_uri,
        }


@pytest.mark.parametrize("name", ["report", "running", "finished", "list", "playground"])
def test_no_page_has_a_serious_barrier_in_either_language_or_theme(chromium, places, name):  # noqa: F811
    found = {}
    for language, theme in LOOKS:
        locale = {"en": "en-US", "zh": "zh-CN"}[language]
        context = chromium.new_context(
            viewport={"width": 1280, "height": 900}, color_scheme=theme, locale=locale, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(places[name]())
        if name in ("report", "playground"):
            page.click(f"#language [value={language}], #languages [value={language}]")
        if name in ("report", "running", "finished"):
            until(page, "document.documentElement.dataset.ready === 'yes'")
            until(page, "document.querySelector('.rows-space .line') !== null")
            page.locator(".rows-space .line").first.click()
        if name == "running":
            until(page, "document.querySelector('#progress p')?.innerText.length > 0")
        assert page.evaluate("document.documentElement.lang").startswith(language)
        violations = axe.Axe().run(page).response["violations"]
        found[language, theme] = [
            (v["id"], node["target"], node["html"][:120])
            for v in violations
            if v["impact"] in ("serious", "critical")
            for node in v["nodes"][:4]
        ]
        context.close()
    assert {look: barriers for look, barriers in found.items() if barriers} == {}
