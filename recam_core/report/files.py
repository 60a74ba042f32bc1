"""What is written of pictures and results: names of files, maps as NPZ, masks as indexed PNG, tables as CSV."""

import re
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from recam_core.analysis.csv_tables import confusion_csv, csv_text, flow_csv, gain_csv, pairs_csv, pictures_csv
from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import full_size
from recam_core.report.report_data import ReportData
from recam_core.scores.metrics import mean_of_present
from recam_core.scores.scores import Scores, picture_scores
from recam_core.views.colours import class_colours
from recam_core.views.figure_cells import FigurePane
from recam_core.views.marks import GREY

#: Long enough for any title, short enough for any file system.
_LONGEST = 80


def file_name(*parts: str, suffix: str = "") -> str:
    """A name without folders, spaces or leading dots, such as ``val_00003-ReCAM.png``.

    Args:
        parts: joined by a hyphen; empty ones are left out.
        suffix: with its dot; kept whole.
    """
    cleaned = (re.sub(r"[^A-Za-z0-9._-]+", "_", part).strip("._-") for part in parts)
    return ("-".join(part for part in cleaned if part)[:_LONGEST] or "recam") + suffix


FORMAT_VERSION = 1


def maps_npz(image: np.ndarray, mask: np.ndarray | None, panes: Sequence[FigurePane], classes: ClassList) -> bytes:
    """The bytes of an NPZ file that ``numpy.load`` opens without pickle. Of M methods and n classes that have maps:

    ``image`` H x W x 3 uint8; ``truth`` H x W uint8 (only with ground truth: 0 background, k + 1 class k, 255 void);
    ``methods`` M titles; ``thresholds`` M float64, nan where pixels go to their arg-max class; ``class_names`` K;
    ``classes`` n int64, indices from 0; ``has_map`` M x n bool; ``activations`` M x n x H x W uint8, 255 being the
    maximum of a map (under the rule ``softmax``: log-odds of 32, and 0 those of -32); ``winner``, ``level`` and
    ``seeds`` M x H x W uint8; ``id``, ``has_background``, ``format_version``.

    Args:
        image: H x W x 3, uint8.
        mask: H x W uint8 ground truth, or None.
        panes: one a method.
        classes: K classes.

    Raises:
        UserError: no method, or maps of another picture's size.
    """
    if not panes:
        raise UserError("There are no maps to write; choose a method.")
    size = image.shape[:2]
    for pane in panes:
        if pane.maps.size != size:
            raise UserError(f"The maps of {pane.title} are of a picture of another size.")
    found = np.unique(np.concatenate([pane.maps.classes for pane in panes])).astype(np.int64)
    activations = np.zeros((len(panes), len(found), *size), dtype=np.uint8)
    has_map = np.zeros((len(panes), len(found)), dtype=bool)
    for order, pane in enumerate(panes):
        places = np.searchsorted(found, pane.maps.classes)
        activations[order, places] = full_size(pane.maps)
        has_map[order, places] = True
    arrays: dict[str, Any] = {
        "format_version": np.int64(FORMAT_VERSION),
        "id": np.str_(panes[0].maps.id),
        "image": image,
        "methods": np.array([pane.title for pane in panes], dtype=np.str_),
        "thresholds": np.array([np.nan if pane.threshold is None else pane.threshold for pane in panes]),
        "class_names": np.array(classes.names, dtype=np.str_),
        "has_background": np.bool_(classes.has_background),
        "classes": found,
        "has_map": has_map,
        "activations": activations,
        "winner": np.stack([pane.reading[0] for pane in panes]),
        "level": np.stack([pane.reading[1] for pane in panes]),
        "seeds": np.stack([pane.seeds for pane in panes]),
    }
    if mask is not None:
        arrays["truth"] = mask
    stream = BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def class_palette(num_classes: int) -> np.ndarray:
    """256 x 3 uint8: black background, the colours that classes have on the screen, grey for void."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[: num_classes + 1] = class_colours(num_classes)
    palette[VOID] = GREY
    return palette


def mask_png(mask: np.ndarray, num_classes: int) -> bytes:
    """The bytes of a PNG file with a palette, as VOC has its masks.

    Args:
        mask: H x W, uint8: 0 background, k + 1 class k, 255 void.
        num_classes: K; fixes the colours.
    """
    image = Image.fromarray(np.ascontiguousarray(mask, dtype=np.uint8))
    image.putpalette(class_palette(num_classes).tobytes())
    stream = BytesIO()
    image.save(stream, format="PNG", optimize=False)
    return stream.getvalue()


def masks_zip(masks: Mapping[str, np.ndarray], classes: ClassList) -> bytes:
    """The bytes of a ZIP file of one PNG a mask, and ``classes.txt``, which says what the numbers mean.

    Args:
        masks: title -> H x W uint8 mask.
        classes: K classes.
    """
    stream = BytesIO()
    used: set[str] = set()
    with zipfile.ZipFile(stream, "w") as archive:
        for title, mask in masks.items():
            name = _unused(file_name(title), used)
            # A fixed date: the same masks give the same bytes.
            archive.writestr(zipfile.ZipInfo(f"{name}.png"), mask_png(mask, len(classes)))
        lines = [f"0 {'background' if classes.has_background else 'unlabelled'}"]
        lines += [f"{k + 1} {' '.join(name.split())}" for k, name in enumerate(classes.names)]
        archive.writestr(zipfile.ZipInfo("classes.txt"), "\n".join([*lines, f"{VOID} void", ""]))
    return stream.getvalue()


def _unused(name: str, used: set[str]) -> str:
    """The name, or the name with a number where another mask has it already (letter case aside)."""
    candidate, number = name, 1
    while candidate.lower() in used:
        number += 1
        candidate = f"{name}-{number}"
    used.add(candidate.lower())
    return candidate


def picture_csv(mask: np.ndarray, panes: Sequence[FigurePane], classes: ClassList) -> str:
    """One line a method and class that the ground truth or the seeds show, and one for all of them.

    Args:
        mask: H x W uint8 ground truth.
        panes: one a method.
        classes: K classes.
    """
    rows = []
    for pane in panes:
        seen = (np.union1d(np.unique(mask[mask != VOID]), np.unique(pane.seeds)).astype(int) - 1).tolist()
        for k in (None, *(k for k in seen if k >= 0)):
            scores = picture_scores(pane.seeds, mask, classes, k)
            name = "all (mean)" if k is None else classes.names[k]
            figures = (scores.iou, scores.precision, scores.recall, scores.wrong_class)
            rows.append([pane.maps.id, pane.title, pane.threshold, name, *figures])
    return csv_text(["picture", "method", "threshold", "class", "IoU", "precision", "recall", "wrong class"], rows)


#: The columns of :func:`rates`, but for the last, which is named after what pixels are lost to.
_RATES = ("precision", "recall", "false positive rate", "false negative rate", "wrong class")


def report_tables(data: ReportData) -> dict[str, str]:
    """Every table by the name of its file: scores, classes, pairs, pictures; confusions and flow once a method."""
    tables = {
        "scores.csv": scores_csv(data),
        "classes.csv": gain_csv(data.gain, data.titles),
        "pairs.csv": pairs_csv(data.pairs, data.classes, data.titles),
        "pictures.csv": pictures_csv(data.pictures, data.titles, data.listed),
    }
    for number, method in enumerate(data.methods, start=1):
        confusion = data.confusions[method.key]
        # The number keeps titles apart that differ only in what a file's name cannot hold.
        tables[file_name("confusion", str(number), method.title, suffix=".csv")] = confusion_csv(
            confusion, data.classes
        )
        tables[file_name("flow", str(number), method.title, suffix=".csv")] = flow_csv(confusion, data.classes)
    return tables


def scores_csv(data: ReportData) -> str:
    """One line a method: its threshold, mIoU and gain with intervals, and :func:`rates`."""
    lines = []
    for place, method in enumerate(data.methods):
        scores, cut, gain = data.scores[method.key], data.cuts[method.key], data.gain
        lines.append(
            [
                method.title,
                cut.threshold,
                cut.origin,
                scores.miou,
                *(float(column[place]) for column in (gain.miou_low, gain.miou_high, gain.miou_gain)),
                *(float(column[place]) for column in (gain.miou_gain_low, gain.miou_gain_high)),
                *(float(rate) for rate in rates(scores)),
            ]
        )
    columns = [
        "method",
        "threshold",
        "threshold from",
        "mIoU",
        "mIoU low",
        "mIoU high",
        "gain",
        "gain low",
        "gain high",
    ]
    return csv_text([*columns, *_RATES, lost_words(data)], lines)


def rates(scores: Scores) -> tuple[float, ...]:
    """Precision, recall, false positive and false negative rate (means over classes); shares of the objects' pixels
    given to a wrong class and left to the background. All 0..1.
    """
    return (
        float(mean_of_present(scores.precision)),
        float(mean_of_present(scores.recall)),
        scores.mean_false_positive_rate,
        scores.mean_false_negative_rate,
        scores.wrong_class,
        scores.lost_to_background,
    )


def lost_words(data: ReportData) -> str:
    """What becomes of pixels that no class is given to."""
    return "left to background" if data.classes.has_background else "left unlabelled"
