"""The numbers of an answer, kept between reruns: features of a picture, and what each channel adds at a place."""

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st
from torch import Tensor

from app.map_cache import Inference
from app.methods import Method
from app.pictures import Picture
from app.why.question import Question
from recam_core.analysis.why import (
    Contributions,
    channel_map,
    contributions,
    difference_map,
    map_rows,
    place_weights,
)
from recam_core.maps.activation_maps import full_size
from recam_core.maps.inference import PictureFeatures, picture_features

#: The sets of weights that a difference can be told by.
AS_MAP, FC1, FC2 = "map", "fc1", "fc2"


@dataclass(frozen=True, eq=False)
class Told:
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


def told(question: Question) -> list[Told]:
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
        answers.append(Told(method, features, found, as_shares, question.given(number)))
    return answers
