"""The animals of PASCAL VOC 2012, as a data set of its own with the classes of the shipped animal checkpoints."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from recam_core.data.mask_io import read_mask, write_mask
from recam_core.data.sample import VOID, BrokenItem
from recam_core.data.voc import AUG_SPLIT, VOC_CLASSES, labels_from_xml
from recam_core.errors import UserError
from recam_core.file_reader import file_lines
from recam_core.progress import ProgressFn

#: The classes of the shipped animal checkpoints, in their order. Every other one of VOC's is void.
CLASSES = ("cat", "dog", "cow", "horse", "sheep", "person", "chair", "sofa")
#: A picture with one of these is taken; people, chairs and sofas come along where they stand beside one.
ANIMALS = CLASSES[:5]
_ABOUT = """The photographs of PASCAL VOC 2012 with a cat, dog, cow, horse or sheep, laid out for ReCAM Lab.

train: {train} pictures of VOC's segmentation train, val: {val} of its val, with VOC's masks.
train_aug: {train_aug} pictures outside of that val, by the objects that VOC's annotations name. Those without a mask of
VOC have none here: SBD's masks, with which the shipped networks' labels were made, are not part of VOC.
Classes other than {classes} are void. Photographs have VOC's size.
From Flickr, under Flickr's terms of use; for research.
"""


def choose_animals(voc: Path, to: Path, progress: ProgressFn) -> None:
    """Make the data set from an unpacked VOC 2012. Photographs are hard links to VOC's where the disk has such.

    Args:
        voc: the folder ``VOCdevkit/VOC2012``.
        to: made here.
        progress: called after each picture.

    Raises:
        UserError: VOC is damaged, or without pictures of animals.
    """
    lists = voc / "ImageSets" / "Segmentation"
    for folder in ("JPEGImages", "SegmentationClass", "Annotations", "ImageSets/Segmentation"):
        (to / folder).mkdir(parents=True)
    splits = {split: file_lines(lists / f"{split}.txt") for split in ("train", "val")}
    labelled = _listed(voc)
    total, done = sum(map(len, splits.values())) + len(labelled), 0

    chosen: dict[str, list[str]] = {"train": [], "val": [], AUG_SPLIT: []}
    numbers = _numbers()
    for split, ids in splits.items():
        for identifier in ids:
            mask = numbers[read_mask(voc / "SegmentationClass" / f"{identifier}.png")]
            if np.isin(mask, range(1, len(ANIMALS) + 1)).any():
                write_mask(to / "SegmentationClass" / f"{identifier}.png", mask)
                chosen[split].append(identifier)
            done += 1
            progress(done, total, "choosing the pictures with animals")

    in_val, with_mask = set(splits["val"]), set(chosen["train"])
    index = {name: place for place, name in enumerate(VOC_CLASSES)}
    for identifier in labelled:
        done += 1
        progress(done, total, "choosing the pictures with animals")
        if identifier in in_val:
            continue  # no training picture may be one of those that figures are told of
        if identifier not in with_mask:
            try:
                labels = labels_from_xml(voc / "Annotations" / f"{identifier}.xml", index)
            except BrokenItem as error:
                raise UserError(f"VOC 2012 is damaged: {error}") from error
            names = [name for name in CLASSES if labels[index[name]]]
            if not set(names) & set(ANIMALS):
                continue
            _write_annotation(to / "Annotations" / f"{identifier}.xml", names)
        chosen[AUG_SPLIT].append(identifier)
    if not chosen["train"] or not chosen["val"]:
        raise UserError(f"{voc} has no pictures with animals in its splits train and val; it is not whole.")
    for identifier in {one for ids in chosen.values() for one in ids}:
        _link(voc / "JPEGImages" / f"{identifier}.jpg", to / "JPEGImages" / f"{identifier}.jpg")
    for split, ids in chosen.items():
        (to / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(_lines(ids), "utf-8")
    (to / "classes.txt").write_text(_lines(["background", *CLASSES]), "utf-8")
    counts = {split: len(ids) for split, ids in chosen.items()}
    (to / "README.txt").write_text(_ABOUT.format(classes=", ".join(CLASSES), **counts), "utf-8")


def _numbers() -> np.ndarray:
    """256 uint8: what becomes of each value of VOC's masks."""
    table = np.full(256, VOID, dtype=np.uint8)
    table[0] = 0
    for place, name in enumerate(CLASSES, start=1):
        table[VOC_CLASSES.index(name) + 1] = place
    return table


def _listed(voc: Path) -> list[str]:
    """The pictures whose objects are all annotated: those of VOC's detection task. Of others only people may be."""
    main = voc / "ImageSets" / "Main" / "trainval.txt"
    if main.is_file():
        return sorted({line.split()[0] for line in file_lines(main)})
    return sorted(set(file_lines(voc / "ImageSets" / "Segmentation" / "train.txt")))


def _write_annotation(path: Path, names: Iterable[str]) -> None:
    root = ElementTree.Element("annotation")
    for name in names:
        ElementTree.SubElement(ElementTree.SubElement(root, "object"), "name").text = name
    ElementTree.ElementTree(root).write(path, encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    """A second name for a file; a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise UserError(f"VOC 2012 is damaged: {source} is missing.") from error
    except OSError:
        shutil.copyfile(source, target)


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
