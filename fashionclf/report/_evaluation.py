"""Evaluation reports: the metrics of a classifier on labelled images. Numpy only."""

import functools
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._html import bar, table
from fashionclf._language import words_in
from fashionclf._text import display_width, padded
from fashionclf._types import ClassNames, IntArray, LabelsLike, Language
from fashionclf._validation import check_count, check_labels, integer_labels
from fashionclf.predictions import Predictions, as_predictions, rank_labels

_NUM_BINS: Final = 15  # of Guo et al.
_COLUMNS: Final = {"precision": 11, "recall": 8, "F1": 8, "images": 10}  # with their widths
_SUM_TOLERANCE: Final = 0.01  # what float16, or two decimals in a table, leave of a sum of 1 over ten classes


@dataclass(frozen=True)
class Confusion:
    """Images of one class that were misclassified as another class.

    Attributes:
        class_name: The true class.
        predicted: The predicted class.
        count: How many.

    Example:
        >>> from fashionclf import evaluate_predictions
        >>> probabilities = [[0.2, 0.8], [0.4, 0.6], [0.1, 0.9]]
        >>> report = evaluate_predictions([0, 0, 1], probabilities, class_names=["shirt", "bag"])
        >>> report.most_confused(1)
        [Confusion(class_name='shirt', predicted='bag', count=2)]
    """

    class_name: str
    predicted: str
    count: int


@dataclass(frozen=True)
class CalibrationBin:
    """The predictions whose probability lies in one interval (the lower bound excluded).

    Attributes:
        low: Lower bound of the interval, from 0 to 1.
        high: Upper bound.
        count: Number of predictions.
        probability: Their mean probability, from 0 to 1; NaN if there are none.
        accuracy: The share of them that is right, from 0 to 1; NaN if there are none.

    Example:
        >>> from fashionclf import evaluate_predictions
        >>> probabilities = [[0.95, 0.05], [0.05, 0.95], [0.95, 0.05]]
        >>> report = evaluate_predictions([0, 1, 1], probabilities)
        >>> last = report.calibration_bins[-1]
        >>> last.count, round(last.probability, 2), round(last.accuracy, 2)
        (3, 0.95, 0.67)
    """

    low: float
    high: float
    count: int
    probability: float
    accuracy: float


class EvaluationReport:
    """The metrics of a classifier on labelled images: overall, by class, and how well calibrated its probabilities are.

    `Trainer.report` and `evaluate_predictions` make it. Print it for a table. The metrics agree with scikit-learn's
    functions of the same names.

    Args:
        labels: True labels, integers `(n,)`.
        predictions: What was predicted for the same images.

    Attributes:
        labels: int64 `(n,)`.
        predictions: The `Predictions`.
        class_names: One name per class.

    Example:
        >>> from fashionclf import Predictions, evaluate_predictions
        >>> probabilities = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]
        >>> predictions = Predictions(probabilities, class_names=["Shirt", "Bag"])
        >>> report = evaluate_predictions([0, 1, 1], predictions)
        >>> round(report.accuracy, 3), report.confusion_matrix.tolist()
        (0.667, [[1, 0], [1, 1]])
        >>> report.most_confused()
        [Confusion(class_name='Bag', predicted='Shirt', count=1)]
    """

    def __init__(self, labels: IntArray, predictions: Predictions) -> None:
        self.labels = np.asarray(labels, dtype=np.int64)
        self.predictions = predictions
        self.class_names = predictions.class_names

    @functools.cached_property
    def _probabilities(self) -> NDArray[np.float64]:
        return self.predictions.probabilities.astype(np.float64)

    @functools.cached_property
    def _correct(self) -> NDArray[np.bool_]:
        return np.asarray(self.predictions.labels == self.labels)

    @functools.cached_property
    def accuracy(self) -> float:
        """The share of images that are classified correctly, from 0 to 1."""
        return float(self._correct.mean())

    def top_k_accuracy(self, k: int = 3) -> float:
        """Return the share of images whose class is among the `k` most probable, from 0 to 1.

        Of equally probable classes the lower label comes first, as in `Prediction.top`.

        Args:
            k: An integer of at least 1; 1 gives the accuracy.
        """
        order = rank_labels(self._probabilities)[:, : check_count(k, "k")]
        return float((order == self.labels[:, np.newaxis]).any(axis=1).mean())

    @functools.cached_property
    def log_loss(self) -> float:
        """The mean of minus the natural logarithm of the probability of the true class (cross-entropy)."""
        smallest = np.finfo(np.float64).eps  # stands for a probability of 0
        rows = self._probabilities / self._probabilities.sum(axis=1, keepdims=True)
        return float(-np.log(np.clip(rows[np.arange(len(rows)), self.labels], smallest, 1 - smallest)).mean())

    @functools.cached_property
    def confusion_matrix(self) -> IntArray:
        """Number of images by true class (rows) and predicted class (columns), int64 `(classes, classes)`."""
        size = len(self.class_names)
        return np.bincount(self.labels * size + self.predictions.labels, minlength=size**2).reshape(size, size)

    @property
    def support(self) -> IntArray:
        """Number of images of each class, int64 `(classes,)`."""
        return np.asarray(self.confusion_matrix.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """For each class, the share of its predictions that are right: float64 `(classes,)`, 0 where there are none."""
        return _share(self.confusion_matrix.diagonal(), self.confusion_matrix.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """For each class, the share of its images that are predicted as it: float64 `(classes,)`, 0 if it has none."""
        return _share(self.confusion_matrix.diagonal(), self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall, float64 `(classes,)`."""
        return _share(2 * self.confusion_matrix.diagonal(), self.confusion_matrix.sum(axis=0) + self.support)

    def most_confused(self, k: int = 5) -> list[Confusion]:
        """Return the `k` most frequent mistakes by name, most frequent first.

        Args:
            k: An integer of at least 1. Pairs that were never confused are left out.
        """
        mistakes = self.confusion_matrix - np.diag(self.confusion_matrix.diagonal())
        order = np.argsort(-mistakes, axis=None, kind="stable")[: check_count(k, "k")]
        pairs = zip(*np.unravel_index(order, mistakes.shape), strict=True)
        return [
            Confusion(self.class_names[true], self.class_names[predicted], int(mistakes[true, predicted]))
            for true, predicted in pairs
            if mistakes[true, predicted]
        ]

    @functools.cached_property
    def calibration_bins(self) -> tuple[CalibrationBin, ...]:
        """The predictions in 15 bins of equal width by probability, for a reliability diagram (Guo et al., 2017)."""
        probability = self._probabilities.max(axis=1)
        place = np.clip(np.ceil(probability * _NUM_BINS).astype(np.int64) - 1, 0, _NUM_BINS - 1)
        count = np.bincount(place, minlength=_NUM_BINS)
        with np.errstate(invalid="ignore"):
            means = np.bincount(place, probability, _NUM_BINS) / count
            accuracies = np.bincount(place, self._correct, _NUM_BINS) / count
        return tuple(
            CalibrationBin(i / _NUM_BINS, (i + 1) / _NUM_BINS, int(count[i]), float(means[i]), float(accuracies[i]))
            for i in range(_NUM_BINS)
        )

    @property
    def expected_calibration_error(self) -> float:
        """The mean difference between probability and accuracy over the bins, weighted by their counts.

        From 0 (of the predictions with a probability of 80 %, 80 % are right) to 1. Guo et al., arXiv:1706.04599.
        """
        gaps = [part.count * abs(part.accuracy - part.probability) for part in self.calibration_bins if part.count]
        return sum(gaps) / len(self.labels)

    def mistakes(self, k: int = 10) -> list[dict[str, Any]]:
        """Return the `k` misclassified images with the highest probability, highest first, as JSON-ready values.

        Args:
            k: An integer of at least 1.

        Returns:
            Dictionaries with `"index"` (of the image, from 0), `"source"` (the name of its file, None where it is
            unknown), `"class_name"` (the true one), `"predicted"` and `"probability"`. `plot.mistakes` shows them.
        """
        wrong = np.flatnonzero(~self._correct)
        worst = wrong[np.argsort(-self._probabilities.max(axis=1)[wrong], kind="stable")[: check_count(k, "k")]]
        found = zip(worst.tolist(), self.labels[worst], self.predictions[worst], strict=True)
        rows = ((i, p.source, self.class_names[label], p.class_name, p.probability) for i, label, p in found)
        return [
            dict(zip(("index", "source", "class_name", "predicted", "probability"), row, strict=True)) for row in rows
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON-ready values: plain numbers, strings, lists and dictionaries."""
        rows = zip(self.class_names, self.precision, self.recall, self.f1, self.support, strict=True)
        return {
            "num_images": len(self.labels),
            "accuracy": self.accuracy,
            "top_3_accuracy": self.top_k_accuracy(3),
            "log_loss": self.log_loss,
            "expected_calibration_error": self.expected_calibration_error,
            "classes": {
                name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
                for name, p, r, f, n in rows
            },
            "confusion_matrix": self.confusion_matrix.tolist(),
            "most_confused": [asdict(confusion) for confusion in self.most_confused()],
            "calibration_bins": [
                {name: None if value != value else value for name, value in asdict(part).items()}  # JSON has no NaN
                for part in self.calibration_bins
            ],
        }

    def describe(self, language: Language = "en") -> str:
        """Return the table that `print` shows, with headings in a language.

        Args:
            language: `"en"`, or `"ko"` for Korean. The class names stay as they are.
        """
        say = words_in(language)
        width = max(14, *(display_width(name) for name in self.class_names))
        figures = {"accuracy": self.accuracy, "top 3": self.top_k_accuracy(3), "log loss": self.log_loss}
        figures["calibration error"] = self.expected_calibration_error
        lines = [
            say(f"{len(self.labels):,} images, {len(self.class_names)} classes"),
            " · ".join(f"{say(name)} {figure:.4f}" for name, figure in figures.items()),
            "",
            " " * width + "".join(" " * (end - display_width(say(name))) + say(name) for name, end in _COLUMNS.items()),
        ]
        for name, p, r, f, n in zip(self.class_names, self.precision, self.recall, self.f1, self.support, strict=True):
            lines.append(f"{padded(name, width)}  {p:9.3f}  {r:6.3f}  {f:6.3f}  {n:8,}")
        confused = [say(f"{c.class_name} misclassified as {c.predicted}: {c.count:,}") for c in self.most_confused()]
        if confused:
            lines += ["", say("most confused"), *(f"  {each}" for each in confused)]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        figures = zip(self.class_names, self.precision, self.recall, self.f1, self.support.tolist(), strict=True)
        rows = [[name, *(bar(share, f"{share:.3f}") for share in each), count] for name, *each, count in figures]
        above, _, *below = self.describe().split("\n\n")
        return table(above, ["", *_COLUMNS], rows) + "".join(table(text, [], []) for text in below)

    def __repr__(self) -> str:
        return f"<EvaluationReport on {len(self.labels):,} images: accuracy {self.accuracy:.4f}>"


def evaluate_predictions(
    labels: LabelsLike, predictions: Predictions | Any, *, class_names: ClassNames | None = None
) -> EvaluationReport:
    """Compare predictions with the true labels.

    Args:
        labels: True labels: integers `(n,)` from 0, or one-hot rows `(n, num_classes)`.
        predictions: `Predictions` for the same images, or an array of probabilities `(n, num_classes)` of any
            classifier.
        class_names: Names for an array of probabilities. None takes Fashion-MNIST's ten, or numbers where
            there are not ten classes. `Predictions` have their own names.

    Raises:
        ValueError: If values are out of range, lengths differ, there are no images, or names are given twice.

    Example:
        >>> probabilities = [[0.2, 0.8], [0.7, 0.3]]
        >>> report = evaluate_predictions([1, 0], probabilities, class_names=["Shirt", "Bag"])
        >>> report.accuracy
        1.0
    """
    if isinstance(predictions, Predictions) and class_names is not None:
        raise ValueError("`predictions` have their own class names: leave out `class_names`.")
    predictions = as_predictions(predictions, class_names)
    checked = check_labels(labels, num_classes=len(predictions.class_names))
    if len(checked) != len(predictions):
        raise ValueError(
            f"`labels` has {len(checked)} rows but there are {len(predictions)} predictions. Pass one label for each."
        )
    sums = predictions.probabilities.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1) > _SUM_TOLERANCE)
    if len(wrong):
        raise ValueError(
            f"`predictions` has {len(wrong)} rows that do not sum to 1, such as row {wrong[0]} with "
            f"{sums[wrong[0]]:.4g}; expected one probability per class. Divide each row by its sum, or apply "
            "softmax to scores."
        )
    return EvaluationReport(integer_labels(checked), predictions)


def _share(part: IntArray, whole: IntArray) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
