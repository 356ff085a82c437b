"""What several plots take: labels of a split, predictions in their forms, arrays by name."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._text import cut, shown
from fashionclf._validation import as_array
from fashionclf.datasets import Dataset
from fashionclf.labels import CLASS_NAMES

_MOST_UNNAMED: Final = 1000  # more would take minutes to draw, and are hardly labels


def refuse_dataset(value: object, name: str) -> None:
    """Raise an error if a whole data set is passed instead of one of its splits."""
    if isinstance(value, Dataset):
        raise TypeError(f"`{name}` is a Dataset: pass one of its splits, `dataset.train` or `dataset.test`.")


def names_for(num_classes: int) -> tuple[str, ...]:
    """Return names for classes that have none: Fashion-MNIST's, or numbers where there are more."""
    if num_classes > _MOST_UNNAMED:
        raise ValueError(
            f"The highest label is {num_classes - 1}, expected below {_MOST_UNNAMED:,} where no class names are given. "
            "Are these labels? If so, pass `class_names`."
        )
    return CLASS_NAMES if num_classes <= len(CLASS_NAMES) else tuple(map(str, range(num_classes)))


def check_mapping(value: Any, name: str, of: str) -> dict[str, Any]:
    """Return a mapping from names to something as a `dict`; it may not be empty."""
    if not isinstance(value, Mapping):
        raise TypeError(f"`{name}` must map names to {of}. Received: {type(value).__name__}")
    if not value:
        raise ValueError(f"`{name}` is empty: expected at least one name with {of}.")
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"`{name}` must map names to {of}. Received the key {shown(key)}")
    return dict(value)


def check_array(value: Any, name: str, axes: tuple[str, ...]) -> NDArray[np.float64]:
    """Return finite numbers with so many axes as float64."""
    array = as_array(value, name)
    if array.dtype.kind not in "buif":
        raise TypeError(f"`{name}` must hold numbers. Received dtype {cut(str(array.dtype))}")
    if array.ndim != len(axes) or not array.size:
        raise ValueError(f"`{name}` has shape {array.shape}, expected ({', '.join(axes)}), none of them 0.")
    with np.errstate(over="ignore"):  # infinity is refused next
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` holds NaN or infinity, expected finite numbers.")
    return array
