"""How everything was made: enough to make it again."""

from typing import Any

from recam_core.analysis.analysed import Analysed
from recam_core.checkpoint.run_folder import versions
from recam_core.report.markup import Markup, join, tag
from recam_core.report.report_data import ReportData


def settings_section(data: ReportData, command: str = "") -> Markup:
    """Data, runs, thresholds, versions.

    Args:
        data: what the report tells.
        command: the command line that makes the report again; empty where there is none.
    """
    chosen = int(data.chosen.sum())
    pictures = f"{chosen:,}" if data.chosen.all() else f"{chosen:,} of {len(data.chosen):,}"
    background = "and a background class" if data.classes.has_background else "without a background class"
    pixels = data.scores[data.reference.key].pixels
    facts = {
        "Data": tag("code", data.spec),
        "Pictures": pictures,
        "Scored pixels": f"{pixels:,}",
        "Classes": f"{len(data.classes)} {background}: {', '.join(data.classes.names)}",
        "Intervals": f"95%, {data.resamples:,} draws of pictures, seed 0",
        "Programs": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }
    if command:
        facts["Command"] = tag("code", command)
    parts = [tag("h2", "Settings"), _list(facts)]
    parts += [_method(method, data) for method in data.methods]
    return tag("section", *parts, id="settings")


def _method(method: Analysed, data: ReportData) -> Markup:
    info, made, cut = method.info, method.store.info, data.cuts[method.key]
    facts = {
        "Run": f"{info.name}, method {info.method}",
        "Extraction rule": method.rule.replace("_", " "),
        "Background threshold": f"{cut} ({cut.origin})",
        "Scales": ", ".join(f"{scale:g}" for scale in made.scales) + (", with mirror images" if made.mirror else ""),
        "Maps of": "the classes of the image-level label" if made.labels == "truth" else "the classes the network sees",
        "Network": f"{info.network['backbone']}, output stride {info.network['output_stride']}",
        "Trained on": info.data or "unknown data",
        "Started from": info.parent or "no other run",
        "Seed": info.seed,
        "Made": info.created or "unknown",
        "Weights, SHA-256": tag("code", info.weights_sha256),
    }
    details = [tag("summary", "Recipe and command")]
    if info.command:
        details.append(tag("pre", info.command))
    details.append(tag("pre", "\n".join(_tree(info.recipe)) or "not recorded"))
    return join([tag("h3", method.title), _list(facts), tag("details", *details)])


def _list(facts: dict[str, object]) -> Markup:
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in facts.items()))


def _tree(values: dict[str, Any], depth: int = 0) -> list[str]:
    lines = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += ["  " * depth + f"{name}:", *_tree(value, depth + 1)]
        elif isinstance(value, list):
            lines.append("  " * depth + f"{name}: {', '.join(_short(item) for item in value)}")
        else:
            lines.append("  " * depth + f"{name}: {_short(value)}")
    return lines


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)
