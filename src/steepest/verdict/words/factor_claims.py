"""The sentences on the axes of a study: what each value does with each optimizer, and which weights are kept."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from steepest.language import Text, enumerated, say
from steepest.verdict.judge.factor_effects import AxisEffect, Change, KeptWeights
from steepest.verdict.results import Claim, Estimate
from steepest.verdict.words.context import Scene

AXES = {
    "dropout": "随机失活",
    "l1": "L1 惩罚",
    "l2": "L2 惩罚",
    "decay": "解耦权重衰减",
    "augment": "数据增强",
    "word-dropout": "词失活",
    "label-smoothing": "标签平滑",
    "early-stopping": "提前停止",
}
"""The Chinese of their names."""


def about_axes(scene: Scene) -> Iterator[Claim]:
    yield from (_effect(scene, each) for each in scene.found(AxisEffect))
    yield from (_stopping(scene, each) for each in scene.found(KeptWeights))


def _effect(scene: Scene, effect: AxisEffect) -> Claim:
    clauses = [_clause(scene, effect, change) for change in effect.changes]
    says = say(
        "{axis} with {who}: {clauses}.",
        "{who} 的{axis}：{clauses}。",
        axis=Text(effect.axis[0].upper() + effect.axis[1:], AXES.get(effect.axis, effect.axis)),
        who=effect.within,
        clauses=enumerated(clauses, "; ", "；"),
    )
    gains = {change.value: change.gain.value for change in effect.changes if change.gain}
    who = (effect.baseline, *(change.contender for change in effect.changes))
    return Claim(
        says, gains, tuple(map(scene.key, who)), "use", "headline" if scene.best.contender in who else "detail"
    )


def _clause(scene: Scene, effect: AxisEffect, change: Change) -> Text:
    gain = change.gain
    if gain is None:
        return say("too few sound repeats to judge {value} by", "可靠的重复太少，无法评判 {value}", value=change.value)
    if gain.low > 0:
        return say(
            "{value} instead of {first} gains {size}",
            "{value} 比 {first} 高 {size}",
            value=change.value,
            first=effect.first,
            size=scene.size(gain),
        )
    if gain.high < 0:
        loss = Estimate(-gain.value, -gain.high, -gain.low, gain.n)
        return say(
            "{value} instead of {first} costs {size}",
            "{value} 比 {first} 低 {size}",
            value=change.value,
            first=effect.first,
            size=scene.size(loss),
        )
    return say(
        "{value} instead of {first} makes no sure difference (from {worse} worse to {better} better)",
        "{value} 与 {first} 相比没有可靠的差别（从差 {worse} 到好 {better}）",
        value=change.value,
        first=effect.first,
        worse=scene.gap(gain.low),
        better=scene.gap(gain.high),
    )


def _stopping(scene: Scene, kept: KeptWeights) -> Claim:
    total = scene.task.steps
    middle = round(median(kept.steps))
    says = say(
        "Early stopping of {who}: a run counts as at its best validation, once that got no better for {waited}; "
        "the runs picked keep the weights of step {middle:,} (from {low:,} to {high:,}) of {total:,}.",
        "{who} 的提前停止：验证集连续 {waited}没有变好即停止，以其最佳时刻为准；"
        "所选各次训练保留第 {middle:,} 步的权重（从 {low:,} 到 {high:,}），总步数 {total:,}。",
        who=kept.contender,
        waited=Text(f"{kept.epochs:g} epoch{'' if kept.epochs == 1 else 's'}", f"{kept.epochs:g} 轮"),
        middle=middle,
        low=kept.steps[0],
        high=kept.steps[-1],
        total=total,
    )
    return Claim(says, {"step": middle, "epochs": kept.epochs}, (scene.key(kept.contender),), "use")
