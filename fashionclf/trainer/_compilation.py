"""What a model is compiled with: loss, metrics and optimizer, and the matching form of the labels."""

import contextlib
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fashionclf._text import shown
from fashionclf._types import FloatArray, IntArray
from fashionclf._validation import integer_labels
from fashionclf.preprocessing import one_hot
from fashionclf.recipe import Recipe
from fashionclf.trainer._devices import num_devices
from fashionclf.trainer._model_state import compilation_of, compiled_by_caller, state_of
from fashionclf.trainer._optimizers import fresh, make_optimizer, peak_of, purpose_of
from fashionclf.trainer._targets import (
    check_known,
    check_loss_fits,
    check_metrics_fit,
    metric_form,
    softened_by,
    target_form,
)

_SET_THE_RATE: Final = (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)

_HAS_A_SCHEDULE: Final = (
    "{} sets the learning rate, but a schedule sets it already at every step. Leave out the callback, or train with a "
    "constant rate: {}."
)


class _Evaluated(keras.Model):
    """A wrapper that evaluates a model with another compilation; the model's own compilation does not change.

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
    """The loss, metrics and optimizer that a Trainer gives its model. A model that the caller compiled keeps its own.

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
            raise TypeError(f"`metrics` must be a list of metrics. Received: {shown(metrics)}. Use [{shown(metrics)}].")
        self._metrics = tuple(metrics)
        for metric in self._metrics:
            check_known(metric, "metric", keras.metrics)
        self._auto = isinstance(loss, str) and loss == "auto"
        if not self._auto:
            check_known(loss, "loss", keras.losses)
            check_loss_fits(loss, units)
        self._loss = loss
        self.given = optimizer
        self._optimizer: keras.optimizers.Optimizer | None = None  # the one in use, and what it was made for
        self._optimizer_of: Any = None
        self._beginning: list[NDArray[Any]] | None = None  # what the variables of one with a schedule begin with
        self._evaluator: tuple[Any, keras.Model] | None = None

    @property
    def by_trainer(self) -> bool:
        """Whether the Trainer compiles the model, because the caller has not compiled it."""
        return not compiled_by_caller(self._model)

    @property
    def num_devices(self) -> int:
        """Number of devices that share each batch of the model."""
        return num_devices(self._model)

    @property
    def is_in_force(self) -> bool:
        """Whether the model is compiled by this, and not by another Trainer since."""
        state = state_of(self._model)
        return self.by_trainer and state.compiled_by is not None and state.compiled_by() is self

    @property
    def is_default(self) -> bool:
        """Whether all options are the defaults, as they must be for a model that is already compiled."""
        return self._auto and self._metrics == ("accuracy",) and self.given is None

    @property
    def parts(self) -> tuple[Any, ...]:
        """The loss, the metrics and the optimizer that were given."""
        return self._loss, *self._metrics, self.given

    def loss_for(self, labels: IntArray | FloatArray, recipe: Recipe) -> Any:
        """Return the loss for these labels: `"auto"` chooses it by the output layer and the labels."""
        if not self.by_trainer:
            return self._model.loss
        if not self._auto:
            return self._loss
        if self._units == 1:
            return "binary_crossentropy"
        soft = labels.ndim == 2 or softened_by(recipe) or "one_hot" in map(metric_form, self._metrics)
        return "categorical_crossentropy" if soft else "sparse_categorical_crossentropy"

    def targets(self, labels: IntArray | FloatArray, loss: Any, recipe: Recipe | None = None) -> NDArray[Any]:
        """Turn checked labels into what the loss takes; check that metrics and a recipe can work on that."""
        form = target_form(loss, self._units)
        option = recipe and softened_by(recipe)
        if option and form not in ("one_hot", "sigmoid"):
            raise ValueError(
                f"`{option}` needs a loss on one-hot labels. Use `loss='auto'` or 'categorical_crossentropy'."
            )
        if self.by_trainer:
            check_metrics_fit(self._metrics, form)
        if form == "sigmoid":
            return labels[:, 1:] if labels.ndim == 2 else labels[:, np.newaxis].astype(np.float32)
        if form == "one_hot" or (form == "given" and labels.ndim == 2):
            return one_hot(labels, self._units)
        if labels.ndim == 2 and (labels.max(axis=1) < 1).any():
            raise ValueError("This loss takes integer labels; soft labels need 'categorical_crossentropy'.")
        return integer_labels(labels)

    def check_callbacks(self, callbacks: Iterable[keras.callbacks.Callback], recipe: Recipe) -> None:
        """Refuse callbacks that set the learning rate if a schedule sets it: Keras would raise an error later."""
        for callback in callbacks:
            if isinstance(callback, _SET_THE_RATE) and self._follows_schedule(recipe):
                raise ValueError(_HAS_A_SCHEDULE.format(type(callback).__name__, self._constant_rate))

    def _follows_schedule(self, recipe: Recipe) -> bool:
        if self.by_trainer and self.given is None:
            return recipe.schedule != "constant"
        optimizer = self.given if self.by_trainer else self._model.optimizer
        rate = getattr(optimizer, "learning_rate", None)
        return rate is not None and not isinstance(rate, keras.Variable)

    @property
    def _constant_rate(self) -> str:
        """How to train with a constant learning rate."""
        if not self.by_trainer:
            return "compile the model with an optimizer that has a number as its `learning_rate`"
        if self.given is not None:
            return "give the optimizer a number as its `learning_rate`"
        return 'set `trainer.recipe` to a `Recipe(schedule="constant")`'

    @contextlib.contextmanager
    def learning_rate_kept(self) -> Iterator[None]:
        """Restore the learning rate at the end, so that the next fit starts where this one started.

        A model that the caller compiled keeps what its callbacks have set, as in Keras.
        """
        rate = self._model.optimizer.learning_rate
        first = float(rate.numpy()) if isinstance(rate, keras.Variable) else None
        try:
            yield
        except TypeError as error:
            if first is None and "`LearningRateSchedule`" in str(error):  # Keras's error for setting the rate
                raise ValueError(_HAS_A_SCHEDULE.format("A callback", self._constant_rate)) from error
            raise
        finally:
            if first is not None and self.by_trainer:
                rate.assign(first)

    def compile(self, loss: Any, recipe: Recipe, total_steps: int) -> None:
        """Compile the model, unless the caller has, or nothing has changed since the last time.

        With a constant learning rate, another fit continues with the optimizer's state; a schedule starts again.
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
        """Return the current optimizer if it can be used again, reset if it follows a schedule; else a new one."""
        variables = self._model.trainable_variables
        purpose = purpose_of(variables, recipe, total_steps, self.given)
        if self._optimizer is not None and self._optimizer_of == purpose:
            if self.given is not None or recipe.schedule == "constant":
                return self._optimizer
            if self._beginning is not None:
                for variable, value in zip(self._optimizer.variables, self._beginning, strict=True):
                    variable.assign(value)  # reset: a new optimizer would have to be traced again
                return self._optimizer
        if self.given is None:
            optimizer = make_optimizer(recipe, total_steps)
        else:  # one that is built has the state of other variables: of another model, or before layers were frozen
            optimizer = fresh(self.given) if self.given.built else self.given
        self._optimizer, self._optimizer_of, self._beginning = optimizer, purpose, None
        if recipe.schedule != "constant" and self._model.distribute_strategy.num_replicas_in_sync == 1:
            optimizer.build(variables)
            self._beginning = [variable.numpy() for variable in optimizer.variables]
        return optimizer

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
                if restored.given is None:  # a checkpoint has the rate that a callback had set
                    model.optimizer.learning_rate = peak_of(recipe)
                restored._optimizer = model.optimizer
                restored._optimizer_of = purpose_of(model.trainable_variables, recipe, 0, restored.given)
            restored._take_force()
        return restored


def _copies(metrics: Iterable[Any]) -> list[Any]:
    """Return metrics with a state of their own, where they have one."""
    return [
        type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric
        for metric in metrics
    ]
