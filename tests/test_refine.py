"""Refinement of maps: PAMR against its equation written out, what it does to scores, and the masks that are written."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, full_size, grid_size, seed_mask
from recam_core.refine import finishes, ways
from recam_core.refine.boundaries import load_boundaries, usual_thresholds
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import finished_pixels
from recam_core.refine.pairs import pair_sums, way
from recam_core.refine.pamr import pamr
from recam_core.refine.random_walk import STAGES, random_walk, walk_stages
from recam_core.refine.ways import walked, walked_stages
from run_folders import write_run
from tiny_voc import tiny_voc


def naive_pamr(image, planes, iterations, dilations):
    """Pixel by pixel."""
    height, width = image.shape[:2]
    x = image.astype(float)
    around = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)]

    def at(r, c):
        return min(max(r, 0), height - 1), min(max(c, 0), width - 1)

    weights = {}
    for r in range(height):
        for c in range(width):
            window = np.array([x[at(r + d * dr, c + d * dc)] for d in dilations for dr, dc in around])
            sigma = window.std(axis=0, ddof=1)
            places = [at(r + d * dr, c + d * dc) for d in dilations for dr, dc in around if (dr, dc) != (0, 0)]
            alike = np.array([(-np.abs(x[r, c] - x[place]) / (1e-8 + 0.1 * sigma)).mean() for place in places])
            chance = np.exp(alike - alike.max())
            weights[r, c] = places, chance / chance.sum()
    current = planes.astype(float)
    for _ in range(iterations):
        fresh = np.empty_like(current)
        for (r, c), (places, chance) in weights.items():
            fresh[:, r, c] = sum(w * current[:, pr, pc] for w, (pr, pc) in zip(chance, places, strict=True))
        current = fresh
    return current


def test_pamr_is_its_equation():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    planes = rng.random((2, 7, 9), dtype=np.float32)
    found = pamr(image, planes, iterations=3, dilations=(1, 2, 8))
    np.testing.assert_allclose(found, naive_pamr(image, planes, 3, (1, 2, 8)), atol=2e-6)
    assert found.dtype == np.float32


def test_pamr_tells_the_pictures_that_it_refines_in_turn_apart():
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 256, (2, 12, 10, 3)).astype(np.uint8)
    planes = rng.random((2, 12, 10)).astype(np.float32)
    alone = pamr(first, planes, iterations=2)
    other = pamr(second, planes, iterations=2)
    assert np.abs(alone - other).max() > 0.01
    np.testing.assert_array_equal(pamr(first, planes, iterations=2), alone)
    assert np.abs(pamr(first, planes, iterations=2, dilations=(1, 3)) - alone).max() > 0.01
    changed = first.copy()
    pamr(changed, planes, iterations=2)
    changed[:] = second  # the same array, with another picture in it
    np.testing.assert_array_equal(pamr(changed, planes, iterations=2), other)


def test_pamr_keeps_within_a_region_of_one_colour_and_leaves_a_flat_plane_alone():
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    image[:, 20:] = 255
    planes = np.zeros((2, 40, 40), dtype=np.float32)
    planes[0, 18:22, 4:8] = 1  # spreads to the left half alone
    planes[1] = 0.25
    spread, flat = pamr(image, planes)
    assert (spread[:, :20] > 0).mean() > 0.9
    assert spread[:, 20:].max() < 1e-3
    np.testing.assert_allclose(flat, 0.25, atol=1e-5)


def maps_of(levels, classes=(0, 2), size=(40, 44)):
    grid = grid_size(size)
    rng = np.random.default_rng(levels)
    return ActivationMaps("a", size, np.array(classes), rng.integers(0, 256, (len(classes), *grid), dtype=np.uint8))


@pytest.mark.parametrize("rule", ["fc1", "softmax"])
def test_maps_without_a_finish_are_the_maps(rule):
    maps = maps_of(1)
    image = np.zeros((40, 44, 3), dtype=np.uint8)
    found = finished_pixels(maps, rule, image, "none", has_background=True)
    for mine, theirs in zip(found, argmax_and_activation(maps), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_log_odds_are_refined_as_probabilities(monkeypatch):
    """To the ends of their scale, where float32 knows no number between the probability and 1."""
    seen = []
    keep = finishes.Finish("k", "", lambda image, planes: seen.append(planes) or planes)
    monkeypatch.setitem(finishes.FINISHES, "keep", keep)
    maps = maps_of(2, classes=(1,))
    image = np.zeros((40, 44, 3), dtype=np.uint8)
    argmax, activation = finished_pixels(maps, "softmax", image, "keep", has_background=True)
    before = full_size(maps)[0]
    assert before.max() > 250
    certain = before >= 80  # below one in ten million, what is left is nothing
    assert np.abs(activation.astype(int) - before)[certain].max() <= 1
    assert activation[~certain].max() <= 81
    odds = 64 * (before / 255 - 0.5)
    np.testing.assert_allclose(seen[0][0], 1 / (1 + np.exp(odds)), rtol=0.2, atol=1e-30)
    assert set(np.unique(argmax)) == {2}
    finished_pixels(maps, "fc1", image, "keep", has_background=True)
    np.testing.assert_allclose(seen[1][0], full_size(maps)[0] / 255, atol=0.003)


def test_a_large_picture_is_refined_at_a_smaller_size(monkeypatch):
    seen = []
    keep = finishes.Finish("k", "", lambda image, planes: seen.append((image.shape, planes.shape)) or planes)
    monkeypatch.setitem(finishes.FINISHES, "keep", keep)
    monkeypatch.setattr(finishes, "MOST_PIXELS", 400)
    maps = ActivationMaps("a", (40, 40), np.array([0]), np.full((1, 10, 10), 204, dtype=np.uint8))
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    argmax, activation = finished_pixels(maps, "fc1", image, "keep", has_background=True)
    assert seen == [((20, 20, 3), (1, 20, 20))]
    assert argmax.shape == (40, 40)
    assert set(np.unique(activation)) == {204}


def test_a_picture_of_no_class_and_a_map_without_activation_stay_what_they_are():
    image = np.zeros((40, 44, 3), dtype=np.uint8)
    none = ActivationMaps("a", (40, 44), np.zeros(0, dtype=np.int64), np.zeros((0, 10, 11), dtype=np.uint8))
    assert not any(part.any() for part in finished_pixels(none, "fc1", image, "pamr", has_background=True))
    silent = ActivationMaps("a", (40, 44), np.array([1]), np.zeros((1, 10, 11), dtype=np.uint8))
    assert not any(part.any() for part in finished_pixels(silent, "fc1", image, "pamr", has_background=True))
    with pytest.raises(UserError, match="no finish 'blur'; there are none, pamr, crf"):
        finished_pixels(silent, "fc1", image, "blur", has_background=True)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("refine")
    tiny_voc(place / "squares", train_pictures=4, val_pictures=3)
    write_run(place / "run", "bce")
    return place


def masks(place, *arguments):
    data = f"voc:{place / 'squares'}@train"
    options = ("--scales", "1", "--no-mirror", "--device", "cpu")
    return main(["masks", str(place / "run"), "--data", data, *options, *map(str, arguments)])


def test_masks_are_scored_and_written_as_a_set_that_opens(place, tmp_path, capsys):
    out, scores = tmp_path / "set", tmp_path / "scores.json"
    val = f"voc:{place / 'squares'}@val"
    assert masks(place, "--select", val, "--out", out, "--with-pictures", "--coco", "--json", scores) == 0
    said = capsys.readouterr().out
    found = json.loads(scores.read_text())["evaluations"]
    assert list(found) == ["direct+none", "direct+pamr"]
    about = json.loads((out / "masks.json").read_text())
    assert about["finish"] == "pamr"
    assert about["threshold"] == found["direct+pamr"]["fixed"]["threshold"]
    assert f"threshold of {about['threshold']:.2f}" in said
    made, truth = open_dataset(f"voc:{out}@train"), open_dataset(f"voc:{place / 'squares'}@train")
    assert made.classes == truth.classes
    assert made.ids == truth.ids
    # What was scored is what was written, in either layout.
    right = pixels = 0
    annotated = open_dataset(f"coco:{out}@train")
    for index in range(len(truth)):
        mine, theirs = made.load(index), truth.load(index)
        np.testing.assert_array_equal(mine.image, theirs.image)
        if mine.id in annotated.ids:  # pictures without a pixel of a class are left out there
            np.testing.assert_array_equal(annotated.mask(annotated.ids.index(mine.id)), mine.mask)
        assert (mine.id in annotated.ids) == mine.mask.any()
        right += ((mine.mask == theirs.mask) & (theirs.mask > 0)).sum()
        pixels += (theirs.mask > 0).sum()
    fixed = found["direct+pamr"]["fixed"]
    assert right / pixels == pytest.approx(1 - fixed["wrong_class"] - fixed["lost_to_background"], abs=1e-6)
    with Image.open(out / "SegmentationClass" / f"{truth.ids[0]}.png") as image:
        assert image.mode == "P"


def test_the_same_command_finds_its_masks_and_another_replaces_them(place, tmp_path, capsys, monkeypatch):
    out, scores = tmp_path / "set", tmp_path / "scores.json"
    select = ("--select", f"voc:{place / 'squares'}@val")
    asked = (*select, "--finish", "none", "--out", out, "--with-pictures", "--coco", "--json", scores)
    assert masks(place, *asked) == 0
    first = scores.read_text()
    scores.unlink()
    made = []
    refined = ways.refined_of_dataset
    monkeypatch.setattr(ways, "refined_of_dataset", lambda *given, **more: made.append(1) or refined(*given, **more))
    capsys.readouterr()
    assert masks(place, *asked) == 0
    assert "there already, by the same command; nothing was done" in capsys.readouterr().out
    assert (made, scores.read_text()) == ([], first)
    # What is not all there is made again, and so is what another command asks for.
    gone = next((out / "SegmentationClass").glob("*.png"))
    listed = out / "ImageSets" / "Segmentation" / "train.txt"
    for change in (
        gone.unlink,
        partial(gone.write_bytes, b""),
        partial(listed.write_bytes, b"\xff\n"),
        (out / "scores.json").unlink,
        next((out / "annotations").iterdir()).unlink,
    ):
        change()
        assert masks(place, *asked) == 0
        assert len(made) == 2
        made.clear()
    assert gone.is_file()
    for other in (("--finish", "pamr"), ("--scales", 2), ("--limit", 3)):
        assert masks(place, *asked, *other) == 0
        assert len(made) == 2
        made.clear()
    assert masks(place, *asked[2:], "--threshold", 0.4) == 0
    assert masks(place, *asked[2:], "--threshold", 0.5) == 0
    assert len(made) == 2
    assert json.loads((out / "masks.json").read_text())["threshold"] == 0.5


def test_what_cannot_be_right_is_refused_before_anything_is_made(place, tmp_path, capsys):
    out = tmp_path / "set"
    for arguments, sentence in (
        (("--out", out), "choose it with --select SPEC"),
        (("--out", out, "--threshold", "1.5"), "between 0 and 1"),
        (("--rule", "fc1", "--rule", "fc2"), "FC2"),
        (("--way", "irn"), "needs boundaries"),
        (("--with-pictures",), "pictures beside the masks: name a folder for both"),
        (("--coco",), "annotations beside the masks: name a folder for both"),
        (("--out", out, "--select", "scenes:stuff=1@val"), "classes"),
    ):
        assert masks(place, *arguments) == 2
        assert sentence in capsys.readouterr().err
    assert not out.exists()
    # The run's own threshold is that of its maps as they are.
    assert masks(place, "--out", out, "--finish", "none") == 0
    assert json.loads((out / "masks.json").read_text())["threshold"] == 0.3


# IRN ------------------------------------------------------------------------------------------------------------------


def affinity(boundary, here, there):
    """1 - the strongest boundary on the way from one cell (y, x) to another."""
    (y, x), (r, c) = here, there
    return 1 - max(boundary[y + dy, x + dx] for dy, dx in way((r - y, c - x)))


def near(h, w, radius):
    cells = [(y, x) for y in range(h) for x in range(w)]
    return [(a, b) for a in cells for b in cells if (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 < radius**2]


def test_a_way_holds_its_ends_and_what_lies_less_than_a_cell_off_the_line():
    assert way((0, 3)) == ((0, 0), (0, 1), (0, 2), (0, 3))
    assert way((2, 2)) == ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2))
    assert set(way((-1, 2))) == {(0, 0), (0, 1), (0, 2), (-1, 0), (-1, 1), (-1, 2)}
    assert (0, 3) not in way((-2, 3))


def test_the_walk_is_the_dense_one():
    rng = np.random.default_rng(0)
    h, w = 8, 11
    boundary, maps = rng.random((h, w)).astype(np.float32), rng.random((2, h, w)).astype(np.float32)
    dense = np.zeros((h * w, h * w))
    for (y, x), (r, c) in near(h, w, 5):
        dense[y * w + x, r * w + c] = 1 if (y, x) == (r, c) else affinity(boundary, (y, x), (r, c)) ** 10
    chances = dense / dense.sum(axis=0, keepdims=True)
    for _ in range(8):
        chances = chances @ chances
    theirs = ((maps * (1 - boundary)).reshape(2, -1) @ chances).reshape(2, h, w)
    np.testing.assert_allclose(random_walk(maps, boundary), theirs, atol=1e-5)
    one = (maps * (1 - boundary)).reshape(2, -1) @ (dense / dense.sum(axis=0, keepdims=True))
    np.testing.assert_allclose(random_walk(maps, boundary, steps=1).reshape(2, -1), one, atol=1e-6)
    # One walk that is looked at on its way: the same as one walk for each number of steps.
    assert STAGES == (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
    each = walk_stages(maps, boundary)
    np.testing.assert_array_equal(each[0], maps * (1 - boundary))
    for place in (1, 4, 9):
        np.testing.assert_array_equal(each[place], random_walk(maps, boundary, steps=STAGES[place]))


def test_maps_walk_up_to_a_boundary_and_are_divided_by_their_common_maximum():
    boundary = np.zeros((10, 11), dtype=np.float32)
    boundary[:, 5] = 1
    levels = np.zeros((2, 10, 11), dtype=np.uint8)
    levels[0, 4:6, 1:3], levels[1, 4:6, 8:10] = 255, 51
    found = walked(ActivationMaps("a", (40, 44), np.array([0, 2]), levels), boundary, "fc1")
    assert found.activations[0].max() == 255
    assert 40 < found.activations[1].max() < 64
    assert (found.activations[0, :, :5] > 0).all()
    assert not found.activations[0, :, 6:].any()
    assert not found.activations[1, :, :5].any()
    # Log-odds walk as probabilities: what is improbable is nothing, not half of the scale.
    odds = walked(ActivationMaps("a", (40, 44), np.array([0]), np.full((1, 10, 11), 64, np.uint8)), boundary, "softmax")
    assert odds.activations.max() == 255
    levels = np.full((1, 10, 11), 64, np.uint8)
    levels[0, 4, 2] = 255
    odds = walked(ActivationMaps("a", (40, 44), np.array([0]), levels), boundary, "softmax")
    assert not odds.activations[:, :, 6:].any()
    # Each stage is divided by a maximum of its own, so that what spreads can still be seen.
    stages = walked_stages(ActivationMaps("a", (40, 44), np.array([0]), levels), boundary, "fc1", (0, 8, 256))
    assert [one.activations.max() for one in stages] == [255, 255, 255]
    assert [(one.activations > 0)[:, :, :5].mean() for one in stages] == sorted(
        (one.activations > 0)[:, :, :5].mean() for one in stages
    )


def naive_loss(edge_logits, displacement, labels, radius):
    edge = torch.sigmoid(edge_logits).numpy()
    sums, counts = np.zeros(5), np.zeros(5)
    for b in range(len(labels)):
        for here, there in near(*labels.shape[1:], radius):
            one, other = int(labels[b][here]), int(labels[b][there])
            if there <= here or 255 in (one, other):
                continue
            a = affinity(edge[b], here, there)
            delta = (displacement[b][:, here[0], here[1]] - displacement[b][:, there[0], there[1]]).numpy()
            target = np.array(there) - np.array(here)
            if one != other:
                sums[2], counts[2] = sums[2] - np.log(1 + 1e-5 - a), counts[2] + 1
                continue
            kind = 0 if one == 0 else 1
            sums[kind], counts[kind] = sums[kind] - np.log(a + 1e-5), counts[kind] + 1
            moved = np.abs(delta - target).sum() if one else np.abs(delta).sum()
            sums[4 - kind], counts[4 - kind] = sums[4 - kind] + moved, counts[4 - kind] + 2
    terms = sums / (counts + 1e-5)
    return ((terms[0] + terms[1]) / 2 + terms[2]) / 2 + (terms[3] + terms[4]) / 2


def test_the_losses_are_those_of_each_pair():
    generator = torch.Generator().manual_seed(0)
    edge, moves = torch.randn(2, 6, 7, generator=generator), torch.randn(2, 2, 6, 7, generator=generator)
    labels = torch.tensor([0, 1, 2, 255])[torch.randint(0, 4, (2, 6, 7), generator=generator)]
    found = pair_sums(edge, moves, labels, radius=4)
    assert float(found.loss) == pytest.approx(naive_loss(edge, moves, labels, 4), rel=1e-4)
    # Of two processes, numerators and denominators are added up before they are divided.
    parts = [pair_sums(edge[n : n + 1], moves[n : n + 1], labels[n : n + 1], radius=4) for n in range(2)]
    together = type(found)(sum(part.over for part in parts), sum(part.count for part in parts))
    torch.testing.assert_close(together.loss, found.loss)


def test_the_heads_learn_a_boundary_and_leave_the_backbone_alone(place):
    from recam_core.checkpoint.run_folder import load_run

    run = load_run(place / "run")
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    torch.manual_seed(0)
    heads = BoundaryNetwork(run.network)
    image = np.zeros((96, 96, 3), dtype=np.uint8)
    image[:, 48:] = 255
    labels = torch.zeros(1, 24, 24, dtype=torch.uint8)
    labels[:, :, 12:] = 1
    x = run.network.preprocess(image)
    optimizer = torch.optim.Adam(heads.parameters(), 0.02)
    losses = []
    for _ in range(30):
        edges, moves = heads(x)
        loss = pair_sums(edges, moves, labels, radius=4).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    found = heads.eval().boundary(image)
    assert found.shape == (24, 24)
    assert found[:, 10:14].max(axis=1).mean() > 2 * found[:, 2:8].mean()
    assert not run.network.training
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any(key.startswith("_cam") for key in heads.state_dict())


def boundaries(place, out, *arguments):
    data = f"voc:{place / 'squares'}@train"
    options = ("--scales", "1", "--no-mirror", "--device", "cpu", "--preset", "small", "--finish", "none")
    return main(["boundaries", str(place / "run"), "--data", data, "--out", str(out), *options, *map(str, arguments)])


def test_boundaries_are_learnt_kept_and_walked_within(place, tmp_path, capsys):
    from recam_core.checkpoint.run_folder import load_run

    out, scores = tmp_path / "boundaries", tmp_path / "scores.json"
    asked = ("--epochs", 1, "--foreground", 0.6, "--background", 0.4)
    assert boundaries(place, out, *asked) == 0
    assert "Confident labels at 0.60 and 0.40" in capsys.readouterr().out
    assert not (out / "state").exists()
    # The same command finds all there; another is refused, and heads that are gone are learnt again.
    record, drawn = json.loads((out / "boundaries.json").read_text()), tmp_path / "labels.png"
    assert boundaries(place, out, *asked, "--json", tmp_path / "again.json") == 0
    said = capsys.readouterr().out
    assert "there already, by the same command" in said
    assert "Confident labels" not in said
    assert json.loads((tmp_path / "again.json").read_text()) == record
    for other in (("--seed", 1), ("--scales", 2), ("--limit", 2)):
        assert boundaries(place, out, *asked, *other) == 2
        assert "boundaries already, made with other settings" in capsys.readouterr().err
    assert boundaries(place, out, *asked, "--show", drawn) == 0
    assert drawn.is_file()
    (out / "boundaries.safetensors").unlink()
    assert boundaries(place, out, *asked) == 0
    assert json.loads((out / "boundaries.json").read_text()) == record
    capsys.readouterr()
    assert masks(place, "--boundaries", out, "--json", scores) == 0
    assert "r fc1, IRN, PAMR" in capsys.readouterr().out.replace("run fc1", "r fc1")
    found = json.loads(scores.read_text())["evaluations"]
    assert list(found) == ["direct+none", "direct+pamr", "irn+none", "irn+pamr"]
    write_run(place / "other", "bce", seed=3)
    with pytest.raises(UserError, match="fit no other backbone than its own"):
        load_boundaries(out, load_run(place / "other"))
    (out / "boundaries.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="Make it anew with `boundaries`"):
        load_boundaries(out, load_run(place / "run"))


def test_what_the_seeds_are_not_sure_of_says_nothing(place):
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
    from recam_core.refine.boundaries import BoundaryRecipe, confident_labels

    run, data = load_run(place / "run"), open_dataset(f"voc:{place / 'squares'}@train")
    settings = MapSettings(scales=(1.0,), mirror=False)
    labels = confident_labels(run, data, "fc1", settings, BoundaryRecipe(0.6, 0.4, "none"))
    seen = set()
    for index, (_, maps) in enumerate(maps_of_dataset(run.network, data, ["fc1"], settings)):
        argmax, activation = argmax_and_activation(maps["fc1"])
        sure = np.where(activation > 0.6 * 255, argmax, np.where(activation > 0.4 * 255, 255, 0))
        np.testing.assert_array_equal(labels[index], sure)
        seen |= {0, 255} & set(np.unique(sure).tolist())
    assert seen == {0, 255}
    assert sum(labels.shares) == pytest.approx(1)


def test_what_boundaries_cannot_be_learnt_from_is_refused(place, tmp_path, capsys):
    out = tmp_path / "boundaries"
    for arguments, sentence in (
        (("--foreground", 0.3, "--background", 0.5), "must not be the larger"),
        (("--foreground", 1.0, "--background", 0.1), "No pixel is confidently a class"),
        (("--epochs", 0), "1 epoch"),
        (("--seed", -1), "The seed is 0 or more"),
        (("--rule", "fc2"), "FC2"),
    ):
        assert boundaries(place, out, *arguments) == 2
        assert sentence in capsys.readouterr().err
    assert not out.exists()
    assert usual_thresholds(0.21) == pytest.approx((0.33, 0.11))
    assert usual_thresholds(0.95)[0] == 0.99


def test_a_training_of_boundaries_goes_on_where_it_was_cut_off(place, tmp_path, monkeypatch):
    from recam_core.train import epochs as module

    asked = ("--epochs", 2, "--foreground", 0.6, "--background", 0.4)
    assert boundaries(place, tmp_path / "whole", *asked) == 0
    real, saved = module.save_state, []

    def killed(out, state):
        real(out, state)
        saved.append(state)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "save_state", killed)
    assert boundaries(place, tmp_path / "cut", *asked) == 130
    monkeypatch.setattr(module, "save_state", real)
    assert boundaries(place, tmp_path / "cut", *asked, "--seed", 1) == 2  # another training
    assert boundaries(place, tmp_path / "cut", *asked) == 0
    whole, cut = (json.loads((tmp_path / name / "boundaries.json").read_text())["history"] for name in ("whole", "cut"))
    assert cut == whole


# AdvCAM ---------------------------------------------------------------------------------------------------------------


def naive_climb(network, x, weight, k, steps, size, keep):
    """Step by step, by autograd on the whole goal; the sum of the class's maps."""
    low = network.preprocess(np.zeros((1, 1, 3), dtype=np.uint8))
    high = network.preprocess(np.full((1, 1, 3), 255, dtype=np.uint8))
    total, first = 0, None
    for _ in range(steps):
        x = x.detach().requires_grad_()
        maps = torch.einsum("kc,bchw->bkhw", weight, network.features(x)).clamp(min=0)[0]
        first = maps[k].detach() if first is None else first
        others = sum(maps[n].mean() for n in range(len(weight)) if n != k)
        mask = (maps[k] / maps[k].max() > 0.5).detach()
        goal = maps[k].mean() - others - keep * (mask * (maps[k] - first).abs()).sum()
        gradient = torch.autograd.grad(goal, x)[0]
        total = total + maps[k].detach()
        x = torch.minimum(torch.maximum(x + size * gradient / gradient.abs().max(), low), high)
    return total


def test_climbing_is_its_equation_and_raises_what_it_climbs(place):
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.refine.advcam import Climb, ClimbRecord, climbed_maps, steps_a_class
    from recam_core.views.climb_frames import climb_frames

    network = load_run(place / "run").network
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    weight, climb, seen = network.fc1.detach(), Climb(steps=4, keep=0.5), []

    record = ClimbRecord(1.0, side=32)

    def watch(k, scale, step, picture, plane, y):
        assert 0 <= picture.min() <= picture.max() <= 1
        seen.append((k, step, y))
        record.add(k, scale, step, picture, plane, y)
        record.add(k, 2.0, step, picture, plane, y)

    found = climbed_maps(network, image, weight, [1], scales=[1.0], mirror=False, climb=climb, on_step=watch)
    theirs = naive_climb(network, network.preprocess(image), weight, 1, 4, climb.size, climb.keep)
    grid = torch.nn.functional.interpolate(theirs[None, None], size=(16, 16), mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(found.activations, (grid / grid.max() * 255).numpy(), atol=1.5)
    assert [step for _, step, _ in seen] == [0, 1, 2, 3]
    assert seen[-1][2] > seen[0][2]  # y of the class goes up
    (steps,) = record.steps.values()
    assert [step.gain for step in steps] == [y for _, _, y in seen]
    assert steps[0].picture.shape == (32, 32, 3)
    assert np.abs(steps[0].picture.astype(int) - image.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))).max() <= 1
    frames = climb_frames(steps)
    assert frames[-1].gain == pytest.approx(seen[-1][2] / seen[0][2])
    assert len({frame.picture for frame in frames}) == len({frame.map for frame in frames}) == 4
    assert steps_a_class([0.5, 1.0, 1.5, 2.0]) == 94
    assert climbed_maps(network, image, weight, [], scales=[1.0]).activations.shape == (0, 16, 16)


def test_all_four_ways_are_scored_and_the_cost_of_climbing_is_told_first(place, tmp_path, capsys, monkeypatch):
    from recam_core.refine import advcam

    monkeypatch.setattr(advcam.Climb, "steps_at", lambda self, scale: 1)
    out, scores = tmp_path / "boundaries", tmp_path / "scores.json"
    assert boundaries(place, out, "--epochs", 1, "--foreground", 0.6, "--background", 0.4) == 0
    capsys.readouterr()
    ways = [part for way in ("direct", "advcam", "irn", "advcam+irn") for part in ("--way", way)]
    assert masks(place, "--boundaries", out, *ways, "--finish", "none", "--json", scores) == 0
    said = capsys.readouterr().out
    assert said.index("AdvCAM takes 1 passes") < said.index("mIoU")
    found = json.loads(scores.read_text())["evaluations"]
    assert list(found) == ["direct+none", "advcam+none", "irn+none", "advcam+irn+none"]
    # One step is the map itself: what climbs is the same network's.
    assert found["advcam+none"]["best"]["miou"] == pytest.approx(found["direct+none"]["best"]["miou"], abs=0.02)


def test_what_was_climbed_is_kept_and_a_call_that_was_cut_off_goes_on(place, tmp_path, monkeypatch):
    from recam_core.refine import advcam

    monkeypatch.setattr(advcam.Climb, "steps_at", lambda self, scale: 1)
    climb, climbed, most = advcam._climb, [], [3]

    def counted(*arguments):
        if len(climbed) == most[0]:
            raise KeyboardInterrupt
        climbed.append(arguments)
        return climb(*arguments)

    monkeypatch.setattr(advcam, "_climb", counted)
    asked = ("--way", "advcam", "--json", tmp_path / "scores.json")
    assert masks(place, *asked, "--finish", "none") != 0
    assert len(climbed) == 3
    most[0] = None
    assert masks(place, *asked, "--finish", "none") == 0
    data = open_dataset(f"voc:{place / 'squares'}@train")
    every = sum(int(data.labels(index).sum()) for index in range(len(data)))
    timed = 2  # one step is timed by each call, to tell what it will take
    assert len(climbed) == every + timed
    first = json.loads((tmp_path / "scores.json").read_text())
    # Another finish, and some of the pictures, climb nothing.
    assert masks(place, *asked, "--finish", "none", "--finish", "pamr", "--pictures", 3) == 0
    assert masks(place, *asked, "--finish", "none") == 0
    assert len(climbed) == every + timed + 2
    assert json.loads((tmp_path / "scores.json").read_text()) == first
    # Other scales, and other weights, are other maps; what is damaged is climbed again.
    assert masks(place, *asked, "--finish", "none", "--scales", 0.5) == 0
    assert len(climbed) == 2 * every + timed + 3
    for file in (tmp_path / "cache").glob("climbed-*/*/*.npz"):
        file.write_bytes(file.read_bytes()[:40])
    assert masks(place, *asked, "--finish", "none") == 0
    assert len(climbed) == 3 * every + timed + 4
    assert json.loads((tmp_path / "scores.json").read_text()) == first


def test_maps_that_were_climbed_are_read_by_class_and_picture(tmp_path):
    from recam_core.refine.advcam import kept_climbs, kept_maps_of
    from recam_core.refine.kept_climbs import picture_name

    image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    levels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    kept = kept_climbs("sha", "fc1", [1, 2.0])
    kept.put(picture_name(image), 2, levels)
    assert kept_maps_of(kept, image, [0, 2]) is None
    kept.put(picture_name(image), 0, levels[::-1])
    found = kept_maps_of(kept_climbs("sha", "fc1", [1.0, 2.0]), image, [2, 0], "id")
    assert (found.id, found.size, found.classes.tolist()) == ("id", (16, 24), [0, 2])
    np.testing.assert_array_equal(found.activations, [levels[::-1], levels])
    others = (("other", "fc1", [1, 2]), ("sha", "product", [1, 2]), ("sha", "fc1", [1]), ("sha", "fc1", [1, 2], False))
    assert not any(kept_maps_of(kept_climbs(*other), image, [0]) for other in others)
    assert kept_maps_of(kept, image[::-1], [0]) is None
    kept.make_room()
    assert kept_maps_of(kept, image, [0]) is not None


# What the thresholds select, and masks that are worse than seeds ------------------------------------------------------


def test_confident_labels_are_drawn_and_held_against_the_ground_truth(place, tmp_path, capsys):
    out, drawn = tmp_path / "boundaries", tmp_path / "labels.png"
    asked = ("--epochs", 1, "--foreground", 0.6, "--background", 0.4)
    assert boundaries(place, out, *asked, "--show", tmp_path / "labels.txt") == 2
    assert ".png" in capsys.readouterr().err
    assert boundaries(place, out, *asked, "--show", drawn) == 0
    said = capsys.readouterr().out
    record = json.loads((out / "boundaries.json").read_text())
    right = record["right"]
    sure, rest = right["foreground"], right["background"]
    told = f"{sure:.1%} of the pixels of a class and {rest:.1%} of those of the background"
    assert f"Right, by the ground truth: {told}" in said
    with Image.open(drawn) as image:
        assert image.height > image.width > 500


def test_how_many_labels_are_right_is_counted_where_the_truth_is_known():
    from recam_core.refine.boundaries import ConfidentLabels

    labels = ConfidentLabels()
    labels.add(np.array([[1, 1, 2, 0, 0, 255]], np.uint8), np.array([[1, 3, 255, 0, 1, 1]], np.uint8))
    labels.add(np.array([[1, 0]], np.uint8))
    assert labels.right == (0.5, 0.5)
    assert labels.shares == (0.5, 0.375, 0.125)
    assert labels[1].tolist() == [[1, 0]]
    unknown = ConfidentLabels()
    unknown.add(np.array([[1, 0]], np.uint8))
    assert np.isnan(unknown.right).all()


def test_masks_that_are_worse_than_the_seeds_are_explained_before_all_are_made(place, tmp_path, capsys, monkeypatch):
    from recam_core.cli import masks as command

    upside_down = finishes.Finish("Upside down", "", lambda image, planes: planes[:, ::-1, ::-1].copy())
    monkeypatch.setitem(finishes.FINISHES, "turned", upside_down)
    out, val = tmp_path / "boundaries", f"voc:{place / 'squares'}@val"
    assert boundaries(place, out, "--epochs", 1, "--foreground", 0.6, "--background", 0.4) == 0
    capsys.readouterr()
    route = ("--boundaries", out, "--way", "irn", "--finish", "turned")
    record = json.loads((out / "boundaries.json").read_text())
    # On the pictures that thresholds are chosen on ...
    assert masks(place, *route, "--select", val) == 0
    said = capsys.readouterr().out
    assert said.index(f"Worse than the seeds on {val}") < said.index("best here")
    assert "IRN, Upside down" in said
    assert f"thresholds 0.60 and 0.40, of which {record['right']['foreground']:.0%} of the pixels of a class" in said
    # ... or on the first ones with ground truth.
    monkeypatch.setattr(command, "_TELLING", 1)
    assert masks(place, *route) == 0
    assert "Worse than the seeds on the first 1 pictures with ground truth" in capsys.readouterr().err
    # Seeds are not held against themselves.
    assert masks(place, "--finish", "none") == 0
    assert "Worse" not in "".join(capsys.readouterr())


def test_maps_of_advcam_that_are_worse_than_the_seeds_say_what_they_gained_and_paid(
    place, tmp_path, capsys, monkeypatch
):
    climbed_maps = ways.climbed_maps

    def everywhere(*arguments, **options):
        maps = climbed_maps(*arguments, **options)
        return replace(maps, activations=np.full_like(maps.activations, 255))

    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ways, "climbed_maps", everywhere)
    val = f"voc:{place / 'squares'}@val"
    assert masks(place, "--way", "advcam", "--finish", "none", "--select", val, "--json", tmp_path / "s.json") == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "s.json").read_text())["evaluations"]["advcam+none"]["best"]
    line = next(
        line for line in said.splitlines() if line.startswith("Worse than the seeds on voc:") and "@train" in line
    )
    assert "AdvCAM makes a class larger" in line
    assert f"{found['lost_to_background']:.1%} after" in line
    assert f"{found['background_claimed']:.1%} after" in line


def test_maps_of_an_attribution_method_are_seeds_like_any_other(place, tmp_path, capsys, monkeypatch):
    from recam_core.attribution.attributed_set import attributed_run, attributions_of_dataset
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.maps.dataset_maps import MapSettings
    from recam_core.refine.seeds import seeds_of_dataset
    from recam_core.report.mask_set import MaskSet

    out, edges, rule = tmp_path / "set", tmp_path / "edges", ("--rule", "region_cam-fc1")
    sure = ("--epochs", 1, "--foreground", 0.95, "--background", 0.85)
    assert boundaries(place, edges, *sure, *rule) == 0
    assert json.loads((edges / "boundaries.json").read_text())["rule"] == "region_cam-fc1"
    capsys.readouterr()
    asked = ("--boundaries", edges, "--way", "irn", "--way", "direct", "--finish", "none", "--threshold", 0.9)
    assert masks(place, *rule, *asked, "--scales", 2, "--out", out) == 0
    assert "run region_cam-fc1, IRN" in capsys.readouterr().out
    assert json.loads((out / "masks.json").read_text())["settings"]["scales"] == [1.0]  # that of the method
    data, run = open_dataset(f"voc:{place / 'squares'}@train"), load_run(place / "run")
    written = MaskSet(out, data.classes)
    shares = (slice(0, None, 2), slice(1, None, 2))
    parts = []
    for share in shares:  # of two processes
        monkeypatch.setattr("recam_core.ranks.share", lambda items, share=share: items[share])
        found = seeds_of_dataset(run.network, data, "region_cam-fc1", MapSettings(), limit=3)
        parts.append([sample.id for sample, _ in found])
    assert parts == [data.ids[:3:2], data.ids[1:3:2]]
    for sample, maps in attributions_of_dataset(attributed_run(run, "region_cam-fc1"), data):
        np.testing.assert_array_equal(written.mask(sample.id), seed_mask(*argmax_and_activation(maps), 0.9))
    for arguments, sentence in (
        (("--way", "advcam"), "climbs along the class weights"),
        (("--labels", "predicted", "--threshold", 0.4), "ground-truth label"),
        (("--rule", "fc1"), "Name one --rule"),
        (("--out", tmp_path / "other"), "choose it with --select"),
    ):
        assert masks(place, *rule, *arguments) == 2
        assert sentence in capsys.readouterr().err
    assert masks(place, "--rule", "warp-fc1") == 2
    assert "no extraction rule 'warp-fc1'" in capsys.readouterr().err
