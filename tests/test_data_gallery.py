"""The gallery: outlines that fit photographs which come with installed packages."""

import json

import numpy as np
import pytest

from recam_core.data.gallery import CLASSES, POLYGON_FILE, VOID_NAME, GalleryDataset, paint
from recam_core.data.sample import VOID, label_matrix
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError

PHOTOS = json.loads(POLYGON_FILE.read_text(encoding="utf-8"))["photos"]


def test_there_are_enough_pictures_and_none_is_faulty():
    dataset = open_dataset("gallery")
    assert len(dataset) >= 6
    assert len(set(dataset.ids)) == len(dataset)
    assert len(dataset.titles) == len(dataset)
    assert dataset.has_masks
    assert not dataset.classes.has_background
    assert len(dataset.classes) == 22
    assert list(dataset.faults()) == []
    assert (label_matrix(dataset).sum(axis=0) > 0).sum() >= 8
    assert dataset.spec == "gallery"
    assert list(open_dataset("gallery@all").ids) == list(dataset.ids)


def test_classes_are_those_of_the_photographs_that_the_checkpoints_know(msrc_v2):
    assert open_dataset(f"voc:{msrc_v2}@val").classes == open_dataset("gallery").classes


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo["id"])
def test_each_outline_shows(photo):
    width, height = photo["size"]
    whole = paint(photo["polygons"], height, width)
    assert whole.shape == (height, width)
    shown = set(np.unique(whole)) - {VOID}
    assert shown == {
        CLASSES.index(polygon["class"]) + 1 for polygon in photo["polygons"] if polygon["class"] != VOID_NAME
    }
    for polygon in photo["polygons"]:
        assert polygon["class"] in (*CLASSES, VOID_NAME)
        points = np.array(polygon["points"])
        assert points.ndim == 2
        assert len(points) >= 3
        assert (points >= 0).all()
        assert (points <= [width, height]).all()
        area = (paint([{**polygon, "class": "cat"}], height, width) != VOID).sum()
        assert area >= 50
    assert 0.2 < (whole != VOID).mean() < 1


def test_known_places():
    dataset = open_dataset("gallery")

    def at(identifier, x, y):
        value = dataset.mask(list(dataset.ids).index(identifier))[y, x]
        return VOID_NAME if value == VOID else CLASSES[value - 1]

    assert at("chelsea", 170, 115) == "cat"
    assert at("chelsea", 430, 60) == VOID_NAME
    assert at("astronaut", 225, 110) == "face"
    assert at("astronaut", 150, 300) == "body"
    assert at("astronaut", 400, 430) == VOID_NAME  # the helmet in her hands
    assert at("china", 500, 60) == "sky"
    assert at("china", 200, 150) == "building"
    assert at("china", 450, 280) == "water"
    assert at("china", 620, 350) == "tree"
    assert at("flower", 300, 220) == "flower"


def test_a_package_that_is_not_installed_is_a_fault(tmp_path):
    path = tmp_path / "polygons.json"
    path.write_text(json.dumps({"photos": [{**PHOTOS[0], "package": "no_such_package"}, *PHOTOS[1:]]}))
    dataset = GalleryDataset(polygon_file=path)
    found = list(dataset.faults())
    assert len(found) == 1
    assert "no_such_package" in found[0].message


def test_what_is_refused(tmp_path):
    for spec in ("gallery:/data", "gallery@val"):
        with pytest.raises(UserError, match="gallery"):
            open_dataset(spec)
    (tmp_path / "broken.json").write_text("{")
    for name, reason in (("broken.json", "is damaged"), ("nowhere.json", "this file is missing")):
        with pytest.raises(UserError, match=reason):
            GalleryDataset(polygon_file=tmp_path / name)
