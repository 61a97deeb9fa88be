"""The sentences on dials beside the rate: whether turning them was worth it, which matter, and where ranges end."""

from collections.abc import Iterator, Mapping

from steepest.messages import Message, Part, counted, enumerated, mark, say, verbatim
from steepest.records.dial import RATE, Setting
from steepest.verdict.results import Claim, Estimate, Standing, Turned
from steepest.verdict.words import numbers
from steepest.verdict.words.context import Context


def about_dials(context: Context) -> Iterator[Claim]:
    """What the headline does not say: of the advised one, which dials matter; of all others, everything."""
    for item in context.verdict.standings:
        if item.turned is None:
            continue
        if item is not context.advised:
            yield from worth(context, item, item.turned)
            yield from at_edges(context, item, item.turned)
        yield from importance(context, item, item.turned)


def worth(context: Context, item: Standing, found: Turned) -> Iterator[Claim]:
    """Whether tuning more than the rate was worth it."""
    if found.gain is None:
        return
    gain = found.gain
    figures = {
        "gain": gain.value,
        "low": gain.low,
        "high": gain.high,
        "moved": found.moved,
        "trials": found.trials,
        "unguarded": found.unguarded.value if found.unguarded else None,
    }
    parts = {"who": item.contender, "dials": numbers.names([*map(verbatim, found.dials)])}
    if not found.moved:
        says = counted(
            found.trials,
            "{who}: tune the rate alone. On no seed was the other setting ({dials}) clearly better on validation than "
            "the best rate.",
            "{who}: tune the rate alone. On no seed was one of {n} other settings ({dials}) clearly better on "
            "validation than the best rate.",
            **parts,
        )
    elif gain.low > 0:
        says = say(
            "{who}: tuning {dials} as well gains {size}. Use {setting}.",
            size=context.size(gain),
            setting=in_words(found.setting),
            **parts,
        )
    else:
        says = say(
            "{who}: tuning {dials} as well is not shown to gain anything ({level} interval: {worse} worse to {better} "
            "better): tune the rate alone.",
            level=context.level_of_confidence,
            worse=context.gap(gain.low),
            better=context.gap(gain.high),
            **parts,
        )
    yield Claim(says, figures, context.keys(item), "use")


def importance(context: Context, item: Standing, found: Turned) -> Iterator[Claim]:
    """Which dials matter, the most important one first."""
    ordered = sorted(found.importance.items(), key=lambda pair: -pair[1].value)
    if not ordered:
        return
    own = [_share(name, share) for name, share in ordered if name == RATE]
    others = [_share(name, share) for name, share in ordered if name != RATE]
    parts = {"who": item.contender, "n": found.trials}
    if own and others:
        says = say(
            "What explains the ranks of {n} trials a seed of {who}: {rate}; of what that leaves: {each}.",
            rate=own[0],
            each=enumerated(others, mark("{dial}, {dials}")),
            **parts,
        )
    else:
        each = enumerated([*own, *others], mark("{dial}, {dials}"))
        says = say("What explains the ranks of {n} trials a seed of {who}: {each}.", each=each, **parts)
    yield Claim(says, {name: share.value for name, share in ordered}, context.keys(item), "use")


def _share(name: str, share: Estimate) -> Message:
    """Below 0, where a dial explains less than chance, it is 0."""
    value, low, high = (numbers.percent(max(0.0, x)) for x in (share.value, share.low, share.high))
    return say("{dial} {share} ({low} to {high})", dial=_rate_or(name), share=value, low=low, high=high)


def at_edges(context: Context, item: Standing, found: Turned) -> Iterator[Claim]:
    """Ranges beyond which better values may lie."""
    for name, (side, count) in found.edges.items():
        where = say("upper end") if side == "high" else say("lower end")
        says = say(
            "{who}: on {count} of {moved} seeds that picked another setting, {dial} lies at the {where} of its range: "
            "widen it.",
            who=item.contender,
            count=count,
            moved=found.moved,
            dial=name,
            where=where,
        )
        yield Claim(says, {"at_edge": count, "moved": found.moved}, context.keys(item), "weak")


def in_words(setting: Mapping[str, Setting]) -> Part:
    """A setting: "learning rate 0.001, b2 = 0.95 and schedule = cosine"."""
    return numbers.names([_value(name, value) for name, value in setting.items()])


def _value(name: str, value: Setting) -> Message:
    if name == RATE and isinstance(value, float):
        return say("learning rate {rate}", rate=numbers.rate(value))
    return verbatim(f"{name} = {value:.3g}" if isinstance(value, float) else f"{name} = {value}")


def _rate_or(name: str) -> Part:
    return say("learning rate") if name == RATE else verbatim(name)
