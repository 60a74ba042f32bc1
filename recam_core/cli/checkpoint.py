"""``python -m recam_core checkpoint``: look at runs, list them, import published ones."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recam_core.cli.options import write_results
from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.checkpoint.run_folder import RunInfo


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``checkpoint`` and what it can do."""
    parser = subparsers.add_parser("checkpoint", help="show, list and import trained networks")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    info = actions.add_parser("info", help="print the record of a run, and check that its weights load")
    info.add_argument("path", type=Path, metavar="RUN", help="the run's folder")
    info.add_argument("--json", type=Path, metavar="FILE", help="also write the record to FILE")
    info.set_defaults(run=run_info)

    listing = actions.add_parser("list", help="list the runs that ship and your own")
    listing.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="list the runs in this folder instead")
    listing.add_argument("--json", type=Path, metavar="FILE", help="also write the list to FILE")
    listing.set_defaults(run=run_list)

    reader = actions.add_parser(
        "import",
        help="make a run from weights that were trained elsewhere",
        description="Read a state dict (.pth, .pt or .safetensors): of the published ReCAM implementation, or any "
        "backbone of this project with a linear or 1x1 convolutional classifier. No code in the files is run.",
    )
    reader.add_argument("cam", type=Path, metavar="WEIGHTS", help="the network, or the published CAM or ReCAM network")
    reader.add_argument("--fc2", type=Path, metavar="PREDICTOR", help="the second classifier of a ReCAM")
    reader.add_argument("--out", required=True, type=Path, metavar="RUN", help="the new run's folder")
    reader.add_argument(
        "--classes",
        metavar="NAMES",
        help="voc, coco, a file with one name a line, or NAME,NAME,...; 'background' stands where the classifier has "
        "such a row (default: the classes of --data, else by their number)",
    )
    reader.add_argument(
        "--no-background", action="store_true", help="each pixel belongs to a class (default: others are background)"
    )
    reader.add_argument(
        "--backbone", default="", metavar="NAME", help="such as resnet50 (default: found by the weights)"
    )
    reader.add_argument("--output-stride", type=int, default=16, choices=(8, 16, 32), help="(default: %(default)s)")
    reader.add_argument("--classifier", default="", metavar="NAME", help="the weight, where there are several")
    reader.add_argument(
        "--method", default="bce", choices=("bce", "sce"), help="what it was trained with (default: %(default)s)"
    )
    reader.add_argument("--data", default="", metavar="SPEC", help="pictures that it knows, to open it with")
    reader.add_argument("--half", action="store_true", help="store the weights in half precision")
    reader.add_argument("--json", type=Path, metavar="FILE", help="also write the record to FILE")
    reader.set_defaults(run=run_import)


def run_info(arguments: argparse.Namespace) -> int:
    from recam_core.checkpoint.run_folder import load_run, rows_without_weights

    loaded = load_run(arguments.path)
    info = loaded.info
    print(describe_run(info))
    for name in ("fc1", "fc2"):
        weight = getattr(loaded.network, name)
        if weight is not None and (words := rows_without_weights(weight.detach(), info.classes)):
            print(f"{name}: {words}")
    write_results(arguments.json, asdict(info))
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    from recam_core.checkpoint.run_folder import read_info, run_folders
    from recam_core.folders import runs_folder, shipped_folder

    if arguments.folder is not None and not arguments.folder.is_dir():
        raise UserError(f"There is no folder {arguments.folder}.")
    folders = [arguments.folder] if arguments.folder is not None else [shipped_folder(), runs_folder()]
    rows: list[dict[str, Any]] = []
    for folder in folders:
        for path in run_folders(folder):
            try:
                info = read_info(path)
            except UserError as error:
                # One damaged run must not hide the others.
                rows.append({"path": str(path), "fault": str(error)})
                continue
            rows.append(
                {
                    "path": str(path),
                    "method": info.method,
                    "rule": info.rule,
                    "backbone": info.network["backbone"],
                    "classes": len(info.classes),
                    "data": info.data,
                    "created": info.created,
                }
            )
    for row in rows:
        if "fault" in row:
            print(f"{row['path']}\n    damaged: {row['fault']}")
        else:
            print(
                f"{row['path']}\n    {row['method']}, {row['rule']}, {row['backbone']}, {row['classes']} classes, "
                f"trained on {row['data'] or 'unknown data'}, {row['created']}"
            )
    if not rows:
        print(f"No runs in {' or '.join(str(folder) for folder in folders)}.")
    write_results(arguments.json, rows)
    return 0


def run_import(arguments: argparse.Namespace) -> int:
    from recam_core.checkpoint.foreign import ImportSettings, import_weights, save_imported
    from recam_core.checkpoint.published import named_rows
    from recam_core.checkpoint.run_folder import command_line

    out = arguments.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists already; choose another --out, or remove it.")
    settings = ImportSettings(
        classes=None if arguments.classes is None else named_rows(arguments.classes),
        has_background=False if arguments.no_background else None,
        backbone=arguments.backbone,
        output_stride=arguments.output_stride,
        classifier=arguments.classifier,
        method=arguments.method,
        data=arguments.data,
    )
    imported = import_weights(arguments.cam, out.resolve().name, settings, arguments.fc2)
    imported.info.command = command_line()
    info = save_imported(out, imported, half=arguments.half)
    print(describe_run(info))
    print("", *imported.notes, f"Imported into {out}.", sep="\n")
    write_results(arguments.json, asdict(info))
    return 0


def describe_run(info: RunInfo) -> str:
    """The record in lines for people."""
    from recam_core.scores.table import settings_lines

    network = info.network
    background = "with a background class" if info.has_background else "no background class"
    head = {
        "name": info.name,
        "method": f"{info.method}, maps by the rule {info.rule}",
        "network": f"{network['backbone']}, output stride {network['output_stride']}, "
        f"{network['channels']} channels, {'FC1 and FC2' if network['has_fc2'] else 'FC1'}",
        "classes": f"{len(info.classes)}, {background}: {', '.join(info.classes)}",
        "trained on": info.data or "unknown data",
        "threshold": "none chosen" if info.threshold is None else f"{info.threshold:.2f}",
        "started from": info.parent or "no other run",
        "seed": info.seed,
        "created": info.created,
        "command": info.command or "not recorded",
        "sha256": info.weights_sha256,
        "versions": ", ".join(f"{name} {version}" for name, version in info.versions.items()),
    }
    lines = [f"{name:<13}{value}" for name, value in head.items()]
    lines += ["recipe", *settings_lines(info.recipe, 1)]
    if info.scores:
        lines += ["scores", *settings_lines(info.scores, 1)]
    return "\n".join(lines)
