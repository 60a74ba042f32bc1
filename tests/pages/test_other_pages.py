"""Results and About."""

import json
import shutil
from pathlib import Path

import pytest
from chart_content import figures, trace
from streamlit.testing.v1 import AppTest
from tiny_families import write_rowed

from app.screens import results
from recam_core.analysis.head_to_head import HeadToHead
from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.method.extraction import RULES
from recam_core.views.charts.gains import gain_chart
from recam_core.views.charts.style import LIGHT


def show_results() -> None:
    from app.screens import results

    results.main()


def show_about() -> None:
    from app.screens import about

    about.main()


@pytest.mark.usefixtures("opened")
def test_results_show_scores_and_differences() -> None:
    page = AppTest.from_function(show_results, default_timeout=60).run()
    assert not page.exception
    table = page.dataframe[0].value
    assert table["run"].tolist() == ["BCE-CAM", "SCE-CAM", "ReCAM"]
    assert table["to BCE-CAM"].round(1).tolist() == [0.0, 0.0, 10.0]
    assert "python -m recam_core train bce" in [box.value for box in page.code]


@pytest.mark.usefixtures("opened")
def test_results_lead_with_a_chart_and_a_sentence_a_data_set(assets: Path, runs: Path) -> None:
    shutil.copytree(assets / "checkpoints" / "scenes" / "recam", runs / "better")
    record = json.loads((runs / "better" / INFO_FILE).read_text())
    duel = HeadToHead("bce fc1", 0.2, 0.1, 0.3, 9, 6, 2, 1, 0)
    record |= {"name": "better_*one*"}
    record["scores"]["val"][record["rule"]] |= {"miou": 0.6, "against": duel.to_json()}
    write_json(runs / "better" / INFO_FILE, record)
    page = AppTest.from_function(show_results, default_timeout=60).run()
    assert not page.exception
    sentences = [box.value for box in page.markdown if box.value.startswith("- **")]
    assert [text.split(".**")[0] for text in sentences] == ["- **Drawn scenes, objects only", "- **Photographs"]
    # Of what ships no interval is kept here: the difference is told, and how to keep one.
    assert "(+10.0 points)" in sentences[1]
    assert "--keep-scores" in sentences[1]
    (chart,) = figures(page)
    assert trace(chart, "better")["x"] == [pytest.approx(20)]
    assert any(text.endswith("better_*one*") for text in chart["layout"]["yaxis"]["ticktext"])
    # What a press does, by keyboard: the dot is marked, and the runs behind it can be opened.
    (place,) = trace(chart, "better")["customdata"][0]
    assert "results_to_runs" not in [button.key for button in page.button]
    page.selectbox(key="results_gain").set_value(place).run()
    assert not page.exception
    (ring,) = [one for one in figures(page)[0]["data"] if one.get("marker", {}).get("symbol") == "circle-open"]
    assert (ring["x"], ring["y"]) == ([pytest.approx(20)], [place])
    assert {"results_to_runs", "results_to_explore"} <= {button.key for button in page.button}
    table = page.dataframe[0].value
    kept = table[table["run"] == "better_*one*"]
    assert kept["95 %"].tolist() == ["+10.0 to +30.0"]
    assert kept["to BCE-CAM"].round(1).tolist() == [20.0]
    order = json.loads(page.dataframe[0].proto.columns)
    shown = page.dataframe[0].proto.column_order
    assert list(shown[:3]) == ["run", "mIoU", "to BCE-CAM"]  # what a phone shows
    assert sum(order[name].get("width", 999) for name in shown[:3]) < 350


def test_gains_are_told_by_their_intervals() -> None:
    keys = ("photos/bce", "photos/recam")
    gains = [
        results.Gain("Photos", "ReCAM", keys, 0.7, 0.6, HeadToHead("bce fc1", 0.1, 0.05, 0.2, 9, 6, 2, 1, 0)),
        results.Gain("Photos", "SCE-CAM", keys, 0.5, 0.6, HeadToHead("bce fc1", -0.1, -0.2, -0.05, 9, 2, 6, 1, 0)),
        results.Gain("Scenes", "ReCAM", keys, 0.61, 0.6, HeadToHead("bce fc1", 0.01, -0.2, 0.05, 9, 2, 6, 1, 0)),
        results.Gain("Scenes", "mine", keys, 0.61, 0.6, None),
    ]
    assert [gain.verdict for gain in gains] == ["better", "worse", "may be chance", "no interval"]
    rows = results.gain_rows(gains, 1)
    assert [round(row.gain, 1) for row in rows] == [10.0, -10.0, 1.0, 1.0]
    assert [row.low is not None for row in rows] == [True, True, True, False]  # the three that have an interval
    assert [row.marked for row in rows] == [False, True, False, False]
    chart = gain_chart(rows, LIGHT, title="points", legend=False)
    assert {trace.name: trace.marker.color for trace in chart.data if trace.name} == {
        "better": LIGHT.right, "worse": LIGHT.wrong, "may be chance": LIGHT.quiet, "no interval": LIGHT.quiet
    }  # fmt: skip


def test_results_of_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path))
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path))
    page = AppTest.from_function(show_results, default_timeout=60).run()
    assert not page.exception
    assert "no runs yet" in page.info[0].value


@pytest.mark.usefixtures("opened")
def test_results_say_which_run_has_a_background_row(assets: Path, runs: Path) -> None:
    write_rowed(assets, runs)
    page = AppTest.from_function(show_results, default_timeout=60).run()
    assert not page.exception
    said = [box.value for box in page.markdown if "background row" in box.value]
    assert len(said) == 1
    assert "β 0.2, G 2" in said[0]


def test_about_tells_what_is_not_the_papers() -> None:
    page = AppTest.from_function(show_about, default_timeout=60).run()
    assert [box.value for box in page.subheader][:2] == ["From BCE to ReCAM", "The background row"]
    text = " ".join(box.value for box in page.markdown)
    assert "an addition of this lab, not of the paper" in text
    for rule, kind in RULES.items():
        assert not kind.needs_background or f"**{rule.replace('_', ' ')}**" in text
    assert any("K+1" in box.value for box in page.latex)


def test_about_labels_published_figures_as_such() -> None:
    page = AppTest.from_function(show_about, default_timeout=60).run()
    assert not page.exception
    assert len(page.latex) >= 3
    text = " ".join(box.value for box in page.markdown)
    assert "None of these was measured here" in text
    assert "https://arxiv.org/abs/2203.00962" in text
