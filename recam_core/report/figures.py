"""The charts of a report: Plotly once in the file, its figures as data, and a script that draws them in its light."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from recam_core.report.files import file_name
from recam_core.report.markup import Markup, tag
from recam_core.views.charts.style import DARK, LIGHT, Palette

#: On paper a chart has the width of a sheet, whatever it had on the screen.
_ON_PAPER = 640
_START = """
"use strict";
{
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const inLight = (figure, dark) => {
    const shown = structuredClone(figure.light);
    for (const [path, value] of dark ? figure.dark : []) {
      const last = path.at(-1);
      path.slice(0, -1).reduce((part, name) => part[name], shown)[last] = structuredClone(value);
    }
    return shown;
  };
  const draw = (dark, width) => {
    for (const figure of figures) {
      const { data, layout } = inLight(figure, dark);
      if (width) Object.assign(layout, { width, autosize: false });
      Plotly.react(figure.id, data, layout, {
        displaylogo: false,
        responsive: true,
        scrollZoom: false,
        toImageButtonOptions: { format: "png", filename: figure.name, scale: 2 },
      });
    }
    document.documentElement.dataset.charts = dark ? "dark" : "light";
  };
  isDark.addEventListener("change", () => draw(isDark.matches));
  addEventListener("beforeprint", () => draw(false, PAPER));
  addEventListener("afterprint", () => draw(isDark.matches));
  draw(isDark.matches);
}
""".replace("PAPER", str(_ON_PAPER))


class Figures:
    """The charts of one page, in the order in which its sections add them."""

    def __init__(self) -> None:
        self._found: list[dict[str, Any]] = []

    def add(self, make: Callable[[Palette], go.Figure], title: str, *, least: int = 0, large: bool = False) -> Markup:
        """The place of a chart on the page.

        Args:
            make: draws it in a palette; called for both lights.
            title: above it, and for screen readers.
            least: pixels that it needs; in a narrower window it scrolls sideways.
            large: whether it has a line of the page to itself.
        """
        light, dark = (json.loads(make(palette).to_json()) for palette in (LIGHT, DARK))
        id, name = f"chart-{len(self._found) + 1}", file_name(title)
        self._found.append({"id": id, "name": name, "light": light, "dark": list(_differences(light, dark))})
        style = f"height:{light['layout']['height']}px" + (f";min-width:{least}px" if least else "")
        chart = tag("div", id=id, class_="chart", role="img", aria_label=title, style=style)
        scrolls = tag("div", chart, class_="wide", tabindex="0", role="region", aria_label=title)
        return tag("figure", tag("h3", title), scrolls, class_="large" if large else None)

    def scripts(self) -> Markup:
        """What draws them: for the end of the page. Nothing where there is no chart."""
        if not self._found:
            return Markup("")
        # In JSON "<" stands in texts only, where it may be written so that no tag can begin.
        content = json.dumps(self._found, separators=(",", ":")).replace("<", "\\u003c")
        words = "Charts are drawn by JavaScript, which is switched off here; their numbers are in the tables."
        return Markup(
            tag("noscript", tag("p", words, class_="note"))
            + tag("script", Markup(content), type="application/json", id="figures")
            + tag("script", Markup(_library()))
            + tag("script", Markup(_START))
        )

    def policy(self) -> str:
        """What the page may run: these scripts alone, known by their content."""
        return " ".join(["script-src", *_hashes()]) if self._found else "script-src 'none'"


@cache
def _library() -> str:
    script = get_plotlyjs()
    # Either would end the element, or change how its end is found.
    assert not any(mark in script.lower() for mark in ("</script", "<script", "<!--"))
    return script


@cache
def _hashes() -> tuple[str, ...]:
    found = (hashlib.sha256(script.encode()).digest() for script in (_library(), _START))
    return tuple(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in found)


def _differences(light: Any, dark: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[list[str | int], Any]]:
    """Where two figures of one make differ, and what the second has there."""
    if light == dark:
        return
    if isinstance(light, dict) and isinstance(dark, dict) and light.keys() == dark.keys():
        for key in light:
            yield from _differences(light[key], dark[key], (*path, key))
    elif _holds_parts(light) and _holds_parts(dark) and len(light) == len(dark):
        for place, (one, other) in enumerate(zip(light, dark, strict=True)):
            yield from _differences(one, other, (*path, place))
    else:
        yield list(path), dark


def _holds_parts(value: Any) -> bool:
    """Whether a list is one of parts of a figure, and not of numbers or words."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
