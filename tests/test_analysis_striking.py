"""Which picture a family opens with, the sentence about it, and which network knows most about a photo."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis_data import counts_of, random_pictures
from recam_core.analysis.analysed import analyse, analysed_name, settings_of, shipped_analysed
from recam_core.analysis.shown_first import Standing, knows_most, opens_with, standing
from recam_core.analysis.taken_back import WhatChanged, change_sentence, what_changed
from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.data.digest import dataset_digest
from recam_core.data.folder import export_folder
from recam_core.data.sample import VOID, ClassList
from recam_core.data.spec import open_dataset
from recam_core.maps.activation_maps import seed_mask
from run_folders import write_run
from tiny_data import TinyDataset


class Counted:
    """As much of an analysed method as a standing needs."""

    def __init__(self, pictures, threshold, has_background):
        self.counts = counts_of(pictures, has_background)
        self.threshold = threshold


@pytest.mark.parametrize(("has_background", "thresholds"), [(True, (0.3, 0.5)), (False, (None, None))])
def test_the_gain_is_what_is_taken_back_less_what_is_lost(has_background, thresholds):
    first = random_pictures(1, has_background=has_background)
    # The same pictures: those of the first, with other maps.
    rng = np.random.default_rng(3)
    second = [
        (rng.permuted(winner.ravel()).reshape(winner.shape), rng.permuted(level.ravel()).reshape(level.shape), mask)
        for winner, level, mask in first
    ]
    found = standing(*(Counted(p, t, has_background) for p, t in zip((first, second), thresholds, strict=True)))
    for place, (one, two) in enumerate(zip(first, second, strict=True)):
        mask = one[2]
        scored = (mask != VOID) & (has_background | (mask > 0))
        a, b = (seed_mask(*each[:2], cut)[scored] for each, cut in zip((one, two), thresholds, strict=True))
        truth = mask[scored]
        taken, lost = ((a != truth) & (b == truth)).sum(), ((a == truth) & (b != truth)).sum()
        if scored.any():
            assert found.gain[place] == pytest.approx((taken - lost) / scored.sum())
        else:
            assert np.isnan(found.gain[place])
    assert np.isnan(found.gain).any()
    assert found.mean == pytest.approx(np.nanmean(found.gain))


def of(**gains) -> Standing:
    return Standing(tuple(gains), np.array(list(gains.values()), dtype=float))


def test_striking_pictures_come_largest_gain_first_and_around_again():
    found = of(a=0.1, b=-0.2, c=0.3, d=np.nan, e=0.1, f=0.0)
    assert found.striking == ("c", "a", "e")
    assert (found.best, found.worst) == ("c", "b")
    assert [found.after(id) for id in ("c", "a", "e", "b", "d", "no such picture")] == ["a", "e", "c", "c", "c", "c"]
    assert of(a=0.1, b=0.0).after("a") is None
    assert (of(a=0.0).best, of(a=0.0).worst, of(a=np.nan).after("a")) == (None, None, None)


def test_a_set_on_which_it_loses_begins_with_its_worst_picture():
    assert of(a=0.3, b=-0.1).first == "a"
    assert of(a=0.3, b=-0.4, c=-0.5).first == "c"
    assert of(a=0.0).first is None


def test_the_lab_opens_with_the_best_picture_of_a_set_with_a_gain_on_the_mean():
    sets = {"lucky": of(a=0.9, b=-0.95), "good": of(a=0.2, b=0.1), "better": of(a=0.5, b=-0.1), "none": of(a=0.0)}
    assert opens_with(sets) == "better"
    assert opens_with({name: sets[name] for name in ("lucky", "none")}) == "lucky"
    assert opens_with({"none": sets["none"]}) is None
    assert opens_with({}) is None
    assert opens_with({"one": of(a=0.5), "other": of(b=0.5)}) == "one"


CLASSES = ClassList(("sky", "bird"), has_background=False)


def test_the_sentence_names_the_cell_that_most_pixels_left():
    mask = np.array([[1] * 8 + [2] * 2])
    before = np.array([[2] * 6 + [1] * 2 + [2, 1]])
    after = np.array([[2] * 2 + [1] * 6 + [2, 2]])
    change = what_changed(before, after, mask, CLASSES)
    assert change == WhatChanged(1, 2, 0.75, 0.25, 0.3, 0.8)
    assert change_sentence(change, CLASSES, "BCE-CAM", "ReCAM") == (
        "BCE-CAM calls 75% of the sky “bird”, ReCAM 25%. Of all pixels, BCE-CAM has 30% right, ReCAM 80%."
    )
    back = what_changed(after, before, mask, CLASSES)
    assert back.is_loss
    assert change_sentence(back, CLASSES, "BCE-CAM", "ReCAM") == (
        "ReCAM calls 75% of the sky “bird”, BCE-CAM 25%: here ReCAM loses. "
        "Of all pixels, BCE-CAM has 80% right, ReCAM 30%."
    )


def test_the_sentence_knows_the_background_void_and_nothing_at_all():
    mask = np.array([[0, 0, 0, 1, VOID]])
    change = what_changed(np.array([[1, 1, 0, 1, 2]]), np.array([[0, 0, 0, 1, 2]]), mask, ClassList(("cat", "dog")))
    words = change_sentence(change, ClassList(("cat", "dog")), "A", "B")
    assert words == "A calls 67% of the background “cat”, B none. Of all pixels, A has 50% right, B 100%."
    same = what_changed(mask, mask, mask, ClassList(("cat", "dog")))
    assert change_sentence(same, ClassList(("cat", "dog")), "A", "B") == (
        "A and B have the same pixels right here: 100% of all."
    )
    assert what_changed(mask, mask, np.full_like(mask, VOID), CLASSES) is None
    assert what_changed(mask, mask, np.zeros_like(mask), CLASSES) is None


def test_shares_that_differ_are_never_told_alike():
    change = WhatChanged(1, 2, 0.1201, 0.1199, 0.5, 0.5002)
    words = change_sentence(change, CLASSES, "A", "B")
    assert "12.01%" in words
    assert "11.99%" in words
    assert "50.00% right, B 50.02%" in words


def test_who_sees_most_classes_with_confidence_knows_most():
    ground = {"scene": False, "animals": True}
    ask = lambda scene, animals: knows_most({"scene": np.array(scene), "animals": np.array(animals)}, ground)  # noqa: E731
    assert ask([0.9, 0.8, 0.1], [0.95, 0.2]) == "scene"
    # A single class without a background gets every pixel, and tells nothing.
    assert ask([0.99, 0.3, 0.1], [0.6, 0.2]) == "animals"
    assert ask([0.3, 0.2, 0.1], [0.4, 0.2]) == "animals"
    assert ask([0.45, 0.2, 0.1], [0.4, 0.2]) == "scene"


# Kept maps -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data, and two runs with their maps in an assets folder."""
    place = tmp_path_factory.mktemp("place")
    export_folder(TinyDataset(6), place / "data")
    spec = f"folder:{place / 'data'}"
    for name, method, seed in (("one", "bce", 1), ("two", "recam", 7)):
        write_run(place / name, method, seed=seed, threshold=0.5)
        run = load_run(place / name)
        dataset = open_dataset(spec)
        analyse(run, run.info.rule, dataset, settings_of(run.info), folder=place / "assets" / "maps")
    return place, spec


def test_what_ships_is_found_by_its_record(place, tmp_path, monkeypatch):
    folder, spec = place
    assets = tmp_path / "assets"
    shutil.copytree(folder / "assets", assets)
    monkeypatch.setenv("RECAM_ASSETS", str(assets))
    info = load_run(folder / "two").info
    assert shipped_analysed(info, spec).counts.ids == tuple(open_dataset(spec).ids)
    assert shipped_analysed(info, spec + "x") is None
    assert shipped_analysed(replace(info, weights_sha256="0" * 64), spec) is None
    # Maps of two states of the data set: which of them is meant cannot be told without opening it.
    name = analysed_name(info, info.rule, dataset_digest(open_dataset(spec)), settings_of(info))
    shutil.copytree(assets / "maps" / name, assets / "maps" / "maps-of-another-state")
    assert shipped_analysed(info, spec) is None


def test_the_command_prints_the_best_and_the_worst(place, monkeypatch, capsys, tmp_path: Path):
    folder, spec = place
    monkeypatch.setenv("RECAM_ASSETS", str(folder / "assets"))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    both = [shipped_analysed(load_run(folder / name).info, spec) for name in ("one", "two")]
    found = standing(*both)
    table = tmp_path / "gain.csv"
    command = ["striking", spec, "--runs", str(folder / "one"), str(folder / "two"), "--most", "2", "--csv", str(table)]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = [*found.striking[:2], *([found.worst] if found.worst else [])]
    assert [line.split()[1] for line in lines[1 : 1 + len(shown)]] == shown
    assert all("Of all pixels" in line or "same pixels right" in line for line in lines[1 : 1 + len(shown)])
    assert len(table.read_text().splitlines()) == 1 + len(found.ids)
    assert main(["striking", spec, "--runs", str(folder / "one")]) == 2
    assert "Two runs are compared" in capsys.readouterr().err
