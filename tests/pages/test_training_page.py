"""The page Training."""

import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from chart_content import live_figures, trace
from streamlit.testing.v1 import AppTest

from recam_core.atomic_write import write_json
from recam_core.cli.main import build_parser
from recam_core.cli.train import recipe_of
from recam_core.device import device_name
from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.method.extraction import rules_of
from recam_core.queue.listing import find_training, list_trainings, trainings_folder
from recam_core.queue.status import DONE, RUNNING, Status, own_start, write_status
from recam_core.queue.stop import cancel_training
from recam_core.queue.waiting import device_lock
from recam_core.train.recipe import Recipe, preset

DATA = "scenes:size=64,train=6,val=2@train"


def show_trainings() -> None:
    from app.screens import trainings

    trainings.main()


@pytest.fixture
def page(opened: object, runs: Path) -> Iterator[AppTest]:
    """The page; its device is busy, so that whatever is started waits."""
    with holding(try_lock(device_lock(trainings_folder(), device_name()))):
        yield AppTest.from_function(show_trainings, default_timeout=120).run()
        for training in list_trainings():
            if training.is_live and training.status.process_start != own_start():
                with suppress(UserError):  # it is over, now that what it waited for was cancelled
                    cancel_training(training.id, grace=0)


def by_key(elements: object, key: str) -> object:
    return next(element for element in elements if element.key == key)


def start(page: AppTest, name: str) -> str:
    """Start a training in the page; returns its id."""
    by_key(page.text_input, "training_data_").set_value(DATA)
    by_key(page.text_input, "training_val_").set_value("")
    by_key(page.text_input, "training_name").set_value(name)
    by_key(page.button, "training_start").click()
    page.run()
    assert not page.exception
    assert not page.error, page.error[0].value
    return list_trainings()[-1].id


def words(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.markdown, *page.caption, *page.info, *page.warning))


def until(page: AppTest, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, words(page)
        time.sleep(0.1)
    page.run()
    assert not page.exception


def test_an_empty_queue_says_what_to_do(page: AppTest) -> None:
    assert not page.exception
    assert "Nothing was trained here yet" in words(page)
    assert page.code[-1].value.startswith("python -m recam_core train bce --preset small --data scenes@train")


def test_a_training_is_started_cancelled_resumed_and_removed(page: AppTest, runs: Path) -> None:
    number = start(page, "mine")
    assert "**mine**" in words(page)
    assert f"next on {device_name()}" in words(page)
    assert "#### mine" in words(page)  # its details are opened at once
    assert find_training(number).job.command in [box.value for box in page.code]

    by_key(page.button, f"training_stop_{number}").click().run()
    assert "It was not started" not in words(page)
    by_key(page.button, f"training_no_{number}").click().run()
    assert find_training(number).state == "waiting"
    by_key(page.button, f"training_stop_{number}").click().run()
    by_key(page.button, f"training_yes_{number}").click().run()
    until(page, lambda: find_training(number).state == "cancelled")
    by_key(page.button, f"training_resume_{number}").click().run()
    assert find_training(number).state == "waiting"
    cancel_training(number)
    page.run()
    by_key(page.button, f"training_remove_{number}").click().run()
    assert "are deleted, too" in words(page)
    by_key(page.button, f"training_yes_{number}").click().run()
    assert list_trainings() == []
    assert not (runs / "mine").exists()


def test_without_a_name_the_free_one_that_is_shown_is_taken(page: AppTest, runs: Path) -> None:
    for name in ("my-bce", "my-bce-2"):
        assert by_key(page.text_input, "training_name").placeholder == name
        assert page.code[-1].value.endswith(f"{name}")
        assert find_training(start(page, "")).job.name == name
        page.run()
    assert "my-bce-2" in words(page)


def test_what_cannot_be_started_is_a_sentence(page: AppTest) -> None:
    by_key(page.text_input, "training_name").set_value("../up")
    by_key(page.button, "training_start").click()
    page.run()
    assert "cannot be the name of a run" in page.error[0].value
    by_key(page.text_input, "training_name").set_value("fine")
    by_key(page.text_input, "training_data_").set_value("voc:/nowhere@train")
    by_key(page.button, "training_start").click()
    page.run()
    assert "no folder" in page.error[0].value
    assert list_trainings() == []


def test_recam_starts_from_a_run_and_has_its_own_settings(page: AppTest) -> None:
    by_key(page.segmented_control, "training_method").set_value("recam").run()
    assert not page.exception
    by_key(page.selectbox, "training_mask").set_value("hard").run()
    by_key(page.number_input, "training_mask_hard").set_value(0.4)
    by_key(page.number_input, "training_lambda_small").set_value(0.1).run()
    command = page.code[-1].value
    for piece in ("train recam", "--lambda 0.1", "--mask hard:0.4", "scenes/bce", f"--data {DATA.split(':')[0]}"):
        assert piece in command, command
    by_key(page.segmented_control, "training_preset").set_value("paper").run()
    # The network is that of the run, whatever the preset says.
    assert "--backbone tf_efficientnet_lite0" in page.code[-1].value


def test_curves_log_and_scores_of_a_running_one(page: AppTest) -> None:
    number = start(page, "lively")
    cancel_training(number)
    training = find_training(number)
    points = {"names": ["loss", "bce", "sce"], "points": [[1, 0.9, 0.5, 0.4], [2, 0.7, 0.4, 0.3]], "stride": 1}
    (training.folder / "cancel").unlink()
    here = Status(
        RUNNING,
        "Training",
        process_start=own_start(),
        pid=os.getpid(),
        step=2,
        steps=30,
        epoch=1,
        epochs=15,
        seconds_left=400.0,
        losses=points,
    )
    write_status(training.folder, here)
    write_json(training.out / "metrics.json", [{"epoch": 1, "loss": 0.8, "val_loss": 0.9, "val_seed_miou": 0.31}])
    page.run()
    assert not page.exception
    assert "epoch 1 of 15, step 2 of 30, about 7 min left" in page.get("progress")[0].proto.text
    charts = live_figures(page)
    assert set(charts) == {"losses", "scores"}
    losses = {one["name"]: one for one in charts["losses"]["data"]}
    assert set(losses) == {"total", "L_bce", "L_sce", "of the watched pictures"}
    assert losses["total"]["x"] == [0.5, 1.0]  # two of the 30 steps of 15 epochs
    assert losses["total"]["y"] == [0.9, 0.7]
    assert losses["of the watched pictures"]["y"] == [0.9]
    assert trace(charts["scores"], "seed mIoU")["y"] == [0.31]
    for chart in charts.values():
        assert chart["layout"]["xaxis"]["range"] == [0, 15]  # the whole way
        assert chart["layout"]["uirevision"] == number
    # The same chart, logarithmic: a zoom on the axis of the epochs stays, one on the losses is of another axis.
    page.toggle(key="training_log_losses").set_value(True).run()
    assert not page.exception
    log = live_figures(page)["losses"]["layout"]
    assert (log["yaxis"]["type"], charts["losses"]["layout"]["yaxis"]["type"]) == ("log", "linear")
    assert log["uirevision"] == charts["losses"]["layout"]["uirevision"]
    assert log["yaxis"]["uirevision"] != charts["losses"]["layout"]["yaxis"]["uirevision"]
    assert "Cancelled; finished epochs are kept" in page.code[0].value
    # Its process goes: the last state stays and says so.
    here.process_start = "another"
    write_status(training.folder, here)
    page.run()
    assert "Its process is gone" in words(page)
    assert "1 of 15 epochs finished" in words(page)
    here.state, here.ended, here.began = DONE, time.time(), time.time() - 600
    write_status(training.folder, here)
    page.run()
    assert "in 10 min" in words(page)


def test_an_address_of_a_training_that_is_gone(opened: object, runs: Path) -> None:
    for number in ("20260101-000000-abcdef", "../../x"):
        page = AppTest.from_function(show_trainings, default_timeout=60)
        page.query_params["training"] = number
        page.run()
        assert not page.exception
        assert page.warning[0].value


def test_a_recam_is_queued_behind_a_bce_that_waits(page: AppTest, runs: Path) -> None:
    start(page, "first-bce")
    page.segmented_control(key="training_method").set_value("recam").run()
    assert not page.exception
    choice = page.selectbox(key="training_from_recam")
    assert any("first-bce (in the queue)" in option.replace("\\", "") for option in choice.options)
    choice.set_value("run/first-bce").run()
    assert not page.exception
    assert page.text_input(key="training_data_run/first-bce").value == DATA
    assert f"--init {runs / 'first-bce'}" in page.code[-1].value
    page.text_input(key="training_val_run/first-bce").set_value("")
    page.text_input(key="training_name").set_value("second-recam")
    page.button(key="training_start").click().run()
    assert not page.exception
    assert not page.error, page.error[0].value
    second = next(training for training in list_trainings() if training.job.name == "second-recam")
    assert second.status.awaits == "first-bce"
    assert "which another training is to make" in words(page)


def asked(page: AppTest) -> Recipe:
    """The settings that the printed command makes of pictures with a background class."""
    words = shlex.split(page.code[-1].value)
    return recipe_of(build_parser().parse_args(words[3:]), True)


def test_a_recam_has_a_background_row_where_its_pictures_have_a_background(page: AppTest) -> None:
    page.segmented_control(key="training_method").set_value("recam").run()
    assert not page.exception
    small = preset("recam", "small", True)
    assert page.number_input(key="training_small_background").value == small.background
    assert page.selectbox(key="training_rule_small_with_row").value == small.rule == asked(page).rule
    assert (asked(page).background, asked(page).background_power) == (small.background, 1.0)
    page.number_input(key="training_small_background_power").set_value(2.0)
    page.selectbox(key="training_rule_small_with_row").set_value("rectified_product").run()
    assert (asked(page).background_power, asked(page).rule) == (2.0, "rectified_product")
    page.number_input(key="training_small_background").set_value(0).run()
    assert not page.exception
    assert "training_small_background_power" not in [box.key for box in page.number_input]
    assert page.selectbox(key="training_rule_small").value == "rectified_product"
    assert (asked(page).background, asked(page).rule) == (0, "rectified_product")
    # The published schedule has none, unless it is asked for.
    page.segmented_control(key="training_preset").set_value("paper").run()
    assert page.number_input(key="training_paper_background").value == 0
    assert page.selectbox(key="training_rule_paper").value == "product"
    page.number_input(key="training_paper_background").set_value(0.3).run()
    assert (asked(page).background, asked(page).rule) == (0.3, "sum")


def test_a_recam_of_pictures_without_a_background_has_no_row(page: AppTest) -> None:
    page.segmented_control(key="training_method").set_value("recam").run()
    page.selectbox(key="training_from_recam").set_value("photos/bce").run()
    assert not page.exception
    assert not [box.key for box in page.number_input if "background" in str(box.key)]
    rule = page.selectbox(key="training_rule_small")
    assert len(rule.options) == len(rules_of(True, False))
    assert "--background 0 " in page.code[-1].value
    assert asked(page).rule == rule.value == "rectified_product"


def test_a_row_waits_behind_the_bce_that_it_starts_from(page: AppTest) -> None:
    start(page, "first-bce")
    page.segmented_control(key="training_method").set_value("recam").run()
    page.selectbox(key="training_from_recam").set_value("run/first-bce").run()
    assert page.number_input(key="training_small_background").value == preset("recam", "small", True).background
    page.text_input(key="training_val_run/first-bce").set_value("")
    page.text_input(key="training_name").set_value("rowed")
    page.button(key="training_start").click().run()
    assert not page.error, page.error[0].value
    second = next(training for training in list_trainings() if training.job.name == "rowed")
    assert (second.job.recipe["background"], second.job.recipe["rule"]) == (0.2, "sum")
