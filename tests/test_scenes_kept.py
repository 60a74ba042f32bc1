"""Drawn scenes are kept on disk: what comes from there is what would be drawn, and nothing else ever comes."""

import os

import numpy as np
import pytest

from recam_core.cache import bytes_of
from recam_core.scenes import ScenesDataset, kept, open_scenes
from recam_core.scenes.options import SceneOptions


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files(cache):
    return sorted(cache.glob("scenes-*/*/*.npz"))


def same(one, other):
    return (
        one.id == other.id
        and np.array_equal(one.image, other.image)
        and np.array_equal(one.mask, other.mask)
        and np.array_equal(one.labels, other.labels)
    )


def no_drawing(monkeypatch):
    def drawn(*_):
        raise AssertionError("it was drawn")

    monkeypatch.setattr("recam_core.scenes.dataset.draw", drawn)


@pytest.mark.parametrize("options", ["size=64,train=3", "size=64,train=3,stuff=1"])
def test_what_was_drawn_once_is_read(options, cache, monkeypatch):
    alone = ScenesDataset(size=64, train=3, stuff="stuff" in options)
    drawn = [alone.load(index) for index in range(3)]
    assert not cache.exists()
    first = open_scenes(options)
    assert all(same(first.load(index), drawn[index]) for index in range(3))
    assert len(files(cache)) == 3
    told = first.describe(1)
    no_drawing(monkeypatch)
    later, more = open_scenes(options), open_scenes(options.replace("train=3", "train=9"))
    assert np.array_equal(later.labels(2), drawn[2].labels)
    assert np.array_equal(later.mask(0), drawn[0].mask)
    assert later.describe(1) == told
    assert all(same(more.load(index), drawn[index]) for index in range(3))
    with pytest.raises(AssertionError, match="it was drawn"):
        more.load(3)
    with pytest.raises(IndexError):
        later.load(-1)


@pytest.mark.parametrize("other", ["size=64,seed=1", "size=64,context=0", "size=64,stuff=1", "size=80"])
def test_other_scenes_are_others(other, cache):
    open_scenes("size=64").load(0)
    assert same(open_scenes(other).load(0), open_scenes(other).load(0))
    open_scenes("size=64", "val").load(0)
    assert len({file.parent.parent for file in files(cache)}) == 3


def test_other_code_reads_nothing_that_this_one_kept(cache, monkeypatch):
    open_scenes("size=64").load(0)
    monkeypatch.setattr(kept, "_DRAWN_BY", "another version")
    no_drawing(monkeypatch)
    with pytest.raises(AssertionError, match="it was drawn"):
        open_scenes("size=64").load(0)


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_damaged_files_are_drawn_anew(damage, cache):
    drawn = open_scenes("size=64").load(0)
    (file,) = files(cache)
    whole = file.read_bytes()
    if damage == "other":
        arrays = dict(np.load(file))
        np.savez(file, **arrays | {"mask": arrays["mask"][:-1]})
    else:
        file.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    assert same(open_scenes("size=64").load(0), drawn)
    assert file.stat().st_size == len(whole)


def test_there_is_an_end_to_the_room(cache, monkeypatch):
    monkeypatch.setattr(kept, "MOST_OF_SPLIT", 2 * 64 * 64 * 4)
    scenes = open_scenes("size=64,train=5")
    for index in range(5):
        scenes.load(index)
    assert len(files(cache)) == 2
    monkeypatch.setattr(kept, "MOST_BYTES", 1)
    open_scenes("size=64,seed=7").load(0)
    assert len({file.parent.parent for file in files(cache)}) == 1


def test_what_is_in_use_stays_and_what_is_not_goes(cache, monkeypatch):
    def folder_of(seed):
        before = set(cache.glob("scenes-*"))
        open_scenes(f"size=64,seed={seed}").load(0)
        (new,) = set(cache.glob("scenes-*")) - before
        return new

    first, second = folder_of(1), folder_of(2)
    for time, folder in enumerate((first, second)):
        os.utime(folder, (time, time))
    monkeypatch.setattr(kept, "MOST_BYTES", bytes_of(first) * 5 // 2)
    open_scenes("size=64,seed=1").load(0)
    third = folder_of(3)
    assert (first.exists(), second.exists(), third.exists()) == (True, False, True)


def test_half_written_files_of_killed_processes_go(cache):
    open_scenes("size=64").load(0)
    left = files(cache)[0].parent / ".7.npz.abcdef-999999-abcd1234.tmp"
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    open_scenes("size=64").load(1)
    assert not left.exists()


def test_a_cache_of_a_user_that_there_is_not_keeps_nothing(monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", "~nobody-of-this-name/x")
    assert same(open_scenes("size=64").load(0), open_scenes("size=64").load(0))


def test_where_nothing_can_be_kept_pictures_are_drawn(cache):
    cache.write_text("a file, where the folder should be")
    scenes = open_scenes("size=64")
    assert same(scenes.load(0), scenes.load(0))


def test_the_pictures_of_the_shipped_set_all_have_room():
    usual = SceneOptions()
    assert max(usual.train, usual.val) * usual.size**2 * 4 <= kept.MOST_OF_SPLIT
