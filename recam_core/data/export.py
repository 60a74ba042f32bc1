"""Write any data set as a plain folder that ``folder:`` opens again."""

import csv
from pathlib import Path

from PIL import Image

from recam_core.atomic_write import replacing_folder
from recam_core.data.mask_io import write_mask
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent


def export_folder(dataset: Dataset, to: str | Path, count: int | None = None, progress: ProgressFn = silent) -> int:
    """Write images/ID.png, masks/ID.png, classes.txt, labels.csv and splits/SPLIT.txt; whole or not at all.

    Pictures are stored without loss, so that the copy scores exactly as the original.

    Args:
        dataset: what to write.
        to: a folder that does not exist yet, or is empty.
        count: how many pictures from the start; all by default.
        progress: called after each picture.

    Returns:
        how many pictures were written.

    Raises:
        UserError: the folder is in use or cannot be written to.
        BrokenItem: a picture cannot be used.
    """
    to = Path(to)
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise UserError(f"{to} already holds something; name a new or an empty folder.")
    if count is not None and count < 1:
        raise UserError("At least one picture has to be written; give a count of 1 or more.")
    total = len(dataset) if count is None else min(count, len(dataset))
    with replacing_folder(to) as folder:
        (folder / "images").mkdir()
        if dataset.has_masks:
            (folder / "masks").mkdir()
        names = list(dataset.classes.names)
        lines = ["background", *names] if dataset.classes.has_background else names
        (folder / "classes.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        written = []
        with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["id", *names])
            for index in range(total):
                sample = dataset.load(index)
                name = sample.id
                if "/" in name or "\\" in name or name.startswith("."):
                    raise UserError(f"The picture '{name}' cannot be written: its id is no plain file name.")
                Image.fromarray(sample.image).save(folder / "images" / f"{name}.png", compress_level=3)
                if sample.mask is not None:
                    write_mask(folder / "masks" / f"{name}.png", sample.mask)
                table.writerow([name, *(int(present) for present in sample.labels)])
                written.append(name)
                progress(index + 1, total, "writing pictures")
        split = _split_name(dataset.spec)
        if split is not None:
            (folder / "splits").mkdir()
            (folder / "splits" / f"{split}.txt").write_text("".join(f"{name}\n" for name in written), encoding="utf-8")
    return total


def _split_name(spec: str) -> str | None:
    _, at, split = spec.rpartition("@")
    return split if at and split and "/" not in split else None
