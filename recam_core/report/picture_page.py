"""One picture with the viewer as one HTML file: what a teacher hands out, to be opened by a double click, offline."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np

from recam_core.analysis.taken_back import change_sentence, what_changed
from recam_core.data.sample import ClassList
from recam_core.data.spec import parse_spec
from recam_core.errors import UserError
from recam_core.maps.activation_maps import no_activation_words
from recam_core.report.markup import Markup, tag
from recam_core.scores.scores import picture_scores
from recam_core.scores.table import percent
from recam_core.views.figure_cells import FigurePane
from recam_core.views.viewer_payload import ViewerPayload, viewer_css, viewer_html, viewer_message, viewer_script

_LONGEST_TITLE = 300
_EXPLAINED = (
    "Each pane shows where one method sees what. None of them was ever told where things are: they learned from lists "
    "of what a picture shows."
)
_MADE_BY = "Made by ReCAM Lab. Everything is in this file, and nothing is fetched. The key ? lists the keys."
#: The colours of the lab; what begins with --st- is what the viewer's style sheet takes them from.
_STYLE = """
:root { color-scheme: light dark; font-size: 15px; --st-primary-color: #0f6f82; --st-background-color: #fcfcfa;
  --st-secondary-background-color: #f0f3f2; --st-text-color: #1c2528; --st-border-color: #d5dcda;
  --st-base-radius: 0.4rem; --st-font: system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif;
  --st-green-text-color: #12703a; --st-red-text-color: #a5231d; --st-red-background-color: #fbe6e4; }
@media (prefers-color-scheme: dark) { :root { --st-primary-color: #24889c; --st-background-color: #12181b;
  --st-secondary-background-color: #1c2529; --st-text-color: #e6ecec; --st-border-color: #36444a;
  --st-green-text-color: #5fd68b; --st-red-text-color: #ff8f87; --st-red-background-color: #46201e; } }
body { margin: 0; background: var(--st-background-color); color: var(--st-text-color); font-family: var(--st-font);
  line-height: 1.4; }
main { max-width: 96rem; margin: 0 auto; padding: 1.1rem 1.25rem 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 0.3rem; overflow-wrap: anywhere; }
p { margin: 0.25rem 0; }
.sentence { font-size: 1.1rem; font-weight: 600; overflow-wrap: anywhere; }
.quiet { color: color-mix(in srgb, var(--st-text-color) 68%, transparent); font-size: 0.9rem; overflow-wrap: anywhere; }
#viewer { margin: 0.8rem 0; --around: 27rem; }
"""
#: Behind the viewer's scripts, in the same module; its names are its own.
_START = """
{
  const shadow = document.getElementById("viewer").attachShadow({ mode: "open" });
  shadow.append(document.getElementById("viewer-parts").content);
  const letters = atob(document.getElementById("picture").textContent.trim());
  const data = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  const said = document.querySelector(".sentence");
  const cutOf = ({ cut, threshold, thresholds }) => JSON.stringify([cut, cut === "all" ? threshold : 0, thresholds]);
  const setStateValue = (name, view) => {
    // The view stays in the browser, but what is said holds for the thresholds that the page opened with alone.
    if (said && name === "view") said.hidden = cutOf(view) !== cutOf(JSON.parse(said.dataset.view));
  };
  show({ data, parentElement: shadow, setStateValue, setTriggerValue() {} });
}
"""


def picture_page(
    payload: ViewerPayload, view: Mapping[str, Any] | None = None, *, title: str, sentence: str = "", about: str = ""
) -> bytes:
    """The page as UTF-8: the viewer with this picture, a heading and what is said of it.

    Its scripts run from the file itself, by no server, and the page forbids the browser to load anything else.

    Args:
        payload: the picture with its maps.
        view: what it opens with, as :func:`~recam_core.views.viewer_payload.viewer_message` takes it.
        title: heading; this and the texts below are shown letter by letter, and are never markup.
        sentence: what is to be seen, such as :func:`picture_sentence` gives.
        about: where the picture is from.

    Raises:
        UserError: a title of more than 300 letters.
    """
    if len(title) > _LONGEST_TITLE:
        raise UserError(f"A title of {len(title)} letters is too long; take at most {_LONGEST_TITLE}.")
    script = viewer_script() + _START
    for content, end in ((script, "</script"), (viewer_css() + _STYLE, "</style"), (viewer_html(), "</template")):
        assert end not in content.lower(), f"the viewer's own files hold {end}, which would end them"
    picture = base64.b64encode(viewer_message(payload, view or {})).decode("ascii")
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    rules = (
        f"default-src 'none'; script-src 'sha256-{hashed}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=rules),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(_STYLE)),
    )
    opened_with = {"cut": "own", "threshold": 0.25, "thresholds": {}} | {
        name: value for name, value in (view or {}).items() if name in ("cut", "threshold", "thresholds")
    }
    main = tag(
        "main",
        tag("h1", title),
        *([tag("p", sentence, class_="sentence", data_view=json.dumps(opened_with))] if sentence else []),
        tag("p", _EXPLAINED, class_="quiet"),
        tag("div", id="viewer"),
        tag("noscript", tag("p", "The picture is drawn by JavaScript, which is switched off in this browser.")),
        *([tag("p", about, class_="quiet")] if about else []),
        tag("p", _MADE_BY, class_="quiet"),
    )
    body = tag(
        "body",
        main,
        tag("template", tag("style", Markup(viewer_css())), Markup(viewer_html()), id="viewer-parts"),
        tag("script", Markup(picture), type="application/octet-stream", id="picture"),
        tag("script", Markup(script), type="module"),
    )
    return f'<!doctype html>\n<html lang="en">{head}{body}</html>\n'.encode()


def set_words(spec: str) -> str:
    """A specification for others to read: of a folder its name alone, since its place is a matter of this computer."""
    parsed = parse_spec(spec)
    return str(replace(parsed, root=PurePath(parsed.root).name)) if parsed.root else spec


def picture_sentence(panes: Sequence[FigurePane], mask: np.ndarray | None, classes: ClassList) -> str:
    """What is to be seen: what the last method does with what the first gets wrong, or the scores of a single one.

    Args:
        panes: at least one, each with the threshold that it is cut at.
        mask: H x W, uint8 ground truth (0 background, k + 1 class k, 255 void), or None.
        classes: the K classes.

    Returns:
        "" where there is no ground truth that counts.
    """
    if mask is None:
        return ""
    first, last = panes[0], panes[-1]
    if len(panes) > 1:
        change = what_changed(first.seeds, last.seeds, mask, classes)
        return "" if change is None else change_sentence(change, classes, first.title, last.title)
    scores = picture_scores(first.seeds, mask, classes)
    if np.isnan(scores.iou):
        return ""
    return (
        f"{first.title} has a mean IoU of {percent(scores.iou)}% here: precision {percent(scores.precision)}%, "
        f"recall {percent(scores.recall)}%."
    )


def silent_words(panes: Sequence[FigurePane], classes: ClassList) -> str:
    """A sentence for each method that has no activation for some class of the picture; "" where all have."""
    found = ((pane.title, no_activation_words(pane.maps, classes.names)) for pane in panes)
    return " ".join(f"{title}: {words}" for title, words in found if words)


def size_words(content: bytes) -> str:
    """How large a file is, such as ``0.4 MB``."""
    return f"{max(len(content) / 1e6, 0.1):,.1f} MB"
