"""Multi-scale, mirrored inference against the equations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recam_core.errors import UserError
from recam_core.maps.inference import (
    activation_maps,
    class_probabilities,
    maps_from_features,
    picture_features,
    predicted_classes,
)
from recam_core.model.network import CamNetwork

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = CamNetwork("timm:resnet10t", 4).eval()
    # Features are not negative; weights that are neither leave no map empty.
    network.fc1.data.abs_()
    return network


def test_one_scale_without_mirror_is_equation_2(network):
    maps = activation_maps(network, IMAGE, network.fc1, [1, 3], scales=(1.0,), mirror=False, id="x")
    with torch.no_grad():
        features = network.features(network.preprocess(IMAGE))
        raw = F.relu(torch.einsum("kc,chw->khw", network.fc1[[1, 3]], features[0]))
        raw = F.interpolate(raw[None], size=(18, 23), mode="bilinear")[0]
        expected = raw / raw.amax(dim=(1, 2), keepdim=True)
    assert maps.size == (70, 90)
    assert maps.classes.tolist() == [1, 3]
    assert maps.activations.max(axis=(1, 2)).tolist() == [255, 255]
    assert np.abs(maps.activations / 255 - expected.numpy()).max() < 1 / 500


def test_scales_and_mirror_images_are_summed(network):
    """ReLU, then sum over scales and mirror images, then one division by the maximum."""
    scales = (0.5, 1.0, 2.0)
    maps = activation_maps(network, IMAGE, network.fc1, [0, 2], scales=scales)
    total = torch.zeros(2, 18, 23)
    with torch.no_grad():
        for scale in scales:
            x = network.preprocess(IMAGE)
            if scale != 1:
                size = (round(70 * scale), round(90 * scale))
                x = F.interpolate(x, size=size, mode="bilinear", antialias=scale < 1)
            for flipped in (False, True):
                f = network.features(x.flip(-1) if flipped else x)[0]
                raw = F.relu(torch.einsum("kc,chw->khw", network.fc1[[0, 2]], f))
                raw = raw.flip(-1) if flipped else raw
                total += F.interpolate(raw[None], size=(18, 23), mode="bilinear")[0]
    expected = total / total.amax(dim=(1, 2), keepdim=True)
    assert np.abs(maps.activations / 255 - expected.numpy()).max() < 1 / 250


def test_a_mirrored_picture_has_mirrored_maps(network):
    image = np.ascontiguousarray(IMAGE[:64, :64])
    maps = activation_maps(network, image, network.fc1, [0, 1, 2, 3])
    mirrored = activation_maps(network, np.ascontiguousarray(image[:, ::-1]), network.fc1, [0, 1, 2, 3])
    assert np.abs(maps.activations[:, :, ::-1].astype(int) - mirrored.activations).max() <= 1


def test_many_rules_share_one_pass(network, monkeypatch):
    features = picture_features(network, IMAGE)
    monkeypatch.setattr(network, "features", lambda x: pytest.fail("the backbone ran again"))
    first = maps_from_features(features, network.fc1, [0])
    second = maps_from_features(features, network.fc1.flip(1), [0])
    assert not np.array_equal(first.activations, second.activations)


def test_probabilities_and_predicted_classes(network):
    features = picture_features(network, IMAGE, (1.0,), mirror=False)
    with torch.no_grad():
        _, logits = network(network.preprocess(IMAGE))
    assert class_probabilities(features) == pytest.approx(torch.sigmoid(logits[0]).numpy(), abs=1e-5)
    assert class_probabilities(features, softmax=True).sum() == pytest.approx(1, abs=1e-5)
    low = type(features)(features.size, features.scales, torch.tensor([-5.0, -3.0, -4.0, -6.0]))
    assert predicted_classes(low).tolist() == [1], "at least the likeliest class"
    two = type(features)(features.size, features.scales, torch.tensor([2.0, -3.0, 1.0, -6.0]))
    assert predicted_classes(two).tolist() == [0, 2]
    even = type(features)(features.size, features.scales, torch.tensor([0.0, 1.0, 0.0, -1.0]))
    assert predicted_classes(even).tolist() == [1], "as likely as not is not seen"
    # Of a softmax, what is above half the largest: no class may reach 0.5 where several are there.
    shared = type(features)(features.size, features.scales, torch.tensor([0.4, 0.38, 0.15, 0.07]).log())
    assert predicted_classes(shared, softmax=True).tolist() == [0, 1]


@pytest.mark.parametrize("scales", [(0.5, 1.0, 2.0), (2.0, 1.0), (1.0,)])
def test_classes_are_predicted_at_the_scale_next_to_the_picture_itself(network, scales):
    with torch.no_grad():
        x = network.preprocess(IMAGE)
        expected = (network(x)[1] + network(x.flip(-1))[1])[0] / 2
    found = picture_features(network, IMAGE, scales).logits
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_classes_in_any_order_and_twice_give_the_same_maps(network):
    features = picture_features(network, IMAGE, (1.0,), mirror=False)
    maps, again = (maps_from_features(features, network.fc1, classes) for classes in ([1, 3], [3, 1, 3]))
    assert again.classes.tolist() == [1, 3]
    assert np.array_equal(maps.activations, again.activations)


def test_no_class_gives_empty_maps(network):
    assert activation_maps(network, IMAGE, network.fc1, []).activations.shape == (0, 18, 23)


@pytest.mark.parametrize("scales", [(), (0.0,), (100.0,)])
def test_scales_out_of_range_are_refused(network, scales):
    with pytest.raises(UserError, match="Scales"):
        picture_features(network, IMAGE, scales)
