"""Masks of a segmentation network: several scales and the mirror image, and what they score."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from recam_core.data.sample import VOID, Dataset, Sample
from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.maps.activation_maps import FULL
from recam_core.maps.inference import check_scales, scaled_view
from recam_core.progress import ProgressFn, silent
from recam_core.refine.dense_crf import CrfSettings
from recam_core.refine.finishes import refined_chances
from recam_core.scores.evaluate import Evaluation, Tally, check_classes
from recam_core.segment.recipe import PAPER_SCALES
from recam_core.segment.training import Segmentation


@torch.inference_mode()
def predicted_mask(
    segmentation: Segmentation,
    image: np.ndarray,
    scales: Sequence[float] = PAPER_SCALES,
    mirror: bool = True,
    crf: CrfSettings | None = None,
) -> np.ndarray:
    """The label of each pixel: the largest mean probability over scales and mirror images.

    Args:
        segmentation: the network; its device is used.
        image: H x W x 3, uint8.
        scales: factors of the picture's size.
        mirror: whether the mirror image is taken as well.
        crf: the dense CRF that these mean probabilities pass, such as DeepLab's; None for none.

    Returns:
        H x W, uint8: 0 background, k + 1 class k.

    Raises:
        UserError: scales out of range, or the CRF's package is missing.
    """
    check_scales(scales)
    network = segmentation.network
    device = next(network.parameters()).device
    total: torch.Tensor | None = None
    with device_gate(device):
        whole = network.preprocess(torch.from_numpy(np.array(image)).to(device)[None])
        for scale in scales:
            x = scaled_view(whole, scale)
            if mirror:
                x = torch.cat([x, x.flip(-1)])
            chances = network(x).softmax(dim=1)
            found = chances[0] + chances[1].flip(-1) if mirror else chances[0]
            found = F.interpolate(found[None], size=image.shape[:2], mode="bilinear", align_corners=False)[0]
            total = found if total is None else total + found
    assert total is not None  # there is a scale
    if crf is None:
        labels = total.argmax(dim=0).to(torch.uint8).cpu().numpy()
    else:
        chances = (total / total.sum(dim=0)).cpu().numpy()
        labels = refined_chances(image, chances, crf).argmax(axis=0).astype(np.uint8)
    return labels if segmentation.classes.has_background else labels + np.uint8(1)


def predictions(
    segmentation: Segmentation,
    dataset: Dataset,
    scales: Sequence[float] = PAPER_SCALES,
    mirror: bool = True,
    crf: CrfSettings | None = None,
    limit: int | None = None,
) -> Iterator[tuple[Sample, np.ndarray]]:
    """Each picture with its predicted mask. Raises UserError for other classes, or a broken picture."""
    name = f"The network {segmentation.path.name}"
    check_classes(segmentation.classes, dataset.classes, name, f"the data set {dataset.spec}")
    for index in range(len(dataset) if limit is None else min(limit, len(dataset))):
        sample = dataset.load(index)
        yield sample, predicted_mask(segmentation, sample.image, scales, mirror, crf)


def scored(
    segmentation: Segmentation,
    dataset: Dataset,
    scales: Sequence[float] = PAPER_SCALES,
    mirror: bool = True,
    crf: CrfSettings | None = None,
    band: int | None = None,
    limit: int | None = None,
    progress: ProgressFn = silent,
) -> Evaluation:
    """The scores of a network, by the code that scores seeds.

    Args:
        segmentation: the network.
        dataset: pictures with ground truth.
        scales, mirror, crf: see :func:`predicted_mask`.
        band: score only pixels at most so far from a contour of the ground truth; None scores all.
        limit: only the first so many pictures.
        progress: called after each picture.

    Raises:
        UserError: no ground truth, other classes, or a broken picture.
    """
    if not dataset.has_masks:
        raise UserError(f"{dataset.spec} has no ground-truth masks, so there is nothing to score against.")
    tally = Tally(dataset.classes)
    total = len(dataset) if limit is None else min(limit, len(dataset))
    for done, (sample, found) in enumerate(predictions(segmentation, dataset, scales, mirror, crf, limit), start=1):
        mask = sample.mask
        if mask is not None and band is not None:
            mask = np.where(contour_band(mask, band), mask, np.uint8(VOID))
        # A label is a class or the background, with nothing in between for a threshold to decide.
        tally.add_pixels(sample.id, found, np.where(found > 0, FULL, 0).astype(np.uint8), mask)
        progress(done, total, "")
    fixed = 0.5 if dataset.classes.has_background else None
    return tally.evaluation(segmentation.path.name, threshold=fixed, threshold_from="a label is a label")


def contour_band(mask: np.ndarray, pixels: int) -> np.ndarray:
    """H x W bool: what lies at most so many pixels from where two labels of a mask meet (void is no label).

    Raises:
        UserError: fewer than 1 pixel.
    """
    if pixels < 1:
        raise UserError("The band along contours is 1 pixel wide or more.")
    known = mask != VOID
    contour = np.zeros(mask.shape, dtype=bool)
    down, right = (slice(1, None), slice(None)), (slice(None), slice(1, None))
    up, left = (slice(None, -1), slice(None)), (slice(None), slice(None, -1))
    for one, other in ((down, up), (right, left)):
        differ = (mask[one] != mask[other]) & known[one] & known[other]
        contour[one] |= differ
        contour[other] |= differ
    if not contour.any():
        return contour
    return ndimage.distance_transform_edt(~contour) < pixels
