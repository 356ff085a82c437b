"""Accuracy on images that have moved, and on corrupted images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import check_images, round_pixels, scale_pixels, without_channel, without_doubts
from fashionclf._text import shown
from fashionclf._types import ImagesLike, IntArray, LabelledLike, LabelsLike, UInt8Array
from fashionclf._validation import check_choice, check_count, check_seed, integer_labels
from fashionclf.augmentation import move
from fashionclf.datasets import Split
from fashionclf.evaluation._distortions import DISTORTIONS
from fashionclf.trainer._trainer import Trainer, check_trainer

CORRUPTIONS: Final = tuple(DISTORTIONS)
SEVERITIES: Final = (1, 2, 3, 4, 5)


def corrupt(images: ImagesLike, corruption: str, severity: int = 3, *, seed: int | None = 0) -> UInt8Array:
    """Return images with one of the corruptions that classifiers are tested with.

    Needs OpenCV: `pip install "fashionclf[images]"`.

    Args:
        images: Images in any form that `prepare_images` takes.
        corruption: One of `fashionclf.evaluation.CORRUPTIONS`: `"gaussian_noise"`, `"motion_blur"`, …
        severity: From 1 (slight) to 5 (strong).
        seed: From 0 to 2**32 - 1; the same seed gives the same changes. None draws fresh entropy.

    Returns:
        A uint8 array `(n, height, width, channels)`, 0..255.

    Raises:
        ValueError: If there is no such corruption, or a value is out of range.
        ImportError: If OpenCV is missing.

    Source:
        Hendrycks and Dietterich, arXiv:1903.12261, with the strengths of CIFAR-10-C; Mu and Gilmer, arXiv:1906.02337.

    Example:
        >>> import fashionclf as fc
        >>> images = fc.load_data("synthetic").test.images[:10]
        >>> corrupt(images, "gaussian_noise", severity=5).shape
        (10, 28, 28, 1)
    """
    change = DISTORTIONS[check_choice(corruption, "corruption", CORRUPTIONS)]
    level = check_count(severity, "severity", maximum=SEVERITIES[-1])
    rng = np.random.default_rng(check_seed(seed))
    checked = check_images(images)
    changed = change(without_channel(scale_pixels(checked)), level - 1, rng)
    return round_pixels(changed.clip(0, 1).astype(np.float32)).reshape(checked.shape)


@dataclass(frozen=True, eq=False)
class CorruptionRobustness:
    """The accuracy of a classifier on corrupted images.

    Attributes:
        accuracies: float64 `(len(corruptions), len(severities))` from 0 to 1.
        corruptions: Their names, as `fashionclf.evaluation.CORRUPTIONS` has them.
        severities: From 1 (slight) to 5 (strong).
        uncorrupted: The accuracy on the same images without corruption.

    Example:
        >>> import numpy as np
        >>> result = CorruptionRobustness(
        ...     np.array([[0.8, 0.6], [0.9, 0.7]]), ("fog", "contrast"), (1, 3), uncorrupted=0.95
        ... )
        >>> result.mean, result.at(3), result.by_corruption
        (0.75, {'fog': 0.6, 'contrast': 0.7}, {'fog': 0.7, 'contrast': 0.8})
    """

    accuracies: NDArray[np.float64]
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    uncorrupted: float

    @property
    def mean(self) -> float:
        """The mean accuracy over all corruptions and severities."""
        return float(self.accuracies.mean())

    @property
    def by_corruption(self) -> dict[str, float]:
        """The mean accuracy over the severities, by corruption."""
        return dict(zip(self.corruptions, self.accuracies.mean(axis=1).tolist(), strict=True))

    def at(self, severity: int) -> dict[str, float]:
        """Return the accuracy at one severity, by corruption.

        Raises:
            ValueError: If the severity was not measured.
            TypeError: If it is not an integer.
        """
        level = check_count(severity, "severity")
        if level not in self.severities:
            raise ValueError(f"`severity` must be one of {self.severities}. Received: {shown(severity)}")
        column = self.accuracies[:, self.severities.index(level)]
        return dict(zip(self.corruptions, column.tolist(), strict=True))


def corruption_robustness(
    trainer: Trainer,
    x: LabelledLike | Split,
    y: LabelsLike | None = None,
    *,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
) -> CorruptionRobustness:
    """Measure the accuracy on images with noise, blur, other light, compression, turned, or with something in front.

    Needs OpenCV: `pip install "fashionclf[images]"`. All images are evaluated once for each corruption and severity:
    90 times with the defaults.

    Args:
        trainer: The classifier.
        x: Images with or without their labels, as `Trainer.evaluate`; a stream is read into memory.
        y: Labels, as `Trainer.evaluate`.
        corruptions: Which of `fashionclf.evaluation.CORRUPTIONS`; None for all 18.
        severities: Which of 1 (slight) to 5 (strong).
        seed: From 0 to 2**32 - 1; the same seed gives the same corrupted images.

    Raises:
        ValueError: If a name is unknown, a value is out of range or lengths differ.
        ImportError: If OpenCV is missing.

    Source:
        Hendrycks and Dietterich, arXiv:1903.12261; Mu and Gilmer, arXiv:1906.02337.

    Example:
        >>> import fashionclf as fc
        >>> test = fc.load_data("synthetic").test
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        >>> corruption_robustness(trainer, test[:50], corruptions=["fog", "rotate"], severities=[3]).accuracies.shape
        (2, 1)
    """
    check_trainer(trainer)
    names = _chosen(corruptions, "corruptions", CORRUPTIONS)
    levels = _chosen(severities, "severities", SEVERITIES)
    check_seed(seed)
    data = trainer._labelled(x, y)
    labels = integer_labels(data.labels)
    accuracies = [
        [_accuracy(trainer, corrupt(data.images, name, level, seed=seed), labels) for level in levels] for name in names
    ]
    return CorruptionRobustness(np.array(accuracies), names, levels, _accuracy(trainer, data.images, labels))


@without_doubts()  # these images look odd on purpose
def _accuracy(trainer: Trainer, images: Any, labels: IntArray) -> float:
    return float(np.mean(trainer.predict_proba(images).argmax(axis=1) == labels))


def _chosen(values: Any, name: str, allowed: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of a sequence that is not empty, each allowed; all allowed ones for None."""
    if values is None:
        return allowed
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"`{name}` must be a sequence. Received: {shown(values)}")
    if not values:
        raise ValueError(f"`{name}` is empty, expected at least one of {allowed}.")
    if allowed is CORRUPTIONS:
        return tuple(check_choice(value, "corruption", CORRUPTIONS) for value in values)
    return tuple(check_count(value, "severity", maximum=SEVERITIES[-1]) for value in values)


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
        x: Images with or without their labels, as `Trainer.evaluate`; a stream is read into memory.
        y: Labels, as `Trainer.evaluate`.
        max_shift: Pixels, fewer than the shorter edge of the images has: `(2 * max_shift + 1) ** 2` displacements,
            including no shift.

    Raises:
        ValueError: If a value is out of range or lengths differ.

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
        return _accuracy(trainer, move(data.images, down * all_alike, right * all_alike), labels)

    steps = range(-reach, reach + 1)
    return ShiftRobustness(np.array([[accuracy(down, right) for right in steps] for down in steps]), reach)
