"""Multi-scale, mirrored inference: a picture in, its features and then its maps out.

Features cost a pass through the backbone; maps from features cost next to nothing. They are apart so that any
number of rules and classifiers can be read off one pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.maps.activation_maps import FULL, ActivationMaps, grid_size
from recam_core.method.cam import responses
from recam_core.method.extraction import MapWeights
from recam_core.model.network import CamNetwork

#: The scales of the published experiments.
PAPER_SCALES = (0.5, 1.0, 1.5, 2.0)
#: The default: two thirds of the cost. On parts of train of both shipped data sets it scored as well or better, and
#: 6 to 9 points of seed mIoU above scale 1 alone (docs/results.md).
QUICK_SCALES = (1.0, 2.0)
#: A class counts as seen by a network from this probability on.
SEEN = 0.5
#: A side shorter than this, after scaling, leaves less than one cell to look at.
SHORTEST_SIDE = 16


@dataclass(frozen=True)
class PictureFeatures:
    """f(x) of one picture at several scales.

    Attributes:
        size: (H, W) of the picture.
        scales: one tensor a scale, n x C x h x w; n is 2 with the mirror image (itself first), else 1.
        logits: K, z of FC1 at scale 1 or the scale next to it, averaged with the mirror image.
    """

    size: tuple[int, int]
    scales: tuple[Tensor, ...]
    logits: Tensor


def picture_features(
    network: CamNetwork, image: np.ndarray, scales: Sequence[float] = QUICK_SCALES, mirror: bool = True
) -> PictureFeatures:
    """The features of a picture at each scale, the mirror image along with it in one batch.

    Args:
        network: in evaluation mode; its device is used.
        image: H x W x 3, uint8.
        scales: factors of the picture's size, each above 0.
        mirror: whether the mirror image is taken as well.

    Raises:
        UserError: no scales, or one out of range.
    """
    return batch_features(network, image[None], scales, mirror)[0]


def check_scales(scales: Sequence[float]) -> None:
    """Raises UserError for none, or for one out of range."""
    if not scales or any(not 0.05 <= scale <= 4 for scale in scales):
        raise UserError("Scales are one or more numbers from 0.05 to 4, such as 0.5 1.0 1.5 2.0.")


@torch.inference_mode()
def batch_features(
    network: CamNetwork, images: np.ndarray, scales: Sequence[float] = QUICK_SCALES, mirror: bool = True
) -> list[PictureFeatures]:
    """:func:`picture_features` of pictures of one size, B x H x W x 3, in one pass a scale."""
    check_scales(scales)
    count, height, width = images.shape[:3]
    found = []
    with device_gate(network.device):
        whole = network.preprocess(images)
        for scale in scales:
            x = scaled_view(whole, scale)
            if mirror:
                x = torch.cat([x, x.flip(-1)]).contiguous(memory_format=torch.channels_last)
            found.append(network.features(x).float())
    nearest = min(range(len(scales)), key=lambda index: abs(scales[index] - 1))
    each = []
    for place in range(count):
        own = tuple(scale[place::count] for scale in found)  # itself, and its mirror image behind all pictures
        logits = own[nearest].mean(dim=(0, 2, 3)) @ network.fc1.float().T
        each.append(PictureFeatures((height, width), own, logits))
    return each


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(H, W) of a picture at a factor of its size; no side becomes too short for a network."""
    if scale == 1:
        return size
    return max(round(size[0] * scale), SHORTEST_SIDE), max(round(size[1] * scale), SHORTEST_SIDE)


def scaled_view(whole: Tensor, scale: float) -> Tensor:
    """A picture, B x 3 x H x W, at a factor of its size."""
    if scale == 1:
        return whole
    size = scaled_size((whole.shape[-2], whole.shape[-1]), scale)
    return F.interpolate(whole, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)


@torch.inference_mode()
def maps_from_features(
    features: PictureFeatures, weight: Tensor | MapWeights, classes: Sequence[int] | np.ndarray, id: str = ""
) -> ActivationMaps:
    """Equation 2 (or 7) over all scales: ReLU, sum over the scales and mirror images, divide by the maximum.

    Maps of probabilities take the mean of the logits over the scales and mirror images instead.

    Args:
        features: of one picture.
        weight: what an extraction rule made of FC1 and FC2; or K x C class weights.
        classes: the class indices (from 0) to make maps of.
        id: of the picture.
    """
    classes = np.unique(np.asarray(classes, dtype=np.int64))
    grid = grid_size(features.size)
    if not len(classes):
        return ActivationMaps(id, features.size, classes, np.zeros((0, *grid), dtype=np.uint8))
    weights = weight if isinstance(weight, MapWeights) else MapWeights(weight)
    rows = weights.rows(torch.from_numpy(classes).to(weights.weight.device)).detach()
    total, views = rows.new_zeros((len(rows), *grid)), 0
    for scale in features.scales:
        raw = weights.summands(responses(scale, rows))
        if len(raw) == 2:
            raw = torch.stack([raw[0], raw[1].flip(-1)])
        total += F.interpolate(raw, size=grid, mode="bilinear", align_corners=False).sum(dim=0)
        views += len(raw)
    # Numbers that overflowed leave no map, and NaN has no meaning as a byte.
    found = weights.activations(total, views).nan_to_num(0.0)
    levels = (found * FULL).round().to(torch.uint8).cpu().numpy()
    return ActivationMaps(id, features.size, classes, levels)


def activation_maps(
    network: CamNetwork,
    image: np.ndarray,
    weight: Tensor | MapWeights,
    classes: Sequence[int] | np.ndarray,
    *,
    scales: Sequence[float] = QUICK_SCALES,
    mirror: bool = True,
    id: str = "",
) -> ActivationMaps:
    """Maps of a picture in one call; see :func:`picture_features` and :func:`maps_from_features`."""
    return maps_from_features(picture_features(network, image, scales, mirror), weight, classes, id)


def class_probabilities(features: PictureFeatures, softmax: bool = False) -> np.ndarray:
    """K probabilities of the classes: a sigmoid each, or a softmax over all for a network trained with SCE."""
    logits = features.logits
    return (logits.softmax(0) if softmax else logits.sigmoid()).cpu().numpy()


def predicted_classes(features: PictureFeatures, softmax: bool = False) -> np.ndarray:
    """The class indices that the network sees: sigmoid above 0.5 (softmax: above half the largest), at least one."""
    probabilities = class_probabilities(features, softmax)
    limit = probabilities.max() / 2 if softmax else SEEN
    found = np.flatnonzero(probabilities > limit)
    return found if len(found) else np.array([int(probabilities.argmax())])
