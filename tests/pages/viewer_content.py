"""What a page hands to the viewer, read back as the browser reads it."""

import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest


@dataclass(frozen=True)
class Shown:
    """The viewer of a page.

    Attributes:
        message: what is asked for: ``view``, ``revision``, ``can_step``.
        header: names, panes, classes; see ``recam_core/views/viewer_payload.py``.
        arrays: by name, uint8.
        sent: all of it, as it is sent.
    """

    message: dict[str, Any]
    header: dict[str, Any]
    arrays: dict[str, np.ndarray]
    sent: bytes

    @property
    def titles(self) -> list[str]:
        """The panes' titles."""
        return [pane["title"] for pane in self.header["panes"]]

    @property
    def thresholds(self) -> list[float | None]:
        """The panes' own thresholds."""
        return [pane["threshold"] for pane in self.header["panes"]]

    @property
    def class_names(self) -> list[str]:
        """The classes that can be chosen."""
        names = {value["value"]: value["name"] for value in self.header["values"]}
        return [names[k + 1] for k in self.header["present"]]


def _block(content: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(content[:4], "little")
    return json.loads(content[4 : 4 + length]), content[4 + length :]


def viewers(page: AppTest) -> list[Shown]:
    """The viewers of the page: one, or none."""
    found = []
    for element in page.get("bidi_component"):
        if element.proto.component_name.split(".")[-1] != "recam_viewer":
            continue
        message, rest = _block(element.proto.bytes)
        header, data = _block(rest)
        arrays = {}
        for entry in header["arrays"]:
            content = data[entry["begin"] : entry["begin"] + entry["length"]]
            if entry["packing"] == "zlib":
                arrays[entry["name"]] = np.frombuffer(zlib.decompress(content), np.uint8).reshape(entry["shape"])
        found.append(Shown(message, header, arrays, element.proto.bytes))
    return found


def viewer_of(page: AppTest) -> Shown:
    """The one viewer of the page."""
    (shown,) = viewers(page)
    return shown
