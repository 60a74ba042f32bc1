"""Masks: class numbers in, class numbers out."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from data_layouts import halves, photo, write_grey_mask, write_palette_mask
from recam_core.data.mask_io import read_mask, voc_palette, write_mask
from recam_core.errors import UserError


def encode(image, format="PNG", **options):
    buffer = BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def test_palette_index_and_grey_value_are_the_class_number(tmp_path):
    mask = halves(3, 255)
    write_palette_mask(tmp_path / "palette.png", mask)
    write_grey_mask(tmp_path / "grey.png", mask)
    assert np.array_equal(read_mask(tmp_path / "palette.png"), mask)
    assert np.array_equal(read_mask(tmp_path / "grey.png"), mask)


def test_written_masks_come_back_with_the_voc_colours(tmp_path):
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask(tmp_path / "mask.png", mask)
    assert np.array_equal(read_mask(tmp_path / "mask.png"), mask)
    with Image.open(tmp_path / "mask.png") as image:
        assert np.array_equal(np.asarray(image.convert("RGB")).reshape(256, 3), voc_palette())
    assert [path.name for path in tmp_path.iterdir()] == ["mask.png"]


def test_known_colours_of_the_palette():
    palette = voc_palette()
    assert palette[[0, 1, 8, 15, 20, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [64, 0, 0],
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_fewer_bits_keep_their_numbers(bits):
    mask = halves(0, 2**bits - 1)
    palette = Image.fromarray(mask)
    palette.putpalette(list(range(48)))
    assert np.array_equal(read_mask(encode(palette, bits=bits)), mask)


def test_one_bit_grey_is_0_and_1():
    assert np.array_equal(read_mask(encode(Image.fromarray(halves(0, 1).astype(bool)))), halves(0, 1))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Image.fromarray(photo(1)), "colours"),
        (Image.fromarray(photo(1)).convert("RGBA"), "colours"),
        (Image.fromarray(halves(1, 2)).convert("LA"), "colours"),
        (Image.fromarray(halves(1, 2).astype(np.uint16)), "16 bits"),
    ],
)
def test_what_is_refused(image, words):
    with pytest.raises(UserError, match=words):
        read_mask(encode(image))


def test_damage_is_a_sentence(tmp_path):
    whole = encode(Image.fromarray(np.random.default_rng(0).integers(0, 9, (64, 64), dtype=np.uint8)))
    with pytest.raises(UserError, match="truncated"):
        read_mask(whole[:-300], name="mask.png")
    with pytest.raises(UserError, match="not a PNG"):
        read_mask(encode(Image.fromarray(halves(1, 2)), "BMP"))
    with pytest.raises(UserError, match="not a PNG"):
        read_mask(b"")
    with pytest.raises(UserError, match="missing"):
        read_mask(tmp_path / "not there.png")
    damaged = bytearray(whole)
    damaged[60] ^= 0xFF
    with pytest.raises(UserError, match=r"damaged|truncated"):
        read_mask(bytes(damaged))
