"""COCO's form as tools export it and people write it: what opens, what is left out, and what is said of it."""

import json
import os
import random

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as codes

from data_layouts import square, write_list, write_photo
from recam_core.data.check import check_dataset, listing_faults
from recam_core.data.found_sets import find_sets
from recam_core.data.sample import VOID, BrokenItem
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError

HEIGHT, WIDTH = 48, 64
BOX, SQUARE = [8, 8, 22, 22], [square(8, 8, 22)]
OTHER = [[40, 10, 60, 10, 60, 40, 40, 40]]
CATEGORIES = [{"id": 1, "name": "rust"}, {"id": 2, "name": "crack"}]


def pictures(*names, **more):
    return [{"id": 1 + at, "file_name": name, "width": WIDTH, "height": HEIGHT} | more for at, name in enumerate(names)]


def annotation(number, image, category, segmentation=SQUARE, **more):
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "area": 484,
        "bbox": BOX,
        "iscrowd": 0,
    } | more


def export(
    root, images=None, annotations=None, categories=CATEGORIES, json_at="annotations/instances_it.json", files=None
):
    """Write an annotation file, and a picture for each file name below images/it/ or where ``files`` says."""
    images = pictures("a.png") if images is None else images
    annotations = [annotation(1, images[0]["id"], 1)] if annotations is None else annotations
    path = root / json_at
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    for number, file in enumerate(files or [f"images/it/{entry['file_name']}" for entry in images]):
        write_photo(root / file, number, HEIGHT, WIDTH)
    return f"coco:{root}"


def values(mask):
    """Value -> pixels, of the values that occur."""
    found, count = np.unique(mask, return_counts=True)
    return dict(zip(found.tolist(), count.tolist(), strict=True))


# Where things lie -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("json_at", "split", "name", "file", "identifier"),
    [
        ("annotations/instances_default.json", "default", "a.png", "images/a.png", "a"),  # CVAT
        ("annotations/instances_default.json", "default", "a.png", "images/default/a.png", "a"),
        ("result.json", "result", "images/a.png", "images/a.png", "a"),  # Label Studio
        ("result.json", "result", "images\\a.png", "images/a.png", "a"),  # on Windows
        ("annotations/instances_it.json", "it", "images/a.png", "images/it/a.png", "a"),
        ("annotations/instances_it.json", "it", "it/a.png", "images/it/a.png", "a"),
        ("annotations/instances_it.json", "it", "./images/it/a.png", "images/it/a.png", "a"),
        ("train/_annotations.coco.json", "train", "a_jpg.rf.0a1b.png", "train/a_jpg.rf.0a1b.png", "a_jpg.rf.0a1b"),
        ("_annotations.coco.json", "annotations", "a.png", "a.png", "a"),  # one of Roboflow's folders
        ("labels.json", "labels", "a.png", "a.png", "a"),
        ("annotations/all.json", "all", "a.png", "images/a.png", "a"),
        ("annotations/instances_it.json", "it", "cam1/a.png", "images/it/cam1/a.png", "cam1-a"),
        ("annotations/instances_it.json", "it", "cam1/a.png", "cam1/a.png", "cam1-a"),
        (
            "annotations/instances_it.json",
            "it",
            "Ku\u0308he/e\u0301.png",
            "it/K\u00fche/\u00e9.png",
            "K\u00fche-\u00e9",
        ),
        ("annotations/instances_it.json", "it", "K\u00fche.png", "it/Ku\u0308he.png", "Ku\u0308he"),
    ],
)
def test_layouts_of_exports(tmp_path, json_at, split, name, file, identifier):
    spec = export(tmp_path, pictures(name), json_at=json_at, files=[file])
    dataset = open_dataset(spec)
    assert dataset.spec == f"{spec}@{split}"
    assert list(dataset.ids) == [identifier]
    assert list(dataset.faults()) == []
    assert dataset.photo_path(0) == str(tmp_path / file)
    assert values(dataset.load(0).mask) == {0: 2588, 1: 484}


def test_the_full_path_of_a_picture_below_the_root(tmp_path):
    spec = export(tmp_path, pictures(f"{tmp_path}/images/it/a.png"), files=["images/it/a.png"])
    assert list(open_dataset(spec).ids) == ["a"]
    spec = export(tmp_path, pictures("/data/upload/1/a.png"), files=["images/it/a.png"])
    with pytest.raises(UserError, match=r"every file name leads out of .*'/data/upload/1/a\.png'"):
        open_dataset(spec)


def test_folders_of_one_split_each(tmp_path):
    for split in ("train", "valid"):
        export(tmp_path, json_at=f"{split}/_annotations.coco.json", files=[f"{split}/a.png"])
    assert open_dataset(f"coco:{tmp_path}").spec.endswith("@train")
    assert open_dataset(f"coco:{tmp_path}@valid").photo_path(0) == str(tmp_path / "valid" / "a.png")
    with pytest.raises(UserError, match="There are: train, valid"):
        open_dataset(f"coco:{tmp_path}@val")


def test_exports_are_found_below_the_served_folder(tmp_path):
    export(tmp_path / "cvat", json_at="annotations/instances_default.json", files=["images/a.png"])
    export(tmp_path / "studio", pictures("images/a.png"), json_at="result.json", files=["images/a.png"])
    for split in ("train", "valid"):
        export(tmp_path / "roboflow", json_at=f"{split}/_annotations.coco.json", files=[f"{split}/a.png"])
    export(
        tmp_path / "cameras",
        pictures("cam1/a.png", "cam2/a.png"),
        [annotation(at, at, 1) for at in (1, 2)],
        json_at="annotations/instances_sub.json",
        files=["images/sub/cam1/a.png", "images/sub/cam2/a.png"],
    )
    export(tmp_path / "empty", json_at="annotations/instances_it.json", files=["elsewhere/a.png"])
    # A JSON file about one picture, and one beside masks, are no annotation files of a set.
    export(tmp_path / "labelme", json_at="a.json", files=["a.png"])
    export(tmp_path / "own", json_at="notes.json", files=["images/a.png", "masks/a.png"])
    found = {one.place: one for one in find_sets(tmp_path).sets}
    assert {place: (one.layout, one.pictures, one.splits) for place, one in found.items()} == {
        "cvat": ("coco", 1, ("default",)),
        "studio": ("coco", 1, ("result",)),
        "roboflow": ("coco", 2, ("train", "valid")),
        "cameras": ("coco", 2, ("sub",)),
        "empty": ("coco", 0, ()),
        "labelme": ("pictures", 1, ("",)),
        "own": ("folder", 1, ("",)),
    }
    assert "pictures are missing: those of it are neither in" in found["empty"].problem
    for place in ("cvat", "studio", "roboflow", "cameras"):
        assert not found[place].problem
        assert all(len(open_dataset(found[place].spec(split))) for split in found[place].splits)
    with pytest.raises(UserError, match="open it as coco:"):  # and not as one with the classes train and valid
        open_dataset(f"folder:{tmp_path / 'roboflow'}")


def test_a_missing_picture_is_not_taken_from_another_folder(tmp_path):
    annotations = [annotation(1, 1, 1), annotation(2, 2, 1)]
    spec = export(tmp_path, pictures("a.png", "b.png"), annotations, files=["it/a.png", "images/b.png"])
    dataset = open_dataset(spec)
    assert "missing" in dataset.item_faults(1)[0].message


def test_the_same_picture_twice(tmp_path):
    """Files of one name in two folders are two pictures; two entries that make one id are a fault."""
    images = pictures("cam1/a.png", "cam2/a.png", "cam1-a.png")
    dataset = open_dataset(export(tmp_path, images, [annotation(at, at, 1) for at in (1, 2, 3)]))
    assert list(dataset.ids) == ["cam1-a", "cam2-a", "cam1-a"]
    (fault,) = dataset.faults()
    assert fault.kind == "duplicate id"
    assert "cam1/a.png" in fault.message
    assert "cam1-a.png" in fault.message


# Ids ------------------------------------------------------------------------------------------------------------------


def test_two_pictures_of_one_image_id(tmp_path):
    images = pictures("a.png", "b.png", "c.png")
    images[1]["id"] = 1
    spec = export(tmp_path, images, [annotation(1, 1, 1), annotation(2, 1, 2, OTHER), annotation(3, 3, 1)])
    dataset = open_dataset(spec)
    assert list(dataset.ids) == ["a", "b", "c"]
    found = list(dataset.faults())
    assert [fault.kind for fault in found] == ["duplicate id"] * 2
    assert all("a.png" in fault.message and "b.png" in fault.message for fault in found)
    assert listing_faults(dataset) == found
    with pytest.raises(BrokenItem):
        dataset.load(0)
    assert values(dataset.mask(2)) == {0: 2588, 1: 484}


def test_a_repeated_entry_is_taken_once(tmp_path):
    dataset = open_dataset(export(tmp_path, pictures("a.png") * 3))
    assert list(dataset.ids) == ["a"]
    assert list(dataset.faults()) == []
    assert "2 entries of 'images' are repeated" in dataset.notes[0]


@pytest.mark.parametrize(
    ("image", "of_annotation"),
    [("1541715161404", "1541715161404"), ("5", 5), (5, "5"), (5.0, 5), ("f81d4fae-7dec", "f81d4fae-7dec"), (0, 0)],
)
def test_ids_in_other_forms(tmp_path, image, of_annotation):
    categories = [{"id": "1", "name": "rust"}, {"id": "two", "name": "crack"}]
    spec = export(
        tmp_path,
        pictures("a.png", id=image),
        [annotation(1, of_annotation, 1), annotation("x", of_annotation, "two", OTHER)],
        categories,
    )
    dataset = open_dataset(spec)
    assert list(dataset.faults()) == []
    assert dataset.labels(0).tolist() == [True, True]
    assert values(dataset.mask(0)) == {0: 1988, 1: 484, 2: 600}


@pytest.mark.parametrize(
    ("images", "categories", "sentence"),
    [
        (pictures("a.png", id=None), CATEGORIES, "the 'id' of entry 1 of 'images' is null"),
        (pictures("a.png", id=True), CATEGORIES, "the 'id' of entry 1 of 'images' is true or false"),
        (pictures("a.png", id=[1]), CATEGORIES, r"'images' is a list \(\[1\]\); it must be a number or a text"),
        ([{"id": 1}], CATEGORIES, "entry 1 of 'images' has no 'file_name'"),
        ([{"id": 1, "file_name": 0.5}], CATEGORIES, "the 'file_name' of entry 1 of 'images' is a number"),
        ([1], CATEGORIES, "entry 1 of 'images' is a number"),
        (None, [{"id": 1}], "entry 1 of 'categories' has no 'name'"),
        (None, [{"name": "rust"}], "entry 1 of 'categories' has no 'id'"),
        (None, [], "'categories' names no class; a category is written as"),
        (
            None,
            [{"id": 1, "name": "rust"}, {"id": 1, "name": "crack"}],
            "'rust' and 'crack' have the same category id 1",
        ),
        (None, [{"id": 1, "name": "rust"}, {"id": 2, "name": "rust"}], "categories 1 and 2 are both called 'rust'"),
    ],
)
def test_what_is_refused_says_which_key(tmp_path, images, categories, sentence):
    spec = export(tmp_path, images, [annotation(1, 1, 1)], categories, files=["images/it/a.png"])
    with pytest.raises(UserError, match=sentence) as refusal:
        open_dataset(spec)
    assert "one class name a line" not in str(refusal.value)
    assert "download" not in str(refusal.value)


def test_encodings(tmp_path):
    spec = export(tmp_path, categories=[{"id": 1, "name": "锈"}])
    path = tmp_path / "annotations" / "instances_it.json"
    text = path.read_text()
    whole = json.dumps(json.loads(text), ensure_ascii=False)
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(whole.encode(encoding))
        dataset = open_dataset(spec)
        assert dataset.classes.names == ("锈",)
        assert values(dataset.mask(0)) == {0: 2588, 1: 484}
    path.write_bytes(whole.encode("gbk"))
    with pytest.raises(UserError, match="not in UTF-8"):
        open_dataset(spec)
    path.write_text(whole[:-9])
    with pytest.raises(UserError, match="not a whole JSON file"):
        open_dataset(spec)


# Categories -----------------------------------------------------------------------------------------------------------


def test_an_unused_parent_is_no_class_unless_asked(tmp_path):
    categories = [
        {"id": 0, "name": "defects", "supercategory": "none"},
        {"id": 1, "name": "rust", "supercategory": "defects"},
        {"id": 2, "name": "crack", "supercategory": "defects"},
        {"id": 3, "name": "hole", "supercategory": "hole"},
    ]
    spec = export(tmp_path, annotations=[annotation(1, 1, 1)], categories=categories)
    dataset = open_dataset(spec)
    # crack and hole have no picture here, but may have some in another split.
    assert dataset.classes.names == ("rust", "crack", "hole")
    assert "'defects' (id 0)" in dataset.notes[0]
    assert values(dataset.mask(0)) == {0: 2588, 1: 484}

    write_list(tmp_path / "classes.txt", ["background", "hole", "defects", "rust", "crack"])
    dataset = open_dataset(spec)
    assert dataset.classes.names == ("hole", "defects", "rust", "crack")
    assert dataset.notes == ()
    assert values(dataset.mask(0)) == {0: 2588, 3: 484}

    write_list(tmp_path / "classes.txt", ["crack"])
    with pytest.raises(UserError, match=r"classes\.txt does not list 'rust'"):
        open_dataset(spec)
    write_list(tmp_path / "classes.txt", ["rust", "nut"])
    with pytest.raises(UserError, match=r"classes\.txt lists 'nut', which is no category"):
        open_dataset(spec)
    (tmp_path / "classes.txt").unlink()

    dataset = open_dataset(export(tmp_path, annotations=[annotation(1, 1, 0)], categories=categories))
    assert dataset.classes.names == ("defects", "rust", "crack", "hole"), "used, it is a class"

    # Roboflow's project of a single class calls the parent as its child.
    categories = [
        {"id": 0, "name": "rust", "supercategory": "none"},
        {"id": 1, "name": "rust", "supercategory": "rust"},
    ]
    assert open_dataset(export(tmp_path, categories=categories)).classes.names == ("rust",)


@pytest.mark.parametrize("name", ["background", "_background_", "BG"])
def test_a_category_that_is_the_background(tmp_path, name):
    categories = [{"id": 0, "name": name}, *CATEGORIES]
    # A hole in the object is drawn as background; the picture's frame lies below all.
    annotations = [
        annotation(1, 1, 1),
        annotation(2, 1, 0, [square(10, 10, 5)]),
        annotation(3, 1, 0, [square(0, 0, 64)]),
    ]
    dataset = open_dataset(export(tmp_path, annotations=annotations, categories=categories))
    assert dataset.classes.names == ("rust", "crack")
    assert dataset.labels(0).tolist() == [True, False]
    assert values(dataset.mask(0)) == {0: 2588 + 25, 1: 484 - 25}
    assert f"'{name}' (id 0) is the background" in dataset.notes[0]


def test_a_category_that_is_void(tmp_path):
    annotations = [annotation(1, 1, 1), annotation(2, 1, 2, OTHER)]
    categories = [{"id": 1, "name": "rust"}, {"id": 2, "name": "__ignore__"}]
    dataset = open_dataset(export(tmp_path, annotations=annotations, categories=categories))
    assert dataset.classes.names == ("rust",)
    assert values(dataset.mask(0)) == {0: 1988, 1: 484, VOID: 600}


# Outlines -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", [None, 0, "much", 1e9])
def test_smaller_objects_lie_on_top_by_their_pixels(tmp_path, area):
    small = annotation(2, 1, 2, [square(10, 10, 10)], area=area)
    large = annotation(1, 1, 1, [[0, 0, 60, 0, 60, 44, 0, 44]])
    if area is None:
        del small["area"], large["area"]
    for annotations in ([small, large], [large, small]):
        dataset = open_dataset(export(tmp_path, annotations=annotations))
        assert list(dataset.faults()) == []
        assert values(dataset.mask(0)) == {0: 432, 1: 2540, 2: 100}


_HALF = {"counts": [1536, 1536], "size": [HEIGHT, WIDTH]}


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[8, 8, 30, 30]], "4 numbers"),
        ([[]], "empty"),
        ([[], []], "empty"),
        ([[8, 8, 30, 8, 30, 30, 8]], "7 numbers, an odd count"),
        ([[8, 8, 30, 8, 30, 30, "x", 30]], "does not consist of numbers"),
        ([[8, 8, 30, 8, 30, 30, float("nan"), 30]], "does not consist of numbers"),
        ([[[8, 8], [30, 8], [30, 30]]], "does not consist of numbers"),
        ([[8, 8], [30, 8], [30, 30]], "2 numbers"),
        ([[8, 8, 30, 8, 30, 30, [8, 30]]], "does not consist of numbers"),
        ([[8, 8, 30], 8, 30, 30], "3 numbers"),
        ("squiggle", "a text, neither polygons"),
        (7, "a number, neither polygons"),
        ({"counts": [5], "size": [HEIGHT, WIDTH]}, "covers 5 pixels, its picture has 3072"),
        ({"counts": [3073], "size": [HEIGHT, WIDTH]}, "something other than lengths of runs"),
        ({"counts": [-1, 3073], "size": [HEIGHT, WIDTH]}, "something other than lengths of runs"),
        ({"counts": "12", "size": [9, 9]}, "is of 9 x 9 pixels, its picture of 64 x 48"),
        ({"counts": "12", "size": [WIDTH, HEIGHT]}, "is of 48 x 64 pixels, its picture of 64 x 48"),
        ({"counts": "12"}, "no size"),
        ({"size": [HEIGHT, WIDTH]}, "no counts"),
        ({"counts": "o" * 90, "size": [HEIGHT, WIDTH]}, "damaged"),
        ({"counts": "", "size": [HEIGHT, WIDTH]}, "damaged"),
        ({"counts": "é", "size": [HEIGHT, WIDTH]}, "damaged"),
        ({"counts": "12", "size": [HEIGHT, WIDTH]}, "covers 3 pixels"),
    ],
)
def test_one_bad_outline_among_good_ones(tmp_path, segmentation, reason):
    annotations = [annotation(1, 1, 1), annotation(2, 2, 1, segmentation), annotation(3, 2, 2, OTHER)]
    dataset = open_dataset(export(tmp_path, pictures("a.png", "b.png"), annotations))
    (fault,) = dataset.faults()
    assert fault.kind == "annotation left out"
    assert "annotation 2 of b.png" in fault.message
    assert reason in fault.message
    (note,) = dataset.notes
    assert note.startswith("1 of 3 annotations are left out in whole or in part (annotation 2 of b.png)")
    assert listing_faults(dataset) == []
    assert dataset.labels(1).tolist() == [False, True]
    assert values(dataset.load(1).mask) == {0: 2472, 2: 600}
    assert check_dataset(dataset).pictures_per_class == {"rust": 1, "crack": 1}


def test_a_bad_part_of_an_outline(tmp_path):
    annotations = [annotation(1, 1, 1, [*SQUARE, [1, 2, 3, 4], *OTHER])]
    annotations += [annotation(2, 1, 2, OTHER), annotation(3, 1, 2, OTHER)]
    dataset = open_dataset(export(tmp_path, annotations=annotations))
    (fault,) = dataset.faults()
    assert "1 of its 3 outlines cannot be drawn: its outline has 4 numbers" in fault.message
    assert fault.message.endswith("the rest of it is used.")
    assert dataset.labels(0).tolist() == [True, True]
    assert values(dataset.mask(0)) == {0: 1988, 1: 484, 2: 600}
    # Slivers of a point or two are in most annotations that were made of masks.
    assert open_dataset(export(tmp_path, annotations=annotations[:1])).labels(0).tolist() == [True, False]


def test_annotations_of_no_picture_are_left_out(tmp_path):
    annotations = [annotation(1, 1, 1), annotation(2, 99, 1), annotation(3, "x", 2), annotation(4, 1, 2, OTHER)]
    annotations += [annotation(at, 98, 1) for at in range(5, 9)]
    dataset = open_dataset(export(tmp_path, annotations=annotations))
    assert dataset.notes[0].startswith(
        "6 of 8 annotations are left out in whole or in part (annotation 2, annotation 3,"
    )
    assert "no picture has its image_id, 99" in dataset.notes[0]
    assert values(dataset.mask(0)) == {0: 1988, 1: 484, 2: 600}


def test_mostly_bad_outlines_are_refused(tmp_path):
    bad = [annotation(at, 1, 1, [[8, 8, 30, 30]]) for at in range(2, 5)]
    with pytest.raises(UserError, match=r"3 of 4 annotations cannot be used.*annotation 2 of a\.png: .*4 numbers"):
        open_dataset(export(tmp_path, annotations=[annotation(1, 1, 1), *bad]))


def test_boxes_alone_give_labels_and_no_masks(tmp_path):
    boxes = [annotation(at, 1, at) for at in (1, 2)]
    for empty in ([], None, ""):
        for box in boxes:
            box["segmentation"] = empty
        dataset = open_dataset(export(tmp_path, annotations=boxes))
        assert not dataset.has_masks
        assert dataset.mask(0) is None
        assert dataset.load(0).labels.tolist() == [True, True]
        assert list(dataset.faults()) == []
        assert "there are no masks" in dataset.notes[0]
    for box in boxes:
        del box["segmentation"], box["bbox"], box["area"], box["iscrowd"]
    assert not open_dataset(export(tmp_path, annotations=boxes)).has_masks


def test_a_picture_with_a_box_among_its_outlines_has_no_mask(tmp_path):
    """Its mask would say that background is where the object is."""
    annotations = [annotation(1, 1, 1), annotation(2, 2, 1, []), annotation(3, 2, 2, OTHER)]
    dataset = open_dataset(export(tmp_path, pictures("a.png", "b.png"), annotations))
    assert dataset.has_masks
    assert dataset.mask(1) is None
    assert dataset.labels(1).tolist() == [True, True]
    assert values(dataset.mask(0)) == {0: 2588, 1: 484}
    assert "1 of 3 annotations have no outline" in dataset.notes[0]
    assert "b.png" in dataset.notes[0]


def test_objects_that_are_all_marked_as_crowds(tmp_path):
    """CVAT marks what was painted with a brush as a crowd."""
    painted = [annotation(1, 1, 1, _HALF, iscrowd=1), annotation(2, 2, 2, _HALF, iscrowd=1)]
    dataset = open_dataset(export(tmp_path, pictures("a.png", "b.png"), painted))
    assert "marked as a crowd" in dataset.notes[0]
    assert values(dataset.mask(1)) == {0: 1536, 2: 1536}
    # Beside outlines nobody can tell, so it is said.
    annotations = [*painted, annotation(3, 1, 1), annotation(4, 2, 1)]
    dataset = open_dataset(export(tmp_path, pictures("a.png", "b.png"), annotations))
    assert any("2 of 4 annotations are marked as crowds" in note for note in dataset.notes)
    assert values(dataset.mask(0)) == {0: 1052, 1: 484, VOID: 1536}


def test_crowd_marks_in_other_forms(tmp_path):
    for mark, is_crowd in ((1, True), ("1", True), (True, True), ("0", False), (None, False), (False, False)):
        annotations = [annotation(1, 1, 1), annotation(2, 1, 2, OTHER, iscrowd=mark)]
        assert dataset_mask(tmp_path, annotations) == {0: 1988, 1: 484, VOID if is_crowd else 2: 600}


def dataset_mask(root, annotations, **more):
    return values(open_dataset(export(root, annotations=annotations, **more)).mask(0))


@pytest.mark.parametrize("indent", [None, 1])
def test_flat_polygons_and_other_ways_to_write(tmp_path, indent):
    spec = export(tmp_path, annotations=[annotation(1, 1, 1, SQUARE[0]), annotation(2, 1, 2, OTHER)])
    path = tmp_path / "annotations" / "instances_it.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=indent, ensure_ascii=False))
    assert values(open_dataset(spec).mask(0)) == {0: 1988, 1: 484, 2: 600}


def test_texts_that_look_like_outlines(tmp_path):
    """What is cut out of the file before it is read as JSON is no part of a text."""
    odd = '"segmentation": [[1,2,3,4,5,6]]'
    images = pictures("a.png", note=odd) + pictures("b.png", id=2, **{'x"segmentation': [[1, 2, 3, 4, 5, 6]]})
    annotations = [annotation(1, 1, 1), annotation(2, 2, 2, OTHER, note=odd)]
    dataset = open_dataset(export(tmp_path, images, annotations, [{"id": 1, "name": odd}, CATEGORIES[1]]))
    assert dataset.classes.names[0] == odd
    assert values(dataset.mask(0)) == {0: 2588, 1: 484}
    assert values(dataset.mask(1)) == {0: 2472, 2: 600}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools itself
def test_masks_equal_those_of_pycocotools(tmp_path):
    """Each object alone, pixel by pixel: polygons within and beyond the border, and both kinds of run lengths."""
    generator = np.random.default_rng(5)
    segmentations = []
    for number in range(60):
        rings = generator.integers(1, 4)
        polygons = [
            (generator.uniform(-0.3, 1.3, (generator.integers(3, 9), 2)) * (WIDTH, HEIGHT)).round(2).ravel().tolist()
            for _ in range(rings)
        ]
        region = (generator.random((HEIGHT, WIDTH)) < generator.random()).astype(np.uint8)
        region[:, : number % 3 * 20] = number % 2
        packed = codes.encode(np.asfortranarray(region))
        flat = np.concatenate([[0], region.flatten(order="F"), [2]])
        flat = np.flatnonzero(np.diff(flat))
        runs = np.diff(np.concatenate([[0], flat])).tolist()
        segmentations += [polygons, {"counts": packed["counts"].decode(), "size": [HEIGHT, WIDTH]}]
        if not region[0, 0]:
            segmentations.append({"counts": runs, "size": [HEIGHT, WIDTH]})
    names = [f"{number}.png" for number in range(len(segmentations))]
    annotations = [annotation(at, at, 1, outline) for at, outline in enumerate(segmentations, start=1)]
    dataset = open_dataset(export(tmp_path, pictures(*names), annotations, files=["images/it/0.png"]))
    dataset.known_faults.clear()  # photographs play no part
    assert len(dataset) == len(segmentations)
    for index, outline in enumerate(segmentations):
        if isinstance(outline, list):
            code = codes.merge(codes.frPyObjects(outline, HEIGHT, WIDTH))
        elif isinstance(outline["counts"], list):
            code = codes.frPyObjects(outline, HEIGHT, WIDTH)
        else:
            code = outline
        assert np.array_equal(dataset.mask(index), codes.decode(code)), outline


# Sizes ----------------------------------------------------------------------------------------------------------------


def test_sizes_that_are_not_stated_come_from_the_photograph(tmp_path):
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png", "height": None, "width": 0}]
    annotations = [annotation(1, 1, 1), annotation(2, 2, 2, _HALF)]
    dataset = open_dataset(export(tmp_path, images, annotations))
    assert list(dataset.faults()) == []
    assert values(dataset.load(0).mask) == {0: 2588, 1: 484}
    assert values(dataset.load(1).mask) == {0: 1536, 2: 1536}
    annotations[1] = annotation(2, 2, 2, {"counts": [4, 4], "size": [4, 2]})
    dataset = open_dataset(export(tmp_path, images, annotations))
    (fault,) = dataset.faults()
    assert "annotation 2 is of another size" in fault.message


@pytest.mark.parametrize(("height", "width"), [("48", "64"), (48.0, 64.0)])
def test_sizes_in_other_forms(tmp_path, height, width):
    assert dataset_mask(tmp_path, None, images=pictures("a.png", height=height, width=width)) == {0: 2588, 1: 484}


@pytest.mark.parametrize("height", [-48, "tall", 47.5, None, [48]])
def test_sizes_that_are_none(tmp_path, height):
    images = pictures("a.png", height=height) + pictures("b.png", id=2)
    dataset = open_dataset(export(tmp_path, images, [annotation(1, 1, 1), annotation(2, 2, 1)]))
    (fault,) = dataset.faults()
    assert "a.png: 'height' is" in fault.message
    assert values(dataset.mask(1)) == {0: 2588, 1: 484}


@pytest.mark.parametrize(("height", "width"), [(20_000, 20_000), (8_001, 8_000), (30_000, 8), (10**30, 1)])
def test_sizes_are_bounded_before_anything_is_drawn(tmp_path, height, width, monkeypatch):
    monkeypatch.setattr("recam_core.data.coco.draw_mask", lambda *_: pytest.fail("drawn"))
    images = pictures("a.png", height=height, width=width)
    spec = export(tmp_path, images, [annotation(1, 1, 1, [[0, 0, width, 0, width, height, 0, height]])])
    dataset = open_dataset(spec)
    for ask in (dataset.load, dataset.mask):
        with pytest.raises(BrokenItem, match="more than"):
            ask(0)
    assert [fault.kind for fault in listing_faults(dataset)] == ["damaged file"]


def test_outlines_far_outside_are_cut_off(tmp_path):
    """An outline as long as it likes to be would take hours to draw; what lies in the picture is drawn as it is."""
    far = [[-1e9, 10, 1e9, 10, 1e9, 20, -1e9, 20]]
    dataset = open_dataset(export(tmp_path, annotations=[annotation(7, 1, 1, far)]))
    assert values(dataset.load(0).mask) == {0: 2432, 1: 640}
    (fault,) = dataset.faults()
    assert fault.kind == "size mismatch"
    assert "annotation 7 of a.png reaches to 1e+09, far outside" in fault.message
    path = tmp_path / "annotations" / "instances_it.json"
    path.write_text(path.read_text().replace("1000000000.0", "1e999"))
    assert values(open_dataset(f"coco:{tmp_path}").mask(0)) == {0: 2432, 1: 640}
    away = [[1e9, 1e9, 1e10, 1e9, 1e10, 1e10]]
    assert dataset_mask(tmp_path, [annotation(7, 1, 1, away)]) == {0: 3072}
    zigzag = [[x for step in range(20_000) for x in (step % 2 * 127, step % 48)]]
    with pytest.raises(BrokenItem, match="cannot be drawn"):
        open_dataset(export(tmp_path, annotations=[annotation(7, 1, 1, zigzag * 2 + [zigzag[0] * 9])])).mask(0)


def test_what_is_to_be_painted_is_bounded(tmp_path, monkeypatch):
    dataset = open_dataset(export(tmp_path, annotations=[annotation(at, 1, 1) for at in range(3)]))
    monkeypatch.setattr("recam_core.data.coco._MOST_PAINTED", 3 * 484)
    assert values(dataset.mask(0)) == {0: 2588, 1: 484}
    monkeypatch.setattr("recam_core.data.coco._MOST_PAINTED", 3 * 484 - 1)
    with pytest.raises(BrokenItem, match="its objects cover 1,452 pixels, more than 1,451"):
        dataset.mask(0)


def test_outlines_on_photographs_that_exif_data_turn(tmp_path):
    """A quarter turn shows in the size; of half a turn only the user's word tells."""
    spec = export(tmp_path, pictures("a.png", "b.png"), [annotation(at, at, 1, [square(0, 0, 9)]) for at in (1, 2)])
    for name, orientation in (("a", 6), ("b", 3)):
        photo = tmp_path / "images" / "it" / f"{name}.png"
        tag = Image.Exif()
        tag[0x0112] = orientation
        with Image.open(photo) as image:
            image.load()
        image.save(photo, exif=tag)
    dataset = open_dataset(spec)
    assert dataset.load(0).mask.shape == (WIDTH, HEIGHT)
    assert dataset.mask(0)[:9, -9:].all()
    assert dataset.mask(1)[:9, :9].all()
    assert [fault.kind for fault in dataset.faults()] == ["unclear rotation"]
    write_list(tmp_path / "masks_drawn_on.txt", ["stored"])
    dataset = open_dataset(spec)
    assert list(dataset.faults()) == []
    assert dataset.mask(1)[-9:, -9:].all()


def test_kept_masks_notice_another_annotation_file(tmp_path):
    spec = export(tmp_path)
    before, masks = open_dataset(spec).picture_stamp(0), open_dataset(spec).mask_stamp()
    assert (open_dataset(spec).picture_stamp(0), open_dataset(spec).mask_stamp()) == (before, masks)
    path = tmp_path / "annotations" / "instances_it.json"
    path.write_text(path.read_text().replace("8", "9"))
    os.utime(path, ns=(1, 1))
    assert open_dataset(spec).picture_stamp(0) != before
    assert open_dataset(spec).mask_stamp() != masks


# What nobody would write ----------------------------------------------------------------------------------------------

_ODD = [
    None,
    True,
    -1,
    7,
    1e308,
    float("nan"),
    10**400,
    "",
    "\ud800",
    "\0",
    "../x",
    "background",
    [],
    [[]],
    {},
    [[1e300] * 6],
]
_ODD += [[1, 2, 3], [[0] * 7], {"counts": [], "size": []}, {"counts": "o" * 50, "size": [HEIGHT, WIDTH]}, "a" * 300]
_ODD += [json.loads("[" * 900 + "]" * 900), {"size": [10**30, 1], "counts": [10**30]}]


def _spots(content, found):
    """Every place in a JSON value: what holds it, and its key there."""
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        found.append((content, key))
        _spots(content[key], found)
    return found


def test_mutated_files_open_or_are_refused(tmp_path):
    annotations = [annotation(1, 1, 1), annotation(2, 1, 2, OTHER), annotation(5, 2, 2, [])]
    annotations += [annotation(3, 2, 1, _HALF, iscrowd=1), annotation(4, 2, 1, {"counts": "12", "size": [9, 9]})]
    spec = export(tmp_path, pictures("a.png", "sub/b.png"), annotations)
    path = tmp_path / "annotations" / "instances_it.json"
    text, outcomes, choose = path.read_text(), set(), random.Random(3)
    for _ in range(200):
        content = json.loads(text)
        for place, key in choose.sample(_spots(content, []), 2):
            place[key] = choose.choice(_ODD)
        data = bytearray(json.dumps(content).encode())
        if choose.random() < 0.2:
            at = choose.randrange(len(data))
            data[at : at + choose.randrange(20)] = choose.randbytes(choose.randrange(3))
        path.write_bytes(data)
        try:
            dataset = open_dataset(spec)
            report = check_dataset(dataset)
            "\n".join([*map(str, report.faults), *report.notes, *dataset.classes.names, *dataset.ids]).encode()
            outcomes.add("faults" if report.faults else "none")
        except UserError as error:
            str(error).encode()
            outcomes.add("refused")
    assert outcomes >= {"faults", "refused"}
