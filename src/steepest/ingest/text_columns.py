"""A column of texts as a task: words, or characters where a script has no spaces, and a network that reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from itertools import compress

import numpy as np
from torch import nn

from steepest.builtin.models import BagOfWords, TextCNN
from steepest.builtin.texts import numbered, vocabulary
from steepest.errors import BadTask
from steepest.ingest import targets
from steepest.ingest.notes import quoted
from steepest.ingest.spreadsheets import Sheet
from steepest.ingest.table_task import no_column
from steepest.ingest.targets import Kind
from steepest.messages import Message, say
from steepest.tasks.task import Task

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|[!?]")
WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]")
"""Chinese, Japanese and Thai letters."""
LETTER = re.compile(r"[^\W\d_]")
MOST_WORDS, MOST_CHARACTERS = 20_000, 6_000
SHORT = 64
"""Words or characters up to which a text is read by convolutions, and beyond which as a bag."""
LONGEST = 256
"""Words or characters of a text that are looked at, at most."""
WIDTH, MAPS = 64, 32
SHARES = (0.7, 0.1, 0.2)


def text_task(
    sheet: Sheet, text_name: str, target_name: str, kind: Kind | None, name: str, title: str, source: str
) -> Task:
    """The task of telling a column of a sheet from a column of texts. Raises BadTask."""
    for wanted in (text_name, target_name):
        if wanted not in sheet.columns:
            raise no_column(wanted, sheet.columns)
    if text_name == target_name:
        raise BadTask(f"Both --text and --target are {text_name!r}: what is to be told cannot be what is read.")
    notes = [*sheet.notes]
    cells = _each_once(sheet.columns[text_name], sheet.columns[target_name], notes)
    found = targets.target(target_name, cells[1], kind, sheet.comma_separates)
    texts = [*compress(cells[0], found.here)]
    by_character, pieces = cut(texts)
    many, most = (say("characters"), MOST_CHARACTERS) if by_character else (say("words"), MOST_WORDS)
    full = np.array([len(words) > 0 for words in pieces])
    if not full.all():
        notes.append(
            say(
                "{count:,} of {all:,} texts hold no {many}: left out.",
                count=int((~full).sum()),
                all=len(full),
                many=many,
            )
        )
    pieces, values = [words for words in pieces if words], found.values[full]
    targets.enough(title, len(values))
    numbers = vocabulary(pieces, at_least=2, at_most=most - 2)
    if not numbers:
        raise BadTask(f"The texts of {text_name!r} have no two {many} in common: there is nothing to learn from.")
    lengths = np.array([len(words) for words in pieces])
    length = max(5, min(LONGEST, int(np.ceil(np.quantile(lengths, 0.95)))))
    median = int(np.median(lengths))
    network, words = _network(len(numbers) + 2, median, found.outputs)
    notes += found.notes
    why = say("as most letters belong to a script without spaces") if by_character else say("as the script has spaces")
    notes += [
        say(
            "Texts {name} cut into {many}, {why}: {known:,} of them are in two texts or more, and known.",
            name=quoted(text_name),
            many=many,
            why=why,
            known=len(numbers),
        ),
        say(
            "A text has {median} {many} in the middle; the first {length} of each are read.",
            median=median,
            length=length,
            many=many,
        ),
        say("Model: {words}.", words=words),
    ]
    return Task(
        model=network,
        data=(numbered(pieces, numbers, length), values),
        **found.of_task,
        **targets.effort(len(values), SHARES),
        standardize=False if found.labels else "targets",
        name=name,
        title=title,
        source=source,
        notes=tuple(notes),
    )


def _each_once(texts: Sequence[str], targets: Sequence[str], notes: list[Message]) -> tuple[list[str], list[str]]:
    """Texts and targets without those that repeat an earlier text, however many: in another part, a copy would be known
    by heart."""
    first: dict[str, str] = {}
    for text, target in zip(texts, targets, strict=True):
        first.setdefault(text, target)
    if copies := len(texts) - len(first):
        notes.append(
            say(
                "{copies:,} of {all:,} texts repeat an earlier one: taken once.",
                copies=copies,
                all=len(texts),
            )
        )
    return [*first], [*first.values()]


def cut(texts: Sequence[str]) -> tuple[bool, list[list[str]]]:
    """Whether texts are read by character, and their words in small letters, or their characters without blanks."""
    sample = "".join(texts[:1000])
    letters = len(LETTER.findall(sample))
    if len(WITHOUT_SPACES.findall(sample)) > letters / 2:
        return True, [[*re.sub(r"\s", "", text)] for text in texts]
    return False, [WORD.findall(text.lower()) for text in texts]


def _network(words: int, median: int, outputs: int) -> tuple[partial[nn.Module], Message]:
    """A network for texts of this length, and what it is in words."""
    if median <= SHORT:
        said = say(
            "vectors of {width}, convolutions over 3, 4 and 5 places with {maps} maps each, {outputs} outputs, dropout "
            "of one half",
            width=WIDTH,
            maps=MAPS,
            outputs=outputs,
        )
        return partial(TextCNN, words, WIDTH, MAPS, outputs, 0.5), said
    said = say(
        "the mean of vectors of {width}, and {outputs} outputs",
        width=WIDTH,
        outputs=outputs,
    )
    return partial(BagOfWords, words, WIDTH, outputs), said
