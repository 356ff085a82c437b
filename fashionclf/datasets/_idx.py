"""Reading IDX files, and whether a copy is the real thing."""

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np

from fashionclf._types import UInt8Array
from fashionclf.datasets._sources import SOURCES, Arrays, IdxFile, Source

# Enough for zlib to run long without the GIL, small enough to be hashed while still in the cache.
_CHUNK: Final = 1 << 18
_NPZ_KEYS: Final = ("x_train", "y_train", "x_test", "y_test")


class DamagedFileError(ValueError):
    """A file is there but does not hold what its name promises."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path = path


class Reading(NamedTuple):
    """What looking into one folder gave: the four arrays, or why not, and every damaged file on the way."""

    arrays: Arrays | None
    damaged: tuple[DamagedFileError, ...]
    note: str


def read_place(place: Path, source: Source, *, direct: bool) -> Reading:
    """Look for `source` in a data folder: as `.npz`, in its own sub-folder, or (`direct`) right there."""
    if not place.is_dir():
        return Reading(None, (), "not a folder" if place.exists() else "no such folder")
    readings = []
    if source.npz is not None and (place / source.npz).is_file():
        readings.append(_read_npz(place / source.npz, source))
    for folder in (place / source.folder, place) if direct else (place / source.folder,):
        if not (readings and readings[-1].arrays):
            readings.append(_read_folder(folder, source))
    damaged = tuple(error for reading in readings for error in reading.damaged)
    notes = [reading.note for reading in readings if reading.note]
    return Reading(readings[-1].arrays, damaged, "; ".join(notes) or f"no {source.title} files in it")


def _read_folder(folder: Path, source: Source) -> Reading:
    """Read the four files of a folder at once; inflating and hashing leave the GIL to each other."""
    if not any(path.is_file() for file in source.files for path in paths_of(folder, file)):
        return Reading(None, (), "")
    with ThreadPoolExecutor(len(source.files), thread_name_prefix="fashionclf-idx") as pool:
        results = list(pool.map(lambda file: read_file(folder, file), source.files))
    damaged = tuple(error for _, errors in results for error in errors)
    arrays = tuple(array for array, _ in results if array is not None)
    if len(arrays) < len(results):
        pairs = zip(source.files, results, strict=True)
        missing = [file.name for file, (array, errors) in pairs if array is None and not errors]
        notes = [f"lacks {', '.join(missing)}"] if missing else []
        notes += [f"{error.path.name} is damaged" for error in damaged]
        return Reading(None, damaged, "; ".join(notes))
    return Reading(cast(Arrays, arrays), damaged, "")


def paths_of(folder: Path, file: IdxFile) -> Iterator[Path]:
    """Where a file may lie. The compressed one first: it is the one that a download replaces."""
    yield folder / f"{file.name}.gz"
    yield folder / file.name


def read_file(folder: Path, file: IdxFile) -> tuple[UInt8Array | None, list[DamagedFileError]]:
    """Read a file from a folder, compressed or not; also return the damaged copies that were passed over."""
    damaged: list[DamagedFileError] = []
    for path in paths_of(folder, file):
        if path.is_file():
            try:
                return read_idx(path, file), damaged
            except DamagedFileError as error:
                damaged.append(error)
    return None, damaged


def read_idx(path: Path, file: IdxFile) -> UInt8Array:
    """Return the verified content of one IDX file, writable and without a second copy in memory."""
    start = len(file.header)
    buffer = np.empty(start + math.prod(file.shape), np.uint8)
    view, filled, digest = buffer.data, 0, hashlib.sha256()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            while count := stream.readinto(view[filled : filled + _CHUNK]):
                digest.update(view[filled : filled + count])
                filled += count
            # At the end of the data this also makes gzip compare its own checksum.
            surplus = stream.read(1)
    except EOFError:
        raise DamagedFileError(path, "is truncated: its compressed data ends too early") from None
    except gzip.BadGzipFile as error:
        raise DamagedFileError(path, f"is not an intact gzip file: {error}") from None
    except zlib.error as error:
        raise DamagedFileError(path, f"holds corrupt compressed data: {error}") from None
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {os.strerror(error.errno or 0)}") from None

    if filled >= start and buffer[:start].tobytes() != file.header:
        raise DamagedFileError(path, _wrong_header(buffer[:start].tobytes(), file))
    if filled < len(buffer):
        raise DamagedFileError(path, f"is truncated: it holds {filled:,} of {len(buffer):,} bytes")
    if surplus:
        raise DamagedFileError(path, f"is too long: it continues after the expected {len(buffer):,} bytes")
    if digest.hexdigest() != file.sha256:
        raise DamagedFileError(path, _wrong_sum(digest.hexdigest(), file))
    return buffer[start:].reshape(file.shape)


def _read_npz(path: Path, source: Source) -> Reading:
    """Read Keras's form of the data set; each array must hash to the IDX file that it was made of."""
    arrays = []
    try:
        with np.load(path, allow_pickle=False) as archive:
            for key, file in zip(_NPZ_KEYS, source.files, strict=True):
                arrays.append(_npz_array(archive[key], key, file))
    except Exception as error:  # numpy and zipfile have a dozen kinds for bytes that are not theirs
        text = str(error.args[0]) if error.args else type(error).__name__
        damage = DamagedFileError(path, f"is not the published {path.name}: {text}")
        return Reading(None, (damage,), f"{path.name} is damaged")
    return Reading(cast(Arrays, tuple(arrays)), (), "")


def _npz_array(array: Any, key: str, file: IdxFile) -> UInt8Array:
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        raise TypeError(f"array {key!r} is not of unsigned bytes")
    if array.shape != file.shape:
        raise ValueError(f"array {key!r} has shape {array.shape}, expected {file.shape}")
    digest = hashlib.sha256(file.header)
    digest.update(np.ascontiguousarray(array).reshape(-1).data)
    if digest.hexdigest() != file.sha256:
        raise ValueError(f"array {key!r} {_wrong_sum(digest.hexdigest(), file)}")
    return np.ascontiguousarray(array)


def _wrong_header(received: bytes, file: IdxFile) -> str:
    if received[:4] != file.header[:4]:
        return "does not begin like the IDX file that its name promises"
    shape = tuple(int.from_bytes(received[i : i + 4], "big") for i in range(4, len(received), 4))
    return f"holds an array of shape {shape}, expected {file.shape}"


def _wrong_sum(received: str, file: IdxFile) -> str:
    for source in SOURCES.values():
        for known in source.files:
            if known.sha256 == received:
                return f"holds {source.title}'s {known.name}"
    return f"was altered: the sha256 of its content is {received}, expected {file.sha256}"
