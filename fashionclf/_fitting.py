"""The parts of `Trainer.fit`: its options, its data, and the run through Keras."""

import dataclasses
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from fashionclf._batches import BatchSource
from fashionclf._callbacks import TrainingState
from fashionclf._examples import Examples, as_examples
from fashionclf._precision import training_precision
from fashionclf._validation import check_path, integer_labels
from fashionclf.datasets import Split
from fashionclf.preprocessing import Augmentation, split_indices
from fashionclf.presets import Recipe

EVALUATION_BATCH: Final = 256


# -- options --------------------------------------------------------------------------------------


def recipe_for_fit(recipe: Recipe, *, early_stopping: Any, augment: Any, **given: Any) -> Recipe:
    """Return the recipe with what `fit` was told in its place; False turns an option off."""
    changes = {name: value for name, value in given.items() if value is not None}
    if early_stopping is not None:
        if early_stopping is True:
            raise TypeError("`early_stopping` is a number of epochs, or False. Received: True")
        changes["early_stopping"] = None if early_stopping is False else early_stopping
    if augment is not None:
        if isinstance(augment, bool):
            augment = (recipe.augmentation or Augmentation()) if augment else None
        elif not isinstance(augment, Augmentation):
            raise TypeError(f"`augment` must be an Augmentation, True or False. Received: {augment!r}")
        changes["augmentation"] = augment
    return dataclasses.replace(recipe, **changes)


def check_file(path: Any, name: str, suffix: str) -> Path | None:
    """Return the path of a file to write, whose folder must exist; None for None."""
    if path is None:
        return None
    checked = check_path(path, name, suffix=suffix)
    if not checked.parent.is_dir():
        raise FileNotFoundError(f"`{name}`: the folder {str(checked.parent)!r} does not exist; make it first.")
    return checked


def check_verbose(verbose: Any) -> str | int:
    """Return Keras's verbosity; Keras itself takes anything for a progress bar."""
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {verbose!r}")
    return verbose  # type: ignore[no-any-return]


def check_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return callbacks as a list."""
    if not isinstance(callbacks, Iterable):
        callbacks = [callbacks]
    checked = list(callbacks)
    for callback in checked:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"`callbacks` must be keras.callbacks.Callback instances. Received: {callback!r}")
    return checked


# -- data -----------------------------------------------------------------------------------------


def hold_out(
    examples: Examples, validation_data: Any, share: float, seed: int, num_classes: int
) -> tuple[Examples, Examples | None]:
    """Return training and validation examples: those given, else a share split off, else None."""
    if validation_data is not None:
        return examples, _given_validation(validation_data, num_classes)
    if not share:
        return examples, None
    fit_index, validation_index = split_indices(
        integer_labels(examples.labels), validation_size=share, seed=seed, stratify=True
    )
    return examples.take(fit_index), examples.take(validation_index)


def _given_validation(validation_data: Any, num_classes: int) -> Examples:
    if isinstance(validation_data, Split):
        return as_examples(validation_data, None, None, num_classes=num_classes, name="validation_data")
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        raise TypeError(
            "`validation_data` must be (x, y), (x, y, sample_weight) or a Split. "
            f"Received: {type(validation_data).__name__}"
        )
    x, y, *weights = validation_data
    return as_examples(x, y, weights[0] if weights else None, num_classes=num_classes, name="validation_data")


def tf_dataset(source: BatchSource, model: keras.Model, first_epoch: int, epochs: int) -> tf.data.Dataset:
    """Return all batches of all epochs as one data set that prefetches across epochs."""
    input_shape = model.input_shape[1:]
    signature = [tf.TensorSpec((None, *source.images.shape[1:]), tf.float32)]
    signature += [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in source.arrays]

    def load(step: Any) -> tuple[Any, ...]:
        batch = tf.numpy_function(source.batch, [step], [spec.dtype for spec in signature], stateful=False)
        images, *rest = (tf.ensure_shape(part, spec.shape) for part, spec in zip(batch, signature, strict=True))
        if len(input_shape) != 3:
            images = tf.reshape(images, (-1, *input_shape))
        return (images, *rest)

    steps = tf.data.Dataset.range(first_epoch * source.steps_per_epoch, epochs * source.steps_per_epoch)
    return steps.map(load, num_parallel_calls=2, deterministic=True).prefetch(4)


def identity(recipe: Recipe, seed: int, source: BatchSource, model: keras.Model) -> dict[str, Any]:
    """Return what must be the same for an interrupted fit to go on."""
    return {
        "seed": seed,
        "epochs": recipe.epochs,
        "recipe": recipe.to_dict(),
        "images": zlib.crc32(source.images.tobytes()),
        "labels": zlib.crc32(source.arrays[0].tobytes()),
        "weights": [list(weight.shape) for weight in model.weights],
    }


# -- the run --------------------------------------------------------------------------------------


def early_stopping(recipe: Recipe) -> keras.callbacks.EarlyStopping | None:
    """Return the callback of the recipe's early stopping."""
    if recipe.early_stopping is None:
        return None
    return keras.callbacks.EarlyStopping(patience=recipe.early_stopping, restore_best_weights=True)


def seed_dropout(model: keras.Model, seed: int) -> None:
    """Start the random generators of dropout (and its kind) from `seed`, each with a number of its own."""
    weights = {id(weight) for weight in model.weights}
    states = [v for v in model.variables if id(v) not in weights and v.name == "seed_generator_state"]
    for i, state in enumerate(states):
        first = np.random.SeedSequence((seed, i)).generate_state(1)[0]
        state.assign(np.array([first, 0], dtype=state.dtype))


def run_fit(
    model: keras.Model,
    source: BatchSource,
    validation: tuple[Any, ...] | None,
    recipe: Recipe,
    *,
    callbacks: Sequence[keras.callbacks.Callback],
    state: TrainingState | None,
    verbose: Any,
) -> keras.callbacks.History:
    """Train through `model.fit` and return its history, that of an interrupted fit included."""
    first_epoch = 0 if state is None else state.first_epoch
    with training_precision(model, recipe.precision):
        history = model.fit(
            tf_dataset(source, model, first_epoch, recipe.epochs),
            steps_per_epoch=source.steps_per_epoch,
            initial_epoch=first_epoch,
            epochs=recipe.epochs,
            validation_data=validation,
            validation_batch_size=EVALUATION_BATCH,
            shuffle=False,  # the source has shuffled
            callbacks=list(callbacks),
            verbose=verbose,
        )
    if state is not None:
        history.history = state.history
        history.epoch = list(range(len(next(iter(state.history.values()), []))))
    return history
