"""Names as text: what Plotly would interpret is not."""

from html import unescape

import pytest

from recam_core.views.charts.style import plain

NAMES = ["<b>x</b>", '<a href="https://example.org">x</a>', "one<br>two", "R&D &lt;", "%{x} of %{customdata[0]}", "$x$"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_holds_markup_and_each_reads_as_it_was(name):
    words = plain(name)
    assert not set("<>%$") & set(words)
    assert unescape(words) == name


def test_a_long_name_is_cut_before_it_is_escaped():
    assert plain("<" * 10, most=4) == "&lt;&lt;&lt;…"
    assert plain("abcd", most=4) == "abcd"


def test_lines_become_one():
    assert plain("one\ntwo") == "one two"
