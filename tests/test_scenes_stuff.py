"""The drawn data set with its contexts as classes: what the masks hold, and that nothing else changed."""

import hashlib
from dataclasses import replace

import numpy as np
import PIL
import pytest

from recam_core.cli.main import main
from recam_core.data.check import check_dataset
from recam_core.data.sample import VOID, label_matrix
from recam_core.data.spec import open_dataset
from recam_core.scenes import open_scenes
from recam_core.scenes.composition import WITH_STUFF
from recam_core.scenes.contexts import CONTEXTS, STUFF
from recam_core.scenes.dataset import LEAST_AREA, STUFF_VALUES, draw, without_scant_contexts
from recam_core.scenes.families import INDEX, KINDS

#: Of 16 pictures as they were before contexts could be classes: specifications, ids, labels and masks.
MASKS = "54a6f0a5554f43f0e1af8d354bce8f297be48b70ee4127a0430c72c96a76bffa"
#: The same of the photographs, by the major version of Pillow: 12 and 13 round a few values in a million differently.
PHOTOS = {
    "12": "a7c23c7e344c48902f7fa24b2bd67d46db52d626b945a93ca99282e06b6f29d8",
    "13": "cb7757b1d2e53d7897397f72cc1ac991837f067e355afef59d3137a4af90b713",
}


def test_the_scenes_without_contexts_are_what_they_were():
    masks, photos = hashlib.sha256(), hashlib.sha256()
    for options in ("", "seed=5,context=0.2,shared_parts=0.9,size=96"):
        for split in ("train", "val"):
            scenes = open_scenes(options, split)
            masks.update(scenes.spec.encode())
            for index in range(4):
                sample = scenes.load(index)
                masks.update(sample.id.encode() + sample.labels.tobytes() + sample.mask.tobytes())
                photos.update(sample.image.tobytes())
    assert masks.hexdigest() == MASKS
    assert photos.hexdigest() == PHOTOS.get(PIL.__version__.partition(".")[0], photos.hexdigest())


def test_the_contexts_follow_the_objects_in_the_list_of_classes():
    objects, all_classes = open_scenes(), open_scenes("stuff=1")
    assert objects.classes.has_background
    assert not all_classes.classes.has_background
    assert all_classes.classes.names == (*objects.classes.names, "grass", "rails", "road", "sky", "water")
    assert tuple(STUFF_VALUES) == STUFF
    assert [all_classes.classes.names[value - 1] for value in STUFF_VALUES.values()] == list(STUFF)
    assert {context.stuff for context in CONTEXTS.values()} | {"sky"} == set(STUFF)


@pytest.mark.parametrize("dials", ["size=96", "size=96,context=0,shared_parts=1", "size=256"])
def test_every_pixel_is_a_class_or_void_and_labels_are_what_shows(dials):
    scenes = open_scenes(f"stuff=1,{dials}")
    void = []
    for index in range(12 if dials == "size=256" else 30):
        sample = scenes.load(index)
        assert np.array_equal(sample.mask, scenes.mask(index))
        assert np.array_equal(sample.labels, scenes.labels(index))
        area = np.bincount(sample.mask.ravel(), minlength=256) / sample.mask.size
        assert area[0] == 0
        assert area[len(scenes.classes) + 1 : VOID].sum() == 0
        assert np.array_equal(area[1 : len(scenes.classes) + 1] > 0, sample.labels)
        assert area[1 : len(scenes.classes) + 1][sample.labels].min() >= LEAST_AREA
        assert set(scenes.describe(index).classes) == set(np.flatnonzero(sample.labels[: len(KINDS)]))
        void.append(area[VOID])
    assert 0 < np.mean(void) < 0.2


def test_a_context_that_hardly_shows_is_void_and_an_object_never():
    mask = np.full((100, 100), STUFF_VALUES["grass"], dtype=np.uint8)
    mask[0, :99] = STUFF_VALUES["sky"]
    mask[1, :50] = 3
    mask[2:4] = STUFF_VALUES["road"]
    told = without_scant_contexts(mask)
    assert told.dtype == np.uint8
    assert (told[0, :99] == VOID).all()
    assert np.array_equal(told[1:], mask[1:])
    assert without_scant_contexts(told) is told


def test_a_picture_does_not_depend_on_the_order_or_the_length_of_the_set():
    one, other = open_scenes("stuff=1,size=96"), open_scenes("stuff=1,size=96,train=9")
    other_first = {index: other.load(index) for index in (8, 3, 0)}
    for index in (0, 3, 8):
        sample = one.load(index)
        assert np.array_equal(sample.image, other_first[index].image)
        assert np.array_equal(sample.mask, other_first[index].mask)
        assert np.array_equal(sample.labels, other_first[index].labels)


def test_every_picture_has_the_sky_and_other_contexts_come_and_go():
    scenes = open_scenes("stuff=1,size=96,train=300")
    frequency = dict(zip(scenes.classes.names, label_matrix(scenes).mean(axis=0), strict=True))
    assert frequency.pop("sky") == 1
    assert all(0.1 < frequency[name] < 0.75 for name in STUFF if name != "sky"), frequency
    assert min(frequency.values()) > 0.05


def test_the_context_dial_moves_what_the_labels_say():
    """At 1 an object's label comes with that of its own context and of its companion; at 0 by chance."""
    own, company = {}, {}
    for dial in (0, 1):
        scenes = open_scenes(f"stuff=1,size=64,context={dial},train=150")
        labels = label_matrix(scenes)
        told = [scenes.describe(index) for index in range(len(scenes))]
        stands = [KINDS[k].context == where for t in told for k, where in zip(t.classes, t.contexts, strict=True)]
        assert np.mean(stands) == 1 if dial else np.mean(stands) < 0.3
        pairs = [(index, k) for index, t in enumerate(told) for k in t.classes]
        ground = {name: context.stuff for name, context in CONTEXTS.items()} | {"sky": "sky"}
        column = {k: len(KINDS) + STUFF.index(ground[kind.context]) for k, kind in enumerate(KINDS)}
        own[dial] = np.mean([labels[index, column[k]] for index, k in pairs])
        company[dial] = np.mean([labels[index, INDEX[KINDS[k].companion]] for index, k in pairs])
    assert own[1] > 0.97
    assert own[0] < 0.6
    assert company[1] > 0.6
    assert company[0] < 0.25


def near(area: np.ndarray) -> np.ndarray:
    """H x W bool: the area and the pixels that touch it."""
    wide = np.pad(area, 1)
    height, width = area.shape
    return np.any([wide[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)


@pytest.mark.parametrize(
    ("stuff", "of_the_palette"),
    [("grass", "grass"), ("rails", "gravel"), ("road", "road"), ("sky", "sky"), ("water", "water")],
)
def test_a_contexts_mask_is_where_it_was_painted(stuff, of_the_palette):
    """Paint a context in another colour: what changes in the photo is its area in the mask, to a pixel's edge."""
    scenes, size, pictures = open_scenes("stuff=1"), 128, 0
    for index in range(40):
        composition = scenes._composition(index)
        stage = draw(composition, size, photo=True, stuff=True)
        painted = getattr(composition.palette, of_the_palette)
        other = (255.0, 0.0, 255.0) if isinstance(painted[0], float) else ((255.0, 0.0, 255.0),) * len(painted)
        palette = replace(composition.palette, **{of_the_palette: other})
        changed = np.abs(draw(replace(composition, palette=palette), size, True, True).photo() - stage.photo()).max(2)
        mask = stage.mask()
        inside = mask == STUFF_VALUES[stuff]
        if not inside.any():
            continue
        pictures += 1
        # A pixel of the photo is the mean of its samples, so those along an edge belong to both sides. Glass shows
        # what is behind it; a far bank is grassy, too, and belongs to nothing.
        known = (mask > len(KINDS)) & (mask != VOID) & ~near(inside | (mask == VOID))
        assert not (changed[known] > 12).any(), index
        # Sleepers, stones, flowers, clouds and lane markings have colours of their own.
        assert (changed[inside] > 12).mean() > (0.3 if stuff == "rails" else 0.7), index
    assert pictures >= 3


def test_it_can_be_checked_exported_and_opened_again_without_a_background(tmp_path, capsys):
    spec = "scenes:stuff=1,train=6,size=96@train"
    assert main(["data", "check", spec]) == 0
    assert "No fault found." in capsys.readouterr().out
    assert main(["data", "export", spec, "--to", str(tmp_path / "copy")]) == 0
    original, copy = open_dataset(spec), open_dataset(f"folder:{tmp_path / 'copy'}@train")
    assert copy.classes == original.classes
    assert not copy.classes.has_background
    for index in range(6):
        assert np.array_equal(copy.load(index).mask, original.load(index).mask)
        assert np.array_equal(copy.load(index).labels, original.load(index).labels)
    report = check_dataset(copy)
    assert report.faults == []
    assert report.notes == ()


def test_no_snow_is_called_grass():
    assert not WITH_STUFF.snow
    scenes = open_scenes("stuff=1,size=64")
    assert "winter" not in {scenes.describe(index).palette for index in range(60)}
