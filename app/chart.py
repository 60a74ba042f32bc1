"""Plotly figures on a page: in its theme, with what can be pressed in them and their numbers as a file, or live."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import plotly.graph_objects as go
import streamlit as st
from plotly.offline import get_plotlyjs

from recam_core.views.charts.style import DARK, LIGHT, Palette

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

#: Of Plotly's bar: what dragging and a double press do as well, for which a phone has no room; and what would send the
#: chart away.
UNUSED_BUTTONS = ["zoomIn2d", "zoomOut2d", "autoScale2d", "sendChartToCloud"]

#: What a button with the numbers of a chart says of itself.
CHART_NUMBERS = "The numbers of this chart."


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
    complete(figure, key, is_pressed=bool(modes))
    options: dict[str, Any] = {"on_select": on_press or "rerun", "selection_mode": tuple(modes)} if modes else {}
    st.plotly_chart(figure, key=key, theme=None, width="stretch", config=config, alt=alt, **options)
    if csv is not None:
        csv_button(csv, name, key=f"{key}_csv", help=CHART_NUMBERS, type="tertiary")


def csv_button(
    content: str | bytes | Callable[[], str],
    name: str,
    *,
    key: str,
    help: str | None = None,
    label: str = "CSV",
    type: Literal["secondary", "tertiary"] = "secondary",
) -> None:
    """A button that hands numbers out; a press does not draw the page anew.

    Args:
        content: the file, or what makes it when the button is pressed.
        name: of the file, without its end.
        key: of the widget; begins with the page's name.
        help: what is in it.
        label: of the button.
        type: as for ``st.download_button``.
    """
    st.download_button(
        label, content, f"{name}.csv", "text/csv", key=key, icon=":material/download:", type=type, on_click="ignore",
        help=help,
    )  # fmt: skip


def pressed(key: str) -> list[tuple[Any, ...]]:
    """``customdata`` of the points that are selected in a chart, in the order in which Plotly tells them."""
    state: Mapping[str, Any] = st.session_state.get(key) or {}
    points = (state.get("selection") or {}).get("points") or []
    return [tuple(_values(point["customdata"])) for point in points if point.get("customdata") is not None]


def pressed_numbers(key: str, count: int) -> list[tuple[int, ...]]:
    """Of each mark that is selected in a chart, the first so many numbers that it stands for."""
    return [tuple(int(value) for value in values[:count]) for values in pressed(key)]


def pressed_number(key: str, count: int) -> tuple[int, ...] | None:
    """Of the one mark that is pressed in a chart; None where none is."""
    return next(iter(pressed_numbers(key, count)), None)


def marked_rows(key: str) -> list[int]:
    """The rows that are marked in a table."""
    state: Mapping[str, Any] = st.session_state.get(key) or {}
    return [int(row) for row in state.get("selection", {}).get("rows") or []]


def marked_row(key: str) -> int | None:
    """The one row that is marked in a table; None where none is."""
    return next(iter(marked_rows(key)), None)


def key_while(name: str, still_shown: Callable[[str], bool]) -> str:
    """The key of a chart or table; another one as soon as what was pressed in it is no longer what is shown.

    A chart keeps its selection, and a second press on the same mark would then say nothing: it must begin anew.

    Args:
        name: of the chart or table.
        still_shown: takes the key and tells whether what is pressed there, if anything, is shown.
    """
    number = st.session_state.setdefault(f"{name}_number", 0)
    key = f"{name}_{number}"
    if not still_shown(key):
        st.session_state[f"{name}_number"] = number + 1
        key = f"{name}_{number + 1}"
    return key


def frames_nothing(key: str) -> bool:
    """Whether a box or lasso was drawn in a chart that no mark lies in. Plotly leaves its empty frame standing."""
    selection = (st.session_state.get(key) or {}).get("selection") or {}
    return bool(selection.get("box") or selection.get("lasso")) and not selection.get("points")


def _values(customdata: Any) -> Sequence[Any]:
    if isinstance(customdata, Mapping):  # Streamlit hands arrays over as mappings from their places
        return [customdata[place] for place in sorted(customdata, key=int)]
    return customdata if isinstance(customdata, (list, tuple)) else (customdata,)


# Zoom across new figures ----------------------------------------------------------------------------------------------
#
# Streamlit draws a chart anew whose figure has changed, as it does with most presses, and the new one would show all.


def complete(figure: go.Figure, key: str, is_pressed: bool) -> None:
    """Say in a figure what Streamlit would add to it when it is there, and what its axes mean, by the words on them: at
    the same place, a figure is shown at the zoom that one of the same meaning had.

    Args:
        figure: for :func:`show_chart`, which completes what is not complete.
        key: of the widget; what :func:`key_while` counts at its end does not matter.
        is_pressed: whether something in it can be selected.
    """
    layout = figure.layout
    if is_pressed:
        # Streamlit looks for these here only, and has a chart whose points can be pressed moved by dragging otherwise.
        usual = {"dragmode": "zoom", "clickmode": "event+select", "hovermode": "closest"}
        figure.update_layout({name: value for name, value in usual.items() if layout[name] is None})
    if layout.uirevision is not None:
        return
    axes = [axis for axis in layout if re.fullmatch(r"[xy]axis\d*", axis)]
    words = [str((layout[axis].title.text, layout[axis].type, layout[axis].ticktext)) for axis in axes]
    for trace in figure.data:
        for values in (trace[of] for of in ("x", "y") if of in trace):
            # Of an axis of names that Plotly finds in the data itself.
            if values is not None and len(values) and isinstance(values[0], str):
                words += map(str, values)
    meaning = hashlib.blake2b("\n".join(words).encode(), digest_size=8).hexdigest()
    layout.uirevision = f"{re.sub(r'_[0-9]+$', '', key)} {meaning}"


#: Streamlit takes over whatever a chart tells of a change of its layout, and draws that.
_ZOOM = """<script>
if (!window.chartsZoom) {
  window.chartsZoom = new Map();  // what the axes mean -> axis -> from where to where
  const known = new WeakSet();
  const keep = (chart, change) => {
    const meaning = chart.layout.uirevision;
    const zoom = { ...window.chartsZoom.get(meaning) };
    for (const name of Object.keys(change)) {
      const axis = /^[xy]axis\\d*(?=\\.)/.exec(name)?.[0];
      if (!axis) continue;
      if (change[`${axis}.autorange`]) delete zoom[axis];
      else zoom[axis] = [...chart.layout[axis].range];
    }
    window.chartsZoom.set(meaning, zoom);
  };
  const show = (chart, zoom) => {
    const layout = { ...chart.layout };
    for (const [axis, range] of Object.entries(zoom)) layout[axis] = { ...layout[axis], range, autorange: false };
    chart.layout = layout;
    chart.emit("plotly_relayout", {});
  };
  const meet = (chart) => {
    if (known.has(chart) || !chart.on || !chart.layout?.uirevision || !chart.closest(".stPlotlyChart")) return;
    known.add(chart);
    const zoom = window.chartsZoom.get(chart.layout.uirevision);
    if (zoom && Object.keys(zoom).length) {
      chart.once("plotly_afterplot", () => setTimeout(show, 0, chart, zoom));  // when Streamlit listens
    }
    chart.on("plotly_relayout", (change) => keep(chart, change));
  };
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (node.classList?.contains("plot-container")) meet(node.parentElement);
      }
    }
  }).observe(document.body, { childList: true, subtree: true });
}
</script>"""


def charts_keep_zoom() -> None:
    """Have the browser keep the zoom of charts whose figure changes; drawn once, below the page."""
    st.html(_ZOOM, unsafe_allow_javascript=True)


# By touch, and in time ------------------------------------------------------------------------------------------------

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


# Charts that are drawn anew every few seconds -------------------------------------------------------------------------
#
# Streamlit's own charts begin anew with every change of their data. These hand each new figure to the chart that is
# there, which stays in place with its zoom. Plotly itself goes to the browser once, beside what redraws itself.


@cache
def _live_components() -> "tuple[ComponentRenderer, ComponentRenderer]":
    """Plotly itself, which shows nothing, and a chart."""
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
    library, _ = _live_components()
    library(key=f"{page}_plotly", height=1)


def live_chart(figure: go.Figure, *, key: str, name: str, alt: str) -> None:
    """Draw a figure, or hand its new state to the chart that is there. Nothing in it can be pressed.

    Args:
        figure: of a builder in ``recam_core.views.charts``, with a constant ``uirevision`` and a height.
        key: of the widget; begins with the page's name.
        name: of the picture that the chart can be kept as.
        alt: what it shows, for those who cannot see it.
    """
    _, chart = _live_components()
    unused = [*UNUSED_BUTTONS, "select2d", "lasso2d"]
    data = {"figure": json.loads(figure.to_json()), "name": name, "alt": alt, "unused": unused}
    chart(key=key, data=data, height="content")
