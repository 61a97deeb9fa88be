"""How one seed searches settings beyond the rate, once it has tried the rates at default values: a strategy of
`steepest.search` asks, in the space of the rate and the contender's dials, and knows this seed's own scores alone.
"""

from collections.abc import Generator, Mapping, Sequence

from steepest.errors import BadSetting
from steepest.records.contender import Contender
from steepest.records.dial import RATE, Dial, Setting, packed
from steepest.records.ranking import Score, good_metric, is_sound
from steepest.records.study_record import StudyDesign
from steepest.records.trials import Lane
from steepest.search.dials import Values
from steepest.search.space import Space
from steepest.search.strategies import strategy, version

RATES_ALONE = "grid"
"""The search that spends all trials on the rate."""
LEAST_AT_A_TIME = 4
MOST_ROUNDS = 4
"""A strategy is asked for a quarter of its settings at a time, so that fleets are as full as with the grid of rates."""


def check_searches(versions: Mapping[str, str]) -> None:
    """Raise BadSetting where a search would ask for other settings than when its study began."""
    for name, before in versions.items():
        if (now := version(name)) != before:
            raise BadSetting(
                f"The study began with version {before!r} of the search {name}, and here is version {now!r}, which "
                "asks for other settings. What is done is kept; go on with the packages and files that it began with."
            )


def turns_dials(contender: Contender) -> bool:
    """Whether its settings beyond the rate are searched."""
    return contender.search not in ("", RATES_ALONE)


def settings_search(
    contender: Contender, protocol: StudyDesign, tried: Sequence[Score], higher_is_better: bool
) -> Generator[tuple[Lane, ...], Sequence[Score], None]:
    """Yields `more_trials` lanes of one seed, in rounds; each is sent the scores of its lanes, in any order.

    tried: the seed's trials of rates at default values. The rate is searched from the smallest to the largest of them.
    """
    if not turns_dials(contender) or not protocol.more_trials:
        return
    (seed,) = range(protocol.first_seed, protocol.first_seed + protocol.seeds)
    space = Space((rate_dial([score.rate for score in tried], contender), *contender.dials))
    defaults: dict[str, Setting] = {dial.name: dial.default for dial in contender.dials if dial.default is not None}
    begun = [({RATE: score.rate, **defaults}, goodness(score, higher_is_better)) for score in tried]
    most = protocol.more_trials
    asking = strategy(contender.search)(space, seed, most, max(LEAST_AT_A_TIME, -(-most // MOST_ROUNDS)), begun=begun)
    asked = next(asking, None)
    while asked is not None:
        lanes = tuple(lane_of(values, seed) for values in asked)
        found = {(score.rate, score.dials): score for score in (yield lanes)}
        told = [goodness(found[lane.rate, lane.dials], higher_is_better) for lane in lanes]
        try:
            asked = asking.send(told)
        except StopIteration:
            return


def rate_dial(rates: Sequence[float], contender: Contender) -> Dial:
    """The rate, from the smallest to the largest of these."""
    low, high = min(rates), max(rates)
    if low == high:  # a single rate has no range of its own: a decade around it
        low, high = low / 10**0.5, high * 10**0.5
    return Dial(RATE, "log", low, high, default=contender.default_rate or contender.centre)


def lane_of(values: Values, seed: int) -> Lane:
    """The lane of one setting."""
    rest = {name: value for name, value in values.items() if name != RATE}
    return Lane(float(values[RATE]), seed, "search", packed(rest))


def goodness(score: Score, higher_is_better: bool) -> float | None:
    """Larger is better; None for a trial without a quality."""
    return good_metric(score, higher_is_better) if is_sound(score) else None
