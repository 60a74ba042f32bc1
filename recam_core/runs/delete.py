"""Deleting one of the user's own runs."""

import os
import shutil
from pathlib import Path

from recam_core.atomic_write import temporary_folder
from recam_core.checkpoint.places import runs_folder, shipped_folder
from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.errors import UserError
from recam_core.runs.folder_lock import locked
from recam_core.runs.in_use import check_free
from recam_core.runs.listed import ListedRun, key_of
from recam_core.runs.stars import move_star


def check_deletable(run: ListedRun) -> None:
    """Raise UserError, with the reason, for a run that must not be deleted: a shipped one, one that lies elsewhere
    than among the user's runs, one that is gone, or one that a training writes or waits for.
    """
    path = run.path
    if run.shipped or path.resolve().is_relative_to(shipped_folder().resolve()):
        raise UserError(f"{run.name} came with the project and is never deleted.")
    if path.parent.resolve() != runs_folder().resolve():
        raise UserError(f"{path} does not lie among your runs in {runs_folder()}; delete its folder yourself.")
    if not (path / INFO_FILE).is_file():
        raise UserError(f"The run {path.name} is gone already.")
    check_free(path)


def delete_run(run: ListedRun) -> None:
    """Delete a run's folder with all that is in it. It is gone whole at once, even if the rest is interrupted.

    Raises:
        UserError: see :func:`check_deletable`; or the folder cannot be written to.
    """
    with locked(run.path.parent) as folder:
        check_deletable(run)
        try:
            if run.path.is_symlink():
                run.path.unlink()  # what a link points to is not this folder's to delete
            else:
                retired = temporary_folder(folder, run.path.name, ".old")
                os.replace(run.path, retired / "old")
                shutil.rmtree(retired, ignore_errors=True)
        except OSError as error:
            raise UserError(f"Cannot delete {run.path}: {error.strerror or error}.") from error
        move_star(key_of(run.path, False), None)
