"""The lab in a notebook: what ``import recam_core as recam`` offers, over what app and command line use as well."""

import warnings
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from functools import cache, cached_property
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from recam_core.analysis.analysed import analyse, check_maps, find_analysed, settings_of
from recam_core.analysis.banded import analyse_band
from recam_core.checkpoint.run_folder import INFO_FILE, METHODS, RunInfo, load_run, read_info, run_folders
from recam_core.data.check import refuse_unscorable
from recam_core.data.digest import dataset_digest
from recam_core.data.image_io import DATASET_LIMITS
from recam_core.data.sample import ClassList, Dataset
from recam_core.data.spec import open_dataset
from recam_core.data.subset import Subset
from recam_core.data.upload import Mask, Picture, fit_mask, fit_photo, kind_of, mask_bytes, picture_bytes, read_upload
from recam_core.device import pick_device
from recam_core.errors import UserError
from recam_core.folders import runs_folder, shipped_folder
from recam_core.maps.activation_maps import FULL, full_size, no_activation_words
from recam_core.maps.inference import QUICK_SCALES, maps_from_features, picture_features, predicted_classes
from recam_core.method.background import check_background
from recam_core.method.extraction import map_weights
from recam_core.progress import ProgressFn, silent, terminal
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe, check_lambda, completed, usual_heads
from recam_core.retrain.heads import retrain_heads
from recam_core.retrain.named_run import check_run_name, free_run_name, keep_heads, retrain_command
from recam_core.runs.lineage import find_parent
from recam_core.runs.listed import METHOD_TITLES, find_run, run_titles
from recam_core.scores.band import check_band
from recam_core.scores.evaluate import Evaluation, check_classes, evaluate_counts, tally_store
from recam_core.scores.pixel_counts import PixelCounts
from recam_core.scores.scores import PictureScores, picture_scores
from recam_core.scores.table import summary_table
from recam_core.scores.thresholds import choose_threshold, shown_threshold
from recam_core.typed_path import typed_path
from recam_core.views.figure_cells import ERRORS, HEAT, FigurePane, FigureRow
from recam_core.views.figure_comparison import comparison_figure
from recam_core.views.figure_style import FigureStyle
from recam_core.views.figure_text import figure_bytes
from recam_core.views.marks import draw_marks
from recam_core.views.pixel_kinds import CLASS_ERRORS

#: No longer side than this unless asked for: maps are coarser anyway, and the work grows with the pixels.
LONGEST = 768


class Lab:
    """Runs with the same classes, which can stand side by side. :func:`load` makes one.

    Networks are read when they are first needed, and kept.

    Attributes:
        paths: the run folders, BCE-CAM first.
        infos: their records.
        titles: what they are called.

    >>> lab = recam.load("photos")
    >>> lab
    Lab: BCE-CAM, SCE-CAM, ReCAM; 22 classes without a background, such as building, grass, tree
    """

    def __init__(self, paths: Sequence[str | Path], device: str = "auto") -> None:
        """A lab of run folders.

        Raises:
            UserError: no run there, runs that know other classes, or a device that is not there.
        """
        if isinstance(paths, (str, Path)):
            paths = [paths]
        if not paths:
            raise UserError("A lab needs one run at least; `python -m recam_core runs list` lists what there is.")
        found = [(Path(path), read_info(path)) for path in paths]
        found.sort(key=lambda each: METHODS.index(each[1].method))
        self.paths = tuple(path for path, _ in found)
        self.infos = tuple(info for _, info in found)
        for info in self.infos[1:]:
            check_classes(
                info.class_list, self.infos[0].class_list, f"The run {info.name}", f"the run {self.infos[0].name}"
            )
        self.titles = tuple(run_titles(self.paths, self.infos))
        self._device = pick_device(str(device))
        self._run = cache(lambda place: load_run(self.paths[place], self._device))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the K classes, without the background."""
        return self.infos[0].class_list.names

    def __repr__(self) -> str:
        known = self.infos[0].class_list
        few = ", ".join(known.names[:3])
        return (
            f"Lab: {', '.join(self.titles)}; {len(known)} classes {'with' if known.has_background else 'without'} a "
            f"background{', such as ' if len(known) > 3 else ': '}{few}"
        )

    def maps(
        self,
        picture: Picture,
        classes: Sequence[str] | None = None,
        *,
        scales: Sequence[float] = QUICK_SCALES,
        mirror: bool = True,
        longest: int = LONGEST,
    ) -> "PictureMaps":
        """The activation maps of a picture, by each run.

        Args:
            picture: a file, an image of Pillow, an array, H x W x 3 uint8 RGB, or what a data set's ``load`` gives.
            classes: names of the classes to map; None for those that the first run sees in it.
            scales: factors of the picture's size at which the network looks at it.
            mirror: whether it looks at the mirror image as well.
            longest: pixels; a larger picture is made smaller first, and so are the maps.

        Raises:
            UserError: a picture that cannot be read, a class that the runs do not know, or scales out of range.

        >>> china = recam.open_dataset("gallery").load(0)
        >>> maps = lab.maps(china, scales=(1,), longest=320)
        >>> maps.recam.shape == (len(maps.classes), 214, 320)
        True
        >>> maps = lab.maps(china.image, ["building", "sky", "tree", "water"], scales=(1,), longest=320)
        """
        known = self.infos[0].class_list
        classes = _names(classes or ())
        unknown = [name for name in classes if name not in known.names]
        if unknown:
            raise UserError(f"The runs know no class {unknown[0]!r}; they know {', '.join(known.names)}.")
        _check_numbers(longest=longest)
        if longest < 16:
            raise UserError(f"longest takes a number of pixels from 16, got {longest}.")
        if isinstance(scales, str) or not isinstance(scales, Iterable):
            raise UserError(f"scales takes numbers in a list, such as (1, 2), got {scales!r:.60}.")
        photo, name = picture_bytes(picture)
        sample, notes = read_upload(photo, name, known, DATASET_LIMITS)
        image = np.ascontiguousarray(fit_photo(sample.image, longest))
        if image.shape != sample.image.shape:
            height, width = image.shape[:2]
            notes = (*notes, f"The picture was made smaller, to {width} x {height} pixels (longest={longest}).")
        chosen = tuple(sorted(known.names.index(each) for each in set(classes)))
        beside = [(info.threshold, info.rule) for info in self.infos]
        panes = []
        for place, (info, title) in enumerate(zip(self.infos, self.titles, strict=True)):
            network = self._run(place).network
            features = picture_features(network, image, scales, mirror)
            if not chosen:
                chosen = tuple(predicted_classes(features, softmax=info.method == "sce").tolist())
            fc2 = None if network.fc2 is None else network.fc2.detach()
            weight = map_weights(info.rule, network.fc1.detach(), fc2)
            maps = maps_from_features(features, weight, chosen, name)
            if words := no_activation_words(maps, known.names):
                notes = (*notes, f"{title}: {words}")
            panes.append(FigurePane(title, maps, shown_threshold(info.rule, [beside[place], *beside], known)))
        methods = tuple(info.method for info in self.infos)
        return PictureMaps(image, tuple(panes), methods, known, notes, (photo, name, longest))

    def retrain(
        self,
        data: str | Dataset,
        *,
        mask: str | None = None,
        lam: float | None = None,
        rule: str | None = None,
        name: str | None = None,
        progress: bool = True,
        **settings: object,
    ) -> "Lab":
        """Retrain FC1 and FC2 on the features of the BCE run (or else of the first one), which are computed once.

        What comes out is kept in the folder of runs, and a run like any other.

        Args:
            data: the training pictures: a specification such as ``voc:ROOT@train``, or a data set.
            mask: ``soft`` unless given, ``none``, ``hard:T``, ``power:G`` or ``oracle``.
            lam: lambda of equation 6, the weight of L_sce against L_bce; 1 unless given.
            rule: extraction rule of the maps.
            name: of the new run; a free one unless given.
            progress: whether a bar is shown.
            **settings: further fields of :class:`~recam_core.retrain.head_recipe.HeadRecipe`, such as ``update="fc2"``,
                ``epochs=30``, ``seed=1`` or ``background=0``.

        Returns:
            The run that it started from beside the new one, whose maps are ``.recam``. Where the classes have a
            background, its threshold is chosen on the training pictures.

        Raises:
            UserError: a setting that cannot work, data that do not fit the run, or a name that cannot be used.

        >>> drawn = recam.load("scenes")
        >>> train = "scenes:size=64,train=6,val=2@train"
        >>> mine = drawn.retrain(train, mask="power:2", lam=0.5, epochs=3, name="mine", progress=False)
        >>> mine.titles
        ('BCE-CAM', 'mine')
        """
        known = {field.name for field in fields(HeadRecipe)} - {"weight", "mask", "rule"}
        if unknown := sorted(set(settings) - known):
            raise UserError(
                f"There is no setting {unknown[0]!r}; there are mask, lam, rule, {', '.join(sorted(known))}."
            )
        asked = {"mask": mask, "weight": lam, "rule": rule, **settings}
        given = {key: value for key, value in asked.items() if value is not None}
        place = next((place for place, info in enumerate(self.infos) if info.method == "bce"), 0)
        dataset = _opened(data)
        has_row = dataset.classes.has_background and given.get("background") != 0
        recipe = completed(replace(usual_heads(has_row), **given))  # type: ignore[arg-type]
        if note := check_lambda(lam, recipe.update):
            warnings.warn(note, stacklevel=2)
        check_background(recipe, dataset.classes.has_background, dataset.spec)
        folder = runs_folder()
        name = free_run_name("retrained", folder) if name is None else check_run_name(str(name), folder)
        run = self._run(place)
        with _bar("features", progress) as report:
            cached = build_feature_cache(run, dataset, report)
        with _bar("retrain", progress) as report:
            result = retrain_heads(cached, run, recipe, report)
        weight = map_weights(recipe.rule, result.fc1, result.fc2).to(run.network.device)
        with _bar("threshold", progress) as report:
            threshold = choose_threshold(run.network, weight, dataset, report)
        command = retrain_command(
            self.paths[place].absolute(), dataset.spec, (folder / name).absolute(), recipe, threshold is not None
        )
        keep_heads(folder, name, run, dataset.spec, result, threshold, command)
        return Lab([self.paths[place], folder / name], str(self._device))


class PictureMaps:
    """The activation maps of a picture, by each run of a lab. :meth:`Lab.maps` makes them.

    In a notebook they show themselves: all methods side by side.

    Attributes:
        image: H x W x 3, uint8: the picture, as the networks saw it.
        titles: what the methods are called.
        notes: sentences on what was changed on the way, and on maps without any activation.

    >>> maps
    Maps of building, tree, sky, water by BCE-CAM, SCE-CAM, ReCAM; 320 x 214 pixels
    The picture was made smaller, to 320 x 214 pixels (longest=320).
    >>> maps.classes
    ('building', 'tree', 'sky', 'water')
    """

    def __init__(
        self,
        image: np.ndarray,
        panes: tuple[FigurePane, ...],
        methods: tuple[str, ...],
        known: ClassList,
        notes: tuple[str, ...],
        source: tuple[bytes, str, int],
    ) -> None:
        self.image = image
        self.titles = tuple(pane.title for pane in panes)
        self.notes = notes
        self._panes, self._methods, self._known, self._source = panes, methods, known, source

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the n classes that have maps, in the order of the maps."""
        return tuple(self._known.names[k] for k in self._panes[0].maps.classes.tolist())

    @property
    def bce(self) -> np.ndarray:
        """BCE-CAM, see :meth:`activations`."""
        return self.activations("bce")

    @property
    def sce(self) -> np.ndarray:
        """SCE-CAM, see :meth:`activations`."""
        return self.activations("sce")

    @property
    def recam(self) -> np.ndarray:
        """ReCAM, or what was retrained as one, see :meth:`activations`."""
        return self.activations("recam")

    def activations(self, method: str) -> np.ndarray:
        """The maps of one method at the size of the picture.

        Args:
            method: ``bce``, ``sce``, ``recam``, or one of :attr:`titles`.

        Returns:
            n x H x W, float32, in 256 steps from 0 to 1, the maximum of each map on its own grid (equation 2). Maps of
            probabilities (rules that take a softmax) are log-odds instead, -32 to 32 on 0 to 1.

        Raises:
            UserError: the lab has no such method.

        >>> float(maps.activations("ReCAM").max())
        1.0
        """
        return full_size(self._pane(method).maps).astype(np.float32) / FULL

    def seeds(self, method: str, threshold: float | None = None) -> np.ndarray:
        """Which class each pixel goes to.

        Args:
            method: as :meth:`activations` takes it.
            threshold: background threshold, 0 to 1; that of the run unless given. Where the classes have no background,
                none is applied.

        Returns:
            H x W, uint8: 0 background, k + 1 the k-th of the lab's classes.

        Raises:
            UserError: the lab has no such method, or a threshold that is none.

        >>> lab.classes[maps.seeds("recam")[20, 20] - 1]
        'sky'
        """
        pane = self._pane(method)
        _check_numbers(threshold=threshold if threshold is not None else 0)
        if threshold is not None and pane.threshold is None:
            raise UserError("These classes have no background, so there is no threshold; leave it out.")
        return (pane if threshold is None else replace(pane, threshold=threshold)).seeds

    def show(
        self,
        overlay: str = HEAT,
        classes: Sequence[str] = (),
        *,
        title: str = "",
        width_mm: float = 174.0,
        dpi: int = 150,
        dark: bool = False,
    ) -> Figure:
        """The methods side by side, as a figure.

        Args:
            overlay: ``heat``, ``contour``, ``seeds`` or ``disagreement``; errors are shown by :meth:`errors`.
            classes: names of the classes that are shown; none for all.
            title: stands on top.
            width_mm: of the figure in millimetres.
            dpi: dots per inch.
            dark: light type on a dark ground.

        Returns:
            A figure of matplotlib; ``savefig`` keeps it.

        Raises:
            UserError: an unknown overlay or class, or a size that cannot be drawn.

        >>> maps.show(title="Summer Palace").savefig("maps.png")
        """
        style = FigureStyle(title=title, width_mm=width_mm, dpi=dpi, dark=dark)
        if overlay == ERRORS:
            raise UserError("Errors need ground truth: maps.errors(mask).show() draws them.")
        if without := [name for name in _names(classes) if name in self._known.names and name not in self.classes]:
            raise UserError(
                f"The class {without[0]!r} has no map here; there are {', '.join(self.classes)}. lab.maps takes others."
            )
        return self._figure(None, overlay, classes, style)

    def errors(self, mask: Mask) -> "PictureErrors":
        """What each method has wrong.

        Args:
            mask: ground truth of the picture at its own size: a PNG file or an image whose values are class numbers, or
                H x W uint8; 0 background, k + 1 the k-th of the lab's classes, 255 for pixels that do not count.

        Raises:
            UserError: a mask that cannot be read, of another size than the picture, or with values that are no class.

        >>> errors = maps.errors(china.mask)
        >>> print(errors.scores["ReCAM"].iou > errors.scores["SCE-CAM"].iou)
        True
        """
        photo, name, longest = self._source
        stored, mask_name = mask_bytes(mask)
        sample, notes = read_upload(photo, name, self._known, DATASET_LIMITS, stored, mask_name)
        assert sample.mask is not None
        return PictureErrors(
            self, fit_mask(sample.mask, longest), tuple(each for each in notes if each not in self.notes)
        )

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        words = f"Maps of {', '.join(self.classes)} by {', '.join(self.titles)}; {width} x {height} pixels"
        return "\n".join([words, *self.notes])

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.show(), "png")

    def _pane(self, method: str) -> FigurePane:
        method = method if isinstance(method, str) else repr(method)
        wanted = {"recam": ("recam", "heads")}.get(method, (method,))
        for kind in wanted:
            for own, pane in zip(self._methods, self._panes, strict=True):
                if kind in (own, pane.title):
                    return pane
        raise UserError(
            f"There are no maps by {METHOD_TITLES.get(method, repr(method))} here, but by {', '.join(self.titles)}."
        )

    def _row(self, mask: np.ndarray | None, overlay: str, classes: Sequence[str]) -> FigureRow:
        names, classes = self._known.names, _names(classes)
        if unknown := [name for name in classes if name not in names]:
            raise UserError(f"There is no class {unknown[0]!r} here; there are {', '.join(self.classes)}.")
        return FigureRow(self.image, mask, self._panes, overlay, tuple(names.index(name) for name in classes))

    def _figure(self, mask: np.ndarray | None, overlay: str, classes: Sequence[str], style: FigureStyle) -> Figure:
        figure = comparison_figure([self._row(mask, overlay, classes)], self._known, style)
        # A figure that pyplot does not know is shown by a notebook only where it brings its picture along.
        figure._repr_png_ = lambda: figure_bytes(figure, "png")  # type: ignore[attr-defined]
        return figure


class PictureErrors:
    """Where the methods are wrong on a picture. :meth:`PictureMaps.errors` makes them.

    In a notebook they show themselves: right pixels, false positives and false negatives, by colour and by pattern.

    Attributes:
        mask: H x W, uint8: the ground truth at the size of the maps; 0 background, k + 1 class k, 255 void.
        scores: by method's title: IoU, precision, recall and the share of pixels given to a wrong class, 0 to 1.
        notes: sentences on the mask: that it was turned with its photograph, say.
    """

    def __init__(self, maps: PictureMaps, mask: np.ndarray, notes: tuple[str, ...] = ()) -> None:
        self.mask, self.notes = mask, notes
        self.scores: dict[str, PictureScores] = {
            pane.title: picture_scores(pane.seeds, mask, maps._known) for pane in maps._panes
        }
        self._maps = maps

    @cached_property
    def overlays(self) -> dict[str, np.ndarray]:
        """By method's title, H x W x 3 uint8: the picture with its wrong pixels marked.

        >>> errors.overlays["ReCAM"].shape
        (214, 320, 3)
        """
        row = self._maps._row(self.mask, ERRORS, ())
        return {
            pane.title: draw_marks(row.image, codes, CLASS_ERRORS)
            for pane, codes in zip(row.panes, row.codes, strict=True)
        }

    def show(
        self,
        classes: Sequence[str] = (),
        *,
        title: str = "",
        width_mm: float = 174.0,
        dpi: int = 150,
        dark: bool = False,
    ) -> Figure:
        """Photo, ground truth and each method's errors side by side; for the arguments see :meth:`PictureMaps.show`."""
        style = FigureStyle(title=title, width_mm=width_mm, dpi=dpi, dark=dark)
        return self._maps._figure(self.mask, ERRORS, classes, style)

    def __repr__(self) -> str:
        wide = max(map(len, self.scores))
        lines = [
            f"{title:<{wide}}  mIoU {100 * one.iou:.1f}  precision {100 * one.precision:.1f}  "
            f"recall {100 * one.recall:.1f}  wrong class {100 * one.wrong_class:.1f}"
            for title, one in self.scores.items()
        ]
        return "\n".join(["Errors, in percent", *lines, *self.notes])

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.show(), "png")


class Evaluations(dict[str, Evaluation]):
    """The scores of several runs on a data set, by title; printed, they are a table. :func:`evaluate` makes them.

    Each is an :class:`~recam_core.scores.evaluate.Evaluation`: ``best`` and ``fixed`` hold ``miou`` and the rest.
    """

    def __repr__(self) -> str:
        return summary_table(list(self.values()))


def load(what: str | Path, device: str = "auto") -> Lab:
    """Open runs.

    Args:
        what: a family that ships (``photos``, ``animals``, ``contexts``, ``scenes``), a run by its folder or its name,
            or a folder of runs with the same classes (``./photos``, where it has a family's name). A run comes with the
            one that it started from, if that is here.
        device: ``auto`` takes the fastest; else ``cuda``, ``cuda:1``, ``mps`` or ``cpu``.

    Raises:
        UserError: nothing of this name, runs that do not go together, or a device that is not there.

    >>> recam.load("photos/recam")
    Lab: BCE-CAM, ReCAM; 22 classes without a background, such as building, grass, tree
    """
    families = sorted(folder.name for folder in shipped_folder().glob("*") if run_folders(folder, 1))
    if isinstance(what, str) and what in families:
        return Lab(run_folders(shipped_folder() / what, 1), device)
    if not isinstance(what, (str, Path)) or not str(what).strip():
        raise UserError(
            f"load takes a family, a run or a folder of runs, not {kind_of(what)}. The families that ship: "
            f"{', '.join(families) or 'none'}."
        )
    path = typed_path(str(what))
    if path is not None and not (path / INFO_FILE).is_file() and (several := run_folders(path, 1)):
        return Lab(several, device)
    try:
        run = find_run(str(what))
    except UserError as error:
        raise UserError(f"{error} The families that ship: {', '.join(families) or 'none'}.") from None
    return Lab([*_start_of(run.info), run.path], device)


def evaluate(
    lab: Lab | str | Path,
    data: str | Dataset,
    *,
    rule: str | None = None,
    threshold: float | None = None,
    limit: int | None = None,
    draws: int = 0,
    band: int | None = None,
    progress: bool = True,
) -> Evaluations:
    """Score the runs of a lab on a data set with ground truth, at every background threshold.

    Maps that ship or were made before are not made again; new ones are kept in the cache.

    Args:
        lab: or what :func:`load` takes.
        data: a specification such as ``voc:ROOT@val``, or a data set.
        rule: extraction rule for all; each run's own unless given.
        threshold: a background threshold to report besides the best one; each run's own unless given.
        limit: only the first so many pictures.
        draws: of pictures, for 95 % intervals of the mIoU; 0 for none.
        band: score only pixels so near to a contour of the ground truth; None scores all.
        progress: whether a bar is shown.

    Raises:
        UserError: data without ground truth or with other classes, or a rule that a run cannot be read by.

    >>> scores = recam.evaluate(drawn, "scenes:size=64,train=6,val=2@val", progress=False)
    >>> list(scores), len(scores["ReCAM"].counts)
    (['BCE-CAM', 'ReCAM'], 2)
    """
    lab = lab if isinstance(lab, Lab) else load(lab)
    dataset = _opened(data)
    if not dataset.has_masks:
        raise UserError(f"{dataset.spec} has no ground-truth masks, so there is nothing to score maps against.")
    _check_numbers(limit=limit or 0, draws=draws, whole=True)
    _check_numbers(threshold=threshold or 0)
    if limit is not None and limit < 1:
        raise UserError(f"limit takes a number of pictures from 1, got {limit}.")
    if draws < 0:
        raise UserError("draws takes a number of draws, such as 1000.")
    if band is not None:
        _check_numbers(band=band, whole=True)
        check_band(band)
    for info in lab.infos:
        check_maps(info, rule or info.rule)
        check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
    refuse_unscorable(dataset)
    if limit is not None and limit < len(dataset):
        dataset = Subset(dataset, range(limit), dataset.spec)
    digest = dataset_digest(dataset)
    found = Evaluations()
    for place, (info, title) in enumerate(zip(lab.infos, lab.titles, strict=True)):
        settings, used = settings_of(info), rule or info.rule
        method = find_analysed(info, used, dataset, settings, title, title, digest)
        if method is None:
            with _bar(title, progress) as report:
                method = analyse(lab._run(place), used, dataset, settings, report, title, title)
        if band is not None and isinstance(method.counts, PixelCounts):
            with _bar(title, progress) as report:
                method = analyse_band(method, dataset, band, report)
        cut = method.threshold if threshold is None else threshold
        origin = f"of {info.name}" if threshold is None else "given"
        if isinstance(method.counts, PixelCounts):
            left_out, empty = len(dataset) - len(method.counts), method.store.silent
            found[title] = evaluate_counts(
                method.counts,
                title,
                threshold=cut,
                threshold_from=origin,
                resamples=draws,
                without_mask=left_out,
                silent=empty,
            )
        else:  # of many pictures an index is kept, which does not hold the counts of each
            with _bar(title, progress) as report:
                tally = tally_store(dataset, method.store, report, band=band)
            found[title] = tally.evaluation(title, threshold=cut, threshold_from=origin, resamples=draws)
    return found


def _start_of(info: RunInfo) -> list[Path]:
    """The run that a run started from, where it is here and knows the same classes; as a list of one or none."""
    try:
        start = find_parent(info)
        return [start] if start is not None and read_info(start).class_list == info.class_list else []
    except UserError:
        return []


def _opened(data: str | Path | Dataset) -> Dataset:
    if isinstance(data, (str, Path)):
        return open_dataset(str(data))
    if not isinstance(getattr(data, "spec", None), str):
        raise UserError(
            f"Data are a specification, such as 'voc:ROOT@train', or what open_dataset gives, not {kind_of(data)}."
        )
    return data


def _names(classes: str | Sequence[str]) -> list[str]:
    """Names of classes as a list; one may be given by itself."""
    if isinstance(classes, str):
        return [classes]
    if not isinstance(classes, Iterable):
        raise UserError(f"Classes are given by their names, in a list, not as {kind_of(classes)}.")
    return list(classes)


def _check_numbers(whole: bool = False, **values: object) -> None:
    for name, value in values.items():
        if not isinstance(value, Integral if whole else Real):
            raise UserError(f"{name} takes a {'whole ' if whole else ''}number, got {value!r:.60}.")


def _bar(label: str, wanted: bool) -> AbstractContextManager[ProgressFn]:
    return terminal(label) if wanted else nullcontext(silent)
