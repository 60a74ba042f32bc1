"""Legends below the panes."""

from collections.abc import Iterable
from functools import lru_cache
from html import escape

import numpy as np
import streamlit as st

from recam_core.views.class_colours import class_colours
from recam_core.views.encode import data_url
from recam_core.views.heat_overlay import colour_bar
from recam_core.views.marks import Mark, swatch


@lru_cache(maxsize=64)
def _swatch_url(mark: Mark) -> str:
    return data_url(swatch(mark))


def _show(items: Iterable[str]) -> None:
    st.html(f'<div class="legend">{"".join(items)}</div>')


def mark_legend(marks: Iterable[Mark]) -> None:
    """What each colour and pattern of an overlay means; resting on an entry tells more."""
    _show(
        f'<span title="{escape(mark.meaning)}"><img src="{_swatch_url(mark)}" alt="{mark.pattern} pattern">'
        f"{escape(mark.name)}</span>"
        for mark in marks
    )


def heat_legend(colour_map: str) -> None:
    """The colours from no activation to the maximum."""
    bar = data_url(np.ascontiguousarray(colour_bar(colour_map)))
    _show([f'<span>0 <img class="bar" src="{bar}" alt="colours of {colour_map}"> 1: the maximum of the map</span>'])


def class_legend(names: tuple[str, ...], classes: Iterable[int]) -> None:
    """The colour of each class that is shown."""
    colours = class_colours(len(names))
    _show(
        f'<span><i style="background:rgb{tuple(colours[k + 1].tolist())}"></i>{escape(names[k])}</span>'
        for k in classes
    )
