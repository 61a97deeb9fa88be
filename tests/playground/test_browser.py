"""The playground in a real Chromium: from a file, with the network off, in both languages, both themes, three widths.

Screenshots go to artefacts/ for people to look at.
"""

import re

import numpy as np
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
def test_a_story_is_shown_and_drawn(opened, name, width, theme, language):
    shown = opened(f"#story={name}", width, theme)
    shown.click(f"#languages button[value={language}]")
    story = next(each for each in STORIES if each.name == name)
    assert shown.inner_text("#story").split() == f"{story.point.render(language)} {story.text.render(language)}".split()
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


def test_the_focus_stays_where_it_was_when_something_is_chosen(opened):
    shown = opened("#land=bowl&runs=adam,0.1;sgd,0.1;lion,0.01")
    for control, key in (("select >> nth=0", "m"), ("select >> nth=1", "ArrowUp"), ("input[type=range]", "ArrowLeft")):
        shown.locator(f".run >> nth=0 >> {control}").focus()
        before = shown.url
        shown.keyboard.press(key)
        assert shown.url != before
        assert shown.locator(f".run >> nth=0 >> {control}").evaluate("control => control === document.activeElement")
    for left in (2, 1):
        shown.locator(".run .quiet").last.focus()
        shown.keyboard.press("Enter")
        assert shown.locator(".run").count() == left
        assert shown.evaluate("document.activeElement.tagName") == "BUTTON"
    assert shown.evaluate("document.activeElement.id") == "add"


def at_step(shown, step):
    shown.eval_on_selector("#time", f"time => {{ time.value = {step}; time.dispatchEvent(new Event('input')); }}")


@pytest.mark.parametrize("width", [400, 1280])
def test_no_name_covers_another(opened, width):
    shown = opened("#story=too-large", width)
    for view in ("", "#land=line&runs=sgd,0.1;adam,0.1;lion,0.01;momentum,0.1;adagrad,1;rmsprop,0.1"):
        if view:
            shown.evaluate(f"location.hash = '{view}'")
            shown.wait_for_selector(".run >> nth=5")
        for step in (0, 3, 150):
            at_step(shown, step)
            boxes = shown.eval_on_selector_all(
                "#paths .name", "names => names.map(name => name.getBoundingClientRect().toJSON())"
            )
            for i, a in enumerate(boxes):
                for b in boxes[:i]:
                    apart = a["right"] <= b["left"] + 1 or b["right"] <= a["left"] + 1
                    above = abs(a["top"] + a["bottom"] - b["top"] - b["bottom"]) / 2 > 0.6 * (a["bottom"] - a["top"])
                    assert apart or above, (step, a, b)


@pytest.mark.parametrize("run", ["momentum,0.03,0.9", "sgd,0.1", "nesterov,0.01,0.5"])
def test_the_numbers_beside_a_formula_come_out_as_the_position(opened, run):
    """w − η·(step) as printed is the printed w, up to the 1 % to which gradients and states are kept."""
    shown = opened(f"#land=bowl&start=1&runs={run}")
    for step in (1, 2, 3, 7, 20):
        at_step(shown, step)
        line = shown.locator(".run .numbers").last.inner_text()
        _, told, result = (part.replace("−", "-").replace("·", "*") for part in line.split(" = "))
        told = re.sub(r"10([⁻⁰¹²³⁴-⁹]+)", lambda m: "1e" + m[1].translate(RAISED), told).replace("*1e", "e")
        moved = abs(eval(told) - float(told.split(" ")[0]))
        assert eval(told) == pytest.approx(float(result), abs=0.012 + 0.018 * moved), line


RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def test_who_leaves_and_comes_back_is_not_called_diverging(opened):
    shown = opened("#land=bowl&runs=rmsprop,1,0.99,1e-8;sgd,1")
    at_step(shown, 150)
    comes, goes = shown.locator(".run .now").all_inner_texts()
    assert re.fullmatch(r"Left the picture at step \d+ and comes back later; drawn until it left\.", comes)
    assert goes.endswith("it diverges.")
    assert np.abs(path("bowl", Run("rmsprop", 1.0))[0][-1]).max() < 5


def test_the_effective_step_of_plain_descent_is_its_rate_and_a_fitted_line_is_straight(opened):
    shown = opened("#land=line&start=1&runs=sgd,0.03")
    at_step(shown, 1)
    assert shown.inner_text(".run .now").endswith("effective step of w 0.03")
    at_step(shown, 0)
    y1, y2 = shown.eval_on_selector("#fit line.done", "line => [line.y1.baseVal.value, line.y2.baseVal.value]")
    zero, two = shown.eval_on_selector_all("#fit .grid", "lines => lines.map(line => line.y1.baseVal.value)")[:2]
    assert (y1 - y2) / ((zero - two) / 2) == pytest.approx(6, abs=0.01)  # y = 6x + 4, beyond the chart's upper end


def test_a_chosen_view_is_in_the_address(opened):
    shown = opened("#story=too-large")
    shown.select_option("#land", "saddle")
    shown.check("#noise")
    again = opened("#" + shown.url.split("#")[1])
    assert again.input_value("#land") == "saddle"
    assert again.is_checked("#noise")
    assert again.locator(".run").count() == 3
    again.evaluate("location.hash = '#land=line&runs=adam,0.05'")  # another's view, put into the same window
    again.wait_for_function("document.getElementById('land').value === 'line'")
    assert not again.is_checked("#noise")
    assert again.inner_text(".run output") == "0.03"
    again.go_back()
    again.wait_for_function("document.getElementById('land').value === 'saddle'")
