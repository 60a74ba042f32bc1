"""``python -m recam_core figure``: runs compared on one picture, as a figure, maps, masks and scores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.compared_runs import add_run_options, check_threshold, checked_infos, run_titles
from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.checkpoint.run_folder import RunInfo
    from recam_core.data.sample import ClassList, Sample
    from recam_core.views.figure_cells import FigurePane, FigureRow
    from recam_core.views.figure_style import FigureStyle

_FIGURES = (".png", ".svg", ".pdf")
_DATA = (".npz", ".zip", ".csv")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``figure``."""
    parser = subparsers.add_parser(
        "figure",
        help="compare runs on one picture: figure, maps, masks, scores",
        description="Runs side by side on a picture of a data set or on a photograph. Each --out file gets what its "
        "ending says: .png, .svg and .pdf the figure, .npz the maps, .zip the masks, .csv the scores.",
    )
    add_run_options(parser)
    parser.add_argument("--out", nargs="+", required=True, type=Path, metavar="FILE", help="what is written")
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
    look = parser.add_argument_group("the figure")
    look.add_argument(
        "--overlay",
        nargs="+",
        default=[],
        metavar="KIND",
        help="a row each: heat, contour, seeds, errors, disagreement (errors; without ground truth heat)",
    )
    look.add_argument("--classes", nargs="+", default=[], metavar="CLASS", help="those that are shown (all)")
    look.add_argument("--title", help="on top (default: the picture's id)")
    look.add_argument("--width", type=float, default=174.0, metavar="MM", help="of the figure in mm (174)")
    look.add_argument("--font-size", type=float, default=8.0, metavar="PT", help="in points (8)")
    look.add_argument("--dpi", type=int, default=300, help="dots per inch of pictures and of PNG (300)")
    look.add_argument("--columns", type=int, metavar="N", help="cells side by side (all)")
    look.add_argument("--colours", default="viridis", help="viridis, turbo or grey (viridis)")
    look.add_argument("--opacity", type=float, default=0.8, help="of what lies over the photo, 0 to 1 (0.8)")
    look.add_argument("--dark", action="store_true", help="light type on a dark ground")
    look.add_argument("--no-photo", action="store_true", help="leave out the photo")
    look.add_argument("--no-truth", action="store_true", help="leave out the ground truth")
    look.add_argument("--no-captions", action="store_true", help="leave out scores and thresholds")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files, each whole or not at all."""
    from dataclasses import replace

    from recam_core.atomic_write import replacing_file
    from recam_core.checkpoint.run_folder import read_info
    from recam_core.views.figure_cells import ERRORS, HEAT, KINDS, FigureRow

    check_threshold(arguments.threshold)
    for path in arguments.out:
        if path.suffix.lower() not in _FIGURES + _DATA:
            raise UserError(f"{path}: files end in {', '.join(_FIGURES + _DATA)}; the ending says what is written.")
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file in it.")
    unknown = next((kind for kind in arguments.overlay if kind not in KINDS), None)
    if unknown is not None:
        raise UserError(f"There is no overlay {unknown!r}: choose one of {', '.join(KINDS)}.")
    classes = read_info(arguments.runs[0]).class_list
    infos = checked_infos(arguments.runs, arguments.rule, classes, f"the run {arguments.runs[0]}")
    titles = run_titles(arguments.runs, infos)
    style = _style(arguments)
    shown = _numbers(arguments.classes, classes, "--classes")
    present = _numbers(arguments.present or (), classes, "--present")
    sample = _sample(arguments, classes)
    kinds = list(dict.fromkeys(arguments.overlay)) or [HEAT if sample.mask is None else ERRORS]
    if ERRORS in kinds and sample.mask is None:
        raise UserError("This picture has no ground truth, so errors cannot be drawn; choose another --overlay.")
    panes = _panes(arguments, infos, titles, sample, present or _labels(sample), classes)
    rows = tuple(
        FigureRow(sample.image, sample.mask, panes, kind, shown, KINDS.get(kind, "") if len(kinds) > 1 else "")
        for kind in kinds
    )
    style = style if arguments.title is not None else replace(style, title=sample.id)
    # Everything is made before the first file is written: what cannot be drawn leaves nothing behind.
    made = [(path, _content(path.suffix.lower(), sample, panes, rows, classes, style)) for path in arguments.out]
    for path, content in made:
        with replacing_file(path) as temporary:
            temporary.write_bytes(content)
        print(f"{path}: {len(content) / 1e3:,.0f} kB")
    return 0


def _style(arguments: argparse.Namespace) -> FigureStyle:
    from recam_core.views.figure_style import FigureStyle

    return FigureStyle(
        width_mm=arguments.width,
        font_size=arguments.font_size,
        dpi=arguments.dpi,
        title=arguments.title or "",
        columns=arguments.columns,
        captions=not arguments.no_captions,
        photo=not arguments.no_photo,
        truth=not arguments.no_truth,
        colour_map=arguments.colours,
        opacity=arguments.opacity,
        dark=arguments.dark,
    )


def _sample(arguments: argparse.Namespace, classes: ClassList) -> Sample:
    """The picture in the classes of the runs, no side longer than asked for."""
    import numpy as np

    from recam_core.data.fit_size import fit_mask, fit_photo
    from recam_core.data.sample import VOID, Sample

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
    from recam_core.data.sample import Sample
    from recam_core.data.spec import open_dataset

    if arguments.mask is not None:
        raise UserError("--mask belongs to --photo; a data set has its own.")
    dataset = open_dataset(arguments.data)
    wanted = dataset.ids[0] if arguments.picture is None else arguments.picture
    if wanted not in dataset.ids:
        raise UserError(f"{dataset.spec} has no picture {wanted!r}; its first one is {dataset.ids[0]!r}.")
    sample = dataset.load(list(dataset.ids).index(wanted))
    match = match_classes(dataset.classes, classes)
    mask = None if sample.mask is None else match.mask(sample.mask)
    return Sample(sample.id, sample.image, match.labels(sample.labels), mask)


def _of_file(arguments: argparse.Namespace, classes: ClassList) -> Sample:
    from dataclasses import replace

    from recam_core.data.image_io import DATASET_LIMITS
    from recam_core.data.upload import read_upload

    if arguments.picture is not None:
        raise UserError("--picture names a picture of --data; with --photo, leave it out.")
    photo, mask = (None if path is None else _bytes(path) for path in (arguments.photo, arguments.mask))
    name = arguments.mask.name if arguments.mask is not None else ""
    sample, notes = read_upload(photo, arguments.photo.name, classes, DATASET_LIMITS, mask, name)
    for note in notes:
        print(note)
    return replace(sample, id=arguments.photo.stem)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error


def _labels(sample: Sample) -> tuple[int, ...]:
    return tuple(sample.labels.nonzero()[0].tolist())


def _numbers(names: Sequence[str], classes: ClassList, option: str) -> tuple[int, ...]:
    unknown = next((name for name in names if name not in classes.names), None)
    if unknown is not None:
        raise UserError(f"{option}: the runs know no class {unknown!r}; they know {', '.join(classes.names)}.")
    return tuple(sorted({classes.names.index(name) for name in names}))


def _panes(
    arguments: argparse.Namespace,
    infos: Sequence[RunInfo],
    titles: Sequence[str],
    sample: Sample,
    present: tuple[int, ...],
    classes: ClassList,
) -> tuple[FigurePane, ...]:
    """One a run; where nothing is known of the picture, the first run names the classes for all."""
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.device import pick_device
    from recam_core.maps.inference import maps_from_features, picture_features, predicted_classes
    from recam_core.method.extraction import map_weights
    from recam_core.scores.shown_threshold import shown_threshold
    from recam_core.views.figure_cells import FigurePane

    device = pick_device(arguments.device)
    chosen = [(info.threshold, info.rule) for info in infos]
    panes = []
    for path, info, title in zip(arguments.runs, infos, titles, strict=True):
        network = load_run(path, device).network
        features = picture_features(network, sample.image)
        if not present:
            present = tuple(predicted_classes(features, softmax=info.method == "sce").tolist())
            print(f"{title} sees {', '.join(classes.names[k] for k in present)}.")
        fc2 = None if network.fc2 is None else network.fc2.detach()
        rule = arguments.rule or info.rule
        weight = map_weights(rule, network.fc1.detach(), fc2)
        maps = maps_from_features(features, weight, present, sample.id)
        threshold = shown_threshold(rule, [(info.threshold, info.rule), *chosen], classes)
        if arguments.threshold is not None and classes.has_background:
            threshold = arguments.threshold
        panes.append(FigurePane(title, maps, threshold))
    return tuple(panes)


def _content(
    kind: str,
    sample: Sample,
    panes: tuple[FigurePane, ...],
    rows: tuple[FigureRow, ...],
    classes: ClassList,
    style: FigureStyle,
) -> bytes:
    """The bytes of a file with the ending ``kind``."""
    from recam_core.report.maps_file import maps_npz
    from recam_core.report.mask_file import masks_zip
    from recam_core.report.picture_csv import picture_csv
    from recam_core.views.figure_comparison import comparison_figure
    from recam_core.views.figure_file import figure_bytes

    if kind == ".npz":
        return maps_npz(sample.image, sample.mask, panes, classes)
    if kind == ".zip":
        truth = {} if sample.mask is None else {"ground truth": sample.mask}
        return masks_zip({**truth, **{pane.title: pane.seeds for pane in panes}}, classes)
    if kind == ".csv":
        if sample.mask is None:
            raise UserError("This picture has no ground truth, so there are no scores to write; leave out the .csv.")
        return picture_csv(sample.mask, panes, classes).encode()
    return figure_bytes(comparison_figure(rows, classes, style), kind.removeprefix("."))
