"""Import of the published implementation's files: the same features come out, and bad files are refused unread."""

import functools
import os
import pickle
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet50

from recam_core.checkpoint.published import COCO_CLASSES, Published, fit_classes, from_state, named_rows
from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.errors import UserError
from recam_core.model.state_file import read_state

STAGES = {"conv1": "stage1.0", "bn1": "stage1.1", "layer1": "stage1.4"} | {
    f"layer{n}": f"stage{n}.0" for n in (2, 3, 4)
}


def read_published(cam: Path, fc2: Path | None = None) -> Published:
    return from_state(read_state(cam), str(cam), fc2)


def published_state(network_state, classifier):
    """The keys as the published network's state dict has them: each tensor under several names."""
    state = {}
    for name, value in network_state.items():
        first, rest = name.split(".", 1)
        if first == "fc":
            continue
        stage = STAGES[first]
        state[f"resnet50.{name}"] = value
        state[f"{stage}.{rest}"] = value
        state[f"backbone.{int(stage[5]) - 1}{stage[6:]}.{rest}"] = value
    state["classifier.weight"] = classifier
    state["newly_added.0.weight"] = classifier
    return state


@functools.cache
def hollow_state(classes=20):
    """A state of the right names and shapes that is tiny on disk: every tensor is one number, repeated."""
    with torch.device("meta"):
        shapes = resnet50(weights=None).state_dict()
    state = {
        name: torch.full((), 0.5 if value.is_floating_point() else 3).to(value.dtype).expand(value.shape)
        for name, value in shapes.items()
    }
    return published_state(state, torch.full((), 0.1).expand(classes, 2048, 1, 1))


@pytest.fixture(scope="module")
def original():
    """A ResNet-50 of the published strides with random weights and random batch-norm statistics."""
    torch.manual_seed(0)
    network = resnet50(weights=None)
    network.layer4[0].conv2.stride = network.layer4[0].downsample[0].stride = (1, 1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


@torch.no_grad()
def features_of(network, x):
    x = network.maxpool(network.relu(network.bn1(network.conv1(x))))
    return network.layer4(network.layer3(network.layer2(network.layer1(x))))


@pytest.mark.parametrize("wrapping", ["plain", "module. prefix in a state_dict, no counters"])
def test_features_and_classifiers_are_the_originals(original, tmp_path, wrapping, capsys):
    fc1, fc2 = torch.randn(20, 2048, 1, 1), torch.randn(20, 2048, 1, 1)
    state = published_state(original.state_dict(), fc1)
    predictor = {"classifier.weight": fc2}
    if wrapping != "plain":
        kept = {f"module.{name}": value for name, value in state.items() if "num_batches" not in name}
        state = {"state_dict": kept, "epoch": 5}
        predictor = {f"module.{name}": value for name, value in predictor.items()}
    torch.save(state, tmp_path / "cam.pth")
    torch.save(predictor, tmp_path / "predictor.pth")
    arguments = ["checkpoint", "import", str(tmp_path / "cam.pth"), "--fc2", str(tmp_path / "predictor.pth")]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    assert "aeroplane" in capsys.readouterr().out
    run = load_run(tmp_path / "run")
    assert run.info.method == "recam"
    assert run.info.rule == "product"
    assert torch.equal(run.network.fc1, fc1.flatten(1))
    assert torch.equal(run.network.fc2, fc2.flatten(1))
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        ours = run.network.features(x)
    theirs = features_of(original, x)
    assert ours.shape == (1, 2048, 4, 6)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))
    (tmp_path / "run" / "model.safetensors").unlink()


def test_without_a_predictor_it_is_a_bce_run(tmp_path, capsys):
    torch.save(hollow_state(), tmp_path / "cam.pth")
    assert main(["checkpoint", "import", str(tmp_path / "cam.pth"), "--out", str(tmp_path / "run"), "--half"]) == 0
    capsys.readouterr()
    assert main(["checkpoint", "info", str(tmp_path / "run"), "--json", str(tmp_path / "info.json")]) == 0
    shown = capsys.readouterr().out
    assert "bce, maps by the rule fc1" in shown
    assert "20, with a background class: aeroplane, bicycle" in shown
    assert (tmp_path / "info.json").is_file()
    assert main(["checkpoint", "import", str(tmp_path / "cam.pth"), "--out", str(tmp_path / "run")]) == 2
    assert "exists already" in capsys.readouterr().err


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (str(self.target),))


@pytest.mark.parametrize("form", ["torch", "old torch", "plain pickle", "hidden among the weights"])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, form):
    path, target = tmp_path / "cam.pth", tmp_path / "payload_ran"
    payload = Payload(target)
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(payload))
    else:
        content = {**hollow_state(), "extra": payload} if form.startswith("hidden") else payload
        torch.save(content, path, _use_new_zipfile_serialization=form != "old torch")
    with pytest.raises(UserError, match="was refused, and nothing in it was run"):
        read_published(path)
    torch.save(hollow_state(), tmp_path / "good.pth")
    with pytest.raises(UserError, match="was refused, and nothing in it was run"):
        read_published(tmp_path / "good.pth", path)
    assert not target.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("part", [0.001, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, part, zipped):
    path = tmp_path / "cam.pth"
    torch.save(hollow_state(), path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UserError, match=r"truncated or of another kind|was refused"):
        read_published(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint", b"PK\x03\x04 a zip, nearly", b"\x89PNG\r\n\x1a\n", b"\x80"]
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "cam.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"cam\.pth"):
        read_published(path)
    with pytest.raises(UserError, match="this file is missing"):
        read_published(tmp_path / "nowhere.pth")
    with pytest.raises(UserError, match="not a file"):
        read_published(tmp_path)


def without(name):
    return lambda state: {key: value for key, value in state.items() if name not in key}


def replaced(name, value):
    return lambda state: {key: value(old) if name in key else old for key, old in state.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: [1, 2], "holds no state dict"),
        (lambda state: {}, "holds no state dict"),
        (lambda state: {**state, "epoch": [3]}, "'epoch' is no tensor but list"),
        (without("classifier"), "has no 'classifier.weight'"),
        (without("layer3.2.conv1"), "contradicts itself|has no 'layer3.2.conv1.weight'"),
        (lambda state: {k: v for k, v in state.items() if k.startswith("class")}, "has no 'conv1.weight'"),
        (lambda state: {**state, "resnet50.layer3.6.conv1.weight": torch.zeros(1)}, "has 'resnet50.layer3.6.conv1"),
        (lambda state: {**state, "edge1.0.weight": torch.zeros(1)}, "has 'edge1.0.weight' besides"),
        (lambda state: {**state, "stage1.0.weight": torch.zeros(64, 3, 7, 7)}, "contradicts itself"),
        (replaced("conv1.weight", lambda old: old[:, :1]), "has shape .* instead of"),
        (replaced("classifier", lambda old: old[:, :512]), "20x512x1x1 instead of classes x 2048"),
        (replaced("newly_added", lambda old: old + 1), "contradicts itself"),
        (replaced("bn1.running_var", lambda old: old * float("nan")), "not finite"),
        (replaced("classifier", lambda old: old / 0), "not finite"),
    ],
)
def test_another_architecture_is_named(tmp_path, change, message):
    path = tmp_path / "cam.pth"
    state = hollow_state()
    if "layer3.2.conv1" in message:
        state = {key: value for key, value in state.items() if key.startswith(("resnet50", "classifier"))}
    torch.save(change(state), path)
    with pytest.raises(UserError, match=message):
        read_published(path)


def test_a_predictor_of_another_training_is_refused(tmp_path):
    torch.save(hollow_state(), tmp_path / "cam.pth")
    for weight, message in (
        (torch.zeros(80, 2048, 1, 1), "has 80 classes, but"),
        (torch.zeros(20, 100, 1, 1), "is not an FC2 predictor"),
    ):
        torch.save({"classifier.weight": weight}, tmp_path / "fc2.pth")
        with pytest.raises(UserError, match=message):
            read_published(tmp_path / "cam.pth", tmp_path / "fc2.pth")


def test_class_names_fit_the_checkpoint(tmp_path):
    assert len(COCO_CLASSES) == len(set(COCO_CLASSES)) == 80
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    (tmp_path / "with.txt").write_text("background\ncat\ndog\n")
    names, explicit = named_rows(str(tmp_path / "names.txt")), named_rows(str(tmp_path / "with.txt"))

    def fitted(chosen, rows, has_background=None):
        found = fit_classes(chosen, rows, has_background, "'fc.weight'")
        return found.classes.names, found.classes.has_background, found.background_row

    assert fitted(None, 20)[0][0] == "aeroplane"
    assert fitted(None, 80)[0][79] == "toothbrush"
    assert fitted(None, 21) == (named_rows("voc"), True, 0)
    assert fitted(names, 2) == (("cat", "dog"), True, None)
    assert fitted(names, 2, False) == (("cat", "dog"), False, None)
    assert fitted(explicit, 2) == (("cat", "dog"), True, None)
    assert fitted(explicit, 3) == (("cat", "dog"), True, 0)
    assert fitted(named_rows("cat, dog,\nBackground"), 3) == (("cat", "dog"), True, 2)
    for chosen, rows, has_background, message in (
        (None, 7, None, "say what its classes are called"),
        (named_rows("voc"), 80, None, "has 80 rows, but 20 classes are named"),
        (names, 3, None, "one more than there are class names.*first, or last"),
        (names, 4, None, "4 rows, but 2 classes are named"),
        (explicit, 4, None, "4 rows, but 2 classes and a background are named"),
        (explicit, 3, False, "so there is one"),
    ):
        with pytest.raises(UserError, match=message):
            fitted(chosen, rows, has_background)
    for text, message in (
        (str(tmp_path / "other.txt"), "there is no file"),
        ("cat,cat", "more than once"),
        ("background,cat,Background", "more than once"),
        (" , \n", "no class is named"),
        (",".join(f"c{n}" for n in range(255)), "at most 254"),
    ):
        with pytest.raises(UserError, match=message):
            named_rows(text)
