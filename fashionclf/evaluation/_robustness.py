"""Accuracy on corrupted images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import without_doubts
from fashionclf._text import shown
from fashionclf._types import LabelledLike, LabelsLike
from fashionclf._validation import check_choice, check_count, check_seed, integer_labels
from fashionclf.datasets import Split
from fashionclf.evaluation._corruptions import CORRUPTIONS, SEVERITIES, check_severity, corrupt
from fashionclf.trainer._trainer import Trainer, check_trainer


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

    Needs OpenCV: `pip install 'fashionclf[images]'`. All images are evaluated once for each corruption and severity:
    90 times with the defaults.

    Args:
        trainer: The classifier.
        x: Images in any form that `prepare_images` takes, a tuple `(x, y)`, a `Split`, or a stream of
            such tuples, which is read into memory.
        y: Labels: integers `(n,)` from 0, or one-hot rows `(n, num_classes)`.
        corruptions: Which of `fashionclf.evaluation.CORRUPTIONS`; None for all 18.
        severities: Which of 1 (slight) to 5 (strong).
        seed: From 0 to 2**32 - 1; the same seed gives the same corrupted images.

    Returns:
        A `CorruptionRobustness`.

    Raises:
        ValueError: If a name is unknown, a value is out of range or lengths differ.
        TypeError: If an argument has the wrong type.
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

    def accuracy(images: Any) -> float:
        with without_doubts():  # corrupted images look odd on purpose
            return float(np.mean(trainer.predict_proba(images).argmax(axis=1) == labels))

    accuracies = [[accuracy(corrupt(data.images, name, level, seed=seed)) for level in levels] for name in names]
    return CorruptionRobustness(np.array(accuracies), names, levels, uncorrupted=accuracy(data.images))


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
    return tuple(check_severity(value) for value in values)
