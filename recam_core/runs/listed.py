"""All runs that there are: those that ship and the user's own, each by its record alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from recam_core.checkpoint.places import runs_folder, shipped_folder
from recam_core.checkpoint.run_folder import INFO_FILE, RunInfo, read_info
from recam_core.errors import UserError
from recam_core.runs.stars import read_stars
from recam_core.typed_path import typed_path

#: How a run is called that bears the name of its method.
METHOD_TITLES = {"bce": "BCE-CAM", "sce": "SCE-CAM", "recam": "ReCAM"}


@dataclass(frozen=True)
class ListedRun:
    """One run on disk; its weights are not read.

    Attributes:
        path: its folder.
        info: its record.
        shipped: whether it came with the project; such a run is never renamed or deleted.
        starred: whether the user marked it.
        bytes: what its files take on disk.
    """

    path: Path
    info: RunInfo
    shipped: bool
    starred: bool
    bytes: int

    @property
    def key(self) -> str:
        """Unique among all runs: ``FAMILY/METHOD`` of a shipped one, ``run/NAME`` of one's own, else its folder."""
        return key_of(self.path, self.shipped)

    @property
    def name(self) -> str:
        """How people call it: the folder's name, with the family of a shipped one before it."""
        return self.key if self.shipped else self.path.name

    @property
    def created(self) -> datetime | None:
        """When its training ended, in universal time; None for a record that does not say."""
        try:
            return datetime.fromisoformat(self.info.created).astimezone(timezone.utc)
        except (ValueError, OverflowError):  # no date, or one at the end of the calendar
            return None


@dataclass(frozen=True)
class RunList:
    """All runs, and a sentence for each folder that could not be read."""

    runs: tuple[ListedRun, ...]
    faults: tuple[str, ...]


def key_of(path: Path, shipped: bool) -> str:
    """The key of the run in a folder."""
    if shipped:
        return f"{path.parent.name}/{path.name}"
    folder, home = path.parent, runs_folder()
    if folder != home:
        folder, home = folder.resolve(), home.resolve()
    return f"run/{path.name}" if folder == home else str(folder / path.name)


def list_runs() -> RunList:
    """Look at the shipped runs, ``FAMILY/METHOD`` in their folder, and at the user's own; a damaged one is a fault."""
    faults: list[str] = []
    runs: list[ListedRun] = []
    stars = read_stars()
    for folder, pattern, shipped in ((shipped_folder(), "*/*", True), (runs_folder(), "*", False)):
        for record in sorted(folder.glob(f"{pattern}/{INFO_FILE}")):
            path = record.parent
            if path.name.startswith("."):
                continue  # a folder that is just being written
            try:
                starred = key_of(path, shipped) in stars
                state = record.stat()
                info = _info(path, state.st_mtime_ns, state.st_size, state.st_ino)
                runs.append(ListedRun(path, info, shipped, starred, _size(path)))
            except FileNotFoundError:
                continue
            except UserError as error:
                # Gone between the listing and the reading is no fault: somebody deleted or renamed it.
                if record.is_file():
                    faults.append(str(error))
    return RunList(tuple(runs), tuple(faults))


def find_run(text: str) -> ListedRun:
    """The run of a key, of a name, or in a folder.

    Raises:
        UserError: there is none, or several have the name.
    """
    text = text.strip()
    runs = list_runs().runs
    path = typed_path(text) if text else None
    for matches in (
        [run for run in runs if run.key == text],
        [run for run in runs if not run.shipped and run.path.name == text],
        [run for run in runs if path is not None and run.path.resolve() == path.resolve()],
    ):
        if matches:
            return matches[0]
    if path is not None and (path / INFO_FILE).is_file():
        return ListedRun(path, read_info(path), _ships(path), False, _size(path))
    known = ", ".join(run.name for run in runs[:12])
    raise UserError(f"There is no run '{text}'." + (f" There are: {known}." if known else " There are no runs yet."))


def run_titles(paths: Sequence[Path], infos: Sequence[RunInfo]) -> list[str]:
    """What runs are called; the same name twice gets the folder's beside it.

    Raises:
        UserError: a run is given twice.
    """
    names = [METHOD_TITLES.get(info.name, info.name) if info.name == info.method else info.name for info in infos]
    titles = [
        name if names.count(name) == 1 else f"{name} ({path.resolve().parent.name}/{path.resolve().name})"
        for name, path in zip(names, paths, strict=True)
    ]
    if len(set(titles)) < len(titles):
        raise UserError(f"The run {next(t for t in titles if titles.count(t) > 1)} is given twice; name it once.")
    return titles


@lru_cache(maxsize=4096)
def _info(path: Path, changed: int, size: int, place: int) -> RunInfo:
    """The record, read again only when its file is another one: a page lists hundreds of runs at every press."""
    return read_info(path)


def _ships(path: Path) -> bool:
    return path.resolve().is_relative_to(shipped_folder().resolve())


def _size(path: Path) -> int:
    total = 0
    for file in path.rglob("*"):
        try:
            if file.is_file():
                total += file.lstat().st_size
        except OSError:
            continue  # deleted meanwhile
    return total
