"""What fills the cells of a comparison: a photo under heat, contours, seeds, errors or disagreement."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from recam_core.data.sample import VOID
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, full_size, seed_mask, threshold_level
from recam_core.views.colours import blend, class_colours, heat_overlay, muted
from recam_core.views.figure_style import FigureStyle
from recam_core.views.marks import GREY, draw_marks, outline
from recam_core.views.pixel_kinds import CLASS_ERRORS, DISAGREEMENTS, disagreement_codes, error_codes

HEAT, CONTOUR, SEEDS, ERRORS, DISAGREEMENT = "heat", "contour", "seeds", "errors", "disagreement"
#: What a row of cells can show, and what it is called.
KINDS: dict[str, str] = {
    HEAT: "Activation",
    CONTOUR: "Contours",
    SEEDS: "Seeds",
    ERRORS: "Errors",
    DISAGREEMENT: "Disagreement",
}
#: Seeds and heat cover whole areas evenly, so the same opacity hides more of the photo than marks do.
_FILLED = 0.7


@dataclass(frozen=True)
class FigurePane:
    """One method's view of a picture.

    Attributes:
        title: of the method.
        maps: its activation maps.
        threshold: the background threshold of its seeds; None gives every pixel to its arg-max class.
    """

    title: str
    maps: ActivationMaps
    threshold: float | None

    @cached_property
    def reading(self) -> tuple[np.ndarray, np.ndarray]:
        """Arg-max class and activation, both H x W uint8; see :func:`argmax_and_activation`."""
        return argmax_and_activation(self.maps)

    @cached_property
    def seeds(self) -> np.ndarray:
        """H x W, uint8: 0 background, k + 1 class k."""
        return seed_mask(*self.reading, self.threshold)

    def levels(self, classes: Sequence[int] = ()) -> np.ndarray:
        """H x W, uint8: each pixel's greatest activation among some classes (those without a map are 0), or among all.

        Args:
            classes: indices from 0; none means all.
        """
        if not classes:
            return self.reading[1]
        maps, chosen = self.maps, np.isin(self.maps.classes, classes)
        if not chosen.any():
            return np.zeros(maps.size, dtype=np.uint8)
        return full_size(ActivationMaps(maps.id, maps.size, maps.classes[chosen], maps.activations[chosen])).max(axis=0)


@dataclass(frozen=True)
class FigureRow:
    """One picture as several methods see it, in one kind of overlay.

    Attributes:
        image: H x W x 3, uint8.
        mask: H x W uint8 ground truth (0 background, k + 1 class k, 255 void), or None.
        panes: one a method.
        kind: a key of :data:`KINDS`.
        classes: the classes (from 0) that are shown; none means all.
        label: stands at the left of the row; empty for none.

    Raises:
        UserError: an unknown kind, errors without ground truth, or maps of another picture's size.
    """

    image: np.ndarray
    mask: np.ndarray | None
    panes: tuple[FigurePane, ...]
    kind: str = ERRORS
    classes: tuple[int, ...] = ()
    label: str = ""

    def __post_init__(self) -> None:
        size = self.image.shape[:2]
        if self.kind not in KINDS:
            raise UserError(f"There is no overlay {self.kind!r}: choose one of {', '.join(KINDS)}.")
        if self.kind == ERRORS and self.mask is None:
            raise UserError("This picture has no ground truth, so errors cannot be drawn; choose disagreement.")
        if self.mask is not None and self.mask.shape != size:
            raise UserError("The photo and its ground truth differ in size.")
        for pane in self.panes:
            if pane.maps.size != size:
                raise UserError(f"The maps of {pane.title} are of a picture of another size.")

    @cached_property
    def codes(self) -> tuple[np.ndarray, ...]:
        """H x W uint8 for each pane: codes of errors or of disagreement."""
        if self.kind == ERRORS and self.mask is not None:
            return tuple(self._errors(pane.seeds, self.mask) for pane in self.panes)
        seeds = [self.only(pane.seeds) for pane in self.panes]
        return tuple(disagreement_codes(seeds, own) for own in range(len(seeds)))

    def only(self, mask: np.ndarray) -> np.ndarray:
        """A mask or seeds without what belongs to classes that are not shown; void stays."""
        if not self.classes:
            return mask
        return np.where(np.isin(mask, [*(k + 1 for k in self.classes), VOID]), mask, np.uint8(0))

    def _errors(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if len(self.classes) == 1:
            return error_codes(seeds, mask, self.classes[0])
        codes = error_codes(seeds, mask)
        if self.classes:
            # Of several classes, only what concerns them: pixels that are theirs, or that are given to them.
            values = [k + 1 for k in self.classes]
            codes[~np.isin(mask, values) & ~np.isin(seeds, values)] = 0
        return codes


def photo_cell(row: FigureRow, size: tuple[int, int]) -> np.ndarray:
    """The photo alone, at ``size`` (H, W) pixels: H x W x 3 uint8."""
    return resized(row.image, size, Image.Resampling.LANCZOS)


def truth_cell(row: FigureRow, size: tuple[int, int], num_classes: int, style: FigureStyle) -> np.ndarray:
    """The ground truth in the colours of its classes: H x W x 3 uint8; the photo where there is none."""
    if row.mask is None:
        return photo_cell(row, size)
    codes = resized(row.only(row.mask), size, Image.Resampling.NEAREST)
    return seed_overlay(photo_cell(row, size), codes, num_classes, style.opacity * _FILLED)


def pane_cell(row: FigureRow, place: int, size: tuple[int, int], num_classes: int, style: FigureStyle) -> np.ndarray:
    """One method's cell at ``size`` (H, W) pixels, H x W x 3 uint8; contour lines are drawn on top by the figure.

    Marks are drawn at this size, so that their patterns have the same width in print on every picture.
    """
    pane, photo = row.panes[place], photo_cell(row, size)
    if row.kind == CONTOUR:
        if pane.threshold is None:
            return photo
        # As the contour overlay of the screen: what the threshold leaves to the background is quietened.
        levels = resized(pane.levels(row.classes), size, Image.Resampling.BILINEAR)
        quiet = muted(photo, colour=1 - 0.6 * style.opacity, light=0.5 * style.opacity)
        return np.where((levels > threshold_level(pane.threshold))[:, :, None], photo, quiet)
    if row.kind == HEAT:
        levels = resized(pane.levels(row.classes), size, Image.Resampling.BILINEAR)
        return heat_overlay(photo, levels, style.colour_map, style.opacity * _FILLED)
    if row.kind == SEEDS:
        codes = resized(row.only(pane.seeds), size, Image.Resampling.NEAREST)
        return seed_overlay(photo, codes, num_classes, style.opacity * _FILLED)
    codes = resized(row.codes[place], size, Image.Resampling.NEAREST)
    return draw_marks(photo, codes, CLASS_ERRORS if row.kind == ERRORS else DISAGREEMENTS, style.opacity)


def resized(values: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    """H x W (x 3) uint8 at another ``size`` (H, W)."""
    if values.shape[:2] == size:
        return values
    return np.asarray(Image.fromarray(np.ascontiguousarray(values)).resize((size[1], size[0]), how))


def classes_shown(rows: Sequence[FigureRow], with_truth: bool) -> list[int]:
    """The classes (from 0) that rows of seeds, and cells of ground truth, give a colour to; ascending."""
    values: set[int] = set()
    for row in rows:
        masks = [pane.seeds for pane in row.panes] if row.kind == SEEDS else []
        if with_truth and row.mask is not None:
            masks.append(row.mask)
        found = {int(value) - 1 for mask in masks for value in np.unique(mask)} - {-1, VOID - 1}
        values |= found & set(row.classes) if row.classes else found
    return sorted(values)


def seed_overlay(
    image: np.ndarray,
    seeds: np.ndarray,
    num_classes: int,
    opacity: float = 0.7,
    class_index: int | None = None,
) -> np.ndarray:
    """The picture with each pixel of a mask in the colour of its class, and borders between classes.

    Args:
        image: H x W x 3, uint8, at screen size.
        seeds: H x W, uint8: 0 background, k + 1 class k, 255 void (drawn grey).
        num_classes: K; fixes the colours.
        opacity: of the colours, 0..1.
        class_index: show only this class (from 0); None shows all.

    Returns:
        H x W x 3, uint8.
    """
    if class_index is not None:
        seeds = np.where((seeds == class_index + 1) | (seeds == VOID), seeds, 0)
    colours = np.zeros((256, 3), dtype=np.uint8)
    colours[: num_classes + 1] = class_colours(num_classes)
    colours[VOID] = GREY
    covered = seeds != 0
    alpha = np.where(covered, opacity, 0.0)
    edge = outline(seeds) & covered
    picture = blend(muted(image, colour=0.5, light=0.35 * opacity), colours[seeds], alpha)
    return np.where(edge[:, :, None], blend(colours[seeds], np.full_like(picture, 255), 0.55), picture)
