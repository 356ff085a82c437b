"""Rows: images with labels in dictionaries or in data sets of Hugging Face and of torch."""

from collections.abc import Mapping
from typing import Any, Final

from fashionclf._text import listed

_IMAGES: Final = ("image", "images", "img", "composite")  # the last one is gradio's
_LABELS: Final = ("label", "labels")


def is_row(x: Any) -> bool:
    """Tell whether `x` is a dictionary, with one image or with a column of them."""
    return isinstance(x, Mapping)


def is_rows(x: Any) -> bool:
    """Tell whether `x` is a list of dictionaries, or a data set with a length whose items are rows.

    That is `datasets.Dataset` of Hugging Face, `torch.utils.data.Dataset`, or any other sequence that is no array.
    """
    if isinstance(x, list | tuple):
        return bool(x) and isinstance(x[0], Mapping)
    is_array = isinstance(x, str | bytes | bytearray | memoryview) or any(
        hasattr(x, name) for name in ("__array__", "__array_interface__", "read")
    )
    has_items = hasattr(type(x), "__len__") and hasattr(type(x), "__getitem__")
    return has_items and not is_array and not hasattr(x, "num_batches")  # which a PyDataset has


def columns_of(x: Any, name: str) -> tuple[Any, ...]:
    """Return the images of rows, and the labels where there are any.

    Raises:
        TypeError: If a row has none of the usual keys of images; the message says what to write.
        ValueError: If there are no rows.
    """
    if isinstance(x, Mapping):
        return _values(x, name)
    if isinstance(tensors := getattr(x, "tensors", None), tuple):  # of torch's TensorDataset
        return tensors
    rows = [x[i] for i in range(len(x))]
    if not rows:
        raise ValueError(f"`{name}` is an empty {type(x).__name__}; expected at least one image.")
    parts = [_values(row, name) if isinstance(row, Mapping) else row for row in rows]
    if not all(isinstance(part, tuple) for part in parts):
        return (parts,)
    return tuple(list(column) for column in zip(*parts, strict=False))


def _values(row: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    image = next((key for key in _IMAGES if key in row), None)
    label = next((key for key in _LABELS if key in row), None)
    if image is None:
        raise TypeError(
            f"`{name}` holds dictionaries with {listed(tuple(map(str, row)))}; expected the key 'image' or 'img', and "
            "'label' for a label. Choose them: `[row['pixels'] for row in rows]`, or "
            "`dataset.map(lambda row: (row['pixels'], row['class']))` for a tf.data.Dataset."
        )
    return (row[image],) if label is None else (row[image], row[label])
