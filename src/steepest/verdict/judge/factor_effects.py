"""What the values of an axis do with each optimizer: dropout, penalties, augmentation, early stopping.

Each value is held against the first one of its axis, with the same optimizer and the same values of all other axes.
Which pairs are compared is known before anything is trained, so these comparisons are a family of tests of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from steepest.records.contender import Contender, Setting
from steepest.verdict.judge.pairs import NO_PLACEMENT, Family, Values, compare, judged, of_placement
from steepest.verdict.judge.placement import Placement
from steepest.verdict.judge.questions import NOTHING_KNOWN, Asked
from steepest.verdict.judge.replicates import Entrant
from steepest.verdict.results import Estimate
from steepest.verdict.stats.sequential import FIXED, Look
from steepest.verdict.stats.shares import UNKNOWN, Examples

STOPPING = "early-stopping"


@dataclass(frozen=True, slots=True)
class Change:
    """One value of an axis instead of the first one."""

    contender: str
    value: str
    gain: Estimate | None
    """How much better it is; None where there are too few repeats to tell."""


@dataclass(frozen=True, slots=True)
class AxisEffect:
    """What the values of an axis do with one optimizer, all other axes left alone."""

    axis: str
    within: str
    """The optimizer, with its values of the other axes."""
    first: str
    """The value that the others are held against."""
    baseline: str
    """Its contender."""
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class KeptWeights:
    """Where the trials that replicates picked stopped getting better."""

    contender: str
    epochs: float
    steps: tuple[int, ...]
    """Of the weights that are kept, one a replicate."""


def effects(
    contenders: Sequence[Contender],
    entrants: Mapping[str, Entrant],
    samples: Mapping[str, Values],
    alpha: float,
    family: Family,
    look: Look = FIXED,
    examples: Examples = UNKNOWN,
    placed: Mapping[str, Placement] = NO_PLACEMENT,
    asked: Asked = NOTHING_KNOWN,
) -> tuple[AxisEffect | KeptWeights, ...]:
    """What there is to say on the axes of a study; nothing in a study without.

    samples: those with enough repeats to be judged; `family`: the pairs of the task. `alpha`, `look`, `examples`,
    `placed` and `asked` as for those.
    """
    groups = [*_groups(contenders)]
    wanted = [(each.name, first.name) for _, _, (first, *rest) in groups for each in rest]
    known = [pair for pair in wanted if pair[0] in samples and pair[1] in samples]
    lost = {name: entrants[name].lost if name in entrants else frozenset[int]() for pair in known for name in pair}
    pairs = [
        compare(
            samples[one],
            samples[other],
            family.paired,
            lost[one] | lost[other],
            examples,
            of_placement(placed, one, other),
            asked.of_pair(one, other),
            asked.answered == "new-rows",
        )
        for one, other in known
    ]
    adjusted = judged(pairs, family.price, look, alpha)
    gains = {key: pair.estimate for key, pair in zip(known, adjusted, strict=True)}
    found: list[AxisEffect] = []
    for axis, within, (first, *rest) in groups:
        changes = tuple(
            Change(each.name, shown(axis, each.axes[axis]), gains.get((each.name, first.name))) for each in rest
        )
        found.append(AxisEffect(axis, within, shown(axis, first.axes[axis]), first.name, changes))
    return (*found, *_kept(contenders, entrants))


def _groups(contenders: Sequence[Contender]) -> Iterator[tuple[str, str, list[Contender]]]:
    """Axis, optimizer with its values of all other axes, and the contenders that differ in that axis alone."""
    for axis in dict.fromkeys(axis for contender in contenders for axis in contender.axes):
        groups: dict[str, list[Contender]] = {}
        for contender in contenders:
            if axis in contender.axes:
                others = [f"{name} {shown(name, value)}" for name, value in contender.axes.items() if name != axis]
                groups.setdefault(", ".join([contender.optimizer, *others]), []).append(contender)
        yield from ((axis, within, members) for within, members in groups.items() if len(members) > 1)


def _kept(contenders: Sequence[Contender], entrants: Mapping[str, Entrant]) -> Iterator[KeptWeights]:
    for contender in contenders:
        epochs = float(contender.axes.get(STOPPING, 0))
        entrant = entrants.get(contender.name)
        picks = [each.pick for each in entrant.replicates if each.pick] if entrant else []
        if epochs and picks:
            yield KeptWeights(contender.name, epochs, tuple(sorted(pick.outcome_step for pick in picks)))


def shown(axis: str, value: Setting) -> str:
    if axis == STOPPING and not value:
        return "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
