"""What a packed run may look like; all of it is checked before a byte is unpacked."""

from zipfile import ZipInfo

from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, WEIGHTS_FILE
from recam_core.errors import UserError
from recam_core.theory.negatives import NEGATIVES_FILE
from recam_core.zip_entries import plain_parts, shown

#: The files that a run consists of, and how many bytes each may have: 1 GiB of weights is ten times the ResNet-50's.
FILES = {WEIGHTS_FILE: 1 << 30, INFO_FILE: 4 << 20, METRICS_FILE: 16 << 20, NEGATIVES_FILE: 16 << 20}
NEEDED = (WEIGHTS_FILE, INFO_FILE)
#: Bytes that a zip of one run may have.
LARGEST_ZIP = sum(FILES.values()) + (1 << 20)
#: Weights hardly shrink and records shrink tenfold: what unpacks to more than this multiple is made to fill a disk.
#: Below the bound in bytes nothing is worth such a trick.
_MOST_GROWTH, _SMALL = 40, 32 << 20
#: The files, and the folder around them.
_MOST_ENTRIES = len(FILES) + 1


def check_entries(entries: list[ZipInfo], zip_bytes: int) -> dict[str, ZipInfo]:
    """The entries of the run's files by their plain names.

    Args:
        entries: all that the zip lists.
        zip_bytes: of the whole zip.

    Raises:
        UserError: the first thing that a packed run does not have.
    """
    if len(entries) > _MOST_ENTRIES:
        raise UserError(f"The zip holds {len(entries)} entries; a packed run holds at most {_MOST_ENTRIES}.")
    found: dict[str, ZipInfo] = {}
    folders = set()
    for entry in entries:
        folder, name = _place(entry)
        folders.add(folder)
        if entry.is_dir():
            continue
        if name not in FILES:
            raise UserError(f"The zip holds {shown(entry)}, which no run has; a run is {', '.join(FILES)}.")
        if name in found:
            raise UserError(f"The zip holds {name} twice; a packed run holds one run.")
        if entry.file_size > FILES[name]:
            raise UserError(f"{name} in the zip would take {entry.file_size >> 20} MB; {FILES[name] >> 20} MB is most.")
        found[name] = entry
    if len(folders) > 1:
        raise UserError("The files in the zip lie in several folders; a packed run has them in one.")
    for name in NEEDED:
        if name not in found:
            raise UserError(f"The zip is no packed run: it has no {name}.")
    total = sum(entry.file_size for entry in found.values())
    if total > max(_SMALL, _MOST_GROWTH * zip_bytes):
        raise UserError(f"The zip would unpack to {total >> 20} MB, far more than a run of its size; it is refused.")
    return found


def _place(entry: ZipInfo) -> tuple[str, str]:
    """Folder ('' for none) and name of an entry; refuses what is not a plain file or folder in a plain place."""
    parts = plain_parts(entry, "a run")
    if len(parts) > (1 if entry.is_dir() else 2):
        raise UserError(f"{shown(entry)} in the zip does not lie where the files of a run lie; it is refused.")
    if entry.is_dir():
        return parts[0] if parts else "", ""
    return (parts[0] if len(parts) == 2 else ""), parts[-1]
