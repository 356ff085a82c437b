"""Separate a garment from its background."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import HEIGHT
from fashionclf._types import FloatArray
from fashionclf.photographs._decoding import RawImage
from fashionclf.photographs._garment import find_garment
from fashionclf.photographs._masks import bounding_box, main_parts, stroke_width, without_lines

# By how many levels of 255 a pixel must differ from its background to belong to the garment: on a perfect background,
# and at most, however noisy that is.
_VISIBLE: Final = 16


_CLEAR: Final = 64


# A garment that nowhere differs by more can hardly be seen.
FAINT: Final = 30


# Deviation in levels of 255 above which a background is not plain. That of paper and of shops' photographs stays below,
# that of walls, with their shadows, does not.
_PLAIN: Final = 4.5


# A garment whose grey differs by less than this share of what its colour differs by is told from its ground by colour.
_COLOURED: Final = 0.5


# A drawing has strokes narrower than the first share of its length, and one colour in the second share of its pixels.
# None of 612 photographs of garments has such strokes; most of MNIST's digits have.
_NARROW: Final = 0.2


_INK: Final = 0.25


_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as in pillow's own conversion to grey


class Scene(NamedTuple):
    """An image taken apart: all in levels 0..255, float32 `(h, w)`, but for the bool `mask`.

    `photograph` is the whole image in grey. In `grey`, what surrounds a garment that was cut out is `background`.
    `clear` is False if the garment could hardly be told from a background that is not plain. `stroke` is the width in
    pixels of the lines of a drawing, 0 of anything else.
    """

    photograph: FloatArray
    grey: FloatArray
    background: FloatArray
    mask: NDArray[np.bool_]
    clear: bool = True
    stroke: float = 0


def scene_of(image: RawImage) -> Scene:
    """Separate the garment from its background.

    By transparency if there is any; by the difference from the background's colours where that is plain; else by a
    network and models of both colours.
    """
    grey = image.colours @ _LUMA
    if image.opacity is not None:
        mask = image.opacity > 0.5
        white = mask.any() and grey[mask].mean() > 255 - FAINT
        placed = _placed(grey, image.opacity, mask, level=0 if white else 255)
        return placed._replace(photograph=placed.grey, stroke=_stroke(image.colours, mask))
    factors, noise = _fit_background(image.colours)
    # not for what is as small as the images of the data sets: they are garments already, and hold too few pixels
    small = max(grey.shape) <= HEIGHT
    if noise > _PLAIN and not small and (scene := _found(image.colours, grey)) is not None:
        return scene
    background = _extrapolated(factors, grey.shape)
    # Colours, not greys: a red shirt on blue paper may have the paper's grey.
    difference = np.abs(image.colours - background).max(axis=2)
    if noise < 1 and (stroke := _stroke(image.colours, drawn := difference > _VISIBLE)):
        return _cut_out(grey, drawn, drawn)._replace(stroke=stroke)
    mask = without_lines(difference > np.clip(5 * noise, _VISIBLE, _CLEAR))
    if _is_cluttered(mask) and not small and (scene := _found(image.colours, grey)) is not None:
        return scene
    level = background @ _LUMA
    if mask.any() and np.median(np.abs(grey - level)[mask]) < _COLOURED * np.median(difference[mask]):
        return _cut_out(grey, mask, mask)  # in grey it would hardly be seen on its background
    return Scene(grey, grey, level, mask)


def _stroke(colours: FloatArray, mask: NDArray[np.bool_]) -> float:
    """Return the stroke width of a drawing, such as a digit from a canvas; 0 if it is not a drawing."""
    if max(mask.shape) <= HEIGHT or not mask.any():
        return 0
    left, top, right, bottom = bounding_box(mask)
    width = stroke_width(mask)
    if width >= _NARROW * max(right - left, bottom - top):
        return 0
    _, counts = np.unique(np.rint(colours[mask]), axis=0, return_counts=True)
    return width if counts.max() >= _INK * counts.sum() else 0


def _found(colours: FloatArray, grey: FloatArray) -> Scene | None:
    """Find a garment on ground that is not plain; None if there is none."""
    belongs, clear = find_garment(colours)
    mask = belongs > 0.5
    return _cut_out(grey, belongs, mask)._replace(clear=clear) if mask.any() else None


def _cut_out(grey: FloatArray, opacity: FloatArray | NDArray[np.bool_], mask: NDArray[np.bool_]) -> Scene:
    """Cut a garment out along its outline, and place it on the ground that keeps its contrast."""
    lighter = not mask.all() and grey[mask].mean() >= grey[~mask].mean()
    return _placed(grey, opacity, mask, level=0 if lighter else 255)


def _placed(grey: FloatArray, opacity: FloatArray | NDArray[np.bool_], mask: NDArray[np.bool_], level: int) -> Scene:
    """Place a garment on white, as the data set's photographs were, or on black if it would not be seen there."""
    placed = np.asarray(grey * opacity + level * (1 - opacity), np.float32)
    return Scene(grey, placed, np.full_like(grey, level), mask)


def _fit_background(colours: FloatArray) -> tuple[FloatArray, float]:
    """Fit the background to the border, with one paraboloid per colour: light may be uneven or tinted.

    The fit starts at the median and weights each pixel by its agreement (Cauchy weights), so a garment may touch the
    border.

    Returns:
        The factors of the paraboloids' terms, `(6, 3)`, and the background's deviation from them in levels of 255.
    """
    border = border_of(colours)
    terms = (border_of(np.broadcast_to(term, colours.shape[:2])) for term in _terms(colours.shape[:2]))
    places = np.stack(tuple(terms), axis=1)
    # Holds all but the level back where too little of the background is seen to tell more.
    ridge = np.diag(np.array([0, 1, 1, 1, 1, 1], np.float32)) / 1000
    fitted = np.broadcast_to(np.median(border, axis=0), border.shape)
    factors = np.zeros((places.shape[1], colours.shape[2]), np.float32)
    for _ in range(8):
        distance = np.abs(border - fitted).max(axis=1)
        weight = 1 / (1 + (distance / max(1, 2 * np.median(distance))) ** 2)
        weighted = places.T * (weight / weight.sum())
        factors = np.linalg.solve(weighted @ places + ridge, weighted @ border)
        fitted = places @ factors
    noise = 1.4826 * float(np.median(np.abs(border - fitted).max(axis=1)))  # the deviation, if it is normal
    return factors, noise


def _extrapolated(factors: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return the background of the whole image, float32 `(h, w, 3)`."""
    background = np.zeros((*shape, factors.shape[1]), np.float32)
    for term, factor in zip(_terms(shape), factors, strict=True):
        background += term[..., np.newaxis] * factor
    return background


def _terms(shape: tuple[int, ...]) -> tuple[FloatArray, ...]:
    """Return the terms of a paraboloid over an image, each of a shape that broadcasts to the image's."""
    down = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, np.newaxis]
    across = np.linspace(-1, 1, shape[1], dtype=np.float32)
    return np.ones((1, 1), np.float32), down, across, down**2, across**2, down * across


def border_of(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels of a frame as wide as a fiftieth of the image: `(n,)` or `(n, 3)`."""
    rows, columns = pixels.shape[:2]
    edge = max(1, round(min(rows, columns) / 50))
    inside = np.zeros((rows, columns), bool)
    inside[edge : rows - edge, edge : columns - edge] = True
    return pixels[~inside]


def _is_cluttered(mask: NDArray[np.bool_]) -> bool:
    """Tell whether more than a fifth of what differs from the background is scattered: dots of a sheet, toys."""
    return bool(main_parts(mask).sum() < 0.8 * mask.sum())
