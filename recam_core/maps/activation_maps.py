"""Activation maps of one picture, and the one reading of them that scores, seeds and views share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.errors import UserError
from recam_core.words import listing

#: Pixels of the picture for one cell of the grid that maps are kept on.
GRID_STRIDE = 4
#: The stored value of the maximum of a map (eq. 2 divides by it).
FULL = 255


@dataclass(frozen=True)
class ActivationMaps:
    """The maps of one picture by one method (eq. 2, or eq. 7), quantised to 8 bits.

    Attributes:
        id: the picture's id in its data set.
        size: (H, W) of the picture in pixels.
        classes: n, int64, ascending: the class indices (from 0) that maps were made for.
        activations: n x h x w, uint8, 255 being the maximum of each class, on a grid of stride 4:
            h = ceil(H / 4), w = ceil(W / 4).
    """

    id: str
    size: tuple[int, int]
    classes: np.ndarray
    activations: np.ndarray

    def __post_init__(self) -> None:
        expected = (len(self.classes), *grid_size(self.size))
        if self.activations.shape != expected or self.activations.dtype != np.uint8:
            raise ValueError(
                f"maps of {self.id!r} must be uint8 {expected}, got {self.activations.dtype} {self.activations.shape}"
            )
        # `argmax_and_activation` resolves ties by this order and the store saves it, so it must be canonical.
        if len(self.classes) > 1 and not np.all(np.diff(self.classes) > 0):
            raise ValueError(f"classes of {self.id!r} must ascend, got {self.classes.tolist()}")


def grid_size(size: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of the grid that the maps of a picture of ``size`` (H, W) are kept on."""
    return -(-size[0] // GRID_STRIDE), -(-size[1] // GRID_STRIDE)


def argmax_and_activation(maps: ActivationMaps) -> tuple[np.ndarray, np.ndarray]:
    """Which class each pixel goes to, and how strongly: all that a seed mask or a score depends on.

    The 8-bit grid is upsampled bilinearly (``align_corners=False``) to the picture in float32; the arg-max is taken
    over these floats, and only then is the greatest rounded. Ties, and pixels where every map is zero, go to the first
    present class (their activation says how little that means). Where a map has no activation at all, however, that
    tie would hand the picture to a class of which nothing was seen: pixels of activation 0 then go to no class.

    Returns:
        argmax: H x W, uint8; k + 1 of the arg-max class k, 0 for none: everywhere if the picture has no class.
        activation: H x W, uint8; its activation, 0..255.
    """
    return strongest(_upsampled(maps), (maps.classes + 1).tolist(), maps.size, silent_maps(maps).any())


def strongest(
    planes: Iterable[np.ndarray], values: Iterable[int], shape: tuple[int, ...], silent: np.ndarray | np.bool | bool
) -> tuple[np.ndarray, np.ndarray]:
    """The arg-max over planes and its rounded value: the one place where both are found.

    Args:
        planes: of each class in turn, ``shape`` float32, 0..255. Class by class: the memory needed does not grow with
            the number of classes of a large photo.
        values: of each class, 1 or more, what its pixels get.
        shape: of a plane.
        silent: whether any of the maps has no activation at all; broadcast to ``shape``.

    Returns:
        argmax and activation, both ``shape`` uint8; see :func:`argmax_and_activation`.
    """
    argmax, activation = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.float32)
    for order, (value, plane) in enumerate(zip(values, planes, strict=True)):
        if order == 0:
            argmax.fill(value)
            activation = plane
        else:
            argmax[plane > activation] = value
            np.maximum(activation, plane, out=activation)
    activation = np.rint(activation).astype(np.uint8)
    if np.any(silent):
        argmax[np.broadcast_to(silent, shape) & (activation == 0)] = 0
    return argmax, activation


def silent_maps(maps: ActivationMaps) -> np.ndarray:
    """n, bool: which maps are zero everywhere, so that they show nothing and claim no pixel."""
    return ~np.any(maps.activations, axis=(1, 2))


def full_size(maps: ActivationMaps) -> np.ndarray:
    """n x H x W, uint8: every map at the size of the picture, by the upsampling of :func:`argmax_and_activation`."""
    planes = np.zeros((len(maps.classes), *maps.size), dtype=np.uint8)
    for order, plane in enumerate(_upsampled(maps)):
        planes[order] = np.rint(plane)
    return planes


def threshold_level(threshold: float) -> int:
    """The 8-bit level of a background threshold: pixels at or below it are background.

    Raises:
        UserError: the threshold is not within 0..1.
    """
    if not 0.0 <= threshold <= 1.0:
        raise UserError(f"A background threshold lies between 0 and 1, got {threshold}.")
    return round(threshold * FULL)


def lowest_kept(threshold: float | None) -> int:
    """The lowest 8-bit activation with which a pixel keeps its arg-max class; below it, it goes to the background.

    The one place where a threshold becomes a cut: seeds, confusion matrices, indices and joint counts all ask here.

    Args:
        threshold: background threshold 0..1, or None to give every pixel to its arg-max class.

    Raises:
        UserError: the threshold is not within 0..1.
    """
    return 0 if threshold is None else threshold_level(threshold) + 1


def seed_mask(argmax: np.ndarray, activation: np.ndarray, threshold: float | None) -> np.ndarray:
    """The seeds: per pixel arg-max over [threshold, CAM of each present class]; the background wins ties.

    Args:
        argmax: H x W, uint8, and
        activation: H x W, uint8, both from :func:`argmax_and_activation`.
        threshold: background threshold, 0..1. None gives every pixel to its arg-max class, which is how sets
            without a background class are read.

    Returns:
        H x W, uint8: 0 background (or, without a background class, unlabelled), k + 1 class k.

    Raises:
        UserError: the threshold is not within 0..1.
    """
    return np.where(activation >= lowest_kept(threshold), argmax, np.uint8(0))


def upsampled(grids: np.ndarray, size: tuple[int, int], at: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """Grids at the size of the picture: (..., H, W) float32, bilinear.

    Written out in numpy, because ``interpolate`` of torch needs its thread pool: beside a training run, waiting for
    the pool took ten times as long as the arithmetic. ``a + (b - a) * t`` keeps flat parts exactly flat, so that
    equal maps stay equal and a plateau at the maximum stays at 255.

    Args:
        grids: (..., h, w) float32, 0..255.
        size: (H, W) of the picture.
        at: the rows and the columns of the picture that are wanted; all by default.
    """
    rows, columns = at or (np.arange(size[0]), np.arange(size[1]))
    left, right, across = _neighbours(grids.shape[-1], size[1], columns)
    above, below, down = _neighbours(grids.shape[-2], size[0], rows)
    start = grids.take(left, axis=-1)
    wide = start + (grids.take(right, axis=-1) - start) * across
    start = wide.take(above, axis=-2)
    plane = wide.take(below, axis=-2)
    plane -= start
    plane *= down[:, None]
    plane += start
    return plane


def _upsampled(maps: ActivationMaps) -> Iterator[np.ndarray]:
    """Each map in turn as H x W float32, 0..255."""
    for grid in maps.activations:
        yield upsampled(grid.astype(np.float32), maps.size)


def _neighbours(cells: int, pixels: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per pixel ``at`` of an axis: the cell before its centre, the cell after it, and how far it lies between them."""
    centre = np.clip((at + 0.5) * (cells / pixels) - 0.5, 0, cells - 1)
    before = np.floor(centre).astype(np.intp)
    return before, np.minimum(before + 1, cells - 1), (centre - before).astype(np.float32)


#: Classes that are named; of more, only their number is told.
_NAMED = 6


class SilentCount:
    """Counts, picture by picture, how often a class got a map and how often that map was empty.

    Attributes:
        made: K, int64; pictures in which each class has a map.
        silent: K, int64; of these, the pictures in which it has no activation.
    """

    def __init__(self, classes: int):
        self.made = np.zeros(classes, dtype=np.int64)
        self.silent = np.zeros(classes, dtype=np.int64)

    def add(self, maps: ActivationMaps) -> None:
        """Count a picture's maps."""
        self.made[maps.classes] += 1
        self.silent[maps.classes[silent_maps(maps)]] += 1

    def merge(self, other: "SilentCount") -> None:
        """Count what another counted."""
        self.made += other.made
        self.silent += other.silent

    def words(self, names: Sequence[str]) -> str:
        """A sentence on the classes without activation, for all pictures together; "" where there is none."""
        found = np.flatnonzero(self.silent)
        if not len(found):
            return ""
        # Those that are wholly without come first.
        order = found[np.argsort(-(self.silent[found] / self.made[found]), kind="stable")].tolist()
        listed = listing([f"{names[k]} ({_pictures(int(self.silent[k]), int(self.made[k]))})" for k in order], _NAMED)
        words = f"No activation for {listed}: such a map is zero everywhere and claims no pixel."
        if (self.silent[found] == self.made[found]).any():
            words += " Class weights that are all zero, or a training that failed, leave a class without any."
        return words


def no_activation_words(maps: ActivationMaps, names: Sequence[str]) -> str:
    """A sentence on the classes without activation in one picture; "" where there is none.

    Args:
        maps: of the picture.
        names: of all K classes.
    """
    found = [names[k] for k in maps.classes[silent_maps(maps)].tolist()]
    return (
        f"No activation for {listing(found, _NAMED)}: the map is zero everywhere and claims no pixel." if found else ""
    )


def _pictures(silent: int, made: int) -> str:
    if silent == made:
        return "in its only picture" if made == 1 else f"in all {made:,} of its pictures"
    return f"in {silent:,} of {made:,} pictures"
