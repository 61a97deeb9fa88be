"""What a reader does with the page in a real Chromium: languages, groups, filters, brushes, files, keys."""

import csv
import io
import json

import pytest
from report.test_browser import ARTEFACTS, chromium, keep, opened, reports, until  # noqa: F401

pytestmark = pytest.mark.browser
SEEN = """language => [...document.querySelectorAll(`span[lang=${language}]`)]
    .filter((span) => !span.closest('[hidden], details:not([open])'))
    .filter((span) => getComputedStyle(span).display !== 'none').length"""


def caption(page):
    return page.locator("figure[data-figure=learning] [data-caption]").first.inner_text()


def picture(page, figure="learning"):
    return page.locator(f"figure[data-figure={figure}] .u-wrap canvas").first.evaluate("canvas => canvas.toDataURL()")


def taken(page, button):
    with page.expect_download() as waiting:
        button.click()
    return waiting.value


@pytest.mark.parametrize(("width", "theme"), [(400, "dark"), (1280, "light"), (3840, "light")])
def test_the_page_is_chinese_at_a_click(opened, width, theme):  # noqa: F811
    page = opened(width=width, theme=theme)
    page.click("#language [value=zh]")
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert page.locator("h2", has_text="学习曲线").first.is_visible()
    assert not page.locator("h2 span[lang=en]").first.is_visible()
    assert "中位数" in caption(page)
    assert page.locator(".chart").first.get_attribute("aria-label").startswith("学习曲线")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep(page, f"zh-{theme}-{width}")
    page.click("#language [value=en]")
    assert "median" in caption(page)


@pytest.mark.parametrize("name", ["default", "crowded", "tasks"])
def test_every_word_of_the_page_turns_to_the_other_language_and_back(opened, name):  # noqa: F811
    page = opened(name)
    drawn = page.evaluate(SEEN, "en")
    assert drawn > 100
    assert page.evaluate(SEEN, "zh") == 0
    for language, other in (("zh", "en"), ("en", "zh")):
        page.click(f"#language [value={language}]")
        until(page, "document.documentElement.dataset.ready === 'yes'")
        assert page.evaluate(SEEN, language) == drawn
        assert page.evaluate(SEEN, other) == 0
        stale = "[data-aria-label-zh]", f"node => node.ariaLabel !== node.getAttribute('data-aria-label-{language}')"
        assert not page.locator(stale[0]).evaluate_all(f"nodes => nodes.filter({stale[1]}).length")


def test_the_bands_of_the_page_are_those_of_the_view(opened):  # noqa: F811
    """The page makes its medians from single trials; the view's were made by the report: they must agree."""
    page = opened()
    worst = page.evaluate("""() => {
        const {view} = JSON.parse(document.getElementById('view').textContent);
        const {lines} = document.querySelector('figure[data-figure=learning] .chart').picture;
        const drawn = lines.filter((line) => line.label);
        let worst = 0;
        for (const standing of view.tasks[0].standings) {
            const line = drawn.find((l) => l.key === standing.contender);
            const {rates, chosen, band} = standing.curves;
            for (const [mine, theirs] of [[line.mid, rates[chosen].train_loss], [line.low, band.train_loss.low]]) {
                theirs.forEach((value, i) => {
                    if ((value === null) !== (mine[i] === null)) worst = Infinity;
                    if (value !== null) worst = Math.max(worst, Math.abs(mine[i] / value - 1));
                });
            }
        }
        return worst;
    }""")
    assert worst < 2e-3


def test_curves_can_be_grouped_filtered_and_smoothed(opened):  # noqa: F811
    page = opened()
    figure = page.locator("figure[data-figure=learning]")
    seen = [picture(page)]
    for change in (
        lambda: figure.locator("[data-control=band] [value=mean]").click(),
        lambda: figure.locator("[data-control=band] [value=each]").click(),
        lambda: figure.locator("[data-control=smooth]").fill("0.8"),
        lambda: figure.locator("select[data-control=rate]").select_option(""),
        lambda: figure.locator("select[data-control=group]").select_option("outcome"),
        lambda: figure.locator("select[data-control=seed]").select_option("3"),
        lambda: figure.locator("select[data-control=group]").select_option("rate"),
    ):
        change()
        seen.append(picture(page))
        assert seen[-1] != seen[-2], len(seen)
    assert "One line per rate, at all rates" in caption(page)
    figure.locator("select[data-control=group]").select_option("seed")
    figure.locator("select[data-control=seed]").select_option("")
    figure.locator("select[data-control=outcome]").select_option("diverged")
    assert "n = " in caption(page)


def test_what_the_reader_chose_is_in_the_address(opened):  # noqa: F811
    page = opened(theme="light")
    page.locator("figure[data-figure=learning] [data-control=x] [value=samples]").click()
    page.locator("figure[data-figure=learning] select[data-control=group]").select_option("seed")
    page.locator("figure[data-figure=trials] [data-key=valid]").click()
    page.locator(".rows-space .line").nth(1).click()
    page.click("#language [value=zh]")
    page.click("#theme [value=dark]")
    page.wait_for_timeout(300)
    link = page.evaluate("location.hash")
    assert "samples" in link
    other = page.context.new_page()
    other.goto(page.url.split("#")[0] + link)
    other.wait_for_selector("html[data-ready=yes]", state="attached")
    until(other, "document.querySelector('.chart').chart")
    assert other.evaluate("document.documentElement.lang") == "zh"
    assert other.locator("[data-control=x] [value=samples]").first.get_attribute("aria-pressed") == "true"
    assert other.locator("figure[data-figure=learning] select[data-control=group]").input_value() == "seed"
    assert other.locator(".compare").is_visible()
    assert other.locator("[aria-sort=descending]").count() == 1
    assert picture(other) == picture(page)


def test_the_table_sorts_finds_and_filters_every_trial(opened):  # noqa: F811
    page = opened()
    figure = page.locator("figure[data-figure=trials]")
    tally = figure.locator(".tally")
    assert tally.inner_text() == "1,560 trials"
    assert figure.locator(".rows-space .line").count() < 60, "only what is in sight exists"
    figure.locator("[data-key=test]").click()
    tests = [float(x) for x in figure.locator(".rows-space .line span:nth-child(8)").all_inner_texts()[:10]]
    assert tests == sorted(tests, reverse=True)
    figure.locator("[data-control=find]").fill("adam seed 3")
    assert "of 1,560 trials" in tally.inner_text()
    assert all("adam" in line for line in figure.locator(".rows-space .line").all_inner_texts())
    figure.locator("select[data-control=outcome]").select_option("diverged")
    assert all("diverged at step" in line for line in figure.locator(".rows-space .line").all_inner_texts())
    figure.locator(".clear").click()
    assert tally.inner_text() == "1,560 trials"
    rows = list(csv.reader(io.StringIO(taken(page, figure.locator("[data-save=csv]")).path().read_text())))
    assert len(rows) == 1561
    body = figure.locator(".rows-body")
    body.evaluate("box => box.scrollTop = box.scrollHeight")
    until(page, "document.querySelector('.rows-space .line:last-child').ariaRowIndex === '1561'")


def test_a_brush_on_an_axis_keeps_the_trials_that_pass_there(opened):  # noqa: F811
    page = opened()
    figure = page.locator("figure[data-figure=trials]")
    canvas = figure.locator(".parallel canvas")
    canvas.scroll_into_view_if_needed()
    until(page, "document.querySelector('.parallel canvas').dataset.done === 'yes'")
    box = canvas.bounding_box()
    x = box["x"] + 130 + (box["width"] - 200) * 4 / 6  # the axis of the validation metric
    page.mouse.move(x, box["y"] + 45)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 120, steps=4)
    page.mouse.up()
    kept = int(figure.locator(".tally").inner_text().split(" of ")[0].replace(",", ""))
    assert 0 < kept < 1560
    values = [float(v) for v in figure.locator(".rows-space .line span:nth-child(7)").all_inner_texts()]
    assert min(values) > 70
    keep(page, "brushed")
    canvas.scroll_into_view_if_needed()
    page.mouse.click(x, canvas.bounding_box()["y"] + 200)
    assert figure.locator(".tally").inner_text() == "1,560 trials"
    figure.locator(".parallel").focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    by_keys = [float(v) for v in figure.locator(".rows-space .line span:nth-child(7)").all_inner_texts()]
    assert min(by_keys) > 20, "the lowest fifth of the axis is left out, and what failed with it"
    page.keyboard.press("Delete")
    assert figure.locator(".tally").inner_text() == "1,560 trials"


def test_two_trials_stand_side_by_side_with_what_differs(opened):  # noqa: F811
    page = opened()
    lines = page.locator("figure[data-figure=trials] .rows-space .line")
    lines.nth(0).click()
    page.locator(".rows-body").focus()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    table = page.locator(".compare table")
    assert table.locator("thead .name").count() == 2
    rows = {row.locator("th").inner_text(): row for row in table.locator("tbody tr").all()}
    assert rows["Rate"].get_attribute("class") == "differs" or rows["Seed"].get_attribute("class") == "differs"
    assert rows["Optimizer"].get_attribute("class") != "differs"
    assert page.locator(".compare .chart canvas").count() == 2
    page.locator(".compare").scroll_into_view_if_needed()
    keep(page, "compared")


def test_figures_and_tables_leave_as_files(opened):  # noqa: F811
    page = opened(theme="dark")
    for figure in ("learning", "rates", "each", "target", "bestof"):
        box = page.locator(f"figure[data-figure={figure}]").first
        svg = taken(page, box.locator("[data-save=svg]")).path().read_text()
        assert svg.startswith("<svg")
        assert svg.count("<path") + svg.count("<circle") > 3, figure
        assert "var(" not in svg, "it stands without the page's stylesheet"
        assert taken(page, box.locator("[data-save=png]")).path().read_bytes()[:4] == b"\x89PNG"
        rows = list(csv.reader(io.StringIO(taken(page, box.locator("[data-save=csv]")).path().read_text())))
        assert len(rows) > 10
        (ARTEFACTS / f"figure-{figure}.svg").write_text(svg)
    ranking = page.locator("[data-section=ranking-0]")
    assert "\\toprule" in taken(page, ranking.locator("[data-take='ranking.tex']")).path().read_text()
    assert taken(page, ranking.locator("[data-take='ranking.csv']")).path().read_text().startswith("task,metric")
    assert json.loads(taken(page, ranking.locator("[data-take='view.json']")).path().read_text())["schema"]


def test_keys_do_what_the_list_of_keys_says(opened):  # noqa: F811
    page = opened(theme="light")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    assert page.evaluate("document.documentElement.lang") == "zh"
    page.keyboard.press("t")
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("j")
    until(page, "scrollY > 300")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.dataset.control") == "find"
    page.keyboard.type("t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "a letter in a field is a letter"


def test_a_hostile_csv_has_no_formula(opened):  # noqa: F811
    page = opened("hostile")
    text = taken(page, page.locator("figure[data-figure=trials] [data-save=csv]")).path().read_text()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert [cell for cell in cells if "cmd" in cell]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]
