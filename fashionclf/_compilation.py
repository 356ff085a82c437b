"""What a model is compiled with: loss, metrics and optimizer, and the targets to suit them."""

import dataclasses
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import keras
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fashionclf._layers import compilation_of, compiled_by_caller, state_of
from fashionclf._types import FloatArray, IntArray
from fashionclf._validation import check_choice, integer_labels
from fashionclf.preprocessing import one_hot
from fashionclf.presets import OPTIMIZERS, Recipe

_WARM_UP: Final = 0.25  # share of one-cycle's steps in which the learning rate rises
_FIRST_RATE: Final = 1 / 25  # one-cycle's first learning rate, as a share of its peak

# Losses and metrics on integer labels; all others of Keras compare with one-hot ones.
_ON_INTEGERS: Final = (
    keras.losses.SparseCategoricalCrossentropy,
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseCategoricalCrossentropy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)
_FUNCTIONS_ON_INTEGERS: Final = (
    keras.losses.sparse_categorical_crossentropy,
    keras.metrics.sparse_categorical_accuracy,
    keras.metrics.sparse_categorical_crossentropy,
    keras.metrics.sparse_top_k_categorical_accuracy,
)

_GENERAL_METRICS: Final = (keras.metrics.Mean, keras.metrics.Sum, keras.metrics.MeanMetricWrapper)

TargetForm = Literal["integers", "one_hot", "sigmoid", "given"]


class _Evaluated(keras.Model):
    """A model with another compilation than its own, which stays as it is.

    Args:
        model: The model whose layers are evaluated.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name=model.name)
        self.evaluated = model

    @override
    def call(self, inputs: Any, training: Any = None) -> Any:
        """Compute what the model computes."""
        return self.evaluated(inputs, training=training)


class Compilation:
    """The loss, metrics and optimizer that a Trainer gives its model. A model that the caller compiles keeps its own.

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
        self.given = optimizer
        self._optimizer: keras.optimizers.Optimizer | None = None  # the one in use, and what it was made for
        self._optimizer_of: Any = None
        self._beginning: list[NDArray[Any]] | None = None  # what the variables of one with a schedule begin with
        self._evaluator: tuple[Any, keras.Model] | None = None

    @property
    def by_trainer(self) -> bool:
        """Whether the Trainer compiles the model: so it is unless the caller has compiled it."""
        return not compiled_by_caller(self._model)

    @property
    def is_in_force(self) -> bool:
        """Whether the model is compiled by this, and not by another Trainer since."""
        state = state_of(self._model)
        return self.by_trainer and state.compiled_by is not None and state.compiled_by() is self

    @property
    def is_default(self) -> bool:
        """Whether nothing was asked for, as must be for a model that comes compiled."""
        return self._auto and self._metrics == ("accuracy",) and self.given is None

    def loss_for(self, labels: IntArray | FloatArray, recipe: Recipe) -> Any:
        """Return the loss to train on these labels with: `"auto"` reads it off the output layer and the labels."""
        if not self.by_trainer:
            return self._model.loss
        if not self._auto:
            return self._loss
        if self._units == 1:
            return "binary_crossentropy"
        soft = labels.ndim == 2 or _softened_by(recipe) or "one_hot" in map(_metric_form, self._metrics)
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
        """Compile the model, unless the caller has, or nothing has changed since the last time.

        With a constant rate, a further fit goes on with the optimizer's state; a schedule starts afresh.
        """
        if not self.by_trainer:
            return
        with self._model.distribute_strategy.scope():  # where the model has its variables
            optimizer = self._optimizer_for(recipe, total_steps)
            if self.is_in_force and optimizer is self._model.optimizer and loss == self._model.loss:
                return
            # XLA slows convolutions on processors.
            self._model.compile(optimizer=optimizer, loss=loss, metrics=list(self._metrics) or None, jit_compile=False)
        self._take_force()

    def _take_force(self) -> None:
        state = state_of(self._model)
        state.compiled_by, state.compilation = weakref.ref(self), compilation_of(self._model)
        self._evaluator = None

    def _optimizer_for(self, recipe: Recipe, total_steps: int) -> keras.optimizers.Optimizer:
        """Return the optimizer in use if it fits, begun anew where it follows a schedule; else another."""
        variables = self._model.trainable_variables
        purpose = _purpose(variables, recipe, total_steps, self.given)
        if self._optimizer is not None and self._optimizer_of == purpose:
            if self.given is not None or recipe.schedule == "constant":
                return self._optimizer
            if self._beginning is not None:
                for variable, value in zip(self._optimizer.variables, self._beginning, strict=True):
                    variable.assign(value)  # begun anew: another optimizer would have to be traced again
                return self._optimizer
        if self.given is None:
            self._optimizer = _make_optimizer(recipe, total_steps)
        else:  # one that is built has the state of other variables: of another model, or before layers were frozen
            self._optimizer = _fresh(self.given) if self.given.built else self.given
        self._optimizer_of, self._beginning = purpose, None
        if recipe.schedule != "constant" and self._model.distribute_strategy.num_replicas_in_sync == 1:
            self._optimizer.build(variables)
            self._beginning = [variable.numpy() for variable in self._optimizer.variables]
        return self._optimizer

    def evaluated(self, loss: Any) -> keras.Model:
        """Return a compiled model to evaluate. The model itself is not compiled for that."""
        if not self.by_trainer or self.is_in_force:
            return self._model
        if self._evaluator is None or self._evaluator[0] != loss:
            evaluator = _Evaluated(self._model)
            evaluator.compile(loss=loss, metrics=_copies(self._metrics) or None, jit_compile=False)
            self._evaluator = (loss, evaluator)
        return self._evaluator[1]

    def loss_in_force(self, labels: IntArray | FloatArray, recipe: Recipe) -> Any:
        """Return the loss that evaluating computes: that of training, if there was any."""
        return self._model.loss if self.is_in_force else self.loss_for(labels, recipe)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values from which `restore` makes the same."""
        serialize = keras.saving.serialize_keras_object
        return {
            "by_trainer": self.by_trainer,
            "optimizer": self.given and serialize(self._optimizer or self.given),
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
        if not values.get("in_force", True):  # another Trainer of the same model had compiled it last
            state_of(model).compilation = compilation_of(model)
        elif model.compiled:  # with the state that was saved
            restored.given = optimizer and model.optimizer
            if recipe.schedule == "constant":
                restored._optimizer = model.optimizer
                restored._optimizer_of = _purpose(model.trainable_variables, recipe, 0, restored.given)
            restored._take_force()
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
        peak = float(make().learning_rate.numpy())
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


def _purpose(variables: Iterable[Any], recipe: Recipe, total_steps: int, given: Any) -> tuple[Any, ...]:
    """Return what an optimizer is made for: with another purpose, another one is needed."""
    steps = 0 if recipe.schedule == "constant" else total_steps
    options = (recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.schedule, steps)
    return [id(variable) for variable in variables], given is None and options


def _copies(metrics: Iterable[Any]) -> list[Any]:
    """Return metrics with a state of their own, where they have one."""
    return [
        type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric
        for metric in metrics
    ]


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
    if not _is_builtin(known):
        return "given"
    return "integers" if _takes_integers(known) else "one_hot"


def _metric_form(metric: Any) -> TargetForm:
    """Tell which form of labels a metric takes: `"accuracy"` takes any, and so may one of the caller's own."""
    if metric in ("accuracy", "acc", "crossentropy", "ce"):
        return "given"
    known = keras.metrics.get(metric) if isinstance(metric, str) else metric
    if not _is_builtin(known) or type(known) in _GENERAL_METRICS:
        return "given"
    return "integers" if _takes_integers(known) else "one_hot"


def _is_builtin(known: Any) -> bool:
    module = known.__module__ if hasattr(known, "__name__") else type(known).__module__
    return str(module).startswith("keras.")


def _takes_integers(known: Any) -> bool:
    """Tell whether a loss or metric of Keras takes integer labels beside one probability per class."""
    if isinstance(known, keras.metrics.IoU):  # and its kind
        return bool(known.sparse_y_true)
    return isinstance(known, _ON_INTEGERS) or known in _FUNCTIONS_ON_INTEGERS


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
        needed = _metric_form(metric)
        if form == "sigmoid" and "categorical" in _name(metric):
            raise ValueError(
                f"Metric {metric!r} needs one output unit per class; `model` has one sigmoid unit. Use 'accuracy' or "
                "'binary_accuracy', or build the model with `num_classes=2`."
            )
        if {needed, form} == {"integers", "one_hot"}:
            fix = (
                "use a metric without 'Sparse' in its name"
                if form == "one_hot"
                else "use `loss='auto'` or 'categorical_crossentropy', or a metric with 'Sparse' in its name"
            )
            raise ValueError(
                f"Metric {metric!r} takes {needed.replace('_', '-')} labels; the loss and metrics here take "
                f"{form.replace('_', '-')} ones: {fix}."
            )
