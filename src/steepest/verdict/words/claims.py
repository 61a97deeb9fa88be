"""What a study found: which claims are made, in which order, and which are read first.

Together with the other modules of this folder, the only place where sentences about results are written. Every sentence
is a `Claim` with its numbers and the keys of its evidence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from steepest.messages import NOTHING, Message, counted, say, term
from steepest.records.study_record import StudyDesign, StudyRecord
from steepest.verdict.judge.diagnosis import Reason
from steepest.verdict.judge.findings import Finding
from steepest.verdict.results import Claim, Everywhere, Tally, TaskVerdict
from steepest.verdict.words import numbers
from steepest.verdict.words.baseline_claims import over_all_tasks
from steepest.verdict.words.context import Context
from steepest.verdict.words.details import details
from steepest.verdict.words.headline import headline, less_memory
from steepest.verdict.words.reasons import why
from steepest.verdict.words.warning_claims import of_the_results, of_the_task

MAX_HEADLINE_WORDS = 190
"""The length of a headline: claims that would exceed it go below it."""
MIN_TASKS = 6
"""Tasks below which no winner over all tasks is named."""


def about_task(
    verdict: TaskVerdict, findings: Sequence[Finding], reasons: Sequence[Reason] = (), confidence: float = 0.95
) -> tuple[Claim, ...]:
    """All claims about one task, those of the headline first. `verdict` has no claims yet."""
    context = Context(verdict, findings, confidence)
    above: list[Claim] = []
    below: list[Claim] = []
    words = 0
    first, *others = headline(context)
    for claim in (first, *of_the_results(verdict.task), *others):
        length = len(claim.sentence.split())
        if not above or words + length <= MAX_HEADLINE_WORDS:
            above.append(replace(claim, part="headline"))
            words += length
        else:
            below.append(claim)
    said = [replace(claim, part="detail") for claim in (*above, *below)]
    memory = less_memory(context) if context.best.status == "best" else ()
    rest = (claim for claim in (*memory, *details(context)) if replace(claim, part="detail") not in said)
    return (*above, *below, *why(verdict.task.name, reasons), *rest, *of_the_task(verdict.task))


# ---- the study as a whole --------------------------------------------------------------------------------------------


def about_study(
    study: StudyRecord,
    verdicts: Sequence[TaskVerdict],
    tallies: Sequence[Tally],
    rows: Sequence[Everywhere],
    unit: str,
    confidence: float,
) -> tuple[Claim, ...]:
    """Claims about the whole study: the tasks together, what intervals cover, and the cost."""
    found: list[Claim] = []
    if not verdicts:
        says = say("Nothing has been trained yet.")
        return (Claim(says, {"trials": 0}, ("study",), "weak", part="headline"),)
    if len(verdicts) > 1:
        found += [*over_all_tasks(verdicts), _across(verdicts, tallies)]
    if rows:
        found += [_everywhere(verdicts, rows, unit, confidence), *_quickest(verdicts, rows)]
    done = len(study.results)
    if not study.finished:
        says = say(
            "{done} of {planned} training runs are finished. These results may still change.",
            done=done,
            planned=study.trials_planned,
        )
        found.append(Claim(says, {"done": done, "planned": study.trials_planned}, ("study",), "weak"))
    found += _grown(study.protocol) if study.protocol.grown else _looks(verdicts)
    found += [_variation(study, verdicts, confidence) if study.trained else _variation_in_a_table(confidence)]
    found += _unanswered(verdicts)
    found += [Claim(says, {}, ("study",), "weak") for says in study.given_up]
    if not study.trained:
        return tuple(found)
    found.append(
        Claim(
            say(
                "The study took {done} and {time}.",
                done=counted(done, "{n:,} training run", "{n:,} training runs"),
                time=numbers.duration(study.seconds),
            ),
            {"trials": done, "seconds": study.seconds},
            ("study",),
            "time",
        )
    )
    return tuple(found)


def _across(verdicts: Sequence[TaskVerdict], tallies: Sequence[Tally]) -> Claim:
    """Which contenders are most often good; with few tasks, no overall winner is named."""
    tasks, count = len(verdicts), tallies[0].good
    front = [tally for tally in tallies if tally.good == count]
    often = say("None of them has enough seeds for a verdict yet")
    if count:
        often = say(
            "Most often best, or shown to be practically equivalent to the best: {who}, on {count} of {tasks}",
            who=numbers.names([tally.contender for tally in front][:4]),
            count=count,
            tasks=tasks,
        )
    rule = say("This is a count, not an overall ranking: few or noisy seeds hide differences")
    if tasks < MIN_TASKS:
        rule = say("With fewer than {enough} tasks, no overall winner is named", enough=MIN_TASKS)
    return Claim(
        say("{tasks} tasks, each with its own verdict. {often}. {rule}.", tasks=tasks, often=often, rule=rule),
        {"tasks": tasks, **{tally.contender: tally.good for tally in tallies}},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "use",
        part="headline",
    )


def _everywhere(verdicts: Sequence[TaskVerdict], rows: Sequence[Everywhere], unit: str, confidence: float) -> Claim:
    """The contender that costs least if it is used on every task, and how certain that is."""
    tasks, first, second = len(verdicts), rows[0], rows[1]
    share = say("of the best result")
    if unit == "progress":
        share = say("of the improvement from an untrained model to the best")
    mean = _loss(first.regret.value)
    if first.regret.value > 5e-5:
        mean = say("{mean} {share}", mean=mean, share=share)
    if tasks >= MIN_TASKS:
        mean = say(
            "{mean} ({level} interval {low} to {high})",
            mean=mean,
            level=say("{figure} %", figure=f"{100 * confidence:g}"),
            low=numbers.percent(first.regret.low),
            high=numbers.percent(first.regret.high),
        )
    worst = say("It has the best mean on every task.")
    if first.worst:
        worst = say(
            "Its largest loss, {worst}, is on {task}.", worst=numbers.percent(first.worst), task=first.worst_task
        )
    return Claim(
        say(
            "If one optimizer has to do for all tasks, {first} loses least on average: {mean}. {worst} Next is "
            "{second}: {regret}.",
            first=first.contender,
            mean=mean,
            worst=worst,
            second=second.contender,
            regret=_loss(second.regret.value),
        ),
        {row.contender: row.regret.value for row in rows},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "use",
    )


def _loss(regret: float) -> Message:
    """A mean regret, corrected for how good the best looks by chance: where nothing is left, none can be measured."""
    return numbers.percent(regret) if regret > 5e-5 else say("too little to measure")


def _quickest(verdicts: Sequence[TaskVerdict], rows: Sequence[Everywhere]) -> Iterator[Claim]:
    """The fastest optimizer over all tasks, if its score is shown to be the highest: no other interval reaches its."""
    known = [(row.profile.value, row) for row in rows if row.profile]
    if not known:
        return
    (area, first), *rest = sorted(known, key=lambda pair: -pair[0])
    if not rest or area - rest[0][0] < 0.05 or first.profile is None:
        return
    if first.profile.low <= max(row.profile.high for _, row in rest if row.profile):  # not shown
        return
    yield Claim(
        say(
            "Fastest over all tasks: {first}, with a score of {area:.2f}, then {second} with {next:.2f}. A score of 1 "
            "is the fastest on every task; 0 is 4 times as slow or never at the target.",
            first=first.contender,
            area=area,
            second=rest[0][1].contender,
            next=rest[0][0],
        ),
        {row.contender: value for value, row in known},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "time",
    )


def _grown(protocol: StudyDesign) -> Iterator[Claim]:
    """That the study was extended, and what several verdicts cost."""
    seen = [*map(str, protocol.grown)]
    says = say(
        "The study was extended to {seeds} seeds. It already had a verdict after {seen} seeds. Intervals are wider "
        "now, so that a repeated verdict is not wrong more often; earlier ones did not account for this.",
        seeds=protocol.seeds,
        seen=numbers.names(seen),
    )
    yield Claim(says, {"looks": len(seen) + 1, "repeats": protocol.seeds}, ("study",), "luck")


def _looks(verdicts: Sequence[TaskVerdict]) -> Iterator[Claim]:
    """When seeds were added, and what repeated checks cost."""
    for verdict in verdicts:
        done = min((item.replicates + item.failed_replicates for item in verdict.standings), default=0)
        seen = [look for look in verdict.looks if look <= done]
        if not seen:
            continue
        why = say("The result is settled.") if verdict.settled else say("The result is still open.")
        if len(seen) == len(verdict.looks) and not verdict.settled:
            why = say("{most} seeds are the maximum, and the result is still open.", most=seen[-1])
        yield Claim(
            say(
                "Seeds are added to {task} until the result is settled, with checks after {seen} seeds. {why} The "
                "intervals account for repeated checks.",
                task=verdict.task.name,
                seen=numbers.names([str(look) for look in seen]),
                why=why,
            ),
            {"looks": len(seen), "repeats": done},
            (f"task:{verdict.task.name}",),
            "luck",
        )


def _variation(study: StudyRecord, verdicts: Sequence[TaskVerdict], confidence: float) -> Claim:
    """What a seed sets, and what intervals cover."""
    drawn = list(dict.fromkeys(word for verdict in verdicts for word in verdict.task.luck))
    seeds = study.protocol.seeds
    if study.protocol.until_sure:
        seeds = max((item.replicates + item.failed_replicates for v in verdicts for item in v.standings), default=0)
    own = any(contender.rates for contender in study.contenders if contender.name != study.baseline)
    alike = NOTHING if own else say(", with the same number of learning rates")
    if study.protocol.more_trials:
        alike = say(", with the same number of trials")
    tuned = say("Every optimizer was tuned on one seed{alike}.", alike=alike)
    if seeds > 1:
        tuned = say("Every optimizer was tuned separately on each of {seeds} seeds{alike}.", seeds=seeds, alike=alike)
    if study.baseline:
        tuned = say("{tuned} {who} was trained as it is, once per seed.", tuned=tuned, who=study.baseline)
    parts = {
        "tuned": tuned,
        "random": numbers.names([term(word) for word in drawn]) if drawn else say("everything that is random"),
        "about": say("at least") if study.protocol.until_sure or len(study.contenders) > 2 else say("about"),
        "n": 100 * confidence,
    }
    wide = [verdict.task.name for verdict in verdicts if verdict.question == "new-rows"]
    if not wide:
        says = say(
            "{tuned} A seed sets {random}. Intervals cover only the variation between seeds: with new seeds, {about} "
            "{n:.0f} % of them contain the true value.",
            **parts,
        )
    elif len(wide) == len(verdicts):
        says = say(
            "{tuned} A seed sets {random}. Intervals cover new seeds and new rows of the same kind: {about} {n:.0f} % "
            "of them contain the true value.",
            **parts,
        )
    else:
        says = say(
            "{tuned} A seed sets {random}. Intervals cover new seeds, and for {names} also new rows of the same kind: "
            "{about} {n:.0f} % of them contain the true value.",
            names=numbers.names(wide),
            **parts,
        )
    return Claim(says, {"seeds": seeds, "confidence": confidence}, ("study",), "luck")


def _unanswered(verdicts: Sequence[TaskVerdict]) -> Iterator[Claim]:
    """Where the question asked cannot be answered, and what is answered instead."""
    for verdict in verdicts:
        if verdict.asked in (None, verdict.question):
            continue
        why = say("its seeds all have the same test rows")
        if verdict.asked == "new-rows":
            why = say("it is not known what came of each test example")
        elif verdict.asked == "trained-again":
            why = say("each of its seeds has other test rows")
        says = say(
            "{task} cannot answer the question {asked}, since {why}. Its intervals answer {instead}.",
            task=verdict.task.name,
            asked=str(verdict.asked),
            why=why,
            instead=str(verdict.question),
        )
        yield Claim(says, {}, (f"task:{verdict.task.name}",), "luck")


def _variation_in_a_table(confidence: float) -> Claim:
    """What intervals cover if it is unknown how the runs were produced."""
    return Claim(
        say(
            "Intervals cover only the variation between the runs of the table. If the settings were tuned once "
            "beforehand, the variation from tuning is missing, and differences are less certain than {n:.0f} %.",
            n=100 * confidence,
        ),
        {"confidence": confidence},
        ("study",),
        "luck",
    )
