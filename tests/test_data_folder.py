"""A user's own folder: either form of labels, masks of either kind, and the mistakes that users make."""

import numpy as np
import pytest

from data_layouts import folder, halves, write_grey_mask, write_list, write_palette_mask, write_photo
from recam_core.data.check import listing_faults
from recam_core.data.sample import BrokenItem
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError


def write_table(root, text):
    (root / "labels.csv").write_text(text, encoding="utf-8")


def messages(dataset):
    return [str(fault) for fault in dataset.faults()]


def test_masks_alone(tmp_path):
    folder(tmp_path)
    dataset = open_dataset(f"folder:{tmp_path}")
    assert dataset.spec == f"folder:{tmp_path}"
    assert list(dataset.ids) == ["a", "b", "c"]
    assert dataset.classes.names == ("red", "blue")
    assert dataset.classes.has_background
    assert dataset.load(0).labels.tolist() == [False, True]
    assert messages(dataset) == []


@pytest.mark.parametrize(
    "text",
    [
        "id,labels\na,red;blue\nb,blue\nc,red\n",
        "id,red,blue\na,1,1\nb,0,1\nc,1,0\n",
        "\ufeffid,labels\r\na.png, red ; blue \r\n\r\nb,blue\r\nc,red\r\n",
        'id,labels\n"a","red;blue"\nb,blue;\nc,red\n',
    ],
)
@pytest.mark.parametrize("classes", [True, False])
def test_both_forms_of_labels(tmp_path, text, classes):
    folder(tmp_path, masks=False)
    if not classes:
        (tmp_path / "classes.txt").unlink()
    write_table(tmp_path, text)
    dataset = open_dataset(f"folder:{tmp_path}")
    rows = [{dataset.classes.names[k] for k in np.flatnonzero(dataset.labels(index))} for index in range(3)]
    assert rows == [{"red", "blue"}, {"blue"}, {"red"}]
    assert not dataset.has_masks
    assert dataset.load(0).mask is None
    assert messages(dataset) == []


def test_labels_win_over_masks_and_masks_fill_in(tmp_path):
    folder(tmp_path)
    write_table(tmp_path, "id,labels\na,red\n")
    dataset = open_dataset(f"folder:{tmp_path}")
    assert dataset.labels(0).tolist() == [True, False]
    assert dataset.labels(1).tolist() == [False, True]


def test_classes_from_the_masks(tmp_path):
    folder(tmp_path)
    (tmp_path / "classes.txt").unlink()
    write_palette_mask(tmp_path / "masks" / "c.png", halves(255, 4))
    dataset = open_dataset(f"folder:{tmp_path}")
    assert dataset.classes.names == ("class 1", "class 2", "class 3", "class 4")
    assert dataset.classes.has_background
    assert dataset.labels(2).tolist() == [False, False, False, True]


def test_a_set_without_background(tmp_path):
    folder(tmp_path)
    for identifier in "abc":
        write_grey_mask(tmp_path / "masks" / f"{identifier}.png", halves(1, 2))
    write_list(tmp_path / "classes.txt", ["red", "blue"])
    assert not open_dataset(f"folder:{tmp_path}").classes.has_background


def test_endings_in_any_case(tmp_path):
    for name in ("a.JPG", "b.jpeg", "c.webp", "d.bmp", "e.PNG"):
        write_photo(tmp_path / "images" / name)
    (tmp_path / "images" / "notes.txt").write_text("not a picture")
    (tmp_path / "images" / ".hidden.jpg").write_text("not a picture")
    for identifier in "abcde":
        write_grey_mask(tmp_path / "masks" / f"{identifier}.PNG", halves(0, 1))
    dataset = open_dataset(f"folder:{tmp_path}")
    assert list(dataset.ids) == list("abcde")
    assert messages(dataset) == []


def test_splits(tmp_path):
    folder(tmp_path)
    write_list(tmp_path / "splits" / "mine.txt", ["c.png", "a"])
    assert list(open_dataset(f"folder:{tmp_path}@mine").ids) == ["c", "a"]
    assert len(open_dataset(f"folder:{tmp_path}@all")) == 3
    with pytest.raises(UserError, match="There are: mine, all"):
        open_dataset(f"folder:{tmp_path}@val")


def test_a_picture_without_a_label_can_be_looked_at(tmp_path):
    folder(tmp_path)
    (tmp_path / "masks" / "b.png").unlink()
    dataset = open_dataset(f"folder:{tmp_path}")
    sample = dataset.load(1)
    assert sample.mask is None
    assert not sample.labels.any()
    found = messages(dataset)
    assert len(found) == 1
    assert "without a label" in found[0]
    assert [str(fault) for fault in listing_faults(dataset)] == found


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("id,labels\na,red\nb,green\nc,red\n", "'green'"),
        ("id,labels\na,red\nb,red\nc,red\nb,blue\n", "more than one row"),
        ("id,labels\na,red\nb,red\nc,red\nb.png,blue\n", "more than one row"),
        ("id,labels\na,red\nb,red,blue\nc,red\n", "3 cells"),
        ("id,red,blue\na,1,0\nb,often,0\nc,0,1\n", "'often'"),
        ("id,labels\na,red\nb,\nc,red\n", "without a label"),
    ],
)
def test_faulty_rows_are_faults_of_their_picture(tmp_path, table, words):
    folder(tmp_path, masks=False)
    write_table(tmp_path, table)
    dataset = open_dataset(f"folder:{tmp_path}")
    found = list(dataset.faults())
    assert len(found) == 1
    assert words in found[0].message
    if "without" not in words:
        assert "labels.csv" in found[0].where
        with pytest.raises(BrokenItem, match=words):
            dataset.labels(1)
        with pytest.raises(BrokenItem, match=words):
            dataset.load(1)


@pytest.mark.parametrize("table", ["", "title,labels\na,red\n", "id\na\n", 'id,labels\n"a,red\n'])
def test_useless_tables(tmp_path, table):
    folder(tmp_path, masks=False)
    write_table(tmp_path, table)
    with pytest.raises(UserError, match=r"labels\.csv"):
        open_dataset(f"folder:{tmp_path}")


def test_two_pictures_of_one_name(tmp_path):
    folder(tmp_path)
    write_photo(tmp_path / "images" / "b.jpg")
    dataset = open_dataset(f"folder:{tmp_path}")
    assert list(dataset.ids) == ["a", "b", "c"]
    found = messages(dataset)
    assert len(found) == 1
    assert "duplicate id 'b'" in found[0]
    with pytest.raises(BrokenItem, match="duplicate id"):
        dataset.load(1)


def test_unknown_and_repeated_ids_in_a_split(tmp_path):
    folder(tmp_path)
    write_list(tmp_path / "splits" / "mine.txt", ["a", "nobody", "a", "../b"])
    found = messages(open_dataset(f"folder:{tmp_path}@mine"))
    assert len(found) == 3
    assert "unknown id" in found[0]
    assert "duplicate id" in found[1]
    assert "unknown id" in found[2]


def test_every_fault_of_the_files(tmp_path):
    folder(tmp_path, ids=list("abcdef"))
    (tmp_path / "images" / "a.png").write_bytes(b"text")
    write_grey_mask(tmp_path / "masks" / "b.png", halves(0, 9))
    write_grey_mask(tmp_path / "masks" / "c.png", halves(0, 1, 10, 10))
    write_photo(tmp_path / "masks" / "d.png")
    (tmp_path / "masks" / "e.png").write_bytes(b"text")
    found = messages(open_dataset(f"folder:{tmp_path}"))
    assert len(found) == 5
    for text, words in zip(found, ("not an image", "out of range", "size mismatch", "colours", "PNG"), strict=True):
        assert words in text


def test_leftovers_are_notes_not_faults(tmp_path):
    folder(tmp_path)
    write_table(tmp_path, "id,labels\na,blue\nz,blue\n")
    write_grey_mask(tmp_path / "masks" / "y.png", halves(0, 1))
    dataset = open_dataset(f"folder:{tmp_path}")
    assert messages(dataset) == []
    assert any("1 rows of labels.csv" in note for note in dataset.notes)
    assert any("1 masks" in note for note in dataset.notes)


def test_openings_that_fail(tmp_path):
    with pytest.raises(UserError, match="no folder images"):
        open_dataset(f"folder:{tmp_path}")
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="no picture"):
        open_dataset(f"folder:{tmp_path}")
    write_photo(tmp_path / "images" / "a.png")
    with pytest.raises(UserError, match=r"classes\.txt"):
        open_dataset(f"folder:{tmp_path}")
    (tmp_path / "classes.txt").write_bytes(b"\xff\x00\x81")
    with pytest.raises(UserError, match="UTF-8"):
        open_dataset(f"folder:{tmp_path}")
