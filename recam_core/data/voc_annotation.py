"""Image-level labels from the XML files of the VOC devkit."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from recam_core.data.sample import BrokenItem, Fault

#: The largest files of VOC 2012 have some 20 kB.
MAX_BYTES = 2_000_000


def labels_from_xml(path: Path, class_index: dict[str, int]) -> np.ndarray:
    """K bools: the classes of all objects in the file, those marked ``difficult`` or ``truncated`` included.

    Difficult objects count because they are in the picture and mostly in the mask as well; leaving them out would
    teach the classifier that they are absent. Names of object parts (head, hand, foot) do not count.

    Raises:
        BrokenItem: missing or damaged file, a name that is no class.
    """
    try:
        if not path.is_file():
            raise BrokenItem(Fault(str(path), "this file is missing.", "missing file"))
        if path.stat().st_size > MAX_BYTES:
            raise BrokenItem(Fault(str(path), "this annotation is far too large for a VOC annotation.", "damaged file"))
        data = path.read_bytes()
    except OSError as error:
        message = f"this file cannot be read ({error.strerror or error})."
        raise BrokenItem(Fault(str(path), message, "damaged file")) from error
    # Annotations need no document type; entities that expand without end need one.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BrokenItem(
            Fault(
                str(path),
                "the annotation declares a document type, which VOC annotations never do.",
                "damaged file",
            )
        )
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        message = f"this is not a well-formed XML file ({error})."
        raise BrokenItem(Fault(str(path), message, "damaged file")) from error
    labels = np.zeros(len(class_index), dtype=bool)
    for element in root.findall("object"):
        name = (element.findtext("name") or "").strip()
        if name not in class_index:
            raise BrokenItem(
                Fault(
                    str(path),
                    f"class out of range: an object is called '{name}', which is no class of this set.",
                    "class out of range",
                )
            )
        labels[class_index[name]] = True
    return labels
