"""A stream of labelled images as the batches that Keras trains on or evaluates."""

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fashionclf._types import FloatArray, ImageArray, IntArray
from fashionclf.inputs import LabelledImages, LabelledStream
from fashionclf.trainer._batches import BatchChange
from fashionclf.trainer._devices import evaluation_batch_size, num_devices, shared_among_devices, shared_evenly

Arrays = tuple[NDArray[Any], ...]


class StreamSource:
    """The training batches of a stream, changed as those of arrays are; its own order is kept.

    Args:
        data: The stream.
        targets: Turns labels into what the loss takes.
        change: Of each batch.
        steps_per_epoch: Batches per epoch: one epoch goes on in the stream where the last one ended. None is one pass.

    Attributes:
        epoch: The current epoch, from 0; a callback sets it. Before that, None.
        steps_per_epoch: Number of batches.
        image_shape: The shape of one image, as the model takes it.
    """

    def __init__(
        self,
        data: LabelledStream,
        targets: Callable[[IntArray | FloatArray], NDArray[Any]],
        change: BatchChange,
        *,
        steps_per_epoch: int | None,
    ) -> None:
        self.epoch: int | None = None
        self.steps_per_epoch = steps_per_epoch or data.number_of_batches(", or train with `steps_per_epoch=n`")
        self.image_shape = change.image_shape
        self._data, self._targets, self._change = data, targets, change
        self._goes_on = steps_per_epoch is not None
        self._elements: Generator[Any] | None = None
        self._given = 0  # elements of a stream that goes on from epoch to epoch
        self.signature = signature_of(self._changed(data.first, 0, 0))

    @property
    def fingerprint(self) -> list[Any]:
        """What must be the same for an interrupted fit to go on: the pixels may come in another order."""
        return [[str(spec.dtype), *spec.shape[1:]] for spec in self.signature] + [self.steps_per_epoch]

    def batches(self) -> Iterator[Arrays]:
        """Give the batches of one epoch."""
        if self.epoch is None:  # Keras looks at a batch before training, to build what is not built yet
            yield self._changed(self._data.first, 0, 0)
            return
        epoch, stream = self.epoch, self._data.stream
        elements = self._elements_from(epoch)
        stream.begin_epoch()
        for step in range(self.steps_per_epoch):
            batch = self._data.checked(next(elements), epoch * self.steps_per_epoch * self._goes_on + step)
            self._given += 1
            if step + 1 == self.steps_per_epoch:  # all is read, and Keras may not ask for more
                if not self._goes_on:
                    elements.close()
                stream.end_epoch()
            yield self._changed(batch, epoch, step)

    def _elements_from(self, epoch: int) -> Generator[Any]:
        """Return an endless iterator that stands where an epoch begins."""
        if not self._goes_on:
            return self._endless()
        first = epoch * self.steps_per_epoch
        if self._elements is None or self._given > first:
            self._elements, self._given = self._endless(), 0
        for _ in range(self._given, first):  # a fit that was interrupted
            next(self._elements)
        self._given = first
        return self._elements

    def _endless(self) -> Generator[Any]:
        """Read the stream again and again."""
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


def signature_of(batch: Arrays) -> tuple[tf.TensorSpec, ...]:
    """Return the form of batches of any length."""
    return tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in batch)


@contextlib.contextmanager
def stream_dataset(
    batches: Callable[[], Iterator[Arrays]], signature: tuple[tf.TensorSpec, ...], length: int
) -> Iterator[tf.data.Dataset]:
    """Give batches made by Python as a data set, as long as the context lasts.

    Raises:
        Exception: What making them raises, in place of TensorFlow's error that quotes it.
    """
    sources, errors = [batches], []  # TensorFlow keeps the function for ever, so that both are cleared at the end

    def generate() -> Iterator[Arrays]:
        try:
            yield from sources[0]()
        except Exception as error:
            errors.append(error)
            raise

    options = tf.data.Options()
    options.autotune.enabled = False  # as for arrays: its thread can delay the end of an epoch
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(length))
    try:
        yield dataset.prefetch(4).with_options(options)
    except tf.errors.OpError:
        if errors:
            raise errors[0] from None
        raise
    finally:
        sources.clear()
        errors.clear()


def evaluation_batches(
    data: LabelledStream, arrays_of: Callable[[LabelledImages], Arrays], devices: int
) -> "contextlib.AbstractContextManager[tf.data.Dataset]":
    """Give a stream as a data set to evaluate, as long as the context lasts."""

    def batches() -> Iterator[Arrays]:
        return shared_evenly((arrays_of(batch) for batch in data.batches()), devices)

    return stream_dataset(batches, signature_of(arrays_of(data.first)), data.number_of_batches())


def labels_and_probabilities(
    data: LabelledImages | LabelledStream, compute: Callable[[ImageArray], FloatArray]
) -> tuple[IntArray | FloatArray, FloatArray]:
    """Return all labels, and the probabilities that `compute` gives for the images, which are not kept."""
    if isinstance(data, LabelledImages):
        return data.labels, compute(data.images)
    labels: list[Any] = []
    probabilities: list[FloatArray] = []
    for batch in data.batches():
        labels.append(batch.labels)
        probabilities.append(compute(batch.images))
    return np.concatenate(labels), np.concatenate(probabilities)


def evaluate_model(model: keras.Model, data: Any, batch_size: int) -> dict[str, float]:
    """Return the loss and the metrics of a compiled model on arrays `(images, targets)` with weights, or a data set."""
    arrays: dict[str, Any] = {"x": data}
    if isinstance(data, tuple):
        batch_size = evaluation_batch_size(len(data[0]), batch_size, num_devices(model))
        arrays = {**dict(zip(("x", "y", "sample_weight"), data, strict=False)), "batch_size": batch_size}
    with shared_among_devices(model):
        results = model.evaluate(**arrays, verbose=0, return_dict=True)
    return {name: float(value) for name, value in results.items()}
