"""The parts of `Trainer.fit`: its options, its data, and the run through Keras."""

import contextlib
import dataclasses
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from fashionclf._batches import BatchSource
from fashionclf._callbacks import BestCheckpoint, EpochCounter, StopAtDivergence, TrainingState
from fashionclf._examples import Examples, as_examples
from fashionclf._layers import structure_of
from fashionclf._training_step import TracedSteps, training_step
from fashionclf._types import ClassNames
from fashionclf._validation import integer_labels
from fashionclf.augmentation import Augmentation
from fashionclf.datasets import Split
from fashionclf.preprocessing import split_indices
from fashionclf.presets import Recipe

EVALUATION_BATCH: Final = 256
_MAX_GROUP: Final = 32


# -- options --------------------------------------------------------------------------------------


def recipe_for_fit(recipe: Recipe, *, early_stopping: Any, augment: Any, **given: Any) -> Recipe:
    """Return the recipe with what `fit` was told in its place; False turns an option off."""
    changes = {name: value for name, value in given.items() if value is not None}
    if early_stopping is not None:
        if early_stopping is True:
            raise TypeError("`early_stopping` is a number of epochs, or False. Received: True")
        off = isinstance(early_stopping, bool | np.bool_) and not early_stopping
        changes["early_stopping"] = None if off else early_stopping
    if augment is not None:
        if isinstance(augment, bool):
            augment = (recipe.augmentation or Augmentation()) if augment else None
        elif not isinstance(augment, Augmentation):
            raise TypeError(f"`augment` must be an Augmentation, True or False. Received: {augment!r}")
        changes["augmentation"] = augment
    return dataclasses.replace(recipe, **changes)


def check_verbose(verbose: Any) -> str | int:
    """Return Keras's verbosity; Keras itself takes anything for a progress bar."""
    if isinstance(verbose, bool | float) or verbose not in ("auto", 0, 1, 2):
        raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {verbose!r}")
    return verbose  # type: ignore[no-any-return]


def check_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return callbacks as a list."""
    if callbacks is None:
        return []
    if not isinstance(callbacks, Iterable):
        callbacks = [callbacks]
    checked = list(callbacks)
    for callback in checked:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"`callbacks` must be keras.callbacks.Callback instances. Received: {callback!r}")
    return checked


# -- data -----------------------------------------------------------------------------------------


def hold_out(
    examples: Examples,
    validation_data: Any,
    share: float,
    seed: int,
    num_classes: int,
    known_names: Sequence[ClassNames],
) -> tuple[Examples, Examples | None]:
    """Return training and validation examples: those given, else a share split off, else None."""
    if validation_data is not None:
        return examples, _given_validation(validation_data, num_classes, known_names)
    if not share:
        return examples, None
    fit_index, validation_index = split_indices(
        integer_labels(examples.labels), validation_size=share, seed=seed, stratify=True, name="validation_split"
    )
    return examples.take(fit_index), examples.take(validation_index)


def _given_validation(validation_data: Any, num_classes: int, known_names: Sequence[ClassNames]) -> Examples:
    if isinstance(validation_data, Split):
        return as_examples(
            validation_data, None, None, num_classes=num_classes, name="validation_data", known_names=known_names
        )
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        raise TypeError(
            "`validation_data` must be (x, y), (x, y, sample_weight) or a Split. "
            f"Received: {type(validation_data).__name__}"
        )
    x, y, *weights = validation_data
    return as_examples(x, y, weights[0] if weights else None, num_classes=num_classes, name="validation_data")


def check_held_out(validation: Examples | None, recipe: Recipe, checkpoint: Path | None) -> None:
    """Check that what needs validation data has some."""
    if validation is None and (recipe.early_stopping is not None or checkpoint is not None):
        raise ValueError(
            "Early stopping and checkpoints need validation data: pass `validation_data` or "
            "`validation_split`, or leave out `checkpoint` and pass `early_stopping=False`."
        )


@contextlib.contextmanager
def tf_dataset(source: BatchSource) -> Iterator[tf.data.Dataset]:
    """Give the batches of one epoch as a data set, as long as the context lasts."""
    signature = [tf.TensorSpec((None, *source.image_shape), tf.float32)]
    signature += [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in source.arrays]
    # TensorFlow keeps the function for ever, so what it reaches must be let go of.
    sources = [source]

    def load(step: Any) -> tuple[Any, ...]:
        batch = tf.numpy_function(lambda number: sources[0].batch(int(number)), [step], [s.dtype for s in signature])
        return tuple(tf.ensure_shape(part, spec.shape) for part, spec in zip(batch, signature, strict=True))

    # AutoGraph has nothing to convert here, and where it fails, as on Python 3.13, it keeps hold of the pictures.
    load_as_is = tf.autograph.experimental.do_not_convert(load)
    steps = tf.data.Dataset.range(source.steps_per_epoch)
    options = tf.data.Options()
    # Nothing here is left to tuning, and its thread can hold up the end of every epoch for half a minute.
    options.autotune.enabled = False
    try:
        yield steps.map(load_as_is, num_parallel_calls=2, deterministic=True).prefetch(4).with_options(options)
    finally:
        sources.clear()


def identity(
    recipe: Recipe, seed: int, source: BatchSource, validation: Sequence[Any] | None, model: keras.Model, compiled: Any
) -> dict[str, Any]:
    """Return what must be the same for an interrupted fit to go on, in JSON's types."""
    values = {
        "seed": seed,
        "epochs": recipe.epochs,
        "recipe": recipe.to_dict(),
        "data": [zlib.crc32(array.tobytes()) for array in (source.images, *source.arrays)],
        "validation data": [zlib.crc32(array.tobytes()) for array in validation or ()],
        "model": structure_of(model),
        "weights": [list(weight.shape) for weight in model.weights],
        "compilation": compiled,
    }
    return json.loads(json.dumps(values, default=repr))  # type: ignore[no-any-return]


# -- the run --------------------------------------------------------------------------------------


def own_callbacks(
    recipe: Recipe, save: Callable[[], None] | None, state_file: Path | None, run: Mapping[str, Any]
) -> tuple[list[keras.callbacks.Callback], TrainingState | None]:
    """Return the callbacks that options ask for: early stopping, the best checkpoint, and the state of the fit."""
    stopping = best = state = None
    divergence = StopAtDivergence()
    if recipe.early_stopping is not None:
        stopping = keras.callbacks.EarlyStopping(patience=recipe.early_stopping, restore_best_weights=True)
    if save is not None:
        best = BestCheckpoint(save)
    if state_file is not None:
        state = TrainingState(state_file, run, stopping, best)
    return [callback for callback in (divergence, stopping, best, state) if callback is not None], state


def seed_dropout(model: keras.Model, seed: int) -> None:
    """Start the random generators of dropout (and its kind) from `seed`, each with a number of its own."""
    weights = {id(weight) for weight in model.weights}
    states = [v for v in model.variables if id(v) not in weights and v.name == "seed_generator_state"]
    for i, state in enumerate(states):
        first = np.random.SeedSequence((seed, i)).generate_state(1)[0]
        state.assign(np.array([first, 0], dtype=state.dtype))


@contextlib.contextmanager
def _grouped_steps(
    model: keras.Model, callbacks: Iterable[keras.callbacks.Callback], steps_per_epoch: int
) -> Iterator[None]:
    """Let TensorFlow run several steps before it returns to Python, unless a callback wants to see every batch."""
    # Divergence may as well be seen after a group.
    watched = any(_watches_batches(callback) for callback in callbacks if type(callback) is not StopAtDivergence)
    replicas = model.distribute_strategy.num_replicas_in_sync  # Keras cannot group the steps of several
    if watched or replicas > 1 or model.steps_per_execution != 1:
        yield
        return
    # A last group that is not full costs seconds once, more than groups save in a short training.
    model.steps_per_execution = max(n for n in range(1, _MAX_GROUP + 1) if steps_per_epoch % n == 0)
    try:
        yield
    finally:
        model.steps_per_execution = 1


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
    names = [f"on_{kind}batch_{place}" for kind in ("", "train_", "test_") for place in ("begin", "end")]
    base = keras.callbacks.Callback
    return any(name in vars(callback) or getattr(type(callback), name) is not getattr(base, name) for name in names)


def run_fit(
    model: keras.Model,
    source: BatchSource,
    validation: Sequence[Any] | None,
    recipe: Recipe,
    *,
    traced: TracedSteps,
    callbacks: Sequence[keras.callbacks.Callback],
    state: TrainingState | None,
    verbose: Any,
) -> keras.callbacks.History:
    """Train through `model.fit` and return its history, that of an interrupted fit included."""
    step = training_step(model, traced, precision=recipe.precision, label_smoothing=recipe.label_smoothing)
    with _grouped_steps(model, callbacks, source.steps_per_epoch), step, tf_dataset(source) as batches:
        history = model.fit(
            batches,
            initial_epoch=0 if state is None else state.first_epoch,
            epochs=recipe.epochs,
            validation_data=None if validation is None else tuple(validation),
            validation_batch_size=EVALUATION_BATCH,
            shuffle=False,  # the source has shuffled
            callbacks=[EpochCounter(source), *callbacks],
            verbose=verbose,
        )
    if state is not None:
        history.history = state.history
        history.epoch = list(range(len(next(iter(state.history.values()), []))))
    return history
