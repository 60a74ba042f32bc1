"""Attributions on networks small enough to work out by hand, and what all methods have in common."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recam_core.attribution.maps import attribution_key, attribution_maps, cost, raw_attributions
from recam_core.attribution.network_copy import MaxByReLU
from recam_core.attribution.subject import AttributionSettings, PooledHead, Subject
from recam_core.attribution.table import METHODS
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.inference import activation_maps
from recam_core.method.extraction import map_weights
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled

#: So that the slow ones take a few passes.
FEW = AttributionSettings(steps=4, samples=3, window=0.5)


class Hand:
    """A network with features and weights that a person can multiply out."""

    def __init__(self, lower: nn.Module, weight: Tensor) -> None:
        self.lower, self.weight = lower.eval(), weight

    def subject(self) -> Subject:
        upper = PooledHead(self.weight)

        def preprocess(image: np.ndarray) -> Tensor:
            return torch.as_tensor(np.array(image)).permute(2, 0, 1)[None].float() / 255

        whole = nn.Sequential(self.lower, upper)
        return Subject(whole, self.lower, upper, upper.features, self.weight, preprocess, len(self.weight))


class Bent(nn.Module):
    """A ReLU that is used twice, one whose input goes elsewhere too, a skip connection, a ReLU6, some in place."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        self.relu, self.free, self.last = nn.ReLU(inplace=True), nn.ReLU(), nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.second(x) + x
        return self.last(self.relu(self.free(x) - 0.3 * x) - 2)


WEIGHT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0], [-1.0, -1.0, -1.0]])


@pytest.fixture(scope="module")
def plain() -> Hand:
    """The features are the picture itself: z_k = w_k . mean(x)."""
    return Hand(nn.Identity(), WEIGHT)


@pytest.fixture(scope="module")
def bent() -> Hand:
    return Hand(Bent(), torch.randn(3, 6, generator=torch.Generator().manual_seed(4)))


@pytest.fixture(scope="module")
def network() -> CamNetwork:
    """A small real backbone with random weights, with FC2."""
    torch.manual_seed(0)
    return CamNetwork("resnet10t", 4, with_fc2=True).eval()


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (70, 93, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def small() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def pixels(image: np.ndarray) -> np.ndarray:
    """3 x H x W in 0..1."""
    return image.transpose(2, 0, 1).astype(np.float64) / 255


def weighed(weight: Tensor, planes: np.ndarray) -> np.ndarray:
    return np.einsum("kc,chw->khw", weight.double().numpy(), planes)


# By hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "weight"), [("cam", WEIGHT), ("grad_cam", WEIGHT), ("layer_cam", WEIGHT.clamp(min=0))]
)
def test_layer_methods_weigh_the_features(plain: Hand, small: np.ndarray, method: str, weight: Tensor) -> None:
    found = raw_attributions(plain, small, [0, 1, 2], method)
    np.testing.assert_allclose(found, weighed(weight, pixels(small)), atol=1e-5)


def test_finer_cam_is_the_difference(plain: Hand, small: np.ndarray) -> None:
    found = raw_attributions(plain, small, [1], "finer_cam", against=0)
    np.testing.assert_allclose(found, weighed(WEIGHT[1:2] - WEIGHT[:1], pixels(small)), atol=1e-5)
    half = raw_attributions(plain, small, [1], "finer_cam", against=0, settings=AttributionSettings(gamma=0.5))
    np.testing.assert_allclose(half, weighed(WEIGHT[1:2] - WEIGHT[:1] / 2, pixels(small)), atol=1e-5)


def test_finer_cam_without_another_class_takes_those_with_the_nearest_logits(plain: Hand, small: np.ndarray) -> None:
    both = raw_attributions(plain, small, [0], "finer_cam")  # the two that are left
    mean = (WEIGHT[1:2] + WEIGHT[2:]) / 2
    np.testing.assert_allclose(both, weighed(WEIGHT[:1] - mean, pixels(small)), atol=1e-5)


def test_every_method_can_ask_why_one_class_and_not_another(plain: Hand, small: np.ndarray) -> None:
    for method in ("grad_cam", "integrated_gradients", "occlusion", "deep_lift"):
        one, other = raw_attributions(plain, small, [0, 1], method, settings=FEW)
        found = raw_attributions(plain, small, [0], method, against={0: 1}, settings=FEW)
        np.testing.assert_allclose(found[0], one - other, atol=1e-5)


@pytest.mark.parametrize("method", ["integrated_gradients", "deep_lift"])
def test_of_a_linear_network_each_pixel_adds_its_share(plain: Hand, small: np.ndarray, method: str) -> None:
    found = raw_attributions(plain, small, [0, 2], method, settings=FEW)
    np.testing.assert_allclose(found, weighed(WEIGHT[[0, 2]], pixels(small)) / (12 * 16), atol=1e-6)


def test_the_gradient_of_a_linear_network_is_its_largest_weight(plain: Hand, small: np.ndarray) -> None:
    found = raw_attributions(plain, small, [0, 1], "saliency", settings=FEW)
    np.testing.assert_allclose(found, np.array([2, 3]).reshape(2, 1, 1) / (12 * 16) * np.ones((2, 12, 16)), rtol=1e-5)


def test_occlusion_is_the_mean_loss_of_the_windows_over_a_pixel(plain: Hand, small: np.ndarray) -> None:
    # A window of 8 that moves by 4, over 12 x 16 pixels.
    found = raw_attributions(plain, small, [0], "occlusion", settings=FEW)[0]
    planes = weighed(WEIGHT[:1], pixels(small))[0] / (12 * 16)
    total, count = np.zeros((12, 16)), np.zeros((12, 16))
    for top in (0, 4):
        for left in (0, 4, 8):
            window = slice(top, top + 8), slice(left, left + 8)
            total[window] += planes[window].sum()
            count[window] += 1
    np.testing.assert_allclose(found, total / count, atol=1e-5)


def test_maps_pass_a_relu_and_are_divided_by_their_maximum(plain: Hand, small: np.ndarray) -> None:
    found = attribution_maps(plain, small, [2, 0], "cam", settings=AttributionSettings(scales=(1.0,), mirror=False))
    assert found.classes.tolist() == [0, 2]
    assert found.activations.dtype == np.uint8
    assert found.activations[0].max() == 255
    # Class 2 has negative weights only: nothing speaks for it.
    assert not found.activations[1].any()


# Completeness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "tolerance"), [("integrated_gradients", 0.01), ("deep_lift", 1e-4)])
def test_attributions_add_up_to_the_difference_of_the_logits(
    bent: Hand, small: np.ndarray, method: str, tolerance: float
) -> None:
    found = raw_attributions(bent, small, [0, 1, 2], method, settings=AttributionSettings(steps=300))
    subject = bent.subject()
    with torch.no_grad():
        x = subject.preprocess(small)
        expected = (subject.logits(x) - subject.logits(torch.zeros_like(x)))[0].numpy()
    assert np.abs(expected).min() > 0.1
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "resnet50"])
def test_deep_lift_adds_up_on_the_backbones_of_this_project(image: np.ndarray, backbone: str) -> None:
    """ReLU6, ReLUs that are used three times, pooling windows that overlap: what captum alone gets wrong."""
    torch.manual_seed(0)
    network = CamNetwork(backbone, 3).eval()
    found = raw_attributions(network, image, [0, 1], "deep_lift")
    with torch.no_grad():
        x = network.preprocess(image)
        expected = (network(x)[1] - network(torch.zeros_like(x))[1])[0, :2].numpy()
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d((3, 2), 1, dilation=2),
    ],
)
def test_max_pooling_by_relus_is_max_pooling(pool: nn.MaxPool2d) -> None:
    for height, width in ((12, 15), (13, 17)):
        x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(MaxByReLU(pool)(x), pool(x))


def test_deep_lift_is_refused_where_its_parts_are_not_the_whole(small: np.ndarray) -> None:
    class Smooth(Bent):
        def forward(self, x: Tensor) -> Tensor:
            return F.silu(self.second(F.silu(self.first(x))))  # captum has no rule for it, and says nothing

    with pytest.raises(UserError, match=r"DeepLIFT does not hold for this network: its attributions add up to"):
        raw_attributions(Hand(Smooth(), torch.ones(2, 6)), small, [0], "deep_lift")


def test_guided_grad_cam_is_refused_where_it_would_pass_over_activations(small: np.ndarray) -> None:
    class Functional(Bent):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.second(self.relu(self.first(x))))

    class Smooth(Bent):
        def forward(self, x: Tensor) -> Tensor:
            return F.gelu(self.second(self.first(x)))

    with pytest.raises(UserError, match="no module"):
        raw_attributions(Hand(Functional(), torch.ones(2, 6)), small, [0], "guided_grad_cam")
    with pytest.raises(UserError, match="gelu"):
        raw_attributions(Hand(Smooth(), torch.ones(2, 6)), small, [0], "guided_grad_cam")


def test_a_copy_that_computes_something_else_is_refused(small: np.ndarray) -> None:
    class Overwriting(Bent):
        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            return self.relu(x) + x  # what it adds was overwritten in place, which a copy does not do

    for method in ("deep_lift", "guided_grad_cam"):
        with pytest.raises(UserError, match="in place"):
            raw_attributions(Hand(Overwriting(), torch.ones(2, 6)), small, [0], method)


def test_guided_gradients_pass_each_relu_in_both_directions(small: np.ndarray) -> None:
    """Against autograd with the rule written out, for the ReLU6 that captum's own hooks pass over."""

    class Guided(torch.autograd.Function):
        @staticmethod
        def forward(context, x: Tensor) -> Tensor:
            context.save_for_backward(x)
            return x.clamp(0, 6)

        @staticmethod
        def backward(context, gradient: Tensor) -> Tensor:
            (x,) = context.saved_tensors
            return gradient.clamp(min=0) * (x > 0) * (x < 6)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.relu = Bent().first, nn.ReLU6(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.relu(self.conv(x))

    weight = torch.rand(2, 6, generator=torch.Generator().manual_seed(5)) - 0.3
    net = Hand(Net(), weight)
    found = raw_attributions(net, small, [0, 1], "guided_grad_cam")
    x = net.subject().preprocess(small)
    for k in range(2):
        leaf = x.clone().requires_grad_()
        features = Guided.apply(net.lower.conv(leaf))
        (features.mean(dim=(2, 3)) @ weight[k]).sum().backward()
        cam = F.relu((weight[k][:, None, None] * features[0]).sum(dim=0)) / (12 * 16)
        expected = (cam * leaf.grad[0]).abs().amax(dim=0).detach().numpy()
        assert expected.max() > 0
        np.testing.assert_allclose(found[k], expected, atol=1e-5 * expected.max())


# On networks of this project --------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["fc1", "fc2", "product"])
def test_cam_is_what_maps_are_made_with(network: CamNetwork, image: np.ndarray, head: str) -> None:
    weights = map_weights(head, network.fc1.detach(), network.fc2.detach())
    expected = activation_maps(network, image, weights, [0, 2])
    found = attribution_maps(network, image, [2, 0], "cam", head=head)
    assert np.abs(found.activations.astype(int) - expected.activations).max() <= 1


@pytest.mark.parametrize("head", ["fc1", "fc2"])
def test_grad_cam_is_cam(network: CamNetwork, image: np.ndarray, head: str) -> None:
    cam = raw_attributions(network, image, [0, 1, 3], "cam", head=head)
    grad_cam = raw_attributions(network, image, [0, 1, 3], "grad_cam", head=head)
    assert np.abs(cam).max() > 0
    np.testing.assert_allclose(grad_cam, cam, atol=1e-4 * np.abs(cam).max())
    # Over several scales, too: views weigh alike.
    one, other = (attribution_maps(network, image, [0, 3], method, head=head) for method in ("cam", "grad_cam"))
    assert np.abs(one.activations.astype(int) - other.activations).max() <= 1


@pytest.fixture
def traces(network: CamNetwork) -> dict:
    return _traces(network)


def _traces(network: CamNetwork) -> dict:
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "hooks": sum(len(getattr(module, kind)) for module in network.modules() for kind in hooks),
        "modules": [(name, type(module)) for name, module in network.named_modules()],
        "inplace": [module.inplace for module in network.modules() if hasattr(module, "inplace")],
        "wants": [parameter.requires_grad for parameter in network.parameters()],
        "gradients": [parameter.grad for parameter in network.parameters()],
        "training": network.training,
        "weights": {key: value.clone() for key, value in network.state_dict().items()},
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_method_makes_maps_and_leaves_the_network_as_it_was(
    network: CamNetwork, image: np.ndarray, method: str, traces: dict
) -> None:
    calls: list[tuple[int, int]] = []
    settings = replace(FEW, scales=(1.0,), mirror=False)
    arguments = {"settings": settings, "against": 2 if METHODS[method].needs_other else None}

    def made() -> ActivationMaps:
        return attribution_maps(
            network, image, [0, 1], method, progress=lambda done, total, note: calls.append((done, total)), **arguments
        )

    with torch.inference_mode():  # as the app may have it around
        found = made()
    dones = [done for done, _ in calls]
    assert dones == sorted(dones)
    assert calls[-1] == (cost(method, 2, image.shape[:2], settings, network).forward,) * 2
    np.testing.assert_array_equal(found.activations, made().activations)
    assert found.activations.shape == (2, 18, 24)
    assert set(found.activations.max(axis=(1, 2)).tolist()) <= {0, 255}
    with pytest.raises(Cancelled):
        attribution_maps(network, image, [0, 1], method, cancelled=lambda: True, **arguments)
    now = _traces(network)
    weights, before = now.pop("weights"), traces.pop("weights")
    assert now == traces
    assert all(torch.equal(weights[key], before[key]) for key in before)


def test_work_stops_between_passes(network: CamNetwork, image: np.ndarray) -> None:
    passes: list[int] = []
    with pytest.raises(Cancelled):
        attribution_maps(
            network,
            image,
            [0],
            "occlusion",
            settings=AttributionSettings(window=0.3),
            progress=lambda done, total, note: passes.append(done),
            cancelled=lambda: len(passes) == 2,
        )
    assert len(passes) == 2


def test_noise_comes_from_the_seed_alone(network: CamNetwork, image: np.ndarray) -> None:
    from captum.attr import NoiseTunnel, Saliency

    settings = AttributionSettings(samples=3, seed=5)
    torch.manual_seed(1)
    found = raw_attributions(network, image, [1], "saliency", settings=settings)
    torch.manual_seed(2)
    np.testing.assert_array_equal(raw_attributions(network, image, [1], "saliency", settings=settings), found)
    other = raw_attributions(network, image, [1], "saliency", settings=AttributionSettings(samples=3, seed=6))
    assert np.abs(other - found).max() > 0.01 * found.max()
    # Captum's noise tunnel, when it is given the same draws.
    x = network.preprocess(image)
    torch.manual_seed(5)
    tunnel = NoiseTunnel(Saliency(lambda x: network(x)[1]))
    spread = float(x.max() - x.min()) * settings.noise
    expected = tunnel.attribute(x, nt_type="smoothgrad", nt_samples=3, stdevs=spread, target=1, abs=False)
    expected = expected.abs().amax(dim=1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_what_cannot_be_asked_is_refused(network: CamNetwork, image: np.ndarray) -> None:
    for arguments, message in (
        ({"classes": [0], "method": "lime"}, "no attribution method 'lime'"),
        ({"classes": [4], "method": "cam"}, "no class 4"),
        ({"classes": [-1], "method": "cam"}, "no class -1"),
        ({"classes": [0], "method": "cam", "against": 0}, "cannot be held against class 0"),
        ({"classes": [0], "method": "cam", "against": 9}, "cannot be held against class 9"),
        ({"classes": [0], "method": "cam", "head": "fc3"}, "no extraction rule 'fc3'"),
        ({"classes": [0], "method": "cam", "head": "softmax"}, "background row"),
    ):
        with pytest.raises(UserError, match=message):
            attribution_maps(network, image, **arguments)
    for setting in ({"steps": 1}, {"noise": float("nan")}, {"window": 2}, {"scales": ()}, {"gamma": -1}):
        with pytest.raises(UserError):
            AttributionSettings(**setting)
    assert not len(attribution_maps(network, image, [], "cam").classes)


def test_keys_tell_apart_what_makes_other_maps() -> None:
    settings = AttributionSettings()
    base = ("w", "p", "cam", "fc1", (0, 1), None, settings)
    others = [
        ("v", *base[1:]),
        ("w", "q", *base[2:]),
        ("w", "p", "grad_cam", *base[3:]),
        ("w", "p", "cam", "fc2", *base[4:]),
        ("w", "p", "cam", "fc1", (0,), None, settings),
        ("w", "p", "cam", "fc1", (0, 1), 2, settings),
        ("w", "p", "cam", "fc1", (0, 1), {0: 2}, settings),
        ("w", "p", "cam", "fc1", (0, 1), None, AttributionSettings(seed=1)),
    ]
    assert len({attribution_key(*one) for one in (base, *others)}) == len(others) + 1
    assert attribution_key(*base) == attribution_key("w", "p", "cam", "fc1", [1, 0, np.int64(1)])


def test_a_pass_is_counted_as_a_pass(bent: Hand, small: np.ndarray) -> None:
    """The cost that is told beforehand against the passes that really happen."""
    passes: list[int] = []
    handle = bent.lower.register_forward_hook(lambda module, inputs, output: passes.append(len(output)))
    try:
        for method in ("cam", "grad_cam", "layer_cam", "finer_cam", "integrated_gradients", "saliency", "occlusion"):
            raw_attributions(bent, small, [0, 1], method, settings=FEW)  # one view at scale 1
            passes.clear()
            raw_attributions(bent, small, [0, 1], method, against=2, settings=FEW)
            settings = AttributionSettings((1.0,), False, FEW.steps, FEW.samples, window=FEW.window)
            extra = int(METHODS[method].on_pixels)  # one more to see how many fit into memory
            assert sum(passes) - extra == cost(method, 2, small.shape[:2], settings).forward, method
    finally:
        handle.remove()


# What ships -------------------------------------------------------------------------------------------------------


def test_shipped_networks_can_be_asked_by_every_method(repo_root: Path) -> None:
    run = load_run(repo_root / "assets" / "checkpoints" / "photos" / "recam", torch.device("cpu"))
    picture = open_dataset("gallery").load(0).image[100:260, 150:330]
    settings = replace(FEW, scales=(1.0,), mirror=False)
    made = {
        method: attribution_maps(run.network, picture, [0], method, head="fc2", settings=settings).activations[0]
        for method in METHODS
    }
    # A pagoda, for the class of buildings: all find something, and no two pixel methods the same.
    assert all(found.max() == 255 for found in made.values())
    assert np.abs(made["cam"].astype(int) - made["grad_cam"]).max() <= 1
    pixel = [made[method] for method in METHODS if METHODS[method].on_pixels]
    assert all((one != other).any() for n, one in enumerate(pixel) for other in pixel[:n])
