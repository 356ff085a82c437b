"""Images with labels that come batch by batch: a `tf.data.Dataset` or a `keras.utils.PyDataset` of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from fashionclf._doubts import warn_of_doubtful_set
from fashionclf._images import check_images
from fashionclf._labelled import LabelledImages, check_labelled, check_weights, class_weights
from fashionclf._streams import Stream, holds_one_image, images_of, stream_kind
from fashionclf._types import ClassNames, FloatArray, IntArray
from fashionclf._validation import check_labels, integer_labels

_COLLECTED: Final = 1024  # images checked at a time


class LabelledStream:
    """A stream of images with labels; each batch is checked when it comes.

    Args:
        source: A `tf.data.Dataset` or a `PyDataset` of tuples `(images, labels)` or `(images, labels, weights)`.
        num_classes: Number of classes; None if it is not known.
        batch_size: Images per batch, where the data set has single images.
        name: Of the argument, for error messages.

    Attributes:
        stream: The stream of batches.
        first: The first batch.
        is_batched: Whether it came in batches, not in single images.

    Raises:
        ValueError: If it is empty, cannot be read twice, or its first batch is not right.
        TypeError: If its first batch does not hold numbers.
    """

    def __init__(self, source: Any, *, num_classes: int | None, batch_size: int, name: str = "x") -> None:
        if stream_kind(source) == "iterator":
            raise ValueError(
                f"`{name}` is an iterator ({type(source).__name__}), which can be read only once; expected a "
                "tf.data.Dataset or a keras.utils.PyDataset. Make one with `tf.data.Dataset.from_generator(function, "
                "output_signature=...)`, from a function that starts the iterator."
            )
        self.name, self._num_classes = name, num_classes
        self._class_weight: FloatArray | None = None
        self._form: tuple[int, bool] | None = None
        self.stream = Stream(source, name)
        element = self.stream.first()
        self.is_batched = not holds_one_image(images_of(element, name))
        if not self.is_batched:
            if self.stream.kind == "PyDataset":
                raise ValueError(f"`{name}` is a PyDataset of single images; expected batches (n, 28, 28) of them.")
            self.stream = Stream(source.batch(batch_size), name)
            element = self.stream.first()
        self.first = self.checked(element, 0)
        warn_of_doubtful_set(self.first.images, name)

    @property
    def labels(self) -> IntArray | FloatArray:
        """The labels of the first batch: all have the same form."""
        return self.first.labels

    def checked(self, element: Any, number: int) -> LabelledImages:
        """Return batch `number`, checked."""
        name = f"{self.name}, batch {number}"
        parts = element if isinstance(element, tuple) else (images_of(element, self.name),)
        if len(parts) not in (2, 3):
            raise ValueError(
                f"`{self.name}` gives {len(parts)} {'array' if len(parts) == 1 else 'arrays'}; expected tuples "
                "(images, labels) or (images, labels, weights)."
            )
        images = check_images(parts[0], name)
        labels = check_labels(parts[1], num_images=len(images), num_classes=self._num_classes, name=f"labels of {name}")
        weights = check_weights(parts[2], len(images)) if len(parts) == 3 else None
        form = (labels.ndim, weights is not None)
        if form != (self._form or form):
            raise ValueError(
                f"`{name}` has {_described(form)}, but the first batch has {_described(self._form)}; expected the same "
                "in every batch."
            )
        self._form = form
        batch = LabelledImages(images, labels, weights)
        return batch if self._class_weight is None else batch.times(self._class_weight)

    def batches(self) -> Iterator[LabelledImages]:
        """Read it once, batch by batch."""
        self.stream.check_end()
        self.stream.begin_epoch()
        for number, element in enumerate(self.stream.elements()):
            yield self.checked(element, number)
        self.stream.end_epoch()

    def number_of_batches(self, otherwise: str = "") -> int:
        """Return the number of batches. A data set that does not know it is read once to count them.

        `otherwise`: what else the caller can do, for messages about streams without an end or a length.
        """
        self.stream.check_end(otherwise)
        return self.stream.count(otherwise)

    def with_class_weight(self, class_weight: Any, names: Iterable[str] | None, num_classes: int) -> "LabelledStream":
        """Multiply the weight of each image by that of its class, in every batch to come."""
        if class_weight is None:
            return self
        if isinstance(class_weight, str) and class_weight == "balanced":
            raise ValueError(
                "`class_weight='balanced'` needs all labels, but `x` is a stream. Count them, and pass a dictionary "
                "from label or class name to weight."
            )
        weights = class_weights(class_weight, integer_labels(self.labels), names, num_classes)
        if not weights.any():
            raise ValueError("`class_weight` leaves no image with a weight above 0.")
        self._class_weight = weights
        self.first = self.first.times(weights)
        return self

    def collected(self) -> LabelledImages:
        """Read all of it into memory."""
        parts = list(self.batches())
        images: list[Any] = [part.images for part in parts]
        if len({array.dtype for array in images}) > 1:
            raise ValueError(f"`{self.name}` gives integers in some batches and floats in others; expected one dtype.")
        labels: list[Any] = [part.labels for part in parts]
        weights = [part.weights for part in parts if part.weights is not None]
        return LabelledImages(
            np.concatenate(images),
            np.concatenate(labels),
            np.concatenate(weights) if len(weights) == len(parts) else None,
        )


def _described(form: tuple[int, bool] | None) -> str:
    dimensions, weighted = form or (1, False)
    return f"{'integer' if dimensions == 1 else 'one-hot'} labels {'with' if weighted else 'without'} weights"


def read_labelled(
    x: Any,
    y: Any,
    sample_weight: Any,
    *,
    num_classes: int | None,
    batch_size: int,
    name: str = "x",
    known_names: Sequence[ClassNames] = (),
) -> LabelledImages | LabelledStream:
    """Check images with labels and weights as `check_labelled` does, or begin to read a stream of them."""
    if y is None and (kind := stream_kind(x)) is not None:
        if sample_weight is not None:
            raise ValueError(
                f"`sample_weight` goes with arrays, but `{name}` is a {kind}. Let it give tuples (images, labels, "
                "weights)."
            )
        return LabelledStream(x, num_classes=num_classes, batch_size=batch_size, name=name)
    if stream_kind(x) is not None:
        raise ValueError(
            f"`y` goes with arrays, but `{name}` is a {stream_kind(x)}, which has its own labels. Let it give tuples "
            "(images, labels)."
        )
    return check_labelled(x, y, sample_weight, num_classes=num_classes, name=name, known_names=known_names)


def collect_labelled(
    x: Any, y: Any, *, num_classes: int | None, known_names: Sequence[ClassNames] = ()
) -> LabelledImages:
    """Check images with labels as `check_labelled` does; a stream of them is read into memory."""
    data = read_labelled(x, y, None, num_classes=num_classes, batch_size=_COLLECTED, known_names=known_names)
    return data.collected() if isinstance(data, LabelledStream) else data
