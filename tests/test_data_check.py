"""``data check``, ``data info`` and ``data export``, as functions and as commands."""

import argparse
import json

import numpy as np
import pytest

from data_layouts import folder, halves, voc, write_grey_mask, write_list, write_photo, write_xml
from recam_core.cli import data as cli
from recam_core.data.check import by_kind, check_dataset, listing_faults, summarise
from recam_core.data.folder import export_folder
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.progress import Cancelled


def run(*arguments):
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["data", *map(str, arguments)])
    return args.run(args)


def test_a_sound_set(tmp_path, capsys):
    folder(tmp_path / "set")
    assert run("check", f"folder:{tmp_path / 'set'}", "--json", tmp_path / "out" / "report.json") == 0
    text = capsys.readouterr().out
    assert "No fault found." in text
    assert "3 pictures, with masks" in text
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["faults"] == []
    assert report["pictures"] == 3
    assert report["pictures_per_class"] == {"red": 0, "blue": 3}


def test_each_fault_is_listed_with_its_file(tmp_path, capsys):
    root = folder(tmp_path / "set", ids=list("abcde"))
    (root / "images" / "a.png").write_bytes(b"text")
    write_grey_mask(root / "masks" / "b.png", halves(0, 9))
    write_grey_mask(root / "masks" / "c.png", halves(0, 1, 10, 10))
    (root / "masks" / "d.png").unlink()
    write_list(root / "splits" / "mine.txt", [*"abcde", "e", "nobody"])
    assert run("check", f"folder:{root}@mine", "--json", tmp_path / "report.json") == 1
    text = capsys.readouterr().out
    expected = [
        ("a.png", "not an image"),
        ("b.png", "out of range"),
        ("c.png", "size mismatch"),
        ("d.png", "without a label"),
        ("mine.txt", "duplicate id"),
        ("mine.txt", "unknown id"),
    ]
    lines = [line for line in text.splitlines() if ".png: " in line or ".txt: " in line]
    assert len(lines) == len(expected)
    for line, (name, words) in zip(lines, expected, strict=True):
        assert name in line
        assert words in line
    assert "6 faults found." in text
    report = json.loads((tmp_path / "report.json").read_text())
    assert [fault["message"] for fault in report["faults"]] == [line.split(": ", 1)[1] for line in lines]
    # Pictures with a readable label are counted: a (its mask is sound), c and e.
    assert report["pictures_per_class"] == {"red": 1, "blue": 2}


def test_many_faults_are_counted_by_kind_and_the_first_few_listed(tmp_path, capsys):
    ids = [f"p{number:02}" for number in range(40)]
    root = voc(tmp_path, ids=ids)
    for identifier in ids[1:31]:
        (root / "SegmentationClass" / f"{identifier}.png").unlink()
    write_grey_mask(root / "SegmentationClass" / "p35.png", halves(0, 99))
    spec = f"voc:{tmp_path}@train"
    assert run("check", spec, "--json", tmp_path / "report.json") == 1
    text = capsys.readouterr().out
    assert "missing file: 30\n" in text
    assert "class out of range: 1\n" in text
    assert text.index("missing file") < text.index("class out of range"), "the most frequent kind comes first"
    assert [name for name in ids if f"{name}.png: this mask is missing" in text] == ids[1:4]
    assert "and 27 more; --all lists each" in text
    assert "31 faults found." in text
    faults = json.loads((tmp_path / "report.json").read_text())["faults"]
    assert len(faults) == 31, "the file holds all of them"
    assert {fault["kind"] for fault in faults} == {"missing file", "class out of range"}

    assert run("check", spec, "--all") == 1
    text = capsys.readouterr().out
    assert [name for name in ids if f"{name}.png: this mask is missing" in text] == ids[1:31]
    assert "30  missing file" in text
    assert "more; --all" not in text


def test_every_kind_of_fault_has_its_name(tmp_path):
    root = folder(tmp_path / "set", ids=list("abcdef"))
    (root / "images" / "a.png").write_bytes(b"text")
    write_grey_mask(root / "masks" / "b.png", halves(0, 9))
    write_grey_mask(root / "masks" / "c.png", halves(0, 1, 10, 10))
    (root / "masks" / "d.png").unlink()
    write_list(root / "splits" / "mine.txt", [*"abcdef", "e", "nobody"])
    dataset = open_dataset(f"folder:{root}@mine")
    (root / "images" / "f.png").unlink()
    kinds = [fault.kind for fault in check_dataset(dataset).faults]
    assert kinds == [
        *("damaged file", "class out of range", "size mismatch", "no label"),
        *("missing file", "duplicate id", "unknown id"),
    ]
    assert [(group.kind, len(group.faults)) for group in by_kind(check_dataset(dataset).faults)] == [
        (kind, 1) for kind in kinds
    ]


def test_the_cheap_check_reports_its_progress_and_can_be_cancelled(tmp_path):
    dataset = open_dataset(f"folder:{folder(tmp_path)}")
    seen = []
    assert listing_faults(dataset, lambda done, total, note: seen.append((done, total))) == []
    assert seen == [(1, 3), (2, 3), (3, 3)]

    def cancel(done, total, note):
        raise Cancelled

    with pytest.raises(Cancelled):
        check_dataset(dataset, cancel)


def test_notes_are_printed(tmp_path, capsys):
    root = folder(tmp_path)
    write_grey_mask(root / "masks" / "z.png", halves(0, 1))
    assert run("check", f"folder:{root}") == 0
    assert "1 masks have no picture" in capsys.readouterr().out


def test_summary(tmp_path, capsys):
    root = voc(tmp_path, ids=list("abcd"), xml=True)
    write_photo(root / "JPEGImages" / "d.jpg", height=48, width=64)
    write_xml(root / "Annotations" / "c.xml", ["cat"])
    write_xml(root / "Annotations" / "d.xml", ["unicorn"])
    summary = summarise(open_dataset(f"voc:{tmp_path}@train"))
    assert (summary.pictures, summary.broken) == (4, 1)
    assert summary.pictures_per_class["cat"] == 3
    assert summary.pictures_per_class["dog"] == 2
    assert summary.classes_per_picture == pytest.approx(5 / 3)
    assert summary.pairs == [("cat", "dog", 2, 1.0)]
    assert summary.sizes == {"smallest": (24, 32), "median": (24, 32), "largest": (48, 64)}
    assert run("info", f"voc:{tmp_path}@train", "--json", tmp_path / "info.json") == 0
    text = capsys.readouterr().out
    assert "cat + dog" in text
    assert "largest width x height: 64 x 48" in text
    assert json.loads((tmp_path / "info.json").read_text())["classes_per_picture"] == pytest.approx(5 / 3)


def with_zeros(root, layout, count):
    """Three masks of two classes without a background, but for ``count`` zeros in the last one; nothing is stated."""
    where = layout(root)
    masks, listed = (where / "SegmentationClass", "voc") if layout is voc else (where / "masks", "folder")
    for identifier in "abc":
        mask = halves(1, 2)
        if identifier == "c":
            mask.flat[:count] = 0
        write_grey_mask(masks / f"{identifier}.png", mask)
    write_list(where / "classes.txt", ["red", "blue"])
    return f"{listed}:{root}", where / "classes.txt"


@pytest.mark.parametrize("layout", [folder, voc])
@pytest.mark.parametrize("action", ["check", "info"])
def test_a_background_that_a_few_zeros_decide_is_told(tmp_path, capsys, layout, action):
    spec, classes = with_zeros(tmp_path, layout, 3)
    assert open_dataset(spec).classes.has_background, "as before"
    assert run(action, spec, "--json", tmp_path / "out.json") == 0
    text = capsys.readouterr().out
    assert "taken to have a background class, because of 3 pixels of value 0 in 1 of the 3 masks" in text
    assert "0.13 % of the pixels" in text  # 3 of 3 x 24 x 32
    assert "first line of classes.txt" in text
    assert "cannot be compared" in text
    assert "255 (void)" in text
    assert len(json.loads((tmp_path / "out.json").read_text())["notes"]) == 1

    write_list(classes, ["background", "red", "blue"])
    assert run(action, spec) == 0
    assert "taken to have" not in capsys.readouterr().out, "it is stated"
    assert open_dataset(spec).classes.has_background

    write_list(classes, ["void", "red", "blue"])
    assert run(action, spec) == 0
    assert "taken to have" not in capsys.readouterr().out, "the other choice"
    dataset = open_dataset(spec)
    assert not dataset.classes.has_background
    assert np.bincount(dataset.mask(2).ravel(), minlength=256)[[0, 255]].tolist() == [0, 3], "the strays are void"


@pytest.mark.parametrize("count", [0, 24])  # none, and 1.04 %
def test_without_zeros_and_with_many_there_is_nothing_to_tell(tmp_path, count):
    spec, _ = with_zeros(tmp_path, folder, count)
    dataset = open_dataset(spec)
    assert dataset.classes.has_background == (count > 0)
    assert check_dataset(dataset).notes == summarise(dataset).notes == ()


def test_a_few_zeros_are_told_without_a_list_of_classes_and_of_a_part_too(tmp_path):
    spec, classes = with_zeros(tmp_path, folder, 3)
    (tmp_path / "labels.csv").write_text("id,labels\na,red\nb,blue\nc,red\n")
    classes.unlink()
    write_list(tmp_path / "splits" / "mine.txt", ["a", "b", "c"])
    assert "3 pixels of value 0" in check_dataset(open_dataset(f"{spec}@mine.fit")).notes[0]
    (tmp_path / "labels.csv").unlink()
    assert "3 pixels of value 0" in check_dataset(open_dataset(spec)).notes[0]


@pytest.mark.parametrize("background", [True, False])
def test_export_and_open_again(tmp_path, background):
    root = folder(tmp_path / "original")
    if not background:
        for identifier in "abc":
            write_grey_mask(root / "masks" / f"{identifier}.png", halves(255, 2))
        write_list(root / "classes.txt", ["red", "blue"])
    write_list(root / "splits" / "mine.txt", ["c", "a"])
    original = open_dataset(f"folder:{root}@mine")
    assert run("export", original.spec, "--to", tmp_path / "copy") == 0
    copy = open_dataset(f"folder:{tmp_path / 'copy'}@mine")
    assert list(copy.ids) == ["c", "a"]
    assert copy.classes == original.classes
    for index in range(2):
        one, other = original.load(index), copy.load(index)
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.mask, other.mask)
        assert np.array_equal(one.labels, other.labels)
    assert list(copy.faults()) == []


def test_export_of_pictures_without_masks_and_of_the_first_few(tmp_path):
    voc(tmp_path / "original", xml=True, masks=False)
    dataset = open_dataset(f"voc:{tmp_path / 'original'}@train")
    assert export_folder(dataset, tmp_path / "copy", count=2) == 2
    copy = open_dataset(f"folder:{tmp_path / 'copy'}")
    assert len(copy) == 2
    assert not copy.has_masks
    assert np.array_equal(copy.labels(0), dataset.labels(0))


def test_export_never_overwrites_and_leaves_no_half(tmp_path):
    root = folder(tmp_path / "original")
    dataset = open_dataset(f"folder:{root}")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "precious.txt").write_text("mine")
    with pytest.raises(UserError, match="already holds"):
        export_folder(dataset, tmp_path / "used")
    with pytest.raises(UserError, match="already holds"):
        export_folder(dataset, root / "classes.txt")
    with pytest.raises(UserError, match="At least one"):
        export_folder(dataset, tmp_path / "copy", count=0)
    write_grey_mask(root / "masks" / "c.png", halves(0, 9))
    with pytest.raises(UserError, match="out of range"):
        export_folder(dataset, tmp_path / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["original", "used"]


def test_download_command_names_what_there_is():
    with pytest.raises(UserError, match="voc2012"):
        run("download", "imagenet", "--to", "somewhere")


def test_download_command(tmp_path, monkeypatch, capsys):
    folder = voc(tmp_path)
    monkeypatch.setattr(cli, "download", lambda source, to, progress: folder)
    assert run("download", "voc2012", "--to", tmp_path) == 0
    assert f"voc:{tmp_path}@train" in capsys.readouterr().out
