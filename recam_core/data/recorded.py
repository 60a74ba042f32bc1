"""Where the pictures of a record are: as it says, or below the folder of served data sets."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from recam_core.data.download import SOURCES
from recam_core.data.found_sets import find_sets
from recam_core.data.sample import ClassList
from recam_core.data.spec import KINDS, open_dataset, parse_spec
from recam_core.errors import UserError
from recam_core.folders import data_root, data_roots
from recam_core.guest import own_root, told
from recam_core.typed_path import pictures_path


class PicturesMissing(UserError):
    """The pictures of a record are not on this computer.

    Attributes:
        folder: the name of their folder.
        download: the name of the download that brings it; "" where there is none.
    """

    def __init__(self, spec: str, folder: str, download: str):
        root = told(str(data_root()))
        how = (
            f"'python -m recam_core data download {download}' brings them."
            if download
            else f"Put their folder '{folder}' below {root}."
        )
        super().__init__(f"The pictures of {spec} are not here: neither where the record says nor below {root}. {how}")
        self.folder = folder
        self.download = download


def recorded_data(spec: str, classes: ClassList) -> str:
    """The specification that opens the pictures which a record names.

    A run may have been made on another computer, or in another folder. Pictures that are not where its record says
    are looked for below :func:`~recam_core.folders.data_root`, in a folder of the same name.

    Args:
        spec: as the record says it.
        classes: those of the record.

    Returns:
        ``spec`` itself, where there is such a folder or it needs none; else one with the folder that was found, and
        the same split.

    Raises:
        PicturesMissing: (a UserError) there is no such folder.
        UserError: a folder of that name is there, but it lacks the split, or holds other classes; or the specification
            cannot be read.
    """
    parsed = parse_spec(spec)
    if not KINDS[parsed.kind].root or _is_here(parsed.root):
        return spec
    name = PurePosixPath(parsed.root.replace("\\", "/").rstrip("/")).name
    refused = ""
    for folder in _folders(name):
        found = str(replace(parsed, root=own_root(folder)))
        try:
            opened = open_dataset(found)
        except UserError as error:
            refused = refused or told(f"The pictures of {spec} were looked for in {folder}: {error}")
            continue
        if opened.classes == classes:
            return found
        refused = refused or (
            f"The pictures of {spec} were looked for in {told(str(folder))}, but that holds other classes than the "
            f"record ({', '.join(opened.classes.names[:6])}, ...); it is another data set."
        )
    if refused:
        raise UserError(refused)
    raise PicturesMissing(spec, name, _download_of(name))


def _is_here(root: str) -> bool:
    try:
        path = pictures_path(root)
    except UserError:
        return False  # a guest is not told whether it is
    return path is not None and path.is_dir()


def _folders(name: str) -> list[Path]:
    """Folders of this name that are a data set, or that hold one, below the roots."""
    found: dict[Path, None] = {}
    for root in data_roots() if name else ():
        places = [PurePosixPath(one.place).parts for one in find_sets(root).sets]
        found |= {root.joinpath(*parts[: parts.index(name) + 1]): None for parts in places if name in parts}
    return list(found)


def _download_of(name: str) -> str:
    """The download whose folder has this name."""
    return next((key for key, source in SOURCES.items() if PurePosixPath(source.folder).name == name), "")
