"""Plots of an `EvaluationReport`: the confusion matrix and the reliability diagram."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import shape_of
from fashionclf._types import ClassNames, LabelsLike, Language
from fashionclf._validation import check_choice, check_labels, integer_labels
from fashionclf.labels import check_class_names
from fashionclf.plot._canvas import BLUE, VERMILLION, dark_or_light, percent, place_for_one, shortened, wrapped
from fashionclf.plot._fonts import text_style, translated
from fashionclf.plot._inputs import names_for
from fashionclf.predictions import Predictions, as_predictions
from fashionclf.report import EvaluationReport, evaluate_predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_CELLS: Final = 30  # classes whose counts can still be read


def confusion_matrix(
    report: EvaluationReport | LabelsLike,
    predictions: Predictions | Any = None,
    *,
    normalize: str | None = None,
    class_names: ClassNames | None = None,
    language: Language = "en",
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot the number of images by true and predicted class.

    Shades follow the square root of the number, so mistakes are visible beside the many correct predictions.

    Args:
        report: An `EvaluationReport`; or true labels, integers `(n,)` from 0 or one-hot rows, with `predictions`.
        predictions: For labels: `Predictions`, probabilities `(n, num_classes)` or predicted labels `(n,)`.
        normalize: None for counts; `"true"` for percentages of each true class, `"predicted"` for
            percentages of each predicted class.
        class_names: Names to show instead of the report's own.
        language: Of the words beside the class names: `"en"` or `"ko"`.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes. Above 30 classes there are only shades, with a colour scale.

    Raises:
        ValueError: If `normalize` is unknown, labels and predictions do not fit, or the names do not.

    Example:
        >>> from matplotlib.figure import Figure
        >>> place = Figure().add_subplot()
        >>> ax = confusion_matrix([0, 1, 1], [0, 1, 0], class_names=["Shirt", "Bag"], ax=place)
        >>> [text.get_text() for text in ax.texts]
        ['1', '0', '1', '1']
    """
    if normalize is not None:
        normalize = check_choice(normalize, "normalize", ("true", "predicted"))
    class_names = None if class_names is None else tuple(class_names)
    checked = _as_report(report, predictions, class_names)
    own = checked.class_names
    names = own if class_names is None else check_class_names(class_names, len(own))
    values = checked.confusion_matrix.astype(np.float64)
    if normalize is not None:  # 0 where there is nothing
        values = 100 * values / np.maximum(values.sum(axis=1 if normalize == "true" else 0, keepdims=True), 1)
    size = max(4.2, min(9.0, 2 + 0.5 * len(names)))
    ax = place_for_one(ax, size, size)
    _draw_cells(ax, values, "{:,.0f}" if normalize is None else "{:.1f}")
    _name_both_axes(ax, names)
    unit = "" if normalize is None else f", in % of each {normalize} class"
    ax.set_title(f"accuracy {percent(checked.accuracy)} on {len(checked.labels):,} images{unit}", fontsize="medium")
    return translated(ax, language)


def reliability_diagram(report: EvaluationReport, *, ax: "Axes | None" = None) -> "Axes":
    """Plot accuracy by predicted probability: calibrated probabilities lie on the diagonal (Guo et al., 2017).

    Args:
        report: An `EvaluationReport`.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes, with one bar for each bin that has predictions, and their number above it.

    Example:
        >>> from fashionclf import evaluate_predictions
        >>> from matplotlib.figure import Figure
        >>> probabilities = [[0.2, 0.8], [0.7, 0.3]]
        >>> report = evaluate_predictions([1, 0], probabilities, class_names=["Shirt", "Bag"])
        >>> ax = reliability_diagram(report, ax=Figure().add_subplot())
        >>> ax.get_title()
        'expected calibration error 0.250'
    """
    if not isinstance(report, EvaluationReport):
        raise TypeError(
            f"`report` must be an EvaluationReport, as `Trainer.report` makes it. Received: {type(report).__name__}"
        )
    ax = place_for_one(ax, 6.5, 5)
    used = [interval for interval in report.calibration_bins if interval.count]
    width = 1 / len(report.calibration_bins)
    middles = [(interval.low + interval.high) / 2 for interval in used]
    accuracies = [interval.accuracy for interval in used]
    gaps = [interval.probability - interval.accuracy for interval in used]
    ax.bar(middles, accuracies, width, color=BLUE, edgecolor="white", label="accuracy")
    style: dict[str, Any] = {"color": "none", "edgecolor": VERMILLION, "hatch": "////"}
    ax.bar(middles, gaps, width, bottom=accuracies, label="gap to the mean probability", **style)
    ax.plot([0, 1], [0, 1], "--", color="gray", label="probability = accuracy")
    ax.text(0, 1.015, "predictions:", va="bottom", fontsize=7)
    for middle, interval in zip(middles, used, strict=True):
        ax.text(middle, 1.015, f"{interval.count:,}", ha="center", va="bottom", fontsize=7, rotation=45)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="accuracy")
    ax.legend(loc="upper left")
    ax.set_title(f"expected calibration error {report.expected_calibration_error:.3f}", fontsize="medium", pad=24)
    return ax


def _as_report(report: Any, predictions: Any, class_names: ClassNames | None) -> EvaluationReport:
    if (predictions is None) != isinstance(report, EvaluationReport):
        raise TypeError(
            "`report` must be an EvaluationReport, or true labels with `predictions`. Received: "
            f"{type(report).__name__} {'without' if predictions is None else 'with'} predictions"
        )
    if isinstance(report, EvaluationReport):
        return report
    if not isinstance(predictions, Predictions) and len(shape_of(predictions)) == 1:
        predictions = _certain(report, predictions, class_names)
    return evaluate_predictions(report, as_predictions(predictions, class_names))


def _certain(labels: LabelsLike, predicted: LabelsLike, class_names: ClassNames | None) -> NDArray[np.float32]:
    """Return predicted labels as rows with one probability of 1."""
    count = None if class_names is None else len(class_names)
    checked = integer_labels(check_labels(predicted, num_classes=count, name="predictions"))
    if count is None:
        highest = max(int(checked.max()), int(integer_labels(check_labels(labels)).max()))
        count = len(names_for(highest + 1))
    return np.eye(count, dtype=np.float32)[checked]


def _draw_cells(ax: "Axes", values: NDArray[np.float64], text: str) -> None:
    from matplotlib.colors import PowerNorm

    shades = ax.imshow(values, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=max(1.0, values.max())))
    if len(values) > _MOST_CELLS:
        ax.figure.colorbar(shades, ax=ax, shrink=0.7)
        return
    colours, font_size = shades.to_rgba(values), min(9.0, 90 / len(values))
    for (row, column), value in np.ndenumerate(values):
        colour = dark_or_light(colours[row, column]) if value else "darkgray"
        ax.text(column, row, text.format(value), ha="center", va="center", fontsize=font_size, color=colour)


def _name_both_axes(ax: "Axes", names: Sequence[str]) -> None:
    style = {"fontsize": min(9.0, 160 / len(names)), **text_style(*names)}
    ax.set_yticks(range(len(names)), [wrapped(shortened(name, 50), 20) for name in names], **style)
    ax.set_xticks(
        range(len(names)),
        [shortened(name, 24) for name in names],
        rotation=45,
        ha="right",
        rotation_mode="anchor",
        **style,
    )
    ax.set(xlabel="predicted class", ylabel="true class")
