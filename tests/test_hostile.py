"""Hostile or broken input of the kinds that took pages down: each costs itself, and says so."""

import errno
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import data_layouts
from app import datasets, pictures
from app.settings import UPLOAD_LIMITS
from app.viewer import checked_view
from recam_core import atomic_write
from recam_core.analysis import tags
from recam_core.analysis.tags import TagBook, Tagged
from recam_core.atomic_write import replacing_folder, sweep, temporary_folder, write_json
from recam_core.cache import drop_oldest
from recam_core.checkpoint.run_folder import read_info
from recam_core.data import image_io, upload
from recam_core.data.check import check_dataset
from recam_core.data.image_io import PhotoError, PhotoLimits, read_photo
from recam_core.data.sample import BrokenItem, ClassList
from recam_core.data.spec import open_dataset
from recam_core.data.upload import read_upload
from recam_core.data.zip_upload import unpack_set
from recam_core.errors import UserError
from recam_core.queue import reserved, start
from recam_core.queue.job import TrainingJob, new_id
from recam_core.queue.listing import read_queue, training_folder
from recam_core.queue.status import KILLED, Status, own_start, read_status, write_status
from recam_core.records import RecordError, opened_record, read_record
from recam_core.runs.listed import list_runs
from recam_core.runs.run_zip import import_run
from run_folders import write_run


@pytest.fixture(scope="module")
def good_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run."""
    folder = tmp_path_factory.mktemp("good") / "good"
    write_run(folder)
    return folder


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs."""
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "runs"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


# Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("~a\0b", "voc:~a\0b@train", "voc:~nobody-of-this-name/x@train", "voc:/tmp/\udcff@train", "gallery\n"),
        *("x" * 300, f"voc:{'x' * 300}@train", f"folder:/{'y' * 300}", f"voc:{'x/' * 4000}@train"),
        *(f"scenes:val={'9' * 400}@val", f"scenes:val={'9' * 5000}@val", "scenes:size=2048,val=1000000@val"),
    ],
)
def test_an_address_that_names_nothing_is_a_sentence(text: str) -> None:
    began = time.thread_time()
    if text == "gallery\n":  # blanks around a name are no harm
        assert len(open_dataset(text))
        return
    with pytest.raises(UserError) as caught:
        open_dataset(text)
    assert len(str(caught.value)) < 12_000
    str(caught.value).encode()
    assert time.thread_time() - began < 0.5


@pytest.mark.parametrize("text", ["scenes:size=2048,val=900@val", "scenes:size=769@val", "scenes:train=7000@train"])
def test_the_app_draws_no_set_that_keeps_it_busy(text: str) -> None:
    open_dataset(text)  # the command line may
    with pytest.raises(UserError, match="more than the app draws"):
        datasets.refuse_much_drawing(text)
    for shipped in ("scenes@train", "scenes:stuff=1@val", "gallery", "voc:anything@train"):
        datasets.refuse_much_drawing(shipped)


@pytest.mark.parametrize(
    "field",
    [
        *({"threshold": 10**400}, {"zoom": [10**400, 0, 0]}, {"pin": [float("nan"), 1]}, {"hidden": ["\ud800"]}),
        *({"thresholds": {"\ud800": 0.5}}, {"colours": "\udfff"}, {"wipe": -1e308}, {"line": nested(500)}),
    ],
)
def test_a_view_keeps_no_number_or_text_that_a_browser_cannot_hold(field: dict[str, Any]) -> None:
    assert checked_view({"opacity": 0.5, **field}) == {"opacity": 0.5}


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_picture_whose_name_is_not_utf8_is_a_fault_and_spoils_no_other(tmp_path: Path) -> None:
    root = data_layouts.folder(tmp_path / "set", ids=("a", "b"))
    odd = os.fsencode(root / "images") + b"/caf\xe9.png"
    os.rename(root / "images" / "a.png", odd)
    found = open_dataset(f"folder:{root}")
    assert list(found.ids) == ["b", "caf\ufffd"]
    report = check_dataset(found)
    assert [fault.kind for fault in report.faults] == ["damaged file"]
    assert "not UTF-8" in str(report.faults[0])
    str(report.faults[0]).encode()
    with pytest.raises(BrokenItem, match="rename it"):
        found.load(1)
    assert found.load(0).image.shape == (data_layouts.HEIGHT, data_layouts.WIDTH, 3)
    # The same for names of masks, splits and classes.
    os.rename(odd, root / "images" / "a.png")
    os.rename(root / "masks" / "a.png", os.fsencode(root / "masks") + b"/\xff.png")
    (root / "splits").mkdir()
    Path(os.fsdecode(os.fsencode(root / "splits") + b"/\xff.txt")).write_text("a\n")
    with pytest.raises(UserError, match="There are: all"):
        open_dataset(f"folder:{root}@nothing")
    assert open_dataset(f"folder:{root}").load(1).mask is not None
    classes = tmp_path / "classes"
    data_layouts.write_photo(Path(os.fsdecode(os.fsencode(classes) + b"/\xe9/1.png")))
    with pytest.raises(UserError, match="not UTF-8"):
        open_dataset(f"folder:{classes}")


def test_names_in_annotations_that_no_page_can_hold(tmp_path: Path) -> None:
    content = data_layouts.coco(tmp_path)
    content["categories"][0]["name"] = "tooth\ud800"
    data_layouts.write_coco(tmp_path, "val2014", content)
    names = open_dataset(f"coco:{tmp_path}@val2014").classes.names
    assert "tooth\\ud800" in names, "what cannot be shown stands there as its number"
    content["categories"][0]["name"] = "tooth"
    content["images"][0]["file_name"] = "\ud800.jpg"
    data_layouts.write_coco(tmp_path, "val2014", content)
    found = open_dataset(f"coco:{tmp_path}@val2014")
    faults = "".join(map(str, check_dataset(found).faults))
    "".join([*found.ids, faults]).encode()  # no half of a surrogate pair is left
    assert "ud800" in "".join([*found.ids, faults]), "the picture is not left out without a word"


@pytest.mark.parametrize("name", [".", "./.", "/", "//", ""])
def test_a_zip_with_an_entry_without_a_name(name: str, tmp_path: Path, runs: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("one/run.json", "{}")
        archive.writestr(name or "a", "x")
    content = stream.getvalue()
    if not name:  # zipfile writes none
        content = content.replace(b"\x01\0\0\0a", b"\0\0\0\0a")
    for read in (import_run, lambda file: unpack_set(file, tmp_path / "sets", "new")):
        with pytest.raises(UserError):
            read(io.BytesIO(content))
    assert not [path for path in (*runs.glob("*"), *(tmp_path / "sets").glob("*")) if path.name != ".lock"]


# Pictures -------------------------------------------------------------------------------------------------------------


def progressive(side: int, more: int) -> bytes:
    """A grey progressive JPEG whose shortest scan stands in it so many times more."""
    stream = io.BytesIO()
    Image.new("L", (side, side), 128).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    scan = data[starts[-1] : -2]
    return data[:-2] + scan * more + data[-2:]


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded() -> None:
    assert read_photo(progressive(64, 0)).image.shape == (64, 64, 3)
    assert read_photo(progressive(64, 40)).image.shape == (64, 64, 3)
    began = time.thread_time()
    with pytest.raises(PhotoError, match=r"scans, and 64 is most; save it again"):
        read_photo(progressive(3000, 20_000), limits=UPLOAD_LIMITS)
    assert time.thread_time() - began < 0.3


def test_decoding_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_io, "MOST_SCANS", 10**9)
    content = progressive(1500, 8_000)
    began = time.thread_time()
    with pytest.raises(PhotoError, match=r"takes more than 0\.2 seconds"):
        read_photo(content, limits=PhotoLimits(max_seconds=0.2))
    assert time.thread_time() - began < 1.5


def test_a_large_good_picture_is_within_the_bounds() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((3000, 4000, 3), np.uint8)).save(stream, "JPEG", progressive=True)
    assert read_photo(stream.getvalue(), limits=UPLOAD_LIMITS).image.shape == (3000, 4000, 3)


def test_a_tiff_of_progressive_pieces_is_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(data_layouts.photo(0)).save(stream, "TIFF", compression="jpeg")
    assert read_photo(stream.getvalue()).image.shape[2] == 3
    with pytest.raises(PhotoError, match="progressive JPEG data"):
        read_photo(stream.getvalue() + b"\xff\xc2")


def test_what_may_take_long_is_decoded_apart_with_the_same_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    image, classes = Image.fromarray(data_layouts.photo(0)), ClassList(("a",))
    kinds: list[tuple[str, dict[str, Any]]] = [("WEBP", {}), ("JPEG", {"progressive": True, "exif": turned})]
    for form, options in kinds:
        stream = io.BytesIO()
        image.save(stream, form, **options)
        here = read_photo(stream.getvalue(), limits=UPLOAD_LIMITS, name="a")
        sample, notes = read_upload(stream.getvalue(), "a", classes, UPLOAD_LIMITS, apart=True)
        assert np.array_equal(sample.image, here.image)
        assert notes == here.notes
        with monkeypatch.context() as broken:
            broken.setattr(upload, "_CODE", "")
            with pytest.raises(PhotoError, match=r"^b: its decoder broke off"):
                pictures.picture_of_upload(stream.getvalue(), "b", None, "", classes)
    with pytest.raises(PhotoError, match=r"^b: the file is truncated"):
        read_upload(stream.getvalue()[:-200], "b", classes, UPLOAD_LIMITS, apart=True)
    monkeypatch.setattr(upload, "_CODE", "")
    for form in ("JPEG", "PNG"):  # plainly cheap: no process
        stream = io.BytesIO()
        image.save(stream, form)
        assert pictures.picture_of_upload(stream.getvalue(), "c", None, "", classes).image.shape == np.shape(image)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import time; time.sleep(600)", "takes more than 5 seconds"),
        ("import os; os.abort()", "decoder broke off"),
        ("import os; print('{\"reason\": \"it sees ' + str('RECAM_RUNS' in os.environ) + '\"}')", "it sees False"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "takes more than 5 seconds"),
        ("print('[' * 70_000)", "decoder broke off"),
        ("print('7')", "decoder broke off"),
        ("print('{\"size\": [1000000, 1000000], \"notes\": []}', end='\\n' * 999)", "decoder broke off"),
        ("print('{\"size\": [20, 20], \"notes\": []}'); print('x' * 100)", "decoder broke off"),
    ],
)
def test_a_decoder_that_hangs_dies_or_lies_is_a_sentence(
    code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "_CODE", code)
    if "sleep" in code:
        monkeypatch.setattr(upload, "_PATIENCE", 0.02)
    with pytest.raises(PhotoError, match=f"^a: .*{words}"):
        upload.read_photo_apart(progressive(400, 0), limits=UPLOAD_LIMITS, name="a")


def test_a_decoder_is_bounded_by_the_system_and_loads_little() -> None:
    code = (
        "import sys, resource\n"
        "from recam_core.data import image_io, upload\n"
        "upload._bound(image_io.PhotoLimits(max_pixels=1_000_000, max_bytes=1_000_000, max_seconds=5.0))\n"
        "assert resource.getrlimit(resource.RLIMIT_CPU)[0] == 8\n"
        "assert resource.getrlimit(resource.RLIMIT_AS)[0] < 1_300_000_000 or sys.platform == 'darwin'\n"
        "assert not {'torch', 'streamlit', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_upload_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real = pictures.read_upload

    def counted(photo: bytes, name: str, *rest: Any, **options: Any) -> Any:
        calls.append(name)
        return real(photo, name, *rest, **options)

    kept: dict[Any, Any] = {}
    monkeypatch.setattr(pictures, "read_upload", counted)
    monkeypatch.setattr(type(pictures.UPLOADED), "setdefault", lambda self, usual: kept)
    stream = io.BytesIO()
    Image.fromarray(data_layouts.photo(0)).save(stream, "PNG")
    photo, classes = stream.getvalue(), ClassList(("a",))
    first = pictures.picture_of_upload(photo, "one", None, "", classes)
    assert pictures.picture_of_upload(photo, "one", None, "", classes) is first
    for _ in range(3):
        with pytest.raises(UserError, match="not an image"):
            pictures.picture_of_upload(b"nothing", "two", None, "", classes)
    assert calls == ["one", "two"]
    pictures.picture_of_upload(photo, "one", None, "", ClassList(("b",)))  # other classes, another picture
    for number in range(20):
        pictures.picture_of_upload(photo, f"n{number}", None, "", classes)
    assert len(calls) == 23
    assert len(kept) <= 8


# Records --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": {"a": nested(400)}}, "32 levels deep"),
        ({"scores": nested(3000)}, "levels deep"),
        ({"rule": "no_such_rule"}, "no extraction rule"),
        ({"rule": "product"}, "FC2"),
        ({"data": "a\ud800"}, "surrogate"),
        ({"classes": ["a", "\udcff", "c"]}, "surrogate"),
        ({"seed": 10**400}, "out of range"),
        ({"seed": "0"}, "seed"),
        ({"threshold": float("nan")}, "threshold"),
        ({"versions": {"torch": [1]}}, "version"),
        ({"network": {"backbone": "x"}}, "it lacks 'output_stride'"),
    ],
)
def test_a_damaged_record_costs_its_own_row(good_run: Path, runs: Path, change: dict[str, Any], words: str) -> None:
    shutil.copytree(good_run, runs / "good")
    shutil.copytree(good_run, runs / "bad")
    file = runs / "bad" / "run.json"
    sys.setrecursionlimit(20_000)  # to write it; reading has the usual limit
    try:
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
    finally:
        sys.setrecursionlimit(1000)
    with pytest.raises(UserError, match=words) as caught:
        read_info(runs / "bad")
    str(caught.value).encode()
    found = list_runs()
    assert [run.name for run in found.runs] == ["good"]
    assert len(found.faults) == 1


def test_what_a_damaged_record_is(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    for content, words in (
        (b"\xff{}", "codec"),
        (b"{", "Expecting"),
        (b"[" * 100_000, "levels deep"),
        (b"[" * 33 + b"]" * 33, "32 levels"),
        (b'"\\udc00"', "surrogate"),
        (b"1" * 5000, "digit|out of range"),
        (b" " * 5000 + b"1", "larger than"),
    ):
        file.write_bytes(content)
        with pytest.raises(RecordError, match=words) as caught:
            read_record(file, largest=1 << 20 if words != "larger than" else 4096)
        assert not caught.value.is_missing
    for content in (b'"\\ud83d\\ude00"', b"[" * 30 + b"]" * 30, b"NaN", str(2**62).encode()):
        file.write_bytes(content)
        read_record(file)
    with pytest.raises(RecordError) as caught:
        read_record(tmp_path / "none.json")
    assert caught.value.is_missing
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("folder.json", "pipe.json"):  # a pipe would be waited for without an end
        with pytest.raises(RecordError, match="not a file"):
            read_record(tmp_path / name)
    file.write_bytes(b"{}")
    with pytest.raises(RecordError, match="lacks 'a'"), opened_record(file) as values:
        values["a"]
    with pytest.raises(UserError, match="another"), opened_record(file):  # a sentence of its own passes
        raise UserError("another")


def queued(number: str, out: Path, visitor: str = "", **status: Any) -> Path:
    """A training in the queue, without a process of its own."""
    folder = training_folder(number)
    recipe = {"method": "bce", "epochs": 3}
    job = TrainingJob(number, recipe, "scenes", "", "", str(out), "cpu", "/", "x", created=1.0, visitor=visitor)
    write_json(folder / "job.json", asdict(job))
    write_status(folder, Status(**status))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        *({"updated": float("nan")}, {"ended": -1e308}, {"began": 1e300}, {"seconds_left": float("inf")}),
        *({"losses": {"names": ["a"], "points": nested(3000)}}, {"losses": {"names": ["a"], "points": [[1]]}}),
        *({"losses": {"names": 3}}, {"step": -1}, {"steps": 1 << 70}, {"epoch": True}, {"message": "\ud800"}),
        {"pid": 1e9},
    ],
)
def test_a_damaged_status_is_none(runs: Path, change: dict[str, Any]) -> None:
    folder = queued(new_id(), runs / "a", state="done", ended=5.0)
    assert read_status(folder) is not None
    file = folder / "status.json"
    sys.setrecursionlimit(20_000)
    try:
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
    finally:
        sys.setrecursionlimit(1000)
    assert read_status(folder) is None
    found, faults = read_queue()
    assert [one.state for one in found] == [KILLED]
    assert not faults


def test_losses_that_are_no_numbers_any_more_are_no_damage(runs: Path) -> None:
    losses = {"names": ["loss"], "points": [[1, float("nan")], [2, float("inf")]], "stride": 1}
    assert read_status(queued(new_id(), runs / "a", losses=losses)) is not None


def test_a_damaged_job_is_named_and_the_others_are_listed(runs: Path) -> None:
    queued("20250101-000000-aaaaaa", runs / "a", state="done")
    folder = queued("20250101-000000-bbbbbb", runs / "b", state="done")
    (folder / "job.json").write_text((folder / "job.json").read_text().replace('"epochs": 3', '"epochs": -3'))
    found, faults = read_queue()
    assert [one.job.name for one in found] == ["a"]
    assert len(faults) == 1
    assert "its epochs are out of range" in faults[0]


def test_rows_of_other_types_cost_themselves(tmp_path: Path) -> None:
    book = TagBook(tmp_path / "tags.sqlite")
    book.add([Tagged("d", "p", "good", "note")])
    with sqlite3.connect(book.path) as connection:
        for number, value in enumerate((b"\xff", b"text", 3, 2.5)):
            row = ("d", f"q{number}", "", "", "bad", value, "")
            connection.execute("INSERT INTO tags VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO tags VALUES ('d', 'r', '', '', 'bad', CAST(x'ff' AS TEXT), '')")
    # A text column makes texts of numbers; bytes that are text are text.
    assert {(one.picture, one.note) for one in book.entries()} == {
        *(("p", "note"), ("q1", "text"), ("q2", "3"), ("q3", "2.5")),
    }
    assert book.tags() == {"bad": 3, "good": 1}


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE tags; CREATE VIEW tags AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT "
        "'d' data, 'p' picture, '' truth, '' predicted, 't' tag, '' note, '' made FROM n",
        "CREATE TRIGGER t BEFORE INSERT ON tags BEGIN SELECT zeroblob(1000000000); END",
        "CREATE INDEX i ON tags (length(data))",
        "DROP TABLE tags; CREATE TABLE tags (data)",
    ],
)
def test_a_book_with_a_view_or_a_trigger_is_no_book(sql: str, tmp_path: Path) -> None:
    book = TagBook(tmp_path / "tags.sqlite")
    book.add([Tagged("d", "p", "good")])
    with sqlite3.connect(book.path) as connection:
        connection.executescript(sql)
    for read in (book.entries, lambda: book.add([Tagged("d", "p", "t")]), lambda: TagBook(book.path)):
        with pytest.raises(UserError, match="no book of tags"):
            read()


def test_a_question_to_the_book_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = TagBook(tmp_path / "tags.sqlite")
    book.add([Tagged("d", f"p{n}", "good") for n in range(200)])
    monkeypatch.setattr(tags, "_PATIENCE", -1.0)
    monkeypatch.setattr(tags, "_STEPS", 10)
    with pytest.raises(UserError, match="interrupted"):
        book.entries()


# What is left behind --------------------------------------------------------------------------------------------------


def aged(path: Path, seconds: float) -> Path:
    then = time.time() - seconds
    for file in (*path.rglob("*"), path):
        os.utime(file, (then, then))
    return path


def test_what_a_killed_process_leaves_goes(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from recam_core.atomic_write import replacing_folder, replacing_file\n"
        "with replacing_folder(sys.argv[1] + '/maps-1') as f, replacing_file(sys.argv[1] + '/b') as g:\n"
        "    (f / 'maps.bin').write_bytes(bytes(1000)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parent.parent
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=False, timeout=60)
    left = sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".tmp")
    assert len(left) == 2
    assert sweep(tmp_path) == 0  # it may have just begun
    for name in left:
        aged(tmp_path / name, 700)
    assert sweep(tmp_path) == 2
    assert not list(tmp_path.glob(".*.tmp"))


def test_what_a_live_process_writes_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = aged(temporary_folder(tmp_path, "own"), 700)
    (own / "file").write_bytes(b"1")
    aged(own, 80_000)
    assert sweep(tmp_path) == 0
    (own / "inner").mkdir()
    (own / "inner" / "new").write_bytes(b"1")
    then = time.time() - 200_000
    os.utime(own, (then, then))
    assert sweep(tmp_path) == 0  # something in it is new
    aged(own, 90_000)
    assert sweep(tmp_path) == 1  # nothing for a day: the number is another process's by now
    # Of another machine, a number tells nothing.
    monkeypatch.setattr(atomic_write, "_is_alive", lambda pid: False)
    elsewhere = tmp_path / ".a.123456-1-abcdefgh.tmp"
    elsewhere.mkdir()
    aged(elsewhere, 80_000)
    older, theirs = tmp_path / ".maps-1.abcdefgh.tmp", tmp_path / ".vimrc.tmp"
    for path in (older, theirs):
        path.write_bytes(b"1")
        aged(path, 90_000)
    assert sweep(tmp_path) == 0
    assert sweep(tmp_path, own=True) == 1
    assert not older.exists()
    assert theirs.exists()
    assert elsewhere.exists()


def test_whoever_writes_beside_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_write, "_is_alive", lambda pid: False)
    for again in (
        lambda: replacing_folder(tmp_path / "a").__enter__(),
        lambda: drop_oldest([], keep=tmp_path / "maps-1"),
    ):
        left = aged(temporary_folder(tmp_path, "maps-2"), 700)
        held = again()
        assert not left.exists()
        del held


def test_a_name_is_not_taken_by_a_start_on_a_full_disk(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *_: Any, **__: Any) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(UserError, match="No space left"):
            reserved.reserve(runs / "mine", "id")
    assert not (runs / "mine").exists()
    reserved.reserve(runs / "mine", "id")


@pytest.mark.parametrize("error", [KeyboardInterrupt, UserError, OSError])
def test_a_start_that_breaks_off_leaves_nothing(
    runs: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise error("it broke off")

    monkeypatch.setattr(start, "spawn", broken)
    job = TrainingJob(new_id(), {"method": "bce"}, "scenes", "", "", str(runs / "mine"), "cpu", "/", "x")
    with pytest.raises(error):
        start.enqueue(job)
    assert not (runs / "mine").exists()
    assert not training_folder(job.id).exists()


def test_a_name_that_a_killed_start_took_is_free_after_a_minute(good_run: Path, runs: Path) -> None:
    queue = runs / ".trainings"
    for name, mark in (("empty", None), ("forgotten", "20250101-000000-abcdef")):
        out = runs / name
        out.mkdir(parents=True)
        if mark:
            (out / reserved.MARK_FILE).write_text(mark)
        reserved.reclaim(out, queue)
        assert out.exists()
        aged(out, 61)
        reserved.reclaim(out, queue)
        assert not out.exists()
    kept = runs / "kept"
    reserved.reserve(kept, "20250101-000000-aaaaaa")
    queued("20250101-000000-aaaaaa", kept, state="failed")
    shutil.copytree(good_run, runs / "run")
    for name in ("kept", "run"):
        reserved.reclaim(aged(runs / name, 99), queue)
        assert (runs / name).exists()


# The queue ------------------------------------------------------------------------------------------------------------


def test_the_queue_has_bounds(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = {"pid": os.getpid(), "process_start": own_start(), "state": "waiting"}
    for number in range(4):
        queued(f"20250101-000000-00000{number}", runs / f"r{number}", "ann" if number < 3 else "bob", **alive)
    queued("20250101-000000-00000a", runs / "over", "ann", state="done")
    start.check_queue()
    start.check_queue("ann")
    monkeypatch.setenv("RECAM_MOST_TRAININGS_EACH", "3")
    start.check_queue()
    start.check_queue("bob")
    with pytest.raises(UserError, match=r"The queue is full: 3 trainings of yours .* RECAM_MOST_TRAININGS_EACH"):
        start.check_queue("ann")
    monkeypatch.setenv("RECAM_MOST_TRAININGS", "4")
    with pytest.raises(UserError, match="4 trainings in all"):
        start.check_queue()
    monkeypatch.setenv("RECAM_MOST_TRAININGS", "many")
    with pytest.raises(UserError, match="whole number"):
        start.check_queue()


@pytest.mark.parametrize("ask", ["start", "resume"])
def test_every_way_into_the_queue_asks_whether_it_is_full(
    ask: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECAM_MOST_TRAININGS_EACH", "0")
    queued("20250101-000000-00000a", runs / "over", "ann", state="failed")
    calls: dict[str, Callable[[], object]] = {
        "start": lambda: start.start_training(None, data="scenes", name="x", visitor="ann"),  # type: ignore[arg-type]
        "resume": lambda: start.resume_training("20250101-000000-00000a", "ann"),
    }
    with pytest.raises(UserError, match="The queue is full"):
        calls[ask]()
    assert not (runs / "x").exists()


def test_the_tests_that_are_said_to_hold_the_promises_are_there(repo_root: Path) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (repo_root / "docs" / "security.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (repo_root / file).read_text(encoding="utf-8"), f"{file} has no {test}"
