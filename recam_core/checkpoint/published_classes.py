"""The class lists that the published checkpoints were trained on."""

from pathlib import Path

from recam_core.data.class_file import read_class_file
from recam_core.data.sample import ClassList
from recam_core.data.voc import VOC_CLASSES
from recam_core.errors import UserError

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


def classes_named(choice: str | None, count: int) -> ClassList:
    """The class list of a checkpoint.

    Args:
        choice: ``voc``, ``coco``, or a file with one name a line; None takes the known list with ``count`` names.
        count: K, the classes that the checkpoint tells apart.

    Raises:
        UserError: no list fits, or the chosen one has another number of names.
    """
    if choice is None:
        fitting = [names for names in KNOWN.values() if len(names) == count]
        if not fitting:
            known = ", ".join(f"{name} has {len(names)}" for name, names in KNOWN.items())
            raise UserError(f"The checkpoint has {count} classes ({known}); name them with --classes FILE.")
        return ClassList(fitting[0])
    names, where = (KNOWN[choice], choice) if choice in KNOWN else (_from_file(choice), choice)
    if len(names) != count:
        raise UserError(f"The checkpoint has {count} classes, but {where} names {len(names)}.")
    return ClassList(names)


def _from_file(choice: str) -> tuple[str, ...]:
    file = Path(choice)
    if not file.is_file():
        raise UserError(
            f"--classes takes {', '.join(KNOWN)} or a file with one class name a line; there is no {choice}."
        )
    return read_class_file(file)[0]
