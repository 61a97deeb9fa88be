"""The built-in tasks on texts, whose inputs are numbered words or characters.

A vocabulary is built from all texts of the pool, without their labels, since models must have the same size for all
seeds. Words outside a seed's training part keep their initial embeddings.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from steepest.builtin.task_entry import Entry
from steepest.datasets import formats, sources
from steepest.tasks.metrics import Metric
from steepest.tasks.task import Task

PADDING, UNKNOWN = 0, 1
"""Reserved numbers of every vocabulary."""


def vocabulary(texts: Iterable[Iterable[str]], at_least: int = 1, at_most: int | None = None) -> dict[str, int]:
    """Numbers from 2 on for the `at_most` most frequent words that occur in at least `at_least` texts."""
    counts = Counter(chain.from_iterable(set(words) for words in texts))
    kept = sorted((word for word, count in counts.items() if count >= at_least), key=lambda w: (-counts[w], w))
    return {word: number for number, word in enumerate(kept[:at_most], start=2)}


def numbered(texts: Sequence[Sequence[str]], numbers: dict[str, int], length: int) -> np.ndarray:
    """The first `length` words of each text as numbers [N, length], padded at the end."""
    table = np.full((len(texts), length), PADDING, dtype=np.int64)
    for row, words in zip(table, texts, strict=True):
        found = [numbers.get(word, UNKNOWN) for word in words[:length]]
        row[: len(found)] = found
    return table


# ---- posts -----------------------------------------------------------------------------------------------------------

NEWS_WORDS = 20_000
"""Vocabulary size; about 22,000 words occur in five posts or more."""
NEWS_LENGTH = 256
"""Maximum number of different words read from a post; nine posts of ten have fewer."""


def newsgroups(entry: Entry) -> Task:
    """The different words of a post [N, 256], in order, and its group. Uses the official test part.

    Duplicate posts count once; those that also occur in test are removed from training.
    """
    arrays = sources.load("newsgroups")
    train, test = (
        dict(zip(formats.lines(arrays[f"text{part}"]), arrays[f"y{part}"], strict=True)) for part in ("", "_test")
    )
    posts = {
        name: ([[*dict.fromkeys(words.split())] for words in part], np.array([*part.values()], dtype=np.int64))
        for name, part in (("train", {words: y for words, y in train.items() if words not in test}), ("test", test))
    }
    numbers = vocabulary(posts["train"][0], at_least=5, at_most=NEWS_WORDS - 2)
    return entry.task(
        **{name: (numbered(texts, numbers, NEWS_LENGTH), y) for name, (texts, y) in posts.items()},
        split=(0.81, 0.09, 0.1),
        loss=F.cross_entropy,
        metric="accuracy",
    )


# ---- reviews ---------------------------------------------------------------------------------------------------------

SNIPPET_WORDS = 8_000
SNIPPET_LENGTH = 40
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[!?]")


def snippets(entry: Entry) -> Task:
    """The words of a sentence [N, 40] and its mean rating by 20 people: positive (1) or negative (0).

    Neutral sentences, with a mean between −0.5 and 0.5, and duplicates are excluded.
    """
    arrays = sources.load("snippets")
    rated = {}
    for sentence, score in zip(formats.lines(arrays["text"]), arrays["score"], strict=True):
        words = tuple(WORD.findall(sentence.lower().replace("''", '"')))
        if words and abs(score) > 0.5:
            rated.setdefault(words, int(score > 0))
    texts = [*rated]
    numbers = vocabulary(texts, at_least=2, at_most=SNIPPET_WORDS - 2)
    return entry.task(
        data=(numbered(texts, numbers, SNIPPET_LENGTH), np.array([*rated.values()])),
        split=(0.7, 0.1, 0.2),
        loss=F.cross_entropy,
        metric="accuracy",
    )


REVIEW_CHARACTERS, REVIEW_PAIRS = 3_500, 20_000
REVIEW_LENGTH = 160
"""Maximum number of characters read from a review; nine reviews of ten are shorter."""


def reviews(entry: Entry) -> Task:
    """The characters of a Chinese review [N, 160], the pairs that begin at them [N, 160], and its class: positive (1)
    or negative (0). Chinese is written without spaces, so pairs take the place of words.

    Half of the reviews occur twice, and some occur in both classes. Reviews are compared by their letters and digits,
    regardless of width and case; duplicates count once, and contradictory ones are excluded.
    """
    arrays = sources.load("reviews-zh")
    opinions: dict[str, set[int]] = {}
    wordings: dict[str, str] = {}
    for line, y in zip(formats.lines(arrays["text"]), arrays["y"], strict=True):
        same = bare(line)
        opinions.setdefault(same, set()).add(int(y))
        wordings.setdefault(same, unicodedata.normalize("NFKC", line).lower().replace(" ", ""))
    kept = [same for same, found in opinions.items() if same and len(found) == 1]
    texts = [wordings[same] for same in kept]
    pairs = [[a + b for a, b in pairwise(text)] for text in texts]
    characters = numbered(texts, vocabulary(texts, at_least=2, at_most=REVIEW_CHARACTERS - 2), REVIEW_LENGTH)
    of_pairs = numbered(pairs, vocabulary(pairs, at_least=3, at_most=REVIEW_PAIRS - 2), REVIEW_LENGTH)
    return entry.task(
        data=((characters, of_pairs), np.array([min(opinions[same]) for same in kept])),
        split=(0.7, 0.1, 0.2),
        loss=F.cross_entropy,
        metric="accuracy",
    )


def bare(text: str) -> str:
    """Letters and digits only, with width and case normalized."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


# ---- the next character ----------------------------------------------------------------------------------------------


def next_character(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats per character, without padding."""
    return F.cross_entropy(outputs, targets, ignore_index=-100)


NATS = Metric("nats a character", next_character, higher_is_better=False, margin=0.005)

PLAY_CONTEXT = 64
PLAY_CHARACTERS = 84
HELD_OUT = {"valid": "Cymbeline", "test": "Hamlet"}


def shakespeare(entry: Entry) -> Task:
    """Characters [N, 64] and the next ones [N, 64]: a million for training; validation and test are 256 pieces each
    from one play that is not in training."""
    plays = sources.load("shakespeare")["text"].tobytes().decode().split("\f")
    numbers = {character: i for i, character in enumerate(sorted(set(chain.from_iterable(plays))))}
    parts = {}
    for name, title in HELD_OUT.items():
        (play,) = (play for play in plays if title.lower() in play[:100].lower())
        pieces = consecutive(play, numbers)
        parts[name] = pieces[np.linspace(0, len(pieces) - 1, 256).astype(int)]
        plays.remove(play)
    parts["train"] = consecutive("".join(plays)[:1_040_000], numbers)
    return entry.task(
        **{name: (pieces[:, :-1], pieces[:, 1:]) for name, pieces in parts.items()}, loss=next_character, metric=NATS
    )


def consecutive(text: str, numbers: dict[str, int]) -> np.ndarray:
    """A text cut into pieces of 64 characters, each with the next one: [N, 65]."""
    codes = np.array([numbers[character] for character in text])
    count = (len(codes) - 1) // PLAY_CONTEXT
    return codes[np.arange(count)[:, None] * PLAY_CONTEXT + np.arange(PLAY_CONTEXT + 1)]


CI_CHARACTERS = 3_000
CI_CONTEXT = 32


def songci(entry: Entry) -> Task:
    """Characters of a lyric [N, 32] and the next ones [N, 32]; only the beginning of each lyric is used.

    Lyrics with the same beginning count once. Every seed draws its own parts, and each lyric is in one part only.
    """
    poems = [*dict.fromkeys(line[: CI_CONTEXT + 1] for line in formats.lines(sources.load("songci")["text"]) if line)]
    numbers = vocabulary(poems, at_most=CI_CHARACTERS - 2)
    pieces = numbered(poems, numbers, CI_CONTEXT + 1)
    return entry.task(
        data=(pieces[:, :-1], np.where(pieces[:, 1:] == PADDING, -100, pieces[:, 1:])),
        split=(0.95, 0.025, 0.025),
        loss=next_character,
        metric=NATS,
    )
