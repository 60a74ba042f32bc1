"""What may follow upon maps: nothing, or a refinement by the colours of the picture.

A finish gives scores back, not labels, so that every background threshold can still be chosen of what it made. A new
one is an entry in :data:`FINISHES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from recam_core.errors import UserError
from recam_core.maps.activation_maps import FULL, ActivationMaps, silent_maps, strongest, upsampled
from recam_core.method.extraction import LOG_ODDS, gives_log_odds
from recam_core.refine.pamr import pamr

#: Pictures of more pixels are refined at a smaller size: what a finish holds in memory grows with 50 numbers a pixel.
MOST_PIXELS = 1 << 20
#: Which class each pixel goes to, and how strongly; both H x W uint8.
Pixels = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Finish:
    """One way to finish maps.

    Attributes:
        title: for people.
        about: what it does, in a sentence.
        refine: H x W x 3 uint8 and n x H x W float32 in 0..1 to n x H x W float32 in 0..1; None leaves all as it is.
    """

    title: str
    about: str
    refine: Callable[[np.ndarray, np.ndarray], np.ndarray] | None


FINISHES = {
    "none": Finish("none", "The maps as they are.", None),
    "pamr": Finish(
        "PAMR",
        "Pixel-adaptive mask refinement: ten times, each pixel takes the mean of its surroundings, weighted by how "
        "like their colours are.",
        pamr,
    ),
}


def check_finish(name: str) -> str:
    """The name, if there is such a finish. Raises UserError otherwise."""
    if name not in FINISHES:
        raise UserError(f"There is no finish '{name}'; there are {', '.join(FINISHES)}.")
    return name


def finished_pixels(maps: ActivationMaps, rule: str, image: np.ndarray, finish: str) -> Pixels:
    """Which class each pixel goes to after a finish, and how strongly.

    Maps of probabilities are refined as probabilities, not as the log-odds that they are kept as.

    Args:
        maps: of the picture.
        rule: the extraction rule that made the maps, which says what their values mean.
        image: H x W x 3, uint8.
        finish: of :data:`FINISHES`.

    Returns:
        argmax and activation, both H x W uint8: of "none" what
        :func:`recam_core.maps.activation_maps.argmax_and_activation` gives.

    Raises:
        UserError: no such finish.
    """
    refine = FINISHES[check_finish(finish)].refine
    planes = upsampled(maps.activations.astype(np.float32), maps.size)
    if refine is not None and len(planes):
        planes = _to_levels(_refined(refine, image, from_levels(planes, rule)), rule)
    return strongest(planes, (maps.classes + 1).tolist(), maps.size, silent_maps(maps).any())


def _refined(
    refine: Callable[[np.ndarray, np.ndarray], np.ndarray], image: np.ndarray, planes: np.ndarray
) -> np.ndarray:
    height, width = image.shape[:2]
    shrink = (MOST_PIXELS / (height * width)) ** 0.5
    if shrink >= 1:
        return refine(image, planes)
    small = max(round(height * shrink), 1), max(round(width * shrink), 1)
    picture = np.asarray(Image.fromarray(image).resize(small[::-1], Image.Resampling.BOX))
    each = [np.asarray(Image.fromarray(plane).resize(small[::-1], Image.Resampling.BOX)) for plane in planes]
    return upsampled(refine(picture, np.stack(each)), (height, width))


def from_levels(planes: np.ndarray, rule: str) -> np.ndarray:
    """Levels 0..255 to what they stand for: activations or, of log-odds, the probability of *another* class.

    Most probabilities that matter lie so near to 1 that float32 tells them apart only by what is missing; and the mean
    of complements is the complement of the mean.
    """
    values = planes / np.float32(FULL)
    if gives_log_odds(rule):
        values = 1 / (1 + np.exp(np.float32(LOG_ODDS) * (2 * values - 1)))
    return values


def _to_levels(values: np.ndarray, rule: str) -> np.ndarray:
    if gives_log_odds(rule):
        with np.errstate(divide="ignore"):
            odds = np.log1p(-values.clip(0, 1)) - np.log(values.clip(0, 1))
        values = np.clip(odds / np.float32(2 * LOG_ODDS) + 0.5, 0, 1)
    return values * np.float32(FULL)
