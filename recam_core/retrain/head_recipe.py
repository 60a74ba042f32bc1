"""Every setting of a retraining of FC1 and FC2 on cached features."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from recam_core.errors import UserError
from recam_core.method.background import USUAL_BACKGROUND, USUAL_BACKGROUND_RULE, rule_has_its_row
from recam_core.method.extraction import RULES
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
from recam_core.method.losses import FC2_LOSSES
from recam_core.method.masks import parse_mask
from recam_core.setting import SettingKind, check_kinds, check_settings, setting

UPDATES = ("fc2", "both")
LOSSES = tuple(FC2_LOSSES)
#: Epochs and learning rate that suit each choice of `update`; FC2 alone is a convex problem over all pairs at once,
#: FC1 and FC2 together go through the features in batches.
DEFAULTS = {"fc2": (200, 0.02), "both": (15, 0.002)}


_UPDATE = SettingKind(
    "what is trained: both (FC1 and FC2) or fc2 alone",
    words="what to update",
    label="Update",
    flag="--update",
    choices=UPDATES,
)
_RATE = SettingKind(
    "of Adam, at the start; it falls to 0 along a half cosine",
    words="the learning rate",
    label="Learning rate",
    flag="--lr",
    least=0,
    most=10,
    is_open=(True, False),
    step=0.001,
)
_DECAY = SettingKind(
    "pulls the weights to 0 (AdamW)", words="the weight decay", flag="--weight-decay", least=0, most=10
)
_ROUNDS = SettingKind(
    "how often FC2 gives the masks of another FC2, where FC2 alone is trained",
    words="the rounds",
    flag="--rounds",
    least=1,
    most=20,
)


@dataclass(frozen=True)
class HeadRecipe:
    """The settings of one retraining.

    Attributes:
        weight: lambda of equation 6. With ``update="both"`` it weighs L_sce against L_bce. With ``update="fc2"``
            L_bce does not depend on what is trained: lambda only scales the gradient, which Adam undoes, so 0 means
            that FC2 is not trained at all and any other value gives the same FC2.
        mask: masking choice.
        rule: extraction rule of the maps.
        update: ``fc2`` (FC1 stays) or ``both``. The default is what a record that does not name it was made with;
            :func:`usual_heads` is what a retraining begins with.
        epochs: passes over the data; 0 takes the default of ``update``.
        lr: learning rate of Adam at the start, falling to 0 along a half cosine; 0 takes the default of ``update``.
        weight_decay: pulls the weights to 0, apart from the learning rate (AdamW).
        batch_size: images a step for ``both``.
        seed: of the order for ``both``.
        loss: on FC2: ``sce`` (ReCAM), or ``bce``, the paper's control that shows what the softmax is good for.
        background: beta, the weight of the background row in L_sce (:mod:`recam_core.method.background`); 0 is the
            paper's FC2, which has none. Only for data with a background class.
        background_power: G, the exponent of the background's mask.
        rounds: how often FC2 is trained with ``update="fc2"``: from the second time on, the masks are made from the
            maps that ``rule`` gives with the FC2 of the round before.
    """

    weight: float = setting(1.0, LAMBDA)
    mask: str = setting("soft", MASK)
    rule: str = setting("rectified_product", RULE)
    update: str = setting("fc2", _UPDATE)
    epochs: int = setting(0, EPOCHS)
    lr: float = setting(0.0, _RATE)
    weight_decay: float = setting(0.0, _DECAY)
    batch_size: int = setting(32, BATCH_SIZE, meaning="images a step, where FC1 is trained too")
    seed: int = setting(0, SEED)
    loss: str = setting("sce", FC2_LOSS, flag="--loss")
    rounds: int = setting(1, _ROUNDS)
    background: float = setting(0.0, BACKGROUND)
    background_power: float = setting(1.0, BACKGROUND_POWER)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)


def usual_heads(has_background: bool) -> HeadRecipe:
    """The settings of a retraining to begin with: FC1 and FC2, so that lambda acts, and a background row where the data
    has a background class.
    """
    if not has_background:
        return HeadRecipe(update="both")
    return HeadRecipe(update="both", background=USUAL_BACKGROUND, rule=USUAL_BACKGROUND_RULE)


def check_lambda(lam: float | None, update: str) -> str:
    """What is to be said of a lambda that was asked for; "" where it acts, or none was asked for.

    Args:
        lam: lambda; None where it was left at its default.
        update: what is trained, one of :data:`UPDATES`.

    Raises:
        UserError: lambda 0 for FC2 alone, which would leave FC2 at nothing.
    """
    if lam == 0 and update == "both":
        return "With lambda 0 FC2 is not trained, and holds nothing: the maps show FC1 alone, or nothing."
    if lam is None or update != "fc2":
        return ""
    if lam == 0:
        raise UserError("With FC2 alone, lambda 0 trains nothing; leave lambda out, or update FC1 and FC2 (both).")
    return (
        "Lambda does nothing here: with FC2 alone it only scales the gradient, which Adam undoes, so any value above 0 "
        "gives the same FC2. Update FC1 and FC2 (--update both) to weigh the losses."
    )


def completed(recipe: HeadRecipe) -> HeadRecipe:
    """The recipe with defaults filled in, checked.

    Raises:
        UserError: the first setting that is out of range.
    """
    check_kinds(recipe, "The retraining")  # before anything is compared: a record may hold anything
    epochs, lr = DEFAULTS.get(recipe.update, (1, 1.0))
    recipe = replace(recipe, epochs=recipe.epochs or epochs, lr=recipe.lr or lr)
    check_settings(recipe, "The retraining")
    rules = [
        (recipe.rounds == 1 or recipe.update == "fc2", "more than one round is for FC2 alone (update fc2)"),
        (
            recipe.rounds == 1 or RULES[recipe.rule].makes_weights,
            "the masks of further rounds are made from class weights; choose a rule without softmax",
        ),
        rule_has_its_row(recipe),
    ]
    for holds, sentence in rules:
        if not holds:
            raise UserError(f"The retraining cannot work: {sentence}.")
    parse_mask(recipe.mask)
    return recipe
