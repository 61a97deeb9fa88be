"""The page on printed and standard forms says what the rules do: its examples are run."""

from __future__ import annotations

import doctest
from pathlib import Path

from steepest.optim.catalogue import names

PAGE = Path(__file__).parents[2] / "docs" / "printed-forms.md"


def test_the_examples_of_the_page_give_the_numbers_that_it_prints() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried >= 9


def test_every_printed_form_of_the_catalogue_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in names() if name.endswith(("-printed", "-averaged")))
