"""The coloured squares of tiny_data as a folder in the layout of VOC, for what opens its data by name."""

from pathlib import Path

from PIL import Image

from tiny_data import TinyDataset


def tiny_voc(root: Path, train_pictures: int = 12, val_pictures: int = 6) -> Path:
    """Coloured squares in the layout of VOC."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("background\nred\ngreen\nblue\n")
    pictures = TinyDataset(train_pictures + val_pictures, spec="squares")
    for index, id in enumerate(pictures.ids):
        sample = pictures.load(index)
        Image.fromarray(sample.image).save(root / "JPEGImages" / f"{id}.jpg", quality=95)
        Image.fromarray(sample.mask, mode="L").save(root / "SegmentationClass" / f"{id}.png")
    splits = {"train": pictures.ids[:train_pictures], "val": pictures.ids[train_pictures:]}
    for split, ids in splits.items():
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(ids) + "\n")
    return root
