"""Fetching the published files: Keras transfers, the content is verified, one rename puts it in place."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import HTTPError

from fashionclf._idx import DamagedFileError, IdxFile, Source, read_file, read_idx

# How long a mirror may stay silent, in seconds; `get_file` itself would wait for ever.
TIMEOUT: Final = 20.0

# The silence allowed is a setting of the whole process, so only one download may hold it.
_ONE_AT_A_TIME: Final = threading.Lock()


class MirrorError(ConnectionError):
    """No mirror delivered every file; `answers` holds one line for each attempt."""

    def __init__(self, title: str, answers: list[str]) -> None:
        super().__init__(f"No mirror delivered {title}: {'; '.join(answers)}")
        self.answers = answers


def download(source: Source, folder: Path) -> None:
    """Complete `folder` with verified, compressed copies of the files of `source` that it does not hold.

    The files arrive in a temporary folder beside their place and move there only when all of them are
    proven, each by one rename: another process sees a whole file or none, and a failure or an interrupt leaves nothing.

    Raises:
        MirrorError: If a file could not be had, intact, from any mirror.
        OSError: If `folder` cannot be made or written.
    """
    with _ONE_AT_A_TIME:
        needed = [file for file in source.files if read_file(folder, file)[0] is None]
        if not needed:
            return
        with tempfile.TemporaryDirectory(prefix=".fashionclf-", dir=_nearest_existing(folder)) as name:
            arrived = _fetch(source, needed, Path(name))
            folder.mkdir(parents=True, exist_ok=True)
            for path in arrived:
                path.replace(folder / path.name)


def _nearest_existing(folder: Path) -> Path:
    """The closest thing that exists already: on the same file system, and nothing to clean up after."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _fetch(source: Source, needed: list[IdxFile], folder: Path) -> list[Path]:
    """Fetch every needed file into `folder`, asking the mirrors in turn."""
    arrived: dict[str, Path] = {}
    answers = []
    for mirror in source.mirrors:
        for file in needed:
            if file.name in arrived:
                continue
            path = folder / f"{file.name}.gz"
            try:
                with _silence_allowed(TIMEOUT):
                    _transfer(mirror + path.name, path)
                read_idx(path, file)
            except DamagedFileError as error:
                path.unlink(missing_ok=True)
                answers.append(f"{mirror + path.name} {str(error).removeprefix(str(path)).strip()}")
            except Exception as error:  # get_file raises a bare Exception
                # It also hides the network's own exception, which tells more, as its context.
                cause = error.__context__ or error
                answers.append(f"{mirror + path.name} answered: {_short(cause)}")
                if not isinstance(cause, HTTPError):
                    break  # unreachable: its other files would only cost as many waits
                cause.close()  # get_file leaves the connection open
            else:
                arrived[file.name] = path
        if len(arrived) == len(needed):
            return list(arrived.values())
    raise MirrorError(source.title, answers)


def _transfer(url: str, path: Path) -> None:
    """Download `url` to `path`, with Keras's progress bar."""
    import keras  # takes seconds, and only a download needs it

    keras.utils.get_file(fname=path.name, origin=url, cache_dir=str(path.parent), cache_subdir="")


@contextmanager
def _silence_allowed(seconds: float) -> Iterator[None]:
    """Let sockets time out, unless the process has decided on a time-out itself."""
    before = socket.getdefaulttimeout()
    if before is None:
        socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _short(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    reason = getattr(error, "reason", error)
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(reason).__name__
