"""What all plots share: figures and axes, colours, number formats."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._text import advice, display_width, shown
from fashionclf.plot._fonts import text_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Okabe and Ito (2008), without black and yellow, which are invisible on a dark or a white background
BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
VERMILLION: Final = "#D55E00"
_SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")  # seven, so that 42 pairs with the colours differ
_NEED: Final = "fashionclf.plot needs matplotlib"


def place_for_one(ax: "Axes | None", width: float, height: float) -> "Axes":
    """Return the axes to plot in: those given, or those of a new figure of this size in inches."""
    with advice(_NEED, "plot"):
        from matplotlib.axes import Axes
    if ax is None:
        return _open_figure(width, height, "constrained").add_subplot()
    if not isinstance(ax, Axes) or ax.name == "3d":
        raise TypeError(f"`ax` must be one flat matplotlib Axes, such as `plt.subplots()[1]`. Received: {shown(ax)}")
    return ax


def place_for_many(
    figure: "Figure | SubFigure | None", width: float, height: float, layout: Any = "constrained"
) -> "Figure | SubFigure":
    """Return the figure to plot in: the one given, or a new one of this size in inches."""
    with advice(_NEED, "plot"):
        from matplotlib.figure import Figure, SubFigure
    if figure is None:
        return _open_figure(width, height, layout)
    if not isinstance(figure, Figure | SubFigure):
        raise TypeError(f"`figure` must be a matplotlib Figure or SubFigure. Received: {shown(figure)}")
    if isinstance(figure, Figure) and figure.get_layout_engine() is None:
        figure.set_layout_engine(layout)  # long names would be cut off
    return figure


def _open_figure(width: float, height: float, layout: Any) -> "Figure":
    import matplotlib.pyplot as plt

    from fashionclf.plot._notebook import NotebookFigure

    with plt.rc_context({"figure.max_open_warning": 0} if "inline" in plt.get_backend() else {}):
        return plt.figure(figsize=(width, height), layout=layout, FigureClass=NotebookFigure)


def whole(figure: "Figure | SubFigure") -> "Figure":
    """Return the figure itself, or the one that a part belongs to."""
    return figure.figure


def show_image(ax: "Axes", image: NDArray[Any]) -> None:
    """Plot an image, uint8 0..255 or floats in [0, 1], as it is: grey from black to white, or in colour."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
    ax.set_xticks([])
    ax.set_yticks([])


def series_style(index: int) -> dict[str, Any]:
    """Return colour and marker of the line number `index`, which differ from those of the 41 others."""
    return {"color": _SERIES[index % len(_SERIES)], "marker": _MARKERS[index % len(_MARKERS)]}


def name_lines(ax: "Axes", lines: Sequence[Any], names: Iterable[str], **placement: Any) -> None:
    """Add a legend with a name, which may be long or in any script, for each line."""
    legend = ax.legend(lines, [wrapped(name, 30) for name in names], **placement)
    for text in legend.get_texts():
        text.set(**text_style(text.get_text()))


def percent(share: float) -> str:
    """Write a share from 0 to 1 as `Prediction` does."""
    return f"{100 * share:.1f}%"


def percent_tick(share: float, _position: float | None = None) -> str:
    """Write a share on an axis, where matplotlib has chosen round ones."""
    return f"{100 * share:g}%"


def wrapped(text: str, columns: int) -> str:
    """Break a text into lines of at most `columns` columns; an East Asian character takes two."""
    return "\n".join(textwrap.wrap(text, _characters(text, columns))) or text


def shortened(text: str, columns: int) -> str:
    """Cut off a text after `columns` columns; an East Asian character takes two."""
    count = _characters(text, columns)
    return text if len(text) <= count else text[: max(1, count - 1)] + "…"


def _characters(text: str, columns: int) -> int:
    """Return how many characters of a text go into so many columns, at least 1."""
    return max(1, columns * len(text) // max(1, display_width(text)))


def verdict_colour(right: bool, text_colour: Any) -> str:
    """Return the colour of a right or wrong prediction: blue or vermillion, brighter on a dark background."""
    from matplotlib.colors import to_rgba

    if dark_or_light(to_rgba(text_colour)) == "black":
        return SKY if right else ORANGE
    return BLUE if right else VERMILLION


def dark_or_light(rgba: Any) -> str:
    """Return the colour of text that can be read on a colour."""
    red, green, blue = (channel**2.2 for channel in rgba[:3])
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.18 else "black"  # where WCAG's contrasts meet
