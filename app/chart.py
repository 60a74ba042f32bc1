"""A Plotly figure on a page: in its theme, with what can be pressed in it, and its numbers as a file."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from recam_core.views.charts.style import DARK, LIGHT, Palette

#: Of Plotly's bar: what dragging and a double press do as well, for which a phone has no room; and what would send the
#: chart away.
UNUSED_BUTTONS = ["zoomIn2d", "zoomOut2d", "autoScale2d", "sendChartToCloud"]


def palette() -> Palette:
    """The colours that suit the theme in which the page is shown."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def show_chart(
    figure: go.Figure,
    *,
    key: str,
    modes: Sequence[str] = (),
    name: str = "chart",
    csv: str | bytes | None = None,
    alt: str | None = None,
    on_press: Callable[[], None] | None = None,
) -> None:
    """Draw a figure.

    Args:
        figure: of a builder in ``recam_core.views.charts``.
        key: of the widget; begins with the page's name.
        modes: what selects its points: "points" (a press), "box", "lasso". Read them by :func:`pressed`.
        name: of the files that the chart can be kept as.
        csv: its numbers, for a button beside it.
        alt: what it shows, for those who cannot see it, and where the same is done by keyboard.
        on_press: called before the page is drawn anew, when something was selected, or is no longer.
    """
    config = {
        "displaylogo": False,
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
        "modeBarButtonsToRemove": UNUSED_BUTTONS + ([] if {"box", "lasso"} & set(modes) else ["select2d", "lasso2d"]),
    }
    if modes and figure.layout.dragmode is None:
        # Streamlit looks for it here only, and has a chart whose points can be pressed moved by dragging otherwise.
        figure.update_layout(dragmode="zoom")
    options: dict[str, Any] = {"on_select": on_press or "rerun", "selection_mode": tuple(modes)} if modes else {}
    st.plotly_chart(figure, key=key, theme=None, width="stretch", config=config, alt=alt, **options)
    if csv is not None:
        st.download_button(
            "CSV", csv, f"{name}.csv", "text/csv", key=f"{key}_csv", icon=":material/download:", type="tertiary",
            on_click="ignore", help="The numbers of this chart.",
        )  # fmt: skip


def pressed(key: str) -> list[tuple[Any, ...]]:
    """``customdata`` of the points that are selected in a chart, in the order in which Plotly tells them."""
    state: Mapping[str, Any] = st.session_state.get(key) or {}
    points = (state.get("selection") or {}).get("points") or []
    return [tuple(_values(point["customdata"])) for point in points if point.get("customdata") is not None]


def frames_nothing(key: str) -> bool:
    """Whether a box or lasso was drawn in a chart that no mark lies in. Plotly leaves its empty frame standing."""
    selection = (st.session_state.get(key) or {}).get("selection") or {}
    return bool(selection.get("box") or selection.get("lasso")) and not selection.get("points")


def _values(customdata: Any) -> Sequence[Any]:
    if isinstance(customdata, Mapping):  # Streamlit hands arrays over as mappings from their places
        return [customdata[place] for place in sorted(customdata, key=int)]
    return customdata if isinstance(customdata, (list, tuple)) else (customdata,)


#: A finger that moves over a chart scrolls the page, as Plotly would keep it from doing: what it gets of a touch is the
#: press that the browser makes of it. With the lasso or the box in hand, a finger draws.
_TOUCH = """<script>
if (!window.chartsByTouch) {
  window.chartsByTouch = true;
  document.addEventListener("touchstart", (event) => {
    const chart = event.target.closest?.(".js-plotly-plot");
    if (!chart || !event.target.closest(".draglayer")) return;
    if (!["lasso", "select"].includes(chart._fullLayout?.dragmode)) event.stopPropagation();
  }, { capture: true, passive: true });
}
</script>"""


def charts_by_touch() -> None:
    """Let the page scroll where a finger moves over its charts; drawn once, below the page."""
    st.html(_TOUCH, unsafe_allow_javascript=True)


#: The browser reads Streamlit's part for charts (5 MB) once it has nothing else to do, so that the first chart of a
#: visit need not wait for it. Where that part is told by the page's own script; if it is not there, nothing happens.
_SOON = """<script>
if (!window.chartsSoon) {
  window.chartsSoon = true;
  const own = document.querySelector("script[type=module][src*='/static/js/']");
  const load = () => {
    const link = Object.assign(document.createElement("link"), {
      rel: "modulepreload", href: own.src.replace(/[^/]*$/, "PART"),
    });
    document.head.append(link);
  };
  if (own) setTimeout(() => (window.requestIdleCallback ?? setTimeout)(load), 1500);
}
</script>"""


@cache
def _part_for_charts() -> str:
    """The name of that file in this Streamlit; "" where it is kept otherwise."""
    folder = Path(st.__file__).parent / "static" / "static" / "js"
    found = [file.name for file in folder.glob("PlotlyChart.*.js")]
    return found[0] if len(found) == 1 and re.fullmatch(r"[\w.-]+", found[0]) else ""


def charts_soon() -> None:
    """Have the browser read ahead what draws charts; drawn once, below a page."""
    if part := _part_for_charts():
        st.html(_SOON.replace("PART", part), unsafe_allow_javascript=True)
