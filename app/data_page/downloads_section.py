"""Public data sets: a card each, which fetches it in the background."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from app.data_page.own_section import choose_set
from app.guard import sentences
from app.job_progress import job_progress, job_state
from app.jobs import Job, board
from app.links import keep, kept
from app.plain_words import plain
from app.recorded_pictures import look_again
from recam_core.data.download import SOURCES, Source, download, forget, is_here, kept_bytes
from recam_core.folders import data_root
from recam_core.guest import guest

_COLUMNS = 2
#: The parameter of the address that names the download which this page started last.
_IN_ADDRESS = "download"


@dataclass
class DownloadJob(Job):
    """Fetching the data set ``name`` to the folder ``root``, in steps that count bytes."""

    name: str
    root: Path
    _began_at: int = field(default=0, kw_only=True)

    @property
    def counted(self) -> str:
        return f"{_size(self.done)} of {_size(self.total)}" if self.total else _size(self.done) if self.done else ""

    @property
    def seconds_left(self) -> float | None:
        """As of any job, but what an earlier try had fetched took no time of this one."""
        gone, came = time.monotonic() - self._step_began, self.done - self._began_at
        if came <= 0 or self.done >= self.total or gone < 1:
            return None
        return gone / came * (self.total - self.done)

    def progress(self, done: int, total: int, note: str = "") -> None:
        step = note[:1].upper() + note[1:]
        if step != self.step:
            self.begin(step)
            self._began_at = done
        super().progress(done, total)


def downloads_section() -> None:
    """Draw the section."""
    root = data_root()
    st.subheader("Photographs to download")
    st.caption(
        (
            f"They come to {plain(str(root))} on the computer that runs the app, and every page finds them there. "
            if guest() is None
            else "They come to your data sets here, and every page finds them there. "
        )
        + "A download goes on when you leave the page; what broke off or was cancelled goes on where it ended."
    )
    running = {job.name: job for job in board().running(DownloadJob) if job.root == root}
    last = board().find(kept(_IN_ADDRESS))
    names = list(SOURCES)
    for start in range(0, len(names), _COLUMNS):
        columns = st.columns(_COLUMNS, gap="medium")
        for column, name in zip(columns, names[start : start + _COLUMNS], strict=False):
            with column.container(border=True, key=f"data_card_{name}", height="stretch"):
                ended = last if isinstance(last, DownloadJob) and last.name == name and last.is_over else None
                _card(name, root, running.get(name), ended)


def _card(name: str, root: Path, running: DownloadJob | None, ended: DownloadJob | None) -> None:
    source = SOURCES[name]
    st.markdown(f"**{source.title}**")
    st.markdown(source.about)
    size = _size(source.size) if source.size else "size as the server says"
    st.caption(
        f"To fetch: {size}. Room needed: {_size(source.disk_bytes)}.  \nTerms: {source.terms}  \n{source.checked}"
    )
    if running is not None:
        job_progress(running.id, key="data_download_cancel", is_narrow=True)
        return
    if is_here(source, root):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(":material/check_circle: It is here.", width="content")
            # Where VOC unpacks to is two folders deep; the list below names sets by their places.
            st.button("Show it below", key=f"data_show_{name}", on_click=choose_set, args=(source.folder,))
        return
    if ended is not None and job_state(ended):
        st.info("It was here, and is gone.", icon=":material/folder_off:")
    _buttons(name, source, root)


def _buttons(name: str, source: Source, root: Path) -> None:
    already = kept_bytes(source, root)
    with st.container(horizontal=True, vertical_alignment="center"):
        label, icon = ("Resume", ":material/resume:") if already else ("Download", ":material/download:")
        if st.button(
            label,
            type="primary",
            icon=icon,
            key=f"data_download_{name}",
            help="From " + ", ".join(archive.url for archive in source.archives),
        ):
            # Not after other work: it waits for the network, not for the processor.
            with sentences():
                keep(_IN_ADDRESS, board().start(DownloadJob(name, root), _download, at_once=True).id)
                st.rerun()
        if already:
            if st.button("Throw away", icon=":material/delete:", key=f"data_forget_{name}"):
                with sentences():
                    forget(source, root)
                    st.rerun()
            st.caption(f"{_size(already)} are fetched.", width="content")


def _download(job: DownloadJob) -> None:
    job.begin("Looking for the server")
    try:
        download(SOURCES[job.name], job.root, job.progress)
    finally:
        look_again()


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 950_000_000 else f"{count / 1e6:.{1 if count < 1e7 else 0}f} MB"
