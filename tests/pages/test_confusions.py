"""The Confusions page: scores, galleries, pairs, classes, pictures, filters, tags and links."""

import base64
import json
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import streamlit as st
from chart_content import figures
from streamlit.testing.v1 import AppTest

from app import datasets
from app.chart import complete, frames_nothing, key_while, pressed_number, pressed_numbers
from app.confusions import gallery, matrix_section, moved
from app.confusions.selection import ANY, MOST_PAIRS, Selection
from app.screens import confusions
from recam_core.analysis.analysed import Analysed, analyse, analysed_name, settings_of
from recam_core.analysis.tags import TagBook
from recam_core.checkpoint.run_folder import RunInfo, load_run, read_info
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import VOID, Dataset, label_matrix
from recam_core.data.spec import open_dataset
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, grid_size, seed_mask
from recam_core.maps.dataset_maps import store_info
from recam_core.maps.store import writing_store
from recam_core.progress import Cancelled, ProgressFn
from recam_core.scores.band import within_band
from recam_core.scores.evaluate import Tally
from recam_core.scores.scores import score

SPEC = "scenes:size=64,train=6,val=8@val"
METHODS = ("bce", "sce", "recam")
#: Random networks: at this threshold every kind of pixel occurs.
THRESHOLD = 0.3


def show_confusions() -> None:
    from app.screens import confusions

    confusions.main()


@pytest.fixture(scope="module")
def made(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Analysed]]:
    """A cache with the maps of three methods, and what it holds."""
    folder = tmp_path_factory.mktemp("analyses")
    pictures = open_dataset(SPEC)
    analysed = {}
    for method in METHODS:
        run = load_run(assets / "checkpoints" / "scenes" / method)
        settings = settings_of(run.info)
        analysed[method] = analyse(run, run.info.rule, pictures, settings, folder=folder)
    return folder, analysed


@pytest.fixture
def shown(
    assets: Path, runs: Path, made: tuple[Path, dict[str, Analysed]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """``shown(**address)`` draws the page with these query parameters."""
    monkeypatch.setenv("RECAM_ASSETS", str(assets))
    monkeypatch.setenv("RECAM_RUNS", str(runs))
    monkeypatch.setenv("RECAM_CACHE", str(made[0]))
    monkeypatch.setenv("RECAM_DEVICE", "cpu")

    def run(**address: str) -> AppTest:
        page = AppTest.from_function(show_confusions, default_timeout=120)
        for name, value in ({"data": SPEC} | address).items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return run


def write_random_maps(folder: Path, info: RunInfo, spec: str) -> None:
    """What an analysis of large photos would leave, in the time that noise takes."""
    pictures, settings = open_dataset(spec), settings_of(info)
    generator, tally = np.random.default_rng(0), Tally(pictures.classes)
    target = folder / analysed_name(info, info.rule, dataset_digest(pictures), settings)
    with writing_store(target / "maps", store_info(info, info.rule, pictures, settings)) as writer:
        for index in range(len(pictures)):
            sample = pictures.load(index)
            size, classes = sample.image.shape[:2], np.flatnonzero(sample.labels)
            grids = generator.integers(0, 256, (len(classes), *grid_size(size)), dtype=np.uint8)
            maps = ActivationMaps(sample.id, size, classes, grids)
            writer.add(maps)
            tally.add(maps, sample.mask)
    tally.evaluation().counts.save(target / "counts.npz")


def heading(page: AppTest) -> str:
    return next(box.value for box in page.markdown if box.value.startswith("#### ")).removeprefix("#### ")


def pixels_shown(page: AppTest) -> list[int]:
    """What stands on the pictures of the gallery, in their order."""
    return [int(b.label.removesuffix(" px").replace(",", "")) for b in page.button if b.label.endswith(" px")]


def pictures_shown(page: AppTest) -> list[str]:
    return [b.help.split(":")[0].replace("\\", "") for b in page.button if b.label.endswith(" px")]


def texts(page: AppTest) -> str:
    return "\n".join(str(box.value) for kind in ("markdown", "caption") for box in getattr(page, kind))


def counted(analysed: Analysed, threshold: float, chosen: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> dict:
    """By picture, pixels that are counted anew from the maps and the masks; only pictures that have some."""
    pictures, found = open_dataset(SPEC), {}
    for index, picture in enumerate(pictures.ids):
        mask = pictures.mask(index)
        seeds = seed_mask(*argmax_and_activation(analysed.store[picture]), threshold)
        if pixels := int((chosen(seeds, mask) & (mask != VOID)).sum()):
            found[picture] = pixels
    return found


def test_labels_that_take_long_are_read_in_the_background(
    shown: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()

    def slowly(dataset: Dataset, progress: ProgressFn) -> np.ndarray:
        progress(1, 2, "")
        assert may_go_on.wait(60)
        return label_matrix(dataset)

    monkeypatch.setattr(datasets, "FEW", 0)
    monkeypatch.setattr(datasets, "PATIENCE", 0.0)
    monkeypatch.setattr(datasets, "all_labels", slowly)
    datasets.labels_of_set.clear()
    try:
        page = shown()
        (bar,) = page.get("progress")
        assert "Reading the labels" in bar.proto.text
        assert not page.button
    finally:
        may_go_on.set()
    job = datasets.labels_of_set(SPEC)
    until = time.monotonic() + 60
    while not job.is_over and time.monotonic() < until:
        time.sleep(0.01)
    page.run()
    assert not page.exception
    assert heading(page)
    datasets.labels_of_set.clear()


def test_opens_on_the_matrix_and_the_worst_pair(shown: Callable[..., AppTest], made: tuple) -> None:
    page = shown()
    assert page.segmented_control(key="confusions_section").value == "matrix"
    assert "Press a cell" in texts(page)
    assert pixels_shown(page) == sorted(pixels_shown(page), reverse=True)
    recam = made[1]["recam"]
    confusion = score(recam.counts.total(), recam.threshold).confusion
    confusion[0], confusion[:, 0] = 0, 0
    np.fill_diagonal(confusion, 0)
    truth, predicted = np.unravel_index(confusion.argmax(), confusion.shape)
    names = ("background", *recam.counts.classes.names)
    assert heading(page).lower() == f"{names[truth]} taken for {names[predicted]}"
    assert f"{confusion.max():,} pixels" in texts(page)


@pytest.mark.parametrize(
    ("cell", "chosen"),
    [
        ("6.14", lambda seeds, mask: (mask == 6) & (seeds == 14)),
        ("any.14", lambda seeds, mask: (mask != 14) & (seeds == 14)),
        ("6.any", lambda seeds, mask: (mask == 6) & (seeds != 6)),
        ("6.0", lambda seeds, mask: (mask == 6) & (seeds == 0)),
        ("0.6", lambda seeds, mask: (mask == 0) & (seeds == 6)),
        ("14.14", lambda seeds, mask: (mask == 14) & (seeds == 14)),
    ],
)
def test_the_first_picture_is_the_worst(
    shown: Callable[..., AppTest], made: tuple, cell: str, chosen: Callable
) -> None:
    page = shown(cell=cell, method="scenes/bce", threshold=str(THRESHOLD))
    expected = counted(made[1]["bce"], THRESHOLD, chosen)
    pixels = pixels_shown(page)
    assert pixels == sorted(expected.values(), reverse=True)
    assert dict(zip(pictures_shown(page), pixels, strict=True)) == expected
    assert expected


def test_a_moved_threshold_scores_anew_without_a_network(
    shown: Callable[..., AppTest], made: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = shown(cell="6.0", method="scenes/bce")
    assert page.toggle(key="confusions_own").value is True

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a network was run")

    monkeypatch.setattr("recam_core.maps.dataset_maps.batch_features", forbidden)
    page.slider(key="confusions_threshold").set_value(0.8).run()
    assert not page.exception
    assert page.toggle(key="confusions_own").value is False
    assert page.query_params["threshold"] in ("0.8", ["0.8"])
    confusion = score(made[1]["bce"].counts.total(), 0.8).confusion
    assert f"{confusion[6, 0]:,} pixels" in texts(page)
    page.toggle(key="confusions_own").set_value(True).run()
    assert "threshold" not in page.query_params


def test_rows_and_columns_are_one_press_away(shown: Callable[..., AppTest]) -> None:
    page = shown(cell="6.14", threshold=str(THRESHOLD))
    page.button(key="confusions_wider_row").click().run()
    assert heading(page).startswith("False negatives of")
    page.selectbox(key="confusions_choice_truth").set_value(6).run()
    page.selectbox(key="confusions_choice_predicted").set_value(14).run()
    page.button(key="confusions_wider_column").click().run()
    assert heading(page).startswith("False positives of")
    # Anything else on both sides would be nothing in particular: the lists go back.
    page.selectbox(key="confusions_choice_predicted").set_value(ANY).run()
    assert heading(page).startswith("False positives of")
    assert page.selectbox(key="confusions_choice_predicted").value == 14
    assert not page.exception


def test_a_picture_opens_in_explore_with_its_classes(
    shown: Callable[..., AppTest], made: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict] = []
    monkeypatch.setattr(gallery, "open_explore", lambda **what: opened.append(what))
    page = shown(cell="6.any", method="scenes/bce", threshold=str(THRESHOLD))
    worst = pictures_shown(page)[0]
    page.button(key="confusions_gallery_0").click().run()
    names = made[1]["bce"].counts.classes.names
    assert opened == [
        {
            "data": SPEC,
            "picture": worst,
            "classes": [names[5]],
            "runs": ["scenes/bce", "scenes/sce", "scenes/recam"],
            "threshold": THRESHOLD,
            "overlay": "errors",
        }
    ]


def test_every_section_draws_with_every_choice(shown: Callable[..., AppTest]) -> None:
    page = shown()
    for section in ("matrix", "pairs", "classes", "pictures"):
        page.segmented_control(key="confusions_section").set_value(section).run()
        for method in METHODS:
            page.segmented_control(key="confusions_method_choice").set_value(f"scenes/{method}").run()
            assert not page.exception, (section, method)
            assert not page.error
    assert page.query_params["section"] in ("pictures", ["pictures"])


def test_one_method_alone(shown: Callable[..., AppTest]) -> None:
    for section in ("matrix", "pairs", "classes", "pictures"):
        page = shown(section=section, runs="scenes/sce")
        assert not page.error
        assert page.segmented_control(key="confusions_method_choice").options == ["SCE-CAM"]


def test_what_changed_between_two_methods(shown: Callable[..., AppTest]) -> None:
    page = shown(less="scenes/bce")
    assert page.selectbox(key="confusions_less_choice").value == "scenes/bce"
    page.segmented_control(key="confusions_matrix_unit").set_value("pixels").run()
    assert not page.exception
    page.selectbox(key="confusions_less_choice").set_value("").run()
    assert "less" not in page.query_params


def naive_moved(made: tuple, lost: bool, chosen: Callable[[int, int, int], bool]) -> dict[str, int]:
    """By picture: pixels that BCE-CAM has wrong and ReCAM right (or the reverse), one after another."""
    pictures, found = open_dataset(SPEC), {}
    for index, id in enumerate(pictures.ids):
        mask = pictures.mask(index)
        seeds = [seed_mask(*argmax_and_activation(made[1][method].store[id]), THRESHOLD) for method in ("bce", "recam")]
        right, wrong = seeds if lost else seeds[::-1]
        pixels = 0
        for y, x in np.ndindex(mask.shape):
            truth = int(mask[y, x])
            if truth != VOID and right[y, x] == truth != wrong[y, x]:
                pixels += chosen(truth, *(int(each[y, x]) for each in seeds))
        if pixels:
            found[id] = pixels
    return found


def moved_shown(page: AppTest) -> AppTest:
    """The page, once the pixels of both methods were compared."""
    until = time.monotonic() + 60
    while page.get("progress") and time.monotonic() < until:
        time.sleep(0.2)
        page.run()
    assert not page.exception
    assert not page.error
    return page


def test_a_matrix_is_drawn_once_for_all_who_look_at_it(
    shown: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    builder = matrix_section.matrix_chart
    monkeypatch.setattr(matrix_section, "matrix_chart", lambda *given: drawn.append(None) or builder(*given))
    matrix_section._drawn.clear()
    page = shown()
    first = figures(page)[0]
    assert len(drawn) == 1
    assert figures(shown())[0] == first, "another session"
    page.run()
    assert len(drawn) == 1
    page.segmented_control(key="confusions_matrix_unit").set_value("pixels").run()
    assert len(drawn) == 2
    assert figures(page)[0] != first


def test_a_matrix_that_is_shared_stays_as_it_was_drawn(
    shown: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, drawn = [], matrix_section._drawn
    monkeypatch.setattr(matrix_section, "_drawn", lambda *values: (asked.append(values), drawn(*values))[1])
    page = shown()
    page.segmented_control(key="confusions_matrix_unit").set_value("pixels").run()
    page.segmented_control(key="confusions_method_choice").set_value("scenes/bce").run()
    assert len(asked) == 3
    for values in asked:
        (cells, shared), (fresh_cells, fresh) = drawn(*values), drawn.__wrapped__(*values)
        assert shared is drawn(*values)[1]
        assert shared is not fresh
        assert shared.to_json() == fresh.to_json()
        assert (cells.words == fresh_cells.words).all()
        assert (cells.pixels == fresh_cells.pixels).all()


def test_what_is_pressed_at_the_matrix_draws_its_section_alone(
    shown: Callable[..., AppTest],
    in_part: Callable[[AppTest, int], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, choose = [], confusions.choose
    monkeypatch.setattr(confusions, "choose", lambda catalogue: (whole.append(1), choose(catalogue))[1])
    page = shown()
    (before,) = figures(page)
    with in_part(page, 0):
        page.segmented_control(key="confusions_matrix_unit").set_value("pixels").run()
    (pixels,) = figures(page)
    assert pixels["data"] != before["data"]
    assert page.query_params["unit"] == "pixels"
    line = next(b.key for b in page.button if b.key.startswith("confusions_line_") and b.proto.type == "secondary")
    with in_part(page, 0):
        page.button(key=line).click().run()
    truth, predicted = line.removeprefix("confusions_line_").split("_")
    assert page.query_params["cell"] == f"{truth}.{predicted}"
    of_the_part = heading(page), pixels_shown(page), figures(page)
    assert whole == [1]
    page.run()
    assert whole == [1, 1]
    assert (heading(page), pixels_shown(page), figures(page)) == of_the_part


def test_behind_a_cell_of_a_difference_are_the_pictures_that_moved(
    shown: Callable[..., AppTest], made: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict] = []
    monkeypatch.setattr(gallery, "open_explore", lambda **what: opened.append(what))
    link = {"less": "scenes/bce", "method": "scenes/recam", "threshold": str(THRESHOLD)}
    cells: Counter = Counter()

    def note(truth: int, before: int, after: int) -> bool:
        cells[truth, before] += 1
        return True

    naive_moved(made, False, note)
    truth, taken_for = cells.most_common(1)[0][0]
    names = ("background", *made[1]["bce"].counts.classes.names)

    page = moved_shown(shown(cell=f"{truth}.{taken_for}", **link))
    cell = naive_moved(made, False, lambda t, before, after: (t, before) == (truth, taken_for))
    assert sum(cell.values()) == cells[truth, taken_for] > 0
    assert pixels_shown(page) == sorted(cell.values(), reverse=True)
    assert [cell[id] for id in pictures_shown(page)] == pixels_shown(page)
    assert heading(page).lower() == f"{names[truth]} taken for {names[taken_for]}"
    assert "wrong and ReCAM right" in texts(page)
    first = pictures_shown(page)[0]
    page.button(key="confusions_gallery_0").click().run()
    assert (opened[-1]["overlay"], opened[-1]["picture"], opened[-1]["classes"]) == ("taken", first, [])

    page.selectbox(key="confusions_moved_choice").set_value("cell-lost").run()
    lost = naive_moved(made, True, lambda t, before, after: (t, after) == (truth, taken_for))
    assert pixels_shown(page) == sorted(lost.values(), reverse=True)
    page.selectbox(key="confusions_moved_choice").set_value("false").run()
    everything = naive_moved(made, False, lambda t, before, after: t == 0)
    assert pixels_shown(page) == sorted(everything.values(), reverse=True)
    assert page.query_params["moved"] in ("false", ["false"])
    page.selectbox(key="confusions_moved_choice").set_value("still").run()
    assert "wrong and ReCAM right" not in texts(page)

    # On the diagonal is what is right: what any error of the class was taken back into.
    page = moved_shown(shown(cell="0.0", **link))
    assert pixels_shown(page) == sorted(everything.values(), reverse=True)


def test_pictures_in_the_order_of_what_is_taken_back(shown: Callable[..., AppTest], made: tuple) -> None:
    page = shown(section="pictures", method="scenes/recam", threshold=str(THRESHOLD))
    for order, lost, chosen in (
        ("false", False, lambda truth, before, after: truth == 0),
        ("wrong", False, lambda truth, before, after: truth > 0 and before > 0),
        ("lost-by", True, lambda truth, before, after: True),
    ):
        page.selectbox(key="confusions_picture_order").set_value(order).run()
        page = moved_shown(page)
        wanted = naive_moved(made, lost, chosen)
        table = page.dataframe[0].value
        pixels = [wanted.get(id, 0) for id in table["picture"]]
        assert pixels == sorted(wanted.values(), reverse=True) + [0] * (8 - len(wanted))
        assert table["moved"].tolist() == pixels
        assert pixels_shown(page) == pixels
    # The reference takes nothing back from itself.
    page.segmented_control(key="confusions_method_choice").set_value("scenes/bce").run()
    assert not any("taken back" in words for words in page.selectbox(key="confusions_picture_order").options)
    assert not page.exception


def test_comparing_pixel_by_pixel_can_be_cancelled_and_begun_again(
    shown: Callable[..., AppTest], made: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(*arguments: object) -> None:
        raise Cancelled

    for folder in made[0].glob("joint-*"):
        shutil.rmtree(folder)
    st.cache_resource.clear()
    work = moved.joint_counts
    monkeypatch.setattr(moved, "joint_counts", cancelled)
    page = moved_shown(shown(less="scenes/bce", method="scenes/recam", threshold=str(THRESHOLD)))
    assert any("Cancelled" in info.value for info in page.info)
    assert not pixels_shown(page)
    monkeypatch.setattr(moved, "joint_counts", work)
    page.button(key="confusions_moved_again").click().run()
    assert pixels_shown(moved_shown(page))


def test_only_pixels_near_contours_count(shown: Callable[..., AppTest], made: tuple) -> None:
    pictures = open_dataset(SPEC)
    masks = {id: within_band(pictures.mask(index), 3) for index, id in enumerate(pictures.ids)}

    def cut(method: str, id: str) -> np.ndarray:
        return seed_mask(*argmax_and_activation(made[1][method].store[id]), THRESHOLD)

    link = {"method": "scenes/recam", "threshold": str(THRESHOLD), "cell": "0.any"}
    page = moved_shown(shown(**link, band="3"))
    wanted = {id: int(((mask == 0) & (cut("recam", id) != 0)).sum()) for id, mask in masks.items()}
    assert dict(zip(pictures_shown(page), pixels_shown(page), strict=True)) == {id: n for id, n in wanted.items() if n}
    whole = sum(int((pictures.mask(index) != VOID).sum()) for index in range(len(pictures)))
    share = sum(int((mask != VOID).sum()) for mask in masks.values()) / whole
    assert f"only the pixels within 3 pixels of a contour of the ground truth: {share:.1%} of all" in texts(page)
    assert "ReCAM, within 3 px" in page.segmented_control(key="confusions_method_choice").options
    assert "within 3 pixels of a contour" in figures(page)[0]["layout"]["yaxis"]["title"]["text"]
    outlined = gallery_images(page)
    # What moved between two methods is of the band, too.
    moved_page = moved_shown(shown(**link, less="scenes/bce", band="3"))
    moved = [int(((mask == 0) & (cut("bce", id) != 0) & (cut("recam", id) == 0)).sum()) for id, mask in masks.items()]
    assert pixels_shown(moved_page) == sorted(filter(None, moved), reverse=True)
    for section in ("pairs", "classes", "pictures"):
        assert not shown(section=section, band="3").exception
    # Back to all pixels, outlined as they are counted.
    page.selectbox(key="confusions_band_choice").set_value("").run()
    assert "band" not in page.query_params
    assert sum(pixels_shown(page)) > sum(wanted.values())
    assert not set(gallery_images(page)) & set(outlined)
    assert pixels_shown(shown(**link, band="9999")) == pixels_shown(page)


def gallery_images(page: AppTest) -> list[str]:
    """The addresses of the pictures on the buttons of the gallery."""
    return re.findall(r"url\((data:[^)]+)\)", "".join(box.proto.body for box in page.get("html")))


def lines(page: AppTest) -> list[tuple[int, int, str]]:
    """The lines that a narrow window shows in place of the matrix: ground truth, prediction, words."""
    found = [(b.key.split("_")[2:], b.label) for b in page.button if str(b.key).startswith("confusions_line_")]
    return [(int(truth), int(predicted), label) for (truth, predicted), label in found]


def test_in_a_narrow_window_lines_do_what_cells_do(shown: Callable[..., AppTest], made: tuple) -> None:
    page = shown(method="scenes/bce", threshold=str(THRESHOLD))
    confusion = score(made[1]["bce"].counts.total(), THRESHOLD).confusion
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(share, 0)
    listed = lines(page)
    shares = [share[truth, predicted] for truth, predicted, _ in listed]
    assert shares == sorted(share.ravel().tolist(), reverse=True)[: len(listed)]
    truth, predicted, words = listed[1]
    assert f"{100 * shares[1]:.0f} %" in words
    page.button(key=f"confusions_line_{truth}_{predicted}").click().run()
    assert not page.exception
    names = ("background", *made[1]["bce"].counts.classes.names)
    assert heading(page).lower() == f"{names[truth]} taken for {names[predicted]}"

    # What changed between two methods: two lists, of what was taken back and of what was lost.
    page = shown(method="scenes/sce", less="scenes/bce", threshold=str(THRESHOLD))
    after = score(made[1]["sce"].counts.total(), THRESHOLD).confusion
    change = after / np.maximum(after.sum(axis=1, keepdims=True), 1) - share
    signs = [change[truth, predicted] < 0 for truth, predicted, _ in lines(page)]
    assert signs == sorted(signs, reverse=True)
    assert set(signs) == {True, False}
    assert all(("−" in words) == fell for fell, (_, _, words) in zip(signs, lines(page), strict=True))
    assert {"**Taken back, most first**", "**More confused than before, most first**"} <= {
        b.value for b in page.markdown
    }


def matrix_of(page: AppTest) -> dict[tuple[int, int], list[float]]:
    """What the cells of the matrix stand for, by ground truth and prediction: all their numbers."""
    trace = next(trace for trace in figures(page)[0]["data"] if trace["type"] == "scatter" and "customdata" in trace)
    data = trace["customdata"]
    values = np.frombuffer(base64.b64decode(data["bdata"]), data["dtype"])
    rows = values.reshape([int(side) for side in data["shape"].split(",")])
    return {(int(truth), int(predicted)): rest for truth, predicted, *rest in rows.tolist()}


def test_the_matrix_holds_the_pixels(shown: Callable[..., AppTest], made: tuple) -> None:
    page = shown(method="scenes/bce", threshold=str(THRESHOLD), cell="6.14")
    before = score(made[1]["bce"].counts.total(), THRESHOLD).confusion
    cells = matrix_of(page)
    assert {cell: int(pixels) for cell, (_, pixels) in cells.items()} == {
        (truth, predicted): before[truth, predicted] for truth, predicted in cells
    }
    assert sum(pixels for _, pixels in cells.values()) == before.sum()
    assert figures(page)[0]["layout"]["shapes"]  # the frame of the chosen cell
    page = shown(method="scenes/sce", less="scenes/bce", threshold=str(THRESHOLD))
    after = score(made[1]["sce"].counts.total(), THRESHOLD).confusion
    for (truth, predicted), (_, _, _, _, change) in matrix_of(page).items():
        assert change == after[truth, predicted] - before[truth, predicted]


def test_several_pairs_together_are_one_gallery(shown: Callable[..., AppTest], made: tuple, runs: Path) -> None:
    expected = counted(
        made[1]["bce"], THRESHOLD, lambda seeds, mask: ((mask == 6) & (seeds == 0)) | ((mask == 14) & (seeds == 6))
    )
    for section in ("pairs", "matrix", "classes"):
        page = shown(section=section, cell="6.0,14.6", method="scenes/bce", threshold=str(THRESHOLD))
        assert heading(page) == "2 pairs of classes"
        assert pixels_shown(page) == sorted(expected.values(), reverse=True)
        assert dict(zip(pictures_shown(page), pixels_shown(page), strict=True)) == expected
        assert "car → background, " in texts(page).replace("\\", "")
    assert page.selectbox(key="confusions_choice_truth").value == ANY
    assert page.query_params["cell"] in ("6.0,14.6", ["6.0,14.6"])
    # A tag on them is about whole pictures.
    page.text_input(key="confusions_tag_name_cell").set_value("both")
    next(button for button in page.button if button.label == "Save").click().run()
    assert {entry.truth for entry in TagBook(runs / "tags.sqlite").entries(SPEC)} == {""}
    page.selectbox(key="confusions_choice_truth").set_value(6).run()
    assert heading(page).startswith("False negatives of")
    # What one method takes back of another's errors, in these cells together.
    page = moved_shown(shown(cell="6.0,14.6", less="scenes/bce", method="scenes/recam", threshold=str(THRESHOLD)))
    moved_pixels = naive_moved(made, False, lambda truth, before, after: (truth, before) in ((6, 0), (14, 6)))
    assert pixels_shown(page) == sorted(moved_pixels.values(), reverse=True)
    # More than a link can hold are cut, and a cell that names nothing among several is refused.
    many = ",".join(f"{k // 15}.{k % 15}" for k in range(100))
    assert heading(shown(section="pairs", cell=many)) == f"{MOST_PAIRS} pairs of classes"
    assert "pairs of classes" not in heading(shown(section="pairs", cell="6.any,14.6"))


def test_the_axis_of_pairs_goes_by_powers_of_ten(shown: Callable[..., AppTest]) -> None:
    page = shown(section="pairs", threshold=str(THRESHOLD))
    assert figures(page)[0]["layout"]["yaxis"].get("type") != "log"
    page.toggle(key="confusions_pairs_log").set_value(True).run()
    assert not page.exception
    assert figures(page)[0]["layout"]["yaxis"]["type"] == "log"
    assert page.query_params["log"] in ("1", ["1"])


def test_every_picture_is_a_point_of_the_plot(shown: Callable[..., AppTest]) -> None:
    page = shown(section="pictures", threshold=str(THRESHOLD), method="scenes/recam")
    table = page.dataframe[0].value.set_index("picture")
    page.segmented_control(key="confusions_pictures_as").set_value("plot").run()
    assert not page.exception
    assert not [box for box in page.dataframe if "miou scenes/recam" in box.value.columns]
    assert page.query_params["as"] in ("plot", ["plot"])

    def points(page: AppTest) -> dict[str, tuple[float, float]]:
        found = {}
        for trace in figures(page)[0]["data"]:
            if "customdata" in trace:
                ends = [decoded(trace[axis]) for axis in ("x", "y")]
                names = [text.split("<br>")[0] for text in trace["hovertext"]]
                found |= dict(zip(names, zip(*ends, strict=True), strict=True))
        return found

    expected = {picture: (row["miou scenes/bce"], row["miou scenes/recam"]) for picture, row in table.iterrows()}
    drawn = points(page)
    assert set(drawn) == set(expected)
    for picture, ends in expected.items():
        assert drawn[picture] == pytest.approx(ends)
    assert pixels_shown(page) == []
    assert "press or draw around points" in texts(page)
    page.selectbox(key="confusions_pictures_across").set_value("size").run()
    assert not page.exception
    assert sorted(x for x, _ in points(page).values()) == pytest.approx(sorted(table["largest"]), abs=1e-6)
    # A link may name a method that is not there.
    stray = shown(section="pictures", across="nobody", **{"as": "plot"})
    assert stray.selectbox(key="confusions_pictures_across").value == "scenes/bce"
    # A method alone is drawn against the size of what the pictures show.
    alone = shown(section="pictures", runs="scenes/sce", **{"as": "plot"})
    assert alone.selectbox(key="confusions_pictures_across").value == "size"
    assert len(points(alone)) == 8


def decoded(values: list | dict) -> list[float]:
    """Numbers as Plotly sends them: as they are, or packed."""
    if isinstance(values, list):
        return values
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()


def test_pairs_are_listed_with_every_method(shown: Callable[..., AppTest], made: tuple) -> None:
    page = shown(section="pairs", method="scenes/bce", threshold=str(THRESHOLD))
    table = page.dataframe[0].value
    pixels = table["pixels"].tolist()
    assert pixels == sorted(pixels, reverse=True)
    confusion = score(made[1]["bce"].counts.total(), THRESHOLD).confusion
    assert sum(pixels) == confusion[1:, 1:].sum() - np.trace(confusion[1:, 1:])
    page.toggle(key="confusions_pairs_background").set_value(True).run()
    assert sum(page.dataframe[0].value["pixels"]) == confusion.sum() - np.trace(confusion)


def test_classes_say_which_gains_may_be_noise(shown: Callable[..., AppTest]) -> None:
    page = shown(section="classes")
    assert "may be noise" in texts(page)
    page.selectbox(key="confusions_flow_class").set_value(3).run()
    assert not page.exception
    assert heading(page).startswith("False negatives of")


def test_pictures_in_every_order(shown: Callable[..., AppTest]) -> None:
    page = shown(section="pictures")
    table = page.dataframe[0].value
    assert len(table) == 8
    column = next(name for name in table.columns if name == "miou scenes/recam")
    assert table[column].tolist() == sorted(table[column])
    for order in ("lost", "gained", "id"):
        page.selectbox(key="confusions_picture_order").set_value(order).run()
        assert not page.exception
    assert page.dataframe[0].value["picture"].tolist() == list(open_dataset(SPEC).ids)


def test_filters_combine_and_fit_into_a_link(shown: Callable[..., AppTest]) -> None:
    pictures = open_dataset(SPEC)
    labels = np.array([pictures.labels(index) for index in range(len(pictures))])
    k = int(labels.sum(axis=0).argmax())
    name = pictures.classes.names[k]
    page = shown(section="pictures")
    page.multiselect(key=f"confusions_filter_classes_scenes_{SPEC}").set_value([name]).run()
    assert not page.exception
    assert len(page.dataframe[0].value) == labels[:, k].sum()
    link = page.query_params["filter"]
    link = link[0] if isinstance(link, list) else link
    assert json.loads(link) == {"c": [k]}

    again = shown(section="pictures", filter=link)
    assert len(again.dataframe[0].value) == labels[:, k].sum()
    again.selectbox(key=f"confusions_filter_worse_scenes_{SPEC}").set_value("scenes/recam").run()
    table = again.dataframe[0].value
    assert (table["miou scenes/recam"] < table["miou scenes/bce"]).all()
    again.button(key="confusions_filter_clear").click().run()
    assert len(again.dataframe[0].value) == len(pictures)
    assert "filter" not in again.query_params


def test_filters_that_nothing_passes_are_said_and_left_out(shown: Callable[..., AppTest]) -> None:
    page = shown(filter=json.dumps({"c": list(range(15))}))
    assert "No picture passes" in page.warning[0].value
    assert pixels_shown(page)


@pytest.mark.parametrize(
    "address",
    [
        {"cell": "99.3"},
        {"cell": "any.any"},
        {"cell": "1"},
        {"cell": "²._"},
        {"cell": "1.2,"},
        {"cell": "1.2,3.99"},
        {"cell": "9" * 5000 + ".1"},
        {"as": "<script>"},
        {"section": "nowhere"},
        {"threshold": "nan"},
        {"threshold": "7"},
        {"method": "scenes/none"},
        {"runs": "scenes/none,%"},
        {"filter": "{"},
        {"filter": '{"c": [999]}'},
        {"filter": '{"x": 1}'},
        {"filter": "[" * 5000},
        {"order": "<script>"},
        {"family": "nobody"},
    ],
)
def test_addresses_that_make_no_sense_do_no_harm(shown: Callable[..., AppTest], address: dict[str, str]) -> None:
    page = shown(**address)
    assert not page.error
    assert pixels_shown(page)


def test_tags_survive_a_restart_and_are_exported(shown: Callable[..., AppTest], runs: Path) -> None:
    page = shown(cell="6.0", method="scenes/bce", threshold=str(THRESHOLD))
    tagged = pictures_shown(page)
    page.text_input(key="confusions_tag_name_cell").set_value("=legs")
    page.text_area(key="confusions_tag_note_cell").set_value("cut, off")
    next(button for button in page.button if button.label == "Save").click().run()
    assert not page.exception
    entries = TagBook(runs / "tags.sqlite").entries(SPEC)
    assert [entry.picture for entry in entries] == sorted(tagged)
    assert {(entry.truth, entry.predicted, entry.note) for entry in entries} == {("car", "background", "cut, off")}

    again = shown(section="pictures")
    tags = again.dataframe[-1].value
    assert tags["tag"].tolist() == ["=legs"] * len(tagged)
    assert tags["about"].tolist() == ["car → background"] * len(tagged)
    with_tags = again.dataframe[0].value
    assert sum(bool(len(found)) for found in with_tags["tags"]) == len(tagged)


def test_a_damaged_book_of_tags_is_a_sentence(shown: Callable[..., AppTest], runs: Path) -> None:
    runs.mkdir(parents=True, exist_ok=True)
    (runs / "tags.sqlite").write_bytes(b"no database" * 100)
    page = shown()
    assert any("tags" in box.value for box in page.error)
    assert pixels_shown(page)


def test_what_is_missing_is_offered(shown: Callable[..., AppTest]) -> None:
    page = shown(data="scenes:size=64,train=6,val=2@val")
    assert any(button.label == "Make the maps" for button in page.button)
    assert not page.error
    page = shown(data="voc:nowhere@val")
    assert page.error


def test_without_checkpoints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path))
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path))
    page = AppTest.from_function(show_confusions, default_timeout=60).run()
    assert not page.exception
    assert "no runs yet" in page.info[0].value


def test_classes_without_a_background(shown: Callable[..., AppTest], assets: Path, made: tuple) -> None:
    write_random_maps(made[0], read_info(assets / "checkpoints" / "photos" / "bce"), "gallery")
    for section in ("matrix", "pairs", "classes", "pictures"):
        page = shown(family="photos", data="gallery", runs="photos/bce", section=section)
        assert not page.error
    page = shown(family="photos", data="gallery", runs="photos/bce")
    assert page.toggle(key="confusions_cut").value is False
    page.toggle(key="confusions_cut").set_value(True).run()
    page.selectbox(key="confusions_choice_predicted").set_value(0).run()
    assert heading(page).endswith("taken for unlabelled")


def test_pictures_of_a_single_class_are_left_out_of_lists_with_a_switch(
    shown: Callable[..., AppTest], assets: Path, made: tuple
) -> None:
    write_random_maps(made[0], read_info(assets / "checkpoints" / "photos" / "bce"), "gallery")
    pictures = open_dataset("gallery")
    single = [id for id, labels in zip(pictures.ids, label_matrix(pictures), strict=True) if labels.sum() == 1]
    address = {"family": "photos", "data": "gallery", "runs": "photos/bce", "section": "pictures"}
    page = shown(**address)
    strip = [box.proto.body for box in page.get("html")]
    assert not set(page.dataframe[0].value["picture"]) & set(single)
    assert len(page.dataframe[0].value) == len(pictures) - len(single)
    assert f"Mean mIoU of {len(pictures) - len(single)} pictures" in texts(page)
    assert f"{len(single)} pictures show a single class" in texts(page)
    page.toggle(key="confusions_with_single").set_value(True).run()
    assert set(single) <= set(page.dataframe[0].value["picture"])
    assert f"Mean mIoU of {len(pictures)} pictures" in texts(page)
    assert page.query_params["single"] in ("1", ["1"])
    # What is pooled over all pixels holds them either way.
    cards = [body for body in strip if "method-card" in body]
    assert cards
    assert [box.proto.body for box in page.get("html") if "method-card" in box.proto.body] == cards
    # In galleries they are of the rightly found only.
    k = int(np.flatnonzero(label_matrix(pictures)[pictures.ids.index(single[0])])[0]) + 1
    assert single[0] not in pictures_shown(shown(**address | {"section": "matrix", "cell": f"{k}.{k}"}))
    assert single[0] in pictures_shown(shown(**address | {"section": "matrix", "cell": f"{k}.{k}", "single": "1"}))
    # With a threshold weak pixels are left out, and every picture tells.
    page = shown(**address | {"threshold": "0.3"})
    assert set(single) <= set(page.dataframe[0].value["picture"])
    assert "single class" not in texts(page)
    # A set with a background has none of them, and no switch.
    assert "confusions_with_single" not in [toggle.key for toggle in shown().toggle]


# The parts ------------------------------------------------------------------------------------------------------------


def test_selections_name_their_cells() -> None:
    assert Selection(1, 2).cells(4).sum() == 1
    assert Selection(ANY, 2).cells(4).sum() == 3
    assert not Selection(1, ANY).cells(4)[1, 1]
    assert Selection(1, ANY).values == (1,)
    both = Selection.of([(1, 2), (2, 3)])
    assert np.argwhere(both.cells(4)).tolist() == [[1, 2], [2, 3]]
    assert (both.values, both.name, both.words(("a",) * 4)) == ((1, 2, 3), "1.2,2.3", "2 pairs of classes")
    assert Selection.of([(ANY, 2)]) == Selection(ANY, 2)


def test_presses_are_read_as_numbers_and_forgotten_with_what_they_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    state = {
        "one": {"selection": {"points": [{"customdata": {"0": 3.0, "1": 5.0, "2": 0.25}}]}},
        "two": {"selection": {"points": [{"customdata": [1, 2]}, {"x": 3}, {"customdata": [4, 5]}]}},
        "none": {"selection": {"points": []}},
        "lasso": {"selection": {"points": [], "box": [], "lasso": [{"x": [0, 1, 1], "y": [0, 0, 1]}]}},
        "box": {"selection": {"points": [{"customdata": [1, 2]}], "box": [{"x": [0, 1], "y": [0, 1]}]}},
    }
    monkeypatch.setattr(st, "session_state", state)
    assert pressed_number("one", 2) == (3, 5)
    assert pressed_numbers("two", 2) == [(1, 2), (4, 5)]
    assert pressed_number("none", 2) is pressed_number("nowhere", 2) is None
    assert [frames_nothing(key) for key in ("lasso", "box", "none", "nowhere")] == [True, False, False, False]
    assert key_while("one", lambda key: True) == "one_0"
    assert key_while("one", lambda key: key != "one_0") == "one_1"
    assert key_while("one", lambda key: True) == "one_1"


def test_figures_are_of_one_zoom_where_their_axes_mean_the_same() -> None:
    def meaning(key: str = "confusions_matrix_0", size: int = 5, **layout: object) -> str:
        usual = {"xaxis": {"title": "taken for", "ticktext": ["cat", "dog"]}, "yaxis": {"title": "truth"}}
        figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], marker_size=size), usual | layout)
        complete(figure, key, is_pressed=True)
        return figure.layout.uirevision

    assert meaning() == meaning(size=9) == meaning("confusions_matrix_17")
    others = [
        meaning("confusions_pairs_0"),
        meaning(xaxis={"title": "taken for", "ticktext": ["dog", "cat"]}),
        meaning(yaxis={"title": "truth", "type": "log"}),
        meaning(yaxis={"title": "share"}),
    ]
    assert len({meaning(), *others}) == 5
    named = go.Figure(go.Bar(x=["a", "b"], y=[1, 2])), go.Figure(go.Bar(x=["b", "a"], y=[1, 2]))
    for figure in named:
        complete(figure, "lab_chart", is_pressed=False)
    assert named[0].layout.uirevision != named[1].layout.uirevision
    assert named[0].layout.clickmode is None
