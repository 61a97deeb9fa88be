"""The report in a real Chromium: from a file, with the network off, in both themes and at three widths.

Screenshots go to artefacts/ for people to look at.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from report.studies import default_study, default_view, hostile_study, looks_into, three_tasks_study, trials_of

from steepest.report.html import html
from steepest.report.view import view

pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api", reason="pip install 'steepest[browser]'")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARTEFACTS = Path(__file__).parents[2] / "artefacts"
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
DRAWN = """canvas => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] > 200) colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    }
    return colours.size;
}"""


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("There is no Chromium: apt-get install chromium, or name one in CHROMIUM.")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    studies = {"default": default_study(), "tasks": three_tasks_study(), "hostile": hostile_study()}
    for name, study in studies.items():
        probes = [looks_into("sgd"), looks_into("momentum")] if name == "tasks" else []
        (folder / f"{name}.html").write_text(html(view(*study, probes), trials_of(study)), encoding="utf-8")
    shown = default_view()
    crowded = shown | {"study": shown["study"] | {"trials": 10_000}}  # by which the page goes when it works in turns
    (folder / "crowded.html").write_text(html(crowded, trials_of(default_study())), encoding="utf-8")
    return folder


def is_foreign(address):
    """Neither the report itself nor a picture that the page has just drawn."""
    return not (address.startswith("blob:null/") or (address.startswith("file:") and "reports" in address))


@pytest.fixture
def opened(chromium, reports):
    """A function that opens a report, and fails afterwards if the page complained or asked for anything."""
    complaints, contexts = [], []

    def open_report(name="default", width=1280, theme="light"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, offline=True)
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: complaints.append(request.url) if is_foreign(request.url) else None)
        page.goto((reports / f"{name}.html").as_uri())
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        until(page, "[...document.querySelectorAll('article:not([hidden]) .chart')].every(box => box.chart)")
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert complaints == []


def until(page, condition):
    """Wait for a condition of the page; its content policy forbids playwright's own way of waiting."""
    for _ in range(2400):  # two minutes, on a machine that has much else to do
        with suppress(sync_api.Error):  # the page is being loaded
            if page.evaluate(condition):
                return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {condition}")


def keep(page, name):
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"report-{name}.png", full_page=True)


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everything_is_drawn_in_both_themes_at_every_width(opened, theme):
    page = opened(width=400, theme=theme)
    for width in (400, 1280, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        until(page, f"document.querySelector('.chart').chart.width > 0.4 * Math.min({width}, 1000)")
        until(page, "document.documentElement.dataset.ready === 'yes'")
        assert background(page) == {"light": "rgb(253, 253, 252)", "dark": "rgb(21, 23, 27)"}[theme]
        canvases = page.query_selector_all(".chart canvas")
        assert len(canvases) == 2
        assert all(canvas.evaluate(DRAWN) > 30 for canvas in canvases)
        assert len(page.query_selector_all(".panel svg.plot .curve")) == 12
        assert len(page.query_selector_all(".row .forest .interval")) == 12
        assert page.locator(".plot .failure").count() > 20, "divergence is drawn"
        assert page.locator(".plot .stalled").count() > 5
        assert page.locator(".plot .safe").count() == 12
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing makes the page scroll sideways"
        keep(page, f"{theme}-{width}")


def test_the_reader_chooses_the_theme_and_the_charts_follow(opened):
    page = opened(theme="light")
    before = page.query_selector(".chart canvas").evaluate("canvas => canvas.toDataURL()")
    page.click("#theme [value=dark]")
    assert background(page) == "rgb(21, 23, 27)"
    assert page.query_selector(".chart canvas").evaluate("canvas => canvas.toDataURL()") != before
    page.click("#theme [value=auto]")
    assert background(page) == "rgb(253, 253, 252)"


def test_every_control_changes_its_picture(opened):
    page = opened()
    for figure in ("learning", "each"):
        box = page.locator(f"figure[data-figure={figure}]")
        picture = box.locator(".chart canvas")
        for control, value in [
            *([("x", "step"), ("x", "seconds"), ("xscale", "log"), ("y", "log")] if figure == "learning" else []),
            *([("y", "log")] if figure == "each" else []),
            ("quantity", "valid_metric"),
            *([("span", "late")] if figure == "learning" else []),
        ]:
            before = picture.evaluate("canvas => canvas.toDataURL()")
            box.locator(f"[data-control={control}] [value={value}]").click()
            assert picture.evaluate("canvas => canvas.toDataURL()") != before, (figure, control)
            assert box.locator(f"[data-control={control}] [value={value}]").get_attribute("aria-pressed") == "true"
    page.select_option("figure[data-figure=each] select", index=3)
    page.click("figure[data-figure=rates] [value=overlay]")
    assert page.locator(".panels svg.plot").count() == 1
    before = page.locator(".panels").inner_html()
    page.click("figure[data-figure=rates] [value=near]")
    assert page.locator(".panels").inner_html() != before
    keep(page, "controls")


def test_a_click_in_a_legend_isolates_in_all_figures_of_the_task(opened):
    page = opened()
    names = page.locator("figure[data-figure=learning] [data-contender]")
    names.nth(1).click()
    assert page.locator(".panel").count() == 1
    assert page.locator("figure[data-figure=rates] [data-contender]").nth(1).get_attribute("aria-pressed") == "true"
    keep(page, "isolated")
    names.nth(2).click()
    assert page.locator(".panel").count() == 2
    page.locator("figure[data-figure=learning] .all").click()
    assert page.locator(".panel").count() == 12


def test_the_pointer_and_the_arrow_keys_read_values(opened):
    page = opened()
    tip = page.locator("#tip")
    page.locator("figure[data-figure=learning] .u-over").hover(position={"x": 300, "y": 100})
    assert "epoch" in tip.inner_text()
    assert "10–90 % of trials" in tip.inner_text()
    page.mouse.move(2, 2)
    assert tip.is_hidden()
    page.locator("figure[data-figure=learning] .chart").focus()
    page.keyboard.press("ArrowRight")
    first = tip.inner_text()
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() != first
    page.locator("svg.plot").first.hover(position={"x": 200, "y": 60})
    assert "trials" in tip.inner_text()


def test_several_tasks_are_tabs_that_the_keyboard_reaches(opened):
    page = opened("tasks")
    assert [tab.inner_text() for tab in page.query_selector_all("[role=tab]")] == ["digits", "housing", "line"]
    assert page.locator("article:visible").count() == 1
    probes = page.locator("#task-0 .probes figure")
    assert probes.count() == 5
    assert all(canvas.evaluate(DRAWN) > 10 for canvas in probes.locator("canvas").all())
    assert "median of up to 3 seeds" in probes.first.inner_text()
    with page.expect_download() as waiting:
        probes.first.locator("[data-save=csv]").click()
    assert waiting.value.path().read_text().startswith("line,step")
    page.locator("[role=tab]").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("article:visible").get_attribute("id") == "task-1"
    until(page, "document.querySelectorAll('#task-1 .u-wrap canvas').length === 2")
    assert all(canvas.evaluate(DRAWN) > 20 for canvas in page.query_selector_all("#task-1 .u-wrap canvas"))
    keep(page, "tasks")


def test_hostile_names_run_nothing_and_stay_readable(opened):
    page = opened("hostile", width=400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert "<script>alert(1)</script>" in page.locator(".bar, main").all_inner_texts()[-1]
    page.locator("figure[data-figure=learning] [data-contender]").first.click()
    keep(page, "hostile")


def test_the_policy_stops_what_is_not_the_pages_own(chromium, reports):
    """The same page with a foreign script and style put into it: neither has any effect."""
    source = (reports / "default.html").read_text(encoding="utf-8")
    evil = (
        "<script>document.title = 'owned'</script><style>body { display: none }</style><img src='https://x.invalid/'>"
    )
    (reports / "broken.html").write_text(source.replace("<main", evil + "<main", 1), encoding="utf-8")
    context = chromium.new_context(offline=True)
    page = context.new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto((reports / "broken.html").as_uri())
    assert page.title() != "owned"
    assert page.locator("main").is_visible()
    assert sum("Content Security Policy" in text for text in refused) == 3
    context.close()


def test_the_report_prints_in_light_colours(opened, tmp_path):
    page = opened(theme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 50_000
