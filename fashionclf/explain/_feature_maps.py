"""Feature maps and filters of convolutions."""

from collections.abc import Iterable

import keras
import numpy as np

from fashionclf._types import FloatArray, ImagesLike
from fashionclf.explain._maps import choose_layers, convolutions, maps_of, model_input, untouched
from fashionclf.models._trace import Trace, named_layers
from fashionclf.trainer._trainer import Trainer, check_trainer


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
        TypeError: If an argument has the wrong type.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> trainer = fc.Trainer(fc.cnn_model((8, 16), seed=0))
        >>> maps = feature_maps(trainer, np.zeros((28, 28), dtype="uint8"))
        >>> {name: array.shape for name, array in maps.items()}
        {'conv_1': (28, 28, 8), 'conv_2': (14, 14, 16)}
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
        TypeError: If an argument has the wrong type.

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
