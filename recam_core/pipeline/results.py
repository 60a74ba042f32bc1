"""What a pipeline found: mIoU after each step with ReCAM's lead, and what each step cost; as JSON, CSV and Markdown."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from recam_core.atomic_write import replacing_file, write_json
from recam_core.pipeline.plan import PipelinePlan
from recam_core.pipeline.work import Done, values_of
from recam_core.segment.training import from_imagenet

#: The files of the tables in the folder of a pipeline, without their endings.
TABLE_FILE = "results"
#: Said beside the figures of a network.
_UNKNOWING = "not started from ImageNet"


def pipeline_rows(plan: PipelinePlan) -> list[dict[str, Any]]:
    """What was scored after each step: ``on``, ``pictures``, ``what``, and by method ``miou`` (0..1) and ``note``.

    A figure is None where there is no ground truth; a note says what did not start from ImageNet, and is "" otherwise.
    """
    rows = []
    # ReCAM starts from BCE-CAM.
    first = {method: "bce" if method == "recam" else method for method in plan.methods}
    infos = {method: values_of(plan.out / first[method] / "run.json") for method in plan.methods}
    notes = {method: _UNKNOWING if info.get("imagenet") == "none" else "" for method, info in infos.items()}
    for name, spec in (("masks", plan.data), ("val", plan.val)):
        if spec is None:
            continue
        found = {method: values_of(plan.scores(f"{name}-{method}")).get("evaluations", {}) for method in plan.methods}
        for route in plan.routes:
            rows.append(
                _row(spec, route.title or "seeds", {key: one.get(route.key) for key, one in found.items()}, notes)
            )
    if plan.val is not None:
        each = {method: values_of(plan.scores(f"score-{method}")).get("scores", {}) for method in plan.methods}
        first_of = {method: (one.get("all") or [None])[0] for method, one in each.items()}
        records = {method: values_of(plan.out / f"network-{method}" / "segment.json") for method in plan.methods}
        started = {method: "" if from_imagenet(record) else _UNKNOWING for method, record in records.items()}
        rows.append(_row(plan.val, "network", first_of, started))
    return rows


def miou_table(plan: PipelinePlan, rows: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of cells, the first of titles; figures in per cent."""
    has_lead = {"bce", "recam"} <= set(plan.methods)
    titles = [f"{method} ({rule})" if rule else method for method, rule in seeds_of_methods(plan).items()]
    table = [["mIoU, in percent", "on", "pictures", *titles, *(["lead of recam"] if has_lead else [])]]
    for row in rows:
        values = row["miou"]
        told = ["" if values[method] is None else f"{100 * values[method]:.1f}" for method in plan.methods]
        if has_lead:
            both = values["bce"], values["recam"]
            told.append("" if None in both else f"{100 * (both[1] - both[0]):+.1f}")
        pictures = "" if row["pictures"] is None else str(row["pictures"])
        table.append([row["what"], row["on"], pictures, *told])
    return table


def seeds_of_methods(plan: PipelinePlan) -> dict[str, str]:
    """By method, the extraction rule or attribution method whose maps are its seeds; "" before it was trained."""
    rules = {method: values_of(plan.out / method / "run.json").get("rule", "") for method in plan.methods}
    return {method: plan.attribution(method) or str(rule) for method, rule in rules.items()}


def cost_table(done: Mapping[str, Done]) -> list[list[str]]:
    """Rows of cells, the first of titles."""
    table = [["step", "minutes", "processor minutes", "peak memory"]]
    for name, each in done.items():
        minutes = f"{each.seconds / 60:.1f}{' (before)' if each.skipped else ''}"
        known = (
            (f"{each.processor_seconds / 60:.1f}", f"{each.peak_bytes / 1e9:.2f} GB") if each.peak_bytes else ("", "")
        )
        table.append([name, minutes, *known])
    return table


def notes_of(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence for each figure that needs one."""
    told = [f"{row['what']}, {method}: {words}" for row in rows for method, words in row["note"].items() if words]
    return list(dict.fromkeys(told))


def write_tables(plan: PipelinePlan, rows: list[dict[str, Any]], done: Mapping[str, Done]) -> dict[str, Any]:
    """Write ``results.json``, ``results.csv`` and ``results.md`` into the folder of a pipeline.

    Returns:
        What the JSON holds.
    """
    costs = {
        name: {"seconds": one.seconds, "processor_seconds": one.processor_seconds, "peak_bytes": one.peak_bytes}
        for name, one in done.items()
    }
    results = {
        "data": plan.data,
        "select": plan.select,
        "val": plan.val,
        "preset": plan.preset,
        "depth": "heads" if plan.trained_heads else "full",
        "seeds": seeds_of_methods(plan),
        "way": plan.way,
        "finish": plan.finish,
        "seed": plan.seed,
        "rows": rows,
        "steps": costs,
    }
    write_json(plan.out / f"{TABLE_FILE}.json", results)
    tables = [miou_table(plan, rows), cost_table(done)]
    text = io.StringIO()
    csv.writer(text).writerows([*tables[0], [], *tables[1]])
    notes = "\n".join(f"- {words}" for words in notes_of(rows))
    pages = {"csv": text.getvalue(), "md": "\n\n".join(filter(None, [*map(_markdown, tables), notes])) + "\n"}
    for ending, content in pages.items():
        with replacing_file(plan.out / f"{TABLE_FILE}.{ending}") as temporary:
            temporary.write_text(content, encoding="utf-8", newline="")
    return results


def _markdown(table: list[list[str]]) -> str:
    lines = [["\\|".join(cell.split("|")) for cell in row] for row in table]
    lines.insert(1, ["---"] * len(table[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(
    on: str, what: str, evaluations: Mapping[str, Mapping[str, Any] | None], notes: Mapping[str, str]
) -> dict[str, Any]:
    pictures = max((int(one["pictures"]) for one in evaluations.values() if one), default=None)
    miou = {
        # At the threshold chosen elsewhere, or the arg-max.
        method: None if not one else float((one["fixed"] or one["best"])["miou"])
        for method, one in evaluations.items()
    }
    return {"on": on, "pictures": pictures, "what": what, "miou": miou, "note": dict(notes)}
