"""Photographs that strangers bring: shown right, or refused with a sentence."""

import contextlib
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from data_layouts import photo
from recam_core.data.image_io import PhotoLimits, photo_size, read_photo
from recam_core.errors import UserError


def encode(image, format, **options):
    buffer = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format=format, **options)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_come_back_exactly(format):
    image = photo(1)
    result = read_photo(encode(image, format))
    assert result.image.dtype == np.uint8
    assert np.array_equal(result.image, image)
    assert result.notes == ()


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_formats_come_back_closely(format):
    image = photo(1)
    result = read_photo(encode(image, format, quality=95)).image
    assert result.shape == image.shape
    assert np.abs(result.astype(int) - image).mean() < 6


def test_a_path_an_open_file_and_bytes_are_the_same(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode(photo(2), "PNG"))
    with path.open("rb") as file:
        opened = read_photo(file)
    assert np.array_equal(read_photo(path).image, opened.image)
    assert np.array_equal(read_photo(path.read_bytes()).image, opened.image)


def test_cmyk_becomes_rgb():
    colours = np.zeros((16, 16, 3), dtype=np.uint8)
    colours[:] = (200, 40, 60)
    result = read_photo(encode(Image.fromarray(colours).convert("CMYK"), "JPEG", quality=100))
    assert np.abs(result.image.astype(int) - colours).max() < 12
    assert "CMYK" in result.notes[0]


def test_16_bit_grey_is_scaled_not_clipped():
    values = np.linspace(0, 65535, 16 * 16).reshape(16, 16).astype(np.uint16)
    result = read_photo(encode(Image.fromarray(values), "PNG"))
    assert np.abs(result.image[:, :, 0].astype(float) - values / 257).max() <= 0.51
    assert "16-bit" in result.notes[0]


def test_12_bits_in_16_are_stretched_to_what_is_there():
    values = np.linspace(96, 4095, 16 * 16).reshape(16, 16).astype(np.uint16)
    result = read_photo(encode(Image.fromarray(values), "PNG"))
    assert result.image.min() == 0
    assert result.image.max() == 255
    assert np.allclose(result.image[:, :, 0], (values - 96.0) / (4095 - 96) * 255, atol=0.51)
    assert result.notes == ("16-bit values, of which only 96 to 4,095 occur, were stretched to 8 bits.",)


def test_16_bits_of_one_value_are_not_stretched():
    assert read_photo(encode(Image.fromarray(np.full((16, 16), 4096, np.uint16)), "PNG")).image.max() == 16


@pytest.mark.parametrize(("high", "first"), [(0x0FFF, 255), (0xFFFF, 255), (0x8000, 128)])
def test_12_bit_colour_in_16_is_stretched(high, first):
    result = read_photo(colour_of_16_bits(high, 0x0400, 0x0102))
    assert result.image[0, 0, 0] == first
    assert bool(result.notes) == (high == 0x0FFF)


def colour_of_16_bits(*values):
    """A PNG of one colour; Pillow writes none with 16 bits, so the file is put together here."""
    rows = b"".join(b"\x00" + struct.pack(">3H", *values) * 16 for _ in range(16))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0))
    return data + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_16_bit_colour_is_scaled_not_clipped():
    assert read_photo(colour_of_16_bits(0xFFFF, 0x8080, 0x0102)).image[3, 3].tolist() == [255, 128, 1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5], [0.25, 1.0]], dtype=np.float32), [[0, 128], [64, 255]]),
        (np.array([[-10.0, 0.0], [10.0, np.nan]], dtype=np.float32), [[0, 128], [255, 0]]),
        (np.array([[0, 65535], [32768, 257]], dtype=np.int32), [[0, 255], [128, 1]]),
    ],
)
def test_float_and_32_bit_tiffs_are_scaled(values, expected):
    result = read_photo(encode(np.kron(values, np.ones((8, 8), dtype=values.dtype)), "TIFF"))
    assert np.abs(result.image[::8, ::8, 0].astype(int) - np.array(expected)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = np.zeros((16, 32, 3), dtype=np.uint8)
    upright[:8, :8] = 255  # a mark in the top left corner
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(np.ascontiguousarray(stored), "PNG", exif=exif)
    result = read_photo(data)
    assert np.array_equal(result.image, upright)
    assert photo_size(data) == (16, 32)
    assert len(result.notes) == (orientation != 1)


def test_damaged_exif_does_not_matter():
    data = encode(photo(3), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert read_photo(data).image.shape == photo(3).shape


def test_transparency_is_shown_on_white():
    image = np.zeros((16, 16, 4), dtype=np.uint8)
    image[:8] = (255, 0, 0, 255)
    result = read_photo(encode(image, "PNG"))
    assert result.image[0, 0].tolist() == [255, 0, 0]
    assert result.image[15, 15].tolist() == [255, 255, 255]
    assert "white" in result.notes[0]


def test_palettes_and_grey_become_rgb():
    image = photo(4)
    assert read_photo(encode(Image.fromarray(image).quantize(16), "PNG")).image.shape == image.shape
    grey = read_photo(encode(image[:, :, 0], "PNG")).image
    assert np.array_equal(grey[:, :, 1], image[:, :, 0])
    one_bit = Image.fromarray(image[:, :, 0] > 128)
    assert set(np.unique(read_photo(encode(one_bit, "PNG")).image)) <= {0, 255}


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF"])
def test_animations_show_their_first_frame(format):
    frames = [Image.new("RGB", (20, 16), colour) for colour in ("red", "blue", "green")]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:])
    result = read_photo(data)
    assert result.image.shape == (16, 20, 3)
    assert result.image[8, 10, 0] > 200
    assert result.image[8, 10, 2] < 60
    assert "first frame" in result.notes[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"This is a text file that was called .jpg.", "not an image"),
        (b"%PDF-1.4 and so on", "not an image"),
        (encode(np.zeros((1, 1, 3), dtype=np.uint8), "PNG"), "1 x 1 pixels; each side must have at least 8"),
        (png_header(30_000, 10), "30000 x 10 pixels; no side may have more than 20,000"),
        (png_header(15_000, 9_000), "million"),
        (png_header(60_000, 60_000), "million"),
        (encode(photo(1), "JPEG")[:-200], "truncated"),
        (encode(photo(1), "PNG")[:-200], "truncated"),
        (encode(photo(1), "PNG")[:20], "not an image|damaged|truncated"),
        (encode(photo(1), "GIF")[:60], "truncated|damaged|not an image"),
    ],
)
def test_what_is_refused_and_how(data, words):
    with pytest.raises(UserError, match=words) as refusal:
        read_photo(data, name="holiday.jpg")
    assert str(refusal.value).startswith("holiday.jpg: ")
    assert "\n" not in str(refusal.value)


def test_a_bomb_is_refused_before_it_is_decoded():
    import tracemalloc

    bomb = encode(Image.new("1", (19_000, 19_000)), "PNG")
    tracemalloc.start()
    with pytest.raises(UserError, match="million"):
        read_photo(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_limits_can_be_tightened():
    data = encode(photo(1, 40, 60), "PNG")
    with pytest.raises(UserError, match="no side"):
        read_photo(data, limits=PhotoLimits(max_side=50))
    with pytest.raises(UserError, match="in all"):
        read_photo(data, limits=PhotoLimits(max_pixels=2000))
    with pytest.raises(UserError, match="larger than"):
        read_photo(BytesIO(data), limits=PhotoLimits(max_bytes=100))


def test_other_formats_never_reach_a_decoder(tmp_path):
    with pytest.raises(UserError, match="not an image"):
        read_photo(encode(photo(1), "PPM"))
    with pytest.raises(UserError, match="not an image"):
        read_photo(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(UserError, match="missing"):
        read_photo(tmp_path / "not there.jpg")
    with pytest.raises(UserError, match="missing"):
        read_photo(tmp_path)


def test_random_damage_is_always_a_sentence():
    random = np.random.default_rng(0)
    for format in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"):
        whole = encode(photo(1), format)
        for _ in range(30):
            data = bytearray(whole[: random.integers(1, len(whole) + 1)])
            for position in random.integers(0, len(data), 5):
                data[position] = random.integers(0, 256)
            # Nothing but a picture or a UserError may come out of it.
            with contextlib.suppress(UserError):
                assert read_photo(bytes(data)).image.ndim == 3
