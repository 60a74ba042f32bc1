"""A method on a data set, ready to be looked at: its maps and its pixel counts, made once and kept.

What is kept is a folder per (weights, rule, data set, inference settings): ``maps/``, a store, and the pixel counts;
``counts.npz`` of few pictures, ``cells/``, an index that is opened without being read, of many. Such folders ship in
``assets/maps``; others are made in the cache.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.counts_on_disk import open_counts, writing_counts
from recam_core.atomic_write import replacing_folder
from recam_core.cache import cache_folder, drop_oldest
from recam_core.checkpoint.run_folder import Run, RunInfo, check_run_rule
from recam_core.data.check import refuse_unscorable
from recam_core.data.digest import dataset_digest, mask_stamp
from recam_core.data.sample import Dataset, Sample
from recam_core.errors import UserError
from recam_core.folders import shipped_maps_folder
from recam_core.guest import is_own
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset, store_info
from recam_core.maps.store import MapStore, writing_store
from recam_core.method.extraction import RULES
from recam_core.progress import ProgressFn, silent, with_pauses
from recam_core.refine.seeds import seed_settings
from recam_core.scores.evaluate import check_classes, count_maps
from recam_core.scores.pixel_counts import PixelCounts, load_counts

#: Bump when what is kept changes, so that old folders are not read.
FORMAT = 1
#: From so many pictures on, the counts are kept as an index: reading them whole would be waited for.
MANY = 5_000


@dataclass(frozen=True)
class Analysed:
    """One method on one data set.

    Attributes:
        key: short, stable, unique among methods that are compared; for links and widgets.
        title: for people.
        info: the record of the run.
        rule: extraction rule of the maps.
        threshold: the background threshold chosen for this run and rule on other pictures; None where none was, and
            where the classes have no background (every pixel then goes to its arg-max class).
        store: the maps, read lazily by picture id.
        counts: the sparse histogram of every picture that has ground truth; of many pictures, its index.
        band: only pixels that lie so near to a contour of the ground truth are counted
            (:mod:`recam_core.analysis.banded`); None for all.
        whole: with a band, the same with all pixels counted; None without.
    """

    key: str
    title: str
    info: RunInfo
    rule: str
    threshold: float | None
    store: MapStore
    counts: PixelCounts | CellIndex
    band: int | None = None
    whole: "Analysed | None" = None

    @property
    def identity(self) -> str:
        """Stands for weights, rule, data, settings and band."""
        return str(self.store.path) if self.band is None else f"{self.store.path}|{self.band}"


def settings_of(info: RunInfo) -> MapSettings:
    """The settings under which runs are compared: the usual scales, mirror images, classes of the ground truth."""
    return MapSettings(softmax=info.method == "sce")


def check_maps(info: RunInfo, rule: str) -> str:
    """The name of an extraction rule, or of attributions such as ``grad_cam-fc2``, if a run can be read so.

    Raises:
        UserError: unknown, or it needs FC2 or its background row where the run has none.
    """
    if rule in RULES:
        return check_run_rule(info, rule)
    # Here and below only where it is needed: captum takes a second to load, and most never ask for it.
    from recam_core.attribution.attributed_set import check_attribution

    return check_attribution(info, rule)


def analysed_name(info: RunInfo, rule: str, digest: str, settings: MapSettings, masks: str = "") -> str:
    """The folder name of a method on a data set.

    Args:
        info: of the run; its weights count, not its name.
        rule: extraction rule.
        digest: of the data set, see :func:`~recam_core.data.digest.dataset_digest`.
        settings: how the maps are made.
        masks: what :meth:`~recam_core.data.photo_dataset.PhotoDataset.mask_stamp` says, for what is made and kept here;
            "" for what ships, where the times of files say nothing.
    """
    scales = ",".join(f"{scale:g}" for scale in settings.scales)
    # Softmax enters only where the network names the classes itself.
    softmax = settings.softmax and settings.labels == "predicted"
    made = scales, settings.mirror, settings.labels, softmax
    parts = (FORMAT, info.weights_sha256, rule, digest, *made, *((masks,) if masks else ()))
    return f"maps-{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"


def find_analysed(
    info: RunInfo, rule: str, dataset: Dataset, settings: MapSettings, key: str = "", title: str = "", digest: str = ""
) -> Analysed | None:
    """What ships or was kept for this method and data set; None where there is nothing (whole). Computes nothing.

    Args:
        info: the record of the run.
        rule: extraction rule.
        dataset: the pictures.
        settings: how the maps are made.
        key, title: how the result is called; the run's name unless given.
        digest: of the data set, where the caller has it already.
    """
    asked = info, rule, digest or dataset_digest(dataset), seed_settings(rule, settings)
    for folder, masks in ((shipped_maps_folder(), ""), (cache_folder(is_own(dataset.spec)), mask_stamp(dataset))):
        found = _read(folder / analysed_name(*asked, masks), info, rule, key or info.name, title or info.name)
        if found is not None:
            return found
    return None


def shipped_analysed(info: RunInfo, spec: str, key: str = "", title: str = "") -> Analysed | None:
    """What ships for a run by its own rule and the data set of this name, by the record of the maps alone.

    The data set is not opened, which may take seconds for one that is drawn: this is for choosing what to open.
    :func:`find_analysed` is for what is shown of it.

    Args:
        info: the record of the run.
        spec: specification of the data set.
        key, title: how the result is called; the run's name unless given.

    Returns:
        None where nothing ships, or where maps of several states of the data set do.
    """
    settings, fitting = settings_of(info), []
    for folder in sorted(shipped_maps_folder().glob("maps-*")):
        try:
            record = MapStore(folder / "maps").info
        except UserError:
            continue
        made_by = (record.weights_sha256, record.rule, record.data, record.scales, record.mirror, record.labels)
        if made_by == (info.weights_sha256, info.rule, spec, settings.scales, settings.mirror, settings.labels):
            fitting.append(folder)
    return _read(fitting[0], info, info.rule, key or info.name, title or info.name) if len(fitting) == 1 else None


def analyse(
    run: Run,
    rule: str,
    dataset: Dataset,
    settings: MapSettings,
    progress: ProgressFn = silent,
    key: str = "",
    title: str = "",
    folder: Path | None = None,
) -> Analysed:
    """The maps and counts of a method on a data set: what is kept, or else computed now and kept.

    Args:
        run: its network's device does the work.
        rule: extraction rule.
        dataset: the pictures.
        settings: how the maps are made.
        progress: called after each picture; may raise Cancelled, which leaves nothing behind.
        key, title: how the result is called; the run's name unless given.
        folder: where to keep it; the cache unless given.

    Raises:
        UserError: a rule that is unknown or lacks its FC2, other classes, no picture with ground truth, a broken
            picture, no room on the disk.
    """
    info = run.info
    key, title = key or info.name, title or info.name
    check_maps(info, rule)
    check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
    if dataset.has_masks:
        refuse_unscorable(dataset)
    digest = dataset_digest(dataset)
    if folder is None and (kept := find_analysed(info, rule, dataset, settings, key, title, digest)) is not None:
        progress(len(dataset), len(dataset), "maps from the cache")
        return kept
    settings = seed_settings(rule, settings)
    masks = "" if folder is not None else mask_stamp(dataset)
    target = (folder or cache_folder(is_own(dataset.spec))) / analysed_name(info, rule, digest, settings, masks)
    with replacing_folder(target) as temporary:
        rows = temporary / "rows"
        with (
            writing_store(temporary / "maps", store_info(info, rule, dataset, settings)) as writer,
            writing_counts(rows, dataset.classes) as counts,
        ):
            work, within = with_pauses(progress)
            for done, (sample, maps) in enumerate(_pictures(run, rule, dataset, settings, within), start=1):
                writer.add(maps)
                if sample.mask is not None:
                    counts.add(sample.id, count_maps(maps, sample.mask, dataset.classes))
                work(done, len(dataset), f"maps of {title}")
        keep_counts(open_counts(rows), temporary)
        shutil.rmtree(rows)
    if folder is None:
        drop_oldest(target.parent.glob("maps-*"), keep=target)
    made = _read(target, info, rule, key, title)
    if made is None:
        raise UserError(f"The maps that were just written to {target} cannot be read again; is the disk sound?")
    return made


def _pictures(
    run: Run, rule: str, dataset: Dataset, settings: MapSettings, progress: ProgressFn
) -> Iterator[tuple[Sample, ActivationMaps]]:
    """Each picture with its maps, by an extraction rule or an attribution method."""
    if rule in RULES:
        for sample, maps in maps_of_dataset(run.network, dataset, [rule], settings):
            yield sample, maps[rule]
        return
    from recam_core.attribution.attributed_set import attributed_run, attributions_of_dataset

    attributed = attributed_run(run, rule)
    assert attributed is not None  # it is no extraction rule, and was checked
    yield from attributions_of_dataset(attributed, dataset, progress)


def keep_counts(counts: PixelCounts, folder: Path) -> None:
    """Write counts into a folder, in the form that suits their number. Raises UserError where there are none."""
    if not len(counts):
        raise UserError("There is nothing to analyse: none of the pictures has a ground-truth mask.")
    if len(counts) < MANY:
        counts.save(folder / "counts.npz")
    else:
        CellIndex.write(counts, folder / "cells")


def kept_counts(folder: Path) -> PixelCounts | CellIndex:
    """What :func:`keep_counts` wrote. Raises UserError where it is not there, or not whole."""
    return CellIndex.load(folder / "cells") if (folder / "cells").exists() else load_counts(folder / "counts.npz")


def _read(folder: Path, info: RunInfo, rule: str, key: str, title: str) -> Analysed | None:
    """What a folder holds, or None where it is not there or not whole: it costs nothing but time to make again."""
    if not folder.is_dir():
        return None
    try:
        store = MapStore(folder / "maps")
        counts = kept_counts(folder)
    except UserError:
        return None
    if folder.parent != shipped_maps_folder():
        os.utime(folder)
    threshold = info.threshold_of(rule) if info.has_background else None
    return Analysed(key, title, info, rule, threshold, store, counts)
