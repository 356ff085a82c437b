"""The options of `Trainer.fit`, resolved with the recipe and checked."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from fashionclf._text import shown
from fashionclf._validation import check_count, check_new_file, check_seed
from fashionclf.augmentation import Augmentation
from fashionclf.recipe import Recipe
from fashionclf.trainer._file import SUFFIX
from fashionclf.trainer._resume import SavedState, read_state


@dataclass(frozen=True, eq=False, kw_only=True)
class FitOptions:
    """The options of `fit`, resolved with the recipe.

    Attributes:
        recipe: The Trainer's, with the arguments of `fit` in place of its fields.
        seed: The seed given, else that of an interrupted fit, else a fresh one.
        checkpoint: The file for the best classifier, or None.
        state_file: The file for the state of the fit, or None.
        saved: The state of an interrupted fit, or None.
        callbacks: The caller's.
        verbose: Keras's verbosity.
        steps_per_epoch: Batches per epoch of a stream, or None.
        batch_size_given: Whether `fit` was given a batch size, so that it is not the recipe's.
    """

    recipe: Recipe
    seed: int
    checkpoint: Path | None
    state_file: Path | None
    saved: SavedState | None
    callbacks: tuple[keras.callbacks.Callback, ...]
    verbose: str | int
    steps_per_epoch: int | None
    batch_size_given: bool


def resolve_options(
    recipe: Recipe,
    *,
    checkpoint: Any,
    resume: Any,
    callbacks: Any,
    seed: Any,
    verbose: Any,
    steps_per_epoch: Any,
    **changes: Any,
) -> FitOptions:
    """Check the options of `fit`; `changes` replace fields of the recipe."""
    resolved = _changed_recipe(recipe, **changes)
    checkpoint_file = None if checkpoint is None else check_new_file(checkpoint, "checkpoint", SUFFIX)
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
        recipe=resolved,
        seed=seed,
        checkpoint=checkpoint_file,
        state_file=state_file,
        saved=saved,
        callbacks=checked_callbacks,
        verbose=checked_verbose,
        steps_per_epoch=None if steps_per_epoch is None else check_count(steps_per_epoch, "steps_per_epoch"),
        batch_size_given=changes.get("batch_size") is not None,
    )


def _changed_recipe(recipe: Recipe, *, early_stopping: Any, augment: Any, **given: Any) -> Recipe:
    """Return the recipe with the arguments of `fit` in place of its fields; False turns an option off."""
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
            raise TypeError(f"`augment` must be an Augmentation, True or False. Received: {shown(augment)}")
        changes["augmentation"] = augment
    return dataclasses.replace(recipe, **changes)


_VERBOSITIES: Final = ("auto", 0, 1, 2)


def _check_verbose(verbose: Any) -> str | int:
    """Return Keras's verbosity; Keras itself takes any other value for a progress bar."""
    if isinstance(verbose, bool) or not isinstance(verbose, str | int | np.integer) or verbose not in _VERBOSITIES:
        raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {shown(verbose)}")
    return verbose if isinstance(verbose, str) else int(verbose)


def _check_callbacks(callbacks: Any) -> tuple[keras.callbacks.Callback, ...]:
    if callbacks is None:
        return ()
    checked = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for callback in checked:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"`callbacks` must be keras.callbacks.Callback instances. Received: {shown(callback)}")
    return checked
