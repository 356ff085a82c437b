"""Checks of user input: names, numbers, paths, labels.

Every check names the argument and says what was received, what was expected and how to fix it.
Nothing here changes its argument; what is returned may share memory with it.
"""

import difflib
import errno
import math
import numbers
import operator
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Set
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from fashionclf._text import cut, listed, shown
from fashionclf._types import FloatArray, IntArray, LabelsLike

_LONGEST_NAME: Final = 256  # characters
_UNPRINTABLE: Final = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of control characters, surrogates, line breaks
# The largest count that TensorFlow's 32-bit integers take.
_LARGEST_COUNT: Final = 2**31 - 1
_Name = TypeVar("_Name", bound=str)

# `Path` makes one slash of two.
_URL: Final = re.compile(r"data:[a-z]+/|(?:https?|ftp|s3|gs|hf|file):/|[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def check_choice(value: object, name: str, choices: Collection[_Name]) -> _Name:
    """Return `value` if it is one of `choices`; otherwise raise with the closest match suggested."""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a string, one of {listed(choices)}. Received: {shown(value)}")
    for choice in choices:
        if value == choice:
            return choice
    close = difflib.get_close_matches(cut(value.lower()), choices, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"Unknown {name} {shown(value)}.{hint} Expected one of {listed(choices)}.")


def check_count(value: Any, name: str, *, minimum: int = 1, maximum: int = _LARGEST_COUNT) -> int:
    """Return `value` as an `int` from `minimum` to `maximum`."""
    try:
        number = None if isinstance(value, bool | np.bool_) or np.ndim(value) else operator.index(value)
    except Exception:  # it has no `__index__`, is a ragged list, or fails to be an array
        number = None
    if number is None:
        raise TypeError(
            f"`{name}` must be an integer of at least {minimum}. Received: {shown(value)} ({type(value).__name__})"
        )
    if number < minimum:
        raise ValueError(f"`{name}` must be an integer of at least {minimum}. Received: {shown(value)}")
    if number > maximum:
        raise ValueError(f"`{name}` must be an integer of at most {maximum:,}. Received: {shown(value)}")
    return number


def check_sizes(values: Any, name: str) -> tuple[int, ...]:
    """Return one size or a sequence of sizes as a tuple of `int`, each at least 1."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        return (check_count(values, name),)
    return tuple(check_count(value, f"{name}[{i}]") for i, value in enumerate(values))


def check_number(
    value: Any, name: str, *, low: float, high: float, open_low: bool = False, open_high: bool = False
) -> float:
    """Return `value` as a `float` inside the interval from `low` to `high`."""
    bounds = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be a number in {bounds}. Received: {shown(value)}")
    try:
        number = float(value) + 0.0  # -0.0 becomes 0.0
    except OverflowError:  # an integer above the largest float
        number = math.inf if value > 0 else -math.inf  # type: ignore[operator]  # numbers.Real has no types
    above = number > low if open_low else number >= low
    below = number < high if open_high else number <= high
    if not (above and below):  # also catches NaN
        raise ValueError(f"`{name}` must be a number in {bounds}. Received: {shown(value)}")
    return number


def check_flag(value: Any, name: str, *, or_else: str | None = None) -> bool:
    """Return `value` as a `bool`: a string or a number is more likely a mistake. `or_else` is what else it takes."""
    if not isinstance(value, bool | np.bool_):
        expected = "True or False" if or_else is None else f"True, False or {or_else}"
        raise TypeError(f"`{name}` must be {expected}. Received: {shown(value)}")
    return bool(value)


def check_seed(seed: Any) -> int | None:
    """Return `seed` as an `int` from 0 to 2**32 - 1, or None."""
    return None if seed is None else check_count(seed, "seed", minimum=0, maximum=2**32 - 1)


def check_path(path: Any, name: str, *, suffix: str | None = None) -> Path:
    """Return `path` as a `Path`, with the file name ending demanded by `suffix`. It need not exist."""
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        raise TypeError(f"`{name}` must be a path (str or os.PathLike). Received: {shown(path)}")
    given = os.fspath(path)
    if not given:
        raise ValueError(f"`{name}` must be a path. Received an empty string.")
    text = shown(given, 300)
    try:
        checked = Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"`{name}` names a home directory that does not exist: {text}") from error
    try:
        os.lstat(checked)  # `Path.exists` hides what is wrong with a path
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error  # a NUL, or half of a surrogate pair
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            raise ValueError(
                f"`{name}` is not a possible path: {reason}. Received {len(given):,} characters: {shown(given, 60)}. "
                "The content of an image is passed as `io.BytesIO(content)`."
            ) from error
        if _URL.match(given):
            raise ValueError(
                f"`{name}` is a URL: {text}. Expected a path on this computer: download it first, for example with "
                "`urllib.request.urlretrieve(url, path)`."
            ) from error
    if suffix is not None and checked.suffix != suffix:
        raise ValueError(f"`{name}` must end in {suffix!r}. Received: {text}. Use a name like 'boots{suffix}'.")
    return checked


def check_regular_file(path: Path, what: str) -> None:
    """Raise an error unless `path` is a regular file: reading a pipe or a device may never end."""
    mode = _mode(path)
    if mode is None:
        raise FileNotFoundError(f"Expected {what}, but there is no file {str(path)!r}.")
    if not stat.S_ISREG(mode):
        found = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise ValueError(f"Expected {what}. {str(path)!r} is {found}.")


def check_new_file(path: Any, name: str, suffix: str) -> Path:
    """Return the path of a file to write: in an existing folder, and no folder, pipe or device itself."""
    checked = check_path(path, name, suffix=suffix)
    mode = _mode(checked)
    if mode is not None and stat.S_ISDIR(mode):
        raise ValueError(f"`{name}` is a folder: {shown(str(path), 300)}. Name a file, such as 'boots{suffix}' in it.")
    if mode is not None and not stat.S_ISREG(mode):
        raise ValueError(f"`{name}` is a pipe, a socket or a device: {shown(str(path), 300)}. Name a file.")
    if not checked.parent.is_dir():
        folder = shown(str(checked.parent), 300)
        raise FileNotFoundError(f"`{name}`: the folder {folder} does not exist; make it first.")
    return checked.resolve()


def _mode(path: Path) -> int | None:
    """Return the file mode of `path`, None if it does not exist. `Path.is_file` would hide a missing permission."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"The path {str(path)!r} is a circle of links.") from error
        raise


def check_text(value: Any, name: str) -> str:
    """Return a short text on one line, such as the name of a class or a model."""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a string. Received: {shown(value)} ({type(value).__name__})")
    if not value.strip():
        raise ValueError(f"`{name}` is an empty name: {shown(value)}. Give it at least one letter or digit.")
    if len(value) > _LONGEST_NAME:
        raise ValueError(
            f"`{name}` is a name of {len(value):,} characters, expected at most {_LONGEST_NAME}: {shown(value)}"
        )
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        raise ValueError(
            f"`{name}` has a line break, another control character or half of a surrogate pair, which files of names "
            f"cannot hold: {shown(value)}"
        )
    return str(value)


def check_each(values: Any, name: str, count: int, of: str = "images") -> tuple[Any, ...]:
    """Return one value for each image as a tuple."""
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Collection):
        raise TypeError(f"`{name}` must be a sequence with one value for each of the {of}. Received: {shown(values)}")
    if len(values) != count:
        raise ValueError(f"`{name}` has {len(values)} entries but there are {count} {of}.")
    return tuple(values)


def check_rows(part: Any, name: str, count: int) -> slice | NDArray[Any]:
    """Return a slice, a mask `(count,)` or positions `(n,)` of `count` rows."""
    if isinstance(part, slice):
        return part
    array = as_array(part, name)
    if not array.size and array.dtype.kind == "f":  # such as `np.array([])`
        array = array.astype(np.int64)
    if array.dtype.kind not in "bui" or array.ndim != 1:
        raise TypeError(
            f"`{name}` must be a slice, a mask or an array of positions. Received shape {array.shape}, dtype "
            f"{cut(str(array.dtype))}."
        )
    if array.dtype.kind == "b" and len(array) != count:
        raise IndexError(f"`{name}` is a mask of {len(array)} values, expected {count}.")
    if array.dtype.kind != "b" and array.size and not -count <= array.min() <= array.max() < count:
        raise IndexError(f"`{name}` holds positions from {array.min()} to {array.max()}, expected below {count}.")
    return array


def check_labels(
    labels: LabelsLike, *, num_images: int | None = None, num_classes: int | None = None, name: str = "labels"
) -> IntArray | FloatArray:
    """Return labels as int64 `(n,)`, also of `(n, 1)`; or one-hot (or soft) rows as float32 `(n, num_classes)`."""
    array = _as_label_array(labels, name)
    if num_images is not None and len(array) != num_images:
        raise ValueError(f"`{name}` has {len(array)} rows but there are {num_images} images. Pass one label per image.")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        return _check_one_hot(array, num_classes, name)
    return _check_integers(array, num_classes, name)


def _as_label_array(labels: LabelsLike, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    array = as_array(labels, name)
    if array.dtype.kind not in "buif":
        fix = " Turn names into numbers with `[class_names.index(name) for name in labels]`."
        raise TypeError(
            f"`{name}` must be integers or one-hot rows. Received dtype {cut(str(array.dtype))}."
            f"{fix if array.dtype.kind in 'US' else ''}"
        )
    if array.ndim not in (1, 2):
        raise ValueError(f"`{name}` has shape {array.shape}, expected integers (n,) or one-hot rows (n, num_classes).")
    if not array.size:
        raise ValueError(f"`{name}` is empty: received shape {array.shape}, expected one label per image.")
    return array


def _check_integers(array: np.ndarray[Any, np.dtype[Any]], num_classes: int | None, name: str) -> IntArray:
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError(f"`{name}` holds NaN or infinity, expected integers.")
        if (array != np.floor(array)).any():
            raise ValueError(
                f"`{name}` holds fractions such as {array[array != np.floor(array)][0]:g}, expected integers."
            )
    low, high = int(array.min()), int(array.max())
    if high > np.iinfo(np.int64).max:
        raise ValueError(f"`{name}` holds values up to {shown(high)}, expected small integers from 0.")
    if low < 0 or (num_classes is not None and high >= num_classes):
        expected = f"0..{num_classes - 1}" if num_classes is not None else "0 or more"
        raise ValueError(
            f"`{name}` holds values from {shown(low)} to {shown(high)}, expected {expected}. "
            "Number the classes from 0, or build the model with more `num_classes`."
        )
    return array.astype(np.int64, copy=False)


def _check_one_hot(array: np.ndarray[Any, np.dtype[Any]], num_classes: int | None, name: str) -> FloatArray:
    if num_classes is not None and array.shape[1] != num_classes:
        raise ValueError(
            f"`{name}` has {array.shape[1]} columns, expected {num_classes}: one-hot rows have one per class."
        )
    with np.errstate(over="ignore"):  # infinity is refused next
        rows = array.astype(np.float32, copy=False)
    if not (np.isfinite(rows).all() and (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-4)):
        raise ValueError(
            f"`{name}` of shape {array.shape} are not one-hot rows: each row must be non-negative and sum to 1. "
            "For integer labels pass shape (n,)."
        )
    return rows


def check_groups(groups: Any, num_images: int) -> NDArray[Any] | None:
    """Return the group of each image as an array `(n,)` of integers or strings, or None."""
    if groups is None:
        return None
    array = as_array(groups, "groups")
    if array.dtype.kind not in "uiUS" or array.shape != (num_images,):
        raise ValueError(
            f"`groups` must be one integer or string per image, ({num_images},). Received shape {array.shape}, dtype "
            f"{cut(str(array.dtype))}."
        )
    return array


def integer_labels(labels: IntArray | FloatArray) -> IntArray:
    """Return checked labels as integers: the most probable class of a one-hot or soft row."""
    if labels.ndim == 2:
        return np.asarray(labels.argmax(axis=1), dtype=np.int64)
    return labels  # type: ignore[return-value]  # checked labels with one axis are int64


def as_array(value: Any, name: str) -> NDArray[Any]:
    """Return an array, a tensor, a table or a nested list as an array, which may share memory with it."""
    if is_tensor_of_torch(value):
        value = in_numpys_reach(value)
    kinds = set(map(type, value)) if isinstance(value, list | tuple) else ()  # far fewer than the labels in a list
    try:
        rows = value if any(issubclass(kind, np.ma.MaskedArray) for kind in kinds) else ()
        hidden = any(map(np.ma.is_masked, (value, *rows)))
        array = None if hidden else _as_numpy_counts(np.asarray(value), value)
    except Exception as error:
        raise TypeError(f"`{name}` cannot be read as an array: {error}") from error
    if array is None:
        raise ValueError(
            f"`{name}` is a masked array that hides values. Fill them, such as `array.filled(0)`, or leave those rows "
            "out."
        )
    return array


def is_tensor_of_torch(value: Any) -> bool:
    """Tell whether a value is a tensor of torch, without importing torch."""
    return isinstance(value, getattr(sys.modules.get("torch"), "Tensor", ()))


def in_numpys_reach(tensor: Any) -> Any:
    """Return a tensor of torch on the processor, in a dtype that numpy has."""
    tensor = tensor.detach().cpu()
    return tensor.float() if tensor.is_floating_point() else tensor


def _as_numpy_counts(array: NDArray[Any], value: Any) -> NDArray[Any]:
    """Return numbers in numpy's own dtypes: of bfloat16, and of columns of a table that might have had gaps."""
    if array.dtype.kind == "V" and array.dtype.name.startswith(("bfloat16", "float8")):
        return array.astype(np.float32)
    if array.dtype == object and hasattr(value, "to_numpy") and str not in set(map(type, array.flat)):
        try:
            numbers = array.astype(np.float64)
        except (TypeError, ValueError):  # of a gap, or of text
            return array
        whole = numbers.astype(np.int64) if np.isfinite(numbers).all() else numbers
        return whole if np.array_equal(whole, numbers) else numbers
    return array


# -- the process ---------------------------------------------------------------------------------

_OWNER: Final[list[int]] = []  # the process that first used TensorFlow, and the only one that may


def is_forked() -> bool:
    """Tell whether this process was forked from one that had used TensorFlow."""
    return bool(_OWNER) and os.getpid() != _OWNER[0]


def check_process() -> None:
    """Refuse to compute in a forked child: TensorFlow's threads are not copied, so it would wait for them for ever."""
    if not _OWNER:
        _OWNER.append(os.getpid())
    if is_forked():
        raise RuntimeError(
            "This process was forked from one that had used TensorFlow, which would wait here for ever. Start "
            "processes with `multiprocessing.get_context('spawn')`, or use `trainer.compile_predictor()` before the "
            "fork: its predictor works in forked processes."
        )
