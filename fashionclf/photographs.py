"""Your own photographs: any picture of a garment on a plain background, as the 28x28 pixels that a model sees.

The steps are those by which Fashion-MNIST was made of shop photographs (Xiao et al., arXiv:1708.07747, section 2):
cut out the garment, make its longest edge 28 pixels long, centre it, show it bright on black, use the whole range
of grey. Only the filter differs; see `_fit`.
"""

import os
import warnings
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashionclf._picture_files import Picture, PictureLike, is_pil_image, name_of, pictures_in, read_picture
from fashionclf._types import FloatArray, ImagesLike, UInt8Array
from fashionclf._validation import HEIGHT, WIDTH, check_path

Box: TypeAlias = tuple[int, int, int, int]

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as in pillow's own conversion to grey
# The brightest pixel of every picture of the data set is 254 or 255.
_PEAK: Final = 254
# Half of the border of a data set picture is at most 163 (training split), of its negative at least 250 nearly always.
_LIGHT: Final = 170
# By how many levels of 255 a pixel must differ from its background to belong to the garment: on a perfect background,
# and at most, however noisy that is.
_VISIBLE: Final = 16
_CLEAR: Final = 64
# A garment that nowhere differs by more can hardly be seen.
_FAINT: Final = 30
# Deviation in levels of 255 above which a background is not plain: strong JPEG noise stays below 5.
_NOISY: Final = 12
# Share of a picture above which a garment leaves no background; the fullest picture of the data set has 0.92.
_FULL: Final = 0.95


class DoubtfulImageWarning(UserWarning):
    """A picture does not clearly show one garment on a plain background; look at what the model sees of it."""


@dataclass(frozen=True, eq=False)
class PreprocessingSteps:
    """What happened to one picture on its way to a model.

    Attributes:
        original: The picture in grey, uint8 `(h, w)`, upright; made smaller if its edges were above 512 pixels.
        mask: Where the garment was found, bool `(h, w)`.
        box: The part of `original` that was cut out: `(left, top, right, bottom)`, the last two exclusive.
        inverted: Whether light and dark were exchanged.
        garment: The part that was cut out, uint8, the garment bright on black.
        image: What the model sees, uint8 `(28, 28)`.
        doubts: Why the picture may not be what a model expects; empty if all is well.
    """

    original: UInt8Array
    mask: NDArray[np.bool_]
    box: Box
    inverted: bool
    garment: UInt8Array
    image: UInt8Array
    doubts: tuple[str, ...] = ()


def load_image(source: PictureLike) -> UInt8Array:
    """Read a picture of a garment on a plain background as a model wants it.

    The garment is found, cut out, centred and made 28 pixels long; a light background becomes black. A picture that
    is 28x28 already and has a dark background is returned as it is, pixel for pixel.

    Needs pillow: `pip install 'fashionclf[images]'`.

    Args:
        source: A path, a binary file object, a PIL image, or an array `(h, w)`, `(h, w, 1)`, `(h, w, 3)` or
            `(h, w, 4)` of integers 0..255 or floats in [0, 1]. Any size and colour mode; transparent pixels are
            background, of an animation the first frame counts.

    Returns:
        A uint8 array `(28, 28)`, 0..255, the garment bright on black.

    Raises:
        ValueError: If it is not a picture, is damaged, empty or too large, or its values are out of range.
        TypeError: If it is none of the things that can hold a picture.
        FileNotFoundError: If there is no such file.
        ImportError: If pillow is missing.

    Warns:
        DoubtfulImageWarning: If no garment can be told from the background, or the background is not plain.

    Example:
        >>> import numpy as np
        >>> picture = np.full((300, 200, 3), 240, dtype="uint8")  # light paper
        >>> picture[50:250, 60:120] = 40
        >>> image = load_image(picture)
        >>> image.shape, image[14].tolist()[8:20]
        ((28, 28), [0, 0, 254, 254, 254, 254, 254, 254, 254, 254, 0, 0])
    """
    steps = preprocessing_steps(source)
    if steps.doubts:
        message = f"{name_of(source)} may be misread: {'; '.join(steps.doubts)}."
        warnings.warn(message, DoubtfulImageWarning, stacklevel=2)
    return steps.image


def preprocessing_steps(source: PictureLike) -> PreprocessingSteps:
    """Do what `load_image` does and return every step of it; doubts are returned, not warned of.

    Args:
        source: As `load_image`.

    Returns:
        `PreprocessingSteps`; its `image` is what `load_image` returns.

    Raises:
        ValueError: As `load_image`.
        TypeError: As `load_image`.
        FileNotFoundError: As `load_image`.
        ImportError: As `load_image`.

    Example:
        >>> import numpy as np
        >>> picture = np.full((300, 200), 240, dtype="uint8")
        >>> picture[50:250, 60:120] = 40
        >>> steps = preprocessing_steps(picture)
        >>> steps.box, steps.inverted, steps.garment.shape, steps.doubts
        ((60, 50, 120, 250), True, (200, 60), ())
    """
    scene = _scene(read_picture(source))
    grey = np.rint(scene.grey).astype(np.uint8)
    if grey.shape == (HEIGHT, WIDTH):
        return _small_already(grey)
    mask = _majority(scene.mask)
    if not mask.any():
        return _nothing_found(grey)
    inverted = bool(scene.grey[mask].mean() < scene.background[mask].mean())
    box = _bounding_box(mask)
    garment = _contrast(scene, inverted)[box[1] : box[3], box[0] : box[2]]
    return PreprocessingSteps(
        original=grey,
        mask=mask,
        box=box,
        inverted=inverted,
        garment=np.rint(garment).astype(np.uint8),
        image=_fit(garment),
        doubts=_doubts(scene, mask, garment),
    )


def _small_already(grey: UInt8Array) -> PreprocessingSteps:
    """Take a 28x28 picture as the data set's pictures are: nothing is cut off, and only a light one is changed."""
    border = _border(grey)
    inverted = bool(np.median(border) > _LIGHT)
    image = grey
    if inverted:
        # A garment that fills the frame leaves little background, but in the data set never less than this tenth.
        level = np.percentile(border, 90)
        image = np.rint(255 * (1 - grey / level).clip(0)).astype(np.uint8)
    doubts = ("it is blank",) if grey.min() == grey.max() else ()
    return PreprocessingSteps(grey, image > 0, (0, 0, WIDTH, HEIGHT), inverted, image, image, doubts)


def _nothing_found(grey: UInt8Array) -> PreprocessingSteps:
    """Return the steps of a picture without a garment: it looks black to a model."""
    height, width = grey.shape
    black = np.zeros((HEIGHT, WIDTH), np.uint8)
    doubts = ("nothing stands out from its background",)
    return PreprocessingSteps(
        grey, np.zeros(grey.shape, bool), (0, 0, width, height), False, np.zeros_like(grey), black, doubts
    )


# -- finding the garment --------------------------------------------------------------------------


class _Scene(NamedTuple):
    """A picture taken apart: all in levels 0..255, float32 `(h, w)`, but for the bool `mask`.

    `noise` is the standard deviation of the background around what it was taken to be.
    """

    grey: FloatArray
    background: FloatArray
    mask: NDArray[np.bool_]
    noise: float


def _scene(picture: Picture) -> _Scene:
    if picture.opacity is not None:
        return _cut_out_scene(picture.colours, picture.opacity)
    background, noise = _background(picture.colours)
    # Colours, not greys: a red shirt on blue paper may have the paper's grey.
    mask = np.abs(picture.colours - background).max(axis=2) > np.clip(5 * noise, _VISIBLE, _CLEAR)
    return _Scene(picture.colours @ _LUMA, background @ _LUMA, mask, noise)


def _cut_out_scene(colours: FloatArray, opacity: FloatArray) -> _Scene:
    """Place a picture with transparent parts on white, as the data set's photographs were; a white one on black."""
    mask = opacity > 0.5
    grey = colours @ _LUMA
    level = 0 if mask.any() and grey[mask].mean() > 255 - _FAINT else 255
    return _Scene(grey * opacity + level * (1 - opacity), np.full_like(grey, level), mask, 0.0)


def _background(colours: FloatArray) -> tuple[FloatArray, float]:
    """Fit one plane per colour to the border, so paper may be tinted and light may come from one side.

    The fit starts at the median and goes on with the half of the border that is nearest to it, so a garment may
    touch the border.
    """
    height, width, _ = colours.shape
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis]
    across = np.linspace(-1, 1, width, dtype=np.float32)
    border = _border(colours)
    places = np.stack([_border(np.broadcast_to(x, (height, width))) for x in (np.float32(1), down, across)], axis=1)
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


def _border(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels of a frame as wide as a fiftieth of the picture: `(n,)` or `(n, 3)`."""
    rows, columns = pixels.shape[:2]
    edge = max(1, round(min(rows, columns) / 50))
    inside = np.zeros((rows, columns), bool)
    inside[edge : rows - edge, edge : columns - edge] = True
    return pixels[~inside]


def _majority(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove specks: let the pixels around each one vote, in a large picture more of them."""
    from PIL import Image, ImageFilter

    votes = Image.fromarray(mask).convert("L").filter(ImageFilter.BoxBlur(max(mask.shape) // 200))
    return np.asarray(votes) > 127


def _bounding_box(mask: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


# -- showing it as the data set does --------------------------------------------------------------


def _contrast(scene: _Scene, inverted: bool) -> FloatArray:
    """Return how far each pixel is from the background towards black (or white), float32 `(h, w)` 0..255.

    Darkness is judged in proportion to the background: paper in half the light is half as bright, and so is a
    garment on it.
    """
    if inverted:
        share = 1 - scene.grey / np.maximum(scene.background, 1)
    else:
        share = (scene.grey - scene.background) / np.maximum(255 - scene.background, 1)
    return np.asarray(255 * share.clip(0, 1), np.float32)


def _fit(garment: FloatArray) -> UInt8Array:
    """Resize the garment to 28 pixels, keeping its proportions, centre it, and use the whole range of grey."""
    from PIL import Image

    rows, columns = garment.shape
    scale = HEIGHT / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    small = np.asarray(Image.fromarray(garment).resize(size, Image.Resampling.BOX))
    if small.max() > 0:
        small = small * max(1, _PEAK / small.max())
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    # An odd pixel goes to the left and to the top, as in the data set.
    top, left = (HEIGHT - size[1] + 1) // 2, (WIDTH - size[0] + 1) // 2
    image[top : top + size[1], left : left + size[0]] = np.rint(small)
    return image


def _doubts(scene: _Scene, mask: NDArray[np.bool_], garment: FloatArray) -> tuple[str, ...]:
    longest = max(garment.shape)
    found = {
        "its background is not plain": scene.noise > _NOISY,
        "the garment fills nearly all of it": mask.mean() > _FULL,
        f"the garment is only {longest} pixels long, of the {HEIGHT} that a model sees": longest < HEIGHT,
        "the garment hardly differs from its background": np.percentile(garment, 99) < _FAINT,
    }
    return tuple(doubt for doubt, holds in found.items() if holds)


# -- what predict may be given --------------------------------------------------------------------


class Pictures(NamedTuple):
    """Images, and the names of the files that they come from: None if they do not come from files."""

    images: ImagesLike
    names: tuple[str, ...] | None = None


def read_pictures(x: ImagesLike, name: str = "x") -> Pictures:
    """Read whatever `predict` may be given as a picture or pictures; anything else is returned as it is.

    Args:
        x: A path, a PIL image or a binary file object; a list or tuple in which any of these occur, beside
            arrays as well; the path of a folder; or images in any form that `prepare_images` takes.
        name: Of the argument, for error messages.

    Returns:
        `Pictures`. What was read is uint8 `(n, 28, 28)`, or a list of single images where arrays stood among the
        files. The pictures of a folder come in natural order, named by their file names.

    Raises:
        ValueError: As `load_image`, or if a folder has no pictures.
        TypeError: As `load_image`.
        FileNotFoundError: As `load_image`.
        ImportError: As `load_image`.
    """
    if isinstance(x, str | os.PathLike) and (folder := check_path(x, name)).is_dir():
        files = pictures_in(folder)
        return Pictures(np.stack([load_image(file) for file in files]), tuple(file.name for file in files))
    if _is_source(x):
        return Pictures(load_image(x)[np.newaxis], (name_of(x).strip("'"),))
    if not isinstance(x, list | tuple) or not any(_is_source(item) for item in x):
        return Pictures(x)
    names = tuple(name_of(item).strip("'") if _is_source(item) else f"{name}[{i}]" for i, item in enumerate(x))
    return Pictures([load_image(item) if _is_source(item) else item for item in x], names)


def _is_source(x: object) -> bool:
    """Say whether `x` must be read as a picture, which an array need not."""
    return isinstance(x, str | os.PathLike | bytes | bytearray) or is_pil_image(x) or hasattr(x, "read")
