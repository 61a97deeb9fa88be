"""A message is English, whatever the reader speaks, and comes out in every language that has a catalogue."""

import json
import os
import subprocess
import sys
import threading

import pytest
import translations
from translations import Entry, faults, read, rename, update, written

from steepest import messages
from steepest.messages import Message, counted, enumerated, listed, meant, paragraph, say, shown, speaking, term, tr

HEAD = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals={forms}; plural={rule};\\n"
"X-Name: {name}\\n"
"X-Wide-Script: {wide}\\n"

"""
PLURALS = {  # code: (forms, rule, X-Name, X-Wide-Script)
    "xw": (1, "0", "宽", "yes"),
    "xs": (3, "n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2", "slavic", "no"),
}


@pytest.fixture
def speak(tmp_path, monkeypatch):
    """Makes a language of these translations, and has it spoken."""

    def speak(code, *entries):
        forms, rule, name, wide = PLURALS[code]
        head = HEAD.format(forms=forms, rule=rule, name=name, wide=wide)
        (tmp_path / f"{code}.po").write_text(head + written(entries), encoding="utf-8")
        monkeypatch.setenv("STEEPEST_LOCALE", str(tmp_path))
        monkeypatch.setenv("STEEPEST_LANG", code)

    return speak


def entry(template, *translations, plural="", context=""):
    return Entry(template, plural, context, translations)


# ---- rendering ----


def test_a_message_is_english_unless_asked_otherwise(speak):
    speak("xs", entry("{who} waits", "{who} čeka"))
    message = say("{who} waits", who="adam")
    assert str(message) == "adam waits"
    assert shown(message) == tr("{who} waits", who="adam") == "adam čeka"
    with speaking("en"):
        assert shown(message) == "adam waits"
    assert shown(message) == "adam čeka"


def test_parts_are_filled_in_the_language_of_the_whole(speak):
    speak("xs", entry("{who} waits for {what}", "{what} čeka {who}"), entry("nothing", "ništa"))
    assert shown(say("{who} waits for {what}", who="adam", what=say("nothing"))) == "ništa čeka adam"


def test_what_the_catalogue_lacks_stays_english_with_its_parts_translated(speak):
    speak("xs", entry("nothing", "ništa"))
    assert shown(say("{a} is {b:.2f}", a=say("nothing"), b=1 / 3)) == "ništa is 0.33"


def test_the_catalogue_decides_on_plurals(speak):
    trial = ("{n:,} proba", "{n:,} probe", "{n:,} proba!")
    speak("xs", entry("{n:,} trial", *trial, plural="{n:,} trials"))
    said = {n: counted(n, "{n:,} trial", "{n:,} trials") for n in (1, 3, 5, 21, 1560)}
    assert [*map(str, said.values())] == ["1 trial", "3 trials", "5 trials", "21 trials", "1,560 trials"]
    assert [*map(shown, said.values())] == ["1 proba", "3 probe", "5 proba!", "21 proba", "1,560 proba!"]


def test_the_same_english_may_mean_two_things(speak):
    speak("xs", entry("second", "sekunda"), entry("second", "drugi", context="after the first"))
    assert [shown(say("second")), shown(meant("after the first", "second"))] == ["sekunda", "drugi"]


def test_a_text_without_parts_is_shown_as_it_stands(speak):
    speak("xs")
    for name in ("{x}", "{", "100 %", ""):
        assert str(term(name)) == shown(term(name)) == name
    assert not term("")


def test_lists_are_joined_as_each_language_joins_them(speak):
    joins = {
        "{item}, {items}": "{item}、{items}",
        "{items} and {last}": "{items}和{last}",
        "{sentence} {sentences}": "{sentence}{sentences}",
    }
    speak("xw", entry("weights", "权重"), entry("order", "次序"), *(entry(*each) for each in joins.items()))
    assert [str(listed([*"abc"][:n])) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert [shown(listed([*"abc"][:n])) for n in range(4)] == ["", "a", "a 和 b", "a、b 和 c"]
    assert shown(listed([say("weights"), say("order")])) == "权重和次序"
    assert str(enumerated(["a", "b", "c"], "{clause}; {clauses}")) == "a; b; c"
    assert str(enumerated([str(i) for i in range(3000)])).endswith(", 2998, 2999")
    assert str(paragraph([term("One."), term(""), term("Two.")])) == "One. Two."
    assert shown(paragraph([term("一。"), term(""), term("二。")])) == "一。二。"


def test_a_space_stands_between_scripts_and_nowhere_else(speak):
    speak("xw", entry("accuracy", "准确率"), entry("{a} is {b}", "测试集{a}为{b}。"), entry("({a})", "（{a}）"))
    accuracy = say("accuracy")
    assert shown(say("{a} is {b}", a=accuracy, b="97.4%")) == "测试集准确率为 97.4%。"
    assert shown(say("{a} is {b}", a=accuracy, b=accuracy)) == "测试集准确率为准确率。"
    assert shown(say("({a})", a="R²")) == "（R²）"


def test_nothing_inside_a_name_is_touched(speak):
    speak("xw", entry("use {name}", "请用{name}"))
    name = "我的sgd {x} 优化器,v2"
    assert shown(say("use {name}", name=name)) == f"请用{name}"


def test_names_can_be_changed_within_a_finished_message():
    message = say("{a} and {b}", a="Adam", b=say("{c} of {n}", c="SGD", n=3))
    assert str(message.mapped(str.lower)) == "adam and sgd of 3"
    assert str(term("Adam").mapped(str.lower)) == "adam"


# ---- storing ----


def test_a_stored_message_can_be_shown_in_a_language_that_is_learned_later(speak):
    message = counted(3, "{n} of {of} seen", "{n} of {of} were seen", of=say("nothing"))
    stored = json.dumps(message.to_json())
    speak("xs", entry("nothing", "ništa"), entry("{n} of {of} seen", *["{n} {of}"] * 3, plural="{n} of {of} were seen"))
    again = Message.from_json(json.loads(stored))
    assert again == message
    assert (str(again), shown(again)) == ("3 of nothing were seen", "3 ništa")


def test_what_was_stored_in_two_languages_keeps_both():
    old = Message.from_json({"en": "A {brace.", "zh": "一。"})
    assert (str(old), old.render("zh")) == ("A {brace.", "一。")
    assert Message.from_json(old.to_json()) == old
    assert str(Message.from_json("one language")) == "one language"


@pytest.mark.parametrize(
    "stored",
    [
        None,
        3,
        ["text"],
        {},
        {"template": None},
        {"template": "{n}", "parts": []},
        {"template": "{n}", "parts": {"n": None}},
        {"template": "{other}", "parts": {"n": 1}},
        {"template": "{n.real}", "parts": {"n": 1}},
        {"template": "{n:>999999999}", "parts": {"n": 1}},
        {"template": "{n:.999999999f}", "parts": {"n": 1}},
        {"template": "{n:d}", "parts": {"n": "text"}},
        {"template": "{n", "parts": {"n": 1}},
        {"template": "one", "parts": {"n": 2}, "plural": "{m}"},
        {"template": "a", "given": {"zh": 3}},
        {"en": "a", "zh": None},
        {"template": "{n}", "parts": {"n": {"template": 1}}},
    ],
)
def test_what_is_no_message_or_cannot_be_shown_is_refused_when_it_is_read(stored):
    with pytest.raises(ValueError, match=r"message|format|expected"):
        Message.from_json(stored)


# ---- the language in force ----


def test_a_language_is_in_force_for_one_thread_only(speak):
    speak("xs", entry("nothing", "ništa"))
    heard = []
    with speaking("en"):
        thread = threading.Thread(target=lambda: heard.append(tr("nothing")))
        thread.start()
        thread.join()
        heard.append(tr("nothing"))
    assert heard == ["ništa", "nothing"]


def test_an_unknown_language_is_english(monkeypatch):
    monkeypatch.setenv("STEEPEST_LANG", "tlh")
    assert messages.language() == "en"
    with pytest.raises(LookupError, match=r"Unknown language 'tlh'\. Known: en, zh"):
        say("nothing").render("tlh")


def test_english_reads_no_catalogue():
    code = (
        "from steepest.messages import say, tr, catalogue; import steepest.locale.translations as c\n"
        "say('{a}', a=say('b')); tr('c'); assert c._catalogue.cache_info().misses == 0\n"
        "say('d').render('zh'); assert c._catalogue.cache_info().misses == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "STEEPEST_LANG": "en"})


# ---- keeping catalogues in step ----


def test_a_catalogue_is_written_as_it_was_read():
    content = written([
        entry("a \"quoted\" \\ one\ntwo", "x\ny"),
        Entry("{n} trial", "{n} trials", "c", ("{n} p", "{n} q"), ("#. For a table.",), ("a.py", "b/c.py")),
    ])  # fmt: skip
    assert written(read(content)) == content
    assert [each.sources for each in read(content)] == [(), ("a.py", "b/c.py")]


def test_faults_of_a_catalogue_are_found():
    said = {
        ("", each.template): each
        for each in (entry("{a} b"), entry("new"), entry("{n} x", plural="{n} xs"), entry("c"))
    }
    found = faults(
        [entry("{a} b", "{b} a"), entry("old", "alt"), entry("{n} x", "{n}", plural="{n} xs"), entry("c", "")], said, 2
    )
    assert found == [
        "1 plural forms instead of 2: '{n} x'",
        "left over: 'old'",
        "missing: 'new' ()",
        "not translated: 'c'",
        "parts ['a'] in English, [['b']] translated: '{a} b'",
    ]


def test_reworded_english_keeps_its_translation():
    before = [
        Entry(each, translations=(each.upper(),), sources=("a.py",)) for each in ("one", "two {x}", "three", "four")
    ]
    said = {
        ("", each): Entry(each, sources=("a.py",)) for each in ("one", "the second is {x}", "third", "four", "five")
    }
    entries, pairs = update(before, said)
    assert pairs == [("two {x}", "the second is {x}"), ("three", "third")]
    assert [(each.template, *each.translations) for each in entries] == [
        ("one", "ONE"), ("the second is {x}", "TWO {X}"), ("third", "THREE"), ("four", "FOUR"), ("five", ""),
    ]  # fmt: skip
    assert [each.template for each in rename(before, "four", "4")][-1] == "4"
    with pytest.raises(LookupError):
        rename(before, "fünf", "5")


def test_templates_are_found_in_python_pages_and_scripts():
    python = """say("a {b}", b=tr("c" if d else "e"))
x.say("no")
enumerated(f, "{g}; {h}")
counted(1, "i", "is")
meant("j", "k")"""
    found = [(each.context, each.template, each.plural) for each in translations.in_python(python)]
    assert sorted(found) == sorted(
        [("", "a {b}", ""), ("", "c", ""), ("", "e", ""), ("", "{g}; {h}", ""), ("", "i", "is"), ("j", "k", "")]
    )
    page = '<p title="{{ say("a") }}">{{ counted(n, "b", "bs") }} {% set x = say("c {d}", d=say("e")) %}</p>'
    assert {(each.template, each.plural) for each in translations.in_pages(page)} == {
        ("a", ""), ("b", "bs"), ("c {d}", ""), ("e", ""),
    }  # fmt: skip
    script = 'f(say("a \\"b\\"", { c }), plural(list.length, "{n} d", "{n} ds"), x.say("no"), essay("no"))'
    assert [(each.template, each.plural) for each in translations.in_scripts(script)] == [
        ('a "b"', ""),
        ("{n} d", "{n} ds"),
    ]
