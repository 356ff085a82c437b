"""Downloads of the published files, with limits on time and size: a mirror may be slow, endless or wrong.

Imported when it is needed: without it, an exported model starts in half the time.
"""

import contextlib
import math
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, build_opener

from fashionclf._files import disk_errors_of, temporary_folder
from fashionclf._text import first_line
from fashionclf.datasets._idx import DamagedFileError, read_file, read_idx
from fashionclf.datasets._sources import IdxFile, Source

TIMEOUT: Final = 20.0  # seconds that a mirror may stay silent; without a limit, urllib would wait for ever
PATIENCE: Final = 30.0  # seconds that a transfer may take, beside those of its bytes at the slowest speed
SLOWEST: Final = 20_000  # bytes a second
_CHUNK: Final = 1 << 16
_OVERHEAD: Final = 1 << 17  # bytes that another compression may take


class _NoRedirects(HTTPRedirectHandler):
    """The published mirrors do not redirect. Others may, to anything and without end."""

    def redirect_request(self, *_: Any, **__: Any) -> None: ...


_OPENER: Final = build_opener(_NoRedirects)


class MirrorError(ConnectionError):
    """No mirror delivered every file; `attempts` holds one line for each request."""

    def __init__(self, title: str, attempts: list[str]) -> None:
        super().__init__("\n".join([f"No mirror delivered {title}:", *(f"  - {attempt}" for attempt in attempts)]))
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
            try:
                with path.open("wb") as opened:
                    opened.writelines(_received(url, len(file.header) + math.prod(file.shape) + _OVERHEAD))
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


def _received(url: str, most: int) -> Iterator[bytes]:
    """Give the content of `url`, at most `most` bytes, in parts, and print one line on standard error."""
    started, count = time.monotonic(), 0
    try:
        with contextlib.closing(_OPENER.open(url, timeout=TIMEOUT)) as response:
            size = response.length or 0  # None if it does not say, or says nonsense
            _check_bounds(size, most, started)
            print(f"Downloading {url}{f' ({size / 1e6:.1f} MB)' if size else ''}", file=sys.stderr)
            while part := response.read1(_CHUNK):  # what has come, and no wait for more
                count += len(part)
                _check_bounds(count, most, started)
                yield part
    except HTTPError as error:
        error.close()
        raise _MirrorFaultError(first_line(f"HTTP {error.code} {error.reason}")) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a malformed address or number
        raise _MirrorFaultError(_reason(error)) from error


def _check_bounds(count: int, most: int, started: float) -> None:
    if count > most:
        raise OSError(f"it sends more than the {most / 1e6:.1f} MB that were expected")
    if time.monotonic() - started > PATIENCE + count / SLOWEST:
        raise TimeoutError(f"it sends less than {SLOWEST / 1000:g} kB a second")


def _reason(error: BaseException) -> str:
    reason: Any = getattr(error, "reason", error)
    return reason.strerror if isinstance(reason, OSError) and reason.strerror else first_line(reason)
