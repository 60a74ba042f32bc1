"""What the page asks about: a picture, the runs that look at it, a place in it, and two classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.catalogue import Family
from app.export_panel import threshold_now
from app.map_cache import Inference, maps_of
from app.methods import Method
from app.pictures import Picture
from recam_core.analysis.why import proposed_classes
from recam_core.analysis.wrong_regions import WrongRegion, region_around, wrong_regions
from recam_core.data.sample import ClassList
from recam_core.maps.activation_maps import ActivationMaps, seed_mask, winner_and_level


@dataclass(frozen=True)
class Scene:
    """A picture, and one or two methods that look at it.

    Attributes:
        family: whose runs they are.
        spec: of the data set; "" for a photo of one's own.
        picture: what is looked at.
        methods: the one that is asked, and one that came after it, if there is one.
        present: the classes that maps are made of.
        how: the inference settings.
    """

    family: Family
    spec: str
    picture: Picture
    methods: tuple[Method, ...]
    present: tuple[int, ...]
    how: Inference

    @property
    def classes(self) -> ClassList:
        return self.family.classes

    def maps(self, method: Method) -> ActivationMaps:
        """Of one of the methods."""
        return maps_of(method, self.picture, self.present, self.how)

    def seeds(self, view: Mapping[str, Any]) -> tuple[np.ndarray, ...]:
        """H x W uint8 of each method, cut as the viewer cuts them."""
        return tuple(
            seed_mask(*winner_and_level(self.maps(method)), threshold_now(method, self.methods, self.classes, view))
            for method in self.methods
        )

    def wrong(
        self, seeds: tuple[np.ndarray, ...], truth: int | None = None, taken_for: int | None = None
    ) -> list[WrongRegion]:
        """The wrong regions of the first of these seeds; none without ground truth."""
        mask = self.picture.mask
        if mask is None or not self.picture.has_truth or not seeds:
            return []
        after = seeds[1] if len(seeds) > 1 else None
        return wrong_regions(
            seeds[0], mask, self.classes.has_background, after=after, truth=truth, taken_for=taken_for, most=6
        )


@dataclass(frozen=True, eq=False)
class Question:
    """Why A and not B, at this place of the scene.

    Attributes:
        scene: where.
        column, row: the pixel.
        pixels: H x W, bool; the place, the pixel alone or the region around it.
        seeds: of each method.
        a, b: the classes, from 0.
    """

    scene: Scene
    column: int
    row: int
    pixels: np.ndarray
    seeds: tuple[np.ndarray, ...]
    a: int
    b: int

    @property
    def truth(self) -> int | None:
        """The ground truth of the pixel; None where there is none."""
        mask = self.scene.picture.mask
        return None if mask is None or not self.scene.picture.has_truth else int(mask[self.row, self.column])

    @property
    def names(self) -> tuple[str, str]:
        """Of A and B."""
        return self.scene.classes.names[self.a], self.scene.classes.names[self.b]

    def given(self, place: int) -> int:
        """What a method gives most of the place to."""
        return int(np.bincount(self.seeds[place][self.pixels]).argmax())


def place_of(scene: Scene, seeds: tuple[np.ndarray, ...], column: int, row: int, whole_region: bool) -> np.ndarray:
    """H x W, bool: the pixel, or all around it that the first method gives to the same class."""
    if whole_region:
        mask = scene.picture.mask if scene.picture.has_truth else None
        return region_around(seeds[0], mask, column, row)
    pixels = np.zeros(scene.picture.image.shape[:2], dtype=bool)
    pixels[row, column] = True
    return pixels


def asked_classes(scene: Scene, seeds: tuple[np.ndarray, ...], column: int, row: int) -> tuple[int, int]:
    """A and B as the pixel proposes them."""
    mask = scene.picture.mask if scene.picture.has_truth else None
    truth = None if mask is None else int(mask[row, column])
    maps = scene.maps(scene.methods[0])
    return proposed_classes(maps, int(seeds[0][row, column]), truth, column, row, scene.classes)
