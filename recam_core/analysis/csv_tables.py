"""Tables of the analysis as CSV text that a spreadsheet opens safely."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from recam_core.analysis.confusions import ConfusedPair
from recam_core.analysis.gains import ClassGain
from recam_core.analysis.picture_table import PictureTable
from recam_core.analysis.tags import Tagged
from recam_core.analysis.taken_back import KIND_WORDS, KINDS, TakenBack
from recam_core.data.sample import ClassList
from recam_core.scores.metrics import ratio, value_names

#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV with a header line. Words that a spreadsheet would take for a formula get an apostrophe in front; numbers do
    not. Shares are written with 6 digits; nan and None become empty cells.
    """
    stream = io.StringIO()
    # The writer quotes a cell that holds a character of the line's end: with both of them, no cell can end a line.
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def confusion_csv(
    confusion: np.ndarray, classes: ClassList, order: Sequence[int] | np.ndarray | None = None, normalised: bool = False
) -> str:
    """A confusion matrix (or a difference of two), rows ground truth, columns prediction.

    Args:
        confusion: (K+1) x (K+1) pixels or shares.
        classes: the K classes.
        order: a permutation of 0..K in which rows and columns are written.
        normalised: divide each row by its sum.
    """
    names = value_names(classes)
    places = list(range(len(names))) if order is None else [int(place) for place in order]
    if not classes.has_background:
        rows = [place for place in places if place]
    else:
        rows = places
    body = []
    for row in rows:
        cells = confusion[row, places]
        if normalised:
            whole = confusion[row].sum()
            cells = cells / whole if whole else np.full(len(places), np.nan)
        body.append([names[row], *cells.tolist()])
    return csv_text(["ground truth", *(names[place] for place in places)], body)


def pairs_csv(pairs: Sequence[ConfusedPair], classes: ClassList, titles: Mapping[str, str]) -> str:
    """Confused pairs; one line a pair, a few columns a method.

    Args:
        pairs: what :func:`top_pairs` gave.
        classes: the K classes.
        titles: by method key, as people know it; its keys are written, in this order.
    """
    names = value_names(classes)
    header = ["ground truth", "predicted", "pictures with both", "share of the class's pictures"]
    for title in titles.values():
        header += [f"{title}: {what}" for what in ("pixels", "share of pixels", "pictures", "share where both are")]
    rows = []
    for pair in pairs:
        row: list[object] = [names[pair.truth], names[pair.predicted], pair.together, pair.together_share]
        for key in titles:
            row += [pair.pixels[key], pair.share[key], pair.pictures[key], pair.share_where_together[key]]
        rows.append(row)
    return csv_text(header, rows)


def flow_csv(confusion: np.ndarray, classes: ClassList) -> str:
    """Where the pixels of each class go: right, to the background, to each other class, as shares."""
    names, pixels = value_names(classes), confusion.sum(axis=1)
    rows = []
    for truth in range(0 if classes.has_background else 1, len(names)):
        shares = ratio(confusion[truth], pixels[truth]).tolist()
        others = [None if value == truth else share for value, share in enumerate(shares)]
        rows.append([names[truth], pixels[truth], shares[truth], *others])
    return csv_text(["ground truth", "pixels", "right", f"to {names[0]}", *(f"to {name}" for name in names[1:])], rows)


def gain_csv(gain: ClassGain, titles: Mapping[str, str]) -> str:
    """IoU per class, one line a class in the order of the gain, and the mean below; intervals beside each figure.

    Args:
        gain: what :func:`class_gain` gave.
        titles: by method key, as people know it; keys that it lacks are written as they are.
    """
    header = ["class"]
    columns = []  # (one figure a class, the mean)
    for place, key in enumerate(gain.keys):
        parts = ["iou", "iou_low", "iou_high"]
        if key != gain.reference:
            parts += ["gain", "gain_low", "gain_high"]
        for part in parts:
            mean = getattr(gain, f"m{part}" if part.startswith("iou") else f"miou_{part}")
            header.append(f"{titles.get(key, key)}: {part.replace('iou', 'IoU').replace('_', ' ')}")
            columns.append((getattr(gain, part)[place], mean[place]))
    rows = [[gain.names[row], *(float(each[row]) for each, _ in columns)] for row in gain.order.tolist()]
    rows.append(["mean", *(float(mean) for _, mean in columns)])
    return csv_text(header, rows)


def pictures_csv(
    table: PictureTable,
    titles: Mapping[str, str],
    chosen: np.ndarray | None = None,
    moved: TakenBack | None = None,
) -> str:
    """The table of pictures.

    Args:
        table: one row a picture.
        titles: by method key, as people know it; its keys are written, in this order.
        chosen: N bools, or positions in the order to write, which leave the others out.
        moved: what one method takes back of another's errors in the same pictures, for more columns.
    """
    header = ["id", "classes", "number of classes", "largest object"]
    columns: list[np.ndarray] = []
    for key in titles:
        names = ("mIoU", "wrong class", f"left to {value_names(table.classes)[0]}", "mIoU less reference")
        header += [f"{titles[key]}: {name}" for name in names]
        columns += [table.miou[key], table.wrong_class[key], table.lost[key], table.difference[key]]
    if moved is not None:
        header += _moved_header()
        columns += [*(moved.taken_back[kind] for kind in KINDS), *(moved.lost[kind] for kind in KINDS)]
    positions = np.arange(len(table)) if chosen is None else np.asarray(chosen)
    if positions.dtype == bool:
        positions = np.flatnonzero(positions)
    rows = (
        [
            table.ids[place],
            "; ".join(table.classes.names[k] for k in np.flatnonzero(table.present[place])),
            int(table.number[place]),
            float(table.largest[place]),
            *(column[place] for column in columns),
        ]
        for place in positions.tolist()
    )
    return csv_text(header, rows)


def cell_csv(ids: Sequence[str], positions: np.ndarray, pixels: np.ndarray) -> str:
    """The pictures of a cell: what :meth:`CellIndex.pictures` gave."""
    return csv_text(["id", "pixels"], ([ids[place], count] for place, count in zip(positions, pixels, strict=True)))


def moved_csv(found: TakenBack, positions: np.ndarray, pixels: np.ndarray, lost: bool = False) -> str:
    """Pictures in which a second method takes back errors of a first, or loses pixels to it.

    Args:
        found: what :func:`~recam_core.analysis.taken_back.taken_back` gave.
        positions, pixels: what its ``pictures`` gave.
        lost: whether these pixels are lost ones; the cell that most pixels moved from (or into) is written beside them.
    """
    names, cell = value_names(found.joint.classes), found.moved_cell(lost)
    header = ["id", "pixels", "scored pixels", *_moved_header()]
    header += ["most: ground truth", "most: taken for", "share before", "share after"]
    columns = [*(found.taken_back[kind] for kind in KINDS), *(found.lost[kind] for kind in KINDS)]
    rows = (
        [
            found.ids[place],
            int(count),
            int(found.scored[place]),
            *(int(column[place]) for column in columns),
            *(names[value[place]] if value[place] >= 0 else None for value in (cell.truth, cell.taken_for)),
            float(cell.before[place]),
            float(cell.after[place]),
        ]
        for place, count in zip(positions.tolist(), pixels.tolist(), strict=True)
    )
    return csv_text(header, rows)


def _moved_header() -> list[str]:
    return [f"{KIND_WORDS[kind]} {what}" for what in ("taken back", "lost") for kind in KINDS]


def tags_csv(entries: Sequence[Tagged]) -> str:
    """Tags and notes, one a line."""
    header = ["data", "picture", "tag", "note", "ground truth", "predicted", "written (UTC)"]
    return csv_text(header, ([e.data, e.picture, e.tag, e.note, e.truth, e.predicted, e.made] for e in entries))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else format(float(value), ".6g")
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
