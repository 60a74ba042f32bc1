"""Pictures of one's own: found below the served folder or taken from a zip, checked, and opened."""

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import streamlit as st

from app.catalogue import Catalogue, Family
from app.datasets import dataset
from app.guard import sentences
from app.job_progress import job_state
from app.jobs import DONE, Job, board
from app.links import open_explore
from app.plain_words import plain
from app.settings import upload_mb
from app.shared_state import PAGES, TRAIN_ON
from app.visitors import may_train
from recam_core.data.check import CheckReport, Drawn, by_kind, check_dataset, settle_background, settle_drawn
from recam_core.data.found_sets import LAYOUTS, FoundSet, FoundSets, delete_set, find_sets, name_classes, served_folder
from recam_core.data.mask_turns import DRAWN_FILE
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.data.zip_upload import unpack_set
from recam_core.folders import data_root
from recam_core.guest import NO_TRAININGS, guest, told
from recam_core.guest_room import room_words
from recam_core.words import counted, few

#: Faults of a kind that are shown before all are asked for.
_FIRST = 3
_LAYOUTS_HELP = (
    "Recognised are PASCAL VOC (`JPEGImages/`, `ImageSets/Segmentation/`, masks or annotations), MS COCO "
    "(`annotations/instances_SPLIT.json` with its pictures, or as CVAT, Label Studio and Roboflow export it), a folder "
    "with `images/` and `masks/` or `labels.csv`, a folder of pictures for each class, and plain pictures."
)


@dataclass
class CheckJob(Job):
    """Reading a whole data set; ``report`` is what it showed, once the state is ``DONE``."""

    spec: str
    report: CheckReport | None = field(default=None, kw_only=True)


@dataclass
class UnpackJob(Job):
    """Unpacking an uploaded zip to the folder ``root``; ``folder`` and ``left_out`` are what came out."""

    file: BytesIO | None
    root: Path
    name: str
    folder: Path | None = field(default=None, kw_only=True)
    left_out: int = field(default=0, kw_only=True)


def own_section(catalogue: Catalogue) -> None:
    """Draw the section."""
    st.subheader("Your own pictures")
    root = data_root()
    whose = (
        f"What lies below the folder {root} on the computer that runs the app. The environment variable RECAM_DATA "
        "names another folder."
    )
    with sentences():
        st.caption(plain(room_words() or whose), help=_LAYOUTS_HELP)
    _take_unpacked(root)
    found = _found(str(root))
    by_place = {one.place: one for one in found.sets} | _shown()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = _choose(by_place)
        if st.button("Look again", icon=":material/refresh:", key="data_look", help="After files came or went."):
            _found.clear()
            st.rerun()
        with st.popover("Upload a zip", icon=":material/upload:", key="data_upload"):
            _upload(root)
    if not found.is_complete:
        st.warning(f"{plain(str(root))} has too many folders to look at; there may be more data sets in it.")
    if not by_place:
        st.info(
            "No pictures are there yet. Put a folder of pictures there, or upload a zip of one."
            if guest() is None
            else "No pictures are there yet: upload a zip of a folder of pictures.",
            icon=":material/folder_open:",
        )
    _upload_state(root)
    if place is not None:
        with sentences():
            if not _is_shown(by_place[place]):
                served_folder(root, place)  # it may have become a link, or be gone
            _one_set(by_place[place], catalogue)
            if guest() is not None and not _is_shown(by_place[place]):
                _delete(root, place)


def _delete(root: Path, place: str) -> None:
    """What a visitor of a hosted app uploaded takes room that they may want for something else."""
    with st.popover("Delete", icon=":material/delete:", key="data_delete"):
        st.markdown(f"Delete **{plain(place)}** with its pictures and masks?")
        if st.button("Delete it", type="primary", key="data_delete_it"):
            delete_set(root, place)
            dataset.clear()
            _found.clear()
            st.rerun()


def _shown() -> dict[str, FoundSet]:
    """The data sets that the host of the app shows to visitors, by their whole path."""
    one = guest()
    folders = () if one is None else one.shown
    return {str(found.path): found for folder in folders for found in _found(str(folder)).sets}


def _is_shown(found: FoundSet) -> bool:
    """Whether it is the host's, which visitors only read."""
    one = guest()
    return one is not None and not found.path.is_relative_to(one.folder)


def choose_set(place: str) -> None:
    """Have the set at this place, which may have just come, be chosen when the section is drawn next."""
    _found.clear()
    st.session_state["data_set_next"] = place


@st.cache_data(max_entries=64, ttl="60s", show_spinner="Looking for pictures")
def _found(root: str) -> FoundSets:
    return find_sets(root)


def _choose(by_place: dict[str, FoundSet]) -> str | None:
    """The place of the chosen set; one that is gone is not chosen any more."""
    if "data_set_next" in st.session_state:
        st.session_state["data_set"] = st.session_state.pop("data_set_next")
    if st.session_state.get("data_set") not in by_place:
        st.session_state["data_set"] = None
    titles = {place: _title(found) for place, found in by_place.items()}
    return st.selectbox(
        "Data set",
        list(by_place),
        format_func=titles.__getitem__,
        key="data_set",
        persist_state="session",
        placeholder="Choose one" if by_place else "None yet",
        disabled=not by_place,
        help=_LAYOUTS_HELP,
    )


def _title(found: FoundSet) -> str:
    whose = ", shown by the host, read only" if _is_shown(found) else ""
    return f"{found.place or found.path.name}: {LAYOUTS[found.layout]}, {found.pictures:,} pictures{whose}"


# One data set ---------------------------------------------------------------------------------------------------------


def _one_set(found: FoundSet, catalogue: Catalogue) -> None:
    if found.problem:
        st.warning(plain(found.problem), icon=":material/rule_folder:")
        if found.layout in ("folder", "pictures") and not _is_shown(found) and found.problem.startswith("Nothing says"):
            _name_classes(found, catalogue)
        return
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    split = left.selectbox(
        "Split",
        list(found.splits),
        index=found.splits.index(found.usual_split),
        format_func=lambda split: split or "all pictures",
        key=f"data_split_{found.place}",
        persist_state="session",
    )
    spec = found.spec(split)
    with right:
        st.caption("Its name for every page and command:")
        st.code(spec, language=None, wrap_lines=True)
    opened = dataset(spec)
    family, known = _who_knows(opened, catalogue)
    with st.container(horizontal=True, vertical_alignment="center"):
        if family is not None:
            if st.button("Open in Explore", type="primary", icon=":material/compare:", key="data_explore"):
                open_explore(data=spec, picture=opened.ids[0], runs=[entry.key for entry in family.first_choice])
        elif may_train() and st.button(
            "Train on it", type="primary", icon=":material/model_training:", key="data_train"
        ):
            _train(found, spec)
        if st.button("Check it", icon=":material/fact_check:", key="data_check", help="Read every picture and mask."):
            st.session_state["data_check_job"] = board().start(CheckJob(spec), _check).id
            st.rerun()
        if family is not None:
            words = f"**{plain(family.title)}** knows {known} of its {len(opened.classes)} classes."
        else:
            words = "No checkpoint here knows one of its classes, so a network is to be trained on it first."
            if not may_train():
                words = f"No checkpoint here knows one of its classes. {NO_TRAININGS}"
        st.markdown(words, width="content")
    _checked(spec, found)


def _who_knows(opened: Dataset, catalogue: Catalogue) -> tuple[Family | None, int]:
    """The family that knows most of the classes, and how many; None where none knows any."""
    counts = [(len(match_classes(opened.classes, family.classes).shared), family) for family in catalogue.families]
    known, family = max(counts, key=lambda one: one[0], default=(0, None))
    return (family, known) if known else (None, 0)


def _train(found: FoundSet, spec: str) -> None:
    """Leave for Training with these pictures, and with those of val to watch where there are some."""
    watched = next((name for name in found.splits if name.startswith("val")), "")
    watch = found.spec(watched) if watched and found.spec(watched) != spec else ""
    TRAIN_ON.set((spec, watch))
    st.switch_page(PAGES.get({})["trainings"])


def _name_classes(found: FoundSet, catalogue: Catalogue) -> None:
    """Pictures to look at need no labels, but names: those that some checkpoints know."""
    families = {family.key: family for family in catalogue.families}
    if not families:
        return
    st.caption(
        "To look at them, say which checkpoints are to look. The names of their classes are written to classes.txt in "
        "that folder. Training needs labels, too."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = st.selectbox(
            "Classes of",
            list(families),
            format_func=lambda key: f"{families[key].title} ({len(families[key].classes)})",
            key="data_classes_of",
        )
        if st.button("Write classes.txt", icon=":material/edit_note:", key="data_write_classes"):
            with sentences():
                name_classes(found, families[key].classes.names)
                _found.clear()
                st.rerun()


# Its faults -----------------------------------------------------------------------------------------------------------


def _check(job: CheckJob) -> None:
    job.begin("Reading pictures")
    job.report = check_dataset(open_dataset(job.spec), job.progress)


def _checked(spec: str, found: FoundSet) -> None:
    job = board().find(st.session_state.get("data_check_job", ""))
    if not isinstance(job, CheckJob) or job.spec != spec:
        return
    if job_state(job, "data_check_cancel") and job.report is not None:
        _report(job.report, found)


def _report(report: CheckReport, found: FoundSet) -> None:
    masks = "with" if report.has_masks else "without"
    words = f"{report.pictures:,} pictures, {masks} masks, {len(report.pictures_per_class)} classes."
    absent = [name for name, count in report.pictures_per_class.items() if not count]
    if not report.faults:
        st.success(f"{words} No fault found.", icon=":material/check_circle:")
    else:
        count = len(report.faults)
        st.warning(f"{words} {counted(count, 'fault')} found.", icon=":material/rule:")
    for note in report.notes:
        if report.choices:
            st.warning(plain(note), icon=":material/help:")
        else:
            st.caption(plain(note))
    if not _is_shown(found):
        _choose_open(report)
    if absent:
        listed = few(absent, 8)
        st.caption(plain(f"No picture shows {listed}."))
    for group in by_kind(report.faults):
        st.markdown(f"**{len(group.faults):,}** {plain(group.kind)}")
        lines = [told(str(fault).replace(f"{found.path}/", "")) for fault in group.faults[:_FIRST]]
        if len(group.faults) > _FIRST:
            lines.append(f"and {len(group.faults) - _FIRST:,} more")
        st.code("\n".join(lines), language=None, wrap_lines=True)
    if report.faults:
        st.download_button(
            "All faults as text",
            told("\n".join(f"{fault.kind}\t{fault}" for fault in report.faults)),
            file_name="faults.txt",
            icon=":material/download:",
            key="data_faults",
        )


def _choose_open(report: CheckReport) -> None:
    """Buttons for what the files leave open; a press writes it down and reads the pictures again."""
    if "background" in report.choices:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("Value 0 in the masks is", width="content")
            for answer, words in ((True, "background"), (False, "void: there is no background")):
                if st.button(words, key=f"data_background_{answer}", help="Writes the first line of classes.txt."):
                    with sentences():
                        settle_background(open_dataset(report.spec), answer)
                        _check_again(report.spec)
    if "masks drawn on" in report.choices:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("The masks were drawn on pictures", width="content")
            answers: dict[Drawn, str] = {"upright": "turned upright", "stored": "as stored, without EXIF rotation"}
            for drawn, words in answers.items():
                if st.button(words, key=f"data_drawn_{drawn}", help=f"Writes {plain(DRAWN_FILE)}."):
                    with sentences():
                        settle_drawn(open_dataset(report.spec), drawn)
                        _check_again(report.spec)


def _check_again(spec: str) -> None:
    dataset.clear()  # pages hold sets open as they were
    st.session_state["data_check_job"] = board().start(CheckJob(spec), _check).id
    st.rerun()


# A zip ----------------------------------------------------------------------------------------------------------------


def _upload(root: Path) -> None:
    file = st.file_uploader(
        "A zip of pictures",
        type="zip",
        key=f"data_set_zip_{st.session_state.get('data_uploads', 0)}",
        help=f"It is checked before it is unpacked, and only pictures, masks and texts are taken. At most "
        f"{upload_mb()} MB; `python -m recam_core data unpack ZIP` takes larger ones. " + _LAYOUTS_HELP,
    )
    name = st.text_input("Name of the folder", placeholder="as in the zip", key="data_set_name", autocomplete="off")
    if st.button("Unpack", type="primary", disabled=file is None, key="data_unpack") and file is not None:
        with sentences():
            job = board().start(UnpackJob(file, root, name.strip()), _unpack, at_once=True)
            st.session_state["data_unpack_job"] = job.id
            st.rerun()


def _unpack(job: UnpackJob) -> None:
    job.begin("Unpacking")
    file, job.file = job.file, None  # the board remembers jobs, which need not keep hundreds of megabytes
    if file is not None:
        job.folder, job.left_out = unpack_set(file, job.root, job.name, job.progress)


def _take_unpacked(root: Path) -> None:
    """Once a zip is unpacked: choose what came out, and empty the uploader. Before either is drawn."""
    job = board().find(st.session_state.get("data_unpack_job", ""))
    if not isinstance(job, UnpackJob) or job.state != DONE or job.folder is None:
        return
    if job.id == st.session_state.get("data_unpack_taken"):
        return
    st.session_state["data_unpack_taken"] = job.id
    st.session_state["data_uploads"] = st.session_state.get("data_uploads", 0) + 1
    _found.clear()
    name = job.folder.name
    of_zip = [one.place for one in _found(str(root)).sets if one.place == name or one.place.startswith(f"{name}/")]
    if of_zip:
        st.session_state["data_set_next"] = of_zip[0]


def _upload_state(root: Path) -> None:
    job = board().find(st.session_state.get("data_unpack_job", ""))
    if not isinstance(job, UnpackJob):
        return
    if job_state(job, "data_unpack_cancel", "Cancelled. Nothing was unpacked.") and job.folder is not None:
        rest = f" {job.left_out:,} files are no pictures, masks or texts, and were left out." if job.left_out else ""
        where = str(job.folder) if guest() is None else f"your data sets, as {job.folder.name}"
        st.success(f"Unpacked to {plain(where)}.{rest}", icon=":material/folder_zip:")
