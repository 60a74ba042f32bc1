"""The retraining panel: from the button to the fourth pane, to a named run; cancel, failure, reload."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from tiny_families import TINY_SCENES
from viewer_content import viewer_of

from app import jobs
from app.explore import retrain
from app.jobs import JobBoard
from recam_core.checkpoint.run_folder import load_run, read_info
from recam_core.cli.main import build_parser
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.method.extraction import rules_of
from recam_core.retrain.head_recipe import HeadRecipe, usual_heads
from recam_core.retrain.named_run import check_run_name, retrain_command


def titles(page: AppTest) -> list[str]:
    """The titles over the panes."""
    return viewer_of(page).titles


def until_over(page: AppTest, seconds: float = 120) -> AppTest:
    """Wait for the job that the address names, and look again."""
    job = jobs.board().find(page.query_params["job"])
    deadline = time.monotonic() + seconds
    while not job.is_over:
        assert time.monotonic() < deadline, job.step
        time.sleep(0.1)
    return page.run()


def test_from_the_button_to_a_named_run(opened: Callable[..., AppTest], runs: Path) -> None:
    page = opened()
    page.number_input(key="explore_lambda").set_value(0.5)
    page.selectbox(key="explore_new_mask").set_value("power").run()
    page.number_input(key="explore_parameter_power").set_value(1.5)
    page.selectbox(key="explore_new_rule_with_row").set_value("fc2")
    page.number_input(key="explore_epochs_both").set_value(2)
    page.button(key="explore_start").click().run()
    assert not page.exception
    page = until_over(page)
    assert not page.error
    assert titles(page) == ["BCE-CAM", "SCE-CAM", "ReCAM", "Your ReCAM"]
    # The page goes to the new pane, once.
    assert [box.value for box in page.toast] == [
        "Your ReCAM is the last pane. Keep or discard it below, where it was made."
    ]
    assert not page.run().toast
    command = page.code[-1].value
    for part in ("--lambda 0.5", "--mask power:1.5", "--rule fc2", "--update both", "--epochs 2", "scenes/bce"):
        assert part in command

    # Another session, or the same one after a reload, finds it by the address.
    assert "Your ReCAM" in titles(opened(job=page.query_params["job"]))

    page.text_input(key=f"explore_name_{page.query_params['job']}").set_value("../evil").run()
    page.button(key="explore_keep").click().run()
    assert "cannot be the name of a run" in page.error[0].value
    page.text_input(key=f"explore_name_{page.query_params['job']}").set_value("mine").run()
    page.button(key="explore_keep").click().run()
    assert not page.exception
    assert not page.error
    assert titles(page) == ["BCE-CAM", "SCE-CAM", "ReCAM", "mine"]
    info = read_info(runs / "mine")
    assert (info.name, info.method, info.rule) == ("mine", "heads", "fc2")
    assert info.recipe["mask"] == "power:1.5"
    assert info.command.startswith("python -m recam_core retrain ")
    assert "--out" in info.command
    load_run(runs / "mine")
    # It is offered to everyone who opens the family later.
    assert (
        "run/mine" in opened().multiselect(key="explore_panes_scenes").proto.options
        or "mine" in opened().multiselect(key="explore_panes_scenes").options
    )


def keys_of(page: AppTest, kind: str) -> set[str]:
    return {str(element.key) for element in getattr(page, kind)}


def test_where_there_is_a_background_the_row_is_offered(opened: Callable[..., AppTest]) -> None:
    page = opened()
    assert page.number_input(key="explore_background").value == usual_heads(True).background
    assert page.number_input(key="explore_background_power").value == 1
    with_row = page.selectbox(key="explore_new_rule_with_row")
    assert with_row.value == usual_heads(True).rule
    assert len(with_row.options) == len(rules_of(True, True))
    assert "explore_new_rule" not in keys_of(page, "selectbox")
    # Without the row it is the paper's FC2, and nothing needs one.
    with_row.set_value("softmax").run()
    page.number_input(key="explore_background").set_value(0).run()
    assert not page.exception
    assert "explore_background_power" not in keys_of(page, "number_input")
    plain = page.selectbox(key="explore_new_rule")
    assert plain.value == usual_heads(False).rule
    assert len(plain.options) == len(rules_of(True, False))
    page.number_input(key="explore_background").set_value(0.5).run()
    assert page.selectbox(key="explore_new_rule_with_row").value == "softmax"


def test_without_a_background_nothing_of_the_row_is_shown(opened: Callable[..., AppTest]) -> None:
    page = opened()
    page.selectbox(key="explore_family").set_value("photos").run()
    assert not page.exception
    assert not {key for key in keys_of(page, "number_input") if key.startswith("explore_background")}
    rule = page.selectbox(key="explore_new_rule")
    assert rule.value == usual_heads(False).rule
    assert len(rule.options) == len(rules_of(True, False))


def test_a_row_from_the_button_to_a_rule_of_the_family(opened: Callable[..., AppTest], runs: Path) -> None:
    page = opened()
    assert "difference" not in page.selectbox(key="explore_rule").options
    page.number_input(key="explore_background").set_value(0.3)
    page.number_input(key="explore_background_power").set_value(2.0)
    page.number_input(key="explore_epochs_both").set_value(2)
    page.button(key="explore_start").click().run()
    page = until_over(page)
    assert not page.error
    assert titles(page)[-1] == "Your ReCAM"
    assert viewer_of(page).header["panes"][-1]["about"] == "rule sum"
    page.text_input(key=f"explore_name_{page.query_params['job']}").set_value("rowed").run()
    command = page.code[-1].value
    for part in ("--background 0.3", "--background-power 2", "--rule sum"):
        assert part in command
    page.button(key="explore_keep").click().run()
    assert not page.exception
    assert not page.error
    info = read_info(runs / "rowed")
    assert info.network["background_row"]
    assert (info.recipe["background"], info.recipe["background_power"]) == (0.3, 2.0)
    # The command makes the same settings again.
    arguments = build_parser().parse_args(shlex.split(info.command)[3:])
    assert (arguments.background, arguments.background_power, arguments.rule) == (0.3, 2.0, "sum")

    # Its rules are now those of the family; what cannot be read by one keeps its own.
    page.selectbox(key="explore_rule").set_value("softmax").run()
    assert not page.exception
    assert not page.error
    abouts = [pane["about"] for pane in viewer_of(page).header["panes"]]
    assert abouts[:3] == ["weights of FC1", "weights of FC1", "rule rectified product"]
    assert abouts[3].startswith("rule softmax (log-odds")
    assert page.query_params["rule"] in ("softmax", ["softmax"])
    # Another family has no such run, and a link to it that says so is one to its runs as they were trained.
    page.selectbox(key="explore_family").set_value("photos").run()
    assert not page.exception
    assert page.selectbox(key="explore_rule").value == "as trained"
    assert "rule" not in page.query_params
    for address in ({"family": "photos", "rule": "softmax"}, {"rule": "softmax", "runs": "scenes/recam"}):
        again = opened(**address)
        assert not again.error
    assert again.selectbox(key="explore_rule").value == "softmax"
    assert [pane["about"] for pane in viewer_of(again).header["panes"]] == ["rule rectified product"]


def test_training_pictures_without_a_background_are_refused(opened: Callable[..., AppTest], tmp_path: Path) -> None:
    names = open_dataset(TINY_SCENES).classes.names
    for folder in ("images", "masks"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
    Image.new("RGB", (40, 30)).save(tmp_path / "mine" / "images" / "one.png")
    Image.fromarray(np.ones((30, 40), np.uint8)).save(tmp_path / "mine" / "masks" / "one.png")
    (tmp_path / "mine" / "classes.txt").write_text("\n".join(names) + "\n")
    page = opened()
    page.text_input(key="explore_train_on_scenes/bce").set_value(f"folder:{tmp_path / 'mine'}").run()
    page.button(key="explore_start").click().run()
    assert not page.exception
    assert "no background class" in page.error[0].value
    assert "job" not in page.query_params


def test_fc2_alone_and_discarding(opened: Callable[..., AppTest]) -> None:
    page = opened()
    page.number_input(key="explore_lambda").set_value(0)
    page.segmented_control(key="explore_update").set_value("fc2").run()
    assert page.number_input(key="explore_lambda").disabled
    page.number_input(key="explore_epochs_fc2").set_value(5)
    page.button(key="explore_start").click().run()
    page = until_over(page)
    assert not page.error
    assert "Your ReCAM" in titles(page)
    # A lambda that is off does not act: 0 would have trained nothing.
    assert "--update fc2" in page.code[-1].value
    assert "--lambda" not in page.code[-1].value
    page.button(key="explore_discard").click().run()
    assert "Your ReCAM" not in titles(page)
    assert "job" not in page.query_params
    assert not page.exception


def test_lambda_acts_to_begin_with_and_is_off_with_a_reason(opened: Callable[..., AppTest]) -> None:
    page = opened()
    assert page.segmented_control(key="explore_update").value == "both"
    assert not page.number_input(key="explore_lambda").disabled
    assert any("weighs telling classes apart" in caption.value for caption in page.caption)
    page.segmented_control(key="explore_update").set_value("fc2").run()
    assert page.number_input(key="explore_lambda").disabled
    assert "gives the same FC2" in page.number_input(key="explore_lambda").help
    assert any("λ is off" in caption.value for caption in page.caption)


def test_cancelling_leaves_nothing(opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(run: object, dataset: object, progress: Callable[[int, int, str], None]) -> None:
        for step in range(10_000):
            progress(step, 10_000, "")
            time.sleep(0.02)

    monkeypatch.setattr(retrain, "build_feature_cache", endless)
    page = opened()
    page.button(key="explore_start").click().run()
    assert page.button(key="explore_start").disabled
    job = jobs.board().find(page.query_params["job"])
    page.button(key=f"explore_cancel_{job.id}").click().run()
    page = until_over(page, 20)
    assert job.state == jobs.CANCELLED
    assert any("Cancelled" in box.value for box in page.info)
    assert not page.button(key="explore_start").disabled
    assert "Your ReCAM" not in titles(page)


def test_missing_training_pictures_are_a_sentence(opened: Callable[..., AppTest]) -> None:
    page = opened(family="photos")
    page.button(key="explore_start").click().run()
    assert not page.exception
    assert "The training pictures are not here" in page.error[0].value
    assert "job" not in page.query_params


def test_a_failure_is_a_sentence(opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise UserError("The disk is full.")

    monkeypatch.setattr(retrain, "build_feature_cache", failing)
    page = opened()
    page.button(key="explore_start").click().run()
    page = until_over(page)
    assert page.error[0].value == "The disk is full."
    assert not page.exception


def test_jobs_take_turns_and_old_ones_are_forgotten() -> None:
    working: list[str] = []
    most = 0

    def work(job: jobs.Job) -> None:
        nonlocal most
        working.append(job.id)
        most = max(most, len(working))
        time.sleep(0.01)
        working.remove(job.id)

    board = JobBoard()
    started = [board.start(jobs.Job(), work) for _ in range(8)]
    while not all(job.is_over for job in started):
        time.sleep(0.01)
    assert most == 1
    for _ in range(jobs.REMEMBERED + 4):
        last = board.start(jobs.Job(), work)
        while not last.is_over:
            time.sleep(0.002)
    assert board.find(started[0].id) is None
    assert board.find(last.id) is last


@pytest.mark.parametrize("name", ["", "  ", "a/b", "..", ".hidden", "con", "x" * 61, "naïve", "a\nb", "tail."])
def test_names_that_make_no_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        check_run_name(name, tmp_path)


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match="already"):
        check_run_name("mine", tmp_path)
    assert check_run_name(" mine-2 ", tmp_path) == "mine-2"


def test_the_command_is_one_that_the_command_line_takes() -> None:
    recipe = HeadRecipe(weight=0.25, mask="hard:0.3", rule="sum", update="both")
    words = shlex.split(retrain_command("my runs/bce", "scenes@train", "runs/x", recipe))
    arguments = build_parser().parse_args(words[3:])
    assert (arguments.weight, arguments.mask, arguments.rule, arguments.update) == (0.25, "hard:0.3", "sum", "both")
    assert str(arguments.source) == "my runs/bce"
    # Lambda does nothing for FC2 alone, and is not asked for; what is updated is always said.
    words = shlex.split(retrain_command("bce", "scenes@train", "runs/x", HeadRecipe()))
    assert "--lambda" not in words
    assert build_parser().parse_args(words[3:]).update == "fc2"
