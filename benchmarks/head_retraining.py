"""Retraining FC2, and FC1 with FC2, on the cached features of the shipped scenes; each with the background row, too.

The first run computes the features (half a minute or so) and caches them; the times are those of the training. With and
without the row take turns, so that other work on the machine slows both alike.

    python benchmarks/head_retraining.py [--data scenes@train]
"""

import argparse

from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.device import describe_device, pick_device
from recam_core.folders import shipped_folder
from recam_core.method.background import USUAL_BACKGROUND
from recam_core.progress import terminal
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_heads


def main() -> None:
    """Print the seconds of both depths, and what the background row adds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="scenes@train")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    run = load_run(shipped_folder() / "scenes" / "bce", device)
    with terminal("features") as progress:
        cache = build_feature_cache(run, open_dataset(arguments.data), progress)
    print(f"{len(cache)} pictures, {describe_device(device)}")
    found = {}
    for update, turns in (("fc2", 7), ("both", 2)):
        recipes = HeadRecipe(update=update), HeadRecipe(update=update, background=USUAL_BACKGROUND)
        seconds = [[retrain_heads(cache, run, recipe).seconds for recipe in recipes] for _ in range(turns)]
        found[update] = tuple(min(column) for column in zip(*seconds, strict=True))
    for update, text, aim in (
        ("fc2", "FC2 alone, 200 full-batch epochs, best of seven", 1),
        ("both", "FC1 and FC2, 15 epochs, best of two", 15),
    ):
        without, with_row = found[update]
        print(f"{text}: {without:.2f} s (aim: under {aim})")
        print(f"  with the background row: {with_row:.2f} s, {with_row / without:.2f} times as long (aim: up to 1.15)")
    print(f"FC1 and FC2 take {found['both'][0] / found['fc2'][0]:.0f} times as long as FC2 alone")


if __name__ == "__main__":
    main()
