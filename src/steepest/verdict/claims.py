"""What a study found, in English: the only place where sentences about results are written.

Every sentence is a `Claim` with its numbers and the keys of its evidence. Words are chosen for someone who has never
read a statistics book: "likely between a and b" is the interval, "repeat" is a replicate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from steepest.types import StudyRecord, TaskFacts
from steepest.verdict import numbers
from steepest.verdict.diagnostics import AtEdge, BlowUp, Doubt, Finding, Resolution, Stall
from steepest.verdict.nouns import Claim, Estimate, Standing, Tally, TaskVerdict
from steepest.verdict.standings import ENOUGH

WORDS = 120
"""The length of a headline: claims that would exceed it move to the details."""
ENOUGH_TASKS = 6
"""Tasks below which no winner over all tasks is named."""


def about_task(verdict: TaskVerdict, findings: Sequence[Finding]) -> tuple[Claim, ...]:
    """All claims about one task, the headline first."""
    story = _Story(verdict, findings)
    headline, details, words = [], [], 0
    for claim in story.headline():
        words += len(claim.sentence.split())
        if words <= WORDS or not headline:
            headline.append(replace(claim, part="headline"))
        else:
            details.append(claim)
    return (*headline, *details, *story.details())


class _Story:
    """One task's verdict with its findings, and the sentences that they bear."""

    def __init__(self, verdict: TaskVerdict, findings: Sequence[Finding]) -> None:
        self.verdict = verdict
        self.task: TaskFacts = verdict.task
        self.findings = findings
        self.all = verdict.standings
        self.best = verdict.standings[0]
        self.ties = [item for item in self.all if item.status == "tie"]
        self.behind = [item for item in self.all if item.status == "behind"]
        self.unsure = [item for item in self.all[1:] if item.status == "unsure"]
        self.title = self.task.title or self.task.name

    def headline(self) -> Iterator[Claim]:
        if self.best.status == "failed":
            yield self.nothing_works()
            return
        yield self.use()
        if self.best.status == "best":
            yield from self.lead()
        yield from self.rate()
        yield from self.leaner()
        yield from self.warnings()

    def details(self) -> Iterator[Claim]:
        yield from map(self.tie, self.ties)
        yield from map(self.is_behind, self.behind)
        yield from map(self.is_unsure, self.unsure)
        yield from self.failures()
        yield from self.edges()
        yield from self.too_large()
        yield from self.too_small()
        yield from self.forgiving()
        yield from self.time_to_target()
        yield from self.time_of_a_run()
        yield from self.doubts()
        yield from self.what_would_settle_it()
        if self.best.status != "failed":
            yield self.what_it_holds_for()

    # ---- the headline ----

    def nothing_works(self) -> Claim:
        return Claim(
            f"{self.title}: nothing can be recommended, because not one training run reached its end. Look at the data "
            "and the model first, then at the rates that were tried.",
            {"contenders": len(self.all)},
            self.evidence(*self.all),
            "failure",
        )

    def use(self) -> Claim:
        best, level = self.best, self.best.quality
        assert level is not None and best.rate is not None
        rate, reached = numbers.rate(best.rate), self.level(level.value)
        figures = {"rate": best.rate, "quality": level.value, "low": level.low, "high": level.high, "n": level.n}
        after = f"in {level.n} repeats" if level.n > 1 else "in a single run"
        if best.status == "unsure":
            ahead = f"So far {best.contender} is ahead" if len(self.all) > 1 else f"So far {best.contender}"
            sentence = (
                f"{self.title}: not enough to judge yet, since {self.counted(best)} and {ENOUGH} are the least. "
                f"{ahead} with {reached} on test data, at a learning rate of {rate}. Keep what you have, or run more "
                "seeds."
            )
            return Claim(sentence, figures, self.evidence(best), "weak")
        mean = f"it reaches {reached} on test data, on average {after}"
        if not self.ties:
            sentence = f"{self.title}: use {best.contender} with a learning rate of {rate}; {mean}."
            return Claim(sentence, figures, self.evidence(best), "use")
        names = [item.contender for item in self.ties]
        if len(names) == len(self.all) - 1:
            sentence = (
                f"{self.title}: a tie, so keep what you have. The data can't tell "
                f"{numbers.names([best.contender, *self.few(names)])} apart. Starting fresh, take {best.contender} "
                f"with a learning rate of {rate}: {mean}."
            )
        else:
            sentence = (
                f"{self.title}: use {best.contender} with a learning rate of {rate}; {mean}. "
                f"The data can't tell it apart from {numbers.names(self.few(names))}: if you already use "
                f"{'one of these' if len(names) > 1 else 'that'}, keep it."
            )
        return Claim(sentence, {**figures, "ties": len(names)}, self.evidence(best, *self.ties), "tie")

    def lead(self) -> Iterator[Claim]:
        """How far the first of those that are behind is behind, or how open the tie is if there is none."""
        if self.behind:
            second = self.behind[0]
            assert second.behind_best is not None
            gap = second.behind_best
            who = "The next best" if not self.ties else "The best of the others"
            sentence = (
                f"{who}, {second.contender}, is {numbers.gap(gap.value, self.task)}{self.of_metric} behind"
                f"{self.likely(gap)}."
            )
            yield self.pair_claim(sentence, second, "behind")
        elif self.ties:
            yield self.tie(self.ties[0])

    def rate(self) -> Iterator[Claim]:
        best = self.best
        if best.rate is None or best.safe_rates is None or len(best.points) < 2:
            return
        low, high = best.safe_rates
        factor = high / low
        scale = f"within 5 % of its best validation {self.task.metric}"
        if best.decades_5pct >= 1:
            sentence = (
                f"Its rate is forgiving: anything from {numbers.rate(low)} to {numbers.rate(high)} stays {scale}."
            )
        elif best.decades_5pct >= 0.4:
            sentence = (
                f"Its rate needs some care: only from {numbers.rate(low)} to {numbers.rate(high)} does it stay {scale}."
            )
        else:
            sentence = (
                f"Its rate is touchy: a factor of {numbers.factor(factor)} from {numbers.rate(low)} to "
                f"{numbers.rate(high)} is all that stays {scale}."
            )
        yield Claim(
            sentence,
            {"rate": best.rate, "low": low, "high": high, "decades": best.decades_5pct},
            self.evidence(best),
            "rate",
        )

    def leaner(self) -> Iterator[Claim]:
        """What is as good as far as the data can tell, and needs less memory."""
        mine = self.best.state_bytes_per_parameter
        lean = [item for item in self.ties if item.state_bytes_per_parameter is not None]
        if mine is None or not lean:
            return
        item = min(lean, key=lambda each: each.state_bytes_per_parameter or 0.0)
        bytes_ = item.state_bytes_per_parameter or 0.0
        if bytes_ >= mine:
            return
        memory = (
            f"keeps {bytes_:.3g} bytes for every weight of the model where {self.best.contender} keeps {mine:.3g}"
            if bytes_
            else f"keeps nothing between steps where {self.best.contender} keeps {mine:.3g} bytes for every weight"
        )
        which = "The leanest of these in memory" if len(self.ties) > 1 else "Leaner in memory"
        yield Claim(
            f"{which} is {item.contender}: it {memory}.",
            {"bytes": bytes_, "bytes_of_best": mine},
            self.evidence(self.best, item),
            "use",
        )

    def warnings(self) -> Iterator[Claim]:
        """What makes the advice itself shaky."""
        best = self.best
        if best.failed_replicates:
            yield self.failure(best)
        yield from (self.edge(each) for each in self.of(AtEdge) if each.contender == best.contender)

    # ---- one contender each ----

    def tie(self, item: Standing) -> Claim:
        gap = item.behind_best
        assert gap is not None
        best, name = self.best.contender, self.named(item)
        if gap.low > 0:
            sentence = (
                f"A tie: {name} is behind {best} by {numbers.gap(gap.value, self.task)}{self.of_metric}"
                f"{self.likely(gap)}; that is less than the {numbers.gap(self.verdict.margin, self.task)} that matter in practice."
            )
        else:
            sentence = (
                f"A tie: {name} is {numbers.gap(gap.value, self.task)}{self.of_metric} behind {best} on average, but "
                f"anything from {numbers.bare_gap(gap.low, self.task)} ahead to "
                f"{numbers.bare_gap(gap.high, self.task)} behind fits the data."
            )
        return self.pair_claim(sentence, item, "tie")

    def is_behind(self, item: Standing) -> Claim:
        gap = item.behind_best
        assert gap is not None
        amount = f"{numbers.gap(gap.value, self.task)}{self.of_metric}{self.likely(gap)}"
        return self.pair_claim(f"Behind {self.best.contender}: {self.named(item)} by {amount}.", item, "behind")

    def is_unsure(self, item: Standing) -> Claim:
        level = f" It stands at {self.level(item.quality.value)}." if item.quality else ""
        return Claim(
            f"Not to be judged: {self.counted(item)} and {ENOUGH} are the least.{level}",
            {"replicates": item.replicates},
            self.evidence(item),
            "weak",
        )

    def failures(self) -> Iterator[Claim]:
        yield from (self.failure(item) for item in self.all[1:] if item.failed_replicates)

    def failure(self, item: Standing) -> Claim:
        repeats = item.failed_replicates + item.replicates
        if not item.replicates:
            sentence = f"Failed: in none of the {repeats} repeats of {item.contender} did any rate reach the end."
        else:
            sentence = (
                f"In {item.failed_replicates} of {repeats} repeats {item.contender} failed at every rate; its figures "
                "are those of the others."
            )
        figures = {"failed": item.failed_replicates, "repeats": repeats}
        return Claim(sentence, figures, self.evidence(item), "failure")

    def edges(self) -> Iterator[Claim]:
        yield from (self.edge(each) for each in self.of(AtEdge) if each.contender != self.best.contender)

    def edge(self, found: AtEdge) -> Claim:
        end, further = ("smallest", "smaller") if found.side == "low" else ("largest", "larger")
        return Claim(
            f"The best rate of {found.contender}, {numbers.rate(found.rate)}, is the {end} that was tried: with a "
            f"{further} one it may do better than shown here.",
            {"rate": found.rate, "side": found.side},
            (self.key(found.contender),),
            "edge",
        )

    # ---- rates ----

    def too_large(self) -> Iterator[Claim]:
        found = self.of(BlowUp)
        if found:
            where = "; ".join(f"{each.contender} from {numbers.rate(each.rate)} up" for each in found)
            yield Claim(
                f"Too large a rate made training blow up, in at least half of the runs: {where}.",
                {each.contender: each.rate for each in found},
                tuple(self.key(each.contender) for each in found),
                "rate",
            )

    def too_small(self) -> Iterator[Claim]:
        found = self.of(Stall)
        if found:
            where = "; ".join(f"{each.contender} up to {numbers.rate(each.rate)}" for each in found)
            yield Claim(
                "Too small a rate left training close to where it began, less than a tenth of the way to the best: "
                f"{where}.",
                {each.contender: each.rate for each in found},
                tuple(self.key(each.contender) for each in found),
                "rate",
            )

    def forgiving(self) -> Iterator[Claim]:
        """Who among those in front forgives most in the choice of the rate, and who least."""
        front = sorted((item for item in self.front() if item.safe_rates), key=lambda item: -item.decades_5pct)
        if len(front) < 2 or front[0].decades_5pct - front[-1].decades_5pct < 0.3:
            return
        most, least = front[0], front[-1]
        yield Claim(
            f"Of those in front, {most.contender} forgives most in the choice of the rate: a factor of "
            f"{numbers.factor(10**most.decades_5pct)} from the smallest to the largest good rate, against "
            f"{numbers.factor(10**least.decades_5pct)} for {least.contender}.",
            {"decades_most": most.decades_5pct, "decades_least": least.decades_5pct},
            self.evidence(most, least),
            "rate",
        )

    # ---- time ----

    def time_to_target(self) -> Iterator[Claim]:
        """Where the best was slower, or that it was not."""
        reference = self.verdict.reference
        for name, level in self.verdict.targets.items():
            reached = {item.contender: item.steps_to_target.get(name) for item in self.all if item.steps_to_target}
            mine = reached.get(self.best.contender)
            known = {contender: steps for contender, steps in reached.items() if steps is not None}
            if not known:
                continue
            quickest = min(known, key=lambda contender: known[contender])
            way = f"To {self.level(level)} on validation data, {name} of what {reference} gains in all,"
            if mine is None:
                sentence = (
                    f"{way} {quickest} is the quickest with {known[quickest]:.0f} steps; fewer than half of "
                    f"{self.best.contender}'s repeats get there."
                )
            elif quickest == self.best.contender:
                others = [contender for contender in known if contender != quickest]
                second = min(others, key=lambda contender: known[contender], default=None)
                after = f"; next comes {second} with {known[second]:.0f}" if second else ""
                sentence = f"{way} {quickest} is the quickest with {mine:.0f} steps{after}."
            else:
                sentence = (
                    f"{way} {self.best.contender} takes {mine:.0f} steps; {quickest} is quicker with "
                    f"{known[quickest]:.0f}."
                )
            yield Claim(sentence, {"level": level, **reached}, tuple(map(self.key, reached)), "time")

    def time_of_a_run(self) -> Iterator[Claim]:
        timed = [item for item in self.all if item.seconds is not None]
        if self.best not in timed or self.best.seconds is None or self.best.status == "failed":
            return
        quickest = min(timed, key=lambda item: item.seconds or 0.0)
        alone = "alone on one core, checks on validation data not counted"
        sentence = f"One training run takes {numbers.duration(self.best.seconds)} with {self.best.contender}"
        if quickest is not self.best and quickest.seconds:
            more = self.best.seconds / quickest.seconds
            sentence += f", {numbers.factor(more)} times as long as with {quickest.contender}, the quickest"
        elif len(timed) > 1:
            sentence += ", the quickest of all"
        yield Claim(
            f"{sentence} ({alone}).",
            {item.contender: item.seconds for item in timed},
            self.evidence(self.best, quickest),
            "time",
        )

    # ---- how sure ----

    def doubts(self) -> Iterator[Claim]:
        for each in self.of(Doubt):
            low = numbers.bare_gap(each.bootstrap.low, self.task)
            yield Claim(
                f"That {each.contender} is behind {self.best.contender} rests on luck being bell-shaped: a method that "
                f"does not assume it still allows {each.contender} to be {low} ahead.",
                {"low": each.bootstrap.low, "high": each.bootstrap.high},
                (self.pair_key(each.contender),),
                "weak",
            )

    def what_would_settle_it(self) -> Iterator[Claim]:
        for each in self.of(Resolution):
            best, other = self.best.contender, each.challenger
            sees = (
                f"With {each.n} repeats, a true gap of {numbers.gap(each.smallest, self.task)}{self.of_metric} between "
                f"{best} and {other} would be noticed 4 times in 5"
            )
            if other not in self.verdict.ties:
                sentence = f"{sees}."
            elif each.needed is None:
                sentence = f"{sees}; if the true gap is as small as the one seen, even a thousand repeats won't do."
            elif each.needed <= each.n:
                sentence = f"{sees}."
            else:
                sentence = (
                    f"{sees}; if it is the {numbers.gap(each.seen, self.task)} seen here, settling it takes about "
                    f"{each.needed} repeats."
                )
            yield Claim(
                sentence,
                {"n": each.n, "smallest": each.smallest, "seen": each.seen, "needed": each.needed},
                (self.pair_key(other),),
                "change",
            )

    def what_it_holds_for(self) -> Claim:
        untuned = [each.contender for each in self.of(AtEdge) if each.contender != self.best.contender]
        wider = f", or a wider search for {numbers.names(untuned)}" if untuned else ""
        return Claim(
            f"What could change this advice: much longer training than the {self.task.steps} steps run here, another "
            f"batch size or rate schedule, other data or another model{wider}.",
            {"steps": self.task.steps, "batch_size": self.task.batch_size},
            (self.key(self.best.contender),),
            "change",
        )

    # ---- words ----

    @property
    def of_metric(self) -> str:
        """What a bare difference is a difference of; points need no addition."""
        return "" if self.task.unit == "%" else f" in {self.task.metric}"

    def level(self, value: float) -> str:
        text = numbers.quality(value, self.task)
        metric = self.task.metric
        if self.task.unit == "%":
            return f"{text} {metric}"
        return f"{'an' if metric[:1] in 'aeioR' else 'a'} {metric} of {text}"

    def likely(self, gap: Estimate) -> str:
        return f" (likely {numbers.span(gap, self.task)})"

    def counted(self, item: Standing) -> str:
        name = item.contender if len(self.all) > 1 else "it"
        return f"{name} has {item.replicates} {'repeat' if item.replicates == 1 else 'repeats'}"

    def named(self, item: Standing) -> str:
        yardstick = ", this study's yardstick," if item.contender == self.verdict.reference else ""
        return f"{item.contender}{yardstick}"

    def few(self, names: list[str]) -> list[str]:
        return names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} others"]

    # ---- evidence ----

    def of(self, kind: type) -> list:
        return [each for each in self.findings if isinstance(each, kind)]

    def front(self) -> list[Standing]:
        return [self.best, *self.ties]

    def key(self, contender: str) -> str:
        return f"standing:{self.task.name}/{contender}"

    def pair_key(self, contender: str) -> str:
        return f"pair:{self.task.name}/{self.best.contender}-{contender}"

    def evidence(self, *items: Standing) -> tuple[str, ...]:
        return tuple(self.key(item.contender) for item in items)

    def pair_claim(self, sentence: str, item: Standing, kind) -> Claim:
        gap = item.behind_best
        assert gap is not None
        figures = {"gap": gap.value, "low": gap.low, "high": gap.high, "n": gap.n, "p": item.p_best}
        return Claim(sentence, figures, (self.pair_key(item.contender),), kind)


# ---- the study as a whole --------------------------------------------------------------------------------------------


def about_study(
    study: StudyRecord, verdicts: Sequence[TaskVerdict], tallies: Sequence[Tally], confidence: float
) -> tuple[Claim, ...]:
    """Claims that no single task bears: the tasks together, how far the figures reach, and what they cost."""
    found = []
    if not verdicts:
        sentence = "Nothing has been trained yet, so there is nothing to say."
        return (Claim(sentence, {"trials": 0}, ("study",), "weak", part="headline"),)
    if len(verdicts) > 1:
        found.append(_across(verdicts, tallies))
    done = len(study.results)
    if not study.finished:
        sentence = f"The study has run {done} of {study.trials_planned} training runs: all of this may still change."
        found.append(Claim(sentence, {"done": done, "planned": study.trials_planned}, ("study",), "weak"))
    found += [_luck(study, verdicts, confidence)]
    found += [Claim(sentence, {}, ("study",), "weak") for sentence in study.given_up]
    found.append(
        Claim(
            f"Finding this out took {done:,} training runs and {numbers.duration(study.seconds)}.",
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
    if not count:
        often = "On none of them is there enough to judge yet"
    else:
        who = numbers.names([tally.contender for tally in front][:4])
        often = f"Most often in front, as the best or tied with it: {who}, on {count} of {tasks}"
    rule = (
        f"With fewer than {ENOUGH_TASKS} tasks no winner over all of them is named"
        if tasks < ENOUGH_TASKS
        else "That is a count, not a ranking over all tasks"
    )
    return Claim(
        f"{tasks} tasks, each with its own answer. {often}. {rule}.",
        {"tasks": tasks, **{tally.contender: tally.best + tally.tie for tally in tallies}},
        tuple(f"task:{verdict.task.name}" for verdict in verdicts),
        "use",
        part="headline",
    )


def _luck(study: StudyRecord, verdicts: Sequence[TaskVerdict], confidence: float) -> Claim:
    """What a repeat is, what "likely" means, and what neither covers."""
    drawn = list(dict.fromkeys(luck for verdict in verdicts for luck in verdict.task.luck))
    seeds = study.protocol.seeds
    luck = numbers.names(drawn) if drawn else "whatever a seed draws"
    return Claim(
        f"In each of the {seeds} repeats every optimizer was tuned anew, on the same number of rates, with fresh luck: "
        f'{luck}. "Likely" ranges cover that luck and no more: of a hundred studies run with fresh luck, about '
        f"{100 * confidence:.0f} give a range that holds the true figure.",
        {"seeds": seeds, "confidence": confidence},
        ("study",),
        "luck",
    )
