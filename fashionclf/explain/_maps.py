"""The maps that a layer gave in a traced run of a model."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np

from fashionclf._images import check_one_image, scale_pixels
from fashionclf._keras_internals import activates
from fashionclf._text import shown
from fashionclf._types import FloatArray, ImagesLike
from fashionclf._validation import check_choice
from fashionclf.models._trace import Step, Trace
from fashionclf.trainer import Trainer

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
    """What a layer gave for the image, or for the flipped image: float32 `(1, height, width, channels)`.

    With `channels_first`, the channels come before the height.
    """

    output: Any
    flipped: bool
    channels_first: bool

    @property
    def values(self) -> FloatArray:
        """The maps as float32 `(height, width, channels)`."""
        return self.channels_last(self.output)

    def channels_last(self, tensor: Any) -> FloatArray:
        """Return a tensor of the shape of `output` as float32 `(height, width, channels)`."""
        array = np.asarray(tensor.numpy()[0], dtype=np.float32)
        return np.moveaxis(array, 0, -1) if self.channels_first else array


def maps_of(trace: Trace, layer: keras.Layer, name: str) -> list[Maps]:
    """Return the maps of a layer: of the image, then of the flipped image if the model is applied to that too.

    Those of a convolution are taken behind the activation that follows it.
    """
    channels_first = getattr(layer, "data_format", None) == "channels_first"
    uses = {step.flipped: step for step in trace.steps if step.operation is layer}
    if isinstance(layer, CONVOLUTIONS):
        uses = {flipped: _activated(trace, step, 1 if channels_first else -1) for flipped, step in uses.items()}
    if not all(_has_maps(step) for step in uses.values()):
        raise ValueError(
            f"Layer {shown(name)} gives no maps: expected one output (None, height, width, channels). Name a "
            "convolution, or a layer near one."
        )
    return [Maps(step.output, step.flipped, channels_first) for _, step in sorted(uses.items())]


def _activated(trace: Trace, start: Step, channel_axis: int) -> Step:
    """Follow a convolution to the activation of its maps alone; return the convolution's own step if there is none."""
    step = start
    while not activates(step.operation):
        later = trace.steps[trace.steps.index(step) + 1 :]
        users = [user for user in later if any(step.output is value for value in user.inputs)]
        # Dropout does nothing here and returns its input tensor: the users of its output are found among ours.
        if not users or (len(users) > 1 and users[0].output is not step.output):
            return start
        step = users[0]
        if not _may_follow(step) or step.output.shape[channel_axis] != start.output.shape[channel_axis]:
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
