"""Drawing synthetic images: coordinates, edges and textures for a batch at once.

Only operations that IEEE 754 rounds exactly are used (no sin, exp or power), and numpy's frozen
`RandomState`: an image is the same, bit for bit, on every machine.
"""

# numpy's stubs turn float32 with a Python number into float64, which numpy itself does not
# pyright: reportAttributeAccessIssue=false, reportReturnType=false

import itertools
from typing import Final

import numpy as np

from fashionclf._types import FloatArray, UInt8Array

SIZE: Final = 28


def ramp(t: FloatArray, t0: FloatArray | float, t1: FloatArray | float) -> FloatArray:
    """0 before `t0`, 1 after `t1`, a straight line between."""
    share: FloatArray = np.clip((t - t0) / (t1 - t0), np.float32(0), np.float32(1))
    return share


def profile(t: FloatArray, *points: tuple[FloatArray | float, FloatArray | float]) -> FloatArray:
    """The line through points `(t, value)`, level before the first and after the last."""
    line = np.zeros_like(t) + points[0][1]
    for (t0, before), (t1, after) in itertools.pairwise(points):
        line = line + (after - before) * ramp(t, t0, t1)
    return line.astype(np.float32, copy=False)


def between(t: FloatArray, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
    """How much of each pixel lies between two edges."""
    share: FloatArray = np.clip(np.minimum(t - low, high - t) + np.float32(0.5), np.float32(0), np.float32(1))
    return share


def wave(t: FloatArray, period: FloatArray) -> FloatArray:
    """A triangle wave from 0 to 1."""
    turns = t / period
    height: FloatArray = np.abs((turns - np.floor(turns)) * np.float32(2) - np.float32(1))
    return height


def arch(t: FloatArray) -> FloatArray:
    """A half circle over -1..1."""
    height: FloatArray = np.sqrt(np.maximum(np.float32(1) - t * t, np.float32(0)))
    return height


class Sheet:
    """A batch of blank images in a garment's own coordinates, about 0..27 on both axes.

    The coordinates contain the position, scale and slant of each image, so the code of a garment does not need them.
    `along` is the axis of the profile, `(count, 28, 1)`; `across` the signed distance from it,
    `(count, 28, 28)`; `flat` the same without the slant, `(count, 1, 28)`. Random numbers have shape `(count, 1, 1)`.
    """

    def __init__(self, rng: np.random.RandomState, count: int) -> None:
        self.rng = rng
        self.count = count
        grid = np.arange(SIZE, dtype=np.float32) - np.float32(13.5)
        scale = self.vary(0.92, 1.06)
        lines = (grid[:, None] - self.vary(-1.2, 1.2)) / scale
        self.along: FloatArray = lines + np.float32(13.5)
        self.flat: FloatArray = (grid - self.vary(-1.6, 1.6)) / (scale * self.vary(0.94, 1.06))
        self.across: FloatArray = self.flat - lines * self.vary(-0.07, 0.07)
        self.cover = np.zeros((count, SIZE, SIZE), np.float32)
        self.shade = np.ones((count, SIZE, SIZE), np.float32)
        self.sideways = False

    def vary(self, low: float, high: float) -> FloatArray:
        """A number from `low` to `high` for each image."""
        return self.rng.uniform(low, high, (self.count, 1, 1)).astype(np.float32)

    def some(self, share: float) -> FloatArray:
        """1 for about `share` of the images, 0 for the others."""
        return (self.rng.uniform(0, 1, (self.count, 1, 1)) < share).astype(np.float32)

    def contrast(self, low: float, high: float) -> FloatArray:
        """A strength for `tint` of either sign: a detail may be darker or brighter than its cloth."""
        return self.vary(low, high) * (np.float32(1) - np.float32(1.6) * self.some(0.5))

    def add(self, part: FloatArray) -> None:
        """Put a piece of cloth on the image."""
        np.maximum(self.cover, part, out=self.cover)

    def tint(self, part: FloatArray, strength: FloatArray | float) -> None:
        """Darken (or, below 0, brighten) a region."""
        self.shade *= np.float32(1) - part * strength

    def texture(self, stripes: float, checks: float) -> None:
        """Give the cloth soft folds and some of the images stripes or checks."""
        lines = self.some(stripes + checks) * self.vary(0.15, 0.7)
        columns = (self.some(checks) + self.some(0.05)) * self.vary(0.15, 0.55)
        rows = lines * (wave(self.along, self.vary(2.5, 7)) > self.vary(0.3, 0.7))
        folds = self.vary(0, 0.25) * wave(self.flat + self.vary(0, 9), self.vary(5, 14))
        bars = columns * (wave(self.flat, self.vary(2.5, 6)) > self.vary(0.3, 0.7))
        fade = self.vary(-0.012, 0.012) * (self.along - np.float32(13.5))
        self.shade *= (np.float32(1) - rows) * (np.float32(1) + fade)
        self.shade *= (np.float32(1) - bars) * (np.float32(1) - folds)

    def develop(self) -> UInt8Array:
        """Turn cover and shade into pixels, with brightness and speckle."""
        light = np.maximum(self.vary(0.3, 1.05), self.some(0.5) * self.vary(0.8, 1.05))
        noise = np.frombuffer(self.rng.bytes(self.cover.size), np.uint8).reshape(self.cover.shape)
        speckle = (noise.astype(np.float32) - np.float32(127.5)) * (
            self.vary(0.02, 0.15) + self.some(0.08) * self.vary(0.15, 0.4)
        )
        pixels = self.cover * (self.shade * (light * np.float32(250)) + speckle)
        images: UInt8Array = np.clip(pixels + np.float32(0.5), np.float32(0), np.float32(255)).astype(np.uint8)
        return images.transpose(0, 2, 1) if self.sideways else images
