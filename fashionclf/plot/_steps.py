"""Plots of the preprocessing of a photograph."""

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf.photographs import PreprocessingSteps
from fashionclf.plot._canvas import VERMILLION, place_for_many, show_image, whole, wrapped
from fashionclf.plot._fonts import text_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_COLUMNS: Final = 5


def preprocessing_steps(steps: PreprocessingSteps, *, figure: "Figure | SubFigure | None" = None) -> "Figure":
    """Plot the preprocessing steps of a photograph side by side, each with its name and size.

    The outline of the garment is drawn if one was looked for. The part that was cut out is framed, and doubts stand
    below.

    Args:
        steps: What `fashionclf.photographs.preprocessing_steps` returns.
        figure: Where to plot; None opens a new figure.

    Returns:
        The figure, with one axes for each step.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> from matplotlib.figure import Figure
        >>> photograph = np.full((300, 200, 3), 240, dtype="uint8")
        >>> photograph[50:250, 60:120] = 40
        >>> drawn = preprocessing_steps(fc.preprocessing_steps(photograph), figure=Figure())
        >>> drawn.axes[0].get_xlabel()
        '300x200'
    """
    if not isinstance(steps, PreprocessingSteps):
        raise TypeError(f"`steps` must be PreprocessingSteps. Received: {type(steps).__name__}")
    images = _named(steps)
    columns = min(_COLUMNS, len(images))
    rows = math.ceil(len(images) / columns)
    titles = [wrapped(f"{i}. {name}", 22) for i, name in enumerate(images, start=1)]
    doubts = wrapped("doubtful: " + "; ".join(steps.doubts), 24 * columns) if steps.doubts else ""
    height = 2.2 + 0.17 * max(len(title.splitlines()) for title in titles)
    place = place_for_many(figure, max(columns * 1.8, 2.6), rows * height + 0.2 * len(doubts.splitlines()))
    for i, (title, image) in enumerate(zip(titles, images.values(), strict=True), start=1):
        ax = place.add_subplot(rows, columns, i)
        show_image(ax, image)
        if i == 1:
            left, top, right, bottom = steps.box  # the last two exclusive
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            ax.plot(*(np.array(corners) - 0.5).T, color=VERMILLION, linewidth=1, linestyle=":", clip_on=False)
            if steps.mask is not None:
                _outline(ax, steps.mask)
        ax.set_anchor("N")  # so that titles stand in line
        ax.set_title(title, fontsize=9, **text_style(title))
        ax.set_xlabel(f"{image.shape[0]}x{image.shape[1]}", fontsize=8)
    if doubts:
        place.supxlabel(doubts, fontsize=9)
    return whole(place)


def _named(steps: PreprocessingSteps) -> dict[str, NDArray[Any]]:
    named: dict[str, NDArray[Any]] = {"in grey" if steps.original.ndim == 2 else "in colour": steps.original}
    if steps.mask is not None:
        named["what stands out"] = steps.mask
    if steps.mask is not None or steps.garment.shape != steps.original.shape:
        named["cut out, inverted" if steps.inverted else "cut out"] = steps.garment
    return {**named, "what the model sees": steps.image}


def _outline(ax: Any, mask: NDArray[np.bool_]) -> None:
    """Draw the outline of a mask, also where it reaches the border of the image."""
    padded = np.pad(mask, 1).astype(np.float32)
    rows, columns = (np.arange(-1, length + 1) for length in mask.shape)
    if mask.any():
        ax.contour(columns, rows, padded, levels=[0.5], colors=[VERMILLION], linewidths=1.5)
