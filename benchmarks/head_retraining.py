"""Retraining FC2, and FC1 with FC2, on the cached features of the shipped scenes.

The first run computes the features (half a minute or so) and caches them; the times are those of the training.

    python benchmarks/head_retraining.py [--data scenes@train]
"""

import argparse

from recam_core.checkpoint.places import shipped_folder
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.device import describe_device, pick_device
from recam_core.progress import terminal
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_heads


def main() -> None:
    """Print the seconds of both depths and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="scenes@train")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    run = load_run(shipped_folder() / "scenes" / "bce", device)
    with terminal("features") as progress:
        cache = build_feature_cache(run, open_dataset(arguments.data), progress)
    fc2 = min(retrain_heads(cache, run, HeadRecipe(update="fc2")).seconds for _ in range(5))
    both = retrain_heads(cache, run, HeadRecipe(update="both")).seconds
    print(f"{len(cache)} pictures, {describe_device(device)}")
    print(f"FC2 alone, 200 full-batch epochs, best of five: {fc2:.2f} s (aim: under 1)")
    print(f"FC1 and FC2, 15 epochs: {both:.2f} s (aim: under 15); {both / fc2:.0f} times as long")


if __name__ == "__main__":
    main()
