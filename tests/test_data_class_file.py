"""Class lists as tools and people write them, and what they make of the values and colours of masks."""

import numpy as np
import pytest
from PIL import Image

from data_layouts import (
    HEIGHT,
    WIDTH,
    folder,
    halves,
    voc,
    write_grey_mask,
    write_list,
    write_palette_mask,
    write_photo,
)
from recam_core.checkpoint.published import named_rows
from recam_core.data.class_file import read_class_file, role_of_name
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("background", "background Background _background_ __background__ bg BG <bg> back-ground 0:background 背景"),
        ("void", "void VOID _void_ __ignore__ ignore unlabeled Unlabelled 255:void -1,__ignore__"),
        ("class", "cat background2 bgs foreground ground 0 0: 12 voidable ignorer _ __ backgroundcat"),
    ],
)
def test_names_that_are_no_classes(role, names):
    assert {name: role_of_name(name) for name in names.split()} == dict.fromkeys(names.split(), role)
    assert role_of_name("") == role_of_name("  ") == "class"
    assert role_of_name("0: background") == role_of_name(" 0 background ") == "background"


@pytest.mark.parametrize(
    ("lines", "names", "background", "values"),
    [
        (["cat", "dog"], ["cat", "dog"], None, None),
        (["background", "cat", "dog"], ["cat", "dog"], True, None),
        (["_background_", "cat", "dog"], ["cat", "dog"], True, None),
        (["BG", "cat"], ["cat"], True, None),
        (["0: background", "cat"], ["cat"], True, None),
        (["__ignore__", "_background_", "cat", "dog"], ["cat", "dog"], True, None),
        (["0 background", "1 cat", "2 dog"], ["cat", "dog"], True, None),
        (["0\tbackground", "2\tdog", "1\tcat"], ["cat", "dog"], True, None),
        (["1 cat", "2 dog"], ["cat", "dog"], None, None),
        # Names, however they begin.
        (["1 Euro", "2 Euro"], ["1 Euro", "2 Euro"], None, None),
        (["50 Cent", "20 Rand"], ["50 Cent", "20 Rand"], None, None),
        (["3D printer", "2 wheeler"], ["3D printer", "2 wheeler"], None, None),
        # Values that are not those that stand for the classes here.
        (["void", "cat", "dog"], ["cat", "dog"], False, {0: 255, 1: 1, 2: 2}),
        (["background", "void", "cat"], ["cat"], True, {0: 0, 1: 255, 2: 1}),
        (["cat", "void"], ["cat"], None, {0: 0, 1: 1, 2: 255}),
        (["7: road", "8: pavement", "0: unlabeled"], ["road", "pavement"], False, {0: 255, 7: 1, 8: 2}),
        (["3: background", "1: cat", "2: dog"], ["cat", "dog"], True, {3: 0, 1: 1, 2: 2}),
    ],
)
def test_what_a_list_says(tmp_path, lines, names, background, values):
    write_list(tmp_path / "classes.txt", lines)
    listed = read_class_file(tmp_path / "classes.txt")
    assert list(listed.names) == names
    assert listed.has_background is background
    assert listed.values == values
    plain = not any(line[0].isdigit() for line in lines) or names[0][0].isdigit()
    assert bool(listed.notes) == (not plain or "_" in lines[0] or lines[0] == "BG"), "what was not taken as it stands"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["cat", "background", "dog"], "not the first line"),
        (["void", "background", "cat"], "which of them is 0"),
        (["background", "_background_", "cat"], "both the background"),
        (["background"], "no class"),
        (["1: cat", "300: dog"], "300"),
    ],
)
def test_lists_that_leave_open_what_they_mean(tmp_path, lines, words):
    write_list(tmp_path / "classes.txt", lines)
    with pytest.raises(UserError, match=words):
        read_class_file(tmp_path / "classes.txt")


def test_a_class_of_number_0_is_refused_with_masks_only(tmp_path):
    root = folder(tmp_path)
    write_list(root / "classes.txt", ["0 red", "1 blue"])
    with pytest.raises(UserError, match="0 is a class"):
        open_dataset(f"folder:{root}")
    for mask in (root / "masks").iterdir():
        mask.unlink()
    assert open_dataset(f"folder:{root}").classes.names == ("red", "blue")


@pytest.mark.parametrize("kind", [folder, voc])
def test_masks_are_read_by_the_numbers_of_the_list(tmp_path, kind):
    root = kind(tmp_path)
    masks = root / ("masks" if kind is folder else "SegmentationClass")
    for name in "abc":
        write_grey_mask(masks / f"{name}.png", halves(7, 11))
    write_list(root / "classes.txt", ["0: background", "11: road", "7: car"])
    dataset = open_dataset(f"{kind.__name__}:{tmp_path}")
    assert dataset.classes.names == ("car", "road"), "by their values"
    assert np.array_equal(dataset.mask(0), halves(1, 2))
    assert dataset.labels(0).tolist() == [True, True]
    assert list(dataset.faults()) == []
    write_grey_mask(masks / "b.png", halves(7, 1))
    (fault,) = open_dataset(f"{kind.__name__}:{tmp_path}").faults()
    assert fault.kind == "class out of range"
    assert "holds 1, but the class list has only the values 0, 7, 11" in fault.message


def test_another_reading_of_the_same_masks_is_other_data(tmp_path):
    root = folder(tmp_path)
    for name in "abc":
        write_grey_mask(root / "masks" / f"{name}.png", halves(0, 1))
    write_list(root / "classes.txt", ["background", "red", "blue"])
    plain = open_dataset(f"folder:{root}")
    write_list(root / "classes.txt", ["0: background", "1: void", "2: red", "3: blue"])
    other = open_dataset(f"folder:{root}")
    for stamp in ("label_stamp", "mask_stamp"):
        assert getattr(plain, stamp)() != getattr(other, stamp)()
    assert plain.picture_stamp(0) != other.picture_stamp(0)


LABEL_MAP = [
    "# label:color_rgb:parts:actions",
    "background:0,0,0::",
    "rust:67,131,29::",
    "deep: crack:134,6,58::run,walk",
]


@pytest.mark.parametrize("form", ["colours", "colours, alpha", "palette of another order", "numbers"])
def test_cvats_label_map_names_classes_and_colours(tmp_path, form):
    root = voc(tmp_path)
    write_list(root / "labelmap.txt", LABEL_MAP)
    expected = halves(1, 2)
    expected[0, :3] = 0, 255, 0
    colours = np.zeros((256, 3), dtype=np.uint8)
    colours[[1, 2, 255]] = (67, 131, 29), (134, 6, 58), (224, 224, 192)
    path = root / "SegmentationClass" / "a.png"
    if form.startswith("colours"):
        painted = Image.fromarray(colours[expected])
        painted.convert("RGBA" if "alpha" in form else "RGB").save(path)
    elif form == "numbers":
        write_palette_mask(path, expected)  # its colours are no colours of the list, so its numbers count
    else:
        order = np.arange(256, dtype=np.uint8)
        order[[1, 2]] = 2, 1
        image = Image.fromarray(order[expected])
        image.putpalette(colours[order].ravel().tolist())
        image.save(path)
    for name in "bc":
        write_grey_mask(root / "SegmentationClass" / f"{name}.png", halves(0, 1))
    dataset = open_dataset(f"voc:{tmp_path}@train")
    assert dataset.classes.names == ("rust", "deep: crack")
    assert dataset.classes.has_background
    assert np.array_equal(dataset.mask(0), expected)
    assert list(dataset.faults()) == []


def test_colours_that_no_label_has(tmp_path):
    root = voc(tmp_path)
    write_list(root / "labelmap.txt", LABEL_MAP)
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 9, dtype=np.uint8)).save(root / "SegmentationClass" / "a.png")
    fault = next(open_dataset(f"voc:{tmp_path}@train").faults())
    assert "(9, 9, 9)" in fault.message
    write_list(root / "labelmap.txt", [*LABEL_MAP, "moss:67,131,29::"])
    with pytest.raises(UserError, match="same colour"):
        open_dataset(f"voc:{tmp_path}@train")
    write_list(root / "labelmap.txt", ["rust"])
    with pytest.raises(UserError, match="name:red,green,blue"):
        open_dataset(f"voc:{tmp_path}@train")


def test_which_list_counts_and_what_is_said_without_one(tmp_path):
    root = voc(tmp_path)
    assert open_dataset(f"voc:{tmp_path}").notes == (), "VOC2012 is VOC's"
    root = root.rename(tmp_path / "mine")
    assert "20 of PASCAL VOC" in open_dataset(f"voc:{root}").notes[0]
    write_list(root / "labelmap.txt", LABEL_MAP)
    assert open_dataset(f"voc:{root}").classes.names[0] == "rust"
    write_list(root / "class_names.txt", ["_background_", "cat", "dog"])  # as labelme writes it
    assert open_dataset(f"voc:{root}").classes.names == ("cat", "dog")
    write_list(root / "classes.txt", ["background", "owl"])
    assert open_dataset(f"voc:{root}").classes.names == ("owl",)


def test_a_list_beside_a_checkpoint_is_read_alike(tmp_path):
    write_list(tmp_path / "names.txt", ["_background_", "cat", "dog"])
    assert named_rows(str(tmp_path / "names.txt")) == ("background", "cat", "dog")


def test_a_folder_of_pictures_of_no_class(tmp_path):
    for name in ("cat/1", "cat/2", "dog/1", "_background_/1", "_background_/2"):
        write_photo(tmp_path / f"{name}.png")
    dataset = open_dataset(f"folder:{tmp_path}")
    assert dataset.classes.names == ("cat", "dog")
    assert list(dataset.ids) == ["cat-1", "cat-2", "dog-1"]
    assert "the 2 pictures in that folder show none" in dataset.notes[0]
