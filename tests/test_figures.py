"""Figures for papers: what they show, at the size that was asked for, in files that other programs open."""

import re
import warnings
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from recam_core.data.mask_io import read_mask
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, full_size, grid_size
from recam_core.report.files import class_palette, file_name, maps_npz, mask_png, masks_zip
from recam_core.scores.scores import picture_scores
from recam_core.views import figure_text
from recam_core.views.colours import class_colours
from recam_core.views.figure_cells import KINDS, FigurePane, FigureRow, pane_cell
from recam_core.views.figure_comparison import comparison_figure
from recam_core.views.figure_style import FigureStyle
from recam_core.views.figure_text import FIGURE_KINDS, figure_bytes, lines_within, missing_font, text_width
from recam_core.views.marks import draw_marks
from recam_core.views.pixel_kinds import CLASS_ERRORS, disagreement_codes, error_codes
from tiny_data import TinyDataset

#: Names as they may come from a stranger: markup, mathematics, control characters.
HOSTILE = "<script>alert(1)</script> & $\\frac{1}{0}$ \x00\x1b[31m_^{"
STYLE = FigureStyle(width_mm=120, dpi=80, title="Squares")


def pane(title, sample, seed, threshold=0.4):
    """Maps of random activations for the classes of a picture."""
    classes = np.flatnonzero(sample.labels)
    size = sample.image.shape[:2]
    grid = np.random.default_rng(seed).integers(0, 256, (len(classes), *grid_size(size)), dtype=np.uint8)
    return FigurePane(title, ActivationMaps(sample.id, size, classes, grid), threshold)


@pytest.fixture(scope="module")
def sample():
    return TinyDataset().load(1)


@pytest.fixture(scope="module")
def row(sample):
    return FigureRow(sample.image, sample.mask, (pane("BCE-CAM", sample, 1), pane("ReCAM", sample, 2, None)))


CLASSES = TinyDataset().classes


def svg_texts(content):
    root = ElementTree.fromstring(content)
    return ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_files_that_open(row, kind):
    chosen = replace(row, kind=kind, classes=(int(row.panes[0].maps.classes[0]),), label=KINDS[kind])
    figure = comparison_figure([chosen], CLASSES, STYLE)
    image = Image.open(BytesIO(figure_bytes(figure, "png")))
    image.load()
    assert image.width == pytest.approx(120 / 25.4 * 80, abs=1)
    assert image.info["dpi"][0] == pytest.approx(80, abs=1)
    svg = figure_bytes(figure, "svg")
    assert {"Squares", "Photo", "Ground truth", "BCE-CAM", "ReCAM", KINDS[kind]} <= set(svg_texts(svg))
    width = re.search(rb'width="([\d.]+)pt"', svg)
    assert float(width[1]) == pytest.approx(120 / 25.4 * 72, abs=0.5)
    pdf = figure_bytes(figure, "pdf")
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    # TrueType fonts inside: text stays text, as journals ask for.
    assert b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    assert b"/FontFile2" in pdf


def test_nothing_in_an_svg_is_fetched(row):
    content = figure_bytes(comparison_figure([row], CLASSES, STYLE), "svg").decode()
    addresses = re.findall(r'(?:xlink:href|href|src)="([^"]*)"|url\(([^)]*)\)', content)
    assert addresses
    assert all((a or b).startswith(("data:image/png;base64,", "#")) for a, b in addresses)


def test_equal_figures_give_equal_bytes(row):
    for kind in FIGURE_KINDS:
        once, again = (figure_bytes(comparison_figure([row], CLASSES, STYLE), kind) for _ in range(2))
        assert once == again, kind


def test_names_of_strangers_stay_text(sample):
    hostile = FigureRow(sample.image, sample.mask, (pane(HOSTILE, sample, 1),), label=HOSTILE)
    classes = ClassList((HOSTILE, "$$", "\n"))
    figure = comparison_figure([hostile], classes, replace(STYLE, title=HOSTILE, width_mm=300))
    texts = svg_texts(figure_bytes(figure, "svg"))
    assert any(text.startswith("<script>alert(1)</script> & $\\frac{1}{0}$") for text in texts)
    for kind in ("png", "pdf"):
        assert figure_bytes(figure, kind)


@pytest.fixture
def only_own_fonts(monkeypatch):
    """The fonts of matplotlib alone, whatever this computer has."""
    own = [entry for entry in font_manager.fontManager.ttflist if "matplotlib" in str(entry.fname)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    figure_text._others.cache_clear()
    text_width.cache_clear()
    yield
    figure_text._others.cache_clear()
    text_width.cache_clear()


def named(sample, name):
    """A figure whose first class has this name."""
    classes = ClassList((name, *CLASSES.names[1:]), CLASSES.has_background)
    return comparison_figure((FigureRow(sample.image, sample.mask, (pane("CAM", sample, 1),)),), classes, STYLE)


def test_letters_that_no_font_has_are_told_with_a_font_to_install(sample, only_own_fonts):
    figure = named(sample, "猫 neko")
    assert "猫" in "".join(text.get_text() for text in figure.texts)
    assert "letters 猫:" in missing_font(figure)
    assert "Noto Sans CJK" in missing_font(figure)
    assert not missing_font(named(sample, "кошка, γάτα, قطة $x$"))


def test_another_font_is_taken_for_what_the_own_one_lacks(sample, only_own_fonts):
    # A letter of Japanese that a font beside matplotlib's usual one happens to have.
    figure = named(sample, "の neko")
    assert missing_font(figure) == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in FIGURE_KINDS:
            assert figure_bytes(figure, kind)
    assert "STIXGeneral" in figure_bytes(figure, "svg").decode()
    assert "STIXGeneral" not in figure_bytes(named(sample, "neko"), "svg").decode()


def test_cells_are_what_the_screen_shows(row):
    size = row.image.shape[:2]
    codes = error_codes(row.panes[0].seeds, row.mask)
    shown = pane_cell(row, 0, size, len(CLASSES), STYLE)
    assert np.array_equal(shown, draw_marks(row.image, codes, CLASS_ERRORS, STYLE.opacity))


def test_several_classes_show_only_what_concerns_them():
    sample = TinyDataset(8).load(3)
    panes = (pane("BCE-CAM", sample, 5), pane("ReCAM", sample, 6))
    first, second = np.flatnonzero(sample.labels)[:2].tolist()
    whole = FigureRow(sample.image, sample.mask, panes)
    both = replace(whole, classes=(first, second))
    one = replace(whole, classes=(first,))
    assert np.array_equal(one.codes[0], error_codes(panes[0].seeds, sample.mask, first))
    # All classes of the picture: the same as without a choice.
    assert np.array_equal(both.codes[0], whole.codes[0])
    other = next(k for k in range(3) if k not in (first, second))
    partly = replace(whole, classes=(first, other)).codes[0]
    concerned = (sample.mask == first + 1) | (panes[0].seeds == first + 1)
    assert np.array_equal(partly, np.where(concerned, whole.codes[0], 0))
    planes = full_size(panes[0].maps)
    assert np.array_equal(panes[0].levels((first, second)), planes.max(axis=0))
    assert np.array_equal(panes[0].levels((first, other)), planes[0])
    assert not panes[0].levels((other,)).any()
    assert set(np.unique(one.only(panes[0].seeds))) <= {0, first + 1}
    disagreement = replace(one, kind="disagreement").codes
    seeds = [shown.seeds for shown in panes]
    assert np.array_equal(disagreement[0], disagreement_codes(seeds, 0, first))
    texts = svg_texts(figure_bytes(comparison_figure([both], CLASSES, replace(STYLE, width_mm=400)), "svg"))
    scores = [picture_scores(panes[0].seeds, sample.mask, CLASSES, k).iou for k in (first, second)]
    assert any(text.startswith(f"mIoU {100 * np.mean(scores):.1f}%") for text in texts)


def test_cells_come_out_in_the_file_pixel_by_pixel(row):
    """The PNG holds each cell unsmoothed: its colours are found in the file as they were drawn."""
    figure = comparison_figure([row], CLASSES, replace(STYLE, dpi=100))
    image = np.asarray(Image.open(BytesIO(figure_bytes(figure, "png"))).convert("RGB"))
    axes = next(axes for axes in figure.axes if axes.get_label() == "BCE-CAM")
    drawn = axes.images[0].get_array()
    box = axes.get_window_extent()
    left, top = round(box.x0) + 3, round(image.shape[0] - box.y1) + 3
    part = image[top : top + drawn.shape[0] - 6, left : left + drawn.shape[1] - 6].astype(int)
    distances = [
        np.abs(part - drawn[3 + y : 3 + y + part.shape[0], 3 + x : 3 + x + part.shape[1]]).mean()
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    ]
    assert min(distances) == 0


def test_a_legend_names_only_what_occurs(row, sample):
    perfect = replace(row, panes=(pane("zero", sample, 1, threshold=1.0),))  # nothing is above 1: all is lost
    texts = svg_texts(figure_bytes(comparison_figure([perfect], CLASSES, STYLE), "svg"))
    assert "lost to background" in texts
    assert "right" not in texts
    assert "false, on background" not in texts
    shown = {CLASSES.names[k] for k in np.flatnonzero(sample.labels)}
    assert shown <= set(texts)
    assert not (set(CLASSES.names) - shown) & set(texts)


def test_captions_hold_threshold_and_scores(row):
    texts = svg_texts(figure_bytes(comparison_figure([row], CLASSES, replace(STYLE, width_mm=400)), "svg"))
    captions = [text for text in texts if "threshold" in text]
    assert [("mIoU" in text, "threshold 0.40" in text) for text in captions] == [(True, True), (True, False)]
    bare = comparison_figure([row], CLASSES, replace(STYLE, captions=False))
    assert not [text for text in svg_texts(figure_bytes(bare, "svg")) if "threshold" in text]


def test_a_picture_without_truth_has_no_truth_cell(row):
    alone = replace(row, mask=None, kind="disagreement")
    texts = svg_texts(figure_bytes(comparison_figure([alone], CLASSES, STYLE), "svg"))
    assert "Ground truth" not in texts
    with pytest.raises(UserError, match="no ground truth"):
        replace(row, mask=None)


def test_rows_and_columns_wrap(row):
    wide = comparison_figure([row], CLASSES, STYLE).get_size_inches()
    wrapped = comparison_figure([row], CLASSES, replace(STYLE, columns=2)).get_size_inches()
    twice = comparison_figure([row, replace(row, kind="seeds")], CLASSES, STYLE).get_size_inches()
    assert wide[0] == wrapped[0] == twice[0]
    assert wrapped[1] > wide[1]
    assert twice[1] > wide[1]
    dark = comparison_figure([row], CLASSES, replace(STYLE, dark=True))
    pixels = np.asarray(Image.open(BytesIO(figure_bytes(dark, "png"))).convert("L"))
    assert pixels[0, 0] < 40


@pytest.mark.parametrize("shape", [(3, 200), (200, 3), (1, 1)])
def test_odd_shapes_can_be_drawn(shape):
    rng = np.random.default_rng(0)
    maps = ActivationMaps("odd", shape, np.array([0]), rng.integers(0, 256, (1, *grid_size(shape)), dtype=np.uint8))
    image = np.zeros((*shape, 3), dtype=np.uint8)
    for kind in KINDS:
        one = FigureRow(image, np.zeros(shape, np.uint8), (FigurePane("one", maps, 0.5),), kind)
        assert figure_bytes(comparison_figure([one], CLASSES, STYLE), "png")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width_mm": 5}, "width of a figure lies between 30 and 1200 mm"),
        ({"font_size": 100}, "font size"),
        ({"dpi": 5}, "resolution"),
        ({"width_mm": 1000, "dpi": 1200}, "dpi or less"),
        ({"columns": 0}, "at least one column"),
        ({"colour_map": "jet"}, "There is no colour map 'jet'"),
        ({"width_mm": float("nan")}, "width"),
    ],
)
def test_settings_out_of_range_are_refused(change, words):
    with pytest.raises(UserError, match=words):
        replace(STYLE, **change)


def test_what_cannot_be_drawn_is_said(row, sample):
    with pytest.raises(UserError, match="no method to draw"):
        comparison_figure([], CLASSES, STYLE)
    with pytest.raises(UserError, match="same methods"):
        comparison_figure([row, replace(row, panes=row.panes[:1])], CLASSES, STYLE)
    with pytest.raises(UserError, match="do not fit 30 mm"):
        comparison_figure([replace(row, panes=row.panes * 4)], CLASSES, replace(STYLE, width_mm=30))
    with pytest.raises(UserError, match="too much memory"):
        comparison_figure([row] * 200, CLASSES, replace(STYLE, dpi=1200))
    with pytest.raises(UserError, match="There is no overlay"):
        replace(row, kind="sparkle")
    with pytest.raises(UserError, match="another size"):
        replace(row, image=row.image[:-4], mask=None, kind="heat")
    with pytest.raises(UserError, match="not as 'bmp'"):
        figure_bytes(comparison_figure([row], CLASSES, STYLE), "bmp")


def test_lines_break_at_words_and_end_in_an_ellipsis():
    text = "one two three four five six seven"
    lines = lines_within(text, 1.0, 10, 2)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(text_width(line, 10) <= 1.0 for line in lines)
    assert lines_within("short", 1.0, 10, 2) == ["short"]
    assert lines_within("x" * 500, 0.5, 10, 1)[0].endswith("…")


def test_masks_keep_their_numbers_and_show_class_colours(sample, tmp_path):
    mask = sample.mask.copy()
    mask[:2] = 255
    content = mask_png(mask, 3)
    assert np.array_equal(read_mask(content), mask)
    image = Image.open(BytesIO(content))
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image.convert("RGB")), class_palette(3)[mask])
    assert np.array_equal(class_palette(3)[:4], class_colours(3))


def test_a_zip_of_masks_keeps_to_its_folder(sample):
    titles = {"../../etc/passwd": sample.mask, "ReCAM": sample.mask, "recam": sample.mask, "": sample.mask}
    with zipfile.ZipFile(BytesIO(masks_zip(titles, CLASSES))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == ["etc_passwd.png", "ReCAM.png", "recam-2.png", "recam-3.png", "classes.txt"]
        assert "2 green" in archive.read("classes.txt").decode()
        assert np.array_equal(read_mask(archive.read("ReCAM.png")), sample.mask)


def test_maps_come_back_from_the_npz_file(row, sample):
    content = maps_npz(sample.image, sample.mask, row.panes, CLASSES)
    assert content == maps_npz(sample.image, sample.mask, row.panes, CLASSES)
    with np.load(BytesIO(content), allow_pickle=False) as loaded:
        assert loaded["methods"].tolist() == ["BCE-CAM", "ReCAM"]
        assert loaded["thresholds"][0] == 0.4
        assert np.isnan(loaded["thresholds"][1])
        assert np.array_equal(loaded["classes"], np.flatnonzero(sample.labels))
        for order, one in enumerate(row.panes):
            assert np.array_equal(loaded["activations"][order], full_size(one.maps))
            assert np.array_equal(loaded["seeds"][order], one.seeds)
        assert np.array_equal(loaded["truth"], sample.mask)
        assert np.array_equal(loaded["image"], sample.image)
    with pytest.raises(UserError, match="choose a method"):
        maps_npz(sample.image, None, (), CLASSES)


def test_file_names_are_safe():
    assert file_name("val_00003", "ReCAM (mine)", suffix=".png") == "val_00003-ReCAM_mine.png"
    assert file_name("..", "/", suffix=".svg") == "recam.svg"
    assert "/" not in file_name("a/b\\c\x00d")
    assert len(file_name("x" * 500, suffix=".png")) <= 84
