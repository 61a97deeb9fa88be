"""The sentences that say why: one for each reason that the probes bear out, tied to the figures that show it."""

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
                "The accumulator of {who} shrank its steps too far: the median effective step fell {fold}-fold between "
                "epochs {since} and {until}, while the training loss was still falling ({then} halfway, {now} at the "
                "end).",
                who=who, fold=numbers.factor(fold),
                since=numbers.significant(since, 2), until=numbers.significant(until, 2),
                then=numbers.significant(then, 2), now=numbers.significant(now, 2),
            )  # fmt: skip
            return says, {"fold": fold, "since": since, "until": until, "then": then, "now": now}, "step"
        case AtLimit(who, product, limit, epoch):
            says = say(
                "{who} trains at the stability limit: near epoch {epoch}, its learning rate times the sharpness of the "
                "loss reached {product}; above {limit}, steps overshoot. A larger rate would oscillate or diverge.",
                who=who, product=numbers.significant(product, 2), limit=numbers.significant(limit, 2),
                epoch=numbers.significant(epoch, 2),
            )  # fmt: skip
            return says, {"product": product, "limit": limit, "epoch": epoch}, "sharpness"
        case Noisy(who, fold, first):
            once = say("{n} times", n=numbers.factor(first))  # finite, or the rule is silent
            much = (
                say("{fold} times as large", fold=numbers.factor(fold))
                if math.isfinite(fold)
                else say("too large to measure")
            )
            says = say(
                "By the end, the gradients of {who} are mostly noise. For gradient and noise to be equal, a batch "
                "would have to be {much}; at the start, {first}. A learning rate that decays may still help.",
                who=who, much=much, first=once,
            )  # fmt: skip
            fold_or_none = fold if math.isfinite(fold) else None
            return says, {"fold": fold_or_none, "first": first}, "noise"
        case Damped(who, other, share, share_other):
            says = say(
                "{who} damps oscillation: {share} of its updates reverse direction from one step to the next; for "
                "{other} it is {more}. By chance alone it would be half.",
                who=who, other=other, share=numbers.percent(share), more=numbers.percent(share_other),
            )  # fmt: skip
            return says, {"share": share, "share_other": share_other}, "flips"
        case FarOnRare(who, fold, share):
            says = say(
                "For the same gradient, {who} steps {fold} times as far on parameters that have one in few batches "
                "({share} of all) as on those that have one in most. Rare features get a learning rate of their own.",
                who=who, fold=numbers.factor(fold), share=numbers.percent(share),
            )  # fmt: skip
            return says, {"fold": fold, "share": share}, "step_of_rare"
        case Uneven(who, fast, slow, fold, other, fold_other):
            says = say(
                "{who} moves its layers at very different speeds: relative to its size, {fast} moves {fold} times as "
                "fast as {slow}. With {other}, the fastest layer moves {less} times as fast as the slowest.",
                who=who, fast=fast, slow=slow, fold=numbers.factor(fold), other=other, less=numbers.factor(fold_other),
            )  # fmt: skip
            return says, {"fold": fold, "fold_other": fold_other, "fast": fast, "slow": slow}, "update_to_weight"
        case Crawling(who, update, then, now):
            says = say(
                "{who} moves too slowly: no layer changes by more than {update} of its size per step, and the training "
                "loss was still falling ({then} halfway, {now} at the end). More steps or a larger learning rate would "
                "help.",
                who=who, update=numbers.rate(update), then=numbers.significant(then, 2),
                now=numbers.significant(now, 2),
            )  # fmt: skip
            return says, {"update": update, "then": then, "now": now}, "update_to_weight"
