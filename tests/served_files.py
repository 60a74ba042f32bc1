"""A web server on this machine that sends files well or badly."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from recam_core.data.fetch import Archive


@dataclass
class Server:
    """What is served at which name, and how well.

    Attributes:
        files: name -> content.
        ranges: whether pieces are sent.
        break_after: bytes after which a connection is cut, as often as ``breaks`` says.
        tag: the ETag; "" for none.
        lie: what Content-Length says, instead of the truth.
        asked: the Range header of each request, "" for none.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    break_after: int = 0
    breaks: int = 0
    tag: str = '"1"'
    lie: int = 0
    asked: list[str] = field(default_factory=list)


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            content = server.files.get(self.path.lstrip("/"))
            wanted = self.headers.get("Range", "")
            server.asked.append(wanted)
            if content is None:
                self.send_error(404)
                return
            match = re.fullmatch(r"bytes=(\d+)-", wanted)
            same = self.headers.get("If-Range", server.tag) == server.tag
            begin = int(match[1]) if match and server.ranges and same else 0
            if begin and begin >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            if server.tag:
                self.send_header("ETag", server.tag)
            self.send_header("Content-Length", str(server.lie or len(content) - begin))
            self.end_headers()
            piece = content[begin:]
            if server.breaks:
                server.breaks -= 1
                piece = piece[: server.break_after]
            self.wfile.write(piece)

    return Handler


@contextmanager
def serving() -> Iterator[Server]:
    """Such a server, until the end of the block."""
    served = Server()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(served))
    thread = threading.Thread(target=partial(listening.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    served.address = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield served
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def archive_of(server: Server, name: str, **changes) -> Archive:
    content = server.files[name]
    return Archive(
        changes.pop("url", f"{server.address}/{name}"),
        name,
        changes.pop("md5", hashlib.md5(content).hexdigest()),
        changes.pop("size", 0),
    )
