"""A fit: its options are checked, its data and callbacks planned, and then Keras trains.

All checks come before the first step changes anything.
"""

import contextlib
import dataclasses
import functools
import json
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from typing_extensions import override

from fashionclf._keras_internals import seed_states
from fashionclf._text import shown
from fashionclf._validation import check_new_file, check_seed, integer_labels
from fashionclf._warnings import stack_level
from fashionclf.augmentation import Augmentation
from fashionclf.inputs import LabelledImages, LabelledStream
from fashionclf.preprocessing import split_indices
from fashionclf.recipe import Recipe
from fashionclf.trainer._batches import (
    EVALUATION_BATCH,
    BatchChange,
    BatchSource,
    SharedAverages,
    StreamSource,
    evaluation_batch_size,
    evaluation_data,
    shared_among_devices,
)
from fashionclf.trainer._compilation import Compilation, num_devices
from fashionclf.trainer._file import SUFFIX
from fashionclf.trainer._resume import BestCheckpoint, SavedState, TrainingState, read_state
from fashionclf.trainer._step import TracedSteps, structure_of, training_step

_VERBOSITIES: Final = ("auto", 0, 1, 2)

Labelled = LabelledImages | LabelledStream


# -- options --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class FitOptions:
    """The options of `fit`, checked."""

    recipe: Recipe  # the Trainer's, with the arguments of `fit` in place of its fields
    seed: int  # the one passed, else that of an interrupted fit, else a random one
    checkpoint: BestCheckpoint | None
    state_file: Path | None
    saved: SavedState | None  # of an interrupted fit
    callbacks: tuple[keras.callbacks.Callback, ...]
    verbose: int
    batch_size_given: bool  # so that it is not the recipe's


def check_options(
    recipe: Recipe,
    save: Callable[[Path], None],
    *,
    checkpoint: Any,
    resume: Any,
    callbacks: Any,
    seed: Any,
    verbose: Any,
    **changes: Any,
) -> FitOptions:
    """Check the options of `fit`. `changes` replace fields of the recipe; `save` writes the classifier to a file."""
    changed_recipe = _changed_recipe(recipe, **changes)
    best = None
    if checkpoint is not None:
        best = BestCheckpoint(functools.partial(save, check_new_file(checkpoint, "checkpoint", SUFFIX)))
    state_file = None if resume is None else check_new_file(resume, "resume", ".npz")
    checked_callbacks, checked_verbose = _check_callbacks(callbacks), _check_verbose(verbose)
    if state_file is not None and any(getattr(each, "swap_on_epoch", False) for each in checked_callbacks):
        raise ValueError(
            "`resume` would continue from averaged weights, because `SwapEMAWeights(swap_on_epoch=True)` puts them in "
            "place when the state is written. Pass `SwapEMAWeights()`, or leave out `resume`."
        )
    seed = check_seed(seed)
    saved = None if state_file is None else read_state(state_file)
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0]) if saved is None else saved.seed
    return FitOptions(
        recipe=changed_recipe,
        seed=seed,
        checkpoint=best,
        state_file=state_file,
        saved=saved,
        callbacks=checked_callbacks,
        verbose=checked_verbose,
        batch_size_given=changes.get("batch_size") is not None,
    )


def _changed_recipe(recipe: Recipe, *, early_stopping: Any, augment: Any, **fields: Any) -> Recipe:
    """Return the recipe with the arguments of `fit` in place of its fields; False turns an option off."""
    changes = {name: value for name, value in fields.items() if value is not None}
    if early_stopping is not None:
        if early_stopping is True:
            raise TypeError("`early_stopping` is a number of epochs, or False. Received: True")
        off = isinstance(early_stopping, bool | np.bool_) and not early_stopping
        changes["early_stopping"] = None if off else early_stopping
    if augment is not None:
        if isinstance(augment, bool):
            augment = (recipe.augmentation or Augmentation()) if augment else None
        elif not isinstance(augment, Augmentation):
            raise TypeError(f"`augment` must be an Augmentation, True or False. Received: {shown(augment)}")
        changes["augmentation"] = augment
    return dataclasses.replace(recipe, **changes)


def _check_verbose(verbose: Any) -> int:
    """Return Keras's verbosity. Keras shows a progress bar for any other value."""
    if isinstance(verbose, bool) or not isinstance(verbose, str | int | np.integer) or verbose not in _VERBOSITIES:
        raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {shown(verbose)}")
    if verbose == "auto":  # Keras would write a bar for every batch into a file or a pipe
        return 1 if sys.stdout.isatty() or "ipykernel" in sys.modules else 2
    return int(verbose)


def _check_callbacks(callbacks: Any) -> tuple[keras.callbacks.Callback, ...]:
    if callbacks is None:
        return ()
    checked = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for callback in checked:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"`callbacks` must be keras.callbacks.Callback instances. Received: {shown(callback)}")
    return checked


# -- data -----------------------------------------------------------------------------------------


def training_and_validation(
    data: Labelled, validation_data: Any, options: FitOptions, read: Callable[..., Labelled]
) -> tuple[Labelled, Labelled | None]:
    """Return the training and the validation part: the caller's validation data, else a share split off, else None."""
    validation: Labelled | None = None
    if isinstance(data, LabelledStream):
        _check_stream_options(data, options, with_validation=validation_data is not None)
    if validation_data is not None:
        is_pair = isinstance(validation_data, list) and len(validation_data) in (2, 3)  # as Keras takes it
        x = tuple(validation_data) if is_pair else validation_data
        validation = read(x, None, None, batch_size=EVALUATION_BATCH, name="validation_data")
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


# -- the plan -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class FitPlan:
    """All that Keras needs for a fit."""

    options: FitOptions
    loss: Any
    source: BatchSource | StreamSource
    validation: contextlib.AbstractContextManager[Any]  # gives what Keras evaluates after every epoch, or None
    callbacks: list[keras.callbacks.Callback]  # the caller's, then those that options ask for
    state: TrainingState | None

    @property
    def total_steps(self) -> int:
        """Number of training steps in all epochs."""
        return self.options.recipe.epochs * self.source.steps_per_epoch


def plan_fit(
    compilation: Compilation,
    input_shape: tuple[int, ...],
    training: Labelled,
    validation: Labelled | None,
    options: FitOptions,
) -> FitPlan:
    """Turn checked data and options into what Keras takes. The model is only read."""
    recipe = options.recipe
    compilation.check_callbacks(options.callbacks, recipe)
    loss = compilation.loss_for(training.labels, recipe)
    source, evaluated = data_of_fit(compilation, loss, input_shape, training, validation, options)
    stopping = state = None
    if recipe.early_stopping is not None:
        stopping = keras.callbacks.EarlyStopping(patience=recipe.early_stopping, restore_best_weights=True)
    if options.state_file is not None:
        run = _identity(options, source, validation, compilation, loss)
        state = TrainingState(options.state_file, run, options.saved, stopping, options.checkpoint)
    own = [each for each in (StopAtDivergence(), stopping, options.checkpoint, state) if each is not None]
    return FitPlan(
        options=options,
        loss=loss,
        source=source,
        validation=evaluated,
        callbacks=[*options.callbacks, *own],
        state=state,
    )


def data_of_fit(
    compilation: Compilation,
    loss: Any,
    input_shape: tuple[int, ...],
    training: Labelled,
    validation: Labelled | None,
    options: FitOptions,
) -> tuple[BatchSource | StreamSource, contextlib.AbstractContextManager[Any]]:
    """Return the training batches, and what gives the validation data as long as it is entered."""
    targets = functools.partial(compilation.targets, loss=loss, recipe=options.recipe)
    change = BatchChange(options.recipe, options.seed, input_shape, num_devices(compilation.model))
    source: BatchSource | StreamSource
    if isinstance(training, LabelledStream):
        source = StreamSource(training, targets, change)
    else:
        source = BatchSource(training, targets, change)
    if validation is None:
        return source, contextlib.nullcontext()
    return source, evaluation_data(validation, compilation, loss, input_shape)


def _identity(
    options: FitOptions,
    source: BatchSource | StreamSource,
    validation: Labelled | None,
    compilation: Compilation,
    loss: Any,
) -> dict[str, Any]:
    """Return what must be the same for an interrupted fit to go on, in JSON's types."""
    validated: list[Any] = []
    if isinstance(validation, LabelledStream):  # which nobody has read to its end
        validated = [validation.stream.kind]
    elif validation is not None:
        arrays = (validation.images, validation.labels, validation.weights)
        validated = [zlib.crc32(array.tobytes()) for array in arrays if array is not None]
    compiled = compilation.to_dict()
    if compiled["optimizer"]:  # Keras numbers the optimizers of a process in their names
        config = {key: value for key, value in compiled["optimizer"]["config"].items() if key != "name"}
        compiled["optimizer"] = {**compiled["optimizer"], "config": config}
    values = {
        "seed": options.seed,
        "epochs": options.recipe.epochs or options.recipe.freeze_epochs,
        "recipe": options.recipe.to_dict(),
        "checkpoint": options.checkpoint is not None,
        "data": source.fingerprint,
        "validation data": validated,
        "model": structure_of(compilation.model),
        "weights": [list(weight.shape) for weight in compilation.model.weights],
        "compilation": (repr(loss), compiled),
    }
    return json.loads(json.dumps(values, default=repr))  # type: ignore[no-any-return]


# -- the run --------------------------------------------------------------------------------------


def run_fit(model: keras.Model, plan: FitPlan, traced: TracedSteps) -> keras.callbacks.History:
    """Train a compiled model through `model.fit` and return its history, that of an interrupted fit included."""
    recipe, state = plan.options.recipe, plan.state
    for i, seed_state in enumerate(seed_states(model)):  # of dropout and similar layers, each with its own number
        first = np.random.SeedSequence((plan.options.seed, i)).generate_state(1)[0]
        seed_state.assign(np.array([first, 0], dtype=seed_state.dtype))
    averages = [SharedAverages()] if num_devices(model) > 1 else []
    step = training_step(model, traced, precision=recipe.precision, label_smoothing=recipe.label_smoothing)
    with step, shared_among_devices(model), plan.source.dataset() as batches, plan.validation as validation:
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
            callbacks=[EpochCounter(plan.source), *averages, *plan.callbacks],
            verbose=plan.options.verbose,
        )
    if state is not None:
        history.history = state.history
        history.epoch = list(range(len(next(iter(state.history.values()), []))))
    return history


class StopAtDivergence(keras.callbacks.Callback):
    """Stop with a warning as soon as the loss is NaN or infinite. Later steps cannot recover."""

    @override
    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Stop after a batch, or after a group of them, as a model's `steps_per_execution` makes it."""
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            self.model.stop_training = True
            warnings.warn(
                f"Training has diverged: the loss is {loss:g}, and training stops here. Build a new model and "
                "train it with a lower learning rate.",
                RuntimeWarning,
                stacklevel=stack_level(),
            )


class EpochCounter(keras.callbacks.Callback):
    """Tell the source of batches which epoch begins. With Keras's `BackupAndRestore` the first may be a later one."""

    def __init__(self, source: BatchSource | StreamSource) -> None:
        super().__init__()
        self._source = source

    @override
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Set the epoch."""
        self._source.epoch = epoch
