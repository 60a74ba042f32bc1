"""Photos of one's own: shown right, or refused with a sentence; the page survives each."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from viewer_content import viewer_of

from app.pictures import picture_of_upload
from app.settings import LONGEST_SIDE
from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError

CLASSES = ClassList(("a", "b", "c"))


def gradient(width: int = 60, height: int = 40) -> np.ndarray:
    """Red rises to the right, green downwards: any turn or flip shows."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, :, 0] = np.linspace(0, 255, width)[None, :]
    image[:, :, 1] = np.linspace(0, 255, height)[:, None]
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG that says it is huge; only its header is true."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


PLAIN = Image.fromarray(gradient())
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8))
ROTATED = Image.Exif()
ROTATED[0x0112] = 6

REFUSED = {
    "text": (b"these are words", "not an image"),
    "nothing": (b"", "empty"),
    "one_pixel": (saved(Image.new("RGB", (1, 1))), "at least 8 pixels"),
    "wide": (huge_png(30_000, 100), "no side may have more than 20,000"),
    "bomb": (huge_png(19_000, 19_000), "million"),
    "truncated": (saved(NOISE, "JPEG")[:1500], "truncated"),
}
SHOWN = {
    "cmyk": (saved(PLAIN.convert("CMYK"), "JPEG", quality=95), "CMYK"),
    "sixteen_bit": (saved(Image.fromarray(gradient()[:, :, 0].astype(np.uint16) * 257)), "16-bit"),
    "rotated": (saved(PLAIN, "JPEG", quality=95, exif=ROTATED), "upright"),
    "animated": (
        saved(PLAIN, "GIF", save_all=True, append_images=[Image.new("RGB", PLAIN.size)], duration=100),
        "first frame",
    ),
    "transparent": (saved(Image.new("RGBA", (40, 40), (255, 0, 0, 90))), "white"),
    "large": (saved(Image.new("RGB", (1600, 800), (30, 90, 30))), f"{LONGEST_SIDE} x {LONGEST_SIDE // 2}"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_files_are_refused_with_a_sentence(name: str) -> None:
    data, words = REFUSED[name]
    with pytest.raises(UserError, match=words):
        picture_of_upload(data, "photo.png", None, "", CLASSES)


@pytest.mark.parametrize("name", SHOWN)
def test_unusual_files_are_shown_with_a_note(name: str) -> None:
    data, words = SHOWN[name]
    picture = picture_of_upload(data, "photo.png", None, "", CLASSES)
    assert any(words in note for note in picture.notes)
    assert picture.image.dtype == np.uint8
    assert picture.image.shape[2] == 3
    assert max(picture.image.shape) <= LONGEST_SIDE


def test_an_exif_rotation_is_applied() -> None:
    picture = picture_of_upload(SHOWN["rotated"][0], "photo.jpg", None, "", CLASSES)
    # Orientation 6: the stored picture is to be turned a quarter to the right.
    assert picture.image.shape == (60, 40, 3)
    assert np.abs(picture.image.astype(int) - np.rot90(gradient(), -1)).mean() < 6


@pytest.mark.parametrize("name", ["cmyk", "animated"])
def test_colours_survive(name: str) -> None:
    picture = picture_of_upload(SHOWN[name][0], "photo", None, "", CLASSES)
    assert np.abs(picture.image.astype(int) - gradient()).mean() < 12


def test_masks_give_the_labels() -> None:
    values = np.zeros((40, 60), dtype=np.uint8)
    values[:10], values[10:12] = 2, VOID
    picture = picture_of_upload(saved(PLAIN), "photo.png", saved(Image.fromarray(values)), "mask.png", CLASSES)
    assert picture.labels == (1,)
    assert picture.has_truth
    np.testing.assert_array_equal(picture.mask, values)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Image.fromarray(np.full((40, 60), 9, dtype=np.uint8)), "holds the value 9"),
        (Image.new("L", (60, 41)), "60 x 41"),
        (PLAIN, "colours"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask: Image.Image, words: str) -> None:
    with pytest.raises(UserError, match=words):
        picture_of_upload(saved(PLAIN), "photo.png", saved(mask), "mask.png", CLASSES)


def test_the_page_shows_an_upload_and_survives_bad_ones(opened: Callable[..., AppTest]) -> None:
    page = opened(family="photos")
    page.segmented_control(key="explore_source").set_value("Your photo").run()
    assert "Choose a picture" in page.info[0].value
    for name, (data, words) in REFUSED.items():
        page.file_uploader(key="explore_photo").set_value((f"{name}.png", data, "image/png")).run()
        assert not page.exception, name
        assert words in page.error[0].value
    for name, (data, words) in SHOWN.items():
        page.file_uploader(key="explore_photo").set_value((f"{name}.png", data, "image/png")).run()
        assert not page.exception, name
        assert not page.error, name
        assert any(words in caption.value for caption in page.caption), name
        assert not viewer_of(page).header["has_truth"], name


def test_classes_of_an_upload_are_predicted_and_may_be_corrected(opened: Callable[..., AppTest]) -> None:
    page = opened(family="photos")
    page.segmented_control(key="explore_source").set_value("Your photo").run()
    page.file_uploader(key="explore_photo").set_value(("own.png", saved(PLAIN), "image/png")).run()
    chooser = next(box for box in page.multiselect if box.label == "Classes in this picture")
    assert chooser.value
    chooser.set_value([3]).run()
    assert viewer_of(page).class_names == ["cow"]
    chooser = next(box for box in page.multiselect if box.label == "Classes in this picture")
    chooser.set_value([]).run()
    assert "Name at least one class" in page.info[0].value
    assert not page.exception


def test_an_upload_with_a_mask_has_scores(opened: Callable[..., AppTest]) -> None:
    page = opened(family="photos")
    page.segmented_control(key="explore_source").set_value("Your photo").run()
    page.file_uploader(key="explore_photo").set_value(("own.png", saved(PLAIN), "image/png")).run()
    values = np.full((40, 60), 2, dtype=np.uint8)
    values[:20] = 6
    page.file_uploader(key="explore_mask").set_value(("m.png", saved(Image.fromarray(values)), "image/png")).run()
    assert not page.exception
    assert viewer_of(page).class_names == ["grass", "sky"]
    assert viewer_of(page).header["has_truth"]
