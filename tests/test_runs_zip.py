"""Runs as zips: what is packed comes out the same elsewhere, and nothing else is let in."""

import io
import json
import os
import shutil
import stat
import zipfile
from collections import Counter, namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from recam_core.checkpoint.run_folder import load_run, read_info
from recam_core.errors import UserError
from recam_core.runs import run_zip
from recam_core.runs.listed import find_run
from recam_core.runs.run_zip import FILES, LARGEST_ZIP, check_entries, export_name, export_run, import_run, zipped
from recam_core.theory.negatives import NEGATIVES_FILE
from run_folders import write_run

#: What a run of these tests consists of; a training leaves its curve of gradients as well.
HERE = set(FILES) - {NEGATIVES_FILE}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run."""
    folder = tmp_path_factory.mktemp("made")
    write_run(folder / "alpha", "recam", scores={"val": {"rectified_product": {"miou": 0.5}}})
    return folder / "alpha"


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs are unpacked to."""
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path / "assets"))
    return tmp_path / "runs"


def packed(made: Path, change: Callable[[dict[str, bytes]], object] = lambda files: None) -> io.BytesIO:
    """A zip of the run's files after a change; names are as in the zip.

    Its weights are stored as they are: they hardly shrink, and packing them would take most of the time of a test.
    """
    files = {f"alpha/{file.name}": file.read_bytes() for file in sorted(made.iterdir())}
    weights = files["alpha/model.safetensors"]
    change(files)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content, zipfile.ZIP_STORED if content == weights else None)
    return stream


def with_record(**values: object) -> Callable[[dict[str, bytes]], object]:
    def change(files: dict[str, bytes]) -> None:
        files["alpha/run.json"] = json.dumps(json.loads(files["alpha/run.json"]) | values).encode()

    return change


def refused(stream: io.BytesIO, runs: Path, match: str, name: str = "") -> None:
    """Importing says why not, and leaves nothing."""
    with pytest.raises(UserError, match=match) as caught:
        import_run(stream, name)
    assert str(runs) not in str(caught.value) or "Cannot" in str(caught.value) or "unpacked" in str(caught.value)
    assert not runs.exists() or [path.name for path in runs.iterdir() if path.name != ".lock"] == []


def test_there_and_back(made: Path, runs: Path, tmp_path: Path) -> None:
    run = find_run(str(made))
    file = export_run(run, tmp_path)
    assert file == tmp_path / "alpha.zip"
    assert export_name(run) == "alpha.zip"
    assert file.read_bytes() == zipped(run)
    assert import_run(file) == runs / "alpha"
    assert {file.name for file in (runs / "alpha").iterdir()} == HERE
    for name in HERE:
        assert (runs / "alpha" / name).read_bytes() == (made / name).read_bytes()
    with pytest.raises(UserError, match="There is a run named 'alpha' already"):
        import_run(file)
    assert import_run(file, "beta") == runs / "beta"
    assert load_run(runs / "beta").info.name == "beta"
    assert read_info(runs / "beta").weights_sha256 == read_info(made).weights_sha256


def test_a_run_with_a_background_row_goes_there_and_back(repo_root: Path, runs: Path, tmp_path: Path) -> None:
    shipped = repo_root / "assets" / "checkpoints" / "animals" / "recam-heads"
    assert read_info(shipped).network["background_row"], "FC2 has a row more than there are classes"
    path = import_run(export_run(find_run(str(shipped)), tmp_path), "rowed")
    assert load_run(path).network.fc2.shape[0] == len(read_info(shipped).classes) + 1


def test_what_lies_around_in_a_run_folder_is_not_packed(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "copy")
    (tmp_path / "copy" / "secret.txt").write_text("mine")
    (tmp_path / "copy" / "tensorboard").mkdir()
    with zipfile.ZipFile(export_run(find_run(str(tmp_path / "copy")), tmp_path / "x.zip")) as archive:
        assert {Path(name).name for name in archive.namelist()} == HERE


def test_a_damaged_run_is_not_packed(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "copy")
    weights = tmp_path / "copy" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(UserError, match="no whole safetensors"):
        export_run(find_run(str(tmp_path / "copy")), tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_without_a_folder_around_and_without_curves_it_is_a_run_too(made: Path, runs: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        for name in list(files):
            files[Path(name).name] = files.pop(name)
        del files["metrics.json"]

    assert import_run(packed(made, change)) == runs / "alpha"
    assert not (runs / "alpha" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../run.json", "does not lie where"),
        ("/etc/passwd", "does not lie where"),
        ("alpha/../../evil", "does not lie where"),
        ("alpha/deep/run.json", "does not lie where"),
        ("..\\evil", "does not lie where"),
        ("C:evil", "does not lie where"),
        ("alpha/evil\n.py", "does not lie where"),
        ("alpha/evil.py", "which no run has"),
        ("alpha/model.pt", "which no run has"),
        ("beta/metrics.json", "twice|several folders"),
        ("__MACOSX/._run.json", "entries|which no run has"),
    ],
)
def test_files_that_no_run_has(made: Path, runs: Path, name: str, sentence: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        files.pop("alpha/metrics.json")
        files[name] = b"{}"

    refused(packed(made, change), runs, sentence)
    assert not (runs.parent / "evil").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(made: Path, runs: Path, kind: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.write(made / "run.json", "alpha/run.json")
        entry = zipfile.ZipInfo("alpha/model.safetensors")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    refused(stream, runs, "link or a device")


def test_too_many_twice_missing_and_no_zip(made: Path, runs: Path) -> None:
    refused(packed(made, lambda files: files.update({f"alpha/{n}": b"" for n in range(5000)})), runs, "5003 entries")
    refused(packed(made, lambda files: files.pop("alpha/run.json")), runs, "it has no run.json")
    refused(packed(made, lambda files: files.pop("alpha/model.safetensors")), runs, "no model.safetensors")
    refused(io.BytesIO(b"hello"), runs, "no whole zip")
    refused(io.BytesIO(), runs, "no whole zip")
    whole = packed(made).getvalue()
    refused(io.BytesIO(whole[: len(whole) // 2]), runs, "no whole zip")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("alpha/run.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("alpha/run.json", "{}")
    refused(stream, runs, "run.json twice")
    with pytest.raises(UserError, match="this file is missing"):
        import_run(runs / "nowhere.zip")


def test_whichever_byte_is_another_the_run_is_refused_or_whole(made: Path, runs: Path) -> None:
    """Some bytes of a zip (times, rights) say nothing of its files, and change nothing of what is unpacked."""
    whole = packed(made).getvalue()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        heads = [entry.header_offset for entry in archive.infolist()]
    listed, end = whole.index(b"PK\x01\x02"), whole.rindex(b"PK\x05\x06")
    places = {*range(0, 30, 3), *range(heads[-1], heads[-1] + 30, 3), *range(listed, listed + 46, 3)}
    places |= {*range(end, len(whole), 3)}
    said = Counter()
    for place in sorted(places):
        content = bytearray(whole)
        content[place] ^= 0xFF
        try:
            path = import_run(io.BytesIO(bytes(content)))
        except UserError:
            said["refused"] += 1
        else:
            said["whole"] += 1
            assert all((path / name).read_bytes() == (made / name).read_bytes() for name in HERE), place
            shutil.rmtree(path)
        assert not runs.exists() or [file.name for file in runs.iterdir() if file.name != ".lock"] == []
    assert min(said["refused"], said["whole"]) > 10
    content = bytearray(whole)
    content[len(whole) // 2] ^= 0xFF  # in the weights
    refused(io.BytesIO(bytes(content)), runs, "no whole zip")


def test_bombs(made: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, megabytes, most in (("run.json", 5, 4), ("metrics.json", 17, 16), (NEGATIVES_FILE, 17, 16)):
        large = packed(
            made, lambda files, name=name, size=megabytes: files.update({f"alpha/{name}": bytes(size << 20)})
        )
        refused(large, runs, f"{name} in the zip would take {megabytes} MB; {most} MB is most")
    zeros = packed(made, lambda files: files.update({"alpha/model.safetensors": bytes(100 << 20)}))
    assert len(zeros.getvalue()) < 1 << 20
    refused(zeros, runs, "unpack to 100 MB")
    # One that announces less than it holds stops at what it announced.
    content = packed(made, lambda files: files.update({"alpha/metrics.json": b"[]" + b" " * 4_000_000})).getvalue()
    lied = content.replace((4_000_002).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lied != content
    refused(io.BytesIO(lied), runs, "no whole zip|more than it says|less than it says")
    monkeypatch.setattr(run_zip, "LARGEST_ZIP", 1000)
    refused(packed(made), runs, "larger than 0.001 MB")
    assert LARGEST_ZIP > 1 << 30


@pytest.mark.parametrize("name", FILES)
def test_each_file_has_a_bound_of_its_own(name: str) -> None:
    entries = [zipfile.ZipInfo(f"alpha/{file}") for file in FILES]
    largest = next(entry for entry in entries if entry.filename.endswith(name))
    largest.file_size = FILES[name]
    assert set(check_entries(entries, LARGEST_ZIP)) == set(FILES)
    largest.file_size += 1
    with pytest.raises(UserError, match=f"{name} in the zip would take {FILES[name] >> 20} MB"):
        check_entries(entries, LARGEST_ZIP)
    assert FILES[name] <= 1 << 30


def test_locked_and_oddly_compressed(made: Path, runs: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.write(made / "run.json", "alpha/run.json", zipfile.ZIP_LZMA)
        archive.write(made / "model.safetensors", "alpha/model.safetensors")
    refused(stream, runs, "compressed in a way")
    content = bytearray(packed(made).getvalue())
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1  # the flag of encryption in the last entry of the directory
    refused(io.BytesIO(bytes(content)), runs, "password")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"format_version": 9}, "format version 9"),
        ({"method": "magic"}, "method 'magic' is unknown"),
        ({"classes": ["one"]}, "class names for"),
        ({"rule": "beauty"}, "no extraction rule"),
        ({"weights_sha256": "0" * 64}, "not those that the record"),
        ({"seed": "x"}, "seed"),
        ({"seed": 10**30}, "seed|number"),
        ({"parent": ["x"]}, "parent"),
        ({"recipe": {"x": "\ud800"}}, "cannot be shown"),
        ({"recipe": {"x": "y" * 5000}}, "cannot be shown"),
        ({"recipe": {"x": 1e999}}, "out of range"),
        ({"recipe": {"x": 10**400}}, "out of range"),
        ({"name": "../../evil"}, "cannot be the name"),
        ({"name": "<script>"}, "cannot be the name"),
        ({"network": {"backbone": "hf-hub:a/b", "output_stride": 32, "num_classes": 3, "channels": 512,
                      "has_fc2": True}}, "timm knows no model"),
        ({"network": {"backbone": "timm:resnet18", "output_stride": 32, "num_classes": 3, "channels": 512,
                      "has_fc2": True}}, "of another network"),
    ],
)  # fmt: skip
def test_records_that_do_not_fit(made: Path, runs: Path, values: dict, sentence: str) -> None:
    refused(packed(made, with_record(**values)), runs, sentence)


def test_records_that_are_no_records(made: Path, runs: Path) -> None:
    for content in (b"{", b"[" * 200_000, b"[]", b"\xff\xfe", b"null"):
        refused(packed(made, lambda files, c=content: files.update({"alpha/run.json": c})), runs, "damaged")
        if content != b"[]":
            spoilt = packed(made, lambda files, c=content: files.update({"alpha/metrics.json": c}))
            refused(spoilt, runs, "metrics.json in the zip")


def test_a_curve_beyond_all_numbers(made: Path, runs: Path) -> None:
    curves = json.dumps([{"epoch": 1, "loss": 10**400}]).encode()
    refused(packed(made, lambda files: files.update({"alpha/metrics.json": curves})), runs, "out of range")


def test_weights_that_are_a_pickle_are_not_opened(made: Path, runs: Path) -> None:
    pickle = b"\x80\x04cos\nsystem\n(S'touch evil'\ntR."
    refused(packed(made, lambda files: files.update({"alpha/model.safetensors": pickle})), runs, "safetensors")


def test_a_full_disk_leaves_nothing(made: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: usage(10, 10, 0))
        refused(packed(made), runs, "the disk has 0 MB")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    refused(packed(made), runs, "No space left on device")
