"""Fetching the published files: each is verified in a temporary folder, and one rename puts it in place."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from fashionclf.datasets._idx import DamagedFileError, read_file, read_idx
from fashionclf.datasets._sources import IdxFile, Source

TIMEOUT: Final = 20.0  # seconds that a mirror may stay silent; without a limit, urllib would wait for ever


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
        OSError: If `folder` cannot be made or written.
    """
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
    from http.client import HTTPException  # here, because an exported model starts without it in half the time
    from urllib.error import HTTPError

    arrived: dict[str, Path] = {}
    attempts = []
    for mirror in source.mirrors:
        for file in needed:
            if file.name in arrived:
                continue
            path = folder / f"{file.name}.gz"
            try:
                _transfer(mirror + path.name, path)
                read_idx(path, file)
            except DamagedFileError as error:
                path.unlink(missing_ok=True)
                attempts.append(f"{mirror + path.name} {str(error).removeprefix(str(path)).strip()}")
            except (OSError, HTTPException) as error:
                attempts.append(f"{mirror + path.name} answered: {_short(error)}")
                if not isinstance(error, HTTPError):
                    break  # unreachable: its other files would only cost as many waits
            else:
                arrived[file.name] = path
        if len(arrived) == len(needed):
            return list(arrived.values())
    raise MirrorError(source.title, attempts)


def _transfer(url: str, path: Path) -> None:
    """Download `url` to `path`; one line on standard error says so."""
    from urllib.request import urlopen

    with urlopen(url, timeout=TIMEOUT) as response, path.open("wb") as file:
        size = int(response.headers.get("Content-Length") or 0)
        print(f"Downloading {url} ({size / 1e6:.1f} MB)", file=sys.stderr)
        shutil.copyfileobj(response, file)


def _short(error: BaseException) -> str:
    from urllib.error import HTTPError

    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    reason = getattr(error, "reason", error)
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(reason).__name__
