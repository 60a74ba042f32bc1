"""Import of networks that were trained elsewhere: what goes in comes out, and what does not fit is refused in words."""

import functools
import io
import json
import os
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18, resnet50, resnet101, vgg11

from data_layouts import folder, halves, write_grey_mask, write_list
from recam_core.checkpoint.foreign import ImportSettings, import_weights, save_imported
from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.errors import UserError
from recam_core.model import state_file
from recam_core.model.backbones import build_backbone, load_imagenet

NAMES = ("cat", "dog", "horse")


@functools.cache
def hollow(build=resnet18):
    """The backbone's weights of the right names and shapes, tiny on disk: every tensor is one number, repeated."""
    with torch.device("meta"):
        shapes = build(weights=None).state_dict()
    return {
        name: torch.full((), 0.5 if value.is_floating_point() else 3).to(value.dtype).expand(value.shape)
        for name, value in shapes.items()
        if not name.startswith(("fc.", "classifier."))
    }


def with_fc(rows=3, channels=512, build=resnet18):
    return hollow(build) | {"fc.weight": torch.randn(rows, channels), "fc.bias": torch.randn(rows)}


def saved(path, state):
    torch.save(state, path)
    return path


def test_a_linear_classifier_on_torchvisions_resnet50(tmp_path, capsys):
    state = with_fc(5, 2048, resnet50)
    saved(tmp_path / "best.pth", {"epoch": 7, "model_state_dict": state, "optimizer": {"lr": 0.1}})
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\ne\n")
    arguments = ["checkpoint", "import", str(tmp_path / "best.pth"), "--classes", str(tmp_path / "classes.txt")]
    assert main([*arguments, "--no-background", "--half", "--out", str(tmp_path / "mine")]) == 0
    shown = capsys.readouterr().out
    assert "The backbone is resnet50, by the names and shapes of its weights." in shown
    assert "fc.bias was left out" in shown
    assert "5, no background class: a, b, c, d, e" in shown
    run = load_run(tmp_path / "mine")
    assert (run.info.method, run.info.rule, run.info.name) == ("bce", "fc1", "mine")
    assert run.info.command
    assert torch.allclose(run.network.fc1, state["fc.weight"], atol=1e-2)
    (tmp_path / "mine" / "model.safetensors").unlink()


def test_the_features_are_the_originals(tmp_path):
    torch.manual_seed(0)
    original = resnet18(weights=None, num_classes=3).eval()
    for module in original.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = saved(tmp_path / "net.pth", original.state_dict())
    imported = import_weights(path, "net", ImportSettings(NAMES, output_stride=32))
    assert imported.network.spec.backbone == "resnet18"
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        _, logits = imported.network(x)
        assert torch.allclose(logits + original.fc.bias, original(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (("background", *NAMES), slice(1, None)),
        ((*NAMES, "Background"), slice(None, -1)),
    ],
)
def test_a_convolution_with_a_background_class(tmp_path, names, kept):
    weight = torch.randn(4, 512, 1, 1)
    state = {f"encoder.{name}": value for name, value in hollow().items()} | {"head.conv.weight": weight}
    imported = import_weights(saved(tmp_path / "cam.pt", state), "cam", ImportSettings(names, method="sce"))
    assert torch.equal(imported.network.fc1, weight.flatten(1)[kept])
    assert imported.info.classes == list(NAMES)
    assert imported.info.has_background
    assert imported.info.method == "sce"
    assert any("is the background's and was left out" in note for note in imported.notes)


WRAPPINGS = {
    "module.": lambda state: {f"module.{key}": value for key, value in state.items()},
    "compiled": lambda state: {"model": {f"_orig_mod.{key}": value for key, value in state.items()}, "epoch": 3},
    "lightning": lambda state: {"state_dict": {f"model.net.{key}": value for key, value in state.items()}},
    "net": lambda state: {"net": {f"module._orig_mod.{key}": value for key, value in state.items()}, "acc": 0.9},
    "inside": lambda state: {
        key if key.startswith("fc") else f"backbone.module.{key}": value for key, value in state.items()
    },
    "sequential": lambda state: {
        (
            key.replace("fc", "classifier")
            if key.startswith("fc")
            else "features." + ".".join([str(SEQUENTIAL[key.split(".")[0]]), *key.split(".")[1:]])
        ): value
        for key, value in state.items()
    },
    "under an own name": lambda state: {"epoch": 3, "best": {"net_state_dict": state}, "lr": 0.1},
    "averaged": lambda state: {
        "state_dict_ema": {f"module.{key}": value for key, value in state.items()} | {"n_averaged": torch.tensor(3)}
    },
    "notes among the weights": lambda state: state | {"epoch": 3, "arch": "resnet18", "criterion.pos_weight": ONES},
    "no counters": lambda state: {key: value for key, value in state.items() if "num_batches" not in key},
    "float64": lambda state: {
        key: value.double() if value.is_floating_point() else value for key, value in state.items()
    },
}
ONES = torch.ones(3)
SEQUENTIAL = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_strange_names_are_understood(tmp_path, wrapping):
    state = with_fc()
    imported = import_weights(saved(tmp_path / "x.pth", WRAPPINGS[wrapping](state)), "x", ImportSettings(NAMES))
    assert imported.network.spec.backbone == "resnet18"
    assert torch.equal(imported.network.fc1, state["fc.weight"])
    assert float(imported.network.backbone.state_dict()["layer4.1.conv2.weight"].mean()) == 0.5


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty; the copy or download broke off"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:46\nsize 46830571\n",
            "git-lfs pointer of a file of 46",
        ),
        (b"../../.git/annex/objects/Xk/3J/MD5E-s12--ab.pth/MD5E-s12--ab.pth", "only a git-annex pointer"),
        (
            b"\n<!DOCTYPE html><html><title>Virus scan\n warning</title>",
            "an HTML page .'Virus scan warning'.: a",
        ),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML file, perhaps a server's error"),
        (b'{"message": "Not Found"}', "a JSON file, perhaps a server's error"),
        (b"404: Not Found", "a text that begins with '404: Not Found'"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file, as Keras writes it"),
        (b"\x1f\x8b\x08" + bytes(40), "packed by gzip; unpack it first"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "a PNG picture"),
    ],
)
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_what_is_no_weights_is_called_by_what_it_is(tmp_path, content, what, ending):
    (tmp_path / f"x.{ending}").write_bytes(content)
    with pytest.raises(UserError, match=what):
        import_weights(tmp_path / f"x.{ending}", "x", ImportSettings(NAMES))


def test_imagenet_weights_come_in_the_same_wrappings(tmp_path):
    with torch.device("meta"):
        backbone = build_backbone("timm:resnet18", 32).module
    for wrapping in ("compiled", "net", "under an own name"):
        path = saved(tmp_path / "x.pth", WRAPPINGS[wrapping](with_fc(1000)))
        backbone.load_state_dict(backbone.to_empty(device="cpu").state_dict())
        assert load_imagenet(backbone, "timm:resnet18", str(path)) == "file x.pth"
        assert (backbone.state_dict()["conv1.weight"] == 0.5).all()
    (tmp_path / "x.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\nsize 1\n")
    with pytest.raises(UserError, match="git-lfs pointer"):
        load_imagenet(backbone, "timm:resnet18", str(tmp_path / "x.pth"))


def test_rows_without_weights_and_a_background_that_was_assumed_are_told(tmp_path):
    state = with_fc()
    state["fc.weight"][1] = 0
    path = saved(tmp_path / "x.pth", state)
    notes = import_weights(path, "x", ImportSettings(NAMES)).notes
    assert "fc.weight: All weights of dog are zero: no picture can have an activation for it." in notes
    assert any("taken to be background" in note and "--no-background" in note for note in notes)
    notes = import_weights(path, "x", ImportSettings(NAMES, has_background=False)).notes
    assert not any("taken to be background" in note for note in notes)


def test_pictures_without_a_background_say_so_of_the_classes(tmp_path):
    root = folder(tmp_path / "set", masks=False)
    for number, name in enumerate("abc"):
        write_grey_mask(root / "masks" / f"{name}.png", halves(1, 2 - number % 2))
    write_list(root / "classes.txt", ["red", "blue"])
    path, spec = saved(tmp_path / "x.pth", with_fc(2)), f"folder:{root}"
    for classes in (None, ("red", "blue"), ("Blue", "red")):
        assert not import_weights(path, "x", ImportSettings(classes, data=spec)).info.has_background
    with pytest.raises(UserError, match="21 rows, which are the 20 classes of VOC or COCO and a background"):
        import_weights(saved(tmp_path / "y.pth", with_fc(21)), "y", ImportSettings(has_background=False))


def test_safetensors_and_streams(tmp_path):
    state = {key: value.clone() for key, value in with_fc().items()}
    save_file(state, tmp_path / "x.safetensors")
    stream = io.BytesIO((tmp_path / "x.safetensors").read_bytes())
    stream.name = "upload.safetensors"
    for source in (tmp_path / "x.safetensors", stream):
        imported = import_weights(source, "x", ImportSettings(NAMES))
        assert torch.equal(imported.network.fc1, state["fc.weight"])
    assert imported.info.recipe["weights"]["file"] == "upload.safetensors"
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="no whole safetensors file"):
        import_weights(tmp_path / "x.safetensors", "x", ImportSettings(NAMES))


def test_another_backbone_is_taken_by_its_name(tmp_path):
    from recam_core.model.network import CamNetwork

    network = CamNetwork("tf_efficientnet_lite0", 3)
    state = {f"backbone.{key}": value for key, value in network.backbone.state_dict().items()}
    state["classifier.weight"] = torch.randn(3, 1280)
    path = saved(tmp_path / "x.pth", state)
    with pytest.raises(UserError, match="fit tf_efficientnet_lite0 and efficientnet_lite0, which differ in what no"):
        import_weights(path, "x", ImportSettings(NAMES))
    imported = import_weights(path, "x", ImportSettings(NAMES, backbone="efficientnet_lite0"))
    assert imported.network.spec.backbone == "efficientnet_lite0"
    with pytest.raises(UserError, match=r"of another architecture than resnet18: expected a weight 'conv1.weight'"):
        import_weights(path, "x", ImportSettings(NAMES, backbone="resnet18"))
    with pytest.raises(UserError, match="timm knows no model 'resnet1000'"):
        import_weights(path, "x", ImportSettings(NAMES, backbone="resnet1000"))


def test_a_larger_network_is_not_taken_for_the_smaller_one_in_it(tmp_path):
    path = saved(tmp_path / "x.pth", with_fc(3, 2048, resnet101))
    with pytest.raises(UserError, match=r"more than a resnet50 and a classifier: layer3.6"):
        import_weights(path, "x", ImportSettings(NAMES, backbone="resnet50"))
    with pytest.raises(UserError, match="3 rows, but 1 classes"):  # found as resnet101, and refused later
        import_weights(path, "x", ImportSettings(NAMES[:1]))


def test_two_classifiers_and_a_second_file(tmp_path):
    state = {f"net.{key}": value for key, value in with_fc(1000).items()} | {
        "classifier.weight": torch.randn(3, 512, 1, 1)
    }
    path = saved(tmp_path / "x.pth", state)
    imported = import_weights(path, "x", ImportSettings(NAMES))
    assert torch.equal(imported.network.fc1, state["classifier.weight"].flatten(1)), "the one with as many rows"
    assert any("Not used: net.fc.bias, net.fc.weight." in note for note in imported.notes)
    with pytest.raises(UserError, match=r"several classifiers: net.fc.weight \(1000x512\), classifier.weight"):
        import_weights(path, "x")
    with pytest.raises(UserError, match="no classifier 'head'"):
        import_weights(path, "x", ImportSettings(NAMES, classifier="head"))
    second = torch.randn(3, 512)
    imported = import_weights(path, "x", ImportSettings(NAMES), saved(tmp_path / "fc2.pth", {"module.w": second}))
    assert (imported.info.method, imported.info.rule) == ("recam", "product")
    assert torch.equal(imported.network.fc2, second)
    with pytest.raises(UserError, match="no second classifier: expected one weight of 3 x 512"):
        import_weights(path, "x", ImportSettings(NAMES), saved(tmp_path / "fc2.pth", {"w": torch.zeros(4, 512)}))


def changed(**values):
    return lambda state: state | {key.replace("__", "."): value for key, value in values.items()}


def poisoned(key, value):
    def change(state):
        tensor = state[key].clone()
        tensor.flatten()[0] = value
        return state | {key: tensor}

    return change


def without(*names):
    return lambda state: {key: value for key, value in state.items() if not key.startswith(names)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (poisoned("layer2.0.conv1.weight", float("nan")), "'layer2.0.conv1.weight' has values that are not finite"),
        (poisoned("fc.weight", float("inf")), "'fc.weight' has values that are not finite"),
        (changed(fc__weight=torch.full((3, 512), 1e300, dtype=torch.float64)), "'fc.weight' has values that are not"),
        (changed(fc__weight=torch.zeros(3, 100)), r"expected one weight of shape classes x 512.*fc.weight \(3x100\)"),
        (changed(fc__weight=torch.zeros(3, 512, 3, 3)), r"classes x 512 x 1 x 1. .*\(3x512x3x3\)"),
        (changed(fc__weight=torch.zeros(3, 512, dtype=torch.int64)), "no classifier on its 512 channels"),
        (without("fc"), "It has nothing besides"),
        (without("layer4.1.bn2.weight"), "not recognised: its weights are called conv1.weight"),
        (changed(conv1__weight=torch.zeros(64, 1, 7, 7)), "not recognised"),
        (changed(neck__weight=torch.zeros(512, 512, 3, 3)), "more than a resnet18 and a classifier: neck.weight"),
        (changed(layer1__0__conv1__weight=torch.zeros(64, 64, 3, 3, dtype=torch.int8)), "floating point numbers"),
        (changed(module__conv1__weight=torch.zeros(1)), "holds 'conv1.weight' twice"),
        (changed(extra=torch.zeros(2, 2).to_sparse()), "'extra' is sparse .sparse_coo.; save it by"),
        (changed(fc__weight=torch.zeros(3, 512, device="meta")), "'fc.weight' has a shape and no numbers"),
        (
            changed(fc__weight=torch.quantize_per_tensor(torch.zeros(3, 512), 0.1, 0, torch.qint8)),
            "'fc.weight' is quantised .qint8., so that its numbers stand for others",
        ),
        (lambda state: {"student": state, "teacher": state}, "several times, as 'student', 'teacher'"),
        (lambda state: [state], "holds no state dict"),
        (lambda state: {"state_dict": {}}, "holds no state dict"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, message):
    path = saved(tmp_path / "x.pth", change(with_fc()))
    with pytest.raises(UserError, match=message):
        import_weights(path, "x", ImportSettings(NAMES))


def test_a_stated_backbone_says_what_was_expected(tmp_path):
    path = saved(tmp_path / "x.pth", without("layer4.1.bn2.weight")(with_fc()))
    with pytest.raises(UserError, match=r"expected 'layer4.1.bn2.weight' of shape 512, but it is not there"):
        import_weights(path, "x", ImportSettings(NAMES, backbone="resnet18"))
    path = saved(tmp_path / "x.pth", changed(layer1__0__conv1__weight=torch.zeros(64, 64, 1, 1))(with_fc()))
    with pytest.raises(UserError, match="of shape 64x64x3x3, but it has 64x64x1x1"):
        import_weights(path, "x", ImportSettings(NAMES, backbone="resnet18"))
    path = saved(tmp_path / "x.pth", hollow(vgg11))
    with pytest.raises(UserError, match="is not recognised"):
        import_weights(path, "x", ImportSettings(NAMES))
    with pytest.raises(UserError, match="bce or sce, not recam"):
        import_weights(path, "x", ImportSettings(NAMES, method="recam"))


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (str(self.target),))


def test_code_bombs_and_huge_files_are_refused(tmp_path, monkeypatch):
    path, target = tmp_path / "x.pth", tmp_path / "ran"
    saved(path, with_fc() | {"extra": Payload(target)})
    with pytest.raises(UserError, match="nothing in it was run"):
        import_weights(path, "x", ImportSettings(NAMES))
    assert not target.exists()
    saved(path, with_fc())
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(tmp_path / "y.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    with pytest.raises(UserError, match="is compressed, which no file of torch is"):
        import_weights(tmp_path / "y.pth", "x", ImportSettings(NAMES))
    # One number that claims to be a terabyte is refused by its shape, before anything is made of it.
    saved(path, with_fc() | {"fc.weight": torch.zeros(()).expand(1 << 30, 512)})
    with pytest.raises(UserError, match="has 1,073,741,824 rows; there can be 254 classes"):
        import_weights(path, "x", ImportSettings(NAMES))
    monkeypatch.setattr(state_file, "LARGEST", 100)
    with pytest.raises(UserError, match=r"larger than 0\.0001 MB"):
        import_weights(path, "x", ImportSettings(NAMES))


def test_pictures_say_the_classes(tmp_path):
    spec = f"folder:{folder(tmp_path / 'set')}"
    path = saved(tmp_path / "x.pth", with_fc(2))
    imported = import_weights(path, "x", ImportSettings(data=spec))
    assert (imported.info.classes, imported.info.has_background) == (["red", "blue"], True)
    assert imported.info.data == spec
    with pytest.raises(UserError, match="shows none of the classes"):
        import_weights(path, "x", ImportSettings(("cat", "dog"), data=spec))
    with pytest.raises(UserError, match="There is no folder"):
        import_weights(path, "x", ImportSettings(("cat", "dog"), data=f"folder:{tmp_path / 'nowhere'}"))


def test_a_run_is_written_whole_or_not_at_all(tmp_path, capsys):
    imported = import_weights(saved(tmp_path / "x.pth", with_fc()), "x", ImportSettings(NAMES))
    save_imported(tmp_path / "runs" / "x", imported, half=True)
    assert json.loads((tmp_path / "runs" / "x" / "run.json").read_text())["classes"] == list(NAMES)
    with pytest.raises(UserError, match="is there already"):
        save_imported(tmp_path / "runs" / "x", imported)
    arguments = ["checkpoint", "import", str(tmp_path / "x.pth"), "--out", str(tmp_path / "runs" / "y")]
    assert main([*arguments, "--classes", "cat,dog"]) == 2
    assert "'fc.weight' of" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["x"]
