"""Results and About."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tiny_families import write_rowed

from recam_core.method.extraction import RULES


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
    page.slider(key="about_total").set_value(-4.0).run()
    assert not page.exception
