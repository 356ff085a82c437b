"""Files that are written completely or not at all, and members of zip archives that are read up to a limit.

Needs the standard library only, so that exported models and data sets are read without TensorFlow.
"""

import contextlib
import errno
import json
import os
import platform
import shutil
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

_PREFIX: Final = ".fashionclf-"
_DAY: Final = 24 * 3600.0  # seconds
# Reasons why a file cannot be written. Libraries in C (HDF5, TensorFlow) give the text of a reason, not its number.
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REASONS: Final = (*_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
_CANNOT_FLUSH: Final = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF)  # some network file systems
# What `zipfile` raises for a damaged archive; a KeyError for a missing member.
_ZIP_ERRORS: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, KeyError)
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # for the others, `zipfile` unpacks gigabytes at once


@contextlib.contextmanager
def replacing(path: Path, what: str = "The file") -> Iterator[Path]:
    """Give a temporary path for a file or a folder, and move it into place in one step when the block ends.

    Readers see the old file or the new one, never a part, even if the computer stops. The old file stays if the block
    raises an error. What killed processes left is removed. `what` is its name in errors of the disk.
    """
    with disk_errors_of(path, what), temporary_folder(path.parent) as folder:
        part = folder / path.name
        yield part
        for flushed in (*(part.rglob("*") if part.is_dir() else ()), part):  # the content before its name
            _flush(flushed)
        part.replace(path)
        with contextlib.suppress(OSError):  # the file is in place; a folder may be written to and not be read
            _flush(path.parent)


@contextlib.contextmanager
def disk_errors_of(path: Path, what: str) -> Iterator[None]:
    """Turn errors of the disk, including those that libraries raise, into one OSError (or its kind) about `path`."""
    try:
        yield
    except Exception as error:
        number = _reason(error, path)
        if number is None:
            raise
        free = ""
        if number in _FULL:
            with contextlib.suppress(OSError):
                place = next(each for each in path.parents if each.exists())
                free = f"; {shutil.disk_usage(place).free / 1e6:,.1f} MB are free on that disk"
        kind = type(OSError(number, ""))  # Python chooses it by the number
        clearer = kind(f"{what} {str(path)!r} could not be written: {os.strerror(number)}{free}.")
        clearer.errno = number
        raise clearer from error


@contextlib.contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Give a new hidden folder in `parent`, and remove those that killed processes left."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_left(entry):
                shutil.rmtree(entry.path, ignore_errors=True)  # not of links and files
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=f"{_PREFIX}{_host()}-{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _host() -> str:
    """Return a short name of this computer."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _is_left(entry: os.DirEntry[str]) -> bool:
    """Tell whether the process of a temporary folder has ended; those of other computers count as such after a day."""
    host, _, process = entry.name.removeprefix(_PREFIX).rpartition("-")[0].partition("-")
    if host == _host() and process.isdigit() and sys.platform != "win32":  # there, `os.kill` ends a process
        try:
            os.kill(int(process), 0)
        except OSError as error:
            return isinstance(error, ProcessLookupError)  # not permitted: it lives, and is another user's
        return False
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY


def _flush(path: Path) -> None:
    if sys.platform == "win32" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(handle)


def _reason(raised: BaseException, path: Path) -> int | None:
    """Return the number of the reason why `path` was not written, None if the error is about something else."""
    error: BaseException | None = raised
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            names = [os.fspath(name) for name in (error.filename, error.filename2) if isinstance(name, str | Path)]
            if any(_PREFIX in name or Path(name) in (path, *path.parents) for name in names):
                return error.errno
            if not names and error.errno in _REASONS:
                return error.errno
        elif not isinstance(error, ConnectionError | TimeoutError):
            for number in _REASONS:
                if os.strerror(number) in str(error):
                    return number
        error = error.__cause__ or error.__context__
    return None


@contextlib.contextmanager
def zip_archive(file: Path | IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Give a zip archive to read. Whatever `zipfile` raises, also in the block, becomes a short ValueError."""
    with file.open("rb") if isinstance(file, Path) else contextlib.nullcontext(file) as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                yield archive
        except _ZIP_ERRORS as error:
            raise ValueError(str(error) or type(error).__name__) from error


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Return a member of a zip archive; raise a ValueError above `limit` bytes, whatever its header says."""
    member = archive.getinfo(name)
    if member.compress_type not in _BOUNDED:
        raise ValueError(f"its member {name} is compressed by method {member.compress_type}, expected none or deflate")
    with archive.open(member) as file:
        content = file.read(limit + 1)  # which also compares the checksum at the end
    if len(content) > limit:
        raise ValueError(f"its member {name} is longer than {limit / 1e6:g} MB")
    return content


def read_json(content: bytes | str) -> Any:
    """Parse a JSON text; one that is nested too deeply raises a ValueError as well."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error
