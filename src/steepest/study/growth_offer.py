"""What to say where a study is asked for in the folder of a smaller one: how to add to that."""

from pathlib import Path
from shlex import quote

from steepest.study.spec import StudySpec


def offer(old: StudySpec, new: StudySpec, folder: Path) -> str:
    """How to add what was asked for to the study in the folder, as a sentence; "" where it is another study."""
    if (
        old.plan is None
        or old.protocol.until_sure
        or [each.ref for each in new.tasks] != [each.ref for each in old.tasks]
    ):
        return ""
    names = {each.name for each in old.contenders}
    more = [each.name for each in new.contenders if each.name not in names]
    words = [f"--seeds {new.protocol.seeds}"] if new.protocol.seeds > old.plan.protocol.seeds else []
    words += [f"--optimizers {quote(','.join(f'+{name}' for name in more))}"] if more else []
    return f" Add to it with: steepest extend {quote(str(folder))} {' '.join(words)}." if words else ""
