"""The sentences below the headline: each contender against the best, failures, rates, times, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator

from steepest.language import Text, counted, enumerated, say
from steepest.records.outcomes import Outcome
from steepest.verdict.judge.findings import Accident, AtEdge, Doubt, Resolution, TooLarge, TooSmall
from steepest.verdict.judge.pairs import ENOUGH
from steepest.verdict.results import Claim, Standing
from steepest.verdict.words import numbers
from steepest.verdict.words.context import Scene
from steepest.verdict.words.factor_claims import about_axes


def details(scene: Scene) -> Iterator[Claim]:
    yield from about_axes(scene)
    yield from (tie(scene, item) for item in scene.ties)
    yield from (behind(scene, item) for item in scene.behind)
    yield from (unsure(scene, item) for item in scene.unsure)
    yield from chances(scene)
    yield from (failure(scene, item) for item in scene.others if item.failed_replicates)
    yield from (accident(scene, each) for each in scene.found(Accident))
    yield from (edge(scene, each) for each in scene.found(AtEdge) if each.contender != scene.best.contender)
    yield from too_large(scene)
    yield from too_small(scene)
    yield from forgiving(scene)
    yield from direction(scene)
    yield from left_untuned(scene)
    yield from time_to_target(scene)
    yield from time_of_a_run(scene)
    yield from repeat_by_repeat(scene)
    yield from (doubt(scene, each) for each in scene.found(Doubt))
    yield from (resolution(scene, each) for each in scene.found(Resolution))
    if scene.best.status != "failed":
        yield what_it_holds_for(scene)


# ---- against the best ------------------------------------------------------------------------------------------------


def only_just_behind(item: Standing) -> bool:
    """A tie whose difference is settled, but too small to matter."""
    return item.behind_best is not None and item.behind_best.low > 0


def tie(scene: Scene, item: Standing) -> Claim:
    gap = item.behind_best
    assert gap is not None
    if only_just_behind(item):
        how = say(
            "is behind {best} by {size}, less than the {limit} that matter in practice",
            "落后 {best} {size}，不及有实际意义的 {limit}",
            best=scene.best.contender,
            size=scene.size(gap),
            limit=scene.limit,
        )
    else:
        how = say("is {reach}", "{reach}", reach=scene.reach(gap, scene.best.contender))
    says = say("A tie: {who} {how}.", "不相上下：{who} {how}。", who=scene.named(item), how=how)
    return scene.pair_claim(says, item, "tie")


def behind(scene: Scene, item: Standing) -> Claim:
    gap = item.behind_best
    assert gap is not None
    says = say(
        "Behind {best}: {who} by {size}.",
        "落后于 {best}：{who} 落后 {size}。",
        best=scene.best.contender,
        who=scene.named(item),
        size=scene.size(gap),
    )
    return scene.pair_claim(says, item, "behind")


def unsure(scene: Scene, item: Standing) -> Claim:
    repeats = counted(item.replicates, "repeat", "次重复")
    level = Text("", "")
    if item.quality:
        level = say("; its mean so far is {level}", "；目前的均值是{level}", level=scene.level(item.quality.value))
    few = Text(", but the best has too few", "，但最好的那个次数太少")
    if item.replicates < ENOUGH:
        few = say(", and a verdict takes at least {enough}", "，而下结论至少需要 {enough} 次", enough=ENOUGH)
    says = say(
        "Not to be judged yet: {who} has {repeats}{few}{level}.",
        "尚不能判断：{who} {repeats}{few}{level}。",
        who=scene.named(item),
        repeats=say("{n}", "有 {n}", n=repeats) if item.replicates else Text("no repeats", "还没有完成一次重复"),
        few=few,
        level=level,
    )
    return Claim(says, {"replicates": item.replicates}, scene.keys(item), "weak")


def chances(scene: Scene) -> Iterator[Claim]:
    """Who would come first if the study were run again; only where that is open."""
    if not scene.ties or scene.best.probability_best >= 0.95:
        return
    order = sorted(scene.verdict.standings, key=lambda item: -item.probability_best)
    named = [item for item in order if item.probability_best >= 0.01][:4]
    often = [
        say("{who} in {n:.0f}", "{who} {n:.0f} 次", who=item.contender, n=100 * item.probability_best) for item in named
    ]
    rest = 100 - sum(round(100 * item.probability_best) for item in named)
    if rest > 1:
        often.append(say("another one in {n}", "其他的共 {n} 次", n=rest))
    says = say(
        "Of a hundred such studies, as far as this one can tell, the best mean would go to {often}.",
        "就本研究所见，若把这样的研究做一百次，均值最好的会是：{often}。",
        often=enumerated(often, ", ", "，"),
    )
    yield Claim(says, {item.contender: item.probability_best for item in order}, scene.keys(*order), "tie")


# ---- what went wrong -------------------------------------------------------------------------------------------------


def failure(scene: Scene, item: Standing) -> Claim:
    repeats = item.failed_replicates + item.replicates
    if item.replicates:
        says = say(
            "In {failed} of {repeats} repeats {who} failed at every rate; its figures are those of the other repeats.",
            "在 {repeats} 次重复中，{who} 有 {failed} 次在所有学习率下都失败了；它的数字来自其余各次重复。",
            failed=item.failed_replicates,
            repeats=repeats,
            who=item.contender,
        )
    else:
        says = say(
            "Failed: {who} got through its training at no rate, in none of {repeats} repeats.",
            "失败：在全部 {repeats} 次重复中，{who} 在任何学习率下都没能完成训练。",
            who=scene.named(item),
            repeats=repeats,
        )
    figures = {"failed": item.failed_replicates, "repeats": repeats}
    return Claim(says, figures, scene.keys(item), "failure")


_ACCIDENTS = {
    Outcome.NONFINITE: Text("had a loss that was not a number from the first step on", "从第一步起损失就不是数"),
    Outcome.OOM: Text("ran out of memory", "内存不足"),
    Outcome.ERROR: Text("stopped at an error in the model or the loss", "因模型或损失函数出错而停止"),
    Outcome.KILLED: Text("were lost because their worker was killed", "因工作进程被终止而丢失"),
    Outcome.TIMEOUT: Text("ran past their time limit", "超过了时限"),
}


def accident(scene: Scene, found: Accident) -> Claim:
    what = [
        say("{n} {what}", "{n} 次{what}", n=count, what=_ACCIDENTS[outcome])
        for outcome, count in found.outcomes.items()
    ]
    return Claim(
        say(
            "Of {trials} runs of {who}, {what}: no fault of the rate.",
            "{who} 的 {trials} 次训练中，{what}：与学习率无关。",
            trials=found.trials,
            who=found.contender,
            what=numbers.names(what),
        ),
        {str(outcome): count for outcome, count in found.outcomes.items()},
        (scene.key(found.contender),),
        "failure",
    )


def edge(scene: Scene, found: AtEdge) -> Claim:
    low = found.side == "low"
    return Claim(
        say(
            "The best rate of {who}, {rate}, is the {end} that was tried: with a {further} one it may do better than "
            "shown here.",
            "{who} 的最佳学习率 {rate} 是试过的{end}的一个：用更{further}的学习率，它也许会比这里显示的更好。",
            who=found.contender,
            rate=numbers.rate(found.rate),
            end=Text("smallest", "最小") if low else Text("largest", "最大"),
            further=Text("smaller", "小") if low else Text("larger", "大"),
        ),
        {"rate": found.rate, "side": found.side},
        (scene.key(found.contender),),
        "edge",
    )


# ---- rates -----------------------------------------------------------------------------------------------------------


def too_large(scene: Scene) -> Iterator[Claim]:
    if found := scene.found(TooLarge):
        blew_up, stuck = any(each.diverged for each in found), any(each.stalled for each in found)
        how = [Text("the loss blew up", "损失发散")] * blew_up
        how += [Text("they learned next to nothing", "几乎什么也没学到")] * stuck
        where = [
            say("{who} from {rate} up", "{who} 从 {rate} 起", who=each.contender, rate=numbers.rate(each.rate))
            for each in found
        ]
        yield Claim(
            say(
                "Too large a rate ruined most runs: {how}. That is {where}.",
                "学习率过大毁掉了多数训练：{how}。具体是：{where}。",
                how=enumerated(how, " or ", "，或"),
                where=enumerated(where, "; ", "；"),
            ),
            {each.contender: each.rate for each in found},
            tuple(scene.key(each.contender) for each in found),
            "rate",
        )


def too_small(scene: Scene) -> Iterator[Claim]:
    if found := scene.found(TooSmall):
        where = [
            say("{who} up to {rate}", "{who} 不超过 {rate} 时", who=each.contender, rate=numbers.rate(each.rate))
            for each in found
        ]
        yield Claim(
            say(
                "Too small a rate left training near its start, less than a tenth of the way to the best result: "
                "{where}.",
                "学习率过小使训练停在起点附近，走过的路不到通往最佳结果的十分之一：{where}。",
                where=enumerated(where, "; ", "；"),
            ),
            {each.contender: each.rate for each in found},
            tuple(scene.key(each.contender) for each in found),
            "rate",
        )


def forgiving(scene: Scene) -> Iterator[Claim]:
    """Who among those in front forgives most in the choice of the rate, and who least; only if that differs twofold."""
    front = [item for item in (scene.best, *scene.ties) if item.safe_rates]
    if not front:
        return
    most, least = (choose(front, key=lambda item: item.decades_5pct) for choose in (max, min))
    if most.decades_5pct - least.decades_5pct < 0.3:
        return
    yield Claim(
        say(
            "Of those in front, {most} is the most forgiving about its rate: its largest good rate is {wide} times "
            "its smallest, that of {least} {narrow} times.",
            "在领先者中，{most} 对学习率最宽容：它可用的最大学习率是最小的 {wide} 倍，而 {least} 是 {narrow} 倍。",
            most=most.contender,
            wide=numbers.factor(10**most.decades_5pct),
            least=least.contender,
            narrow=numbers.factor(10**least.decades_5pct),
        ),
        {"decades_most": most.decades_5pct, "decades_least": least.decades_5pct},
        scene.keys(most, least),
        "rate",
    )


LOPSIDED = 0.5
"""Decades by which the good rates must reach further on one side of the best for advice on which side to err."""


def direction(scene: Scene) -> Iterator[Claim]:
    """On which side of its best rate the best contender forgives more; nothing where both sides are alike, or
    where nobody knows what lies beyond."""
    found = scene.best.sensitivity
    if found is None or scene.best.untuned or abs(found.asymmetry) < LOPSIDED:
        return
    up = say("up to {high}", "高到 {high}", high=numbers.rate(found.good_5pct[1]))
    down = say("down to {low}", "低到 {low}", low=numbers.rate(found.good_5pct[0]))
    side, there, here = Text("larger", "大"), up, down
    if found.asymmetry < 0:
        side, there, here = Text("smaller", "小"), down, up
    beyond = Text("", "")
    if found.diverges is not None:
        beyond = say(
            "; from {rate} up most runs blow up", "；从 {rate} 起多数训练发散", rate=numbers.rate(found.diverges)
        )
    yield Claim(
        say(
            "If in doubt, take a {side} rate with {best}: from its best one, {rate}, good rates reach {there}, but "
            "only {here}{beyond}.",
            "拿不准时，{best} 的学习率宁可取{side}一些：从最佳值 {rate} 出发，"
            "好用的学习率可以{there}，但只能{here}{beyond}。",
            side=side,
            best=scene.best.contender,
            rate=numbers.rate(found.best),
            there=there,
            here=here,
            beyond=beyond,
        ),
        {"best": found.best, "low": found.good_5pct[0], "high": found.good_5pct[1], "diverges": found.diverges},
        scene.keys(scene.best),
        "rate",
    )


def left_untuned(scene: Scene) -> Iterator[Claim]:
    """What tuning was worth to the best and to the yardstick, where the rate that one gets without asking is known."""
    for item in (scene.best, *(each for each in scene.others if each.contender == scene.verdict.reference)):
        found = item.untuned_gap
        if found is None:
            continue
        where = say(
            "Left at its usual rate, {rate}, {who}",
            "若保留惯用的学习率 {rate}，{who}",
            rate=numbers.rate(found.rate),
            who=item.contender,
        )
        repeats = found.failed + (found.gap.n if found.gap else 0)
        if found.failed:
            says = say(
                "{where} fails in {failed} of {repeats} repeats.",
                "{where} 在 {repeats} 次重复中有 {failed} 次失败。",
                where=where,
                failed=found.failed,
                repeats=repeats,
            )
        elif found.gap is None or repeats < ENOUGH:
            continue
        elif found.gap.low > 0:
            says = say(
                "{where} would be worse by {size}: that is what tuning was worth.",
                "{where} 会差 {size}：这就是调参的价值。",
                where=where,
                size=scene.size(found.gap),
            )
        elif max(found.gap.high, -found.gap.low) <= scene.verdict.margin:
            says = say("{where} is as good as tuned.", "{where} 与调参之后一样好。", where=where)
        else:
            continue
        figures = {"rate": found.rate, "failed": found.failed, "gap": found.gap.value if found.gap else None}
        yield Claim(says, figures, scene.keys(item), "rate")


# ---- time ------------------------------------------------------------------------------------------------------------


def time_to_target(scene: Scene) -> Iterator[Claim]:
    """Who is there first, and whether that is the best: by time where it was measured, else by steps of equal batch."""
    best, others = scene.best, scene.others
    timed = all(item.milliseconds for item in scene.verdict.standings)
    comparable = [best, *(item for item in others if timed or item.batch_size == best.batch_size)]
    for name, level in scene.verdict.targets.items():
        cost: dict[str, float] = {}
        words: dict[str, Text] = {}
        for item in comparable:
            if (steps := item.steps_to_target.get(name)) is not None:
                seconds = steps * (item.milliseconds or 0) / 1000
                cost[item.contender] = seconds if timed else steps
                count = counted(round(steps), "step", "步")
                if timed:
                    count = say("{time} ({count})", "{time}（{count}）", time=numbers.duration(seconds), count=count)
                words[item.contender] = count
        if not cost:
            continue
        order = sorted(cost, key=lambda contender: cost[contender])
        first = order[0]
        quickest = say("{who} is the quickest with {time}", "{who} 最快，需 {time}", who=first, time=words[first])
        if first == best.contender:
            who = quickest
            if len(order) > 1:
                who = say("{quickest}, then {second} with {time}", "{quickest}，其次是 {second}，需 {time}",
                          quickest=quickest, second=order[1], time=words[order[1]])  # fmt: skip
        elif best.contender in cost:
            who = say(
                "{best} takes {own}; {first} is quicker with {time}",
                "{best} 需 {own}；{first} 更快，需 {time}",
                best=best.contender,
                own=words[best.contender],
                first=first,
                time=words[first],
            )
        else:
            who = say(
                "{quickest}; {best} gets there in fewer than half of its repeats",
                "{quickest}；{best} 在不到一半的重复中达到",
                quickest=quickest,
                best=best.contender,
            )
        yield Claim(
            say(
                "To {level} on validation data, {share} of the way from the start to where {reference} ends: {who}.",
                "要达到验证集{level}，即从起点到 {reference} 终点路程的 {share}：{who}。",
                level=scene.level(level),
                share=Text(name, name.replace(" ", "")),
                reference=scene.verdict.reference,
                who=who,
            ),
            {"level": level, **{item.contender: item.steps_to_target.get(name) for item in comparable}},
            scene.keys(*comparable),
            "time",
        )


def time_of_a_run(scene: Scene) -> Iterator[Claim]:
    seconds = {item.contender: item.seconds for item in scene.verdict.standings if item.seconds}
    best = scene.best.contender
    if best not in seconds:
        return
    quickest = min(seconds, key=lambda contender: seconds[contender])
    compared = Text("", "")
    if quickest != best:
        compared = say(
            ", {times} times as long as with {quickest}, the quickest",
            "，是最快的 {quickest} 的 {times} 倍",
            times=numbers.factor(seconds[best] / seconds[quickest]),
            quickest=quickest,
        )
    elif len(seconds) > 1:
        compared = Text(", the quickest of all", "，是所有优化器中最快的")
    yield Claim(
        say(
            "One training run takes {time} with {best}{compared} (alone on one core, without evaluations).",
            "用 {best} 训练一次需 {time}{compared}（独占一个核心，不含评估）。",
            time=numbers.duration(seconds[best]),
            best=best,
            compared=compared,
        ),
        dict(seconds),
        tuple(map(scene.key, seconds)),
        "time",
    )


# ---- how sure --------------------------------------------------------------------------------------------------------


def repeat_by_repeat(scene: Scene) -> Iterator[Claim]:
    if scene.verdict.paired:
        yield Claim(
            Text(
                "Luck moved the optimizers up and down together, so they are compared repeat by repeat: a lead can be "
                "surer than the scatter of each one alone suggests.",
                "运气使各优化器同升同降，因此逐次重复地比较它们：领先可能比各自的离散程度所显示的更可靠。",
            ),
            {"correlation": scene.verdict.correlation},
            scene.keys(*scene.verdict.standings),
            "luck",
        )


def doubt(scene: Scene, found: Doubt) -> Claim:
    return Claim(
        say(
            "That {who} is behind {best} is not certain: a method that does not take luck to be bell-shaped can't rule "
            "out that it is level or ahead.",
            "{who} 落后于 {best} 这一点并不确定：一种不假定运气呈钟形分布的方法不能排除它持平或领先。",
            who=found.contender,
            best=scene.best.contender,
        ),
        {"low": found.bootstrap.low, "high": found.bootstrap.high},
        (scene.pair_key(found.contender),),
        "weak",
    )


def resolution(scene: Scene, found: Resolution) -> Claim:
    other = found.challenger
    settling = Text("", "")
    if other in scene.verdict.ties and found.seen > 0:
        if found.needed is None:
            settling = Text(
                "; if it is as small as the one seen here, even a thousand repeats won't settle it",
                "；如果真实差距就像这里看到的那么小，一千次重复也分不出高下",
            )
        elif found.needed > found.n:
            settling = say(
                "; if it is the {seen} seen here, settling it takes about {needed} repeats",
                "；如果就是这里看到的 {seen}，大约需要 {needed} 次重复才能分出高下",
                seen=scene.gap(found.seen),
                needed=found.needed,
            )
    return Claim(
        say(
            "With {n} repeats, a true gap of {gap} between {best} and {other} would be noticed 4 times in 5{settling}.",
            "有 {n} 次重复时，{best} 与 {other} 之间 {gap} 的真实差距，5 次里有 4 次能被发现{settling}。",
            n=found.n,
            gap=scene.gap(found.smallest),
            best=scene.best.contender,
            other=other,
            settling=settling,
        ),
        {"n": found.n, "smallest": found.smallest, "seen": found.seen, "needed": found.needed},
        (scene.pair_key(other),),
        "change",
    )


def what_it_holds_for(scene: Scene) -> Claim:
    untuned = [each.contender for each in scene.found(AtEdge)]
    wider = Text("", "")
    if untuned:
        wider = say(
            ", or a wider search of rates for {names}",
            "，或为 {names} 搜索更宽的学习率范围",
            names=numbers.names(untuned),
        )
    longer = Text("a longer run", "更长的训练")
    if scene.task.steps:
        longer = say(
            "much longer training than the {steps:,} steps run here",
            "比这里的 {steps:,} 步长得多的训练",
            steps=scene.task.steps,
        )
    return Claim(
        say(
            "What could change this advice: {longer}, another batch size or schedule of the rate, other data or "
            "another model{wider}.",
            "可能改变这一建议的有：{longer}，别的批大小或学习率调度，别的数据或模型{wider}。",
            longer=longer,
            wider=wider,
        ),
        {"steps": scene.task.steps, "batch_size": scene.task.batch_size},
        (scene.key(scene.best.contender),),
        "change",
    )
