"""Downloads from a server on this machine: verified, whole, and with a sentence when they fail."""

import hashlib
import io
import socket
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_layouts import voc
from recam_core.data import download as module
from recam_core.data.download import Source, download, find_source
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder and the address under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def source_of(path, address, base_dir="VOCdevkit/VOC2012", **changes):
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    return Source(f"{address}/{path.name}", path.name, changes.pop("md5", md5), base_dir, **changes)


@pytest.fixture
def archive(tmp_path, served):
    devkit = voc(tmp_path / "original")
    path = served[0] / "VOCtiny.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(devkit, "VOCdevkit/VOC2012")
    return path


def left_over(folder):
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def test_the_data_set_is_there_and_nothing_else(tmp_path, served, archive):
    to = tmp_path / "data"
    seen = []
    where = download(source_of(archive, served[1]), to, lambda done, total, note: seen.append((done, total)))
    assert where == to / "VOCdevkit" / "VOC2012"
    assert left_over(to) == ["VOCdevkit"]
    dataset = open_dataset(f"voc:{to}@train")
    assert len(dataset) == 3
    assert list(dataset.faults()) == []
    assert seen
    assert all(0 <= done <= total for done, total in seen)


def test_what_is_in_place_is_not_fetched_again(tmp_path, served, archive):
    source = source_of(archive, served[1])
    to = tmp_path / "data"
    download(source, to)
    archive.unlink()
    assert download(source, to) == to / "VOCdevkit" / "VOC2012"


def test_an_archive_fetched_by_hand(tmp_path, archive):
    to = tmp_path / "data"
    to.mkdir()
    (to / archive.name).write_bytes(archive.read_bytes())
    source = source_of(archive, "http://127.0.0.1:1")
    assert download(source, to).is_dir()
    assert sorted(left_over(to)) == ["VOCdevkit", archive.name]


def test_a_damaged_archive_fetched_by_hand(tmp_path, archive):
    to = tmp_path / "data"
    to.mkdir()
    (to / archive.name).write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(UserError, match="MD5"):
        download(source_of(archive, "http://127.0.0.1:1"), to)
    assert left_over(to) == [archive.name]


def test_a_wrong_checksum(tmp_path, served, archive):
    to = tmp_path / "data"
    with pytest.raises(UserError, match="MD5 sum is not 0123"):
        download(source_of(archive, served[1], md5="0123"), to)
    assert left_over(to) == []


def test_a_file_that_is_not_there(tmp_path, served, archive):
    source = source_of(archive, served[1])
    archive.unlink()
    with pytest.raises(UserError, match="404"):
        download(source, tmp_path / "data")
    assert left_over(tmp_path / "data") == []


def test_offline(tmp_path, archive):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    source = source_of(archive, f"http://127.0.0.1:{port}")
    with pytest.raises(UserError) as refusal:
        download(source, tmp_path / "data")
    text = str(refusal.value)
    for words in ("Could not download", "Check the connection", "by hand", "md5sum", source.md5, str(tmp_path)):
        assert words in text
    assert left_over(tmp_path / "data") == []


def test_the_real_source_is_refused_without_a_network(tmp_path):
    source = find_source("voc2012")
    assert source.md5 == "6cd6e144f989b92b3379bac3b3de84fd"
    source = Source(source.url, source.filename, source.md5, source.base_dir)
    with pytest.raises(UserError, match=r"Could not download https?://"):
        download(source, tmp_path / "data")


def test_a_silent_server(tmp_path, archive, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        source = source_of(archive, f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(UserError, match="took too long"):
            download(source, tmp_path / "data")
    assert socket.getdefaulttimeout() is None


def test_no_room_on_the_disk(tmp_path, served, archive):
    with pytest.raises(UserError, match="needs 1000000000"):
        download(source_of(archive, served[1], disk_bytes=10**18), tmp_path / "data")


def test_a_place_that_cannot_be_written_to(tmp_path, served, archive):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        download(source_of(archive, served[1]), tmp_path / "file" / "data")


def hostile(kind):
    member = tarfile.TarInfo("../../evil" if kind == "parent" else "link")
    if kind == "link":
        member.type, member.linkname = tarfile.SYMTYPE, "../../outside"
    elif kind == "device":
        member.type = tarfile.CHRTYPE
    return member


@pytest.mark.parametrize("kind", ["parent", "link", "device"])
def test_hostile_archives(tmp_path, served, kind):
    path = served[0] / "evil.tar"
    with tarfile.open(path, "w") as tar:
        member = hostile(kind)
        data = b"evil" if member.isreg() else b""
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    with pytest.raises(UserError, match="cannot be unpacked"):
        download(source_of(path, served[1]), tmp_path / "data")
    assert left_over(tmp_path / "data") == []
    assert not list(tmp_path.rglob("evil"))


def test_archives_that_are_none_or_others(tmp_path, served):
    path = served[0] / "text.tar"
    path.write_bytes(b"this is no archive")
    with pytest.raises(UserError, match="cannot be unpacked"):
        download(source_of(path, served[1]), tmp_path / "data")
    with tarfile.open(path, "w") as tar:
        tar.add(__file__, "other.py")
    with pytest.raises(UserError, match="holds no folder"):
        download(source_of(path, served[1]), tmp_path / "data")
    assert left_over(tmp_path / "data") == []


def test_an_interrupted_download_leaves_nothing(tmp_path, served, archive):
    def interrupt(done, total, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(source_of(archive, served[1]), tmp_path / "data", interrupt)
    assert left_over(tmp_path / "data") == []


def test_unknown_names():
    with pytest.raises(UserError, match="voc2012"):
        find_source("imagenet")
