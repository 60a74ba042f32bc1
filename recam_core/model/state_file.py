"""Weights in a file from elsewhere: their names and tensors, read without running code from it; and what a file is that
holds none."""

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from recam_core.errors import UserError
from recam_core.file_reader import OpenFile, file_sha256, opened_file, shown_name
from recam_core.words import megabytes

#: The endings of the files that are read.
SUFFIXES = (".pth", ".pt", ".safetensors")
#: Bytes that a file may have: a training's checkpoint has an optimizer's state in it, twice the size of the weights.
LARGEST = 4 << 30
#: Under these names programs keep the weights beside an epoch, an optimizer and the like.
_WRAPPERS = (
    *("state_dict", "model_state_dict", "net_state_dict", "network_state_dict", "model", "net", "network", "weights"),
    *("params", "model_dict", "checkpoint"),
)
#: What DataParallel and torch.compile put into the names, wherever in the network they were used.
_PARTS = ("module", "_orig_mod")
#: In front of every name where the network was an attribute of something.
_PREFIXES = {*_WRAPPERS, "ema"}
#: Counts that averaging puts beside the weights.
_COUNTS = ("n_averaged",)
#: Entries beside the weights that are no weights: a program's own notes.
_NOTES = (int, float, str, bytes, bool, type(None))
#: What torch.load and its unpickler raise for files that are damaged or something else.
_LOAD_ERRORS = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    MemoryError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
)


def file_record(file: OpenFile) -> dict[str, str]:
    """Name and SHA-256 of a file, for the record of what is made of it."""
    return {"file": Path(shown_name(file)).name, "sha256": file_sha256(file)}


def read_state(file: OpenFile) -> dict[str, Tensor]:
    """The tensors of a ``.pth``, ``.pt`` or ``.safetensors`` file by name.

    What programs put around the weights (``state_dict``, ``model_state_dict``, ...) and in front of their names
    (``module.``, ``_orig_mod.``, ``model.``, ``net.``, ...) is taken off.

    Raises:
        UserError: the file is missing, truncated or something else, holds code, or holds no tensors by name.
    """
    name = shown_name(file)
    with opened_file(file, LARGEST, advice=", too large for weights.") as (stream, size):
        if size == 0:
            raise UserError(f"{name} is {file_kind(b'')}.")
        head = stream.read(HEAD)
        stream.seek(0)
        try:
            content = _safetensors(stream, name) if name.endswith(".safetensors") else _torch(stream, name, size)
        except UserError as error:
            # Only now: what can be read is what it is, however it begins.
            asks = isinstance(error.__cause__, pickle.UnpicklingError) and "GLOBAL" in str(error.__cause__)
            if not asks and (kind := file_kind(head)):
                raise UserError(f"{name} holds no weights: it is {kind}.") from error
            raise
    content = _unwrapped(content, name)
    state = {key: one for key, one in content.items() if not isinstance(one, _NOTES) and key not in _COUNTS}
    if not state:
        raise UserError(
            f"{name} holds no state dict (named weights): none of its {len(content):,} entries is a tensor."
        )
    for key, value in state.items():
        if fault := _fault(key, value):
            raise UserError(f"{name} holds no plain weights: its entry {_short(key)} {fault}.")
    return _plain_names(state, name)


def _unwrapped(content: Any, name: str) -> Mapping:
    """The named weights in what programs put around them."""
    for _ in range(4):
        if not _is_map(content) or not content:
            raise UserError(f"{name} holds no state dict (named weights) but {type(content).__name__}.")
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None and not any(isinstance(value, Tensor) for value in content.values()):
            # Under a name that is not known: the one entry that holds weights, if it is one.
            found = {key: value for key, value in content.items() if _is_map(value) and _has_weights(value)}
            if len(found) > 1:
                listed = ", ".join(_short(key) for key in list(found)[:4])
                raise UserError(
                    f"{name} holds weights several times, as {listed}. Save the one that is meant alone: "
                    "torch.save(checkpoint[NAME], FILE)."
                )
            inner = next(iter(found.values()), None)
        if inner is None:
            break
        content = inner
    return content


def _has_weights(content: Mapping) -> bool:
    """Whether it holds tensors by name, itself or in one of the usual wrappings."""
    inner = [content, *(content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping))]
    return any(isinstance(key, str) and isinstance(value, Tensor) for one in inner for key, value in one.items())


def _fault(key: object, value: object) -> str:
    """Why an entry is no plain weight, as the rest of a sentence; "" for one that is."""
    if not isinstance(key, str):
        return "has no name"
    if not isinstance(value, Tensor):
        return f"is no tensor but {type(value).__name__}"
    if value.is_quantized:
        return (
            f"is quantised ({str(value.dtype).removeprefix('torch.')}), so that its numbers stand for others; save "
            "the network as it was before it was quantised"
        )
    if value.is_meta:
        return "has a shape and no numbers (it lies on torch's 'meta' device); save the network after its weights came"
    if value.layout != torch.strided:
        return f"is sparse ({str(value.layout).removeprefix('torch.')}); save it by value.to_dense()"
    return ""


def finite(value: Tensor, key: str, name: str) -> Tensor:
    """The tensor, if all its values are numbers.

    Raises:
        UserError: some are NaN or infinite.
    """
    # Numbers of 8 bits have few operations of their own.
    seen = value.float() if value.is_floating_point() and value.element_size() == 1 else value
    if value.is_floating_point() and not torch.isfinite(seen).all():
        raise UserError(f"{name} is damaged, or its training failed: {key!r} has values that are not finite.")
    return value


def shape_words(value: Tensor) -> str:
    """A shape as messages write it, such as ``20x2048x1x1``."""
    return "x".join(map(str, value.shape)) or "scalar"


def _is_map(content: Any) -> bool:
    return isinstance(content, Mapping)


def _safetensors(stream: BinaryIO, name: str) -> dict[str, Tensor]:
    try:
        return load_safetensors(stream.read())
    except (SafetensorError, *_LOAD_ERRORS) as error:
        raise UserError(f"{name} is no whole safetensors file; it is truncated or something else.") from error


def _torch(stream: BinaryIO, name: str, size: int) -> Any:
    try:
        if zipfile.is_zipfile(stream):
            stream.seek(0)
            _refuse_packed(stream, name, size)
        stream.seek(0)
        with warnings.catch_warnings():
            # torch asks the reader to report odd pickles to it; the sentences below say what a person can do.
            warnings.simplefilter("ignore")
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        found = f"a pickle that asks for {asked[1]}" if asked else "a pickle with other objects, or no checkpoint"
        raise UserError(
            f"{name} was refused, and nothing in it was run: it is not plain weights but {found}. If you trust it, "
            "save its state dict alone from the program that made it."
        ) from error
    except _LOAD_ERRORS as error:
        raise UserError(f"{name} cannot be read as a checkpoint: it is truncated or of another kind.") from error


def _refuse_packed(stream: BinaryIO, name: str, size: int) -> None:
    """torch stores its files as they are; one that unpacks to more than there is was made to fill the memory."""
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise UserError(f"{name} is compressed, which no file of torch is. Unpack it first, and import what is in it.")
    if sum(entry.file_size for entry in entries) > size:
        raise UserError(f"{name} says that it holds more than it has; it is refused.")


def _plain_names(content: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors by their names without what wrappers put in front of them."""
    keys = {key: ".".join(part for part in key.split(".") if part not in _PARTS) for key in content}
    while len(first := {key.rpartition(".")[0].partition(".")[0] for key in keys.values()}) == 1 and first <= _PREFIXES:
        keys = {old: key.partition(".")[2] for old, key in keys.items()}
    state = {}
    for old, key in keys.items():
        if key in state:
            raise UserError(f"{name} holds {key!r} twice: under this name and as {_short(old)}.")
        state[key] = content[old]
    return state


def _short(key: object) -> str:
    return repr(key)[:100]


# What a file is that is not what its name says ------------------------------------------------------------------------


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
        of = f" of a file of {megabytes(int(size[1][:15]))}" if size else ""
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
