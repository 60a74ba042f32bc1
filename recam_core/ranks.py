"""Several processes that carry out one command together, under ``torchrun`` or by :func:`environments`: who is there,
what they add up, share out, and agree on.

This is the only module that knows torch.distributed; all others ask it. Otherwise there is one process, rank 0 of 1:
everything here then returns at once, and loads nothing.

What is made of many pictures is shared out (:func:`share`) and comes together in order (:func:`in_order`); what a loss
divides by is added up (:func:`add_up`); what is written, rank 0 writes (:func:`on_first`). An error of one rank becomes
that of all where they meet (:func:`agreed`), and the first to fail tells it, once (:func:`joined`).
"""

import itertools
import os
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from recam_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Item = TypeVar("Item")
#: How long ranks wait for one that does something alone, such as scoring between epochs.
_PATIENCE = timedelta(minutes=30)
#: Pictures of each rank between two meetings: enough that a few large ones hold nobody up.
_AT_ONCE = 16
#: How the libraries below say that another process is gone, or does not answer.
_GONE = re.compile(r"gloo|nccl|connection (closed|reset)|broken pipe|timed? ?out|peer", re.IGNORECASE)


@dataclass(frozen=True)
class _Here:
    """Which process this is.

    Attributes:
        rank, world: this one, of how many.
        local: its number on its own machine.
    """

    rank: int = 0
    world: int = 1
    local: int = 0


_here = _Here()


class OtherRankFailed(UserError):
    """Another process of this command failed."""


def rank() -> int:
    """The number of this process, from 0."""
    return _here.rank


def world() -> int:
    """How many processes carry out this command; 1 without ``torchrun``."""
    return _here.world


def local_rank() -> int:
    """The number of this process on its own machine: that of its GPU."""
    return _here.local


def is_first() -> bool:
    """Whether this process is the one that writes, prints and shows progress."""
    return _here.rank == 0


@contextmanager
def joined() -> Iterator[None]:
    """Carry out what is inside together with the other processes that ``torchrun`` started, if it did.

    Of all ranks but the first nothing is printed. When one fails, the first to do so raises what went wrong, and the
    others, which miss it, end without a word.

    Raises:
        UserError: what went wrong inside, or that another process is gone.
        SystemExit: another process has told what went wrong.
    """
    global _here
    environment = os.environ
    started = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= set(environment) and environment["WORLD_SIZE"] != "1"
    if not started or world() > 1:  # one process, or joined already
        yield
        return
    import torch
    import torch.distributed as dist

    store, number, count = next(iter(dist.rendezvous("env://", timeout=_PATIENCE)))
    # Numbers and sentences go through gloo; what lies on a GPU, through NCCL.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    dist.init_process_group(
        backend, store=dist.PrefixStore("group", store), rank=number, world_size=count, timeout=_PATIENCE
    )
    before, _here = _here, _Here(number, count, int(environment.get("LOCAL_RANK", number)))
    try:
        with ExitStack() as stack:
            if not is_first():
                nowhere = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(redirect_stdout(nowhere))
                stack.enter_context(redirect_stderr(nowhere))
            yield
        dist.destroy_process_group()
    except (Exception, KeyboardInterrupt) as error:
        # The group is left as it is: another rank may be waiting in it, and notices that this one is gone.
        if not _is_first_to_tell(store):
            raise SystemExit(2) from None
        if not isinstance(error, UserError) and isinstance(error, RuntimeError) and _GONE.search(str(error)):
            raise OtherRankFailed(
                "Another process of this command is gone or does not answer: it may have been killed, for want of "
                f"memory for instance. What was finished is kept; the same command goes on there. ({_line(error)})"
            ) from error
        raise
    finally:
        _here = before


def environments(count: int) -> list[dict[str, str]]:
    """What so many processes of this machine each need in their environment to carry out one command together, without
    ``torchrun``: that asks for a name that can be looked up, and puts its processes into sessions of their own.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if loopback := {"linux": "lo", "darwin": "lo0"}.get(sys.platform):
        shared["GLOO_SOCKET_IFNAME"] = loopback  # there may be no other network
    return [shared | {"RANK": str(number), "LOCAL_RANK": str(number)} for number in range(count)]


def _is_first_to_tell(store: Any) -> bool:
    try:
        return int(store.add("told", 1)) == 1
    except RuntimeError:
        return True  # whoever kept the store is gone


def _line(error: BaseException) -> str:
    return re.sub(r"\[\S*\] ", "", str(error).strip()).partition(". ")[0].partition("\n")[0][:200]


@contextmanager
def agreed() -> Iterator[None]:
    """Let all ranks leave what is inside well, or none: what one raises, all raise.

    Raises:
        UserError: this rank's own, or that of another.
    """
    if world() == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    mine: Exception | None = None
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the others must not wait
        mine = error
    failed = torch.tensor([mine is not None], dtype=torch.int32)
    dist.all_reduce(failed)
    if not failed:
        return
    told = mine and (str(mine) if isinstance(mine, UserError) else f"Process {rank()} failed: {mine!r}")
    sentences = [words for words in _everybodys(told) if words is not None]
    raise mine or OtherRankFailed(sentences[0])


def in_step(batches: Iterable[Item]) -> Iterator[Item]:
    """Batches as they come, on all ranks together, so that none waits for one that could not read a picture.

    Args:
        batches: as many on each rank.
    """
    if world() == 1:
        yield from batches
        return
    waiting = iter(batches)
    while True:
        with agreed():
            some = list(itertools.islice(waiting, 1))
        if not some:
            return
        yield some[0]


def on_first(work: Callable[[], Item]) -> Item:
    """Have the first rank alone do something; all get what it returns, and raise what it raises."""
    if world() == 1:
        return work()
    import torch.distributed as dist

    found: list[Any] = [None]
    with agreed():
        if is_first():
            found = [work()]
    dist.broadcast_object_list(found, src=0)
    return found[0]


def after_first(work: Callable[[], Item]) -> Item:
    """Have all ranks do the same, the first one first: what it leaves for later calls, the others find."""
    if world() == 1:
        return work()
    for turn in (True, False):
        with agreed():
            if is_first() is turn:
                found = work()
    return found


def check_same(value: str, what: str) -> None:
    """Make sure that all ranks work on the same thing.

    Args:
        value: what must be equal.
        what: it is, in words.

    Raises:
        UserError: it differs.
    """
    if world() > 1 and len(set(_everybodys(value))) > 1:
        raise UserError(f"The processes do not see the same {what}: each machine needs the same files and options.")


@overload
def share(items: range) -> range: ...


@overload
def share(items: Sequence[Item]) -> Sequence[Item]: ...


def share(items: Sequence[Item]) -> Sequence[Item]:
    """This rank's part of something: every so many-th, and no item twice."""
    return items[rank() :: world()]


def in_order(own: Iterable[Item], total: int, everywhere: bool = False) -> Iterator[Item]:
    """What every rank makes of its :func:`share`, put together in the order of the whole, as it is made.

    Args:
        own: what this rank makes of its share, an item a piece.
        total: pieces of all ranks.
        everywhere: whether all ranks get it; else the first does, and the others only carry out their share.

    Raises:
        UserError: that of any rank.
    """
    if world() == 1:
        yield from own
        return
    import torch.distributed as dist

    waiting = iter(own)
    for _ in range(0, -(-total // world()), _AT_ONCE):
        with agreed():
            some = list(itertools.islice(waiting, _AT_ONCE))
        if everywhere:
            parts = _everybodys(some)
        else:
            parts = [[]] * world() if is_first() else []
            dist.gather_object(some, parts if is_first() else None, dst=0)
        for place in range(max(map(len, parts), default=0)):
            yield from (part[place] for part in parts if place < len(part))


def _everybodys(value: Item) -> list[Item]:
    import torch.distributed as dist

    found: list[Any] = [None] * world()
    dist.all_gather_object(found, value)
    return found


def add_up(values: "Tensor") -> "Tensor":
    """The sum over all ranks of a tensor of numbers, such as counts; no gradient goes through it."""
    if world() == 1:
        return values
    import torch.distributed as dist

    summed = values.detach().clone()
    dist.all_reduce(summed)
    return summed


def mean(values: "Tensor") -> "Tensor":
    """The mean over all ranks; no gradient goes through it."""
    return values if world() == 1 else add_up(values) / world()


def weight(count: "Tensor") -> "Tensor":
    """What a mean over this rank's ``count`` is multiplied with, so that the mean over the ranks is that over all."""
    return count * world() / add_up(count).clamp(min=1)
