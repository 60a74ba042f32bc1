"""Picture by picture: the score of one method against that of another, or against how large the largest object is."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from recam_core.analysis.picture_table import PictureTable
from recam_core.views.charts.style import Palette, plain, template

#: In the place of a method: the share of a picture that its largest class takes.
LARGEST = "size"
#: More marks than this make a browser slow; an even sample of them is drawn.
MOST_DRAWN = 4000
_HEIGHT = 460


def drawn_pictures(table: PictureTable, over: str, key: str, chosen: np.ndarray | None = None) -> np.ndarray:
    """Positions of the pictures that a plot draws: all of the chosen ones that have both figures, or, of very many, an
    even sample along their difference, so that the furthest apart are among them.

    Args:
        table: of N pictures.
        over: method along the axis to the right, or :data:`LARGEST`.
        key: method upwards.
        chosen: N bools; None for all.
    """
    across, up = _across(table, over), table.miou[key]
    there = ~np.isnan(across) & ~np.isnan(up)
    positions = np.flatnonzero(there if chosen is None else there & chosen)
    if len(positions) <= MOST_DRAWN:
        return positions
    change = up[positions] - (across[positions] if over != LARGEST else 0)
    order = np.argsort(change, kind="stable")
    return np.sort(positions[order[np.unique(np.linspace(0, len(order) - 1, MOST_DRAWN).round().astype(int))]])


def pictures_chart(
    table: PictureTable, over: str, key: str, titles: Mapping[str, str], palette: Palette, positions: np.ndarray
) -> go.Figure:
    """One point a picture, whose ``customdata`` is its position; above the diagonal ``key`` is better.

    Args:
        table: of N pictures.
        over: method along the axis to the right, or :data:`LARGEST`.
        key: method upwards.
        titles: by method key.
        palette: of the page.
        positions: of the pictures to draw, such as :func:`drawn_pictures` gives.
    """
    across, up = _across(table, over)[positions], table.miou[key][positions]
    compared = over != LARGEST
    title = f"mIoU of {plain(titles[over])}" if compared else "share of the picture that its largest class takes"
    figure = go.Figure()
    if compared:
        figure.add_scatter(
            x=[0, 1], y=[0, 1], mode="lines", line={"color": palette.quiet, "width": 1, "dash": "dot"},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    kinds = {"better": up > across, "worse": up < across, "the same": up == across} if compared else {
        "pictures": np.ones(len(up), dtype=bool)
    }  # fmt: skip
    colours = {"better": palette.right, "worse": palette.wrong, "the same": palette.quiet, "pictures": palette.right}
    symbols = {"worse": "diamond", "the same": "square"}
    for word, mine in kinds.items():
        as_drawn = {"marker": {"opacity": 0.7}}
        places = np.flatnonzero(mine).tolist()
        figure.add_scatter(
            x=across[mine],
            y=up[mine],
            name=f"{word} ({len(places):,})",
            mode="markers",
            marker={
                "size": 8 if len(up) <= 500 else 6,
                "color": colours[word],
                "symbol": symbols.get(word, "circle"),
                "opacity": 0.7,
            },
            selected={"marker": {"opacity": 1, "size": 11}},
            unselected=as_drawn,
            customdata=positions[mine][:, None],
            hovertext=[_words(table, int(positions[place]), over, key, titles) for place in places],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        margin={"l": 8, "r": 12, "t": 40, "b": 8},
        showlegend=compared,
    )
    # Of two methods, the same ends on both axes: what is above the diagonal is better.
    ends = [_around(across, up)] * 2 if compared else [_around(across), _around(up)]
    figure.update_xaxes(title=title, range=ends[0], tickformat=".0%")
    figure.update_yaxes(title=f"mIoU of {plain(titles[key])}", range=ends[1], tickformat=".0%")
    return figure


def _across(table: PictureTable, over: str) -> np.ndarray:
    return table.miou[over] if over != LARGEST else table.largest.astype(np.float64)


def _around(*shares: np.ndarray) -> list[float]:
    """Ends of an axis that holds them with some room."""
    some = np.concatenate(shares)
    low, high = (float(some.min()), float(some.max())) if len(some) else (0.0, 1.0)
    return [low - 0.03 - 0.02 * (high - low), high + 0.03 + 0.02 * (high - low)]


def _words(table: PictureTable, place: int, over: str, key: str, titles: Mapping[str, str]) -> str:
    shown = [plain(table.classes.names[k]) for k in np.flatnonzero(table.present[place]).tolist()]
    words = f"{plain(table.ids[place])}<br>{', '.join(shown)}<br>"
    if over == LARGEST:
        return words + f"largest class: {table.largest[place]:.0%} of the picture<br>mIoU: {table.miou[key][place]:.1%}"
    change = 100 * (table.miou[key][place] - table.miou[over][place])
    return words + (
        f"{plain(titles[over])}: {table.miou[over][place]:.1%}<br>{plain(titles[key])}: {table.miou[key][place]:.1%}"
        f"<br>change: {change:+.1f} points"
    )
