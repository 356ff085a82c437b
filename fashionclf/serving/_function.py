"""The function that is exported: pixels in, probabilities out."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import keras
import tensorflow as tf

from fashionclf._images import pixel_shape
from fashionclf._types import FloatArray, ImageArray
from fashionclf.models._flip import averaged_over_flips
from fashionclf.models._fold import folded_calls, normalised_convolutions, replaced_calls
from fashionclf.serving._metadata import Metadata

INPUT: Final = "images"
OUTPUT: Final = "probabilities"


class Source(NamedTuple):
    """A classifier to be exported: `predict` gives the Trainer's probabilities of checked images."""

    model: keras.Model
    input_shape: tuple[int, ...]
    metadata: Metadata
    predict: Callable[[ImageArray], FloatArray]

    def signature(self, dtype: Any) -> list[Any]:
        """Return the signature of the exported function: images `(n, height, width)`, with 3 channels if in colour."""
        shape = pixel_shape(self.metadata.image_converter.image_shape)
        return [tf.TensorSpec((None, *shape), dtype, name=INPUT)]


def serving_function(source: Source) -> Callable[[Any], dict[str, Any]]:
    """Return the function of images, uint8 or float32 in [0, 1], that gives probabilities `(n, num_classes)`.

    A model with test-time augmentation computes an image and the flipped image in one batch, not one after the other.
    Batch normalisation is folded into the convolutions before it.
    """
    model, input_shape = source.model, source.input_shape
    averaged = averaged_over_flips(model)
    pairs = normalised_convolutions(model, input_shape)

    def probabilities(images: Any) -> dict[str, Any]:
        scaled = tf.cast(images, tf.float32) / 255 if images.dtype == tf.uint8 else images
        pixels = tf.reshape(scaled, (-1, *input_shape))
        with replaced_calls(folded_calls(pairs)):
            if averaged is None:
                outputs = model(pixels, training=False)
            else:
                both = averaged(tf.concat([pixels, pixels[:, :, ::-1]], axis=0), training=False)
                outputs = tf.reduce_mean(tf.reshape(both, (2, -1, both.shape[-1])), axis=0)
        if outputs.shape[-1] == 1:  # one sigmoid unit
            outputs = tf.concat([1 - outputs, outputs], axis=1)
        return {OUTPUT: tf.cast(outputs, tf.float32)}

    return probabilities
