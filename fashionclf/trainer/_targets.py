"""Which labels a loss or metric takes, and checks that they fit the model."""

from collections.abc import Iterable
from typing import Any, Final, Literal

import keras

from fashionclf._keras_internals import is_builtin
from fashionclf._text import shown
from fashionclf._validation import check_choice
from fashionclf.recipe import Recipe

# Losses and metrics on integer labels; all others of Keras take one-hot labels.
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

# Losses and metrics that need one output unit per class.
_PER_CLASS: Final = (
    *_ON_INTEGERS,
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
    keras.losses.CategoricalHinge,
    keras.metrics.CategoricalAccuracy,
    keras.metrics.CategoricalCrossentropy,
    keras.metrics.CategoricalHinge,
    keras.metrics.TopKCategoricalAccuracy,
)
_FUNCTIONS_PER_CLASS: Final = (
    *_FUNCTIONS_ON_INTEGERS,
    keras.losses.categorical_crossentropy,
    keras.losses.categorical_focal_crossentropy,
    keras.losses.categorical_hinge,
    keras.metrics.categorical_accuracy,
    keras.metrics.top_k_categorical_accuracy,
)

_GENERAL_METRICS: Final = (keras.metrics.Mean, keras.metrics.Sum, keras.metrics.MeanMetricWrapper)


TargetForm = Literal["integers", "one_hot", "sigmoid", "given"]


def softened_by(recipe: Recipe) -> str | None:
    """Return the option of a recipe that mixes or softens labels, None if it has none."""
    return next((option for option in ("label_smoothing", "cutmix") if getattr(recipe, option)), None)


def target_form(loss: Any, units: int) -> TargetForm:
    """Tell which form of labels a loss takes; a loss that is not Keras's own gets them as they were given."""
    if units == 1:
        return "sigmoid"
    known = keras.losses.get(loss)
    if not is_builtin(known):
        return "given"
    return "integers" if _takes_integers(known) else "one_hot"


def metric_form(metric: Any) -> TargetForm:
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
    return isinstance(known, _ON_INTEGERS) or known in _FUNCTIONS_ON_INTEGERS


def _needs_unit_per_class(identifier: Any, module: Any) -> bool:
    """Tell whether a loss or metric of Keras cannot work with a single sigmoid unit."""
    if identifier in ("accuracy", "acc", "crossentropy", "ce"):
        return False
    known = module.get(identifier) if isinstance(identifier, str) else identifier
    return isinstance(known, _PER_CLASS) or known in _FUNCTIONS_PER_CLASS


def check_known(identifier: Any, name: str, module: Any) -> None:
    """Check that Keras knows the name of a loss or metric; Keras itself checks it only when training starts."""
    if isinstance(identifier, str) and not (name == "metric" and identifier in ("accuracy", "acc")):
        try:
            module.get(identifier)
        except ValueError:
            known = [key for key, value in vars(module).items() if callable(value) and key == key.lower()]
            check_choice(identifier, name, sorted({*known, "accuracy"} - {"get", "serialize", "deserialize"}))
    elif not isinstance(identifier, str) and not callable(identifier):
        raise TypeError(f"A {name} must be a name, an instance or a function. Received: {shown(identifier)}")


def check_loss_fits(loss: Any, units: int) -> None:
    if units == 1 and _needs_unit_per_class(loss, keras.losses):
        raise ValueError(
            f"Loss {shown(loss)} needs one output unit per class; `model` has one sigmoid unit. Use `loss='auto'` "
            "or 'binary_crossentropy', or build the model with `num_classes=2`."
        )


def check_metrics_fit(metrics: Iterable[Any], form: TargetForm) -> None:
    for metric in metrics:
        needed = metric_form(metric)
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
