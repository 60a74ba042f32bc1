"""Locks, where the operating system has none of them: what needs one says so, and everything else can be imported."""

import ast
import subprocess
import sys
from pathlib import Path

from recam_core.cli.main import main
from test_tree import REPO_ROOT, python_files

#: Modules of Python that Windows lacks.
OF_UNIX = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"}

WITHOUT = """
import sys
from pathlib import Path
sys.modules["fcntl"] = None  # as on Windows: importing it fails
from recam_core.errors import UserError
from recam_core.lock import try_lock
try:
    try_lock(Path(sys.argv[1]))
except UserError as error:
    print(error)
"""


def test_without_the_systems_locks_there_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "one.lock"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(file)], cwd=REPO_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "one.lock cannot be locked" in done.stdout
    assert not file.exists()


def test_no_module_of_the_library_needs_what_windows_lacks_to_be_imported() -> None:
    for file in python_files("recam_core"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:  # those in functions and in try come later
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module} if isinstance(node, ast.ImportFrom) else set()
            assert not names & OF_UNIX, f"{file.relative_to(REPO_ROOT)} imports {names & OF_UNIX}"


HOLDING = """
import sys, time
from pathlib import Path
from recam_core.lock import hold_folder
hold_folder(Path(sys.argv[1]), Path(sys.argv[2]))
print("held", flush=True)
time.sleep(600)
"""


def test_two_commands_do_not_write_to_one_folder(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("recam_core.lock._LAST_BREATH", 0.5)
    out, words = tmp_path / "net", ("segment", "train", "--data", "voc:nowhere@train", "--out")

    def holder() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDING, str(out), str(tmp_path / "cache" / "writing")]
        return subprocess.Popen(command, cwd=REPO_ROOT, stdout=subprocess.PIPE, text=True)

    with holder() as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert main([*words, str(out)]) == 2
        assert "Another command is writing" in capsys.readouterr().err
        # A dry run writes nothing, and masks are written by one command at a time, too.
        dry = ("pipeline", "--preset", "small", "--data", "voc:nowhere@train", "--dry-run", "--out", str(out))
        assert main(dry) == 2
        assert "Another command" not in capsys.readouterr().err
        for command in (("masks", "run"), ("segment", "predict", "net")):
            assert main([*command, "--data", "voc:nowhere@train", "--out", str(out)]) == 2
            assert "Another command is writing" in capsys.readouterr().err
        # Another folder is free, and this one is once its holder was killed.
        assert main([*words, str(tmp_path / "other")]) == 2
        assert "Another command" not in capsys.readouterr().err
        other.kill()
    assert main([*words, str(out)]) == 2
    assert "Another command" not in capsys.readouterr().err
    with holder() as other:  # what a command held it gives back at its end, however that was
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        other.kill()


def test_a_cache_that_cannot_be_written_to_stops_no_command(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "file" / "cache"))
    assert main(["segment", "train", "--data", "voc:nowhere@train", "--out", str(tmp_path / "net")]) == 2
    assert "cache" not in capsys.readouterr().err
