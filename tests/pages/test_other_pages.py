"""Results and About."""

import pytest
from streamlit.testing.v1 import AppTest


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


def test_about_labels_published_figures_as_such() -> None:
    page = AppTest.from_function(show_about, default_timeout=60).run()
    assert not page.exception
    assert len(page.latex) >= 3
    text = " ".join(box.value for box in page.markdown)
    assert "None of these was measured here" in text
    assert "https://arxiv.org/abs/2203.00962" in text
    page.slider(key="about_total").set_value(-4.0).run()
    assert not page.exception
