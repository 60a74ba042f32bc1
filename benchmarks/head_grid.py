"""A grid of 64 head runs: batched against one by one, and with its scores.

Features of the shipped scenes are computed and cached by the first run (a minute or two); the times are of what comes
after. Runs one by one are timed on some of the 64 and counted up. Ratios are of processor seconds, which other work on
the machine disturbs less.

What limits them: FC2 alone is full-batch, so that 64 different FC2s are 64 times the arithmetic of one, and only
reading and pooling the features is shared; where the settings leave FC2 as it is (rules, lambda), or where FC1 is
trained as well, nearly everything is.

    python benchmarks/head_grid.py [--data scenes@train] [--run assets/checkpoints/scenes/bce]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from recam_core.checkpoint.run_folder import load_run
from recam_core.device import describe_device, pick_device
from recam_core.experiments.axes import axis
from recam_core.experiments.lab import HeadLab, open_lab
from recam_core.experiments.protocol import protocol_for
from recam_core.experiments.questions import ask
from recam_core.folders import shipped_folder
from recam_core.progress import terminal
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_many

RATES = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12]
DECAYS = [0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
WEIGHTS = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
MASKS = ["none", "soft", "power:0.5", "power:2", "power:4", "hard:0.1", "hard:0.3", "hard:0.5"]


def main() -> None:
    """Print the seconds and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="scenes@train")
    parser.add_argument("--run", type=Path, default=shipped_folder() / "scenes" / "bce")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--alone", type=int, default=8, help="how many of the 64 are timed one by one (default: 8)")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    with terminal("features") as progress:
        lab = open_lab(load_run(arguments.run, device), protocol_for(arguments.data), progress=progress)
    print(f"{len(lab.fit)} pictures to train on, {describe_device(device)}")

    base = HeadRecipe()
    some = [replace(base, lr=lr, weight_decay=decay) for lr in RATES for decay in DECAYS]
    ratio(lab, "FC2, 8 rates x 8 decays", some, arguments.alone)
    some = [replace(base, mask=mask, weight=weight) for weight in WEIGHTS for mask in MASKS]
    ratio(lab, "FC2, 8 masks x 8 lambdas", some, arguments.alone)
    both = HeadRecipe(update="both", epochs=1)
    some = [replace(both, weight=weight, lr=lr) for weight in WEIGHTS for lr in RATES]
    ratio(lab, "FC1 and FC2, one epoch, 8 lambdas x 8 rates", some, max(arguments.alone // 4, 1))

    x, y = axis("mask", MASKS), axis("lr", [str(rate) for rate in RATES])
    whole, processor = seconds(lambda: ask("grid", x=x, y=y).run(lab))
    pictures = lab.pictures("select") + lab.pictures("report")
    print(f"64-point grid (masks x rates), trained and scored on {pictures} pictures: {whole:.1f} s (aim: under 30), "
          f"{processor:.1f} processor seconds")  # fmt: skip


def ratio(lab: HeadLab, title: str, recipes: Sequence[HeadRecipe], alone: int) -> None:
    """Time all recipes together, and some of them one by one."""
    # Evenly spread, so that masks of every cost are among them.
    some = [recipes[place * len(recipes) // alone + place % 8] for place in range(alone)]
    single = sum(seconds(lambda recipe=recipe: retrain_many(lab.fit, lab.run, [recipe]))[1] for recipe in some)
    wall, together = seconds(lambda: retrain_many(lab.fit, lab.run, recipes))
    one_by_one = single * len(recipes) / alone
    print(f"{title}: {wall:.1f} s for {len(recipes)}; {together:.1f} processor seconds against {single / alone:.2f} "
          f"for one alone, {one_by_one / together:.1f} x less than one by one (aim: 10)")  # fmt: skip


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """How long it takes: by the clock, and of the processor (all threads together)."""
    begun, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - processor


if __name__ == "__main__":
    main()
