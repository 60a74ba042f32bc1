"""A Plotly figure that is drawn anew every few seconds: it stays where it is, and keeps its zoom.

Streamlit's own charts begin anew with every change of their data. This one hands each new figure to the chart that is
there. Plotly itself goes to the browser once, beside the part of the page that redraws itself.
"""

import json
from functools import cache
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st
from plotly.offline import get_plotlyjs

from app.chart import UNUSED_BUTTONS


@cache
def _components():
    """The two components: Plotly itself, which shows nothing, and a chart."""
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    library = f"if (!window.Plotly) {{\n{get_plotlyjs()}\n}}\nexport default function () {{}}"
    # In the light of the page, since Plotly adds the rules for its bar to the page's head.
    return (
        st.components.v2.component("recam_plotly", js=library, isolate_styles=False),
        st.components.v2.component(
            "recam_live_chart", html='<div class="live-chart"></div>', js=script, isolate_styles=False
        ),
    )


def plotly_for(page: str) -> None:
    """Send Plotly to the browser; to be called once by a page with live charts, outside of what redraws itself.

    Args:
        page: the name that keys begin with.
    """
    library, _ = _components()
    library(key=f"{page}_plotly", height=1)


def live_chart(figure: go.Figure, *, key: str, name: str, alt: str) -> None:
    """Draw a figure, or hand its new state to the chart that is there. Nothing in it can be pressed.

    Args:
        figure: of a builder in ``recam_core.views.charts``, with a constant ``uirevision`` and a height.
        key: of the widget; begins with the page's name.
        name: of the picture that the chart can be kept as.
        alt: what it shows, for those who cannot see it.
    """
    _, chart = _components()
    unused = [*UNUSED_BUTTONS, "select2d", "lasso2d"]
    data = {"figure": json.loads(figure.to_json()), "name": name, "alt": alt, "unused": unused}
    chart(key=key, data=data, height="content")
