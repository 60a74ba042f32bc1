"""What all charts have in common: a Plotly template of the palette."""

from functools import lru_cache

import plotly.graph_objects as go

from recam_core.views.charts.palette import Palette

FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", system-ui, sans-serif'


@lru_cache(maxsize=4)
def template(palette: Palette) -> go.layout.Template:
    """The template of a light or a dark page; builders give it to ``layout.template``.

    The ground is left transparent, so that a chart stands on whatever the page has.
    """
    axis = {
        "gridcolor": palette.line,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "tickfont": {"color": palette.quiet, "size": 12},
        "title": {"font": {"color": palette.quiet, "size": 12}, "standoff": 8},
        "automargin": True,
    }
    # A press marks what it means on the page; that Plotly fades everything else would say something else.
    as_drawn = {"marker": {"opacity": 1}}
    return go.layout.Template(
        data={"scatter": [go.Scatter(selected=as_drawn, unselected=as_drawn)]},
        layout={
            "font": {"family": FONT, "color": palette.text, "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(palette.methods),
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 28, "b": 8},
            "hoverlabel": {
                "bgcolor": palette.ground,
                "bordercolor": palette.line,
                "font": {"family": FONT, "color": palette.text, "size": 12},
                "align": "left",
            },
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": palette.quiet, "activecolor": palette.text},
            "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"color": palette.text}},
            "dragmode": "zoom",
            "hovermode": "closest",
            "clickmode": "event+select",
        },
    )
