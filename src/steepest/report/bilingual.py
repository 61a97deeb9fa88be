"""Words of the page in both languages at once: the stylesheet shows those of the page's language, so that switching
needs no server and a printed page has one language only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from steepest.language import Language, Text
from steepest.report import labels

_HYPHENED = re.compile(r"(?<![\w-])\w{1,16}(?:-\w{1,16}){1,2}(?![\w-])(?![^<]*>)")
"""A short name with hyphens in it, outside of tags."""
_SPANS = Markup('<span lang="en">{}</span><span lang="zh">{}</span>')


def both(english: str, chinese: str, **parts: Any) -> Markup:
    """A label, caption or sentence in both languages; `parts` fill both, and are escaped unless they are markup."""
    return _SPANS.format(_filled(english, parts, "en"), _filled(chinese, parts, "zh"))


def two(thing: Mapping[str, Any], key: str) -> Text:
    """What the view says under `key`, and under `key_zh` where it says it in Chinese too."""
    return Text(str(thing[key]), str(thing.get(f"{key}_zh") or thing[key]))


def show(text: Any) -> Markup:
    """A text in both languages, once where they do not differ."""
    pair = _text(text)
    return Markup.escape(pair.en) if pair.en == pair.zh else _SPANS.format(pair.en, pair.zh)


def show_large(text: Any) -> Markup:
    """The same in large letters, where a name such as sgd-1 must not be torn apart at the end of a line."""
    return Markup(_HYPHENED.sub(r'<span class="keep">\g<0></span>', str(show(text))))


def attribute(name: str, english: str, chinese: str, **parts: Any) -> Markup:
    """An attribute such as `aria-label`, which the script changes with the language."""
    en, zh = _filled(english, parts, "en"), _filled(chinese, parts, "zh")
    return Markup('{0}="{1}" data-{0}-en="{1}" data-{0}-zh="{2}"').format(Markup(name), en, zh)


def groups(claims: Iterable[Mapping[str, Any]], pairs: bool = False) -> list[tuple[Text, list[Text]]]:
    """Claims under the labels of their kinds, both in the order in which the verdict tells them.

    pairs: those that put a row of the ranking into words; otherwise all the others.
    """
    found: dict[str, list[Text]] = {}
    for claim in claims:
        if claim["pair"] is pairs:
            found.setdefault(claim["kind"], []).append(two(claim, "sentence"))
    return [(_text(labels.KINDS[kind]), sentences) for kind, sentences in found.items()]


def headline(thing: Mapping[str, Any]) -> tuple[Text, Text] | None:
    """The first sentence of a verdict and the rest of it; None before there is a verdict."""
    english, chinese = list(thing["headline"]), list(thing.get("headline_zh") or thing["headline"])
    if not english:
        return None
    return Text(english[0], chinese[0]), Text(" ".join(english[1:]), "".join(chinese[1:]))


def _filled(template: str, parts: Mapping[str, Any], language: Language) -> Markup:
    return Markup(template).format(
        **{key: part.of(language) if isinstance(part, Text) else part for key, part in parts.items()}
    )


def _text(value: Any) -> Text:
    return value if isinstance(value, Text) else Text(str(value), str(value))


HELPERS = {
    "both": both,
    "two": two,
    "show": show,
    "show_large": show_large,
    "attribute": attribute,
    "groups": groups,
    "headline": headline,
    "text": _text,
}
"""What templates call."""
