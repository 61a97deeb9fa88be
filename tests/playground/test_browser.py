"""The playground in a real Chromium: from a file, with the network off, in both languages, both themes, three widths.

Screenshots go to artefacts/ for people to look at.
"""

import re

import pytest
from playground.test_paths import lane, path
from report.test_browser import ARTEFACTS, chromium  # noqa: F401

from steepest.playground import page
from steepest.playground.stories import STORIES, Run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return page.write(tmp_path_factory.mktemp("playground") / "playground.html").as_uri()


@pytest.fixture
def opened(chromium, address):  # noqa: F811
    """A function that opens the page, and fails afterwards if it complained or asked for anything."""
    complaints, contexts = [], []

    def open_page(view="", width=1280, theme="light", motion="reduce"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, offline=True, reduced_motion=motion
        )
        context.set_default_timeout(120_000)
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda message: complaints.append(message.text))
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.on("request", lambda request: request.url.startswith("file:") or complaints.append(request.url))
        shown.goto(address + view)
        shown.wait_for_selector("html[data-ready]")
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def picture(shown, name):
    ARTEFACTS.mkdir(exist_ok=True)
    shown.screenshot(path=ARTEFACTS / f"playground-{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("name", "width", "theme", "language"),
    [
        ("too-large", 1280, "light", "en"),
        ("adagrad-tires", 1280, "dark", "zh"),
        ("eps-matters", 400, "light", "zh"),
        ("momentum-overshoots", 2560, "dark", "en"),
        ("sparse-features", 400, "dark", "en"),
    ],
)
def test_a_story_is_told_and_drawn(opened, name, width, theme, language):
    shown = opened(f"#story={name}", width, theme)
    shown.click(f"#languages button[value={language}]")
    story = next(each for each in STORIES if each.name == name)
    assert shown.inner_text("#story").split() == f"{story.point.of(language)} {story.text.of(language)}".split()
    assert shown.locator(".look").count() == 1
    assert shown.get_attribute(f"#stories button[value={name}]", "aria-pressed") == "true"
    assert shown.locator(".run").count() == len(story.runs)
    drawn = shown.eval_on_selector_all("#paths .done", "lines => lines.map(line => line.points.numberOfItems)")
    assert all(count >= 3 for count in drawn)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    picture(shown, f"{name}-{width}-{theme}-{language}")


def test_what_is_drawn_is_what_was_trained(opened):
    shown = opened("#land=bowl&start=1&noise=1&runs=adam,0.1,0.99,0.9,0.1")
    shown.eval_on_selector("#time", "time => { time.value = 40; time.dispatchEvent(new Event('input')); }")
    x, y = shown.eval_on_selector(
        "#paths .done",
        "line => { const p = line.points.getItem(40); return [p.x / 800 * 10 - 5, 2.5 - p.y / 600 * 5]; }",
    )
    run = Run("adam", 0.1, {"b1": 0.99, "b2": 0.9, "eps": 0.1})
    true = path("bowl", run, 1, True)[0][40]
    assert lane(run, 1, True) != lane(run, 1, False)
    assert abs(x - true[0]) < 0.01
    assert abs(y - true[1]) < 0.01


def test_it_plays_by_itself_and_stops_at_the_end(opened):
    shown = opened("#story=too-large", motion="no-preference")
    shown.select_option("#speed", "60")
    shown.wait_for_selector("#play:has-text('Play')")
    assert shown.input_value("#time") == "150"


def test_everything_can_be_done_with_the_keyboard(opened):
    shown = opened("#land=line&runs=sgd,0.1")
    shown.focus("#picture")
    for _ in range(3):
        shown.keyboard.press("ArrowRight")
    shown.keyboard.press("ArrowLeft")
    assert shown.inner_text("#step") == "step 2"
    shown.focus(".run input[type=range]")
    shown.keyboard.press("ArrowRight")
    assert "sgd,0.3" in shown.url
    shown.focus("#add")
    shown.keyboard.press("Enter")
    assert shown.locator(".run").count() == 2
    shown.locator(".run .quiet").first.focus()
    shown.keyboard.press("Enter")
    assert shown.locator(".run").count() == 1
    assert shown.is_visible("#fit-figure")


def test_the_numbers_stand_in_the_formula_and_a_lost_path_is_called_lost(opened):
    shown = opened("#land=bowl&start=1&runs=adam,0.1,0.9,0.999,0.1;sgd,1")
    shown.eval_on_selector("#time", "time => { time.value = 5; time.dispatchEvent(new Event('input')); }")
    m, v, w = shown.locator(".run:first-child .numbers").all_inner_texts()
    assert re.fullmatch(r"m = 0\.9·\S+ \+ \(1 − 0\.9\)·\S+ = \S+", m)
    assert re.fullmatch(r"v = 0\.999·\S+ \+ \(1 − 0\.999\)·\S+² = \S+", v)
    assert "0.999⁵" in w
    assert "{" not in m + v + w
    assert "it diverges" in shown.inner_text(".run:last-child .now")
    shown.click("#languages button[value=zh]")
    assert "发散" in shown.inner_text(".run:last-child .now")


def test_a_chosen_view_is_in_the_address(opened):
    shown = opened("#story=too-large")
    shown.select_option("#land", "saddle")
    shown.check("#noise")
    again = opened("#" + shown.url.split("#")[1])
    assert again.input_value("#land") == "saddle"
    assert again.is_checked("#noise")
    assert again.locator(".run").count() == 3
