"""Which extraction rules a run can be read by."""

from recam_core.checkpoint.run_folder import RunInfo
from recam_core.errors import UserError
from recam_core.method.extraction import RULES


def check_rule(info: RunInfo, rule: str) -> str:
    """The rule, if the run can be read by it.

    Raises:
        UserError: unknown rule, or one that needs FC2 where the run has none.
    """
    if rule not in RULES:
        raise UserError(f"There is no extraction rule '{rule}': choose one of {', '.join(RULES)}.")
    if RULES[rule].needs_fc2 and not info.network["has_fc2"]:
        raise UserError(f"The rule '{rule}' needs FC2, and the run {info.name} was trained without it; use fc1.")
    return rule
