"""Hostile and broken mirrors: within limits of time and size, the next one is asked."""

import functools
import gzip
import hashlib
import os
import pickle
import random
import signal
import socketserver
import subprocess
import sys
import threading
import time

import pytest

from fashionclf.datasets import _download
from fashionclf.datasets._idx import read_file
from fashionclf.datasets._sources import IdxFile, Source

pytestmark = pytest.mark.slow

SHAPES = {"one-idx1-ubyte": 5, "two-idx1-ubyte": 6, "three-idx1-ubyte": 7, "four-idx1-ubyte": 8}
DATA = {name: IdxFile(name, (size,), "").header + bytes(range(size)) for name, size in SHAPES.items()}
FILES = tuple(IdxFile(name, (SHAPES[name],), hashlib.sha256(data).hexdigest()) for name, data in DATA.items())
ENOUGH = 0.6  # seconds that a test lets a mirror take


def ok(content, *headers, length=None):
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(content) if length is None else length}", *headers]
    return ["\r\n".join([*lines, "", ""]).encode(), content]


def redirect(target):
    return [f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()]


def slowly(headers, content):
    yield headers
    for byte in content:
        time.sleep(0.1)
        yield bytes([byte])


def endlessly(*parts, again=b"x" * 4096):
    yield from parts
    while True:
        yield again


@functools.cache
def bomb(name):
    return gzip.compress(DATA[name] + bytes(3_000_000))


# The answers of a mirror to a request for a file, in parts.
ANSWERS = {
    "a length that is no number": lambda name: ok(b"", length="12abc"),
    "a negative length": lambda name: ok(b"", length="-5"),
    "a huge length": lambda name: ok(b"", length="9" * 30),
    "too long by its own word": lambda name: ok(b"", length=10**9),
    "redirect to itself": lambda name: redirect(f"{name}.gz"),
    "redirect to a file": lambda name: redirect("file:///etc/hostname"),
    "redirect to ftp": lambda name: redirect("ftp://127.0.0.1/a"),
    "redirect to a broken address": lambda name: redirect("http://[::1/a"),
    "redirect to a broken host": lambda name: redirect(f"http://{'a' * 70}..b/"),
    "redirect to a broken port": lambda name: redirect("http://127.0.0.1:999999/a"),
    "redirect with an endless body": lambda name: endlessly(b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n"),
    "one byte at a time": lambda name: slowly(*ok(gzip.compress(DATA[name]))),
    "no end": lambda name: endlessly(b"HTTP/1.1 200 OK\r\n\r\n"),
    "a chunk without end": lambda name: endlessly(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", again=b"1\r\nx\r\n"
    ),
    "headers without end": lambda name: endlessly(b"HTTP/1.1 200 OK\r\n", again=b"X: y\r\n"),
    "a header without end": lambda name: endlessly(b"HTTP/1.1 200 OK\r\nX: "),
    "silence": lambda name: iter(lambda: time.sleep(0.1) or b"", 0),
    "nothing": lambda name: [],
    "no HTTP": lambda name: [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "a bomb": lambda name: ok(bomb(name)),
    "an empty file": lambda name: ok(b""),
    "half of it": lambda name: ok(gzip.compress(DATA[name])[:20]),
    "less than it says": lambda name: ok(gzip.compress(DATA[name])[:20], length=40),
    "another file": lambda name: ok(gzip.compress(DATA[next(each for each in DATA if each != name)])),
    "an error": lambda name: [b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"],
    "an unknown status": lambda name: [b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"],
    "an unknown encoding": lambda name: ok(gzip.compress(DATA[name])[:-3], "Content-Encoding: br"),
}
GOOD, SLOW = "good", "slow"


class Mirror(socketserver.StreamRequestHandler):
    def handle(self):
        path = self.rfile.readline().split()[1].decode()
        number, _, file = path.strip("/").partition("/")
        name = file.removesuffix(".gz")
        self.server.asked.append(path)
        if number in (GOOD, SLOW):
            time.sleep(0.15 * (number == SLOW))
            parts = ok(gzip.compress(DATA[name]))
        else:
            parts = self.server.answers[int(number)](name)
        try:
            for part in parts:
                self.wfile.write(part)
                self.server.sent += len(part)
        except OSError:
            pass  # the client has closed the connection


@pytest.fixture(scope="module")
def server():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mirror) as made:
        made.daemon_threads, made.answers, made.asked, made.sent = True, list(ANSWERS.values()), [], 0
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(_download, "TIMEOUT", 2 * ENOUGH)
    monkeypatch.setattr(_download, "PATIENCE", ENOUGH)


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_next_mirror_is_asked(server, impatient, tmp_path, answer):
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    mirrors = (f"{address}{list(ANSWERS).index(answer)}/", f"{address}{GOOD}/")
    server.sent, started = 0, time.monotonic()
    _download.download(Source("Tiny", "tiny", FILES, mirrors), tmp_path / "tiny")
    assert time.monotonic() - started < ENOUGH + 5
    assert server.sent < 10_000_000  # buffers of the system included
    assert all(read_file(tmp_path / "tiny", file)[0] is not None for file in FILES)
    assert [each.name for each in tmp_path.iterdir()] == ["tiny"]


def test_if_no_mirror_is_good_each_says_why(server, impatient, tmp_path):
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    mirrors = tuple(f"{address}{number}/" for number in range(len(ANSWERS)))
    with pytest.raises(_download.MirrorError) as caught:
        _download.download(Source("Tiny", "tiny", FILES, mirrors), tmp_path / "tiny")
    assert {attempt.split("/")[3] for attempt in caught.value.attempts} == set(map(str, range(len(ANSWERS))))
    assert not any("\n" in attempt for attempt in caught.value.attempts)
    for reason in ("sends more than the 0.1 MB", "sends less than 20 kB a second", "is too long", "HTTP 500"):
        assert any(reason in attempt for attempt in caught.value.attempts), caught.value.attempts
    assert not list(tmp_path.iterdir())


def test_killed_downloads_leave_whole_files_and_the_next_one_cleans_up(server, tmp_path):
    mirror = f"http://127.0.0.1:{server.server_address[1]}/{SLOW}/"
    source = Source("Tiny", "tiny", FILES, (mirror,))
    program = (
        "import sys, pickle; from pathlib import Path; from fashionclf.datasets._download import download;"
        "print('ready', flush=True); download(pickle.loads(bytes.fromhex(sys.argv[1])), Path(sys.argv[2]))"
    )
    folder, rng, left = tmp_path / "tiny", random.Random(0), 0
    folder.mkdir()
    for _ in range(10):
        command = [sys.executable, "-c", program, pickle.dumps(source).hex(), str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
        left += any(each.name.startswith(".fashionclf-") for each in folder.iterdir())
        for file in FILES:
            path = folder / f"{file.name}.gz"
            assert not path.exists() or gzip.decompress(path.read_bytes()) == DATA[file.name]
    assert left > 3  # they were killed while they downloaded
    for path in folder.iterdir():
        path.unlink() if path.is_file() else os.utime(path, (0, 0))  # as after a day
    _download.download(source, folder)
    assert sorted(each.name for each in folder.iterdir()) == sorted(f"{name}.gz" for name in DATA)
