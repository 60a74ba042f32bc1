"""Memory that is kept: what is freed and asked for again is not mapped anew."""

import platform
import subprocess
import sys

import pytest

#: Frees and asks for 64 MB again and again; prints how many pages were mapped meanwhile. Small blocks that land in the
#: gap of a freed one make the heap grow a few times before it has found its size (after 9 rounds at most of those seen,
#: and never again), so that the rounds before are many.
SCRIPT = """
import resource, sys, torch
from recam_core.large_blocks import keep_large_blocks
if sys.argv[1] == "keep":
    assert keep_large_blocks()
    assert keep_large_blocks()
def work():
    return float(torch.ones(16_000_000).sum())
for _ in range(50):
    assert work() == 16_000_000
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_large_blocks_are_mapped_once():
    mapped = {}
    for way in ("keep", "give"):
        found = subprocess.run([sys.executable, "-c", SCRIPT, way], check=True, capture_output=True, text=True)
        mapped[way] = int(found.stdout)
    # Ten times 64 MB are some 156,000 pages of 4 kB, if each is mapped again; fewer where the system has larger ones.
    assert mapped["keep"] < mapped["give"] / 4


def test_other_systems_are_left_alone(monkeypatch):
    from recam_core.large_blocks import keep_large_blocks

    monkeypatch.setattr("platform.libc_ver", lambda *_: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", None)  # would raise if it were called
    assert keep_large_blocks() is False
