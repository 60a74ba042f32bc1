"""Renaming one of the user's own runs."""

import os
from dataclasses import asdict, replace
from pathlib import Path

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import INFO_FILE, read_info
from recam_core.errors import UserError
from recam_core.retrain.named_run import check_run_name
from recam_core.runs.folder_lock import locked
from recam_core.runs.in_use import check_free
from recam_core.runs.lineage import children_of, rewritten
from recam_core.runs.listed import ListedRun, key_of, list_runs
from recam_core.runs.stars import move_star


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
            command = rewritten(child.info.command, old, new)
            parent = name if child.info.parent == old.name else child.info.parent
            write_json(child.path / INFO_FILE, asdict(replace(child.info, parent=parent, command=command)))
    return new
