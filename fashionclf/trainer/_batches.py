"""Batches of training and evaluation, from arrays or from a stream, as Keras takes them.

Training batches are made by numpy from the raw pixels: shuffled, augmented, scaled. A batch depends only on the seed,
the epoch and its position in the epoch, whatever thread makes it. So training can be repeated bit for bit, and an
interrupted fit goes on as if nothing had happened.
"""

import contextlib
import functools
import itertools
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from typing_extensions import override

from fashionclf._images import scale_pixels
from fashionclf._keras_internals import built_from_one_part
from fashionclf._types import FloatArray, ImageArray, IntArray
from fashionclf.augmentation import cut_and_mix
from fashionclf.inputs import LabelledImages, LabelledStream
from fashionclf.recipe import Recipe
from fashionclf.trainer._compilation import Compilation, num_devices

Arrays = tuple[NDArray[Any], ...]
Targets = Callable[[IntArray | FloatArray], NDArray[Any]]  # turns labels into what the loss takes

EVALUATION_BATCH: Final = 256
_SHUFFLING, _AUGMENTING, _MIXING = range(3)  # parts of the seeds of random numbers


# -- training -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BatchChange:
    """What is done to a batch of checked images before a training step: augmentation, CutMix, scaling."""

    recipe: Recipe
    seed: int  # random numbers depend only on this, the epoch, and the position of the batch in it
    input_shape: tuple[int, ...]
    num_devices: int = 1  # each gets at least one image: those of a smaller batch are repeated

    def __call__(self, images: ImageArray, arrays: Sequence[NDArray[Any]], epoch: int, step: int) -> Arrays:
        """Return `(images, targets)` or `(images, targets, weights)`; the arrays passed may be changed."""
        if len(images) < self.num_devices:
            repeated = np.resize(np.arange(len(images)), self.num_devices)
            images, arrays = images[repeated], [array[repeated] for array in arrays]
        if self.recipe.augmentation is not None:
            rng = np.random.default_rng((self.seed, _AUGMENTING, epoch, step))
            images = self.recipe.augmentation.apply(images, rng)
        if self.recipe.cutmix:
            rng = np.random.default_rng((self.seed, _MIXING, epoch, step))
            arrays = cut_and_mix(images, *arrays, probability=self.recipe.cutmix, rng=rng)
        return (scale_pixels(images).reshape(-1, *self.input_shape), *arrays)


class BatchSource:
    """The training batches of images in memory. A callback sets `epoch`, from 0."""

    def __init__(self, data: LabelledImages, targets: Targets, change: BatchChange) -> None:
        self._images, self._change = data.images, change
        self._arrays = [targets(data.labels)] + ([] if data.weights is None else [data.weights])
        self._batch_size = min(change.recipe.batch_size, len(data))
        self._order = functools.lru_cache(maxsize=2)(self._draw_order)
        self.steps_per_epoch = -(-len(data) // self._batch_size)
        self.epoch = 0
        change(data.images[:1].copy(), [array[:1] for array in self._arrays], 0, 0)  # raises what a first step would

    @property
    def fingerprint(self) -> list[Any]:
        """What must be the same for an interrupted fit to go on."""
        return [zlib.crc32(array.tobytes()) for array in (self._images, *self._arrays)]

    def batch(self, step: int) -> Arrays:
        """Return `(images, targets)` or `(images, targets, weights)`, batch number `step` of the epoch."""
        index = self._order(self.epoch)[step * self._batch_size : (step + 1) * self._batch_size]
        return self._change(self._images[index], [array[index] for array in self._arrays], self.epoch, step)

    def _draw_order(self, epoch: int) -> IntArray:
        return np.random.default_rng((self._change.seed, _SHUFFLING, epoch)).permutation(len(self._images))

    @contextlib.contextmanager
    def dataset(self) -> Iterator[tf.data.Dataset]:
        """Give the batches of an epoch as a data set, as long as the context lasts."""
        signature = [tf.TensorSpec((None, *self._change.input_shape), tf.float32), *_signature_of(self._arrays)]
        sources = [self]  # TensorFlow keeps the function for ever; emptied at the end, this does not keep the images

        def load(step: Any) -> tuple[Any, ...]:
            dtypes = [spec.dtype for spec in signature]
            batch = tf.numpy_function(lambda number: sources[0].batch(int(number)), [step], dtypes)
            return tuple(tf.ensure_shape(part, spec.shape) for part, spec in zip(batch, signature, strict=True))

        # AutoGraph has nothing to convert here. When it fails, as on Python 3.13, it keeps a reference to the images.
        load_as_is = tf.autograph.experimental.do_not_convert(load)
        batches = tf.data.Dataset.range(self.steps_per_epoch).map(load_as_is, num_parallel_calls=2, deterministic=True)
        try:
            yield _prefetched(batches)
        finally:
            sources.clear()


class StreamSource:
    """The training batches of a stream, changed as those of arrays are, in the order of the stream.

    An epoch has as many as the first pass. A callback sets `epoch`, which is None before.
    """

    def __init__(self, data: LabelledStream, targets: Targets, change: BatchChange) -> None:
        self.epoch: int | None = None
        self.steps_per_epoch = data.stream.count()
        self._data, self._targets, self._change = data, targets, change
        self._signature = _signature_of(self._changed(data.first, 0, 0))

    @property
    def fingerprint(self) -> list[Any]:
        """What must be the same for an interrupted fit to go on. The pixels may come in another order."""
        return [[str(spec.dtype), *spec.shape[1:]] for spec in self._signature] + [self.steps_per_epoch]

    def dataset(self) -> contextlib.AbstractContextManager[tf.data.Dataset]:
        """Give the batches of an epoch as a data set, as long as the context lasts."""
        return _stream_dataset(self._batches, self._signature, self.steps_per_epoch)

    def _batches(self) -> Iterator[Arrays]:
        if self.epoch is None:  # Keras looks at a batch before training, to build what is not built yet
            yield self._changed(self._data.first, 0, 0)
            return
        epoch, stream, elements = self.epoch, self._data.stream, self._endless()
        stream.begin_epoch()
        for step in range(self.steps_per_epoch):
            batch = self._data.checked(next(elements), step)
            if step + 1 == self.steps_per_epoch:  # Keras may not ask for what comes after the last batch
                elements.close()
                stream.end_epoch()
            yield self._changed(batch, epoch, step)

    def _endless(self) -> Generator[Any]:
        """Read the stream, and again if there are fewer batches than in the first pass."""
        for number in itertools.count(1):
            empty = True
            for element in self._data.stream.elements():
                empty = False
                yield element
            if empty:
                raise ValueError(
                    f"`{self._data.name}` gave no batch in pass {number}; expected a stream that can "
                    "be read in every epoch. If a generator stands behind it, let a function start that anew."
                )

    def _changed(self, batch: LabelledImages, epoch: int, step: int) -> Arrays:
        arrays = [self._targets(batch.labels)] + ([] if batch.weights is None else [batch.weights])
        return self._change(batch.images.copy(), arrays, epoch, step)


# -- evaluation -----------------------------------------------------------------------------------


def evaluation_data(
    data: LabelledImages | LabelledStream, compilation: Compilation, loss: Any, input_shape: tuple[int, ...]
) -> contextlib.AbstractContextManager[Any]:
    """Give what Keras evaluates, as long as the context lasts: arrays, or a data set."""

    def arrays_of(data: LabelledImages) -> Arrays:
        images = scale_pixels(data.images).reshape(-1, *input_shape)
        targets = compilation.targets(data.labels, loss)
        return (images, targets) if data.weights is None else (images, targets, data.weights)

    if isinstance(data, LabelledImages):
        return contextlib.nullcontext(arrays_of(data))

    def batches() -> Iterator[Arrays]:
        return shared_evenly((arrays_of(batch) for batch in data.batches()), num_devices(compilation.model))

    return _stream_dataset(batches, _signature_of(arrays_of(data.first)), data.stream.count())


def evaluate_model(model: keras.Model, data: Any, batch_size: int) -> dict[str, float]:
    """Return the loss and the metrics of a compiled model on arrays `(images, targets)` with weights, or a data set."""
    arrays: dict[str, Any] = {"x": data}
    if isinstance(data, tuple):
        batch_size = evaluation_batch_size(len(data[0]), batch_size, num_devices(model))
        arrays = {**dict(zip(("x", "y", "sample_weight"), data, strict=False)), "batch_size": batch_size}
    with shared_among_devices(model):
        results = model.evaluate(**arrays, verbose=0, return_dict=True)
    return {name: float(value) for name, value in results.items()}


def labels_and_probabilities(
    data: LabelledImages | LabelledStream, compute: Callable[[ImageArray], FloatArray]
) -> tuple[IntArray | FloatArray, FloatArray]:
    """Return all labels, and the probabilities that `compute` gives for the images. The images are not kept."""
    parts = data.batches() if isinstance(data, LabelledStream) else [data]
    pairs = [(part.labels, compute(part.images)) for part in parts]
    labels, probabilities = zip(*pairs, strict=True)
    return pairs[0] if len(pairs) == 1 else (np.concatenate(labels), np.concatenate(probabilities))


# -- several devices ------------------------------------------------------------------------------
# By a strategy of `tf.distribute`, each gets a part of each batch. Every part needs at least one image: without any,
# convolutions raise an error and the mean loss is NaN.


def shared_among_devices(model: keras.Model) -> contextlib.AbstractContextManager[None]:
    """Let a model train and be evaluated on batches that its devices cannot share evenly."""

    def part_of(batch: Any) -> Any:
        return tuple(model.distribute_strategy.experimental_local_results(each)[0] for each in batch)

    return built_from_one_part(model, part_of)


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


# -- data sets ------------------------------------------------------------------------------------


def _signature_of(arrays: Sequence[NDArray[Any]]) -> tuple[tf.TensorSpec, ...]:
    """Return the form of batches of any length."""
    return tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in arrays)


def _prefetched(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Nothing here needs autotuning, and its thread can delay the end of every epoch by half a minute.
    options.autotune.enabled = False
    return dataset.prefetch(4).with_options(options)


@contextlib.contextmanager
def _stream_dataset(
    batches: Callable[[], Iterator[Arrays]], signature: tuple[tf.TensorSpec, ...], length: int
) -> Iterator[tf.data.Dataset]:
    """Give batches made by Python as a data set; their errors are raised, not TensorFlow's that quote them."""
    sources, errors = [batches], []  # TensorFlow keeps the function for ever, so that both are emptied at the end

    def generate() -> Iterator[Arrays]:
        try:
            yield from sources[0]()
        except Exception as error:
            errors.append(error)
            raise

    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(length))
    try:
        yield _prefetched(dataset)
    except tf.errors.OpError:
        if errors:
            raise errors[0] from None
        raise
    finally:
        sources.clear()
        errors.clear()
