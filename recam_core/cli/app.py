"""``app``: the lab in the browser."""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import recam_core
from recam_core.errors import UserError
from recam_core.home import INSTALLED, ROOT


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``app``."""
    parser = subparsers.add_parser(
        "app",
        help="the lab in the browser",
        description="Start the app for this machine alone, until Ctrl-C. It needs the extra 'app' of the package.",
    )
    parser.add_argument("--port", type=int, default=8501, help="to serve on (8501)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve the app; the exit status of Streamlit."""
    script = (Path(recam_core.__file__).parent / "web" if INSTALLED else ROOT) / "app" / "main.py"
    if not 1 <= arguments.port <= 65535:
        raise UserError(f"{arguments.port} is not a port: give a number from 1 to 65535.")
    if importlib.util.find_spec("streamlit") is None:
        raise UserError('The app needs Streamlit, which is not installed: pip install "recam-lab[app]" brings it.')
    if not script.is_file():
        raise UserError("The app is not here; install the package whole, or run this from a clone.")
    try:
        ROOT.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{ROOT} cannot be made ({error.strerror or error}).") from error
    print(f"ReCAM Lab: http://127.0.0.1:{arguments.port} (Ctrl-C stops it)", flush=True)
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += ["--server.port", str(arguments.port), "--server.address", "127.0.0.1"]
    if os.name != "posix":
        return subprocess.call(command, cwd=ROOT)
    os.chdir(ROOT)
    os.execv(command[0], command)  # one process, so that whatever stops this one stops the server
