"""The commands that a newcomer types: make, make app, the environment behind them, and the Procfile."""

import functools
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import streamlit as st

from app_server import fetch, free_port, needs_the_environment, opens_a_session, running_app


@pytest.fixture(scope="module")
def start_app(repo_root: Path) -> ModuleType:
    """tools/start_app.py as a module."""
    spec = importlib.util.spec_from_file_location("start_app", repo_root / "tools" / "start_app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=240)


def test_make_alone_lists_the_targets(repo_root: Path) -> None:
    done = run("make", cwd=repo_root)
    assert done.returncode == 0
    for target in ("app", "test", "lint", "format", "bench", "gpu-check", "image", "clean"):
        assert f"make {target} " in done.stdout


def test_ci_runs_the_command_that_the_readme_names(repo_root: Path) -> None:
    script = (repo_root / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "make test" in script
    assert os.access(repo_root / ".ci" / "run", os.X_OK)


#: A Python that makes an environment and installs in no time; ``pip-does`` beside it says what its pip does.
QUICK_PYTHON = """#!/usr/bin/env bash
case "$1 ${2:-}" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") echo "pip $*" >>calls; source ./pip-does ;;
    "--version "*) echo "Python 3" ;;
esac
"""


class TestEnvironment:
    """tools/venv.sh in a folder of its own, with a Python that is quick and needs no package index."""

    @pytest.fixture
    def folder(self, repo_root: Path, tmp_path: Path) -> Path:
        shutil.copytree(repo_root / "tools", tmp_path / "tools")
        (tmp_path / "requirements.txt").write_text("# nothing\n")
        (tmp_path / "constraints.txt").write_text("# nothing\n")
        (tmp_path / "pip-does").write_text("exit 0\n")
        (tmp_path / "calls").touch()
        (tmp_path / "quick-python").write_text(QUICK_PYTHON)
        (tmp_path / "quick-python").chmod(0o755)
        return tmp_path

    @staticmethod
    def make_venv(folder: Path) -> subprocess.CompletedProcess:
        python = str(folder / "quick-python")
        return run("bash", "tools/venv.sh", "requirements.txt", cwd=folder, PYTHON=python)

    @staticmethod
    def installations(folder: Path) -> int:
        return len((folder / "calls").read_text().splitlines())

    def test_is_made_once_and_renewed_when_the_requirements_change(self, folder: Path) -> None:
        first = self.make_venv(folder)
        assert first.returncode == 0, first.stderr
        assert "Making .venv" in first.stdout
        assert self.installations(folder) == 1

        again = self.make_venv(folder)
        assert (again.returncode, again.stdout) == (0, "")
        assert self.installations(folder) == 1

        (folder / "constraints.txt").write_text("# something else\n")
        changed = self.make_venv(folder)
        assert changed.returncode == 0
        assert "up to date" in changed.stdout
        assert self.installations(folder) == 2
        assert self.make_venv(folder).stdout == ""

    def test_that_does_not_work_is_made_anew(self, folder: Path) -> None:
        self.make_venv(folder)
        (folder / ".venv" / "bin" / "python").write_text("not a program")
        assert "does not work" in self.make_venv(folder).stdout
        assert self.installations(folder) == 2

    def test_whose_installation_was_killed_is_made_anew(self, folder: Path) -> None:
        self.make_venv(folder)
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        (folder / ".venv" / "being-installed").write_text(f"{ended.pid}\n")
        (folder / ".venv" / "left-over").touch()
        repaired = self.make_venv(folder)
        assert repaired.returncode == 0, repaired.stderr
        assert "interrupted" in repaired.stdout
        assert not (folder / ".venv" / "left-over").exists()
        assert not (folder / ".venv" / "being-installed").exists()

    def test_stopped_by_ctrl_c_is_not_trusted(self, folder: Path) -> None:
        # As pip does it: it ends in the middle, and with an ordinary status.
        (folder / "pip-does").write_text("trap 'exit 1' INT\ntouch started\nsleep 60\n")
        env = {**os.environ, "PYTHON": str(folder / "quick-python")}
        command = ["bash", "tools/venv.sh", "requirements.txt"]
        # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
        heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        setup = subprocess.Popen(command, cwd=folder, env=env, start_new_session=True, preexec_fn=heeding)
        deadline = time.monotonic() + 60
        while not (folder / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(setup.pid, signal.SIGINT)
        assert setup.wait(timeout=60) == 130

        (folder / "pip-does").write_text("exit 0\n")
        assert "interrupted" in self.make_venv(folder).stdout

    def test_that_another_process_is_installing_into_is_left_alone(self, folder: Path) -> None:
        (folder / ".venv").mkdir()
        (folder / ".venv" / "being-installed").write_text(f"{os.getpid()}\n")
        refused = self.make_venv(folder)
        assert refused.returncode == 1
        assert "wait for it" in refused.stderr
        assert (folder / ".venv" / "being-installed").exists()

    def test_that_pip_could_not_finish_is_an_error_until_it_can(self, folder: Path) -> None:
        (folder / "pip-does").write_text("echo no such package >&2; exit 1\n")
        for _ in range(2):
            failed = self.make_venv(folder)
            assert failed.returncode == 1
            assert "no such package" in failed.stderr
        (folder / "pip-does").write_text("exit 0\n")
        assert self.make_venv(folder).returncode == 0

    def test_without_a_usable_python_says_what_to_install(self, folder: Path, tmp_path: Path) -> None:
        commands = tmp_path / "commands"
        commands.mkdir()
        for name in ("bash", "cat"):
            (commands / name).symlink_to(shutil.which(name))
        # What a version manager leaves behind: a command that is there and does not run.
        broken = commands / "python3.12"
        broken.write_text("#!/bin/sh\nexit 127\n")
        broken.chmod(0o755)
        done = run("bash", "tools/find_python.sh", cwd=folder, PATH=str(commands), PYTHON="")
        assert done.returncode == 1
        assert "Python from 3.10" in done.stderr
        assert "PYTHON=" in done.stderr

    def test_a_wrong_choice_of_python_is_refused(self, folder: Path) -> None:
        done = run("bash", "tools/find_python.sh", cwd=folder, PYTHON="cat")
        assert done.returncode == 1
        assert "PYTHON=cat" in done.stderr


class TestPort:
    def test_is_the_first_free_one(self, start_app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            monkeypatch.setattr(start_app, "FIRST_PORT", port)
            assert port < start_app.choose_port("", "127.0.0.1") < port + start_app.PORTS_TRIED

    def test_that_is_wanted_is_taken_literally(self, start_app: ModuleType) -> None:
        port = free_port()
        assert start_app.choose_port(str(port), "127.0.0.1") == port

    @pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "８５０１"])
    def test_that_is_none_is_refused(self, start_app: ModuleType, text: str) -> None:
        with pytest.raises(SystemExit, match="not a port"):
            start_app.choose_port(text, "127.0.0.1")

    def test_that_is_taken_is_refused(self, start_app: ModuleType) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(SystemExit, match="taken"):
                start_app.choose_port(str(taken.getsockname()[1]), "127.0.0.1")


class TestNames:
    """By which names the app answers, and for whom it takes those who come."""

    OWN = ("localhost", "127.0.0.1", "::1")

    def test_of_the_own_machine_are_those_that_a_browser_on_it_uses(self, start_app: ModuleType) -> None:
        assert start_app.allowed_hosts("127.0.0.1", "") == self.OWN
        assert not start_app.is_hosted("127.0.0.1", self.OWN, {})
        assert tuple(st.get_option("server.allowedHosts")) == self.OWN, "the same without the start script"

    def test_of_a_machine_that_lets_the_network_in_are_its_own(
        self, start_app: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "gethostname", lambda: "Bench.lab.example")
        monkeypatch.setattr(socket, "getfqdn", lambda: "bench.lab.example")
        monkeypatch.setattr(start_app, "own_addresses", lambda: ["192.0.2.7"])
        hosts = start_app.allowed_hosts("0.0.0.0", "")
        assert hosts == (*self.OWN, "192.0.2.7", "bench.lab.example", "bench", "bench.local")
        assert start_app.is_hosted("0.0.0.0", hosts, {})
        words = start_app.told("0.0.0.0", 8600, hosts, True, {})
        assert "http://127.0.0.1:8600" in words
        assert "http://192.0.2.7:8600, http://bench.lab.example:8600" in words
        assert "RECAM_HOSTED=0" in words

    def test_of_a_machine_hold_no_address_that_means_all(self, start_app: ModuleType) -> None:
        assert not {"0.0.0.0", "::", *self.OWN} & set(start_app.own_addresses())

    def test_that_are_given_take_their_place(self, start_app: ModuleType) -> None:
        given = "Lab.example, *.lab.example,[2001:db8::5],"
        hosts = start_app.allowed_hosts("0.0.0.0", given)
        assert hosts == (*self.OWN, "lab.example", "*.lab.example", "2001:db8::5")
        assert start_app.allowed_hosts("192.0.2.7", "") == (*self.OWN, "192.0.2.7")
        assert "any name" in start_app.told("0.0.0.0", 1, start_app.allowed_hosts("0.0.0.0", "*"), True, {})

    @pytest.mark.parametrize(
        "given", ["https://lab.example", "lab.example:8501", "lab.example/x", "a b", "läb.example"]
    )
    def test_that_are_none_are_refused(self, start_app: ModuleType, given: str) -> None:
        with pytest.raises(SystemExit, match="no name of a machine"):
            start_app.allowed_hosts("0.0.0.0", given)

    def test_of_a_proxy_bring_strangers_to_the_own_machine(self, start_app: ModuleType) -> None:
        hosts = start_app.allowed_hosts("127.0.0.1", "lab.example")
        assert start_app.is_hosted("127.0.0.1", hosts, {})
        assert not start_app.is_hosted("127.0.0.1", hosts, {"RECAM_HOSTED": "0"})
        assert start_app.is_hosted("127.0.0.1", self.OWN, {"RECAM_HOSTED": "1"})
        assert "off (RECAM_HOSTED=0)" in start_app.told("127.0.0.1", 1, hosts, False, {})


def test_the_app_is_started_with_what_was_decided(start_app: ModuleType) -> None:
    words = start_app.command(8600, "0.0.0.0", ("localhost", "lab.example"))
    assert words[-8:] == [
        *("--server.port", "8600", "--server.address", "0.0.0.0"),
        *("--server.allowedHosts", "localhost", "--server.allowedHosts", "lab.example"),
    ]
    assert start_app.environment(True, {"A": "b"}) == {"A": "b", "OMP_WAIT_POLICY": "PASSIVE", "RECAM_HOSTED": "1"}
    assert start_app.environment(False, {"OMP_WAIT_POLICY": "ACTIVE"})["OMP_WAIT_POLICY"] == "ACTIVE"
    below = {"STREAMLIT_SERVER_BASE_URL_PATH": "/lab/"}
    assert start_app.address("::", 8600, below) == "http://127.0.0.1:8600/lab"
    assert start_app.address("::1", 8600, {}) == "http://[::1]:8600"


def test_make_app_says_where_it_is_and_stops_when_told(repo_root: Path, tmp_path: Path) -> None:
    needs_the_environment()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_app(["make", "app"], url, tmp_path / "log", {"PORT": str(port)}) as app:
        for _ in range(50):
            if "ready" in app.output():
                break
            time.sleep(0.1)
        assert url in app.output()
        assert "stcore" not in app.output()
        # A page of another origin gets nothing, not even where its name was led to this machine.
        assert opens_a_session(url, f"127.0.0.1:{port}")
        assert opens_a_session(url, f"localhost:{port}")
        assert not opens_a_session(url, f"127.0.0.1:{port}", origin="http://elsewhere.example")
        assert not opens_a_session(url, f"elsewhere.example:{port}")
        asked = [sys.executable, "tools/start_app.py", "--healthy"]
        assert run(*asked, cwd=repo_root, PORT=str(port)).returncode == 0
        assert run(*asked, cwd=repo_root, PORT=str(free_port())).returncode == 1
        os.killpg(app.process.pid, signal.SIGINT)
        app.process.wait(timeout=20)
        with pytest.raises(OSError, match="refused"):
            fetch(url)
        assert "Traceback" not in app.output()


def test_procfile_serves_the_app_on_the_port_that_its_host_gives(repo_root: Path, tmp_path: Path) -> None:
    kinds = dict(line.split(": ", 1) for line in (repo_root / "Procfile").read_text(encoding="utf-8").splitlines())
    assert set(kinds) == {"web"}
    port = free_port()
    # Another loopback address answers only where the app listens to more than this machine, as a host needs it.
    address = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
    env = {"PORT": str(port), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env["ALLOWED_HOSTS"] = "lab.example"
    with running_app(["bash", "-c", kinds["web"]], f"http://{address}:{port}", tmp_path / "log", env) as app:
        assert '<div id="root">' in fetch(app.url)
        assert opens_a_session(app.url, "lab.example")
        assert not opens_a_session(app.url, "elsewhere.example")
        assert not opens_a_session(app.url, "lab.example", origin="https://elsewhere.example")


def test_procfile_leaves_the_name_to_the_router_of_its_host(repo_root: Path) -> None:
    words = (repo_root / "Procfile").read_text(encoding="utf-8").partition(": ")[2]
    words = words.replace("python tools/start_app.py", """bash -c 'echo "$HOST $ALLOWED_HOSTS"'""")
    env = {name: value for name, value in os.environ.items() if name != "ALLOWED_HOSTS"}
    for given, expected in (({}, "0.0.0.0 *"), ({"ALLOWED_HOSTS": "lab.example"}, "0.0.0.0 lab.example")):
        done = subprocess.run(["bash", "-c", words], env=env | given, capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == expected


def test_the_command_line_lists_its_sub_commands(repo_root: Path) -> None:
    done = run(sys.executable, "-m", "recam_core", "--help", cwd=repo_root)
    assert done.returncode == 0, done.stderr
    for name in ("data", "train", "cams", "evaluate", "retrain", "checkpoint"):
        assert re.search(rf"^ +{name}\b", done.stdout, re.MULTILINE), f"{name} is not listed"
