"""Small data sets on disk in the real layouts, written by the tests of the loaders."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 32


def photo(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """H x W x 3 uint8, smooth enough to survive JPEG."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def write_photo(path: Path, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo(seed, height, width)).save(path)


def halves(left: int, right: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """H x W uint8: one value on the left half, another on the right."""
    mask = np.full((height, width), right, dtype=np.uint8)
    mask[:, : width // 2] = left
    return mask


def write_palette_mask(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask)
    image.putpalette([value for number in range(256) for value in (number, 255 - number, (7 * number) % 256)])
    image.save(path)


def write_grey_mask(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def write_list(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_xml(path: Path, names: Sequence[str], difficult: Sequence[str] = ()) -> None:
    objects = "".join(
        f"<object><name>{name}</name><difficult>{int(name in difficult)}</difficult>"
        "<part><name>head</name></part></object>"
        for name in (*names, *difficult)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation><filename>{path.stem}.jpg</filename>{objects}</annotation>", encoding="utf-8")


def voc(root: Path, ids: Sequence[str] = ("a", "b", "c"), xml: bool = False, masks: bool = True) -> Path:
    """A devkit of VOC 2012; ``train`` lists every id. Masks show cat (8) on background; XML says cat and dog.

    The dog is hard to see: with XML, the last mask alone holds a pixel of it.
    """
    folder = root / "VOCdevkit" / "VOC2012"
    for number, identifier in enumerate(ids):
        write_photo(folder / "JPEGImages" / f"{identifier}.jpg", number)
        if masks:
            mask = halves(0, 8)
            if xml and identifier == ids[-1]:
                mask[-1, -1] = 12
            write_palette_mask(folder / "SegmentationClass" / f"{identifier}.png", mask)
        if xml:
            write_xml(folder / "Annotations" / f"{identifier}.xml", ["cat"], difficult=["dog"])
    write_list(folder / "ImageSets" / "Segmentation" / "train.txt", list(ids))
    return folder


def folder(root: Path, ids: Sequence[str] = ("a", "b", "c"), masks: bool = True) -> Path:
    """A user's folder with classes red and blue; masks show blue on background."""
    for number, identifier in enumerate(ids):
        write_photo(root / "images" / f"{identifier}.png", number)
        if masks:
            write_grey_mask(root / "masks" / f"{identifier}.png", halves(0, 2))
    write_list(root / "classes.txt", ["background", "red", "blue"])
    return root


def square(left: int, top: int, side: int) -> list[float]:
    """A polygon as COCO writes one."""
    return [left, top, left + side, top, left + side, top + side, left, top + side]


def coco(root: Path, split: str = "val2014", under_images: bool = False) -> dict:
    """Four pictures: two overlapping objects; one with a crowd; one with a crowd alone; one without objects."""
    names = [f"COCO_{split}_{number:012d}.jpg" for number in range(4)]
    for number, name in enumerate(names):
        write_photo((root / "images" if under_images else root) / split / name, number)
    crowd = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    crowd[:, :8] = 1
    runs = _runs(crowd)

    def annotation(number: int, image: int, category: int, segmentation: object, area: float, iscrowd: int = 0) -> dict:
        return {
            "id": number,
            "image_id": image,
            "category_id": category,
            "segmentation": segmentation,
            "area": area,
            "iscrowd": iscrowd,
            "bbox": [0, 0, 1, 1],
        }

    content = {
        "images": [
            {"id": 10 + number, "file_name": name, "height": HEIGHT, "width": WIDTH}
            for number, name in enumerate(names)
        ],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}, {"id": 13, "name": "stop sign"}],
        "annotations": [
            # The small object comes first in the file and still has to end up on top.
            annotation(1, 10, 90, [square(4, 4, 4)], 16.0),
            annotation(2, 10, 1, [square(0, 0, 16)], 256.0),
            annotation(3, 11, 13, [square(4, 4, 8)], 64.0),
            annotation(4, 11, 1, {"counts": runs, "size": [HEIGHT, WIDTH]}, 192.0, iscrowd=1),
            annotation(5, 12, 1, {"counts": runs, "size": [HEIGHT, WIDTH]}, 192.0, iscrowd=1),
        ],
    }
    write_coco(root, split, content)
    return content


def write_coco(root: Path, split: str, content: dict) -> Path:
    path = root / "annotations" / f"instances_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _runs(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed run-length code: lengths of runs down the columns, beginning with zeros."""
    flat = mask.flatten(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [2]])))
    return np.diff(np.concatenate([[0], edges])).tolist()
