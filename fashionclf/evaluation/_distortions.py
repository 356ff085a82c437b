"""Corruptions of images: noise, blur, light, compression, geometry and things in front, each in five severities.

Each function takes float32 images in [0, 1], `(n, height, width)` in grey or `(n, height, width, 3)` in colour, a level
from 0 to 4 and a random generator. Lengths in pixels are for MNIST's images and grow with the size of the image.

Names and strengths are those of the benchmarks: of CIFAR-10-C for images of 32x32 (Hendrycks and Dietterich,
arXiv:1903.12261), of MNIST-C for the rest (Mu and Gilmer, arXiv:1906.02337). Two of MNIST-C's are left out, because no
photograph comes out like that: `stripe` makes a negative of both sides, and `canny_edges` leaves nothing but edges.
"""

# numpy's stubs turn float32 with a Python number into float64, which numpy itself does not
# pyright: reportReturnType=false

import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import IMAGE_SHAPE
from fashionclf._text import advice
from fashionclf._types import FloatArray
from fashionclf.augmentation import move

_EDGE: Final = IMAGE_SHAPE[0]  # pixels of the images that the lengths below are for


def _opencv() -> ModuleType:
    with advice("Corruptions need OpenCV", "images"):
        import cv2
    return cv2


def _growth(images: FloatArray) -> float:
    """Return the factor of all lengths for images of this size."""
    return float(min(images.shape[1:3])) / _EDGE


def _pixels(length: float) -> int:
    return max(1, round(length))


def _each(images: FloatArray, change: Callable[[FloatArray], Any]) -> FloatArray:
    return np.stack([change(image) for image in images]) if len(images) else images


def _for_all_channels(pixels: FloatArray, images: FloatArray) -> FloatArray:
    """Return `(n, height, width)` in a shape that goes with images in colour as well."""
    return pixels if images.ndim == 3 else pixels[..., np.newaxis]


def _gaussian_noise(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    deviation = np.float32((0.04, 0.06, 0.08, 0.09, 0.10)[level])
    return images + deviation * rng.standard_normal(images.shape, dtype=np.float32)


def _shot_noise(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    photons = (500, 250, 100, 75, 50)[level]
    return (rng.poisson(images * photons) / photons).astype(np.float32)


def _impulse_noise(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[level]
    drawn = rng.random(images.shape)
    return np.where(drawn < share / 2, np.float32(0), np.where(drawn > 1 - share / 2, np.float32(1), images))


def _defocus_blur(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001  # of all
    """Convolve with a disk, itself smoothed."""
    radius, smoothing = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[level]
    cv2 = _opencv()
    radius *= _growth(images)
    reach = max(8, math.ceil(radius))
    across = np.arange(-reach, reach + 1)
    disk = (across[:, np.newaxis] ** 2 + across**2 <= radius**2).astype(np.float32)
    kernel = cv2.GaussianBlur(disk / disk.sum(), (3, 3), smoothing)
    return _each(images, lambda image: cv2.filter2D(image, -1, kernel))


def _glass_blur(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Swap each pixel with one near it, between two slight blurs; the same swaps for all images."""
    deviation, reach, rounds = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))[level]
    cv2 = _opencv()
    height, width = images.shape[1:3]
    reach, deviation = _pixels(reach * _growth(images)), deviation * _growth(images)
    side = 2 * max(2, math.ceil(3 * deviation)) + 1

    def blurred(image: FloatArray) -> Any:
        return cv2.GaussianBlur(image, (side, side), deviation)

    shuffled = _each(images, blurred)
    for _ in range(rounds):
        for row in range(height - 1 - reach, reach - 1, -1):
            for column in range(width - 1 - reach, reach - 1, -1):
                down, right = rng.integers(-reach, reach + 1, 2)
                here, there = (slice(None), row, column), (slice(None), row + down, column + right)
                shuffled[here], shuffled[there] = shuffled[there].copy(), shuffled[here].copy()
    return _each(shuffled, blurred)


def _motion_blur(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Smear each image along its own direction within 45 degrees of the horizontal, fading out."""
    length, deviation = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[level]
    cv2 = _opencv()
    length, deviation = _pixels(length * _growth(images)), deviation * _growth(images)
    steps = np.arange(length + 1)
    weights = np.exp(-0.5 * (steps / deviation) ** 2)
    size = 2 * length + 1

    def smeared(image: FloatArray) -> Any:
        angle = np.deg2rad(rng.uniform(-45, 45))
        kernel = np.zeros((size, size), np.float32)
        rows, columns = np.rint(length + steps * np.sin(angle)), np.rint(length + steps * np.cos(angle))
        np.add.at(kernel, (rows.astype(int), columns.astype(int)), weights)
        return cv2.filter2D(image, -1, kernel / kernel.sum())

    return _each(images, smeared)


def _brightness(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001
    return np.asarray(images + np.float32((0.05, 0.1, 0.15, 0.2, 0.3)[level]))


def _contrast(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001
    mean = images.mean(axis=(1, 2), keepdims=True)
    return np.asarray((images - mean) * np.float32((0.75, 0.5, 0.4, 0.3, 0.15)[level]) + mean)


def _fog(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Add clouds (noise whose octaves get weaker) and make the whole as dark again as it was."""
    amount, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[level]
    cv2 = _opencv()
    count, height, width = images.shape[:3]
    clouds = np.zeros((count, height, width), np.float32)
    for octave in range(5):
        drawn = rng.uniform(-1, 1, (count, 2**octave + 1, 2**octave + 1)).astype(np.float32)
        clouds += _each(drawn, lambda each: cv2.resize(each, (width, height))) / np.float32(decay**octave)
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    clouds /= np.maximum(clouds.max(axis=(1, 2), keepdims=True), 1e-6)
    brightest = images.max(axis=tuple(range(1, images.ndim)), keepdims=True)
    clouded = images + np.float32(amount) * _for_all_channels(clouds, images)
    return np.asarray(clouded * brightest / (brightest + np.float32(amount)))


def _pixelate(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[level]
    cv2 = _opencv()
    height, width = images.shape[1:3]
    coarser = (max(1, int(width * share)), max(1, int(height * share)))

    def coarse(image: FloatArray) -> Any:
        small = cv2.resize(image, coarser, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)

    return _each(images, coarse)


def _jpeg_compression(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001
    quality = (80, 65, 58, 50, 40)[level]
    cv2 = _opencv()
    in_colour = images.ndim == 4
    mode = cv2.IMREAD_COLOR if in_colour else cv2.IMREAD_GRAYSCALE

    def compressed(image: FloatArray) -> Any:
        pixels = np.rint(255 * image).astype(np.uint8)
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if in_colour else pixels
        decoded = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], mode)
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB) if in_colour else decoded
        return decoded.astype(np.float32) / np.float32(255)

    return _each(images, compressed)


def _rotate(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    angle = (0.2, 0.4, 0.6, 0.8, 1.0)[level]  # radians
    cosine, sine = np.cos(angle), np.sin(angle)
    return _transformed(images, np.array([[cosine, -sine], [sine, cosine]]), rng)


def _shear(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    angle = (0.2, 0.4, 0.6, 0.8, 1.0)[level]
    return _transformed(images, np.array([[1, -np.sin(angle)], [0, np.cos(angle)]]), rng)


def _scale(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    return _transformed(images, np.eye(2) / (0.9, 0.8, 0.7, 0.6, 0.5)[level], rng)


def _transformed(images: FloatArray, matrix: NDArray[Any], rng: np.random.Generator) -> FloatArray:
    """Apply a linear map about the centre, that of the mirror image to half of the images."""
    cv2 = _opencv()
    size = images.shape[2], images.shape[1]
    centre = (np.array(size) - 1) / 2

    def changed(image: FloatArray) -> Any:
        side = rng.choice((-1, 1))
        linear = matrix * np.array([[1, side], [side, 1]])  # from a pixel of the result to where it is read
        whole = np.column_stack([linear, centre - linear @ centre])
        return cv2.warpAffine(image, whole, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

    return _each(images, changed)


def _translate(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    pixels = _pixels((level + 1) * _growth(images))
    down, right = pixels * (1 - 2 * rng.integers(0, 2, (2, len(images))))
    moved: Any = move(images.reshape(*images.shape[:3], -1), down, right)
    return np.asarray(moved.reshape(images.shape))


def _spatter(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Cover spots with mud: brown, or of a dark grey."""
    mean, deviation, blur, threshold, edge = (
        (0.65, 0.3, 4, 0.69, 0.6),
        (0.65, 0.3, 3, 0.68, 0.6),
        (0.65, 0.3, 2, 0.68, 0.5),
        (0.65, 0.3, 1, 0.65, 1.5),
        (0.67, 0.4, 1, 0.65, 1.5),
    )[level]
    cv2 = _opencv()
    growth = _growth(images)
    deviation *= growth  # blurring by more takes away as much
    colour = np.float32(63 / 255) if images.ndim == 3 else np.array((63, 42, 20), np.float32) / np.float32(255)

    def spots(noise: FloatArray) -> Any:
        liquid = cv2.GaussianBlur(noise, (0, 0), blur * growth)
        soft = cv2.GaussianBlur((liquid > threshold).astype(np.float32), (0, 0), edge * growth)
        return np.where(soft < 0.8, np.float32(0), soft)

    noise = mean + deviation * rng.standard_normal(images.shape[:3], dtype=np.float32)
    mud = _for_all_channels(_each(noise.astype(np.float32), spots), images)
    return images * (1 - mud) + colour * mud


def _dotted_line(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Draw white dotted lines from the left border to the right one, as many as the severity."""
    height, width = images.shape[1:3]
    gaps = np.arange(width) // _pixels(2 * _growth(images)) % 2 == 0

    def dashes(line: FloatArray) -> FloatArray:
        line[:, gaps] = 0
        return line

    def path(rng: np.random.Generator) -> NDArray[Any]:
        return np.column_stack([(0, width - 1), rng.integers(0, max(1, height - 1), 2)])

    return _lines(images, level + 1, path, dashes, rng)


def _zigzag(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Draw white zigzag lines across the image, as many as the severity."""
    height, width = images.shape[1:3]
    step = 2 * _growth(images)

    def path(rng: np.random.Generator) -> NDArray[Any]:
        start = rng.integers(0, max(1, height - 1))
        across = np.arange(step, width - step, step)
        middle = start + rng.integers(-5, 6) * _growth(images) * (across - step) / (width - 2 * step)
        return np.column_stack([across, middle + step * np.resize((0, 1, 0, -1), len(across))])

    return _lines(images, level + 1, path, lambda line: line, rng)


def _lines(
    images: FloatArray,
    count: int,
    path: Callable[[np.random.Generator], NDArray[Any]],
    finish: Callable[[FloatArray], FloatArray],
    rng: np.random.Generator,
) -> FloatArray:
    """Add white lines, a pixel wide in MNIST's images, each along a path `(n, 2)` of columns and rows."""
    cv2 = _opencv()
    thickness = _pixels(_growth(images))
    sixteenths = 4  # bits for the fraction of a pixel

    def crossed(image: FloatArray) -> Any:
        changed = image
        for _ in range(count):
            line = np.zeros(image.shape[:2], np.uint8)
            points = np.rint(path(rng) * 2**sixteenths).astype(np.int32)
            cv2.polylines(line, [points], False, 255, thickness, cv2.LINE_AA, sixteenths)
            drawn = finish(line.astype(np.float32) / np.float32(255))
            changed = changed + (drawn if image.ndim == 2 else drawn[..., np.newaxis])
        return changed.clip(0, 1)

    return _each(images, crossed)


_ALL: Final = (
    *(_gaussian_noise, _shot_noise, _impulse_noise, _defocus_blur, _glass_blur, _motion_blur, _brightness, _contrast),
    *(_fog, _pixelate, _jpeg_compression, _rotate, _shear, _scale, _translate, _spatter, _dotted_line, _zigzag),
)
DISTORTIONS: Final[Mapping[str, Callable[[FloatArray, int, np.random.Generator], FloatArray]]] = {
    function.__name__.removeprefix("_"): function for function in _ALL
}
