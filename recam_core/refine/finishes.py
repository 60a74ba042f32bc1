"""What may follow upon maps: nothing, or a refinement by the colours of the picture.

A finish gives scores back, not labels, so that every background threshold can still be chosen of what it made. A new
one is an entry in :data:`FINISHES`.

PAMR refines each map by itself. A dense CRF weighs labels against each other, and so needs the probability of each, the
background's among them (:func:`chances_of`). Its scores are the log-odds of a class against the background, on the
scale of maps of probabilities (-32 to 32): at a threshold of 0.5 each pixel has the label that the CRF finds most
probable, and above or below it the background has to be so much less or more probable.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from recam_core.errors import UserError
from recam_core.maps.activation_maps import FULL, ActivationMaps, silent_maps, strongest, upsampled
from recam_core.method.extraction import LOG_ODDS, gives_log_odds
from recam_core.refine.dense_crf import (
    DEEPLAB_CRF,
    IRN_CRF,
    CrfSettings,
    crf_chances,
    label_chances,
    require_dense_crf,
)
from recam_core.refine.pamr import pamr

#: Pictures of more pixels are refined at a smaller size: what a finish holds in memory grows with 50 numbers a pixel.
MOST_PIXELS = 1 << 20
#: Of maps that are shares of their maximum, the background is (1 - the greatest)^alpha: that of AffinityNet (Ahn and
#: Kwak, CVPR 2018, equation 2). Alpha follows from where a class and the background are equally probable, which should
#: be the threshold of the seeds; unless given, this, where published thresholds lie: alpha is 4 then, the smaller of
#: the two that the published code passes to a dense CRF.
EVEN_SHARE = 0.275
#: Which class each pixel goes to, and how strongly; both H x W uint8.
Pixels = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Finish:
    """One way to finish maps.

    Attributes:
        title: for people.
        about: what it does, in a sentence.
        refine: H x W x 3 uint8 and n x H x W float32 in 0..1 to n x H x W float32 in 0..1, each plane a weighted mean
            of itself, with weights that are those of all; None leaves all as it is.
        crf: of a dense CRF its numbers; it takes the place of ``refine``.
    """

    title: str
    about: str
    refine: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    crf: CrfSettings | None = None


FINISHES = {
    "none": Finish("none", "The maps as they are."),
    "pamr": Finish(
        "PAMR",
        "Pixel-adaptive mask refinement: ten times, each pixel takes the mean of its surroundings, weighted by how "
        "like their colours are.",
        pamr,
    ),
    "crf": Finish("CRF", "The dense CRF with the numbers of IRN's labels; it needs the extra crf.", crf=IRN_CRF),
    "crf-deeplab": Finish("CRF (DeepLab)", "The dense CRF with the numbers of DeepLabV2's test.", crf=DEEPLAB_CRF),
}


def check_finish(name: str) -> str:
    """The name, if there is such a finish. Raises UserError otherwise, or where it lacks its package."""
    if name not in FINISHES:
        raise UserError(f"There is no finish '{name}'; there are {', '.join(FINISHES)}.")
    if FINISHES[name].crf is not None:
        require_dense_crf()
    return name


def finished_pixels(
    maps: ActivationMaps,
    rule: str,
    image: np.ndarray,
    finish: str,
    *,
    has_background: bool,
    even: float = EVEN_SHARE,
) -> Pixels:
    """Which class each pixel goes to after a finish, and how strongly.

    Maps of probabilities are refined as probabilities, not as the log-odds that they are kept as.

    Args:
        maps: of the picture.
        rule: the extraction rule that made the maps, which says what their values mean.
        image: H x W x 3, uint8.
        finish: of :data:`FINISHES`.
        has_background: whether pixels outside every class are background in the data.
        even: for a dense CRF, see :func:`chances_of`.

    Returns:
        argmax and activation, both H x W uint8: of "none" what
        :func:`recam_core.maps.activation_maps.argmax_and_activation` gives.

    Raises:
        UserError: no such finish, or its package is missing.
    """
    planes = finished_planes(maps, rule, image, finish, has_background=has_background, even=even)
    return strongest(planes, (maps.classes + 1).tolist(), maps.size, silent_maps(maps).any())


def finished_planes(
    maps: ActivationMaps,
    rule: str,
    image: np.ndarray,
    finish: str,
    *,
    has_background: bool,
    even: float = EVEN_SHARE,
) -> np.ndarray:
    """n x H x W float32, levels 0..255: what a finish makes of each map, of which :func:`finished_pixels` is the most.

    Args and errors as there.
    """
    one = FINISHES[check_finish(finish)]
    planes = upsampled(maps.activations.astype(np.float32), maps.size)
    if one.refine is not None and len(planes):
        planes = _to_levels(_at_working_size(one.refine, image, from_levels(planes, rule)), rule)
    seen = ~silent_maps(maps)
    if one.crf is not None and seen.any():
        # A map that shows nothing stays so: it is no label of this picture.
        chances = chances_of(planes[seen], rule, has_background, even)
        planes[seen] = _crf_levels(image, chances, one.crf, has_background)
    return planes


def chances_of(planes: np.ndarray, rule: str, has_background: bool, even: float = EVEN_SHARE) -> np.ndarray:
    """How probable each label is at each pixel, up to a factor a pixel: the unary of a dense CRF.

    Maps of probabilities (rule ``softmax``) say it: what the classes leave is the background's. Shares of a maximum do
    not; their background is that of :data:`EVEN_SHARE`, and a class has what its map has.

    Args:
        planes: n x H x W float32, levels 0..255 of the present classes.
        rule: that made them.
        has_background: whether there is a label of the background; it comes first.
        even: of shares of a maximum, the one at which a class and the background are equally probable, 0.01..0.99.

    Returns:
        L x H x W float32, 0..1: L = n, and one more with a background.
    """
    values = from_levels(planes, rule)
    if gives_log_odds(rule):
        others, values = values.min(axis=0), 1 - values  # of the most probable class, all others and the background
        background = others - (values.sum(axis=0) - values.max(axis=0))
    else:
        background = (1 - values.max(axis=0)) ** np.float32(np.log(even) / np.log(1 - even))
    return np.concatenate([background[None], values]) if has_background else values


def _crf_levels(image: np.ndarray, chances: np.ndarray, settings: CrfSettings, has_background: bool) -> np.ndarray:
    """n x H x W float32, levels 0..255 of the log-odds of each class against the background, or else all others."""
    found = refined_chances(image, chances, settings)
    log = np.log(found.clip(np.exp(-LOG_ODDS), 1))
    if has_background:
        odds = log[1:] - log[:1]
    else:
        others = found.sum(axis=0) - found
        odds = log - np.log(others.clip(np.exp(-LOG_ODDS), 1))
    return (odds / np.float32(2 * LOG_ODDS) + np.float32(0.5)).clip(0, 1) * np.float32(FULL)


def refined_chances(image: np.ndarray, chances: np.ndarray, settings: CrfSettings) -> np.ndarray:
    """:func:`recam_core.refine.dense_crf.crf_chances` of a picture of any size."""
    return _at_working_size(lambda picture, planes: crf_chances(picture, planes, settings), image, chances)


def finished_chances(image: np.ndarray, chances: np.ndarray, finish: str) -> np.ndarray:
    """What a finish makes of the probabilities of labels, such as those of a segmentation network.

    Args:
        image: H x W x 3, uint8.
        chances: L x H x W float32; at each pixel the sum over the labels is 1.
        finish: of :data:`FINISHES`.

    Returns:
        L x H x W float32. Of labels that can be the most probable at no pixel it may be 0 everywhere.

    Raises:
        UserError: no such finish, or its package is missing.
    """
    one = FINISHES[check_finish(finish)]
    if one.crf is not None:
        return refined_chances(image, chances, one.crf)
    if one.refine is None:
        return chances
    # The sums stay 1 in a mean, so that the most probable label has 1 / L or more, and no plane leaves its range.
    able = chances.max(axis=(1, 2)) >= np.float32(0.99) / len(chances)
    found = np.zeros_like(chances)
    found[able] = _at_working_size(one.refine, image, chances[able])
    return found


def refined_labels(image: np.ndarray, labels: np.ndarray, settings: CrfSettings) -> np.ndarray:
    """Labels (H x W uint8) as a dense CRF sees them, as IRN refines its confident ones; no new label comes up."""
    values, chances = label_chances(labels)
    return labels if len(values) < 2 else values[refined_chances(image, chances, settings).argmax(axis=0)]


def _at_working_size(
    refine: Callable[[np.ndarray, np.ndarray], np.ndarray], image: np.ndarray, planes: np.ndarray
) -> np.ndarray:
    """What a refinement makes of planes; of pictures of more than :data:`MOST_PIXELS` at a smaller size."""
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
