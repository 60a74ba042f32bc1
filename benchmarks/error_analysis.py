"""Error analysis at the size of PASCAL VOC and of MS COCO: ``python benchmarks/error_analysis.py``.

Pixel counts are made synthetically, as many rows a picture as real maps give, and indexed on disk. A process of its own
then does what the pages do and reports times and its memory; another one answers the same questions from the rows.

    python benchmarks/error_analysis.py [--size voc|coco|both] [--methods 3] [--folder KEEP_HERE]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.confusions import class_order, top_pairs
from recam_core.analysis.counts_on_disk import open_counts, writing_counts
from recam_core.analysis.gains import class_gain
from recam_core.analysis.outcomes import outcomes_at
from recam_core.analysis.picture_filter import PictureFilter
from recam_core.analysis.picture_table import picture_table
from recam_core.data.sample import ClassList
from recam_core.maps.activation_maps import threshold_level
from recam_core.scores.pixel_counts import PictureCounts, PixelCounts
from recam_core.scores.scores import CumulativeConfusion

#: Pictures, classes, and the share of pictures that show 1, 2, 3, ... classes.
SIZES = {
    "voc": (10_000, 20, (0.62, 0.25, 0.09, 0.03, 0.01)),
    "coco": (80_000, 80, (0.25, 0.23, 0.19, 0.13, 0.08, 0.05, 0.03, 0.02, 0.01, 0.01)),
}
#: Pictures that are made at once.
BLOCK = 1000
THRESHOLD = 0.3
ROWS_AT_ONCE = 4_000_000


def synthetic_counts(path: Path, size: str, seed: int) -> None:
    """Write counts of one method: classes are drawn from a long tail, and occur together; activations come in runs."""
    pictures, classes, shares = SIZES[size]
    rng = np.random.default_rng(seed)
    with writing_counts(path, ClassList(tuple(f"class{k}" for k in range(classes)))) as writer:
        for begin in range(0, pictures, BLOCK):
            # Ground truth depends on the block alone: all methods see the same pictures.
            truth_rng = np.random.default_rng(begin)
            number = truth_rng.choice(np.arange(1, len(shares) + 1), BLOCK, p=np.array(shares) / sum(shares))
            for place, counts in enumerate(_block(truth_rng, rng, number, classes)):
                writer.add(f"{begin + place:012d}", counts)


def _block(
    truth_rng: np.random.Generator, rng: np.random.Generator, number: np.ndarray, classes: int
) -> list[PictureCounts]:
    tail = 1 / np.arange(1, classes + 1) ** 0.8
    # Gumbel's trick: the largest of logarithm + noise are a weighted draw without replacement.
    noise = np.log(tail) + truth_rng.gumbel(size=(len(number), classes))
    ranked = np.argsort(-noise, axis=1)
    truths, winners, owners = [], [], []
    for picture, n in enumerate(number.tolist()):
        shown = np.sort(ranked[picture, :n]) + 1
        truths.append(np.repeat(np.concatenate([[0], shown]), n))
        winners.append(np.tile(shown, n + 1))
        owners.append(np.full(n * (n + 1), picture))
    truth, winner, owner = (np.concatenate(parts) for parts in (truths, winners, owners))
    met = (truth == winner) | (truth == 0) | (rng.random(len(truth)) < 0.7)
    truth, winner, owner = truth[met], winner[met], owner[met]
    length = np.where(truth == winner, 200, np.where(truth == 0, 220, 100)) * rng.uniform(0.4, 1.15, len(truth))
    length = np.clip(length.astype(np.int64), 1, 256)
    first = np.where(truth == 0, 0, rng.integers(0, 257 - length))
    ends = np.cumsum(length)
    within = np.arange(ends[-1]) - np.repeat(ends - length, length)
    level = (np.repeat(first, length) + within).astype(np.uint8)
    size = np.repeat(np.where(truth == 0, 900, np.where(truth == winner, 500, 60)), length)
    count = rng.integers(1, size + 1).astype(np.uint32)
    stops = np.searchsorted(np.repeat(owner, length), np.arange(1, len(number)))
    columns = (np.repeat(truth, length).astype(np.uint8), np.repeat(winner, length).astype(np.uint8), level, count)
    return [PictureCounts(*parts) for parts in zip(*(np.split(column, stops) for column in columns), strict=True)]


def timed(function: Callable[[], Any], repeats: int = 1) -> tuple[Any, list[float]]:
    """The last result, and seconds of each run."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return result, times


def memory() -> dict[str, float]:
    """MB: the peak of this process, and what of its present amount is its own and not that of a mapped file."""
    try:
        status = Path("/proc/self/status").read_text().splitlines()
    except OSError:  # no Linux: the peak alone, in bytes on macOS
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "own": float("nan")}
    fields = dict(line.split(":", 1) for line in status)
    return {name: int(fields[field].split()[0]) / 1024 for name, field in (("peak", "VmHWM"), ("own", "RssAnon"))}


def as_pages_do(folder: Path, methods: int) -> dict[str, Any]:
    """Open the indexes of all methods and do what a visitor does."""
    result: dict[str, Any] = {"memory at start": memory()}
    keys = [f"m{number}" for number in range(methods)]

    def opened() -> dict[str, tuple[CellIndex, CumulativeConfusion]]:
        indexes = {key: CellIndex.load(folder / f"{key}.cells") for key in keys}
        return {key: (index, CumulativeConfusion.build(index)) for key, index in indexes.items()}

    both, result["open"] = timed(opened)
    cells = {key: index for key, (index, _) in both.items()}
    cumulative = {key: confusion for key, (_, confusion) in both.items()}
    thresholds = dict.fromkeys(keys, THRESHOLD)
    one = cells[keys[0]]
    confusions, result["first matrices"] = timed(lambda: {key: cumulative[key].at(THRESHOLD) for key in keys})
    _, result["order of the classes"] = timed(lambda: class_order(sum(confusions.values())))
    result["memory when open"] = memory()
    levels = iter(np.linspace(0, 1, 101).tolist() * 2)
    _, result["rescore"] = timed(lambda: {key: cumulative[key].scores(next(levels)).miou for key in keys[:1]}, 101)

    confusion = confusions[keys[0]].copy()
    np.fill_diagonal(confusion, 0)
    largest = np.argsort(-confusion.ravel())[:20]
    picked = [tuple(int(part) for part in divmod(cell, one.values)) for cell in largest.tolist()]
    result["cell"] = [timed(lambda cell=cell: one.pictures(*cell, THRESHOLD))[1][0] for cell in [*picked, (0, 0)]]
    result["cell again"] = [timed(lambda cell=cell: one.pictures(*cell, THRESHOLD))[1][0] for cell in [*picked, (0, 0)]]
    each = range(-1, one.values - 1)
    result["false positives"] = [timed(lambda k=k: one.false_positives(k, THRESHOLD))[1][0] for k in each]
    result["false negatives"] = [timed(lambda k=k: one.false_negatives(k, THRESHOLD))[1][0] for k in each]
    result["cell figures"] = [int(one.pictures(*cell, THRESHOLD)[1].sum()) for cell in picked]
    outcomes, result["outcomes"] = timed(lambda: {key: outcomes_at(cells[key], THRESHOLD) for key in keys})
    pairs, result["pairs"] = timed(lambda: top_pairs(confusions, cells, thresholds, outcomes=outcomes))
    result["top pair"] = [pairs[0].truth, pairs[0].predicted, *pairs[0].pixels.values()]
    table, result["picture table"] = timed(lambda: picture_table(cells, thresholds, outcomes=outcomes))
    wanted = PictureFilter(number=(2, 9), size=(0.01, 0.5), worse=(keys[0], keys[-1]))
    chosen, result["filter"] = timed(lambda: wanted.apply(table))
    _, result["matrix of the filtered"] = timed(lambda: outcomes[keys[0]].where(chosen).confusion())
    result["memory without intervals"] = memory()
    _, result["intervals, 1000 draws"] = timed(lambda: class_gain(cells, thresholds, outcomes=outcomes))
    result["matrix"] = confusions[keys[0]].sum(axis=0).tolist()
    result["memory at end"] = memory()
    return result


def from_rows(folder: Path) -> dict[str, Any]:
    """The same matrix and the same cells, from all rows: block by block, as they do not fit into memory at once."""
    counts = open_counts(folder / "m0.counts")
    values = len(counts.classes) + 1
    result: dict[str, Any] = {}
    confusion, result["rescore"] = timed(lambda: _score_rows(counts, values), 3)
    result["matrix"] = confusion.sum(axis=0).tolist()
    np.fill_diagonal(confusion, 0)
    largest = [divmod(cell, values) for cell in np.argsort(-confusion.ravel())[:5].tolist()]
    result["cell"], result["cell figures"] = [], []
    for truth, predicted in largest:
        pixels, times = timed(lambda t=truth, p=predicted: _cell_of_rows(counts, t, p))
        result["cell"] += times
        result["cell figures"].append(int(pixels.sum()))
    result["rows"] = len(counts.count)
    return result


def _score_rows(counts: PixelCounts, values: int) -> np.ndarray:
    limit, sums = threshold_level(THRESHOLD), np.zeros(values * values)
    for begin in range(0, len(counts.count), ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE)
        predicted = np.where(counts.activation[rows] > limit, counts.argmax[rows], 0)
        cell = counts.truth[rows].astype(np.int64) * values + predicted
        sums += np.bincount(cell, weights=counts.count[rows], minlength=values * values)
    return sums.astype(np.int64).reshape(values, values)


def _cell_of_rows(counts: PixelCounts, truth: int, predicted: int) -> np.ndarray:
    limit, sums = threshold_level(THRESHOLD), np.zeros(len(counts))
    for begin in range(0, len(counts.count), ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE)
        above = counts.activation[rows] > limit
        seed = above & (counts.argmax[rows] == predicted) if predicted else ~above
        some = (counts.truth[rows] == truth) & seed
        sums += np.bincount(counts.image[rows][some], weights=counts.count[rows][some], minlength=len(counts))
    found = sums[np.argsort(-sums, kind="stable")]
    return found[found > 0].astype(np.int64)


def in_own_process(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def ms(times: list[float]) -> str:
    return f"median {1000 * statistics.median(times):9.2f} ms, longest {1000 * max(times):9.2f} ms"


def report(size: str, folder: Path, methods: int) -> None:
    pictures, classes, _ = SIZES[size]
    print(f"\n{pictures:,} pictures, {classes} classes, {methods} methods")
    for number in range(methods):
        counts, cells = folder / f"m{number}.counts", folder / f"m{number}.cells"
        if not cells.exists():
            _, made = timed(lambda path=counts, seed=number: synthetic_counts(path, size, seed))
            _, indexed = timed(lambda path=counts, to=cells: CellIndex.write(open_counts(path), to))
            print(f"  method {number}: made in {made[0]:.1f} s, indexed in {indexed[0]:.1f} s")
    disk = sum(file.stat().st_size for file in (folder / "m0.cells").iterdir()) / 1e6
    print(f"  index of a method: {disk:.0f} MB on disk; peak while indexing {memory()['peak']:.0f} MB")
    pages = in_own_process("--as-pages-do", str(folder), "--methods", str(methods))
    rows = in_own_process("--from-rows", str(folder))
    agree = pages["matrix"] == rows["matrix"] and pages["cell figures"][:5] == rows["cell figures"]
    print(f"  {rows['rows']:,} rows a method; matrix and cells from index and rows agree: {agree}")
    if not agree:
        raise SystemExit("They differ: a fault, not a matter of speed.")
    print(f"  open all methods                 {1000 * pages['open'][0]:9.0f} ms   (aim: under 2000)")
    for name in ("first matrices", "order of the classes"):
        print(f"  {name:<32} {1000 * pages[name][0]:9.1f} ms")
    print(f"  rescore at a threshold           {ms(pages['rescore'])}   (aim: under 50)")
    ratio = statistics.median(rows["rescore"]) / statistics.median(pages["rescore"])
    print(f"    from all rows                  {ms(rows['rescore'])}, {ratio:,.0f} times as long")
    print(f"  a cell's pictures, worst first   {ms(pages['cell'])}   (aim: under 300)")
    ratio = statistics.median(rows["cell"]) / statistics.median(pages["cell"][:5])
    print(f"    from all rows                  {ms(rows['cell'])}, {ratio:,.0f} times as long")
    for name in ("cell again", "false positives", "false negatives"):
        print(f"  {name:<32} {ms(pages[name])}")
    print("  at rest, all methods:")
    for name in (
        *("outcomes", "pairs", "picture table", "filter", "matrix of the filtered"),
        "intervals, 1000 draws",
    ):
        print(f"    {name:<30} {1000 * pages[name][0]:9.1f} ms")
    print(
        "  memory (MB): "
        + "; ".join(
            f"{name.removeprefix('memory ')} peak {pages[name]['peak']:.0f}, own {pages[name]['own']:.0f}"
            for name in pages
            if name.startswith("memory")
        )
        + "   (aim: under 1500)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=[*SIZES, "both"], default="both")
    parser.add_argument("--methods", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the synthetic counts here and use them again")
    parser.add_argument("--as-pages-do", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--from-rows", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.as_pages_do:
        print(json.dumps(as_pages_do(arguments.as_pages_do, arguments.methods)))
        return
    if arguments.from_rows:
        print(json.dumps(from_rows(arguments.from_rows)))
        return
    for size in SIZES if arguments.size == "both" else [arguments.size]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (arguments.folder or Path(temporary)) / size
            folder.mkdir(parents=True, exist_ok=True)
            report(size, folder, arguments.methods)


if __name__ == "__main__":
    main()
