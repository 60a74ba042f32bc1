"""The charts of a page, read back as the browser gets them."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def figures(page: AppTest) -> list[dict[str, Any]]:
    """Plotly's figures (``data`` and ``layout``) that begin anew with each change, in their order on the page."""
    return [json.loads(element.proto.spec) for element in page.get("plotly_chart")]


def live_figures(page: AppTest) -> dict[str, dict[str, Any]]:
    """By name: those that stay where they are while their page redraws itself."""
    found = {}
    for element in page.get("bidi_component"):
        if element.proto.component_name.split(".")[-1] == "recam_live_chart":
            message = json.loads(element.proto.json)
            found[message["name"]] = message["figure"]
    return found


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    """The one trace of this name."""
    (found,) = [one for one in figure["data"] if one.get("name") == name]
    return found
