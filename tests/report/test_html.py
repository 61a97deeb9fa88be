"""The page: one offline file in which every name is text, and nothing runs that is not its own."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report.studies import HOSTILE, default_trials, default_view, hostile_study, judged, three_tasks
from verdict.factory import SEVEN, synthetic_study

from steepest.report.html import html, script, stylesheet
from steepest.report.labels import first_sentence
from steepest.report.offline_page import json_in_script
from steepest.report.plain import plain
from steepest.report.view import view

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """The page as a parser sees it: elements with their attributes, text, and the bodies of scripts and styles."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.raw, self.open, self.unclosed = [], [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unclosed.append((tag, self.getpos()))

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.append((self.open[-1], self.elements[-1][1], data))
        else:
            self.text.append(data)

    def every(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module", params=["default", "three tasks", "hostile", "unfinished", "nothing yet"])
def shown(request):
    if request.param == "default":
        return default_view()
    if request.param == "three tasks":
        return three_tasks()
    if request.param == "hostile":
        return view(*hostile_study())
    study, traces = synthetic_study(SEVEN[:2], seeds=3)
    some = study.results[:20] if request.param == "unfinished" else ()
    changed = replace(study, results=some, finished=False)
    return view(*judged(changed, traces if some else {}))


@pytest.fixture(scope="module")
def page(shown):
    return Page(html(shown))


def test_every_element_is_closed(page):
    assert page.unclosed == []
    assert page.open == []


def test_nothing_is_fetched_from_anywhere(page):
    for tag, attrs in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form"), tag
        for name in ("src", "srcset", "action", "poster", "background", "xlink:href"):
            assert name not in attrs, (tag, attrs)
        assert attrs.get("href", "#").startswith("#"), (tag, attrs)
    assert not re.search(r"url\(|@import|https?:|(?<!:)//", stylesheet())


def test_the_script_names_no_address_but_that_of_its_plot_library():
    assert re.findall(r"https?://[^\s\"')]*", script()) == ["https://github.com/leeoniya/uPlot"]
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "import(", "eval(", "innerHTML"):
        assert word not in script(), word
    assert "The MIT License" in script()


def test_no_attribute_holds_code_or_style(page):
    for tag, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on") or name == "style"], (tag, attrs)


def test_the_policy_admits_this_script_and_this_stylesheet_and_nothing_else(page):
    [policy] = [meta["content"] for meta in page.every("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    code = [body for tag, attrs, body in page.raw if tag == "script" and "type" not in attrs]
    sheets = [body for tag, _, body in page.raw if tag == "style"]
    assert [len(code), len(sheets)] == [1, 1]
    for kind, [body] in (("script-src", code), ("style-src", sheets)):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"


def test_the_data_in_the_page_are_the_view(page, shown):
    [data] = [body for tag, attrs, body in page.raw if tag == "script" and attrs.get("id") == "view"]
    assert json.loads(data)["view"] == plain(shown)
    assert not set("<>&") & set(data)


def test_ids_are_unique_and_every_reference_has_its_target(page):
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in page.elements:
        for name in ("aria-labelledby", "aria-controls"):
            assert attrs.get(name, ids[0]) in ids
        if attrs.get("href"):
            assert attrs["href"][1:] in ids


def test_every_button_is_named_and_every_picture_described_or_hidden(page):
    for tag, attrs in page.elements:
        if tag == "button":
            assert attrs["type"] == "button"
        if attrs.get("role") == "img":
            assert attrs.get("aria-label")


def test_the_default_report_is_well_under_a_megabyte():
    assert len(html(default_view(), default_trials()).encode()) < 900_000


def test_hostile_names_appear_as_text():
    page = Page(html(view(*hostile_study())))
    text = "".join(page.text)
    assert [attrs.get("id") for attrs in page.every("script")] == ["words", "view", "trials", None]
    assert HOSTILE[0] in text
    assert "</script><!-- {{ 7*7 }} &amp;" in text, "neither ends a script, nor opens a comment, nor is a template"
    assert "' onload='alert(1)\"" in text
    assert "=cmd|" in text
    assert "../../etc/passwd" in text
    assert "🔥👩‍🔬 火" in text
    assert "\\u202eevil\\u202c مرحبا" in text
    titles = [attrs["title"] for _, attrs in page.elements if attrs.get("title")]
    assert "x" * 10_000 in titles


def test_json_in_a_script_cannot_end_it():
    text = json_in_script({"</script>": "<!--\u2028&"})
    assert json.loads(text) == {"</script>": "<!--\u2028&"}
    assert not set("<>&\u2028") & set(text)
    with pytest.raises(ValueError, match="JSON"):
        json_in_script({"x": float("nan")})


def test_the_words_are_complete_without_the_script():
    text = re.sub(r"\s+", " ", "".join(Page(html(default_view())).text))
    for shown in (default_view()["tasks"][0], default_view()):
        said = [
            words
            for code in ("en", "zh")
            for words in (
                *(first_sentence(shown["headline"].render(code)) if "answer" not in shown else ()),
                *(part for line in shown.get("answer", ()) for part in first_sentence(line.render(code))),
                *(claim["sentence"].render(code) for claim in shown["claims"]),
            )
        ]
        for sentence in said:
            assert sentence in text
    for contender in default_view()["contenders"]:
        assert contender["name"] in text
    assert default_view()["reproduce"]["command"] in text
