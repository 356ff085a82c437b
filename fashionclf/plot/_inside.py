"""Plots of feature maps, kernels and Grad-CAM heat maps, as `fashionclf.explain` returns them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import check_one_image, without_channel
from fashionclf._text import shown
from fashionclf._types import ImagesLike
from fashionclf._validation import check_count
from fashionclf.plot._canvas import place_for_many, place_for_one, shortened, show_image, whole
from fashionclf.plot._fonts import text_style
from fashionclf.plot._inputs import check_array, check_mapping

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from fashionclf.trainer import Trainer

_FLAT: Final = 1e-6  # the scale of a panel where all values are alike
_TILE: Final = 30  # pixels to which small tiles are enlarged


def feature_maps(maps: Mapping[str, Any], *, limit: int = 16, figure: "Figure | SubFigure | None" = None) -> "Figure":
    """Plot the feature maps of each layer: its channels side by side; brighter is stronger.

    The channels of a layer share one colour scale. A dark channel does not respond.

    Args:
        maps: By name of the layer: floats `(height, width, channels)`.
        limit: The maximum number of channels to plot of each layer: the first ones.
        figure: Where to plot; None opens a new figure.

    Returns:
        The figure, with one axes for each layer and one for its scale.

    Raises:
        ValueError: If there is no layer, an array has another shape or is not finite, or `limit` is below 1.

    Example:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> drawn = feature_maps({"conv2d": np.zeros((64, 48, 32))}, figure=Figure())
        >>> drawn.axes[0].get_title(loc="left")
        'conv2d: 64x48, 16 of 32 channels'
    """
    limit = check_count(limit, "limit")
    layers = {
        name: check_array(value, f"maps[{shown(name)}]", ("height", "width", "channels"))
        for name, value in check_mapping(maps, "maps", "arrays (height, width, channels)").items()
    }
    panels = []
    for name, channels in layers.items():
        height, width, count = channels.shape
        title = f"{shortened(name, 40)}: {height}x{width}, {_part(count, limit, 'channel')}"
        panels.append((title, _mosaic(channels[..., :limit].transpose(2, 0, 1), columns=8)))
    return _draw_panels(panels, figure, colours="viridis")


def kernels(
    kernels: Mapping[str, Any],
    *,
    limit: int = 16,
    input_limit: int = 4,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure":
    """Plot the filters of convolutions: red weights are positive, blue ones negative, white ones zero.

    A layer that reads one channel shows its filters one after the other. Otherwise each column is a filter and each
    row one of the channels that it reads.

    Args:
        kernels: By name of the layer: floats `(height, width, in, filters)`.
        limit: The maximum number of filters to plot of each layer: the first ones.
        input_limit: The maximum number of input channels to plot of each layer: the first ones.
        figure: Where to plot; None opens a new figure.

    Returns:
        The figure, with one axes for each layer and one for its scale.

    Raises:
        ValueError: If there is no layer, an array has another shape or is not finite, or a limit is below 1.

    Example:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> drawn = kernels({"conv2d_1": np.zeros((3, 3, 32, 64))}, figure=Figure())
        >>> drawn.axes[0].get_title(loc="left")
        'conv2d_1: 3x3, 16 of 64 filters (columns) on 4 of 32 channels (rows)'
    """
    limit, input_limit = check_count(limit, "limit"), check_count(input_limit, "input_limit")
    layers = {
        name: check_array(value, f"kernels[{shown(name)}]", ("height", "width", "in", "filters"))
        for name, value in check_mapping(kernels, "kernels", "arrays (height, width, in, filters)").items()
    }
    panels = []
    for name, weights in layers.items():
        height, width, inputs, filters = weights.shape
        title = f"{shortened(name, 30)}: {height}x{width}, {_part(filters, limit, 'filter')}"
        if inputs > 1:
            title += f" (columns) on {_part(inputs, input_limit, 'channel')} (rows)"
        part = weights[:, :, :input_limit, :limit]
        tiles = part.transpose(2, 3, 0, 1).reshape(-1, height, width)
        panels.append((title, _mosaic(tiles, columns=8 if inputs == 1 else part.shape[3])))
    return _draw_panels(panels, figure, colours="RdBu_r", centred=True)


def grad_cam(
    trainer: "Trainer",
    image: ImagesLike,
    class_name: str | None = None,
    *,
    layer: str | None = None,
    average_gradients: bool = True,
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot the Grad-CAM heat map of `fashionclf.explain.grad_cam` over the image: brighter regions contributed more.

    Args:
        trainer: The classifier.
        image: One image in any form that `prepare_images` takes.
        class_name: The class to explain. None takes the one that is predicted.
        layer: As `fashionclf.explain.grad_cam`.
        average_gradients: As `fashionclf.explain.grad_cam`.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes, with the image, the heat map over it, and the class with its probability as title. A heat map of
        zeros is labelled as such.

    Raises:
        ValueError: As `fashionclf.explain.grad_cam`, or if the class names are unknown.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> from matplotlib.figure import Figure
        >>> trainer = fc.Trainer(fc.cnn_model((8, 16), seed=0))
        >>> ax = grad_cam(trainer, np.eye(28), "Sandal", ax=Figure().add_subplot())
        >>> len(ax.images)
        2
    """
    from fashionclf import explain  # loads TensorFlow

    heat = explain.grad_cam(trainer, image, class_name, layer=layer, average_gradients=average_gradients)
    pixels = without_channel(check_one_image(image, "image", image_shape=trainer.image_shape))[0]
    answer = trainer.predict(pixels)[0]
    label = answer.label if class_name is None else answer.class_names.index(class_name)
    ax = place_for_one(ax, 3.4, 3.6)
    show_image(ax, pixels)
    name = shortened(answer.class_names[label], 24)
    title = f"{name} {100 * answer.probabilities[label]:.1f}%"
    ax.set_title(title, fontsize="medium", **text_style(title))
    ax.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.7 * heat)  # cold regions leave the image as it is
    if not heat.any():
        ax.set_xlabel("no evidence\nfor the class")  # or it would look like an image alone
    return ax


def _part(count: int, limit: int, what: str) -> str:
    plural = "" if count == 1 else "s"
    return f"{count} {what}{plural}" if count <= limit else f"{limit} of {count} {what}{plural}"


def _mosaic(tiles: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Return tiles `(n, height, width)` in rows as one image, NaN between them."""
    count, height, width = tiles.shape
    zoom = max(1, _TILE // width)  # the gap between small tiles would be as wide as their pixels
    height, width = height * zoom, width * zoom
    gap = max(2, width // 14)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = tile.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return sheet


def _draw_panels(
    panels: list[tuple[str, NDArray[np.float64]]], figure: Any, *, colours: str, centred: bool = False
) -> "Figure":
    """Plot a titled mosaic for each layer, one below the other, each with its scale."""
    heights = [7.2 * sheet.shape[0] / sheet.shape[1] for _, sheet in panels]
    place = place_for_many(figure, 8, sum(heights) + 0.45 * len(panels), "compressed")
    from matplotlib import colormaps

    cmap = colormaps[colours].with_extremes(bad="gray" if centred else "none")  # white is a value there
    grid = place.add_gridspec(len(panels), 1, height_ratios=heights)
    for i, (title, sheet) in enumerate(panels):
        ax = place.add_subplot(grid[i])
        highest = float(np.nanmax(np.abs(sheet) if centred else sheet))
        low = -max(highest, _FLAT) if centred else min(0.0, float(np.nanmin(sheet)))
        shades = ax.imshow(sheet, cmap=cmap, vmin=low, vmax=-low if centred else max(highest, low + _FLAT))
        ax.set_title(title, loc="left", fontsize="medium", **text_style(title))
        ax.set_axis_off()
        place.colorbar(shades, ax=ax, aspect=15, pad=0.01)
    return whole(place)
