"""Augmentation: random changes to training images, made by numpy for a whole batch at once."""

# numpy's stubs turn float32 with a Python number into float64, which numpy itself does not
# pyright: reportAssignmentType=false, reportArgumentType=false

import functools
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import check_images
from fashionclf._types import FillMode, FloatArray, ImageArray, ImagesLike, IntArray
from fashionclf._validation import check_choice, check_count, check_flag, check_number, check_seed

FILL_MODES: Final = ("constant", "nearest")

_FROM_0_TO_1: Final = ("erasing", "noise", "zoom", "shear", "contrast", "brightness", "saturation")
_LARGEST: Final = {**dict.fromkeys(_FROM_0_TO_1, 1), "rotation": 180, "blur": 3}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes to training images that keep their class.

    Call it for a changed copy of images. `Trainer.fit(augment=...)` applies it to every batch, with new random numbers
    each time. The channels of an image in colour change together.

    Args:
        horizontal_flip: Flip left and right, with probability 1/2. Not for digits.
        max_shift: Move by up to this many pixels in each direction, fewer than an edge of the images has.
        erasing: Probability, from 0 to 1, of overwriting one random rectangle (2 to 33 % of the area, sides
            in a ratio of 0.3 to 3.3) with random pixels: Zhong et al., "Random Erasing Data Augmentation",
            arXiv:1708.04896.
        noise: Largest standard deviation, from 0 to 1, of Gaussian noise on pixels in [0, 1]. Each image gets its own
            deviation, drawn uniformly from 0 to this, and each value its own noise; pixels are clipped to [0, 1].
        rotation: Rotate by up to this many degrees either way, 0 to 180.
        zoom: Enlarge or shrink by up to this share of the size, 0 up to 1, each axis by its own factor.
        shear: Slant by up to this share of the height either way, 0 to 1: the tangent of the largest angle.
        contrast: Multiply the distance of each pixel from the image's mean by a factor between `1 - contrast` and
            `1 + contrast`, 0 to 1.
        brightness: Add a level between `-brightness` and `brightness`, 0 to 1, to pixels in [0, 1].
        saturation: Multiply the distance of each colour from grey by a factor between `1 - saturation` and
            `1 + saturation`, 0 to 1. Images in grey stay as they are.
        blur: Largest standard deviation of a Gaussian blur, 0 to 3 pixels; each image gets its own.
        fill_mode: What moves in from outside, in Keras's words: `"constant"`, zeros, as around the garments of
            Fashion-MNIST; or `"nearest"`, the pixels of the edge, for photographs.

    Raises:
        ValueError: If a value is out of range.

    Example:
        >>> import numpy as np
        >>> augment = Augmentation(horizontal_flip=True, max_shift=2, erasing=0.25)
        >>> augment(np.zeros((5, 64, 48, 3), dtype="uint8"), seed=0).shape
        (5, 64, 48, 3)
    """

    horizontal_flip: bool = True
    max_shift: int = 2
    erasing: float = 0.0
    noise: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    saturation: float = 0.0
    blur: float = 0.0
    fill_mode: FillMode = "constant"

    def __post_init__(self) -> None:
        keep = functools.partial(object.__setattr__, self)  # plain Python values, which JSON takes
        keep("horizontal_flip", check_flag(self.horizontal_flip, "horizontal_flip"))
        keep("max_shift", check_count(self.max_shift, "max_shift", minimum=0))
        for name, high in _LARGEST.items():
            value = check_number(getattr(self, name), name, low=0, high=high, open_high=name == "zoom")
            keep(name, value)
        check_choice(self.fill_mode, "fill_mode", FILL_MODES)

    def __call__(self, images: ImagesLike, *, seed: int | None = None) -> ImageArray:
        """Return a changed copy of images.

        Args:
            images: Images in any form that `prepare_images` takes.
            seed: From 0 to 2**32 - 1; the same seed gives the same changes. None draws fresh entropy.

        Returns:
            An array `(n, height, width, channels)`: uint8 0..255 if integers came in, else float32 in [0, 1].

        Raises:
            ValueError: As `prepare_images`, or if `max_shift` is as large as an edge of the images.
        """
        return self.apply(check_images(images).copy(), np.random.default_rng(check_seed(seed)))

    def apply(self, images: ImageArray, rng: np.random.Generator) -> ImageArray:
        """Change checked images `(n, height, width, channels)`, partly in place, as the training loop does."""
        height, width = images.shape[1:3]
        if self.max_shift >= min(height, width):
            raise ValueError(
                f"`max_shift` must be below the shorter edge of the images, which are {height}x{width} pixels. "
                f"Received: {self.max_shift}"
            )
        if self.horizontal_flip:
            flipped = rng.random(len(images)) < 0.5
            images[flipped] = images[flipped, :, ::-1]
        if self.max_shift:
            down, right = self.max_shift - rng.integers(0, 2 * self.max_shift + 1, size=(2, len(images)))
            images = move(images, down, right, self.fill_mode)
        if self.rotation or self.zoom or self.shear:
            images = _transformed(images, self.rotation, self.zoom, self.shear, self.fill_mode, rng)
        if self.erasing:
            _erase(images, self.erasing, rng)
        if self.blur:
            images = _blurred(images, self.blur, rng)
        if self.contrast or self.brightness:
            images = _relit(images, self.contrast, self.brightness, rng)
        if self.saturation and images.shape[-1] > 1:
            images = _saturated(images, self.saturation, rng)
        return _noisy(images, self.noise, rng) if self.noise else images


def move(images: ImageArray, down: IntArray, right: IntArray, fill_mode: FillMode = "constant") -> ImageArray:
    """Move each checked image by its own number of pixels, negative for up or left."""
    reach = int(max(np.abs(down).max(), np.abs(right).max()))
    padded = _padded(images, reach, fill_mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[1:], axis=(1, 2, 3))
    moved: ImageArray = windows[np.arange(len(images)), reach - down, reach - right, 0]
    return moved


def _padded(images: ImageArray, width: int, fill_mode: FillMode) -> ImageArray:
    edges = ((0, 0), (width, width), (width, width), (0, 0))
    padded: Any = np.pad(images, edges, mode="edge") if fill_mode == "nearest" else np.pad(images, edges)
    return padded  # type: ignore[no-any-return]


def cut_and_mix(
    images: ImageArray,
    targets: FloatArray,
    weights: FloatArray | None = None,
    *,
    probability: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, ...]:
    """Paste boxes of other images into checked images, in place; return the mixed targets and weights (CutMix).

    The loss of a mixed image is that of its two labels, each by its area and by the weight of the image it came with.
    """
    chosen = np.flatnonzero(rng.random(len(images)) < probability)
    other = rng.permutation(len(images))[chosen]
    side = np.sqrt(rng.random(len(chosen)))
    size = images.shape[1:3]
    height, width = (np.rint(side * edge).astype(np.int64) for edge in size)
    box = _boxes(height, width, size, rng)
    images[chosen] = np.where(box, images[other], images[chosen])
    share = box.mean(axis=(1, 2, 3), dtype=np.float32)
    before = np.ones(len(images), dtype=np.float32) if weights is None else weights
    parts = np.stack([(1 - share) * before[chosen], share * before[other]])
    mixed = targets.copy()
    total = np.maximum(parts.sum(axis=0), np.finfo(np.float32).tiny)  # 0 where the target does not matter
    mixed[chosen] = np.einsum("pn,pnk->nk", parts / total, np.stack([targets[chosen], targets[other]]))
    if weights is None:
        return (mixed,)
    after = weights.copy()
    after[chosen] = parts.sum(axis=0)
    return mixed, after


def _erase(images: ImageArray, probability: float, rng: np.random.Generator) -> None:
    size = images.shape[1:3]
    chosen = np.flatnonzero(rng.random(len(images)) < probability)
    area = rng.uniform(0.02, 0.33, len(chosen)) * math.prod(size)
    ratio = np.exp(rng.uniform(np.log(0.3), np.log(3.3), len(chosen)))
    height = np.clip(np.rint(np.sqrt(area * ratio)), 1, size[0]).astype(np.int64)
    width = np.clip(np.rint(np.sqrt(area / ratio)), 1, size[1]).astype(np.int64)
    box = _boxes(height, width, size, rng)
    part = images[chosen]
    noise: ImageArray = (
        rng.integers(0, 256, part.shape, dtype=np.uint8)
        if part.dtype == np.uint8
        else rng.random(part.shape, dtype=np.float32)
    )
    images[chosen] = np.where(box, noise, part)


def _transformed(
    images: ImageArray, degrees: float, zoom: float, shear: float, fill_mode: FillMode, rng: np.random.Generator
) -> ImageArray:
    """Slant, rotate and resize each image about its centre, with bilinear interpolation."""
    height, width, channels = images.shape[1:]
    angle = np.deg2rad(rng.uniform(-degrees, degrees, len(images))).astype(np.float32)[:, np.newaxis, np.newaxis]
    size = rng.uniform(1 - zoom, 1 + zoom, (2, len(images), 1, 1)).astype(np.float32)
    down, right = np.mgrid[:height, :width].astype(np.float32)
    down, right = down - np.float32((height - 1) / 2), right - np.float32((width - 1) / 2)
    if shear:  # no random number is drawn without it: older recipes stay repeatable
        right = right + rng.uniform(-shear, shear, (len(images), 1, 1)).astype(np.float32) * down
    # Where each pixel of the changed image comes from.
    rows = (np.cos(angle) * down + np.sin(angle) * right) / size[0] + (height - 1) / 2
    columns = (np.cos(angle) * right - np.sin(angle) * down) / size[1] + (width - 1) / 2
    padded = _padded(images, 1, fill_mode)  # all that is outside is read there
    rows, columns = rows.clip(-1, height - 0.001) + 1, columns.clip(-1, width - 0.001) + 1
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    lower, later = ((place - whole)[..., np.newaxis] for place, whole in ((rows, top), (columns, left)))
    first = (np.arange(len(images))[:, np.newaxis, np.newaxis] * padded.shape[1] + top) * padded.shape[2] + left
    pixels = padded.reshape(-1, channels)

    def read(index: IntArray) -> Any:
        return pixels.take(index, axis=0) * (1 - later) + pixels.take(index + 1, axis=0) * later

    return _as_before(read(first) * (1 - lower) + read(first + padded.shape[2]) * lower, images)


def _blurred(images: ImageArray, largest: float, rng: np.random.Generator) -> ImageArray:
    """Blur each image along both axes, by a matrix that holds the Gaussian around each pixel."""
    deviation = np.maximum(rng.uniform(0, largest, (len(images), 1, 1)).astype(np.float32), np.float32(0.1))

    def gaussian(distance: IntArray) -> Any:
        return np.exp(-0.5 * (distance.astype(np.float32) / deviation) ** 2)

    def kernel(size: int) -> Any:
        place = np.arange(size)
        return gaussian(np.subtract.outer(place, place)) / total  # beyond the border are zeros

    total = gaussian(np.arange(-14, 14)[np.newaxis]).sum(axis=2, keepdims=True)  # further away there is next to nothing
    channels = [images[..., i].astype(np.float32) for i in range(images.shape[-1])]
    rows, columns = kernel(images.shape[1]), kernel(images.shape[2])
    return _as_before(np.stack([rows @ channel @ columns for channel in channels], axis=-1), images)


def _relit(images: ImageArray, contrast: float, brightness: float, rng: np.random.Generator) -> ImageArray:
    """Change the contrast about each image's mean, then the brightness."""
    factor = rng.uniform(1 - contrast, 1 + contrast, (len(images), 1, 1, 1)).astype(np.float32)
    added = rng.uniform(-brightness, brightness, (len(images), 1, 1, 1)).astype(np.float32)
    top = np.float32(255 if images.dtype == np.uint8 else 1)
    pixels = images.astype(np.float32)
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    return _as_before((pixels - mean) * factor + mean + added * top, images)


def _saturated(images: ImageArray, largest: float, rng: np.random.Generator) -> ImageArray:
    """Change how far the colours of each image are from grey."""
    factor = rng.uniform(1 - largest, 1 + largest, (len(images), 1, 1, 1)).astype(np.float32)
    pixels = images.astype(np.float32)
    grey = pixels.mean(axis=3, keepdims=True)
    return _as_before((pixels - grey) * factor + grey, images)


def _noisy(images: ImageArray, largest: float, rng: np.random.Generator) -> ImageArray:
    deviation = rng.uniform(0, largest, (len(images), 1, 1, 1)).astype(np.float32)
    top = np.float32(255 if images.dtype == np.uint8 else 1)
    noise = deviation * rng.standard_normal(images.shape, dtype=np.float32)
    return _as_before(images + top * noise, images)


def _as_before(pixels: FloatArray, images: ImageArray) -> ImageArray:
    """Return changed pixels in the type of the images, clipped to its range."""
    if images.dtype == np.uint8:
        rounded: ImageArray = np.rint(pixels.clip(0, 255)).astype(np.uint8)
        return rounded
    return pixels.clip(0, 1).astype(np.float32)


def _boxes(height: IntArray, width: IntArray, size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark a box of each height and width at a random place of an image of this size: `(n, *size, 1)`."""
    rows, columns = _spans(height, size[0], rng), _spans(width, size[1], rng)
    return rows[:, :, np.newaxis, np.newaxis] & columns[:, np.newaxis, :, np.newaxis]


def _spans(lengths: IntArray, size: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark a run of each length at a random place on an axis of `size` pixels: `(n, size)`."""
    start = rng.integers(0, size - lengths + 1)[:, np.newaxis]
    place = np.arange(size)
    return (place >= start) & (place < start + lengths[:, np.newaxis])
