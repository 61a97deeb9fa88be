"""One contender's run through the protocol on one task: what it has asked for, what is done, where it stands."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from steepest.records.contender import Contender
from steepest.records.outcomes import Outcome, Result
from steepest.records.progress_record import ProgressRow
from steepest.records.ranking import Score, has_failed, is_sound, pooled_best
from steepest.records.step_times import StepTime
from steepest.records.study_record import StudyDesign
from steepest.records.task_facts import TaskFacts
from steepest.records.trials import Shard, Stage
from steepest.study.budget import mode_of, shard_seconds, stages
from steepest.study.execution import timed_fleet
from steepest.study.planner import shards
from steepest.study.protocol import POOLED, SEARCHES, on_more_seeds, trials_of
from steepest.study.spec import RunPlan, StudySpec


class ContenderRun:
    """Turns the lanes that a search asks for into shards, and their rows into the scores that it is sent.

    `protocol` is that of the search: where seeds are added until the verdict is sure, it has the first ones only.
    """

    def __init__(
        self,
        spec: StudySpec,
        contender: Contender,
        protocol: StudyDesign,
        run: RunPlan,
        facts: TaskFacts,
        time: StepTime,
    ) -> None:
        self.contender, self.plan, self.facts, self.time = contender, run, facts, time
        self.results: list[Result] = []
        self.planned = trials_of(contender, protocol)
        self.cost = sum(map(sum, stages(run, contender, protocol, facts, time, spec.race)))
        """Forecast of the seconds that one core needs for all of it."""
        self.cost_done = 0.0
        self._spec = spec
        self._task = next(task for task in spec.tasks if task.ref.name == run.task)
        self._protocol = protocol
        self._search = SEARCHES[spec.search](contender, protocol, facts.higher_is_better)
        self._asked: list[Shard] = []
        self._got: dict[str, tuple[Result, ...]] = {}
        self._row = ProgressRow(facts.name, contender.name, "waiting", 0, self.planned, 0)
        self._counted = 0
        """Results that the row shows: it is made when somebody looks, since each looks through all results."""

    def begin(self) -> list[Shard]:
        """The first shards to train."""
        return self._ask(None)

    def take(self, shard: Shard, rows: tuple[Result, ...]) -> list[Shard]:
        """Take in the rows of a shard. Returns the next shards to train, once the search has all that it awaits."""
        self._got[shard.id] = rows
        self.results += rows
        self.cost_done += self.seconds(shard)
        self._row = replace(self._row, stage=shard.lanes[0].stage)
        if len(self._got) < len(self._asked):
            return []
        # In the order asked, not the order done: what a search sees must not depend on timing.
        return self._ask([_score(row) for asked in self._asked for row in self._got[asked.id]])

    def more(self, seeds: range) -> list[Shard]:
        """The first shards that add these seeds to a run that has finished: each seed searches for itself, unless the
        study's law is that all seeds have the rates that the first ones have placed."""
        if self._spec.search != POOLED:
            return self._search_on(replace(self._protocol, first_seed=seeds.start, seeds=len(seeds)))
        tried: dict[tuple[Stage, float], None] = {(row.stage, row.rate): None for row in self.results}
        lanes = list(on_more_seeds(tried, seeds))
        self._asked = [
            each for part in lanes for each in shards(self._spec, self._task, self.contender, self.plan, part)
        ]
        self._got = {}
        self.planned += sum(map(len, lanes))
        self.cost += sum(map(self.seconds, self._asked))
        self._row = replace(self._row, stage=lanes[0][0].stage, planned=self.planned)
        return self._asked

    def _search_on(self, protocol: StudyDesign) -> list[Shard]:
        self._search = SEARCHES[self._spec.search](self.contender, protocol, self.facts.higher_is_better)
        self.planned += trials_of(self.contender, protocol)
        self.cost += sum(map(sum, stages(self.plan, self.contender, protocol, self.facts, self.time, self._spec.race)))
        asked = self._ask(None)
        self._row = replace(self._row, stage=asked[0].lanes[0].stage, planned=self.planned)
        return asked

    def end_here(self) -> None:
        """Ask for nothing more: keep what has been trained. Seeds that are added later do without it, too."""
        self._protocol = replace(self._protocol, extra_rates=0, more_trials=0)
        self.planned, self.cost = len(self.results), self.cost_done
        self._row = replace(self._row, stage="done", planned=self.planned)

    def seconds(self, shard: Shard) -> float:
        """Forecast of one core's time for a shard."""
        rates = max(Counter(lane.seed for lane in shard.lanes).values())
        return shard_seconds(self.plan, self.facts, self.time, len(shard.lanes), shard.rungs, rates)

    @property
    def load_seconds(self) -> float:
        """Forecast of the time until a worker has loaded or traced what a shard's steps need."""
        fleet = timed_fleet(mode_of(self.plan), self.time)
        return 0.0 if fleet is None else fleet.load_seconds

    def started(self, shard: Shard) -> None:
        """A worker has begun with a shard."""
        if self._row.stage == "waiting":
            self._row = replace(self._row, stage=shard.lanes[0].stage)

    def row(self) -> ProgressRow:
        """Where it stands, for the progress table."""
        if self._counted != len(self.results):
            self._counted = len(self.results)
            self._stand()
        return self._row

    def _ask(self, scores: Sequence[Score] | None) -> list[Shard]:
        try:
            lanes = next(self._search) if scores is None else self._search.send(scores)
        except StopIteration:
            self._row = replace(self._row, stage="done")
            return []
        if scores is not None:  # the grid counts as waiting until a worker starts it
            self._row = replace(self._row, stage=lanes[0].stage)
        self._asked, self._got = shards(self._spec, self._task, self.contender, self.plan, lanes), {}
        return self._asked

    def _stand(self) -> None:
        higher = self.facts.higher_is_better
        plain = [row for row in self.results if not row.dials]
        best = pooled_best(plain, higher)
        values = [row.valid_metric or 0.0 for row in plain if row.rate == best and is_sound(row)]
        self._row = replace(
            self._row,
            done=len(self.results),
            failed=sum(map(has_failed, self.results)),
            diverged=sum(row.outcome is Outcome.DIVERGED for row in self.results),
            best_rate=best if values else None,
            best_valid=sum(values) / len(values) if values else None,
        )


def _score(row: Result) -> Score:
    """What a search may know of a trial: nothing from the test part."""
    return Score(row.rate, row.seed, row.outcome, row.valid_metric, row.valid_loss, row.dials)
