"""Start the app on a free port, and say where it is once it answers.

``PORT`` chooses the port (otherwise the first free one from 8501), ``HOST`` the address to listen on (otherwise this
machine only; ``HOST=0.0.0.0`` lets the local network in).
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8501
PORTS_TRIED = 100


def is_free(port: int, host: str) -> bool:
    """Whether a server could listen on ``host:port`` now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are merely winding down counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(wanted: str, host: str) -> int:
    """The port to serve on; ``wanted`` is the text of ``PORT``, empty for the first free one.

    Raises:
        SystemExit: with a sentence, where the wanted port is no port or is taken, or none is free.
    """
    if wanted:
        if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= 65535):
            raise SystemExit(f"PORT={wanted} is not a port: give a number from 1 to 65535.")
        if not is_free(int(wanted), host):
            raise SystemExit(f"Port {wanted} cannot be used on {host}: it is taken or not allowed. Give another PORT.")
        return int(wanted)
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if is_free(port, host):
            return port
    raise SystemExit(
        f"No port from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} can be used on {host}. "
        "Give one as PORT=..., and check HOST where you have set it."
    )


def answers(url: str) -> bool:
    """Whether the app at ``url`` reports itself healthy."""
    # A proxy that the environment names is not to be asked about this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/_stcore/health", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def main() -> int:
    """Run the app until it ends or is stopped; return its exit status."""
    host = os.environ.get("HOST") or "127.0.0.1"
    port = choose_port(os.environ.get("PORT", "").strip(), host)
    # The number rather than "localhost", which may mean another server that listens on IPv6 only.
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    print(f"Starting ReCAM Lab on port {port} ...", flush=True)
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    command += ["--server.port", str(port), "--server.address", host]
    app = subprocess.Popen(command, cwd=ROOT)

    stops = 0

    def stop(*_: object) -> None:
        nonlocal stops
        stops += 1
        app.terminate() if stops == 1 else app.kill()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    while app.poll() is None and not answers(url):
        time.sleep(0.2)
    if app.poll() is None:
        print(f"\n  ReCAM Lab is ready:  {url}\n  Ctrl-C stops it.\n", flush=True)
    status = app.wait()
    return 0 if stops else status


if __name__ == "__main__":
    sys.exit(main())
