"""Plots of the preprocessing of a photograph."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._text import shown
from fashionclf.photographs import PreprocessingSteps
from fashionclf.plot._canvas import VERMILLION, place_for_many, show_image, whole, wrapped
from fashionclf.plot._fonts import text_style
from fashionclf.plot._inputs import check_mapping, read_array

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_COLUMNS: Final = 5


def preprocessing_steps(
    steps: PreprocessingSteps | Mapping[str, Any], *, figure: "Figure | SubFigure | None" = None
) -> "Figure":
    """Plot the preprocessing steps of a photograph side by side, each with its name and size.

    Args:
        steps: What `fashionclf.photographs.preprocessing_steps` returns: the outline of the garment is drawn if one was
            looked for, the part that was cut out is framed, and doubts stand below. Or any images by name, in order:
            `(height, width)`, or that with 1, 3 or 4 colours; integers 0..255, floats in [0, 1], or bools.
        figure: Where to plot; None opens a new figure.

    Returns:
        The figure, with one axes for each step.

    Raises:
        ValueError: If there is no step, or one is not such an image.
        TypeError: If `steps` is neither, or an image does not hold numbers.

    Example:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> photograph = np.zeros((300, 200, 3), dtype="uint8")
        >>> images = {"as taken": photograph, "grey": photograph[..., 0]}
        >>> drawn = preprocessing_steps(images, figure=Figure())
        >>> drawn.axes[0].get_xlabel()
        '300x200'
    """
    record = steps if isinstance(steps, PreprocessingSteps) else None
    named = check_mapping(steps, "steps", "images") if record is None else _named(record)
    images = {name: _check_image(image, f"steps[{shown(name)}]") for name, image in named.items()}
    columns = min(_COLUMNS, len(images))
    rows = math.ceil(len(images) / columns)
    titles = [wrapped(f"{i}. {name}" if len(images) > 1 else name, 22) for i, name in enumerate(images, start=1)]
    doubts = wrapped("doubtful: " + "; ".join(record.doubts), 24 * columns) if record and record.doubts else ""
    height = 2.2 + 0.17 * max(len(title.splitlines()) for title in titles)
    place = place_for_many(figure, max(columns * 1.8, 2.6), rows * height + 0.2 * len(doubts.splitlines()))
    for i, (title, image) in enumerate(zip(titles, images.values(), strict=True), start=1):
        ax = place.add_subplot(rows, columns, i)
        show_image(ax, image)
        if record and i == 1:
            left, top, right, bottom = record.box  # the last two exclusive
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            ax.plot(*(np.array(corners) - 0.5).T, color=VERMILLION, linewidth=1, linestyle=":", clip_on=False)
            if record.mask is not None:
                _outline(ax, record.mask)
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


def _check_image(image: Any, name: str) -> NDArray[Any]:
    array = read_array(image, name)
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)) or not array.size:
        raise ValueError(f"`{name}` has shape {array.shape}, expected (height, width), or that with 1, 3 or 4 colours.")
    top = 255 if array.dtype.kind in "ui" else 1
    if not (array.min() >= 0 and array.max() <= top):  # written so that NaN fails
        raise ValueError(
            f"`{name}` holds values from {array.min()} to {array.max()}, expected integers 0..255 or floats in [0, 1]."
        )
    scaled = array.astype(np.float32) / np.float32(top)
    return scaled[..., 0] if array.shape[2:] == (1,) else scaled


def _outline(ax: Any, mask: NDArray[np.bool_]) -> None:
    """Draw the outline of a mask, also where it reaches the border of the image."""
    padded = np.pad(mask, 1).astype(np.float32)
    rows, columns = (np.arange(-1, length + 1) for length in mask.shape)
    if mask.any():
        ax.contour(columns, rows, padded, levels=[0.5], colors=[VERMILLION], linewidths=1.5)
