"""Files as people bring them: the cases of ../shared/cases by name, and their kinds made here."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_layouts import HEIGHT, WIDTH, folder, halves, photo, voc, write_grey_mask, write_list, write_photo
from recam_core.cli.main import main
from recam_core.data.check import NO_CLASS, check_dataset, picture_notes, refuse_unscorable
from recam_core.data.image_io import DATASET_LIMITS
from recam_core.data.label_table import read_label_table
from recam_core.data.mask_turns import DRAWN_FILE, say_drawn
from recam_core.data.photo_folder import list_files, list_masks
from recam_core.data.sample import ClassList, label_matrix
from recam_core.data.spec import open_dataset
from recam_core.data.upload import read_upload
from recam_core.errors import UserError


@pytest.fixture(scope="module")
def cases(repo_root: Path) -> Path:
    found = repo_root.parent / "shared" / "cases"
    if not found.is_dir():
        pytest.skip("needs the folder shared/cases beside the repository")
    return found


# The cases, with what should come of each -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "ids", "per_class"),
    [
        ("voc:{}/split_lists@ext", ["pic0", "pic1"], {"cat": 2}),
        ("voc:{}/split_lists@cat_train", ["pic0", "my"], {"cat": 2}),
        ("voc:{}/split_lists@ok", ["pic0", "pic1", "my photo", "a.b.c"], {"cat": 4}),
        ("voc:{}/labelme_background", ["pic0", "pic1", "pic2", "pic3"], {"cat": 2, "dog": 2}),
        ("folder:{}/numbered_classes/labelme", ["p0", "p1"], {"cat": 1, "dog": 1}),
        ("folder:{}/numbered_classes/numbered", ["p0", "p1"], {"cat": 1, "dog": 1}),
        ("voc:{}/cvat_labelmap@default", ["pic0", "pic1"], {"rust": 1, "crack": 1}),
        ("folder:{}/unicode_forms@train", ["Kühe-élevage"], {"Kühe": 1}),
        ("folder:{}/label_tables/excelbom", ["a", "b_jpg.rf.0a1b2c"], {"rust": 1, "crack": 1}),
        ("folder:{}/label_tables/floats", ["a", "b_jpg.rf.0a1b2c"], {"rust": 1, "crack": 1}),
        ("folder:{}/label_tables/roboflow", ["a", "b_jpg.rf.0a1b2c"], {"rust": 1, "crack": 1}),
        ("folder:{}/label_tables/semicolon", ["a", "b_jpg.rf.0a1b2c"], {"rust": 1, "crack": 1}),
    ],
)
def test_what_is_opened_as_it_was_meant(cases, spec, ids, per_class):
    dataset = open_dataset(spec.format(cases))
    report = check_dataset(dataset)
    assert list(dataset.ids) == ids
    assert report.pictures_per_class == per_class
    assert report.faults == []
    assert dataset.classes.has_background
    if "labelme" in spec or "numbered" in spec:
        assert [np.unique(dataset.mask(index)).tolist() for index in (0, 1)] == [[0, 1], [0, 2]], "cat 1, dog 2"
        assert [dataset.labels(index).argmax() for index in (0, 1)] == [0, 1]
    if "cat_train" in spec:
        assert any("1 rows" in note and "-1" in note for note in report.notes)


def test_an_id_with_blanks_whose_picture_is_missing(cases):
    (fault,) = open_dataset(f"voc:{cases}/split_lists@missing_space").faults()
    assert "no picture 'my trip'" in fault.message


def test_masks_of_0_and_255(cases, capsys):
    spec = f"folder:{cases}/binary_0_255"
    dataset = open_dataset(spec)
    (fault,) = dataset.faults()
    assert fault.kind == "class in no mask"
    assert "hold only 0 and 255" in fault.message
    assert "255 means void" in fault.message
    assert "write 1 for the class 'lesion'" in fault.message
    with pytest.raises(UserError, match="nothing of a class to score"):
        refuse_unscorable(dataset)
    assert main(["data", "check", spec]) == 1
    assert main(["evaluate", str(cases), "--data", spec]) == 2
    assert "nothing of a class to score, since the 4 masks looked at hold only 0 and 255" in capsys.readouterr().err


def test_masks_of_turned_photographs(cases):
    dataset = open_dataset(f"folder:{cases}/exif_mask")
    notes = check_dataset(dataset).notes
    for index in range(len(dataset)):
        sample = dataset.load(index)
        red = (sample.image[..., 0].astype(int) - sample.image[..., 1]) > 80
        assert (red == (sample.mask == 1)).mean() > 0.97, sample.id  # JPEG blurs the edge
        assert sample.mask.sum() == 576
    assert any(note.startswith("1 mask (oblong90) is drawn on the picture as it is stored") for note in notes)
    assert any(note.startswith("4 masks (oblong180, turned180, turned270, ...)") for note in notes)


# Photographs that EXIF data turn --------------------------------------------------------------------------------------


def turned_set(root: Path, sizes: dict[str, tuple[int, int, int, bool]]) -> str:
    """A folder of photographs, id -> (height, width, EXIF orientation, whether the mask is drawn as stored)."""
    for number, (name, (height, width, orientation, as_stored)) in enumerate(sizes.items()):
        exif = Image.Exif()
        exif[0x0112] = orientation
        (root / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo(number, height, width)).save(root / "images" / f"{name}.jpg", exif=exif)
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[: height // 4, : width // 3] = 1
        if not as_stored and orientation >= 5:
            mask = np.zeros((width, height), dtype=np.uint8)
            mask[: width // 4, : height // 3] = 1
        write_grey_mask(root / "masks" / f"{name}.png", mask)
    write_list(root / "classes.txt", ["background", "thing"])
    return f"folder:{root}"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_of_a_stored_oblong_is_turned_as_its_picture(tmp_path, orientation):
    spec = turned_set(tmp_path, {"a": (24, 40, orientation, True)})
    stored = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    dataset = open_dataset(spec)
    if orientation in (2, 3, 4):
        assert dataset.load(0).mask.shape == (24, 40)
        assert [fault.kind for fault in dataset.faults()] == ["unclear rotation"]
        say_drawn(tmp_path, "stored")
        dataset = open_dataset(spec)
        assert "as masks_drawn_on.txt says" in dataset.mask_notes()[0]
    sample = dataset.load(0)
    image = Image.fromarray(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = tmp_path / "expected.png"
    image.save(expected, exif=exif)
    from PIL import ImageOps

    assert np.array_equal(sample.mask, np.asarray(ImageOps.exif_transpose(Image.open(expected))))
    assert sample.mask.shape == sample.image.shape[:2]
    assert list(dataset.faults()) == []


def test_where_no_size_tells_each_pair_is_a_warning_and_a_file_decides(tmp_path, capsys):
    sizes = {"a": (24, 24, 6, True), "b": (24, 40, 3, True), "c": (24, 40, 1, True)}
    spec = turned_set(tmp_path, sizes)
    dataset = open_dataset(spec)
    as_stored = [np.asarray(Image.open(tmp_path / "masks" / f"{name}.png")) for name in "abc"]
    assert all(np.array_equal(dataset.mask(index), as_stored[index]) for index in range(3)), "nothing is turned yet"
    assert main(["data", "check", spec]) == 1
    text = capsys.readouterr().out
    assert "unclear rotation: 2" in text
    assert DRAWN_FILE in text
    stamps = dataset.label_stamp(), dataset.mask_stamp()

    say_drawn(tmp_path, "upright")
    assert main(["data", "check", spec]) == 0
    dataset = open_dataset(spec)
    assert np.array_equal(dataset.mask(0), as_stored[0])
    assert dataset.mask_notes() == []
    say_drawn(tmp_path, "stored")
    dataset = open_dataset(spec)
    assert np.array_equal(dataset.mask(0), np.rot90(as_stored[0], -1))
    assert np.array_equal(dataset.mask(1), as_stored[1][::-1, ::-1])
    assert np.array_equal(dataset.mask(2), as_stored[2])
    assert dataset.label_stamp() != stamps[0]
    assert dataset.mask_stamp() != stamps[1], "maps and counts that are kept of the other reading are not found"
    (tmp_path / DRAWN_FILE).write_text("sideways")
    with pytest.raises(UserError, match="'stored' or 'upright'"):
        open_dataset(spec)


@pytest.mark.parametrize(("others", "turned"), [([True], True), ([False], False), ([True, False], None)])
def test_sizes_of_other_masks_tell_what_a_tool_drew_on(tmp_path, others, turned):
    sizes = {f"z{place}": (24, 40, 6, is_stored) for place, is_stored in enumerate(others)}
    spec = turned_set(tmp_path, {"a": (24, 24, 6, True)} | sizes)
    write_list(tmp_path / "splits" / "one.txt", ["a"])
    dataset = open_dataset(f"{spec}@one")  # the others are in no split
    stored = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    assert np.array_equal(dataset.mask(0), np.rot90(stored, -1) if turned else stored)
    assert bool(list(dataset.faults())) == (turned is None)
    assert len(open_dataset(f"{spec}@one").mask_notes()) == (turned is not False), "without reading a picture"


@pytest.mark.parametrize(("size", "words"), [((24, 40), "So was the mask"), ((24, 24), "would fit either way")])
def test_an_uploaded_mask_of_a_turned_photograph(tmp_path, size, words):
    turned_set(tmp_path, {"a": (*size, 6, True)})
    photograph, mask = ((tmp_path / name).read_bytes() for name in ("images/a.jpg", "masks/a.png"))
    classes = ClassList(("thing",))
    sample, notes = read_upload(photograph, "a.jpg", classes, DATASET_LIMITS, mask, "a.png")
    stored = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    assert np.array_equal(sample.mask, np.rot90(stored, -1) if size[0] != size[1] else stored)
    assert words in notes[-1]
    Image.fromarray(np.where(stored == 1, 255, 0).astype(np.uint8)).save(tmp_path / "b.png")
    binary = (tmp_path / "b.png").read_bytes()
    assert NO_CLASS in read_upload(photograph, "a.jpg", classes, DATASET_LIMITS, binary, "b.png")[1]


def test_a_picture_says_how_its_mask_lies_and_whether_it_shows_anything(tmp_path):
    spec = turned_set(tmp_path, {"a": (24, 40, 6, True), "b": (24, 24, 6, True), "c": (24, 40, 1, True)})
    write_grey_mask(tmp_path / "masks" / "c.png", np.zeros((24, 40), dtype=np.uint8))
    dataset = open_dataset(f"{spec}@all")
    notes = [picture_notes(dataset, index, dataset.load(index).mask) for index in range(3)]
    assert ["So was the mask" in " ".join(said) for said in notes] == [True, True, False]
    assert notes[2] == (NO_CLASS,)


# Classes that labels name and masks do not show -----------------------------------------------------------------------


def test_a_label_that_no_mask_shows(tmp_path):
    root = folder(tmp_path)  # masks show blue
    (root / "labels.csv").write_text("id,labels\na,blue\nb,red;blue\nc,red\n")
    (fault,) = open_dataset(f"folder:{root}").faults()
    assert fault.kind == "class in no mask"
    assert fault.message == "2 pictures with a mask, such as 'b', have the label 'red', but no mask holds its value 1."
    write_grey_mask(root / "masks" / "c.png", halves(1, 2))
    assert list(open_dataset(f"folder:{root}").faults()) == []
    write_list(root / "splits" / "mine.txt", ["a", "b", "c"])
    write_grey_mask(root / "masks" / "c.png", halves(255, 2))
    whole = [fault.kind for fault in open_dataset(f"folder:{root}@mine").faults()]
    parts = [fault.kind for part in ("fit", "select") for fault in _faults_of_part(f"folder:{root}@mine.{part}")]
    assert whole == ["class in no mask"]
    assert set(parts) == {"class in no mask"}


def test_some_masks_of_0_and_255_among_others(tmp_path):
    root = folder(tmp_path)
    (root / "labels.csv").write_text("id,labels\na,blue\nb,blue\nc,blue\n")
    mask = halves(0, 255)
    write_grey_mask(root / "masks" / "b.png", mask)
    (fault,) = open_dataset(f"folder:{root}").faults()
    assert fault.kind == "class in no mask"
    assert "b.png" in fault.where
    assert "no class: 255 means void" in fault.message


def _faults_of_part(spec: str) -> list:
    try:
        return list(open_dataset(spec).faults())
    except UserError:
        return []  # so few pictures that one part is empty


@pytest.mark.parametrize("kind", [folder, voc])
def test_masks_that_are_not_read_are_said(tmp_path, kind):
    root = kind(tmp_path)
    masks = root / ("masks" if kind is folder else "SegmentationClass")
    for name in "abc":
        (masks / f"{name}.png").rename(masks / f"{name}_mask.png")
        write_photo(masks / f"{name}.jpg")
    dataset = open_dataset(f"{kind.__name__}:{tmp_path}")
    assert not dataset.has_masks
    assert any("3 files in" in note and "such as a.jpg, are not read" in note for note in dataset.notes)
    assert any(note.startswith(("3 masks have no picture", "None of the 3 masks")) for note in dataset.notes)


def test_a_folder_of_masks_is_looked_at_once(tmp_path, monkeypatch):
    """It may hold 80,000 of them."""
    root = folder(tmp_path)
    for name in ("a.jpg", "d.jpg", "e.PNG", "Ü.png", ".f.png", "g.txt"):
        (root / "masks" / name).write_bytes(b"")
    looked: list[str] = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda place: looked.append(Path(place).name) or listdir(place))
    notes = open_dataset(f"folder:{root}").notes
    assert looked.count("masks") == looked.count("images") == 1
    assert any("2 files in masks, such as a.jpg, are not read" in note for note in notes)
    masks, note = list_masks(root / "masks")
    assert masks == list_files(root / "masks", (".png",))
    assert list(masks) == ["a", "b", "c", "e", "Ü"]
    assert note in notes
    assert list_masks(root / "none") == ({}, "")


def test_masks_of_0_and_255_alone_name_no_class(tmp_path):
    root = folder(tmp_path)
    (root / "classes.txt").unlink()
    for name in "abc":
        write_grey_mask(root / "masks" / f"{name}.png", halves(0, 255))
    with pytest.raises(UserError, match="255 means void"):
        open_dataset(f"folder:{root}")


# Ids in lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        ("my photo", "my photo"),
        ("my photo.jpg", "my photo"),
        ("MY PHOTO", "my photo"),
        ("JPEGImages/my photo.jpg", "my photo"),
        ("C:\\data\\JPEGImages\\my photo.jpg", "my photo"),
        ("/x/JPEGImages/my photo.jpg /x/SegmentationClass/my photo.png", "my photo"),
        ("my photo.jpg my photo.png", "my photo"),
        ("my trip", "my trip"),
        ("my photo 2", "my photo 2"),
        ("my 1", "my 1"),
        ("other/my.jpg", "other/my.jpg"),
        ("/JPEGImages/gone.jpg /SegmentationClass/gone.png", "gone"),
    ],
)
def test_lines_of_a_split(tmp_path, line, identifier):
    root = voc(tmp_path, ids=["my", "my photo", "b"])
    write_list(root / "ImageSets" / "Segmentation" / "one.txt", [line, "b"])
    dataset = open_dataset(f"voc:{tmp_path}@one")
    assert dataset.ids[0] == identifier
    known = identifier in ("my photo", "my")
    faults = list(dataset.faults())
    assert (not faults) == known
    assert known or f"no picture '{identifier}'" in faults[0].message


def test_rows_of_one_class_and_ids_that_look_like_them(tmp_path):
    root = voc(tmp_path, ids=["a", "b", "scan 1", "scan 0"])
    lists = root / "ImageSets" / "Segmentation"
    write_list(lists / "cat.txt", ["a  1", "b -1", "scan 1  0", "gone  1"])
    dataset = open_dataset(f"voc:{tmp_path}@cat")
    assert list(dataset.ids) == ["a", "scan 1", "gone"]
    assert "1 rows of cat.txt end with -1" in dataset.notes[0]
    write_list(lists / "scans.txt", ["scan 1", "scan 0"])
    assert list(open_dataset(f"voc:{tmp_path}@scans").ids) == ["scan 1", "scan 0"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", [folder, voc])
def test_file_names_of_another_form_than_the_list(tmp_path, kind, form):
    name, other = (unicodedata.normalize(one, "Kühe-élevage") for one in (form, {"NFC": "NFD", "NFD": "NFC"}[form]))
    root = kind(tmp_path, ids=[name])
    where = root / ("splits" if kind is folder else "ImageSets/Segmentation") / "mine.txt"
    write_list(where, [other])
    if kind is folder:
        (root / "labels.csv").write_text(f"id,labels\n{other},blue\n", encoding="utf-8")
    dataset = open_dataset(f"{kind.__name__}:{tmp_path}@mine")
    assert list(dataset.ids) == [unicodedata.normalize("NFC", name)]
    assert list(dataset.faults()) == []
    assert dataset.load(0).mask is not None


def test_two_files_whose_names_read_alike(tmp_path):
    root = folder(tmp_path, ids=["a"])
    for form in ("NFC", "NFD"):
        write_photo(root / "images" / f"{unicodedata.normalize(form, 'é')}.png")
    assert any("duplicate id" in fault.message for fault in open_dataset(f"folder:{root}").faults())


# Tables by spreadsheets -----------------------------------------------------------------------------------------------

TWO = {"a": frozenset({"rust"}), "b": frozenset({"rust", "crack"}), "c": frozenset()}


@pytest.mark.parametrize(
    "text",
    [
        "id,rust,crack\na,1,0\nb,1,1\nc,0,0\n",
        "ID;rust;crack\na;1,0;0,0\nb;1,0;1,0\nc;0;0\n",
        "sep=;\nFile name;rust;crack\na;TRUE;FALSE\nb;WAHR;1\n".replace("WAHR", "true") + "c;no;False\n",
        "image_id\trust\tcrack\na\t1.0\t0.0\nb\t1\t1\nc\t0\t0\n",
        "filename, rust, crack,,\na, 1, 0,,\nb, 1, 1,,\nc, 0, 0,,\n,,,,\n",
        "id,background,rust,crack\na,1,1,0\nb,1,1,1\nc,1,0,0\n",
        "id,labels\na,rust\nb,rust;crack\nc,\n",
        "id;labels\na;rust\nb;rust;crack\nc;\n",
        'Image;Class\na;rust\nb;"rust, crack"\nc;background\n',
        "name,tags\na,rust\nb,rust|crack\nc,_background_\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_forms_of_tables(tmp_path, text, encoding):
    (tmp_path / "labels.csv").write_text(text, encoding=encoding)
    table = read_label_table(tmp_path / "labels.csv")
    assert table.faults == {}
    assert table.rows == TWO
    assert sorted(table.names) == ["crack", "rust"]


def test_letter_case_of_ids_and_labels(tmp_path):
    root = folder(tmp_path, masks=False)
    (root / "labels.csv").write_text("ID,Labels\nA.PNG,RED\nb,Blue\nc,red\n")
    assert label_matrix(open_dataset(f"folder:{root}")).tolist() == [[True, False], [False, True], [True, False]]


@pytest.mark.parametrize(("cell", "words"), [("2", "'2'"), ("-1", "'-1'"), ("", "''"), ("nan", "'nan'")])
def test_cells_that_are_neither_yes_nor_no(tmp_path, cell, words):
    (tmp_path / "labels.csv").write_text(f"id,rust,crack\na,{cell},1\n")
    assert words in read_label_table(tmp_path / "labels.csv").faults["a"].message


# Annotations ----------------------------------------------------------------------------------------------------------

XML = "<annotation{}><folder>图片</folder><object><name>{}</name></object></annotation>"


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ('<?xml version="1.0" encoding="GBK"?>', "gbk"),
        ("<?xml version='1.0' encoding='gb2312' ?>\n", "gbk"),
        ("", "gbk"),
        ('<?xml version="1.0" encoding="utf-8"?>', "gbk"),  # as declared by a tool that wrote otherwise
        ('<?xml version="1.0" encoding="utf-8"?>', "utf-8-sig"),
        ('<?xml version="1.0" encoding="UTF-16"?>', "utf-16"),
        ("", "utf-8"),
    ],
)
@pytest.mark.parametrize("namespace", ["", ' xmlns="http://example.org/voc"'])
def test_encodings_and_namespaces(tmp_path, declaration, encoding, namespace):
    root = voc(tmp_path, ids=["a"])
    write_list(root / "classes.txt", ["background", "奶牛", "cat"])
    write_grey_mask(root / "SegmentationClass" / "a.png", halves(0, 1))
    path = root / "Annotations" / "a.xml"
    path.parent.mkdir()
    path.write_bytes((declaration + XML.format(namespace, "奶牛")).encode(encoding))
    dataset = open_dataset(f"voc:{tmp_path}")
    assert dataset.labels(0).tolist() == [True, False]
    assert list(dataset.faults()) == []


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><annotation>&a;</annotation>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="punycode"?><annotation>' + b"a" * 1_000_000,
        b'<?xml version="1.0" encoding="zip"?><annotation',
        b'<?xml version="1.0" encoding="nothing-of-the-kind"?><annotation',
    ],
)
def test_hostile_encodings(tmp_path, content):
    root = voc(tmp_path, ids=["a"])
    (root / "Annotations").mkdir()
    (root / "Annotations" / "a.xml").write_bytes(content)
    (fault,) = open_dataset(f"voc:{tmp_path}").faults()
    assert fault.kind == "damaged file"


# What files leave open


def test_choices_are_written_beside_the_files(tmp_path, capsys):
    spec = turned_set(tmp_path, {"a": (24, 24, 6, True), "b": (24, 24, 1, True)})
    write_list(tmp_path / "classes.txt", ["thing", "other"])
    for name in "ab":
        mask = halves(1, 2, 24, 24)
        mask[0, :2] = 0
        write_grey_mask(tmp_path / "masks" / f"{name}.png", mask)
    report = check_dataset(open_dataset(spec))
    assert report.choices == ("background", "masks drawn on")
    assert main(["data", "settle", spec, "--background", "no", "--masks-drawn-on", "stored"]) == 0
    dataset = open_dataset(spec)
    assert not dataset.classes.has_background
    assert dataset.mask(0)[0, -1] == 255, "turned, and void"
    report = check_dataset(dataset)
    assert (report.choices, report.faults) == ((), [])
    assert main(["data", "settle", spec, "--background", "yes"]) == 2
    assert "nothing to settle" in capsys.readouterr().err
    assert main(["data", "settle", spec]) == 2
    assert main(["data", "settle", "gallery", "--masks-drawn-on", "stored"]) == 2


# Many faults ----------------------------------------------------------------------------------------------------------


def test_training_sums_up_what_is_wrong_by_kind(tmp_path):
    from recam_core.train.loop import train
    from tiny_recipe import tiny_recipe

    root = voc(tmp_path, ids=[f"p{number}" for number in range(9)])
    for number in range(1, 7):
        (root / "SegmentationClass" / f"p{number}.png").unlink()
    write_grey_mask(root / "SegmentationClass" / "p8.png", np.full((HEIGHT, WIDTH), 99, dtype=np.uint8))
    with pytest.raises(UserError) as caught:
        train(tiny_recipe("bce"), open_dataset(f"voc:{tmp_path}"), tmp_path / "run")
    lines = str(caught.value).splitlines()
    assert "7 faults" in lines[0]
    assert lines[1] == "missing file: 6"
    assert sum("this mask is missing" in line for line in lines) == 3
    assert "  and 3 more" in lines
    assert "class out of range: 1" in lines


def test_a_bar_is_not_drawn_anew_for_every_fault(tmp_path, monkeypatch, capsys):
    from tqdm import tqdm

    voc(tmp_path, ids=["a"])
    write_list(tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt", [f"x{number}" for number in range(50)])
    written, write = [], tqdm.write
    monkeypatch.setattr(tqdm, "write", lambda text, *more, **options: (written.append(text), write(text))[0])
    assert main(["data", "check", f"voc:{tmp_path}", "--all"]) == 1
    assert len(written) <= 3
    assert capsys.readouterr().out.count("unknown id: there is") == 50
