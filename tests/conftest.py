"""What every test shares: one thread of torch, no network, and the photographs beside the repository, if any."""

import os

# Before anything imports torch: pytest-xdist runs several tests at once, each of which would take every core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
# A model hub is never asked, not even whether something newer is there.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import ipaddress
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO_ROOT = Path(__file__).resolve().parent.parent


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("cuda") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs an NVIDIA GPU")


@pytest.fixture(autouse=True)
def own_main_module() -> Iterator[None]:
    """Undo what Streamlit's AppTest does to ``__main__``: processes that a later test starts would run its script."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The folder of the repository."""
    return REPO_ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of photographs beside the repository; the test is skipped where there is none."""
    folder = REPO_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the folder shared/data beside the repository")
    return folder


@pytest.fixture(scope="session")
def msrc_v2(shared_data: Path) -> Path:
    """The MSRC v2 photographs in the VOC layout; the test is skipped where they are absent."""
    folder = shared_data / "msrc_v2"
    if not (folder / "classes.txt").is_file():
        pytest.skip("needs shared/data/msrc_v2 beside the repository")
    return folder


def _is_this_machine(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback or host in ("0.0.0.0", "::")
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse every connection that would leave this machine, as being offline does."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(family: int, address: object) -> None:
        if family in (socket.AF_INET, socket.AF_INET6) and not _is_this_machine(str(address[0])):  # type: ignore[index]
            raise OSError(f"tests have no network, and {address} is not on this machine")

    def guarded_connect(self: socket.socket, address: object) -> None:
        check(self.family, address)
        return connect(self, address)  # type: ignore[arg-type]

    def guarded_connect_ex(self: socket.socket, address: object) -> int:
        check(self.family, address)
        return connect_ex(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        yield
