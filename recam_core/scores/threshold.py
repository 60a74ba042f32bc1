"""Choosing the background threshold of a run on pictures that nothing is reported on."""

import numpy as np
from torch import Tensor

from recam_core.data.sample import Dataset, Sample
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.dataset_maps import each_picture
from recam_core.maps.inference import PictureFeatures, maps_from_features
from recam_core.method.extraction import MapWeights
from recam_core.model.network import CamNetwork
from recam_core.progress import ProgressFn, silent
from recam_core.scores.evaluate import Tally

#: Enough for a threshold that is good to a few hundredths, within seconds.
MOST_PICTURES = 24


def choose_threshold(
    network: CamNetwork, weight: Tensor | MapWeights, dataset: Dataset, progress: ProgressFn = silent
) -> float | None:
    """The background threshold with the best mIoU on (at most 24 evenly spread) pictures of a training set.

    Args:
        network: gives the features, at the usual scales with the mirror image.
        weight: what an extraction rule made of FC1 and FC2; or K x C class weights.
        dataset: pictures that the method may be fitted to.
        progress: called after each picture; may raise Cancelled.

    Returns:
        0..1; None where there is nothing to choose: no background class, no masks, or none with a pixel of a class.
    """
    if not dataset.classes.has_background or not dataset.has_masks:
        return None
    count = min(len(dataset), MOST_PICTURES)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(int)).tolist()
    tally = Tally(dataset.classes)

    def work(sample: Sample, features: PictureFeatures) -> ActivationMaps:
        return maps_from_features(features, weight, np.flatnonzero(sample.labels), sample.id)

    for done, (sample, maps) in enumerate(each_picture(network, dataset, work, indices=chosen), 1):
        if sample.mask is not None:
            tally.add(maps, sample.mask)
        progress(done, len(chosen), "choosing the background threshold")
    return tally.evaluation().best.threshold if tally.shows_class else None
