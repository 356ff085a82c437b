"""Separate a garment from its background. Numpy and pillow only."""

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._types import FloatArray
from fashionclf.photographs._reading import RawImage

Box: TypeAlias = tuple[int, int, int, int]
"""`(left, top, right, bottom)` in pixels, the last two exclusive."""


# By how many levels of 255 a pixel must differ from its background to belong to the garment: on a perfect background,
# and at most, however noisy that is.
_VISIBLE: Final = 16


_CLEAR: Final = 64


# A garment that nowhere differs by more can hardly be seen.
FAINT: Final = 30


_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as in pillow's own conversion to grey


class Scene(NamedTuple):
    """An image taken apart: all in levels 0..255, float32 `(h, w)`, but for the bool `mask`.

    `noise` is the standard deviation of the background around the fitted background.
    """

    grey: FloatArray
    background: FloatArray
    mask: NDArray[np.bool_]
    noise: float


def scene_of(image: RawImage) -> Scene:
    """Separate the garment from its background: by transparency if there is any, else by the colours of the border."""
    if image.opacity is not None:
        return _cut_out(image.colours, image.opacity)
    background, noise = _background(image.colours)
    # Colours, not greys: a red shirt on blue paper may have the paper's grey.
    mask = np.abs(image.colours - background).max(axis=2) > np.clip(5 * noise, _VISIBLE, _CLEAR)
    return Scene(image.colours @ _LUMA, background @ _LUMA, mask, noise)


def _cut_out(colours: FloatArray, opacity: FloatArray) -> Scene:
    """Place an image with transparent parts on white, as the data set's photographs were; a white one on black."""
    mask = opacity > 0.5
    grey = colours @ _LUMA
    level = 0 if mask.any() and grey[mask].mean() > 255 - FAINT else 255
    return Scene(grey * opacity + level * (1 - opacity), np.full_like(grey, level), mask, 0.0)


def _background(colours: FloatArray) -> tuple[FloatArray, float]:
    """Extrapolate the background from the border, with one paraboloid per colour: light may be uneven or tinted.

    The fit starts at the median and weights each pixel by its agreement (Cauchy weights), so a garment may touch the
    border.
    """
    height, width, _ = colours.shape
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis]
    across = np.linspace(-1, 1, width, dtype=np.float32)
    terms = (np.ones((1, 1), np.float32), down, across, down**2, across**2, down * across)
    border = border_of(colours)
    places = np.stack([border_of(np.broadcast_to(term, (height, width))) for term in terms], axis=1)
    # Holds all but the level back where too little of the background is seen to tell more.
    ridge = np.diag(np.array([0, 1, 1, 1, 1, 1], np.float32)) / 1000
    fitted = np.broadcast_to(np.median(border, axis=0), border.shape)
    factors = np.zeros((len(terms), colours.shape[2]), np.float32)
    for _ in range(8):
        distance = np.abs(border - fitted).max(axis=1)
        weight = 1 / (1 + (distance / max(1, 2 * np.median(distance))) ** 2)
        weighted = places.T * (weight / weight.sum())
        factors = np.linalg.solve(weighted @ places + ridge, weighted @ border)
        fitted = places @ factors
    noise = 1.4826 * float(np.median(np.abs(border - fitted).max(axis=1)))  # the deviation, if it is normal
    background = np.zeros_like(colours)
    for term, factor in zip(terms, factors, strict=True):
        background += term[..., np.newaxis] * factor
    return background, noise


def border_of(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels of a frame as wide as a fiftieth of the image: `(n,)` or `(n, 3)`."""
    rows, columns = pixels.shape[:2]
    edge = max(1, round(min(rows, columns) / 50))
    inside = np.zeros((rows, columns), bool)
    inside[edge : rows - edge, edge : columns - edge] = True
    return pixels[~inside]


def majority(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove specks by a majority vote of the surrounding pixels, over a larger area in a large image."""
    from PIL import Image, ImageFilter

    votes = Image.fromarray(mask).convert("L").filter(ImageFilter.BoxBlur(max(mask.shape) // 200))
    return np.asarray(votes) > 127


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    """Return the smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
