"""The dense CRF: its mean field written out, what goes into it, and where it may be used."""

import json
import sys

import numpy as np
import pytest
import torch

from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, seed_mask, upsampled
from recam_core.refine import finishes
from recam_core.refine.dense_crf import DEEPLAB_CRF, IRN_CRF, CrfSettings, crf_chances, label_chances
from recam_core.refine.finishes import chances_of, check_finish, finished_chances, finished_pixels, refined_labels
from recam_core.refine.pamr import pamr
from run_folders import write_run
from tiny_voc import tiny_voc


@pytest.fixture
def installed():
    pytest.importorskip("pydensecrf.densecrf", reason="the extra crf is not installed")


def naive_mean_field(image, chances, settings):
    """Every pixel against every other."""
    count, height, width = chances.shape
    unary = -np.log(chances.clip(1e-5, 1)).reshape(count, -1).astype(float)
    places = np.indices((height, width)).reshape(2, -1).T.astype(float)
    colours = image.reshape(-1, 3).astype(float)
    alike = np.hstack([places / settings.alike, colours / settings.colour])
    kernel = 0
    for weight, feature in ((settings.near_weight, places / settings.near), (settings.alike_weight, alike)):
        one = np.exp(-((feature[:, None] - feature[None]) ** 2).sum(axis=-1) / 2)
        norm = 1 / np.sqrt(one.sum(axis=1))
        kernel = kernel + weight * norm[:, None] * one * norm[None]

    def normalised(energy):
        found = np.exp(energy - energy.max(axis=0))
        return found / found.sum(axis=0)

    found = normalised(-unary)
    for _ in range(settings.iterations):
        found = normalised(-unary + found @ kernel)
    return found.reshape(chances.shape)


@pytest.mark.parametrize("settings", [IRN_CRF, DEEPLAB_CRF, CrfSettings(2, 1, 4, 3, 20, iterations=2)])
def test_the_mean_field_is_its_equation_as_far_as_the_package_approximates_it(installed, settings):
    rng = np.random.default_rng(0)
    image = np.full((12, 16, 3), 60, dtype=np.uint8)
    image[:, 8:] = 75
    image += rng.integers(0, 6, image.shape, dtype=np.uint8)
    chances = rng.random((3, 12, 16), dtype=np.float32) + 0.3
    chances /= chances.sum(axis=0)
    found, theirs = crf_chances(image, chances, settings), naive_mean_field(image, chances, settings)
    apart = np.abs(found - theirs)
    assert apart.max() < 0.05  # its lattice blurs a little more than a Gaussian of a pixel
    assert apart.mean() < 0.01
    assert np.abs(chances - theirs).mean() > 0.05  # there was something to compute
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_the_published_numbers():
    """jiwoon-ahn/irn, misc/imutils.py, and kazuto1011/deeplab-pytorch, configs/voc12.yaml."""
    assert CrfSettings(near_weight=3, near=3, alike_weight=10, alike=50, colour=5, iterations=10) == IRN_CRF
    assert CrfSettings(near_weight=3, near=1, alike_weight=4, alike=67, colour=3, iterations=10) == DEEPLAB_CRF


def test_labels_are_as_sure_as_irn_takes_them():
    values, chances = label_chances(np.array([[0, 3], [5, 3]], dtype=np.uint8))
    assert values.tolist() == [0, 3, 5]
    np.testing.assert_allclose(chances[:, 0, 1], [0.15, 0.7, 0.15])
    np.testing.assert_allclose(chances[:, 1, 0], [0.15, 0.15, 0.7])


def test_what_goes_in_are_probabilities_with_the_background():
    """Of log-odds they are known; of shares of a maximum, the background is what AffinityNet takes for it."""
    chances = np.array([[0.7, 0.05, 0.2], [0.1, 0.9, 0.2]], dtype=np.float32)  # of two classes at three pixels
    levels = (np.log(chances / (1 - chances)) / 64 + 0.5) * 255
    found = chances_of(levels[:, None], "softmax", has_background=True)[:, 0]
    np.testing.assert_allclose(found, [[0.2, 0.05, 0.6], *chances], atol=1e-4)
    # Where float32 knows no number between a probability and 1, the background's share is still told.
    sure = chances_of(np.full((1, 1, 1), 200, dtype=np.float32), "softmax", has_background=True)
    assert sure[0, 0, 0] == pytest.approx(1 / (1 + np.exp(64 * (200 / 255 - 0.5))), rel=1e-4)
    shares = np.array([[0.0, 0.275, 1.0], [0.0, 0.1, 0.5]], dtype=np.float32)
    background, first, _ = chances_of(255 * shares[:, None], "fc1", has_background=True)[:, 0]
    assert background[0] == 1
    assert background[1] == pytest.approx(first[1], abs=0.003)
    assert background[2] == 0
    at = chances_of(np.full((1, 1, 1), 255 * 0.6, dtype=np.float32), "fc1", has_background=True, even=0.6)
    assert at[0] == pytest.approx(at[1])
    np.testing.assert_allclose(chances_of(255 * shares[:, None], "fc1", has_background=False)[:, 0], shares, rtol=1e-6)


def halves():
    """A dark and a bright half, and a map that is on the bright one alone and unsure of where it ends."""
    image = np.zeros((40, 44, 3), dtype=np.uint8)
    image[:, 24:] = 200
    levels = np.zeros((2, 10, 11), dtype=np.uint8)
    levels[0, 3:7, 5:10], levels[1, 3:7, 0:5] = 230, 60
    return image, ActivationMaps("a", (40, 44), np.array([0, 2]), levels)


@pytest.mark.parametrize("finish", ["crf", "crf-deeplab"])
def test_scores_come_out_and_every_threshold_can_be_chosen(installed, finish):
    image, maps = halves()
    argmax, activation = finished_pixels(maps, "fc1", image, finish, has_background=True)
    label = np.where(activation > 127, argmax, 0)
    assert (seed_mask(*argmax_and_activation(maps), 0.275)[14:26, 19:21] == 1).all()
    assert (label[14:26, 25:38] == 1).all()
    assert (label[14:26, 19:21] != 1).all()  # where the map reaches over the edge of the bright half
    # At 0.5 it is the label that the CRF finds most probable.
    crf = {"crf": IRN_CRF, "crf-deeplab": DEEPLAB_CRF}[finish]
    planes = upsampled(maps.activations.astype(np.float32), maps.size)
    most = crf_chances(image, chances_of(planes, "fc1", True), crf).argmax(axis=0)
    np.testing.assert_array_equal(label, np.array([0, 1, 3])[most])
    # The lower the threshold the more of the picture, and not all at once.
    sizes = [int((activation > level).sum()) for level in (90, 110, 127, 140, 155)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) >= 4


def test_without_a_background_each_pixel_is_a_class_and_a_map_of_nothing_claims_none(installed):
    image, maps = halves()
    argmax, activation = finished_pixels(maps, "fc1", image, "crf", has_background=False)
    assert set(np.unique(argmax)) == {1, 3}
    assert (argmax[14:26, 25:38] == 1).all()
    alone = ActivationMaps("a", maps.size, np.array([1]), maps.activations[:1])
    argmax, activation = finished_pixels(alone, "fc1", image, "crf", has_background=False)
    assert (argmax == 2).all()
    assert (activation == 255).all()
    silent = ActivationMaps("a", maps.size, maps.classes, maps.activations * np.array([[[1]], [[0]]], np.uint8))
    assert 3 not in np.unique(finished_pixels(silent, "fc1", image, "crf", has_background=True)[0])
    nothing = ActivationMaps("a", maps.size, maps.classes, np.zeros_like(maps.activations))
    assert not any(part.any() for part in finished_pixels(nothing, "fc1", image, "crf", has_background=False))


@pytest.mark.parametrize("labels", [2, 5, 21])
def test_labels_that_cannot_win_are_left_out_of_probabilities_without_a_change(labels):
    rng = np.random.default_rng(labels)
    image = rng.integers(0, 255, (20, 24, 3)).astype(np.uint8)
    chances = rng.dirichlet(np.linspace(0.02, 2, labels), size=(20, 24)).astype(np.float32).transpose(2, 0, 1)
    chances[0] = np.minimum(chances[0], 0.5 / labels)  # one that is the most probable nowhere
    chances /= chances.sum(axis=0)
    found, whole = finished_chances(image, chances, "pamr"), pamr(image, chances)
    np.testing.assert_array_equal(found.argmax(axis=0), whole.argmax(axis=0))
    kept = found.any(axis=(1, 2))
    assert not kept[0]
    np.testing.assert_allclose(found[kept], whole[kept])
    np.testing.assert_array_equal(finished_chances(image, chances, "none"), chances)


def test_confident_labels_are_the_masks_of_both_thresholds_after_the_crf(installed, tmp_path, monkeypatch):
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
    from recam_core.refine.boundaries import BoundaryRecipe, confident_labels

    tiny_voc(tmp_path / "squares", train_pictures=2, val_pictures=1)
    write_run(tmp_path / "run", "bce")
    run, data = load_run(tmp_path / "run"), open_dataset(f"voc:{tmp_path / 'squares'}@train")
    settings = MapSettings(scales=(1.0,), mirror=False)
    weak = CrfSettings(1, 1, 1, 3, 20, iterations=2)  # the maps of no training are noise, which IRN's leaves nothing of
    monkeypatch.setitem(finishes.FINISHES, "crf", finishes.Finish("CRF", "", crf=weak))
    labels = confident_labels(run, data, "fc1", settings, BoundaryRecipe(0.6, 0.4, "crf"))
    for index, (sample, maps) in enumerate(maps_of_dataset(run.network, data, ["fc1"], settings)):
        parts = argmax_and_activation(maps["fc1"])
        sure, possible = (refined_labels(sample.image, seed_mask(*parts, at), weak) for at in (0.6, 0.4))
        theirs = np.where(sure > 0, sure, np.where(possible > 0, 255, 0))
        np.testing.assert_array_equal(labels[index], theirs)


def test_probabilities_of_a_network_pass_the_crf_in_tests(installed, tmp_path, capsys):
    from recam_core.segment.prediction import NetworkTest, predicted_mask
    from recam_core.segment.training import load_segmentation

    tiny_voc(tmp_path / "squares", train_pictures=2, val_pictures=2)
    data = ("--data", f"voc:{tmp_path / 'squares'}@val", "--device", "cpu")
    out, masks, scores = (str(tmp_path / name) for name in ("net", "masks", "scores.json"))
    asked = ("--preset", "small", "--weights", "none", "--steps", "1", "--batch-size", "2", "--crop", "64")
    assert main(["segment", "train", *asked, "--out", out, *data]) == 0
    test = ("--scales", "1", "--no-mirror", "--finish", "crf-deeplab")
    assert main(["segment", "predict", out, *test, "--out", masks, *data]) == 0
    assert json.loads((tmp_path / "masks" / "masks.json").read_text())["test"]["finish"] == "crf-deeplab"
    network, image = load_segmentation(out, torch.device("cpu")), open_dataset(data[1]).load(0).image
    x = network.network.preprocess(torch.from_numpy(image.copy())[None])
    with torch.inference_mode():
        chances = network.network(x).softmax(dim=1)[0].numpy()
    theirs = crf_chances(image, chances, DEEPLAB_CRF).argmax(axis=0)
    as_asked = NetworkTest((1.0,), mirror=False, finish="crf-deeplab")
    np.testing.assert_array_equal(predicted_mask(network, image, as_asked), theirs)
    assert main(["segment", "eval", out, *test, "--json", scores, *data]) == 0


def test_a_missing_package_is_told_before_anything_is_read(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(UserError, match=r"pip install .recam-lab\[crf\]"):
        check_finish("crf")
    check_finish("pamr")
    missing = ("--data", "voc:nowhere@train")
    for words in (
        ("masks", "no-run", "--finish", "crf", *missing),
        ("masks", "no-run", "--finish", "crf-deeplab", "--seed-threshold", "0.5", *missing),
        ("boundaries", "no-run", "--finish", "crf", "--out", str(tmp_path / "out"), *missing),
        ("segment", "eval", "no-network", "--crf", *missing),
        ("segment", "predict", "no-network", "--crf", "--out", str(tmp_path / "out"), *missing),
    ):
        assert main(list(words)) == 2
        assert "pydensecrf2" in capsys.readouterr().err
