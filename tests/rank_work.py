"""What one process does, and two under ``torchrun`` do as well, for test_ranks to compare: ``rank_work.py FOLDER``."""

import dataclasses
import json
import sys
from pathlib import Path

import torch

from recam_core import ranks
from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.errors import UserError
from recam_core.maps.dataset_maps import MapSettings
from recam_core.refine.boundaries import BoundaryRecipe, confident_labels, train_boundaries
from recam_core.train.loop import train
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe

#: Batches of three, so that two ranks have unequal parts of them.
BCE = tiny_recipe(backbone="timm:test_resnet", output_stride=32, epochs=2, optimizer="sgd", lr_backbone=1e-2)
RECAM = dataclasses.replace(BCE, method="recam", lr_fc2=1e-2, rule="product")
FAILED = "The second process found that nothing is right."
QUICK = ("--scales", "1.0", "--no-mirror")


class WithoutLabels(TinyDataset):
    """Some pictures show no class, so that what equation 5 divides by differs from rank to rank."""

    def load(self, index):
        sample = super().load(index)
        return dataclasses.replace(sample, labels=sample.labels & (index % 4 != 1))


class Broken(TinyDataset):
    """The last picture cannot be read."""

    def load(self, index):
        if index == len(self) - 1:
            raise UserError(f"{self.ids[index]}: the picture is damaged.")
        return super().load(index)


def work(folder: Path, name: str) -> None:
    """Train and score everything below ``folder / name``, from the runs of ``folder / "one"``."""
    out, data = folder / name, f"voc:{folder / 'squares'}"
    train(BCE, WithoutLabels(7), out / "bce")
    first = load_run(folder / "one" / "bce")
    train(RECAM, WithoutLabels(7), out / "recam", init=first)
    settings, recipe = MapSettings((1.0,), mirror=False), BoundaryRecipe(0.6, 0.4, "none", 1, 3, 64, 0.02)
    labels = confident_labels(first, TinyDataset(7), "fc1", settings, recipe)
    train_boundaries(first, TinyDataset(7), labels, "fc1", recipe, out / "boundaries")
    run = folder / "one" / "recam"
    asked = ("--data", f"{data}@val", "--device", "cpu")
    command("cams", run, *asked, *QUICK, "--rule", "fc1", "--out", out / "stores")
    for source, words in ((run, QUICK), (folder / "one" / "stores" / "recam-fc1", ())):
        kept = out / f"scores-{source.name}"
        command("evaluate", source, *asked, *words, "--rule", "fc1", "--json", f"{kept}.json", "--parts", f"{kept}.npz")
    words = ("--rule", "fc1", "--finish", "none", "--select", f"{data}@train", "--out", out / "masks")
    command("masks", first.path, *asked, *QUICK, *words, "--with-pictures", "--json", out / "masks.json")
    words = ("--preset", "small", "--weights", "none", "--steps", "2", "--batch-size", "3", "--crop", "64")
    command("segment", "train", "--data", f"{data}@train", "--device", "cpu", *words, "--out", out / "network")
    network = folder / "one" / "network"
    command("segment", "eval", network, *asked, *QUICK, "--band", "2", "--json", out / "network.json")
    command("segment", "predict", network, *asked, *QUICK, "--out", out / "predicted")


def command(*words: object) -> None:
    assert main([*map(str, words)]) == 0, words


def refused(folder: Path) -> dict[str, str]:
    """What is said where a batch or a picture is no good, on each rank."""
    said = {}
    for name, recipe, data in (
        ("small", dataclasses.replace(BCE, batch_size=1), TinyDataset(4)),
        ("broken", BCE, Broken(6)),
        ("other", BCE, TinyDataset(6 + ranks.rank())),
    ):
        try:
            train(recipe, data, folder / "refused" / name)
        except UserError as error:
            said[name] = str(error)
    return said


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    try:
        with ranks.joined():
            work(place, "two")
            (place / f"refused-{ranks.rank()}.json").write_text(json.dumps(refused(place)))
            assert main(["runs", "list"]) == 2  # by one process only
            # Rank 0 waits for the other, which fails where nothing is agreed on.
            if ranks.rank() == 1:
                raise UserError(FAILED)
            ranks.check_same("", "thing")
    except UserError as error:  # as the command line does
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
