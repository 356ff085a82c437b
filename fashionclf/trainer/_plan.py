"""The plan of a fit: its data, loss and callbacks, all checked before the first step changes anything."""

import contextlib
import functools
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras

from fashionclf._images import scale_pixels
from fashionclf._validation import integer_labels
from fashionclf.inputs import LabelledImages, LabelledStream
from fashionclf.models._graph import structure_of
from fashionclf.preprocessing import split_indices
from fashionclf.recipe import Recipe
from fashionclf.trainer._batches import BatchChange, BatchSource
from fashionclf.trainer._callbacks import BestCheckpoint, StopAtDivergence
from fashionclf.trainer._compilation import Compilation
from fashionclf.trainer._devices import num_devices
from fashionclf.trainer._options import FitOptions
from fashionclf.trainer._resume import TrainingState
from fashionclf.trainer._streams import StreamSource, evaluation_batches

EVALUATION_BATCH: Final = 256


@dataclass(frozen=True, eq=False, kw_only=True)
class FitPlan:
    """All that the run of a fit needs.

    Attributes:
        recipe: How to train.
        seed: Of shuffling, augmentation and dropout.
        loss: The loss to compile the model with.
        source: The training batches.
        validation: Gives what Keras evaluates after every epoch, or None, as long as it is entered.
        callbacks: The caller's, then those that options ask for.
        state: The callback that keeps the state of the fit, or None.
        verbose: Keras's verbosity.
    """

    recipe: Recipe
    seed: int
    loss: Any
    source: BatchSource | StreamSource
    validation: contextlib.AbstractContextManager[Any]
    callbacks: list[keras.callbacks.Callback]
    state: TrainingState | None
    verbose: str | int

    @property
    def total_steps(self) -> int:
        """Number of training steps in all epochs."""
        return self.recipe.epochs * self.source.steps_per_epoch

    @property
    def shared(self) -> dict[str, int]:
        """What must be the same in all processes that train together."""
        return {"seed": self.seed, "epochs": self.recipe.epochs, "batches per epoch": self.source.steps_per_epoch}


def plan_fit(
    model: keras.Model,
    compilation: Compilation,
    image_shape: tuple[int, ...],
    training: LabelledImages | LabelledStream,
    validation: LabelledImages | LabelledStream | None,
    options: FitOptions,
    save: Callable[[Path], None],
) -> FitPlan:
    """Turn checked data and options into what Keras takes. The model is only read."""
    recipe = options.recipe
    compilation.check_callbacks(options.callbacks, recipe)
    loss = compilation.loss_for(training.labels, recipe)
    targets = functools.partial(compilation.targets, loss=loss, recipe=recipe)
    source = _source(training, targets, image_shape, options, num_devices(model))
    held_out = None if validation is None else evaluation_data(validation, compilation, loss, image_shape)
    run: dict[str, Any] = {}
    if options.state_file is not None:
        compiled = (repr(loss), _without_name(compilation.to_dict()))
        run = _identity(options, source, validation, model, compiled)
    own, state = _own_callbacks(options, save, run)
    return FitPlan(
        recipe=recipe,
        seed=options.seed,
        loss=loss,
        source=source,
        validation=held_out or contextlib.nullcontext(),
        callbacks=[*options.callbacks, *own],
        state=state,
        verbose=options.verbose,
    )


def _source(
    training: LabelledImages | LabelledStream,
    targets: Callable[[Any], Any],
    image_shape: tuple[int, ...],
    options: FitOptions,
    devices: int,
) -> BatchSource | StreamSource:
    """Return the training batches."""
    recipe = options.recipe
    if isinstance(training, LabelledStream):
        change = BatchChange(options.seed, recipe.augmentation, recipe.cutmix, image_shape, devices)
        return StreamSource(training, targets, change, steps_per_epoch=options.steps_per_epoch)
    return BatchSource(
        training.images,
        targets(training.labels),
        training.weights,
        batch_size=recipe.batch_size,
        image_shape=image_shape,
        seed=options.seed,
        augmentation=recipe.augmentation,
        cutmix=recipe.cutmix,
        least=devices,
    )


def evaluation_data(
    data: LabelledImages | LabelledStream, compilation: Compilation, loss: Any, image_shape: tuple[int, ...]
) -> contextlib.AbstractContextManager[Any]:
    """Give what Keras evaluates, as long as the context lasts: arrays, or a data set."""
    arrays = functools.partial(evaluation_arrays, compilation=compilation, loss=loss, image_shape=image_shape)
    if isinstance(data, LabelledStream):
        return evaluation_batches(data, arrays, compilation.num_devices)
    return contextlib.nullcontext(arrays(data))


def evaluation_arrays(
    data: LabelledImages, compilation: Compilation, loss: Any, image_shape: tuple[int, ...]
) -> tuple[Any, ...]:
    """Return checked images, labels and weights as the arrays that Keras evaluates."""
    images = scale_pixels(data.images).reshape(-1, *image_shape)
    targets = compilation.targets(data.labels, loss)
    return (images, targets) if data.weights is None else (images, targets, data.weights)


def training_and_validation(
    data: LabelledImages | LabelledStream,
    validation_data: Any,
    options: FitOptions,
    read: Callable[..., LabelledImages | LabelledStream],
) -> tuple[LabelledImages | LabelledStream, LabelledImages | LabelledStream | None]:
    """Return the training and the validation part: the validation data given, else a share split off, else None."""
    validation: LabelledImages | LabelledStream | None = None
    if isinstance(data, LabelledStream):
        _check_stream_options(data, options, with_validation=validation_data is not None)
    elif options.steps_per_epoch is not None:
        raise ValueError(
            "`steps_per_epoch` goes with a stream; arrays are trained on as a whole in every epoch. Leave it out, or "
            "pass a tf.data.Dataset."
        )
    if validation_data is not None:
        validation = _given_validation(validation_data, read)
    elif isinstance(data, LabelledImages) and options.recipe.validation_split:
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


def _check_stream_options(data: LabelledStream, options: FitOptions, *, with_validation: bool) -> None:
    """Refuse what needs all images at once."""
    is_tensorflow = data.stream.kind == "tf.data.Dataset"
    if options.recipe.validation_split and not with_validation:
        parts = f", such as `{data.name}.take(n)` beside `{data.name}.skip(n)`" if is_tensorflow else ""
        raise ValueError(
            f"`validation_split={options.recipe.validation_split:g}` needs all images at once, but `{data.name}` is a "
            f"stream. Pass `validation_data`{parts}, or `validation_split=0` if it is the recipe's."
        )
    if data.is_batched and options.batch_size_given:
        change = f"pass `{data.name}.rebatch({options.recipe.batch_size})`" if is_tensorflow else "change it there"
        raise ValueError(
            f"`batch_size={options.recipe.batch_size}` was received, but `{data.name}` comes in batches of its own. "
            f"Leave it out, or {change}."
        )


def _given_validation(
    validation_data: Any, read: Callable[..., LabelledImages | LabelledStream]
) -> LabelledImages | LabelledStream:
    is_pair = isinstance(validation_data, list) and len(validation_data) in (2, 3)  # as Keras takes it
    given = tuple(validation_data) if is_pair else validation_data
    return read(given, None, None, batch_size=EVALUATION_BATCH, name="validation_data")


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
    options: FitOptions,
    source: BatchSource | StreamSource,
    validation: LabelledImages | LabelledStream | None,
    model: keras.Model,
    compiled: Any,
) -> dict[str, Any]:
    """Return what must be the same for an interrupted fit to go on, in JSON's types."""
    values = {
        "seed": options.seed,
        "epochs": options.recipe.epochs,
        "recipe": options.recipe.to_dict(),
        "checkpoint": options.checkpoint is not None,
        "data": source.fingerprint,
        "validation data": _fingerprint(validation),
        "model": structure_of(model),
        "weights": [list(weight.shape) for weight in model.weights],
        "compilation": compiled,
    }
    return json.loads(json.dumps(values, default=repr))  # type: ignore[no-any-return]


def _fingerprint(validation: LabelledImages | LabelledStream | None) -> list[Any]:
    """Return what must be the same of the validation data. A stream may have changed: nobody has read all of it."""
    if validation is None or isinstance(validation, LabelledStream):
        return [] if validation is None else [validation.stream.kind]
    arrays = (validation.images, validation.labels, validation.weights)
    return [zlib.crc32(array.tobytes()) for array in arrays if array is not None]


def _without_name(compilation: dict[str, Any]) -> dict[str, Any]:
    """Leave out the name of the optimizer: Keras numbers the optimizers of a process."""
    optimizer = compilation["optimizer"]
    if not optimizer:
        return compilation
    config = {key: value for key, value in optimizer["config"].items() if key != "name"}
    return {**compilation, "optimizer": {**optimizer, "config": config}}
