"""The drawn data set: repeatable, exact, and its two dials do what they say."""

import hashlib
import pickle
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from recam_core.data.sample import Dataset, label_matrix
from recam_core.errors import UserError
from recam_core.scenes import ScenesDataset, open_scenes
from recam_core.scenes.colour import PALETTES
from recam_core.scenes.composition import _draw_classes, compose
from recam_core.scenes.contexts import CHOICES, CONTEXTS
from recam_core.scenes.dataset import LEAST_AREA, draw
from recam_core.scenes.families import INDEX, KINDS
from recam_core.scenes.geometry import Figure, box
from recam_core.scenes.options import SceneOptions
from recam_core.scenes.stage import Place, Stage

ROOT = Path(__file__).resolve().parents[1]

DIGEST = """
import hashlib
from recam_core.scenes import open_scenes
digest = hashlib.sha256()
for split in ("train", "val"):
    scenes = open_scenes("seed=3", split)
    for index in (5, 0, 17):
        sample = scenes.load(index)
        digest.update(sample.image.tobytes() + sample.mask.tobytes() + sample.labels.tobytes())
print(digest.hexdigest())
"""


def digest(sample) -> str:
    return hashlib.sha256(sample.image.tobytes() + sample.mask.tobytes() + sample.labels.tobytes()).hexdigest()


def flat_place(scale: float, x: float = 0.5, y: float = 0.5) -> Place:
    return Place(x, y, scale, mirror=False, angle=0.0, distance=0.0, from_left=True, stretch=1.0, texture=0)


# Repeatable


def test_two_processes_draw_the_same_bytes(tmp_path):
    environments = [{"PYTHONHASHSEED": seed, "RECAM_CACHE": str(tmp_path / seed)} for seed in ("1", "2")]
    runs = [
        subprocess.run([sys.executable, "-c", DIGEST], cwd=ROOT, env=one, capture_output=True, text=True)
        for one in environments
    ]
    assert [run.stderr for run in runs] == ["", ""]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64


def test_a_picture_does_not_depend_on_order_threads_or_the_length_of_the_set():
    forward, backward = ScenesDataset(size=96), ScenesDataset(size=96, train=12)
    indices = range(12)
    first = [digest(forward.load(i)) for i in indices]
    again = {i: digest(backward.load(i)) for i in reversed(indices)}
    shared = ScenesDataset(size=96)
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda i: digest(shared.load(i)), indices))
    assert first == [again[i] for i in indices] == threaded
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("other", ["seed=1", "context=0.2", "shared_parts=0.9"])
def test_seed_and_dials_change_the_pictures(other):
    assert digest(open_scenes("size=64").load(0)) != digest(open_scenes(f"size=64,{other}").load(0))


def test_the_splits_share_no_picture():
    train, val = open_scenes("size=64"), open_scenes("size=64", "val")
    assert not {digest(train.load(i)) for i in range(20)} & {digest(val.load(i)) for i in range(20)}


# The form of a data set


def test_it_is_a_dataset_of_800_and_200_pictures_of_256_pixels():
    train, val = open_scenes(), open_scenes(split="val")
    assert isinstance(train, Dataset)
    assert (len(train), len(val)) == (800, 200)
    assert train.ids[42] == "train_00042"
    assert len(set(train.ids)) == 800
    assert len(train.classes) >= 12
    assert train.classes.has_background
    assert train.has_masks
    sample = train.load(0)
    assert sample.image.shape == (256, 256, 3)
    assert sample.image.dtype == np.uint8
    assert sample.mask.shape == (256, 256)
    assert sample.mask.dtype == np.uint8
    assert sample.labels.shape == (len(train.classes),)
    assert sample.labels.dtype == bool


def test_masks_and_labels_agree_and_every_class_shows():
    for options in ("", "context=0,shared_parts=1"):
        scenes = open_scenes(options)
        for index in range(25):
            sample = scenes.load(index)
            assert np.array_equal(sample.mask, scenes.mask(index))
            area = np.bincount(sample.mask.ravel(), minlength=len(KINDS) + 1)[1:] / sample.mask.size
            assert np.array_equal(area > 0, sample.labels)
            assert area[sample.labels].min() >= LEAST_AREA >= 0.008
            assert 2 <= sample.labels.sum() <= 3
            assert 0.3 < (sample.mask == 0).mean() < 0.98


def test_labels_come_without_the_photo_and_stay_as_they_are():
    scenes = open_scenes("train=8,size=64")
    matrix = label_matrix(scenes)
    matrix_again = label_matrix(scenes)
    scenes.labels(0)[:] = True  # a caller's own copy
    assert np.array_equal(matrix, matrix_again)
    assert np.array_equal(matrix, label_matrix(scenes))


def test_every_class_appears_often_enough_to_be_learnt():
    frequency = label_matrix(open_scenes("size=96,train=300")).mean(axis=0)
    assert frequency.min() > 0.05, dict(zip(open_scenes().classes.names, frequency, strict=True))
    assert frequency.max() < 0.45


def test_drawing_everything_finds_no_fault():
    steps = []
    assert list(open_scenes("train=5,size=64").faults(lambda *step: steps.append(step[:2]))) == []
    assert steps[-1] == (5, 5)


def test_it_travels_to_worker_processes_and_refuses_an_index_beyond_its_end():
    scenes = open_scenes("train=3,size=64")
    scenes.labels(0)
    copy = pickle.loads(pickle.dumps(scenes))  # noqa: S301 - what a worker process is sent
    assert digest(copy.load(1)) == digest(scenes.load(1))
    with pytest.raises(IndexError):
        scenes.load(3)


# The table of classes


def test_the_table_of_classes_holds_together():
    assert len(INDEX) == len(KINDS) >= 12
    shared = [family for family, count in Counter(kind.family for kind in KINDS).items() if count > 1]
    assert len(shared) >= 4
    for kind in KINDS:
        assert kind.companion in INDEX
        assert kind.companion != kind.name
        assert kind.context in CHOICES
    assert not set(INDEX) & set(CONTEXTS), "contexts are no classes"


# The dials


def co_occurrence(context: float) -> tuple[float, float]:
    """How often a class stands in its own context, and with its usual companion."""
    scenes = open_scenes(f"size=64,context={context}")
    told = [scenes.describe(index) for index in range(120)]
    own = [KINDS[k].context == where for t in told for k, where in zip(t.classes, t.contexts, strict=True)]
    company = [INDEX[KINDS[k].companion] in t.classes for t in told for k in t.classes]
    return float(np.mean(own)), float(np.mean(company))


def test_the_context_dial_turns_surroundings_and_company_up():
    (own0, company0), (own5, company5), (own1, company1) = (co_occurrence(c) for c in (0.0, 0.5, 1.0))
    assert own0 < 0.3 < own5 < 0.8 < own1 == 1.0  # one in six contexts is the own one by chance
    assert company0 < 0.25 < company5 < company1
    assert company1 > 0.6


def test_the_description_names_what_the_picture_shows():
    scenes = open_scenes("size=64,context=0")
    for index in range(20):
        told = scenes.describe(index)
        assert set(told.classes) == set(np.flatnonzero(scenes.labels(index)))
        assert set(told.contexts) <= told.scenery
        assert told.palette in {palette.name for palette in PALETTES}


def family_likeness(alike: float) -> tuple[float, float]:
    """Mean overlap of silhouettes (IoU) and mean distance of colours between members of a family."""
    overlaps, distances = [], []
    for family in ("cattle", "cycles", "pets", "vehicles"):
        members = [kind for kind in KINDS if kind.family == family]
        shapes, tones = [], []
        for kind in members:
            cover, tone = np.zeros((64, 64)), []
            for seed in range(16):
                stage = Stage(64, PALETTES[1], photo=True)
                stage.figure(kind.draw(np.random.default_rng(seed), alike), 1, flat_place(0.8, y=0.9))
                mask = stage.mask() == 1
                cover += mask
                tone.append(stage.photo()[mask].mean(axis=0))
            shapes.append(cover > 8)
            tones.append(np.mean(tone, axis=0))
        for a, b in combinations(range(len(members)), 2):
            overlaps.append((shapes[a] & shapes[b]).sum() / (shapes[a] | shapes[b]).sum())
            distances.append(np.abs(tones[a] - tones[b]).mean())
    return float(np.mean(overlaps)), float(np.mean(distances))


def test_the_shared_parts_dial_makes_families_look_alike():
    (overlap0, distance0), (overlap5, _), (overlap1, distance1) = (family_likeness(a) for a in (0.0, 0.5, 1.0))
    assert overlap0 < overlap5 < overlap1
    assert overlap1 > overlap0 + 0.1
    assert distance1 < 0.7 * distance0


def test_members_of_a_family_can_still_be_told_apart_when_most_alike():
    """The telling details differ at shared_parts=1: no two classes give the same picture."""
    pictures = []
    for kind in KINDS:
        stage = Stage(64, PALETTES[1], photo=True)
        stage.figure(kind.draw(np.random.default_rng(0), 1.0), 1, flat_place(0.8, y=0.9))
        pictures.append(stage.photo())
    for a, b in combinations(pictures, 2):
        assert (np.abs(a - b).max(axis=2) > 24).mean() > 0.01


# Occlusion and exactness


def test_objects_hide_one_another():
    hidden = 0
    for seed in range(40):
        composition = compose(np.random.default_rng(seed), SceneOptions.context, SceneOptions.shared_parts)
        mask = draw(composition, 96, photo=False).mask()
        for actor in composition.actors:
            alone = Stage(96, composition.palette, photo=False)
            alone.figure(actor.figure, 1, actor.place)
            lost = (alone.mask() == 1) & (mask != actor.kind + 1) & (mask != 0)
            hidden += lost.sum() > 0.03 * (alone.mask() == 1).sum()
    assert hidden >= 10


def test_the_mask_is_the_outline_that_was_painted():
    """A figure's square: the mask's pixels are those whose centre it covers, and the photo changes only there."""
    stage = Stage(64, PALETTES[1], photo=True)
    figure = Figure()
    figure.part(box(-0.25, -0.25, 0.25, 0.25), (255.0, 0.0, 0.0))
    figure.mark(box(-0.5, -0.1, 0.5, 0.1), (0.0, 255.0, 0.0))  # wider than the part: must be cut off by it
    stage.figure(figure, 7, flat_place(1.0))
    mask, photo = stage.mask(), stage.photo()
    inside = np.zeros((64, 64), dtype=bool)
    inside[16:48, 16:48] = True
    assert set(np.unique(mask)) == {0, 7}
    assert ((mask == 7) != inside).sum() <= 2 * 64  # the outline's own pixel
    assert photo[mask == 7].max(axis=1).min() > 60
    assert photo[2:10].max() < 60
    assert photo[:, :10].max() < 60


def test_scenery_in_front_of_a_figure_is_background_in_the_mask():
    stage = Stage(64, PALETTES[0], photo=False)
    figure = Figure()
    figure.part(box(-0.25, -0.25, 0.25, 0.25), (255.0, 0.0, 0.0))
    stage.figure(figure, 3, flat_place(1.0))
    stage.cover(box(0.0, 0.45, 1.0, 0.55), (0.0, 0.0, 0.0))
    mask = stage.mask()
    assert (mask[30:34] == 0).all()
    assert (mask[20, 20:44] == 3).all()


# Specifications


@pytest.mark.parametrize(
    ("options", "split", "spec"),
    [
        ("", None, "scenes@train"),
        ("", "val", "scenes@val"),
        ("context=0.3", "val", "scenes:context=0.3@val"),
        ("context=0.85,seed=0", "val", "scenes@val"),
        (" size = 64 , seed=4 ", "train", "scenes:seed=4,size=64@train"),
        ("shared_parts=0.123456789", None, "scenes:shared_parts=0.123456789@train"),
        ("train=10,val=5,context=1", None, "scenes:context=1.0,train=10,val=5@train"),
    ],
)
def test_the_specification_opens_the_same_set_again(options, split, spec):
    scenes = open_scenes(options, split)
    assert scenes.spec == spec
    body, _, again = spec.partition("@")
    reopened = open_scenes(body.removeprefix("scenes").removeprefix(":"), again)
    assert reopened.spec == spec
    assert reopened.options == scenes.options
    assert digest(reopened.load(1)) == digest(scenes.load(1))


@pytest.mark.parametrize(
    ("options", "split", "words"),
    [
        ("", "test", "train, val"),
        ("", "", "train, val"),
        ("contexts=1", None, "shared_parts"),
        ("context", None, "NAME=VALUE"),
        ("context=1.5", None, "between 0.0 and 1.0"),
        ("context=nan", None, "between 0.0 and 1.0"),
        ("shared_parts=-0.1", None, "between 0.0 and 1.0"),
        ("context=much", None, "a number"),
        ("size=32", None, "between 64 and"),
        ("size=100000", None, "between 64 and"),
        ("train=0", None, "between 1 and"),
        ("seed=1.5", None, "whole number"),
        ("seed=-1", None, "between 0 and"),
        ("seed=1,seed=2", None, "twice"),
    ],
)
def test_a_wrong_specification_is_answered_with_what_is_allowed(options, split, words):
    with pytest.raises(UserError, match=r"scenes: .*" + words.replace("(", r"\(")):
        open_scenes(options, split)


def test_the_constructor_checks_its_arguments_too():
    with pytest.raises(UserError, match="context=2"):
        ScenesDataset(context=2)
    with pytest.raises(UserError, match="train, val"):
        ScenesDataset(split="trainval")


def test_both_flyers_may_meet_a_third():
    """Nobody else has the sky for a context, so that whoever joins them is a stranger; this once stopped a data set."""
    flyers = {INDEX["aeroplane"], INDEX["bird"]}
    drawn = [_draw_classes(np.random.default_rng(seed), 0.5, 0.5) for seed in range(4000)]
    met = [classes for classes in drawn if set(classes[:2]) == flyers]
    assert any(len(classes) == 3 for classes in met)
    assert all(len(set(classes)) == len(classes) for classes in drawn)
