"""Which pictures train, which choose and which report: three parts of the data that an experiment never mixes."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from recam_core.data.check import refuse_unscorable
from recam_core.data.sample import Dataset
from recam_core.data.spec import Spec, open_dataset, parse_spec
from recam_core.errors import UserError
from recam_core.file_reader import file_sha256

#: The parts, in the order in which they are used.
FIT, SELECT, REPORT = PARTS = ("fit", "select", "report")
#: Where results are reported unless another split is named.
REPORT_SPLIT = "val"


@dataclass(frozen=True)
class Protocol:
    """Specifications of the three parts.

    Attributes:
        fit: heads are trained on it.
        select: settings and background thresholds are chosen on it.
        report: figures are reported on it, and nothing is chosen.
    """

    fit: str
    select: str
    report: str

    def to_json(self) -> dict[str, str]:
        """The specifications by part."""
        return asdict(self)


def protocol_for(data: str, report: str | None = None) -> Protocol:
    """The protocol of a training set: four fifths train, one fifth chooses, another split reports.

    Args:
        data: training data such as ``scenes@train`` (``train`` is taken where no split is named); its parts
            ``.fit`` and ``.select`` are used.
        report: the data that figures are reported on: a specification, or ``@SPLIT`` of the same data; ``@val`` by
            default.

    Raises:
        UserError: a specification that cannot be read, or pictures that would both choose and report.
    """
    spec = parse_spec(data)
    if spec.part is not None:
        raise UserError(
            f"'{data}' is a part of a split already. Name the whole split, such as "
            f"{Spec(spec.kind, spec.root, spec.split, None)}: its parts .fit and .select are taken by themselves."
        )
    split = spec.split or "train"
    text = (report or f"@{REPORT_SPLIT}").strip()
    target = parse_spec(f"{Spec(spec.kind, spec.root, None, None)}{text}" if text.startswith("@") else text)
    if target.split is None:
        target = Spec(target.kind, target.root, REPORT_SPLIT, None)
    if (target.kind, target.root, target.split) == (spec.kind, spec.root, split):
        raise UserError(
            f"Settings are chosen on a part of {Spec(spec.kind, spec.root, split, None)}, so nothing can be reported "
            f"on {target}: the best of many settings looks better than it is where it was chosen. "
            "Name another split to report on."
        )
    return Protocol(
        str(Spec(spec.kind, spec.root, split, FIT)), str(Spec(spec.kind, spec.root, split, SELECT)), str(target)
    )


def data_and_report(data: str, report: str = f"@{REPORT_SPLIT}") -> tuple[Dataset, Dataset]:
    """What is trained on as a whole, and what is reported on, checked: the same classes, and no picture in both.

    Args:
        data: a specification.
        report: another one, or ``@SPLIT`` of the same data.

    Raises:
        UserError: data that cannot be opened, has other classes, or shares pictures.
    """
    spec = parse_spec(data)
    text = report.strip()
    target = f"{Spec(spec.kind, spec.root, None, None)}{text}" if text.startswith("@") else text
    parts = {"training": open_dataset(data), "report": open_dataset(target)}
    first, second = parts.values()
    if first.classes != second.classes:
        raise UserError(f"{second.spec} and {first.spec} have different classes and cannot be compared.")
    check_apart(parts)
    return first, second


def open_parts(protocol: Protocol) -> dict[str, Dataset]:
    """The three data sets, checked: same classes, masks to score against, and no picture in two of them.

    Raises:
        UserError: a part that cannot be opened, has other classes or no masks, or shares pictures with another.
    """
    parts = {part: open_dataset(spec) for part, spec in protocol.to_json().items()}
    for part in (SELECT, REPORT):
        dataset = parts[part]
        if dataset.classes != parts[FIT].classes:
            raise UserError(f"{dataset.spec} and {parts[FIT].spec} have different classes and cannot be compared.")
        if not dataset.has_masks:
            raise UserError(f"{dataset.spec} has no ground-truth masks, so nothing can be scored on it.")
        refuse_unscorable(dataset)
    check_apart(parts)
    return parts


def check_apart(parts: Mapping[str, Dataset]) -> None:
    """Make sure that no picture is in two parts.

    In one folder an id stands for one picture. In different ones, pictures of the same id are compared, and so are
    files of the same length, whatever they are called.

    Raises:
        UserError: a picture is in two parts.
    """
    names = list(parts)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            common = _common(parts[one], parts[other])
            if common:
                raise UserError(
                    f"The picture {common[0]!r} is in {parts[one].spec} and in {parts[other].spec}: "
                    f"{one} and {other} must not share pictures. Name another split."
                )


def choose_best(scores: Sequence[float], part: str) -> int:
    """The position of the highest score (the first of equals); nan is never chosen.

    Args:
        scores: one a setting.
        part: which part they are of.

    Raises:
        UserError: the scores are not of the part that chooses, or there is none to choose from.
    """
    if part != SELECT:
        raise UserError(f"Settings are chosen on the part '{SELECT}' only; these scores are of '{part}'.")
    values = np.array([-np.inf if np.isnan(value) else value for value in scores], dtype=np.float64)
    if not len(values) or not np.isfinite(values).any():
        raise UserError("There is no setting to choose from: none of them has a score.")
    return int(values.argmax())


def _common(one: Dataset, other: Dataset) -> list[str]:
    places = {id: index for index, id in enumerate(other.ids)}
    same_ids = [(index, places[id]) for index, id in enumerate(one.ids) if id in places]
    first, second = parse_spec(one.spec), parse_spec(other.spec)
    if (first.kind, first.root) == (second.kind, second.root):
        return [one.ids[index] for index, _ in same_ids]
    equal = [one.ids[a] for a, b in same_ids if np.array_equal(one.load(a).image, other.load(b).image)]
    return equal or _same_files(one, other)


def _same_files(one: Dataset, other: Dataset) -> list[str]:
    """Ids of the pictures of ``one`` whose files ``other`` holds under any name; none where pictures are no files."""
    lengths = [_files_by_length(dataset) for dataset in (one, other)]
    found = []
    for length in lengths[0].keys() & lengths[1].keys():
        known = {file_sha256(path) for _, path in lengths[1][length]}
        found += [index for index, path in lengths[0][length] if file_sha256(path) in known]
    return [one.ids[index] for index in sorted(found)]


def _files_by_length(dataset: Dataset) -> dict[int, list[tuple[int, str]]]:
    """(Place, path) of each picture that is a file, by its number of bytes."""
    found: dict[int, list[tuple[int, str]]] = {}
    path_of: Callable[[int], str] | None = getattr(dataset, "photo_path", None)
    if path_of is None:
        return found
    for index in range(len(dataset)):
        try:
            path = path_of(index)
            found.setdefault(os.path.getsize(path), []).append((index, path))
        except (LookupError, OSError):
            continue  # a picture without its file is refused by whoever reads it
    return found
