"""What the page asks about, and the numbers of the answer.

A question is a picture, the runs that look at it, a place in it and two classes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from torch import Tensor

from app.catalogue import Family
from app.map_cache import Inference, maps_of, threshold_now
from app.methods import Method
from app.pictures import Picture
from recam_core.analysis.why import (
    Contributions,
    channel_map,
    contributions,
    difference_map,
    map_rows,
    place_weights,
    proposed_classes,
)
from recam_core.analysis.wrong_regions import WrongRegion, region_around, wrong_regions
from recam_core.data.sample import ClassList
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, full_size, seed_mask
from recam_core.maps.inference import PictureFeatures, picture_features

#: The sets of weights that a difference can be told by.
AS_MAP, FC1, FC2 = "map", "fc1", "fc2"


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
            seed_mask(
                *argmax_and_activation(self.maps(method)), threshold_now(method, self.methods, self.classes, view)
            )
            for method in self.methods
        )

    def wrong(
        self, seeds: tuple[np.ndarray, ...], truth: int | None = None, taken_for: int | None = None
    ) -> list[WrongRegion]:
        """The wrong regions of the first of these seeds; none without ground truth."""
        mask = self.picture.truth
        if mask is None or not seeds:
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
        mask = self.scene.picture.truth
        return None if mask is None else int(mask[self.row, self.column])

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
        return region_around(seeds[0], scene.picture.truth, column, row)
    pixels = np.zeros(scene.picture.image.shape[:2], dtype=bool)
    pixels[row, column] = True
    return pixels


def asked_classes(scene: Scene, seeds: tuple[np.ndarray, ...], column: int, row: int) -> tuple[int, int]:
    """A and B as the pixel proposes them."""
    mask = scene.picture.truth
    truth = None if mask is None else int(mask[row, column])
    maps = scene.maps(scene.methods[0])
    return proposed_classes(maps, int(seeds[0][row, column]), truth, column, row, scene.classes)


# The answer -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MethodAnswer:
    """One method's answer.

    Attributes:
        method: which.
        features: of the picture.
        found: by the set of weights: ``AS_MAP`` as its maps compare the two classes, ``FC1``, and ``FC2`` where it has
            one, as differences of logits.
        as_shares: whether its maps compare shares of their maxima; False for logits.
        given: what its seeds give the place to: 0 background, k + 1 class k.
    """

    method: Method
    features: PictureFeatures
    found: dict[str, Contributions]
    as_shares: bool
    given: int

    def channel_levels(self, channel: int) -> np.ndarray:
        """H x W, uint8: where in the picture a channel fires."""
        return full_size(channel_map(self.features, channel))[0]

    def evidence(self, weights: str) -> np.ndarray:
        """h x w: what A has less what B has, all over the picture."""
        return difference_map(self.features, self.found[weights])


@st.cache_resource(max_entries=6, ttl="30m", show_spinner=False)
def _features(weights: str, picture: str, how: Inference, _method: Method, _picture: Picture) -> PictureFeatures:
    with _method.shared.lock:
        return picture_features(_method.shared.run.network, _picture.image, how.scales, how.mirror)


@st.cache_resource(max_entries=64, ttl="30m", show_spinner=False)
def _contributions(
    weights: str,
    picture: str,
    how: Inference,
    place: str,
    kind: str,
    a: int,
    b: int,
    divided: bool,
    _features: PictureFeatures,
    _rows: Tensor,
    _pixels: np.ndarray,
) -> Contributions:
    return contributions(_features, _rows, a, b, place_weights(_features.size, _pixels), divided=divided)


def method_answers(question: Question) -> list[MethodAnswer]:
    """The answer of each method of the scene.

    Raises:
        UserError: the weights of a run are missing or damaged.
    """
    scene = question.scene
    place = hashlib.blake2b(np.packbits(question.pixels).tobytes(), digest_size=12).hexdigest()
    answers = []
    for number, method in enumerate(scene.methods):
        features = _features(method.weights_key, scene.picture.key, scene.how, method, scene.picture)
        rows, as_shares = map_rows(method.weight)
        network = method.shared.run.network
        sets = {AS_MAP: (rows, as_shares), FC1: (network.fc1.detach(), False)}
        if network.fc2 is not None:
            sets[FC2] = (network.fc2.detach()[: len(scene.classes)], False)
        found = {
            kind: _contributions(
                method.weights_key,
                scene.picture.key,
                scene.how,
                place,
                kind,
                question.a,
                question.b,
                divided,
                features,
                chosen,
                question.pixels,
            )
            for kind, (chosen, divided) in sets.items()
        }
        answers.append(MethodAnswer(method, features, found, as_shares, question.given(number)))
    return answers
