"""Training batches, made by numpy from the raw pixels: shuffled, augmented, scaled.

A batch depends only on the seed, the epoch and its position in the epoch. So a training run is repeatable bit for bit,
whatever thread makes a batch first, and it continues unchanged after an interruption.
"""

import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._images import scale_pixels
from fashionclf._types import FloatArray, ImageArray, IntArray
from fashionclf.augmentation import Augmentation, cut_and_mix

_SHUFFLING: Final = 0


_AUGMENTING: Final = 1


_MIXING: Final = 2


@dataclass(frozen=True)
class BatchChange:
    """What is done to a batch of checked images before a training step: augmentation, CutMix, scaling.

    Its random numbers depend only on the seed, the epoch and the position of the batch in it.
    """

    seed: int
    augmentation: Augmentation | None
    cutmix: float
    image_shape: tuple[int, ...]
    least: int = 1

    def __call__(
        self, images: ImageArray, arrays: Sequence[NDArray[Any]], epoch: int, step: int
    ) -> tuple[NDArray[Any], ...]:
        """Return `(images, targets)` or `(images, targets, weights)`; the arrays given may change.

        Images of a batch with fewer than `least` are repeated: every device needs one.
        """
        if len(images) < self.least:
            repeated = np.resize(np.arange(len(images)), self.least)
            images, arrays = images[repeated], [array[repeated] for array in arrays]
        if self.augmentation is not None:
            rng = np.random.default_rng((self.seed, _AUGMENTING, epoch, step))
            images = self.augmentation.apply(images, rng)
        if self.cutmix:
            rng = np.random.default_rng((self.seed, _MIXING, epoch, step))
            arrays = cut_and_mix(images, *arrays, probability=self.cutmix, rng=rng)
        return (scale_pixels(images).reshape(-1, *self.image_shape), *arrays)


class BatchSource:
    """Batches of checked images with their targets and weights.

    Attributes:
        epoch: The current epoch, from 0; a callback sets it.
        steps_per_epoch: Number of batches.
    """

    def __init__(
        self,
        images: ImageArray,
        targets: NDArray[Any],
        weights: FloatArray | None = None,
        *,
        batch_size: int,
        image_shape: tuple[int, ...],
        seed: int,
        augmentation: Augmentation | None = None,
        cutmix: float = 0.0,
        least: int = 1,
    ) -> None:
        self.arrays = (targets,) if weights is None else (targets, weights)
        self.images = images
        self.batch_size = min(batch_size, len(images))
        self.steps_per_epoch = -(-len(images) // self.batch_size)
        self._seed = seed
        self._change = BatchChange(seed, augmentation, cutmix, image_shape, least)
        self._order = functools.lru_cache(maxsize=2)(self._draw_order)
        self.image_shape = image_shape
        self.epoch = 0

    @property
    def fingerprint(self) -> list[Any]:
        """What must be the same for an interrupted fit to go on."""
        return [zlib.crc32(array.tobytes()) for array in (self.images, *self.arrays)]

    def batch(self, step: int) -> tuple[NDArray[Any], ...]:
        """Return `(images, targets)` or `(images, targets, weights)`, batch number `step` of the epoch."""
        index = self._order(self.epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        arrays = [array[index] for array in self.arrays]
        return self._change(self.images[index], arrays, self.epoch, step)

    def _draw_order(self, epoch: int) -> IntArray:
        return np.random.default_rng((self._seed, _SHUFFLING, epoch)).permutation(len(self.images))
