"""``figure`` and ``page``: runs compared on one picture, as a figure, maps, masks and scores, or in the viewer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recam_core.cli.compared_runs import add_run_options
from recam_core.cli.one_picture import add_picture_options, class_numbers, seen_by_runs
from recam_core.cli.options import check_files, write_files
from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.data.sample import ClassList, Sample
    from recam_core.views.figure_cells import FigurePane, FigureRow
    from recam_core.views.figure_style import FigureStyle


_FIGURES = (".png", ".svg", ".pdf")
_DATA = (".npz", ".zip", ".csv")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``figure`` and ``page``."""
    _add_figure(subparsers)
    _add_page(subparsers)


def _add_figure(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "figure",
        help="compare runs on one picture: figure, maps, masks, scores",
        description="Runs side by side on a picture of a data set or on a photograph. Each --out file gets what its "
        "ending says: .png, .svg and .pdf the figure, .npz the maps, .zip the masks, .csv the scores.",
    )
    add_run_options(parser)
    parser.add_argument("--out", nargs="+", required=True, type=Path, metavar="FILE", help="what is written")
    add_picture_options(parser)
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
    parser.set_defaults(run=run_figure)


def run_figure(arguments: argparse.Namespace) -> int:
    """Write the files, each whole or not at all."""
    from dataclasses import replace

    from recam_core.views.figure_cells import ERRORS, HEAT, KINDS, FigureRow

    check_files(arguments.out, _FIGURES + _DATA)
    unknown = next((kind for kind in arguments.overlay if kind not in KINDS), None)
    if unknown is not None:
        raise UserError(f"There is no overlay {unknown!r}: choose one of {', '.join(KINDS)}.")
    style = _style(arguments)
    seen = seen_by_runs(arguments)
    sample, classes = seen.sample, seen.classes
    shown = class_numbers(arguments.classes, classes, "--classes")
    kinds = list(dict.fromkeys(arguments.overlay)) or [HEAT if sample.mask is None else ERRORS]
    if ERRORS in kinds and sample.mask is None:
        raise UserError("This picture has no ground truth, so errors cannot be drawn; choose another --overlay.")
    panes = seen.panes()
    rows = tuple(
        FigureRow(sample.image, sample.mask, panes, kind, shown, KINDS.get(kind, "") if len(kinds) > 1 else "")
        for kind in kinds
    )
    style = style if arguments.title is not None else replace(style, title=sample.id)
    # Everything is made before the first file is written: what cannot be drawn leaves nothing behind.
    made = [(path, _content(path.suffix.lower(), sample, panes, rows, classes, style)) for path in arguments.out]
    write_files(made)
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


def _content(
    kind: str,
    sample: Sample,
    panes: tuple[FigurePane, ...],
    rows: tuple[FigureRow, ...],
    classes: ClassList,
    style: FigureStyle,
) -> bytes:
    """The bytes of a file with the ending ``kind``."""
    from recam_core.report.files import maps_npz, masks_zip, picture_csv
    from recam_core.views.figure_comparison import comparison_figure
    from recam_core.views.figure_text import figure_bytes, missing_font

    if kind == ".npz":
        return maps_npz(sample.image, sample.mask, panes, classes)
    if kind == ".zip":
        truth = {} if sample.mask is None else {"ground truth": sample.mask}
        return masks_zip({**truth, **{pane.title: pane.seeds for pane in panes}}, classes)
    if kind == ".csv":
        if sample.mask is None:
            raise UserError("This picture has no ground truth, so there are no scores to write; leave out the .csv.")
        return picture_csv(sample.mask, panes, classes).encode()
    figure = comparison_figure(rows, classes, style)
    if kind != ".svg" and (words := missing_font(figure)):
        print(words)
    return figure_bytes(figure, kind.removeprefix("."))


# The picture as a page ------------------------------------------------------------------------------------------------


_OVERLAYS = ("errors", "taken", "heat", "contour", "seeds", "disagreement")
_NEED_TRUTH = ("errors", "taken")
_NEED_SEVERAL = ("taken", "disagreement")
_COLOURS = ("viridis", "turbo", "grey")


def _add_page(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "page",
        help="one picture with the viewer as one HTML file",
        description="Runs side by side on a picture of a data set or on a photograph, in one HTML file with the "
        "viewer of the lab: overlays, thresholds, classes, probe. It opens by a double click, without a network.",
    )
    add_run_options(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="what is written, such as page.html")
    add_picture_options(parser)
    look = parser.add_argument_group("what it opens with")
    look.add_argument(
        "--overlay",
        choices=_OVERLAYS,
        help="taken: what each run takes back of the first one's errors, and loses (taken; of a single run errors; "
        "without ground truth heat)",
    )
    look.add_argument("--classes", nargs="+", default=[], metavar="CLASS", help="those that are chosen (all)")
    look.add_argument("--title", help="heading (default: the picture's id)")
    look.add_argument("--sentence", help="what is to be seen (default: made from the numbers of first and last run)")
    look.add_argument("--colours", choices=_COLOURS, default="viridis", help="of heat (viridis)")
    look.add_argument("--opacity", type=float, default=0.8, help="of what lies over the photo, 0 to 1 (0.8)")
    parser.set_defaults(run=run_page)


def run_page(arguments: argparse.Namespace) -> int:
    """Write the file, whole or not at all."""
    from recam_core.atomic_write import replacing_file
    from recam_core.method.extraction import LOG_ODDS, gives_log_odds, rule_words
    from recam_core.report.picture_page import picture_page, picture_sentence, set_words, silent_words, size_words
    from recam_core.views.viewer_payload import pane_of_maps, viewer_payload

    if arguments.out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{arguments.out}: the file is a page; let its name end in .html.")
    if arguments.out.is_dir():
        raise UserError(f"{arguments.out} is a folder; name a file in it.")
    if not 0 <= arguments.opacity <= 1:
        raise UserError(f"--opacity lies between 0 and 1, got {arguments.opacity}.")
    seen = seen_by_runs(arguments)
    sample, classes = seen.sample, seen.classes
    view = _view(arguments, sample.mask is not None)
    view["classes"] = list(class_numbers(arguments.classes, classes, "--classes"))
    panes = seen.panes()
    shown = [
        pane_of_maps(
            pane.maps,
            key=title,
            title=title,
            threshold=pane.threshold,
            about=rule_words(rule),
            log_odds=LOG_ODDS if gives_log_odds(rule) else None,
        )
        for title, pane, rule in zip(seen.titles, panes, seen.rules, strict=True)
    ]
    names = ", ".join(classes.names[int(k)] for k in panes[0].maps.classes)
    where = set_words(arguments.data) if arguments.data is not None else arguments.photo.name
    sentence = picture_sentence(panes, sample.mask, classes) if arguments.sentence is None else arguments.sentence
    content = picture_page(
        viewer_payload(sample.id, sample.image, classes, shown, sample.mask),
        view,
        title=sample.id if arguments.title is None else arguments.title,
        sentence=sentence,
        about=f"{sample.id} of {where}: {names}. {silent_words(panes, classes)}".strip(". "),
    )
    with replacing_file(arguments.out) as temporary:
        temporary.write_bytes(content)
    if sentence:
        print(sentence)
    print(f"{arguments.out}: {size_words(content)}")
    return 0


def _view(arguments: argparse.Namespace, has_truth: bool) -> dict[str, Any]:
    """The overlay and its look. Raises UserError for an overlay that this picture cannot have."""
    several, overlay = len(arguments.runs) > 1, arguments.overlay
    if overlay in _NEED_TRUTH and not has_truth:
        raise UserError("This picture has no ground truth, so errors cannot be told; choose another --overlay.")
    if overlay in _NEED_SEVERAL and not several:
        raise UserError(f"The overlay {overlay} compares runs; name a second one.")
    usual = "heat" if not has_truth else "taken" if several else "errors"
    return {"overlay": overlay or usual, "colours": arguments.colours, "opacity": arguments.opacity}
