"""What a running study reports to its listener: how far it is, how long it will take, what has happened."""

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from steepest.messages import NOTHING, Message
from steepest.records.progress_record import Phase, Progress
from steepest.study.contender_run import ContenderRun

Listener = Callable[[Progress], None]
"""Called whenever something has changed, and a few times a second besides, so that a clock can tick."""


class ProgressTracker:
    """Counts trials and seconds, and turns them into `Progress`."""

    def __init__(
        self, listener: Listener | None, trials_planned: int, earlier: float = 0.0, began: float | None = None
    ) -> None:
        """`earlier`: seconds of the sittings before this one. `began`: when this one did, by `monotonic()`; now."""
        self.trials_planned = trials_planned
        self._listener = listener
        self._earlier = earlier
        self._start = monotonic() if began is None else began
        self._messages: deque[Message] = deque()
        self._contender_runs: Sequence[ContenderRun] = ()
        self._workers = 1
        self._underway: dict[str, float] = {}  # shard → forecast seconds of what is done of it
        self._training_since = 0.0
        self._recalled = 0.0  # forecast seconds of what earlier sittings have done
        self._until_look = False
        self._known = (-1.0, -1.0)  # forecast seconds done and left, of the last estimate
        self._estimate, self._estimated_at = 0.0, 0.0

    @property
    def sitting(self) -> float:
        """Seconds since this sitting began."""
        return monotonic() - self._start

    @property
    def spent(self) -> float:
        """Seconds of all sittings."""
        return self._earlier + self.sitting

    @property
    def trials_done(self) -> int:
        return sum(len(contender_run.results) for contender_run in self._contender_runs)

    def follow(
        self, contender_runs: Sequence[ContenderRun], workers: int, trials_planned: int, until_look: bool = False
    ) -> None:
        """Training begins; what the contender runs have by now comes from earlier sittings. until_look: more seeds may
        follow what is planned."""
        self._until_look = until_look
        self._contender_runs, self._workers, self.trials_planned = contender_runs, workers, trials_planned
        self._training_since = monotonic()
        self._recalled = sum(contender_run.cost_done for contender_run in contender_runs)

    def recalled(self, seconds: float) -> None:
        """What has not been trained in this sitting says nothing of its pace; in forecast seconds."""
        self._recalled += seconds

    def underway(self, shard: str, seconds: float) -> None:
        """Note how much of a shard is done, in forecast seconds."""
        self._underway[shard] = seconds

    def over(self, shard: str) -> None:
        """A shard is no longer underway."""
        self._underway.pop(shard, None)

    def say(self, message: Message) -> None:
        """Queue a message; each is reported once."""
        self._messages.append(message)

    def tell(self, phase: Phase, task: str = "") -> None:
        """Tell the listener how things stand; each message goes out once. task: whose steps are timed."""
        if self._listener is None:
            return
        while True:
            message = self._messages.popleft() if self._messages else NOTHING
            self._listener(
                Progress(
                    phase=phase,
                    trials_done=self.trials_done,
                    trials_planned=self.trials_planned,
                    seconds=self.spent,
                    seconds_left=0.0 if phase == "finished" else self.seconds_left(),
                    rows=tuple(contender_run.row() for contender_run in self._contender_runs),
                    message=message,
                    task=task,
                    until_look=self._until_look and phase == "training",
                )
            )
            if not self._messages:
                return

    def seconds_left(self) -> float | None:
        """What the forecast says of the work left, corrected by how it did so far; None before there is a forecast."""
        if not self._contender_runs:
            return None
        done = sum(contender_run.cost_done for contender_run in self._contender_runs) + sum(self._underway.values())
        left = max(0.0, sum(contender_run.cost for contender_run in self._contender_runs) - done)
        if (done, left) != self._known:
            here = done - self._recalled
            elapsed = monotonic() - self._training_since
            pace = elapsed * self._workers / here if here > 0.05 * (here + left) else 1.0
            self._known, self._estimated_at = (done, left), monotonic()
            self._estimate = max(left, self._by_trials(done)) / self._workers * pace
        # between two reports the work goes on; no more than half of it is taken for done before it is reported
        return max(self._estimate - (monotonic() - self._estimated_at), 0.5 * self._estimate)

    def _by_trials(self, done: float) -> float:
        """Forecast seconds of the trials left if they cost half of what those before them did: a forecast that has run
        out must not promise an end that is far away."""
        trials = self.trials_done
        each = done / trials if trials else 0.0
        return 0.5 * each * max(0, self.trials_planned - trials)
