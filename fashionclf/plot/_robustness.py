"""Plots of a `CorruptionRobustness` and a `ShiftRobustness`: accuracy on corrupted or shifted images."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fashionclf.plot._canvas import dark_or_light, name_lines, percent_tick, place_for_one, series_style
from fashionclf.plot._inputs import check_mapping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fashionclf.evaluation import CorruptionRobustness, ShiftRobustness

_OF_CORRUPTIONS: Final = ("uncorrupted", "by_corruption", "severities")
_OF_SHIFTS: Final = ("accuracies", "curve", "max_shift")
_MOST_CELLS: Final = 15  # displacements in a row whose figures can still be read
_LEAST_RANGE: Final = 0.1  # of accuracies from dark to light, so that a difference of one point does not look like much


def corruption_robustness(
    result: "CorruptionRobustness | Mapping[str, CorruptionRobustness]", *, ax: "Axes | None" = None
) -> "Axes":
    """Plot the accuracy by corruption, the mean over the severities, below that on the images as they were.

    Args:
        result: What `fashionclf.corruption_robustness` measured, or several by name, of the same
            corruptions and severities.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes, with points in one colour and shape for each classifier.

    Raises:
        ValueError: If the mapping is empty, or the corruptions or severities differ.

    Example:
        >>> import numpy as np
        >>> from fashionclf.evaluation import CorruptionRobustness
        >>> from matplotlib.figure import Figure
        >>> result = CorruptionRobustness(np.array([[0.8], [0.9]]), ("fog", "contrast"), (3,), uncorrupted=0.95)
        >>> ax = corruption_robustness(result, ax=Figure().add_subplot())
        >>> [text.get_text() for text in ax.get_yticklabels()]
        ['no corruption', 'fog', 'contrast']
    """
    results = _results_by_name(result, "corruption_robustness", _OF_CORRUPTIONS)
    first = next(iter(results.values()))
    names, levels = first.corruptions, first.severities
    if any((one.corruptions, one.severities) != (names, levels) for one in results.values()):
        raise ValueError(
            "The results are of different corruptions or severities: measure them with the same `corruptions` and "
            "`severities`."
        )
    ax = place_for_one(ax, 6.5, 1.2 + 0.25 * len(names))
    places = np.arange(len(names) + 1)
    ax.set_yticks(places, ["no corruption", *(name.replace("_", " ") for name in names)])
    ax.set_ylim(len(names) + 0.5, -0.5)
    ax.xaxis.set_major_formatter(percent_tick)
    of = f"severity {levels[0]}" if len(levels) == 1 else f"severities {', '.join(map(str, levels))}"
    ax.set_xlabel(f"accuracy, {of}")
    values = {name: [one.uncorrupted, *one.by_corruption.values()] for name, one in results.items()}
    above: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": 2}  # points lie anywhere
    _plot_each(ax, {name: (each, places) for name, each in values.items()}, above, linestyle="none")
    return ax


def shift_robustness(result: "ShiftRobustness | Mapping[str, ShiftRobustness]", *, ax: "Axes | None" = None) -> "Axes":
    """Plot the mean accuracy by the size of the shift.

    Args:
        result: What `fashionclf.shift_robustness` measured, or several by name.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes, with one line for each classifier.

    Raises:
        ValueError: If the mapping is empty.

    Example:
        >>> import numpy as np
        >>> from fashionclf.evaluation import ShiftRobustness
        >>> from matplotlib.figure import Figure
        >>> accuracies = np.array([[0.7, 0.8, 0.7], [0.8, 0.9, 0.8], [0.7, 0.8, 0.7]])
        >>> result = ShiftRobustness(accuracies, max_shift=1)
        >>> shift_robustness(result, ax=Figure().add_subplot()).lines[0].get_xdata()
        array([0, 1])
    """
    results = _results_by_name(result, "shift_robustness", _OF_SHIFTS)
    ax = place_for_one(ax, 6.5, 4)
    _plot_each(ax, {name: (np.arange(len(one.curve)), one.curve) for name, one in results.items()}, {})
    ax.set_xticks(np.arange(max(len(one.curve) for one in results.values())))
    ax.yaxis.set_major_formatter(percent_tick)
    ax.set(xlabel="shift in pixels (the larger of the two directions)", ylabel="mean accuracy")
    return ax


def shift_map(result: "ShiftRobustness", *, ax: "Axes | None" = None) -> "Axes":
    """Plot the accuracy for each displacement; no shift is in the middle.

    Args:
        result: What `fashionclf.shift_robustness` measured.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes, with the accuracy in percent in each cell, or a scale of colours above 15 cells in a row.

    Example:
        >>> import numpy as np
        >>> from fashionclf.evaluation import ShiftRobustness
        >>> from matplotlib.figure import Figure
        >>> accuracies = np.array([[0.7, 0.8, 0.7], [0.8, 0.9, 0.8], [0.7, 0.8, 0.7]])
        >>> result = ShiftRobustness(accuracies, max_shift=1)
        >>> ax = shift_map(result, ax=Figure().add_subplot())
        >>> [text.get_text() for text in ax.texts][3:6]
        ['80.0', '90.0', '80.0']
    """
    _results_by_name(result, "shift_robustness", _OF_SHIFTS)
    reach, side = result.max_shift, 2 * result.max_shift + 1
    size = max(3.6, min(7.5, 1.2 + 0.6 * side))
    ax = place_for_one(ax, size + (side > _MOST_CELLS), size)
    edge = reach + 0.5
    best = result.accuracies.max()
    shades = ax.imshow(
        result.accuracies,
        cmap="cividis",
        extent=(-edge, edge, edge, -edge),
        vmin=min(result.worst, best - _LEAST_RANGE),
        vmax=best,
    )
    if side > _MOST_CELLS:
        ax.figure.colorbar(shades, ax=ax, shrink=0.7, format=percent_tick)
    else:
        colours = shades.to_rgba(result.accuracies)
        for (row, column), accuracy in np.ndenumerate(result.accuracies):
            colour = dark_or_light(colours[row, column])
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": colour, "fontsize": min(10, 100 / side)}
            ax.text(column - reach, row - reach, f"{100 * accuracy:.1f}", **style)
    ticks = np.arange(-reach, reach + 1, max(1, side // 10))
    ax.set(xticks=ticks, yticks=ticks, xlabel="pixels to the right", ylabel="pixels down")
    ax.set_title(f"accuracy in %: mean {100 * result.mean:.1f}, worst {100 * result.worst:.1f}", fontsize="medium")
    return ax


def _plot_each(ax: "Axes", points: Mapping[str, tuple[Any, Any]], legend: Mapping[str, Any], **style: Any) -> None:
    """Plot the points of each classifier, and a legend if they have names."""
    lines = [line for i, (x, y) in enumerate(points.values()) for line in ax.plot(x, y, **style, **series_style(i))]
    ax.grid(alpha=0.3)
    if "" not in points:
        name_lines(ax, lines, points, **legend)


def _results_by_name(result: Any, function: str, attributes: tuple[str, ...]) -> dict[str, Any]:
    """Return results by name, a single one under no name. Importing their class would load TensorFlow."""
    results = check_mapping(result, "result", "results") if isinstance(result, Mapping) else {"": result}
    for one in results.values():
        if not all(hasattr(one, attribute) for attribute in attributes):
            raise TypeError(f"`result` must be what fashionclf.{function} returns. Received: {type(one).__name__}")
    return results
