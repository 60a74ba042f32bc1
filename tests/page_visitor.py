"""A visitor of the app without a browser: it speaks Streamlit's protocol, and holds of a page what a test or a
benchmark asks for.

What a browser does is done here in its order: the address and the chosen page go along with every run of the script,
messages that are kept are asked for by their hash only, and what a run did not draw is taken off the page.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

#: Bytes of one message at most, as the server has it.
_LARGEST = 256 << 20
_FINISHED, _FRAGMENT_FINISHED = ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
_NOT_COMPILED = ForwardMsg.FINISHED_WITH_COMPILE_ERROR
#: Of an element with a state, by the field of its kind: which field of the state its value has.
_VALUES = {
    "button": "trigger_value",
    "checkbox": "bool_value",
    "slider": "double_array_value",
    "selectbox": "string_value",
    "multiselect": "string_array_value",
    "button_group": "string_array_value",
    "bidi_component": "json_value",
}


@dataclass
class _Shown:
    element: Element
    run: str
    fragment: str = ""


@dataclass
class PageVisitor:
    """One session.

    Attributes:
        url: of the app, ``http://HOST:PORT``.
        patience: seconds until a run that has not ended counts as failed.
        page: hash of the page that is open.
        query: its address behind the "?".
        pages: hash of each page by the last part of its address.
        received: bytes so far.
    """

    url: str
    patience: float = 60.0
    page: str = ""
    query: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    received: int = 0
    _socket: ClientConnection | None = None
    _shown: dict[tuple[int, ...], _Shown] = field(default_factory=dict)
    _kept: dict[str, tuple[ForwardMsg, int]] = field(default_factory=dict)
    _runs: int = 0
    _run: str = ""
    _oldest: int = 2
    _states: dict[str, tuple[str, Any]] = field(default_factory=dict)
    _repeats: dict[str, float] = field(default_factory=dict)
    _places: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _part: str = ""

    async def open(self, name: str, query: str = "") -> None:
        """Connect, and open a page by a link ("" for the one that opens first); returns when it is drawn."""
        address = f"{self.url.replace('http', 'ws', 1)}/_stcore/stream"
        self._socket = await connect(
            address, subprotocols=["streamlit"], max_size=_LARGEST, proxy=None, ping_interval=None, compression=None
        )
        self.query = query
        await self._ask(name=name)

    async def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            await self._socket.close()

    async def go(self, name: str) -> None:
        """Press the link to another page of the app."""
        self.page, self.query = self.pages[name], ""
        await self._ask()

    async def set(self, values: Mapping[str, Any]) -> None:
        """Change widgets by their keys, all at once; a button is pressed by True.

        Widgets of one part of the page that is drawn by itself have that part drawn anew, and others the page.

        Raises:
            KeyError: the page shows no such widget.
        """
        parts = set()
        for key, value in values.items():
            shown = self._widget(key)
            element = shown.element
            parts.add(shown.fragment)
            kind = element.WhichOneof("type")
            state = _VALUES[kind]
            self._states[getattr(element, kind).id] = (state, json.dumps(value) if state == "json_value" else value)
        await self._ask(fragment=parts.pop() if len(parts) == 1 else "")

    async def repeat(self) -> bool:
        """Do what a page asks for that redraws a part of itself; whether there was such a part."""
        for part in list(self._repeats):
            await self._ask(fragment=part, by_itself=True)
        return bool(self._repeats)

    # What is on the page ---------------------------------------------------------------------------------------------

    @property
    def address(self) -> dict[str, str]:
        """The parameters of the address."""
        return {name: values[0] for name, values in parse_qs(self.query).items()}

    def elements(self, kind: str) -> list[Any]:
        """All of a kind, such as "markdown", in the order of the page."""
        found = (self._shown[path].element for path in sorted(self._shown))
        return [getattr(element, kind) for element in found if element.WhichOneof("type") == kind]

    def widget(self, key: str) -> Element:
        """The element of a widget. Raises KeyError."""
        return self._widget(key).element

    def _widget(self, key: str) -> _Shown:
        for shown in self._shown.values():
            kind = shown.element.WhichOneof("type")
            if kind in _VALUES and getattr(shown.element, kind).id.endswith(f"-{key}"):
                return shown
        raise KeyError(key)

    def keys(self, kind: str, begin: str) -> list[str]:
        """The keys of the widgets of a kind that begin so."""
        keys = (element.id.split("-", 2)[-1] for element in self.elements(kind))
        return [key for key in keys if key.startswith(begin)]

    def faults(self) -> list[str]:
        """What the page says went wrong."""
        errors = [alert.body for alert in self.elements("alert") if alert.format == alert.ERROR]
        return errors + [f"{one.type}: {one.message}" for one in self.elements("exception")]

    # The protocol ----------------------------------------------------------------------------------------------------

    async def _ask(self, name: str = "", fragment: str = "", by_itself: bool = False) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.page_name = self.query, self.page, name
        state.cached_message_hashes.extend(self._kept)
        state.context_info.url = f"{self.url}/{name}"
        state.context_info.timezone = "UTC"
        if fragment:
            state.fragment_id, state.is_auto_rerun = fragment, by_itself
        for identity, (kind, value) in self._states.items():
            widget = state.widget_states.widgets.add(id=identity)
            if kind.endswith("array_value"):
                getattr(widget, kind).data.extend(value)
            else:
                setattr(widget, kind, value)
        # A press is told once.
        self._states = {key: state for key, state in self._states.items() if state[0] != "trigger_value"}
        await self._socket.send(message.SerializeToString())
        async with asyncio.timeout(self.patience):
            await self._hear(_FRAGMENT_FINISHED if fragment else _FINISHED)

    async def _hear(self, awaited: int) -> None:
        while True:
            data = await self._socket.recv()
            self.received += len(data)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "ref_hash":
                found = ForwardMsg()
                found.CopyFrom(self._kept[message.ref_hash][0])
                found.metadata.CopyFrom(message.metadata)
                message, kind = found, found.WhichOneof("type")
                self._kept[message.hash] = (self._kept[message.hash][0], self._runs)
            elif message.metadata.cacheable:
                self._kept[message.hash] = (message, self._runs)
            if kind == "new_session":
                self._begin(message)
            elif kind == "delta":
                self._draw(message)
            elif kind == "navigation":
                pages = message.navigation.app_pages
                # The page that opens first has no name in the address; a hidden one leads to it from its name.
                shown = [page for page in pages if not page.is_hidden]
                self.pages = {page.url_pathname or page.page_name.lower(): page.page_script_hash for page in shown}
                self.page = message.navigation.page_script_hash
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "auto_rerun":
                self._repeats[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "page_not_found":
                raise LookupError(f"there is no page {message.page_not_found.page_name!r}")
            elif kind == "script_finished":
                if message.script_finished == _NOT_COMPILED:
                    raise RuntimeError("the script cannot be read")
                # A run that is broken off for another one ends otherwise, and the other one follows.
                if message.script_finished in (_FINISHED, awaited):
                    self._end(message.script_finished == _FINISHED)
                    return

    def _begin(self, message: ForwardMsg) -> None:
        self._run = message.metadata.run.script_run_id
        self._oldest = message.new_session.config.max_cached_message_age or self._oldest
        self._part = "".join(message.metadata.run.fragment_ids[:1])
        if not self._part:
            self._repeats.clear()
            self._places.clear()
            self.page = message.new_session.page_script_hash or self.page

    def _draw(self, message: ForwardMsg) -> None:
        path = tuple(message.metadata.delta_path)
        if message.delta.WhichOneof("type") == "new_element":
            self._shown[path] = _Shown(message.delta.new_element, self._run, message.delta.fragment_id)
        elif message.delta.WhichOneof("type") == "add_block":
            if message.delta.fragment_id:
                self._places.setdefault(message.delta.fragment_id, path)  # the first block of a part holds all of it
            self._shown.pop(path, None)

    def _end(self, is_whole: bool) -> None:
        if is_whole:
            self._runs += 1
            self._shown = {path: shown for path, shown in self._shown.items() if shown.run == self._run}
            self._kept = {key: kept for key, kept in self._kept.items() if self._runs - kept[1] <= self._oldest}
        elif place := self._places.get(self._part, ()):
            self._shown = {
                path: shown
                for path, shown in self._shown.items()
                if shown.run == self._run or path[: len(place)] != place
            }
