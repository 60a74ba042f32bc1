"""Masks of a segmentation network: several scales, the mirror image and a finish, and what they score."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from recam_core import ranks
from recam_core.data.sample import Dataset, Sample
from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.maps.activation_maps import FULL
from recam_core.maps.inference import check_scales, scaled_view
from recam_core.progress import ProgressFn, silent
from recam_core.refine.finishes import check_finish, finished_chances
from recam_core.scores.evaluate import Evaluation, Tally, check_classes
from recam_core.segment.recipe import PAPER_SCALES, check_prior
from recam_core.segment.training import Segmentation, labels_of, share_powers


@dataclass(frozen=True)
class NetworkTest:
    """How a network is tested.

    Attributes:
        scales: factors of the picture's size.
        mirror: whether the mirror image is taken as well.
        prior: tau of a logit adjustment (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021): each
            label's mean probability is divided by its share of the pixels that the network learnt from, to the power
            of tau, before anything else is made of it. 0 leaves them as they are; after few steps a network gives rare
            labels too little.
        finish: of :data:`recam_core.refine.finishes.FINISHES`, which these mean probabilities pass: ``crf-deeplab`` as
            published, ``pamr``, or ``none``.
    """

    scales: Sequence[float] = PAPER_SCALES
    mirror: bool = True
    prior: float = 0.0
    finish: str = "none"

    def __post_init__(self) -> None:
        """Raises UserError: scales, a prior or a finish that there is not, or the finish's package is missing."""
        check_scales(self.scales)
        check_finish(self.finish)
        check_prior(self.prior)


@torch.inference_mode()
def predicted_mask(segmentation: Segmentation, image: np.ndarray, test: NetworkTest = NetworkTest()) -> np.ndarray:
    """The label of each pixel: the largest mean probability over scales and mirror images.

    Args:
        segmentation: the network; its device is used.
        image: H x W x 3, uint8.
        test: scales, mirror image and what is made of the probabilities.

    Returns:
        H x W, uint8: 0 background, k + 1 class k.

    Raises:
        UserError: a prior for a network of before shares were kept.
    """
    divisors = _divisors(segmentation, test.prior)
    network = segmentation.network
    device = next(network.parameters()).device
    total: torch.Tensor | None = None
    with device_gate(device):
        whole = network.preprocess(torch.from_numpy(np.array(image)).to(device)[None])
        for scale in test.scales:
            x = scaled_view(whole, scale)
            if test.mirror:
                x = torch.cat([x, x.flip(-1)])
            chances = network(x).softmax(dim=1)
            found = chances[0] + chances[1].flip(-1) if test.mirror else chances[0]
            found = F.interpolate(found[None], size=image.shape[:2], mode="bilinear", align_corners=False)[0]
            total = found if total is None else total + found
    assert total is not None  # there is a scale
    if divisors is not None:
        total = total / divisors.to(device)
    if test.finish == "none":
        labels = total.argmax(dim=0).to(torch.uint8).cpu().numpy()
    else:
        chances = (total / total.sum(dim=0)).cpu().numpy()
        labels = finished_chances(image, chances, test.finish).argmax(axis=0).astype(np.uint8)
    return labels if segmentation.classes.has_background else labels + np.uint8(1)


def check_test(segmentation: Segmentation, test: NetworkTest) -> None:
    """Raise UserError where a network cannot be tested so, before any picture is."""
    _divisors(segmentation, test.prior)


def _divisors(segmentation: Segmentation, prior: float) -> torch.Tensor | None:
    """L x 1 x 1: what the probability of each label is divided by; None for nothing."""
    if prior == 0:
        return None
    try:
        shares = np.array(segmentation.record.get("label_shares", ()), np.float32)
    except (TypeError, ValueError):  # a damaged record
        shares = np.empty(0, np.float32)
    if shares.shape != (labels_of(segmentation.classes),) or not shares.max() > 0:
        raise UserError(
            f"{segmentation.path} does not say how often its labels were shown to it: train it again, or leave the "
            "prior at 0."
        )
    return share_powers(shares, prior)[:, None, None]


def predictions(
    segmentation: Segmentation,
    dataset: Dataset,
    test: NetworkTest = NetworkTest(),
    limit: int | None = None,
) -> Iterator[tuple[Sample, np.ndarray]]:
    """Each picture (under ``torchrun``, of this rank's share) with its predicted mask.

    Raises:
        UserError: other classes, or a broken picture.
    """
    name = f"The network {segmentation.path.name}"
    check_classes(segmentation.classes, dataset.classes, name, f"the data set {dataset.spec}")
    for index in ranks.share(range(len(dataset) if limit is None else min(limit, len(dataset)))):
        sample = dataset.load(index)
        yield sample, predicted_mask(segmentation, sample.image, test)


def scored(
    segmentation: Segmentation,
    dataset: Dataset,
    test: NetworkTest = NetworkTest(),
    bands: Sequence[int | None] = (None,),
    limit: int | None = None,
    progress: ProgressFn = silent,
) -> list[Evaluation]:
    """The scores of a network, by the code that scores seeds: one for each band, of the same masks.

    Under ``torchrun`` the first rank has them, and the others none.

    Args:
        segmentation: the network.
        dataset: pictures with ground truth.
        test: see :class:`NetworkTest`.
        bands: score only pixels so near to a contour of the ground truth; None scores all.
        limit: only the first so many pictures.
        progress: called after each picture.

    Raises:
        UserError: no ground truth, other classes, a band of less than 1 pixel, or a broken picture.
    """
    if not dataset.has_masks:
        raise UserError(f"{dataset.spec} has no ground-truth masks, so there is nothing to score against.")

    def counted() -> Iterator[list[Tally]]:
        for sample, found in predictions(segmentation, dataset, test, limit):
            one = [Tally(dataset.classes, band) for band in bands]
            # A label is a class or the background, with nothing in between for a threshold to decide.
            for tally in one:
                tally.add_pixels(sample.id, found, np.where(found > 0, FULL, 0).astype(np.uint8), sample.mask)
            yield one

    tallies = [Tally(dataset.classes, band) for band in bands]
    total = len(dataset) if limit is None else min(limit, len(dataset))
    for done, counts in enumerate(ranks.in_order(counted(), total), start=1):
        for tally, one in zip(tallies, counts, strict=True):
            tally.merge(one)
        progress(done, total, "")
    if not ranks.is_first():
        return []
    fixed = 0.5 if dataset.classes.has_background else None
    name = segmentation.path.name
    return [tally.evaluation(name, threshold=fixed, threshold_from="a label is a label") for tally in tallies]
