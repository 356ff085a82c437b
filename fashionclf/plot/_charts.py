"""Plots of class counts, and of the accuracies of several models."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import shape_of
from fashionclf._text import shown
from fashionclf._types import ClassNames, LabelsLike, Language
from fashionclf._validation import check_labels, check_number, integer_labels
from fashionclf.datasets import Split
from fashionclf.labels import check_class_names
from fashionclf.plot._canvas import BLUE, SKY, percent, percent_tick, place_for_one, wrapped
from fashionclf.plot._fonts import text_style, translated
from fashionclf.plot._inputs import check_mapping, names_for, refuse_dataset
from fashionclf.report import EvaluationReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME_COLUMNS: Final = 30


def class_distribution(
    labels: LabelsLike | Split,
    class_names: ClassNames | None = None,
    *,
    language: Language = "en",
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot the number of images of each class as bars.

    Args:
        labels: Integers `(n,)` from 0, one-hot rows `(n, num_classes)`, or a `Split`.
        class_names: Names to show. None takes those of the split, else Fashion-MNIST's.
        language: Of the words beside the class names: `"en"` or `"ko"`.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes, with one bar for each class, the first one on top.

    Raises:
        ValueError: If a label is out of range.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = class_distribution([0, 1, 1], ["Shirt", "Bag"], ax=Figure().add_subplot())
        >>> [int(bar.get_width()) for bar in ax.patches]
        [1, 2]
    """
    refuse_dataset(labels, "labels")
    names = None if class_names is None else check_class_names(class_names)
    if isinstance(labels, Split):
        names = names or labels.class_names
        labels = labels.labels
    numbers = integer_labels(check_labels(labels, num_classes=None if names is None else len(names)))
    names = names or names_for(int(numbers.max()) + 1)
    counts = np.bincount(numbers, minlength=len(names)).tolist()
    ax = place_for_one(ax, 7, 1.2 + _height(names))
    bars = ax.barh(range(len(names)), counts, color=BLUE)
    ax.bar_label(bars, [f"{count:,}" for count in counts], padding=3)
    _name_rows(ax, names)
    ax.margins(x=0.16)  # room for the counts
    ax.set(xlabel="images", title=f"{len(numbers):,} images, {len(names)} classes")
    return translated(ax, language)


def comparison(
    results: Mapping[str, float | Sequence[float] | NDArray[Any] | EvaluationReport], *, ax: "Axes | None" = None
) -> "Axes":
    """Plot the accuracies of several models, each as a dot with its value.

    A model with several accuracies (of seeds or folds) gets a dot for each and a line for their mean. The text is their
    mean and standard deviation.

    Args:
        results: By name of the model: an accuracy from 0 to 1, several of them, or an `EvaluationReport` (or several).
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes, the first model on top.

    Raises:
        ValueError: If there is no model, one has no accuracy, or an accuracy is not in [0, 1].
        TypeError: If `results` is not a mapping from names to numbers.

    Example:
        >>> from matplotlib.figure import Figure
        >>> accuracies = {"dense": 0.88, "cnn": [0.91, 0.92, 0.93]}
        >>> ax = comparison(accuracies, ax=Figure().add_subplot())
        >>> [text.get_text() for text in ax.texts]
        ['88.0%', '92.0% ± 1.0 (3)']
    """
    named = check_mapping(results, "results", "accuracies")
    accuracies = {name: _check_accuracies(value, f"results[{shown(name)}]") for name, value in named.items()}
    ax = place_for_one(ax, 7, 1.1 + 1.6 * _height(accuracies))
    for row, values in enumerate(accuracies.values()):
        mean = float(values.mean())
        text = percent(mean)
        if len(values) == 1:
            ax.plot(mean, row, "D", color=BLUE, markersize=8)
        else:
            ax.plot(mean, row, "|", color=BLUE, markersize=16, markeredgewidth=3)
            ax.plot(values, [row] * len(values), "o", color=SKY, markeredgecolor="black", markersize=5, alpha=0.8)
            text += f" ± {100 * values.std(ddof=1):.1f} ({len(values)})"
        ax.annotate(text, (mean, row), (0, 10), textcoords="offset points", ha="center", fontsize="small")
    _name_rows(ax, list(accuracies))
    ax.set_ylim(len(accuracies) - 0.5, -0.8)
    ax.margins(x=0.15)
    ax.xaxis.set_major_formatter(percent_tick)
    ax.grid(axis="both", alpha=0.3)
    ax.set_axisbelow(True)
    ax.set_xlabel("accuracy")
    return ax


def _check_accuracies(value: Any, name: str) -> NDArray[np.float64]:
    shape = () if isinstance(value, EvaluationReport) else shape_of(value)
    if len(shape) > 1 or shape == (0,):
        raise ValueError(f"`{name}` must be one accuracy or a list of them. Received shape {shape}")
    several = [value] if isinstance(value, EvaluationReport) or not shape else list(value)
    return np.array(
        [
            one.accuracy if isinstance(one, EvaluationReport) else check_number(one, name, low=0, high=1)
            for one in several
        ]
    )


def _name_rows(ax: "Axes", names: Sequence[str]) -> None:
    """Name the rows of a chart, the first one on top."""
    ax.set_yticks(range(len(names)), [wrapped(name, _NAME_COLUMNS) for name in names], **text_style(*names))
    ax.set_ylim(len(names) - 0.4, -0.6)


def _height(names: Iterable[str]) -> float:
    """Return the inches of rows with such names, one above the other."""
    return sum(0.12 + 0.17 * len(wrapped(name, _NAME_COLUMNS).splitlines()) for name in names)
