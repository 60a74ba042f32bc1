"""The Data page: pictures of one's own found, checked, uploaded and opened; checkpoints taken in."""

import io
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from test_walk import go

from app.shared_state import TRAIN_ON
from data_layouts import folder, halves, voc, write_grey_mask, write_list, write_photo
from recam_core.checkpoint.run_folder import read_info
from recam_core.data.spec import open_dataset
from test_foreign_checkpoint import with_fc


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of served data sets."""
    root = tmp_path / "served"
    root.mkdir()
    monkeypatch.setenv("RECAM_DATA", str(root))
    return root


@pytest.fixture
def data_page(opened: Callable[..., AppTest], served: Path) -> Callable[[], AppTest]:
    """Opens the page."""

    def open_it() -> AppTest:
        page = opened()
        go(page, "data")
        assert not page.exception
        return page

    return open_it


def until_over(page: AppTest, job: str) -> None:
    """Wait for a job that the page has started."""
    from app.jobs import board

    deadline = time.monotonic() + 60
    while not board().find(page.session_state[job]).is_over:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    page.run()
    assert not page.exception


def texts(page: AppTest) -> str:
    return "\n".join(
        one.value
        for kind in ("markdown", "code", "warning", "success", "error", "caption", "info")
        for one in getattr(page, kind)
    )


def test_nothing_is_there_yet(data_page: Callable[[], AppTest]) -> None:
    page = data_page()
    assert "No pictures are there yet" in texts(page)
    assert not page.error


def test_a_set_is_found_named_checked_and_trained_on(data_page: Callable[[], AppTest], served: Path) -> None:
    root = folder(served / "pets", ids=list("abcdefgh"))
    for name in "cdefg":
        (root / "masks" / f"{name}.png").unlink()
    page = data_page()
    page.selectbox(key="data_set").set_value("pets").run()
    assert page.code[0].value == f"folder:{root}"
    assert "No checkpoint here knows one of its classes" in texts(page)
    page.button(key="data_check").click().run()
    until_over(page, "data_check_job")
    assert "8 pictures, with masks, 2 classes. 5 faults found." in texts(page)
    assert "**5** no label" in texts(page)
    shown = next(one.value for one in page.code if "images/" in one.value)
    assert [f"images/{name}.png: " in shown for name in "cdefg"] == [True, True, True, False, False]
    assert "and 2 more" in shown
    assert "No picture shows red" in texts(page).replace("\\", "")
    page.button(key="data_train").click().run()
    assert not page.exception
    assert page.text_input(key="training_data_").value == f"folder:{root}"
    assert TRAIN_ON.key not in page.session_state, "taken once"


def test_a_set_that_a_family_knows_opens_in_explore(data_page: Callable[[], AppTest], served: Path) -> None:
    names = open_dataset("gallery").classes.names[:2]
    for name in names:
        write_photo(served / "mine" / name / "0.jpg", 0, 64, 96)
    page = data_page()
    page.selectbox(key="data_set").set_value("mine").run()
    assert "knows 2 of its 2 classes" in texts(page)
    page.button(key="data_explore").click().run()
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="explore_family").value == "photos"
    assert f"folder:{served / 'mine'}" in page.query_params["data"]


def test_plain_pictures_get_the_classes_of_a_family(data_page: Callable[[], AppTest], served: Path) -> None:
    write_photo(served / "snaps" / "a.jpg", 0)
    page = data_page()
    page.selectbox(key="data_set").set_value("snaps").run()
    assert "Nothing says which classes" in texts(page)
    page.selectbox(key="data_classes_of").set_value("photos").run()
    page.button(key="data_write_classes").click().run()
    assert not page.exception
    assert (served / "snaps" / "classes.txt").read_text().splitlines() == list(open_dataset("gallery").classes.names)
    assert page.button(key="data_explore")


def test_what_files_leave_open_is_settled_by_a_press(data_page: Callable[[], AppTest], served: Path) -> None:
    root = folder(served / "pets")
    write_list(root / "classes.txt", ["red", "blue"])
    for name in "abc":
        mask = halves(1, 2)
        mask[0, 0] = 0
        write_grey_mask(root / "masks" / f"{name}.png", mask)
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(root / "images" / "a.png").save(root / "images" / "a.png", exif=exif)
    page = data_page()
    page.selectbox(key="data_set").set_value("pets").run()
    page.button(key="data_check").click().run()
    until_over(page, "data_check_job")
    assert "Runs with a background cannot be compared" in texts(page)
    assert "**1** unclear rotation" in texts(page)
    page.button(key="data_drawn_stored").click().run()
    until_over(page, "data_check_job")
    assert "No fault found" in texts(page)
    page.button(key="data_background_False").click().run()
    until_over(page, "data_check_job")
    assert "Runs with a background" not in texts(page)
    assert (root / "classes.txt").read_text().split() == ["void", "red", "blue"]
    dataset = open_dataset(f"folder:{root}")
    assert not dataset.classes.has_background
    assert dataset.mask(0)[-1, -1] == 255
    assert dataset.mask(1)[0, 0] == 255


def packed(root: Path, **more: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in root.rglob("*.*"):
            archive.write(file, file.relative_to(root.parent))
        for name, content in more.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_zip_is_unpacked_and_chosen(data_page: Callable[[], AppTest], served: Path, tmp_path: Path) -> None:
    source = voc(tmp_path / "source").parent.parent
    page = data_page()
    uploader = page.file_uploader(key="data_set_zip_0")
    uploader.upload("x.zip", packed(source, **{"../evil.png": b"x"}), "application/zip").run()
    page.button(key="data_unpack").click().run()
    until_over(page, "data_unpack_job")
    assert "does not lie where" in page.error[0].value
    assert list(served.iterdir()) == []
    page.file_uploader(key="data_set_zip_0").upload("x.zip", packed(source), "application/zip").run()
    page.text_input(key="data_set_name").set_value("given")
    page.button(key="data_unpack").click().run()
    until_over(page, "data_unpack_job")
    assert not page.error
    assert page.selectbox(key="data_set").value == "given/VOCdevkit/VOC2012"
    assert page.code[0].value == f"voc:{served}/given/VOCdevkit/VOC2012@train"


def test_a_zip_that_is_unpacked_while_the_page_is_drawn_is_listed(
    data_page: Callable[[], AppTest], served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page looks for pictures, then the last file comes, then it tells of the zip: it must look again."""
    from app.data_page import own_section
    from app.jobs import DONE, RUNNING, board

    page = data_page()
    job = own_section.UnpackJob(None, served, "pets")
    board().start(job, lambda _: None, at_once=True)
    until = time.monotonic() + 60
    while not job.is_over:
        assert time.monotonic() < until
        time.sleep(0.01)
    job.state = RUNNING
    page.session_state["data_unpack_job"] = job.id
    shown = own_section._upload_state

    def after_the_last_file(root: Path) -> None:
        if not job.is_over:
            job.folder = folder(served / "pets", ids=["a"])
            job.state = DONE
        shown(root)

    monkeypatch.setattr(own_section, "_upload_state", after_the_last_file)
    page.run()
    assert f"Unpacked to {served / 'pets'}." in texts(page)
    assert page.selectbox(key="data_set").value == "pets"


def test_weights_become_a_run_that_every_page_takes(data_page: Callable[[], AppTest], runs: Path) -> None:
    page = data_page()
    page.segmented_control(key="data_checkpoint_from").set_value("weights").run()
    stream = io.BytesIO()
    torch.save({"state_dict": with_fc()}, stream)
    page.file_uploader(key="data_weights_0").upload("my net.pth", stream.getvalue(), "application/octet-stream").run()
    page.text_area(key="data_class_names").set_value("cat, dog")
    page.button(key="data_weights_now").click().run()
    assert "one more than there are class names" in page.error[0].value
    assert not runs.exists() or not list(runs.iterdir())
    page.text_area(key="data_class_names").set_value("background, sheep, cow")
    page.button(key="data_weights_now").click().run()
    assert not page.error
    assert not page.exception
    info = read_info(runs / "my-net")
    assert (info.classes, info.has_background, info.network["backbone"]) == (["sheep", "cow"], True, "resnet18")
    assert info.command == (
        "python -m recam_core checkpoint import 'my net.pth' --out runs/my-net --classes background,sheep,cow"
    )
    assert "fc.bias was left out" in texts(page).replace("\\", "")
    page.button(key="data_open_run").click().run()
    assert not page.exception
    assert page.selectbox(key="explore_family").value.startswith("own-")
    for name in ("confusions", "lab", "trainings", "runs", "results"):
        go(page, name)
        assert not page.exception, name


def test_a_list_of_classes_as_a_file(data_page: Callable[[], AppTest], runs: Path) -> None:
    page = data_page()
    page.segmented_control(key="data_checkpoint_from").set_value("weights").run()
    stream = io.BytesIO()
    torch.save(with_fc(2), stream)
    page.file_uploader(key="data_weights_0").upload("x.pt", stream.getvalue(), "application/octet-stream").run()
    page.file_uploader(key="data_class_file_0").upload("classes.txt", b"\xff\xff", "text/plain").run()
    page.button(key="data_weights_now").click().run()
    assert "not a text file" in page.error[0].value
    page.file_uploader(key="data_class_file_0").upload("classes.txt", b"dog, wild\ncat\n", "text/plain").run()
    page.selectbox(key="data_has_background").set_value(False)
    page.button(key="data_weights_now").click().run()
    assert not page.error
    info = read_info(runs / "x")
    assert (info.classes, info.has_background) == (["dog, wild", "cat"], False)


def test_the_limit_is_said_in_one_place(data_page: Callable[[], AppTest], repo_root: Path) -> None:
    import tomllib

    from app.settings import PHOTO_MB, UPLOAD_LIMITS, upload_mb

    stated = tomllib.loads((repo_root / ".streamlit" / "config.toml").read_text())["server"]["maxUploadSize"]
    assert stated == upload_mb() >= 256, "a ResNet-50 run has nearly 200 MB"
    page = data_page()
    for uploader in page.file_uploader:
        assert uploader.proto.max_upload_size_mb == stated
        assert f"At most {stated} MB" in uploader.help
    go(page, "explore")
    page.segmented_control(key="explore_source").set_value("Your photo").run()
    assert {one.proto.max_upload_size_mb for one in page.file_uploader} == {PHOTO_MB}
    assert UPLOAD_LIMITS.max_bytes == PHOTO_MB * 1_000_000
