"""Start the app on a free port, and say where it is once it answers.

Environment variables decide, the same for ``make app``, the Procfile and the image:

``PORT``            the port (otherwise the first free one from 8501)
``HOST``            the address to listen on (otherwise this machine only; ``0.0.0.0`` lets the network in)
``ALLOWED_HOSTS``   the names by which others reach the app, with commas: of a proxy, of a platform (``*`` is any).
                    Otherwise, where it listens to the network, this machine's own names and addresses
``RECAM_HOSTED``    1 or 0: whether visitors are strangers (otherwise: whether any but this machine can be one)
``STREAMLIT_SERVER_BASE_URL_PATH``  the path below which a proxy serves the app

``--healthy`` starts nothing: it asks a running app, and ends with 0 where that is well. docs/hosting.md says more.
"""

import argparse
import ipaddress
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8501
PORTS_TRIED = 100
#: What a browser on this machine calls it. A page of elsewhere that has its own name led here (DNS rebinding) is not
#: served: its browser still sends that name.
OWN_MACHINE = ("localhost", "127.0.0.1", "::1")
#: Addresses that mean every address of the machine.
EVERYWHERE = ("0.0.0.0", "::")


def is_free(port: int, host: str) -> bool:
    """Whether a server could listen on ``host:port`` now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
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


def is_own_machine(host: str) -> bool:
    """Whether an address or a name means this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def allowed_hosts(host: str, given: str) -> tuple[str, ...]:
    """The names and addresses that the app answers to, without ports: Streamlit's ``server.allowedHosts``.

    Args:
        host: what it listens on.
        given: the text of ``ALLOWED_HOSTS``.

    Raises:
        SystemExit: with a sentence, where the text holds something else than names.
    """
    names = [name.strip().lower().strip("[]") for name in given.split(",") if name.strip()]
    for name in names:
        if not re.fullmatch(r"\*|(\*\.)?[\w-]+(\.[\w-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*", name, re.ASCII):
            raise SystemExit(
                f"ALLOWED_HOSTS={given}: '{name}' is no name of a machine. Give names or addresses as they stand in "
                "the browser's address, without http:// and without the port, with commas between them."
            )
    if not names and host in EVERYWHERE:
        names = [*own_addresses(), *own_names()]
    return tuple(dict.fromkeys([*OWN_MACHINE, *([] if host in EVERYWHERE else [host.lower()]), *names]))


def own_names() -> list[str]:
    """What this machine is called, also by machines that find it by mDNS."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return [found for found in dict.fromkeys([name, short, f"{short}.local", socket.getfqdn().lower()]) if found]


def own_addresses() -> list[str]:
    """Addresses of this machine, first the one by which it reaches others."""
    found = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # sends nothing: it only says which way would be taken
            found.append(probe.getsockname()[0])
    with suppress(OSError):
        found += [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)]
    if sys.platform == "linux":
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for _, name in socket.if_nameindex():
                with suppress(OSError):  # an interface without an address
                    reply = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", name.encode()))  # SIOCGIFADDR
                    found.append(socket.inet_ntoa(reply[20:24]))
    return [address for address in dict.fromkeys(found) if not is_own_machine(address) and "%" not in address]


def is_hosted(host: str, hosts: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether visitors are strangers: as ``RECAM_HOSTED`` says, or else if any but this machine can be one.

    A proxy on this machine brings strangers too: whoever names it in ``ALLOWED_HOSTS`` expects them.
    """
    if said := environ.get("RECAM_HOSTED", "").strip():
        return said != "0"
    return not (is_own_machine(host) and all(map(is_own_machine, hosts)))


def command(port: int, host: str, hosts: Sequence[str]) -> list[str]:
    """What runs the app."""
    words = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    words += ["--server.port", str(port), "--server.address", host]
    return words + [word for name in hosts for word in ("--server.allowedHosts", name)]


def environment(hosted: bool, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that the app runs in."""
    # Threads of OpenMP that spin while they wait take the cores from the pages. It is read once, when torch is loaded.
    return {"OMP_WAIT_POLICY": "PASSIVE", **environ, "RECAM_HOSTED": "1" if hosted else "0"}


def address(host: str, port: int, environ: Mapping[str, str]) -> str:
    """Where a browser on this machine finds the app."""
    # The number rather than "localhost", which may mean another server that listens on IPv6 only.
    host = "127.0.0.1" if host in EVERYWHERE else host
    path = environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
    return f"http://{f'[{host}]' if ':' in host else host}:{port}" + (f"/{path}" if path else "")


def told(host: str, port: int, hosts: Sequence[str], hosted: bool, environ: Mapping[str, str]) -> str:
    """What is printed once the app answers."""
    others = [name for name in hosts if not is_own_machine(name)]
    lines = [f"ReCAM Lab is ready:  {address(host, port, environ)}"]
    if "*" in others:
        lines += ["It answers to any name (ALLOWED_HOSTS=*): only right behind a router that decides on the name."]
    elif others and is_own_machine(host):
        lines += [f"It answers to a proxy on this machine, for {', '.join(others)}."]
    elif others:
        lines += [f"From other machines:  {', '.join(address(name, port, environ) for name in others)}"]
        lines += ["Under any other name its page stays empty: ALLOWED_HOSTS=name,name gives the names."]
    if hosted:
        lines += ["Hosted mode is on: visitors see what ships and what they upload. RECAM_HOSTED=0 turns it off."]
    elif others:
        lines += ["Hosted mode is off (RECAM_HOSTED=0): whoever reaches this may do what you may."]
    lines += ["docs/hosting.md says more."] if others or hosted else []
    return "".join(f"  {line}\n" for line in [*lines, "Ctrl-C stops it."])


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--healthy", action="store_true", help="only ask whether the app that runs is well")
    host = os.environ.get("HOST", "").strip().strip("[]") or OWN_MACHINE[1]
    wanted = os.environ.get("PORT", "").strip()
    if parser.parse_args().healthy:
        return 0 if answers(address(host, int(wanted) if wanted.isdigit() else FIRST_PORT, os.environ)) else 1
    port = choose_port(wanted, host)
    url = address(host, port, os.environ)
    print(f"Starting ReCAM Lab on port {port} ...", flush=True)
    hosts = allowed_hosts(host, os.environ.get("ALLOWED_HOSTS", ""))
    hosted = is_hosted(host, hosts, os.environ)
    app = subprocess.Popen(command(port, host, hosts), cwd=ROOT, env=environment(hosted, os.environ))

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
        print(f"\n{told(host, port, hosts, hosted, os.environ)}", flush=True)
    status = app.wait()
    return 0 if stops else status


if __name__ == "__main__":
    sys.exit(main())
