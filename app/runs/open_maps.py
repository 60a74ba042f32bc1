"""From runs to their maps in the viewer."""

from collections.abc import Sequence

from app.catalogue import Catalogue, Family
from app.datasets import dataset
from app.links import open_explore
from recam_core.errors import UserError
from recam_core.runs.listed import ListedRun


def family_of(runs: Sequence[ListedRun], catalogue: Catalogue) -> Family | None:
    """The family that all of the runs belong to; None where they know different classes."""
    keys = {run.key for run in runs}
    return next((one for one in catalogue.families if keys <= {entry.key for entry in one.entries}), None)


def open_maps(
    runs: Sequence[ListedRun], catalogue: Catalogue, data: str = "", picture: str = "", classes: Sequence[str] = ()
) -> None:
    """Leave for Explore with the runs side by side.

    Args:
        runs: at least one.
        catalogue: gives their family, and with it the pictures.
        data, picture: which picture; the first of the family's by default.
        classes: names of the classes to select; all by default. What is none of the family's, as a background, is left
            out.

    Raises:
        UserError: runs of different classes, or pictures that are not here.
    """
    family = family_of(runs, catalogue)
    if family is None:
        raise UserError("These runs know different classes, so their maps cannot stand side by side.")
    data = data or family.pictures
    named = [name for name in classes if name in family.classes.names]
    open_explore(data=data, picture=picture or dataset(data).ids[0], runs=[run.key for run in runs], classes=named)
