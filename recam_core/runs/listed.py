"""All runs that there are, those that ship and the user's own, each by its record alone; some of them, in an order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from recam_core.cache import bytes_of
from recam_core.checkpoint.run_folder import RunInfo
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from recam_core.folders import runs_folder, shipped_folder
from recam_core.checkpoint.run_folder import INFO_FILE, RunInfo, read_info
from recam_core.errors import UserError
from recam_core.runs.folder import read_stars
from recam_core.typed_path import typed_path
from collections.abc import Callable, Collection, Iterable


@dataclass(frozen=True)
class Headline:
    """One score of a run's record.

    Attributes:
        split: what it was measured on, such as ``val``.
        rule: extraction rule.
        miou: 0..1.
        protocol: all that must be equal for two scores to be compared: data, pictures, scales, mirror, labels.
    """

    split: str
    rule: str
    miou: float
    protocol: tuple[Any, ...]


def headlines(info: RunInfo) -> Iterator[Headline]:
    """Every mIoU that the record holds; entries of another form are passed over."""
    for split, by_rule in info.scores.items():
        for rule, scores in by_rule.items() if isinstance(by_rule, dict) else ():
            miou = scores.get("miou") if isinstance(scores, dict) else None
            if isinstance(miou, (int, float)) and not isinstance(miou, bool) and 0 <= miou <= 1:
                protocol = tuple(str(scores.get(name)) for name in ("data", "pictures", "scales", "mirror", "labels"))
                yield Headline(str(split), str(rule), float(miou), protocol)


def headline(info: RunInfo) -> Headline | None:
    """The score that stands for the run: by its own rule, on ``val`` if it was measured there, else on what comes
    first; None where nothing was measured by its own rule.
    """
    own = [found for found in headlines(info) if found.rule == info.rule]
    return next((found for found in own if found.split == "val"), own[0] if own else None)


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
                runs.append(ListedRun(path, info, shipped, starred, bytes_of(path)))
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
        return ListedRun(path, read_info(path), _ships(path), False, bytes_of(path))
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


def _miou(run: ListedRun) -> float | None:
    found = headline(run.info)
    return None if found is None else found.miou


#: What a list can be sorted by, and what a run's place follows from; None goes last.
ORDERS: dict[str, Callable[[ListedRun], Any]] = {
    "name": lambda run: run.name.lower(),
    "created": lambda run: run.created.timestamp() if run.created else None,
    "miou": _miou,
    "method": lambda run: run.info.method,
    "data": lambda run: run.info.data,
    "size": lambda run: run.bytes,
}


def filter_runs(
    runs: Iterable[ListedRun],
    *,
    text: str = "",
    methods: Collection[str] = (),
    starred: bool = False,
    shipped: bool | None = None,
) -> list[ListedRun]:
    """Those that fit all conditions, in their order.

    Args:
        runs: the runs.
        text: words that must all occur in the name, method, rule, data, parent or recipe; the case does not count.
        methods: keep these; none keeps all.
        starred: keep starred ones only.
        shipped: keep shipped ones (True) or one's own (False) only.
    """
    words = text.lower().split()
    return [
        run
        for run in runs
        if (not methods or run.info.method in methods)
        and (run.starred or not starred)
        and shipped in (None, run.shipped)
        and all(word in _text(run) for word in words)
    ]


def sort_runs(runs: Iterable[ListedRun], order: str = "name", descending: bool = False) -> list[ListedRun]:
    """The runs in an order of :data:`ORDERS`; starred ones do not come first, and those without a value come last.

    Raises:
        UserError: an unknown order.
    """
    if order not in ORDERS:
        raise UserError(f"Runs can be sorted by {', '.join(ORDERS)}, not by '{order}'.")
    runs = list(runs)
    place = {run.key: ORDERS[order](run) for run in runs}
    known = [run for run in runs if place[run.key] is not None]
    known.sort(key=lambda run: place[run.key], reverse=descending)
    return known + [run for run in runs if place[run.key] is None]


def _text(run: ListedRun) -> str:
    info = run.info
    recipe = " ".join(f"{name}={value}" for name, value in info.recipe.items())
    # Lambda is called "weight" in recipes.
    recipe += f" lambda={info.recipe.get('weight')}"
    network = info.network.get("backbone", "")
    return f"{run.name} {info.method} {info.rule} {info.data} {info.parent or ''} {network} {recipe}".lower()
