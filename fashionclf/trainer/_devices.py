"""Models on several devices, by a strategy of `tf.distribute`. Each gets a part of each batch.

Every part needs at least one image: without any, convolutions raise an error and the mean loss is NaN.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from fashionclf.trainer._compilation import num_devices


class SharedAverages(keras.callbacks.Callback):
    """Make moving averages, such as those of batch normalisation, equal on all devices.

    Each updates its own by the parts that it gets, and would evaluate with, and end with, others.
    """

    @override
    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Share them before validation."""
        share_averages(self.model)

    @override
    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Share them where there is no validation."""
        share_averages(self.model)


def share_averages(model: keras.Model) -> None:
    """Set every weight that is not trained to its mean over devices."""
    strategy = model.distribute_strategy
    weights = model.non_trainable_weights
    if num_devices(model) == 1 or not weights:
        return

    def flat() -> Any:  # float64, so that the mean of equal numbers is that number
        return tf.concat([tf.reshape(tf.cast(weight.value, tf.float64), [-1]) for weight in weights], axis=0)

    means = strategy.reduce("MEAN", strategy.run(flat), axis=None).numpy()
    ends = np.cumsum([np.prod(weight.shape, dtype=int) for weight in weights])
    for weight, part in zip(weights, np.split(means, ends[:-1]), strict=True):
        weight.assign(part.reshape(weight.shape).astype(weight.dtype))


def evaluation_batch_size(num_images: int, batch_size: int, devices: int) -> int:
    """Return the largest batch size, up to `batch_size`, with which every batch has an image for each device."""
    _check_number(num_images, devices)
    sizes = range(max(batch_size, devices), devices - 1, -1)
    return next(size for size in sizes if num_images % size == 0 or num_images % size >= devices)


def shared_evenly(batches: Iterable[tuple[Any, ...]], devices: int) -> Iterator[tuple[Any, ...]]:
    """Give batches of arrays. One with fewer images than there are devices gets some of the batch before it."""
    before: tuple[Any, ...] | None = None
    for batch in batches:
        if before is not None:
            lacking = devices - len(batch[0])
            if lacking > 0:
                batch = tuple(np.concatenate([a[-lacking:], b]) for a, b in zip(before, batch, strict=True))
                before = tuple(array[:-lacking] for array in before)
            _check_number(len(before[0]), devices)
            yield before
        before = batch
    if before is not None:
        _check_number(len(before[0]), devices)
        yield before


def _check_number(num_images: int, devices: int) -> None:
    if num_images < devices:
        raise ValueError(
            f"{devices} devices share each batch that is evaluated, and need an image each. Received a batch of "
            f"{num_images}. Pass more images, or larger batches of them."
        )
