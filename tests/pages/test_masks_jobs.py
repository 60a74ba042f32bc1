"""What the page Masks puts into the queue, and how it is seen."""

import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.trainings.queue import standing
from recam_core.atomic_write import write_json
from recam_core.cli.main import build_parser
from recam_core.device import device_name
from recam_core.errors import UserError
from recam_core.guest import NO_TRAININGS, Guest, ask_for_guests
from recam_core.lock import holding, try_lock
from recam_core.queue.job import TrainingJob, new_id, write_job
from recam_core.queue.listing import find_training, list_trainings, trainings_folder
from recam_core.queue.status import Status, own_start, write_status
from recam_core.queue.stop import cancel_training
from recam_core.queue.waiting import device_lock

DATA = "scenes:size=64,train=6,val=2@train"


def show_section() -> None:
    from app.catalogue import read_catalogue
    from app.masks.jobs_section import jobs_section

    jobs_section(read_catalogue())


@pytest.fixture
def section(opened: object, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The section by itself; its device is busy, so that whatever is started waits."""
    monkeypatch.setenv("RECAM_DATA", str(tmp_path / "data"))
    with holding(try_lock(device_lock(trainings_folder(), device_name()))):
        yield AppTest.from_function(show_section, default_timeout=120).run()
        for training in list_trainings():
            if training.is_live and training.status.process_start != own_start():
                with suppress(UserError):  # it is over, now that what it waited for was cancelled
                    cancel_training(training.id, grace=0)


def keyed(elements: object, key: str) -> object:
    return next(element for element in elements if (element.key or "").startswith(key))


def words(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.markdown, *page.caption, *page.info, *page.warning, *page.error))


def until(page: AppTest, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, words(page)
        time.sleep(0.1)
        page.run()
        assert not page.exception


def command(page: AppTest) -> object:
    """What the command line that is shown means."""
    line = next(box.value for box in page.code if " --out " in box.value)
    return build_parser().parse_args(shlex.split(line)[3:])


def shares(page: AppTest) -> list[float]:
    """Of a class, background and neither, in percent."""
    return [float(text) for text in re.findall(r"\*\*([\d.]+)%\*\*", words(page))]


def test_boundaries_are_tried_seen_and_started(section: AppTest) -> None:
    page = section
    assert not page.exception
    keyed(page.text_input, "masks_jobs_boundaries_data").set_value(DATA)
    keyed(page.selectbox, "masks_jobs_boundaries_finish").set_value("none").run()
    assert not page.error, words(page)
    shown = command(page)
    assert (shown.foreground, shown.background, shown.finish) == (0.42, 0.2, "none")  # of seeds at 0.3
    keyed(page.button, "masks_jobs_try").click().run()
    until(page, lambda: "on this machine" in words(page))
    assert "for 6 pictures" in words(page)
    assert len(page.get("image")) == 4
    before = shares(page)
    keyed(page.slider, "masks_jobs_foreground").set_value(0.9).run()
    assert shares(page)[0] < before[0], "what was tried still counts"
    assert shares(page)[1] == before[1]
    keyed(page.slider, "masks_jobs_foreground").set_value(0.5).run()
    keyed(page.text_input, "masks_jobs_name").set_value("edges")
    keyed(page.button, "masks_jobs_start").click().run()
    assert not page.error, words(page)
    (job,) = [training.job for training in list_trainings()]
    assert (job.kind, job.name) == ("boundaries", "edges")
    assert "--foreground=0.5" in job.words
    assert "**edges**" in words(page)
    assert "Boundaries of bce" in words(page)
    # Masks may be asked for at once: they wait for the boundaries.
    keyed(page.segmented_control, "masks_jobs_step").set_value("masks").run()
    keyed(page.text_input, "masks_jobs_masks_data").set_value(DATA)
    keyed(page.selectbox, "masks_jobs_way").set_value("irn").run()
    keyed(page.segmented_control, "masks_jobs_threshold_by").set_value("given").run()
    assert not page.exception
    assert command(page).boundaries == Path(job.out)
    keyed(page.button, "masks_jobs_start").click().run()
    assert not page.error, words(page)
    assert "Waiting for edges, which another training is to make" in words(page)
    # And a network on them.
    keyed(page.segmented_control, "masks_jobs_step").set_value("network").run()
    assert not page.exception
    assert command(page).masks.name == "my-masks"
    assert command(page).data == DATA
    keyed(page.segmented_control, "masks_jobs_step").set_value("pipeline").run()
    assert not page.exception
    assert command(page).preset == "small"
    assert (command(page).rule, command(page).way, command(page).finish) == (None, "irn", "pamr")
    for field, value in (("rule", "region_cam-fc1"), ("way", "advcam"), ("finish", "none")):
        keyed(page.selectbox, f"masks_jobs_pipeline_{field}").set_value(value)
    page.run()
    assert (command(page).rule, command(page).way, command(page).finish) == ("region_cam-fc1", "advcam", "none")
    # AdvCAM climbs along weights of classes, which attributions have not: said at once, and nothing is queued.
    keyed(page.text_input, "masks_jobs_pipeline_data").set_value(DATA)
    keyed(page.text_input, "masks_jobs_pipeline_select").set_value(DATA)
    keyed(page.text_input, "masks_jobs_pipeline_val").set_value("")
    keyed(page.button, "masks_jobs_start").click().run()
    assert not page.exception
    assert "climbs along the class weights" in page.error[0].value


def test_what_cannot_be_started_is_a_sentence(section: AppTest) -> None:
    page = section
    keyed(page.text_input, "masks_jobs_boundaries_data").set_value("voc:/nowhere@train")
    keyed(page.button, "masks_jobs_start").click().run()
    assert not page.exception
    assert "no folder" in page.error[0].value
    assert list_trainings() == []


def queued(kind: str, out: Path, **status: object) -> str:
    job = TrainingJob(
        new_id(), {}, DATA, "", "", str(out), "cpu", "/", "python -m recam_core x", created=time.time(), kind=kind
    )
    folder = trainings_folder() / job.id
    write_job(folder, job)
    alive = {"pid": 1, "process_start": "x"}
    write_status(folder, Status(**{**alive, "queued": time.time(), "began": time.time(), **status}))
    return job.id


def test_each_kind_says_where_it_stands(section: AppTest, runs: Path) -> None:
    mine = {"host": "another machine", "updated": time.time(), "state": "running"}
    masks = queued("masks", runs / "m", doing="Making and refining maps, picture", step=3, steps=12, **mine)
    whole = queued("pipeline", runs / "p", doing="Step 2 of 4, x: picture", step=1, steps=9, epoch=1, epochs=4, **mine)
    gone = queued("network", runs / "n", state="cancelled", ended=time.time())
    assert standing(find_training(masks), 0) == "Making and refining maps, picture 3 of 12"
    assert standing(find_training(whole), 0) == "Step 2 of 4, x: picture 1 of 9"
    assert "finished epochs are kept" in standing(find_training(gone), 0)
    page = section.run()
    assert not page.exception
    bars = {box.value for box in page.get("progress")}
    assert bars == {25}, "of the pipeline its steps count, a quarter as well"
    assert "Pipeline on" in words(page)
    keyed(page.button, f"masks_stop_{masks}").click().run()
    assert "It begins anew when it is resumed" in words(page)


def test_a_visitor_who_may_not_train_is_told(section: AppTest, tmp_path: Path) -> None:
    ask_for_guests(lambda: Guest("a" * 16, tmp_path / "ann"))
    try:
        page = section.run()
    finally:
        ask_for_guests(None)
    assert [box.value for box in page.info] == [NO_TRAININGS]
    assert not page.button


def test_a_mask_set_in_data_is_offered(section: AppTest, tmp_path: Path) -> None:
    write_json(tmp_path / "data" / "made" / "masks.json", {"data": DATA})
    keyed(section.segmented_control, "masks_jobs_step").set_value("network").run()
    assert not section.exception
    assert command(section).masks == tmp_path / "data" / "made"
    assert command(section).data == DATA
