"""Feature maps and filters of convolutions, and Grad-CAM: what they find in an image, and where a classifier looked."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from fashionclf._images import check_one_image, scale_pixels
from fashionclf._keras_internals import activates
from fashionclf._text import shown
from fashionclf._types import FloatArray, ImageShape, ImagesLike
from fashionclf._validation import check_choice, check_flag
from fashionclf.models._trace import Step, Trace, named_layers
from fashionclf.predictions import with_both_classes
from fashionclf.trainer._trainer import Trainer, check_trainer

CONVOLUTIONS: Final = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
# These finish the maps of a convolution with weights of their own. Any other layer with weights makes new maps.
_FINISHING: Final = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.PReLU,
)


@dataclass(frozen=True, eq=False)
class Maps:
    """What a layer gave for the image, or for the flipped image: float32 `(1, height, width, channels)`."""

    output: Any
    flipped: bool

    @property
    def values(self) -> FloatArray:
        """The maps as float32 `(height, width, channels)`."""
        return np.asarray(self.output.numpy()[0], dtype=np.float32)


def feature_maps(
    trainer: Trainer, image: ImagesLike, *, layers: str | Iterable[str] | None = None
) -> dict[str, FloatArray]:
    """Return the feature maps of each convolution for one image.

    The maps are taken after the activation that follows the convolution, with anything in between (normalisation,
    pooling, the addition of a residual block). A convolution without an activation gives its own output. In a model
    built by `flip_averaged`, the maps are those of the image itself, not of the flipped image.

    Args:
        trainer: The classifier.
        image: One image in any form that `prepare_images` takes.
        layers: Names of convolutions, or of other layers whose output has height, width and channels, such as a
            pooling: those give their output. A name that models nested in the model share is preceded by that of
            the nested model: `"left/conv_1"`. None takes all convolutions.

    Returns:
        By name of the layer, in the model's order or that of `layers`: float32 `(height, width, channels)`.

    Raises:
        ValueError: If the image is not right or not one, a layer is unknown or gives no maps, or the model has no
            convolution or is no graph of layers.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> trainer = fc.Trainer(fc.cnn_model((8, 16), image_shape=(64, 48, 3), seed=0))
        >>> maps = feature_maps(trainer, np.zeros((64, 48, 3), dtype="uint8"))
        >>> {name: array.shape for name, array in maps.items()}
        {'conv_1': (64, 48, 8), 'conv_2': (32, 24, 16)}
    """
    check_trainer(trainer)
    known = named_layers(trainer.model)
    chosen = convolutions(known) if layers is None else choose_layers(layers, known)
    with untouched(trainer):
        trace = Trace(trainer.model, model_input(trainer, image))
    return {name: maps_of(trace, layer, name)[0].values for name, layer in chosen.items()}


def kernels(trainer: Trainer, *, layers: str | Iterable[str] | None = None) -> dict[str, FloatArray]:
    """Return copies of the filters of the convolutions.

    Args:
        trainer: The classifier.
        layers: Names of convolutions, as in `feature_maps`. None takes all.

    Returns:
        By name of the layer, in the model's order or that of `layers`: float32 `(height, width, in, out)`, `in` and
        `out` being the channels that a filter reads and writes. A depthwise convolution has filters of one channel
        each, `out` per channel; one in groups reads the channels of a group. Of a separable convolution it is the
        product of its two steps, the one kernel that would do the same.

    Raises:
        ValueError: If a layer is unknown, or the model has no convolution or is no graph of layers.

    Example:
        >>> import fashionclf as fc
        >>> trainer = fc.Trainer(fc.cnn_model((8, 16), seed=0))
        >>> {name: array.shape for name, array in kernels(trainer).items()}
        {'conv_1': (3, 3, 1, 8), 'conv_2': (3, 3, 8, 16)}
    """
    check_trainer(trainer)
    chosen = convolutions(named_layers(trainer.model))
    if layers is not None:
        chosen = choose_layers(layers, chosen)
    return {name: _kernel(layer) for name, layer in chosen.items()}


def _kernel(layer: keras.Layer) -> FloatArray:
    if isinstance(layer, keras.layers.SeparableConv2D):
        depthwise, pointwise = (
            np.asarray(keras.ops.convert_to_numpy(part)) for part in (layer.depthwise_kernel, layer.pointwise_kernel)
        )
        both = np.einsum("hwim,imo->hwio", depthwise, pointwise.reshape(*depthwise.shape[2:], -1))
        return np.asarray(both, dtype=np.float32)
    kernel = np.array(keras.ops.convert_to_numpy(layer.kernel), dtype=np.float32)
    # a transposed convolution keeps the channels that it writes before those that it reads
    return kernel.swapaxes(2, 3) if isinstance(layer, keras.layers.Conv2DTranspose) else kernel


def grad_cam(
    trainer: Trainer,
    image: ImagesLike,
    class_name: str | None = None,
    *,
    layer: str | None = None,
    average_gradients: bool = True,
) -> FloatArray:
    """Return which parts of an image the classifier used for a class: Grad-CAM (Selvaraju et al., arXiv:1610.02391).

    The maps of a layer are added up, each weighted by the mean gradient of the class score with respect to it.
    Negative values are set to 0. The sum is resized to the image and scaled to a maximum of 1. The score is the input
    of the softmax or sigmoid (its negative for the first class of a sigmoid), because the probability itself hardly
    changes once the model is confident. A model that ends in a mean of predictions is scored by the mean of their
    inputs; any other model by the logarithm of its probability.

    A model built by `flip_averaged` is applied to the image and to the flipped image. The map of the flipped image is
    flipped back and added.

    Args:
        trainer: The classifier.
        image: One image in any form that `prepare_images` takes.
        class_name: The class to explain. None takes the one that is predicted.
        layer: Name of the layer whose maps are used, as in `feature_maps`. None takes the last convolution that has
            more than one place. With several models side by side that is one of the last model: name others here.
        average_gradients: Whether each map has one weight for all places, as in Grad-CAM. False multiplies each
            place by its own gradient: HiResCAM (Draelos and Carin, arXiv:2011.08891), for networks that weigh their
            last maps by place, in a dense layer or otherwise, and not by their mean, as the library's own do.

    Returns:
        float32 `(height, width)` of the image, in [0, 1]. Its maximum is 1. It is all zero if nothing contributes to
        the class.

    Raises:
        ValueError: If the image is not right or not one, the class or layer is unknown, the class names are not
            known, the model has no convolution, is no graph of layers, or computes NaN.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> trainer = fc.Trainer(fc.cnn_model((8, 16), image_shape=(64, 64, 1), seed=0))
        >>> heat = grad_cam(trainer, np.eye(64), "Sandal")
        >>> heat.shape, float(heat.max())
        ((64, 64), 1.0)
    """
    check_trainer(trainer)
    label = None
    if class_name is not None:
        names = trainer._known_names()
        label = names.index(check_choice(class_name, "class_name", names))
    average = check_flag(average_gradients, "average_gradients")
    known = named_layers(trainer.model)
    chosen = convolutions(known) if layer is None else choose_layers([layer], known)
    with untouched(trainer), tf.GradientTape(watch_accessed_variables=False) as tape:
        trace = Trace(trainer.model, model_input(trainer, image), tape.watch)
        candidates = [maps_of(trace, layer, name) for name, layer in chosen.items()]
        telling = [looks for looks in candidates if looks[0].values[..., 0].size > 1]  # one place from another
        looks = (telling or candidates)[-1]
        if label is None:
            label = int(with_both_classes(trace.probabilities.numpy()).argmax())
        score = trace.score(label)
    slopes = tape.gradient(score, [maps.output for maps in looks], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return _heat_map(looks, slopes, average, trainer.image_shape)


def _heat_map(looks: list[Maps], slopes: list[Any], average: bool, image_shape: ImageShape) -> FloatArray:
    """Add up maps, weighted by their slopes, and bring the sum to the size of the image and to [0, 1]."""
    coarse: Any = 0
    for maps, slope in zip(looks, slopes, strict=True):
        weights = np.asarray(slope.numpy()[0], dtype=np.float32)
        if average:
            weights = weights.mean(axis=(0, 1))
        weighted = (maps.values * weights).sum(axis=-1)
        coarse = coarse + (weighted[:, ::-1] if maps.flipped else weighted)
    positive = np.maximum(coarse, 0)[..., np.newaxis]
    heat = tf.image.resize(positive, image_shape[:2], method="bilinear").numpy()[..., 0]
    peak = heat.max()
    if not np.isfinite(peak):
        raise ValueError("`trainer.model` computes NaN or infinity for this image. Train a new model.")
    return np.asarray(heat / peak if peak > 0 else heat, dtype=np.float32)


# -- the maps that a layer gave in a traced run of a model ---------------------------------------------


def maps_of(trace: Trace, layer: keras.Layer, name: str) -> list[Maps]:
    """Return the maps of a layer: of the image, then of the flipped image if the model is applied to that too.

    Those of a convolution are taken behind the activation that follows it.
    """
    uses = {step.flipped: step for step in trace.steps if step.operation is layer}
    if isinstance(layer, CONVOLUTIONS):
        uses = {flipped: _activated(trace, step) for flipped, step in uses.items()}
    if not all(map(_has_maps, uses.values())) or getattr(layer, "data_format", None) == "channels_first":
        raise ValueError(
            f"Layer {shown(name)} gives no maps: expected one output (None, height, width, channels). Name a "
            "convolution, or a layer near one."
        )
    return [Maps(step.output, step.flipped) for _, step in sorted(uses.items())]


def _activated(trace: Trace, start: Step) -> Step:
    """Follow a convolution to the activation of its maps alone; return the convolution's own step if there is none."""
    step = start
    while not activates(step.operation):
        later = trace.steps[trace.steps.index(step) + 1 :]
        users = [user for user in later if any(step.output is value for value in user.inputs)]
        # Dropout does nothing here and returns its input tensor: the users of its output are found among ours.
        if not users or (len(users) > 1 and users[0].output is not step.output):
            return start
        step = users[0]
        if not _may_follow(step) or step.output.shape[-1] != start.output.shape[-1]:
            return start
    return step


def _has_maps(step: Step) -> bool:
    return step.output is not None and len(step.output.shape) == 4


def _may_follow(step: Step) -> bool:
    """Tell whether a step may stand between a convolution and its activation."""
    return _has_maps(step) and (isinstance(step.operation, _FINISHING) or not getattr(step.operation, "weights", ()))


def model_input(trainer: Trainer, image: ImagesLike) -> FloatArray:
    """Return one image of the caller's as the model takes it, a batch of one."""
    checked = check_one_image(image, "image", image_shape=trainer.image_shape)
    return scale_pixels(checked).reshape(1, *trainer._input_shape)


@contextlib.contextmanager
def untouched(trainer: Trainer) -> Iterator[None]:
    """Keep a training step in another thread from changing how the layers compute, and the layers from assigning."""
    with trainer._locks.computing, keras.StatelessScope():
        yield


def convolutions(layers: Mapping[str, keras.Layer]) -> dict[str, keras.Layer]:
    """Return the convolutions among named layers; there must be one."""
    found = {name: layer for name, layer in layers.items() if isinstance(layer, CONVOLUTIONS)}
    if not found:
        raise ValueError(
            "`trainer.model` has no convolution among its layers. Use a model that has, such as `cnn_model()`; where "
            "layers of your own hold convolutions, name such a layer to see its maps."
        )
    return found


def choose_layers(names: str | Iterable[str], layers: Mapping[str, keras.Layer]) -> dict[str, keras.Layer]:
    """Return the layers with these names."""
    if not isinstance(names, Iterable):
        raise TypeError(f"`layers` must be names of layers. Received: {shown(names)}")
    listed = [names] if isinstance(names, str) else list(names)
    if not listed:
        raise ValueError("`layers` is empty. Name at least one layer, or leave it out for all convolutions.")
    return {name: layers[check_choice(name, "layer", layers)] for name in listed}
