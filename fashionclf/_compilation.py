"""What a model is compiled with: loss, metrics and optimizer, and the targets to suit them."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from fashionclf._types import FloatArray, IntArray
from fashionclf._validation import check_choice, integer_labels
from fashionclf.preprocessing import one_hot
from fashionclf.presets import OPTIMIZERS, Recipe

_WARM_UP: Final = 0.25  # share of one-cycle's steps in which the learning rate rises
_FIRST_RATE: Final = 1 / 25  # one-cycle's first learning rate, as a share of its peak

TargetForm = Literal["integers", "one_hot", "sigmoid", "given"]


class Compilation:
    """The loss, metrics and optimizer of one model. A model that came compiled keeps what it has.

    Args:
        model: The model.
        units: Its number of output units.
        optimizer: An instance; None leaves it to the recipe.
        loss: What Keras takes, or `"auto"`.
        metrics: What Keras takes.
    """

    def __init__(
        self,
        model: keras.Model,
        units: int,
        *,
        optimizer: keras.optimizers.Optimizer | None = None,
        loss: Any = "auto",
        metrics: Iterable[Any] = ("accuracy",),
    ) -> None:
        self.by_trainer = not model.compiled
        self._model = model
        self._units = units
        if isinstance(metrics, str) or not isinstance(metrics, Iterable):
            raise TypeError(f"`metrics` must be a list of metrics. Received: {metrics!r}. Use [{metrics!r}].")
        self._metrics = tuple(metrics)
        for metric in self._metrics:
            _check_known(metric, "metric", keras.metrics)
        self._auto = isinstance(loss, str) and loss == "auto"
        if not self._auto:
            _check_known(loss, "loss", keras.losses)
            _check_loss_fits(loss, units)
        self._loss = loss
        if optimizer is not None and optimizer.built:  # it has the state of another model's variables
            optimizer = _fresh(optimizer)
        self._optimizer = optimizer
        self._optimizer_of: Any = None  # what the model's optimizer was made for

    @property
    def is_default(self) -> bool:
        """Whether nothing was asked for, as must be for a model that comes compiled."""
        return self._auto and self._metrics == ("accuracy",) and self._optimizer is None

    def loss_for(self, labels: IntArray | FloatArray, recipe: Recipe) -> Any:
        """Return the loss to train on these labels with: `"auto"` reads it off the output layer and the labels."""
        if not self.by_trainer:
            return self._model.loss
        if not self._auto:
            return self._loss
        if self._units == 1:
            return "binary_crossentropy"
        soft = labels.ndim == 2 or _softened_by(recipe)
        return "categorical_crossentropy" if soft else "sparse_categorical_crossentropy"

    def targets(self, labels: IntArray | FloatArray, loss: Any, recipe: Recipe | None = None) -> NDArray[Any]:
        """Turn checked labels into what the loss takes; check that metrics and a recipe can work on that."""
        form = _target_form(loss, self._units)
        option = recipe and _softened_by(recipe)
        if option and form not in ("one_hot", "sigmoid"):
            raise ValueError(
                f"`{option}` needs a loss on one-hot labels. Use `loss='auto'` or 'categorical_crossentropy'."
            )
        if self.by_trainer:
            _check_metrics_fit(self._metrics, form)
        if form == "sigmoid":
            return labels[:, 1:] if labels.ndim == 2 else labels[:, np.newaxis].astype(np.float32)
        if form == "one_hot" or (form == "given" and labels.ndim == 2):
            return one_hot(labels, self._units)
        if labels.ndim == 2 and (labels.max(axis=1) < 1).any():
            raise ValueError("This loss takes integer labels; soft labels need 'categorical_crossentropy'.")
        return integer_labels(labels)

    def compile(self, loss: Any, recipe: Recipe, total_steps: int) -> None:
        """Compile the model, unless it came compiled.

        With a constant rate, a further fit goes on with the optimizer's state; a schedule starts afresh.
        """
        if not self.by_trainer:
            return
        variables = [id(variable) for variable in self._model.trainable_variables]
        made_for = (variables, *_optimizer_options(recipe))
        with self._model.distribute_strategy.scope():  # where the model has its variables
            optimizer = self._optimizer
            if optimizer is not None:
                if self._optimizer_of not in (None, made_for):  # layers were frozen or freed in between
                    optimizer = self._optimizer = _fresh(optimizer)
            elif recipe.schedule == "constant" and self._optimizer_of == made_for:
                optimizer = self._model.optimizer
            else:
                optimizer = _make_optimizer(recipe, total_steps)
            # XLA slows convolutions on processors.
            self._model.compile(optimizer=optimizer, loss=loss, metrics=list(self._metrics) or None, jit_compile=False)
        self._optimizer_of = made_for

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values from which `restore` makes the same."""
        serialize = keras.saving.serialize_keras_object
        return {
            "by_trainer": self.by_trainer,
            "optimizer": self._optimizer and serialize(self._optimizer),
            "loss": "auto" if self._auto else serialize(self._loss),
            "metrics": [serialize(metric) for metric in self._metrics],
        }

    @classmethod
    def restore(
        cls,
        values: Mapping[str, Any],
        model: keras.Model,
        units: int,
        recipe: Recipe,
        custom_objects: Mapping[str, Any] | None,
    ) -> "Compilation":
        """Rebuild the compilation of a loaded model."""
        if not values["by_trainer"]:
            return cls(model, units)
        loss, metrics, optimizer = (
            keras.saving.deserialize_keras_object(values[key], custom_objects=dict(custom_objects or {}))
            for key in ("loss", "metrics", "optimizer")
        )
        restored = cls(model, units, loss=loss, metrics=metrics, optimizer=optimizer)
        restored.by_trainer = True
        if model.compiled:  # with the state that was saved
            restored._optimizer = optimizer and model.optimizer
            variables = [id(variable) for variable in model.trainable_variables]
            restored._optimizer_of = (variables, *_optimizer_options(recipe))
        return restored


def choose_optimizer(
    recipe: Recipe, optimizer: str | keras.optimizers.Optimizer | None
) -> tuple[Recipe, keras.optimizers.Optimizer | None]:
    """Return the recipe with a named optimizer in it, or beside it the instance that takes its place."""
    if optimizer is None:
        return recipe, None
    if isinstance(optimizer, str):
        return dataclasses.replace(recipe, optimizer=optimizer.lower()), None
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(f"`optimizer` must be a name or a keras.optimizers.Optimizer. Received: {optimizer!r}")
    if recipe.schedule != "constant" or recipe.learning_rate is not None:
        raise ValueError(
            "An optimizer instance has its own learning rate, so that the recipe's `learning_rate` and `schedule` "
            "cannot act. Name the optimizer instead, or give the instance a schedule and leave them out of the recipe."
        )
    return recipe, optimizer


def _make_optimizer(recipe: Recipe, total_steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer of a recipe, its learning rate following the recipe's schedule.

    Schedules are Keras's own classes: a saved classifier then needs no custom object.
    """
    make = OPTIMIZERS[recipe.optimizer]
    options: dict[str, Any] = {}
    if recipe.momentum:
        options |= {"momentum": recipe.momentum, "nesterov": True}
    if recipe.weight_decay:
        options["weight_decay"] = recipe.weight_decay
    peak = recipe.learning_rate
    if peak is None:
        peak = float(keras.ops.convert_to_numpy(make().learning_rate))
    return make(learning_rate=_learning_rate(recipe.schedule, peak, total_steps), **options)


def _learning_rate(schedule: str, peak: float, total_steps: int) -> Any:
    if schedule == "constant":
        return peak
    if schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(peak, total_steps)
    warm_up = max(1, round(_WARM_UP * total_steps))
    return keras.optimizers.schedules.CosineDecay(
        peak * _FIRST_RATE, max(1, total_steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )


def _optimizer_options(recipe: Recipe) -> tuple[Any, ...]:
    return recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.weight_decay


def _fresh(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    return type(optimizer).from_config(optimizer.get_config())


# -- which labels a loss or metric takes ----------------------------------------------------------


def _softened_by(recipe: Recipe) -> str | None:
    """Return the option of a recipe, if it has one, with which labels are no longer of one class alone."""
    return next((option for option in ("label_smoothing", "cutmix") if getattr(recipe, option)), None)


def _target_form(loss: Any, units: int) -> TargetForm:
    """Tell which form of labels a loss takes; a loss that is not Keras's own gets them as they were given."""
    if units == 1:
        return "sigmoid"
    known = keras.losses.get(loss)
    if not getattr(known, "__module__", "").startswith("keras."):
        return "given"
    return "integers" if "sparse" in _name(known) else "one_hot"


def _name(identifier: Any) -> str:
    if not isinstance(identifier, str):
        identifier = getattr(identifier, "__name__", type(identifier).__name__)
    return str(identifier).lower().replace("_", "")


def _check_known(identifier: Any, name: str, module: Any) -> None:
    """Check that Keras understands the name of a loss or metric, which it would only tell when training starts."""
    if isinstance(identifier, str) and not (name == "metric" and identifier in ("accuracy", "acc")):
        try:
            module.get(identifier)
        except ValueError:
            known = [key for key, value in vars(module).items() if callable(value) and key == key.lower()]
            check_choice(identifier, name, sorted({*known, "accuracy"} - {"get", "serialize", "deserialize"}))
    elif not isinstance(identifier, str) and not callable(identifier):
        raise TypeError(f"A {name} must be a name, an instance or a function. Received: {identifier!r}")


def _check_loss_fits(loss: Any, units: int) -> None:
    if units == 1 and "categorical" in _name(loss):
        raise ValueError(
            f"Loss {_name(loss)!r} needs one output unit per class; `model` has one sigmoid unit. Use `loss='auto'` "
            "or 'binary_crossentropy', or build the model with `num_classes=2`."
        )


def _check_metrics_fit(metrics: Iterable[Any], form: TargetForm) -> None:
    for metric in metrics:
        name = _name(metric)
        if "categorical" not in name or form not in ("integers", "one_hot"):
            continue
        if ("sparse" in name) != (form == "integers"):
            fix = "without 'Sparse'" if form == "one_hot" else "with 'Sparse' in its name, or one-hot labels"
            raise ValueError(
                f"Metric {metric!r} does not fit the labels that the loss takes here ({form.replace('_', '-')}): "
                f"use the metric {fix}."
            )
