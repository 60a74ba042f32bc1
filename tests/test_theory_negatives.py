"""The gradient that confusing negatives receive: by hand, on a data set, and along a training."""

import json
import math

import numpy as np
import pytest
import torch

from recam_core.checkpoint.run_folder import WEIGHTS_FILE, load_run
from recam_core.cli.main import main
from recam_core.errors import UserError
from recam_core.method.cam import cam
from recam_core.progress import Cancelled, on_bar
from recam_core.runs.listed import find_run
from recam_core.runs.run_zip import export_run, import_run
from recam_core.theory.losses import sigmoid, softmax
from recam_core.theory.negatives import (
    GONE,
    NEGATIVES_FILE,
    QUANTILES,
    NegativeCounts,
    fc1_pairs,
    log_odds_of_negative,
    measure_negatives,
    negatives_from_json,
    read_negatives,
)
from recam_core.train import loop
from recam_core.train.loop import train
from run_folders import write_run
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe


def naive(logits: np.ndarray, category: int, beside: np.ndarray) -> tuple[float, float] | None:
    """BCE's and SCE's gradient on the strongest class beside p."""
    others = [k for k in np.flatnonzero(beside) if k != category]
    if category >= len(beside) or not others:
        return None
    q = max(others, key=lambda k: logits[k])
    return float(sigmoid(logits[q])), float(softmax(logits)[q])


@pytest.mark.parametrize("row", [0, 1])
def test_negatives_are_those_of_a_naive_loop(row: int) -> None:
    rng = np.random.default_rng(row)
    logits = rng.normal(size=(30, 5 + row)) * 4
    beside = rng.random((30, 5)) < 0.4
    category = rng.integers(0, 5 + row, size=30)
    *odds, valid = log_odds_of_negative(torch.tensor(logits), torch.tensor(category), torch.tensor(beside))
    for n in range(30):
        expected = naive(logits[n], int(category[n]), beside[n])
        assert bool(valid[n]) == (expected is not None)
        if expected:
            np.testing.assert_allclose([sigmoid(float(one[n])) for one in odds], expected, atol=1e-6)


def test_quantiles_are_those_of_numpy_up_to_a_bin() -> None:
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(5000, 3)) * 3 - 2)
    beside, category = torch.ones(5000, 3), torch.zeros(5000, dtype=torch.int64)
    counts = NegativeCounts(2, "cpu")
    counts.add_pairs(1, logits, category, beside)
    (point,) = counts.read(epoch=3)
    assert (point.epoch, point.features) == (3.0, 5000)
    gradients = np.array([naive(one, 0, np.ones(3)) for one in logits.numpy()])
    for place, name in enumerate(("bce", "sce")):
        expected = np.quantile(gradients[:, place], QUANTILES)
        np.testing.assert_allclose(point.quantiles[name], expected, atol=0.02)
        assert point.gone[name] == pytest.approx((gradients[:, place] < GONE).mean(), abs=0.01)
    assert counts.read(epoch=4) == []


def test_features_of_fc1_are_averaged_by_the_mask() -> None:
    torch.manual_seed(0)
    features, fc1 = torch.randn(2, 6, 3, 4), torch.randn(3, 6)
    labels = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    logits, category, beside = fc1_pairs(features, labels, fc1)
    maps = cam(features, fc1)
    for b in range(2):
        for p in range(3):
            row = b * 3 + p
            mask = maps[b, p]
            pooled = (features[b] * mask).sum(dim=(1, 2)) / mask.sum()
            torch.testing.assert_close(logits[row], fc1 @ pooled)
            assert int(category[row]) == p
            assert beside[row].tolist() == (labels[b].bool() & labels[b, p].bool()).tolist()


@pytest.mark.parametrize("method", ["bce", "recam"])
def test_a_checkpoint_is_measured_over_a_set(tmp_path, method: str) -> None:
    write_run(tmp_path / "run", method)
    run, dataset = load_run(tmp_path / "run"), TinyDataset(9)
    found = measure_negatives(run, dataset)
    assert (found.head, found.loss) == (("fc1", "bce") if method == "bce" else ("fc2", "sce"))
    (point,) = found.points
    values = []
    network = run.network
    for index in range(9):
        sample = dataset.load(index)
        with torch.no_grad():
            features, _ = network(network.preprocess(sample.image))
            for p in np.flatnonzero(sample.labels):
                mask = cam(features, network.fc1)[0, p]
                if method == "bce" and not mask.any():
                    continue  # nothing to average
                pooled = (features[0] * mask).mean(dim=(1, 2))
                z = network.fc2 @ pooled if method == "recam" else network.fc1 @ (pooled / mask.mean())
                if expected := naive(z.numpy(), int(p), sample.labels):
                    values.append(expected)
    assert point.features == len(values) >= 4
    expected = np.sort(np.array(values), axis=0)
    middle = len(values) // 2
    for place, name in enumerate(("bce", "sce")):
        low, high = point.quantiles[name][0], point.quantiles[name][-1]
        assert expected[0, place] - 0.02 <= low <= high <= expected[-1, place] + 0.02
        assert expected[middle - 1, place] - 0.02 <= point.quantiles[name][2] <= expected[middle, place] + 0.02


def test_sets_that_tell_nothing_are_refused(tmp_path) -> None:
    write_run(tmp_path / "run")
    run = load_run(tmp_path / "run")
    with pytest.raises(UserError, match="two classes"):
        measure_negatives(run, TinyDataset(1))
    write_run(tmp_path / "other", classes=["one", "two", "three"])
    with pytest.raises(UserError, match="not those of the run"):
        measure_negatives(load_run(tmp_path / "other"), TinyDataset(4))


# Along a training -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["bce", "sce", "recam"])
def test_the_curve_is_kept_and_the_weights_are_the_same_to_the_bit(
    tmp_path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    init = None
    if method == "recam":
        write_run(tmp_path / "start", half=False)
        init = load_run(tmp_path / "start")
    recipe = tiny_recipe(method, epochs=2)
    train(recipe, TinyDataset(), tmp_path / "watched", init=init)
    monkeypatch.setattr(loop, "_count", lambda *_: None)
    train(recipe, TinyDataset(), tmp_path / "plain", init=init)
    weights = [(tmp_path / name / WEIGHTS_FILE).read_bytes() for name in ("watched", "plain")]
    assert weights[0] == weights[1]
    found = read_negatives(tmp_path / "watched")
    assert (found.head, found.loss) == {"bce": ("fc1", "bce"), "sce": ("fc1", "sce"), "recam": ("fc2", "sce")}[method]
    assert [point.epoch for point in found.points] == sorted({point.epoch for point in found.points})
    assert 0 < found.points[0].epoch < 1
    assert found.points[-1].epoch <= 2
    assert sum(point.features for point in found.points) > 0
    assert read_negatives(tmp_path / "plain").points == ()


def test_a_training_that_was_cut_off_keeps_its_curve(tmp_path) -> None:
    recipe = tiny_recipe(epochs=3)
    train(recipe, TinyDataset(), tmp_path / "whole")

    def cut(done: int, total: int, note: str) -> None:
        if done == total - 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(recipe, TinyDataset(), tmp_path / "cut", watch=on_bar(cut))
    assert read_negatives(tmp_path / "cut").points
    train(recipe, TinyDataset(), tmp_path / "cut")
    names = [(tmp_path / name / NEGATIVES_FILE).read_text() for name in ("whole", "cut")]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"head": "fc3"}', '{"head":"fc1","loss":"bce","quantiles":[0.1],"points":[]}']
)
def test_what_is_no_curve_is_none(tmp_path, text: str) -> None:
    assert read_negatives(tmp_path) is None
    (tmp_path / NEGATIVES_FILE).write_text(text)
    assert read_negatives(tmp_path) is None


def test_shares_out_of_range_are_no_curve() -> None:
    point = {"epoch": 1, "features": 3, "bce": [0.1] * 5, "sce": [0.1] * 5, "bce_gone": 0, "sce_gone": 0}
    whole = {"head": "fc1", "loss": "bce", "quantiles": list(QUANTILES), "points": [point]}
    assert negatives_from_json(whole).points[0].features == 3
    for change in ({"bce": [2.0] * 5}, {"sce": [0.1]}, {"features": 0}, {"epoch": math.inf}, {"bce_gone": -1}):
        with pytest.raises(ValueError):
            negatives_from_json({**whole, "points": [{**point, **change}]})


def test_the_curve_travels_with_a_packed_run(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "runs"))
    train(tiny_recipe(epochs=1), TinyDataset(), tmp_path / "runs" / "mine")
    packed = export_run(find_run("mine"), tmp_path / "mine.zip")
    assert read_negatives(import_run(packed, "copy")) == read_negatives(tmp_path / "runs" / "mine")
    (tmp_path / "runs" / "mine" / NEGATIVES_FILE).write_text("{}")
    with pytest.raises(UserError, match="no curve of gradients"):
        import_run(export_run(find_run("mine"), tmp_path / "bad.zip"), "bad")
    assert not (tmp_path / "runs" / "bad").exists()


def test_the_command(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    write_run(tmp_path / "run", "recam")
    assert main(["theory", "gradients", str(tmp_path / "run")]) == 2
    assert "--data SPEC" in capsys.readouterr().err
    monkeypatch.setattr("recam_core.data.spec.open_dataset", lambda _: TinyDataset(6))
    assert main(["theory", "gradients", str(tmp_path / "run"), "--data", "x", "--json", str(tmp_path / "f.json")]) == 0
    assert "FC2, trained by SCE" in capsys.readouterr().out
    assert json.loads((tmp_path / "f.json").read_text())["points"][0]["features"] == 6
    train(tiny_recipe(epochs=1), TinyDataset(), tmp_path / "trained")
    assert main(["theory", "gradients", str(tmp_path / "trained")]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3
