"""Fetching the published files: each is verified in a temporary folder, and one rename puts it in place."""

import contextlib
import math
from pathlib import Path

from fashionclf._files import disk_errors_of, temporary_folder
from fashionclf.datasets._idx import DamagedFileError, read_file, read_idx
from fashionclf.datasets._sources import IdxFile, Source


class MirrorError(ConnectionError):
    """No mirror delivered every file; `attempts` holds one line for each request."""

    def __init__(self, title: str, attempts: list[str]) -> None:
        super().__init__(f"No mirror delivered {title}: {'; '.join(attempts)}")
        self.attempts = attempts


def download(source: Source, folder: Path) -> None:
    """Complete `folder` with verified, compressed copies of the files of `source` that it does not hold.

    The files arrive in a temporary folder beside their place and move there only when all of them are verified, each
    by one rename: another process sees a whole file or none, and a failure or an interrupt leaves nothing.

    Raises:
        MirrorError: If no mirror delivered an intact copy of a file.
        OSError: If `folder` cannot be written, with its path and, if the disk is full, the free space.
    """
    needed = [file for file in source.files if read_file(folder, file)[0] is None]
    if not needed:
        return
    with disk_errors_of(folder, "The download"), temporary_folder(_nearest_existing(folder)) as part:
        arrived = _fetch(source, needed, part)
        folder.mkdir(parents=True, exist_ok=True)
        for path in arrived:
            path.replace(folder / path.name)


def _nearest_existing(folder: Path) -> Path:
    """The closest thing that exists already: on the same file system, and nothing to clean up after."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _fetch(source: Source, needed: list[IdxFile], folder: Path) -> list[Path]:
    """Fetch every needed file into `folder`, asking the mirrors in turn."""
    from fashionclf.datasets._mirror import (
        MirrorFaultError,
    )  # imported here: without it, an exported model starts in half the time

    arrived: dict[str, Path] = {}
    attempts = []
    for mirror in source.mirrors:
        for file in needed:
            if file.name in arrived:
                continue
            path = folder / f"{file.name}.gz"
            try:
                _transfer(mirror + path.name, path, len(file.header) + math.prod(file.shape))
                read_idx(path, file)
            except DamagedFileError as error:
                attempts.append(f"{mirror + path.name} {str(error).removeprefix(str(path)).strip()}")
            except MirrorFaultError as error:
                attempts.append(f"{mirror + path.name} answered: {error}")
                if not error.may_have_others:
                    break  # each other file would wait as long
            else:
                arrived[file.name] = path
        if len(arrived) == len(needed):
            return list(arrived.values())
    raise MirrorError(source.title, attempts)


def _transfer(url: str, path: Path, most: int) -> None:
    """Download `url`, at most `most` bytes, to `path`."""
    from fashionclf.datasets._mirror import received

    with contextlib.closing(received(url, most)) as parts, path.open("wb") as file:
        for part in parts:
            file.write(part)
