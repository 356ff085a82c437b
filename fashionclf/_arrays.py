"""Arguments as arrays. All are read here, so that no value hidden by a mask is used."""

import sys
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
    if array.dtype == object and hasattr(value, "to_numpy"):
        try:
            numbers = array.astype(np.float64)
        except (TypeError, ValueError):  # of a gap, or of text
            return array
        whole = numbers.astype(np.int64) if np.isfinite(numbers).all() else numbers
        return whole if np.array_equal(whole, numbers) else numbers
    return array
