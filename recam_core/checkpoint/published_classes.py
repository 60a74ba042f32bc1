"""The class list of an imported classifier, and which of its rows is the background's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from recam_core.data.class_file import check_class_names, read_class_file, role_of_name
from recam_core.data.sample import ClassList
from recam_core.data.voc import VOC_CLASSES
from recam_core.errors import UserError
from recam_core.typed_path import typed_path

#: The name that is no class: pixels of none.
BACKGROUND_NAME = "background"
#: MS COCO's categories, ordered by their ids in the annotation files.
COCO_CLASSES: tuple[str, ...] = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard"),
    *("cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors"),
    *("teddy bear", "hair drier", "toothbrush"),
)
KNOWN: dict[str, tuple[str, ...]] = {"voc": tuple(VOC_CLASSES), "coco": COCO_CLASSES}


@dataclass(frozen=True)
class FittedClasses:
    """The classes of a classifier.

    Attributes:
        classes: K names, and whether the pictures have a background.
        background_row: which of its K + 1 rows is the background's; None where each row is a class.
    """

    classes: ClassList
    background_row: int | None


def named_rows(choice: str) -> tuple[str, ...]:
    """The names that a person gave, ``background`` among them where it was named.

    Args:
        choice: ``voc``, ``coco``, a file with one name a line, or the names themselves with commas or line ends
            between them.

    Raises:
        UserError: no name, a name twice, too many names, or a file that is not there.
    """
    if choice.strip().lower() not in KNOWN and not re.search(r"[,\n]", choice):
        file = typed_path(choice.strip())
        if file is None or not file.is_file():
            raise UserError(
                f"The classes are {', '.join(KNOWN)}, a file with one class name a line, or names with commas between "
                f"them; there is no file {choice}."
            )
        listed = read_class_file(file)
        return (BACKGROUND_NAME, *listed.names) if listed.has_background else listed.names
    return typed_names(choice)


def typed_names(text: str, a_line: bool = False) -> tuple[str, ...]:
    """Names that were typed with commas or line ends between them; ``voc`` and ``coco`` stand for theirs.

    Args:
        text: the names.
        a_line: whether each line is one name, whatever it holds, as in a classes.txt.

    Raises:
        UserError: no name, a name twice, or too many names.
    """
    if text.strip().lower() in KNOWN:
        return KNOWN[text.strip().lower()]
    names = tuple(name for name in (part.strip() for part in re.split(r"\n" if a_line else r"[,\n]", text)) if name)
    names = tuple(BACKGROUND_NAME if role_of_name(name) == "background" else name for name in names)
    check_class_names([name for name in names if not _is_background(name)], "the class list")
    if sum(map(_is_background, names)) > 1:
        raise UserError("the class list: the background occurs more than once.")
    return names


def fit_classes(names: Sequence[str] | None, rows: int, has_background: bool | None, what: str) -> FittedClasses:
    """The class list of a classifier with this many rows.

    Args:
        names: as :func:`named_rows` gives them; None takes VOC's or COCO's, whichever fits.
        rows: of the classifier.
        has_background: whether pixels of no class are background; None decides that they are. A list that names the
            background has said so itself.
        what: the classifier, for messages.

    Raises:
        UserError: no list fits, or the given one has another number of names.
    """
    if names is None:
        names = _known(rows, what)
        if has_background is False and _is_background(names[0]):
            raise UserError(
                f"{what} has {rows} rows, which are the {rows - 1} classes of VOC or COCO and a background. If each "
                "pixel has a class, it is of other classes: say what they are called."
            )
    classes = tuple(name for name in names if not _is_background(name))
    if len(classes) == len(names):
        if rows == len(names) + 1:
            raise UserError(
                f"{what} has {rows} rows, one more than there are class names. If it is the background's, put "
                f"'{BACKGROUND_NAME}' into the list where its row is: first, or last."
            )
        if rows != len(names):
            raise UserError(f"{what} has {rows} rows, but {len(names)} classes are named.")
        return FittedClasses(ClassList(classes, has_background is not False), None)
    if has_background is False:
        raise UserError(
            "The class list names a background, so there is one; take the name out, or leave the background."
        )
    if rows not in (len(classes), len(names)):
        raise UserError(f"{what} has {rows} rows, but {len(classes)} classes and a background are named.")
    place = next(row for row, name in enumerate(names) if _is_background(name))
    return FittedClasses(ClassList(classes, has_background=True), place if rows == len(names) else None)


def _known(rows: int, what: str) -> tuple[str, ...]:
    for names in KNOWN.values():
        if rows == len(names):
            return names
        if rows == len(names) + 1:
            return (BACKGROUND_NAME, *names)  # where VOC's and COCO's masks have it
    known = ", ".join(f"{name} has {len(names)}" for name, names in KNOWN.items())
    raise UserError(f"{what} has {rows} rows ({known} classes): say what its classes are called.")


def _is_background(name: str) -> bool:
    return name.lower() == BACKGROUND_NAME
