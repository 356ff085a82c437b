"""Downloads: mirrors in turn, verified content, one rename each, and nothing left behind."""

import contextlib
import gzip
import hashlib
import http.server
import io
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.error import HTTPError, URLError

import pytest

from fashionclf.datasets import _download
from fashionclf.datasets._idx import read_file
from fashionclf.datasets._sources import IdxFile, Source

SHAPES = {"one-idx1-ubyte": (5,), "two-idx1-ubyte": (6,), "three-idx1-ubyte": (7,), "four-idx1-ubyte": (8,)}
A, B = "https://a.example/", "https://b.example/"


def fake_source(mirrors=(A, B)):
    content, files = {}, []
    for name, shape in SHAPES.items():
        data = IdxFile(name, shape, "").header + bytes(range(shape[0]))
        content[f"{name}.gz"] = gzip.compress(data, mtime=0)
        files.append(IdxFile(name, shape, hashlib.sha256(data).hexdigest()))
    return Source("Tiny", "tiny", tuple(files), mirrors), content


SOURCE, CONTENT = fake_source()
ALL = sorted(CONTENT)


class Web:
    """A fake internet: `answers[mirror]` returns the content of a file or raises. It sends eight bytes at a time."""

    def __init__(self, a, b, pause=0.0):
        self.answers = {A: a, B: b}
        self.pause = pause
        self.asked = []

    def open(self, url, timeout):
        self.asked.append(url)
        mirror = url[: len(A)]
        return Answer(self.answers[mirror](url.removeprefix(mirror)), self.pause)


class Answer(io.BytesIO):
    def __init__(self, content, pause):
        super().__init__(content)
        self.length = len(content)
        self.pause = pause

    def read1(self, size):
        time.sleep(self.pause)
        return super().read(8)


def good(name):
    return CONTENT[name]


def offline(name):
    raise URLError(OSError(113, "No route to host"))


def not_found(name):
    raise HTTPError(name, 404, "Not Found", None, None)


def html(name):
    return b"<html>Please log in to this wireless network</html>"


@pytest.fixture
def web(monkeypatch):
    def connect(a, b, pause=0.0):
        pretended = Web(a, b, pause)
        monkeypatch.setattr(_download, "_OPENER", pretended)
        return pretended

    return connect


def everything_under(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_first_mirror_is_enough(web, tmp_path):
    pretended = web(good, offline)
    _download.download(SOURCE, tmp_path / "deep" / "tiny")
    assert [url[: len(A)] for url in pretended.asked] == [A] * 4
    assert everything_under(tmp_path / "deep" / "tiny") == ALL
    assert all(read_file(tmp_path / "deep" / "tiny", file)[0] is not None for file in SOURCE.files)


def test_an_unreachable_mirror_is_asked_once_and_the_next_gives_all(web, tmp_path):
    pretended = web(offline, good)
    _download.download(SOURCE, tmp_path)
    assert [url[: len(A)] for url in pretended.asked] == [A, B, B, B, B]
    assert everything_under(tmp_path) == ALL


@pytest.mark.parametrize("wrong", [html, not_found, lambda _: CONTENT["one-idx1-ubyte.gz"]])
def test_what_one_mirror_gets_wrong_the_next_gives(web, tmp_path, wrong):
    web(lambda name: wrong(name) if name.startswith("two") else good(name), good)
    _download.download(SOURCE, tmp_path)
    assert everything_under(tmp_path) == ALL


def test_what_each_mirror_answered_is_told_and_nothing_is_left(web, tmp_path):
    web(html, not_found)
    with pytest.raises(_download.MirrorError) as caught:
        _download.download(SOURCE, tmp_path / "new" / "tiny")
    assert caught.value.attempts[0] == f"{A}one-idx1-ubyte.gz is not an intact gzip file: Not a gzipped file (b'<h')"
    assert caught.value.attempts[-1] == f"{B}four-idx1-ubyte.gz answered: HTTP 404 Not Found"
    assert everything_under(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupt_leaves_nothing(web, tmp_path, error):
    def interrupted(name):
        if name.startswith("three"):
            raise error
        return good(name)

    web(interrupted, interrupted)
    with pytest.raises(error):
        _download.download(SOURCE, tmp_path / "tiny")
    assert everything_under(tmp_path) == []


def test_only_what_is_missing_or_damaged_is_fetched(web, tmp_path):
    for name in ALL[:3]:
        (tmp_path / name).write_bytes(CONTENT[name])
    (tmp_path / ALL[0]).write_bytes(b"damaged")
    pretended = web(good, good)
    _download.download(SOURCE, tmp_path)
    assert sorted(pretended.asked) == [A + ALL[0], A + ALL[3]]
    _download.download(SOURCE, tmp_path)
    assert len(pretended.asked) == 2


def watched_downloads(folder, count=4):
    """Download in several threads at once; return visible parts and missing data."""
    wrong, ended = [], threading.Event()

    def watch():
        while not ended.is_set():
            for path in folder.glob("*.gz"):
                with contextlib.suppress(FileNotFoundError):
                    if path.read_bytes() != CONTENT[path.name]:
                        wrong.append(f"a part of {path.name}")

    def work():
        _download.download(SOURCE, folder)
        wrong.extend(f"no {file.name}" for file in SOURCE.files if read_file(folder, file)[0] is None)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(count) as pool:
        results = [pool.submit(work) for _ in range(count)]
    ended.set()
    watcher.join()
    for result in results:
        result.result()
    return wrong


def test_threads_at_once_never_see_a_part(web, tmp_path):
    pretended = web(good, good, pause=0.002)
    assert watched_downloads(tmp_path) == []
    assert len(pretended.asked) > 4  # they did download at once
    assert everything_under(tmp_path) == ALL


def test_a_part_that_can_be_seen_is_noticed(web, tmp_path, monkeypatch):
    """The test above fails if files are written in place."""
    web(good, good, pause=0.002)
    monkeypatch.setattr(_download, "temporary_folder", contextlib.nullcontext)
    assert any(each.startswith("a part of") for each in watched_downloads(tmp_path, count=1))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")  # noqa: PTH110
def test_a_full_disk_is_not_blamed_on_the_mirror(web, tmp_path, monkeypatch):
    pretended = web(good, good)
    monkeypatch.setattr(_download.Path, "open", lambda path, mode: open("/dev/full", mode))  # noqa: PTH123, SIM115
    with pytest.raises(OSError, match=r"The download '.*/tiny' could not be written: No space left.*; [\d.,]+ MB are"):
        _download.download(SOURCE, tmp_path / "tiny")
    assert pretended.asked == [f"{A}one-idx1-ubyte.gz"]
    assert everything_under(tmp_path) == []


def test_two_processes_at_once(tmp_path):
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "from test_download import SOURCE, Web, _download, good;"
        "_download._OPENER = Web(good, good, pause=0.02);"
        "_download.download(SOURCE, Path(sys.argv[2]))"
    )
    here = os.path.dirname(__file__)  # noqa: PTH120
    command = [sys.executable, "-c", program, here, str(tmp_path / "tiny")]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        assert process.wait(60) == 0, process.stderr.read()
        process.stderr.close()
    assert everything_under(tmp_path / "tiny") == ALL
    assert everything_under(tmp_path) == ["tiny", *(f"tiny/{name}" for name in ALL)]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_permission_error(web, tmp_path):
    web(good, good)
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError):
        _download.download(SOURCE, tmp_path / "tiny")
    tmp_path.chmod(0o755)


# -- with a real server -----------------------------------------------------------------


class Server(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path):
    """A web server on this machine: its address and its folder."""
    folder = tmp_path / "site"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()
        thread.join()


def test_files_come_from_a_real_server(site, tmp_path, capsys):
    address, folder = site
    (folder / "good").mkdir()
    for name, data in CONTENT.items():
        (folder / "good" / name).write_bytes(data)
    source, _ = fake_source((address + "empty/", address + "good/"))
    _download.download(source, tmp_path / "tiny")
    assert everything_under(tmp_path / "tiny") == ALL
    assert f"Downloading {address}good/" in capsys.readouterr().err


def test_failures_are_told_in_short(site, tmp_path, monkeypatch):
    address, _ = site
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts a connection and never answers
        monkeypatch.setattr(_download, "TIMEOUT", 0.5)
        mute = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        source, _ = fake_source((mute, address, "http://127.0.0.1:1/"))
        with pytest.raises(_download.MirrorError) as caught:
            _download.download(source, tmp_path / "tiny")
    name = "one-idx1-ubyte.gz"
    assert caught.value.attempts[0].startswith(f"{mute}{name} answered: ")
    assert "timed out" in caught.value.attempts[0]
    assert caught.value.attempts[1] == f"{address}{name} answered: HTTP 404 File not found"
    assert caught.value.attempts[-1] == f"http://127.0.0.1:1/{name} answered: Connection refused"
    assert not (tmp_path / "tiny").exists()
