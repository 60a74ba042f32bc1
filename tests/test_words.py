"""Sizes and counts as people read them."""

import pytest

from recam_core.words import megabytes


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0.0 KB"), (2_345, "2.3 KB"), (100_000, "0.1 MB"), (12_345_678_900, "12,345.7 MB")]
)
def test_a_size_is_never_none_at_all_unless_it_is(size, words):
    assert megabytes(size) == words
