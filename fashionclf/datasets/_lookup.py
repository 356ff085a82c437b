"""Where a published data set is looked for, in which order, and what is said when it is nowhere."""

import os
import warnings
from pathlib import Path
from typing import Final, NamedTuple

from fashionclf.datasets._download import MirrorError, download
from fashionclf.datasets._idx import Reading, read_place
from fashionclf.datasets._sources import Arrays, Source

VARIABLE: Final = "FASHIONCLF_DATA_DIR"


class Place(NamedTuple):
    """A data folder; one that the caller named may also hold the files themselves (`direct`)."""

    title: str
    path: Path
    direct: bool


def find(source: Source, data_dir: Path | None, *, may_download: bool) -> Arrays:
    """Return the verified arrays of `source` from the first place that holds them, or from the network.

    Raises:
        FileNotFoundError: If it is nowhere and could not be, or was not to be, downloaded.
        ValueError: If the only copies are damaged.
        OSError: If the folder to download into cannot be written.
    """
    places = _places(data_dir)
    readings: dict[Place, Reading] = {}
    for place in places:
        readings[place] = read_place(place.path, source, direct=place.direct)
        if readings[place].arrays is not None:
            break
    failure: OSError | None = None
    target = places[0] if data_dir is not None else places[-1]
    if may_download and not any(reading.arrays for reading in readings.values()):
        try:
            download(source, target.path / source.folder)
        except OSError as error:
            failure = error
        else:
            readings[target] = read_place(target.path, source, direct=target.direct)

    arrays = next((reading.arrays for reading in readings.values() if reading.arrays is not None), None)
    if arrays is None:
        raise _not_found(source, readings, target, failure, may_download) from failure
    _warn_of_damage(source, readings)
    return arrays


def _places(data_dir: Path | None) -> list[Place]:
    places = []
    if data_dir is not None:
        places.append(Place("data_dir", data_dir, direct=True))
    if named := os.environ.get(VARIABLE):
        places.append(Place(f"${VARIABLE}", Path(named).expanduser(), direct=True))
    return [*places, Place("Keras's cache", _keras_cache(), direct=False)]


def _keras_cache() -> Path:
    """Return the folder Keras downloads into, by Keras's own rule, without importing Keras."""
    home = os.environ.get("KERAS_HOME")
    if home:
        return Path(home).expanduser() / "datasets"
    user = Path("~").expanduser()
    return (user if os.access(user, os.W_OK) else Path("/tmp")) / ".keras" / "datasets"


def _warn_of_damage(source: Source, readings: dict[Place, Reading]) -> None:
    damaged = [str(error) for reading in readings.values() for error in reading.damaged]
    if damaged:
        warnings.warn(
            f"Passed over a damaged copy of {source.title} and used an intact one. Delete or replace: "
            + "; ".join(damaged),
            stacklevel=4,  # the caller of load_data
        )


def _not_found(
    source: Source, readings: dict[Place, Reading], target: Place, failure: OSError | None, may_download: bool
) -> Exception:
    damaged = [str(error) for reading in readings.values() for error in reading.damaged]
    what = "no intact copy of" if damaged else "no copy of"
    lines = [f"Found {what} {source.title}{_because(target, source, failure, may_download)}"]
    if damaged:
        lines += ["Damaged:", *(f"  - {line}" for line in damaged)]
    names = ", ".join(file.name for file in source.files)
    form = f"{source.npz}, or " if source.npz else ""
    lines.append(f"Looked for {form}{names} (each with or without .gz) under {source.folder}/ in:")
    lines += [f"  - {place.title}: {place.path} ({reading.note})" for place, reading in readings.items()]
    if isinstance(failure, MirrorError):
        lines += ["Asked for a download:", *(f"  - {attempt}" for attempt in failure.attempts)]
    lines += _ways_out(source, target)
    text = "\n".join(lines)
    if damaged:
        return ValueError(text)
    if failure is None or isinstance(failure, MirrorError):
        return FileNotFoundError(text)
    error = type(failure)(text)
    error.errno = failure.errno
    return error


def _because(target: Place, source: Source, failure: OSError | None, may_download: bool) -> str:
    if not may_download:
        return ", and download=False."
    if isinstance(failure, MirrorError):
        return ", and could not download it."
    if failure is not None:
        return f", and could not download it. {failure}"
    return f", not even after a download to {target.path / source.folder}."


def _ways_out(source: Source, target: Place) -> list[str]:
    return [
        "Any one of these provides it:",
        f"  1. put the files into a folder named {source.folder} and pass `data_dir=` the folder above it;",
        f"  2. set the environment variable {VARIABLE} to that folder above;",
        f"  3. connect to the network and call again with download=True, which downloads to "
        f"{target.path / source.folder} (Keras's cache if no data_dir is given).",
    ]
