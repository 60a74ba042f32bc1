"""The experiments: by the key in the address and on the command line. Another one is one form and one entry here."""

from collections.abc import Callable
from dataclasses import dataclass

from app.lab import forms
from app.lab.asked import Asked
from app.lab.bench import Bench


@dataclass(frozen=True)
class Kind:
    """An experiment as the page offers it.

    Attributes:
        title: with its icon.
        question: that it answers.
        form: draws what it varies; may raise UserError.
        button: what its button says.
    """

    title: str
    question: str
    form: Callable[[Bench], Asked]
    button: str


KINDS: dict[str, Kind] = {
    "lambda": Kind(
        ":material/show_chart: Lambda",
        "How much should the softmax loss weigh beside the binary one?",
        forms.lambda_form,
        "Sweep lambda",
    ),
    "masks": Kind(
        ":material/texture: Masks",
        "Does masking the features lower false positives, and fail to lower false negatives? The paper masks on VOC, "
        "copies on COCO, and leaves open why.",
        forms.masks_form,
        "Compare masks",
    ),
    "rules": Kind(
        ":material/function: Rules",
        "Which weights should make the map, once FC2 is trained? And how much of a plain product comes from channels "
        "whose two weights are both negative?",
        forms.rules_form,
        "Compare rules",
    ),
    "loss": Kind(
        ":material/balance: Loss",
        "Is it the softmax, or merely a second layer? FC2 learns by SCE and by BCE from the same masked features.",
        forms.loss_form,
        "Compare losses",
    ),
    "rounds": Kind(
        ":material/cycle: Rounds",
        "Does it help to make masks anew from FC2's maps, and to train FC2 again on them?",
        forms.rounds_form,
        "Try rounds",
    ),
    "grid": Kind(
        ":material/grid_view: Grid",
        "Any two settings against each other.",
        forms.grid_form,
        "Fill the grid",
    ),
    "pair": Kind(
        ":material/call_split: Pair",
        "Which setting of a grid tells two confused classes apart best, and at what cost to the others?",
        forms.pair_form,
        "Ask for advice",
    ),
}
