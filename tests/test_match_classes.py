"""Pictures of one data set under the class list of another."""

import numpy as np

from recam_core.data.match_classes import match_classes, one_class_mask
from recam_core.data.sample import VOID, ClassList

ANIMALS = ClassList(("cat", "Dog", "newt"), has_background=True)
NETWORK = ClassList(("bird", "dog", "cat"), has_background=True)


def test_names_are_matched_whatever_their_case() -> None:
    match = match_classes(ANIMALS, NETWORK)
    assert match.index.tolist() == [2, 1, -1]
    assert match.shared == ("cat", "dog")
    assert match.labels(np.array([True, False, True])).tolist() == [False, False, True]


def test_unknown_classes_become_void() -> None:
    mask = np.array([[0, 1, 2, 3, VOID]], dtype=np.uint8)
    assert match_classes(ANIMALS, NETWORK).mask(mask).tolist() == [[0, 3, 2, VOID, VOID]]


def test_background_is_void_where_the_network_knows_none() -> None:
    mask = np.array([[0, 1]], dtype=np.uint8)
    bare = ClassList(NETWORK.names, has_background=False)
    assert match_classes(ANIMALS, bare).mask(mask).tolist() == [[VOID, 3]]
    assert match_classes(NETWORK, bare).is_same is False


def test_the_same_list_changes_nothing() -> None:
    mask = np.array([[0, 3, VOID]], dtype=np.uint8)
    match = match_classes(NETWORK, NETWORK)
    assert match.is_same
    assert match.mask(mask) is mask


def test_one_class_is_told_from_all_that_is_named() -> None:
    mask = np.array([[0, 1, 2, 3, 9, VOID]], dtype=np.uint8)
    assert one_class_mask(mask, ANIMALS, "dog").tolist() == [[0, 0, 1, 0, VOID, VOID]]
    bare = ClassList(ANIMALS.names, has_background=False)
    assert one_class_mask(mask, bare, "dog").tolist() == [[VOID, 0, 1, 0, VOID, VOID]]
    assert one_class_mask(mask, ANIMALS, "tabby") is None
