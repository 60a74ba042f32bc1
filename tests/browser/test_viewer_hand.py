"""What a hand does with the viewer, by pointer and by keyboard, and what the server hears of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from recam_core.maps.activation_maps import argmax_and_activation, full_size, seed_mask
from streamlit_page import no_exception, wait_until_finished
from taken_back_reference import taken_back_codes
from viewer_browser import heard, open_viewer, said, set_view, view_of, view_when
from viewer_cases import case

#: More than the time after which a view counts as resting.
REST = 1500


def counted(page: Page) -> tuple[list[Any], list[Any]]:
    """Lists that every message to and from the server is put into from now on; ask for them before opening a page."""
    sent: list[Any] = []
    received: list[Any] = []

    def listen(socket: Any) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))
        socket.on("framereceived", lambda frame: received.append(frame))

    page.on("websocket", listen)
    return sent, received


def centre(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def frame(root: Locator, key: str) -> Locator:
    return root.locator(f'[data-pane="{key}"] .frame')


@pytest.fixture
def root(page: Page, viewer_url: str) -> Locator:
    return open_viewer(page, viewer_url, "scene0")


def test_dragging_the_threshold_sends_nothing_until_it_rests(page: Page, viewer_url: str) -> None:
    sent, received = counted(page)
    root = open_viewer(page, viewer_url, "scene0")
    wait_until_finished(page)
    page.wait_for_timeout(REST)
    before, runs = len(sent), heard(page)["runs"]
    slider = root.locator("[data-field=threshold]")
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    figure = root.locator('[data-pane="recam"] .scores .figure').first
    told = set()
    page.mouse.move(box["x"] + 10, middle)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(box["x"] + 10 + (box["width"] - 20) * step / 60, middle)
        told.add(figure.inner_text())
    page.wait_for_timeout(REST)  # the hand stands still, but has not let go
    assert len(sent) == before
    assert len(told) > 20  # scores followed
    page.mouse.up()
    slider.press("ArrowLeft")
    expect(said(page)).to_contain_text('"cut": "all"')
    page.wait_for_timeout(REST)
    wait_until_finished(page)
    result = heard(page)
    assert result["runs"] == runs + 1
    assert len(sent) <= before + 2
    assert result["view"]["cut"] == "all"
    assert result["view"]["threshold"] == pytest.approx(view_of(root)["threshold"])
    # The run that followed sent no picture again: far less came back than the picture has bytes.
    sizes = [len(message) for message in received[-6:]]
    assert max(sizes) < 0.2 * len(case("scene0").payload().content)


def test_a_run_of_the_script_leaves_view_and_picture_alone(page: Page, viewer_url: str) -> None:
    _, received = counted(page)
    root = open_viewer(page, viewer_url, "scene0")
    wait_until_finished(page)
    payload = len(case("scene0").payload().content)
    assert sum(len(message) > payload for message in received) == 1
    root.press("h")
    root.press("2")
    page.wait_for_timeout(REST)
    view = view_of(root)
    page.get_by_role("button", name="Run again").click()
    wait_until_finished(page)
    page.get_by_role("button", name="Run again").click()
    wait_until_finished(page)
    assert view_of(root) == view
    assert view["overlay"] == "heat"
    assert sum(len(message) > payload for message in received) == 1
    no_exception(page)


def test_a_link_restores_the_view(page: Page, viewer_url: str) -> None:
    present = case("scene0").maps[0].classes.tolist()
    wanted = {
        "overlay": "seeds",
        "classes": present[:2],
        "cut": "all",
        "threshold": 0.42,
        "opacity": 0.5,
        "layout": "wipe",
        "pair": ["sce", "truth"],
        "wipe": 0.3,
        "zoom": [2, 0.5, 0.5],
        "pin": [40, 30],
    }
    root = open_viewer(page, viewer_url, "scene0", wanted)
    view = view_of(root)
    assert {name: view[name] for name in wanted} == wanted
    assert heard(page)["view"] == wanted
    expect(root.locator(".divider")).to_have_attribute("aria-valuenow", "30")
    expect(root.locator(".place")).to_contain_text("Pinned at column 40, row 30")


def test_a_link_that_holds_nonsense_shows_the_picture_all_the_same(page: Page, viewer_url: str) -> None:
    nonsense = {
        "overlay": "<script>",
        "classes": ["x", 9999],
        "threshold": 7,
        "opacity": None,
        "colours": "no such map",
        "zoom": [0, 5, 5],
        "pin": [99999, -5],
        "line": [1, 2, 3],
        "hidden": ["bce", "sce", "recam"],
        "pair": ["bce", "bce"],
        "layout": "blink",
        "thresholds": {"recam": 12},
        "surprise": 1,
    }
    root = open_viewer(page, viewer_url, "scene0", nonsense)
    assert "surprise" not in view_of(root)
    expect(root.locator("canvas").first).to_be_visible()
    assert view_of(root)["colours"] == "viridis"
    assert view_of(root)["pin"] == [255, 0]
    no_exception(page)


def test_keys_do_what_the_help_says(page: Page, root: Locator) -> None:
    present = case("scene0").maps[0].classes.tolist()
    press = page.keyboard.press
    for key, overlay in {
        "h": "heat",
        "k": "contour",
        "s": "seeds",
        "d": "disagreement",
        "b": "taken",
        "e": "errors",
    }.items():
        press(key)
        assert view_of(root)["overlay"] == overlay
        expect(root.locator(f"[data-overlay={overlay}]")).to_have_attribute("aria-pressed", "true")
    press("2")
    assert view_of(root)["classes"] == [present[1]]
    press("Shift+Digit1")
    assert sorted(view_of(root)["classes"]) == present[:2]
    press("a")
    assert view_of(root)["classes"] == []
    press("]")
    assert (view_of(root)["cut"], view_of(root)["threshold"]) == ("all", 0.22)
    press("[")
    assert view_of(root)["threshold"] == 0.21
    press("t")
    assert view_of(root)["cut"] == "none"
    press("m")
    assert view_of(root)["colours"] == "turbo"
    press("+")
    press("+")
    assert view_of(root)["zoom"][0] == pytest.approx(2.25)
    press("Shift+ArrowRight")
    assert view_of(root)["zoom"][1] > 0.5
    press("-")
    press("0")
    assert view_of(root)["zoom"] == [1, 0.5, 0.5]
    # The pin goes to the middle of what is drawn, which follows the view a frame later.
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    press("p")
    assert view_of(root)["pin"] == [128, 128]
    press("Shift+ArrowDown")
    assert view_of(root)["pin"] == [128, 129]
    press("Escape")
    assert view_of(root)["pin"] is None
    press("w")
    expect(root.locator(".divider")).to_be_visible()
    press("Space")
    assert view_of(root)["layout"] == "blink"
    press("Space")
    assert root.evaluate("root => root.viewer.layout()") == "side"
    press("?")
    expect(root.get_by_role("dialog")).to_be_visible()
    press("h")  # the dialog has the keys now
    assert view_of(root)["overlay"] == "errors"
    press("Escape")
    expect(root.get_by_role("dialog")).to_be_hidden()


def test_keys_belong_to_a_field_while_it_is_written_in(page: Page, root: Locator) -> None:
    field = page.get_by_role("textbox", name="A field")
    field.click()
    page.keyboard.type("hkswd 2 ?")
    assert view_of(root)["overlay"] == "errors"
    assert view_of(root)["classes"] == []
    assert field.input_value() == "hkswd 2 ?"


def test_arrows_open_the_pictures_before_and_after_and_keep_the_view(page: Page, root: Locator) -> None:
    page.keyboard.press("s")
    page.wait_for_timeout(REST)
    first = root.get_attribute("data-ready")
    page.keyboard.press("ArrowRight")
    expect(root).not_to_have_attribute("data-ready", first)
    wait_until_finished(page)
    expect(said(page)).to_contain_text('"case": "scene1"')
    assert view_of(root)["overlay"] == "seeds"
    root.get_by_role("button", name="Picture before").click()
    expect(root).to_have_attribute("data-ready", first)
    wait_until_finished(page)
    expect(said(page)).to_contain_text('"case": "scene0"')
    no_exception(page)


def test_zoom_and_pan_are_locked_together(page: Page, root: Locator) -> None:
    x, y = centre(frame(root, "bce"))
    page.mouse.move(x, y)
    page.mouse.wheel(0, -600)
    zoom = view_when(root, "view.zoom[0] > 2")["zoom"]
    assert zoom[1:] == [pytest.approx(0.5, abs=0.02)] * 2
    page.mouse.down()
    page.mouse.move(x - 60, y - 20, steps=5)
    page.mouse.up()
    moved = view_when(root, f"view.zoom[1] > {zoom[1]}")["zoom"]
    assert moved[2] > zoom[2]
    assert view_of(root)["pin"] is None  # it was a drag, not a click
    ports = root.evaluate("({ viewer }) => viewer.shownPanes().map((pane) => [pane.canvas.width, pane.canvas.height])")
    assert len(set(map(tuple, ports))) == 1
    page.mouse.wheel(0, 5000)
    view_when(root, "view.zoom[0] === 1")


def test_two_fingers_zoom(root: Locator) -> None:
    """By events as a touch screen sends them: the fingers move apart to twice their distance."""
    zoom = root.evaluate(
        """(root) => {
          const frame = root.querySelector(".frame"), box = frame.getBoundingClientRect();
          frame.setPointerCapture = () => {};
          const send = (type, pointerId, x) => frame.dispatchEvent(new PointerEvent(type, {
            pointerId, pointerType: "touch", bubbles: true, composed: true,
            clientX: box.x + x * box.width, clientY: box.y + box.height / 2 }));
          send("pointerdown", 1, 0.4); send("pointerdown", 2, 0.6);
          send("pointermove", 1, 0.3); send("pointermove", 2, 0.7);
          send("pointerup", 1, 0.3); send("pointerup", 2, 0.7);
          return root.viewer.view.zoom;
        }"""
    )
    assert zoom[0] == pytest.approx(2, rel=0.01)


def test_the_probe_tells_what_each_method_finds(page: Page, root: Locator) -> None:
    shown = case("scene0")
    box = frame(root, "sce").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.6)
    x, y = view_when(root, "view.pin")["pin"]
    assert abs(x - 64) <= 1
    assert abs(y - 153) <= 1
    page.mouse.move(5, 5)
    names = ("background", *shown.classes.names)
    expect(root.locator(".place")).to_contain_text(f"ground truth: {names[shown.mask[y, x]]}")
    for maps, key, threshold in zip(shown.maps, ("bce", "sce", "recam"), shown.thresholds, strict=True):
        pane = root.locator(f'[data-pane="{key}"]')
        values = pane.locator(".probe .value").all_inner_texts()
        assert values == [f"{plane[y, x] / 255:.2f}" for plane in full_size(maps)]
        assert (
            pane.locator(".probe .answer").inner_text()
            == f"says {names[seed_mask(*argmax_and_activation(maps), threshold)[y, x]]}"
        )
    expect(root.get_by_role("status")).to_contain_text(f"Column {x}, row {y}")  # said to screen readers
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.6)
    view_when(root, "view.pin === null")


def test_taken_back_is_told_by_legend_probe_and_scores_and_kept_in_the_link(page: Page, viewer_url: str) -> None:
    shown = case("scene0")
    root = open_viewer(page, viewer_url, "scene0", {"overlay": "taken", "cut": "all", "threshold": 0.4})
    expect(root.locator("[data-overlay=taken]")).to_have_attribute("aria-pressed", "true")
    assert heard(page)["view"]["overlay"] == "taken"
    legend = root.locator(".legend")
    for name in ("taken back", "lost", "both wrong", "errors of BCE-CAM:", "given to a wrong class"):
        expect(legend.get_by_text(name, exact=True)).to_be_visible()
    before, _, after = (seed_mask(*argmax_and_activation(maps), 0.4) for maps in shown.maps)
    codes = taken_back_codes(before, after, shown.mask, True)
    pane, answers = root.locator('[data-pane="recam"]'), {1: ": taken back", 2: ": lost", 3: ": both wrong", 0: ""}
    names = ("background", *shown.classes.names)
    for code, words in answers.items():
        y, x = np.argwhere(codes == code)[0].tolist()
        set_view(root, pin=[x, y])
        expect(pane.locator(".probe .answer")).to_have_text(f"says {names[after[y, x]]}{words}")
    # The reference out of sight is the reference all the same; its errors leave the legend.
    share = pane.locator(".scores .figure").nth(1).inner_text()
    set_view(root, hidden=["bce"])
    expect(legend.get_by_text("errors of BCE-CAM:")).to_have_count(0)
    assert pane.locator(".scores .figure").nth(1).inner_text() == share != "0.0%"
    # The threshold moves, and the figures follow without a word to the server.
    runs = heard(page)["runs"]
    set_view(root, threshold=0.8)
    expect(pane.locator(".scores .figure").nth(1)).not_to_have_text(share)
    assert heard(page)["runs"] == runs
    legend.get_by_role("button", name="taken back").click()
    assert view_when(root, "view.off.length")["off"] == ["taken:1"]


def test_a_line_plots_the_activations_along_it(page: Page, root: Locator) -> None:
    shown = case("scene0")
    root.get_by_role("button", name="Line profile").click()
    assert view_of(root)["line"] == [0, 128, 255, 128]
    box = frame(root, "recam").bounding_box()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.8 * box["height"], steps=6)
    page.mouse.up()
    x0, y0, x1, y1 = view_when(root, "view.line[0] > 0 && view.line[2] > 200")["line"]
    steps = int(np.ceil(np.hypot(x1 - x0, y1 - y0)))
    along = np.arange(steps + 1) / steps
    columns, rows = (
        np.floor(x0 + (x1 - x0) * along + 0.5).astype(int),
        np.floor(y0 + (y1 - y0) * along + 0.5).astype(int),
    )
    curves = root.locator('[data-pane="bce"] .profile polyline')
    expect(curves).to_have_count(len(shown.maps[0].classes))
    for place, plane in enumerate(full_size(shown.maps[0])):
        points = np.array(
            [point.split(",") for point in curves.nth(place).get_attribute("points").split()], dtype=float
        )
        np.testing.assert_allclose(70 * (1 - plane[rows, columns] / 255.0), points[:, 1], atol=0.006)
    page.keyboard.press("Escape")
    assert view_of(root)["line"] is None


def test_wipe_by_pointer_and_by_keyboard(page: Page, root: Locator) -> None:
    root.get_by_role("button", name="Wipe").click()
    divider = root.get_by_role("slider", name="Line of the wipe")
    x, y = centre(divider)
    assert root.locator("canvas:visible").count() == 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 100, y, steps=4)
    page.mouse.up()
    assert view_of(root)["wipe"] < 0.45
    before = view_of(root)["wipe"]
    divider.press("ArrowRight")
    assert view_of(root)["wipe"] == pytest.approx(before + 0.02)
    root.get_by_label("Right or second pane").select_option("truth")
    assert view_of(root)["pair"] == ["bce", "truth"]
    root.get_by_label("Left or first pane").select_option("truth")
    assert view_of(root)["pair"] == ["truth", "bce"]


def test_blinking_shows_two_panes_in_turns(page: Page, root: Locator) -> None:
    page.keyboard.press("Space")
    seen = set()
    for _ in range(12):
        seen.add(root.locator(".frame:visible").first.get_attribute("aria-label").split(":")[0])
        page.wait_for_timeout(200)
    assert seen == {"BCE-CAM", "ReCAM"}


def test_panes_are_shown_and_hidden(root: Locator) -> None:
    chips = root.get_by_role("group", name="Panes that are shown")
    chips.get_by_role("button", name="SCE-CAM").click()
    chips.get_by_role("button", name="Ground truth").click()
    expect(root.locator("figure:visible")).to_have_count(3)
    for name in ("BCE-CAM", "ReCAM", "Ground truth"):
        chips.get_by_role("button", name=name).click()
    expect(root.locator("figure:visible")).to_have_count(1)  # one always stays


def test_own_thresholds_move_on_their_own(root: Locator) -> None:
    own = root.get_by_role("slider", name="Threshold of ReCAM")
    own.press("ArrowRight")
    assert view_of(root)["thresholds"] == {"recam": 0.35}
    root.get_by_label("Which threshold").select_option("all")
    expect(own).to_be_hidden()


def test_names_are_text_and_never_markup(page: Page, viewer_url: str) -> None:
    root = open_viewer(page, viewer_url, "hostile")
    assert root.locator("img[src=x]").count() == 0
    expect(root.get_by_role("group", name="Classes that the panes")).to_contain_text("<img src=x onerror=alert(1)>")
    # Without ground truth there are no errors to show, nor scores.
    expect(root.locator("[data-overlay=errors]")).to_be_disabled()
    expect(root.locator("[data-overlay=taken]")).to_be_disabled()
    assert "Without ground truth" in root.locator("[data-overlay=taken]").get_attribute("title")
    set_view(root, overlay="taken")  # as a link may ask for
    expect(root.locator("[data-overlay=disagreement]")).to_have_attribute("aria-pressed", "true")
    assert root.locator(".scores").count() == 0
    set_view(root, overlay="seeds", extra=["photo"])
    no_exception(page)


def test_every_control_has_a_name_and_is_reached_by_keyboard(page: Page, root: Locator) -> None:
    unnamed = root.evaluate(
        """root => [...root.querySelectorAll("button, select, input, [role=slider], .frame")].filter((node) =>
          !(node.getAttribute("aria-label") || node.textContent.trim() || node.closest("label"))).length"""
    )
    assert unnamed == 0
    reached = set()
    page.get_by_role("button", name="Errors").focus()
    focused = """root => {
      const node = root.getRootNode().activeElement;
      return node && (node.className || node.dataset.field || node.textContent.trim());
    }"""
    for _ in range(45):
        reached.add(root.evaluate(focused))
        page.keyboard.press("Tab")
    assert {"frame", "threshold", "opacity", "cut", "Wipe"} <= reached


@pytest.mark.parametrize(("width", "scheme"), [(1400, "dark"), (390, "light")])
def test_fits_narrow_windows_and_both_themes(
    new_page: Callable[..., Page], viewer_url: str, width: int, scheme: str
) -> None:
    page = new_page(width=width, color_scheme=scheme)
    root = open_viewer(page, viewer_url, "scene0")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert root.evaluate("root => root.scrollWidth <= root.clientWidth + 1")
    text = root.evaluate("root => getComputedStyle(root).color")
    assert text == {"light": "rgb(28, 37, 40)", "dark": "rgb(230, 236, 236)"}[scheme]
    set_view(root, layout="wipe")
    assert root.evaluate("root => root.scrollWidth <= root.clientWidth + 1")


def test_a_view_of_python_replaces_that_of_the_browser(page: Page, root: Locator) -> None:
    """What the page asks for later than the hand wins, and changes nothing else."""
    page.keyboard.press("h")
    page.keyboard.press("2")
    page.wait_for_timeout(REST)
    page.get_by_role("button", name="Contours, please").click()
    expect(root.locator("[data-overlay=contour]")).to_have_attribute("aria-pressed", "true")
    assert view_of(root)["classes"] == [case("scene0").maps[0].classes[1]]
    wait_until_finished(page)
    page.keyboard.press("s")
    page.wait_for_timeout(REST)
    wait_until_finished(page)
    assert view_of(root)["overlay"] == "seeds"  # and then the hand again
    expect(said(page)).to_contain_text('"overlay": "seeds"')


def test_it_comes_back_as_it_was_after_leaving_the_page(page: Page, root: Locator) -> None:
    """Taken from the page and put back with the view that it had reported."""
    page.keyboard.press("d")
    page.wait_for_timeout(REST)
    wait_until_finished(page)
    hide = page.get_by_role("checkbox", name="Hide the viewer")
    page.get_by_text("Hide the viewer").click()
    expect(root).to_have_count(0)
    wait_until_finished(page)
    page.get_by_text("Hide the viewer").click()
    expect(hide).not_to_be_checked()
    expect(root).to_be_attached()
    expect(root.locator("[data-overlay=disagreement]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("h")  # by one viewer only: the other has let go of the keys
    expect(root.locator("[data-overlay=heat]")).to_have_attribute("aria-pressed", "true")
    no_exception(page)
