"""Masks that were written, as other programs read them, and as data sets to train on."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as codes
from pycocotools.coco import COCO
from torchvision.datasets import VOCSegmentation

from recam_core.cli.main import main
from recam_core.data.sample import VOID, ClassList, Sample
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.queue.reserved import reserve
from recam_core.report.coco_masks import picture_names, write_coco
from recam_core.report.mask_set import writing_mask_set
from tiny_voc import tiny_voc

CLASSES = ClassList(("cat", "dog", "cow"))


def some_masks():
    """Masks with several parts of a class, one column, nothing at all, one class alone, and void."""
    rng = np.random.default_rng(0)
    mixed = rng.choice(np.array([0, 1, 3], dtype=np.uint8), size=(9, 14))
    column = np.zeros((6, 1), dtype=np.uint8)
    column[2:4] = 2
    void = np.full((5, 7), 2, dtype=np.uint8)
    void[1:3, 2:6] = VOID
    full = np.full((4, 4), 3, dtype=np.uint8)
    return {"a.jpg": mixed, "b/column.png": column, "none.jpg": np.zeros((3, 5), dtype=np.uint8), "v": void, "f": full}


def test_pycocotools_reads_every_pixel_back(tmp_path):
    path, masks = tmp_path / "set" / "masks.json", some_masks()
    write_coco(path, CLASSES, masks.items())
    read = COCO(str(path))
    assert [category["name"] for category in read.loadCats(read.getCatIds())] == [*CLASSES.names, "void"]
    assert [picture["file_name"] for picture in read.loadImgs(read.getImgIds())] == list(masks)
    for picture in read.loadImgs(read.getImgIds()):
        mask = masks[picture["file_name"]]
        assert (picture["height"], picture["width"]) == mask.shape
        found = np.zeros_like(mask)
        for entry in read.loadAnns(read.getAnnIds(picture["id"])):
            region = read.annToMask(entry) > 0
            assert not found[region].any()
            found[region] = entry["category_id"]
            assert entry["iscrowd"] == (entry["category_id"] == VOID)
            assert isinstance(entry["segmentation"]["counts"], str)
            y, x = np.nonzero(region)
            left, top, width, height = entry["bbox"]
            assert (left, top, left + width, top + height) == (x.min(), y.min(), x.max() + 1, y.max() + 1)
            assert entry["area"] == region.sum() == codes.area(entry["segmentation"])
        np.testing.assert_array_equal(found, mask)


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    def masks():
        yield from some_masks().items()
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_coco(tmp_path / "masks.json", CLASSES, masks())
    assert list(tmp_path.iterdir()) == []
    write_coco(tmp_path / "masks.json", CLASSES, [("a.jpg", some_masks()["a.jpg"])])
    assert [one["name"] for one in json.loads((tmp_path / "masks.json").read_text())["categories"]] == [*CLASSES.names]


def test_pictures_are_named_below_the_folder_they_share(tmp_path):
    class Photos:
        ids = ("a", "b-c", "d")

        def __len__(self):
            return 3

        def photo_path(self, index):
            return f"/data/images/{('x/a.jpg', 'x/b/c.png', 'x/d.jpg')[index]}"

    assert picture_names(Photos()) == {"a": "a.jpg", "b-c": "b/c.png", "d": "d.jpg"}
    scenes = open_dataset("scenes:stuff=1@val")
    assert picture_names(scenes)[scenes.ids[0]] == f"{scenes.ids[0]}.png"


def test_a_set_opens_in_both_layouts_and_trains(tmp_path, capsys):
    data = open_dataset(f"voc:{tiny_voc(tmp_path / 'squares', train_pictures=4, val_pictures=2)}@train")
    rng = np.random.default_rng(1)
    out = tmp_path / "set"
    written = {}
    with writing_mask_set(out, data.classes, "train", {}, with_pictures=True, coco=picture_names(data)) as writer:
        for index in range(len(data)):
            sample = data.load(index)
            mask = np.where(rng.random(sample.mask.shape) < 0.9, sample.mask, rng.choice([1, VOID])).astype(np.uint8)
            written[sample.id] = sample.image, mask
            writer.add(sample, mask)
    for layout in ("voc", "coco"):
        read = open_dataset(f"{layout}:{out}@train")
        assert (read.classes, list(read.ids)) == (data.classes, list(data.ids))
        assert not list(read.faults())
        for index, id in enumerate(read.ids):
            sample = read.load(index)
            np.testing.assert_array_equal(sample.image, written[id][0])
            np.testing.assert_array_equal(sample.mask, written[id][1])
    network = ("--preset", "small", "--weights", "none", "--steps", "1", "--batch-size", "2", "--crop", "64")
    place = ("--data", f"coco:{out}@train", "--out", str(tmp_path / "network"), "--device", "cpu")
    assert main(["segment", "train", *network, *place]) == 0, capsys.readouterr().err


def test_torchvision_reads_the_masks_beside_the_pictures_of_voc(tmp_path):
    devkit = tmp_path / "VOCdevkit" / "VOC2012"
    data = open_dataset(f"voc:{tiny_voc(devkit, train_pictures=3, val_pictures=2)}@val")
    masks = {id: np.full((48, 48), place + 1, dtype=np.uint8) for place, id in enumerate(data.ids)}
    with writing_mask_set(tmp_path / "set", data.classes, "val", {}) as writer:
        for id, mask in masks.items():
            writer.add(Sample(id, np.zeros((48, 48, 3), dtype=np.uint8), np.ones(3, dtype=bool)), mask)
    for part in ("SegmentationClass", "ImageSets"):
        for file in (tmp_path / "set" / part).rglob("*.*"):
            file.replace(devkit / file.relative_to(tmp_path / "set"))
    read = VOCSegmentation(str(tmp_path), year="2012", image_set="val")
    assert len(read) == len(masks)
    for (image, target), (id, mask) in zip(read, masks.items(), strict=True):
        assert image.size == (48, 48), id
        np.testing.assert_array_equal(np.asarray(target), mask)


def test_masks_replace_nothing_but_older_masks(tmp_path):
    def write(folder: Path) -> None:
        with writing_mask_set(folder, CLASSES, "train", {}):
            pass

    def write_pictures(folder: Path) -> None:
        with writing_mask_set(folder, CLASSES, "train", {}, with_pictures=True) as writer:
            sample = Sample("a", np.zeros((8, 8, 3), np.uint8), np.zeros(3, bool))
            writer.add(sample, np.zeros((8, 8), np.uint8))

    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"the only copy")
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    for place in (photos, notes):
        with pytest.raises(UserError, match="choose another --out"):
            write(place)
    assert (photos / "cat.jpg").read_bytes() == b"the only copy"
    assert notes.read_text() == "mine"

    reserved = tmp_path / "reserved"
    reserve(reserved, "one")
    for place in (tmp_path / "new", reserved):
        for _ in range(2):
            write(place)
        assert (place / "masks.json").is_file()
        for _ in range(2):
            write_pictures(place)
        with pytest.raises(UserError, match="with their pictures"):
            write(place)
        assert (place / "JPEGImages" / "a.png").is_file()
