"""Accuracy on images that have moved."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import without_doubts
from fashionclf._text import shown
from fashionclf._types import LabelledLike, LabelsLike
from fashionclf._validation import check_count, integer_labels
from fashionclf.augmentation import move
from fashionclf.datasets import Split
from fashionclf.trainer._trainer import Trainer, check_trainer


@dataclass(frozen=True, eq=False)
class ShiftRobustness:
    """The accuracy of a classifier on shifted images.

    Attributes:
        accuracies: By displacement, float64 `(2 * max_shift + 1, 2 * max_shift + 1)` from 0 to 1: rows from `max_shift`
            pixels up to as many down, columns from left to right.
        max_shift: The largest displacement in each direction, in pixels.

    Example:
        >>> import numpy as np
        >>> accuracies = np.array([[0.5, 0.7, 0.4], [0.8, 0.9, 0.8], [0.6, 0.7, 0.6]])
        >>> moved = ShiftRobustness(accuracies, max_shift=1)
        >>> moved.unshifted, round(moved.mean, 2), moved.worst, moved.worst_shift
        (0.9, 0.67, 0.4, (-1, 1))
        >>> moved.curve.round(2)
        array([0.9 , 0.64])
    """

    accuracies: NDArray[np.float64]
    max_shift: int

    @property
    def unshifted(self) -> float:
        """The accuracy on the images without a shift."""
        return float(self.accuracies[self.max_shift, self.max_shift])

    @property
    def mean(self) -> float:
        """The mean accuracy over all displacements, including no shift."""
        return float(self.accuracies.mean())

    @property
    def worst(self) -> float:
        """The lowest accuracy of all displacements."""
        return float(self.accuracies.min())

    @property
    def worst_shift(self) -> tuple[int, int]:
        """The displacement with the lowest accuracy: pixels down and right, negative for up and left."""
        row, column = np.unravel_index(self.accuracies.argmin(), self.accuracies.shape)
        return int(row) - self.max_shift, int(column) - self.max_shift

    @property
    def curve(self) -> NDArray[np.float64]:
        """Mean accuracy by distance, the longer of the two in pixels: float64 `(max_shift + 1,)`."""
        distance = np.abs(np.arange(-self.max_shift, self.max_shift + 1))
        ring = np.maximum.outer(distance, distance)
        return np.bincount(ring.ravel(), self.accuracies.ravel()) / np.bincount(ring.ravel())


def shift_robustness(
    trainer: Trainer, x: LabelledLike | Split, y: LabelsLike | None = None, *, max_shift: int = 3
) -> ShiftRobustness:
    """Measure the accuracy on images shifted by every displacement of up to `max_shift` pixels in each direction.

    Zeros fill the gap, and pixels shifted over the border are lost.

    Args:
        trainer: The classifier.
        x: Images in any form that `prepare_images` takes, a tuple `(x, y)`, a `Split`, or a stream of
            such tuples, which is read into memory.
        y: Labels: integers `(n,)` from 0, or one-hot rows `(n, num_classes)`.
        max_shift: Pixels, fewer than the shorter edge of the images has: `(2 * max_shift + 1) ** 2` displacements,
            including no shift.

    Raises:
        ValueError: If a value is out of range or lengths differ.
        TypeError: If an argument has the wrong type.

    Example:
        >>> import fashionclf as fc
        >>> test = fc.load_data("synthetic").test
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        >>> shift_robustness(trainer, test[:50], max_shift=1).accuracies.shape
        (3, 3)
    """
    check_trainer(trainer)
    reach = check_count(max_shift, "max_shift", minimum=0)
    edge = min(trainer.image_shape[:2])
    if reach >= edge:
        raise ValueError(
            f"`max_shift` must be below {edge} pixels, the shorter edge of the images. Received: {shown(max_shift)}"
        )
    data = trainer._labelled(x, y)
    labels = integer_labels(data.labels)
    all_alike = np.ones(len(labels), dtype=np.int64)

    def accuracy(down: int, right: int) -> float:
        moved = move(data.images, down * all_alike, right * all_alike)
        with without_doubts():  # half of a garment may be out of the image
            return float(np.mean(trainer.predict_proba(moved).argmax(axis=1) == labels))

    steps = range(-reach, reach + 1)
    return ShiftRobustness(np.array([[accuracy(down, right) for right in steps] for down in steps]), reach)
