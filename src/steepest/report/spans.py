"""Words of a page in all languages at once: the stylesheet shows those of the page's language, so that switching needs
no server and a printed page has one language only.
"""

import re
from typing import TypedDict

from jinja2 import Environment
from markupsafe import Markup

from steepest.locale.translations import Catalogue
from steepest.messages import ENGLISH, Message, catalogue, counted, enumerated, languages, meant, say, term, wordings
from steepest.report.labels import first_sentence

_HYPHENED = re.compile(r"(?<![\w-])\w{1,16}(?:-\w{1,16}){1,2}(?![\w-])(?![^<]*>)")
"""A short name with hyphens in it, outside of tags."""
_SPAN = Markup('<span lang="{}">{}</span>')


def spans(message: Message) -> Markup:
    """The words in every language, once where they do not differ."""
    words = wordings(message)
    if len({*words.values()}) == 1:
        return Markup.escape(words[ENGLISH])
    return Markup("").join(_SPAN.format(code, text) for code, text in words.items())


def large(message: Message) -> Markup:
    """The same in large letters, where a name such as sgd-1 must not be torn apart at the end of a line."""
    return Markup(_HYPHENED.sub(r'<span class="keep">\g<0></span>', str(spans(message))))


def attribute(name: str, message: Message) -> Markup:
    """An attribute such as `aria-label`, which the script changes with the language."""
    words = wordings(message)
    each = Markup("").join(Markup(' data-{}-{}="{}"').format(name, code, text) for code, text in words.items())
    return Markup('{}="{}"').format(name, words[ENGLISH]) + each


def headline(paragraph: Message) -> tuple[Message, Message] | None:
    """The first sentence of a verdict and the rest of it; None before there is a verdict."""
    if not paragraph:
        return None
    cut = {code: first_sentence(words) for code, words in wordings(paragraph).items()}
    first, rest = ({code: parts[i] for code, parts in cut.items()} for i in (0, 2))
    return Message(first[ENGLISH], given=first), Message(rest[ENGLISH], given=rest)


def names() -> dict[str, str]:
    """Language → what it calls itself."""
    return {code: "EN" if code == ENGLISH else catalogue(code).name for code in languages()}


def in_all(message: Message) -> str:
    """The words in every language, one after the other, for readers of any of them."""
    return ", ".join(dict.fromkeys(wordings(message).values()))


def stylesheet() -> str:
    """Shows of several languages that of the page; or, once its script splits it, that of each of its parts."""
    rules = (
        f":root:not([data-split])[lang={code}] span[lang]:not([lang={code}]), "
        f"[lang={code}]:not(span, :root) span[lang]:not([lang={code}]) {{ display: none; }}\n"
        for code in languages()
    )
    return "".join(rules)


class ScriptWords(TypedDict):
    """What scripts say in one language."""

    forms: list[int]
    """Number → plural form; empty where there is only one."""
    words: dict[str, str | tuple[str, ...]]
    """English → wording; one for each plural form where something is counted."""


def script_words() -> dict[str, ScriptWords]:
    """What the scripts of a page say in every language but English: plural form by number, and English → wording."""
    return {code: _script_words(catalogue(code)) for code in languages() if code != ENGLISH}


def _script_words(known: Catalogue) -> ScriptWords:
    said = [entry for entry in known.entries.values() if any(source.endswith(".js") for source in entry.sources)]
    words = {
        f"{entry.context}\u0004{entry.template}" if entry.context else entry.template: (
            entry.translations if entry.plural else entry.translations[0]
        )
        for entry in said
    }
    return {"forms": [known.form(n) for n in range(200)] if known.forms > 1 else [], "words": words}


def speak(environment: Environment) -> None:
    """Let templates say messages: `{{ say("Learning curves") }}`."""
    environment.finalize = _finalized
    helpers: dict[str, object] = {
        "say": say,
        "counted": counted,
        "enumerated": enumerated,
        "meant": meant,
        "term": term,
        "attribute": attribute,
        "large": large,
        "headline": headline,
        "names": names,
        "in_all": in_all,
    }
    environment.globals.update(helpers)  # pyright: ignore[reportUnknownMemberType]


def _finalized(value: object) -> object:
    return spans(value) if isinstance(value, Message) else value
