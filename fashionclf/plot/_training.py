"""Plots of a training run: loss and metrics by epoch."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._text import cut, shown
from fashionclf._types import Language
from fashionclf._validation import as_array, check_choice
from fashionclf.plot._canvas import place_for_many, series_style, whole, wrapped
from fashionclf.plot._fonts import text_style, translated
from fashionclf.plot._inputs import check_mapping

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_VALIDATION: Final = "val_"
_NAME_COLUMNS: Final = 30


def history(
    history: Any,
    *,
    metrics: str | Iterable[str] | None = None,
    language: Language = "en",
    figure: "Figure | SubFigure | None" = None,
) -> "Figure":
    """Plot loss and metrics by epoch: training dashed, validation solid.

    Args:
        history: What `fit` returned (a Keras `History`), its dictionary from metric to one number per epoch, or several
            of either by name, to compare them.
        metrics: Which to draw, such as `["loss", "accuracy"]`. None plots all, the loss first.
        language: Of the words beside the class names: `"en"` or `"ko"`.
        figure: Where to plot; None opens a new figure.

    Returns:
        The figure, with one axes for each metric.

    Raises:
        ValueError: If there is no epoch, a metric is unknown, or a metric lacks the number of an epoch.

    Example:
        >>> from matplotlib.figure import Figure
        >>> numbers = {"loss": [0.5, 0.4], "val_loss": [0.6, 0.5], "accuracy": [0.8, 0.9]}
        >>> drawn = history(numbers, figure=Figure())
        >>> [(ax.get_ylabel(), len(ax.lines)) for ax in drawn.axes]
        [('loss', 2), ('accuracy', 1)]
    """
    runs = _as_runs(history)
    chosen = _choose_metrics(runs, metrics)
    columns = min(2, len(chosen))
    rows = math.ceil(len(chosen) / columns)
    width = 6.5 if columns == 1 else 9
    place = place_for_many(figure, width, 3.3 * rows)
    for i, metric in enumerate(chosen, start=1):
        _draw_metric(place.add_subplot(rows, columns, i), runs, metric)
    legend_height = _add_legend(place, runs, chosen, columns_of_text=int(11 * width))
    if figure is None:
        whole(place).set_size_inches(width, 3.1 * rows + legend_height)
    return whole(translated(place, language))


@dataclass(frozen=True, eq=False)
class _Run:
    """The values of one training run by metric, each float64 `(epochs,)`, and the numbers of the epochs."""

    values: dict[str, NDArray[np.float64]]
    epochs: NDArray[np.int64]


def _as_runs(history: Any) -> dict[str, _Run]:
    """Return one training run (under the name "") or several by name."""
    if isinstance(history, Mapping) and any(isinstance(v, Mapping) or hasattr(v, "history") for v in history.values()):
        named = check_mapping(history, "history", "training runs")
        return {name: _as_run(run, f"history[{shown(name)}]") for name, run in named.items()}
    return {"": _as_run(history, "history")}


def _as_run(run: Any, name: str) -> _Run:
    numbers = getattr(run, "history", run)
    if not isinstance(numbers, Mapping):
        raise TypeError(
            f"`{name}` must be what `fit` returned, or a dictionary from metric to numbers. "
            f"Received: {type(run).__name__}"
        )
    if not any(map(np.size, numbers.values())):
        raise ValueError(f"`{name}` holds no epoch: plot it after `fit`.")
    curves = check_mapping(numbers, name, "numbers, one per epoch")
    values = {metric: _check_curve(curve, f"{name}[{shown(metric)}]") for metric, curve in curves.items()}
    lengths = {len(curve) for curve in values.values()}
    if len(lengths) > 1:
        raise ValueError(
            f"`{name}` holds from {min(lengths)} to {max(lengths)} numbers, expected one per epoch for every metric. "
            "Put NaN where nothing was measured."
        )
    count = lengths.pop()
    epochs = np.asarray(getattr(run, "epoch", range(count)))
    return _Run(values, (epochs if epochs.shape == (count,) else np.arange(count)) + 1)


def _check_curve(curve: Any, name: str) -> NDArray[np.float64]:
    given = as_array(curve, name)
    if given.dtype.kind not in "buif":
        raise TypeError(f"`{name}` must be numbers, one per epoch. Received dtype {cut(str(given.dtype))}")
    with np.errstate(over="ignore"):  # a loss may be infinite
        values = given.astype(np.float64)
    if values.ndim != 1:
        raise ValueError(f"`{name}` has shape {values.shape}, expected (epochs,).")
    return values


def _choose_metrics(runs: dict[str, _Run], metrics: Any) -> list[str]:
    present = dict.fromkeys(name.removeprefix(_VALIDATION) for run in runs.values() for name in run.values)
    known = sorted(present, key=lambda name: name != "loss")  # a stable sort: the others stay in order
    if metrics is None:
        return known
    chosen = [metrics] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else list(metrics)
    if not chosen:
        raise ValueError("`metrics` is empty: name at least one, or leave it out.")
    return [check_choice(metric, "metrics", known) for metric in chosen]


def _draw_metric(ax: "Axes", runs: dict[str, _Run], metric: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for i, run in enumerate(runs.values()):
        for prefix in ("", _VALIDATION):
            values = run.values.get(prefix + metric)
            if values is None:
                continue
            measured = np.isfinite(values)
            ax.plot(run.epochs[measured], values[measured], markersize=4, **_style(i, prefix, len(runs)))
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    ax.set_xlim(
        min(run.epochs.min() for run in runs.values()) - 0.5, max(run.epochs.max() for run in runs.values()) + 0.5
    )
    ax.grid(alpha=0.3)
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric, **text_style(metric))


def _style(index: int, prefix: str, num_runs: int) -> dict[str, Any]:
    """Return the style of a line: the parts of a single training run differ in colour, and so do several runs."""
    return {**series_style(index if num_runs > 1 else int(not prefix)), "linestyle": "-" if prefix else "--"}


def _add_legend(place: "Figure | SubFigure", runs: dict[str, _Run], metrics: list[str], columns_of_text: int) -> float:
    """Explain the lines below all axes, in as many columns as there is room for. Return its height in inches."""
    from matplotlib.lines import Line2D

    parts = [
        (prefix, name)
        for prefix, name in (("", "training"), (_VALIDATION, "validation"))
        if any(prefix + metric in run.values for run in runs.values() for metric in metrics)
    ]
    if len(runs) == 1:
        handles = [Line2D([], [], **_style(0, prefix, 1)) for prefix, _ in parts]
        names = []
    else:
        handles = [Line2D([], [], linestyle="none", **series_style(i)) for i in range(len(runs))]
        handles += [Line2D([], [], color="gray", linestyle="-" if prefix else "--") for prefix, _ in parts]
        names = list(runs)
    labels = [wrapped(name, _NAME_COLUMNS) for name in names] + [name for _, name in parts]
    longest = max(len(line) for label in labels for line in label.splitlines())
    columns = min(4, len(labels), max(1, columns_of_text // (longest + 8)))
    legend = place.legend(handles, labels, loc="outside lower center", ncols=columns)
    for text in legend.get_texts():
        text.set(**text_style(text.get_text()))
    return 0.2 + 0.2 * math.ceil(len(labels) / columns) * max(len(label.splitlines()) for label in labels)
