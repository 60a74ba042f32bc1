"""``attribute list`` and ``attribute maps``: what other attribution methods see; ``compare`` is a file of its own."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.attribute_compare import add_compare
from recam_core.cli.options import add_device, check_files, write_files, write_results
from recam_core.errors import UserError
from recam_core.words import megabytes

if TYPE_CHECKING:
    from recam_core.attribution.attributed_set import Attributed
    from recam_core.attribution.classifier import ForeignClassifier
    from recam_core.data.sample import ClassList, Sample
    from recam_core.model.network import CamNetwork

_ENDINGS = (".png", ".svg", ".pdf", ".npz")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``attribute`` with its sub-commands."""
    parser = subparsers.add_parser(
        "attribute",
        help="maps by other attribution methods: Grad-CAM, integrated gradients, occlusion and others",
        description="Ask a network where it looks by another method than its own maps. docs/attributions.md says what "
        "each method computes.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser(
        "list",
        help="the methods, and what they cost",
        description="The methods with their costs in passes through the network for a picture, forwards and back; with "
        "a network and a picture also in seconds, by one pass that is timed.",
    )
    listing.add_argument("run_folder", nargs="?", type=Path, metavar="RUN", help="a run folder, for seconds")
    _add_network_options(listing)
    listing.add_argument("--data", metavar="SPEC", help="a data set, for seconds")
    listing.add_argument("--picture", metavar="ID", help="one of its pictures (default: the first)")
    listing.add_argument("--classes", type=int, default=1, metavar="N", help="how many classes are explained (1)")
    listing.add_argument("--json", type=Path, metavar="FILE", help="write the table to FILE")
    listing.set_defaults(run=run_list)

    maps = actions.add_parser(
        "maps",
        help="the maps of a picture, or of a data set",
        description="Maps by one method, of a run or of a classifier from elsewhere. With --picture, each --out file "
        "gets what its ending says: .png, .svg and .pdf a figure, .npz the maps. With --store, the maps of all "
        "pictures go into a store, which `evaluate` reads like any other.",
    )
    maps.add_argument("run_folder", nargs="?", type=Path, metavar="RUN", help="a run folder")
    _add_network_options(maps)
    maps.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@val")
    maps.add_argument("--method", required=True, metavar="METHOD", help="one of `attribute list`")
    maps.add_argument("--picture", metavar="ID", help="one of its pictures (default: the first)")
    maps.add_argument(
        "--class", dest="explained", action="append", metavar="CLASS", help="explain this class; repeat it"
    )
    maps.add_argument("--against", metavar="CLASS", help="explain the difference to this one: why A and not B")
    maps.add_argument(
        "--head", metavar="HEAD", help="fc1, fc2 or an extraction rule of weights (default: the run's own)"
    )
    maps.add_argument("--out", nargs="+", type=Path, metavar="FILE", help="of one picture")
    maps.add_argument("--store", type=Path, metavar="DIR", help="of all pictures: DIR/RUN-METHOD-HEAD")
    maps.add_argument("--limit", type=int, metavar="N", help="with --store: only the first N pictures")
    how = maps.add_argument_group("how (each method reads what concerns it)")
    how.add_argument("--scales", nargs="+", type=float, metavar="S", help="factors of the size (each method's own)")
    how.add_argument("--no-mirror", action="store_true", help="leave the mirror images out")
    how.add_argument("--steps", type=int, metavar="N", help="of integrated gradients (32)")
    how.add_argument("--samples", type=int, metavar="N", help="noisy pictures of SmoothGrad (16)")
    how.add_argument("--window", type=float, metavar="S", help="of occlusion, as a share of the longer side (0.15)")
    how.add_argument("--gamma", type=float, metavar="G", help="weight of the other class (1)")
    how.add_argument("--seed", type=int, metavar="N", help="of the noise (0)")
    maps.add_argument("--json", type=Path, metavar="FILE", help="write what was made to FILE")
    maps.set_defaults(run=run_maps)

    add_compare(actions)


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("or a classifier from elsewhere")
    group.add_argument("--classifier", metavar="NAME", help="timm:NAME or torchvision:NAME")
    group.add_argument("--weights", type=Path, metavar="FILE", help="its weights (default: downloaded)")
    group.add_argument(
        "--random-weights", action="store_true", help="none that were trained: what the architecture does"
    )
    group.add_argument("--class-list", type=Path, metavar="FILE", help="its classes, one a line (default: ImageNet's)")
    add_device(parser)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the table."""
    from recam_core.attribution.maps import cost, pass_seconds, refused_methods
    from recam_core.attribution.table import METHODS

    if arguments.classes < 1:
        raise UserError("--classes takes the number of classes that are explained, such as 2.")
    network, size, seconds, refused = None, (375, 500), None, {}
    if arguments.run_folder is not None or arguments.classifier is not None:
        if arguments.data is None:
            raise UserError("Seconds need a picture: name a data set with --data.")
        network, image = _network(arguments).network, _picture(arguments).image
        size, seconds = image.shape[:2], pass_seconds(network, image)
        if arguments.classifier is not None:
            # Those of this project are asked when they are used: their networks differ little.
            refused = refused_methods(network)
    words = "1 class" if arguments.classes == 1 else f"{arguments.classes} classes"
    print(f"{words} of a picture of {size[1]} x {size[0]} pixels; passes at its own size:\n")
    print(
        f"{'method':<22}{'forward':>9}{'back':>9}" + ("" if seconds is None else f"{'seconds':>10}") + "  what it shows"
    )
    rows = []
    for key, method in METHODS.items():
        found = cost(key, arguments.classes, size, network=network)
        row = {"method": key, "title": method.title, "forward": found.forward, "backward": found.backward}
        line = f"{key:<22}{found.forward:>9g}{found.backward:>9g}"
        if seconds is not None:
            row["seconds"] = found.seconds(seconds)
            line += f"{row['seconds']:>10.1f}"
        if key in refused:
            row["refused"] = refused[key]
        rows.append(row | {"about": method.about, "paper": method.paper})
        print(f"{line}  {f'refused: {refused[key]}' if key in refused else method.about}")
    write_results(arguments.json, {"size": list(size), "classes": arguments.classes, "methods": rows})
    return 0


def run_maps(arguments: argparse.Namespace) -> int:
    """Write the files or the store, each whole or not at all."""
    if (arguments.out is None) == (arguments.store is None):
        raise UserError("Say what is written: --out FILE of one picture, or --store DIR of all of them.")
    return _write_files(arguments) if arguments.out is not None else _write_store(arguments)


@dataclass(frozen=True)
class _Network:
    network: CamNetwork | ForeignClassifier
    name: str
    weights: str
    classes: ClassList
    rule: str


def _network(arguments: argparse.Namespace) -> _Network:
    """The run, or the classifier from elsewhere."""
    from recam_core.attribution.classifier import foreign_classifier
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.sample import ClassList
    from recam_core.device import pick_device

    if (arguments.run_folder is None) == (arguments.classifier is None):
        raise UserError("Name a network: a run folder, or --classifier timm:NAME or torchvision:NAME.")
    device = pick_device(arguments.device)
    if arguments.classifier is not None:
        found = foreign_classifier(
            arguments.classifier, arguments.weights, arguments.class_list, untrained=arguments.random_weights
        ).to(device)
        if arguments.random_weights:
            print("Its weights are random: its maps say nothing about pictures.")
        print(f"{found.name}: {len(found.classes):,} classes, looked at in {found.layer}.")
        return _Network(found, found.name, found.digest, ClassList(found.classes), "fc1")
    if arguments.weights is not None or arguments.class_list is not None or arguments.random_weights:
        raise UserError("--weights, --random-weights and --class-list belong to --classifier; a run has its own.")
    run = load_run(arguments.run_folder, device)
    return _Network(run.network, run.info.name, run.info.weights_sha256, run.info.class_list, run.info.rule)


def _picture(arguments: argparse.Namespace) -> Sample:
    from recam_core.data.sample import picture_index
    from recam_core.data.spec import open_dataset

    dataset = open_dataset(arguments.data)
    return dataset.load(picture_index(dataset, arguments.picture))


def _asked(arguments: argparse.Namespace, loaded: _Network) -> Attributed:
    """Who is asked, and how. Raises UserError for what cannot be."""
    from recam_core.attribution.attributed_set import Attributed
    from recam_core.attribution.maps import attribution_views
    from recam_core.attribution.subject import AttributionSettings, subject_of
    from recam_core.attribution.table import method_of
    from recam_core.method.extraction import RULES

    method_of(arguments.method)
    given = {
        name: getattr(arguments, name)
        for name in ("steps", "samples", "window", "gamma", "seed")
        if getattr(arguments, name) is not None
    }
    settings = AttributionSettings(
        scales=None if arguments.scales is None else tuple(arguments.scales),
        mirror=False if arguments.no_mirror else None,
        **given,
    )
    # What a run's maps are made with, where that is weights; probabilities have none.
    own = loaded.rule if loaded.rule in RULES and RULES[loaded.rule].makes_weights else "fc1"
    head = arguments.head or own
    subject_of(loaded.network, head)
    against = None if arguments.against is None else _class_number(arguments.against, loaded)
    attribution_views(arguments.method, settings, loaded.network)
    return Attributed(
        loaded.network, loaded.name, loaded.weights, loaded.classes.names, arguments.method, head, against, settings
    )


def _class_number(name: str, loaded: _Network) -> int:
    from recam_core.attribution.classifier import ForeignClassifier

    if isinstance(loaded.network, ForeignClassifier):
        return loaded.network.class_number(name)
    if name not in loaded.classes.names:
        raise UserError(f"The run knows no class {name!r}; it knows {', '.join(loaded.classes.names)}.")
    return loaded.classes.names.index(name)


def _explained(arguments: argparse.Namespace, loaded: _Network, asked: Attributed, sample: Sample) -> list[int]:
    """The classes to explain: those that are named, those of the ground truth, or the one with the largest logit."""
    from recam_core.attribution.classifier import ForeignClassifier
    from recam_core.data.match_classes import match_classes
    from recam_core.data.spec import open_dataset

    if arguments.explained:
        wanted = sorted({_class_number(name, loaded) for name in arguments.explained})
        if asked.against in wanted:
            raise UserError(f"{arguments.against!r} cannot be held against itself; name another class by --against.")
        return wanted
    match = match_classes(open_dataset(arguments.data).classes, loaded.classes)
    found = [k for k in match.labels(sample.labels).nonzero()[0].tolist() if k != asked.against]
    if not found and isinstance(loaded.network, ForeignClassifier):
        found = [int(loaded.network.logits(sample.image).argmax())]
        print(f"{loaded.name} sees {loaded.classes.names[found[0]]}.")
    if not found:
        raise UserError("Nothing is known of this picture that the network knows: name a class with --class.")
    return found


def _write_files(arguments: argparse.Namespace) -> int:
    import numpy as np

    from recam_core.attribution.table import METHODS
    from recam_core.data.sample import ClassList
    from recam_core.maps.activation_maps import ActivationMaps
    from recam_core.progress import terminal
    from recam_core.report.files import maps_npz
    from recam_core.views.figure_cells import HEAT, FigurePane, FigureRow
    from recam_core.views.figure_comparison import comparison_figure
    from recam_core.views.figure_style import FigureStyle
    from recam_core.views.figure_text import figure_bytes

    check_files(arguments.out, _ENDINGS)
    if arguments.limit is not None:
        raise UserError("--limit belongs to --store.")
    loaded = _network(arguments)
    asked, sample = _asked(arguments, loaded), _picture(arguments)
    wanted = _explained(arguments, loaded, asked, sample)
    title = METHODS[asked.method].title
    with terminal(title) as progress:
        maps = asked.maps(sample.image, np.array(wanted), sample.id, progress)
    # A network may know thousands of classes; the figure and the file name those that were asked for.
    names = [loaded.classes.names[k] for k in wanted]
    if isinstance(asked.against, int):
        names = [f"{name} and not {loaded.classes.names[asked.against]}" for name in names]
    classes = ClassList(tuple(names), loaded.classes.has_background)
    shown = ActivationMaps(maps.id, maps.size, np.arange(len(wanted)), maps.activations)
    panes = (FigurePane(f"{title}, {asked.head.upper()}", shown, None),)
    made = []
    for path in arguments.out:
        if path.suffix.lower() == ".npz":
            content = maps_npz(sample.image, None, panes, classes)
        else:
            rows = tuple(FigureRow(sample.image, None, panes, HEAT, (k,), names[k]) for k in range(len(wanted)))
            style = FigureStyle(title=sample.id, truth=False, captions=False)
            content = figure_bytes(comparison_figure(rows, classes, style), path.suffix.lower().removeprefix("."))
        made.append((path, content))
    write_files(made)
    empty = [name for name, one in zip(names, maps.activations, strict=True) if not one.any()]
    if empty:
        print(f"Nothing speaks for {', '.join(empty)}: the map is empty.")
    write_results(
        arguments.json,
        {
            "picture": sample.id,
            "method": asked.method,
            "head": asked.head,
            "classes": names,
            "files": [*map(str, arguments.out)],
        },
    )
    return 0


def _write_store(arguments: argparse.Namespace) -> int:
    import re

    from recam_core.attribution.attributed_set import write_attributions
    from recam_core.cache import bytes_of
    from recam_core.data.spec import open_dataset
    from recam_core.progress import terminal

    if arguments.picture is not None or arguments.explained:
        raise UserError("--picture and --class belong to --out; a store holds the classes of all pictures.")
    if arguments.limit is not None and arguments.limit < 1:
        raise UserError("--limit takes a number of pictures from 1.")
    dataset, loaded = open_dataset(arguments.data), _network(arguments)
    asked = _asked(arguments, loaded)
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{loaded.name}-{asked.rule}").lstrip(".")
    path = arguments.store / name
    with terminal(name) as progress:
        count = write_attributions(path, asked, dataset, progress, arguments.limit)
    size = bytes_of(path)
    print(f"{path}: {count} pictures, {megabytes(size)}")
    write_results(
        arguments.json,
        {
            "data": dataset.spec,
            "store": str(path),
            "run": loaded.name,
            "rule": asked.rule,
            "pictures": count,
            "bytes": size,
        },
    )
    return 0
