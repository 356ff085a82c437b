"""What a model is compiled with: input and output read off it, loss, optimizer, and targets to suit."""

import dataclasses
from typing import Any, Final, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from fashionclf._types import FloatArray, IntArray
from fashionclf._validation import HEIGHT, IMAGE_SHAPE, NUM_PIXELS, WIDTH, check_choice, integer_labels
from fashionclf.preprocessing import one_hot
from fashionclf.presets import OPTIMIZERS, Recipe

_INPUTS: Final = (IMAGE_SHAPE, (HEIGHT, WIDTH), (NUM_PIXELS,))
_WARM_UP: Final = 0.25  # share of one-cycle's steps in which the learning rate rises
_FIRST_RATE: Final = 1 / 25  # one-cycle's first learning rate, as a share of its peak

TargetForm = Literal["integers", "one_hot", "sigmoid", "given"]


def check_model(model: Any) -> int:
    """Check that a model takes our images and ends in probabilities; return its number of output units."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {model!r}")
    try:
        input_shape, output_shape = model.input_shape, model.output_shape
    except (AttributeError, ValueError):
        raise ValueError(
            f"`model` has no defined input and output yet. Start it with `keras.Input({IMAGE_SHAPE})`."
        ) from None
    if not isinstance(input_shape, tuple) or not any(_fits(input_shape[1:], shape) for shape in _INPUTS):
        raise ValueError(
            f"`model` takes input of shape {input_shape}, expected one input (None, 28, 28, 1), "
            "(None, 28, 28) or (None, 784)."
        )
    if not isinstance(output_shape, tuple) or len(output_shape) != 2 or output_shape[1] is None:
        raise ValueError(f"`model` gives output of shape {output_shape}, expected one output (None, num_classes).")
    _check_last_activation(model, output_shape[1])
    return int(output_shape[1])


def _fits(shape: tuple[int | None, ...], image: tuple[int, ...]) -> bool:
    return len(shape) == len(image) and all(a in (None, b) for a, b in zip(shape, image, strict=True))


def _check_last_activation(model: keras.Model, units: int) -> None:
    """Refuse logits: the file a plain Keras user opens must compute probabilities itself."""
    activation = getattr(model.layers[-1], "activation", None) if model.layers else None
    expected = keras.activations.sigmoid if units == 1 else keras.activations.softmax
    if activation is not None and activation is not expected:
        name = getattr(activation, "__name__", activation)
        raise ValueError(
            f"`model` ends in {units} units with activation {name!r}; expected {expected.__name__!r}, so that it "
            f"gives probabilities. Build the last layer with `activation={expected.__name__!r}`."
        )


def check_known(identifier: Any, name: str, module: Any) -> None:
    """Check that Keras understands the name of a loss or metric, which it would only tell when training starts."""
    if isinstance(identifier, str) and not (name == "metric" and identifier in ("accuracy", "acc")):
        try:
            module.get(identifier)
        except ValueError:
            known = [key for key, value in vars(module).items() if callable(value) and key == key.lower()]
            check_choice(identifier, name, sorted({*known, "accuracy"} - {"get", "serialize", "deserialize"}))
    elif not isinstance(identifier, str) and not callable(identifier):
        raise TypeError(f"A {name} must be a name, an instance or a function. Received: {identifier!r}")


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


def auto_loss(units: int, labels: IntArray | FloatArray, recipe: Recipe) -> str:
    """Choose the loss from the output layer and the labels."""
    if units == 1:
        return "binary_crossentropy"
    if labels.ndim == 2 or recipe.label_smoothing:
        return "categorical_crossentropy"
    return "sparse_categorical_crossentropy"


def target_form(loss: Any, units: int) -> TargetForm:
    """Tell which form of labels a loss takes; a loss that is not Keras's own gets them as they were given."""
    if units == 1:
        return "sigmoid"
    known = keras.losses.get(loss)
    if not getattr(known, "__module__", "").startswith("keras."):
        return "given"
    name = getattr(known, "__name__", type(known).__name__)
    return "integers" if "sparse" in name.lower() else "one_hot"


def make_targets(labels: IntArray | FloatArray, form: TargetForm, units: int, smoothing: float = 0.0) -> NDArray[Any]:
    """Turn checked labels into the targets that a loss takes, smoothed if asked for."""
    if form == "sigmoid":
        targets = labels[:, 1:] if labels.ndim == 2 else labels[:, np.newaxis].astype(np.float32)
        return targets * np.float32(1 - smoothing) + np.float32(smoothing / 2)
    if form == "integers" or (form == "given" and labels.ndim == 1):
        if smoothing:
            raise ValueError(
                "`label_smoothing` needs one-hot targets, which this loss does not take. Use `loss='auto'`."
            )
        if labels.ndim == 2 and (labels.max(axis=1) < 1).any():
            raise ValueError("This loss takes integer labels; soft labels need 'categorical_crossentropy'.")
        return integer_labels(labels)
    return one_hot(labels, units) * np.float32(1 - smoothing) + np.float32(smoothing / units)


def make_optimizer(recipe: Recipe, total_steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer of a recipe, its learning rate following the recipe's schedule.

    Schedules are Keras's own classes: a saved classifier then needs no custom object.
    """
    optimizer = OPTIMIZERS[recipe.optimizer]
    peak = recipe.learning_rate
    if peak is None:
        peak = float(keras.ops.convert_to_numpy(optimizer().learning_rate))
    if recipe.schedule == "constant":
        return optimizer(learning_rate=peak)
    if recipe.schedule == "cosine":
        return optimizer(learning_rate=keras.optimizers.schedules.CosineDecay(peak, total_steps))
    warm_up = max(1, round(_WARM_UP * total_steps))
    one_cycle = keras.optimizers.schedules.CosineDecay(
        peak * _FIRST_RATE, max(1, total_steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )
    return optimizer(learning_rate=one_cycle)
