"""Which runs there are, grouped into families that can be compared: those that know the same classes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from app.recorded_pictures import recorded
from app.settings import METHOD_TITLES
from recam_core.analysis.analysed import shipped_analysed
from recam_core.analysis.shown_first import Standing, opens_with, standing
from recam_core.checkpoint.run_folder import INFO_FILE, RunInfo, read_info
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.folders import runs_folder, shipped_folder, shipped_maps_folder


@dataclass(frozen=True)
class Introduction:
    """What a family is called, and what it opens with.

    Attributes:
        title: how the pages call it.
        about: a line about it.
        pictures: specification of the data set that the pages open with.
        of_photographs: whether it was trained on photographs, so that its networks can be asked about a photo of
            one's own; those that were trained on drawings see much in photographs that is not there.
    """

    title: str
    about: str
    pictures: str
    of_photographs: bool = False


#: The shipped families by their folders, in the order of the list; the one that the lab opens with comes before them.
SHIPPED = {
    "contexts": Introduction(
        "Drawn scenes",
        "Pictures that the project draws, with exact masks of the objects and of what surrounds them.",
        "scenes:stuff=1@val",
    ),
    "photos": Introduction(
        "Photographs",
        "Everyday photographs. Upload one of your own, or look at the gallery.",
        "gallery",
        of_photographs=True,
    ),
    "animals": Introduction(
        "Animals",
        "Photographs of animals, people and seats, with a background. Made for photos of your own; of the gallery they "
        "know the cat.",
        "gallery",
        of_photographs=True,
    ),
    "scenes": Introduction(
        "Drawn scenes, objects only",
        "The counter-example: drawn pictures in which everything but the objects is background.",
        "scenes@val",
    ),
}
_ORDER = list(METHOD_TITLES)


@dataclass(frozen=True)
class Entry:
    """One run on disk, by its record; its weights are not read yet."""

    path: Path
    info: RunInfo
    shipped: bool

    @property
    def key(self) -> str:
        """Short and unique among the entries, for widgets and links."""
        return f"{self.path.parent.name}/{self.path.name}" if self.shipped else f"run/{self.path.name}"

    @property
    def title(self) -> str:
        """How the page calls it."""
        # A second run of a method, which a shipped family may have, is called by its own name.
        is_the_method = self.shipped and self.path.name == self.info.method
        return METHOD_TITLES[self.info.method] if is_the_method else self.info.name


@dataclass(frozen=True)
class Family:
    """Runs with one list of classes, which can stand side by side.

    Attributes:
        key: short and unique among the families.
        introduction: what it is called.
        entries: its runs, shipped ones first.
        standing: how ReCAM stands to BCE-CAM on the family's own pictures; None where no maps of both ship.
    """

    key: str
    introduction: Introduction
    entries: tuple[Entry, ...]
    standing: Standing | None = None

    @property
    def title(self) -> str:
        return self.introduction.title

    @property
    def about(self) -> str:
        return self.introduction.about

    @property
    def pictures(self) -> str:
        return self.introduction.pictures

    @property
    def classes(self) -> ClassList:
        return self.entries[0].info.class_list

    @property
    def first_choice(self) -> tuple[Entry, ...]:
        """The panes to begin with: what is shipped, or else the first three runs."""
        shipped = tuple(entry for entry in self.entries if entry.shipped)
        return shipped or self.entries[:3]

    def by_method(self, method: str) -> Entry | None:
        """The first run of a method, shipped ones before others."""
        return next((entry for entry in self.entries if entry.info.method == method), None)

    @property
    def pair(self) -> tuple[Entry, Entry] | None:
        """BCE-CAM and ReCAM (or what was retrained as one), which the first screen is about; None without both."""
        first, second = self.by_method("bce"), self.by_method("recam") or self.by_method("heads")
        return (first, second) if first is not None and second is not None else None


@dataclass(frozen=True)
class Catalogue:
    """All families, and a sentence for each folder that could not be read."""

    families: tuple[Family, ...]
    faults: tuple[str, ...]


@st.cache_data(max_entries=512, show_spinner=False)
def _info(path: str, changed: int, size: int) -> RunInfo:
    return read_info(path)


@st.cache_resource(max_entries=32, show_spinner=False)
def _standing(
    maps: str, changed: int, pair: tuple[tuple[str, str, float | None], ...], spec: str, _infos: tuple[RunInfo, ...]
) -> Standing | None:
    first, second = (shipped_analysed(info, spec) for info in _infos)
    return None if first is None or second is None else standing(first, second)


def _with_standing(family: Family) -> Family:
    """A shipped family, with what its kept maps say of its own pictures."""
    pair, folder = family.pair, shipped_maps_folder()
    if pair is None or not all(entry.shipped for entry in pair):
        return family
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return family  # no maps ship
    infos = tuple(entry.info for entry in pair)
    made_by = tuple((info.weights_sha256, info.rule, info.threshold) for info in infos)
    try:
        return replace(family, standing=_standing(str(folder), changed, made_by, family.pictures, infos))
    except UserError:
        return family  # maps that do not belong together: as good as none


def _entries(folder: Path, shipped: bool, faults: list[str]) -> Iterator[Entry]:
    """The runs directly inside ``folder``; damaged ones become sentences."""
    if not folder.is_dir():
        return
    for record in sorted(folder.glob(f"*/{INFO_FILE}")):
        if record.parent.name.startswith("."):
            continue  # a folder that is being written
        try:
            state = record.stat()
            # Time and size stand for the content: a run that is written anew is read anew.
            yield Entry(record.parent, _info(str(record.parent), state.st_mtime_ns, state.st_size), shipped)
        except (UserError, OSError) as error:
            faults.append(str(error))


def _pictures_of(info: RunInfo) -> str:
    """What a run of one's own was trained on; an imported one need not know."""
    return recorded(info.data, info.class_list).spec if info.data else "gallery"


def has_no_runs(catalogue: Catalogue) -> bool:
    """Whether there is nothing to look at, which is then said."""
    if not catalogue.families:
        st.info("There are no runs yet: the page *Explore* says how to make one.", icon=":material/inventory_2:")
    return not catalogue.families


def read_catalogue() -> Catalogue:
    """Look at the shipped checkpoints and at the user's runs."""
    faults: list[str] = []
    families: dict[ClassList, list[Entry]] = {}
    named: dict[ClassList, tuple[str, Introduction]] = {}
    for key, introduction in SHIPPED.items():
        entries = sorted(_entries(shipped_folder() / key, True, faults), key=lambda e: _ORDER.index(e.info.method))
        for entry in entries:
            named.setdefault(entry.info.class_list, (key, introduction))
            families.setdefault(entry.info.class_list, []).append(entry)
    for entry in _entries(runs_folder(), False, faults):
        classes = entry.info.class_list
        if classes not in named:
            about = f"Runs of your own that know {len(classes)} classes."
            named[classes] = (
                f"own-{len(named)}",
                Introduction(f"Your runs: {entry.info.name}", about, _pictures_of(entry.info)),
            )
        families.setdefault(classes, []).append(entry)
    found = [_with_standing(Family(*named[classes], tuple(entries))) for classes, entries in families.items()]
    standings = {family.key: family.standing for family in found if family.standing is not None}
    # What the lab opens with comes first; the others stay in their order.
    first = opens_with(standings)
    found.sort(key=lambda family: family.key != first)
    return Catalogue(tuple(found), tuple(faults))
