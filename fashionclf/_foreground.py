"""Where the garment is in a picture, and what its background would look like without it. Numpy and pillow only."""

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._picture_files import Picture
from fashionclf._types import FloatArray

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
    """A picture taken apart: all in levels 0..255, float32 `(h, w)`, but for the bool `mask`.

    `noise` is the standard deviation of the background around what it was taken to be.
    """

    grey: FloatArray
    background: FloatArray
    mask: NDArray[np.bool_]
    noise: float


def scene_of(picture: Picture) -> Scene:
    if picture.opacity is not None:
        return _cut_out(picture.colours, picture.opacity)
    background, noise = _background(picture.colours)
    # Colours, not greys: a red shirt on blue paper may have the paper's grey.
    mask = np.abs(picture.colours - background).max(axis=2) > np.clip(5 * noise, _VISIBLE, _CLEAR)
    return Scene(picture.colours @ _LUMA, background @ _LUMA, mask, noise)


def _cut_out(colours: FloatArray, opacity: FloatArray) -> Scene:
    """Place a picture with transparent parts on white, as the data set's photographs were; a white one on black."""
    mask = opacity > 0.5
    grey = colours @ _LUMA
    level = 0 if mask.any() and grey[mask].mean() > 255 - FAINT else 255
    return Scene(grey * opacity + level * (1 - opacity), np.full_like(grey, level), mask, 0.0)


def _background(colours: FloatArray) -> tuple[FloatArray, float]:
    """Fit one plane per colour to the border, so paper may be tinted and light may come from one side.

    The fit starts at the median and goes on with the half of the border that is nearest to it, so a garment may
    touch the border.
    """
    height, width, _ = colours.shape
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis]
    across = np.linspace(-1, 1, width, dtype=np.float32)
    border = border_of(colours)
    places = np.stack([border_of(np.broadcast_to(x, (height, width))) for x in (np.float32(1), down, across)], axis=1)
    # Holds slopes back where too little of the background is seen to tell them.
    ridge = np.diag(np.array([0, 1e-3, 1e-3], np.float32))
    fitted = np.broadcast_to(np.median(border, axis=0), border.shape)
    for _ in range(4):
        distance = np.abs(border - fitted).max(axis=1)
        near = distance <= max(1, 2 * np.median(distance))
        known, seen = places[near], border[near]
        planes = np.linalg.solve(known.T @ known / len(known) + ridge, known.T @ seen / len(known))
        fitted = places @ planes
    noise = 1.4826 * float(np.median(np.abs(border - fitted).max(axis=1)))  # the deviation, if it is normal
    return planes[0] + down[..., np.newaxis] * planes[1] + across[:, np.newaxis] * planes[2], noise


def border_of(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels of a frame as wide as a fiftieth of the picture: `(n,)` or `(n, 3)`."""
    rows, columns = pixels.shape[:2]
    edge = max(1, round(min(rows, columns) / 50))
    inside = np.zeros((rows, columns), bool)
    inside[edge : rows - edge, edge : columns - edge] = True
    return pixels[~inside]


def majority(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove specks: let the pixels around each one vote, in a large picture more of them."""
    from PIL import Image, ImageFilter

    votes = Image.fromarray(mask).convert("L").filter(ImageFilter.BoxBlur(max(mask.shape) // 200))
    return np.asarray(votes) > 127


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
