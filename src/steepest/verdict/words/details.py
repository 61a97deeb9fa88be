"""The sentences below the headline: each contender against the best, failures, rates, times, and how sure that is."""

from collections.abc import Iterator, Sequence

from steepest.messages import NOTHING, Message, counted, enumerated, say
from steepest.records.dial import BATCH, SCHEDULE
from steepest.records.outcomes import LOST, Outcome
from steepest.verdict.judge.advice import unseen_share
from steepest.verdict.judge.findings import Accident, AtEdge, Doubt, OnlyJust, Resolution, TooLarge, TooSmall
from steepest.verdict.judge.pairs import MIN_SEEDS
from steepest.verdict.results import Claim, Standing
from steepest.verdict.words import numbers
from steepest.verdict.words.context import Context
from steepest.verdict.words.factor_claims import about_axes
from steepest.verdict.words.turned_claims import about_dials


def details(context: Context) -> Iterator[Claim]:
    yield from about_axes(context)
    yield from about_dials(context)
    yield from (tie(context, item) for item in context.ties)
    yield from (behind(context, item) for item in context.behind)
    yield from (unsure(context, item) for item in context.unsure)
    yield from (failure(context, item) for item in context.others if item.failed_replicates)
    yield from (accident(context, each) for each in context.found(Accident))
    yield from (edge(context, each) for each in context.found(AtEdge) if each.contender != context.best.contender)
    yield from too_large(context)
    yield from too_small(context)
    yield from widest_range(context)
    yield from may_still_fail(context)
    yield from direction(context)
    yield from left_untuned(context)
    yield from time_to_target(context)
    yield from time_of_a_run(context)
    yield from seed_by_seed(context)
    yield from (doubt(context, each) for each in context.found(Doubt))
    yield from (only_just(context, each) for each in context.found(OnlyJust))
    yield from (resolution(context, each) for each in context.found(Resolution))
    if context.best.status != "failed":
        yield what_it_holds_for(context)


# ---- against the best ------------------------------------------------------------------------------------------------


def only_just_behind(item: Standing) -> bool:
    """A tie whose difference is settled, but too small to matter."""
    return item.behind_best is not None and item.behind_best.low > 0


def tie(context: Context, item: Standing) -> Claim:
    gap = item.behind_best
    assert gap is not None
    how = context.reach(gap)
    if only_just_behind(item):
        how = say(
            "behind by {size}, less than the {limit} that matter in practice",
            size=context.size(gap),
            limit=context.limit,
        )
    says = say("Tie with {best}: {who}, {how}{on}.", best=context.best.contender, who=context.named(item), how=how,
               on=context.on_common_seeds(item))  # fmt: skip
    return context.pair_claim(says, item, "tie")


def behind(context: Context, item: Standing) -> Claim:
    gap = item.behind_best
    assert gap is not None
    says = say(
        "Behind {best}: {who}, by {size}{on}.",
        best=context.best.contender,
        who=context.named(item),
        size=context.size(gap),
        on=context.on_common_seeds(item),
    )
    return context.pair_claim(says, item, "behind")


def unsure(context: Context, item: Standing) -> Claim:
    seeds = counted(item.replicates, "{n:,} seed", "{n:,} seeds") if item.replicates else say("no seed")
    level = NOTHING
    if item.quality:
        level = say("; mean so far: {level}", level=context.level(item.quality.value))
    few = say("; the best optimizer has too few")
    if item.replicates < MIN_SEEDS:
        few = say("; at least {enough} are needed", enough=MIN_SEEDS)
    says = say(
        "Not judged yet: {who} has {seeds}{few}{level}.", who=context.named(item), seeds=seeds, few=few, level=level
    )
    return Claim(says, {"replicates": item.replicates}, context.keys(item), "weak")


# ---- what went wrong -------------------------------------------------------------------------------------------------


def failure(context: Context, item: Standing) -> Claim:
    repeats = item.failed_replicates + item.replicates
    if item.replicates:
        says = say(
            "{who} failed on {share}, at every learning rate. Its figures are from the other seeds.",
            who=item.contender,
            share=context.failures(item),
        )
    else:
        says = counted(
            repeats,
            "Failed: {who}, at every learning rate on {n} seed.",
            "Failed: {who}, at every learning rate on all {n} seeds.",
            who=context.named(item),
        )
    figures = {"failed": item.failed_replicates, "repeats": repeats}
    return Claim(says, figures, context.keys(item), "failure")


_ACCIDENTS = {
    Outcome.NONFINITE: say("had a NaN or infinite loss at the first step"),
    Outcome.OOM: say("ran out of memory"),
    Outcome.ERROR: say("raised an error in the model or the loss"),
    Outcome.KILLED: say("were lost when their worker was killed"),
    Outcome.TIMEOUT: say("exceeded their time limit"),
}


def accident(context: Context, found: Accident) -> Claim:
    what = [say("{n} {what}", n=count, what=_ACCIDENTS[outcome]) for outcome, count in found.outcomes.items()]
    says = say(
        "Of {trials} runs of {who}, {what}. The learning rate is not the cause.",
        trials=found.trials,
        who=found.contender,
        what=numbers.names(what),
    )
    if any(outcome in LOST for outcome in found.outcomes):
        says = say("{accident} `steepest resume --retry-killed` trains them again.", accident=says)
    return Claim(
        says,
        {str(outcome): count for outcome, count in found.outcomes.items()},
        (context.key(found.contender),),
        "failure",
    )


def edge(context: Context, found: AtEdge) -> Claim:
    low = found.side == "low"
    return Claim(
        say(
            "The best learning rate of {who}, {rate}, is the {end} that was tried. A {further} one may do better.",
            who=found.contender,
            rate=numbers.rate(found.rate),
            end=say("smallest") if low else say("largest"),
            further=say("smaller") if low else say("larger"),
        ),
        {"rate": found.rate, "side": found.side},
        (context.key(found.contender),),
        "edge",
    )


# ---- rates -----------------------------------------------------------------------------------------------------------


def too_large(context: Context) -> Iterator[Claim]:
    if found := context.found(TooLarge):
        blew_up, stuck = any(each.diverged for each in found), any(each.stalled for each in found)
        how = [say("diverged")] * blew_up
        how += [say("hardly learned")] * stuck
        where = [say("{who} from {rate} up", who=each.contender, rate=numbers.rate(each.rate)) for each in found]
        says = say(
            "Too large a learning rate (most runs {how}): {where}.",
            how=enumerated(how, "{clause} or {clauses}"),
            where=enumerated(where, "{clause}; {clauses}"),
        )
        yield unfit_rates(context, found, says)


def too_small(context: Context) -> Iterator[Claim]:
    if found := context.found(TooSmall):
        where = [say("{who} up to {rate}", who=each.contender, rate=numbers.rate(each.rate)) for each in found]
        says = say(
            "Too small a learning rate (most runs made less than a tenth of the best progress): {where}.",
            where=enumerated(where, "{clause}; {clauses}"),
        )
        yield unfit_rates(context, found, says)


def unfit_rates(context: Context, found: Sequence[TooLarge] | Sequence[TooSmall], says: Message) -> Claim:
    rates = {each.contender: each.rate for each in found}
    return Claim(says, rates, tuple(context.key(each.contender) for each in found), "rate")


def widest_range(context: Context) -> Iterator[Claim]:
    """Which tie has the widest range of good rates, and which the narrowest; only if they differ twofold, and this is
    shown."""
    front = [item for item in (context.best, *context.ties) if item.safe_rates]
    if not front:
        return
    most, least = (choose(front, key=lambda item: item.decades_5pct) for choose in (max, min))
    if most.decades_5pct - least.decades_5pct < 0.3 or not most.decades_between or not least.decades_between:
        return
    if most.decades_between[0] <= least.decades_between[1]:
        return
    yield Claim(
        say(
            "Of the best and its ties, {most} works with the widest range of learning rates: its largest good rate is "
            "{wide} times its smallest. The range of {least} is the narrowest: {narrow} times.",
            most=most.contender,
            wide=numbers.factor(10**most.decades_5pct),
            least=least.contender,
            narrow=numbers.factor(10**least.decades_5pct),
        ),
        {"decades_most": most.decades_5pct, "decades_least": least.decades_5pct},
        context.keys(most, least),
        "rate",
    )


def may_still_fail(context: Context) -> Iterator[Claim]:
    """No failure among few runs leaves many possible."""
    best = context.advised
    at = next((point for point in best.points if point.rate == best.rate), None)
    if at is None or at.failed or len(best.points) < 2:
        return
    share = unseen_share(at.n, context.confidence)
    says = say(
        "No run of {who} failed at learning rate {rate}. From {n} runs that leaves up to {share} that may fail.",
        who=best.contender,
        rate=numbers.rate(at.rate),
        n=at.n,
        share=numbers.percent(share),
    )
    yield Claim(says, {"n": at.n, "share": share}, context.keys(best), "failure")


MIN_ASYMMETRY_DECADES = 0.5
"""Decades by which the good rates must reach further on one side of the best for advice on which side to err."""


def direction(context: Context) -> Iterator[Claim]:
    """On which side of its best rate the best contender has more good rates; nothing where both sides are alike, or
    where it is unknown what lies beyond or whether any rate is good."""
    found, best = context.best.sensitivity, context.best
    if found is None or best.untuned or best.safe_rates is None or abs(found.asymmetry) < MIN_ASYMMETRY_DECADES:
        return
    up = say("up to {high}", high=numbers.rate(found.good_5pct[1]))
    down = say("down to {low}", low=numbers.rate(found.good_5pct[0]))
    side, there, here = say("larger"), up, down
    if found.asymmetry < 0:
        side, there, here = say("smaller"), down, up
    beyond = NOTHING
    if found.diverges is not None:
        beyond = say("; from {rate} up most runs diverge", rate=numbers.rate(found.diverges))
    yield Claim(
        say(
            "If in doubt, choose a {side} learning rate for {best}. Around its best one, {rate}, good rates reach "
            "{there}, but only {here}{beyond}.",
            side=side,
            best=context.best.contender,
            rate=numbers.rate(found.best),
            there=there,
            here=here,
            beyond=beyond,
        ),
        {"best": found.best, "low": found.good_5pct[0], "high": found.good_5pct[1], "diverges": found.diverges},
        context.keys(context.best),
        "rate",
    )


def left_untuned(context: Context) -> Iterator[Claim]:
    """What tuning gained for the best and for the reference, where their default rates are known."""
    for item in (context.best, *(each for each in context.others if each.contender == context.verdict.reference)):
        found = item.untuned_gap
        if found is None:
            continue
        parts = {"who": item.contender, "rate": numbers.rate(found.rate)}
        repeats = found.failed + (found.gap.n if found.gap else 0)
        if found.failed:
            says = say(
                "At its default learning rate {rate}, {who} fails on {failed} of {repeats} seeds.",
                **parts,
                failed=found.failed,
                repeats=repeats,
            )
        elif found.gap is None or repeats < MIN_SEEDS:
            continue
        elif found.gap.low > 0:
            says = say(
                "Tuning the learning rate improves {who} by {size}, compared with the default {rate}.",
                **parts,
                size=context.size(found.gap),
            )
        elif max(found.gap.high, -found.gap.low) <= context.verdict.margin:
            says = say("At its default learning rate {rate}, {who} is as good as tuned.", **parts)
        else:
            continue
        figures = {"rate": found.rate, "failed": found.failed, "gap": found.gap.value if found.gap else None}
        yield Claim(says, figures, context.keys(item), "rate")


# ---- time ------------------------------------------------------------------------------------------------------------


def time_to_target(context: Context) -> Iterator[Claim]:
    """Which contender reaches the targets first: by time where it was measured, else by steps of equal batch."""
    best, others = context.best, context.others
    timed = all(item.milliseconds for item in context.verdict.standings)
    comparable = [best, *(item for item in others if timed or item.batch_size == best.batch_size)]
    for name, level in context.verdict.targets.items():
        cost: dict[str, float] = {}
        words: dict[str, Message] = {}
        for item in comparable:
            if (steps := item.steps_to_target.get(name)) is not None:
                seconds = steps * (item.milliseconds or 0) / 1000
                cost[item.contender] = seconds if timed else steps
                count = counted(round(steps), "{n:,} step", "{n:,} steps")
                if timed:
                    count = say("{time} ({count})", time=numbers.duration(seconds), count=count)
                words[item.contender] = count
        if not cost:
            continue
        order = sorted(cost, key=lambda contender: cost[contender])
        first = order[0]
        fastest = say("{who} is fastest with {time}", who=first, time=words[first])
        if first == best.contender:
            who = fastest
            if len(order) > 1:
                who = say("{fastest}, then {second} with {time}",
                          fastest=fastest, second=order[1], time=words[order[1]])  # fmt: skip
        elif best.contender in cost:
            who = say(
                "{best} takes {own}; {first} is faster with {time}",
                best=best.contender,
                own=words[best.contender],
                first=first,
                time=words[first],
            )
        else:
            who = say(
                "{fastest}; {best} gets there on fewer than half of its seeds", fastest=fastest, best=best.contender
            )
        yield Claim(
            say(
                "To reach {level} on validation data ({share} of {reference}'s improvement): {who}.",
                level=context.level(level),
                share=say("{figure} %", figure=name.removesuffix(" %")),
                reference=context.verdict.reference,
                who=who,
            ),
            {"level": level, **{item.contender: item.steps_to_target.get(name) for item in comparable}},
            context.keys(*comparable),
            "time",
        )


def time_of_a_run(context: Context) -> Iterator[Claim]:
    seconds = {item.contender: item.seconds for item in context.verdict.standings if item.seconds}
    best = context.best.contender
    if best not in seconds:
        return
    fastest = min(seconds, key=lambda contender: seconds[contender])
    compared = NOTHING
    if fastest != best:
        compared = say(
            ", {times} times as long as with {fastest}, the fastest",
            times=numbers.factor(seconds[best] / seconds[fastest]),
            fastest=fastest,
        )
    elif len(seconds) > 1:
        compared = say(", the fastest of all")
    yield Claim(
        say(
            "A training run takes {time} with {best}{compared} (on one core, without evaluations).",
            time=numbers.duration(seconds[best]),
            best=best,
            compared=compared,
        ),
        dict(seconds),
        tuple(map(context.key, seconds)),
        "time",
    )


# ---- how sure --------------------------------------------------------------------------------------------------------


def seed_by_seed(context: Context) -> Iterator[Claim]:
    if context.verdict.paired:
        two = sum(item.status in ("best", "tie", "behind") for item in context.verdict.standings) == 2
        yield Claim(
            say(
                "The two optimizers are compared seed by seed, which is clearer here than comparing their means. Tests "
                "and intervals allow for this choice."
            )
            if two
            else say(
                "Some seeds are easier for all optimizers, so optimizers are compared seed by seed. Differences can "
                "therefore be more certain than the variation of each optimizer suggests."
            ),
            {"correlation": context.verdict.correlation},
            context.keys(*context.verdict.standings),
            "luck",
        )


def doubt(context: Context, found: Doubt) -> Claim:
    return Claim(
        say(
            "It is not certain that {who} is behind {best}: a method that does not assume normally distributed results "
            "cannot rule out that it is level or ahead.",
            who=found.contender,
            best=context.best.contender,
        ),
        {"low": found.bootstrap.low, "high": found.bootstrap.high},
        (context.pair_key(found.contender),),
        "weak",
    )


def only_just(context: Context, found: OnlyJust) -> Claim:
    return Claim(
        says=say(
            "Only just shown to be behind: {names}. When a difference is only just found, the true one is smaller on "
            "average.",
            names=numbers.names(found.contenders),
        ),
        numbers={"contenders": len(found.contenders)},
        evidence=tuple(map(context.pair_key, found.contenders)),
        kind="weak",
    )


def resolution(context: Context, found: Resolution) -> Claim:
    other = found.challenger
    settling = NOTHING
    if other in context.verdict.ties and context.verdict.margin > 0:
        if found.by_examples:
            settling = say(
                " For a difference of {limit}, which matters in practice, there are too few test examples, however "
                "many seeds are added.",
                limit=context.limit,
            )
        elif found.needed is None:
            settling = say(
                " For a difference of {limit}, which matters in practice, even 1,000 seeds may be too few.",
                limit=context.limit,
            )
        elif found.needed > found.n:
            settling = say(
                " For a difference of {limit}, which matters in practice, {needed} seeds are enough.",
                limit=context.limit,
                needed=found.needed,
            )
    return Claim(
        say(
            "With {n} seeds, the study has at least an 80 % chance of finding a true difference of {gap} between "
            "{best} and {other}.{settling}",
            n=found.n,
            gap=context.gap(found.smallest),
            best=context.best.contender,
            other=other,
            settling=settling,
        ),
        {"n": found.n, "smallest": found.smallest, "needed": found.needed},
        (context.pair_key(other),),
        "change",
    )


def what_it_holds_for(context: Context) -> Claim:
    untuned = [each.contender for each in context.found(AtEdge)]
    wider = NOTHING
    if untuned:
        wider = say(", or a wider search of learning rates for {names}", names=numbers.names(untuned))
    if len(untuned) > 2:
        wider = say(", or a wider search of learning rates for {n} of the optimizers", n=len(untuned))
    longer = say("longer training")
    if context.task.steps:
        longer = say("much more than {steps:,} steps", steps=context.task.steps)
    turned = {name for item in context.verdict.standings if item.turned for name in item.turned.dials}
    says = say(
        "Not tested: {longer}, another batch size or learning-rate schedule, other data or another model{wider}.",
        longer=longer,
        wider=wider,
    )
    if {SCHEDULE, BATCH} <= turned:
        says = say("Not tested: {longer}, other data or another model{wider}.", longer=longer, wider=wider)
    elif SCHEDULE in turned:
        says = say(
            "Not tested: {longer}, another batch size, other data or another model{wider}.", longer=longer, wider=wider
        )
    elif BATCH in turned:
        says = say(
            "Not tested: {longer}, another learning-rate schedule, other data or another model{wider}.",
            longer=longer,
            wider=wider,
        )
    return Claim(
        says,
        {"steps": context.task.steps, "batch_size": context.task.batch_size},
        (context.key(context.best.contender),),
        "change",
    )
