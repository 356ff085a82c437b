"""The models that a Trainer takes: checks that a model classifies images, and the models of presets."""

import math
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from fashionclf._images import CHANNELS, IMAGE_SHAPE
from fashionclf._keras_internals import all_layers
from fashionclf._text import shown
from fashionclf._types import ClassNames, FloatArray, ImageShape
from fashionclf._validation import check_flag
from fashionclf.labels import LabelNames, check_class_names, class_names as class_names_of
from fashionclf.models import flip_averaged
from fashionclf.models._distance import with_familiarity
from fashionclf.models._trace import pixel_range
from fashionclf.presets import Preset, list_presets
from fashionclf.trainer._step import last_layer

# -- checks ---------------------------------------------------------------------------------------

_MIN_RANGE: Final = 1 / 50  # between the range of pixels in [0, 1], and their range after a division by 127.5 or 255
_EXPECTED_INPUT: Final = (
    "one float input (None, height, width, 1 or 3) or (None, height, width); for rows of pixels "
    "pass the shape of its images, such as `image_converter=ImageConverter((8, 8, 1))`"
)


def check_model(model: Any, image_shape: ImageShape | None = None) -> tuple[tuple[int, ...], int]:
    """Return the input shape of a model for one image, and its number of output units.

    The model is called once, which builds it if necessary. `image_shape` is for a model that has not been built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {shown(model)}")
    if isinstance(model.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise NotImplementedError("A Trainer trains in one process: use `tf.distribute.MirroredStrategy`, for devices.")
    shape = _input_shape(model, image_shape)
    image = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    try:
        outputs = model(image, training=False)
    except Exception as error:
        raise ValueError(f"`model` cannot be applied to an image of shape {shape}: {error}") from error
    if not hasattr(outputs, "shape") or len(outputs.shape) != 2:
        found = getattr(outputs, "shape", type(outputs).__name__)
        raise ValueError(
            f"`model` gives output {found} for one image {(1, *shape)}, expected one output (1, num_classes). If it "
            f"takes images in another shape, start it with `keras.Input(image_shape)`."
        )
    _check_precision(model)
    _check_scaling(model, shape)
    _check_probabilities(model, np.asarray(keras.ops.convert_to_numpy(outputs)))
    return shape, int(outputs.shape[1])


def _input_shape(model: keras.Model, image_shape: ImageShape | None) -> tuple[int, ...]:
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):  # a model that has not been built, or is not a graph of layers
        inputs = None
    if inputs is None:
        built = (model.get_build_config() or {}).get("input_shape") if image_shape is None else None
        if isinstance(built, tuple | list) and None not in built[1:]:
            return tuple(built[1:])
        return image_shape or IMAGE_SHAPE
    given = inputs[0].shape if len(inputs) == 1 else inputs
    shape = _known_shape(given[1:], image_shape or IMAGE_SHAPE) if len(inputs) == 1 else None
    if shape is None:
        raise ValueError(f"`model` takes input {given}, expected {_EXPECTED_INPUT}.")
    if not keras.backend.is_float_dtype(inputs[0].dtype):
        raise ValueError(
            f"`model` takes {inputs[0].dtype} input, expected {_EXPECTED_INPUT}. It gets pixels in [0, 1]; for raw "
            "0..255 let it begin with `keras.layers.Rescaling(255)`."
        )
    return shape


def _known_shape(shape: tuple[int | None, ...], image_shape: ImageShape) -> tuple[int, ...] | None:
    """Return an input shape without None, which stands for any number: those are as in `image_shape`."""
    for known in (image_shape, image_shape[:2], (math.prod(image_shape),)):
        if len(shape) == len(known) and all(a in (None, b) for a, b in zip(shape, known, strict=True)):
            return known
    fixed = tuple(number for number in shape if number is not None)
    is_image = len(fixed) == len(shape) and (len(shape) == 2 or (len(shape) == 3 and shape[2] in CHANNELS))
    return fixed if is_image else None


def image_shape_of(input_shape: tuple[int, ...], image_shape: ImageShape | None) -> ImageShape:
    """Return the shape of the images that a model of this input takes; rows of pixels do not tell it."""
    if len(input_shape) == 1:
        return image_shape or IMAGE_SHAPE
    height, width, channels = (*input_shape, 1)[:3]
    return height, width, channels


def _check_scaling(model: keras.Model, shape: tuple[int, ...]) -> None:
    """Refuse a model that divides pixels by 255, measured at the first layer with weights: it gets them in [0, 1]."""
    reach = pixel_range(model, shape)
    if reach is not None and reach < _MIN_RANGE:
        raise ValueError(
            "`model` scales its pixels itself, but gets them in [0, 1]: at its first layer with weights, white and "
            f"black differ by only {reach:.2g}. Leave out the layer that divides by 255, such as `Rescaling(1 / 255)`; "
            "or put `keras.layers.Rescaling(255)` before a model that is trained already: "
            f"`keras.Sequential([keras.Input({shape}), keras.layers.Rescaling(255), model])`."
        )


def _check_precision(model: keras.Model) -> None:
    mixed = {layer.dtype_policy.name for layer in all_layers(model)} - {"float32"}
    if mixed:
        raise ValueError(
            f"`model` has layers of dtype {', '.join(sorted(mixed))}, expected float32. Build it in float32 and "
            "train with `Recipe(precision='bfloat16')`, which keeps its weights and file in float32."
        )


def _check_probabilities(model: keras.Model, outputs: FloatArray) -> None:
    """Refuse logits: the saved file must give probabilities in plain Keras too."""
    units = outputs.shape[1]
    expected = "sigmoid" if units == 1 else "softmax"
    activation = getattr(last_layer(model), "activation", None)
    # A single number may lie between 0 and 1 by chance, so that the activation has to tell.
    plausible = outputs.min() >= 0 and (outputs.max() <= 1 if units == 1 else abs(outputs.sum() - 1) < 1e-3)
    if not plausible or (units == 1 and activation not in (None, keras.activations.sigmoid)):
        raise ValueError(
            f"`model` ends in {units} units that are not probabilities. Give the last layer `activation={expected!r}`."
        )


# -- presets --------------------------------------------------------------------------------------


def preset_model(
    preset: Preset, pretrained: Any, class_names: ClassNames | None, seed: int | None
) -> tuple[keras.Model, LabelNames]:
    """Return the model of a preset, and what its labels are called; arguments and errors as `Trainer.from_preset`."""
    features = isinstance(pretrained, str) and pretrained == "features"
    whole = not features and check_flag(pretrained, "pretrained", or_else='"features"')
    theirs = class_names_of(preset.dataset)
    given = None if class_names is None else check_class_names(class_names)
    names = given or theirs
    if features and class_names is None:
        raise ValueError('`pretrained="features"` gives a new last layer, for classes of your own: pass `class_names`.')
    if len(names) < 2:
        raise ValueError(f"`class_names` has {len(names)} names, expected at least 2.")
    if whole and len(names) != len(theirs):
        raise ValueError(
            f"The pretrained weights of {preset.name!r} have {len(theirs)} classes, but `class_names` has {len(names)} "
            'names. To train them on classes of your own, pass `pretrained="features"`.'
        )
    model = preset.build(seed, num_classes=len(names))
    if whole or features:
        model = with_weights(model, preset, last_layer=whole)
    return model, LabelNames(given, learnt=theirs if whole else None, default=None if given else theirs)


def with_weights(model: keras.Model, preset: Preset, *, last_layer: bool) -> keras.Model:
    """Load the pretrained weights of a preset, with or without those of the last layer; return the model to use."""
    weights = preset.pretrained
    if weights is None:
        raise ValueError(
            f"Preset {preset.name!r} has no pretrained weights. Train it, or use one of "
            f"{', '.join(list_presets(pretrained=True))}."
        )
    arrays = weights.read()
    if last_layer and "familiarity/kernel" in arrays:
        model = with_familiarity(model)
    kept = [] if last_layer else [id(variable) for variable in model.layers[-1].weights]
    for name, variable in named_variables(model).items():
        if id(variable) not in kept:
            variable.assign(arrays[name])
    freeze(model, preset)
    return flip_averaged(model) if weights.flip_averaged else model


def freeze(model: keras.Model, preset: Preset) -> None:
    """Freeze the layers of a preset that keep their pretrained weights."""
    if preset.frozen_until is not None:
        last = [layer.name for layer in model.layers].index(preset.frozen_until)
        for layer in model.layers[: last + 1]:
            layer.trainable = False


def named_variables(model: keras.Model) -> dict[str, Any]:
    """Return a preset's variables by layer and name, such as `"conv_1/kernel"`, also of a model that was loaded."""
    return {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer.weights}
