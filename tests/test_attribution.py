"""Attributions on networks small enough to work out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from recam_core.attribution.maps import attribution_maps, raw_attributions
from recam_core.maps.inference import activation_maps
from recam_core.model.network import CamNetwork


@pytest.fixture(scope="module")
def network() -> CamNetwork:
    """A small real backbone with random weights, with FC2."""
    torch.manual_seed(0)
    made = CamNetwork("resnet10t", 4, with_fc2=True)
    for parameter in made.backbone.parameters():
        nn.init.normal_(parameter, std=0.1) if parameter.dim() > 1 else None
    return made.eval()


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (70, 93, 3), dtype=np.uint8)


@pytest.mark.parametrize("head", ["fc1", "fc2", "product"])
def test_cam_is_what_maps_are_made_with(network: CamNetwork, image: np.ndarray, head: str) -> None:
    from recam_core.method.extraction import map_weights

    weights = map_weights(head, network.fc1.detach(), network.fc2.detach())
    expected = activation_maps(network, image, weights, [0, 2])
    found = attribution_maps(network, image, [2, 0], "cam", head=head)
    assert found.classes.tolist() == [0, 2]
    assert np.abs(found.activations.astype(int) - expected.activations).max() <= 1


@pytest.mark.parametrize("head", ["fc1", "fc2"])
def test_grad_cam_is_cam_up_to_a_constant(network: CamNetwork, image: np.ndarray, head: str) -> None:
    cam = raw_attributions(network, image, [0, 1, 3], "cam", head=head)
    grad_cam = raw_attributions(network, image, [0, 1, 3], "grad_cam", head=head)
    cells = cam.shape[1] * cam.shape[2]
    assert np.abs(cam).max() > 0
    np.testing.assert_allclose(grad_cam * cells, cam, atol=1e-5 * np.abs(cam).max())
