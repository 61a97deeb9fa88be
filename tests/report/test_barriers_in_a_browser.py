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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "running", "finished", "list", "playground"])
def test_no_page_has_a_serious_barrier_in_either_language(chromium, places, name, theme):  # noqa: F811
    size = {"width": 1280, "height": 900}
    context = chromium.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(places[name]())
    if name in ("report", "running", "finished"):
        until(page, "document.querySelector('.rows-space .line') !== null")
        page.locator(".rows-space .line").first.click()
    if name == "running":
        until(page, "document.querySelector('#progress p')?.innerText.length > 0")
    assert barriers(page) == []
    if name == "list":  # it has no script, and hence no switch
        page.set_extra_http_headers({"Accept-Language": "zh-CN"})
        page.reload()
    else:
        page.click("#language [value=zh], #languages [value=zh]")
    assert page.evaluate("document.documentElement.lang").startswith("zh")
    assert barriers(page) == []
    context.close()


def barriers(page):
    found = [v for v in axe.Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    return [(v["id"], node["target"], node["html"][:120]) for v in found for node in v["nodes"][:4]]
