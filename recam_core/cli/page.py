"""``python -m recam_core page``: one picture with the viewer as one HTML file that opens offline."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from recam_core.cli.compared_runs import add_run_options
from recam_core.cli.one_picture import add_picture_options, class_numbers, seen_by_runs
from recam_core.errors import UserError

_OVERLAYS = ("errors", "taken", "heat", "contour", "seeds", "disagreement")
_NEED_TRUTH = ("errors", "taken")
_NEED_SEVERAL = ("taken", "disagreement")
_COLOURS = ("viridis", "turbo", "grey")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``page``."""
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
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
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
