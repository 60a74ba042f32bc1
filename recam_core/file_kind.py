"""What a file is that is not what its name says: a pointer to a file, an error page, another program's format."""

import re

#: Bytes from the beginning of a file that tell its kind.
HEAD = 1024

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes it"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x1f\x8b", "packed by gzip; unpack it first"),
    (b"BZh", "packed by bzip2; unpack it first"),
    (b"\xfd7zXZ\x00", "packed by xz; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it first"),
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF-", "a PDF file"),
)


def file_kind(head: bytes) -> str:
    """What a file is by its first bytes, with what to do about it, as the rest of a sentence: "it is ...".

    Args:
        head: the first :data:`HEAD` bytes, or all that there are.

    Returns:
        "" for what is not recognised, and for a zip archive, which many formats are.
    """
    if not head:
        return "empty; the copy or download broke off before its first byte"
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> str:
    # A byte of a letter may be cut off at the end.
    text = head.decode("utf-8-sig", errors="ignore").lstrip()
    if len(text) < 0.9 * len(head.strip()) or any(letter in text for letter in "\0\x01\x02\x03\x04"):
        return ""
    lowered = text.lower()
    if lowered.startswith("version https://git-lfs.github.com/spec"):
        size = re.search(r"^size (\d+)", text, re.MULTILINE)
        of = f" of a file of {int(size[1][:15]) / 1e6:,.1f} MB" if size else ""
        return f"only the git-lfs pointer{of}, not the file itself; get that by `git lfs pull`, or download it"
    if re.match(r"(\.\./|/)*(\.git/)?annex/objects/", text):
        return "only a git-annex pointer, not the file itself; get that by `git annex get`"
    if lowered.startswith(("<!doctype html", "<html", "<head", "<!-- ")) or "<html" in lowered:
        title = re.search(r"<title[^>]*>([^<]{1,80})", text, re.IGNORECASE)
        named = f" ('{' '.join(title[1].split())}')" if title and title[1].strip() else ""
        return f"an HTML page{named}: a server sent a page instead of the file; download it again by a browser"
    if lowered.startswith("<?xml") or re.match(r"<[a-z][\w:.-]*[\s/>]", lowered):
        return "an XML file, perhaps a server's error message; download it again"
    if re.match(r"[{\[]\s*[\"\]}\[{\d-]", text):
        return "a JSON file, perhaps a server's error message; download it again"
    return f"a text that begins with '{' '.join(text[:40].split())}'"
