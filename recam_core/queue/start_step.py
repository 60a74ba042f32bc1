"""Putting the long steps from seeds to a segmentation network into the queue: boundaries, masks, a network, and all of
it."""

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.device import device_name
from recam_core.errors import UserError
from recam_core.folders import data_root, runs_folder
from recam_core.guest import as_typed_spec, refuse_foreign_run, refuse_training
from recam_core.queue.job import KindName, TrainingJob, new_id
from recam_core.queue.kinds import BOUNDARIES, FOUND_FILE, MASKS, NETWORK, PIPELINE
from recam_core.queue.listing import Training, trainings_folder, writer_of
from recam_core.queue.reserved import has_record, reclaim
from recam_core.queue.start import OF_A_RUN, asking, check_queue, classes_of, enqueue
from recam_core.refine.finishes import check_finish
from recam_core.refine.known_boundaries import SCORES_FILE
from recam_core.retrain.named_run import check_run_name
from recam_core.train.recipe import METHODS
from recam_core.typed_path import as_typed, is_plain_name

#: Bytes of a pixel of a picture that is written without loss, with its mask; measured on photographs.
_OF_A_PIXEL = 2
#: How many times the room of a run the results of others take.
_ROOM = {BOUNDARIES: 1, NETWORK: 3, PIPELINE: 10}


@dataclass(frozen=True)
class Step:
    """A command, as the queue carries it out.

    Attributes:
        kind: of :data:`recam_core.queue.kinds.KINDS`.
        words: behind ``python -m recam_core``, without ``--out`` and ``--device``; what people typed stands behind the
            ``=`` of its option, so that it is not taken for another one.
        data: specification of the pictures.
        run: that it starts from.
        needs: folders of other results that it reads.
        scored: specifications of pictures with ground truth that are of the same classes.
        check: looks at what else could be wrong with these data, and raises UserError.
    """

    kind: KindName
    words: tuple[str, ...]
    data: str
    run: Path | None = None
    needs: tuple[Path, ...] = ()
    scored: tuple[str, ...] = ()
    check: Callable[[Dataset], object] | None = None

    @property
    def place(self) -> Path:
        """The folder that its result goes to: masks with their pictures are a data set, all else lies among runs."""
        return (data_root() if self.kind == MASKS else runs_folder()).absolute()

    def command(self, name: str) -> str:
        """The command line that does the same without the queue, paths as one types them in the project's folder."""
        words = ["python", "-m", "recam_core", *(part for word in self.words for part in _as_typed(word))]
        return shlex.join([*words, "--out", str(as_typed(self.place / name))])


def _as_typed(word: str) -> Sequence[str]:
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    value = str(as_typed(Path(value))) if value.startswith("/") else as_typed_spec(value)
    return [flag, value] if equals else [flag or value]


# What there is --------------------------------------------------------------------------------------------------------


def boundaries_step(
    run: Path, data: str, *, foreground: float, background: float, finish: str, preset: str, epochs: int
) -> Step:
    """Boundaries of a run; see :class:`recam_core.refine.boundaries.BoundaryRecipe`.

    Raises:
        UserError: a finish that there is not, or that is not installed.
    """
    check_finish(finish)
    words = ["boundaries", str(run.absolute()), f"--data={data}", f"--preset={preset}", f"--epochs={epochs}"]
    words += [f"--foreground={foreground:g}", f"--background={background:g}", f"--finish={finish}"]
    return Step(BOUNDARIES, tuple(words), data, run)


def masks_step(
    run: Path,
    data: str,
    *,
    way: str,
    finish: str,
    boundaries: Path | None = None,
    threshold: float | None = None,
    select: str = "",
    beside_seeds: bool = False,
) -> Step:
    """Masks of a data set, with its pictures.

    Args:
        run: that makes the maps.
        data: the pictures.
        way, finish: see :mod:`recam_core.refine.ways` and :mod:`recam_core.refine.finishes`.
        boundaries: of the run, for ways that walk.
        threshold: of the background, or else
        select: pictures with ground truth that it is chosen on; neither where there is no background.
        beside_seeds: score the seeds and the steps between, too; for pictures with ground truth.

    Raises:
        UserError: a finish that there is not, or that is not installed.
    """
    check_finish(finish)
    words = ["masks", str(run.absolute()), f"--data={data}", "--with-pictures"]
    words += [f"--way={one}" for one in dict.fromkeys((["direct"] if beside_seeds else []) + [way])]
    words += [f"--finish={one}" for one in dict.fromkeys((["none"] if beside_seeds else []) + [finish])]
    words += [f"--boundaries={boundaries.absolute()}"] if boundaries is not None else []
    words += [f"--threshold={threshold:g}"] if threshold is not None else []
    words += [f"--select={select}"] if select else []
    if boundaries is not None and beside_seeds and not (boundaries / SCORES_FILE).exists():
        # Beside the boundaries, where the page Masks tells whether the walk helps.
        words.append(f"--json={boundaries.absolute() / SCORES_FILE}")
    needs = () if boundaries is None else (boundaries,)
    return Step(MASKS, tuple(words), data, run, needs, (select,) if select else ())


def network_step(data: str, *, masks: Path | None, preset: str, network: str, steps: int) -> Step:
    """A segmentation network on masks, or on the ground truth; see :class:`recam_core.segment.recipe.SegmentRecipe`."""
    words = ["segment", "train", f"--data={data}", f"--preset={preset}", f"--network={network}", f"--steps={steps}"]
    words += [f"--masks={masks.absolute()}"] if masks is not None else []
    return Step(NETWORK, tuple(words), data, needs=() if masks is None else (masks,))


def pipeline_step(
    data: str,
    *,
    preset: str,
    select: str,
    val: str,
    rule: str = "",
    way: str = "irn",
    finish: str = "pamr",
    check: Callable[[Dataset], object] | None = None,
) -> Step:
    """All of it, from image-level labels; see :class:`recam_core.pipeline.plan.PipelinePlan`, and :class:`Step`.

    Raises:
        UserError: a finish that there is not, or that is not installed.
    """
    check_finish(finish)
    words = ["pipeline", f"--data={data}", f"--preset={preset}"]
    words += [f"--select={select}"] if select else []
    words += [f"--val={val}"] if val else []
    words += [f"--rule={rule}"] if rule else []
    words += [f"--way={way}", f"--finish={finish}"]
    return Step(PIPELINE, tuple(words), data, scored=tuple(filter(None, (select, val))), check=check)


# Starting it ----------------------------------------------------------------------------------------------------------


def start_step(step: Step, name: str, *, device: str = "auto", visitor: str = "", address: str = "") -> Training:
    """Start a step in a process of its own, or line it up behind those that use its device.

    Args:
        step: what is asked for.
        name: of its result, in its place.
        device: see :func:`recam_core.device.device_name`.
        visitor, address: who asks for it, see :func:`recam_core.queue.start.check_queue`.

    Returns:
        The step in the queue.

    Raises:
        UserError: settings that cannot work, data or a run that is not there, a name that is taken, a full queue;
            nothing is left then.
    """
    refuse_training()
    visitor = asking(visitor)
    check_queue(visitor, address)
    if is_plain_name(name.strip()):
        reclaim(step.place / name.strip(), trainings_folder())
    name = check_run_name(name, step.place)
    if step.kind == PIPELINE:
        for method in METHODS:
            check_run_name(f"{name}-{method}", runs_folder())  # what its runs are kept as
    device = device_name(device)
    dataset = check_step(step)
    out = step.place / name
    ends = [f"--out={out}", f"--device={device}"]
    ends += [f"--json={out / FOUND_FILE}"] if step.kind == PIPELINE else []
    size, files = _room(step, dataset)
    return enqueue(
        TrainingJob(
            id=new_id(),
            recipe={},
            data=step.data,
            val="",
            init=str(step.run.absolute()) if step.run else "",
            out=str(out),
            device=device,
            folder=str(Path.cwd()),
            command=step.command(name),
            created=time.time(),
            visitor=visitor,
            address=address,
            kind=step.kind,
            words=(*step.words, *ends),
            needs=tuple(str(place.absolute()) for place in step.needs),
        ),
        size,
        files,
    )


def check_step(step: Step) -> Dataset:
    """Refuse at once what would fail after an hour in the queue.

    Returns:
        The data set.

    Raises:
        UserError: data, a run or another result that is not there, classes that differ, a pipeline of what does not go
            together.
    """
    dataset = open_dataset(step.data)
    if len(dataset) == 0:
        raise UserError(f"{step.data} has no pictures.")
    for spec in step.scored:
        other = open_dataset(spec)
        if not other.has_masks:
            raise UserError(f"{spec} has no ground-truth masks.")
        if tuple(other.classes.names) != tuple(dataset.classes.names):
            raise UserError(f"The classes of {spec} are not those of {step.data}.")
    if step.check is not None:
        step.check(dataset)
    for place in (step.run, *step.needs):
        if place is not None:
            refuse_foreign_run(place.absolute())
    if step.run is not None and classes_of(step.run.absolute()) != tuple(dataset.classes.names):
        raise UserError(f"The classes of {step.data} are not those of the run {step.run.name}.")
    for place in step.needs:
        maker = writer_of(place)
        if not has_record(place) and (maker is None or not maker.is_live):
            raise UserError(f"{place} is not there, and nothing in the queue makes it.")
    return dataset


def _room(step: Step, dataset: Dataset) -> tuple[int, int]:
    """Bytes and files that its result takes."""
    if step.kind != MASKS:
        return _ROOM[step.kind] * OF_A_RUN, 1
    height, width = dataset.load(0).image.shape[:2]
    return len(dataset) * height * width * _OF_A_PIXEL, 2 * len(dataset)
