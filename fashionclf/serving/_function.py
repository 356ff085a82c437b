"""The function that is exported: pixels in, probabilities out."""

from collections.abc import Callable
from typing import Any, Final

import keras
import tensorflow as tf

from fashionclf._images import HEIGHT, WIDTH
from fashionclf.models._flip import averaged_over_flips
from fashionclf.models._fold import calling, folded_calls, normalised_convolutions

INPUT: Final = "images"
OUTPUT: Final = "probabilities"


def serving_function(model: keras.Model, image_shape: tuple[int, ...]) -> Callable[[Any], dict[str, Any]]:
    """Return the function of images `(n, 28, 28)`, uint8 or float32 in [0, 1], that gives `(n, num_classes)`.

    A model with test-time augmentation computes an image and the flipped image in one batch, not one after the other.
    Batch normalisation is folded into the convolutions before it.
    """
    averaged = averaged_over_flips(model)
    pairs = normalised_convolutions(model, image_shape)

    def probabilities(images: Any) -> dict[str, Any]:
        scaled = tf.cast(images, tf.float32) / 255 if images.dtype == tf.uint8 else images
        pixels = tf.reshape(scaled, (-1, *image_shape))
        with calling(folded_calls(pairs)):
            if averaged is None:
                outputs = model(pixels, training=False)
            else:
                both = averaged(tf.concat([pixels, pixels[:, :, ::-1]], axis=0), training=False)
                outputs = tf.reduce_mean(tf.reshape(both, (2, -1, both.shape[-1])), axis=0)
        if outputs.shape[-1] == 1:  # one sigmoid unit
            outputs = tf.concat([1 - outputs, outputs], axis=1)
        return {OUTPUT: tf.cast(outputs, tf.float32)}

    return probabilities


def signature_of(dtype: Any) -> list[Any]:
    """Return the signature of that function."""
    return [tf.TensorSpec((None, HEIGHT, WIDTH), dtype, name=INPUT)]
