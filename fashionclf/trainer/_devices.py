"""Models on several devices or in several processes, by a strategy of `tf.distribute`. Each gets a part of each batch.

Every part needs at least one image: without any, convolutions raise an error and the mean loss is NaN.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from fashionclf._keras_internals import replaced
from fashionclf.trainer._compilation import num_devices


@contextlib.contextmanager
def results_joined(model: keras.Model) -> Iterator[None]:
    """Let a model train and be evaluated in several processes, whose results Keras joins."""
    with contextlib.ExitStack() as stack:
        if _is_in_cluster(model.distribute_strategy):
            for name in ("train_step", "test_step"):
                stack.enter_context(replaced(model, name, functools.partial(_as_vectors, getattr(model, name))))
        yield


def _is_in_cluster(strategy: tf.distribute.Strategy) -> bool:
    """Tell whether `TF_CONFIG` names processes that train together, even if it names only one."""
    is_multi_worker = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return is_multi_worker and bool(strategy.cluster_resolver.cluster_spec())


class SharedAverages(keras.callbacks.Callback):
    """Make moving averages, such as those of batch normalisation, equal on all devices and in all processes.

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
    """Set every weight that is not trained to its mean over devices and processes."""
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


def check_processes(model: keras.Model, *, seed: Any, resume: Any) -> None:
    """Refuse options of `fit` that several processes cannot share."""
    if not _is_in_cluster(model.distribute_strategy):
        return
    if seed is None:
        raise ValueError(
            "Several processes train this model (`TF_CONFIG`), and only a seed lets each shuffle, split and change the "
            "images alike. Received `seed=None`: pass the same number in every process."
        )
    if resume is not None:
        raise ValueError(
            f"Several processes train this model (`TF_CONFIG`), and may be interrupted in different epochs. Received "
            f"`resume={str(resume)!r}`: leave it out, and pass `checkpoint`, another file in every process."
        )


def check_agreement(model: keras.Model, plan: Mapping[str, int]) -> None:
    """Refuse a fit for which several processes have different plans. They would wait for each other for ever."""
    strategy = model.distribute_strategy
    if not _is_in_cluster(strategy):
        return
    numbers = list(plan.values())
    rows = strategy.gather(strategy.run(lambda: tf.constant([numbers], tf.int64)), axis=0).numpy()
    for name, values in zip(plan, rows.T, strict=True):
        if len(np.unique(values)) > 1:
            raise ValueError(
                f"Several processes train this model (`TF_CONFIG`), and their `{name}` differ: received "
                f"{', '.join(map(str, np.unique(values)))}. Pass the same arguments and data in every process."
            )


def _as_vectors(step: Callable[[Any], Any], data: Any) -> Any:
    """Turn scalars among the results of a step into vectors: Keras joins those of all processes along an axis."""
    return {name: value if len(value.shape) else tf.reshape(value, (1,)) for name, value in step(data).items()}


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
