"""The studies that a server may show: found in folders, and addressed by an id from which no path can be read."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from steepest.errors import StudyFolderError
from steepest.report.rounding import one_line
from steepest.serving.feed import Feed
from steepest.serving.status import Standstill, progress
from steepest.study.spec import SPEC, read_spec


@dataclass(frozen=True)
class Entry:
    """A study in the list: what its folder says without any verdict."""

    id: str
    folder: str
    name: str
    created: str
    tasks: tuple[str, ...]
    contenders: int
    state: str
    trials: int
    planned: int
    failed: int
    trouble: str = ""
    """Why it cannot be read, if so."""


class Library:
    """A study folder, or a folder of them. New studies turn up when the list is asked for."""

    def __init__(self, place: Path) -> None:
        """Raises StudyFolderError where there is no study."""
        self.place = place
        self._folders: dict[str, Path] = {}
        self._feeds: dict[str, Feed] = {}
        self.look()
        if not self._folders:
            raise StudyFolderError(f"There is no study in {place}. Name a study folder, or a folder that holds some.")

    @property
    def name(self) -> str:
        """Of the place, fit to be shown."""
        return one_line(self.place.resolve().name, 60)

    @property
    def only(self) -> str | None:
        """The id of the study, where the place is one."""
        return identity(self.place) if (self.place / SPEC).is_file() else None

    @property
    def likeliest(self) -> list[str]:
        """The ids of all studies as they are likely to be asked for: the one that changed last comes first."""
        return sorted(self._folders, key=lambda study: Standstill.of(self._folders[study]).age)

    def look(self) -> None:
        """Find the studies of the place, one level deep. Raises StudyFolderError if it cannot be read."""
        try:
            inside = self.place.glob(f"*/{SPEC}") if self.place.is_dir() else ()
            specs = [self.place / SPEC] if (self.place / SPEC).is_file() else inside
        except PermissionError as error:
            raise StudyFolderError(f"{self.place} cannot be read: {error.strerror}.") from None
        self._folders = {identity(path.parent): path.parent for path in specs}

    def feed(self, study: str) -> Feed | None:
        """The shared reader of a study, by its id; None for an unknown one."""
        if study not in self._folders:
            return None
        if study not in self._feeds:
            self._feeds[study] = Feed(self._folders[study])
        return self._feeds[study]

    def entries(self) -> list[Entry]:
        """All studies, the one that changed last first."""
        self.look()
        return [_entry(study, self._folders[study]) for study in self.likeliest]


def identity(folder: Path) -> str:
    """The id of a study: the same as long as its folder stays where it is, and nothing that leads anywhere."""
    return sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _entry(study: str, folder: Path) -> Entry:
    name = one_line(folder.name, 80)
    try:
        spec = read_spec(folder)
        state = progress(folder, spec)
    except Exception as error:
        return Entry(study, name, name, "", (), 0, "damaged", 0, 0, 0, one_line(str(error)))
    return Entry(
        id=study,
        folder=name,
        name=one_line(spec.name, 60),
        created=one_line(spec.created),
        tasks=tuple(one_line(task.ref.name, 40) for task in spec.tasks),
        contenders=len(spec.contenders),
        state=state["state"],
        trials=state["trials"],
        planned=state["planned"],
        failed=state["failed"],
    )
