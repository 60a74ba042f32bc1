"""Why a place of a picture is called A and not B: what each channel of f(x) adds to either, and one sentence of it.

A map is linear in the features: the response of class k at a pixel x is sum_c w_k,c f_c(x). So the difference of two
classes falls apart into one summand a channel, (w_A,c - w_B,c) f_c(x), and their sum is that difference exactly.
Equation 2 divides the map of each class by its own maximum before they are compared, which can turn the difference
around; the summands of what is compared are (w_A,c / m_A - w_B,c / m_B) f_c(x), with the maxima m.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.data.sample import BACKGROUND, VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import FULL, ActivationMaps, full_size, grid_size
from recam_core.maps.inference import PictureFeatures
from recam_core.method.cam import EPSILON, normalise, responses
from recam_core.method.extraction import MapWeights
from recam_core.scores.metrics import value_names
from recam_core.words import listing


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each of C channels adds to class A less class B at one place, by one set of weights.

    Attributes:
        activation: C, float64; the mean of f_c over the place and over the views of the picture.
        weight_a, weight_b: C, float64; the rows of the two classes.
        maximum_a, maximum_b: what each row is divided by: 1 for the logits, the maximum of the class's map for what
            equation 2 compares (1 where that map is empty).
    """

    activation: np.ndarray
    weight_a: np.ndarray
    weight_b: np.ndarray
    maximum_a: float = 1.0
    maximum_b: float = 1.0

    @cached_property
    def values(self) -> np.ndarray:
        """C, float64: the summands; above 0 speaks for A, below 0 for B."""
        return (self.weight_a / self.maximum_a - self.weight_b / self.maximum_b) * self.activation

    @property
    def of_a(self) -> float:
        """What class A has there; the same over all channels."""
        return float(self.weight_a @ self.activation / self.maximum_a)

    @property
    def of_b(self) -> float:
        """What class B has there."""
        return float(self.weight_b @ self.activation / self.maximum_b)

    @property
    def difference(self) -> float:
        """A less B: the sum of :attr:`values`."""
        return float(self.values.sum())

    def strongest(self, most: int, for_b: bool = False) -> np.ndarray:
        """The channels that speak most for A (or for B), most first; none that does not.

        Returns:
            At most ``most`` int64 channel numbers; equal ones in their order.
        """
        values = -self.values if for_b else self.values
        order = np.argsort(-values, kind="stable")[:most]
        return order[values[order] > 0]

    def share_of(self, channels: np.ndarray, for_b: bool = False) -> float:
        """Of everything that speaks for A (or for B), the share of these channels; nan where nothing does."""
        values = np.clip(-self.values if for_b else self.values, 0, None)
        whole = values.sum()
        return float(values[channels].sum() / whole) if whole > 0 else float("nan")


def place_weights(size: tuple[int, int], pixels: np.ndarray) -> np.ndarray:
    """How much each cell of the grid of maps counts in the mean of a map over some pixels of the picture.

    Maps are enlarged to the picture bilinearly (:func:`~recam_core.maps.activation_maps.full_size`); this is the
    transpose of it, so that ``(map * place_weights(size, pixels)).sum()`` is the mean of the enlarged map over them.

    Args:
        size: (H, W) of the picture.
        pixels: H x W, bool, at least one set; see :func:`one_pixel`.

    Returns:
        h x w, float32, not negative, with sum 1; h and w as in :func:`~recam_core.maps.activation_maps.grid_size`.

    Raises:
        UserError: another size, or no pixel.
    """
    if pixels.shape != size:
        raise UserError(
            f"The place is of {pixels.shape[1]} x {pixels.shape[0]} pixels, the picture {size[1]} x {size[0]}."
        )
    if not pixels.any():
        raise UserError("Name a place: no pixel of the picture is chosen.")
    share = torch.from_numpy(pixels.astype(np.float32) / np.float32(pixels.sum()))
    return _transposed(share, grid_size(size)).numpy()


def one_pixel(size: tuple[int, int], column: int, row: int) -> np.ndarray:
    """H x W, bool: this pixel alone. Raises UserError where it lies outside the picture."""
    height, width = size
    if not (0 <= column < width and 0 <= row < height):
        raise UserError(
            f"The pixel ({column}, {row}) lies outside this picture: columns go from 0 to {width - 1}, rows from 0 to "
            f"{height - 1}."
        )
    pixels = np.zeros(size, dtype=bool)
    pixels[row, column] = True
    return pixels


def features_at(features: PictureFeatures, place: np.ndarray) -> np.ndarray:
    """C, float64: f_c at a place, the mean over its cells and over all scales and mirror images.

    Args:
        features: of the picture.
        place: h x w, see :func:`place_weights`.
    """
    total, views = torch.zeros((), dtype=torch.float64), 0
    weights = torch.from_numpy(np.ascontiguousarray(place, dtype=np.float32))
    for scale in features.scales:
        cells = _transposed(weights, (scale.shape[2], scale.shape[3])).to(scale.device)
        mirrored = [cells, cells.flip(-1)][: len(scale)]
        total = total.to(scale.device) + torch.einsum("nchw,nhw->c", scale.double(), torch.stack(mirrored).double())
        views += len(scale)
    return (total / views).cpu().numpy()


def contributions(
    features: PictureFeatures,
    rows: Tensor,
    a: int,
    b: int,
    place: np.ndarray,
    *,
    divided: bool = False,
) -> Contributions:
    """What each channel adds to class A less class B at a place.

    Args:
        features: of the picture.
        rows: K x C (or more rows): FC1, FC2, or the class weights of a rule.
        a, b: the classes, from 0.
        place: h x w, see :func:`place_weights`.
        divided: whether each class is divided by the maximum of its map, as equation 2 does before maps are compared;
            False gives the difference of the logits.

    Raises:
        UserError: A and B are the same, or not among the rows.
    """
    if a == b or not (0 <= a < len(rows) and 0 <= b < len(rows)):
        raise UserError("Name two different classes: one that the place is taken for, and one that it is not.")
    pair = rows[[a, b]].detach()
    maxima = (1.0, 1.0)
    if divided:
        # A map without any activation stays as it is: nothing can be divided by its maximum.
        of_a, of_b = (float(raw.max()) for raw in _mean_maps(features, pair, rectified=True))
        maxima = (of_a if of_a > EPSILON else 1.0, of_b if of_b > EPSILON else 1.0)
    weights = pair.double().cpu().numpy()
    return Contributions(features_at(features, place), weights[0], weights[1], *maxima)


def map_rows(weights: MapWeights) -> tuple[Tensor, bool]:
    """The rows that decide between two classes in a rule's maps (K x C), and whether each is divided by its maximum.

    Maps of probabilities compare logits of FC2: log(p_A / p_B) = (w'_A - w'_B) . f.
    """
    return weights.weight, weights.background is None


def difference_map(features: PictureFeatures, one: Contributions) -> np.ndarray:
    """h x w, float32: what A has less what B has at each cell of the grid of maps, in the units of ``one``.

    Its mean over the place that ``one`` was made of is ``one.difference``.
    """
    row = one.weight_a / one.maximum_a - one.weight_b / one.maximum_b
    rows = torch.from_numpy(row).to(features.scales[0])[None]
    return _mean_maps(features, rows)[0].cpu().numpy()


def channel_map(features: PictureFeatures, channel: int) -> ActivationMaps:
    """Where in the picture a channel fires: its activation as one map, of the class number 0, divided by its maximum.

    Raises:
        UserError: there is no such channel.
    """
    count = features.scales[0].shape[1]
    if not 0 <= channel < count:
        raise UserError(f"There is no channel {channel}; this network has {count}, from 0.")
    row = torch.zeros(1, count).to(features.scales[0])
    row[0, channel] = 1.0
    levels = (normalise(_mean_maps(features, row, rectified=True)) * FULL).round().to(torch.uint8).cpu().numpy()
    return ActivationMaps(f"channel {channel}", features.size, np.zeros(1, dtype=np.int64), levels)


def table_rows(found: Sequence[tuple[str, Contributions]], channels: Sequence[int]) -> list[list[object]]:
    """A line a channel: its number, its activation, and of each set of weights both weights and the contribution.

    Args:
        found: name and contributions of sets of weights on the same features.
        channels: in the order of the lines.
    """
    activation = found[0][1].activation
    lines: list[list[object]] = []
    for c in channels:
        line: list[object] = [int(c), float(activation[c])]
        for _, one in found:
            line += [float(one.weight_a[c]), float(one.weight_b[c]), float(one.values[c])]
        lines.append(line)
    return lines


@torch.inference_mode()
def _mean_maps(features: PictureFeatures, rows: Tensor, rectified: bool = False) -> Tensor:
    """R x h x w: the responses of the rows on the grid of maps, their mean over all scales and mirror images."""
    grid, views = grid_size(features.size), 0
    total = features.scales[0].new_zeros(())
    for scale in features.scales:
        raw = responses(scale, rows.to(scale))
        raw = F.relu(raw) if rectified else raw
        if len(raw) == 2:
            raw = torch.stack([raw[0], raw[1].flip(-1)])
        total = total + F.interpolate(raw, size=grid, mode="bilinear", align_corners=False).sum(dim=0)
        views += len(raw)
    return total / views


def _transposed(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The transpose of bilinear enlargement from ``size`` (h, w) to the size of ``image``, applied to ``image``."""
    with torch.inference_mode(False), torch.enable_grad():
        small = torch.zeros(1, 1, *size, requires_grad=True)
        large = F.interpolate(small, size=tuple(image.shape), mode="bilinear", align_corners=False)
        (found,) = torch.autograd.grad((large[0, 0] * image).sum(), small)
    return found[0, 0]


#: So many channels are named.
NAMED = 3


@dataclass(frozen=True)
class Answer:
    """What one method says of a place.

    Attributes:
        title: of the method.
        given: what its seeds give the place to: 0 background (or unlabelled), k + 1 class k.
        found: the contributions to what its maps compare.
        as_shares: whether those are shares of each map's maximum; False for logits.
    """

    title: str
    given: int
    found: Contributions
    as_shares: bool = True


def proposed_classes(
    maps: ActivationMaps, given: int, truth: int | None, column: int, row: int, classes: ClassList
) -> tuple[int, int]:
    """The question that a pixel asks: A is the class that the maps give there, B what it is.

    Where no class is what it is (background, void, no ground truth) or the maps are right, B is the class with the next
    greatest activation.

    Args:
        maps: of the method, at least one class.
        given: what its seeds give the pixel to; 0 takes the class with the greatest activation.
        truth: the ground truth's value of the pixel, or None.
        column, row: the pixel.
        classes: the K classes.

    Returns:
        A and B, from 0, which differ.
    """
    levels = full_size(maps)[:, row, column].astype(int)
    ranked = maps.classes[np.argsort(-levels, kind="stable")].tolist()
    a = given - 1 if given else ranked[0]
    if truth not in (None, BACKGROUND, VOID, a + 1):
        return a, int(truth) - 1
    others = [*(k for k in ranked if k != a), *(k for k in range(len(classes)) if k != a)]
    return a, others[0]


def why_sentence(answers: Sequence[Answer], a: int, b: int, truth: int | None, classes: ClassList) -> str:
    """The answer in words, as plain text.

    Args:
        answers: of the method that is asked, and of one that came after it, if there is one.
        a, b: the classes of the question, from 0.
        truth: what the place is: 0 background, k + 1 class k, 255 void; None where nobody knows.
        classes: the K classes.
    """
    names, words = value_names(classes), []
    for place, one in enumerate(answers):
        called = f"\u201c{names[one.given]}\u201d"
        if place and one.given == answers[0].given:
            called = f"{called} as well"
        verdict = ""
        if truth is not None and truth != VOID and (truth != BACKGROUND or classes.has_background):
            verdict = " (right)" if one.given == truth else "" if place else f" (it is {names[truth]})"
        start = f"{one.title} calls this {called}{verdict}"
        words.append(f"{start}: {_balance(one, a, b, classes)}.")
    return " ".join(words)


def _balance(one: Answer, a: int, b: int, classes: ClassList) -> str:
    """Who has how much, and which channels make it so."""
    found, for_b = one.found, one.found.difference < 0
    winner, loser = (b, a) if for_b else (a, b)
    more, less = (found.of_b, found.of_a) if for_b else (found.of_a, found.of_b)
    if one.as_shares:
        # Below 0 a map shows nothing.
        much = (
            f"{classes.names[winner]} has {_two(more)} of its map's maximum here, {classes.names[loser]} {_two(less)}"
        )
    else:
        much = f"the logit of {classes.names[winner]} is {more:.1f} here, that of {classes.names[loser]} {less:.1f}"
    channels = found.strongest(NAMED, for_b)
    if not len(channels):
        return f"{much}, and no channel speaks for either"
    numbers = [str(c) for c in channels.tolist()]
    listed = listing(numbers)
    word, verb = ("channels", "speak") if len(numbers) > 1 else ("channel", "speaks")
    share = found.share_of(channels, for_b)
    return f"{much}, since {word} {listed} {verb} most for it ({share:.0%} of all that does)"


def _two(value: float) -> str:
    return f"{max(value, 0.0):.2f}"
