"""Whether the owner of a baseline should change, and to what.

The baseline is a contender like the others, in the same family of pairs: what is shown to be better than it is shown at
the same error rate as everything else. Only who is advised differs: a tie is a reason to keep what one has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steepest.verdict.judge.advice import fails_more
from steepest.verdict.judge.pairs import Pair
from steepest.verdict.results import Baseline, Decision, Standing

Pairs = Mapping[tuple[str, str], Pair]


@dataclass(frozen=True, slots=True)
class Level:
    """When a difference is shown and matters."""

    alpha: float
    margin: float

    def shows(self, pair: Pair) -> bool:
        """Whether the first of the pair is shown to be better, and by the margin."""
        return pair.p < self.alpha and pair.difference.value >= self.margin


def on_baseline(
    name: str, tuned: str, standings: Sequence[Standing], advised: Standing, pairs: Pairs, alpha: float, margin: float
) -> Baseline | None:
    """None where the study has no baseline, or no result of it yet. `advised`: whom somebody without one should use."""
    by_name = {item.contender: item for item in standings}
    if name not in by_name:
        return None
    level = Level(alpha, margin)
    decision, to = _decision(by_name[name], standings, advised, pairs, level)
    if decision == "change" and _is_enough(by_name.get(tuned), by_name[name], pairs, level):
        to = tuned
    gain, tuning = pairs.get((to, name)), pairs.get((tuned, name))
    return Baseline(
        contender=name,
        tuned=tuned,
        decision=decision,
        to=to,
        gain=gain and gain.estimate,
        p=gain and gain.p,
        tuning=tuning and tuning.estimate,
        p_tuning=tuning and tuning.p,
    )


def _decision(
    mine: Standing, standings: Sequence[Standing], advised: Standing, pairs: Pairs, level: Level
) -> tuple[Decision, str]:
    best, others = standings[0], [item for item in standings if item is not mine]
    if mine.status == "failed" and best.status == "best":
        return "change", advised.contender
    if best.status != "best" or mine.status in ("unsure", "failed"):
        return "open", ""
    if mine.status == "behind":
        return "change", advised.contender if level.shows(pairs[advised.contender, mine.contender]) else best.contender
    steadier = [item for item in others if item.status in ("best", "tie") and fails_more(mine, item)]
    if steadier:
        return "change", advised.contender if advised in steadier else steadier[0].contender
    judged = [item.contender for item in others if (item.contender, mine.contender) in pairs]
    return "keep", next(iter(judged), "")


def _is_enough(tuned: Standing | None, mine: Standing, pairs: Pairs, level: Level) -> bool:
    """Whether tuning the rate is all that has to change: the tuned one is the best, or a tie whose mean is within the
    margin of the best, and is shown to be better than the baseline."""
    if tuned is None or tuned.status not in ("best", "tie") or (tuned.contender, mine.contender) not in pairs:
        return False
    gap = tuned.behind_best
    return level.shows(pairs[tuned.contender, mine.contender]) and (gap is None or gap.value <= level.margin)
