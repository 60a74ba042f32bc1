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


#: Large blocks are freed, and something small between each two is kept; prints megabytes before and after the trim.
SCATTERED = """
import json
from pathlib import Path
from recam_core import memory
def own():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) // 1024
memory.trim_kept_blocks()  # before it is told to keep any: nothing
assert memory.keep_large_blocks()
both = [(b"\\1" * 1_000_000, b"\\1" * 700) for _ in range(300)]
small = [each[1] for each in both]
del both
found = [own()]
memory.trim_kept_blocks()  # less than 2 GiB: stays
found.append(own())
memory.MOST_KEPT = 100_000_000
memory.trim_kept_blocks()
print(json.dumps([*found, own()]))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="only glibc has these settings"
)
def test_what_is_kept_is_bounded():
    done = subprocess.run([sys.executable, "-c", SCATTERED], check=True, capture_output=True, text=True)
    freed, kept, trimmed = json.loads(done.stdout)
    assert min(freed, kept) > 290  # what was freed is kept...
    assert trimmed < freed - 250  # ...but not for ever
