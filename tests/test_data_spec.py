"""Specifications, the fixed partition of a split, and subsets."""

import numpy as np
import pytest

from data_layouts import folder, halves, voc, write_grey_mask, write_list
from recam_core.data.check import listing_faults
from recam_core.data.sample import BrokenItem, Dataset
from recam_core.data.spec import KINDS, Spec, open_dataset, parse_spec
from recam_core.data.subset import Subset, part_of, take_part
from recam_core.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("voc:/data/VOC2012@train", Spec("voc", "/data/VOC2012", "train", None)),
        ("voc:/data/VOC2012", Spec("voc", "/data/VOC2012", None, None)),
        ("voc:../shared/msrc@train.fit", Spec("voc", "../shared/msrc", "train", "fit")),
        ("voc:~/me@home/VOC@val.select", Spec("voc", "~/me@home/VOC", "val", "select")),
        ("voc:/data/me@home/VOC", Spec("voc", "/data/me@home/VOC", None, None)),
        ("folder:C:/my:pictures", Spec("folder", "C:/my:pictures", None, None)),
        ("coco:/d/a@b@val2014", Spec("coco", "/d/a@b", "val2014", None)),
        ("scenes@val", Spec("scenes", "", "val", None)),
        ("scenes", Spec("scenes", "", None, None)),
        ("scenes:context=0.8,seed=3@train", Spec("scenes", "context=0.8,seed=3", "train", None)),
        ("  gallery ", Spec("gallery", "", None, None)),
    ],
)
def test_parsing(text, expected):
    assert parse_spec(text) == expected
    assert str(parse_spec(text)) == text.strip()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not name a data set"),
        ("imagenet:/data", "voc:ROOT@SPLIT"),
        ("voc", "where the data set is"),
        ("voc:", "where the data set is"),
        ("voc@train", "where the data set is"),
        ("voc:/data@", "ends with '@'"),
        ("vocal:/data", "does not name"),
        ("voc:/data@.fit", "lacks the name"),
    ],
)
def test_specifications_that_are_none(text, words):
    with pytest.raises(UserError, match=words):
        open_dataset(text)


def test_a_bare_path_gets_a_hint(tmp_path):
    with pytest.raises(UserError, match="say which layout"):
        open_dataset(str(tmp_path))


def test_a_missing_folder(tmp_path):
    for kind in ("voc", "coco", "folder"):
        with pytest.raises(UserError, match="There is no folder"):
            open_dataset(f"{kind}:{tmp_path}/nowhere@train")


def test_a_folder_with_an_at_in_its_name(tmp_path):
    root = folder(tmp_path / "me@home")
    assert len(open_dataset(f"folder:{root}")) == 3
    write_list(root / "splits" / "one.txt", ["a"])
    assert len(open_dataset(f"folder:{root}@one")) == 1


def test_home_and_relative_paths(tmp_path, monkeypatch):
    folder(tmp_path / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert len(open_dataset("folder:~/mine")) == 3
    dataset = open_dataset("folder:mine")
    assert dataset.spec == "folder:mine"
    assert dataset.load(0).id == "a"


def test_the_split_argument_takes_the_place_of_the_one_in_the_specification(tmp_path):
    root = voc(tmp_path)
    write_list(root / "ImageSets" / "Segmentation" / "val.txt", ["b"])
    assert list(open_dataset(f"voc:{tmp_path}@train", split="val").ids) == ["b"]
    assert open_dataset(f"voc:{tmp_path}", split="val").spec == f"voc:{tmp_path}@val"


def test_every_kind_has_an_opener():
    import importlib

    for name, kind in KINDS.items():
        assert kind.form.startswith(name)
        assert callable(getattr(importlib.import_module(kind.module), kind.opener))


def test_the_parts_are_disjoint_complete_and_the_same_everywhere(tmp_path):
    ids = [f"2007_{number:06}" for number in range(200)]
    folder(tmp_path, ids, masks=False)
    (tmp_path / "labels.csv").write_text("id,labels\n" + "".join(f"{name},red\n" for name in ids))
    write_list(tmp_path / "splits" / "train.txt", ids)
    whole = open_dataset(f"folder:{tmp_path}@train")
    fit, select = (open_dataset(f"folder:{tmp_path}@train.{part}") for part in ("fit", "select"))
    assert isinstance(fit, Dataset)
    assert not set(fit.ids) & set(select.ids)
    assert sorted([*fit.ids, *select.ids]) == sorted(whole.ids)
    assert 25 <= len(select) <= 55
    assert fit.spec == f"folder:{tmp_path}@train.fit"
    assert open_dataset(fit.spec).ids == fit.ids
    # Written down, so that a change of the hash cannot go unnoticed: runs name these parts.
    assert [name for name in ids[:20] if part_of(name) == "select"] == ["2007_000005", "2007_000014", "2007_000017"]


def test_a_subset_hands_out_the_items_of_its_data_set(tmp_path):
    folder(tmp_path)
    write_grey_mask(tmp_path / "masks" / "b.png", halves(0, 9))
    whole = open_dataset(f"folder:{tmp_path}")
    part = Subset(whole, [2, 1], "a part")
    assert (part.ids, len(part), part.spec) == (["c", "b"], 2, "a part")
    assert np.array_equal(part.load(0).image, whole.load(2).image)
    assert np.array_equal(part.mask(0), whole.mask(2))
    assert part.size(0) == whole.size(2)
    with pytest.raises(BrokenItem, match="out of range"):
        part.load(1)
    assert len(list(part.faults())) == 1
    assert len(listing_faults(part)) == 1
    assert list(Subset(whole, [0, 2], "another").faults()) == []


def test_a_subset_of_a_data_set_that_only_has_the_protocol(tmp_path):
    whole = open_dataset(f"folder:{folder(tmp_path)}")

    class Bare:
        spec, classes, ids, has_masks = whole.spec, whole.classes, whole.ids, True
        labels, mask, load, faults = whole.labels, whole.mask, whole.load, whole.faults

        def __len__(self):
            return len(whole)

    part = Subset(Bare(), [1], "a part")
    assert part.size(0) == whole.size(1)
    assert listing_faults(part) == []
    assert list(part.faults()) == []


def test_parts_that_cannot_be(tmp_path):
    whole = open_dataset(f"folder:{folder(tmp_path, ids=['a'])}")
    with pytest.raises(UserError, match="fit and select"):
        take_part(whole, "third", "spec")
    other = "select" if part_of("a") == "fit" else "fit"
    with pytest.raises(UserError, match="empty"):
        take_part(whole, other, "spec")
