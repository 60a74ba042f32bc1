"""What Explore opens with: the family, the picture, the sentence, the buttons that lead on, and the presentation."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from viewer_content import viewer_of

from app import catalogue
from app.catalogue import Family, read_catalogue
from app.plain_words import plain
from recam_core.analysis.analysed import analyse, settings_of, shipped_analysed
from recam_core.analysis.shown_first import Standing, standing
from recam_core.analysis.taken_back import change_sentence, what_changed
from recam_core.checkpoint.run_folder import load_run, read_info
from recam_core.data.spec import open_dataset
from recam_core.maps.activation_maps import argmax_and_activation, seed_mask

SPEC = "scenes:train=2,val=8,size=64@val"
NEXT, WORST = "explore_next_striking", "explore_worst"


@pytest.fixture(scope="module")
def kept(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assets with maps of BCE-CAM and ReCAM on eight small scenes."""
    copy = tmp_path_factory.mktemp("kept")
    shutil.copytree(assets, copy, dirs_exist_ok=True)
    for method in ("bce", "recam"):
        run = load_run(copy / "checkpoints" / "scenes" / method)
        analyse(run, run.info.rule, open_dataset(SPEC), settings_of(run.info), folder=copy / "maps")
    return copy


@pytest.fixture
def with_maps(
    kept: Path, opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> tuple[Callable[..., AppTest], Standing]:
    """``opened`` on these assets, and how the two methods stand to each other there."""
    monkeypatch.setenv("RECAM_ASSETS", str(kept))
    scenes = replace(catalogue.SHIPPED["scenes"], pictures=SPEC)
    monkeypatch.setattr(catalogue, "SHIPPED", catalogue.SHIPPED | {"scenes": scenes})
    infos = [read_info(kept / "checkpoints" / "scenes" / method) for method in ("bce", "recam")]
    return opened, standing(*(shipped_analysed(info, SPEC) for info in infos))


def shown_picture(page: AppTest) -> str:
    """The id of the picture, from its heading."""
    headings = [box.value for box in page.markdown if box.value.startswith("**val_")]
    return headings[0].split("**")[1]


def sentence_by_hand(kept: Path, picture_id: str) -> str:
    dataset = open_dataset(SPEC)
    seeds = []
    for method in ("bce", "recam"):
        info = read_info(kept / "checkpoints" / "scenes" / method)
        maps = shipped_analysed(info, SPEC).store[picture_id]
        seeds.append(seed_mask(*argmax_and_activation(maps), info.threshold))
    change = what_changed(*seeds, dataset.mask(list(dataset.ids).index(picture_id)), dataset.classes)
    return change_sentence(change, dataset.classes, "BCE-CAM", "ReCAM")


def test_it_opens_with_the_picture_of_the_rule_and_a_sentence_of_its_numbers(
    with_maps: tuple[Callable[..., AppTest], Standing], kept: Path
) -> None:
    opened, found = with_maps
    page = opened()
    assert not page.error
    assert found.first is not None
    assert shown_picture(page) == found.first
    assert "picture" not in page.query_params
    assert page.title[0].value
    assert f"**{plain(sentence_by_hand(kept, found.first))}**" in [box.value for box in page.markdown]
    assert viewer_of(page).message["view"]["overlay"] == "taken"


def test_two_buttons_lead_on(with_maps: tuple[Callable[..., AppTest], Standing], kept: Path) -> None:
    opened, found = with_maps
    others = [id for id in found.ids if id not in (found.worst, found.after(id))]
    page = opened(picture=others[0])
    target = found.after(others[0])
    if target is not None:
        page.button(key=NEXT).click().run()
        assert shown_picture(page) == target
        assert f"**{plain(sentence_by_hand(kept, target))}**" in [box.value for box in page.markdown]
    if found.worst is not None:
        page.button(key=WORST).click().run()
        assert shown_picture(page) == found.worst
        assert page.button(key=WORST).disabled
    assert (target, found.worst) != (None, None), "the tiny networks do not differ"
    assert not page.exception


def test_without_kept_maps_nothing_leads_on(opened: Callable[..., AppTest]) -> None:
    page = opened()
    assert not {NEXT, WORST} & {str(button.key) for button in page.button}
    assert page.title[0].value


def test_the_sentence_follows_the_threshold(with_maps: tuple[Callable[..., AppTest], Standing], kept: Path) -> None:
    opened, found = with_maps
    page = opened(threshold="0.9")
    dataset, infos = open_dataset(SPEC), [read_info(kept / "checkpoints" / "scenes" / m) for m in ("bce", "recam")]
    seeds = [seed_mask(*argmax_and_activation(shipped_analysed(info, SPEC).store[found.first]), 0.9) for info in infos]
    change = what_changed(*seeds, dataset.mask(list(dataset.ids).index(found.first)), dataset.classes)
    words = change_sentence(change, dataset.classes, "BCE-CAM", "ReCAM")
    assert words != sentence_by_hand(kept, found.first)
    assert f"**{plain(words)}**" in [box.value for box in page.markdown]


def test_the_family_whose_best_picture_gains_most_comes_first(
    assets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RECAM_ASSETS", str(assets))
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path))
    gains: dict[str, list[float]] = {}

    def with_standing(family: Family) -> Family:
        if family.key not in gains:
            return family
        return replace(family, standing=Standing(("a", "b"), np.array(gains[family.key])))

    monkeypatch.setattr(catalogue, "_with_standing", with_standing)
    order = lambda: [family.key for family in read_catalogue().families]  # noqa: E731
    usual = order()
    assert usual[:2] == ["scenes", "photos"]
    gains |= {"photos": [0.2, 0.1], "scenes": [0.5, -0.6]}
    assert order()[0] == "photos"
    gains["scenes"] = [0.5, -0.4]
    assert order() == usual


def test_the_presentation_has_nothing_but_the_picture_and_its_sentence(
    with_maps: tuple[Callable[..., AppTest], Standing], kept: Path
) -> None:
    opened, found = with_maps
    page = opened(present="1")
    assert not page.exception
    shown = viewer_of(page)
    assert shown.message["presenting"]
    assert shown.message["can_step"]
    keys = {str(button.key) for button in page.button}
    assert not keys & {NEXT, WORST, "explore_present_start"}
    assert f"**{plain(sentence_by_hand(kept, found.first))}**" in [box.value for box in page.markdown]
    page.button(key="explore_present_leave").click().run()
    assert "present" not in page.query_params
    assert not viewer_of(page).message["presenting"]
    page.button(key="explore_present_start").click().run()
    assert viewer_of(page).message["presenting"]
