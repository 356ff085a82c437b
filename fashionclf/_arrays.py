"""Arguments as arrays. All are read here, so that no value hidden by a mask is used."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_array(value: Any, name: str) -> NDArray[Any]:
    """Return an argument as an array, which may share memory with it.

    Args:
        value: An array, a tensor, or a nested list.
        name: The name of the argument, for error messages.

    Raises:
        ValueError: If it is a masked array that hides values.
        TypeError: If it cannot be read.
    """
    try:
        hidden = _hides_values(value) or (_may_hold_masks(value) and any(map(_hides_values, value)))
        array = None if hidden else np.asarray(value)
    except Exception as error:
        raise TypeError(f"`{name}` cannot be read as an array: {error}") from error
    if array is None:
        raise ValueError(
            f"`{name}` is a masked array that hides values. Fill them, such as `array.filled(0)`, or leave those rows "
            "out."
        )
    return array


def _may_hold_masks(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(
        issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, value))
    )


def _hides_values(value: Any) -> bool:
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.getmaskarray(value).view(bool).any())
