"""Renaming and deleting the user's own runs, but for those that a training has in its hands."""

from pathlib import Path
from recam_core.errors import UserError
from recam_core.train.state import STATE_FILE
from recam_core.queue.job import JOB_FILE, read_job
from recam_core.queue.listing import trainings_folder
from recam_core.queue.status import LIVE, read_status, true_state
import os
from dataclasses import asdict, replace
from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import INFO_FILE, read_info
from recam_core.retrain.named_run import check_run_name
from recam_core.runs.folder import locked
from recam_core.runs.lineage import children_of, renamed, rewritten
from recam_core.runs.listed import ListedRun, key_of, list_runs
from recam_core.runs.folder import move_star
import shutil
from recam_core.atomic_write import temporary_folder
from recam_core.folders import runs_folder, shipped_folder
from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.runs.listed import ListedRun, key_of


def check_free(path: Path) -> None:
    """Raise UserError if the run must stay where it is, because a training has it in its hands.

    Args:
        path: the run's folder.
    """
    if (path / STATE_FILE).exists():
        raise UserError(
            f"A training is writing the run {path.name}, or was cut off while it did; let it end, or resume it, first."
        )
    here = path.resolve()
    for file in trainings_folder().glob(f"*/{JOB_FILE}"):
        try:
            job = read_job(file.parent)
        except UserError:
            continue  # removed meanwhile, or damaged: then nothing works on it
        status = read_status(file.parent)
        if status is None or true_state(status) not in LIVE:
            continue
        if Path(job.out).resolve() == here:
            raise UserError(f"A training is writing the run {path.name}; cancel it or wait for its end first.")
        if job.init and Path(job.init).resolve() == here:
            raise UserError(
                f"The training of {job.name} starts from the run {path.name}; cancel it or wait for its end first."
            )


def rename_run(run: ListedRun, name: str) -> Path:
    """Give a run another name: its folder, its record, and what the records of runs made from it say of it.

    Returns:
        The run's new folder.

    Raises:
        UserError: a shipped run, a name that cannot be used or is taken, a run that is gone or being written.
    """
    if run.shipped:
        raise UserError(f"{run.name} came with the project and keeps its name.")
    old = run.path
    with locked(old.parent):
        check_free(old)
        name = check_run_name(name, old.parent)
        new = old.with_name(name)
        children = [other for other in children_of(run, list_runs().runs) if not other.shipped]
        info = read_info(old)
        named = replace(info, name=name, command=rewritten(info.command, old, new))
        # The folder comes last but for what merely names it: a failure before leaves everything under the old name.
        write_json(old / INFO_FILE, asdict(named))
        try:
            os.rename(old, new)
        except OSError as error:
            write_json(old / INFO_FILE, asdict(info))
            raise UserError(f"Cannot rename {old}: {error.strerror or error}.") from error
        move_star(key_of(old, False), key_of(new, False))
        for child in children:
            parent = name if child.info.parent == old.name else child.info.parent
            init, command = renamed(child.info.init, old, new), rewritten(child.info.command, old, new)
            write_json(child.path / INFO_FILE, asdict(replace(child.info, parent=parent, init=init, command=command)))
    return new


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
