"""`load_data`: find, verify or download a data set."""

import os
import warnings
from pathlib import Path
from typing import Final, NamedTuple

from fashionclf._types import DatasetName, PathLike
from fashionclf._validation import check_choice, check_flag, check_path
from fashionclf.datasets._idx import Reading, read_place
from fashionclf.datasets._sources import ABOUT, SOURCES, Arrays, Source
from fashionclf.datasets._split import Dataset, Split
from fashionclf.datasets._synthetic import draw_garments
from fashionclf.labels import class_names

VARIABLE: Final = "FASHIONCLF_DATA_DIR"


def load_data(
    name: DatasetName = "fashion_mnist", *, data_dir: PathLike | None = None, download: bool = True
) -> "Dataset":
    """Load a data set of 60,000 training and 10,000 test images in ten classes.

    Fashion-MNIST and MNIST are looked for in `data_dir`, then in the folder that the environment variable
    `FASHIONCLF_DATA_DIR` names, then in Keras's own cache (`$KERAS_HOME/datasets` or `~/.keras/datasets`).
    In each, Fashion-MNIST is four IDX files under `fashion-mnist/`, and MNIST is `mnist.npz` or four IDX files
    under `mnist/`. IDX files may be compressed (`.gz`) or not; in a folder named by `data_dir` or the variable
    they may also be in the folder itself. A data set that is in none of them is downloaded to `data_dir`, or else to
    Keras's cache.

    The content is always verified (sha256). A copy that is truncated, altered or another data set is never returned:
    it is skipped with a warning, or named in the error.

    Args:
        name: `"fashion_mnist"`, `"mnist"` or `"synthetic"`. The last is a stand-in for Fashion-MNIST that needs no
            file and no network: ten kinds of garment drawn by numpy, always the same images. It is for tests and first
            steps; accuracy on it says nothing about Fashion-MNIST. It is only used if you ask for it.
        data_dir: A folder to look in first and to download to. `"synthetic"` needs none and ignores it.
        download: Whether the network may be used.

    Returns:
        A `Dataset` that unpacks like Keras's, `(x_train, y_train), (x_test, y_test) = load_data()`. Images are
        uint8 0..255, `(60000, 28, 28)` and `(10000, 28, 28)`; labels are uint8 0..9, `(60000,)` and `(10000,)`.
        The arrays are not shared; you may change them.

    Raises:
        FileNotFoundError: If the data set is nowhere and cannot be downloaded. The message says where it was
            looked for, the reply of each mirror, and how to provide it.
        ValueError: If `name` is unknown, or the only copies are damaged; the message names the damaged files.
        OSError: If the folder to download to cannot be written (`PermissionError` if that is a matter of rights).
        TypeError: If an argument is of the wrong type.

    Example:
        >>> from fashionclf.datasets import load_data
        >>> dataset = load_data("synthetic")
        >>> dataset
        Dataset('synthetic': 60000 train and 10000 test images, 10 classes)
        >>> (x_train, y_train), (x_test, y_test) = dataset
        >>> x_train.shape, x_train.dtype
        ((60000, 28, 28), dtype('uint8'))

    References:
        - Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms.
          2017, https://arxiv.org/abs/1708.07747. MIT licence.
        - LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition. Proceedings of the
          IEEE 86(11), 1998 (MNIST).
    """
    name = check_choice(name, "name", tuple(ABOUT))
    folder = None if data_dir is None else check_path(data_dir, "data_dir")
    may_download = check_flag(download, "download")
    if name == "synthetic":
        arrays = (*draw_garments(60_000), *draw_garments(10_000, stream=1))
    else:
        arrays = _find(SOURCES[name], folder, may_download=may_download)
    names = class_names(name)
    train = Split(arrays[0], arrays[1], class_names=names)
    return Dataset(name, train=train, test=Split(arrays[2], arrays[3], class_names=names))


class _Place(NamedTuple):
    """A data folder; one that the caller named may also hold the files themselves (`direct`)."""

    title: str
    path: Path
    direct: bool


def _find(source: Source, data_dir: Path | None, *, may_download: bool) -> Arrays:
    """Return the verified arrays of `source` from the first place that holds them, or from the network."""
    places = _places(data_dir)
    target = places[0] if data_dir is not None else places[-1]
    readings: dict[_Place, Reading] = {}
    failure: OSError | None = None
    for place in places:
        readings[place] = read_place(place.path, source, direct=place.direct)
        if readings[place].arrays is not None:
            break
    else:
        if may_download:
            from fashionclf.datasets._download import download

            try:
                download(source, target.path / source.folder)
            except OSError as error:
                failure = error
            else:
                readings[target] = read_place(target.path, source, direct=target.direct)
    damaged = [str(error) for reading in readings.values() for error in reading.damaged]
    for reading in readings.values():
        if reading.arrays is not None:
            if damaged:
                warnings.warn(
                    f"Passed over a damaged copy of {source.title} and used an intact one. Delete or replace: "
                    + "; ".join(damaged),
                    stacklevel=3,  # the caller of load_data
                )
            return reading.arrays
    why = f"could not download it: {failure}" if may_download else "download=False"
    text = "\n".join(_report(source, readings, damaged, why, target))
    if damaged:
        raise ValueError(text) from failure
    if failure is None or isinstance(failure, ConnectionError):  # of the mirrors
        raise FileNotFoundError(text) from failure
    clearer = type(failure)(text)
    clearer.errno = failure.errno
    raise clearer from failure


def _places(data_dir: Path | None) -> list[_Place]:
    places = []
    if data_dir is not None:
        places.append(_Place("data_dir", data_dir, direct=True))
    if named := os.environ.get(VARIABLE):
        places.append(_Place(f"${VARIABLE}", Path(named).expanduser(), direct=True))
    return [*places, _Place("Keras's cache", _keras_cache(), direct=False)]


def _keras_cache() -> Path:
    """Return the folder Keras downloads into, by Keras's own rule, without importing Keras."""
    home = os.environ.get("KERAS_HOME")
    if home:
        return Path(home).expanduser() / "datasets"
    user = Path("~").expanduser()
    return (user if os.access(user, os.W_OK) else Path("/tmp")) / ".keras" / "datasets"


def _report(source: Source, readings: dict[_Place, Reading], damaged: list[str], why: str, target: _Place) -> list[str]:
    """Return the lines that say where a data set was looked for, and how to provide it."""
    lines = [f"Found no {'intact ' if damaged else ''}copy of {source.title}, and {why}"]
    if damaged:
        lines += ["Damaged:", *(f"  - {line}" for line in damaged)]
    names = ", ".join(file.name for file in source.files)
    form = f"{source.npz}, or " if source.npz else ""
    lines.append(f"Looked for {form}{names} (each with or without .gz) under {source.folder}/ in:")
    lines += [f"  - {place.title}: {place.path} ({reading.note})" for place, reading in readings.items()]
    return [
        *lines,
        "Any one of these provides it:",
        f"  1. put the files into a folder named {source.folder} and pass `data_dir=` the folder above it;",
        f"  2. set the environment variable {VARIABLE} to that folder above;",
        f"  3. connect to the network and call again with download=True, which downloads to "
        f"{target.path / source.folder} (Keras's cache if no data_dir is given).",
    ]
