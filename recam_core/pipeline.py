"""The whole way from image-level labels to a segmentation network: commands in their order, each done once.

Every step is a command of this program in a process of its own, so that what it costs is its own. A step whose result
is there and whose command and inputs are unchanged is skipped; a step that was cut off is given again, and goes on
where its command goes on.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recam_core.atomic_write import write_json
from recam_core.data.sample import Dataset
from recam_core.errors import LEFT_OUT, UserError
from recam_core.progress import STEPS, listener
from recam_core.records import RecordError, opened_record

METHODS = ("bce", "recam")
#: What a step's command is given to.
PROGRAM = (sys.executable, "-m", "recam_core")
#: The routes that masks are scored by, as `masks --json` names them, and what the table calls them.
ROUTES = {"direct+none": "seeds", "direct+pamr": "seeds, PAMR", "irn+none": "IRN", "irn+pamr": "IRN, PAMR"}


@dataclass(frozen=True)
class Preset:
    """What a preset adds to the commands.

    Attributes:
        about: for people.
        train: of both trainings.
        recam: of ReCAM's besides.
        boundaries, segment: of these steps.
        scales: of maps, and of the network's test.
    """

    about: str
    train: tuple[str, ...]
    recam: tuple[str, ...] = ()
    boundaries: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()
    test_scales: tuple[str, ...] = ()


_PAPER_SCALES = ("--scales", "0.5", "1.0", "1.5", "2.0")
PRESETS = {
    "voc2012": Preset(
        "the published settings for VOC 2012: ResNet-50, then DeepLabV2 with ResNet-101",
        ("--preset", "paper", "--backbone", "resnet50"),
        boundaries=("--preset", "paper"),
        segment=("--preset", "paper"),
        scales=_PAPER_SCALES,
    ),
    "coco2014": Preset(
        "the published settings for MS COCO 2014: lambda 0.1, batches of 6, 100,000 steps",
        ("--preset", "paper", "--backbone", "resnet50"),
        recam=("--lambda", "0.1", "--batch-size", "6"),
        boundaries=("--preset", "paper"),
        segment=("--preset", "paper", "--steps", "100000"),
        scales=_PAPER_SCALES,
    ),
    "small": Preset(
        "EfficientNet-Lite0 throughout, for two CPU cores",
        ("--preset", "small"),
        boundaries=("--preset", "small", "--epochs", "1"),
        segment=("--preset", "small", "--steps", "400"),
        test_scales=("--scales", "1.0"),
    ),
}


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: of the step, and of its record.
        command: the arguments behind ``python -m recam_core``.
        needs: the steps whose results it reads.
        makes: the folder that it makes, removed before it is made anew with other settings; None for one that scores.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    makes: Path | None = None


@dataclass
class Done:
    """What a step left behind.

    Attributes:
        seconds: that it took.
        peak_bytes: the most memory that its process held.
        skipped: whether it was there already.
    """

    seconds: float
    peak_bytes: int
    skipped: bool = False
    digest: str = field(default="", repr=False)


@dataclass(frozen=True)
class PipelinePlan:
    """What is asked of a pipeline.

    Attributes:
        data: specification of the training pictures.
        out: the folder of everything.
        preset: of :data:`PRESETS`.
        select: pictures with ground truth that thresholds are chosen on; needed where there is a background.
        val: pictures with ground truth that networks are scored on; None for none.
        methods: of :data:`METHODS`.
        seed: of all trainings.
        device: see :func:`recam_core.device.pick_device`.
    """

    data: str
    out: Path
    preset: str = "voc2012"
    select: str | None = None
    val: str | None = None
    methods: tuple[str, ...] = METHODS
    seed: int = 0
    device: str = "auto"


def steps_of(plan: PipelinePlan, dataset: Dataset) -> list[Step]:
    """The commands of a pipeline in their order.

    Raises:
        UserError: an unknown preset, or no pictures to choose thresholds on.
    """
    if plan.preset not in PRESETS:
        raise UserError(f"There is no preset '{plan.preset}'; there are {', '.join(PRESETS)}.")
    has_background = dataset.classes.has_background
    if has_background and plan.select is None:
        raise UserError(
            f"{plan.data} has a background: name pictures with ground truth to choose its thresholds on with --select, "
            "such as a part of train."
        )
    preset, out = PRESETS[plan.preset], plan.out
    common = ("--device", plan.device)
    trained = (*preset.train, "--seed", str(plan.seed), "--data", plan.data)
    chosen = ("--select", plan.select) if has_background and plan.select else ()

    def step(name: str, needs: tuple[str, ...], command: Sequence[object], makes: Path | None = None) -> Step:
        where = () if makes is None else ("--out", str(makes))
        return Step(name, (*map(str, command), *where, *common), needs, makes)

    steps = [step("train-bce", (), ("train", "bce", *trained), out / "bce")]
    if "recam" in plan.methods:
        words = ("train", "recam", *trained, *preset.recam, "--init", out / "bce")
        steps.append(step("train-recam", ("train-bce",), words, out / "recam"))
    for method in plan.methods:
        run, edges, masks, network = (out / f"{part}{method}" for part in ("", "boundaries-", "masks-", "network-"))
        before = f"train-{method}"
        if chosen:
            words = ("evaluate", run, "--data", plan.select, *preset.scales, "--keep-threshold")
            steps.append(step(f"threshold-{method}", (before,), words))
            before = f"threshold-{method}"
        sure = () if has_background else ("--foreground", "0.5", "--background", "0.1")
        words = ("boundaries", run, "--data", plan.data, *preset.boundaries, *preset.scales, *sure, "--seed", plan.seed)
        steps.append(step(f"boundaries-{method}", (before,), words, edges))
        made = ("--boundaries", edges, *preset.scales, *chosen)
        words = ("masks", run, "--data", plan.data, *made, "--json", _scores(out, f"masks-{method}"))
        steps.append(step(f"masks-{method}", (before, f"boundaries-{method}"), words, masks))
        words = ("segment", "train", *preset.segment, "--seed", plan.seed, "--data", plan.data, "--masks", masks)
        steps.append(step(f"network-{method}", (f"masks-{method}",), words, network))
        if plan.val is not None:
            words = ("masks", run, "--data", plan.val, *made, "--json", _scores(out, f"val-{method}"))
            steps.append(step(f"val-{method}", (before, f"boundaries-{method}"), words))
            words = ("segment", "eval", network, "--data", plan.val, *preset.test_scales)
            words = (*words, "--json", _scores(out, f"score-{method}"))
            steps.append(step(f"score-{method}", (f"network-{method}",), words))
    return steps


def run_steps(steps: Sequence[Step], out: Path, say: Callable[[str], None] = print) -> dict[str, Done]:
    """Carry the steps out, each in a process of its own; what is there already is not done again.

    Args:
        steps: see :func:`steps_of`.
        out: the folder of everything; the records of the steps lie in ``steps/`` there.
        say: told what begins, and what is there already.

    Raises:
        UserError: a step failed. The same call goes on with it.
    """
    done: dict[str, Done] = {}
    tell = listener(STEPS)
    for number, step in enumerate(steps, start=1):
        tell(len(done), len(steps), step.name)
        digest = _digest(step, done)
        record = out / "steps" / f"{step.name}.json"
        kept = _kept(record)
        if kept is not None and kept.digest == digest and _is_there(step):
            done[step.name] = kept
            say(f"{number}/{len(steps)} {step.name}: there already.")
            continue
        say(f"{number}/{len(steps)} {step.name}: python -m recam_core {' '.join(step.command)}")
        if step.makes is not None and _begun_as(record) != digest:
            shutil.rmtree(step.makes, ignore_errors=True)  # made with other settings, or from other inputs
        write_json(record, {"digest": digest, "finished": False})
        begin = time.monotonic()
        process = subprocess.Popen([*PROGRAM, *step.command])
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, LEFT_OUT):
            raise UserError(
                f"The step {step.name} failed (see above). What was finished is kept; the same command goes on there."
            )
        # Linux counts in kibibytes, a Mac in bytes.
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        done[step.name] = Done(time.monotonic() - begin, peak, digest=digest)
        write_json(
            record,
            {
                "digest": digest,
                "finished": True,
                "command": list(step.command),
                "seconds": done[step.name].seconds,
                "peak_bytes": peak,
            },
        )
    return done


def pipeline_rows(plan: PipelinePlan, done: Mapping[str, Done]) -> list[dict[str, Any]]:
    """What was scored after each step: ``on``, ``what``, and mIoU (0..1, None without ground truth) by method."""
    rows = []
    for name, spec in (("masks", plan.data), ("val", plan.val)):
        if spec is None:
            continue
        found = {method: _json(_scores(plan.out, f"{name}-{method}")).get("evaluations", {}) for method in plan.methods}
        for route, words in ROUTES.items():
            miou = {method: _miou(each.get(route)) for method, each in found.items()}
            rows.append({"on": spec, "what": words, "miou": miou})
    if plan.val is not None:
        each = {method: _json(_scores(plan.out, f"score-{method}")).get("scores", {}) for method in plan.methods}
        miou = {method: _miou((one.get("all") or [None])[0]) for method, one in each.items()}
        rows.append({"on": plan.val, "what": "network", "miou": miou})
    return rows


def _miou(evaluation: Mapping[str, Any] | None) -> float | None:
    """At the threshold chosen elsewhere, or the arg-max."""
    if not evaluation:
        return None
    scores = evaluation["fixed"] or evaluation["best"]
    return float(scores["miou"])


def _scores(out: Path, name: str) -> Path:
    return out / "scores" / f"{name}.json"


def _json(file: Path) -> dict[str, Any]:
    try:
        with opened_record(file) as values:
            return dict(values)
    except RecordError:
        return {}


def _is_there(step: Step) -> bool:
    if step.makes is not None and not step.makes.is_dir():
        return False
    named = [Path(after) for word, after in zip(step.command, step.command[1:], strict=False) if word == "--json"]
    return all(file.is_file() for file in named)


def _digest(step: Step, done: Mapping[str, Done]) -> str:
    """Of the command and of what the steps before it were made by."""
    parts = [json.dumps(step.command), *(done[name].digest for name in step.needs)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _kept(record: Path) -> Done | None:
    try:
        with opened_record(record) as values:
            if values["finished"] is not True:
                return None
            return Done(float(values["seconds"]), int(values["peak_bytes"]), skipped=True, digest=str(values["digest"]))
    except RecordError:
        return None


def _begun_as(record: Path) -> str:
    return str(_json(record).get("digest", ""))
