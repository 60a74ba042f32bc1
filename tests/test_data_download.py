"""Downloads from a server on this machine: verified, whole, taken up again, and with a sentence when they fail."""

import io
import json
import re
import socket
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_layouts import coco, photo, voc, write_xml
from msrc_archive import bmp, colours, msrc_files, zipped
from recam_core.checkpoint.run_folder import read_info
from recam_core.cli.main import main
from recam_core.data import fetch as fetching
from recam_core.data.download import (
    SOURCES,
    Source,
    download,
    find_source,
    forget,
    is_here,
    kept_bytes,
    unpack_coco,
    unpack_tar,
)
from recam_core.data.mask_io import read_mask, voc_palette, write_mask
from recam_core.data.msrc import CLASSES, COLOUR_OF, SPLITS, convert
from recam_core.data.spec import open_dataset
from recam_core.data.voc_animals import choose_animals
from recam_core.errors import UserError
from recam_core.folders import shipped_folder
from recam_core.lock import holding, try_lock
from recam_core.progress import Cancelled
from served_files import Server, archive_of, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetching, "BLOCK", 1000)
    with serving() as served:
        yield served


def source_of(server: Server, name: str = "VOCtiny.tar", inner: str = "VOCdevkit/VOC2012", **changes) -> Source:
    disk_bytes = changes.pop("disk_bytes", 0)
    archive = archive_of(server, name, **changes)
    unpack = partial(unpack_tar, inner=inner)
    return Source("Tiny VOC", "", "", (archive,), inner, unpack, "voc:{}@train", disk_bytes)


@pytest.fixture
def tiny(tmp_path: Path, server: Server) -> Source:
    """A tiny VOC 2012 that is served."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(voc(tmp_path / "original"), "VOCdevkit/VOC2012")
    server.files["VOCtiny.tar"] = stream.getvalue()
    return source_of(server)


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "data"


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def part(source: Source, to: Path) -> Path:
    return to / f"{source.archives[0].filename}.part"


# Whole ----------------------------------------------------------------------------------------------------------------


def test_the_data_set_is_there_and_nothing_else(tiny: Source, to: Path) -> None:
    seen = []
    assert not is_here(tiny, to)
    where = download(tiny, to, lambda *told: seen.append(told))
    assert where == to / "VOCdevkit" / "VOC2012"
    assert is_here(tiny, to)
    assert left_over(to) == ["VOCdevkit"]
    dataset = open_dataset(tiny.spec.format(to))
    assert len(dataset) == 3
    assert list(dataset.faults()) == []
    assert all(0 <= done <= total for done, total, _ in seen)
    assert {note for _, _, note in seen} == {"fetching VOCtiny.tar", "checking", "unpacking"}


def test_what_is_in_place_is_not_fetched_again(tiny: Source, to: Path, server: Server) -> None:
    download(tiny, to)
    server.files.clear()
    assert download(tiny, to) == to / "VOCdevkit" / "VOC2012"
    assert len(server.asked) == 1


def test_an_archive_fetched_by_hand(tiny: Source, to: Path, server: Server) -> None:
    to.mkdir()
    (to / "VOCtiny.tar").write_bytes(server.files["VOCtiny.tar"])
    assert download(tiny, to).is_dir()
    assert left_over(to) == ["VOCdevkit", "VOCtiny.tar"]
    assert not server.asked


def test_a_damaged_archive_fetched_by_hand(tiny: Source, to: Path, server: Server) -> None:
    to.mkdir()
    (to / "VOCtiny.tar").write_bytes(server.files["VOCtiny.tar"][:-100])
    with pytest.raises(UserError, match="MD5"):
        download(tiny, to)
    assert left_over(to) == ["VOCtiny.tar"]


# Taken up again -------------------------------------------------------------------------------------------------------


def cancel_at(count: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, note: str) -> None:
        if note.startswith("fetching") and done >= count:
            raise Cancelled

    return progress


def test_what_was_cancelled_goes_on_where_it_ended(tiny: Source, to: Path, server: Server) -> None:
    with pytest.raises(Cancelled):
        download(tiny, to, cancel_at(5000))
    assert kept_bytes(tiny, to) == 5000
    assert part(tiny, to).read_bytes() == server.files["VOCtiny.tar"][:5000]
    seen = []
    download(tiny, to, lambda *told: seen.append(told))
    assert seen[0] == (5000, len(server.files["VOCtiny.tar"]), "fetching VOCtiny.tar")
    assert server.asked == ["", "bytes=5000-"]
    assert left_over(to) == ["VOCdevkit"]


def test_a_connection_that_breaks_is_made_anew(tiny: Source, to: Path, server: Server) -> None:
    server.break_after, server.breaks = 4000, 2
    assert download(tiny, to).is_dir()
    assert server.asked == ["", "bytes=4000-", "bytes=8000-"]


def test_a_connection_that_keeps_breaking(tiny: Source, to: Path, server: Server) -> None:
    server.break_after, server.breaks = 100, 99
    with pytest.raises(UserError, match=r"broke off\)\. 0\.5 KB are kept.*goes on where it ended"):
        download(tiny, to)
    assert kept_bytes(tiny, to) == 500
    server.breaks = 0
    assert download(tiny, to).is_dir()


def test_a_server_that_goes_away(tiny: Source, to: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Cancelled):
        download(tiny, to, cancel_at(5000))

    def refuse(*_, **__):
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(fetching.urllib.request, "urlopen", refuse)
    with pytest.raises(UserError, match=r"nobody listens\).*are kept"):
        download(tiny, to)
    assert kept_bytes(tiny, to) == 5000


def test_a_server_without_ranges_begins_anew(tiny: Source, to: Path, server: Server) -> None:
    server.ranges = False
    with pytest.raises(Cancelled):
        download(tiny, to, cancel_at(5000))
    assert download(tiny, to).is_dir()
    assert server.asked == ["", "bytes=5000-"]


@pytest.mark.parametrize("tag", ['"2"', '"1"'])
def test_a_file_that_changed_meanwhile_is_fetched_whole(tiny: Source, to: Path, server: Server, tag: str) -> None:
    """With another tag the server says so; with the same one the length does."""
    server.files["VOCtiny.tar"], right = b"x" * 7777, server.files["VOCtiny.tar"]
    with pytest.raises(Cancelled):
        download(tiny, to, cancel_at(5000))
    server.files["VOCtiny.tar"], server.tag = right, tag
    assert download(tiny, to).is_dir()
    assert server.asked[:2] == ["", "bytes=5000-"]


def test_a_part_longer_than_the_file_is_thrown_away(tiny: Source, to: Path, server: Server) -> None:
    with pytest.raises(Cancelled):
        download(tiny, to, cancel_at(5000))
    size = len(server.files["VOCtiny.tar"])
    part(tiny, to).write_bytes(b"x" * (size + 1000))
    assert download(tiny, to).is_dir()
    part(tiny, to).write_bytes(b"x" * size)
    note = part(tiny, to).with_name("VOCtiny.tar.part.json")
    note.write_text(json.dumps({"url": tiny.archives[0].url, "total": size + 9, "validator": '"1"'}))
    (to / "VOCdevkit").rename(to / "away")
    assert download(tiny, to).is_dir()
    assert server.asked[-2:] == [f"bytes={size}-", ""]


def test_a_part_of_which_nothing_is_known_is_not_gone_on_with(tiny: Source, to: Path, server: Server) -> None:
    to.mkdir()
    part(tiny, to).write_bytes(b"x" * 100)
    assert download(tiny, to).is_dir()
    assert server.asked == [""]


def test_without_a_checksum_only_a_file_with_a_tag_is_gone_on_with(tiny: Source, to: Path, server: Server) -> None:
    server.tag = ""
    source = source_of(server, md5="")
    with pytest.raises(Cancelled):
        download(source, to, cancel_at(5000))
    assert download(source, to).is_dir()
    assert server.asked == ["", ""]


def test_a_cancelled_unpacking_fetches_nothing_again(tiny: Source, to: Path, server: Server) -> None:
    def progress(done: int, total: int, note: str) -> None:
        if note == "unpacking":
            raise Cancelled

    with pytest.raises(Cancelled):
        download(tiny, to, progress)
    assert not is_here(tiny, to)
    assert [name for name in left_over(to) if name.startswith(".download")] == []
    assert download(tiny, to).is_dir()
    assert len(server.asked) == 1
    assert left_over(to) == ["VOCdevkit"]


def test_what_was_fetched_can_be_thrown_away(tiny: Source, to: Path) -> None:
    with pytest.raises(Cancelled):
        download(tiny, to, cancel_at(5000))
    forget(tiny, to)
    assert left_over(to) == []


def test_two_at_once(tiny: Source, to: Path) -> None:
    handle = try_lock(to / ".VOCtiny.tar.lock")
    with holding(handle):
        for work in (download, forget):
            with pytest.raises(UserError, match="being downloaded"):
                work(tiny, to)
    assert download(tiny, to).is_dir()


# Refused --------------------------------------------------------------------------------------------------------------


def test_a_wrong_checksum(server: Server, tiny: Source, to: Path) -> None:
    with pytest.raises(UserError, match="MD5 sum is not 0123"):
        download(source_of(server, md5="0123"), to)
    assert left_over(to) == []


def test_a_wrong_length(server: Server, tiny: Source, to: Path) -> None:
    with pytest.raises(UserError, match="another file than expected: it has"):
        download(source_of(server, size=123), to)
    server.lie = 3000
    with pytest.raises(UserError, match="MD5"):
        download(tiny, to)
    server.lie = len(server.files["VOCtiny.tar"]) + 100
    with pytest.raises(UserError, match="broke off"):
        download(tiny, to)


def test_a_file_that_is_not_there(server: Server, tiny: Source, to: Path) -> None:
    server.files.clear()
    with pytest.raises(UserError, match="404"):
        download(tiny, to)
    assert left_over(to) == []


def test_offline(server: Server, tiny: Source, to: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    source = source_of(server, url=f"http://127.0.0.1:{port}/VOCtiny.tar")
    with pytest.raises(UserError) as refusal:
        download(source, to)
    text = str(refusal.value)
    for words in ("Could not download", "Check the connection", "by hand", "md5sum", source.archives[0].md5, str(to)):
        assert words in text
    assert left_over(to) == []


def test_a_silent_server(server: Server, tiny: Source, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        source = source_of(server, url=f"http://127.0.0.1:{silent.getsockname()[1]}/VOCtiny.tar")
        with pytest.raises(UserError, match="took too long"):
            download(source, to)


def test_no_room_on_the_disk(server: Server, tiny: Source, to: Path) -> None:
    with pytest.raises(UserError, match="needs 1000000000"):
        download(source_of(server, disk_bytes=10**18), to)
    assert not server.asked


def test_a_place_that_cannot_be_written_to(tiny: Source, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        download(tiny, tmp_path / "file" / "data")


def hostile(kind: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo("../../evil" if kind == "parent" else "link")
    if kind == "link":
        member.type, member.linkname = tarfile.SYMTYPE, "../../outside"
    elif kind == "device":
        member.type = tarfile.CHRTYPE
    return member


@pytest.mark.parametrize("kind", ["parent", "link", "device"])
def test_hostile_tars(server: Server, tmp_path: Path, to: Path, kind: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = hostile(kind)
        data = b"evil" if member.isreg() else b""
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    server.files["evil.tar"] = stream.getvalue()
    with pytest.raises(UserError, match="cannot be unpacked"):
        download(source_of(server, "evil.tar"), to)
    assert not (to / "VOCdevkit").exists()
    assert not [path for path in tmp_path.rglob("evil*") if not path.name.startswith("evil.tar")]


def test_tars_that_are_none_or_others(server: Server, to: Path) -> None:
    server.files["text.tar"] = b"this is no archive"
    with pytest.raises(UserError, match="cannot be unpacked"):
        download(source_of(server, "text.tar"), to)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(__file__, "other.py")
    server.files["other.tar"] = stream.getvalue()
    with pytest.raises(UserError, match="holds no folder"):
        download(source_of(server, "other.tar"), to)
    assert not (to / "VOCdevkit").exists()


# MSRC v2 --------------------------------------------------------------------------------------------------------------


TINY_SPLITS = {"train": ["1_1", "10_2"], "val": ["2_1"]}
IN_ROOT = "MSRC_ObjCategImageDatabase_v2"


@pytest.fixture
def converted(tmp_path: Path) -> Callable[..., Path]:
    def make(changes: dict[str, bytes | None] | None = None) -> Path:
        files = msrc_files(["1_1", "10_2", "2_1", "9_9", "3_3"]) | (changes or {})
        path = tmp_path / "msrc.zip"
        path.write_bytes(zipped({name: content for name, content in files.items() if content is not None}))
        convert(path, tmp_path / "msrc_v2", splits=TINY_SPLITS)
        return tmp_path / "msrc_v2"

    return make


def test_msrc_becomes_voc(converted: Callable[..., Path]) -> None:
    only_void = {f"{IN_ROOT}/GroundTruth/3_3_s_GT.bmp": bmp(colours(0, 5))}
    folder = converted(only_void)
    names = ["JPEGImages", "SegmentationClass", "classes.txt", "test.txt", "train.txt", "val.txt"]
    assert sorted(p.name for p in folder.rglob("*") if p.parent == folder or p.suffix == ".txt") == sorted(
        [*names, "ImageSets"]
    )
    for split, ids in {**TINY_SPLITS, "test": ["9_9"]}.items():
        dataset = open_dataset(f"voc:{folder}@{split}")
        assert list(dataset.ids) == ids
        assert not list(dataset.faults())
        assert dataset.classes.names == CLASSES
        assert not dataset.classes.has_background
    mask = read_mask(folder / "SegmentationClass" / "1_1.png")
    assert mask[0].tolist() == [2] * 8 + [4] * 8 + [255] * 16
    image = np.asarray(Image.open(folder / "JPEGImages" / "1_1.jpg")).astype(int)
    assert np.abs(image - photo(0)).mean() < 4


def test_the_colours_are_those_of_msrc() -> None:
    """Some of them as anybody can look them up in the archive's description."""
    palette = voc_palette()
    known = {"grass": (0, 128, 0), "road": (128, 64, 128), "cat": (0, 192, 128), "boat": (192, 64, 0)}
    known |= {"building": (128, 0, 0), "sky": (128, 128, 128), "face": (192, 128, 0), "body": (64, 64, 0)}
    for name, colour in known.items():
        assert tuple(palette[COLOUR_OF[name]]) == colour


def test_the_split_is_that_of_the_shipped_checkpoints(repo_root: Path) -> None:
    record = json.loads((repo_root / "assets" / "checkpoints" / "photos" / "bce" / "run.json").read_text())
    assert list(CLASSES) == record["classes"]
    assert record["has_background"] is False
    assert {split: len(set(ids)) for split, ids in SPLITS.items()} == {"train": 354, "val": 119}
    assert not set(SPLITS["train"]) & set(SPLITS["val"])


GT, PHOTO = f"{IN_ROOT}/GroundTruth/1_1_s_GT.bmp", f"{IN_ROOT}/Images/1_1_s.bmp"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({GT: None}, "no photograph 1_1_s.bmp with a mask"),
        ({PHOTO: None}, "no photograph 1_1_s.bmp with a mask"),
        ({GT: bmp(colours(2, height=20))}, "another size"),
        ({GT: bmp(colours(2, 19))}, r"the colour \(128, 192, 0\)"),
        ({GT: b"no picture"}, "damaged"),
        ({f"{IN_ROOT}/GroundTruth/1_1_GT.bmp": bmp(colours(2))}, "two files for the picture 1_1"),
        ({"../Images/1_1_s.bmp": bmp(photo(0))}, "does not lie where"),
        ({PHOTO: b"x" * (9 << 20)}, "larger than any picture"),
    ],
)
def test_msrc_archives_that_do_not_fit(converted: Callable[..., Path], changes: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        converted(changes)


def test_a_few_stray_colours_are_void(converted: Callable[..., Path]) -> None:
    mask = colours(2)
    mask[0, 0] = (1, 2, 3)
    folder = converted({GT: bmp(mask)})
    assert (read_mask(folder / "SegmentationClass" / "1_1.png") == 255).sum() == 1


def test_msrc_from_the_command_line(
    server: Server, to: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All ids of the shipped split, to the folder of served data sets."""
    ids = [identifier for split in SPLITS.values() for identifier in split]
    server.files["msrc.zip"] = zipped(msrc_files([*ids, "1_99"]))
    monkeypatch.setattr(fetching, "BLOCK", 1 << 18)
    monkeypatch.setenv("RECAM_DATA", str(to))
    real = find_source("msrc_v2")
    tiny = Source(
        **{**vars(real), "archives": (archive_of(server, "msrc.zip"),), "disk_bytes": 0},
    )
    monkeypatch.setitem(SOURCES, "msrc_v2", tiny)
    assert main(["data", "download", "msrc_v2"]) == 0
    said = capsys.readouterr().out
    assert f"voc:{to}/msrc_v2@train" in said
    assert len(open_dataset(f"voc:{to}/msrc_v2@train")) == 354
    assert len(open_dataset(f"voc:{to}/msrc_v2@val")) == 119
    assert list(open_dataset(f"voc:{to}/msrc_v2@test").ids) == ["1_99"]


# COCO -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_coco(tmp_path: Path, server: Server) -> Callable[..., Source]:
    def make(photos: dict[str, bytes] | None = None) -> Source:
        root = tmp_path / "coco"
        coco(root, "train2014")
        files = {f"train2014/{p.name}": p.read_bytes() for p in sorted((root / "train2014").iterdir())}
        server.files["train2014.zip"] = zipped(files | (photos or {}))
        annotations = {"annotations/captions_train2014.json": b"{}"}
        annotations |= {f"annotations/{p.name}": p.read_bytes() for p in (root / "annotations").iterdir()}
        server.files["annotations.zip"] = zipped(annotations)
        archives = (archive_of(server, "train2014.zip"), archive_of(server, "annotations.zip"))
        unpack = partial(unpack_coco, splits={"train2014": len(files)})
        return Source("Tiny COCO", "", "", archives, "coco2014", unpack, "coco:{}/coco2014@train2014")

    return make


def test_coco_from_several_archives(tiny_coco: Callable[..., Source], to: Path, server: Server) -> None:
    source = tiny_coco()
    begun = []

    def progress(done: int, total: int, note: str) -> None:
        begun.append(note)
        if note == "fetching annotations.zip":
            raise Cancelled

    with pytest.raises(Cancelled):
        download(source, to, progress)
    assert kept_bytes(source, to) == len(server.files["train2014.zip"])
    download(source, to)
    assert server.asked == ["", "", ""], "the first archive was not fetched again"
    assert left_over(to) == ["coco2014"]
    assert [p.name for p in (to / "coco2014" / "annotations").iterdir()] == ["instances_train2014.json"]
    dataset = open_dataset(source.spec.format(to))
    assert len(dataset)
    dataset.load(0)


@pytest.mark.parametrize(
    ("photos", "words"),
    [
        ({"train2014/../../evil.jpg": b"x"}, "does not lie where"),
        ({"train2014/evil.py": b"x"}, "no photograph of COCO"),
        ({"elsewhere/evil.jpg": b"x"}, "no photograph of COCO"),
        ({"train2014/more.jpg": b"x"}, "photographs and not"),
    ],
)
def test_hostile_zips(tiny_coco: Callable[..., Source], to: Path, tmp_path: Path, photos: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        download(tiny_coco(photos), to)
    assert not (to / "coco2014").exists()
    assert not list(tmp_path.rglob("evil*"))


def test_coco_without_its_annotations(tiny_coco: Callable[..., Source], to: Path, server: Server) -> None:
    tiny_coco()
    server.files["annotations.zip"] = zipped({"annotations/instances_val2014.json": b"{}"})
    source = Source("", "", "", tuple(archive_of(server, name) for name in ("train2014.zip", "annotations.zip")),
                    "coco2014", tiny_coco().unpack, "")  # fmt: skip
    server.files["annotations.zip"] = zipped({"annotations/instances_val2014.json": b"{}"})
    with pytest.raises(UserError, match=r"instances_train2014\.json"):
        download(source, to)


# The table ------------------------------------------------------------------------------------------------------------


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download"]) == 0
    said = capsys.readouterr().out
    for name in SOURCES:
        source = find_source(name)
        assert name in said
        assert source.terms in said
        assert source.checked in said
        assert source.disk_bytes > 2 * source.size or not source.size
        assert all(re.fullmatch(r"[0-9a-f]{32}", archive.md5) for archive in source.archives)


def test_voc_is_where_torchvision_says() -> None:
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    (archive,), entry = find_source("voc2012").archives, DATASET_YEAR_DICT["2012"]
    assert (archive.url, archive.filename, archive.md5) == (entry["url"], entry["filename"], entry["md5"])
    assert Path(find_source("voc2012").folder) == Path(entry["base_dir"])


@pytest.mark.parametrize("name", list(SOURCES))
def test_the_real_sources_are_refused_without_a_network(name: str, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the name is asked for in the tests, and not found."""

    def no_network(*_: object, **__: object) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(fetching.urllib.request, "urlopen", no_network)
    source = Source(**{**vars(find_source(name)), "disk_bytes": 0})
    with pytest.raises(UserError, match=r"Could not download https?://.*fetch the file by hand"):
        download(source, to)
    assert left_over(to) == []


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="voc2012"):
        find_source("imagenet")
    assert main(["data", "download", "imagenet"]) == 2
    assert "msrc_v2" in capsys.readouterr().err


# VOC's animals --------------------------------------------------------------------------------------------------------


def test_the_animals_are_made_of_voc(tmp_path: Path, server: Server, to: Path) -> None:
    folder = voc(tmp_path, ids=("cat", "car", "cow", "person"), masks=False)
    for identifier, values in {"cat": (0, 8), "car": (0, 7), "cow": (10, 15), "person": (0, 15)}.items():
        mask = np.zeros((24, 32), dtype=np.uint8)
        mask[:, :16], mask[:, 16:] = values
        write_mask(folder / "SegmentationClass" / f"{identifier}.png", mask)
    lists = folder / "ImageSets"
    (lists / "Segmentation" / "train.txt").write_text("cat\ncar\nperson\n")
    (lists / "Segmentation" / "val.txt").write_text("cow\n")
    (lists / "Main").mkdir()
    (lists / "Main" / "trainval.txt").write_text("cat\ncow\nextra\nlorry\n")
    (folder / "JPEGImages" / "extra.jpg").write_bytes((folder / "JPEGImages" / "cat.jpg").read_bytes())
    write_xml(folder / "Annotations" / "extra.xml", ["dog", "sofa", "bottle"])
    write_xml(folder / "Annotations" / "lorry.xml", ["car", "person"])
    write_xml(folder / "Annotations" / "cat.xml", ["cat"])
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(tmp_path / "VOCdevkit", "VOCdevkit")
    server.files["voc.tar"] = stream.getvalue()
    source = replace(SOURCES["voc2012_animals"], archives=(archive_of(server, "voc.tar"),), disk_bytes=0)

    assert download(source, to) == to / "voc2012_animals"

    assert left_over(to) == ["voc2012_animals"]
    sets = {split: open_dataset(f"voc:{to}/voc2012_animals@{split}") for split in ("train", "val", "train_aug")}
    assert {split: list(one.ids) for split, one in sets.items()} == {
        "train": ["cat"],
        "val": ["cow"],
        "train_aug": ["cat", "extra"],
    }
    assert sets["train"].classes == read_info(shipped_folder() / "animals" / "bce").class_list
    assert set(np.unique(sets["val"].mask(0))) == {3, 6}
    assert sets["train_aug"].labels(1).nonzero()[0].tolist() == [1, 7]
    assert open_dataset(source.spec.format(to)).ids == sets["train_aug"].ids


def test_animals_of_half_a_voc_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"val\.txt"):
        choose_animals(voc(tmp_path, ids=("cat",)), tmp_path / "new", lambda *_: None)
