"""The plan of a fit: its data, loss and callbacks, all checked before the first step changes anything."""

import functools
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from fashionclf._images import scale_pixels
from fashionclf._labelled import LabelledImages, check_labelled
from fashionclf._types import ClassNames
from fashionclf._validation import integer_labels
from fashionclf.datasets import Split
from fashionclf.models._graph import structure_of
from fashionclf.preprocessing import split_indices
from fashionclf.recipe import Recipe
from fashionclf.trainer._batches import BatchSource
from fashionclf.trainer._callbacks import BestCheckpoint, StopAtDivergence
from fashionclf.trainer._compilation import Compilation
from fashionclf.trainer._options import FitOptions
from fashionclf.trainer._resume import TrainingState


@dataclass(frozen=True, eq=False, kw_only=True)
class FitPlan:
    """All that the run of a fit needs.

    Attributes:
        recipe: How to train.
        seed: Of shuffling, augmentation and dropout.
        loss: The loss to compile the model with.
        source: The training batches.
        validation: What Keras evaluates after every epoch, or None.
        callbacks: The caller's, then those that options ask for.
        state: The callback that keeps the state of the fit, or None.
        verbose: Keras's verbosity.
    """

    recipe: Recipe
    seed: int
    loss: Any
    source: BatchSource
    validation: tuple[Any, ...] | None
    callbacks: list[keras.callbacks.Callback]
    state: TrainingState | None
    verbose: str | int

    @property
    def total_steps(self) -> int:
        """Number of training steps in all epochs."""
        return self.recipe.epochs * self.source.steps_per_epoch


def plan_fit(
    model: keras.Model,
    compilation: Compilation,
    image_shape: tuple[int, ...],
    training: LabelledImages,
    validation: LabelledImages | None,
    options: FitOptions,
    save: Callable[[Path], None],
) -> FitPlan:
    """Turn checked data and options into what Keras takes. The model is only read."""
    recipe = options.recipe
    loss = compilation.loss_for(training.labels, recipe)
    source = BatchSource(
        training.images,
        compilation.targets(training.labels, loss, recipe),
        training.weights,
        batch_size=recipe.batch_size,
        image_shape=image_shape,
        seed=options.seed,
        augmentation=recipe.augmentation,
        cutmix=recipe.cutmix,
    )
    held_out = None if validation is None else evaluation_arrays(validation, compilation, loss, image_shape)
    run: dict[str, Any] = {}
    if options.state_file is not None:
        compiled = (repr(loss), compilation.to_dict())
        run = _identity(recipe, options.seed, source, held_out, model, compiled)
    own, state = _own_callbacks(options, save, run)
    return FitPlan(
        recipe=recipe,
        seed=options.seed,
        loss=loss,
        source=source,
        validation=held_out,
        callbacks=[*options.callbacks, *own],
        state=state,
        verbose=options.verbose,
    )


def evaluation_arrays(
    data: LabelledImages, compilation: Compilation, loss: Any, image_shape: tuple[int, ...]
) -> tuple[Any, ...]:
    """Return checked images, labels and weights as the arrays that Keras evaluates."""
    images = scale_pixels(data.images).reshape(-1, *image_shape)
    targets = compilation.targets(data.labels, loss)
    return (images, targets) if data.weights is None else (images, targets, data.weights)


def training_and_validation(
    data: LabelledImages,
    validation_data: Any,
    options: FitOptions,
    num_classes: int,
    known_names: Sequence[ClassNames],
) -> tuple[LabelledImages, LabelledImages | None]:
    """Return the training and the validation part: the validation data given, else a share split off, else None."""
    validation: LabelledImages | None = None
    if validation_data is not None:
        validation = _given_validation(validation_data, num_classes, known_names)
    elif options.recipe.validation_split:
        fit_index, validation_index = split_indices(
            integer_labels(data.labels),
            validation_size=options.recipe.validation_split,
            seed=options.seed,
            stratify=True,
            groups=data.groups,
            name="validation_split",
        )
        data, validation = data.take(fit_index), data.take(validation_index)
    if validation is None and (options.recipe.early_stopping is not None or options.checkpoint is not None):
        raise ValueError(
            "Early stopping and checkpoints need validation data: pass `validation_data` or "
            "`validation_split`, or leave out `checkpoint` and pass `early_stopping=False`."
        )
    return data, validation


def _given_validation(validation_data: Any, num_classes: int, known_names: Sequence[ClassNames]) -> LabelledImages:
    if isinstance(validation_data, Split):
        return check_labelled(
            validation_data, None, None, num_classes=num_classes, name="validation_data", known_names=known_names
        )
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        raise TypeError(
            "`validation_data` must be (x, y), (x, y, sample_weight) or a Split. "
            f"Received: {type(validation_data).__name__}"
        )
    x, y, *weights = validation_data
    return check_labelled(x, y, weights[0] if weights else None, num_classes=num_classes, name="validation_data")


def _own_callbacks(
    options: FitOptions, save: Callable[[Path], None], run: Mapping[str, Any]
) -> tuple[list[keras.callbacks.Callback], TrainingState | None]:
    """Return the callbacks that options ask for: early stopping, the best checkpoint, and the state of the fit."""
    stopping = best = state = None
    if options.recipe.early_stopping is not None:
        stopping = keras.callbacks.EarlyStopping(patience=options.recipe.early_stopping, restore_best_weights=True)
    if options.checkpoint is not None:
        best = BestCheckpoint(functools.partial(save, options.checkpoint))
    if options.state_file is not None:
        state = TrainingState(options.state_file, run, options.saved, stopping, best)
    return [callback for callback in (StopAtDivergence(), stopping, best, state) if callback is not None], state


def _identity(
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
