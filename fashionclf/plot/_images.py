"""Images in a grid, with their classes and what was predicted for them."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._images import check_images, without_channel
from fashionclf._types import ClassNames, ImageArray, ImagesLike, IntArray, LabelsLike, Language, PhotographLike
from fashionclf._validation import check_count, check_flag, check_labels, check_path, integer_labels
from fashionclf.datasets import Split
from fashionclf.labels import check_class_names
from fashionclf.photographs._folder import photographs_in
from fashionclf.photographs._reading import is_folder, is_pil_image, read_photograph
from fashionclf.plot._canvas import SKY, percent, place_for_many, shortened, show_image, verdict_colour, whole, wrapped
from fashionclf.plot._fonts import text_style, translated
from fashionclf.plot._inputs import names_for, refuse_dataset
from fashionclf.predictions import Prediction, Predictions, as_predictions, rank_labels
from fashionclf.report import EvaluationReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_PAGE: Final = 9.0  # inches, the width of a notebook
_WHOLE: Final = ImageConverter((224, 224, 3))  # reads photographs as they are


def images(
    x: ImagesLike | PhotographLike | Sequence[PhotographLike] | Split,
    labels: LabelsLike | None = None,
    *,
    predictions: Predictions | Any = None,
    class_names: ClassNames | None = None,
    columns: int = 5,
    limit: int = 25,
    bars: bool = False,
    language: Language = "en",
    figure: "Figure | SubFigure | None" = None,
) -> "Figure":
    """Plot images in a grid, with their classes and what was predicted for them.

    With labels and predictions the right ones are framed in blue and marked ✓, the wrong ones framed in vermillion
    and marked ✗, with the true class below.

    Args:
        x: Images in any form that `prepare_images` takes; a `Split`, which has its own labels and names; or photographs
            of any size: the path of a file or a folder, or a list of paths or PIL images.
        labels: True labels: integers `(n,)` from 0, or one-hot rows `(n, num_classes)`.
        predictions: `Predictions` for the same images, or an array of probabilities `(n, num_classes)`.
        class_names: Names to show. None takes those of the predictions, else of the split, else Fashion-MNIST's.
        columns: Images in a row.
        limit: The maximum number of images to plot. If there are more, the first ones are shown and the figure says so.
        bars: Also plot the three most probable classes of each image as bars.
        language: Of the words beside the class names: `"en"` or `"ko"`.
        figure: Where to plot; None opens a new figure.

    Returns:
        The figure, with one axes for each image and, with `bars`, another for its probabilities.

    Raises:
        ValueError: If values are out of range, lengths differ, `bars` lack predictions, or a file is no image.
        OSError: If a file cannot be read: a `FileNotFoundError` if there is none.

    Example:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> drawn = images(np.zeros((2, 64, 48), "uint8"), [3, 9], figure=Figure())
        >>> [ax.get_title() for ax in drawn.axes]
        ['Dress', 'Ankle boot']
    """
    columns, limit = check_count(columns, "columns"), check_count(limit, "limit")
    gallery = _check_gallery(x, labels, predictions, class_names)
    if check_flag(bars, "bars") and gallery.predictions is None:
        raise ValueError("`bars=True` draws probabilities: pass `predictions` as well.")
    shown = min(len(gallery.images), limit)
    columns = min(columns, shown)
    rows = math.ceil(shown / columns)
    size = min(1.75, _PAGE / columns) if shown > 1 else 2.6  # inches of an image's width
    pixels = [_pixels(image) for image in gallery.images[:shown]]
    ratio = float(np.median([len(image) / image.shape[1] for image in pixels]))
    height = size * min(2.0, ratio)  # of a higher one, narrower
    font_size = max(6.0, min(9.0, 5.2 * size))
    place = place_for_many(figure, 1, 1, "compressed")
    names = gallery.names
    columns_of_text = int(72 * size / (0.6 * font_size))
    captions = [_caption(gallery, i, names, columns_of_text) for i in range(shown)]
    lines = max(len(text.splitlines()) for text, _ in captions)
    heights = [height, 3 * 1.7 * font_size / 72] if bars else [height]
    if figure is None:
        page = rows * (sum(heights) + lines * 1.3 * font_size / 72 + 0.15)
        whole(place).set_size_inches(max(columns * size, 2.6), page)
    grid = place.add_gridspec(rows * len(heights), columns, height_ratios=heights * rows)
    for i, (text, right) in enumerate(captions):
        row, column = len(heights) * (i // columns), i % columns
        ax = place.add_subplot(grid[row, column])
        show_image(ax, pixels[i])
        ax.set_anchor("N")  # so that titles stand in line
        ax.set_title(text, fontsize=font_size, pad=4, **text_style(text))
        if right is not None:
            colour = verdict_colour(right, ax.title.get_color())
            ax.title.set_color(colour)
            ax.spines[:].set(color=colour, linewidth=2)
        if bars and gallery.predictions is not None:
            short = [shortened(name, columns_of_text - 3) for name in names]
            _draw_bars(place.add_subplot(grid[row + 1, column]), gallery.predictions[i], short, 0.8 * font_size)
    if shown < len(gallery.images):
        place.supxlabel(f"the first {shown:,} of {len(gallery.images):,} images", fontsize="medium")
    return whole(translated(place, language))


def mistakes(
    report: EvaluationReport,
    x: ImagesLike | PhotographLike | Sequence[PhotographLike] | Split,
    *,
    limit: int = 10,
    language: Language = "en",
    figure: "Figure | SubFigure | None" = None,
) -> "Figure":
    r"""Plot the misclassified images with the highest probability; below each, its file or its position.

    Args:
        report: An `EvaluationReport`.
        x: All images that it is about, in their order, in any form that `images` takes.
        limit: The maximum number of images to plot.
        language: Of the words beside the class names: `"en"` or `"ko"`.
        figure: Where to plot; None opens a new figure.

    Returns:
        The figure, with one axes for each image; without any if there are no mistakes.

    Raises:
        ValueError: As `images`, or if there are not as many images as the report has.
        OSError: As `images`.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> from matplotlib.figure import Figure
        >>> report = fc.evaluate_predictions([1, 1], [[0.2, 0.8], [0.7, 0.3]], class_names=["Shirt", "Bag"])
        >>> ax = mistakes(report, np.zeros((2, 28, 28), "uint8"), figure=Figure()).axes[0]
        >>> ax.get_title(), ax.get_xlabel()
        ('✗ Shirt 70.0%\ntrue: Bag', 'image 1')
    """
    if not isinstance(report, EvaluationReport):
        raise TypeError(f"`report` must be an EvaluationReport. Received: {type(report).__name__}")
    rows = [mistake["index"] for mistake in report.mistakes(limit)]
    given = _check_gallery(x.images if isinstance(x, Split) else x, report.labels, report.predictions, None).images
    if not rows:
        place = place_for_many(figure, 2.6, 0.5)
        place.supxlabel("no mistakes", fontsize="medium")
        return whole(translated(place, language))
    predictions = report.predictions[np.array(rows)]
    wrong = [given[i] for i in rows]
    drawn = images(wrong, report.labels[rows], predictions=predictions, limit=limit, language=language, figure=figure)
    for ax, i, source in zip(drawn.axes[-len(rows) :], rows, predictions.sources or [None] * len(rows), strict=True):
        name = shortened(f"image {i}" if source is None else source, 25)
        ax.set_xlabel(name, fontsize=7, **text_style(name))
    return translated(drawn, language)


@dataclass(frozen=True, eq=False)
class _Gallery:
    """Checked images, `(n, height, width)` or in colour, or photographs, with their labels, predictions and names."""

    images: ImageArray | list[Any]
    labels: IntArray | None
    predictions: Predictions | None
    names: tuple[str, ...]


def _check_gallery(x: Any, labels: Any, predictions: Any, class_names: ClassNames | None) -> _Gallery:
    refuse_dataset(x, "x")
    names = None if class_names is None else check_class_names(class_names)
    split_names, photographs = None, _photographs_in(x)
    if isinstance(x, Split):
        if labels is not None:
            raise ValueError("`x` is a Split, which has its own labels: leave out `labels`, or pass `x.images`.")
        labels, split_names = x.labels, x.class_names
    images = x.images if isinstance(x, Split) else photographs or without_channel(check_images(x, "x"))
    if predictions is not None:
        predictions = as_predictions(predictions, names)
        names = predictions.class_names
        if len(predictions) != len(images):
            raise ValueError(
                f"There are {len(predictions)} predictions but {len(images)} images. Pass one prediction per image."
            )
    names = names or split_names
    if labels is not None:
        checked = check_labels(labels, num_images=len(images), num_classes=None if names is None else len(names))
        labels = integer_labels(checked)
        names = names or names_for(int(labels.max()) + 1)
    return _Gallery(images, labels, predictions, names or ())


def _photographs_in(x: Any) -> list[Any] | None:
    """Return photographs, at least one of them a path or a PIL image, as a list; None for other images."""
    if isinstance(x, str | os.PathLike) and is_folder(folder := check_path(x, "x")):
        return photographs_in(folder)[0]
    given = x if isinstance(x, list | tuple) else [x]
    return list(given) if any(isinstance(each, str | os.PathLike) or is_pil_image(each) for each in given) else None


def _pixels(image: Any) -> ImageArray:
    """Return an image that has been checked as it is, and a photograph upright."""
    return image if isinstance(image, np.ndarray) else np.asarray(read_photograph(image, _WHOLE))


def _caption(gallery: _Gallery, i: int, names: Sequence[str], width: int) -> tuple[str, bool | None]:
    """Return the text above an image, and whether the prediction is right (None if unknown)."""
    true = None if gallery.labels is None else int(gallery.labels[i])
    if gallery.predictions is None:
        return "" if true is None else wrapped(names[true], width), None
    predicted = gallery.predictions[i]
    said = f"{names[predicted.label]} {percent(predicted.probability)}"
    if true is None:
        return wrapped(said, width), None
    if predicted.label == true:
        return wrapped(f"✓ {said}", width), True
    return "\n".join([wrapped(f"✗ {said}", width), wrapped(f"true: {names[true]}", width)]), False


def _draw_bars(ax: "Axes", predicted: Prediction, names: list[str], font_size: float) -> None:
    """Plot the three most probable classes, their names on the bars."""
    labels = rank_labels(predicted.probabilities)[:3]
    shares = predicted.probabilities[labels]
    ax.barh(range(len(labels)), shares, height=0.9, color=SKY, alpha=0.6)
    # a text that the layout makes room for would shrink the image
    style: dict[str, Any] = {"va": "center", "fontsize": font_size, "in_layout": False}
    for row, (label, share) in enumerate(zip(labels, shares, strict=True)):
        ax.text(0.02, row, names[label], **style, **text_style(names[label]))
        ax.text(1.0, row, percent(share), ha="right", **style)
    ax.set(xlim=(0, 1), ylim=(2.6, -0.6), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
