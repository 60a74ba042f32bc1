"""A part of the fuzzing that tests/fuzz.py does: damaged and hostile input, and what it must not do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Enough that each surface sees a hundred changed inputs; the rest is for ``python tests/fuzz.py``.
INPUTS = 2600


@pytest.fixture(scope="module")
def found() -> dict:
    """What one run finds, in a process of its own: its memory and its writes are its own then."""
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), "--json", "--prove", "--seconds", "60"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, "--inputs", str(INPUTS)], capture_output=True, text=True, timeout=600, check=False, env=environment
    )
    assert done.stdout.strip(), done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_nothing_but_sentences_and_nothing_outside(found: dict) -> None:
    assert not [finding for finding in found["findings"] if not finding[0].startswith("faulty")]
    assert found["inputs"] >= INPUTS


def test_what_misbehaves_is_found(found: dict) -> None:
    words = {name.removeprefix("faulty ").partition(":")[0]: text for name, text in found["findings"]}
    assert set(words) == {"write", "process", "refuse", "work", "say"}
    assert "written outside" in words["write"]
    assert "os.system" in words["process"]
    assert "KeyError" in words["refuse"]
    assert "of work" in words["work"]
    assert "no page can show" in words["say"]


def test_good_examples_are_taken_so_that_more_than_the_first_check_is_tried(found: dict) -> None:
    assert sum(found["taken"].values()) > INPUTS / 10
    assert len(found["taken"]) >= 20


def test_memory_is_bounded(found: dict) -> None:
    assert found["grown"] < 200
