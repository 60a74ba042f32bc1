"""Memory that is kept: what is freed and asked for again is not mapped anew."""

import json
import platform
import subprocess
import sys

import pytest

#: Frees and asks for 40 MB again and again, more than glibc keeps by itself; prints how many pages were mapped
#: meanwhile, before and after it is told to keep them. Small blocks that land in the gap of a freed one make the heap
#: grow a few times before it has found its size (after 9 rounds at most of those seen, and never again), so that the
#: rounds before are many.
SCRIPT = """
import json, resource, torch
from recam_core.memory import keep_large_blocks
def mapped(rounds_before):
    for _ in range(rounds_before):
        assert float(torch.ones(10_000_000).sum()) == 10_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        float(torch.ones(10_000_000).sum())
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
found = [mapped(2)]
assert keep_large_blocks()
assert keep_large_blocks()
print(json.dumps([*found, mapped(40)]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_large_blocks_are_mapped_once():
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    given, kept = json.loads(done.stdout)
    # Ten times 40 MB are some 98,000 pages of 4 kB, if each is mapped again; fewer where the system has larger ones.
    assert kept < given / 4


def test_other_systems_are_left_alone(monkeypatch):
    from recam_core.memory import keep_large_blocks

    monkeypatch.setattr("platform.libc_ver", lambda *_: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", None)  # would raise if it were called
    assert keep_large_blocks() is False
