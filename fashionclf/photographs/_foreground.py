"""Separate a garment from its background."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import IMAGE_SHAPE
from fashionclf._types import FloatArray
from fashionclf.photographs._garment import bounding_box, find_garment, main_parts, stroke_width, without_lines

if TYPE_CHECKING:
    from PIL import Image

# By how many levels of 255 a pixel must differ from its background to belong to the garment: on a perfect background,
# and at most, however noisy that is.
_VISIBLE, _CLEAR = 16, 64
# A garment that nowhere differs by more can hardly be seen.
FAINT: Final = 30
# Deviation in levels of 255 above which a background is not plain. That of paper and of shops' photographs stays below,
# that of walls, with their shadows, does not.
_PLAIN: Final = 4.5
# A garment whose grey differs by less than this share of what its colour differs by is separated by colour.
_COLOURED: Final = 0.5
# An image that is no longer than those of the data set shows a garment already, and holds too few pixels to find one.
_SMALL: Final = max(IMAGE_SHAPE)
# A sketch has strokes narrower than the first share of its length, and one colour in the second share of its pixels.
# None of 612 photographs of garments has such strokes; most of MNIST's digits have.
_NARROW, _INK = 0.2, 0.25
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as in pillow's own conversion to grey


class Segmentation(NamedTuple):
    """A segmented photograph: the garment is the foreground. Arrays are float32 `(h, w)`, 0..255."""

    photograph: FloatArray  # in grey
    grey: FloatArray  # the same, with a garment that was cut out on `background`
    background: FloatArray
    foreground: FloatArray | NDArray[np.bool_]  # how far each pixel belongs to the garment, in [0, 1]
    clear: bool = True  # False if the garment is hard to separate from its background
    stroke: float = 0  # width in pixels of the lines of a sketch, 0 of anything else

    @property
    def mask(self) -> NDArray[np.bool_]:
        return self.foreground > 0.5


def segment(photograph: "Image.Image") -> Segmentation:
    """Separate the garment of a photograph in RGB or RGBA from its background.

    By transparency, if there is any; on a plain background by the difference of colours; else by a network and GrabCut.
    """
    pixels = np.asarray(photograph, np.float32)
    colours = pixels[..., :3]
    grey = colours @ _LUMA
    if photograph.mode == "RGBA":
        opacity = pixels[..., 3] / np.float32(255)
        mask = opacity > 0.5
        placed = _placed(grey, opacity, background_level(grey, mask))
        return placed._replace(photograph=placed.grey, stroke=_stroke(colours, mask))
    factors, noise = _fit_background(colours)
    small = max(grey.shape) <= _SMALL
    if noise > _PLAIN and not small and (found := _found(colours, grey)) is not None:
        return found
    background = np.zeros_like(colours)
    for term, factor in zip(_terms(grey.shape), factors, strict=True):
        background += term[..., np.newaxis] * factor
    # Colours, not greys: a red shirt on blue paper may have the paper's grey.
    difference = np.abs(colours - background).max(axis=2)
    if noise < 1 and (stroke := _stroke(colours, drawn := difference > _VISIBLE)):
        return _cut_out(grey, drawn)._replace(stroke=stroke)
    mask = without_lines(difference > np.clip(5 * noise, _VISIBLE, _CLEAR))
    cluttered = main_parts(mask).sum() < 0.8 * mask.sum()  # dots of a sheet, toys
    if cluttered and not small and (found := _found(colours, grey)) is not None:
        return found
    level = background @ _LUMA
    if mask.any() and np.median(np.abs(grey - level)[mask]) < _COLOURED * np.median(difference[mask]):
        return _cut_out(grey, mask)  # in grey it would hardly be seen on its background
    return Segmentation(grey, grey, level, mask)


def background_level(grey: NDArray[Any], mask: NDArray[np.bool_]) -> int:
    """Return the grey level of the background for transparent pixels: white, or black behind what is white itself."""
    return 0 if mask.any() and grey[mask].mean() > 255 - FAINT else 255


def _stroke(colours: FloatArray, mask: NDArray[np.bool_]) -> float:
    """Return the stroke width of a sketch, such as a digit from a canvas; 0 if it is none."""
    if max(mask.shape) <= _SMALL or not mask.any():
        return 0
    left, top, right, bottom = bounding_box(mask)
    width = stroke_width(mask)
    if width >= _NARROW * max(right - left, bottom - top):
        return 0
    _, counts = np.unique(np.rint(colours[mask]), axis=0, return_counts=True)
    return width if counts.max() >= _INK * counts.sum() else 0


def _found(colours: FloatArray, grey: FloatArray) -> Segmentation | None:
    """Find a garment on a background that is not plain; None if there is none."""
    foreground, clear = find_garment(colours)
    return _cut_out(grey, foreground)._replace(clear=clear) if (foreground > 0.5).any() else None


def _cut_out(grey: FloatArray, foreground: FloatArray | NDArray[np.bool_]) -> Segmentation:
    """Cut out a garment, and place it on the background that keeps its contrast: white or black."""
    mask = foreground > 0.5
    lighter = not mask.all() and grey[mask].mean() >= grey[~mask].mean()
    return _placed(grey, foreground, level=0 if lighter else 255)


def _placed(grey: FloatArray, foreground: FloatArray | NDArray[np.bool_], level: int) -> Segmentation:
    """Place a garment on white, as the data set's photographs were, or on black if it would not be seen there."""
    placed = np.asarray(grey * foreground + level * (1 - foreground), np.float32)
    return Segmentation(grey, placed, np.full_like(grey, level), foreground)


def _fit_background(colours: FloatArray) -> tuple[FloatArray, float]:
    """Fit the background to the border, with one paraboloid per colour: light may be uneven or tinted.

    The fit starts at the median and weights each pixel by its agreement (Cauchy weights), so a garment may touch the
    border. Returns the factors of the terms, `(6, 3)`, and the deviation from them in levels of 255.
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
