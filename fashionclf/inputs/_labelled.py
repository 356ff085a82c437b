"""Images with labels and weights, checked together, for fit, evaluate and cross_validate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._converter import ImageConverter
from fashionclf._images import (
    IMAGE_SHAPE,
    shape_of,
    shape_or_default,
    warn_of_doubtful_set,
    warn_of_doubts,
)
from fashionclf._text import cut, shown
from fashionclf._types import ClassNames, FloatArray, ImageArray, IntArray
from fashionclf._validation import as_array, check_labels, check_number, integer_labels
from fashionclf.datasets import Split
from fashionclf.inputs._read import Images, in_memory, labels_missing, opened, read_images
from fashionclf.inputs._streams import Stream, is_iterable_once, is_single_image, parts_of, stream_kind
from fashionclf.labels import match_labels

_COLLECTED: Final = 1024  # images of a stream of single ones that are checked at a time


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Checked images `(n, height, width, channels)` with their labels (integers, or one-hot rows) and what is known."""

    images: ImageArray
    labels: IntArray | FloatArray
    weights: FloatArray | None = None
    class_names: tuple[str, ...] | None = None
    groups: NDArray[Any] | None = None
    files: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: IntArray) -> "LabelledImages":
        """Return the images at these indices, in this order."""
        weights = None if self.weights is None else self.weights[index]
        groups = None if self.groups is None else self.groups[index]
        images, labels = self.images[index], self.labels[index]
        return replace(self, images=images, labels=labels, weights=weights, groups=groups, files=None)

    def with_class_weight(self, class_weight: Any, names: Iterable[str] | None, num_classes: int) -> "LabelledImages":
        """Multiply the weight of each image by that of its class."""
        if class_weight is None:
            return self
        per_class = class_weights(class_weight, integer_labels(self.labels), names, num_classes)
        weighted = self.times(per_class)
        if not np.any(weighted.weights):
            raise ValueError("`class_weight` leaves no image with a weight above 0.")
        return weighted

    def times(self, per_class: FloatArray) -> "LabelledImages":
        """Multiply the weight of each image by that of its class, `(num_classes,)`."""
        weights = per_class[integer_labels(self.labels)]
        return replace(self, weights=weights if self.weights is None else weights * self.weights)


class LabelledStream:
    """A stream of images or photographs with labels. `first` is its first batch; each is checked when it comes.

    A `tf.data.Dataset` of single images is batched; `is_batched` is False then. The arguments are those of
    `read_labelled`.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        converter: ImageConverter | None,
        num_classes: int | None,
        batch_size: int,
        known_names: Sequence[ClassNames],
    ) -> None:
        name = stream.name
        if stream.kind == "iterator":
            raise ValueError(
                f"`{name}` is an iterator ({type(stream.source).__name__}), which can be read only once; expected a "
                "tf.data.Dataset, a keras.utils.PyDataset, or the DataLoader itself. Make one with "
                "`tf.data.Dataset.from_generator(function, output_signature=...)`, from a function that starts the "
                "iterator."
            )
        self.name, self._num_classes, self._known_names = name, num_classes, known_names
        self.files = None  # the images of a stream are not kept, nor their names
        self._class_weight: FloatArray | None = None
        self._form: tuple[int, bool] | None = None
        self.stream = stream
        element = stream.first()
        images = parts_of(element, stream, converter.image_shape if converter else IMAGE_SHAPE)[0]
        self._converter = converter or ImageConverter(shape_or_default(images))
        self.is_batched = not is_single_image(images, self._converter.image_shape)
        if not self.is_batched:
            if stream.kind != "tf.data.Dataset":
                raise ValueError(f"`{name}` is a {stream.kind} of single images; expected batches of them.")
            self.stream = Stream(stream.source.batch(batch_size), name)
            element = self.stream.first()
        self.first = self.checked(element, 0)

    @property
    def labels(self) -> IntArray | FloatArray:
        """The labels of the first batch: all have the same form."""
        return self.first.labels

    def checked(self, element: Any, number: int) -> LabelledImages:
        """Return batch `number`, checked."""
        name = f"{self.name}, batch {number}"
        parts = parts_of(element, self.stream, self._converter.image_shape)
        if len(parts) not in (2, 3):
            count = len(element) if isinstance(element, tuple) else 1
            raise ValueError(
                f"`{self.name}` gives {count} {'array' if count == 1 else 'arrays'}; expected tuples "
                "(images, labels) or (images, labels, weights)."
            )
        read = read_images(parts[0], self._converter, name)
        images = read.images
        if self._form is None:
            _warn_of_doubts(read, self.name, self._converter)
        labels = check_labels(
            _numbered(parts[1], self._known_names, f"labels of {name}"),
            num_images=len(images),
            num_classes=self._num_classes,
            name=f"labels of {name}",
        )
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
    converter: ImageConverter | None,
    num_classes: int | None,
    batch_size: int = 256,
    name: str = "x",
    known_names: Sequence[ClassNames] = (),
) -> LabelledImages | LabelledStream:
    """Check images with labels and weights together, or begin to read a stream of them.

    Labels and weights come with `x`, or as `y` and `sample_weight`. `batch_size` is for a stream of single images.
    `known_names` are lists of class names that mean the classes: labels that have names, or are names, are matched with
    them. Without a converter, the image shape is that of the arrays.
    """
    if y is not None and (isinstance(x, tuple) or _is_read_once(x)):
        x = list(x)  # images alone, such as `Path.glob`
    given = opened(x, converter, name, labelled=True, count=None if y is None else (*shape_of(y), 0)[0])
    if isinstance(given.images, Stream):
        if y is not None or sample_weight is not None:
            raise ValueError(
                f"`{'sample_weight' if y is None else 'y'}` goes with arrays, but `{name}` is a {given.images.kind}. "
                "Let it give tuples (images, labels) or (images, labels, weights)."
            )
        return LabelledStream(
            given.images,
            converter=converter,
            num_classes=num_classes,
            batch_size=batch_size,
            known_names=known_names,
        )
    if given.labels is not None and y is not None:
        kind = type(x).__name__
        raise ValueError(f"`{name}` is a {kind}, which has its own labels: leave out `y`, or pass its images alone.")
    if given.weights is not None and sample_weight is not None:
        raise ValueError(f"`{name}` is a tuple (images, labels, weights): leave out `sample_weight`.")
    y = given.labels if y is None else y
    if y is None:
        raise labels_missing(name)
    read = in_memory(given, name)
    if not isinstance(x, Split):  # which was examined when it was made
        _warn_of_doubts(read, name, given.converter)
    images, names = read.images, given.class_names
    if names is not None and known_names:
        by_name = match_labels(names, known_names, name)
        y = y if by_name is None else by_name[np.asarray(y)]
        names = None
    labels = check_labels(_numbered(y, known_names, "y"), num_images=len(images), num_classes=num_classes, name="y")
    weights = check_weights(sample_weight if given.weights is None else given.weights, len(images))
    if weights is not None and not weights.any():
        raise ValueError("`sample_weight` must be finite and not negative, and not all zero.")
    files = x.files if isinstance(x, Split) else read.names
    return LabelledImages(images, labels, weights, names, given.groups, files)


def _is_read_once(x: Any) -> bool:
    return type(x) is not np.ndarray and (is_iterable_once(x) or stream_kind(x) == "iterator")


def _warn_of_doubts(read: Images, name: str, converter: ImageConverter) -> None:
    """Warn of doubts about photographs, or about a set of images."""
    if read.doubts is not None:
        warn_of_doubts([doubts or () for doubts in read.doubts], read.names)
    else:
        warn_of_doubtful_set(read.images, name, bright_on_black=converter.find_garment)


def _numbered(labels: Any, known_names: Sequence[ClassNames], name: str) -> Any:
    """Return the numbers of labels that are class names; anything else as it is."""
    array = as_array(labels, name)
    if array.dtype == object:
        values = [value.decode() if isinstance(value, bytes) else value for value in array.flat]
        wrong = next((value for value in values if not isinstance(value, str)), None)
        if not any(isinstance(value, str) for value in values):
            return labels
        if wrong is not None:
            raise TypeError(f"`{name}` holds class names and {shown(wrong)}; expected names alone, or integers alone.")
        array = np.array(values)
    elif array.dtype.kind == "S":
        array = np.char.decode(array)
    if array.dtype.kind not in "UT" or not known_names:
        return labels
    names, numbers = np.unique(np.array(array.ravel().tolist()), return_inverse=True)
    by_name = match_labels(names.tolist(), known_names, name)
    return numbers if by_name is None else by_name[numbers]


def collect_labelled(x: Any, y: Any, sample_weight: Any = None, **options: Any) -> LabelledImages:
    """Check images with labels as `read_labelled` does, with its options; a stream of them is read into memory."""
    data = read_labelled(x, y, sample_weight, batch_size=_COLLECTED, **options)
    return data.collected() if isinstance(data, LabelledStream) else data


def check_weights(sample_weight: Any, num_images: int) -> FloatArray | None:
    """Return weights as float32 `(n,)`, finite and not negative; None where there are none."""
    if sample_weight is None:
        return None
    array = as_array(sample_weight, "sample_weight")
    if array.dtype.kind not in "buif":
        raise TypeError(f"`sample_weight` must be numbers, one per image. Received dtype {cut(str(array.dtype))}.")
    with np.errstate(over="ignore"):  # infinity is refused next
        weights = array.astype(np.float32, copy=False)
    if weights.shape != (num_images,):
        raise ValueError(f"`sample_weight` has shape {weights.shape}, expected ({num_images},): one per image.")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("`sample_weight` must be finite and not negative, and not all zero.")
    return weights


def class_weights(class_weight: Any, labels: IntArray, names: Iterable[str] | None, num_classes: int) -> FloatArray:
    """Return the weight of each class, float32 `(num_classes,)`."""
    if isinstance(class_weight, str) and class_weight == "balanced":  # scikit-learn's word and formula
        counts = np.bincount(labels, minlength=num_classes)
        present = np.count_nonzero(counts)
        return (len(labels) / (present * np.maximum(counts, 1))).astype(np.float32)
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            "`class_weight` must be a dictionary from label or class name to weight, or 'balanced'. "
            f"Received: {shown(class_weight)}"
        )
    numbers = {name: i for i, name in enumerate(names or ())}
    weights = np.ones(num_classes, dtype=np.float32)
    for key, value in class_weight.items():
        label = numbers.get(key, key) if isinstance(key, str) else key
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or not 0 <= label < num_classes:
            raise ValueError(
                f"`class_weight` has an unknown class {shown(key)}; expected labels 0..{num_classes - 1} or class "
                "names."
            )
        weights[label] = check_number(value, f"class_weight[{shown(key)}]", low=0, high=np.inf, open_high=True)
    return weights
