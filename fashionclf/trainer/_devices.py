"""Models whose variables lie on several devices, by a strategy of `tf.distribute`: every device gets part of a batch.

A part without images cannot be computed: convolutions refuse it, and its mean loss is no number.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from fashionclf._keras_internals import built_from_one_part


def num_devices(model: keras.Model) -> int:
    """Return the number of devices that share each batch."""
    return int(model.distribute_strategy.num_replicas_in_sync)


def shared_among_devices(model: keras.Model) -> contextlib.AbstractContextManager[None]:
    """Let a model on several devices train on batches that they cannot share evenly, as long as this lasts."""
    if num_devices(model) == 1:
        return contextlib.nullcontext()

    def part_of(batch: Any) -> Any:
        return tuple(model.distribute_strategy.experimental_local_results(each)[0] for each in batch)

    return built_from_one_part(model, part_of)


def evaluation_batch_size(num_images: int, batch_size: int, devices: int) -> int:
    """Return the largest batch size up to `batch_size` with which no batch has fewer images than there are devices."""
    _check_number(num_images, devices)
    sizes = range(max(batch_size, devices), devices - 1, -1)
    return next(size for size in sizes if num_images % size == 0 or num_images % size >= devices)


def shared_evenly(batches: Iterable[tuple[Any, ...]], devices: int) -> Iterator[tuple[Any, ...]]:
    """Give batches of arrays; one with fewer images than there are devices gets some of the batch before."""
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
