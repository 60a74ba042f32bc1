"""Start the app the way people start it, and stop it with everything that it started."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

REPO_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class AppServer:
    """A running app: where it answers, its process, and the file that takes what it prints."""

    url: str
    process: subprocess.Popen
    log: Path

    def output(self) -> str:
        """All that the app has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url: str) -> str:
    """The body of the page at ``url``."""
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode("utf-8")


def opens_a_session(url: str, host: str, origin: str | None = None) -> bool:
    """Whether the app at ``url`` lets a page connect: one that came by the name ``host``, and is of ``origin``.

    Args:
        url: of the app.
        host: what the browser sends as the Host header: the name in its address, with the port.
        origin: where the page is from; ``None``: that name.
    """
    headers = {"Host": host, "Origin": f"http://{host}" if origin is None else origin}
    headers |= {"Upgrade": "websocket", "Connection": "Upgrade"}
    headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("GET", "/_stcore/stream", headers=headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    assert status in (101, 403), status
    return status == 101


def needs_the_environment() -> None:
    """Skip the test outside the .venv that ``make`` keeps, which would otherwise be installed within the test."""
    if Path(sys.prefix).resolve() != (REPO_ROOT / ".venv").resolve():
        pytest.skip("starts `make app`, which uses .venv: run the tests by `make test`")


@contextmanager
def running_app(
    command: Sequence[str], url: str, log: Path, env: Mapping[str, str], seconds: float = 90
) -> Iterator[AppServer]:
    """Run ``command`` in the repository until the app at ``url`` is healthy; stop it and its children at the end.

    Args:
        command: what to run; it serves the app in the foreground.
        url: where the app will answer, without a slash at the end.
        log: file for everything that the command prints.
        env: environment variables on top of this process's own.
        seconds: how long the start may take.
    """
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=REPO_ROOT,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = AppServer(url, process, log)
    try:
        deadline = time.monotonic() + seconds
        while not _is_healthy(url):
            assert process.poll() is None, f"the app ended with status {process.returncode}:\n{server.output()}"
            assert time.monotonic() < deadline, f"no answer within {seconds} s:\n{server.output()}"
            time.sleep(0.2)
        yield server
    finally:
        _stop_group(process)


def _is_healthy(url: str) -> bool:
    try:
        return fetch(f"{url}/_stcore/health").strip() == "ok"
    except OSError:
        return False


def _stop_group(process: subprocess.Popen) -> None:
    """End the process group that ``process`` leads, by force where asking is not enough."""
    for sign, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
    process.wait(timeout=10)
