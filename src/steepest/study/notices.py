"""What a study says about itself in its progress: before it trains, and once it has."""

from collections.abc import Iterator

from steepest.messages import Message, counted, enumerated, say
from steepest.study.environment import versions
from steepest.study.spec import StudySpec
from steepest.study.store import Store
from steepest.study.trial_cache import trim

MAX_NAMED = 3
"""Studies that a message names."""


def about_lost_trials(store: Store, retry: bool) -> tuple[Message, ...]:
    """Forget them if they are to be trained again, and say so; or say how that is done."""
    if retry:
        count = store.forget_lost()
        return (
            counted(
                count,
                "Training again: {n} run that ran out of memory or was killed.",
                "Training again: {n} runs that ran out of memory or were killed.",
            ),
        )
    if count := store.lost_trials():
        return (
            counted(
                count,
                "{n} run ran out of memory or was killed. Train it again: --retry-killed",
                "{n} runs ran out of memory or were killed. Train them again: --retry-killed",
            ),
        )
    return ()


def about_few_seeds(spec: StudySpec) -> Iterator[Message]:
    """What a study with too few seeds will not give, said before it trains."""
    if spec.plan is not None and (few := spec.plan.protocol.few_seeds):
        yield few


def about_changes(spec: StudySpec) -> Iterator[Message]:
    """What is not as it was when the study began, and could change a result."""
    now = versions()
    changed = [
        say("{name} was {before}, is {now}", name=name, before=version, now=found)
        for name, version in spec.versions.items()
        if (found := str(now.get(name))) != version
    ]
    if changed:
        yield say(
            "Versions have changed ({changes}): new trials may differ from old ones in their last bits.",
            changes=enumerated(changed, "{clause}; {clauses}"),
        )


def about_reused_trials(store: Store) -> Iterator[Message]:
    """How many trials other studies have trained."""
    if store.cache is not None:
        trim()
    if store.reused:
        yield counted(
            store.reused.total(),
            "{n:,} trial was not trained again: another study on this machine has the same one, bit for bit "
            "({studies}). Train it again with --no-reuse.",
            "{n:,} trials were not trained again: other studies on this machine have the same ones, bit for bit "
            "({studies}). Train them again with --no-reuse.",
            studies=enumerated([*store.reused][:MAX_NAMED]),
        )
