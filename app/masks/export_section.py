"""Masks of a set as a ZIP file, in the layout of VOC: a job makes them, and the file is kept in the cache."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from app.attributions import seconds_of
from app.catalogue import Entry
from app.datasets import dataset
from app.job_progress import duration, job_panel
from app.jobs import DONE, Job, board
from app.links import kept
from app.masks.choose import Scene
from app.masks.climb_job import seconds_to_climb
from app.masks.refined import MASK, SEEDS, threshold_of_way
from app.models import device, device_words
from app.plain_words import as_code, plain
from app.viewer import threshold_in_view
from recam_core.analysis.analysed import settings_of
from recam_core.attribution.table import METHODS
from recam_core.cache import cache_folder, drop_oldest
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.readable import readable
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.guest import guest, is_own
from recam_core.maps.activation_maps import seed_mask
from recam_core.method.extraction import RULES, rule_words
from recam_core.refine.advcam import kept_climbs
from recam_core.refine.boundaries import load_boundaries
from recam_core.refine.known_boundaries import KnownBoundaries
from recam_core.refine.seeds import seed_settings
from recam_core.refine.ways import WAYS, Route, refined_of_dataset
from recam_core.report.coco_masks import picture_names
from recam_core.report.files import file_name
from recam_core.report.mask_set import split_name, writing_mask_set, zip_mask_set
from recam_core.scores.evaluate import Tally, check_classes
from recam_core.words import counted, megabytes

#: Pictures of one file, and of a visitor of a hosted app; all of a set is the queue's and the command line's.
_MOST, _MOST_HOSTED = 500, 100
#: Seconds that one file of a visitor of a hosted app may take: work of all visitors stands in one line.
_LONGEST_HOSTED = 300.0
#: Bytes of pixels that may be written along with the masks.
_MOST_PIXELS = 1_000_000_000
#: Room of all such files together.
_ROOM = 2 << 30


@dataclass(frozen=True)
class Wanted:
    """What is exported.

    Attributes:
        spec: of the data set.
        pictures: how many, from the first on.
        rule: extraction rule of the seeds, or attribution method with its head.
        route: way and finish.
        threshold: background threshold; None gives every pixel to its arg-max class.
        with_pictures: whether the pictures are written, too.
        coco: whether annotations in COCO's form are.
    """

    spec: str
    pictures: int
    rule: str
    route: Route
    threshold: float | None
    with_pictures: bool
    coco: bool


@dataclass
class ExportJob(Job):
    """Making masks of many pictures, and packing them.

    Attributes:
        entry: the run.
        boundaries: for a way that walks.
        wanted: what is exported.
        file: the ZIP file, once it is there.
        said: how it went, for people.
    """

    entry: Entry
    boundaries: KnownBoundaries | None
    wanted: Wanted
    file: Path | None = field(default=None, kw_only=True)
    said: str = field(default="", kw_only=True)


def export_section(scene: Scene, ways: tuple[str, ...], finish: str, view: Mapping[str, Any]) -> None:
    """Ask how many and what along with them.

    Args:
        scene: what the page is about.
        ways: those that the viewer shows.
        finish: that of the viewer.
        view: what the viewer reports, whose threshold is taken.
    """
    if not scene.spec:
        return
    with st.expander(":material/download: Masks of this set as files"):
        way = ways[0]
        if len(ways) > 1:
            way = st.segmented_control(
                "Way", ways, format_func=lambda one: WAYS[one].title, key="masks_export_way", default=way,
                required=True,
            ) or way  # fmt: skip
        pane = way if len(ways) > 1 else SEEDS if Route(way, finish) == Route("direct", "none") else MASK
        threshold = threshold_in_view(view, pane, threshold_of_way(scene, way, finish))
        wanted = _wanted(scene, Route(way, finish), threshold)
        seconds = _seconds(scene, wanted)
        job_panel(
            ExportJob,
            "export",
            lambda: _start(scene, wanted, seconds),
            key="masks_export",
            label="Make the masks",
            words=_words(wanted) + (f" About {duration(seconds)}." if seconds else ""),
            caption=f"On {device_words()}; it goes on when you leave the page.",
            is_about_this=lambda ended: ended.wanted == wanted,
        )
        _result(wanted)


def _wanted(scene: Scene, route: Route, threshold: float | None) -> Wanted:
    most = _MOST if guest() is None else _MOST_HOSTED
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        count = st.number_input(
            "How many", 1, most, min(50, most), key="masks_export_count", width=160,
            help=f"From the first picture of the set on, {most} at most; the command `masks` makes all of them.",
        )  # fmt: skip
        with_pictures = st.toggle(
            "Pictures too", key="masks_export_pictures",
            help="With them, the file opens here as a data set to train on (page Data).",
        )  # fmt: skip
        coco = st.toggle("COCO RLE too", key="masks_export_coco", help="One annotation for each class of a picture.")
    how = scene.method.attribution
    rule = scene.method.rule if how is None else f"{how.method}-{how.head}"
    return Wanted(scene.spec, int(count), rule, route, threshold, with_pictures, coco)


def _seconds(scene: Scene, wanted: Wanted) -> float:
    """About how long the slow maps of all pictures take, by what the shown one takes; 0 where none are slow."""
    if scene.method.attribution is not None:
        return seconds_of(scene.method, scene.picture, scene.present) * wanted.pictures
    return seconds_to_climb(scene) * wanted.pictures if WAYS[wanted.route.way].climbs else 0.0


def _words(wanted: Wanted, threshold_from: str = ", as the viewer has it") -> str:
    where = "every pixel to its arg-max class"
    if wanted.threshold is not None:
        where = f"at the background threshold {wanted.threshold:.2f}{threshold_from}"
    made = plain(wanted.route.title) or "the seeds"
    if wanted.rule not in RULES:
        method, _, head = wanted.rule.partition("-")
        made += f", from maps by {METHODS[method].title} of {rule_words(head)}"
    return (
        f"Masks of {counted(wanted.pictures, 'picture')} of {as_code(wanted.spec)} ({made}), "
        f"{where}: indexed PNGs in the layout of VOC with a list of ids, as one ZIP file."
    )


def _start(scene: Scene, wanted: Wanted, seconds: float) -> ExportJob:
    if guest() is not None and seconds > _LONGEST_HOSTED:
        raise UserError(
            f"That takes about {duration(seconds)}, and others wait meanwhile: here, take so few pictures that it is "
            f"{duration(_LONGEST_HOSTED)} at the most. On your own computer the command `masks` makes all of them."
        )
    found = dataset(wanted.spec)
    check_classes(scene.family.classes, found.classes, "These checkpoints", f"the data set {wanted.spec}")
    return board().start(ExportJob(scene.entry, scene.boundaries, wanted), _work)


def _work(job: ExportJob) -> None:
    """Masks one picture after the other on a network of its own, scored on the way where there is ground truth."""
    wanted, info = job.wanted, job.entry.info
    pictures, broken = readable(open_dataset(wanted.spec), wanted.pictures)
    count = min(wanted.pictures, len(pictures))
    boundaries = job.boundaries if WAYS[wanted.route.way].walks else None
    named = repr((info.weights_sha256, wanted, boundaries and (boundaries.folder, boundaries.changed)))
    folder = cache_folder(is_own(wanted.spec)) / f"maskset-{hashlib.sha256(named.encode()).hexdigest()[:32]}"
    run, tally, written = load_run(job.entry.path, device()), Tally(pictures.classes), 0
    settings, private = seed_settings(wanted.rule, settings_of(info)), is_own(wanted.spec)
    climbs = kept_climbs(info.weights_sha256, wanted.rule, settings.scales, settings.mirror, private=private)
    heads = None if boundaries is None else load_boundaries(boundaries.folder, run)
    about = {
        "run": info.name, "weights_sha256": info.weights_sha256, "rule": wanted.rule, "data": wanted.spec,
        "way": wanted.route.way, "finish": wanted.route.finish, "threshold": wanted.threshold,
        "settings": asdict(settings),
    }  # fmt: skip
    names = picture_names(pictures) if wanted.coco else None
    job.begin("Masks, picture")
    made = refined_of_dataset(
        run.network, pictures, wanted.rule, [wanted.route], settings, heads, count,
        climbs=climbs, tick=lambda: job.progress(job.done, count),
    )  # fmt: skip
    split = split_name(wanted.spec)
    with writing_mask_set(folder, pictures.classes, split, about, wanted.with_pictures, names) as writer:
        for done, (sample, found) in enumerate(made, start=1):
            written += sample.image.nbytes if wanted.with_pictures else 0
            if written > _MOST_PIXELS:
                raise UserError("The pictures are too many bytes for one file: leave them out, or take fewer.")
            writer.add(sample, seed_mask(*found[wanted.route], wanted.threshold))
            tally.add_pixels(sample.id, *found[wanted.route], sample.mask)
            job.progress(done, count)
    file = folder.with_suffix(".zip")
    zip_mask_set(folder, file)
    shutil.rmtree(folder)
    drop_oldest(file.parent.glob("maskset-*"), file, _ROOM)
    said = f"{counted(count, 'mask')}, {megabytes(file.stat().st_size)}."
    if pictures.has_masks and tally.shows_class:
        scores = tally.evaluation(threshold=wanted.threshold)
        at = scores.fixed or scores.best
        said += f" Their mIoU is {100 * at.miou:.1f} %."
    if broken:
        said += f" Left out: {counted(len(broken), 'picture')} that cannot be read."
    job.file, job.said = file, said


def _result(wanted: Wanted) -> None:
    """The file that was made last, and what it holds where that is not what is chosen now, as after a reload."""
    job = board().find(kept("export"))
    if not isinstance(job, ExportJob) or job.state != DONE or job.file is None:
        return
    file = job.file
    if job.wanted != wanted:
        st.markdown(f"Made before by {plain(job.entry.title)}: {_words(job.wanted, '')}")
    if not file.is_file():
        st.info("The file was dropped to make room; make the masks again.", icon=":material/delete:")
        return
    st.success(plain(job.said), icon=":material/check:")
    route = job.wanted.route
    st.download_button(
        "Save the masks",
        file.read_bytes,
        file_name("masks", split_name(job.wanted.spec), route.way.replace("+", "-"), route.finish, suffix=".zip"),
        "application/zip",
        key="masks_export_save",
        on_click="ignore",
        icon=":material/download:",
    )
