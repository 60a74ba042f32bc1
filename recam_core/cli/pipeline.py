"""``python -m recam_core pipeline``: from image-level labels to a scored segmentation network, in one command."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.options import check_out, print_notes, write_results
from recam_core.errors import UserError
from recam_core.words import counted

if TYPE_CHECKING:
    from recam_core.data.sample import Dataset
    from recam_core.pipeline.plan import PipelinePlan

#: From so many pictures on it is told what they will take: the trainings of fewer are through before it is known, but
#: where a preset gives them as many steps as more would have.
_TELLING = 64


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``pipeline``."""
    from recam_core.pipeline.plan import DEPTHS, METHODS, PRESETS
    from recam_core.refine.finishes import FINISHES
    from recam_core.refine.ways import WAYS

    parser = subparsers.add_parser(
        "pipeline",
        help="from labels to a segmentation network: train, refine, train again, and score after every step",
        description="Classifiers are trained, their maps made and refined, a segmentation network trained on the "
        "masks, and each scored. A step that is there with the same settings is skipped; after a kill the same command "
        "goes on. Presets: " + "; ".join(f"{name}: {one.about}" for name, one in PRESETS.items()) + ".",
    )
    parser.add_argument("--data", required=True, metavar="SPEC", help="training pictures, such as scenes@train")
    parser.add_argument("--select", metavar="SPEC", help="pictures with ground truth that thresholds are chosen on")
    parser.add_argument("--val", metavar="SPEC", help="pictures with ground truth that the networks are scored on")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="voc2012", help="(default: voc2012)")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder of everything")
    parser.add_argument(
        "--method", action="append", choices=METHODS, help="repeat it for several (default: bce, recam)"
    )
    parser.add_argument(
        "--depth",
        choices=DEPTHS,
        help="ReCAM's classifiers alone, on the features of BCE-CAM, or the whole network (default: the preset's)",
    )
    parser.add_argument(
        "--rule",
        metavar="RULE",
        help="extraction rule of ReCAM's maps (default: of its training); or an attribution method with a head, whose "
        "maps are the seeds of every method that has it: region_cam-fc1 of all, region_cam-fc2 of ReCAM",
    )
    parser.add_argument("--way", choices=tuple(WAYS), default="irn", help="from seeds to masks (default: irn)")
    parser.add_argument("--finish", choices=tuple(FINISHES), default="pamr", help="of the masks (default: pamr)")
    parser.add_argument("--seed", type=int, default=0, help="of all trainings")
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: auto)")
    parser.add_argument(
        "--cores", type=int, metavar="N", help="of a CPU, shared by steps at once (default: all that there are)"
    )
    parser.add_argument(
        "--launch",
        type=shlex.split,
        default=[],
        metavar="WORDS",
        help="start steps as several processes by these words, such as 'torchrun --standalone --nproc-per-node 8' "
        "(docs/scaling.md)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands and what they will take; do nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to FILE, too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry out what is missing, and print what each step scored and cost."""
    import torch

    from recam_core.data.spec import open_dataset
    from recam_core.device import pick_device
    from recam_core.pipeline.plan import PRESETS, notes_of_plan, steps_of
    from recam_core.pipeline.results import TABLE_FILE, cost_table, miou_table, notes_of, pipeline_rows, write_tables
    from recam_core.pipeline.work import run_steps
    from recam_core.scores.table import aligned

    if arguments.cores is not None and arguments.cores < 1:
        raise UserError("--cores takes 1 or more.")
    if arguments.launch and arguments.cores is not None:
        raise UserError("--launch shares each step among processes, and --cores the cores among steps: name one.")
    if arguments.launch and shutil.which(arguments.launch[0]) is None:
        raise UserError(f"There is no program '{arguments.launch[0]}' to launch steps with.")
    is_cpu = pick_device(arguments.device).type == "cpu"
    # A GPU takes one step after the other, and so do processes that share each.
    cores = (arguments.cores or torch.get_num_threads()) if is_cpu and not arguments.launch else 1
    check_out(arguments.out, hold=not arguments.dry_run)
    dataset = open_dataset(arguments.data)
    _check_scored(dataset, arguments)
    plan = plan_of(arguments)
    steps = steps_of(plan, dataset)
    for note in notes_of_plan(plan, dataset):
        print(note, file=sys.stderr)
    if arguments.dry_run:
        for step in steps:
            print(f"python -m recam_core {' '.join(step.command)}")
    takes_long = len(dataset) >= _TELLING or PRESETS[plan.preset].train_steps is not None
    if is_cpu and (arguments.dry_run or takes_long):
        _tell_cost(plan, cores, in_full=arguments.dry_run)
    if arguments.dry_run:
        return 0
    print_notes(dataset)
    done = run_steps(steps, plan.out, lambda words: print(words, flush=True), cores, arguments.launch)
    rows = pipeline_rows(plan)
    print("\n" + aligned(miou_table(plan, rows)))
    for words in notes_of(rows):
        print(words)
    if not dataset.has_masks:
        print(f"{plan.data} has no ground truth, so that its masks have no figures.")
    print("\n" + aligned(cost_table(done)))
    results = write_tables(plan, rows, done)
    print(f"\nThe tables are in {plan.out / TABLE_FILE}.json, .csv and .md.")
    write_results(arguments.json, results)
    return 0


def plan_of(arguments: argparse.Namespace) -> PipelinePlan:
    """What the arguments ask for."""
    from recam_core.pipeline.plan import METHODS, PipelinePlan

    return PipelinePlan(
        arguments.data,
        arguments.out,
        arguments.preset,
        arguments.select,
        arguments.val,
        tuple(method for method in METHODS if method in (arguments.method or ("bce", "recam"))),
        arguments.depth,
        arguments.rule,
        arguments.way,
        arguments.finish,
        arguments.seed,
        arguments.device,
    )


def _check_scored(dataset: Dataset, arguments: argparse.Namespace) -> None:
    """See to it that the pictures to choose thresholds and to score on fit the training pictures. Raises UserError."""
    from recam_core.data.spec import open_dataset
    from recam_core.scores.evaluate import check_classes

    for option, spec in (("--select", arguments.select), ("--val", arguments.val)):
        if spec is None:
            continue
        part = open_dataset(spec)
        if not part.has_masks:
            raise UserError(f"{option} {spec} has no ground-truth masks, which it is needed for.")
        check_classes(dataset.classes, part.classes, f"The data set {dataset.spec}", f"the data set {part.spec}")


def _tell_cost(plan: PipelinePlan, cores: int, in_full: bool) -> None:
    """Say how long the whole will take before it begins."""
    from recam_core.pipeline.cost import EFFICIENCY, seconds_apart
    from recam_core.scores.table import aligned

    seconds = seconds_apart(plan)
    if in_full:
        rows = [[name, f"{each / 60:.1f}"] for name, each in seconds.items()]
        print("\n" + aligned([["step", "minutes of one core"], *rows]) + "\n")
    total = sum(seconds.values()) / 60
    speed = cores * EFFICIENCY if cores > 1 else 1.0
    print(
        f"All steps together take some {total:.0f} minutes of one core, so about {total / speed:.0f} minutes on "
        f"{counted(cores, 'core')}; what is there already is not done again."
    )
