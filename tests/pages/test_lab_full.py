"""Grids of full trainings on the Lab page: the form, the queue that everybody sees, and results that are on disk."""

import dataclasses
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chart_content import figures, trace
from streamlit.testing.v1 import AppTest
from tiny_families import write_family
from viewer_content import viewer_of

from app.lab.lab_result import GridResult, grid_result
from app.shared_state import LAB_DEPTH
from recam_core.checkpoint.run_folder import read_info
from recam_core.cli.main import build_parser
from recam_core.experiments.axes import full_axis
from recam_core.experiments.full_grid import FullGrid, full_grid
from recam_core.experiments.kept_result import RESULT_FILE
from recam_core.experiments.protocol import REPORT, protocol_for
from recam_core.lock import holding, try_lock
from recam_core.method.extraction import rules_of
from recam_core.queue.job import GridRequest, TrainingJob, new_id
from recam_core.queue.kept_grids import list_grids, write_grid
from recam_core.queue.listing import grids_folder, list_trainings, trainings_folder
from recam_core.queue.stop import cancel_training
from recam_core.queue.waiting import device_lock
from recam_core.train.recipe import preset

DATA = "scenes:size=64,train=14,val=3@train"


def show_lab() -> None:
    from app.screens import lab

    lab.main()


def show_trainings() -> None:
    from app.screens import trainings

    trainings.main()


@pytest.fixture
def places(assets: Path, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of runs of the app; what waits in its queue at the end is stopped."""
    monkeypatch.setenv("RECAM_ASSETS", str(assets))
    monkeypatch.setenv("RECAM_RUNS", str(runs))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECAM_DEVICE", "cpu")
    monkeypatch.setattr("app.lab.full_form.device_names", lambda: ["cpu"])
    yield runs
    for training in list_trainings():
        if training.is_live:
            cancel_training(training.id, grace=0)


@pytest.fixture
def shown(places: Path) -> Callable[..., AppTest]:
    """``shown(**address)`` draws the page at full depth."""

    def run(**address: str) -> AppTest:
        page = AppTest.from_function(show_lab, default_timeout=120)
        for name, value in ({"data": DATA, "experiment": "grid", "depth": "full"} | address).items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return run


@pytest.fixture
def kept(places: Path, assets: Path) -> GridResult:
    """A finished grid of two trainings, with two seeds, as the queue leaves it."""
    base = dataclasses.replace(preset("recam", "small"), epochs=1, batch_size=4, crop=48, resize_long=(40, 56))
    x, y = full_axis("mask", ["soft"]), full_axis("rule", ["fc2", "sum"])
    init = assets / "checkpoints" / "scenes" / "bce"
    grid = FullGrid(init, DATA, protocol_for(DATA), x, y, "small", base, (0, 1))
    folder = grids_folder() / "mask-rule-abcdef"
    found = full_grid(grid, folder, "one")
    request = GridRequest(("mask", "soft"), ("rule", "fc2", "sum"), "@val", "small", (0, 1), 1, "auto", 1.0, 1.0)
    command = grid.command(folder)
    job = TrainingJob(new_id(), base.to_json(), DATA, "", str(init), str(folder), "cpu", ".", command, grid=request)
    write_grid(job, "mask", "rule")
    (grid,) = list_grids()
    from app.catalogue import read_catalogue

    again = grid_result(grid, read_catalogue())
    assert again.found.sentence == found.sentence
    return again


def words(page: AppTest) -> str:
    boxes = [box.proto.body for box in page.get("html")] + [box.value for box in (*page.markdown, *page.caption)]
    return "\n".join(map(str, boxes))


def buttons(page: AppTest, start: str) -> list:
    return [button for button in page.button if (button.key or "").startswith(start)]


def test_a_grid_is_counted_started_seen_by_others_and_cancelled(shown: Callable[..., AppTest]) -> None:
    page = shown()
    page.multiselect(key="lab_full_x_lambda").set_value(["0.1", "1"])
    page.multiselect(key="lab_full_y_rule").set_value(["fc2", "sum", "product"])
    page.number_input(key="lab_full_epochs_small").set_value(1).run()
    assert not page.exception
    assert not page.error
    assert "2 trainings** for 6 points" in words(page)
    assert "on this machine while little else" in words(page)
    # No choice of how pixels are scored is left, as there is one way only.
    assert not [toggle for toggle in page.toggle if toggle.key == "lab_exact"]
    command = next(box.value for box in page.code if " experiment full " in box.value)
    arguments = build_parser().parse_args(shlex.split(command)[3:])
    assert (arguments.data, arguments.report, arguments.queue, arguments.epochs) == (DATA, None, True, 1)
    assert arguments.x == ["lambda", "0.1", "1.0"]

    with holding(try_lock(device_lock(trainings_folder(), "cpu"))):  # somebody trains already
        page.button(key="lab_full_start").click().run()
        assert not page.exception
        assert not page.error
        (grid,) = list_trainings()
        assert grid.job.grid.x == ("lambda", "0.1", "1.0")
        assert "next on cpu" in words(page)
        assert any(f"--folder {grid.out}" in box.value for box in page.code)

        # Somebody else sees it, here and on the page of trainings, and is warned before stopping it.
        other = AppTest.from_function(show_trainings, default_timeout=120).run()
        assert not other.exception
        assert "Grid of full trainings, lambda and rule," in words(other)
        other = shown()
        other.button(key=f"lab_stop_{grid.id}").click().run()
        assert "may be somebody else's" in words(other)
        assert "Its finished trainings are kept" in words(other)
        other.button(key=f"lab_yes_{grid.id}").click().run()
        assert not other.exception
        deadline = time.monotonic() + 60
        while list_trainings()[0].is_live:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        page.run()
        assert "no training was finished" in words(page)
        page.button(key=f"lab_resume_{grid.id}").click().run()
        assert list_trainings()[0].state == "waiting"


def test_a_result_on_disk_has_chart_table_sentence_and_maps(
    shown: Callable[..., AppTest], kept: GridResult, places: Path
) -> None:
    page = shown(grid=kept.id)
    assert not page.error
    assert kept.found.sentence.split("@")[0] in words(page)
    charts = figures(page)
    assert [trace(chart, "settings")["customdata"][1] for chart in charts] == [[1], [1]]
    table = page.dataframe[0].value
    reported = [row for row in kept.found.rows if row["part"] == REPORT]
    assert table["setting"].tolist() == [row["key"] for row in reported]
    assert table["mIoU"].round(4).tolist() == [round(100 * row["miou"], 4) for row in reported]

    # A press on a cell.
    page.session_state["lab_point"] = (kept.id, 1)
    page.run()
    assert not page.exception
    assert not page.error
    one = kept.found.settings[1]
    seen = viewer_of(page)
    assert seen.titles[0] == "BCE-CAM, not retrained"
    assert seen.titles[-1].startswith("mask soft, rule sum")
    assert seen.thresholds[-1] == pytest.approx(one.select[0].scores.threshold)
    page.segmented_control(key=f"lab_seed_{kept.id}").set_value(1).run()
    assert not page.exception
    assert viewer_of(page).thresholds[-1] == pytest.approx(one.select[1].scores.threshold)

    # It is kept as a run of that rule and threshold, and tells the command that makes it.
    page.text_input(key="lab_keep_run_name").set_value("../evil").run()
    page.button(key="lab_keep_run").click().run()
    assert "cannot be the name of a run" in page.error[0].value
    page.text_input(key="lab_keep_run_name").set_value("from-grid").run()
    page.button(key="lab_keep_run").click().run()
    assert not page.exception
    assert any("from-grid" in box.value for box in page.success)
    info = read_info(places / "from-grid")
    assert (info.method, info.rule, info.seed, info.name) == ("recam", "sum", 1, "from-grid")
    assert info.threshold == one.select[1].scores.threshold
    arguments = build_parser().parse_args(shlex.split(info.command)[3:])
    assert (arguments.rule, arguments.seed, arguments.data) == ("sum", 1, f"{DATA}.fit")

    # Deleting asks first; the kept run stays.
    page.button(key="lab_grid_delete").click().run()
    page.button(key="lab_grid_yes").click().run()
    assert not page.exception
    assert list_grids() == []
    assert (places / "from-grid" / "run.json").is_file()
    assert "grid" not in page.query_params


def test_results_that_cannot_be_shown_are_sentences(
    shown: Callable[..., AppTest], kept: GridResult, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = shown(grid="gone")
    assert any("is not there (any more)" in box.value for box in page.info)
    (kept.grid.folder / RESULT_FILE).write_text("{}")
    page = shown(grid=kept.id)
    assert "is damaged" in page.error[0].value
    record = kept.grid.folder / "grid.json"
    record.write_text(record.read_text().replace(kept.grid.asked.weights_sha256, "0" * 64))
    page = shown(grid=kept.id)
    assert "is not there any more" in page.error[0].value


def test_a_grid_with_the_background_row(shown: Callable[..., AppTest]) -> None:
    page = shown()
    page.multiselect(key="lab_full_x_lambda").set_value(["1"])
    page.number_input(key="lab_full_epochs_small").set_value(1).run()
    assert page.number_input(key="lab_full_background").value == 0  # the paper's FC2 unless asked

    def command() -> object:
        text = next(box.value for box in page.code if " experiment full " in box.value)
        return build_parser().parse_args(shlex.split(text)[3:])

    assert command().background is None
    page.number_input(key="lab_full_background").set_value(0.25).run()
    page.multiselect(key="lab_full_y_rule_with_row").set_value(["sum", "difference", "softmax"]).run()
    assert not page.exception
    assert not page.error
    assert command().background == 0.25
    assert command().y == ["rule", "sum", "difference", "softmax"]
    # As an axis: the rules follow its values.
    page.selectbox(key="lab_full_x").set_value("background").run()
    assert not page.exception
    assert not page.error
    assert page.multiselect(key="lab_full_y_rule").value == list(rules_of(True, False))
    assert not [box for box in page.number_input if box.key == "lab_full_background"]
    page.multiselect(key="lab_full_x_background").set_value(["0.1", "0.2"]).run()
    assert page.multiselect(key="lab_full_y_rule_with_row").value == ["sum", "difference", "softmax"]
    assert not page.error
    assert command().x == ["background", "0.1", "0.2"]
    assert "2 trainings** for 6 points" in words(page)


def test_a_grid_without_a_background_has_no_row(
    shown: Callable[..., AppTest], assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuff = "scenes:stuff=1,size=64,train=14,val=3@train"
    shutil.copytree(assets, tmp_path / "assets")
    write_family(tmp_path / "assets" / "checkpoints" / "contexts", stuff, None)
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path / "assets"))
    page = shown(family="contexts", data=stuff)
    assert not page.error, page.error[0].value
    assert not [box for box in page.number_input if "background" in str(box.key)]
    assert "background" not in page.selectbox(key="lab_full_x").options
    assert page.multiselect(key="lab_full_y_rule").value == list(rules_of(True, False))


def test_values_that_cannot_be_are_sentences(shown: Callable[..., AppTest]) -> None:
    page = shown()
    page.multiselect(key="lab_full_x_lambda").set_value(["much"]).run()
    assert "'much' is not a value of lambda" in page.error[0].value
    page.multiselect(key="lab_full_x_lambda").set_value([]).run()
    assert "at least one value" in page.error[0].value
    page.selectbox(key="lab_full_x").set_value("rule").run()
    assert "two different settings" in page.error[0].value
    assert not buttons(page, "lab_full_start")
    page.segmented_control(key=LAB_DEPTH.key).set_value("heads").run()
    assert not page.exception
    assert "depth" not in page.query_params
    assert buttons(page, "lab_start")
