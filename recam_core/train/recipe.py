"""Every setting of a training, the presets, and the command line that a recipe is written as."""

import shlex
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from recam_core.errors import UserError
from recam_core.guest import as_typed_spec
from recam_core.method.background import USUAL_BACKGROUND, USUAL_BACKGROUND_RULE, rule_has_its_row
from recam_core.method.fc2_settings import (
    BACKGROUND,
    BACKGROUND_POWER,
    BATCH_SIZE,
    EPOCHS,
    FC2_LOSS,
    LAMBDA,
    MASK,
    RULE,
    SEED,
)
from recam_core.method.masks import parse_mask
from recam_core.model.backbones import PAPER_BACKBONE, SMALL_BACKBONE
from recam_core.setting import SettingKind, check_settings, options, setting

METHODS = ("bce", "sce", "recam")
OPTIMIZERS = ("sgd", "adamw")


_BACKBONE = SettingKind(
    "resnet50 (the paper's) or a convolutional timm model such as tf_efficientnet_lite0", flag="--backbone"
)
_STRIDE = SettingKind("pixels a cell of the feature map: 8, 16 or 32", flag="--output-stride")
_WEIGHTS = SettingKind("ImageNet weights: auto, packaged, download, none or a file", flag="--weights")
_OPTIMIZER = SettingKind("sgd or adamw", words="the optimizer", flag="--optimizer", choices=OPTIMIZERS)
_RATE = SettingKind("at the start of the schedule", least=0)
_DECAY = SettingKind("of all weights", words="the weight decay", flag="--weight-decay", least=0)
_WARMUP = SettingKind(
    "share of the steps in which the learning rates rise", words="the warm-up, a share of the steps,",
    flag="--warmup", least=0, most=1, is_open=(False, True),
)  # fmt: skip
_CROP = SettingKind("side of the training crop in pixels", words="the crop", flag="--crop", least=32, most=2048)


@dataclass(frozen=True)
class Recipe:
    """The settings of one training.

    Attributes:
        method: ``bce`` (equation 1), ``sce`` (softmax on multi-label images) or ``recam`` (equation 6).
        backbone, output_stride: see :func:`recam_core.model.backbones.build_backbone`.
        weights: where ImageNet weights come from, see :func:`recam_core.model.backbones.load_imagenet`; a run that
            starts from another run takes that run's weights instead.
        epochs, batch_size: as the names say.
        optimizer: ``sgd`` (momentum 0.9) or ``adamw``.
        lr_backbone, lr_fc1, lr_fc2: learning rates at the start of the schedule.
        weight_decay: of all weights.
        warmup: share of all steps in which the learning rates rise from 0.
        poly_power: the learning rates fall as (1 - step/steps)^power.
        crop: side of the square crop in pixels; what an image leaves free is padded.
        resize_long: the long side of an image is resized at random to this range, in pixels.
        jitter: strengths of brightness, contrast, saturation and hue jitter.
        freeze_norm: keep batch norm at its running statistics.
        weight: lambda of equation 6; ``recam`` only.
        mask: masking choice; ``recam`` only.
        fc2_loss: on FC2: ``sce`` (equation 5), or ``bce``, the paper's control; ``recam`` only.
        background: beta, the weight of the background row in L_sce (:mod:`recam_core.method.background`); 0 is the
            paper's FC2, which has none; ``recam`` only, and only for data with a background class.
        background_power: G, the exponent of the background's mask.
        rule: extraction rule that the run's maps use by default.
        amp: mixed precision on CUDA.
        seed: of the initial weights, the order and the augmentation.
    """

    method: str
    backbone: str = setting(PAPER_BACKBONE, _BACKBONE)
    output_stride: int = setting(16, _STRIDE)
    weights: str = setting("auto", _WEIGHTS)
    epochs: int = setting(5, EPOCHS)
    batch_size: int = setting(16, BATCH_SIZE)
    optimizer: str = setting("sgd", _OPTIMIZER)
    lr_backbone: float = setting(0.1, _RATE, words="the learning rate of the backbone", flag="--lr-backbone")
    lr_fc1: float = setting(1.0, _RATE, words="the learning rate of FC1", flag="--lr-fc1")
    lr_fc2: float = setting(0.0, _RATE, words="the learning rate of FC2", flag="--lr-fc2")
    weight_decay: float = setting(1e-4, _DECAY)
    warmup: float = setting(0.0, _WARMUP)
    poly_power: float = 0.9
    crop: int = setting(512, _CROP)
    resize_long: tuple[int, int] = (320, 640)
    jitter: tuple[float, float, float, float] = (0.3, 0.3, 0.3, 0.1)
    freeze_norm: bool = True
    weight: float = setting(1.0, LAMBDA)
    mask: str = setting("soft", MASK)
    fc2_loss: str = setting("sce", FC2_LOSS, flag="--fc2-loss")
    background: float = setting(0.0, BACKGROUND)
    background_power: float = setting(1.0, BACKGROUND_POWER)
    rule: str = setting("fc1", RULE)
    amp: bool = True
    seed: int = setting(0, SEED)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)


def from_json(values: dict[str, Any]) -> Recipe:
    """The recipe that :meth:`Recipe.to_json` gave; lists become tuples again.

    Raises:
        ValueError: it is of a version of the program that has other settings.
    """
    known = {one.name for one in fields(Recipe)}
    if other := [name for name in values if name not in known] or [name for name in ("method",) if name not in values]:
        raise ValueError(f"this version of the program has other settings ('{str(other[0])[:60]}')")
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Recipe(**plain)


_PAPER = {
    "bce": Recipe("bce"),
    "sce": Recipe("sce"),
    # The published ReCAM stage starts from the converged CAM stage with rates 10^3 times lower; lambda is VOC's.
    "recam": Recipe("recam", epochs=4, lr_backbone=5e-5, lr_fc1=5e-5, lr_fc2=5e-4, rule="product"),
}

# Found on a part of train of the shipped data sets (assets/README.md has the commands): AdamW and 224-pixel crops
# converge in a quarter of an hour on 2 CPU cores.
_SMALL_BASE = Recipe(
    "bce",
    backbone=SMALL_BACKBONE,
    epochs=15,
    optimizer="adamw",
    lr_backbone=2e-4,
    lr_fc1=2e-3,
    weight_decay=1e-2,
    warmup=0.05,
    crop=224,
    resize_long=(224, 352),
)
_SMALL = {
    "bce": _SMALL_BASE,
    "sce": replace(_SMALL_BASE, method="sce"),
    "recam": replace(
        _SMALL_BASE,
        method="recam",
        epochs=5,
        lr_backbone=2e-5,
        lr_fc1=2e-4,
        lr_fc2=2e-3,
        rule="rectified_product",
    ),
}
PRESETS = {"paper": _PAPER, "small": _SMALL}


def preset(method: str, name: str = "paper", has_background: bool = False) -> Recipe:
    """The settings of a preset: ``paper`` (the published schedule) or ``small`` (for machines without a GPU).

    Args:
        method: one of :data:`METHODS`.
        name: of the preset.
        has_background: whether the data has a background class; ``small`` then gives FC2 its background row, which
            the paper does not have.

    Raises:
        UserError: unknown method or preset.
    """
    if name not in PRESETS:
        raise UserError(f"There is no preset '{name}': choose one of {', '.join(PRESETS)}.")
    if method not in METHODS:
        raise UserError(f"There is no method '{method}': choose one of {', '.join(METHODS)}.")
    recipe = PRESETS[name][method]
    if name == "small" and method == "recam" and has_background:
        return replace(recipe, background=USUAL_BACKGROUND, rule=USUAL_BACKGROUND_RULE)
    return recipe


def check_recipe(recipe: Recipe) -> None:
    """Refuse settings that cannot work before anything is loaded.

    Raises:
        UserError: the first setting that is out of range.
    """
    check_settings(recipe, "The recipe")
    low, high = recipe.resize_long
    rules = [
        (recipe.method in METHODS, f"the method must be one of {', '.join(METHODS)}"),
        (recipe.method == "recam" or recipe.rule == "fc1", "only recam has an FC2; the rule of bce and sce is fc1"),
        (max(recipe.lr_backbone, recipe.lr_fc1, recipe.lr_fc2) > 0, "one of the learning rates must be above 0"),
        (recipe.method == "recam" or recipe.fc2_loss == "sce", "only recam has an FC2 whose loss can be chosen"),
        (recipe.method == "recam" or recipe.background == 0, "only recam has an FC2 that can have a background row"),
        rule_has_its_row(recipe),
        (16 <= low <= high <= 4096, "the range of the long side must be two rising numbers from 16 to 4096"),
    ]
    for holds, sentence in rules:
        if not holds:
            raise UserError(f"The recipe cannot work: {sentence}.")
    parse_mask(recipe.mask)


def train_command(
    recipe: Recipe,
    *,
    data: str,
    out: str,
    val: str = "",
    init: str = "",
    half: bool = False,
    workers: int | None = None,
) -> str:
    """The command line of ``train`` with the same settings: the nearest preset, and what differs from it."""
    name = min(PRESETS, key=lambda name: len(_options(recipe, preset(recipe.method, name))))
    words = ["python", "-m", "recam_core", "train", recipe.method, "--preset", name, "--data", as_typed_spec(data)]
    words += ["--val", as_typed_spec(val)] if val else []
    words += ["--init", init] if init else []
    words += _options(recipe, preset(recipe.method, name))
    if recipe.method == "recam" and name == "small":
        # The preset's own background row and rule depend on the data, so neither is left to it.
        words += [] if "--background" in words else ["--background", "0"]
        words += [] if "--rule" in words else ["--rule", recipe.rule]
    words += ["--half"] if half else []
    words += [] if workers is None else ["--workers", str(workers)]
    return shlex.join([*words, "--out", out])


def _options(recipe: Recipe, base: Recipe) -> list[str]:
    words = options(recipe, base)
    if recipe.resize_long != base.resize_long:
        words += ["--resize-long", *map(str, recipe.resize_long)]
    words += ["--train-norm"] if base.freeze_norm and not recipe.freeze_norm else []
    words += ["--no-amp"] if base.amp and not recipe.amp else []
    return words
