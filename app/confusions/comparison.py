"""What the page compares, and the results of the analysis.

Results are made once for given methods, thresholds and filters and shared by all sessions, keyed by the identity of
each method.
"""

import threading
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import streamlit as st

from app.catalogue import Family
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.confusions import ConfusedPair, class_order, top_pairs
from recam_core.analysis.gains import ClassGain, class_gain
from recam_core.analysis.outcomes import Outcomes, outcomes_of_all
from recam_core.analysis.picture_table import PictureTable, picture_table, single_class_pictures
from recam_core.data.sample import ClassList
from recam_core.scores.band import band_words
from recam_core.scores.metrics import value_names
from recam_core.scores.scores import CumulativeConfusion, Scores


@dataclass(frozen=True)
class Comparison:
    """What every section is drawn from.

    Attributes:
        family: the runs' family.
        spec: of the data set.
        methods: in the order of the page, at least one; all of the same pictures and classes.
        thresholds: by method key; None where every pixel goes to its arg-max class.
        one_threshold: the threshold that was set for all methods; None where each has its own, or there is none.
        chosen: packed bits, one a picture that the filters let pass; None for all pictures.
        filter_words: what the filters ask for, in words; "" without filters.
        with_single: whether pictures that tell nothing (a single class, no background) stand in lists and means of
            pictures; figures of all pixels hold them either way.
    """

    family: Family
    spec: str
    methods: tuple[Analysed, ...]
    thresholds: dict[str, float | None]
    one_threshold: float | None = None
    chosen: bytes | None = None
    filter_words: str = ""
    with_single: bool = False

    @property
    def classes(self) -> ClassList:
        """The classes that truth and prediction number."""
        return self.methods[0].counts.classes

    @property
    def band(self) -> int | None:
        """Only pixels so near to a contour of the ground truth count; None for all."""
        return self.methods[0].band

    @property
    def about(self) -> str:
        """Which pixels and pictures count, in words; "" for all."""
        counted = "" if self.band is None else f"Only pixels {band_words(self.band)} of the ground truth count."
        return " ".join(filter(None, (counted, self.filter_words)))

    @property
    def names(self) -> tuple[str, ...]:
        """K + 1 names: 0 the background (or what is unlabelled), k + 1 class k."""
        return value_names(self.classes)

    @property
    def titles(self) -> dict[str, str]:
        """By method key, for people; two methods of one title are told apart by their key."""
        titles = [method.title for method in self.methods]
        return {
            method.key: method.title if titles.count(method.title) == 1 else f"{method.title} ({method.key})"
            for method in self.methods
        }

    def method(self, key: str) -> Analysed:
        """The method of a key; KeyError if it is not compared."""
        return {method.key: method for method in self.methods}[key]


#: (key, identity) of each method, and (key, threshold) of each.
_Methods: TypeAlias = tuple[tuple[str, str], ...]
_Thresholds: TypeAlias = tuple[tuple[str, float | None], ...]


def _methods(compared: Comparison) -> _Methods:
    return tuple((method.key, method.identity) for method in compared.methods)


def _thresholds(compared: Comparison) -> _Thresholds:
    return tuple(compared.thresholds.items())


def chosen_pictures(compared: Comparison) -> np.ndarray | None:
    """N bools: what the filters let pass; None for all."""
    return None if compared.chosen is None else _passing(compared.chosen, compared)


def _passing(chosen: bytes, compared: Comparison) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(chosen, np.uint8), count=len(compared.methods[0].counts))
    return bits.astype(bool)


@st.cache_resource(max_entries=12, show_spinner="Indexing the pixel counts")
def _index(identity: str, _method: Analysed) -> CellIndex:
    return CellIndex.of(_method.counts)


def index_of(method: Analysed) -> CellIndex:
    """The index that finds the pictures of a cell."""
    return _index(method.identity, method)


def single_class(compared: Comparison) -> np.ndarray:
    """N bools: pictures that tell nothing, as they show a single class and no background."""
    first = compared.methods[0]
    return single_class_pictures(index_of(first), compared.thresholds.values(), first.store.info.labels)


def listed_pictures(compared: Comparison) -> np.ndarray | None:
    """N bools: of the chosen pictures, those that lists and means of pictures are of; None for all."""
    chosen, single = chosen_pictures(compared), single_class(compared)
    if compared.with_single or not single.any():
        return chosen
    return ~single if chosen is None else chosen & ~single


@st.cache_resource(max_entries=12, show_spinner=False)
def _cumulative(identity: str, _method: Analysed) -> CumulativeConfusion:
    return CumulativeConfusion.build(index_of(_method))


@st.cache_resource(max_entries=8, show_spinner=False)
def _confusions_of_some(
    methods: _Methods, thresholds: _Thresholds, chosen: bytes, _compared: Comparison
) -> dict[str, np.ndarray]:
    passes = _passing(chosen, _compared)
    outcomes = _outcomes(methods, thresholds, _compared)
    return {key: each.where(passes).confusion() for key, each in outcomes.items()}


def scores_of(compared: Comparison, key: str) -> Scores:
    """Confusion matrix and scores of a method at its threshold, over the pictures that the filters let pass."""
    method, threshold = compared.method(key), compared.thresholds[key]
    if compared.chosen is None:
        return _cumulative(method.identity, method).scores(threshold)
    # Every threshold of some of the pictures would take a second a method; one takes a tenth of that.
    confusion = _confusions_of_some(_methods(compared), _thresholds(compared), compared.chosen, compared)[key]
    return Scores(threshold, confusion, compared.classes.has_background)


def confusions_of(compared: Comparison) -> dict[str, np.ndarray]:
    """By method: (K+1) x (K+1) pixels, rows ground truth."""
    return {method.key: scores_of(compared, method.key).confusion for method in compared.methods}


def _usual_confusion(method: Analysed) -> np.ndarray:
    """(K+1) x (K+1) of all pictures at the method's own threshold: what does not move with the controls."""
    return _cumulative(method.identity, method).at(method.threshold)


def most_confused(compared: Comparison) -> tuple[int, int]:
    """The ground truth and the prediction of the pair of classes that the last method, whose matrix is shown first,
    confuses most."""
    pixels = _usual_confusion(compared.methods[-1])
    np.fill_diagonal(pixels, 0)
    if pixels[1:, 1:].any():
        pixels[0], pixels[:, 0] = 0, 0
    truth, predicted = np.unravel_index(pixels.argmax(), pixels.shape)
    return int(truth), int(predicted)


@st.cache_resource(max_entries=24, show_spinner=False)
def _order(methods: _Methods, _compared: Comparison) -> np.ndarray:
    return class_order(np.sum([_usual_confusion(method) for method in _compared.methods], axis=0))


def order_of(compared: Comparison) -> np.ndarray:
    """K + 1: the classes so that confusable ones are neighbours, for all thresholds and filters alike: rows that
    changed places under a moving slider could not be followed."""
    return _order(_methods(compared), compared)


# Of 80,000 pictures one entry has 60 MB: the threshold of now and the one before it.
@st.cache_resource(max_entries=2, show_spinner="Looking at every picture")
def _outcomes(methods: _Methods, thresholds: _Thresholds, _compared: Comparison) -> dict[str, Outcomes]:
    indices = {method.key: index_of(method) for method in _compared.methods}
    return outcomes_of_all(indices, dict(thresholds))


@st.cache_resource(max_entries=12, show_spinner=False)
def _prepared(methods: _Methods, _compared: Comparison) -> threading.Thread:
    indices = [index_of(method) for method in _compared.methods]

    def prepare_all() -> None:
        for index in indices:
            index.prepare()

    thread = threading.Thread(target=prepare_all, daemon=True, name="prepare")
    thread.start()
    return thread


def prepare(compared: Comparison) -> None:
    """Have what the sections but the matrix share made in the background, while the first one is looked at."""
    _prepared(_methods(compared), compared)


def _indices(compared: Comparison) -> dict[str, CellIndex]:
    return {method.key: index_of(method) for method in compared.methods}


@st.cache_resource(max_entries=8, show_spinner=False)
def _pairs(
    methods: _Methods,
    thresholds: _Thresholds,
    chosen: bytes | None,
    with_background: bool,
    most: int | None,
    _compared: Comparison,
) -> list[ConfusedPair]:
    return top_pairs(
        confusions_of(_compared),
        _indices(_compared),
        dict(thresholds),
        most=most,
        with_background=with_background,
        chosen=chosen_pictures(_compared),
        outcomes=_outcomes(methods, thresholds, _compared),
    )


def pairs_of(compared: Comparison, with_background: bool, most: int | None = None) -> list[ConfusedPair]:
    """The pairs of classes that all methods together confuse most, most pixels first; all of them by default."""
    return _pairs(_methods(compared), _thresholds(compared), compared.chosen, with_background, most, compared)


@st.cache_resource(max_entries=8, show_spinner="Drawing pictures anew, to tell a difference from noise")
def _gain(
    methods: _Methods, thresholds: _Thresholds, chosen: bytes | None, key: str, reference: str, _compared: Comparison
) -> ClassGain:
    indices = _indices(_compared)
    indices[key] = indices.pop(key)  # classes are sorted by the gain of the last one
    return class_gain(
        indices,
        dict(thresholds),
        reference,
        chosen=chosen_pictures(_compared),
        outcomes=_outcomes(methods, thresholds, _compared),
    )


def gain_of(compared: Comparison, key: str, reference: str) -> ClassGain:
    """IoU per class of all methods and what each gains over the reference, sorted by the gain of ``key``."""
    return _gain(_methods(compared), _thresholds(compared), compared.chosen, key, reference, compared)


@st.cache_resource(max_entries=2, show_spinner=False)
def _table(methods: _Methods, thresholds: _Thresholds, reference: str, _compared: Comparison) -> PictureTable:
    whole = _compared.methods[0].whole
    return picture_table(
        _indices(_compared),
        dict(thresholds),
        reference,
        outcomes=_outcomes(methods, thresholds, _compared),
        whole=None if whole is None else index_of(whole),
    )


def table_of(compared: Comparison) -> PictureTable:
    """One row a picture, of all pictures; differences are to the first method."""
    return _table(_methods(compared), _thresholds(compared), compared.methods[0].key, compared)
