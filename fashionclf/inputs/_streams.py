"""Streams, read one element at a time, and rows: images with labels in the forms that other libraries give them.

No library is imported to tell them apart: whoever has such an object has imported its library.
"""

import itertools
import math
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Literal, TypeAlias, TypeGuard

from fashionclf._images import forms_of, has_shape, shape_of
from fashionclf._text import listed
from fashionclf._types import ImageShape
from fashionclf._validation import is_tensor_of_torch
from fashionclf.datasets import Dataset
from fashionclf.photographs._reading import is_pil_image

StreamKind: TypeAlias = Literal["tf.data.Dataset", "PyDataset", "DataLoader", "iterator"]

_MODES: Final = {1: "L", 3: "RGB"}  # of PIL images, by the number of channels

_ORIENTATION: Final = 0x0112  # the number of this entry in Exif

_IMAGES: Final = ("image", "images", "img", "composite")  # the last one is gradio's
LABELS: Final = ("label", "labels")

_UNKNOWN: Final = -2  # of `tf.data.Dataset.cardinality`

_UNENDING: Final = -1


def stream_kind(x: object) -> StreamKind | None:
    """Tell which kind of stream `x` is, None if it is none."""
    if isinstance(x, _class("tensorflow", "data", "Dataset")):
        return "tf.data.Dataset"
    if isinstance(x, _class("keras", "utils", "PyDataset")):
        return "PyDataset"
    if isinstance(x, _class("torch.utils.data", "DataLoader")):
        return "DataLoader"
    return "iterator" if isinstance(x, Iterator) and not hasattr(x, "read") else None  # a file gives lines


def _class(module: str, *names: str) -> Any:
    """Return a class of a module that has been imported, else an empty tuple, of which nothing is an instance."""
    found: Any = sys.modules.get(module)
    for name in names:
        found = getattr(found, name, None)
    return found if isinstance(found, type) else ()


class Stream:
    """A stream, read one element at a time. `name` is that of the argument, for messages."""

    def __init__(self, source: Any, name: str) -> None:
        kind = stream_kind(source)
        if kind is None:
            raise TypeError(f"`{name}` must be a stream. Received: {type(source).__name__}")
        self.source, self.name, self.kind = source, name, kind

    @property
    def length(self) -> float | None:
        """The number of elements: infinity if it does not end, None if that is not known."""
        if self.kind == "tf.data.Dataset":
            number = int(self.source.cardinality())
            return {_UNKNOWN: None, _UNENDING: math.inf}.get(number, number)
        if self.kind == "PyDataset":
            number = self.source.num_batches
            return math.inf if number is None else int(number)
        if self.kind == "DataLoader":
            try:
                return len(self.source)
            except TypeError:  # of an `IterableDataset` without a length
                return None
        return None

    def first(self) -> Any:
        """Return the first element, without starting a pass."""
        if self.length == 0:
            raise ValueError(f"`{self.name}` is an empty {self.kind}; expected at least one image.")
        if self.kind == "PyDataset":
            return self.source[0]
        if self.kind == "DataLoader":
            return next(iter(self.source))
        for element in self.source.take(1).as_numpy_iterator():
            return _with_text(element)
        raise ValueError(f"`{self.name}` is an empty {self.kind}; expected at least one image.")

    def check_end(self) -> None:
        """Refuse a stream that is known to be infinite."""
        if self.length == math.inf:
            end = f"pass `{self.name}.take(n)`" if self.kind == "tf.data.Dataset" else "give it a `num_batches`"
            raise ValueError(f"`{self.name}` is an infinite {self.kind}; expected one that ends: {end}.")

    def count(self) -> int:
        """Return the number of elements, by reading once if need be."""
        self.check_end()
        length = self.length
        return sum(1 for _ in self.source) if length is None else int(length)

    def elements(self) -> Iterator[Any]:
        """Read all elements once: arrays, or tuples of arrays."""
        if self.kind == "tf.data.Dataset":
            return map(_with_text, self.source.as_numpy_iterator())
        return _read_sequence(self.source) if self.kind == "PyDataset" else iter(self.source)

    def begin_epoch(self) -> None:
        """Tell a `PyDataset` that a pass begins."""
        if self.kind == "PyDataset":
            self.source.on_epoch_begin()

    def end_epoch(self) -> None:
        """Tell a `PyDataset` that all batches of a pass have been read."""
        if self.kind == "PyDataset":
            self.source.on_epoch_end()


def _with_text(element: Any) -> Any:
    """Return an element of a `tf.data.Dataset` with its texts, such as paths, as strings: TensorFlow has bytes."""
    if isinstance(element, bytes):
        return os.fsdecode(element)
    if isinstance(element, Mapping):
        return {key: _with_text(part) for key, part in element.items()}
    if isinstance(element, tuple):
        return tuple(map(_with_text, element))
    is_array = getattr(getattr(element, "dtype", None), "kind", "") == "O"
    is_text = is_array and all(isinstance(value, bytes) for value in element.flat)
    return [os.fsdecode(value) for value in element.flat] if is_text else element


def parts_of(element: Any, stream: Stream, shape: ImageShape) -> tuple[Any, ...]:
    """Return the parts of an element of a stream: images, and labels and weights where it has them.

    Keras and torch give tuples or lists of them, Hugging Face and tfds give rows. Outside TensorFlow, a tuple or list
    of single images is a batch of them.
    """
    if isinstance(element, Mapping):
        return columns_of(element, stream.name)
    is_short = isinstance(element, tuple | list) and 1 <= len(element) <= 3  # an image has more rows
    of_tensorflow = stream.kind == "tf.data.Dataset" and isinstance(element, tuple)
    if is_short and (of_tensorflow or not all(is_single_image(part, shape) for part in element)):
        return tuple(element)
    return (element,)


def is_photograph(x: Any, shape: ImageShape) -> bool:
    """Tell whether `x` must be read as a photograph: a file, or an image in colour of another shape."""
    if is_pil_image(x):
        is_turned = x.getexif().get(_ORIENTATION, 1) != 1
        return is_turned or x.size != (shape[1], shape[0]) or x.mode != _MODES[shape[2]]
    if isinstance(x, str | os.PathLike | bytes | bytearray) or hasattr(x, "read"):
        return True
    own = tuple(getattr(x, "shape", ()))
    if len(own) != 3 or has_shape(own, shape) or not hasattr(x, "__array__"):
        return False
    return own[2] in (3, 4) or (is_tensor_of_torch(x) and own[0] in (3, 4) and own != (shape[2], *shape[:2]))


def is_iterable_once(x: Any) -> TypeGuard[Iterable[Any]]:
    """Tell whether `x` gives images without a length, as a streamed data set of Hugging Face or torch does."""
    is_known = isinstance(x, Dataset) or stream_kind(x) is not None
    is_other = any(hasattr(x, name) for name in ("__len__", "__array__", "read"))  # a file gives lines
    return isinstance(x, Iterable) and not is_known and not is_other


def is_single_image(x: Any, shape: ImageShape) -> bool:
    """Tell whether `x` is one image or photograph, and not a batch."""
    own = shape_of(x)
    is_first = is_tensor_of_torch(x) and own == (shape[2], *shape[:2])  # channels first
    return is_first or own in forms_of(shape) or is_pil_image(x) or is_photograph(x, shape)


# -- rows ----------------------------------------------------------------------------------------


def is_rows(x: Any) -> bool:
    """Tell whether `x` is a list of rows (dictionaries, or pairs of image and label), or a data set of rows.

    That is `datasets.Dataset` of Hugging Face, `torch.utils.data.Dataset`, or any other sequence that is no array.
    """
    if isinstance(x, list | tuple):
        first = x[0] if x else None
        is_pair = isinstance(first, tuple) and len(first) == 2 and shape_of(first[0]) and not shape_of(first[1])
        return isinstance(first, Mapping) or bool(is_pair)
    is_array = isinstance(x, str | bytes | bytearray | memoryview | Mapping) or any(
        hasattr(x, name) for name in ("__array__", "__array_interface__", "read")
    )
    has_items = hasattr(type(x), "__len__") and hasattr(type(x), "__getitem__")
    return has_items and not is_array and not hasattr(x, "num_batches")  # which a PyDataset has


def columns_of(x: Any, name: str) -> tuple[Any, ...]:
    """Return the images of rows, and the labels where there are any."""
    if isinstance(x, Mapping):
        return _values(x, name)
    if isinstance(tensors := getattr(x, "tensors", None), tuple):  # of torch's TensorDataset
        return tensors
    rows = list(rows_of(x))
    if not rows:
        raise ValueError(f"`{name}` is an empty {type(x).__name__}; expected at least one image.")
    parts = [_values(row, name) if isinstance(row, Mapping) else row for row in rows]
    if not all(isinstance(part, tuple) for part in parts):
        return (parts,)
    for number, part in enumerate(parts):
        if len(part) != len(parts[0]):
            less, more = sorted((0, number), key=lambda i: len(parts[i]))
            raise ValueError(f"`{name}[{less}]` has no label, but `{name}[{more}]` has one; expected one in every row.")
    return tuple(list(column) for column in zip(*parts, strict=True))


def rows_of(x: Any) -> Iterator[Any]:
    """Return the rows of a list or data set; those of Hugging Face as dictionaries, whatever their format."""
    rows = x.with_format(None) if hasattr(x, "with_format") else x
    return map(rows.__getitem__, range(len(rows)))


def _values(row: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    image = next((key for key in _IMAGES if key in row), None)
    label = next((key for key in LABELS if key in row), None)
    if image is None and set(row) & {"train", "test", "validation"}:
        raise TypeError(
            f"`{name}` has the parts {listed(tuple(map(str, row)))}: pass one of them, such as `{name}['train']`."
        )
    if image is None:
        raise TypeError(
            f"`{name}` holds dictionaries with {listed(tuple(map(str, row)))}; expected the key 'image' or 'img', and "
            "'label' for a label. Choose them: `[row['pixels'] for row in rows]`, or "
            "`dataset.map(lambda row: (row['pixels'], row['class']))` for a tf.data.Dataset."
        )
    return (row[image],) if label is None else (row[image], row[label])


# -- reading a PyDataset ------------------------------------------------------------------------------


def _read_sequence(dataset: Any) -> Iterator[Any]:
    """Read the batches of a `PyDataset` in order, ahead of the reader, in as many threads as it has `workers`."""
    number = dataset.num_batches
    indices: Iterable[int] = itertools.count() if number is None else range(number)
    if dataset.workers <= 1:
        yield from map(dataset.__getitem__, indices)
        return
    pool, ahead = ThreadPoolExecutor(dataset.workers), deque[Future[Any]]()
    try:
        for index in indices:
            ahead.append(pool.submit(dataset.__getitem__, index))
            if len(ahead) >= max(dataset.workers, dataset.max_queue_size):
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
