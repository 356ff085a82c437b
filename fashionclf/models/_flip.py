"""Test-time augmentation: one model applied to an image and to its mirrored copy."""

from typing import Any

import keras

from fashionclf._images import check_image_shape
from fashionclf._keras_internals import flips_left_and_right
from fashionclf._text import shown
from fashionclf.models._blocks import check_name


def flip_averaged(model: keras.Model, *, name: str | None = None) -> keras.Model:
    """Build a model for test-time augmentation: the mean prediction for an image and for the flipped image.

    A flipped garment is still the same garment. Averaging typically gains 0.1 to 0.5 points of accuracy and doubles
    the computation (test-time augmentation as in Krizhevsky et al., 2012). The weights are shared with `model`, not
    copied. Train `model` first, with flips (`Augmentation(horizontal_flip=True)`), then wrap it; the wrapped model can
    be trained further, at twice the cost.

    Args:
        model: A model of images `(height, width, channels)` or `(height, width)`, built, with one output.
        name: Name of the new model. None takes that of `model`.

    Returns:
        An uncompiled `keras.Model` of Keras's own layers, with the input and output of `model`.

    Raises:
        ValueError: If `model` is not built, or takes rows of pixels or several inputs.

    Example:
        >>> import fashionclf as fc
        >>> trainer = fc.Trainer(fc.flip_averaged(fc.cnn_model(seed=0)))
        >>> trainer
        <Trainer cnn_model: 333,526 parameters, 10 classes>
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {shown(model)}")
    shape: Any = getattr(model, "input_shape", None) if model.built else None
    try:
        check_image_shape(shape[1:] if len(shape) == 4 else (*shape[1:], 1))
    except (TypeError, ValueError) as error:
        raise ValueError(
            "`model` must be built for images (None, height, width, channels) or (None, height, width). Its input is "
            f"{shape}; begin it with `keras.Input(image_shape)`."
        ) from error
    image = keras.Input(shape[1:], name="image")
    predicted = [model(image), model(keras.ops.flip(image, axis=2))]
    return keras.Model(image, keras.layers.Average(name="mean")(predicted), name=check_name(name or model.name))


def averaged_over_flips(model: keras.Model) -> keras.Model | None:
    """Return the model that `flip_averaged` was given, from what it has built; None if `model` is anything else."""
    operations = [part for part in getattr(model, "operations", ()) if not isinstance(part, keras.layers.InputLayer)]
    inner = [part for part in operations if isinstance(part, keras.Model)]
    flips = [part for part in operations if flips_left_and_right(part, len(model.input_shape))]
    means = [part for part in operations if type(part) is keras.layers.Average]
    if not (len(operations) == 3 and len(inner) == len(flips) == len(means) == 1):
        return None
    averaged = means[0].input
    same_input = flips[0].input is model.inputs[0]
    return inner[0] if isinstance(averaged, list) and len(averaged) == 2 and same_input else None
