"""Training batches, made by numpy from the raw pixels: shuffled, augmented, scaled.

What batch number `step` holds depends on the seed and on `step` alone, so that a training repeats bit for
bit, whatever the order in which threads make the batches, and goes on unchanged after an interruption.
"""

import functools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fashionclf._types import FloatArray, ImageArray, IntArray
from fashionclf._validation import scale_pixels
from fashionclf.preprocessing import Augmentation

_SHUFFLING: Final = 0
_AUGMENTING: Final = 1


class BatchSource:
    """Batches of checked images with their targets and weights, epoch after epoch."""

    def __init__(
        self,
        images: ImageArray,
        targets: NDArray[Any],
        weights: FloatArray | None = None,
        *,
        batch_size: int,
        seed: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.arrays = (targets,) if weights is None else (targets, weights)
        self.images = images
        self.batch_size = min(batch_size, len(images))
        self.steps_per_epoch = -(-len(images) // self.batch_size)
        self._seed = seed
        self._augmentation = augmentation
        self._order = functools.lru_cache(maxsize=2)(self._draw_order)  # an epoch and the one prefetched

    def batch(self, step: int) -> tuple[NDArray[Any], ...]:
        """Return `(images, targets)` or `(images, targets, weights)` of a step counted over all epochs."""
        epoch, place = divmod(int(step), self.steps_per_epoch)
        index = self._order(epoch)[place * self.batch_size : (place + 1) * self.batch_size]
        images = self.images[index]
        if self._augmentation is not None:
            images = self._augmentation.apply(images, np.random.default_rng((self._seed, _AUGMENTING, step)))
        return (scale_pixels(images), *(array[index] for array in self.arrays))

    def _draw_order(self, epoch: int) -> IntArray:
        return np.random.default_rng((self._seed, _SHUFFLING, epoch)).permutation(len(self.images))
