"""Which extraction rules a run can be read by."""

from recam_core.checkpoint.run_folder import RunInfo
from recam_core.method import extraction


def check_rule(info: RunInfo, rule: str) -> str:
    """The rule, if the run can be read by it.

    Raises:
        UserError: unknown rule, or one that needs FC2 or its background row where the run has none.
    """
    has_row = bool(info.network.get("background_row"))
    return extraction.check_rule(rule, info.network["has_fc2"], has_row, f"the run {info.name}")


def rules_of_run(info: RunInfo) -> tuple[str, ...]:
    """The rules that a run can be read by."""
    return extraction.rules_of(bool(info.network.get("has_fc2")), bool(info.network.get("background_row")))
