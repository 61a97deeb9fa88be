"""The sentences that say why: one for each reason that the probes bear out, tied to the figures that show it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from steepest.messages import Message, say
from steepest.verdict.judge.diagnosis import AtLimit, Crawling, Damped, FarOnRare, Noisy, Reason, Starved, Uneven
from steepest.verdict.results import Claim
from steepest.verdict.words import numbers


def why(task: str, reasons: Sequence[Reason]) -> Iterator[Claim]:
    """A claim for each reason. Its evidence names the curves of the probes: "probe:<task>/<contender>/<figure>"."""
    for reason in reasons:
        says, figures, figure = _said(reason)
        keys = [f"probe:{task}/{reason.contender}/{figure}"]
        if isinstance(reason, Damped | Uneven):
            keys.append(f"probe:{task}/{reason.other}/{figure}")
        yield Claim(says, figures, tuple(keys), "why")


def _said(reason: Reason) -> tuple[Message, dict[str, float | int | str | None], str]:
    """The sentence, its figures, and which curve shows them."""
    match reason:
        case Starved(who, fold, since, until, then, now):
            says = say(
                "The median effective step of {who} fell {fold}-fold between epochs {since} and {until} while its "
                "training loss still had slope ({then} at half time, {now} at the end): its accumulator starved it.",
                who=who, fold=numbers.factor(fold),
                since=numbers.significant(since, 2), until=numbers.significant(until, 2),
                then=numbers.significant(then, 2), now=numbers.significant(now, 2),
            )  # fmt: skip
            return says, {"fold": fold, "since": since, "until": until, "then": then, "now": now}, "step"
        case AtLimit(who, product, limit, epoch):
            says = say(
                "{who} runs as fast as the loss allows: near epoch {epoch} its rate times the sharpness of the loss "
                "reached {product}, and from {limit} on steps overshoot. A larger rate would bounce or blow up.",
                who=who, product=numbers.significant(product, 2), limit=numbers.significant(limit, 2),
                epoch=numbers.significant(epoch, 2),
            )  # fmt: skip
            return says, {"product": product, "limit": limit, "epoch": epoch}, "sharpness"
        case Noisy(who, fold, first):
            once = say("{n} times", n=numbers.factor(first))  # finite, or the rule is silent
            much = (
                say("{fold} times as large", fold=numbers.factor(fold))
                if math.isfinite(fold)
                else say("larger than can be measured")
            )
            says = say(
                "By the end the gradients of {who} are mostly noise: a batch would have to be {much} for slope and "
                "noise to be equal, {first} at the start. A rate that falls towards the end may still gain something.",
                who=who, much=much, first=once,
            )  # fmt: skip
            fold_or_none = fold if math.isfinite(fold) else None
            return says, {"fold": fold_or_none, "first": first}, "noise"
        case Damped(who, other, share, share_other):
            says = say(
                "{who} damps the bouncing: from one step to the next {share} of its updates turn around, of those of "
                "{other} {more}; where only chance decides, it is half.",
                who=who, other=other, share=numbers.percent(share), more=numbers.percent(share_other),
            )  # fmt: skip
            return says, {"share": share, "share_other": share_other}, "flips"
        case FarOnRare(who, fold, share):
            says = say(
                "For the same gradient, {who} steps {fold} times as far on parameters that have one in few batches "
                "({share} of all) as on those that have one in most: what is rare is learned at a rate of its own.",
                who=who, fold=numbers.factor(fold), share=numbers.percent(share),
            )  # fmt: skip
            return says, {"fold": fold, "share": share}, "step_of_rare"
        case Uneven(who, fast, slow, fold, other, fold_other):
            says = say(
                "{who} moves its layers at very different speeds: {fast} {fold} times as fast as {slow}, relative to "
                "their size; under {other} the fastest moves {less} times as fast as the slowest.",
                who=who, fast=fast, slow=slow, fold=numbers.factor(fold), other=other, less=numbers.factor(fold_other),
            )  # fmt: skip
            return says, {"fold": fold, "fold_other": fold_other, "fast": fast, "slow": slow}, "update_to_weight"
        case Crawling(who, update, then, now):
            says = say(
                "{who} crawls: no layer moves by more than {update} of its size a step, and its training loss was "
                "still falling at the end ({then} at half time, {now}). More steps or a larger rate would help it.",
                who=who, update=numbers.rate(update), then=numbers.significant(then, 2),
                now=numbers.significant(now, 2),
            )  # fmt: skip
            return says, {"update": update, "then": then, "now": now}, "update_to_weight"
