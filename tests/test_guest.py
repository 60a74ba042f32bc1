"""Guests of an app that strangers use: what they reach, what they may start, how much they keep, and when it goes."""

import builtins
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_layouts import folder, voc, write_photo
from recam_core.cache import cache_folder
from recam_core.data.download import SOURCES, download
from recam_core.data.found_sets import delete_set, find_sets, name_classes
from recam_core.data.recorded import PicturesMissing, recorded_data
from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset, parse_spec
from recam_core.data.zip_upload import unpack_set
from recam_core.errors import UserError
from recam_core.experiments.figure1 import kept_figures
from recam_core.folders import data_root, host_runs_folder, runs_folder
from recam_core.guest import (
    NO_DOWNLOADS,
    NO_TRAININGS,
    NOT_SHOWN,
    Guest,
    as_typed_spec,
    ask_for_guests,
    environment_of,
    guest,
    serving,
    told,
)
from recam_core.guest_room import USED_FILE, drop_left, note_use, room_for, room_words
from recam_core.home import ASSETS
from recam_core.queue.job import TrainingJob, write_job
from recam_core.queue.listing import (
    every_training,
    find_training,
    forget_trainings,
    list_trainings,
    live_visitors,
    trainings_folder,
)
from recam_core.queue.start import check_queue, check_training, resume_training, start_training
from recam_core.queue.stop import ask_to_stop, remove_training
from recam_core.train.loop import train
from recam_core.train.recipe import preset
from recam_core.typed_path import as_typed, typed_path

ANN, BOB = "a" * 16, "b" * 16


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The host's own folders; and nobody asks the app's sessions."""
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "host" / "runs"))
    monkeypatch.setenv("RECAM_DATA", str(tmp_path / "host" / "data"))
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    ask_for_guests(None)
    yield
    from app.visitors import guest_here

    ask_for_guests(guest_here)


@pytest.fixture
def visitors(tmp_path: Path) -> Path:
    return tmp_path / "visitors"


@pytest.fixture
def ann(visitors: Path) -> Guest:
    return Guest(ANN, visitors / ANN)


@pytest.fixture
def bob(visitors: Path) -> Guest:
    return Guest(BOB, visitors / BOB)


def refusal(spec: str) -> str:
    with pytest.raises(UserError) as error:
        open_dataset(spec)
    return str(error.value)


# What they reach ------------------------------------------------------------------------------------------------------


def test_nobody_is_a_guest_on_the_own_machine(tmp_path: Path) -> None:
    assert guest() is None
    assert runs_folder() == host_runs_folder() == tmp_path / "host" / "runs"
    assert data_root() == tmp_path / "host" / "data"
    assert told(str(tmp_path)) == str(tmp_path)
    assert room_words() == ""


def test_a_folder_of_the_server_is_refused_in_one_sentence_whether_it_is_there_or_not(
    ann: Guest, bob: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = voc(tmp_path / "host" / "VOC")
    folder(bob.data / "pets")
    specs = [f"voc:{there}@train", f"voc:{tmp_path}/nothing@train", "folder:~", "folder:~root", "folder:.", "coco:a/b"]
    specs += [f"folder:own:{BOB}/pets", f"folder:own:{BOB}/gone", f"folder:{bob.data}/pets", "folder:own:x"]
    specs += [f"folder:own:{ANN}/../{BOB}/data/pets", f"folder:own:{ANN}/{bob.data}", f"folder:own:{ANN}", "folder:/"]
    looked: list[str] = []
    for name in ("stat", "lstat", "scandir", "open", "listdir"):
        real = getattr(os, name)

        def watched(path: object, *more: object, real=real, **options: object) -> object:
            looked.append(str(path))
            return real(path, *more, **options)

        monkeypatch.setattr(os, name, watched)
    monkeypatch.setattr(builtins, "open", lambda path, *more, **options: looked.append(str(path)))
    with serving(ann):
        for spec in specs:
            assert refusal(spec) == NOT_SHOWN, spec
    assert looked == [], "the disk was asked"


def test_a_path_of_no_layout_is_the_same_whether_it_is_there_or_not(ann: Guest, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with serving(ann):
        told_of = [refusal(str(tmp_path / name)).replace(name, "NAME") for name in ("here", "gone")]
        assert told_of[0] == told_of[1]
        assert typed_path(str(tmp_path)) is None
        assert typed_path("/etc/passwd") is None
        assert str(parse_spec(f"folder:{tmp_path}@x")) == f"folder:{tmp_path}@x"


def test_a_guests_own_set_is_named_by_its_place(
    ann: Guest, bob: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(ann.data / "pets")
    with serving(ann):
        (found,) = find_sets(data_root()).sets
        spec = found.spec()
        assert spec == f"folder:own:{ANN}/pets"
        opened = open_dataset(spec)
        assert opened.spec == spec
        assert len(opened)
        assert as_typed_spec(spec) == "folder:data/pets"
        assert told(f"{ann.data}/pets/images/1.jpg is damaged") == "data/pets/images/1.jpg is damaged"
        assert as_typed(ann.runs / "mine") == Path("runs/mine")
        assert typed_path("runs/mine") == ann.runs / "mine", "and back again, as a record's command names it"
        shipped = ASSETS / "checkpoints" / "scenes" / "bce"
        assert typed_path(str(as_typed(shipped))) == shipped
        monkeypatch.setenv("RECAM_ASSETS", str(tmp_path / "elsewhere"))
        moved = tmp_path / "elsewhere" / "checkpoints" / "scenes"
        assert as_typed(moved) == Path("assets/checkpoints/scenes")
        assert typed_path("assets/checkpoints/scenes") == moved
        assert told(f"{moved} is damaged, {tmp_path / 'cache' / 'x'} too") == (
            "assets/checkpoints/scenes is damaged, cache/x too"
        )
        assert f"There is no folder own:{ANN}/gone" in refusal(f"folder:own:{ANN}/gone")
    with serving(bob):
        assert refusal(spec) == NOT_SHOWN


def test_a_link_out_of_a_guests_folder_is_not_followed(ann: Guest, tmp_path: Path) -> None:
    folder(tmp_path / "host" / "pets")
    ann.data.mkdir(parents=True)
    (ann.data / "out").symlink_to(tmp_path / "host")
    with serving(ann):
        assert refusal(f"folder:own:{ANN}/out/pets") == NOT_SHOWN


def test_what_the_host_shows_is_read_and_not_written(visitors: Path, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    for name in ("1.jpg", "2.jpg"):
        write_photo(shown / "plain" / name)
    folder(shown / "pets")
    one = Guest(ANN, visitors / ANN, (shown,))
    with serving(one):
        assert len(open_dataset(f"folder:{shown}/pets"))
        assert "There is no folder" in refusal(f"folder:{shown}/gone")
        assert refusal(f"folder:{shown}/../host") == NOT_SHOWN
        assert refusal(f"folder:{shown}-too") == NOT_SHOWN
        found = next(one for one in find_sets(shown).sets if one.place == "plain")
        with pytest.raises(UserError, match="not changed"):
            name_classes(found, ["cat"])
        assert recorded_data("folder:/elsewhere/pets", open_dataset(f"folder:{shown}/pets").classes).endswith("/pets")


def test_a_record_that_names_a_folder_of_the_server_tells_nothing(ann: Guest, tmp_path: Path) -> None:
    there = folder(tmp_path / "host" / "animals")
    classes = open_dataset(f"folder:{there}").classes
    with serving(ann):
        said = []
        for spec in (f"folder:{there}", f"folder:{tmp_path}/none/animals"):
            with pytest.raises(PicturesMissing) as error:
                recorded_data(spec, classes)
            said.append(str(error.value).replace(spec, "SPEC"))
        assert said[0] == said[1]
        assert str(ann.folder.parent) not in said[0]
        folder(ann.data / "animals")
        assert recorded_data(f"folder:{there}", classes) == f"folder:own:{ANN}/animals"
    assert recorded_data(f"folder:{there}", ClassList(classes.names)) == f"folder:{there}", "at home it is there"


def test_what_was_computed_of_own_pictures_is_kept_apart(ann: Guest, tmp_path: Path) -> None:
    with serving(ann):
        assert cache_folder() == tmp_path / "cache"
        assert cache_folder(private=True) == ann.cache
        (ann.cache / "figure1").mkdir(parents=True)
    assert cache_folder(private=True) == tmp_path / "cache"
    (tmp_path / "cache" / "figure1").mkdir(parents=True)
    (tmp_path / "cache" / "figure1" / "hosts.json").write_text("{}")
    with serving(ann):
        assert "hosts" not in kept_figures()


# For whom a thread works ----------------------------------------------------------------------------------------------


def test_a_process_works_for_the_guest_who_started_it(ann: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Guest(ANN, ann.folder, (Path("/shown"),), may_train=True)
    for name, value in environment_of(one).items():
        monkeypatch.setenv(name, value)
    assert guest() == one
    with pytest.raises(ValueError, match="hexadecimal"):
        Guest("../../etc", ann.folder)


def test_a_thread_that_knows_no_visitor_gets_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.visitors import guest_here

    ask_for_guests(guest_here)
    monkeypatch.setenv("RECAM_HOSTED", "1")
    with pytest.raises(RuntimeError, match="which visitor"):
        runs_folder()
    monkeypatch.setenv("RECAM_HOSTED", "0")
    assert runs_folder() == host_runs_folder()


# What they may start --------------------------------------------------------------------------------------------------


def test_a_training_starts_from_no_run_of_the_host(ann: Guest, tmp_path: Path) -> None:
    shutil.copytree(ASSETS / "checkpoints" / "scenes" / "bce", tmp_path / "hosts-run")
    recipe = preset("recam", "small")
    with serving(replace(ann, may_train=True)):
        for start in (tmp_path / "hosts-run", tmp_path / "nowhere"):
            with pytest.raises(UserError) as error:
                check_training(recipe, data="scenes@train", val="", init=start)
            assert str(error.value) == NOT_SHOWN
        check_training(recipe, data="scenes@train", val="", init=ASSETS / "checkpoints" / "scenes" / "bce")


def test_a_guest_deletes_their_own_sets_alone(ann: Guest, tmp_path: Path) -> None:
    pets, shown = folder(ann.data / "pets"), folder(tmp_path / "shown" / "hosts")
    with pytest.raises(UserError, match="by hand"):
        delete_set(ann.data, "pets")
    with serving(replace(ann, shown=(shown.parent,))):
        with pytest.raises(UserError, match="not changed"):
            delete_set(shown.parent, "hosts")
        for place in ("..", "", "/etc"):
            with pytest.raises(UserError):
                delete_set(ann.data, place)
        delete_set(ann.data, "pets")
    assert not pets.exists()
    assert shown.is_dir()
    assert not any(ann.data.iterdir())


def test_whole_networks_are_not_trained_for_guests(ann: Guest, tmp_path: Path) -> None:
    recipe = preset("bce", "small")
    with serving(ann):
        for start in (
            lambda: start_training(recipe, data="scenes@train", name="mine"),
            lambda: resume_training("20260101-000000-abcdef"),
            lambda: train(recipe, None, ann.runs / "mine"),  # type: ignore[arg-type]
        ):
            with pytest.raises(UserError) as error:
                start()
            assert str(error.value) == NO_TRAININGS
        with pytest.raises(UserError) as error:
            download(next(iter(SOURCES.values())), ann.data)
        assert str(error.value) == NO_DOWNLOADS
    assert not ann.folder.exists()
    assert not trainings_folder().exists()


def queued(number: str, visitor: str, out: Path, address: str = "") -> None:
    job = TrainingJob(
        f"20260101-000000-{number}", {"epochs": 1}, "scenes", "", "", str(out), "cpu", "/", "x",
        created=time.time(), visitor=visitor, address=address,
    )  # fmt: skip
    write_job(trainings_folder() / job.id, job)


def test_a_guest_sees_and_stops_their_own_trainings_alone(ann: Guest, bob: Guest) -> None:
    queued("aaaaaa", ANN, ann.runs / "one")
    queued("bbbbbb", BOB, bob.runs / "two")
    with serving(ann):
        assert [training.job.name for training in list_trainings()] == ["one"]
        assert len(every_training()) == 2, "which count for the queue"
        said = []
        for number in ("20260101-000000-bbbbbb", "20260101-000000-cccccc"):
            for act in (find_training, ask_to_stop, remove_training):
                with pytest.raises(UserError) as error:
                    act(number)
                said.append(str(error.value).replace(number, "ID"))
        assert len(set(said)) == 1, "one of another guest and one that never was"
    assert len(list_trainings()) == 2, "the host sees all"
    assert live_visitors() == {ANN, BOB}


def test_dropping_cookies_does_not_open_the_queue(monkeypatch: pytest.MonkeyPatch, ann: Guest) -> None:
    monkeypatch.setenv("RECAM_MOST_TRAININGS_EACH", "1")
    queued("aaaaaa", ANN, ann.runs / "one", address="somewhere")
    check_queue(BOB, "elsewhere")
    with pytest.raises(UserError, match="queue is full"):
        check_queue(BOB, "somewhere")


# Room and time --------------------------------------------------------------------------------------------------------


def zipped(tmp_path: Path) -> Path:
    source = folder(tmp_path / "to-zip")
    target = tmp_path / "pets.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(source.rglob("*")):
            if file.is_file():
                archive.write(file, f"pets/{file.relative_to(source)}")
    return target


def test_an_upload_that_is_too_much_is_refused_before_it_is_unpacked(
    ann: Guest, bob: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = zipped(tmp_path)
    with serving(ann):
        monkeypatch.setenv("RECAM_VISITOR_FILES", "2")
        with pytest.raises(UserError, match="files"):
            unpack_set(file, data_root())
        monkeypatch.setenv("RECAM_VISITOR_FILES", "100")
        (ann.runs / "large").mkdir(parents=True)
        (ann.runs / "large" / "model.safetensors").write_bytes(b"x" * 999_999)
        monkeypatch.setenv("RECAM_VISITOR_MB", "1")
        with pytest.raises(UserError, match="more than a visitor of this app may keep"):
            unpack_set(file, data_root())
        assert not ann.data.exists(), "nothing was unpacked"
        monkeypatch.setenv("RECAM_VISITOR_MB", "2")
        assert unpack_set(file, data_root())[0] == ann.data / "pets"
        assert "2 MB" in room_words()
    with serving(bob):
        monkeypatch.setenv("RECAM_VISITORS_MB", "1")
        with pytest.raises(UserError, match="all its visitors"):
            unpack_set(file, data_root())
        monkeypatch.setenv("RECAM_VISITORS_MB", "2")
        unpack_set(file, data_root())


def test_two_uploads_at_once_share_one_bound(ann: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_VISITOR_MB", "1")
    with serving(ann):
        with room_for(600_000):
            with pytest.raises(UserError, match="more than"):
                with room_for(600_000):
                    raise AssertionError("both got room")
        with room_for(600_000):
            pass
    with room_for(10**15):
        pass  # nothing is bounded at home


def test_what_is_computed_of_uploads_counts_in_the_bound_on_all(
    ann: Guest, bob: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.cache.mkdir(parents=True)
    (ann.cache / "features-0").write_bytes(b"x" * 900_000)
    monkeypatch.setenv("RECAM_VISITOR_MB", "1")
    monkeypatch.setenv("RECAM_VISITORS_MB", "1")
    for one in (ann, bob):
        with serving(one), pytest.raises(UserError, match="all its visitors"), room_for(200_000):
            raise AssertionError
    monkeypatch.setenv("RECAM_VISITORS_MB", "2")
    with serving(ann), room_for(200_000):
        pass  # it does not count as theirs


def test_what_a_guest_left_goes_after_its_time_and_not_before(ann: Guest, bob: Guest, visitors: Path) -> None:
    now = time.time()
    for one, hours in ((ann, 25), (bob, 23)):
        folder(one.data / "pets")
        note_use(one.folder)
        os.utime(one.folder / USED_FILE, (now - hours * 3600,) * 2)
    (visitors / "notes").mkdir()
    queued("aaaaaa", ANN, ann.runs / "one")
    assert drop_left(visitors, in_use={ANN}) == [], "whoever is here keeps it"
    assert drop_left(visitors) == [ANN]
    assert sorted(os.listdir(visitors)) == [BOB, "notes"]
    os.utime(bob.folder / USED_FILE, (now - 30 * 3600,) * 2)
    note_use(bob.folder)
    assert drop_left(visitors) == [], "a visit begins the time anew"
    forget_trainings([ANN])
    assert len(every_training()) == 1, "a live one stays"


def test_a_visit_without_anything_leaves_nothing(ann: Guest, visitors: Path) -> None:
    note_use(ann.folder)
    assert not visitors.exists()


def test_pictures_of_a_guest_are_what_they_are(ann: Guest, tmp_path: Path) -> None:
    """The alias changes the name of a set, and nothing else about it."""
    folder(ann.data / "pets")
    at_home = open_dataset(f"folder:{ann.data}/pets")
    with serving(ann):
        as_guest = open_dataset(f"folder:own:{ANN}/pets")
        assert list(as_guest.ids) == list(at_home.ids)
        assert np.array_equal(as_guest.load(0).image, at_home.load(0).image)
