"""What `make lint` cannot see of the JavaScript: the viewer as one module, and scripts that stand in Python."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recam_core.views.viewer_payload import viewer_script


@pytest.fixture
def faults(repo_root: Path, tmp_path: Path) -> Callable[[str], str]:
    """``faults(script)``: what oxlint says of it; nothing where it finds nothing."""

    def run(script: str) -> str:
        file = tmp_path / "script.js"
        file.write_text(script, encoding="utf-8")
        oxlint = Path(sys.executable).with_name("oxlint")
        done = subprocess.run([oxlint, "-c", repo_root / ".oxlintrc.json", file], capture_output=True, text=True)
        return done.stdout if done.returncode else ""

    return run


def test_the_files_of_the_viewer_fit_together(faults: Callable[[str], str]) -> None:
    """Each uses names of others, so that a lint of one cannot know which are missing, or used by nobody."""
    assert not faults(viewer_script())
    assert "'absent' is not defined" in faults(viewer_script() + "\nabsent();\n")
    assert "'idle' is declared but never used" in faults(viewer_script() + "\nfunction idle() {}\n")


def test_scripts_within_python_are_linted(repo_root: Path, faults: Callable[[str], str]) -> None:
    found = [
        script
        for file in sorted((repo_root / "app").rglob("*.py"))
        for script in re.findall(r'"""<script>(.*?)</script>"""', file.read_text(encoding="utf-8"), re.S)
    ]
    assert len(found) >= 5
    for script in found:
        filled = re.sub(r"%\(\w+\)[sd]", "1", script)  # what a page fills in
        assert not faults(filled), filled
