"""Region-CAM: its parts by hand, and the whole on a small network."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from recam_core.attribution.maps import attribution_maps, cost, raw_attributions
from recam_core.attribution.region_cam import MOST_CELLS, Stages, propagated, semantic_information, stage_names
from recam_core.attribution.region_cam import _grid as grid_of
from recam_core.attribution.subject import AttributionSettings
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled
from recam_core.scores.thresholds import shown_threshold


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


def test_semantic_information_by_hand() -> None:
    # y = sum over places of a f_0 f_1: its gradients are a f_1 and a f_0, and only positive ones count.
    features = torch.tensor([[[[1.0, -2.0]], [[3.0, 4.0]]]], requires_grad=True)
    deeper = features[:, :1] * features[:, 1:]
    places = torch.tensor([[2.0, -1.0]])
    shallow, deep = semantic_information((deeper[0, 0] * places).sum(), [features, deeper])
    # d/df_0 = (2 * 3, -1 * 4), d/df_1 = (2 * 1, -1 * -2).
    torch.testing.assert_close(shallow, torch.tensor([[6.0 + 2.0, 0.0 + 2.0]]))
    torch.testing.assert_close(deep, torch.tensor([[2.0, 0.0]]))


def test_the_stages_are_those_of_the_backbone_itself(network: CamNetwork, image: np.ndarray) -> None:
    x = network.preprocess(image)
    before = {name: len(module._forward_hooks) for name, module in network.backbone.named_modules()}
    with torch.no_grad():
        outputs, features = Stages(network.backbone)(x)
        torch.testing.assert_close(features, network.backbone(x))
    assert len(outputs) == len(stage_names(network.backbone)) >= 4
    sides = [output.shape[-1] for output in outputs]
    assert sides == sorted(sides, reverse=True)
    assert sides[-1] == features.shape[-1]
    # The last stage of this backbone is its output; hooks must have seen it whole.
    torch.testing.assert_close(outputs[-1], features)
    assert {name: len(module._forward_hooks) for name, module in network.backbone.named_modules()} == before


def test_stages_share_the_weights(network: CamNetwork) -> None:
    stages = Stages(network.backbone)
    ours = {tensor.data_ptr() for tensor in network.backbone.state_dict().values()}
    assert {tensor.data_ptr() for tensor in stages._network.state_dict().values()} == ours


def test_propagation_stays_among_what_is_alike() -> None:
    # Left and right half differ in their features; the map knows one cell of the left half.
    features = torch.tensor([[1.0, 1, -1, -1], [1, 1, -1, -1]])[None].repeat(2, 1, 1)
    maps = torch.zeros(1, 2, 4)
    maps[0, 0, 0] = 1
    found = propagated(maps, features)
    torch.testing.assert_close(found[0, :, :2], torch.full((2, 2), 0.25))
    torch.testing.assert_close(found[0, :, 2:], torch.zeros(2, 2))


def test_sharper_similarities_mix_less() -> None:
    # Three kinds of cells around a mean of zero: the first is 60 degrees from the second.
    angles = torch.deg2rad(torch.tensor([0.0, 60.0, 180.0, 240.0]))
    features = torch.stack([angles.cos(), angles.sin()])[:, None]
    maps = torch.tensor([[[1.0, 0, 0, 0]]])
    # cos 60 = 1/2: the second cell gets (1/2)^p / (1 + (1/2)^p) of the first one's.
    for sharpness in (1, 4):
        share = 0.5**sharpness
        found = propagated(maps, features, sharpness)
        torch.testing.assert_close(found[0, 0], torch.tensor([1, share, 0, 0]) / (1 + share), atol=1e-5, rtol=0)


def test_flat_features_propagate_nothing() -> None:
    maps = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(propagated(maps, torch.ones(5, 3, 4)), maps)


def test_large_pictures_are_compared_on_a_coarser_grid() -> None:
    assert grid_of((30, 40)) == (30, 40)
    height, width = grid_of((300, 400))
    assert height * width <= MOST_CELLS < (height + 1) * (width + 1)
    assert height / width == pytest.approx(300 / 400, rel=0.03)


def test_the_whole_is_what_the_document_says(network: CamNetwork, image: np.ndarray) -> None:
    """Cell by cell, as docs/results.md has it: S_l with the CAM (1 : 2), carried on by strides 16 and 8, power 4."""
    settings = AttributionSettings(scales=(1.0,), mirror=False)
    shown = raw_attributions(network, image, [2], "region_cam", settings=settings)[0]
    outputs = []
    hooks = [
        network.backbone.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output: outputs.append(output)
        )
        for name in stage_names(network.backbone)
    ]
    with torch.enable_grad():
        features = network.backbone(network.preprocess(image).requires_grad_())
        gradients = torch.autograd.grad(features.mean(dim=(2, 3))[0] @ network.fc1[2], outputs)
    for hook in hooks:
        hook.remove()
    height, width = shown.shape
    grid = {"size": (height, width), "mode": "bilinear", "align_corners": False}

    def spread(planes: torch.Tensor) -> np.ndarray:
        return nn.functional.interpolate(planes[None], **grid)[0].detach().double().numpy()

    cam = spread(torch.einsum("c,chw->hw", network.fc1[2], features[0]).relu()[None])[0]
    information = 0
    for gradient in gradients:
        stage = spread(gradient[0].relu().sum(dim=0)[None])[0]
        information = information + stage / stage.max()
    regions = 2 / 3 * cam / cam.max() + 1 / 3 * information / information.max()
    for stage in (outputs[-2], outputs[-3]):
        cells = spread(stage[0])
        cells = cells - cells.mean(axis=(1, 2), keepdims=True)
        before, regions = regions, np.zeros_like(regions)
        for row in range(height):
            for column in range(width):
                here, total = cells[:, row, column], 0.0
                for i in range(height):
                    for j in range(width):
                        there = cells[:, i, j]
                        alike = max(here @ there / (np.linalg.norm(here) * np.linalg.norm(there)), 0) ** 4
                        regions[row, column] += alike * before[i, j]
                        total += alike
                regions[row, column] /= total
    np.testing.assert_allclose(shown, regions / regions.max(), atol=2e-3)


@pytest.mark.parametrize("head", ["fc1", "fc2", "sum"])
def test_every_head_has_maps_like_any_other(network: CamNetwork, image: np.ndarray, head: str) -> None:
    found = attribution_maps(network, image, [2, 0], "region_cam", head=head)
    assert found.classes.tolist() == [0, 2]
    assert found.activations.shape == (2, 18, 24)
    assert found.activations.max(axis=(1, 2)).tolist() == [255, 255]
    cam = attribution_maps(network, image, [2, 0], "cam", head=head)
    assert not np.array_equal(found.activations, cam.activations)
    # A class is told by itself, whatever is asked besides.
    alone = attribution_maps(network, image, [2], "region_cam", head=head)
    assert np.abs(alone.activations[0].astype(int) - found.activations[1]).max() <= 1


def test_a_mirrored_picture_has_mirrored_maps(network: CamNetwork) -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    settings = AttributionSettings(scales=(1.0,))
    one, other = (
        attribution_maps(network, picture, [1], "region_cam", settings=settings).activations[0].astype(int)
        for picture in (image, np.ascontiguousarray(image[:, ::-1]))
    )
    assert one.std() > 1
    assert np.abs(one - other[:, ::-1]).max() <= 2


def test_it_costs_what_it_says_and_can_be_stopped(network: CamNetwork, image: np.ndarray) -> None:
    told: list[tuple[int, int]] = []
    attribution_maps(
        network, image, [1, 2], "region_cam", progress=lambda done, total, note: told.append((done, total))
    )
    assert told[-1] == (10, 10)
    price = cost("region_cam", 2, image.shape[:2])
    assert (price.forward, price.backward) == (10, 4)
    with pytest.raises(Cancelled):
        attribution_maps(network, image, [1], "region_cam", cancelled=lambda: True)


def test_two_threads_do_not_mix(network: CamNetwork, image: np.ndarray) -> None:
    pictures = [image, np.ascontiguousarray(image[::-1])]
    alone = [attribution_maps(network, picture, [1], "region_cam").activations for picture in pictures]
    found: dict[int, np.ndarray] = {}

    def work(order: int) -> None:
        found[order] = attribution_maps(network, pictures[order], [1], "region_cam").activations

    threads = [threading.Thread(target=work, args=(order,)) for order in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for order in (0, 1):
        np.testing.assert_array_equal(found[order], alone[order])


def test_a_backbone_without_stages_is_refused() -> None:
    with pytest.raises(UserError, match="stages"):
        stage_names(nn.Sequential(nn.Conv2d(3, 4, 1)))


def test_thresholds_of_other_maps_are_none_for_regions() -> None:
    classes = ClassList(("cat",), True)
    assert shown_threshold("region_cam-fc1", [(0.13, "fc1")], classes) == 0.5
    assert shown_threshold("region_cam-sum", [(0.13, "fc1"), (0.6, "region_cam-fc1")], classes) == 0.6
    assert shown_threshold("fc1", [(0.6, "region_cam-fc1"), (0.13, "sum")], classes) == 0.13
    assert shown_threshold("region_cam-fc1", [], ClassList(("cat",), False)) is None
