"""Image-level labels from the XML files of the VOC devkit."""

import codecs
import re
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from recam_core.data.class_file import role_of_name
from recam_core.data.sample import BrokenItem, Fault

#: The largest files of VOC 2012 have some 20 kB.
MAX_BYTES = 2_000_000
#: What an annotation may be written in besides UTF-8 and UTF-16, by the names of Python's codecs. Python has others,
#: some of which are slow or no encodings of text.
ENCODINGS = re.compile(
    r"ascii|iso8859-\d+|cp\d+|gbk|gb2312|gb18030|big5|shift_jis|euc_jp|euc_kr|koi8-r|hz|utf-(8|16|32).*"
)
#: Tried in turn where none is declared and it is not UTF-8: tools on Chinese and Western Windows leave it out.
UNDECLARED = ("gb18030", "cp1252")
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")


def labels_from_xml(path: Path, class_index: dict[str, int]) -> np.ndarray:
    """K bools: the classes of all objects in the file, those marked ``difficult`` or ``truncated`` included.

    Difficult objects count because they are in the picture and mostly in the mask as well; leaving them out would
    teach the classifier that they are absent. Names of object parts (head, hand, foot) do not count.

    Elements may be in a namespace, and names in other letter case than the classes.

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
    text = _decoded(data)
    # Annotations need no document type; entities that expand without end need one.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BrokenItem(
            Fault(
                str(path),
                "the annotation declares a document type, which VOC annotations never do.",
                "damaged file",
            )
        )
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        message = f"this is not a well-formed XML file ({error})."
        raise BrokenItem(Fault(str(path), message, "damaged file")) from error
    labels = np.zeros(len(class_index), dtype=bool)
    folded = {name.casefold(): name for name in class_index}
    for element in root.findall("{*}object"):
        written = unicodedata.normalize("NFC", element.findtext("{*}name") or "").strip()
        name = written if written in class_index else folded.get(written.casefold(), "")
        if role_of_name(written) != "class":
            continue
        if name not in class_index:
            raise BrokenItem(
                Fault(
                    str(path),
                    f"class out of range: an object is called '{written}', which is no class of this set.",
                    "class out of range",
                )
            )
        labels[class_index[name]] = True
    return labels


def _decoded(data: bytes) -> str:
    """The text of an XML file without its declaration, by the encoding declared there; damage stays for the parser."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _DECLARATION.sub("", data.decode(encoding, "replace"), count=1)
    declared = re.match(rb"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""", data)
    names = ["utf-8"]
    if declared:
        try:
            found = codecs.lookup(declared[1].decode("ascii")).name
            names.insert(0, found if ENCODINGS.fullmatch(found) else "utf-8")
        except LookupError:
            pass
    for name in (*names, *UNDECLARED):
        try:
            return _DECLARATION.sub("", data.decode(name), count=1)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")
