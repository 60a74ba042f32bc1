"""A full training of a second or two, for tests."""

import dataclasses

from recam_core.train.recipe import Recipe, preset

#: Drawn scenes of 64 x 64 pixels to train and to score on.
TRAIN, VAL = "scenes:size=64,train=6,val=2@train", "scenes:size=64,train=6,val=2@val"


def tiny_recipe(method: str = "bce", **settings) -> Recipe:
    """The small preset with a tiny network on crops of 48 pixels; ``settings`` are fields of the recipe."""
    tiny = {"backbone": "timm:test_resnet", "weights": "none", "epochs": 3, "batch_size": 3, "crop": 48}
    tiny |= {"resize_long": (40, 56), "lr_backbone": 1e-3, "lr_fc1": 1e-2}
    return dataclasses.replace(preset(method, "small"), **tiny | settings)


#: What trainings in processes of their own use.
RECIPE = Recipe(
    "bce",
    backbone="timm:test_resnet",
    output_stride=32,
    weights="none",
    epochs=4,
    batch_size=2,
    optimizer="adamw",
    lr_backbone=1e-3,
    lr_fc1=1e-2,
    crop=48,
    resize_long=(40, 56),
)
