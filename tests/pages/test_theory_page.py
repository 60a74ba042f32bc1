"""Theory: its sections, what can be set in them, and what they say where there is nothing."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from tiny_families import TINY_SCENES

from app.jobs import board
from app.screens.theory import SECTIONS
from app.theory import equations_section
from recam_core.cache import cache_folder
from recam_core.checkpoint.run_folder import read_info
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.experiments.figure1 import figure1_from_json, keep_figure1, kept_figures
from recam_core.theory.losses import FUNCTIONS, LOSSES, descend, softmax
from recam_core.theory.negatives import QUANTILES, write_negatives
from recam_core.theory.weights import class_cosines


def show_theory() -> None:
    from app.screens import theory

    theory.main()


def section(name: str) -> AppTest:
    page = AppTest.from_function(show_theory, default_timeout=120)
    page.session_state["theory_section"] = name
    page.run()
    assert not page.exception
    return page


def figure(page: AppTest, key: str) -> dict:
    """The Plotly figure of a chart, by the end of its key."""
    (found,) = (one for one in page.get("plotly_chart") if key in one.proto.id)
    return json.loads(found.proto.spec)


def values(numbers: object) -> np.ndarray:
    """Numbers of a figure, which Plotly packs."""
    if isinstance(numbers, dict):
        import base64

        return np.frombuffer(base64.b64decode(numbers["bdata"]), dtype=numbers["dtype"])
    return np.array(numbers)


def test_nothing_is_needed_for_the_losses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RECAM_ASSETS", "RECAM_RUNS", "RECAM_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    page = section("losses")
    assert not page.error
    assert len(page.get("plotly_chart")) == 4
    for name in set(SECTIONS) - {"losses"}:
        page = section(name)
        assert not page.error
        assert page.info


@pytest.mark.usefixtures("opened")
def test_sliders_move_gradients_and_the_way_down() -> None:
    page = section("losses")
    page.slider(key="theory_classes").set_value(4).run()
    page.slider(key="theory_z0").set_value(-1.0).run()
    page.slider(key="theory_z1").set_value(-1.5).run()
    z = np.array([-1.0, -1.5, -1.0, -2.0])
    bars = figure(page, "theory_bars")["data"]
    order = sorted(range(4), key=lambda k: (k != 0, -z[k]))
    np.testing.assert_allclose(values(bars[1]["y"]), (softmax(z) - np.eye(4)[0])[order], atol=1e-9)
    page.slider(key="theory_rate").set_value(1.5).run()
    lines = figure(page, "theory_descent")["data"]
    expected = descend("bce", z, np.eye(4)[0], 1.5).logits[:, 0]
    np.testing.assert_allclose(values(lines[0]["y"]), expected, atol=1e-9)
    page.toggle(key="theory_y1").set_value(True).run()
    assert not page.exception
    page.segmented_control(key="theory_view").set_value("surface").run()
    assert figure(page, "theory_surface_sce")["data"][0]["type"] == "surface"
    for quantity in ("on_p", "loss"):
        page.selectbox(key="theory_quantity").set_value(quantity).run()
        assert not page.exception


@pytest.mark.usefixtures("opened")
def test_the_sentence_holds_at_the_ends() -> None:
    """Ratios that nobody can read, and labels that leave a loss without a target."""
    z, y = np.array([20.0, -1.0]), np.array([1.0, 0.0])
    words = equations_section._sentence(equations_section.Logits(("a", "b"), z, y), gradients_of(z, y), 0, 1)
    assert "BCE pushes **far harder**" in words
    page = section("losses")
    page.toggle(key="theory_y0").set_value(False).run()
    assert any("No class is present" in box.value for box in page.markdown)
    assert not any("*p* is" in box.value for box in page.markdown)


def gradients_of(z: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    return {loss: FUNCTIONS[loss][1](z, y) for loss in LOSSES}


@pytest.mark.usefixtures("opened")
def test_the_framed_region_follows_the_share() -> None:
    page = section("losses")
    before = values(figure(page, "theory_map_bce")["data"][1]["z"]).sum()
    page.slider(key="theory_share").set_value(0.3).run()
    assert values(figure(page, "theory_map_bce")["data"][1]["z"]).sum() > before


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("source", ["picture", "pixel"])
def test_logits_of_a_picture_and_of_a_place(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = section("losses")
    page.segmented_control(key="theory_source").set_value(source).run()
    assert not page.exception
    assert not page.error
    if source == "pixel":
        monkeypatch.setattr(
            "app.theory.equations_section.logit_map", lambda *_: pytest.fail("the network was asked again")
        )
        before = figure(page, "theory_bars")["data"][0]["y"]
        page.slider(key="theory_across").set_value(5).run()
        page.slider(key="theory_down").set_value(5).run()
        assert not page.exception
        assert figure(page, "theory_bars")["data"][0]["y"] != before


@pytest.mark.usefixtures("opened")
def test_equations_are_carried_out_on_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    page = section("equations")
    assert not page.error
    (board_,) = page.get("bidi_component")
    assert board_ is not None
    monkeypatch.setattr("app.theory.equations_section.walkthrough", lambda *_: pytest.fail("carried out again"))
    page.run()
    assert not page.exception


def wait(page: AppTest, key: str) -> None:
    for _ in range(600):
        job = board().find(page.session_state[key])
        if job.is_over:
            break
        time.sleep(0.1)
    assert job.state == "done", job.message
    page.run()


@pytest.mark.usefixtures("opened")
def test_finished_runs_are_measured_in_the_background() -> None:
    page = section("negatives")
    assert "kept the curve" in page.info[0].value
    family = page.selectbox(key="theory_family").value
    page.selectbox(key=f"theory_measured_{family}").set_value(TINY_SCENES).run()
    page.button(key="theory_measure").click().run()
    wait(page, f"theory_job_{family}")
    assert not page.exception
    drawn = figure(page, "theory_now")
    assert len(drawn["data"][2]["x"]) == 3 or len(values(drawn["data"][2]["x"])) == 3


@pytest.mark.usefixtures("opened")
def test_a_kept_curve_is_shown(assets: Path) -> None:
    run = assets / "checkpoints" / "scenes" / "recam"
    points = [
        {
            "epoch": epoch,
            "features": 9,
            "bce": [0.1, 0.2, 0.3, 0.4, 0.5],
            "sce": [0.2] * 5,
            "bce_gone": 0,
            "sce_gone": 0,
        }
        for epoch in (0.5, 1.0)
    ]
    write_negatives(run, "fc2", "sce", points)
    try:
        page = section("negatives")
        assert not page.error
        assert len(QUANTILES) == len(points[0]["bce"])
        assert figure(page, "theory_along")["data"][2]["y"] == [0.3, 0.3]
    finally:
        (run / "negatives.json").unlink()


@pytest.mark.usefixtures("opened")
def test_heads_are_trained_and_the_figure_is_kept() -> None:
    page = section("figure1")
    family = page.selectbox(key="theory_family").value
    entry = page.selectbox(key=f"theory_features_{family}").value
    page.segmented_control(key="theory_what").set_value("features").run()
    page.number_input(key="theory_group").set_value(2).run()
    page.text_input(key=f"theory_fit_{entry}").set_value("scenes:size=64,train=6,val=2@train").run()
    page.button(key="theory_train").click().run()
    job = board().find(page.session_state["theory_figure_job"])
    while not job.is_over:
        time.sleep(0.1)
    page.run()
    assert "classes have" in page.error[0].value  # six pictures are too few
    page.text_input(key=f"theory_fit_{entry}").set_value("scenes:size=64,train=40,val=20@train").run()
    page.button(key="theory_train").click().run()
    wait(page, "theory_figure_job")
    assert not page.exception
    (found,) = kept_figures().values()
    assert page.session_state["theory_figure"] == next(iter(kept_figures()))
    drawn = figure(page, "theory_figure1")["data"]
    np.testing.assert_allclose(values(drawn[0]["y"]), [100 * found.row(s, "bce").mean for s in ("all", "group")])
    assert any("experiment figure1" in box.value for box in page.code)


@pytest.mark.usefixtures("opened")
def test_whole_networks_are_trained_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def stand_in(fit, report, recipe, settings, folder, *, device, progress):
        asked.append((fit.spec, report.spec, recipe.epochs, settings.seeds, folder))
        progress(1, 2, "all bce seed 0: epoch")
        raise UserError("Too few pictures.")

    monkeypatch.setattr("app.theory.on_data_section.figure1_full", stand_in)
    page = section("figure1")
    page.toggle(key="theory_whole").set_value(True).run()
    page.number_input(key="theory_epochs").set_value(4).run()
    page.number_input(key="theory_seeds").set_value(1).run()
    entry = page.selectbox(key=f"theory_features_{page.selectbox(key='theory_family').value}").value
    page.text_input(key=f"theory_fit_{entry}").set_value(TINY_SCENES).run()
    assert any("--depth full --epochs 4" in box.value for box in page.code)
    page.button(key="theory_train").click().run()
    job = board().find(page.session_state["theory_figure_job"])
    while not job.is_over:
        time.sleep(0.05)
    page.run()
    assert page.error[0].value == "Too few pictures."
    ((fit, report, *rest, folder),) = asked
    assert (fit, report) == tuple(open_dataset(TINY_SCENES.replace("@train", part)).spec for part in ("@train", "@val"))
    assert rest == [4, (0,)]
    assert cache_folder() in folder.parents


@pytest.mark.usefixtures("opened")
def test_a_figure_of_the_command_line_is_listed_and_a_damaged_one_is_not(assets: Path) -> None:
    names = [["a", "b"], ["a", "b"]]
    rows = [
        {"scope": s, "loss": x, "rate": 0.1, "accuracy": [0.5, 0.6], "class_mean": [0.5, 0.6]}
        for s in ("all", "group")
        for x in ("bce", "sce")
    ]
    numbers = {"all": 2, "group": 2}
    content = {
        "kind": "figure1", "source": "<b>x</b>", "what": "pictures", "depth": "heads", "fit": "s@train",
        "report": "s@val", "classes": dict(zip(("all", "group"), names, strict=True)), "left_out": [],
        "fit_count": numbers, "report_count": numbers, "pictures": numbers, "rows": rows,
        "gains": {"all": [0, None, None], "group": [0.1, 0.05, 0.2]}, "confusion": [[1, 2], [3, 4]],
        "settings": {"seeds": [0, 1]},
    }  # fmt: skip
    keep_figure1(figure1_from_json(content))
    (cache_folder() / "figure1" / "damaged.json").write_text('{"kind": "figure1"}')
    (cache_folder() / "figure1" / "seeds.json").write_text(json.dumps(content | {"settings": {"seeds": [0, 1, 2]}}))
    page = section("figure1")
    assert not page.exception
    assert len(page.selectbox(key="theory_figure").options) == 1
    # The same question with other settings is another result, told apart from this one.
    keep_figure1(figure1_from_json(content | {"settings": {"seeds": [0, 2]}}))
    options = section("figure1").selectbox(key="theory_figure").options
    assert len(set(options)) == 2
    assert any("may be chance" in box.value for box in page.markdown)


@pytest.mark.usefixtures("opened")
def test_weights_of_two_runs(assets: Path) -> None:
    page = section("weights")
    assert not page.error
    folder = assets / "checkpoints" / "scenes" / "recam"
    found = class_cosines(folder, read_info(folder))
    family = page.selectbox(key="theory_family").value
    names = found.names
    pair = f"{names[1]} and {names[3]}"
    box = page.selectbox(key=f"theory_pair_{family}")
    assert pair in box.options
    box.select(pair).run() if hasattr(box, "select") else box.set_value((1, 3)).run()
    said = next(one.value for one in page.markdown if one.value.startswith("**") and " and " in one.value)
    assert f"{found.matrices['fc2'][1, 3]:+.3f}" in said
    drawn, cells = figure(page, "theory_cosines_after")["data"]
    assert drawn["type"] == "heatmap"
    assert len(values(cells["x"])) == len(names) * (len(names) - 1)
    assert page.get("plotly_chart")


def test_the_section_is_in_the_address(opened: Callable[..., AppTest]) -> None:
    page = AppTest.from_function(show_theory, default_timeout=120)
    page.query_params["section"] = "weights"
    page.run()
    assert page.session_state["theory_section"] == "weights"
    page.query_params["section"] = "nonsense"
    page.segmented_control(key="theory_section").set_value("losses").run()
    assert "section" not in page.query_params
