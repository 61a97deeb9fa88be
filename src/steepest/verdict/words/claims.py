"""What a study found, in English and Chinese: which claims are made, in which order, and which are read first.

With `headline`, `details` and `numbers`, the only place where sentences about results are written. Every sentence is a
`Claim` with its numbers and the keys of its evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from steepest.language import Text, counted, say
from steepest.records.study_record import StudyRecord
from steepest.verdict.judge.diagnosis import Reason
from steepest.verdict.judge.findings import Finding
from steepest.verdict.results import Claim, Everywhere, Tally, TaskVerdict
from steepest.verdict.words import numbers
from steepest.verdict.words.context import Scene
from steepest.verdict.words.details import details
from steepest.verdict.words.headline import headline
from steepest.verdict.words.reasons import why
from steepest.verdict.words.terms import term

WORDS = 120
"""The length of a headline: claims that would exceed it are told below it."""
ENOUGH_TASKS = 6
"""Tasks below which no winner over all tasks is named."""


def about_task(verdict: TaskVerdict, findings: Sequence[Finding], reasons: Sequence[Reason] = ()) -> tuple[Claim, ...]:
    """All claims about one task, those of the headline first. `verdict` has no claims yet."""
    scene = Scene(verdict, findings)
    above, below, words = [], [], 0
    for claim in headline(scene):
        length = len(claim.sentence.split())
        if not above or words + length <= WORDS:
            above.append(replace(claim, part="headline"))
            words += length
        else:
            below.append(claim)
    said = {claim.sentence for claim in (*above, *below)}
    rest = (claim for claim in details(scene) if claim.sentence not in said)
    return (*above, *below, *why(verdict.task.name, reasons), *rest)


# ---- the study as a whole --------------------------------------------------------------------------------------------


def about_study(
    study: StudyRecord,
    verdicts: Sequence[TaskVerdict],
    tallies: Sequence[Tally],
    rows: Sequence[Everywhere],
    unit: str,
    confidence: float,
) -> tuple[Claim, ...]:
    """Claims that no single task bears: the tasks together, how far the figures reach, and what they cost."""
    found = []
    if not verdicts:
        says = Text("Nothing has been trained yet, so there is nothing to say.", "还没有训练过任何东西，因此无话可说。")
        return (Claim(says, {"trials": 0}, ("study",), "weak", part="headline"),)
    if len(verdicts) > 1:
        found.append(_across(verdicts, tallies))
    if rows:
        found += [_everywhere(verdicts, rows, unit), *_quickest(verdicts, rows)]
    done = len(study.results)
    if not study.finished:
        says = say(
            "The study has run {done} of {planned} training runs: all of this may still change.",
            "本研究的 {planned} 次训练已完成 {done} 次：以上结论都还可能改变。",
            done=done,
            planned=study.trials_planned,
        )
        found.append(Claim(says, {"done": done, "planned": study.trials_planned}, ("study",), "weak"))
    found += _looks(verdicts)
    found += [_luck(study, verdicts, confidence) if study.trained else _luck_of_a_table(confidence)]
    found += [Claim(says, {}, ("study",), "weak") for says in study.given_up]
    if not study.trained:
        return tuple(found)
    found.append(
        Claim(
            say(
                "Finding this out took {done} and {time}.",
                "得出这些结论用了 {done}，共 {time}。",
                done=counted(done, "training run", "次训练"),
                time=numbers.duration(study.seconds),
            ),
            {"trials": done, "seconds": study.seconds},
            ("study",),
            "time",
        )
    )
    return tuple(found)


def _across(verdicts: Sequence[TaskVerdict], tallies: Sequence[Tally]) -> Claim:
    """Who is among the best how often; no winner over all tasks is named."""
    tasks = len(verdicts)
    front = [tally for tally in tallies if tally.best + tally.tie == tallies[0].best + tallies[0].tie]
    count = front[0].best + front[0].tie
    often = Text("On none of them is there enough to judge yet", "其中没有一个已有足够的数据可供判断")
    if count:
        often = say(
            "Most often in front, as the best or tied with it: {who}, on {count} of {tasks}",
            "最常领先（最好，或与最好的不相上下）的是 {who}，{tasks} 个任务中有 {count} 个",
            who=numbers.names([tally.contender for tally in front][:4]),
            count=count,
            tasks=tasks,
        )
    rule = Text("That is a count, not a ranking over all tasks", "这只是计数，不是对所有任务的总排名")
    if tasks < ENOUGH_TASKS:
        rule = say(
            "With fewer than {enough} tasks no winner over all of them is named",
            "任务少于 {enough} 个时，不宣布总的胜者",
            enough=ENOUGH_TASKS,
        )
    return Claim(
        say(
            "{tasks} tasks, each with its own answer. {often}. {rule}.",
            "{tasks} 个任务，各有各的答案。{often}。{rule}。",
            tasks=tasks,
            often=often,
            rule=rule,
        ),
        {"tasks": tasks, **{tally.contender: tally.best + tally.tie for tally in tallies}},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "use",
        part="headline",
    )


def _everywhere(verdicts: Sequence[TaskVerdict], rows: Sequence[Everywhere], unit: str) -> Claim:
    """What it costs to use one contender on every task: the one that costs least, and whether that is known."""
    tasks, first, second = len(verdicts), rows[0], rows[1]
    share = Text("of the best's level", "最好者水平的")
    if unit == "progress":
        share = Text("of the way from an untrained model to the best", "从未训练的模型到最好者这段路的")
    mean = say(
        "{mean} {share} on average", "平均差{share} {mean}", mean=numbers.percent(first.regret.value), share=share
    )
    if tasks >= ENOUGH_TASKS:
        mean = say(
            "{mean} (likely {low} to {high} on such tasks)",
            "{mean}（在这类任务上很可能为 {low} 到 {high}）",
            mean=mean,
            low=numbers.percent(first.regret.low),
            high=numbers.percent(first.regret.high),
        )
    worst = Text("nothing anywhere", "处处都不吃亏")
    if first.worst:
        worst = say(
            "at most {worst}, on {task}",
            "最多 {worst}（在 {task} 上）",
            worst=numbers.percent(first.worst),
            task=first.worst_task,
        )
    open_ = Text("", "")
    if tasks >= ENOUGH_TASKS and first.probability_least < 0.95:
        open_ = say(
            " Over other tasks of the kind it would be the first in {n:.0f} of 100.",
            "换成同类的其他任务，100 次中它有 {n:.0f} 次居首。",
            n=100 * first.probability_least,
        )
    return Claim(
        say(
            "Whoever uses one optimizer for all of these tasks loses least with {first}: {mean}, {worst}; then "
            "{second} with {regret}.{open}",
            "若所有任务只用一个优化器，选 {first} 吃亏最少：{mean}，{worst}；其次是 {second}，为 {regret}。{open}",
            first=first.contender,
            mean=mean,
            worst=worst,
            second=second.contender,
            regret=numbers.percent(second.regret.value),
            open=open_,
        ),
        {row.contender: row.regret.value for row in rows},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "use",
    )


def _quickest(verdicts: Sequence[TaskVerdict], rows: Sequence[Everywhere]) -> Iterator[Claim]:
    """Who is near the quickest on most tasks; not where nobody stands out."""
    known = [(row.profile.value, row) for row in rows if row.profile]
    if not known:
        return
    (area, first), *rest = sorted(known, key=lambda pair: -pair[0])
    if not rest or area - rest[0][0] < 0.05:
        return
    yield Claim(
        say(
            "Closest to the quickest over all tasks is {first}: its score is {area:.2f}, where 1 is the quickest "
            "everywhere and 0 four times as slow or never there; then {second} with {next:.2f}.",
            "综合所有任务，{first} 最接近最快者：得分 {area:.2f}，1 表示处处最快，0 表示慢到 4 倍或始终达不到；"
            "其次是 {second}，得分 {next:.2f}。",
            first=first.contender,
            area=area,
            second=rest[0][1].contender,
            next=rest[0][0],
        ),
        {row.contender: value for value, row in known},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "time",
    )


def _looks(verdicts: Sequence[TaskVerdict]) -> Iterator[Claim]:
    """Why studies that add seeds until they are sure have other numbers of repeats, and what that costs."""
    for verdict in verdicts:
        done = min((item.replicates + item.failed_replicates for item in verdict.standings), default=0)
        seen = [look for look in verdict.looks if look <= done]
        if not seen:
            continue
        why = (
            Text("then the answer was settled", "这时答案已定")
            if verdict.settled
            else Text("the answer is still open", "答案仍未确定")
        )
        if verdict.settled and len(seen) == len(verdict.looks):
            why = Text("the answer is settled", "答案已定")
        elif len(seen) == len(verdict.looks):
            why = say(
                "{most} were the most that were allowed, and the answer is still open",
                "最多只允许 {most} 次，答案仍未确定",
                most=seen[-1],
            )
        yield Claim(
            say(
                "Repeats of {task} were added until the answer was sure. It was looked at {times}, after {seen} "
                "repeats; {why}. The ranges are wide enough for that many looks.",
                "{task} 的重复次数逐步增加，直到答案可靠。共查看 {times}，分别在 {seen} 次重复之后；{why}。"
                "各范围都已放宽，足以容许这么多次查看。",
                task=verdict.task.name,
                times=Text({1: "once", 2: "twice"}.get(len(seen), f"{len(seen)} times"), f"{len(seen)} 次"),
                seen=numbers.names([str(look) for look in seen]),
                why=why,
            ),
            {"looks": len(seen), "repeats": done},
            (f"task:{verdict.task.name}",),
            "luck",
        )


def _luck(study: StudyRecord, verdicts: Sequence[TaskVerdict], confidence: float) -> Claim:
    """What a repeat is, what "likely" means, and what neither covers."""
    drawn = list(dict.fromkeys(luck for verdict in verdicts for luck in verdict.task.luck))
    seeds = study.protocol.seeds
    if study.protocol.until_sure:
        seeds = max((item.replicates + item.failed_replicates for v in verdicts for item in v.standings), default=0)
    each = Text("In the one repeat", "在唯一的一次重复中")
    if seeds > 1:
        each = say("In each of the {seeds} repeats", "在 {seeds} 次重复的每一次中", seeds=seeds)
    own = any(contender.rates for contender in study.contenders)
    return Claim(
        say(
            '{each} every optimizer was tuned anew{alike}, with fresh luck: {luck}. "Likely" ranges cover that luck '
            "and no more: of a hundred studies run with fresh luck, {about} {n:.0f} give a range that holds the true "
            "figure.",
            "{each}，每个优化器都{alike}重新调参，运气也是新的：{luck}。“很可能”的范围只涵盖这种运气："
            "用新的运气做一百次研究，{about} {n:.0f} 次给出的范围会包含真实的数字。",
            each=each,
            alike=Text("", "") if own else Text(", on the same number of rates", "在同样多的学习率上"),
            luck=numbers.names([term(word) for word in drawn])
            if drawn
            else Text("whatever a seed draws", "随机种子所决定的一切"),
            about=Text("at least", "至少") if study.protocol.until_sure else Text("about", "大约"),
            n=100 * confidence,
        ),
        {"seeds": seeds, "confidence": confidence},
        ("study",),
        "luck",
    )


def _luck_of_a_table(confidence: float) -> Claim:
    """What a range covers where nobody knows how the repeats came about."""
    return Claim(
        say(
            "A repeat is what the table calls one: likely ranges cover what differs between its repeats and no more. "
            "If all of them use settings that were tuned once before, the luck of that tuning is in none of them, and "
            "leads are less sure than the {n:.0f} in 100 that they are told with.",
            "“重复”以表格所称为准：“很可能”的范围只涵盖各次重复之间的差异。如果它们都使用事先调好一次的设置，"
            "那次调参的运气就不在其中，领先也就没有所说的 100 次中 {n:.0f} 次那么可靠。",
            n=100 * confidence,
        ),
        {"confidence": confidence},
        ("study",),
        "luck",
    )
