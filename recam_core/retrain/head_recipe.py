"""Every setting of a retraining of FC1 and FC2 on cached features."""

from dataclasses import asdict, dataclass
from typing import Any

from recam_core.errors import UserError
from recam_core.field_kinds import check_kinds
from recam_core.method.background import USUAL_BACKGROUND, USUAL_BACKGROUND_RULE, background_rules
from recam_core.method.extraction import RULES
from recam_core.method.losses import FC2_LOSSES
from recam_core.method.masks import parse_mask

UPDATES = ("fc2", "both")
LOSSES = tuple(FC2_LOSSES)
#: Epochs and learning rate that suit each choice of `update`; FC2 alone is a convex problem over all pairs at once,
#: FC1 and FC2 together go through the features in batches.
DEFAULTS = {"fc2": (200, 0.02), "both": (15, 0.002)}


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

    weight: float = 1.0
    mask: str = "soft"
    rule: str = "rectified_product"
    update: str = "fc2"
    epochs: int = 0
    lr: float = 0.0
    weight_decay: float = 0.0
    batch_size: int = 32
    seed: int = 0
    loss: str = "sce"
    rounds: int = 1
    background: float = 0.0
    background_power: float = 1.0

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


def check_lambda(weight: float | None, update: str) -> str:
    """What is to be said of a lambda that was asked for; "" where it acts, or none was asked for.

    Args:
        weight: lambda; None where it was left at its default.
        update: what is trained, one of :data:`UPDATES`.

    Raises:
        UserError: lambda 0 for FC2 alone, which would leave FC2 at nothing.
    """
    if weight is None or update != "fc2":
        return ""
    if weight == 0:
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
    check_kinds(recipe, "The retraining")
    if recipe.update not in UPDATES:
        raise UserError(f"What to update must be one of {', '.join(UPDATES)}, not '{recipe.update}'.")
    epochs, lr = DEFAULTS[recipe.update]
    recipe = HeadRecipe(**{**recipe.to_json(), "epochs": recipe.epochs or epochs, "lr": recipe.lr or lr})
    rules = [
        (0 <= recipe.weight <= 1e6, "lambda must be 0 or more"),
        (recipe.rule in RULES, f"the rule must be one of {', '.join(RULES)}"),
        (1 <= recipe.epochs <= 10_000, "the epochs must be 1 to 10000"),
        (0 < recipe.lr <= 10, "the learning rate must be above 0 and at most 10"),
        (0 <= recipe.weight_decay <= 10, "the weight decay must be 0 to 10"),
        (1 <= recipe.batch_size <= 4096, "the batch size must be 1 to 4096"),
        (recipe.loss in LOSSES, f"the loss on FC2 must be one of {', '.join(LOSSES)}"),
        (0 <= recipe.seed < 1 << 31, "the seed must be 0 to 2147483647"),
        (1 <= recipe.rounds <= 20, "the rounds must be 1 to 20"),
        (recipe.rounds == 1 or recipe.update == "fc2", "more than one round is for FC2 alone (update fc2)"),
        (
            recipe.rounds == 1 or recipe.rule not in RULES or RULES[recipe.rule].makes_weights,
            "the masks of further rounds are made from class weights; choose a rule without softmax",
        ),
        *background_rules(recipe),
    ]
    for holds, sentence in rules:
        if not holds:
            raise UserError(f"The retraining cannot work: {sentence}.")
    parse_mask(recipe.mask)
    return recipe
