"""The run of a fit through Keras."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from fashionclf._keras_internals import seed_states
from fashionclf.trainer._batches import BatchSource
from fashionclf.trainer._callbacks import EpochCounter, StopAtDivergence
from fashionclf.trainer._devices import SharedAverages, evaluation_batch_size, num_devices, shared_among_devices
from fashionclf.trainer._plan import EVALUATION_BATCH, FitPlan
from fashionclf.trainer._step import TracedSteps, training_step
from fashionclf.trainer._streams import StreamSource, stream_dataset

_MAX_GROUP: Final = 32


def tf_dataset(source: BatchSource | StreamSource) -> contextlib.AbstractContextManager[tf.data.Dataset]:
    """Give the batches of one epoch as a data set, as long as the context lasts."""
    if isinstance(source, StreamSource):
        return stream_dataset(source.batches, source.signature, source.steps_per_epoch)
    return _dataset_of_arrays(source)


@contextlib.contextmanager
def _dataset_of_arrays(source: BatchSource) -> Iterator[tf.data.Dataset]:
    signature = [tf.TensorSpec((None, *source.image_shape), tf.float32)]
    signature += [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in source.arrays]
    # TensorFlow keeps the function for ever, so the reference to the images is cleared at the end.
    sources = [source]

    def load(step: Any) -> tuple[Any, ...]:
        batch = tf.numpy_function(lambda number: sources[0].batch(int(number)), [step], [s.dtype for s in signature])
        return tuple(tf.ensure_shape(part, spec.shape) for part, spec in zip(batch, signature, strict=True))

    # AutoGraph has nothing to convert here, and when it fails, as on Python 3.13, it keeps a reference to the images.
    load_as_is = tf.autograph.experimental.do_not_convert(load)
    steps = tf.data.Dataset.range(source.steps_per_epoch)
    options = tf.data.Options()
    # Nothing here needs autotuning, and its thread can delay the end of every epoch by half a minute.
    options.autotune.enabled = False
    try:
        yield steps.map(load_as_is, num_parallel_calls=2, deterministic=True).prefetch(4).with_options(options)
    finally:
        sources.clear()


def _seed_dropout(model: keras.Model, seed: int) -> None:
    """Seed the random generators of dropout and similar layers, each with its own number."""
    for i, state in enumerate(seed_states(model)):
        first = np.random.SeedSequence((seed, i)).generate_state(1)[0]
        state.assign(np.array([first, 0], dtype=state.dtype))


@contextlib.contextmanager
def _grouped_steps(
    model: keras.Model, callbacks: Iterable[keras.callbacks.Callback], steps_per_epoch: int
) -> Iterator[None]:
    """Let TensorFlow run several steps before it returns to Python, unless a callback wants to see every batch."""
    # Divergence may be noticed after a group.
    watched = any(_watches_batches(callback) for callback in callbacks if type(callback) is not StopAtDivergence)
    replicas = model.distribute_strategy.num_replicas_in_sync  # Keras cannot group the steps of several
    if watched or replicas > 1 or model.steps_per_execution != 1:
        yield
        return
    # A last group that is not full costs seconds of tracing, more than groups save in a short training run.
    model.steps_per_execution = max(n for n in range(1, _MAX_GROUP + 1) if steps_per_epoch % n == 0)
    try:
        yield
    finally:
        model.steps_per_execution = 1


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
    names = [f"on_{kind}batch_{place}" for kind in ("", "train_", "test_") for place in ("begin", "end")]
    base = keras.callbacks.Callback
    return any(name in vars(callback) or getattr(type(callback), name) is not getattr(base, name) for name in names)


def run_fit(model: keras.Model, plan: FitPlan, traced: TracedSteps) -> keras.callbacks.History:
    """Train a compiled model through `model.fit` and return its history, that of an interrupted fit included."""
    recipe, state = plan.recipe, plan.state
    _seed_dropout(model, plan.seed)
    groups = _grouped_steps(model, plan.callbacks, plan.source.steps_per_epoch)
    step = training_step(model, traced, precision=recipe.precision, label_smoothing=recipe.label_smoothing)
    with groups, step, shared_among_devices(model), tf_dataset(plan.source) as batches, plan.validation as validation:
        validation_batch_size = EVALUATION_BATCH
        if isinstance(validation, tuple):
            validation_batch_size = evaluation_batch_size(len(validation[0]), EVALUATION_BATCH, num_devices(model))
        history = model.fit(
            batches,
            initial_epoch=0 if state is None else state.first_epoch,
            epochs=recipe.epochs,
            validation_data=validation,
            validation_batch_size=validation_batch_size,
            shuffle=False,  # the source has shuffled
            callbacks=[EpochCounter(plan.source), SharedAverages(), *plan.callbacks],
            verbose=plan.verbose,
        )
    if state is not None:
        history.history = state.history
        history.epoch = list(range(len(next(iter(state.history.values()), []))))
    return history
