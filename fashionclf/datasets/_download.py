"""Downloads of the published files, with limits on time and size: a mirror may be slow, endless or wrong.

Imported when it is needed: without it, an exported model starts in half the time.
"""

import contextlib
import functools
import io
import math
import sys
import time
from collections.abc import Generator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import FTPHandler, HTTPHandler, HTTPSHandler, OpenerDirector, build_opener

from fashionclf._files import disk_errors_of, temporary_folder
from fashionclf._text import first_line
from fashionclf.datasets._idx import DamagedFileError, read_file, read_idx
from fashionclf.datasets._sources import IdxFile, Source

TIMEOUT: Final = 20.0  # seconds that a mirror may stay silent; without a limit, urllib would wait for ever
PATIENCE: Final = 30.0  # seconds that a transfer may take, beside those of its bytes at the slowest speed
SLOWEST: Final = 20_000  # bytes a second
_CHUNK: Final = 1 << 16
_OVERHEAD: Final = 1 << 17  # bytes of headers and of the answers that redirect


class MirrorError(ConnectionError):
    """No mirror delivered every file; `attempts` holds one line for each request."""

    def __init__(self, title: str, attempts: list[str]) -> None:
        super().__init__(f"No mirror delivered {title}: {'; '.join(attempts)}")
        self.attempts = attempts


class _MirrorFaultError(Exception):
    """A mirror did not deliver a file."""


def download(source: Source, folder: Path) -> None:
    """Complete `folder` with verified, compressed copies of the files of `source` that it does not hold.

    They arrive in a temporary folder, and move to their place only when all of them are verified.
    """
    needed = [file for file in source.files if read_file(folder, file)[0] is None]
    if not needed:
        return
    parent = next(path for path in (folder, *folder.parents) if path.exists())  # nothing to clean up after
    with disk_errors_of(folder, "The download"), temporary_folder(parent) as part:
        arrived = _fetch(source, needed, part)
        folder.mkdir(parents=True, exist_ok=True)
        for path in arrived:
            path.replace(folder / path.name)


def _fetch(source: Source, needed: list[IdxFile], folder: Path) -> list[Path]:
    """Fetch every needed file into `folder`, asking the mirrors in turn."""
    arrived: dict[IdxFile, Path] = {}
    attempts = []
    for mirror in source.mirrors:
        for file in needed:
            if file in arrived:
                continue
            path = folder / f"{file.name}.gz"
            url = mirror + path.name
            parts = _received(url, len(file.header) + math.prod(file.shape))
            try:
                with contextlib.closing(parts), path.open("wb") as opened:
                    opened.writelines(parts)
                read_idx(path, file)
            except DamagedFileError as error:
                attempts.append(f"{url} {str(error).removeprefix(str(path)).strip()}")
            except _MirrorFaultError as error:
                attempts.append(f"{url} answered: {error}")
                if not isinstance(error.__cause__, HTTPError):
                    break  # each other file would wait as long
            else:
                arrived[file] = path
        if len(arrived) == len(needed):
            return list(arrived.values())
    raise MirrorError(source.title, attempts)


def _received(url: str, most: int) -> Generator[bytes, None, None]:
    """Give the content of `url`, at most `most` bytes, in parts, and print one line on standard error."""
    bounds = _Bounds(most + _OVERHEAD)
    try:
        with contextlib.closing(_opener(bounds).open(url, timeout=TIMEOUT)) as response:
            size = response.length  # None if it does not say, or says nonsense
            bounds.add(0, expected=size or 0)
            print(f"Downloading {url}{f' ({size / 1e6:.1f} MB)' if size else ''}", file=sys.stderr)
            while part := response.read(_CHUNK):
                yield part
    except HTTPError as error:
        error.close()
        raise _MirrorFaultError(first_line(f"HTTP {error.code} {error.reason}")) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a malformed address or number
        raise _MirrorFaultError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    reason: Any = getattr(error, "reason", error)
    return reason.strerror if isinstance(reason, OSError) and reason.strerror else first_line(reason)


class _Bounds:
    """The limits of one transfer on bytes and time, with all its redirects."""

    def __init__(self, most: int) -> None:
        self._most, self._count, self._started = most, 0, time.monotonic()

    def add(self, count: int, *, expected: int = 0) -> None:
        """Count received bytes; raise an error if there are, or will be, too many."""
        self._count += count
        if self._count + expected > self._most:
            raise OSError(f"it sends more than the {self._most / 1e6:.1f} MB that were expected")

    def seconds_left(self) -> float:
        """Return the seconds for which the mirror may be silent; raise an error if its time is over."""
        left = self._started + PATIENCE + self._count / SLOWEST - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"it sends less than {SLOWEST / 1000:g} kB a second")
        return min(left, TIMEOUT)


class _Stream(io.RawIOBase):
    """A connection with these limits. The timeout of a socket limits each silence only, not the transfer."""

    def __init__(self, sock: Any, raw: Any, bounds: _Bounds) -> None:
        self._socket, self._raw, self._bounds = sock, raw, bounds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._bounds.seconds_left())
        try:
            count: int = self._raw.readinto(buffer)
        except TimeoutError:
            self._bounds.seconds_left()  # raises an error if the whole transfer took too long
            raise
        self._bounds.add(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """A response with these limits, also for its headers."""

    def __init__(self, bounds: _Bounds, sock: Any, **options: Any) -> None:
        super().__init__(sock, **options)
        self.fp = io.BufferedReader(_Stream(sock, self.fp.detach(), bounds))


class _Handler(HTTPSHandler, HTTPHandler, FTPHandler):
    """Connections with these limits, in the place of urllib's."""

    def __init__(self, bounds: _Bounds) -> None:
        super().__init__()
        self._bounds = bounds

    def _connection(self, kind: type[HTTPConnection], *args: Any, **options: Any) -> HTTPConnection:
        made = kind(*args, **options)
        made.response_class = functools.partial(_Response, self._bounds)  # type: ignore[assignment]
        return made

    def http_open(self, req: Any) -> Any:
        return self.do_open(functools.partial(self._connection, HTTPConnection), req)

    def https_open(self, req: Any) -> Any:
        return self.do_open(functools.partial(self._connection, HTTPSConnection), req)

    def ftp_open(self, req: Any) -> Any:  # noqa: ARG002  # urllib's name
        raise URLError("unknown url type: ftp")


def _opener(bounds: _Bounds) -> OpenerDirector:
    return build_opener(_Handler(bounds))
