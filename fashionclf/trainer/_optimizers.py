"""The optimizer of a recipe, with its learning-rate schedule."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Final

import keras

from fashionclf._text import shown
from fashionclf.recipe import OPTIMIZERS, Recipe

_WARM_UP: Final = 0.25  # share of the steps of one-cycle in which the learning rate rises


_FIRST_RATE: Final = 1 / 25  # one-cycle's first learning rate, as a share of its peak


def choose_optimizer(
    recipe: Recipe, optimizer: str | keras.optimizers.Optimizer | None
) -> tuple[Recipe, keras.optimizers.Optimizer | None]:
    """Return the recipe with a named optimizer in it, or beside it the instance that takes its place."""
    if optimizer is None:
        return recipe, None
    if isinstance(optimizer, str):
        return dataclasses.replace(recipe, optimizer=optimizer.lower()), None
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(f"`optimizer` must be a name or a keras.optimizers.Optimizer. Received: {shown(optimizer)}")
    if recipe.schedule != "constant" or recipe.learning_rate is not None:
        raise ValueError(
            "An optimizer instance has its own learning rate, so that the recipe's `learning_rate` and `schedule` "
            "cannot act. Name the optimizer instead, or give the instance a schedule and leave them out of the recipe."
        )
    return recipe, optimizer


def make_optimizer(recipe: Recipe, total_steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer of a recipe, its learning rate following the recipe's schedule.

    Schedules are Keras's own classes: a saved classifier then needs no custom object.
    """
    make = OPTIMIZERS[recipe.optimizer]
    options: dict[str, Any] = {}
    if recipe.momentum:
        options |= {"momentum": recipe.momentum, "nesterov": True}
    if recipe.weight_decay:
        options["weight_decay"] = recipe.weight_decay
    return make(learning_rate=_learning_rate(recipe.schedule, peak_of(recipe), total_steps), **options)


def peak_of(recipe: Recipe) -> float:
    """Return the highest learning rate of a recipe: with a constant schedule, the only one."""
    if recipe.learning_rate is not None:
        return recipe.learning_rate
    return float(OPTIMIZERS[recipe.optimizer]().learning_rate.numpy())


def _learning_rate(schedule: str, peak: float, total_steps: int) -> Any:
    if schedule == "constant":
        return peak
    if schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(peak, total_steps)
    warm_up = max(1, round(_WARM_UP * total_steps))
    return keras.optimizers.schedules.CosineDecay(
        peak * _FIRST_RATE, max(1, total_steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )


def purpose_of(variables: Iterable[Any], recipe: Recipe, total_steps: int, given: Any) -> tuple[Any, ...]:
    """Return what an optimizer is made for: with another purpose, another one is needed."""
    steps = 0 if recipe.schedule == "constant" else total_steps
    options = (recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.schedule, steps)
    return [id(variable) for variable in variables], given is None and options


def fresh(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    return type(optimizer).from_config(optimizer.get_config())
