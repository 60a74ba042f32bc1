"""One's own data: sets found below a folder, folders of pictures as sets, and sets in zips."""

import argparse
import io
import os
import stat
import zipfile

import numpy as np
import pytest

from data_layouts import coco, folder, halves, voc, write_grey_mask, write_list, write_photo
from recam_core.cli import data as cli
from recam_core.data.found_sets import find_sets, name_classes, served_folder
from recam_core.data.spec import open_dataset
from recam_core.data.zip_upload import unpack_set
from recam_core.errors import UserError
from recam_core.folders import data_root
from recam_core.progress import Cancelled


def classes(root, names=("cat", "dog"), count=2):
    """A folder of pictures for each class."""
    for name in names:
        for number in range(count):
            write_photo(root / name / f"{number}.jpg", number)
    return root


# Folders of pictures --------------------------------------------------------------------------------------------------


def test_a_folder_for_each_class(tmp_path):
    dataset = open_dataset(f"folder:{classes(tmp_path)}")
    assert dataset.classes.names == ("cat", "dog")
    assert list(dataset.ids) == ["cat-0", "cat-1", "dog-0", "dog-1"]
    assert [dataset.labels(index).tolist() for index in (0, 3)] == [[True, False], [False, True]]
    assert dataset.load(3).image.shape == (24, 32, 3)
    assert list(dataset.faults()) == []
    write_grey_mask(tmp_path / "masks" / "dog-1.png", halves(0, 2))
    write_list(tmp_path / "splits" / "some.txt", ["dog-1", "cat/0", "cat/1.jpg"])
    dataset = open_dataset(f"folder:{tmp_path}@some")
    assert list(dataset.ids) == ["dog-1", "cat-0", "cat-1"]
    assert dataset.classes.names == ("cat", "dog"), "masks are no class"
    assert np.array_equal(dataset.mask(0), halves(0, 2))
    write_list(tmp_path / "classes.txt", ["cat"])
    assert [fault.kind for fault in open_dataset(f"folder:{tmp_path}").faults()][-1] == "class out of range"


def test_plain_pictures_and_what_is_neither(tmp_path):
    write_photo(tmp_path / "plain" / "a.jpg", 0)
    with pytest.raises(UserError, match="its classes are unknown"):
        open_dataset(f"folder:{tmp_path / 'plain'}")
    found = find_sets(tmp_path).sets[0]
    assert "Nothing says which classes" in found.problem
    name_classes(found, ["cat", "dog"])
    with pytest.raises(UserError, match="there already"):
        name_classes(found, ["cat"])
    dataset = open_dataset(find_sets(tmp_path).sets[0].spec())
    assert (list(dataset.ids), dataset.classes.names) == (["a"], ("cat", "dog"))
    assert not dataset.labels(0).any()
    classes(tmp_path / "plain")
    with pytest.raises(UserError, match="pictures beside folders of pictures"):
        open_dataset(f"folder:{tmp_path / 'plain'}")
    assert "beside folders" in find_sets(tmp_path).sets[0].problem
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no folder images and no pictures"):
        open_dataset(f"folder:{tmp_path / 'empty'}")
    voc(tmp_path / "v")
    with pytest.raises(UserError, match="looks like voc:"):
        open_dataset(f"folder:{tmp_path / 'v' / 'VOCdevkit' / 'VOC2012'}")


# What is found below the root -----------------------------------------------------------------------------------------


def test_every_layout_is_found_and_opens(tmp_path):
    voc(tmp_path / "v")
    coco(tmp_path / "deep" / "c")
    folder(tmp_path / "f")
    write_list(tmp_path / "f" / "splits" / "mine.txt", ["a"])
    classes(tmp_path / "k")
    found = {one.place: one for one in find_sets(tmp_path).sets}
    assert {place: (one.layout, one.pictures, one.splits) for place, one in found.items()} == {
        "v/VOCdevkit/VOC2012": ("voc", 3, ("train",)),
        "deep/c": ("coco", 4, ("val2014",)),
        "f": ("folder", 3, ("", "mine")),
        "k": ("classes", 4, ("",)),
    }
    for one in found.values():
        assert not one.problem
        for split in one.splits:
            assert len(open_dataset(one.spec(split)))
    assert find_sets(tmp_path).is_complete
    assert find_sets(tmp_path / "k", is_one_set=True).sets[0].layout == "classes"
    assert {one.layout for one in find_sets(tmp_path / "k").sets} == {"pictures"}, "side by side in a root"
    assert find_sets(tmp_path / "nowhere").sets == ()


def test_links_hidden_folders_and_broken_layouts(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    folder(tmp_path / "outside")
    (root / "link").symlink_to(tmp_path / "outside")
    folder(root / ".hidden")
    folder(root / "odd\nname")
    (root / "half" / "JPEGImages").mkdir(parents=True)
    coco(root / "bare")
    os.rename(root / "bare" / "val2014", root / "bare" / "elsewhere")
    found = find_sets(root).sets
    assert [one.place for one in found] == ["bare", "half"]
    assert "pictures are missing" in found[0].problem
    assert "no ImageSets/Segmentation" in found[1].problem


def test_only_what_lies_below_the_root_is_served(tmp_path):
    root = tmp_path / "root"
    folder(root / "deep" / "set")
    folder(tmp_path / "outside")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "deep" / "inner").symlink_to(root / "deep" / "set")
    assert served_folder(root, "deep/set") == root.resolve() / "deep" / "set"
    for place, message in (
        ("../outside", "does not lie below"),
        ("deep/../../outside", "does not lie below"),
        (str(tmp_path / "outside"), "does not lie below"),
        ("link", "reached by a link"),
        ("link/images", "reached by a link"),
        ("deep/inner", "reached by a link"),
        ("nowhere", "There is no folder"),
        ("deep\0", "does not lie below"),
    ):
        with pytest.raises(UserError, match=message):
            served_folder(root, place)


def test_the_root_is_a_setting(tmp_path, monkeypatch, repo_root):
    monkeypatch.delenv("RECAM_DATA", raising=False)
    assert data_root() == repo_root / "data"
    monkeypatch.setenv("RECAM_DATA", str(tmp_path))
    assert data_root() == tmp_path


# Zips -----------------------------------------------------------------------------------------------------------------


def packed(root, around="", change=lambda files: None, compression=zipfile.ZIP_DEFLATED):
    """A zip of a folder after a change; names are as in the zip."""
    files = {
        f"{around}{file.relative_to(root).as_posix()}": file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }
    change(files)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    stream.name = "my data (1).zip"
    return stream


@pytest.fixture
def source(tmp_path):
    return folder(tmp_path / "source")


@pytest.fixture
def served(tmp_path):
    return tmp_path / "served"


def refused(stream, served, match, name=""):
    """Unpacking says why not, and leaves nothing."""
    with pytest.raises(UserError, match=match):
        unpack_set(stream, served, name)
    assert not served.exists() or not list(served.iterdir())


@pytest.mark.parametrize("around", ["", "holiday/"])
def test_a_zip_becomes_a_set(source, served, around):
    def with_rubbish(files):
        files |= {"__MACOSX/._a.png": b"x", f"{around}.DS_Store": b"x", f"{around}run.py": b"x", f"{around}a.exe": b"x"}

    path, left_out = unpack_set(packed(source, around, with_rubbish), served)
    assert path == served / ("holiday" if around else "my-data-1")
    assert left_out == 4
    assert {file.name for file in path.rglob("*") if file.is_file()} == {
        file.name for file in source.rglob("*") if file.is_file()
    }
    (found,) = find_sets(served).sets
    assert np.array_equal(open_dataset(found.spec()).mask(0), open_dataset(f"folder:{source}").mask(0))
    with pytest.raises(UserError, match="already; choose another name"):
        unpack_set(packed(source, around), served)
    assert unpack_set(packed(source, around), served, "other")[0].name == "other"
    assert not [one.name for one in served.iterdir() if one.name.startswith(".")]


def test_zips_of_the_other_layouts(tmp_path, served):
    voc(tmp_path / "v")
    coco(tmp_path / "c")
    classes(tmp_path / "k")
    for name in "vck":
        unpack_set(packed(tmp_path / name, f"{name}/"), served)
    assert [one.layout for one in find_sets(served).sets] == ["coco", "classes", "voc"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../evil.png", "does not lie where"),
        ("/etc/evil.png", "does not lie where"),
        ("images/../../evil.png", "does not lie where"),
        ("..\\evil.png", "does not lie where"),
        ("C:evil.png", "does not lie where"),
        ("images/ev\u202eil.png", "does not lie where"),
        ("images/evil\n.png", "does not lie where"),
        ("/".join("abcdefghijk") + ".png", "too deep"),
        ("x" * 230 + ".png", "too long"),
        ("images/a.png/evil.png", "a file and a folder"),
    ],
)
def test_hostile_names(source, served, name, sentence):
    refused(packed(source, change=lambda files: files.update({name: b"x"})), served, sentence)
    assert not list(served.parent.rglob("*evil*"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(source, served, kind):
    stream = packed(source)
    with zipfile.ZipFile(stream, "a") as archive:
        entry = zipfile.ZipInfo("images/z.png")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    refused(stream, served, "link or a device")


def test_bombs_and_damage(source, served, monkeypatch):
    refused(packed(source, change=lambda files: files.update({"labels.csv": bytes(300 << 20)})), served, "would unpack")
    refused(
        packed(source, change=lambda files: files.update({"images/b.bmp": bytes((300 << 20) + 1)})),
        served,
        "MB is most",
    )
    content = packed(source, change=lambda files: files.update({"labels.csv": b"x" * 5_000_000})).getvalue()
    lied = content.replace((5_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lied != content
    refused(io.BytesIO(lied), served, "no whole zip|more than it says|less than it says")
    refused(io.BytesIO(b"hello"), served, "no whole zip")
    refused(io.BytesIO(), served, "no whole zip")
    whole = packed(source).getvalue()
    refused(io.BytesIO(whole[: len(whole) // 2]), served, "no whole zip")
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    with pytest.raises(UserError):
        unpack_set(io.BytesIO(bytes(flipped)), served)
    stream = packed(source)
    with zipfile.ZipFile(stream, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("images/a.png", b"x")
    refused(stream, served, "twice")
    refused(packed(source, compression=zipfile.ZIP_LZMA), served, "compressed in a way")
    refused(packed(source, change=lambda files: files.clear()), served, "holds no data set")
    refused(packed(source, change=lambda files: files.pop("images/a.png")), served, "cannot be the name", "../up")
    monkeypatch.setattr("recam_core.data.zip_upload.MOST_FILES", 3)
    refused(packed(source), served, "entries; 3 is most")
    monkeypatch.setattr("recam_core.zip_entries._LARGEST_LIST", 100)
    refused(packed(source), served, "lists far too many")
    monkeypatch.setattr("recam_core.data.zip_upload.LARGEST_ZIP", 100)
    refused(packed(source), served, "larger than 0.0001 MB")


def test_a_full_disk_and_a_cancelled_upload_leave_nothing(source, served, monkeypatch):
    def cancel(done, total, note):
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        unpack_set(packed(source), served, progress=cancel)
    assert list(served.iterdir()) == []
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    refused(packed(source), served, "the disk has 0 MB")


# The command line -----------------------------------------------------------------------------------------------------


def run(*arguments):
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["data", *map(str, arguments)])
    return args.run(args)


def test_commands(source, served, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RECAM_DATA", str(served))
    assert run("list") == 0
    assert f"No data sets in {served}" in capsys.readouterr().out
    (tmp_path / "mine.zip").write_bytes(packed(source).getvalue())
    assert run("unpack", tmp_path / "mine.zip", "--name", "pets") == 0
    assert f"folder:{served / 'pets'}" in capsys.readouterr().out
    write_photo(served / "plain" / "a.jpg", 0)
    assert run("list", "--json", tmp_path / "list.json") == 0
    shown = capsys.readouterr().out
    assert "pictures with masks or labels, 3 pictures" in shown
    assert "Nothing says which classes" in shown
    assert (tmp_path / "list.json").is_file()
