"""Whose folders count: everybody's, as on one's own machine, or those of one guest of an app that strangers use.

A guest has folders of their own, and sees of the computer nothing but these, what ships with the project, and what its
host shows. Functions of this package ask here wherever they would look into the folders of runs and data, or follow a
path that somebody wrote: so none of them has to be told of guests, and none can forget them.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from recam_core.errors import UserError
from recam_core.home import CACHE, ROOT, assets_folder

#: Said of everything that a guest may not name, whether it is there or not. It quotes nothing.
NOT_SHOWN = (
    "That cannot be opened here: visitors of this app can open what comes with it, what they uploaded themselves, and "
    "folders that its host shows. Choose one of the sets of the page Data, drawn scenes or the gallery."
)
#: Said where a guest asks for a training of a whole network.
NO_TRAININGS = (
    "Visitors of this app retrain classifiers on kept features, on Explore and in the Lab; whole networks are not "
    "trained here. On your own computer the app and the commands do it. Who runs this app allows it by "
    "RECAM_HOSTED_TRAININGS=1."
)
#: Said where a guest asks for a download to the computer that runs the app, of pictures or of a library's weights.
NO_DOWNLOADS = (
    "Visitors of this app upload what they bring; they do not have it download to its own disk. Who runs this app "
    "allows downloads by RECAM_HOSTED_DOWNLOADS=1."
)
#: What stands before the place of a guest's own data set in the root of a specification.
OWN = "own:"
_NAME = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Guest:
    """One visitor of an app that strangers use.

    Attributes:
        name: 16 hexadecimal digits that stand for them.
        folder: theirs alone.
        shown: absolute folders of the computer that every guest may read, and nobody may write to.
        may_train: whether they may train whole networks.
        may_download: whether they may have public data sets and weights downloaded to this computer.
    """

    name: str
    folder: Path
    shown: tuple[Path, ...] = ()
    may_train: bool = False
    may_download: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("the name of a guest is 16 hexadecimal digits")

    @property
    def runs(self) -> Path:
        """The folder of their runs."""
        return self.folder / "runs"

    @property
    def data(self) -> Path:
        """The folder of their data sets."""
        return self.folder / "data"

    @property
    def cache(self) -> Path:
        """Where what was computed of their own pictures is kept."""
        return self.folder / "cache"

    def pictures(self, root: str) -> Path | None:
        """The folder that the root of a specification names; None for all that they may not see.

        The letters alone decide whether the disk is asked.
        """
        if root.startswith(OWN):
            name, _, place = root.removeprefix(OWN).partition("/")
            return _inside(self.data, place) if name == self.name and place else None
        path = Path(root)
        for shown in self.shown:
            if path.is_absolute() and ".." not in path.parts and path.is_relative_to(shown):
                return path  # its host may have links in it, which lead where the host wants them to
        return None

    def path(self, text: str) -> Path | None:
        """What a path in a command or a record leads to: pictures, own runs as ``runs/NAME``, what ships."""
        if (found := self.pictures(text)) is not None:
            return found
        parts = PurePosixPath(text).parts
        if parts[:1] == ("runs",):
            return _inside(self.runs, "/".join(parts[1:]))
        if parts[:1] == ("assets",):
            return _inside(assets_folder(), "/".join(parts[1:]))
        return None


def _inside(folder: Path, place: str) -> Path | None:
    parts = PurePosixPath(place).parts
    if place.startswith("/") or ".." in parts or "\0" in place or "\\" in place:
        return None
    path = folder.joinpath(*parts)
    try:
        return path if path.resolve().is_relative_to(folder.resolve()) else None
    except (OSError, RuntimeError, ValueError):
        return None  # a loop of links, or a name that is too long


# Who is served now ----------------------------------------------------------------------------------------------------

_served: ContextVar[Guest | None] = ContextVar("served", default=None)
_asked: Callable[[], Guest | None] | None = None


def guest() -> Guest | None:
    """The guest for whom this thread works; None where everybody is at home.

    Raises:
        RuntimeError: the app is used by strangers, and for which of them this thread works is not known.
    """
    if (one := _served.get()) is not None:
        return one
    if _asked is not None:
        return _asked()
    return _of_environment()


def ask_for_guests(ask: Callable[[], Guest | None] | None) -> None:
    """Have ``ask`` say for whom a thread works that nobody has told it; for an app whose threads serve sessions."""
    global _asked
    _asked = ask


@contextmanager
def serving(one: Guest | None) -> Iterator[None]:
    """Work for a guest inside; None changes nothing."""
    if one is None:
        yield
        return
    token = _served.set(one)
    try:
        yield
    finally:
        _served.reset(token)


def environment_of(one: Guest | None) -> dict[str, str]:
    """What a process is started with that is to work for the guest."""
    if one is None:
        return {}
    return {
        "RECAM_GUEST": one.name,
        "RECAM_GUEST_FOLDER": str(one.folder),
        "RECAM_SHOWN": os.pathsep.join(map(str, one.shown)),
        "RECAM_GUEST_TRAINS": "1" if one.may_train else "",
    }


def _of_environment() -> Guest | None:
    name, folder = os.environ.get("RECAM_GUEST"), os.environ.get("RECAM_GUEST_FOLDER")
    if not name or not folder:
        return None
    return Guest(name, Path(folder), shown_folders(), may_train=bool(os.environ.get("RECAM_GUEST_TRAINS")))


def shown_folders() -> tuple[Path, ...]:
    """The folders that the host shows to guests: ``RECAM_SHOWN`` in the environment, with colons between them (on
    Windows, semicolons)."""
    listed = os.environ.get("RECAM_SHOWN", "").split(os.pathsep)
    return tuple(Path(os.path.abspath(os.path.expanduser(text.strip()))) for text in listed if text.strip())


# What they may not do -------------------------------------------------------------------------------------------------


def refuse_training() -> None:
    """Raises UserError for a guest who may not train whole networks."""
    one = guest()
    if one is not None and not one.may_train:
        raise UserError(NO_TRAININGS)


def refuse_download() -> None:
    """Raises UserError for a guest who may not have anything downloaded."""
    one = guest()
    if one is not None and not one.may_download:
        raise UserError(NO_DOWNLOADS)


def refuse_foreign_run(path: Path) -> None:
    """Raises UserError where a guest would start from a run that is neither theirs nor ships."""
    one = guest()
    if one is not None and not any(
        path.resolve().is_relative_to(folder.resolve()) for folder in (one.folder, assets_folder())
    ):
        raise UserError(NOT_SHOWN)


def refuse_writing(path: Path) -> None:
    """Raises UserError where a guest would change what is not theirs."""
    one = guest()
    if one is not None and not path.is_relative_to(one.folder):
        raise UserError("What the host shows can be looked at, and not changed.")


# What they are told ---------------------------------------------------------------------------------------------------


def own_root(path: Path) -> str:
    """A folder of pictures as specifications name it: a guest's own by its place, any other by its path."""
    one = guest()
    if one is not None and path.is_relative_to(one.data):
        return f"{OWN}{one.name}/{path.relative_to(one.data).as_posix()}"
    return str(path)


def is_own(spec: str) -> bool:
    """Whether a specification names a guest's own pictures."""
    return spec.partition(":")[2].startswith(OWN)


def as_typed_spec(spec: str) -> str:
    """A specification as somebody types it who has the data set in the folder ``data``, where guests keep theirs."""
    kind, _, rest = spec.partition(":")
    if not rest.startswith(OWN):
        return spec
    return f"{kind}:data/{rest.removeprefix(OWN).partition('/')[2]}"


def told(text: str) -> str:
    """A message as guests read it: without the folders of this computer before what is theirs."""
    try:
        one = guest()
    except RuntimeError:
        return text  # drawn for nobody, as a test does that asks for the options of a list
    if one is None:
        return text
    text = text.replace(f"{one.folder}{os.sep}", "").replace(str(one.folder), "your folder")
    cache = Path(os.environ.get("RECAM_CACHE") or CACHE).expanduser()
    for folder, words in ((assets_folder().absolute(), "assets/"), (cache.absolute(), "cache/")):
        text = text.replace(f"{folder}{os.sep}", words)
    return text.replace(f"{one.folder.parent}{os.sep}", "").replace(f"{ROOT}{os.sep}", "")
