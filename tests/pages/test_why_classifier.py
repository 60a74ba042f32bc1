"""The other way to ask on the page Why: a classifier from elsewhere, by uploads of its weights and class names."""

import re
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
from viewer_content import viewer_of, viewers

from app import attributions
from app.why import classifier_map, classifiers
from recam_core.attribution.classifier import ForeignClassifier, foreign_classifier
from recam_core.attribution.maps import attribution_maps
from recam_core.data.spec import open_dataset

SPEC = "scenes:size=64,train=6,val=2@val"
NAME = "timm:test_vit"
CLASSES = (*open_dataset(SPEC).classes.names[:3], "gr*en")


def weights_of(classes: int, name: str = "test_vit") -> bytes:
    torch.manual_seed(1)
    stream = BytesIO()
    torch.save(timm.create_model(name, num_classes=classes).state_dict(), stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def weights() -> bytes:
    return weights_of(len(CLASSES))


@pytest.fixture
def expected(weights: bytes) -> ForeignClassifier:
    """The same by the library."""
    file = BytesIO(weights)
    file.name = "w.pth"
    return foreign_classifier(NAME, file, CLASSES)


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded, and nothing waits for a press, however slow the machine is just now."""
    monkeypatch.setattr(attributions, "_AT_ONCE", 1e9)
    classifiers.loaded_classifiers.clear()
    attributions.kept_results.clear()


@pytest.fixture
def asking(opened: Callable[..., AppTest]) -> Callable[..., AppTest]:
    """``asking(**address)`` opens this half of the page by a link."""

    def run(**address: str) -> AppTest:
        page = opened()
        page.query_params.clear()
        for name, value in ({"ask": "classifier", "data": SPEC, "network": NAME} | address).items():
            page.query_params[name] = value
        page._page_hash = calc_hash("why")
        page.run()
        fine(page)
        return page

    return run


def fine(page: AppTest) -> None:
    assert not page.exception, page.exception
    assert not page.error, page.error[0].value


def texts(page: AppTest) -> str:
    found = "\n".join(str(one.value) for kind in ("markdown", "caption", "info") for one in getattr(page, kind))
    return found.replace("\\", "")


def wait_for(page: AppTest, is_there: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_there() and time.monotonic() < end:
        time.sleep(0.2)
        page.run()
    assert is_there()


def put_in(page: AppTest, weights: bytes | None, names: str | bytes | None, file: str = "w.pth") -> None:
    """Fill the form."""
    if weights is not None:
        page.file_uploader(key="why_other_file").set_value((file, weights, "application/octet-stream"))
    if names is not None:
        content = names if isinstance(names, bytes) else names.encode()
        page.file_uploader(key="why_other_classes").set_value(("classes.txt", content, "text/plain"))
    page.run()


def load(page: AppTest) -> None:
    page.button(key="why_other_load").click().run()


def loaded(page: AppTest, weights: bytes, names: tuple[str, ...] = CLASSES) -> AppTest:
    put_in(page, weights, "\n".join(names))
    load(page)
    wait_for(page, lambda: bool(viewers(page) or page.error))
    fine(page)
    return page


def refusal(page: AppTest) -> str:
    """The sentence, once loading has failed."""
    wait_for(page, lambda: bool(page.error))
    assert not page.exception
    assert not viewers(page)
    return page.error[0].value.replace("\\", "")


def grids(page: AppTest) -> np.ndarray:
    return viewer_of(page).arrays["grids0"]


def test_it_begins_with_the_likeliest_class_and_draws_what_the_library_finds(
    asking: Callable[..., AppTest], weights: bytes, expected: ForeignClassifier
) -> None:
    page = loaded(asking(), weights)
    image = open_dataset(SPEC).load(0).image
    likely = expected.probabilities(image)
    a = page.selectbox(key="why_other_a").value
    assert a == int(likely.argmax())
    assert f"({likely[a]:.1%})" in page.selectbox(key="why_other_a").options[0]
    table = page.dataframe[0].value
    assert list(table["class"]) == [CLASSES[k] for k in np.argsort(-likely)]
    np.testing.assert_allclose(table["probability"], np.sort(likely)[::-1], atol=1e-6)
    # No linear head on pooled features, so that the first method is Grad-CAM, and the others say why not.
    assert page.selectbox(key="why_other_way").value == "grad_cam"
    assert "Region-CAM" not in page.selectbox(key="why_other_way").options
    assert re.search(r"\*\*CAM\*\*: This classifier is no linear layer", texts(page))
    assert viewer_of(page).titles == ["Grad-CAM"]
    np.testing.assert_array_equal(grids(page), attribution_maps(expected, image, [a], "grad_cam").activations)
    assert "weights of w.pth: 4 classes, looked at in the tokens that enter the last block" in texts(page)


def test_against_another_class_the_difference_is_explained(
    asking: Callable[..., AppTest], weights: bytes, expected: ForeignClassifier
) -> None:
    page = loaded(asking(), weights)
    image = open_dataset(SPEC).load(0).image
    before = grids(page)
    a = page.selectbox(key="why_other_a").value
    b = (a + 1) % len(CLASSES)
    page.selectbox(key="why_other_way").set_value("layer_cam").run()
    page.selectbox(key="why_other_b").set_value(b).run()
    fine(page)
    shown = grids(page)
    np.testing.assert_array_equal(shown, attribution_maps(expected, image, [a], "layer_cam", against=b).activations)
    assert not np.array_equal(shown, before)
    assert viewer_of(page).header["panes"][0]["about"] == f"{CLASSES[a]} and not {CLASSES[b]}"
    assert page.query_params["instead"] == CLASSES[b]
    assert viewer_of(page).header["asked"] == {"0": f"{CLASSES[a]} and not {CLASSES[b]}"}
    # A becomes what B was: the two never are the same.
    page.selectbox(key="why_other_a").set_value(b).run()
    fine(page)
    assert page.selectbox(key="why_other_b").value == -1


def test_errors_are_told_where_the_ground_truth_has_the_name(asking: Callable[..., AppTest], weights: bytes) -> None:
    page = loaded(asking(called=CLASSES[0]), weights)
    sample = open_dataset(SPEC).load(0)
    assert page.selectbox(key="why_other_a").value == 0
    shown = viewer_of(page)
    assert shown.class_names == [CLASSES[0]]
    np.testing.assert_array_equal(shown.arrays["truth"], np.where(sample.mask == 255, 255, sample.mask == 1))
    page.selectbox(key="why_other_a").set_value(3).run()
    fine(page)
    assert not viewer_of(page).header["has_truth"]
    assert "has no class called gr*en" in texts(page)


def test_a_photo_of_ones_own(asking: Callable[..., AppTest], weights: bytes, expected: ForeignClassifier) -> None:
    page = loaded(asking(), weights)
    page.segmented_control(key="why_other_from").set_value("Your photo").run()
    fine(page)
    assert "Put in a photo" in texts(page)
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    stream = BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    page.file_uploader(key="why_other_photo").set_value(("own.png", stream.getvalue(), "image/png")).run()
    fine(page)
    a = page.selectbox(key="why_other_a").value
    assert a == int(expected.logits(image).argmax())
    np.testing.assert_array_equal(grids(page), attribution_maps(expected, image, [a], "grad_cam").activations)
    # The page is left and opened again: the uploader has forgotten the photo, the session has not.
    page._page_hash = calc_hash("about")
    page.run()
    page._page_hash = calc_hash("why")
    page.query_params["ask"] = "classifier"
    page.run()
    fine(page)
    assert "own.png, which was put in before" in texts(page)
    assert page.selectbox(key="why_other_a").value == a
    page.button(key="why_other_let_go").click().run()
    assert "Put in a photo" in texts(page)
    page.file_uploader(key="why_other_photo").set_value(("own.png", stream.getvalue(), "image/png")).run()
    fine(page)
    page.file_uploader(key="why_other_photo").set_value(("own.png", b"words", "image/png")).run()
    assert "not an image" in page.error[0].value
    assert not page.exception


def test_weights_and_lists_that_do_not_fit_are_refused_with_a_sentence(
    asking: Callable[..., AppTest], weights: bytes, tmp_path: Path
) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return Path.write_text, (tmp_path / "trace", "ran")

    hostile = BytesIO()
    torch.save({"a": Hostile()}, hostile)
    names = "\n".join(CLASSES)
    cases = [
        (weights, "\n".join(CLASSES[:3]), "with 3 named classes has 3x64. The class list has a name for each logit"),
        (weights_of(4, "test_resnet"), names, "w.pth is of another architecture than test_vit"),
        (hostile.getvalue(), names, "nothing in it was run"),
        (b"words", names, "w.pth"),
        (weights, b"\xff\xfe\x00", "classes.txt: this is not a text file in UTF-8"),
        (weights, f"{CLASSES[0]}\n" * 4, "occurs more than once"),
        (weights, "<b>\x1b[31m\nb\nc\nd", "entry 1 is no class name"),
    ]
    for content, listed, words in cases:
        page = asking()
        put_in(page, content, listed)
        load(page)
        assert words in refusal(page), words
    assert not (tmp_path / "trace").exists()
    # The page goes on.
    loaded(page, weights)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("resnet18", "random", "A classifier is named timm:NAME"),
        ("![x](http://x.example/y.png)", "random", "A classifier is named timm:NAME"),
        ("timm:resnet10", "random", "timm knows no model 'resnet10'"),
        ("timm:vit_giant_patch14_224", "random", "million weights, and at most 200 million are loaded here"),
        (NAME, "library", "could not be downloaded"),
    ],
)
def test_names_that_cannot_be_loaded(asking: Callable[..., AppTest], name: str, kind: str, words: str) -> None:
    page = asking(network=name, weights=kind)
    assert page.segmented_control(key="why_other_weights").value == kind
    load(page)
    assert words in refusal(page)


def test_random_weights_come_with_a_warning_and_imagenets_names(asking: Callable[..., AppTest]) -> None:
    page = asking(weights="random", way="layer_cam")
    assert "has learned nothing" in page.warning[0].value
    load(page)
    wait_for(page, lambda: bool(viewers(page) or page.error))
    fine(page)
    assert any("Random weights" in one.value for one in page.warning)
    assert len(page.selectbox(key="why_other_a").options) == 1000
    assert page.selectbox(key="why_other_way").value == "layer_cam"


def test_what_takes_long_is_told_first_and_made_by_a_job(
    asking: Callable[..., AppTest], weights: bytes, expected: ForeignClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = loaded(asking(), weights)
    monkeypatch.setattr(attributions, "_AT_ONCE", -1.0)
    page.selectbox(key="why_other_way").set_value("saliency").run()
    fine(page)
    assert not viewers(page)
    assert re.search(r"Not made for this picture yet: \*\*SmoothGrad\*\* takes about", texts(page))
    page.button(key="why_other_start").click().run()
    wait_for(page, lambda: bool(viewers(page)))
    fine(page)
    a, image = page.selectbox(key="why_other_a").value, open_dataset(SPEC).load(0).image
    np.testing.assert_array_equal(grids(page), attribution_maps(expected, image, [a], "saliency").activations)


def test_a_job_can_be_cancelled(
    asking: Callable[..., AppTest], weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = loaded(asking(), weights)
    monkeypatch.setattr(attributions, "_AT_ONCE", -1.0)

    def slow(*about: object, progress: Callable[..., None], **more: object) -> object:
        def reported(done: int, total: int, note: str = "") -> None:
            time.sleep(0.5)
            progress(done, total, note)

        return attribution_maps(*about, progress=reported, **more)

    monkeypatch.setattr(classifier_map, "attribution_maps", slow)
    page.selectbox(key="why_other_way").set_value("integrated_gradients").run()
    page.button(key="why_other_start").click().run()
    fine(page)
    page.button(key=f"why_other_cancel_{page.query_params['looking']}").click().run()
    wait_for(page, lambda: "Cancelled." in texts(page))
    fine(page)
    assert not viewers(page)
    assert page.button(key="why_other_start")


def test_a_link_opens_what_is_in_memory_and_says_so_where_it_is_not(
    asking: Callable[..., AppTest], weights: bytes
) -> None:
    first = loaded(asking(), weights)
    key = first.query_params["loaded"]
    page = asking(loaded=key, picture="val_00001", called=CLASSES[1], instead=CLASSES[2], way="layer_cam")
    assert viewer_of(page).titles == ["LayerCAM"]
    assert (page.selectbox(key="why_other_a").value, page.selectbox(key="why_other_b").value) == (1, 2)
    assert page.selectbox(key=f"why_other_picture_{SPEC}").value == "val_00001"
    # The other half of the page, and back: nothing is lost.
    page.segmented_control(key="why_ask").set_value("runs").run()
    fine(page)
    assert "ask" not in page.query_params
    assert "loaded" not in page.query_params
    assert page.selectbox(key="why_a").value is not None
    page.segmented_control(key="why_ask").set_value("classifier").run()
    fine(page)
    assert viewer_of(page).titles == ["LayerCAM"]
    assert page.query_params["loaded"] == key
    classifiers.loaded_classifiers.clear()
    page = asking(loaded=key)
    assert "no longer in memory" in texts(page)


def test_only_a_few_stay_in_memory() -> None:
    loaded = classifiers.loaded_classifiers()
    network = foreign_classifier(NAME, classes=CLASSES, untrained=True)
    for key in "abc":
        loaded.put(key, classifiers.LoadedClassifier(key, network, "", True, {}))
    assert loaded.get("a") is not None
    loaded.put("d", classifiers.LoadedClassifier("d", network, "", True, {}))
    assert [key for key in "abcd" if loaded.get(key) is not None] == ["a", "c", "d"]
