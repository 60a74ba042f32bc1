"""``python -m recam_core pipeline``: from image-level labels to a scored segmentation network, in one command."""

from __future__ import annotations

import argparse
from pathlib import Path

from recam_core.cli.options import write_results
from recam_core.errors import UserError


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``pipeline``."""
    from recam_core.pipeline import METHODS, PRESETS

    parser = subparsers.add_parser(
        "pipeline",
        help="from labels to a segmentation network: train, refine, train again, and score after every step",
        description="BCE and ReCAM are trained, their seeds refined (IRN, PAMR), a segmentation network trained on the "
        "masks, and each scored. A step that is there with the same settings is skipped; after a kill the same command "
        "goes on. Presets: " + "; ".join(f"{name}: {one.about}" for name, one in PRESETS.items()) + ".",
    )
    parser.add_argument("--data", required=True, metavar="SPEC", help="training pictures, such as scenes@train")
    parser.add_argument("--select", metavar="SPEC", help="pictures with ground truth that thresholds are chosen on")
    parser.add_argument("--val", metavar="SPEC", help="pictures with ground truth that the networks are scored on")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="voc2012", help="(default: voc2012)")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder of everything")
    parser.add_argument("--method", action="append", choices=METHODS, help="repeat it for both (default: both)")
    parser.add_argument("--seed", type=int, default=0, help="of all trainings")
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: auto)")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and do nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry out what is missing, and print what each step scored and cost."""
    from recam_core.data.spec import open_dataset
    from recam_core.device import pick_device
    from recam_core.pipeline import METHODS, PipelinePlan, pipeline_rows, run_steps, steps_of
    from recam_core.scores.table import aligned

    methods = tuple(method for method in METHODS if method in (arguments.method or METHODS))
    pick_device(arguments.device)
    dataset = open_dataset(arguments.data)
    for spec in (arguments.select, arguments.val):
        if spec is not None and not open_dataset(spec).has_masks:
            raise UserError(f"{spec} has no ground-truth masks.")
    plan = PipelinePlan(
        arguments.data,
        arguments.out,
        arguments.preset,
        arguments.select,
        arguments.val,
        methods,
        arguments.seed,
        arguments.device,
    )
    steps = steps_of(plan, dataset)
    if arguments.dry_run:
        for step in steps:
            print(f"python -m recam_core {' '.join(step.command)}")
        return 0
    done = run_steps(steps, plan.out, say=lambda words: print(words, flush=True))
    rows = pipeline_rows(plan, done)
    words = [["mIoU, in percent", "on", *methods, *(["lead"] if len(methods) == 2 else [])]]
    for row in rows:
        values = [row["miou"][method] for method in methods]
        told = ["" if value is None else f"{100 * value:.1f}" for value in values]
        if len(values) == 2:
            told.append("" if None in values else f"{100 * (values[1] - values[0]):+.1f}")
        words.append([row["what"], row["on"], *told])
    print("\n" + aligned(words))
    cost = [["step", "minutes", "peak memory"]]
    cost += [
        [name, f"{each.seconds / 60:.1f}{' (before)' if each.skipped else ''}", f"{each.peak_bytes / 1e9:.2f} GB"]
        for name, each in done.items()
    ]
    print("\n" + aligned(cost))
    write_results(
        arguments.json,
        {
            "data": plan.data,
            "rows": rows,
            "steps": {name: {"seconds": each.seconds, "peak_bytes": each.peak_bytes} for name, each in done.items()},
        },
    )
    return 0
