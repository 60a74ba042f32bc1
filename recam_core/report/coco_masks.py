"""Masks as annotations in COCO's form, with compressed run-length codes."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from recam_core.atomic_write import replacing_file
from recam_core.data.sample import VOID, ClassList, Dataset


def picture_names(dataset: Dataset) -> dict[str, str]:
    """The file name of each picture of a data set by its id, below the folder that all of them lie in.

    Pictures that are drawn have no files; they are named as ``masks --with-pictures`` writes them.
    """
    path_of = getattr(dataset, "photo_path", None)
    if path_of is None:
        return {id: f"{id}.png" for id in dataset.ids}
    paths = [Path(path_of(index)) for index in range(len(dataset))]
    folders = {path.parent for path in paths}
    common = next(iter(folders))
    while not all(folder.is_relative_to(common) for folder in folders):
        common = common.parent
    return {id: path.relative_to(common).as_posix() for id, path in zip(dataset.ids, paths, strict=True)}


def write_coco(path: Path, classes: ClassList, masks: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write a file of annotations, whole or not at all.

    Each class of a picture is one annotation, however many objects it shows: a mask does not tell them apart. Its
    category has the number that the class has in masks; the background has none. Void is a crowd of a category
    ``void``, which is there only where a mask has void. Pictures are numbered from 1.

    Args:
        path: the file.
        classes: K classes.
        masks: of each picture its file name and its mask (H x W uint8: 0 background, k + 1 class k, 255 void).

    Raises:
        UserError: the file cannot be written, or the disk is full.
    """
    images: list[dict[str, Any]] = []
    count, has_void = 0, False
    with replacing_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        # One picture after the other: the codes of a large set need not be in memory together.
        stream.write('{"info": {"description": "one annotation for each class of a picture"},\n"annotations": [')
        for number, (name, mask) in enumerate(masks, start=1):
            images.append({"id": number, "file_name": name, "height": mask.shape[0], "width": mask.shape[1]})
            for value, region in _regions(mask):
                has_void |= value == VOID
                stream.write(",\n" if count else "\n")
                count += 1
                about = {"id": count, "image_id": number, "category_id": value, "iscrowd": int(value == VOID)}
                stream.write(json.dumps(about | region))
        categories = [{"id": place, "name": name} for place, name in enumerate(classes.names, start=1)]
        categories += [{"id": VOID, "name": "void"}] * has_void
        stream.write(f'],\n"images": {json.dumps(images)},\n"categories": {json.dumps(categories)}}}\n')


def _regions(mask: np.ndarray) -> list[tuple[int, dict[str, Any]]]:
    """Each value of a mask but the background, with its region, area and box as COCO has them."""
    from pycocotools import mask as codes

    values = np.flatnonzero(np.bincount(mask.ravel(), minlength=VOID + 1)[1:]) + 1
    regions = codes.encode(np.asfortranarray((mask[..., None] == values).astype(np.uint8)))
    areas, boxes = codes.area(regions).tolist(), codes.toBbox(regions).tolist()
    return [
        (value, {"segmentation": region | {"counts": region["counts"].decode("ascii")}, "area": area, "bbox": box})
        for value, region, area, box in zip(values.tolist(), regions, areas, boxes, strict=True)
    ]
