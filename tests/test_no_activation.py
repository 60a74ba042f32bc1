"""Classes that a network shows nothing of: they claim no pixel, and everything that scores or shows them says so."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from data_layouts import halves, write_grey_mask, write_list, write_photo
from recam_core.analysis.analysed import analyse, settings_of
from recam_core.checkpoint.run_folder import WEIGHTS_FILE, load_run
from recam_core.cli.main import main
from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.experiments.head_scores import _counted, _sampled_argmax
from recam_core.maps.activation_maps import (
    ActivationMaps,
    SilentCount,
    argmax_and_activation,
    no_activation_words,
    seed_mask,
    silent_maps,
)
from recam_core.maps.inference import PictureFeatures, maps_from_features
from recam_core.maps.store import MapStore
from recam_core.report.page import report_html
from recam_core.report.report_data import report_data
from recam_core.scores.evaluate import evaluate_maps
from run_folders import write_run

SIZE = (16, 16)
NAMES = ("cat", "dog", "cow")


def maps_of(*planes: int | np.ndarray, id: str = "a") -> ActivationMaps:
    """Maps of the classes 0, 1, ... on a grid of 4 x 4."""
    grids = np.stack([np.broadcast_to(np.uint8(plane), (4, 4)) for plane in planes]).astype(np.uint8)
    return ActivationMaps(id, SIZE, np.arange(len(planes)), grids)


LEFT = np.repeat(np.array([[200, 0, 0, 0]], dtype=np.uint8), 4, axis=0)


def test_an_empty_map_wins_no_tie():
    winner, level = argmax_and_activation(maps_of(0, LEFT))
    # The dog has the left; the right shows nothing of either, and was the cat's, which comes first.
    assert set(np.unique(winner[level > 0])) == {2}
    assert (level[:, 12:] == 0).all()
    assert (winner[:, 12:] == 0).all()
    assert (seed_mask(winner, level, None)[:, 12:] == 0).all()
    winner, _ = argmax_and_activation(maps_of(0, 0))
    assert not winner.any()


def test_ties_of_maps_with_activation_go_to_the_first_as_ever():
    winner, level = argmax_and_activation(maps_of(LEFT, LEFT))
    assert (level[:, 12:] == 0).all()
    assert (winner == 1).all()


def test_a_background_is_read_as_ever():
    winner, level = argmax_and_activation(maps_of(0, LEFT))
    assert set(np.unique(seed_mask(winner, level, 0.0))) == {0, 2}


def test_without_a_background_its_pixels_are_unlabelled_and_not_right():
    classes = ClassList(NAMES[:2], has_background=False)
    mask = np.ones(SIZE, dtype=np.uint8)
    found = evaluate_maps([maps_of(0, LEFT)], [mask], classes)
    # All of it is cat, of which nothing is seen: what the dog does not claim counts as lost, and none as right.
    assert found.best.confusion[1, 1] == 0
    assert found.best.lost_to_background > 0.5
    assert found.to_json()["pictures_without_activation"] == {"cat": 1}


def test_sampled_heads_count_as_the_maps_do():
    grids = np.stack([maps_of(0, LEFT).activations, maps_of(LEFT, LEFT).activations]).astype(np.float32)
    classes = ClassList(NAMES[:2], has_background=False)
    present = np.array([0, 1])
    winner, level = _sampled_argmax(grids, present, SIZE)
    rows, ends = _counted(winner, level, np.ones(winner.shape[1], dtype=np.uint8), classes, present)
    first = slice(ends[0], ends[1])
    assert set(rows.argmax[first][rows.activation[first] == 0]) == {0}
    assert set(rows.argmax[ends[1] : ends[2]]) == {1}


def test_numbers_that_overflow_leave_no_map():
    features = PictureFeatures((16, 16), (torch.full((1, 2, 4, 4), 1e30),), torch.zeros(3))
    found = maps_from_features(features, torch.tensor([[1e30, 0.0], [1.0, 1.0]]), [0, 1])
    assert silent_maps(found).tolist() == [True, False]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([maps_of(LEFT, LEFT)], ""),
        ([maps_of(0, LEFT)], "No activation for cat (in its only picture)"),
        ([maps_of(0, LEFT), maps_of(LEFT, 0)], "No activation for cat (in 1 of 2 pictures) and dog (in 1 of 2"),
        ([maps_of(0, LEFT, 0), maps_of(0, LEFT)], "cat (in all 2 of its pictures) and cow (in its only picture)"),
    ],
)
def test_pictures_are_counted(made, words):
    counted = SilentCount(3)
    for maps in made:
        counted.add(maps)
    assert words in counted.words(NAMES)
    assert bool(words) == bool(counted.words(NAMES))


def test_one_picture_is_told():
    assert no_activation_words(maps_of(LEFT, LEFT), NAMES) == ""
    assert no_activation_words(maps_of(0, LEFT, 0), NAMES).startswith("No activation for cat and cow:")


# Everything that scores -----------------------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path):
    """Two small pictures, each half red and half blue, so without a background."""
    for number in range(2):
        write_photo(tmp_path / "pictures" / "images" / f"{number}.png", number)
        write_grey_mask(tmp_path / "pictures" / "masks" / f"{number}.png", halves(1, 2))
    write_list(tmp_path / "pictures" / "classes.txt", ["red", "blue"])
    return f"folder:{tmp_path / 'pictures'}"


@pytest.fixture
def run(tmp_path, spec):
    """A run that has no weights for red."""
    path = tmp_path / "blind"
    write_run(path, classes=["red", "blue"], has_background=False, threshold=None, data=spec)
    change(path, lambda fc1: fc1[0].zero_())
    return path


def change(path, how) -> None:
    state = load_file(path / WEIGHTS_FILE)
    how(state["fc1"])
    save_file(state, path / WEIGHTS_FILE)


SAID = "No activation for red (in all 2 of its pictures): such a map is zero everywhere and claims no pixel."


def test_command_line_store_and_report_say_it(run, spec, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    assert main(["checkpoint", "info", str(run)]) == 0
    assert "fc1: All weights of red are zero" in capsys.readouterr().out
    assert main(["evaluate", str(run), "--data", spec, "--json", str(tmp_path / "scores.json")]) == 0
    assert f"blind fc1: {SAID}" in capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text())["evaluations"][0]
    assert scores["pictures_without_activation"] == {"red": 2}
    assert scores["best"]["per_class"]["recall"][0] == 0.0
    dataset, loaded = open_dataset(spec), load_run(run)
    done = analyse(loaded, "fc1", dataset, settings_of(loaded.info))
    assert done.store.silent.words(dataset.classes.names).startswith(SAID)
    assert SAID in report_html(report_data([done], resamples=2), dataset, pictures=0)
    # From what is kept, no network is read.
    assert main(["evaluate", str(run), "--data", spec]) == 0
    assert SAID in capsys.readouterr().out


def test_a_store_from_before_is_read_through(run, spec, tmp_path, capsys):
    assert main(["cams", str(run), "--data", spec, "--out", str(tmp_path / "maps")]) == 0
    assert SAID in capsys.readouterr().out
    (folder,) = (tmp_path / "maps").iterdir()
    with np.load(folder / "index.npz") as index:
        kept = {key: index[key] for key in index.files if key not in ("made", "silent")}
    before = MapStore(folder).silent
    np.savez(folder / "index.npz", **kept)
    again = MapStore(folder).silent
    assert (again.made.tolist(), again.silent.tolist()) == (before.made.tolist(), before.silent.tolist())
    assert again.silent.tolist() == [2, 0]


def test_one_picture_says_it(run, spec, tmp_path, capsys):
    assert main(["page", "--runs", str(run), "--data", spec, "--out", str(tmp_path / "a.html")]) == 0
    said = "No activation for red: the map is zero everywhere"
    assert said in capsys.readouterr().out
    assert said in (tmp_path / "a.html").read_text()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_with_the_class(run, value):
    change(run, lambda fc1: fc1[1].fill_(value))
    with pytest.raises(UserError, match="not finite, in 'fc1' for blue: its training failed"):
        load_run(run)
