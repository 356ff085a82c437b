"""What a model is compiled with: loss, metrics and optimizer, which labels they take, and who compiled it."""

import contextlib
import dataclasses
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import keras
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fashionclf._keras_internals import has_in_name, is_builtin
from fashionclf._text import shown
from fashionclf._types import FloatArray, IntArray
from fashionclf._validation import check_choice, integer_labels
from fashionclf.preprocessing import one_hot
from fashionclf.recipe import OPTIMIZERS, Recipe

_SET_THE_RATE: Final = (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)

_HAS_A_SCHEDULE: Final = (
    "{} sets the learning rate, but a schedule sets it already at every step. Leave out the callback, or train with a "
    'constant rate: set `trainer.recipe` to a `Recipe(schedule="constant")`, or give an optimizer of your own a number '
    "as its `learning_rate`."
)
_WARM_UP: Final = 0.25  # share of the steps of one-cycle in which the learning rate rises
_FIRST_RATE: Final = 1 / 25  # one-cycle's first learning rate, as a share of its peak

_GENERAL_METRICS: Final = (keras.metrics.Mean, keras.metrics.Sum, keras.metrics.MeanMetricWrapper)
_TargetForm = Literal["integers", "one_hot", "sigmoid", "given"]


class _Evaluated(keras.Model):
    """A model around another, so that it can be evaluated with a compilation that is not its own."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name=model.name)
        self.evaluated = model

    @override
    def call(self, inputs: Any, training: Any = None) -> Any:
        """Compute what the model computes."""
        return self.evaluated(inputs, training=training)


class Compilation:
    """The loss, metrics and optimizer that a Trainer gives its model. A model that the caller compiled keeps its own.

    `own_optimizer` is the caller's instance; None is that of the recipe.
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
        self.model = model
        self._units = units
        if isinstance(metrics, str) or not isinstance(metrics, Iterable):
            raise TypeError(f"`metrics` must be a list of metrics. Received: {shown(metrics)}. Use [{shown(metrics)}].")
        self._metrics = tuple(metrics)
        for metric in self._metrics:
            _check_known(metric, "metric", keras.metrics)
        self._auto = isinstance(loss, str) and loss == "auto"
        if not self._auto:
            _check_known(loss, "loss", keras.losses)
            _check_loss_fits(loss, units)
        self._loss = loss
        self.own_optimizer = optimizer
        self._optimizer: keras.optimizers.Optimizer | None = None  # the one in use
        self._optimizer_made_for: Any = None
        self._initial_state: list[NDArray[Any]] | None = None  # of the variables of an optimizer with a schedule
        self._evaluator: tuple[Any, keras.Model] | None = None

    def new_metrics(self) -> list[Any]:
        """Return the metrics, with a state of their own where they have one."""
        return [
            type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric
            for metric in self._metrics
        ]

    @property
    def by_trainer(self) -> bool:
        """Whether the Trainer compiles the model, because the caller has not compiled it."""
        return not compiled_by_caller(self.model)

    @property
    def is_current(self) -> bool:
        """Whether the model is compiled by this, and by nobody else since."""
        state = state_of(self.model)
        return self.by_trainer and state.compiled_by is not None and state.compiled_by() is self

    @property
    def is_default(self) -> bool:
        """Whether all options are the defaults, as they must be for a model that is already compiled."""
        return self._auto and self._metrics == ("accuracy",) and self.own_optimizer is None

    @property
    def parts(self) -> tuple[Any, ...]:
        """The loss and the metrics, and the optimizer if it is the caller's instance."""
        return self._loss, *self._metrics, self.own_optimizer

    def loss_for(self, labels: IntArray | FloatArray, recipe: Recipe) -> Any:
        """Return the loss for these labels: `"auto"` chooses it by the output layer and the labels."""
        if not self.by_trainer:
            return self.model.loss
        if not self._auto:
            return self._loss
        if self._units == 1:
            return "binary_crossentropy"
        soft = labels.ndim == 2 or _softened_by(recipe) or "one_hot" in map(_metric_form, self._metrics)
        return "categorical_crossentropy" if soft else "sparse_categorical_crossentropy"

    def targets(self, labels: IntArray | FloatArray, loss: Any, recipe: Recipe | None = None) -> NDArray[Any]:
        """Turn checked labels into what the loss takes; check that the metrics and the recipe take it too."""
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

    def check_callbacks(self, callbacks: Iterable[keras.callbacks.Callback], recipe: Recipe) -> None:
        """Refuse callbacks that set the learning rate if a schedule sets it. Keras would raise an error only later."""
        for callback in callbacks:
            if isinstance(callback, _SET_THE_RATE) and self._follows_schedule(recipe):
                raise ValueError(_HAS_A_SCHEDULE.format(type(callback).__name__))

    def _follows_schedule(self, recipe: Recipe) -> bool:
        if self.by_trainer and self.own_optimizer is None:
            return recipe.schedule != "constant"
        optimizer = self.own_optimizer if self.by_trainer else self.model.optimizer
        rate = getattr(optimizer, "learning_rate", None)
        return rate is not None and not isinstance(rate, keras.Variable)

    @contextlib.contextmanager
    def learning_rate_kept(self) -> Iterator[None]:
        """Restore the learning rate at the end, so that the next fit starts with the same one.

        A model that the caller compiled keeps what its callbacks have set, as in Keras.
        """
        rate = self.model.optimizer.learning_rate
        first = float(rate.numpy()) if isinstance(rate, keras.Variable) else None
        try:
            yield
        except TypeError as error:
            if first is None and "`LearningRateSchedule`" in str(error):  # Keras's error for setting the rate
                raise ValueError(_HAS_A_SCHEDULE.format("A callback")) from error
            raise
        finally:
            if first is not None and self.by_trainer:
                rate.assign(first)

    def compile(self, loss: Any, recipe: Recipe, total_steps: int) -> None:
        """Compile the model, unless the caller has compiled it, or nothing has changed since the last time.

        With a constant learning rate, the next fit continues with the optimizer's state. A schedule starts again.
        """
        if not self.by_trainer:
            return
        with self.model.distribute_strategy.scope():  # where the model has its variables
            optimizer = self._optimizer_for(recipe, total_steps)
            if self.is_current and optimizer is self.model.optimizer and loss == self.model.loss:
                return
            self.model.compile(optimizer=optimizer, loss=loss, metrics=list(self._metrics) or None)
        self._mark_as_current()

    def _mark_as_current(self) -> None:
        state = state_of(self.model)
        state.compiled_by, state.compilation = weakref.ref(self), compilation_of(self.model)
        self._evaluator = None

    def _optimizer_for(self, recipe: Recipe, total_steps: int) -> keras.optimizers.Optimizer:
        """Return the optimizer in use if it fits, with a schedule as new; else another one."""
        variables = self.model.trainable_variables
        made_for = self._made_for(recipe, total_steps)
        if self._optimizer is not None and self._optimizer_made_for == made_for:
            if self.own_optimizer is not None or recipe.schedule == "constant":
                return self._optimizer
            if self._initial_state is not None:
                for variable, value in zip(self._optimizer.variables, self._initial_state, strict=True):
                    variable.assign(value)  # a new optimizer would have to be traced again
                return self._optimizer
        optimizer = self.own_optimizer
        if optimizer is None:
            optimizer = make_optimizer(recipe, total_steps)
        elif optimizer.built:  # for other variables: of another model, or before layers were frozen
            optimizer = type(optimizer).from_config(optimizer.get_config())
        self._optimizer, self._optimizer_made_for, self._initial_state = optimizer, made_for, None
        if recipe.schedule != "constant" and num_devices(self.model) == 1:
            optimizer.build(variables)
            self._initial_state = [variable.numpy() for variable in optimizer.variables]
        return optimizer

    def _made_for(self, recipe: Recipe, total_steps: int) -> tuple[Any, ...]:
        """Return all that an optimizer depends on: if this changes, another one is needed."""
        variables = [id(variable) for variable in self.model.trainable_variables]
        if self.own_optimizer is not None:
            return (variables,)
        steps = 0 if recipe.schedule == "constant" else total_steps
        options = (recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.schedule, steps)
        return variables, options

    def evaluated(self, loss: Any) -> keras.Model:
        """Return a compiled model to evaluate. The model itself is not compiled for it."""
        if not self.by_trainer or self.is_current:
            return self.model
        if self._evaluator is None or self._evaluator[0] != loss:
            evaluator = _Evaluated(self.model)
            evaluator.compile(loss=loss, metrics=self.new_metrics() or None)
            self._evaluator = (loss, evaluator)
        return self._evaluator[1]

    def evaluation_loss(self, labels: IntArray | FloatArray, recipe: Recipe) -> Any:
        """Return the loss to evaluate with: that of the last fit, if there was one."""
        return self.model.loss if self.is_current else self.loss_for(labels, recipe)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values from which `restore` makes the same."""
        serialize = keras.saving.serialize_keras_object
        return {
            "by_trainer": self.by_trainer,
            "optimizer": self.own_optimizer and serialize(self._optimizer or self.own_optimizer),
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
        if not values["current"]:  # another Trainer of the same model had compiled it last
            state_of(model).compilation = compilation_of(model)
        elif model.compiled:  # with the state that was saved
            restored.own_optimizer = optimizer and model.optimizer
            if recipe.schedule == "constant":
                if restored.own_optimizer is None:  # a checkpoint has the rate that a callback had set
                    model.optimizer.learning_rate = _peak(recipe)
                restored._optimizer, restored._optimizer_made_for = model.optimizer, restored._made_for(recipe, 0)
            restored._mark_as_current()
        return restored


# -- what Trainers of one model share ---------------------------------------------------------------


class ModelState:
    """What all Trainers of one model share."""

    def __init__(self) -> None:
        self.computing = threading.RLock()  # held while a step changes layers, and by code that must not see this
        self.fitting = threading.Lock()  # held by the `fit` that is running
        self.compiled_by: weakref.ref[Any] | None = None  # the `Compilation` that compiled the model last
        self.compilation: tuple[int, ...] = ()  # `compilation_of` then: if it differs now, the caller has compiled it


_STATES: Final[weakref.WeakKeyDictionary[keras.Model, ModelState]] = weakref.WeakKeyDictionary()


def state_of(model: keras.Model) -> ModelState:
    """Return the shared state of a model."""
    return _STATES.setdefault(model, ModelState())


@contextlib.contextmanager
def fitting_of(model: keras.Model) -> Iterator[None]:
    """Refuse a second caller that wants to change a model's weights at the same time."""
    lock = state_of(model).fitting
    if not lock.acquire(blocking=False):
        raise RuntimeError("This model is being fitted already; wait until that ends, or build a second model.")
    try:
        yield
    finally:
        lock.release()


def compilation_of(model: keras.Model) -> tuple[int, ...]:
    """Return what identifies a model's compilation: each call of `compile` makes a new metric for the loss."""
    return (id(model.optimizer), *(id(metric) for metric in model.metrics[:1])) if model.compiled else ()


def compiled_by_caller(model: keras.Model) -> bool:
    """Tell whether a model is compiled, and not by a Trainer."""
    return bool(model.compiled) and state_of(model).compilation != compilation_of(model)


# -- devices --------------------------------------------------------------------------------------


def num_devices(model: keras.Model) -> int:
    """Return the number of devices that share each batch."""
    return int(model.distribute_strategy.num_replicas_in_sync)


# -- optimizers -----------------------------------------------------------------------------------


def choose_optimizer(
    recipe: Recipe, optimizer: str | keras.optimizers.Optimizer | None
) -> tuple[Recipe, keras.optimizers.Optimizer | None]:
    """Return the recipe, with the optimizer in it if that is a name; and the optimizer if it is an instance."""
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
    """Make the optimizer of a recipe, with a schedule of Keras's own, so that a file needs no custom object."""
    make = OPTIMIZERS[recipe.optimizer]
    options: dict[str, Any] = {}
    if recipe.momentum:
        options |= {"momentum": recipe.momentum, "nesterov": True}
    if recipe.weight_decay:
        options["weight_decay"] = recipe.weight_decay
    return make(learning_rate=_learning_rate(recipe.schedule, _peak(recipe), total_steps), **options)


def _peak(recipe: Recipe) -> float:
    """Return the highest learning rate of a recipe, the only one of a constant schedule."""
    if recipe.learning_rate is not None:
        return recipe.learning_rate
    return float(OPTIMIZERS[recipe.optimizer]().learning_rate.numpy())


def _learning_rate(schedule: str, peak: float, total_steps: int) -> Any:
    if schedule == "constant":
        return peak
    if schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(peak, max(1, total_steps))
    warm_up = max(1, round(_WARM_UP * total_steps))
    return keras.optimizers.schedules.CosineDecay(
        peak * _FIRST_RATE, max(1, total_steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )


# -- the labels that a loss or metric takes -------------------------------------------------------


def _softened_by(recipe: Recipe) -> str | None:
    """Return the option of a recipe that mixes or softens labels, None if it has none."""
    return next((option for option in ("label_smoothing", "cutmix") if getattr(recipe, option)), None)


def _target_form(loss: Any, units: int) -> _TargetForm:
    """Tell which form of labels a loss takes; a loss that is not Keras's own gets them as they were given."""
    if units == 1:
        return "sigmoid"
    known = keras.losses.get(loss)
    if not is_builtin(known):
        return "given"
    return "integers" if _takes_integers(known) else "one_hot"


def _metric_form(metric: Any) -> _TargetForm:
    """Tell which form of labels a metric takes: `"accuracy"` takes any, and so may one of the caller's own."""
    if metric in ("accuracy", "acc", "crossentropy", "ce"):
        return "given"
    known = keras.metrics.get(metric) if isinstance(metric, str) else metric
    if not is_builtin(known) or type(known) in _GENERAL_METRICS:
        return "given"
    return "integers" if _takes_integers(known) else "one_hot"


def _takes_integers(known: Any) -> bool:
    """Tell whether a loss or metric of Keras takes integer labels beside one probability per class."""
    if isinstance(known, keras.metrics.IoU):  # and its kind
        return bool(known.sparse_y_true)
    return has_in_name(known, "sparse")


def _needs_unit_per_class(identifier: Any, module: Any) -> bool:
    """Tell whether a loss or metric of Keras cannot work with a single sigmoid unit."""
    if identifier in ("accuracy", "acc", "crossentropy", "ce"):
        return False
    known = module.get(identifier) if isinstance(identifier, str) else identifier
    return has_in_name(known, "categorical")


def _check_known(identifier: Any, name: str, module: Any) -> None:
    """Check that Keras knows the name of a loss or metric; Keras itself checks it only when training starts."""
    if isinstance(identifier, str) and not (name == "metric" and identifier in ("accuracy", "acc")):
        try:
            module.get(identifier)
        except ValueError:
            known = [key for key, value in vars(module).items() if callable(value) and key == key.lower()]
            check_choice(identifier, name, sorted({*known, "accuracy"} - {"get", "serialize", "deserialize"}))
    elif not isinstance(identifier, str) and not callable(identifier):
        raise TypeError(f"A {name} must be a name, an instance or a function. Received: {shown(identifier)}")


def _check_loss_fits(loss: Any, units: int) -> None:
    if units == 1 and _needs_unit_per_class(loss, keras.losses):
        raise ValueError(
            f"Loss {shown(loss)} needs one output unit per class; `model` has one sigmoid unit. Use `loss='auto'` "
            "or 'binary_crossentropy', or build the model with `num_classes=2`."
        )


def _check_metrics_fit(metrics: Iterable[Any], form: _TargetForm) -> None:
    for metric in metrics:
        needed = _metric_form(metric)
        if form == "sigmoid" and _needs_unit_per_class(metric, keras.metrics):
            raise ValueError(
                f"Metric {shown(metric)} needs one output unit per class; `model` has one sigmoid unit. Use 'accuracy' "
                "or 'binary_accuracy', or build the model with `num_classes=2`."
            )
        if {needed, form} == {"integers", "one_hot"}:
            fix = (
                "use a metric without 'Sparse' in its name"
                if form == "one_hot"
                else "use `loss='auto'` or 'categorical_crossentropy', or a metric with 'Sparse' in its name"
            )
            raise ValueError(
                f"Metric {shown(metric)} takes {needed.replace('_', '-')} labels; the loss and metrics here take "
                f"{form.replace('_', '-')} ones: {fix}."
            )
