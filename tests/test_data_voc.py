"""Data sets in VOC layout: where masks, labels and classes come from, and every fault in them."""

import numpy as np
import pytest

from data_layouts import (
    HEIGHT,
    WIDTH,
    halves,
    voc,
    write_grey_mask,
    write_list,
    write_palette_mask,
    write_photo,
    write_xml,
)
from recam_core.data.check import listing_faults
from recam_core.data.sample import BrokenItem, Dataset, label_matrix
from recam_core.data.spec import open_dataset
from recam_core.data.voc import VOC_CLASSES
from recam_core.errors import UserError

CAT, DOG = VOC_CLASSES.index("cat"), VOC_CLASSES.index("dog")


def names(dataset, labels):
    return [dataset.classes.names[k] for k in np.flatnonzero(labels)]


def only_fault(dataset, index):
    """The single fault of an item, which loading it raises in the same words."""
    found = list(dataset.faults())
    assert len(found) == 1, found
    with pytest.raises(BrokenItem) as refusal:
        dataset.load(index)
    assert refusal.value.fault == found[0]
    assert str(refusal.value) == str(found[0])
    return found[0]


def test_labels_from_masks(tmp_path):
    voc(tmp_path)
    dataset = open_dataset(f"voc:{tmp_path}@train")
    assert isinstance(dataset, Dataset)
    assert dataset.spec == f"voc:{tmp_path}@train"
    assert (len(dataset), list(dataset.ids), dataset.has_masks) == (3, ["a", "b", "c"], True)
    assert dataset.classes.names == VOC_CLASSES
    assert dataset.classes.has_background
    sample = dataset.load(1)
    assert (sample.id, sample.image.shape, sample.image.dtype) == ("b", (HEIGHT, WIDTH, 3), np.uint8)
    assert np.array_equal(sample.mask, halves(0, 8))
    assert names(dataset, sample.labels) == ["cat"]
    assert label_matrix(dataset)[:, CAT].all()
    assert list(dataset.faults()) == []


def test_labels_from_xml_win_and_include_difficult_objects(tmp_path):
    voc(tmp_path, xml=True)
    dataset = open_dataset(f"voc:{tmp_path}@train")
    assert names(dataset, dataset.labels(0)) == ["cat", "dog"]


def test_a_set_without_masks(tmp_path):
    voc(tmp_path, xml=True, masks=False)
    dataset = open_dataset(f"voc:{tmp_path}@train")
    assert not dataset.has_masks
    sample = dataset.load(0)
    assert sample.mask is None
    assert names(dataset, sample.labels) == ["cat", "dog"]
    assert list(dataset.faults()) == []


@pytest.mark.parametrize("tail", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_the_root_may_be_any_level_of_the_devkit(tmp_path, tail):
    voc(tmp_path)
    assert len(open_dataset(f"voc:{tmp_path / tail}@train")) == 3


def test_train_aug_takes_its_own_masks(tmp_path):
    folder = voc(tmp_path, xml=True)
    write_photo(folder / "JPEGImages" / "d.jpg")
    for identifier in "abcd":
        write_grey_mask(folder / "SegmentationClassAug" / f"{identifier}.png", halves(255, 12))
    write_list(
        folder / "ImageSets" / "Segmentation" / "train_aug.txt",
        [f"/JPEGImages/{identifier}.jpg /SegmentationClassAug/{identifier}.png" for identifier in "abcd"],
    )
    dataset = open_dataset(f"voc:{tmp_path}@train_aug")
    assert list(dataset.ids) == list("abcd")
    assert np.array_equal(dataset.mask(0), halves(255, 12))
    assert names(dataset, dataset.labels(0)) == ["cat", "dog"]
    assert names(dataset, dataset.labels(3)) == ["dog"]  # no annotation, so the mask
    assert np.array_equal(open_dataset(f"voc:{tmp_path}@train").mask(0), halves(0, 8))


def test_train_aug_without_its_masks_uses_those_that_there_are(tmp_path):
    folder = voc(tmp_path)
    write_photo(folder / "JPEGImages" / "d.jpg")
    write_xml(folder / "Annotations" / "d.xml", ["dog"])
    write_list(folder / "ImageSets" / "Segmentation" / "train_aug.txt", ["a", "d"])
    dataset = open_dataset(f"voc:{tmp_path}@train_aug")
    assert dataset.mask(0) is not None
    assert dataset.load(1).mask is None
    assert list(dataset.faults()) == []


@pytest.mark.parametrize(
    ("lines", "left", "background"),
    [(["sun", "moon"], 1, False), (["background", "sun", "moon"], 1, True), (["sun", "moon"], 0, True)],
)
def test_classes_file_and_background(tmp_path, lines, left, background):
    folder = voc(tmp_path)
    for identifier in "abc":
        write_palette_mask(folder / "SegmentationClass" / f"{identifier}.png", halves(left, 2))
    write_list(folder / "classes.txt", lines)
    dataset = open_dataset(f"voc:{tmp_path}@train")
    assert dataset.classes.names == ("sun", "moon")
    assert dataset.classes.has_background is background
    assert names(dataset, dataset.labels(0)) == (["sun", "moon"] if left else ["moon"])


def test_background_is_the_same_for_every_split(tmp_path):
    folder = voc(tmp_path)
    for identifier in "ab":
        write_palette_mask(folder / "SegmentationClass" / f"{identifier}.png", halves(1, 2))
    write_palette_mask(folder / "SegmentationClass" / "c.png", halves(0, 2))
    write_list(folder / "classes.txt", ["sun", "moon"])
    write_list(folder / "ImageSets" / "Segmentation" / "val.txt", ["a"])
    assert open_dataset(f"voc:{tmp_path}@val").classes.has_background


def test_a_late_zero_in_a_set_without_background_is_a_fault(tmp_path):
    ids = [f"{number:03}" for number in range(150)]
    folder = voc(tmp_path, ids)
    for identifier in ids:
        write_palette_mask(folder / "SegmentationClass" / f"{identifier}.png", halves(1, 2))
    write_list(folder / "classes.txt", ["sun", "moon"])
    write_palette_mask(folder / "SegmentationClass" / "001.png", halves(0, 2))  # not among the 64 looked at
    dataset = open_dataset(f"voc:{tmp_path}@train")
    assert not dataset.classes.has_background
    fault = only_fault(dataset, 1)
    assert "background" in fault.message


@pytest.mark.parametrize("lines", [[], ["sun", "sun"], [f"class {number}" for number in range(255)]])
def test_useless_classes_files(tmp_path, lines):
    folder = voc(tmp_path)
    write_list(folder / "classes.txt", lines)
    with pytest.raises(UserError, match=r"classes\.txt"):
        open_dataset(f"voc:{tmp_path}@train")


# Faults ---------------------------------------------------------------------------------------------------------------


def test_missing_photo(tmp_path):
    folder = voc(tmp_path)
    (folder / "JPEGImages" / "b.jpg").unlink()
    fault = only_fault(open_dataset(f"voc:{tmp_path}@train"), 1)
    assert fault.where.endswith("train.txt")
    assert "unknown id" in fault.message
    assert "'b'" in fault.message


def test_corrupt_photo(tmp_path):
    folder = voc(tmp_path)
    path = folder / "JPEGImages" / "b.jpg"
    path.write_bytes(path.read_bytes()[:-100])
    fault = only_fault(open_dataset(f"voc:{tmp_path}@train"), 1)
    assert fault.where == str(path)
    assert "truncated" in fault.message


def test_corrupt_mask(tmp_path):
    folder = voc(tmp_path)
    path = folder / "SegmentationClass" / "b.png"
    path.write_bytes(path.read_bytes()[:-40])
    fault = only_fault(open_dataset(f"voc:{tmp_path}@train"), 1)
    assert fault.where == str(path)


def test_missing_mask_beside_others(tmp_path):
    folder = voc(tmp_path, xml=True)
    (folder / "SegmentationClass" / "b.png").unlink()
    fault = only_fault(open_dataset(f"voc:{tmp_path}@train"), 1)
    assert fault.where.endswith("b.png")
    assert "missing" in fault.message


def test_coloured_mask(tmp_path):
    folder = voc(tmp_path)
    write_photo(folder / "SegmentationClass" / "b.png")
    assert "colours" in only_fault(open_dataset(f"voc:{tmp_path}@train"), 1).message


@pytest.mark.parametrize(("size", "hint"), [((HEIGHT, WIDTH + 2), False), ((WIDTH, HEIGHT), True)])
def test_size_mismatch(tmp_path, size, hint):
    folder = voc(tmp_path)
    write_palette_mask(folder / "SegmentationClass" / "b.png", halves(0, 8, *size))
    fault = only_fault(open_dataset(f"voc:{tmp_path}@train"), 1)
    assert "size mismatch" in fault.message
    assert f"{size[1]} x {size[0]}" in fault.message
    assert ("EXIF" in fault.message) is hint


def test_class_id_out_of_range_in_a_mask(tmp_path):
    folder = voc(tmp_path)
    write_palette_mask(folder / "SegmentationClass" / "b.png", halves(21, 77))
    dataset = open_dataset(f"voc:{tmp_path}@train")
    fault = only_fault(dataset, 1)
    assert "out of range" in fault.message
    assert "21, 77" in fault.message
    with pytest.raises(BrokenItem, match="out of range"):
        dataset.labels(1)


def test_unknown_class_in_xml(tmp_path):
    folder = voc(tmp_path, xml=True)
    write_xml(folder / "Annotations" / "b.xml", ["unicorn"])
    fault = only_fault(open_dataset(f"voc:{tmp_path}@train"), 1)
    assert "unicorn" in fault.message
    assert fault.where.endswith("b.xml")


@pytest.mark.parametrize(
    "text",
    ["<annotation><object>", "", '<!DOCTYPE x [<!ENTITY a "aaaa">]><annotation>&a;</annotation>', "\x00\x01"],
)
def test_damaged_or_hostile_xml(tmp_path, text):
    folder = voc(tmp_path, xml=True)
    (folder / "Annotations" / "b.xml").write_text(text)
    assert only_fault(open_dataset(f"voc:{tmp_path}@train"), 1).where.endswith("b.xml")


def test_duplicate_id(tmp_path):
    folder = voc(tmp_path)
    write_list(folder / "ImageSets" / "Segmentation" / "train.txt", ["a", "b", "a"])
    dataset = open_dataset(f"voc:{tmp_path}@train")
    assert dataset.load(0).id == "a"
    assert "duplicate id" in only_fault(dataset, 2).message


@pytest.mark.parametrize("identifier", ["nobody", "../../../secret", "/etc/passwd"])
def test_unknown_id(tmp_path, identifier):
    folder = voc(tmp_path)
    write_list(folder / "ImageSets" / "Segmentation" / "train.txt", ["a", identifier])
    fault = only_fault(open_dataset(f"voc:{tmp_path}@train"), 1)
    assert "unknown id" in fault.message
    assert identifier in fault.message


def test_picture_without_a_label(tmp_path):
    folder = voc(tmp_path)
    write_palette_mask(folder / "SegmentationClass" / "b.png", halves(0, 255))
    dataset = open_dataset(f"voc:{tmp_path}@train")
    found = list(dataset.faults())
    assert len(found) == 1
    assert "without a label" in found[0].message
    # It can still be looked at; training asks listing_faults first.
    assert not dataset.load(1).labels.any()
    assert listing_faults(dataset) == found


def test_listing_faults_do_not_decode_photographs(tmp_path):
    folder = voc(tmp_path, xml=True, masks=False)
    for identifier in "abc":
        (folder / "JPEGImages" / f"{identifier}.jpg").write_bytes(b"not a photograph at all")
    write_list(folder / "ImageSets" / "Segmentation" / "train.txt", ["a", "a", "x"])
    dataset = open_dataset(f"voc:{tmp_path}@train")
    messages = [fault.message for fault in listing_faults(dataset)]
    assert len(messages) == 2
    assert "duplicate" in messages[0]
    assert "unknown" in messages[1]
    assert len(list(dataset.faults())) == 3


# Openings that fail ---------------------------------------------------------------------------------------------------


def test_missing_split_lists_the_others(tmp_path):
    folder = voc(tmp_path)
    write_list(folder / "ImageSets" / "Segmentation" / "mine.txt", ["a"])
    with pytest.raises(UserError, match="There are: mine, train"):
        open_dataset(f"voc:{tmp_path}@val")


def test_a_folder_of_another_layout(tmp_path):
    with pytest.raises(UserError, match=r"Annotations/\.$"):
        open_dataset(f"voc:{tmp_path}@train")
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="the layout of 'folder:"):
        open_dataset(f"voc:{tmp_path}@train")


def test_an_empty_split(tmp_path):
    folder = voc(tmp_path)
    write_list(folder / "ImageSets" / "Segmentation" / "train.txt", [])
    with pytest.raises(UserError, match="lists no picture"):
        open_dataset(f"voc:{tmp_path}@train")


def test_two_devkits_in_one_folder(tmp_path):
    voc(tmp_path)
    write_photo(tmp_path / "VOCdevkit" / "VOC2007" / "JPEGImages" / "a.jpg")
    with pytest.raises(UserError, match="more than one"):
        open_dataset(f"voc:{tmp_path}@train")


def test_msrc(msrc_v2):
    train, val = open_dataset(f"voc:{msrc_v2}@train"), open_dataset(f"voc:{msrc_v2}@val")
    assert (len(train), len(val)) == (354, 119)
    for dataset in (train, val):
        assert len(dataset.classes) == 22
        assert not dataset.classes.has_background
    assert not set(train.ids) & set(val.ids)
    assert list(val.faults()) == []
    assert 2.3 < label_matrix(train).sum(axis=1).mean() < 2.9
    fit, select = (open_dataset(f"voc:{msrc_v2}@train.{part}") for part in ("fit", "select"))
    assert sorted([*fit.ids, *select.ids]) == sorted(train.ids)
