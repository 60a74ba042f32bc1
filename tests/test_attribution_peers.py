"""Attributions against what others compute: torchcam and grad-cam on the same network and picture."""

import numpy as np
import pytest
import torch
from torch import nn

from recam_core.attribution.classifier import ForeignClassifier, foreign_classifier
from recam_core.attribution.maps import raw_attributions
from recam_core.attribution.subject import AttributionSettings, Subject, subject_of
from recam_core.model.network import CamNetwork

#: How near the values must be, as a share of the map's maximum.
NEAR = 1e-4


@pytest.fixture(scope="module")
def network() -> CamNetwork:
    torch.manual_seed(0)
    return CamNetwork("resnet10t", 5, with_fc2=True).eval()


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> ForeignClassifier:
    import timm

    torch.manual_seed(1)
    file = tmp_path_factory.mktemp("vit") / "vit.pth"
    torch.save(timm.create_model("vit_tiny_patch16_224", num_classes=4).state_dict(), file)
    return foreign_classifier("timm:vit_tiny_patch16_224", file, ["a", "b", "c", "d"])


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


def ours(network: CamNetwork | ForeignClassifier, image: np.ndarray, k: int, method: str, **more) -> np.ndarray:
    """ReLU of a raw map: what peers call the map before they scale it."""
    found = raw_attributions(network, image, [k], method, **more)[0].clip(0)
    assert found.max() > 0
    return found / found.max()


def most_and_least(subject: Subject, x: torch.Tensor) -> tuple[int, int]:
    """The classes with the largest and the smallest logit: the map of their difference is positive somewhere."""
    with torch.no_grad():
        logits = subject.logits(x)[0]
    return int(logits.argmax()), int(logits.argmin())


def near(found: np.ndarray, expected: np.ndarray) -> None:
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected / expected.max(), atol=NEAR)


@pytest.mark.parametrize("head", ["fc1", "fc2"])
@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "finer_cam"])
def test_torchcam_sees_the_same(network: CamNetwork, image: np.ndarray, method: str, head: str) -> None:
    methods = pytest.importorskip("torchcam.methods")
    subject = subject_of(network, head)
    whole = nn.Sequential(subject.lower, subject.upper)
    settings = AttributionSettings(gamma=0.6)
    x = network.preprocess(image).requires_grad_()
    k, other = most_and_least(subject, x)
    if method == "finer_cam":
        peer = methods.FinerCAM(whole, subject.layer, gamma=0.6)
    else:
        peer = {"grad_cam": methods.GradCAM, "layer_cam": methods.LayerCAM}[method](whole, subject.layer)
    with peer:
        asked = (k, whole(x), other) if method == "finer_cam" else (k, whole(x))
        (expected,) = peer(*asked, normalized=False)
    against = other if method == "finer_cam" else None
    found = ours(network, image, k, method, head=head, against=against, settings=settings)
    near(found, expected[0].detach().clamp(min=0).numpy())


def test_torchcam_takes_the_same_classes_where_none_is_named(network: CamNetwork, image: np.ndarray) -> None:
    methods = pytest.importorskip("torchcam.methods")
    subject = subject_of(network)
    whole = nn.Sequential(subject.lower, subject.upper)
    with methods.FinerCAM(whole, subject.layer, gamma=1.0) as peer:
        x = network.preprocess(image).requires_grad_()
        k, _ = most_and_least(subject, x)
        (expected,) = peer(k, whole(x), normalized=False)
    near(ours(network, image, k, "finer_cam"), expected[0].detach().clamp(min=0).numpy())


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "finer_cam"])
def test_grad_cam_sees_the_same(network: CamNetwork, image: np.ndarray, method: str) -> None:
    pytest.importorskip("pytorch_grad_cam")
    subject = subject_of(network, "fc2")
    whole = nn.Sequential(subject.lower, subject.upper)
    k, other = most_and_least(subject, network.preprocess(image))
    expected = _grad_cam_package(whole, subject.layer, network.preprocess(image), method, k, other)
    found = ours(network, image, k, method, head="fc2", against=other if method == "finer_cam" else None)
    near(found, expected)


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "finer_cam"])
def test_grad_cam_sees_the_same_in_a_transformer(
    transformer: ForeignClassifier, image: np.ndarray, method: str
) -> None:
    """Its hooks on the norm of the last block, its tokens made a grid as its documentation does."""
    pytest.importorskip("pytorch_grad_cam")
    subject = transformer.subject()
    norm = subject.upper.blocks[-1].norm1[0]

    def grid(tokens: torch.Tensor) -> torch.Tensor:
        return tokens[:, 1:].reshape(len(tokens), 14, 14, -1).permute(0, 3, 1, 2)

    x = transformer.preprocess(image).requires_grad_()
    expected = _grad_cam_package(subject.upper, norm, x, method, 1, 2, grid)
    near(ours(transformer, image, 1, method, against=2 if method == "finer_cam" else None), expected)


def _grad_cam_package(
    whole: nn.Module, layer: nn.Module, x: torch.Tensor, method: str, k: int, other: int, grid: object = None
) -> np.ndarray:
    """The ReLU of its map, before it is scaled to the size of the picture."""
    from pytorch_grad_cam import FinerCAM, GradCAM, LayerCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget, FinerWeightedTarget

    base = LayerCAM if method == "layer_cam" else GradCAM
    peer = FinerCAM(whole, [layer], grid) if method == "finer_cam" else base(whole, [layer], grid)
    seen: list[np.ndarray] = []
    cam = peer.base_cam if method == "finer_cam" else peer
    original = cam.get_cam_image
    cam.get_cam_image = lambda *arguments: seen.append(original(*arguments)) or seen[-1]
    with peer:
        target = FinerWeightedTarget(k, [other], 1) if method == "finer_cam" else ClassifierOutputTarget(k)
        peer(x, [target])
    return np.asarray(seen[0][0]).clip(min=0)
