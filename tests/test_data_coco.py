"""COCO: masks through pycocotools, crowds as void, and annotation files that cannot be trusted."""

import copy
import shutil

import numpy as np
import pytest

from data_layouts import HEIGHT, WIDTH, coco, square, write_coco, write_photo
from recam_core.data.sample import VOID, BrokenItem
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError


def broken(root, content, change, index=0):
    """The message of the fault that a change to the annotations causes."""
    content = copy.deepcopy(content)
    change(content)
    write_coco(root, "val2014", content)
    dataset = open_dataset(f"coco:{root}@val2014")
    found = dataset.item_faults(index)
    assert len(found) == 1, found
    with pytest.raises(BrokenItem) as refusal:
        dataset.load(index)
    assert refusal.value.fault == found[0]
    return found[0].message


@pytest.mark.parametrize(("split", "under_images"), [("val2014", False), ("train2017", True)])
def test_classes_pictures_and_labels(tmp_path, split, under_images, capsys):
    coco(tmp_path, split, under_images)
    dataset = open_dataset(f"coco:{tmp_path}@{split}")
    assert dataset.classes.names == ("person", "stop sign", "toothbrush")
    assert dataset.classes.has_background
    # One picture without objects and one with nothing but a crowd are left out.
    assert list(dataset.ids) == [f"COCO_{split}_{number:012d}" for number in (0, 1)]
    assert "2 pictures" in dataset.notes[0]
    assert dataset.labels(0).tolist() == [True, False, True]
    assert dataset.labels(1).tolist() == [False, True, False]  # the crowd of persons is no label
    assert list(dataset.faults()) == []
    assert capsys.readouterr().out == ""


def test_small_objects_lie_on_top_and_crowds_are_void(tmp_path):
    coco(tmp_path)
    dataset = open_dataset(f"coco:{tmp_path}@val2014")
    expected = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    expected[:16, :16] = 1
    expected[4:8, 4:8] = 3
    assert np.array_equal(dataset.load(0).mask, expected)
    expected[:] = 0
    expected[:, :8] = VOID
    expected[4:12, 4:12] = 2
    assert np.array_equal(dataset.mask(1), expected)


def test_masks_are_not_kept(tmp_path):
    coco(tmp_path)
    dataset = open_dataset(f"coco:{tmp_path}@val2014")
    first = dataset.mask(0)
    first[:] = 7
    assert dataset.mask(0).max() == 3


def test_compressed_run_lengths(tmp_path):
    from pycocotools import mask as codes

    content = coco(tmp_path)
    region = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    region[3:9, 5:20] = 1
    code = codes.encode(np.asfortranarray(region))["counts"].decode("ascii")
    content["annotations"][0]["segmentation"] = {"counts": code, "size": [HEIGHT, WIDTH]}
    write_coco(tmp_path, "val2014", content)
    mask = open_dataset(f"coco:{tmp_path}@val2014").mask(0)
    assert np.array_equal(mask == 3, region.astype(bool))


def test_the_default_split_is_train(tmp_path):
    coco(tmp_path, "val2014")
    coco(tmp_path, "train2014")
    assert open_dataset(f"coco:{tmp_path}").spec.endswith("@train2014")
    with pytest.raises(UserError, match="There are: train2014, val2014"):
        open_dataset(f"coco:{tmp_path}@test2015")


@pytest.mark.parametrize(
    "name",
    [
        "../../secret.jpg",
        "/etc/passwd",
        "a\\..\\b.jpg",
        ".hidden.jpg",
        "a/../../b.jpg",
        "C:\\a.jpg",
        "a//b.jpg",
        "\0",
    ],
)
def test_file_names_that_lead_elsewhere(tmp_path, name):
    content = coco(tmp_path)
    write_photo(tmp_path.parent / "secret.jpg")

    def change(content):
        content["images"][0]["file_name"] = name

    assert "leads out of" in broken(tmp_path, content, change)


def test_faults_of_an_item(tmp_path):
    content = coco(tmp_path)

    def rename(content):
        content["images"][0]["file_name"] = "nobody.jpg"

    def category(content):
        content["annotations"][0]["category_id"] = 2

    def size(content):
        content["images"][0]["width"] = WIDTH + 1

    def twice(content):
        content["images"][1]["file_name"] = content["images"][0]["file_name"]

    assert "missing" in broken(tmp_path, content, rename)
    assert "out of range" in broken(tmp_path, content, category)
    assert "size mismatch" in broken(tmp_path, content, size)
    assert "duplicate" in broken(tmp_path, content, twice, index=1)


def test_annotation_files_that_are_none(tmp_path):
    content = coco(tmp_path)
    path = write_coco(tmp_path, "val2014", content)
    whole = path.read_text()
    for text in (whole[:-50], "[]", "{}", "not json", '{"images": [], "categories": 3, "annotations": []}'):
        path.write_text(text)
        with pytest.raises(UserError, match=r"instances_val2014\.json"):
            open_dataset(f"coco:{tmp_path}@val2014")
    foreign = copy.deepcopy(content)
    for annotation in foreign["annotations"]:
        annotation["image_id"] += 99
    write_coco(tmp_path, "val2014", foreign)
    with pytest.raises(
        UserError, match=r"no picture has an annotated object\. annotation 1: no picture has its image_id, 109"
    ):
        open_dataset(f"coco:{tmp_path}@val2014")


def test_missing_parts_of_the_layout(tmp_path):
    with pytest.raises(UserError, match="annotations"):
        open_dataset(f"coco:{tmp_path}@val2014")
    coco(tmp_path)
    shutil.rmtree(tmp_path / "val2014")
    with pytest.raises(UserError, match="The pictures of val2014 are missing: none of the 2 that"):
        open_dataset(f"coco:{tmp_path}@val2014")


def test_thousands_of_pictures_open_quickly(tmp_path):
    import time

    content = coco(tmp_path)
    content["images"] += [
        {"id": 100 + number, "file_name": f"{number}.jpg", "height": HEIGHT, "width": WIDTH} for number in range(20_000)
    ]
    content["annotations"] += [
        {"id": number, "image_id": 100 + number, "category_id": 1, "segmentation": [square(1, 1, 5)] * 8, "area": 25}
        for number in range(20_000)
    ]
    write_coco(tmp_path, "val2014", content)
    start = time.process_time()
    dataset = open_dataset(f"coco:{tmp_path}@val2014")
    assert len(dataset) == 20_002
    assert time.process_time() - start < 10
