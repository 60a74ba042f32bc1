"""The settings of FC2's training that full trainings and retrainings of the heads have in common."""

from recam_core.method.background import BETAS, POWERS
from recam_core.method.extraction import RULES
from recam_core.method.losses import FC2_LOSSES
from recam_core.method.masks import parse_mask
from recam_core.setting import SettingKind

LAMBDA = SettingKind(
    "weight of L_sce against L_bce (equation 6); the paper: 1 on VOC, 0.1 on MS COCO",
    words="lambda",
    label="Lambda (λ)",
    flag="--lambda",
    least=0,
    most=1e6,
    step=0.1,
)
MASK = SettingKind(
    "soft, none, hard:T, power:G or oracle: what the features are multiplied with (equation 3)",
    label="Mask",
    flag="--mask",
    read=lambda text: str(parse_mask(text)),
)
FC2_LOSS = SettingKind(
    "loss on FC2: sce (equation 5), or bce, the paper's control",
    words="the loss on FC2",
    label="Loss on FC2",
    choices=tuple(FC2_LOSSES),
)
BACKGROUND = SettingKind(
    "beta, the weight of the background row of FC2; 0: none, as in the paper",
    words="the weight of the background row",
    label="Background row (β)",
    flag="--background",
    least=BETAS[0],
    most=BETAS[1],
    step=0.1,
)
BACKGROUND_POWER = SettingKind(
    "G, the exponent of the background's mask",
    words="the background's exponent",
    label="Its exponent (G)",
    flag="--background-power",
    least=POWERS[0],
    most=POWERS[1],
    step=0.5,
)
RULE = SettingKind(
    "extraction rule of the maps (equation 7)",
    words="the rule",
    label="Extraction rule",
    flag="--rule",
    choices=tuple(RULES),
)
EPOCHS = SettingKind("passes over the data", words="the epochs", label="Epochs", flag="--epochs", least=1, most=10_000)
BATCH_SIZE = SettingKind(
    "images a step", words="the batch size", label="Batch size", flag="--batch-size", least=1, most=4096
)
SEED = SettingKind("of the order and of all that is random", words="the seed", label="Seed", flag="--seed", least=0,
               most=2**31 - 1)  # fmt: skip
