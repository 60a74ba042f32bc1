"""Segmentation networks: their forms, the loss, training on masks, scores and the masks that they write."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.refine.pamr import pamr
from recam_core.report.files import mask_png
from recam_core.report.mask_set import MaskSet, split_name
from recam_core.segment.networks import NETWORKS, SegmentationNetwork, network_kind, start_run
from recam_core.segment.prediction import NetworkTest, predicted_mask
from recam_core.segment.recipe import PRESETS, SegmentRecipe, check_recipe
from recam_core.segment.training import load_segmentation, pixel_loss, share_powers, training_seconds
from run_folders import write_run
from tiny_voc import tiny_voc


@pytest.mark.parametrize("name", [name for name in NETWORKS if not name.startswith("lite0")])
def test_networks_give_a_score_for_each_label_at_each_pixel(name):
    with torch.device("meta"):
        network = NETWORKS[name].build(5).eval()
        assert network(torch.zeros(2, 3, 65, 97)).shape == (2, 5, 65, 97)
        # ImageNet's names, so that its weights load.
        names = set(network.backbone.state_dict())
    assert ("layer4.2.conv3.weight" in names) == ("resnet" in name)


def test_deeplab_v2_has_the_published_form():
    with torch.device("meta"):
        network = NETWORKS["deeplabv2_resnet101"].build(21)
        assert network.backbone(torch.zeros(1, 3, 64, 64)).shape == (1, 2048, 8, 8)  # a stride of 8
    assert [branch.dilation for branch in network.head.branches] == [(6, 6), (12, 12), (18, 18), (24, 24)]
    paper = PRESETS["paper"]
    assert (paper.crop, paper.batch_size * paper.accumulated, paper.steps, paper.lr) == (321, 10, 20_000, 2.5e-4)


@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("prior", [0, 0.5])
def test_the_loss_is_the_mean_over_the_pixels_with_a_label(has_background, prior):
    generator = torch.Generator().manual_seed(0)
    labels = 3 if has_background else 2
    scores = torch.randn(2, labels, 4, 5, generator=generator)
    truth = torch.tensor([0, 1, 2, 255])[torch.randint(0, 4, (2, 4, 5), generator=generator)].to(torch.uint8)
    shares = np.array([0.7, 0.3, 0])[:labels]  # one that no mask shows counts as the rarest
    priors = share_powers(shares, prior) if prior else None
    weights = torch.tensor([0.7, 0.3, 0.3])[:labels] ** prior
    odds = scores.exp() * weights[:, None, None]
    chances, summed, count = odds / odds.sum(dim=1, keepdim=True), 0.0, 0
    for b, y, x in np.ndindex(2, 4, 5):
        value = int(truth[b, y, x])
        if value == 255 or (value == 0 and not has_background):
            continue
        summed -= float(chances[b, value if has_background else value - 1, y, x].log())
        count += 1
    assert float(pixel_loss(scores, truth, has_background, priors)) == pytest.approx(summed / count, rel=1e-5)
    nothing = torch.full_like(truth, 255)
    assert float(pixel_loss(scores, nothing, has_background, priors)) == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("segment")
    tiny_voc(place / "squares", train_pictures=4, val_pictures=2)
    return place


def segment(part, place, *arguments, split="train"):
    data = ("--data", f"voc:{place / 'squares'}@{split}", "--device", "cpu")
    return main(["segment", part, *map(str, arguments), *data])


def test_from_masks_to_a_scored_network_to_masks(place, tmp_path, capsys):
    out, scores, masks = tmp_path / "net", tmp_path / "scores.json", tmp_path / "masks"
    asked = ("--preset", "small", "--weights", "none", "--steps", 4, "--batch-size", 2, "--crop", 64, "--out", out)
    assert segment("train", place, *asked) == 0
    assert "did not start from ImageNet" in capsys.readouterr().out
    record = json.loads((out / "segment.json").read_text())
    assert (record["epochs"], record["pictures"], record["masks"]) == (2, 4, "the ground truth")
    assert not (out / "state").exists()
    # The same command finds all there; another is refused, and weights that are gone are trained again.
    before = (out / "model.safetensors").stat().st_mtime_ns
    assert segment("train", place, *asked, "--json", tmp_path / "again.json") == 0
    assert "there already, by the same command" in capsys.readouterr().out
    assert json.loads((tmp_path / "again.json").read_text()) == record
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    assert segment("train", place, *asked, "--seed", 1) == 2
    assert "a segmentation network already, made with other settings" in capsys.readouterr().err
    (out / "model.safetensors").unlink()
    assert segment("train", place, *asked) == 0
    assert json.loads((out / "segment.json").read_text()) == record
    test = ("--scales", 1, "--no-mirror")
    assert segment("eval", place, out, *test, "--band", 2, "--json", scores, split="val") == 0
    said = capsys.readouterr().out
    assert "Only pixels within 2 pixels of a contour" in said
    assert "net did not start from ImageNet" in said
    found = json.loads(scores.read_text())["scores"]
    assert found["all"][0]["fixed"]["pixels"] > found["within 2"][0]["fixed"]["pixels"] > 0
    assert segment("predict", place, out, *test, "--coco", "--out", masks, split="val") == 0
    assert "there already" not in capsys.readouterr().out
    assert segment("predict", place, out, *test, "--coco", "--out", masks, split="val") == 0
    assert "there already, by the same command" in capsys.readouterr().out
    data = open_dataset(f"voc:{place / 'squares'}@val")
    network, written = load_segmentation(out, torch.device("cpu")), MaskSet(masks, data.classes)
    annotated = json.loads((masks / "annotations" / "instances_val.json").read_text())["images"]
    seen = []
    for index, id in enumerate(data.ids):
        sample = data.load(index)
        mine = predicted_mask(network, sample.image, NetworkTest((1.0,), mirror=False))
        np.testing.assert_array_equal(written.mask(id), mine)
        assert annotated[index] == {"id": index + 1, "file_name": f"{id}.jpg", "height": 48, "width": 48}
        seen.append((mine, sample.mask))
    # What was scored is what was written.
    mine, truth = (np.stack(part) for part in zip(*seen, strict=True))
    fixed = found["all"][0]["fixed"]
    assert fixed["pixels"] == mine.size
    for label, iou in enumerate(fixed["per_class"]["iou"]):
        both, either = (mine == label) & (truth == label), (mine == label) | (truth == label)
        assert iou == (pytest.approx(both.sum() / either.sum()) if either.any() else None)
    # Masks that were written train another network.
    again = (*asked[:-1], tmp_path / "second", "--masks", masks)
    assert segment("train", place, *again, split="val") == 0
    capsys.readouterr()
    # The same masks elsewhere are those that it has learnt from; what was changed in the same place is not.
    assert segment("train", place, *again[:-1], shutil.copytree(masks, tmp_path / "elsewhere"), split="val") == 0
    assert "there already, by the same command" in capsys.readouterr().out
    changed = next((masks / "SegmentationClass").glob("*.png"))
    changed.write_bytes(mask_png((written.mask(changed.stem) + 1) % 4, 3))
    assert segment("train", place, *again, split="val") == 2
    assert "made with other settings" in capsys.readouterr().err


def test_a_test_with_the_mirror_image_is_the_mean_of_both(place, tmp_path):
    out = tmp_path / "net"
    asked = ("--preset", "small", "--weights", "none", "--steps", 1, "--batch-size", 2, "--crop", 64, "--out", out)
    assert segment("train", place, *asked) == 0
    network = load_segmentation(out, torch.device("cpu"))
    image = open_dataset(f"voc:{place / 'squares'}@val").load(0).image
    x = network.network.preprocess(torch.from_numpy(image.copy())[None])
    with torch.inference_mode():
        total = 0
        for size in (48, 72):
            view = torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear") if size != 48 else x
            both = network.network(view).softmax(1), network.network(view.flip(-1)).softmax(1).flip(-1)
            total = total + torch.nn.functional.interpolate(both[0] + both[1], size=(48, 48), mode="bilinear")
    np.testing.assert_array_equal(predicted_mask(network, image, NetworkTest((1.0, 1.5))), total[0].argmax(0).numpy())


def test_a_network_starts_from_the_backbone_of_a_run(place, tmp_path, capsys):
    knowing, other = tmp_path / "bce", tmp_path / "other"
    info = write_run(knowing, backbone="tf_efficientnet_lite0")
    write_run(other)
    asked = ("--preset", "small", "--steps", 1, "--batch-size", 2, "--crop", 64)
    out = tmp_path / "net"
    assert segment("train", place, *asked, "--weights", knowing, "--out", out) == 0
    trained, start = load_segmentation(out, torch.device("cpu")), load_run(knowing)
    assert trained.record["weights"] == f"run {info.name} ({info.weights_sha256[:8]})"
    # One small step from where the run ended, and nowhere near any other weights.
    for name, value in start.network.backbone.named_parameters():
        assert float((trained.network.backbone.get_parameter(name) - value).detach().abs().max()) < 1e-2, name
    assert "did not start from ImageNet" not in capsys.readouterr().out
    assert segment("train", place, *asked, "--weights", other, "--out", tmp_path / "no") == 2
    assert "other (timm:resnet10t) is of another architecture" in capsys.readouterr().err
    assert segment("train", place, *asked, "--weights", tmp_path, "--out", tmp_path / "no") == 2
    assert "is the folder of no run: it has no run.json" in capsys.readouterr().err
    # A run that had never seen ImageNet hands that on.
    write_run(knowing, backbone="tf_efficientnet_lite0", imagenet="none")
    assert segment("train", place, *asked, "--weights", knowing, "--out", tmp_path / "fresh") == 0
    assert "did not start from ImageNet" in capsys.readouterr().out


def test_weights_of_something_else_are_not_replaced(place, tmp_path, capsys):
    run, asked = tmp_path / "bce", ("--preset", "small", "--weights", "none", "--steps", 1, "--crop", 64)
    info, data = write_run(run, backbone="tf_efficientnet_lite0"), f"voc:{place / 'squares'}@train"
    assert segment("train", place, *asked, "--batch-size", 2, "--out", run) == 2
    assert "bce holds model.safetensors of something else" in capsys.readouterr().err
    assert load_run(run).info.weights_sha256 == info.weights_sha256
    (run / "run.json").rename(run / "segment.json")
    before = (run / "model.safetensors").read_bytes()
    train = ["--preset", "small", "--backbone", "timm:test_resnet", "--weights", "none", "--epochs", "1"]
    assert main(["train", "bce", *train, "--data", data, "--device", "cpu", "--out", str(run)]) == 2
    assert "bce holds model.safetensors of something else" in capsys.readouterr().err
    assert (run / "model.safetensors").read_bytes() == before
    # Where there can be no folder, that is told before an epoch is trained.
    (tmp_path / "file").touch()
    assert segment("train", place, *asked, "--out", tmp_path / "file") == 2
    assert "is no folder" in capsys.readouterr().err


def test_a_run_that_is_called_like_a_word_is_none(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "none", backbone="tf_efficientnet_lite0")
    assert start_run("none") is None
    assert start_run("./none") is not None


def test_another_run_in_the_place_of_the_one_it_starts_from_is_another_training(place, tmp_path, capsys, monkeypatch):
    knowing, out = tmp_path / "bce", tmp_path / "net"
    write_run(knowing, backbone="tf_efficientnet_lite0")
    asked = ("--preset", "small", "--steps", 4, "--batch-size", 2, "--crop", 64, "--weights", knowing, "--out", out)

    def cut_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("recam_core.train.trained_folder.write_json", cut_off)
        segment("train", place, *asked)
    assert (out / "state").exists()
    write_run(knowing, backbone="tf_efficientnet_lite0", seed=1)
    assert segment("train", place, *asked) == 2
    assert "another training that was cut off" in capsys.readouterr().err


def test_a_prior_divides_by_the_shares_of_the_labels(place, tmp_path, capsys, monkeypatch):
    out = tmp_path / "net"
    asked = ("--preset", "small", "--weights", "none", "--steps", 1, "--batch-size", 2, "--crop", 64, "--out", out)
    assert segment("train", place, *asked) == 0
    network, train = load_segmentation(out, torch.device("cpu")), open_dataset(f"voc:{place / 'squares'}@train")
    pixels = np.bincount(np.concatenate([train.mask(index).ravel() for index in range(len(train))]), minlength=256)[:4]
    np.testing.assert_allclose(network.record["label_shares"], pixels / pixels.sum())
    image = open_dataset(f"voc:{place / 'squares'}@val").load(0).image
    with torch.inference_mode():
        x = network.network.preprocess(torch.from_numpy(image.copy())[None])
        chances = network.network(x).softmax(1)[0].numpy()
    shares = np.maximum(pixels, pixels[pixels > 0].min()) / pixels.sum()
    expected = np.empty(image.shape[:2], np.uint8)
    for y, x in np.ndindex(expected.shape):
        adjusted = [np.log(chances[label, y, x]) - 0.5 * np.log(shares[label]) for label in range(4)]
        expected[y, x] = int(np.argmax(adjusted))
    found = predicted_mask(network, image, NetworkTest((1.0,), mirror=False, prior=0.5))
    assert (found == expected).mean() > 0.999
    assert (found != predicted_mask(network, image, NetworkTest((1.0,), mirror=False))).any()
    # Then PAMR refines the probability of every label, adjusted as they are; those of no training are too even for it.
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 4, *image.shape[:2])).astype(np.float32))
    monkeypatch.setattr(SegmentationNetwork, "forward", lambda self, x: scores)
    adjusted = scores.softmax(dim=1)[0].numpy() / shares[:, None, None] ** 0.5
    refined = pamr(image, (adjusted / adjusted.sum(axis=0)).astype(np.float32)).argmax(axis=0)
    by_pamr = predicted_mask(network, image, NetworkTest((1.0,), mirror=False, prior=0.5, finish="pamr"))
    assert (by_pamr == refined).mean() > 0.999
    assert (by_pamr != predicted_mask(network, image, NetworkTest((1.0,), mirror=False, prior=0.5))).any()
    monkeypatch.undo()
    # Scores and written masks take it, too; a network of before shares were kept cannot.
    masks, test = tmp_path / "masks", ("--scales", 1, "--no-mirror", "--prior", 0.5)
    assert segment("predict", place, out, *test, "--out", masks, split="val") == 0
    np.testing.assert_array_equal(
        MaskSet(masks, train.classes).mask(open_dataset(f"voc:{place / 'squares'}@val").ids[0]), found
    )
    assert segment("eval", place, out, *test[:3], "--prior", 2, split="val") == 2
    assert "from 0 to 1" in capsys.readouterr().err
    record = json.loads((out / "segment.json").read_text())
    (out / "segment.json").write_text(json.dumps(record | {"label_shares": ["many", {}]}))
    assert segment("eval", place, out, *test, split="val") == 2
    assert "train it again" in capsys.readouterr().err
    del record["label_shares"]
    (out / "segment.json").write_text(json.dumps(record))
    assert segment("eval", place, out, *test, split="val") == 2
    assert "train it again" in capsys.readouterr().err


def test_a_training_takes_the_shares_of_the_labels_into_its_loss(place, tmp_path):
    asked = ("--preset", "small", "--weights", "none", "--steps", 1, "--batch-size", 2, "--crop", 64)
    losses = {}
    for name, prior in (("plain", ()), ("none", ("--prior", 0)), ("half", ("--prior", 0.5))):
        assert segment("train", place, *asked, *prior, "--out", tmp_path / name) == 0
        network = load_segmentation(tmp_path / name, torch.device("cpu"))
        losses[name] = network.record["history"][-1]["loss"]
    assert losses["plain"] == losses["none"]
    assert losses["half"] != pytest.approx(losses["plain"], abs=1e-3)


def test_the_early_part_of_a_backbone_stays_as_it_is_where_asked(place, tmp_path):
    kind = network_kind("lite0")
    fresh = kind.build(4).backbone
    kind.weights(fresh, "packaged")
    start = fresh.state_dict()
    asked = ("--preset", "small", "--weights", "packaged", "--steps", 1, "--batch-size", 2, "--crop", 64)
    for name, frozen in (("frozen", ("--frozen",)), ("whole", ())):
        assert segment("train", place, *asked, *frozen, "--out", tmp_path / name) == 0
        found = load_segmentation(tmp_path / name, torch.device("cpu")).network.backbone.state_dict()
        weights = [key for key in start if key.endswith(("weight", "bias"))]
        moved = {key for key in weights if not torch.equal(start[key], found[key])}
        early = {key for key in weights if key.startswith(("conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2"))}
        assert moved == set(weights) - (early if frozen else set())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_early_part_of_a_backbone_ends_at_a_stride_of_eight(name):
    kind = network_kind(name)
    backbone = kind.build(3).backbone
    sizes = []
    kind.early(backbone)[-1].register_forward_hook(lambda module, inputs, found: sizes.append(found.shape[-1]))
    with torch.inference_mode():
        backbone(torch.zeros(1, 3, 64, 64))
    assert sizes == [8]
    assert sum(one.numel() for part in kind.early(backbone) for one in part.parameters()) > 0


def test_what_cannot_be_trained_is_refused(place, tmp_path, capsys):
    out = tmp_path / "net"
    for arguments, sentence in (
        (("--preset", "small", "--batch-size", 1, "--out", out), "2 pictures or more"),
        (("--preset", "small", "--weights", tmp_path / "no.pth", "--out", out), "no ImageNet weights"),
        (("--preset", "small", "--prior", -1, "--out", out), "from 0 to 1"),
        (("--preset", "small", "--frozen", "--weights", "none", "--out", out), "its early layers know nothing"),
        (("--network", "deeplabv3_resnet50", "--weights", "packaged", "--out", out), "packaged"),
        (("--preset", "small", "--masks", tmp_path, "--out", out), "no folder SegmentationClass"),
    ):
        assert segment("train", place, *arguments) == 2
        assert sentence in capsys.readouterr().err
    assert not (out / "segment.json").exists()
    assert segment("eval", place, tmp_path) == 2
    assert "does not hold a segmentation network" in capsys.readouterr().err
    with pytest.raises(UserError, match="there are lite0"):
        network_kind("unet")
    with pytest.raises(UserError, match="1 step or more"):
        check_recipe(SegmentRecipe("lite0", steps=0))
    with pytest.raises(UserError, match="seed is 0 or more"):
        check_recipe(SegmentRecipe("lite0", seed=-1))


def test_masks_of_other_classes_and_hostile_ids_are_refused(place, tmp_path):
    with pytest.raises(UserError, match="other classes"):
        MaskSet(place / "squares", ClassList(("a", "b", "c"), True))
    found = MaskSet(place / "squares", ClassList(("red", "green", "blue"), True))
    assert found.mask("not there") is None
    for id in ("../secret", "/etc/passwd", ""):
        with pytest.raises(UserError, match="name of a file"):
            found.mask(id)
    assert (split_name("voc:x@train"), split_name("folder:x"), split_name("voc:x@../../y")) == ("train", "all", "y")


@pytest.mark.parametrize("command", ["segment train", "boundaries RUN"])
def test_a_number_of_loader_processes_below_zero_is_refused(command, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([*command.split(), "--data", "scenes@train", "--out", str(tmp_path / "out"), "--workers", "-1"])
    assert "'-1' is no number from 0" in capsys.readouterr().err


def test_an_edited_ground_truth_is_another_training(tmp_path, capsys):
    root, out = tmp_path / "own", tmp_path / "net"
    tiny_voc(root, train_pictures=2, val_pictures=2)
    asked = ["segment", "train", "--preset", "small", "--weights", "none", "--steps", "1", "--batch-size", "2"]
    asked += ["--crop", "64", "--data", f"voc:{root}@train", "--device", "cpu", "--out", str(out)]
    assert main(asked) == 0
    assert main(asked) == 0
    assert "there already" in capsys.readouterr().out
    masks = sorted((root / "SegmentationClass").glob("*.png"))
    train = open_dataset(f"voc:{root}@train")
    mask = next(file for file in masks if file.stem == train.ids[0])
    edited = train.mask(0).copy()
    edited[:4, :4] = 255
    Image.fromarray(edited).save(mask)
    assert main(asked) == 2
    assert "a segmentation network already" in capsys.readouterr().err


def test_the_time_of_a_training_is_that_of_a_step_counted_up(monkeypatch):
    steps = []

    def timed(step, device):
        step()
        steps.append(step)
        return 2.0

    monkeypatch.setattr("recam_core.segment.training.timed", timed)
    recipe = SegmentRecipe("lite0_slim", crop=64, steps=3, batch_size=4, accumulated=2)
    for frozen in (False, True):
        # Two pictures are timed; the training sees 3 x 4 x 2.
        assert training_seconds(replace(recipe, frozen=frozen), 3, torch.device("cpu")) == 24.0
    assert len(steps) == 2
    with pytest.raises(UserError):
        training_seconds(replace(recipe, network="bogus"), 3, torch.device("cpu"))
