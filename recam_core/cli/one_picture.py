"""One picture as several runs see it: the options that name both, and the maps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.compared_runs import check_threshold, checked_infos
from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.checkpoint.run_folder import RunInfo
    from recam_core.data.sample import ClassList, Sample
    from recam_core.views.figure_cells import FigurePane


def add_picture_options(parser: argparse.ArgumentParser) -> None:
    """``--data``, ``--picture``, ``--photo``, ``--mask``, ``--present`` and ``--longest``."""
    picture = parser.add_argument_group("the picture")
    picture.add_argument("--data", metavar="SPEC", help="a data set, such as scenes@val")
    picture.add_argument("--picture", metavar="ID", help="one of its pictures (default: the first)")
    picture.add_argument("--photo", type=Path, metavar="FILE", help="or a photograph")
    picture.add_argument("--mask", type=Path, metavar="FILE", help="with --photo: its ground truth, an indexed PNG")
    picture.add_argument(
        "--present", nargs="+", metavar="CLASS", help="classes to map (default: of the ground truth, or those seen)"
    )
    picture.add_argument(
        "--longest", type=int, default=768, metavar="PX", help="larger pictures are made smaller (768)"
    )


@dataclass(frozen=True)
class PictureOfRuns:
    """A picture, and the runs that look at it.

    Attributes:
        sample: the picture in the classes of the runs, no side longer than asked for; without a mask in which nothing
            counts.
        classes: of the runs.
        infos: their records.
        titles: what they are called.
        rules: the extraction rule of each.
        present: indices of the classes that are known to be in the picture; empty where nothing is known.
    """

    sample: Sample
    classes: ClassList
    infos: tuple[RunInfo, ...]
    titles: tuple[str, ...]
    rules: tuple[str, ...]
    present: tuple[int, ...]
    _arguments: argparse.Namespace

    def panes(self) -> tuple[FigurePane, ...]:
        """One a run; where nothing is known of the picture, the first run names the classes for all."""
        from recam_core.attribution.attributed_set import attributed_run
        from recam_core.checkpoint.run_folder import load_run
        from recam_core.device import pick_device
        from recam_core.maps.activation_maps import no_activation_words
        from recam_core.maps.inference import maps_from_features, picture_features, predicted_classes
        from recam_core.method.extraction import map_weights
        from recam_core.progress import terminal
        from recam_core.scores.thresholds import shown_threshold
        from recam_core.views.figure_cells import FigurePane

        arguments, sample, classes, present = self._arguments, self.sample, self.classes, self.present
        device = pick_device(arguments.device)
        chosen = [(info.threshold, info.rule) for info in self.infos]
        panes = []
        for path, info, title, rule in zip(arguments.runs, self.infos, self.titles, self.rules, strict=True):
            run = load_run(path, device)
            network = run.network
            features = picture_features(network, sample.image)
            if not present:
                present = tuple(predicted_classes(features, softmax=info.method == "sce").tolist())
                print(f"{title} sees {', '.join(classes.names[k] for k in present)}.")
            asked = attributed_run(run, rule)
            if asked is None:
                fc2 = None if network.fc2 is None else network.fc2.detach()
                weight = map_weights(rule, network.fc1.detach(), fc2)
                maps = maps_from_features(features, weight, present, sample.id)
            else:
                with terminal(f"{title}, {rule}") as progress:
                    maps = asked.maps(sample.image, [k for k in present if k != asked.against], sample.id, progress)
            if words := no_activation_words(maps, classes.names):
                print(f"{title}: {words}")
            threshold = shown_threshold(rule, [(info.threshold, info.rule), *chosen], classes)
            if arguments.threshold is not None and classes.has_background:
                threshold = arguments.threshold
            panes.append(FigurePane(title, maps, threshold))
        return tuple(panes)


def seen_by_runs(arguments: argparse.Namespace) -> PictureOfRuns:
    """The picture and the runs, after all that can be wrong with either was looked for.

    Args:
        arguments: with the options of :func:`add_picture_options` and
            :func:`~recam_core.cli.compared_runs.add_run_options`.

    Raises:
        UserError: runs that cannot stand side by side, or a picture that cannot be read.
    """
    from recam_core.checkpoint.run_folder import read_info
    from recam_core.runs.listed import run_titles

    check_threshold(arguments.threshold)
    classes = read_info(arguments.runs[0]).class_list
    infos = checked_infos(arguments.runs, arguments.rule, classes, f"the run {arguments.runs[0]}")
    titles = run_titles(arguments.runs, infos)
    present = class_numbers(arguments.present or (), classes, "--present")
    sample = _sample(arguments, classes)
    rules = tuple(arguments.rule or info.rule for info in infos)
    return PictureOfRuns(sample, classes, tuple(infos), tuple(titles), rules, present or _labels(sample), arguments)


def _sample(arguments: argparse.Namespace, classes: ClassList) -> Sample:
    """The picture in the classes of the runs, no side longer than asked for."""
    import numpy as np

    from recam_core.data.sample import VOID, Sample
    from recam_core.data.upload import fit_mask, fit_photo

    if (arguments.data is None) == (arguments.photo is None):
        raise UserError("Name a picture: --data SPEC with --picture ID, or --photo FILE.")
    if arguments.longest < 16:
        raise UserError(f"--longest takes a number of pixels from 16, got {arguments.longest}.")
    sample = _of_data(arguments, classes) if arguments.data is not None else _of_file(arguments, classes)
    mask = None if sample.mask is None else fit_mask(sample.mask, arguments.longest)
    if mask is not None and not (mask != VOID).any():
        mask = None
    image = np.ascontiguousarray(fit_photo(sample.image, arguments.longest))
    return Sample(sample.id, image, sample.labels, mask)


def _of_data(arguments: argparse.Namespace, classes: ClassList) -> Sample:
    from recam_core.data.match_classes import match_classes
    from recam_core.data.sample import Sample, picture_index
    from recam_core.data.spec import open_dataset

    if arguments.mask is not None:
        raise UserError("--mask belongs to --photo; a data set has its own.")
    dataset = open_dataset(arguments.data)
    sample = dataset.load(picture_index(dataset, arguments.picture))
    match = match_classes(dataset.classes, classes)
    mask = None if sample.mask is None else match.mask(sample.mask)
    return Sample(sample.id, sample.image, match.labels(sample.labels), mask)


def _of_file(arguments: argparse.Namespace, classes: ClassList) -> Sample:
    from dataclasses import replace
    from functools import partial

    from recam_core.data.image_io import DATASET_LIMITS
    from recam_core.data.upload import read_upload
    from recam_core.file_reader import file_bytes

    if arguments.picture is not None:
        raise UserError("--picture names a picture of --data; with --photo, leave it out.")
    read = partial(file_bytes, largest=DATASET_LIMITS.max_bytes)
    photo, mask = read(arguments.photo), None if arguments.mask is None else read(arguments.mask)
    name = arguments.mask.name if arguments.mask is not None else ""
    sample, notes = read_upload(photo, arguments.photo.name, classes, DATASET_LIMITS, mask, name)
    for note in notes:
        print(note)
    return replace(sample, id=arguments.photo.stem)


def _labels(sample: Sample) -> tuple[int, ...]:
    return tuple(sample.labels.nonzero()[0].tolist())


def class_numbers(names: Sequence[str], classes: ClassList, option: str) -> tuple[int, ...]:
    """The indices of classes that ``option`` names. Raises UserError for a name that the runs do not know."""
    unknown = next((name for name in names if name not in classes.names), None)
    if unknown is not None:
        raise UserError(f"{option}: the runs know no class {unknown!r}; they know {', '.join(classes.names)}.")
    return tuple(sorted({classes.names.index(name) for name in names}))
