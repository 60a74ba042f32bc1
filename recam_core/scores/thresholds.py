"""The background threshold: chosen on pictures that nothing is reported on, and the one that a pane begins with."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from recam_core.data.sample import ClassList, Dataset, Sample
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.dataset_maps import each_picture
from recam_core.maps.inference import PictureFeatures, maps_from_features
from recam_core.method.extraction import MapWeights, gives_log_odds
from recam_core.model.network import CamNetwork
from recam_core.progress import ProgressFn, silent
from recam_core.scores.evaluate import Tally

#: Where no run that is shown has a threshold of its own; near those of the published seeds (0.21 and 0.15).
USUAL_THRESHOLD = 0.25
#: The same for maps of probabilities: the class is as likely as not.
EVEN_ODDS = 0.5
#: The same for Region-CAM, whose maps fill whole objects: near what was chosen on other pictures (docs/results.md).
WHOLE_REGIONS = 0.5


def usual_threshold(rule: str) -> float:
    """The threshold of maps of a rule where none was chosen."""
    return {"log-odds": EVEN_ODDS, "regions": WHOLE_REGIONS}.get(_kind(rule), USUAL_THRESHOLD)


def shown_threshold(rule: str, chosen: Sequence[tuple[float | None, str]], classes: ClassList) -> float | None:
    """The first threshold that was chosen on maps of the same kind, else the usual one.

    A share of a map's maximum and a probability are no thresholds for each other's maps, and neither are those of maps
    of an object's most telling parts and of whole objects.

    Args:
        rule: of the maps.
        chosen: thresholds (None where none was chosen), each with the rule that it was chosen with: the method's own,
            then those of the methods beside it, in their order.
        classes: without a background class there is nothing to cut off: the result is None.
    """
    if not classes.has_background:
        return None
    alike = (value for value, other in chosen if value is not None and _kind(other) == _kind(rule))
    return next(alike, usual_threshold(rule))


def _kind(rule: str) -> str:
    """Maps of one kind can share a threshold; attributions are named METHOD-HEAD."""
    if rule.startswith("region_cam-"):
        return "regions"
    return "log-odds" if gives_log_odds(rule) else "shares"


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
