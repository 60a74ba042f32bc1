"""One reader of files for all that reads what people name: the same bounds, and the same words for what is wrong."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from recam_core import file_reader
from recam_core.checkpoint.tensor_file import load_tensors, read_tensors, write_tensors
from recam_core.data import coco_index, image_io, mask_io, voc
from recam_core.data.class_file import read_class_file
from recam_core.data.label_table import read_label_table
from recam_core.data.sample import BrokenItem
from recam_core.data.upload import picture_bytes
from recam_core.errors import UserError
from recam_core.file_reader import FileError, file_bytes, file_lines, file_sha256, first_bytes
from recam_core.model import state_file
from recam_core.records import RecordError, read_record
from recam_core.zip_entries import opened_zip

SMALL = image_io.PhotoLimits(max_bytes=1000)


def _zip(path: Path) -> None:
    with opened_zip(path, 1000, "pack it again"):
        pass


#: Everybody who reads a file of a user, with at most 1000 bytes.
READERS: dict[str, Callable[[Path], object]] = {
    "bytes": lambda path: file_bytes(path, 1000),
    "photo": lambda path: image_io.read_photo(path, limits=SMALL),
    "mask": lambda path: mask_io.read_mask(path, limits=SMALL),
    "picture": picture_bytes,
    "list": read_class_file,
    "table": read_label_table,
    "annotation": lambda path: voc.labels_from_xml(path, {"cow": 0}),
    "coco": coco_index.read_index,
    "weights": state_file.read_state,
    "zip": _zip,
    "record": lambda path: read_record(path, 1000),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test reaches."""
    monkeypatch.setattr(file_reader.file_text, "__defaults__", (1000,))
    monkeypatch.setattr(file_reader.file_lines, "__defaults__", (1000,))
    monkeypatch.setattr("recam_core.data.upload.DATASET_LIMITS", SMALL)
    monkeypatch.setattr(voc, "MAX_BYTES", 1000)
    monkeypatch.setattr(coco_index, "MAX_BYTES", 1000)
    monkeypatch.setattr(state_file, "LARGEST", 1000)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_says_the_same_of_the_same(reader: str, tmp_path: Path) -> None:
    read, file = READERS[reader], tmp_path / "a.png"
    with pytest.raises(UserError, match=r"a\.png: this file is missing\."):
        read(file)
    os.mkfifo(file)
    with pytest.raises(UserError, match=r"a\.png: this is a folder, a pipe or a device, not a file\."):
        read(file)
    file.unlink()
    file.write_bytes(b"{" * 1001)
    with pytest.raises(UserError, match=r"a\.png: this file is larger than 0\.001 MB"):
        read(file)
    with pytest.raises(UserError, match=r"x: this file cannot be read \(File name too long\)\."):
        read(tmp_path / ("x" * 300))


def test_what_is_missing_is_known_as_such(tmp_path: Path) -> None:
    for error, read in ((FileError, READERS["bytes"]), (RecordError, READERS["record"]), (FileError, read_tensors)):
        with pytest.raises(error) as caught:
            read(tmp_path / "a")
        assert caught.value.is_missing, read
    with pytest.raises(BrokenItem) as broken:
        READERS["annotation"](tmp_path / "a.xml")
    assert broken.value.fault.kind == "missing file"
    (tmp_path / "a.xml").mkdir()
    with pytest.raises(BrokenItem) as broken:
        READERS["annotation"](tmp_path / "a.xml")
    assert broken.value.fault.kind == "damaged file"


def test_a_file_that_grows_while_it_is_read_is_read_whole_and_never_beyond_its_bound() -> None:
    class Growing(io.BytesIO):
        grown = 0

        def read(self, size: int | None = -1) -> bytes:
            found = super().read(size)
            if self.grown:
                at = self.tell()
                self.seek(0, os.SEEK_END)
                self.write(b"b" * self.grown)
                self.seek(at)
                self.grown = 0
                found += super().read((size or 0) - len(found))
            return found

    stream = Growing(b"a" * 10)
    stream.grown = 20
    assert file_bytes(stream, 30) == b"a" * 10 + b"b" * 20
    stream.grown = 1
    with pytest.raises(FileError, match="larger"):
        file_bytes(stream, 30)


def test_a_stream_of_the_callers_is_read_from_its_beginning_and_stays_open() -> None:
    stream = io.BytesIO(b"cow\n\n sheep \n")
    stream.read()
    assert file_lines(stream) == ["cow", "sheep"]
    assert len(file_sha256(stream)) == 64
    assert not stream.closed


def test_looking_at_the_beginning_of_what_is_no_file_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcd")
    assert first_bytes(tmp_path / "a", 3) == b"abc"
    assert first_bytes(tmp_path, 3) == first_bytes(tmp_path / "none", 3) == b""


def test_weights_that_do_not_fit_come_with_the_advice(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    network = torch.nn.Linear(2, 3)
    assert write_tensors(file, network.state_dict(), {"kind": "test"}) == file_sha256(file)
    assert torch.equal(read_tensors(file)["weight"], network.weight)
    load_tensors(torch.nn.Linear(2, 3), file, "Train it again.")
    with pytest.raises(UserError, match=r"a\.safetensors is of another architecture\. Train it again\."):
        load_tensors(torch.nn.Linear(2, 4), file, "Train it again.")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"no whole safetensors file.* Train it again\."):
        load_tensors(torch.nn.Linear(2, 3), file, "Train it again.")
