"""The Lab page: experiments from the button to the sentence, their charts and tables, maps of a point, kept runs."""

import csv
import io
import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chart_content import figures, trace
from streamlit.testing.v1 import AppTest
from viewer_content import viewer_of

from app import jobs
from app.lab import lab_job
from app.lab.lab_job import LabJob
from app.lab.setup import whole_split
from app.shared_state import LAB_KIND
from recam_core.checkpoint.run_folder import load_run, read_info
from recam_core.cli.experiment import asked
from recam_core.cli.main import build_parser
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.experiments.lab import REFERENCE, maps_weight
from recam_core.experiments.part_score import picture_changes
from recam_core.experiments.protocol import REPORT, SELECT
from recam_core.experiments.questions import QUESTIONS
from recam_core.maps.activation_maps import argmax_and_activation
from recam_core.maps.inference import activation_maps
from recam_core.method.extraction import rules_of
from recam_core.progress import FEATURES, Note

DATA = "scenes:size=64,train=14,val=3@train"
#: What makes each experiment small.
FEW = {
    "lambda": {"lab_lambda_values": ["0", "1"]},
    "masks": {"lab_masks_values": ["none", "soft", "oracle"]},
    "rules": {"lab_rules_values": ["fc1", "product", "rectified_product"]},
    "loss": {"lab_loss_values": ["1"]},
    "rounds": {"lab_rounds_values": ["1", "2"], "lab_rounds_rules": ["sum"]},
    "grid": {"lab_grid--x_mask": ["soft", "none"], "lab_grid--y_rule": ["fc1", "sum", "product"]},
    "pair": {"lab_pair--x_mask": ["soft", "none"], "lab_pair--y_rule": ["fc1", "sum"]},
}


def show_lab() -> None:
    from app.screens import lab

    lab.main()


@pytest.fixture
def shown(
    assets: Path, runs: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """``shown(**address)`` draws the page with these query parameters; features are kept between the tests."""
    monkeypatch.setenv("RECAM_ASSETS", str(assets))
    monkeypatch.setenv("RECAM_RUNS", str(runs))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path_factory.getbasetemp() / "lab_cache"))
    monkeypatch.setenv("RECAM_DEVICE", "cpu")

    def run(**address: str) -> AppTest:
        page = AppTest.from_function(show_lab, default_timeout=120)
        for name, value in ({"data": DATA} | address).items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return run


def param(page: AppTest, name: str) -> str:
    value = page.query_params[name]
    return value[0] if isinstance(value, list) else value


def job_of(page: AppTest) -> LabJob:
    return jobs.board().find(param(page, "job"))


def until_over(page: AppTest, job: jobs.Job, seconds: float = 120) -> AppTest:
    deadline = time.monotonic() + seconds
    while not job.is_over:
        assert time.monotonic() < deadline, job.step
        time.sleep(0.05)
    page.run()
    assert not page.exception
    return page


def small(page: AppTest, kind: str) -> AppTest:
    """The form of an experiment with few values and few epochs."""
    for key, values in FEW[kind].items():
        page.multiselect(key=key).set_value(values)
    if kind == "lambda":
        page.number_input(key="lab_lambda_seeds").set_value(2)
    if kind == "pair":
        page.multiselect(key="lab_pair_scenes").set_value(present_classes()[:2])
    page.number_input(key=f"lab_{kind}_epochs").set_value(2).run()
    assert not page.exception
    assert not page.error
    return page


def present_classes() -> list[str]:
    """Names of the classes that the part that chooses shows."""
    pictures = open_dataset(f"{DATA}.select")
    there = np.any([pictures.labels(index) for index in range(len(pictures))], axis=0)
    return [pictures.classes.names[k] for k in np.flatnonzero(there)]


def finished(shown: Callable[..., AppTest], kind: str, **address: str) -> tuple[AppTest, LabJob]:
    """The page after an experiment."""
    page = small(shown(experiment=kind, **address), kind)
    page.button(key="lab_start").click().run()
    job = job_of(page)
    until_over(page, job)
    assert job.state == jobs.DONE, job.message
    assert not page.error
    return page, job


def look_at(page: AppTest, job: LabJob, place: int) -> AppTest:
    """What a press in a chart does; AppTest cannot press one."""
    page.session_state["lab_point"] = (job.id, place)
    page.run()
    assert not page.exception
    assert not page.error
    return page


def pages_words(page: AppTest) -> str:
    boxes = [box.proto.body for box in page.get("html")] + [box.value for box in (*page.markdown, *page.caption)]
    return "\n".join(map(str, boxes))


@pytest.mark.parametrize("kind", list(QUESTIONS))
def test_each_experiment_ends_in_chart_table_and_sentence(shown: Callable[..., AppTest], kind: str) -> None:
    page, job = finished(shown, kind)
    words = pages_words(page)
    assert job.found.kind == kind
    # Which parts trained, chose and reported is said.
    for spec in (f"{DATA}.fit", f"{DATA}.select", whole_split(DATA).replace("@train", "@val")):
        assert spec in words
    for start in ("1 · train", "2 · choose", "3 · report"):
        assert start in words
    charts = figures(page)
    assert len(charts) == (2 if kind == "grid" else len(job.found.chart.panels))
    for chart, told in zip(charts, job.found.chart.heats or job.found.chart.panels.values(), strict=True):
        # Every setting can be pressed, on either part.
        keys = [key for row in told.keys for key in row] if kind == "grid" else [k for one in told for k in one.keys]
        points = trace(chart, "settings")
        assert [job.found.settings[place].label for (place,) in points["customdata"]] == keys
        assert not [one for one in chart["data"] if one.get("name") == "marked"]
    table = page.dataframe[0].value
    reported = [row for row in job.found.rows if row["part"] == REPORT]
    assert table["setting"].tolist() == [row["key"] for row in reported]
    assert table["mIoU"].round(4).tolist() == [round(100 * row["miou"], 4) for row in reported]
    rows = list(csv.DictReader(io.StringIO(job.found.to_csv())))
    assert len(rows) == len(job.found.rows)

    # The command line that is shown is one that is taken, and asks for the same.
    command = next(box.value for box in page.code if " experiment " in box.value)
    arguments = build_parser().parse_args(shlex.split(command)[3:])
    assert (arguments.kind, arguments.data, arguments.report, arguments.exact) == (kind, DATA, None, False)
    assert arguments.epochs == 2


def test_from_the_sweep_to_the_maps_of_a_point(shown: Callable[..., AppTest], runs: Path) -> None:
    page, job = finished(shown, "lambda")
    assert len(job.found.settings) == 2
    assert len(job.found.settings[1].heads) == 2
    assert any("Press a point" in box.value for box in page.caption)
    page = look_at(page, job, 1)
    for chart, (panel, series) in zip(figures(page), job.found.chart.panels.items(), strict=True):
        assert trace(chart, "marked")["y"] == [one.y[1] for one in series], panel
    seen = viewer_of(page)
    one = job.found.settings[1]
    assert seen.titles[0] == "BCE-CAM, not retrained"
    assert seen.titles[-1].startswith("lambda 1")
    assert seen.thresholds[-1] == pytest.approx(one.select[0].scores.threshold)
    assert param(page, "point") == "1"

    # The maps are those of the setting's own head, as they were scored, in the picture where it gains most.
    changes = picture_changes(one.report[0], job.found.reference.report[0])
    expected = job.scored[int(np.argsort(-changes, kind="stable")[0])]
    assert page.selectbox(key="lab_picture_choice").value == expected
    pictures = open_dataset(job.found.protocol.report)
    sample = pictures.load(list(pictures.ids).index(expected))
    network = load_run(job.setup.entry.path).network
    maps = activation_maps(
        network, sample.image, maps_weight(one.heads[0]), np.flatnonzero(sample.labels), scales=(1.0,), mirror=False
    )
    winner, _ = argmax_and_activation(maps)
    last = f"{len(seen.titles) - 1}"
    winners = [array for name, array in seen.arrays.items() if "winner" in name and last in name]
    assert winners
    assert np.array_equal(winners[0], winner)
    # The other seed has another head; stepping goes on to the next picture.
    page.segmented_control(key=f"lab_seed_{job.id}").set_value(1).run()
    assert not page.exception
    page.session_state["lab_step"] = 1
    page.run()
    assert page.selectbox(key="lab_picture_choice").value != expected

    # A link shows the same to somebody else.
    again = shown(experiment="lambda", job=job.id, point="1", picture=expected)
    assert again.selectbox(key="lab_picture_choice").value == expected
    assert viewer_of(again).titles == seen.titles
    # A place that there is not, is none.
    assert not shown(experiment="lambda", job=job.id, point="77").get("bidi_component")


def test_a_point_is_kept_as_a_run(shown: Callable[..., AppTest], runs: Path) -> None:
    page, job = finished(shown, "rules")
    page = look_at(page, job, 1)
    page.text_input(key="lab_keep_name").set_value("../evil").run()
    page.button(key="lab_keep_start").click().run()
    assert "cannot be the name of a run" in page.error[0].value
    page.text_input(key="lab_keep_name").set_value("from-lab").run()
    command = page.code[-1].value
    assert "--rule product" in command
    assert f"--data {DATA}.fit" in command
    page.button(key="lab_keep_start").click().run()
    page = until_over(page, jobs.board().find(page.session_state["lab_keep_job"]))
    assert any("from-lab" in box.value for box in page.success)
    info = read_info(runs / "from-lab")
    assert (info.method, info.rule, info.data, info.command) == ("heads", "product", f"{DATA}.fit", command)
    assert info.threshold is not None
    network = load_run(runs / "from-lab").network
    # Weights are kept in half precision.
    assert np.allclose(network.fc2.detach(), job.found.settings[1].heads[0].fc2, atol=1e-3, rtol=1e-3)
    build_parser().parse_args(shlex.split(command)[3:])

    # The run as it was before has maps, and nothing to keep; here it is chosen by keyboard.
    assert page.selectbox(key=f"lab_point_choice_{job.id}").value == 1
    page.selectbox(key=f"lab_point_choice_{job.id}").set_value(-1).run()
    assert not page.exception
    assert viewer_of(page).titles[0] == "BCE-CAM, not retrained"
    assert not [box for box in page.text_input if box.key == "lab_keep_name"]


def test_lambda_0_is_kept_with_the_rule_that_its_maps_have(shown: Callable[..., AppTest]) -> None:
    page, job = finished(shown, "lambda")
    page = look_at(page, job, 0)
    assert job.found.settings[0].label == "lambda 0"
    assert "--rule fc1" in page.code[-1].value


def test_advice_for_a_named_pair_trains_nothing_anew(
    shown: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, _ = finished(shown, "pair")

    def refuse(*_: object) -> None:
        raise AssertionError("heads were trained again")

    monkeypatch.setattr("recam_core.experiments.lab.retrain_many", refuse)
    pair = present_classes()[1:3]
    assert len(pair) == 2
    page.multiselect(key="lab_pair_scenes").set_value(pair).run()
    page.button(key="lab_start").click().run()
    job = job_of(page)
    until_over(page, job)
    assert job.state == jobs.DONE, job.message
    assert f"--pair {','.join(pair)}" in job.command
    assert all(name in job.found.title for name in pair)

    page.multiselect(key="lab_pair_scenes").set_value(pair[:1]).run()
    assert "two different classes" in page.error[0].value


def test_what_cannot_be_is_a_sentence_before_anything_runs(shown: Callable[..., AppTest]) -> None:
    page = shown(report="@train")
    assert "nothing can be reported" in page.error[0].value
    assert not [button for button in page.button if button.key == "lab_start"]

    page = shown(data="scenes@train.fit")
    assert "is a part of a split already" in page.error[0].value
    page = shown(data="nonsense")
    assert "does not name a data set" in page.error[0].value

    page = shown()
    page.multiselect(key="lab_lambda_values").set_value(["0", "many"]).run()
    assert "'many' is no lambda" in page.error[0].value
    page.multiselect(key="lab_lambda_values").set_value([]).run()
    assert "at least one lambda" in page.error[0].value
    page.segmented_control(key=LAB_KIND.key).set_value("grid").run()
    page.selectbox(key="lab_grid--y").set_value("mask").run()
    assert "vary two different settings" in page.error[0].value
    for kind, key, values, words in (
        ("lambda", "lab_lambda_values", ["-1", "1"], "lambda must be 0 to 1,000,000"),
        ("masks", "lab_masks_values", ["soft", "hard:2"], "hard"),
        ("rules", "lab_rules_values", [], "no setting to try"),
        ("loss", "lab_loss_values", ["0"], "must be above 0"),
        ("rounds", "lab_rounds_values", ["99"], "the rounds must be 1 to 20"),
    ):
        page.segmented_control(key=LAB_KIND.key).set_value(kind).run()
        page.multiselect(key=key).set_value(values).run()
        assert words in page.error[0].value
        assert not [button for button in page.button if button.key == "lab_start"]
    assert "job" not in page.query_params


def keys_of(page: AppTest, kind: str) -> set[str]:
    return {str(element.key) for element in getattr(page, kind)}


def arguments_of(page: AppTest, job: LabJob) -> object:
    """What the command line that is shown asks for; it is one that the program takes, down to its settings."""
    command = next(box.value for box in page.code if " experiment " in box.value)
    assert command == job.command
    arguments = build_parser().parse_args(shlex.split(command)[3:])
    study = asked(arguments)
    study.check(job.setup.entry.info.class_list, arguments.data)
    assert study.settings == job.study.settings
    return arguments


def test_rules_follow_the_background_row(shown: Callable[..., AppTest]) -> None:
    page = shown(experiment="rules")
    assert page.number_input(key="lab_rules_background").value == 0  # the paper's FC2 unless asked
    assert "lab_rules_background_power" not in keys_of(page, "number_input")
    assert page.multiselect(key="lab_rules_values").value == list(rules_of(True, False))
    page.number_input(key="lab_rules_background").set_value(0.2).run()
    assert not page.exception
    assert page.multiselect(key="lab_rules_values_with_row").value == list(rules_of(True, True))
    page.multiselect(key="lab_rules_values_with_row").set_value(["sum", "difference"]).run()
    page.number_input(key="lab_rules_background").set_value(0).run()
    assert not page.exception
    assert not page.error
    assert page.multiselect(key="lab_rules_values").value == list(rules_of(True, False))

    page.number_input(key="lab_rules_background").set_value(0.3).run()
    page.number_input(key="lab_rules_background_power").set_value(2.0)
    page.number_input(key="lab_rules_epochs").set_value(2).run()
    assert page.multiselect(key="lab_rules_values_with_row").value == ["sum", "difference"]
    page.button(key="lab_start").click().run()
    job = job_of(page)
    until_over(page, job)
    assert job.state == jobs.DONE, job.message
    assert [one.label for one in job.found.settings] == ["sum", "difference"]
    (recipe,) = {setting.heads[0].recipe for setting in job.found.settings if setting.label == "difference"}
    assert (recipe.background, recipe.background_power) == (0.3, 2.0)
    arguments = arguments_of(page, job)
    assert (arguments.background, arguments.background_power) == (0.3, 2.0)
    assert arguments.rules == ["sum", "difference"]


def test_every_form_goes_with_and_without_the_row(shown: Callable[..., AppTest]) -> None:
    page = shown()
    for kind in QUESTIONS:
        page.segmented_control(key=LAB_KIND.key).set_value(kind).run()
        for weight in (0.2, 0.0):
            page.number_input(key=f"lab_{kind}_background").set_value(weight).run()
            assert not page.exception
            assert not page.error, (kind, page.error[0].value)
            assert (f"lab_{kind}_background_power" in keys_of(page, "number_input")) is (weight > 0)
            if kind in ("lambda", "masks", "loss"):
                rule = page.selectbox(key=f"lab_{kind}_rule" + ("_with_row" if weight else ""))
                assert rule.value == ("sum" if weight else "rectified_product")
    # Rounds make masks of their maps, which probabilities are not.
    page.segmented_control(key=LAB_KIND.key).set_value("rounds").run()
    page.number_input(key="lab_rounds_background").set_value(0.2).run()
    rules = page.multiselect(key="lab_rounds_rules_with_row")
    assert "difference" in rules.value
    assert "softmax" not in rules.options


def test_the_background_row_is_an_axis(shown: Callable[..., AppTest]) -> None:
    page = shown(experiment="grid")
    page.selectbox(key="lab_grid--x").set_value("background").run()
    assert not page.exception
    assert not page.error
    assert "lab_grid_background" not in keys_of(page, "number_input")
    # One of its points has no row, so no rule that needs one is offered; typed, it is a sentence.
    assert page.multiselect(key="lab_grid--y_rule").value == list(rules_of(True, False))
    page.multiselect(key="lab_grid--y_rule").set_value(["sum", "difference"]).run()
    assert not page.exception
    assert "needs the background row" in page.error[0].value
    page.multiselect(key="lab_grid--x_background").set_value(["0.1", "0.2"]).run()
    assert page.multiselect(key="lab_grid--y_rule_with_row").value == list(rules_of(True, True))
    page.multiselect(key="lab_grid--y_rule_with_row").set_value(["sum", "difference", "softmax"])
    page.number_input(key="lab_grid_epochs").set_value(2).run()
    assert not page.error
    page.button(key="lab_start").click().run()
    job = job_of(page)
    until_over(page, job)
    assert job.state == jobs.DONE, job.message
    assert len(job.found.settings) == 6
    assert job.found.settings[-1].label == "background 0.2, rule softmax"
    arguments = arguments_of(page, job)
    assert (arguments.x, arguments.y) == (["background", "0.1", "0.2"], ["rule", "sum", "difference", "softmax"])
    # Its maps are drawn, those of probabilities too, and the command makes the head.
    page = look_at(page, job, 5)
    assert viewer_of(page).header["panes"][-1]["about"].startswith("rule softmax (log-odds")
    assert "--background 0.2" in page.code[-1].value
    assert "--rule softmax" in page.code[-1].value

    # Another axis, with the row's rule for every point of it.
    page.selectbox(key="lab_grid--y").set_value("mask").run()
    assert page.selectbox(key="lab_grid_rule_with_row").value == "sum"
    page.multiselect(key="lab_grid--x_background").set_value(["0", "0.2"]).run()
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="lab_grid_rule").value == "rectified_product"
    page.selectbox(key="lab_grid--x").set_value("background-power").run()
    assert "give the row a weight above 0" in page.error[0].value
    page.number_input(key="lab_grid_background").set_value(0.2).run()
    assert not page.exception
    assert not page.error


def test_without_a_background_no_row_is_offered(shown: Callable[..., AppTest]) -> None:
    page = shown(experiment="grid")
    page.selectbox(key="lab_grid--x").set_value("background-power").run()
    page.number_input(key="lab_grid_background").set_value(0.2).run()
    page.selectbox(key="lab_family").set_value("photos").run()
    assert not page.exception
    assert not {key for key in keys_of(page, "number_input") if "background" in key}
    axes = page.selectbox(key="lab_grid--x")
    assert axes.value == "mask"
    assert not {"background", "background-power"} & set(axes.options)
    assert page.multiselect(key="lab_grid--y_rule").value == list(rules_of(True, False))
    page.segmented_control(key=LAB_KIND.key).set_value("rules").run()
    assert not page.exception
    assert page.multiselect(key="lab_rules_values").options == list(rules_of(True, False))


def test_photographs_that_are_not_here_are_a_line(shown: Callable[..., AppTest]) -> None:
    page = AppTest.from_function(show_lab, default_timeout=60)
    page.query_params["family"] = "photos"
    page.run()
    assert not page.exception
    assert not page.error
    assert any("are not on this computer" in one.value for one in page.markdown)
    assert "lab_start" not in {button.key for button in page.button}


def test_cancelling_and_failing(shown: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(entry: object, protocol: object, exact: bool, progress: Callable[[int, int, str], None]) -> None:
        for step in range(10_000):
            progress(step, 10_000, "computing features")
            time.sleep(0.02)

    monkeypatch.setattr(lab_job, "open_setup", endless)
    page = shown()
    page.button(key="lab_start").click().run()
    job = job_of(page)
    assert page.button(key="lab_start").disabled
    page.button(key=f"lab_cancel_{job.id}").click().run()
    page = until_over(page, job, 20)
    assert job.state == jobs.CANCELLED
    assert any("Cancelled" in box.value for box in page.info)
    assert not page.button(key="lab_start").disabled

    def failing(*_: object) -> None:
        raise UserError("The disk is full.")

    monkeypatch.setattr(lab_job, "open_setup", failing)
    page.button(key="lab_start").click().run()
    page = until_over(page, job_of(page))
    assert page.error[0].value == "The disk is full."


def test_results_are_kept_for_the_session_and_named_in_the_address(shown: Callable[..., AppTest]) -> None:
    page, rules = finished(shown, "rules")
    page.segmented_control(key=LAB_KIND.key).set_value("masks").run()
    assert "job" not in page.query_params
    assert "Extraction rules" not in pages_words(page)
    page.segmented_control(key=LAB_KIND.key).set_value("rules").run()
    assert param(page, "job") == rules.id
    assert rules.found.sentence.split("@")[0] in pages_words(page)

    page = shown(experiment="rules", job="gone")
    assert any("not kept any more" in box.value for box in page.info)
    assert "job" not in page.query_params


def test_without_runs_the_page_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path))
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path))
    page = AppTest.from_function(show_lab, default_timeout=60).run()
    assert not page.exception
    assert "no runs yet" in page.info[0].value


def test_steps_follow_the_core() -> None:
    job = jobs.Job()
    progress = lab_job.in_steps(job)
    progress(1, 4, Note("computing features", FEATURES))
    assert (job.step, job.done, job.total) == ("Computing features, picture", 1, 4)
    began = job._step_began
    progress(2, 4, Note("computing features", FEATURES))
    assert job._step_began == began
    progress(1, 9, "L_bce 0.1")
    assert job.step.startswith("Training heads")
    assert job._step_began > began


def test_picture_changes_are_those_of_the_counts(shown: Callable[..., AppTest]) -> None:
    _, job = finished(shown, "rules")
    one, before = job.found.settings[1].report[0], job.found.setting(REFERENCE).report[0]
    shares = []
    for score in (one, before):
        right, whole = np.zeros(len(job.scored)), np.zeros(len(job.scored))
        counts = score.outcomes
        for truth, predicted, image, pixels in zip(
            counts.truth, counts.predicted, counts.image, counts.pixels, strict=True
        ):
            right[image] += pixels * (truth == predicted)
            whole[image] += pixels
        shares.append(right / whole)
    assert np.allclose(picture_changes(one, before), shares[0] - shares[1])
    with pytest.raises(UserError, match="different pictures"):
        picture_changes(one, job.found.settings[1].on(SELECT)[0])
    assert json.dumps(job.found.to_json())
