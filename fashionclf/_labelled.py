"""Images with labels and weights, checked together, for fit, evaluate and cross_validate."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashionclf._arrays import as_array
from fashionclf._doubts import warn_of_doubtful_set
from fashionclf._images import check_images
from fashionclf._streams import stream_kind
from fashionclf._text import cut, shown
from fashionclf._types import ClassNames, FloatArray, ImageArray, ImagesLike, IntArray, LabelledLike, LabelsLike
from fashionclf._validation import check_labels, check_number, integer_labels
from fashionclf.datasets import Split
from fashionclf.labels import match_labels


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Checked images `(n, 28, 28, 1)`, labels (integers, or one-hot rows) and weights `(n,)` or None."""

    images: ImageArray
    labels: IntArray | FloatArray
    weights: FloatArray | None = None
    class_names: tuple[str, ...] | None = None
    groups: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: IntArray) -> "LabelledImages":
        """Return the images at these indices, in this order."""
        weights = None if self.weights is None else self.weights[index]
        groups = None if self.groups is None else self.groups[index]
        return replace(self, images=self.images[index], labels=self.labels[index], weights=weights, groups=groups)

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


def check_labelled(
    x: LabelledLike | Split,
    y: LabelsLike | None,
    sample_weight: Any,
    *,
    num_classes: int | None,
    name: str = "x",
    known_names: Sequence[ClassNames] = (),
) -> LabelledImages:
    """Check images, labels and weights together; `x` may be a `Split`, or a tuple `(x, y)` or `(x, y, sample_weight)`.

    Where `known_names` has lists of class names, the labels of a `Split` with names are matched with those by name.
    """
    x, y, sample_weight = unpacked(x, y, sample_weight, name)
    images: ImagesLike
    labels: LabelsLike
    names: ClassNames | None
    if isinstance(x, Split):
        if y is not None:
            raise ValueError(
                f"`{name}` is a Split, which has its own labels: leave out `y`, or pass `{name}.images` instead."
            )
        images, labels, names, groups = x.images, x.labels, x.class_names, x.groups
    elif y is None:
        raise ValueError(
            f"Labels are missing: pass `y`, or a `Split` (such as `dataset.train`) or a tuple (images, labels) as "
            f"`{name}`."
        )
    else:
        images, labels, names, groups = x, y, None, None  # type: ignore[assignment]  # checked next
    checked = check_images(images, name)
    if not isinstance(x, Split):  # which was examined when it was made
        warn_of_doubtful_set(checked, name)
    if names is not None and known_names:
        by_name = match_labels(names, known_names, name)
        labels = labels if by_name is None else by_name[np.asarray(labels)]
        names = None
    checked_labels = check_labels(labels, num_images=len(checked), num_classes=num_classes, name="y")
    weights = check_weights(sample_weight, len(checked))
    if weights is not None and not weights.any():
        raise ValueError("`sample_weight` must be finite and not negative, and not all zero.")
    return LabelledImages(checked, checked_labels, weights, names, groups)


def unpacked(x: Any, y: Any, sample_weight: Any, name: str) -> tuple[Any, Any, Any]:
    """Return images, labels and weights, from a tuple of them in place of the images if there is one."""
    if y is not None or not isinstance(x, tuple) or len(x) not in (2, 3):
        return x, y, sample_weight
    if len(x) == 3 and sample_weight is not None:
        raise ValueError(f"`{name}` is a tuple (images, labels, weights): leave out `sample_weight`.")
    if isinstance(x[0], Split) or stream_kind(x[0]) is not None:
        raise ValueError(
            f"`{name}` is a tuple of {type(x[0]).__name__} and {type(x[1]).__name__}; expected (images, labels). A "
            f"{type(x[0]).__name__} has its own labels: pass it alone."
        )
    return x[0], x[1], x[2] if len(x) == 3 else sample_weight


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
