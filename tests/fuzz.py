"""Damaged and hostile input to everything that reads what others may have written: ``python tests/fuzz.py``.

Each surface takes good examples, changes them at random (bytes, and values inside JSON), and hands the result to the
code that reads such a thing. Allowed is a result, or a UserError. A finding is any other exception, a write outside of
the folder that was given, a new process or a connection, seconds of work for one input, or memory that grows.

A finding is named ``SURFACE:NUMBER`` and comes again by ``--only SURFACE:NUMBER``. tests/test_fuzz.py runs a part.
"""

import argparse
import copy
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

REPO_ROOT = Path(__file__).resolve().parent.parent
if str(REPO_ROOT) not in sys.path:
    sys.path.insert(0, str(REPO_ROOT))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

import data_layouts  # noqa: E402
from recam_core.errors import UserError  # noqa: E402

#: Seconds of the processor that one small input may take, and of the clock after which it counts as endless.
SLOW, ENDLESS = 3.0, 20
#: Values that break who trusts a record: kinds, ranges, depth, text that is none.
NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1 << 31, 1 << 62, 1 << 64, 10**400, 0.5, -0.0, 1e308, -1e308, 1e-320),
    *(float("nan"), float("inf"), float("-inf"), "", "a", "\ud800", "\udcff", "\0", "a\0b", "\n", "../../x", "~a\0b"),
    *("/etc/passwd", "x" * 300, "é", "日本", "$x$", "<b>", "1e999", "9" * 400, [], {}, [[]], {"": ""}, [None] * 50),
)
#: Bytes that mean something to one format or another.
TOKENS = (
    *(b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\n", b"\r\n", b"\xef\xbb\xbf", b'"'),
    *(b"{", b"}", b"[", b"]", b",", b"<", b">", b"&x;", b"../", b"/", b"\\", b"\xff\xda", b"\xff\xd9", b"\xff\xc2"),
    *(b"PK\x01\x02", b"PK\x05\x06", b"IDAT", b"IEND", b"SQLite format 3\0", b"-1", b"1e999", b"9" * 30, b"%00"),
)


@dataclass(frozen=True)
class Surface:
    """Something that reads what others may have written.

    Attributes:
        seeds: good examples.
        read: what is done with one that was changed, given an empty folder.
        is_json: change values inside of it, too.
    """

    seeds: tuple[bytes, ...]
    read: Callable[[bytes, Path], object]
    is_json: bool = False


@dataclass
class Found:
    """What a run of the fuzzer found.

    Attributes:
        inputs: how many were tried, and by surface how many were taken as good ones.
        findings: name, and what happened.
        slowest: seconds, and the name of the input.
        grown: megabytes by which the process grew at most.
    """

    inputs: int = 0
    taken: dict[str, int] = field(default_factory=dict)
    findings: list[tuple[str, str]] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    grown: float = 0.0


# Changing ---------------------------------------------------------------------------------------------------------


def changed(content: bytes, dice: random.Random) -> bytes:
    """The bytes after one to four changes."""
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at = dice.randrange(len(data) + 1)
        end = min(len(data), at + dice.choice((1, 1, 2, 4, 16, 200)))
        match dice.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(data):
                data[at] = dice.randrange(256)
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end] * dice.choice((1, 2, 50))
            case 4:
                data[at:at] = dice.choice(TOKENS)
            case 5:
                data[at:end] = dice.choice(TOKENS)
            case _:
                del data[at:]
    return bytes(data)


def changed_json(content: bytes, dice: random.Random) -> bytes:
    """The JSON with one to three of its values replaced, dropped, doubled or buried."""
    value = json.loads(content)
    for _ in range(dice.choice((1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            return json.dumps(copy.deepcopy(dice.choice(NASTY))).encode()
        held, key = dice.choice(places)
        match dice.randrange(6):
            case 0:
                del held[key]
            case 1 if isinstance(held, list):
                held.insert(key, copy.deepcopy(dice.choice(NASTY)))
            case 1:
                held[dice.choice(("", "x" * 300, "epoch", "\ud800", "__class__"))] = held[key]
            case 2:
                for _ in range(dice.choice((1, 40, 400))):
                    held[key] = [held[key]] if dice.random() < 0.5 else {"a": held[key]}
            case _:
                held[key] = copy.deepcopy(dice.choice(NASTY))
    sys.setrecursionlimit(20_000)  # ours, to write what is nested deeply; reading has the usual one
    try:
        return json.dumps(value).encode()
    finally:
        sys.setrecursionlimit(1000)


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        if depth < 20:
            yield from _places(value[key], depth + 1)


# What is read -----------------------------------------------------------------------------------------------------


def surfaces(place: Path) -> dict[str, Surface]:
    """All of them; good examples are made in a folder."""
    return {
        **_records(place),
        **_queue(place),
        **_zips(place),
        **_pictures(),
        **_sets(place),
        **_addresses(),
        **_tags(place),
        **_weights(place),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _records(place: Path) -> dict[str, Surface]:
    from streamlit.dataframe_util import convert_anything_to_arrow_bytes

    from app.runs import table
    from recam_core.checkpoint.run_folder import rules_of_run
    from recam_core.experiments.figure1 import kept_figures
    from recam_core.experiments.full_training import read_progress
    from recam_core.folders import runs_folder, shipped_theory_folder
    from recam_core.maps.store import MapStore
    from recam_core.runs.compare import compare_settings
    from recam_core.runs.folder import read_stars
    from recam_core.runs.lineage import again_command, children_of
    from recam_core.runs.listed import ORDERS, filter_runs, list_runs, sort_runs
    from recam_core.theory.negatives import read_negatives
    from run_folders import write_run

    write_run(place / "run", "recam", scores={"val": {"rectified_product": {"miou": 0.5, "scales": [1, 2]}}})
    shipped = REPO_ROOT / "assets" / "checkpoints"
    records = [place / "run" / "run.json", shipped / "animals" / "bce" / "run.json"]

    def run(content: bytes, folder: Path) -> object:
        (runs_folder() / "one").mkdir(parents=True)
        (runs_folder() / "one" / "run.json").write_bytes(content)
        found = list_runs()
        assert len(found.runs) + len(found.faults) == 1
        for order in ORDERS:
            sort_runs(found.runs, order)
        filter_runs(found.runs, text="a", methods=("bce", "recam"))
        compare_settings([one.info for one in found.runs])
        for one in found.runs:
            rules_of_run(one.info)
            again_command(one, "x")
            children_of(one, found.runs)
            convert_anything_to_arrow_bytes([table._row(one)])
        return found.runs

    store = next((REPO_ROOT / "assets" / "maps").glob("*/maps"))

    def maps(content: bytes, folder: Path) -> object:
        for file in store.iterdir():
            (folder / file.name).symlink_to(file)
        (folder / "store.json").unlink()
        (folder / "store.json").write_bytes(content)
        return MapStore(folder)

    def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
        def reading(content: bytes, folder: Path) -> object:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            return read(folder)

        return reading

    def stars(folder: Path) -> object:
        return read_stars()

    figures = (next(shipped_theory_folder().glob("figure1-animals*.json"), None), REPO_ROOT / "assets" / "theory")
    figure = figures[0] or min(figures[1].glob("*.json"), key=lambda file: file.stat().st_size)
    point = {"epoch": 1.0, "features": 4, "bce_gone": 0.1, "sce_gone": 0.1}
    shares = {name: [0.1] * 5 for name in ("bce", "sce")}
    negatives = {"head": "fc1", "loss": "bce", "quantiles": [0.1, 0.25, 0.5, 0.75, 0.9], "points": [point | shares]}
    return {
        "run": Surface(tuple(file.read_bytes() for file in records), run, True),
        "stars": Surface((_json(["run/a", "scenes/bce"]),), in_file("runs/.stars.json", stars), True),
        "negatives": Surface((_json(negatives),), in_file("negatives.json", read_negatives), True),
        "store": Surface(((store / "store.json").read_bytes(),), maps, True),
        "figure1": Surface((figure.read_bytes(),), in_file("cache/figure1/a.json", lambda _: kept_figures()), True),
        "progress": Surface(
            (_json({"step": "a", "done": 1, "total": 3}),),
            in_file("f", lambda folder: read_progress(folder / "f")),
            True,
        ),
    }


def _queue(place: Path) -> dict[str, Surface]:
    from dataclasses import asdict

    from app.trainings.details import loss_curves, score_curves
    from app.trainings.queue import standing
    from recam_core.queue.job import TrainingJob
    from recam_core.queue.kept_grids import list_grids
    from recam_core.queue.listing import grids_folder, read_queue, trainings_folder
    from recam_core.queue.status import Losses, Status
    from recam_core.views.charts.curves import curve_chart, curves_csv
    from recam_core.views.charts.style import LIGHT

    number = "20250101-000000-abcdef"
    job = asdict(TrainingJob(number, {"method": "bce", "epochs": 3}, "scenes", "", "", "OUT", "cpu", "/", "x"))
    losses = Losses(["loss", "bce"], [[1, 0.5, 0.5], [2, 0.25, 0.25]])
    live = {"state": "running", "step": 2, "steps": 9, "epoch": 1, "epochs": 3, "queued": 1.7e9, "began": 1.7e9}
    status = asdict(Status(losses=losses, updated=1.7e9, **live))
    metrics = [{"epoch": 1, "loss": 0.7, "val_map": 0.5}, {"epoch": 2, "loss": 0.5, "val_map": None}]
    good = {"job.json": _json(job), "status.json": _json(status), "metrics.json": _json(metrics)}

    def queue(file: str) -> Callable[[bytes, Path], object]:
        def read(content: bytes, folder: Path) -> object:
            out = folder / "runs" / "out"
            for name, text in (good | {file: content}).items():
                target = out / name if name == "metrics.json" else trainings_folder() / number / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(text.replace(b'"OUT"', json.dumps(str(out)).encode()))
            found, faults = read_queue()
            assert len(found) + len(faults) == 1
            for one in found:
                standing(one, 0)
                count = int(one.job.recipe.get("epochs", 1))
                curves = loss_curves(one.status.losses, one.epochs(), one.status.steps, count)
                scores = score_curves(one.epochs())
                for drawn in (scores,) if file == "metrics.json" else (curves,):
                    if drawn:
                        curve_chart(drawn, LIGHT, until=count, log=drawn is curves).to_json()
                        curves_csv(drawn)
            return found

        return read

    words = dict.fromkeys(("init", "weights_sha256", "data", "x", "y", "command"), "x")

    def grid(content: bytes, folder: Path) -> object:
        (grids_folder() / "g").mkdir(parents=True)
        (grids_folder() / "g" / "result.json").write_text("{}")
        (grids_folder() / "g" / "grid.json").write_bytes(content)
        return list_grids()

    return {
        "job": Surface((good["job.json"],), queue("job.json"), True),
        "status": Surface((good["status.json"],), queue("status.json"), True),
        "metrics": Surface((good["metrics.json"],), queue("metrics.json"), True),
        "grid": Surface((_json(words),), grid, True),
    }


@contextmanager
def suppressed() -> Iterator[None]:
    """A sentence is a fine answer."""
    try:
        yield
    except UserError:
        return


def _zips(place: Path) -> dict[str, Surface]:
    from recam_core.data.zip_upload import unpack_set
    from recam_core.folders import runs_folder
    from recam_core.runs.run_zip import import_run

    def packed(root: Path, names: dict[str, bytes] | None = None) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for file in sorted(root.rglob("*")) if names is None else ():
                if file.is_file():
                    archive.write(file, f"one/{file.relative_to(root)}")
            for name, content in (names or {}).items():
                archive.writestr(name, content)
        return stream.getvalue()

    # Small weights that are refused late: a whole network would make each input slow.
    small = {f"one/{name}": (place / "run" / name).read_bytes() for name in ("run.json", "metrics.json")}
    small["one/model.safetensors"] = b"\x02\0\0\0\0\0\0\0{}"
    data = data_layouts.folder(place / "packed", ids=("a",))
    odd = {".": b"", "./": b"", "images/a.png": b"x", "../x.png": b"x", "/x.txt": b"x"}

    def run(content: bytes, folder: Path) -> object:
        try:
            return import_run(io.BytesIO(content))
        finally:
            left = [path.name for path in runs_folder().iterdir()] if runs_folder().is_dir() else []
            assert set(left) <= {".lock", "one", "run"}, left

    def unpacked(content: bytes, folder: Path) -> object:
        return unpack_set(io.BytesIO(content), folder / "sets", "new")

    return {
        "run zip": Surface((packed(place, small), packed(place, odd)), run),
        "set zip": Surface((packed(data), packed(data, odd)), unpacked),
    }


def _pictures() -> dict[str, Surface]:
    from recam_core.data.image_io import PhotoLimits, read_photo
    from recam_core.data.mask_io import read_mask

    limits = PhotoLimits(max_side=400, max_pixels=90_000, max_bytes=1 << 20, max_seconds=SLOW)
    photo = Image.fromarray(data_layouts.photo(0))
    exif = Image.Exif()
    exif[0x0112] = 6

    def saved(kind: str, image: Image.Image = photo, **options: Any) -> bytes:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        return stream.getvalue()

    frames = {"save_all": True, "append_images": [Image.new("RGB", photo.size)], "duration": 9}
    photos = (
        *(saved("JPEG", exif=exif), saved("JPEG", progressive=True), saved("JPEG", photo.convert("CMYK"))),
        *(saved("PNG"), saved("PNG", photo.convert("P")), saved("WEBP"), saved("BMP"), saved("GIF", **frames)),
        *(saved("TIFF", compression=name) for name in ("raw", "tiff_lzw", "jpeg", "tiff_deflate")),
        saved("PNG", Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20) * 99)),
    )
    mask = Image.fromarray(data_layouts.halves(0, 2))
    return {
        "photo": Surface(photos, lambda content, folder: read_photo(content, limits=limits)),
        "mask": Surface(
            (saved("PNG", mask), saved("PNG", mask.convert("P")), saved("PNG", mask.convert("1"))),
            lambda content, folder: read_mask(content, limits=limits),
        ),
    }


def _sets(place: Path) -> dict[str, Surface]:
    from recam_core.data.check import check_dataset
    from recam_core.data.found_sets import find_sets
    from recam_core.data.spec import open_dataset

    ids = ("a", "b")
    folder_set = data_layouts.folder(place / "folder", ids)
    (folder_set / "labels.csv").write_text("id,labels\na,blue\nb,blue\n")
    data_layouts.write_list(folder_set / "splits" / "one.txt", ids)
    data_layouts.voc(place / "voc", ids, xml=True)
    data_layouts.coco(place / "coco")
    # Small, as a changed size may ask for as many pixels as a page takes.
    here = "VOCdevkit/VOC2012"
    files = {
        "classes": ("folder", "classes.txt", "folder:{}"),
        "labels": ("folder", "labels.csv", "folder:{}"),
        "split": ("folder", "splits/one.txt", "folder:{}@one"),
        "voc split": ("voc", f"{here}/ImageSets/Segmentation/train.txt", "voc:{}@train"),
        "voc xml": ("voc", f"{here}/Annotations/a.xml", "voc:{}@train"),
        "coco": ("coco", "annotations/instances_val2014.json", "coco:{}@val2014"),
    }

    def reader(root: str, name: str, spec: str) -> Callable[[bytes, Path], object]:
        def read(content: bytes, folder: Path) -> object:
            _linked(place / root, folder / "set", name)
            (folder / "set" / name).write_bytes(content)
            find_sets(folder)
            found = open_dataset(spec.format(folder / "set"))
            report = check_dataset(found)
            "\n".join(map(str, report.faults)).encode()
            for index in range(len(found)):
                with suppressed():
                    found.load(index)
            return None if report.faults else found

        return read

    return {
        kind: Surface(((place / root / name).read_bytes(),), reader(root, name, spec), name.endswith(".json"))
        for kind, (root, name, spec) in files.items()
    }


def _linked(source: Path, target: Path, but: str) -> None:
    """The folder with links in the place of its files, without one of them."""
    for file in source.rglob("*"):
        place = target / file.relative_to(source)
        if file.is_file() and place != target / but:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file)
    (target / but).parent.mkdir(parents=True, exist_ok=True)


def _addresses() -> dict[str, Surface]:
    from app import datasets
    from app.links import from_list
    from app.viewer import checked_view
    from recam_core.analysis.picture_filter import PictureFilter
    from recam_core.checkpoint.published import named_rows
    from recam_core.data.spec import open_dataset, parse_spec
    from recam_core.queue.listing import training_folder
    from recam_core.runs.listed import find_run
    from recam_core.typed_path import typed_path

    def specification(content: bytes, folder: Path) -> object:
        text = content.decode("utf-8", "surrogateescape")
        typed_path(text)
        with suppressed():
            datasets.refuse_much_drawing(text)
        if parse_spec(text).kind == "scenes" and len(text) > 40:
            return None  # opening a million takes a second, which is no finding
        return open_dataset(text)

    def other(content: bytes, folder: Path) -> object:
        text = content.decode("utf-8", "replace")
        from_list(text)
        for read in (find_run, training_folder, named_rows):
            with suppressed():
                read(text)
        return None

    def view(content: bytes, folder: Path) -> object:
        try:
            value = json.loads(content.decode("utf-8", "replace")[:20_000])
        except (ValueError, RecursionError):
            return None
        with suppressed():
            PictureFilter.from_dict(value)
        json.dumps(checked_view(value), ensure_ascii=False).encode()
        return value

    shown = {"classes": [0, 2], "threshold": 0.3, "cut": "all", "zoom": [2, 0.5, 0.5], "pin": [1, 2], "off": ["a:1"]}
    shown |= {"line": [1, 2, 3, 4], "thresholds": {"a": 0.5}, "hidden": ["a"], "wipe": 0.5, "colours": "viridis"}
    chosen = {"c": [0, 1], "m": "any", "n": [0, 3], "s": [0, 1], "r": [0, 1], "of": "a", "w": ["a", "b"], "d": 0.1}
    texts = (b"scenes:stuff=1,val=9@val", b"voc:~a/x@train.fit", b"folder:/tmp/x@a", b"gallery", b"coco:x@val2017")
    return {
        "specification": Surface((*texts, b"~a\0b", b"voc:" + b"x" * 300 + b"@train"), specification),
        "other address": Surface((b"run/a,scenes/bce", b"~a%00b", b"20250101-000000-abcdef", b"voc"), other),
        "view": Surface((_json(shown), _json(chosen)), view, True),
    }


def _tags(place: Path) -> dict[str, Surface]:
    from recam_core.analysis.tags import TagBook, Tagged

    TagBook(place / "tags.sqlite").add([Tagged("d", f"p{n}", "tag", "note", "a", "b") for n in range(3)])

    def tags(content: bytes, folder: Path) -> object:
        (folder / "tags.sqlite").write_bytes(content)
        book = TagBook(folder / "tags.sqlite")
        found = book.entries()
        assert all(isinstance(value, str) for one in found for value in vars(one).values())
        with suppressed():
            book.add([Tagged("d", "p", "t")])
        return found

    return {"tags": Surface(((place / "tags.sqlite").read_bytes(),), tags)}


def _weights(place: Path) -> dict[str, Surface]:
    import torch
    from safetensors.torch import save

    from recam_core.checkpoint.run_folder import read_info
    from recam_core.checkpoint.tensor_file import read_tensors
    from recam_core.model.state_file import read_state
    from recam_core.runs.weights_header import check_weights

    tensors = {"a.weight": torch.zeros(3, 2), "b": torch.ones(4)}
    stream = io.BytesIO()
    torch.save(tensors, stream)
    info = read_info(place / "run")

    def safe(content: bytes, folder: Path) -> object:
        (folder / "m.safetensors").write_bytes(content)
        with suppressed():
            check_weights(folder / "m.safetensors", info)
        return read_tensors(folder / "m.safetensors")

    def pickled(content: bytes, folder: Path) -> object:
        (folder / "m.pth").write_bytes(content)
        return read_state(folder / "m.pth")

    return {"safetensors": Surface((save(tensors),), safe), "pth": Surface((stream.getvalue(),), pickled)}


# Watching ---------------------------------------------------------------------------------------------------------


class Watch:
    """Hears of every write, process and connection that Python code makes while it is on."""

    _WRITES = (
        *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"),
    )
    _NEVER = (
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"),
        "pickle.find_class",
    )

    def __init__(self) -> None:
        self.inside: Path | None = None
        self.heard: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.inside is None:
            return
        if event in self._NEVER:
            self.heard.append(f"{event}{arguments!r}"[:200])
        elif event == "open":
            path, _, flags = arguments
            if isinstance(path, (str, bytes)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                self._written(path)
        elif event in self._WRITES and (arguments[-1] in (-1, None) or os.path.isabs(os.fsdecode(arguments[0]))):
            # Else it is told as a name in a folder that is open already.
            self._written(arguments[1] if event in ("os.symlink", "os.link", "os.rename") else arguments[0])
            if event == "os.rename":
                self._written(arguments[0])

    def _written(self, path: Any) -> None:
        inside, self.inside = self.inside, None  # what is asked here is not to be heard
        try:
            if isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path) != os.devnull:
                folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
                place = Path(os.path.realpath(folder)) / name
                if inside is not None and not place.is_relative_to(inside):
                    self.heard.append(f"written outside: {os.fsdecode(path)}")
        finally:
            self.inside = inside


def _on_alarm(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"no end after {ENDLESS} s")


def one(name: str, surface: Surface, number: int, seed: int, folder: Path, watch: Watch, found: Found) -> None:
    """Try one input in an empty folder."""
    dice = random.Random(f"{seed}:{name}:{number}")
    content = dice.choice(surface.seeds) if number >= 0 else surface.seeds[0]
    if number >= 0:  # the good one comes first, which must be taken
        by_value = surface.is_json and dice.random() < 0.7
        content = changed_json(content, dice) if by_value else changed(content, dice)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for variable, place in (("RUNS", "runs"), ("CACHE", "cache"), ("DATA", "data"), ("ASSETS", "assets")):
        os.environ[f"RECAM_{variable}"] = str(folder / place)
    began, watch.heard, watch.inside = time.thread_time(), [], folder.resolve()
    signal.alarm(ENDLESS)
    try:
        answer = surface.read(content, folder)
        if answer is not None and not (isinstance(answer, (list, tuple, dict, frozenset)) and not answer):
            found.taken[name] = found.taken.get(name, 0) + 1
    except UserError as error:
        if any("\ud800" <= letter <= "\udfff" for letter in str(error)):
            found.findings.append((f"{name}:{number}", f"a sentence that no page can show: {error!a}"))
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        found.findings.append((f"{name}:{number}", traceback.format_exc(limit=-4)))
    finally:
        signal.alarm(0)
        watch.inside = None
    found.findings += [(f"{name}:{number}", words) for words in watch.heard]
    seconds = time.thread_time() - began
    found.slowest = max(found.slowest, (seconds, f"{name}:{number}"))
    if seconds > SLOW:
        found.findings.append((f"{name}:{number}", f"{seconds:.1f} s of work"))
    found.inputs += 1


def faulty(place: Path) -> dict[str, Surface]:
    """Surfaces that do what none may: what is found of them proves that it would be found of the others."""

    def write(content: bytes, folder: Path) -> object:
        (place / "outside").write_bytes(content)
        return True

    def process(content: bytes, folder: Path) -> object:
        return os.system(content)

    def refuse(content: bytes, folder: Path) -> object:
        raise KeyError(content)

    def work(content: bytes, folder: Path) -> object:
        until = time.thread_time() + SLOW
        while time.thread_time() < until:
            pass
        return True

    def say(content: bytes, folder: Path) -> object:
        raise UserError("\ud800")

    each = {"write": write, "process": process, "refuse": refuse, "work": work, "say": say}
    return {f"faulty {name}": Surface((b"true",), read) for name, read in each.items()}


def fuzz(place: Path, inputs: int, seconds: float, seed: int, only: str = "", prove: bool = False) -> Found:
    """Try so many inputs, in turn of every surface, or as many as fit into seconds of the processor's time."""
    warnings.simplefilter("ignore")
    found, watch = Found(), Watch()
    for name in ("good", "cwd", "home"):
        (place / name).mkdir(parents=True)
    os.environ["HOME"] = str(place / "home")
    os.environ["RECAM_HOSTED"] = "0"  # parts of the app are tried, and no server says at which address it listens
    os.chdir(place / "cwd")
    every = surfaces(place / "good")
    chosen, _, number = only.partition(":")
    if only:
        every = {chosen: every[chosen]}
    signal.signal(signal.SIGALRM, _on_alarm)
    for name, surface in every.items() if not number else ():
        one(name, surface, -1, seed, place / "work", watch, found)
        if not found.taken.get(name) and name not in _NEVER_GOOD:
            found.findings.append((f"{name}:-1", "the good example was not taken"))
    for name, surface in faulty(place).items() if prove else ():
        one(name, surface, -1, seed, place / "work", watch, found)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    until = time.process_time() + seconds
    numbers = [int(number)] if number else range(-(-inputs // len(every)))
    for at in numbers:
        for name, surface in every.items():
            if time.process_time() < until and (number or found.inputs < inputs):
                one(name, surface, at, seed, place / "work", watch, found)
    found.grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    shutil.rmtree(place / "work", ignore_errors=True)
    left = sorted(str(path.relative_to(place)) for folder in ("cwd", "home") for path in (place / folder).rglob("*"))
    found.findings += [("all", f"written outside: {path}") for path in left]
    return found


#: Whose good examples are refused at the end, or answer nothing.
_NEVER_GOOD = ("run zip", "other address")


def main() -> int:
    """Run, print what was found, and exit with 1 if that is anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="SURFACE[:NUMBER]")
    parser.add_argument("--prove", action="store_true", help="try what misbehaves, too; it must be found")
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = fuzz(Path(place), arguments.inputs, arguments.seconds, arguments.seed, arguments.only, arguments.prove)
        os.chdir(REPO_ROOT)
    if arguments.json:
        print(json.dumps(vars(found)))
        return bool(found.findings)
    for name, words in found.findings:
        print(f"{name}\n{words}")
    print(
        f"{found.inputs} inputs, {sum(found.taken.values())} of them taken, {len(found.findings)} findings; slowest "
        f"{found.slowest[0]:.2f} s ({found.slowest[1]}); grown by {found.grown:.0f} MB"
    )
    return bool(found.findings)


if __name__ == "__main__":
    sys.exit(main())
