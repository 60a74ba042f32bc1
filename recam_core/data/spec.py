"""Data sets by name: ``KIND[:ROOT][@SPLIT]``, as in ``voc:/data/VOC2012@train`` or ``scenes@val``."""

import importlib
import re
from dataclasses import dataclass

from recam_core.data.photo_folder import is_text
from recam_core.data.sample import Dataset
from recam_core.data.subset import PARTS, take_part
from recam_core.errors import UserError
from recam_core.guest import guest
from recam_core.typed_path import pictures_path, typed_path


@dataclass(frozen=True)
class Kind:
    """One kind of data set.

    Attributes:
        module: where its opener is; imported when the kind is used for the first time.
        opener: function of (root or options: str, split: str | None) that returns a Dataset.
        form: how its specification is written.
        what: one line for help texts.
        root: whether the text after the colon is a folder, which must be there.
    """

    module: str
    opener: str
    form: str
    what: str
    root: bool = True


#: Letters of a specification: more than any file system takes in a path.
LONGEST = 5_000
#: Control characters, and halves of surrogate pairs, which stand for bytes of a path that are not UTF-8.
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

#: A new kind of data set is one file and one entry here.
KINDS: dict[str, Kind] = {
    "voc": Kind(
        "recam_core.data.voc",
        "open_voc",
        "voc:ROOT@SPLIT",
        "PASCAL VOC, or any set in its layout with a classes.txt",
    ),
    "coco": Kind(
        "recam_core.data.coco",
        "open_coco",
        "coco:ROOT@SPLIT",
        "MS COCO, or an export in its form (CVAT, Label Studio, Roboflow)",
    ),
    "folder": Kind(
        "recam_core.data.folder",
        "open_folder",
        "folder:ROOT[@SPLIT]",
        "a folder of your own pictures, masks, labels",
    ),
    "scenes": Kind(
        "recam_core.scenes",
        "open_scenes",
        "scenes[:OPTIONS]@SPLIT",
        "pictures that the project draws itself",
        root=False,
    ),
    "gallery": Kind(
        "recam_core.data.gallery",
        "open_gallery",
        "gallery",
        "photographs inside installed packages",
        root=False,
    ),
}


@dataclass(frozen=True)
class Spec:
    """A specification in its pieces; ``part`` is ``fit``, ``select`` or None."""

    kind: str
    root: str
    split: str | None
    part: str | None

    def __str__(self) -> str:
        text = self.kind + (f":{self.root}" if self.root else "")
        if self.split is not None:
            text += f"@{self.split}" + (f".{self.part}" if self.part else "")
        return text


def parse_spec(text: str) -> Spec:
    """Take a specification apart; nothing is opened.

    The split begins at the last '@' that no '/' follows, so a root may hold '@' and ':'. Where such a tail belongs
    to the name of an existing folder, it is taken as part of the root.

    Raises:
        UserError: an unknown kind, or a kind without its root.
    """
    text = text.strip()
    if len(text) > LONGEST or _ODD.search(text):
        raise UserError(
            f"{text[:60]!a} does not name a data set: it is longer than {LONGEST:,} letters, or holds signs that "
            "cannot be shown. Write it anew; rename a folder whose name is not UTF-8."
        )
    match = re.match(r"([A-Za-z0-9_]+)(?=[:@]|$)", text)
    if match is None or match[1] not in KINDS:
        forms = "\n".join(f"  {kind.form:<24} {kind.what}" for kind in KINDS.values())
        hint = ""
        if (path := typed_path(text)) is not None and path.exists():
            hint = f" To open the folder, say which layout it has, for example 'voc:{text}' or 'folder:{text}'."
        raise UserError(f"'{text}' does not name a data set.{hint} A data set is written as one of\n{forms}")
    kind = match[1]
    rest = text[match.end() :]
    root, split = (rest[1:], None) if rest.startswith(":") else ("", None)
    body = root if rest.startswith(":") else rest
    at = body.rfind("@")
    belongs = at > 0 and KINDS[kind].root and _is_folder(body) and not _is_folder(body[:at])
    if at >= 0 and "/" not in body[at:] and not belongs:
        root, split = body[:at], body[at + 1 :]
        if not split:
            raise UserError(f"'{text}' ends with '@'; write the name of a split after it, or leave the '@' out.")
    if KINDS[kind].root and not root:
        raise UserError(f"'{text}' does not say where the data set is; write {KINDS[kind].form}.")
    return _with_split(Spec(kind, root, None, None), split)


def _is_folder(text: str) -> bool:
    try:
        path = pictures_path(text)
    except UserError:
        return False  # a guest may not know
    return path is not None and path.is_dir()


def _refuse_halves(dataset: Dataset, spec: str) -> None:
    """Refuse names that no page and no file can hold; annotations in JSON may have them, as escapes."""
    for what, names in (("class", dataset.classes.names), ("picture", dataset.ids)):
        if not is_text("".join(names)):
            name = next(name for name in names if not is_text(name))
            raise UserError(f"{spec}: the name of the {what} {name[:60]!a} holds half of a surrogate pair; rename it.")


def _with_split(spec: Spec, split: str | None) -> Spec:
    part = None
    if split is not None:
        for name in PARTS:
            if split.endswith(f".{name}"):
                split, part = split[: -len(name) - 1], name
        if not split:
            raise UserError(f"'@.{part}' lacks the name of a split, as in '@train.{part}'.")
    return Spec(spec.kind, spec.root, split, part)


def open_dataset(spec: str, split: str | None = None) -> Dataset:
    """Open a data set; pictures are read only when they are asked for.

    Args:
        spec: ``KIND[:ROOT][@SPLIT]``. Without a split each kind has a default of its own. ``@SPLIT.fit`` and
            ``@SPLIT.select`` are four fifths and one fifth of a split (see :mod:`recam_core.data.subset`).
        split: takes the place of the split in ``spec``; may be ``SPLIT.fit`` or ``SPLIT.select``, too.

    Raises:
        UserError: unknown kind, missing folder, missing split: the message lists what there is. What a guest may not
            see is refused in one sentence, whether it is there or not.
    """
    parsed = parse_spec(spec)
    if split is not None:
        parsed = _with_split(parsed, split)
    kind = KINDS[parsed.kind]
    root = parsed.root
    if kind.root:
        folder = pictures_path(root)
        if folder is None or not folder.is_dir():
            raise UserError(f"There is no folder {root} (asked for by '{spec}'); check the path.")
        root = str(folder)
    opener = getattr(importlib.import_module(kind.module), kind.opener)
    try:
        dataset = opener(root, parsed.split)
    except OSError as error:
        # A folder that is gone or closed to us in this moment, or a name that is too long to be one.
        raise UserError(f"'{spec}' cannot be read: {error.strerror or error}.") from error
    if root != parsed.root and root in dataset.spec and guest() is not None:
        dataset.spec = dataset.spec.replace(root, parsed.root, 1)  # by which records and caches know the set
    _refuse_halves(dataset, spec)
    return dataset if parsed.part is None else take_part(dataset, parsed.part, str(parsed))
