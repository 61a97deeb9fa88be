"""Every template of the package is translated into every language, with the parts and plurals that it must have."""

import ast
import re

import pytest
import translations
from translations import LOCALE, PACKAGE, Entry, faults, fields, forms, read, written

from steepest.cli.main import main
from steepest.locale.translations import catalogue
from steepest.messages import languages
from steepest.report import html

SAID = translations.templates()


@pytest.mark.parametrize("path", sorted(LOCALE.glob("*.po")), ids=lambda path: path.stem)
def test_a_catalogue_has_every_template_and_no_other(path):
    content = path.read_text(encoding="utf-8")
    head, *entries = read(content)
    assert not faults(entries, SAID, forms(head)), "see: python tests/translations.py"
    assert written([head, *entries]) == content
    assert [(each.context, each.template) for each in entries] == [*SAID], "python tests/translations.py update"


def calls():
    """Every call that makes a message, with its file and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not any(isinstance(node, ast.ImportFrom) and node.module == "steepest.messages" for node in tree.body):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in translations.AT:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_template_is_a_literal_and_is_given_its_parts():
    found = 0
    for where, node in calls():
        if node.func.id in ("say", "tr", "counted", "meant"):
            at = translations.AT[node.func.id]
            templates = [words for argument in node.args[at:] for words in translations._literals(argument)]
            assert templates, f"{where}: a template that nobody can find"
            parts = {name for words in templates for name in fields(words)} - {"n" if node.func.id == "counted" else ""}
            given = {keyword.arg for keyword in node.keywords}
            assert None in given or not given or parts == given, f"{where}: {parts ^ given}"
            found += 1
    assert found > 300


def test_a_template_without_parts_that_has_braces_is_found_by_no_one():
    assert not [where for where, node in calls() if node.func.id in ("say", "tr") and not node.keywords
                for words in translations._literals(node.args[0]) if fields(words)]  # fmt: skip


# ---- another language is another file ----


@pytest.fixture
def pig(tmp_path, monkeypatch):
    """A language in which everything stands in brackets; it has three plurals."""
    rule = "nplurals=3; plural=n==1 ? 0 : n<5 ? 1 : 2;"
    head = Entry("", translations=(f"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: {rule}\nX-Name: Pig\n",))
    entries = [
        Entry(each.template, each.plural, each.context, translated(each), (), each.sources) for each in SAID.values()
    ]
    (tmp_path / "pig.po").write_text(written([head, *entries]), encoding="utf-8")
    monkeypatch.setenv("STEEPEST_LOCALE", str(tmp_path))


def translated(entry):
    if entry.plural:
        return tuple(f"⟦{words}⟧{form}" for form, words in enumerate((entry.template, entry.plural, entry.plural)))
    return (f"⟦{entry.template}⟧",)


def test_a_language_is_added_by_adding_a_file(pig, capsys):
    assert languages() == ("en", "pig", "zh")
    assert not faults(catalogue("pig").entries.values(), SAID, 3)
    main(["show", "adam", "--lang", "pig"])
    told = capsys.readouterr().out
    assert "⟦Hyperparameters⟧" in told
    assert "⟦Memory: 2 additional numbers per parameter" in told
    assert not re.search(r"[\u4e00-\u9fff]", told)
    with pytest.raises(SystemExit):
        main(["show", "adam", "--lang", "pork"])
    assert "Unknown language 'pork'" in capsys.readouterr().err


def test_a_page_offers_the_new_language_and_speaks_it(pig):
    from report.studies import default_view

    html.stylesheet.cache_clear()
    try:
        page = html.html(default_view())
    finally:
        html.stylesheet.cache_clear()
    assert '<button type="button" value="pig" lang="pig" aria-pressed="false">Pig</button>' in page
    assert '<span lang="en">Learning curves</span><span lang="pig">⟦Learning curves⟧</span>' in page
    assert ":root:not([data-split])[lang=pig] span[lang]:not([lang=pig])" in page
    assert '"Show all":"⟦Show all⟧"' in page
