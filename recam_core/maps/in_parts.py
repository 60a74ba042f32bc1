"""Stores of whole data sets, made part by part: by several processes, and after a kill only what is missing.

On a CPU some processes of one thread each make more maps than one process of as many threads. Each part of the pictures
is a small store of its own until all are there; then they are put together.
"""

import hashlib
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import torch

from recam_core import ranks
from recam_core.atomic_write import replacing_folder
from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import Dataset, Sample
from recam_core.data.spec import open_dataset
from recam_core.data.subset import Subset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, SilentCount
from recam_core.maps.dataset_maps import MapSettings, maps_by_weights, read_ahead, store_info
from recam_core.maps.store import MapStore, StoreInfo, writing_store
from recam_core.method.extraction import map_weights
from recam_core.progress import ProgressFn, silent

#: Pictures a part: some seconds of work, but on a GPU enough for its readers to be worth their start.
PICTURES_A_PART = {"cpu": 32}
_ELSEWHERE = 1024


@dataclass(frozen=True)
class Asked:
    """Maps that are no extraction rule's, such as attributions: not read off the features of the shared pass.

    Attributes:
        settings: how they are made.
        begin: makes, of a run, their name and a data set, what makes the maps of a picture. A function of a module, as
            other processes are told its name.
    """

    settings: MapSettings
    begin: Callable[[Run, str, Dataset], Callable[[Sample], ActivationMaps]]


@dataclass(frozen=True)
class StorePlan:
    """Stores to be made in one pass over a data set.

    Attributes:
        runs: on one backbone (see :func:`on_one_backbone`).
        stores: the folder of each store, and which of the runs and which rule make its maps.
        settings: how maps of extraction rules are made; those of the first run where they name the classes themselves.
        limit: only the first so many pictures; None for all.
        asked: how those are made that are no extraction rule's, by the name of their rule.
    """

    runs: tuple[Run, ...]
    stores: Mapping[Path, tuple[int, str]]
    settings: MapSettings
    limit: int | None = None
    asked: Mapping[str, Asked] = field(default_factory=dict)

    @property
    def made_by(self) -> "tuple[MadeBy, ...]":
        """What makes the maps of each store."""
        return tuple((place, rule, self.asked.get(rule)) for place, rule in self.stores.values())


#: Which run, which rule, and how the maps are made where that is no extraction rule.
MadeBy = tuple[int, str, Asked | None]


def on_one_backbone(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs grouped by their backbone, in order: those that differ in their classifiers alone need one pass."""
    groups: list[list[Run]] = []
    for run in runs:
        for group in groups:
            if _same_backbone(group[0], run):
                group.append(run)
                break
        else:
            groups.append([run])
    return groups


def _same_backbone(one: Run, other: Run) -> bool:
    if (one.network.spec.backbone, one.network.spec.output_stride) != (
        other.network.spec.backbone,
        other.network.spec.output_stride,
    ):
        return False
    ours, theirs = one.network.backbone.state_dict(), other.network.backbone.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in ours.items())


def write_stores(
    plan: StorePlan, dataset: Dataset, processes: int = 1, progress: ProgressFn = silent
) -> dict[Path, SilentCount]:
    """Write the stores of a plan, under ``torchrun`` with all ranks. The same call after a kill goes on with the parts
    that are missing.

    Args:
        plan: what is to be made.
        dataset: the pictures; with more than one process, its specification must open it again.
        processes: how many share the pictures and this process's threads; 1 is this one alone.
        progress: called after each part; may raise Cancelled.

    Returns:
        How often classes had no activation, by store.

    Raises:
        UserError: a broken picture, a full disk, a process that was killed.
    """
    count = len(dataset) if plan.limit is None else min(plan.limit, len(dataset))
    device = plan.runs[0].network.device
    size = PICTURES_A_PART.get(device.type, _ELSEWHERE)
    parts = [range(first, min(first + size, count)) for first in range(0, count, size)]
    infos = {
        store: store_info(plan.runs[place].info, rule, dataset, asked.settings if asked else plan.settings)
        for store, (place, rule, asked) in zip(plan.stores, plan.made_by, strict=True)
    }
    work = next(iter(plan.stores)).parent / f".parts-{_digest(infos, dataset, size, plan.limit)}"
    missing = ranks.on_first(lambda: [number for number in range(len(parts)) if not (work / _name(number)).is_dir()])
    done = count - sum(len(parts[number]) for number in missing)
    for number in _made(plan, dataset, infos, work, parts, missing, min(processes, len(missing))):
        done += len(parts[number])
        progress(done, count, "")

    def put_together() -> dict[Path, SilentCount]:
        with ExitStack() as stack:
            writers = {store: stack.enter_context(writing_store(store, info)) for store, info in infos.items()}
            for number in range(len(parts)):
                for place, writer in enumerate(writers.values()):
                    for maps in MapStore(work / _name(number) / str(place)).values():
                        writer.add(maps)
        shutil.rmtree(work, ignore_errors=True)
        return {store: writer.silent for store, writer in writers.items()}

    return ranks.on_first(put_together)


def _made(
    plan: StorePlan,
    dataset: Dataset,
    infos: Mapping[Path, StoreInfo],
    work: Path,
    parts: Sequence[range],
    missing: Sequence[int],
    processes: int,
) -> Iterator[int]:
    """The number of each part when it is there."""
    make = partial(_write_part, work=work, infos=tuple(infos.values()))
    if processes < 2:
        maker = _maker(plan.runs, plan.made_by, dataset, plan.settings)
        for number in missing:
            make(number, parts[number], maker=maker)
            yield number
        return
    threads = max(torch.get_num_threads() // processes, 1)
    paths, device = tuple(run.path for run in plan.runs), str(plan.runs[0].network.device)
    start = (paths, plan.made_by, dataset.spec, dataset.ids, plan.settings, device, threads)
    # Not forked: threads of torch do not live through that.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=start) as pool:
        futures = {pool.submit(make, number, parts[number]): number for number in missing}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BrokenProcessPool:
            raise UserError(
                "A process that made maps was killed; memory may have run out. Take fewer --processes. What was "
                "finished is kept: the same command goes on there."
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


#: Writes the maps of some pictures; by the folder of each store's part.
Maker = Callable[[range, Sequence[Path], Sequence[StoreInfo]], None]
#: In a process of its own: opens the runs and the pictures, once for all its parts.
_opened_here: Callable[[], Maker] | None = None


def _begin(
    paths: Sequence[Path],
    made_by: Sequence[MadeBy],
    spec: str,
    ids: Sequence[str],
    settings: MapSettings,
    device: str,
    threads: int,
) -> None:
    """What a process does first."""
    global _opened_here
    # What interrupts the command is for the process that waits; when that is gone, nobody wants these maps.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)

    @cache
    def opened() -> Maker:
        dataset = open_dataset(spec)
        places = {id: index for index, id in enumerate(dataset.ids)}
        pictures = Subset(dataset, [places[id] for id in ids], spec)
        return _maker([load_run(path, torch.device(device)) for path in paths], made_by, pictures, settings)

    _opened_here = opened


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _maker(runs: Sequence[Run], made_by: Sequence[MadeBy], dataset: Dataset, settings: MapSettings) -> Maker:
    with torch.inference_mode():
        weights = {
            place: map_weights(rule, runs[run].network.fc1, runs[run].network.fc2)
            for place, (run, rule, asked) in enumerate(made_by)
            if asked is None
        }
    others = {place: asked.begin(runs[run], rule, dataset) for place, (run, rule, asked) in enumerate(made_by) if asked}

    def made(indices: Sequence[int]) -> Iterator[dict[int, ActivationMaps]]:
        if weights:
            pictures = maps_by_weights(runs[0].network, dataset, weights, settings, indices)
        else:
            pictures = ((sample, {}) for sample in read_ahead(dataset, indices))
        for sample, maps in pictures:
            yield maps | {place: make(sample) for place, make in others.items()}

    def write(indices: range, folders: Sequence[Path], infos: Sequence[StoreInfo]) -> None:
        with ExitStack() as stack:
            writers = [stack.enter_context(writing_store(*one)) for one in zip(folders, infos, strict=True)]
            for maps in ranks.in_order(made(ranks.share(indices)), len(indices)):
                for place, writer in enumerate(writers):
                    writer.add(maps[place])

    return write


def _write_part(
    number: int, indices: range, *, work: Path, infos: Sequence[StoreInfo], maker: Maker | None = None
) -> None:
    """Whole or not at all."""
    if maker is None:
        assert _opened_here is not None  # the process has begun
        maker = _opened_here()
    if not ranks.is_first():
        maker(indices, (), ())
        return
    with replacing_folder(work / _name(number)) as folder:
        maker(indices, [folder / str(place) for place in range(len(infos))], infos)


def _name(number: int) -> str:
    return f"{number:06d}"


def _digest(infos: Mapping[Path, StoreInfo], dataset: Dataset, size: int, limit: int | None) -> str:
    parts = [repr((store.name, info)) for store, info in infos.items()]
    parts += [str(size), str(len(dataset) if limit is None else limit), dataset_digest(dataset)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
