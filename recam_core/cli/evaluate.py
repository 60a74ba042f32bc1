"""``python -m recam_core evaluate``: score maps against the ground truth, at every background threshold at once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core import ranks
from recam_core.cli.cams import add_inference_options, add_kept_maps, maps_kept, rules_for, settings_for
from recam_core.cli.options import Opened, add_band, print_notes, write_results
from recam_core.errors import UserError
from recam_core.records import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recam_core.analysis.head_to_head import HeadToHead, PictureWins
    from recam_core.checkpoint.run_folder import Run, RunInfo
    from recam_core.data.sample import Dataset, Sample
    from recam_core.maps.activation_maps import ActivationMaps, SilentCount
    from recam_core.scores.evaluate import Evaluation
    from recam_core.scores.pixel_counts import PixelCounts


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``evaluate``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score stores or runs at every background threshold",
        description="Score activation maps against ground-truth masks. A store (from `cams`) is read; a run is scored "
        "as it is, without writing maps. Several are compared with the first.",
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="STORE_OR_RUN", help="stores or run folders")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@val")
    parser.add_argument("--thresholds", type=int, default=101, metavar="T", help="how many to score (default: 101)")
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="report this background threshold, too (default: the run's own)"
    )
    parser.add_argument("--per-class", action="store_true", help="print the IoU of each class")
    parser.add_argument("--bootstrap", type=int, default=0, metavar="N", help="95%% interval of mIoU by N draws")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument("--parts", type=Path, metavar="FILE.npz", help="write the per-picture counts")
    parser.add_argument(
        "--keep-threshold",
        action="store_true",
        help="write the best threshold of each rule into run.json of each run; for a part of train, such as "
        "@train.select",
    )
    parser.add_argument(
        "--keep-scores",
        action="store_true",
        help="write the scores into run.json of each run; with --bootstrap, also how it stands against the first",
    )
    parser.add_argument(
        "--single-class",
        action="store_true",
        help="without a background: let pictures of a single class, which every method has right, count in the figures "
        "of pictures (mean, better, worse); the mIoU of all pixels always holds them",
    )
    add_band(parser)
    add_kept_maps(parser)
    add_inference_options(parser)
    parser.set_defaults(run=run, by_ranks=True)


def run(arguments: argparse.Namespace) -> int:
    """Score, print a table, and write what was asked for."""
    from recam_core.analysis.head_to_head import picture_lines
    from recam_core.data.check import refuse_unscorable
    from recam_core.maps.store import MapStore, is_store
    from recam_core.scores.band import band_words
    from recam_core.scores.table import check_comparable, class_table, silent_note, summary_table, threshold_note

    _check(arguments)
    opened = Opened()
    dataset = opened.open(arguments.data, arguments.limit)
    if not dataset.has_masks:
        raise UserError(f"{dataset.spec} has no ground-truth masks, so there is nothing to score maps against.")
    refuse_unscorable(dataset)
    for source in arguments.sources:
        _check_source(source, dataset, arguments)
    evaluations: list[Evaluation] = []
    runs: list[tuple[Path, dict[str, int]]] = []
    labels = set()
    for source in arguments.sources:
        if is_store(source):
            evaluations += _score_store(source, dataset, arguments)
            labels.add(MapStore(source).info.labels)
            continue
        begin, found = len(evaluations), _score_run(source, dataset, arguments)
        runs.append((source, {rule: begin + place for place, rule in enumerate(found)}))
        evaluations += found.values()
        labels.add(arguments.labels)
    if not ranks.is_first():
        return 0
    check_comparable(evaluations)
    alone = _alone(evaluations, "truth" if labels == {"truth"} else "predicted", arguments)

    first = evaluations[0]
    background = " and background" if dataset.classes.has_background else ", no background class"
    print(
        f"{dataset.spec}: {len(first.counts)} of {len(dataset)} pictures scored, {first.best.pixels:,} pixels, "
        f"{len(dataset.classes)} classes{background}"
    )
    if arguments.band is not None:
        print(f"Only pixels {band_words(arguments.band)} of the ground truth are scored.")
    if first.without_mask:
        print(f"{first.without_mask} pictures have no ground truth and were left out.")
    print(summary_table(evaluations))
    print(f"\n{picture_lines(evaluations, alone.wins, alone.duels, alone.single, arguments.single_class)}")
    print_notes(dataset)
    note = "" if arguments.keep_threshold else threshold_note(evaluations)
    if note:
        print(f"\n{note}")
    if silent := silent_note(evaluations):
        print(f"\n{silent}")
    if arguments.per_class:
        print("\n" + class_table(evaluations))
    for path, places in runs:
        _keep(path, places, evaluations, alone.duels, dataset, arguments)
    _write_parts(arguments.parts, evaluations)
    write_results(
        arguments.json,
        {
            "data": dataset.spec,
            "band": arguments.band,
            "pictures_in_data": len(dataset),
            "single_class_pictures": alone.single,
            "single_class_counted": arguments.single_class,
            "evaluations": [
                evaluation.to_json() | {"pictures_alone": won.to_json(), "against": duel and duel.to_json()}
                for evaluation, won, duel in zip(evaluations, alone.wins, alone.duels, strict=True)
            ],
        },
    )
    return opened.status()


def _check(arguments: argparse.Namespace) -> None:
    from recam_core.scores.band import check_band

    if arguments.thresholds < 2:
        raise UserError("--thresholds takes 2 or more; 101 are scored by default.")
    if arguments.threshold is not None and not 0 <= arguments.threshold <= 1:
        raise UserError(f"A background threshold lies between 0 and 1, got {arguments.threshold}.")
    if arguments.bootstrap < 0:
        raise UserError("--bootstrap takes the number of draws, such as 1000.")
    if arguments.band is not None:
        check_band(arguments.band)
        if arguments.keep_threshold or arguments.keep_scores:
            raise UserError(
                "--keep-threshold and --keep-scores keep what is true of all pixels, not of a band; leave --band out."
            )


def _check_source(source: Path, dataset: Dataset, arguments: argparse.Namespace) -> None:
    """Find what is wrong before anything slow begins."""
    from recam_core.checkpoint.run_folder import INFO_FILE, read_info
    from recam_core.maps.store import MapStore, is_store
    from recam_core.scores.evaluate import check_classes

    if is_store(source):
        if arguments.keep_threshold or arguments.keep_scores:
            raise UserError(f"{source} is a store; --keep-threshold and --keep-scores write into runs.")
        MapStore(source)
    elif (source / INFO_FILE).is_file():
        info = read_info(source)
        if len(rules_for(arguments, info)) > 1 and arguments.maps:
            raise UserError("--maps has the maps of one rule: name one --rule.")
        check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
    else:
        raise UserError(f"{source} is neither a run folder (with run.json) nor a store of maps (with store.json).")


def _score_store(path: Path, dataset: Dataset, arguments: argparse.Namespace) -> list[Evaluation]:
    """The scores of a store, on the first rank; none on the others."""
    from recam_core.maps.store import MapStore
    from recam_core.progress import terminal
    from recam_core.scores.evaluate import tally_store

    store = MapStore(path)
    info = store.info
    with terminal(path.name) as progress:
        tally = tally_store(dataset, store, progress, arguments.limit, arguments.band)
    name, options = f"{info.run} {info.rule}", _options(arguments, info.threshold, info.run)
    return [tally.evaluation(name, **options)] if ranks.is_first() else []


@dataclass(frozen=True)
class _Alone:
    """Pictures by themselves: of each evaluation, how it does on them, and how it stands against the first."""

    wins: list[PictureWins]
    duels: list[HeadToHead | None]
    single: int


def _alone(evaluations: list[Evaluation], labels: str, arguments: argparse.Namespace) -> _Alone:
    """Gains come with intervals where draws were asked for (``--bootstrap``); without, there are none to keep."""
    from recam_core.analysis.gains import class_gain
    from recam_core.analysis.head_to_head import head_to_head, picture_wins
    from recam_core.analysis.outcomes import outcomes_of_all
    from recam_core.analysis.picture_table import picture_table, single_class_pictures

    # By number, as two runs may have one name.
    counts = {str(place): each.counts for place, each in enumerate(evaluations)}
    thresholds = {str(place): (each.fixed or each.best).threshold for place, each in enumerate(evaluations)}
    outcomes = outcomes_of_all(counts, thresholds)
    table = picture_table(counts, thresholds, outcomes=outcomes)
    single = single_class_pictures(evaluations[0].counts, thresholds.values(), labels)
    wins = picture_wins(table, None if arguments.single_class else ~single)
    duels: dict[str, HeadToHead] = {}
    if arguments.bootstrap and len(evaluations) > 1:
        gain = class_gain(counts, thresholds, resamples=arguments.bootstrap, outcomes=outcomes)
        names = {str(place): each.name for place, each in enumerate(evaluations)}
        duels = head_to_head(gain, wins, names, 0 if arguments.single_class else int(single.sum()))
    return _Alone(list(wins.values()), [duels.get(key) for key in counts], int(single.sum()))


def _score_run(path: Path, dataset: Dataset, arguments: argparse.Namespace) -> dict[str, Evaluation]:
    """By rule, on the first rank. Maps that ship, or were kept by the app or another command, are not made again."""
    from recam_core.checkpoint.run_folder import load_run, read_info
    from recam_core.device import pick_device
    from recam_core.progress import terminal
    from recam_core.scores.evaluate import Tally, evaluate_counts

    info = read_info(path)
    rules = rules_for(arguments, info)
    options = {rule: _options(arguments, info.threshold_of(rule), info.name) for rule in rules}
    # What is kept, is kept where the first rank is.
    counted = _kept_counts(info, rules, dataset, arguments) if ranks.is_first() and not arguments.limit else {}
    if ranks.on_first(lambda: len(counted) == len(rules)):
        return {
            rule: evaluate_counts(
                counts,
                f"{info.name} {rule}",
                **options[rule],
                without_mask=len(dataset) - len(counts),
                silent=silent,
            )
            for rule, (counts, silent) in counted.items()
        }
    loaded = load_run(path, pick_device(arguments.device))
    pictures = _pictures(loaded, rules, dataset, arguments)

    def counted_pictures() -> Iterator[dict[str, Tally]]:
        for sample, maps in pictures:
            one = {rule: Tally(dataset.classes, arguments.band) for rule in rules}
            for rule, tally in one.items():
                tally.add(maps[rule], sample.mask)
            yield one

    tallies = {rule: Tally(dataset.classes, arguments.band) for rule in rules}
    total = min(arguments.limit or len(dataset), len(dataset))
    with terminal(info.name) as progress:
        for done, one in enumerate(ranks.in_order(counted_pictures(), total), start=1):
            for rule, tally in tallies.items():
                tally.merge(one[rule])
            progress(done, total, "")
    if not ranks.is_first():
        return {}
    return {rule: tally.evaluation(f"{info.name} {rule}", **options[rule]) for rule, tally in tallies.items()}


def _pictures(
    loaded: Run, rules: list[str], dataset: Dataset, arguments: argparse.Namespace
) -> Iterator[tuple[Sample, dict[str, ActivationMaps]]]:
    """Each picture with its maps by each rule; those of all extraction rules come from one pass."""
    from recam_core.maps.dataset_maps import maps_of_dataset
    from recam_core.method.extraction import RULES
    from recam_core.refine.seeds import seeds_of_dataset

    settings, network, limit = settings_for(arguments, loaded.info), loaded.network, arguments.limit
    together = [rule for rule in rules if rule in RULES and not arguments.maps]
    parts = [maps_of_dataset(network, dataset, together, settings, limit)] if together else []
    for rule in rules:
        if rule not in together:
            kept = maps_kept(arguments, loaded.info, rule, dataset) if arguments.maps else None
            seeds = seeds_of_dataset(network, dataset, rule, settings, limit, kept)
            parts.append((sample, {rule: maps}) for sample, maps in seeds)
    for same in zip(*parts, strict=True):
        yield same[0][0], {rule: maps for _, by_rule in same for rule, maps in by_rule.items()}


def _kept_counts(
    info: RunInfo, rules: list[str], dataset: Dataset, arguments: argparse.Namespace
) -> dict[str, tuple[PixelCounts, SilentCount]]:
    """By rule: what is kept of this run on these pictures, as far as its counts can be scored whole."""
    from recam_core.analysis.analysed import find_analysed
    from recam_core.analysis.banded import analyse_band
    from recam_core.data.digest import dataset_digest
    from recam_core.progress import terminal
    from recam_core.scores.pixel_counts import PixelCounts

    digest = dataset_digest(dataset)
    found = {rule: find_analysed(info, rule, dataset, settings_for(arguments, info), digest=digest) for rule in rules}
    kept = {rule: each for rule, each in found.items() if each and isinstance(each.counts, PixelCounts)}
    if arguments.band is not None and len(kept) == len(rules):
        for rule, each in kept.items():
            with terminal(info.name) as progress:
                kept[rule] = analyse_band(each, dataset, arguments.band, progress)
    return {
        rule: (each.counts, each.store.silent) for rule, each in kept.items() if isinstance(each.counts, PixelCounts)
    }


def _options(arguments: argparse.Namespace, own: float | None, run_name: str) -> dict:
    given = arguments.threshold is not None
    return {
        "thresholds": arguments.thresholds,
        "threshold": arguments.threshold if given else own,
        "threshold_from": "given" if given else f"of {run_name}",
        "resamples": arguments.bootstrap,
    }


def _keep(
    path: Path,
    places: dict[str, int],
    every: list[Evaluation],
    duels: list[HeadToHead | None],
    dataset: Dataset,
    arguments: argparse.Namespace,
) -> None:
    """Write what ``--keep-threshold`` and ``--keep-scores`` ask for into the run's record."""
    from recam_core.atomic_write import write_json
    from recam_core.checkpoint.run_folder import INFO_FILE, read_info
    from recam_core.refine.seeds import seed_settings

    if not (arguments.keep_threshold or arguments.keep_scores):
        return
    info, evaluations = read_info(path), {rule: every[place] for rule, place in places.items()}
    if arguments.keep_threshold:
        for rule, evaluation in evaluations.items():
            chosen = evaluation.best.threshold
            if rule == info.rule:
                info.threshold = chosen
            elif chosen is not None:
                info.thresholds[rule] = chosen
    if arguments.keep_scores:
        kept = info.scores.setdefault(dataset.spec.rpartition("@")[2] or dataset.spec, {})
        for rule, evaluation in evaluations.items():
            report = evaluation.to_json()
            headline = evaluation.fixed or evaluation.best
            settings = seed_settings(rule, settings_for(arguments, info))
            kept[rule] = {
                "miou": headline.miou,
                "threshold": headline.threshold,
                "pictures": report["pictures"],
                "data": dataset.spec,
                "scales": list(settings.scales),
                "mirror": settings.mirror,
                "labels": settings.labels,
                **{key: _without_confusion(report[key]) for key in ("best", "fixed")},
            }
            if duel := duels[places[rule]]:
                kept[rule]["against"] = duel.to_json()
    # All else stays as the record has it.
    record = read_record(path / INFO_FILE)
    kept_now = {"threshold": info.threshold, "thresholds": info.thresholds, "scores": info.scores}
    write_json(path / INFO_FILE, record | kept_now)


def _without_confusion(scores: dict | None) -> dict | None:
    """A record for reading; the whole matrix is what ``--json`` is for."""
    return None if scores is None else {name: value for name, value in scores.items() if name != "confusion"}


def _write_parts(path: Path | None, evaluations: list[Evaluation]) -> None:
    """One file for one method; for several, the method's name goes before the suffix."""
    if path is None:
        return
    for evaluation in evaluations:
        target = path
        if len(evaluations) > 1:
            name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in evaluation.name)
            target = path.with_name(f"{path.stem}-{name}{path.suffix or '.npz'}")
        evaluation.counts.save(target)
        print(f"Per-picture counts written to {target}.")
