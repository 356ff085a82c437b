"""Plots of a `CorruptionRobustness`: accuracy on corrupted images."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from fashionclf.plot._canvas import name_lines, percent_tick, place_for_one, series_style
from fashionclf.plot._inputs import results_by_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fashionclf.evaluation import CorruptionRobustness

_ATTRIBUTES: Final = ("uncorrupted", "by_corruption", "severities")


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
    results = results_by_name(result, "corruption_robustness", _ATTRIBUTES)
    first = next(iter(results.values()))
    names, levels = first.corruptions, first.severities
    if any((one.corruptions, one.severities) != (names, levels) for one in results.values()):
        raise ValueError(
            "The results are of different corruptions or severities: measure them with the same `corruptions` and "
            "`severities`."
        )
    ax = place_for_one(ax, 6.5, 1.2 + 0.25 * len(names))
    places = np.arange(len(names) + 1)
    lines = [
        line
        for i, one in enumerate(results.values())
        for line in ax.plot([one.uncorrupted, *one.by_corruption.values()], places, linestyle="none", **series_style(i))
    ]
    ax.set_yticks(places, ["no corruption", *(name.replace("_", " ") for name in names)])
    ax.set_ylim(len(names) + 0.5, -0.5)
    ax.xaxis.set_major_formatter(percent_tick)
    ax.grid(alpha=0.3)
    of = f"severity {levels[0]}" if len(levels) == 1 else f"severities {', '.join(map(str, levels))}"
    ax.set_xlabel(f"accuracy, {of}")
    if isinstance(result, Mapping):  # its legend is above, because points lie anywhere
        name_lines(ax, lines, results, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax
