"""A task from a column of texts, cut into words, or into characters where the script has no spaces."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import compress
from types import MappingProxyType

import numpy as np
from torch import nn

from steepest.builtin.models import BagOfWords, TextCNN
from steepest.builtin.texts import numbered, vocabulary
from steepest.errors import BadTask
from steepest.ingest import targets
from steepest.ingest.choices import Choice
from steepest.ingest.columns import choice_of
from steepest.ingest.notes import quoted
from steepest.ingest.spreadsheets import Sheet
from steepest.ingest.table_task import no_column
from steepest.ingest.targets import Kind, Origin
from steepest.messages import Message, say
from steepest.tasks.task import Task

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|[!?]")
WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]")
"""Chinese, Japanese and Thai letters."""
LETTER = re.compile(r"[^\W\d_]")
MAX_WORDS, MAX_CHARACTERS = 20_000, 6_000
SHORT_TEXT_PIECES = 64
"""Median words or characters per text up to which the model is a TextCNN; above, a bag of words."""
MAX_PIECES = 256
"""Maximum number of words or characters read from a text."""
VECTOR_WIDTH, CONVOLUTION_MAPS = 64, 32
SHARES = (0.7, 0.1, 0.2)


def text_task(
    sheet: Sheet,
    text_name: str,
    target_name: str,
    kind: Kind | None,
    origin: Origin,
    choices: Mapping[str, Choice] = MappingProxyType({}),
) -> Task:
    """The task of predicting a column of a table from a text column. Raises BadTask."""
    for wanted in (text_name, target_name):
        if wanted not in sheet.columns:
            raise no_column(wanted, sheet.columns)
    if text_name == target_name:
        raise BadTask(f"Both --text and --target are {text_name!r}. Choose two different columns.")
    notes = [*sheet.notes]
    cells = _without_copies(sheet.columns[text_name], sheet.columns[target_name], notes)
    found = targets.target(target_name, cells[1], kind, choice=choice_of(target_name, choices))
    texts = [*compress(cells[0], found.has_target)]
    by_character, pieces = cut(texts)
    many, most = (say("characters"), MAX_CHARACTERS) if by_character else (say("words"), MAX_WORDS)
    full = np.array([len(words) > 0 for words in pieces])
    if not full.all():
        notes.append(
            say(
                "{count:,} of {all:,} texts contain no {many}; left out.",
                count=int((~full).sum()),
                all=len(full),
                many=many,
            )
        )
    pieces, values = [words for words in pieces if words], found.values[full]
    targets.require_examples(origin.title, len(values))
    numbers = vocabulary(pieces, at_least=2, at_most=most - 2)
    if not numbers:
        raise BadTask(
            f"No two texts of {text_name!r} share {many}, so there is nothing to learn. Choose another --text."
        )
    lengths = np.array([len(words) for words in pieces])
    length = max(5, min(MAX_PIECES, int(np.ceil(np.quantile(lengths, 0.95)))))
    median = int(np.median(lengths))
    network, words = _network(len(numbers) + 2, median, found.outputs)
    notes += found.notes
    why = say("since the script has no spaces") if by_character else say("since the script has spaces")
    notes += [
        say(
            "Texts {name} are cut into {many}, {why}; vocabulary: the {known:,} {many} that occur in at least 2 texts.",
            name=quoted(text_name),
            many=many,
            why=why,
            known=len(numbers),
        ),
        say(
            "Median length {median} {many}; the first {length} of each text are read.",
            median=median,
            length=length,
            many=many,
        ),
        say("Model: {words}.", words=words),
    ]
    return origin.task(
        Task,
        len(found.labels),
        targets.training_length(len(values), SHARES),
        notes,
        model=network,
        data=(numbered(pieces, numbers, length), values),
        standardize=False if found.labels else "targets",
    )


def _without_copies(texts: Sequence[str], targets: Sequence[str], notes: list[Message]) -> tuple[list[str], list[str]]:
    """Texts and targets without duplicate texts: a copy in another part could be memorized."""
    first: dict[str, str] = {}
    for text, target in zip(texts, targets, strict=True):
        first.setdefault(text, target)
    if copies := len(texts) - len(first):
        notes.append(
            say("{copies:,} of {all:,} texts repeat an earlier one; duplicates removed.", copies=copies, all=len(texts))
        )
    return [*first], [*first.values()]


def cut(texts: Sequence[str]) -> tuple[bool, list[list[str]]]:
    """Whether texts are cut into characters, and their lower-case words or their characters without whitespace."""
    sample = "".join(texts[:1000])
    letters = len(LETTER.findall(sample))
    if len(WITHOUT_SPACES.findall(sample)) > letters / 2:
        return True, [[*re.sub(r"\s", "", text)] for text in texts]
    return False, [WORD.findall(text.lower()) for text in texts]


def _network(words: int, median: int, outputs: int) -> tuple[partial[nn.Module], Message]:
    """A network for texts of this length, and its description."""
    if median <= SHORT_TEXT_PIECES:
        said = say(
            "embeddings of width {width}, convolutions over 3, 4 and 5 positions with {maps} maps each, dropout 0.5, "
            "{outputs} outputs",
            width=VECTOR_WIDTH,
            maps=CONVOLUTION_MAPS,
            outputs=outputs,
        )
        return partial(TextCNN, words, VECTOR_WIDTH, CONVOLUTION_MAPS, outputs, 0.5), said
    said = say("mean of embeddings of width {width}, {outputs} outputs", width=VECTOR_WIDTH, outputs=outputs)
    return partial(BagOfWords, words, VECTOR_WIDTH, outputs), said
