"""A running study in a real Chromium: progress, curves that grow, and the same page when it has finished."""

from contextlib import ExitStack

import pytest
from report.test_browser import ARTEFACTS, chromium, until  # noqa: F401
from serving import folders
from serving.servers import running
from verdict.factory import SEVEN, synthetic_study

from steepest.serving import feed as feeds

pytestmark = pytest.mark.browser


@pytest.fixture
def growing(tmp_path, monkeypatch):
    monkeypatch.setattr(feeds, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(feeds, "REST_RATIO", 0.0)
    monkeypatch.setattr(feeds, "MIN_REST_SECONDS", 0.0)
    monkeypatch.setattr(feeds, "PROGRESS_REST_RATIO", 0.0)
    return folders.Folder(tmp_path / "study", *synthetic_study(SEVEN[:4], seeds=4))


@pytest.fixture
def serve():
    """A function that serves a folder until the end of the test."""
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(running(folder))


@pytest.fixture
def visit(chromium, serve):  # noqa: F811
    """A function that opens a link, and fails afterwards if the page complained or asked anybody but its host."""
    complaints, contexts = [], []

    def go(site, path="/", width=1280, theme="light", language="en-US"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, locale=language, reduced_motion="reduce"
        )
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda r: None if r.url.startswith((site.address, "blob:")) else complaints.append(r.url))
        page.goto(site.link(path))
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


def ready(page):
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    until(page, "document.querySelector('#progress p')?.innerText.length > 0")


@pytest.mark.parametrize(
    ("width", "theme", "language"), [(400, "light", "zh-CN"), (1280, "dark", "en-US"), (3840, "light", "en-US")]
)
def test_a_running_study_shows_its_progress_and_its_curves_grow(growing, serve, visit, width, theme, language):
    growing.grow(4)
    site = serve(growing.path)
    page = visit(site, width=width, theme=theme, language=language)
    ready(page)
    assert page.evaluate("document.documentElement.lang") == language[:2]
    progress = page.locator("#progress").inner_text()
    assert {"en": "Running", "zh": "运行中"}[language[:2]] in progress
    assert {"en": "results are preliminary", "zh": "结果是初步的"}[language[:2]] in progress
    assert page.locator(".notice").is_hidden(), "the bar says it"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=ARTEFACTS / f"live-{theme}-{width}.png", full_page=True)
    before = page.locator(".tally").inner_text()
    lines = "document.querySelector('figure[data-figure=learning] .chart').picture.lines.filter(l => l.label).length"
    drawn = page.evaluate(lines)
    growing.finish()
    until(page, "document.documentElement.dataset.state === 'finished'")
    until(page, f"{lines} === 4")
    until(page, "document.querySelector('.notice') === null")
    assert drawn < 4
    assert page.locator(".tally").inner_text() != before
    assert page.locator("#progress").is_hidden()
    assert page.locator(".row .forest .interval").count() == 4
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1, "without loading it again"


def test_what_the_reader_has_chosen_outlives_an_update(growing, serve, visit):
    growing.grow(6)
    site = serve(growing.path)
    page = visit(site)
    ready(page)
    page.locator("figure[data-figure=learning] [data-control=x] [value=step]").click()
    page.locator("details").first.locator("summary").click()
    version = page.evaluate("document.documentElement.dataset.live")
    growing.grow(2)
    until(page, f"document.documentElement.dataset.live !== '{version}'")
    assert page.locator("[data-control=x] [value=step]").first.get_attribute("aria-pressed") == "true"
    assert page.locator("details").first.evaluate("box => box.open")


def test_a_study_without_any_trial_becomes_a_page_as_soon_as_there_is_one(growing, serve, visit):
    site = serve(growing.path)
    page = visit(site)
    ready(page)
    growing.grow(3)
    until(page, "document.querySelectorAll('.u-wrap canvas').length > 0")


def test_the_list_of_studies_leads_to_them(growing, serve, visit, tmp_path):
    folders.finished(tmp_path / "done", *synthetic_study(SEVEN[:2], seeds=3))
    growing.grow(2)
    site = serve(tmp_path)
    page = visit(site)
    assert page.locator(".cards li").count() == 2
    page.screenshot(path=ARTEFACTS / "studies.png")
    page.locator(".cards a", has_text="done").click()
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    assert page.locator(".row .forest .interval").count() == 2
    page.locator("#language [value=zh]").click()
    page.locator("#theme [value=dark]").click()
    page.locator("a.mark").click()
    page.wait_for_selector(".cards")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]") == ["zh", "dark"]
    assert "2 项研究" in page.locator("h1").inner_text()
    page.locator("#language [value=en]").click()
    assert page.locator("h1").inner_text() == "2 studies"
    assert page.locator("#theme").get_attribute("aria-label") == "Colours"


def test_javascript_of_another_page_cannot_read_a_study(growing, serve, visit, chromium):  # noqa: F811
    """A page of another origin in the same browser, which has the cookie: fetch, image, frame and script all fail."""
    growing.grow(2)
    site = serve(growing.path)
    other = serve(growing.path)
    page = visit(site)
    ready(page)
    address = page.url
    foreign = page.context.new_page()
    foreign.goto(other.link("/nowhere"))
    tried = foreign.evaluate(
        """async (address) => {
            const load = (tag, key) => new Promise((done) => {
                const node = document.createElement(tag);
                node.onload = () => done('loaded'); node.onerror = () => done('refused');
                node[key] = address; document.body.append(node); setTimeout(() => done('refused'), 1500);
            });
            const got = await fetch(address, {credentials: 'include'}).then((r) => r.text()).catch(() => 'refused');
            return [got, await load('img', 'src'), await load('script', 'src')];
        }""",
        address,
    )
    assert tried == ["refused", "refused", "refused"]
