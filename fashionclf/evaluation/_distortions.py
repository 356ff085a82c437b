"""Corruptions of images: noise, blur, light, compression, geometry and things in front, each in five severities.

Names and strengths are those of the benchmarks: of CIFAR-10-C for images of 32x32 (Hendrycks and Dietterich,
arXiv:1903.12261), of MNIST-C for the rest (Mu and Gilmer, arXiv:1906.02337). Two of MNIST-C's are left out, because no
photograph comes out like that: `stripe` makes a negative of both sides, and `canny_edges` leaves nothing but edges.
"""

# numpy's stubs turn float32 with a Python number into float64, which numpy itself does not
# pyright: reportReturnType=false

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import HEIGHT, WIDTH
from fashionclf._types import FloatArray

_CENTRE: Final = np.float32((WIDTH - 1) / 2)


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise ImportError("Corruptions need OpenCV: run `pip install 'fashionclf[images]'`.") from error
    return cv2


def _each(images: FloatArray, change: Callable[[FloatArray], Any]) -> FloatArray:
    return np.stack([change(image) for image in images]) if len(images) else images


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
    across = np.arange(-8, 9)
    disk = (across[:, np.newaxis] ** 2 + across**2 <= radius**2).astype(np.float32)
    kernel = cv2.GaussianBlur(disk / disk.sum(), (3, 3), smoothing)
    return _each(images, lambda image: cv2.filter2D(image, -1, kernel))


def _glass_blur(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Swap each pixel with one near it, between two slight blurs; the same swaps for all images."""
    deviation, reach, rounds = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))[level]
    cv2 = _opencv()

    def blurred(image: FloatArray) -> Any:
        return cv2.GaussianBlur(image, (5, 5), deviation)

    shuffled = _each(images, blurred)
    for _ in range(rounds):
        for row in range(HEIGHT - 1 - reach, reach - 1, -1):
            for column in range(WIDTH - 1 - reach, reach - 1, -1):
                down, right = rng.integers(-reach, reach + 1, 2)
                here, there = (slice(None), row, column), (slice(None), row + down, column + right)
                shuffled[here], shuffled[there] = shuffled[there].copy(), shuffled[here].copy()
    return _each(shuffled, blurred)


def _motion_blur(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Smear each image along its own direction within 45 degrees of the horizontal, fading out."""
    length, deviation = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[level]
    cv2 = _opencv()
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
    clouds = np.zeros_like(images)
    for octave in range(5):
        drawn = rng.uniform(-1, 1, (len(images), 2**octave + 1, 2**octave + 1)).astype(np.float32)
        clouds += _each(drawn, lambda each: cv2.resize(each, (WIDTH, HEIGHT))) / np.float32(decay**octave)
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    clouds /= np.maximum(clouds.max(axis=(1, 2), keepdims=True), 1e-6)
    brightest = images.max(axis=(1, 2), keepdims=True)
    return np.asarray((images + np.float32(amount) * clouds) * brightest / (brightest + np.float32(amount)))


def _pixelate(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001
    side = int(WIDTH * (0.95, 0.9, 0.85, 0.75, 0.65)[level])
    cv2 = _opencv()

    def coarse(image: FloatArray) -> Any:
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)

    return _each(images, coarse)


def _jpeg_compression(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001
    quality = (80, 65, 58, 50, 40)[level]
    cv2 = _opencv()

    def compressed(image: FloatArray) -> Any:
        content = cv2.imencode(".jpg", np.rint(255 * image).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(content, cv2.IMREAD_GRAYSCALE).astype(np.float32) / np.float32(255)

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

    def changed(image: FloatArray) -> Any:
        side = rng.choice((-1, 1))
        linear = matrix * np.array([[1, side], [side, 1]])  # from a pixel of the result to where it is read
        offset = _CENTRE * (1 - linear.sum(axis=1))
        whole = np.column_stack([linear, offset])
        return cv2.warpAffine(image, whole, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

    return _each(images, changed)


def _translate(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    pixels = level + 1
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels)))
    down, right = 2 * pixels * rng.integers(0, 2, (2, len(images)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (HEIGHT, WIDTH), axis=(1, 2))
    moved: FloatArray = windows[np.arange(len(images)), down, right]
    return moved


def _spatter(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Cover spots with mud of a dark grey."""
    mean, deviation, blur, threshold, edge = (
        (0.65, 0.3, 4, 0.69, 0.6),
        (0.65, 0.3, 3, 0.68, 0.6),
        (0.65, 0.3, 2, 0.68, 0.5),
        (0.65, 0.3, 1, 0.65, 1.5),
        (0.67, 0.4, 1, 0.65, 1.5),
    )[level]
    cv2 = _opencv()

    def spots(noise: FloatArray) -> Any:
        liquid = cv2.GaussianBlur(noise, (0, 0), blur)
        soft = cv2.GaussianBlur((liquid > threshold).astype(np.float32), (0, 0), edge)
        return np.where(soft < 0.8, np.float32(0), soft)

    noise = mean + deviation * rng.standard_normal(images.shape, dtype=np.float32)
    mud = _each(noise.astype(np.float32), spots)
    return images * (1 - mud) + np.float32(63 / 255) * mud


def _dotted_line(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Draw white dotted lines from the left border to the right one, as many as the severity."""

    def dashes(line: FloatArray) -> FloatArray:
        line[:, np.arange(WIDTH) % 4 < 2] = 0
        return line

    def path(rng: np.random.Generator) -> NDArray[Any]:
        return np.column_stack([(0, WIDTH - 1), rng.integers(0, HEIGHT - 1, 2)])

    return _lines(images, level + 1, path, dashes, rng)


def _zigzag(images: FloatArray, level: int, rng: np.random.Generator) -> FloatArray:
    """Draw white zigzag lines across the image, as many as the severity."""

    def path(rng: np.random.Generator) -> NDArray[Any]:
        start = rng.integers(0, HEIGHT - 1)
        across = np.arange(2, WIDTH - 2, 2)
        middle = start + rng.integers(-5, 6) * (across - 2) / (WIDTH - 4)
        return np.column_stack([across, middle + np.resize((0, 2, 0, -2), len(across))])

    return _lines(images, level + 1, path, lambda line: line, rng)


def _lines(
    images: FloatArray,
    count: int,
    path: Callable[[np.random.Generator], NDArray[Any]],
    finish: Callable[[FloatArray], FloatArray],
    rng: np.random.Generator,
) -> FloatArray:
    """Add white lines a pixel wide, each along a path `(n, 2)` of columns and rows."""
    cv2 = _opencv()
    sixteenths = 4  # bits for the fraction of a pixel

    def crossed(image: FloatArray) -> Any:
        changed = image
        for _ in range(count):
            line = np.zeros((HEIGHT, WIDTH), np.uint8)
            points = np.rint(path(rng) * 2**sixteenths).astype(np.int32)
            cv2.polylines(line, [points], isClosed=False, color=255, lineType=cv2.LINE_AA, shift=sixteenths)
            changed = changed + finish(line.astype(np.float32) / np.float32(255))
        return changed.clip(0, 1)

    return _each(images, crossed)


DISTORTIONS: Final[Mapping[str, Callable[[FloatArray, int, np.random.Generator], FloatArray]]] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "defocus_blur": _defocus_blur,
    "glass_blur": _glass_blur,
    "motion_blur": _motion_blur,
    "brightness": _brightness,
    "contrast": _contrast,
    "fog": _fog,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg_compression,
    "rotate": _rotate,
    "shear": _shear,
    "scale": _scale,
    "translate": _translate,
    "spatter": _spatter,
    "dotted_line": _dotted_line,
    "zigzag": _zigzag,
}
