"""What a classifier sees: the filters of its convolutions, what they find in a picture, and where it looked.

All three read the model as it is and leave it so.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fashionclf._types import FloatArray, ImagesLike
from fashionclf._validation import HEIGHT, WIDTH, check_choice, check_flag, check_images, scale_pixels
from fashionclf._walk import CONVOLUTIONS, Maps, Walk, named_layers
from fashionclf.evaluation import check_trainer
from fashionclf.trainer import Trainer


def feature_maps(
    trainer: Trainer, image: ImagesLike, *, layers: str | Iterable[str] | None = None
) -> dict[str, FloatArray]:
    """Return what each convolution extracts from one picture.

    The maps of a convolution are what the network goes on with: they are taken behind the activation that follows it,
    after what stands between (normalisation, pooling, the addition of a residual block). A convolution that no
    activation follows gives its own output. In a model built by `flip_averaged`, the maps are those of the picture as
    it is, not of its mirror image.

    Args:
        trainer: The classifier.
        image: One picture in any form that `prepare_images` takes.
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
    picture = _one_picture(image)
    known = named_layers(trainer.model)
    chosen = _convolutions(known) if layers is None else _choose(layers, known)
    with _untouched(trainer):
        walk = Walk(trainer.model, picture.reshape(1, *trainer._image_shape))
    return {name: walk.maps_of(layer, name)[0].values for name, layer in chosen.items()}


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
    chosen = _convolutions(named_layers(trainer.model))
    if layers is not None:
        chosen = _choose(layers, chosen)
    return {name: _kernel(layer) for name, layer in chosen.items()}


def grad_cam(
    trainer: Trainer,
    image: ImagesLike,
    class_name: str | None = None,
    *,
    layer: str | None = None,
    average_gradients: bool = True,
) -> FloatArray:
    """Return where a classifier looked: Grad-CAM of Selvaraju et al., arXiv:1610.02391.

    The maps of a layer are added up, each weighted by how much the score of the class rises with it on average over
    all places; what speaks against the class counts as nothing. The sum is brought to the size of the picture and
    scaled. The score is what goes into the softmax or sigmoid (of a sigmoid's first class, its negative): the
    probability itself hardly changes once the model is sure. A model that ends in the mean of answers scores by
    the mean of what went into each; one that ends otherwise scores by the logarithm of its probability.

    A model built by `flip_averaged` looks at the picture and at its mirror image. What it saw in the mirror image is
    mirrored back and added, so that the mirrored picture has the mirrored map.

    Args:
        trainer: The classifier.
        image: One picture in any form that `prepare_images` takes.
        class_name: The class to explain. None takes the one that is predicted.
        layer: Name of the layer whose maps are used, as in `feature_maps`. None takes the last convolution that has
            more than one place. With several models side by side that is one of the last model: name others here.
        average_gradients: Whether each map has one weight for all places, as in Grad-CAM. False multiplies each
            place by its own gradient: HiResCAM (Draelos and Carin, arXiv:2011.08891), for networks that weigh their
            last maps by place, in a dense layer or otherwise, and not by their mean, as the library's own do.

    Returns:
        float32 `(28, 28)` in [0, 1]. Its maximum is 1, unless nothing speaks for the class: then it is all zero.

    Raises:
        ValueError: If the image is not right or not one, the class or layer is unknown, the class names are not
            known, the model has no convolution, is no graph of layers, or computes NaN.
        TypeError: If an argument has the wrong type.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> trainer = fc.Trainer(fc.cnn_model((8, 16), seed=0))
        >>> heat = grad_cam(trainer, np.eye(28), "Sandal")
        >>> heat.shape, float(heat.max())
        ((28, 28), 1.0)
    """
    check_trainer(trainer)
    picture = _one_picture(image)
    label = None if class_name is None else _label_of(class_name, trainer)
    average = check_flag(average_gradients, "average_gradients")
    known = named_layers(trainer.model)
    chosen = _convolutions(known) if layer is None else _choose([layer], known)
    with _untouched(trainer), tf.GradientTape(watch_accessed_variables=False) as tape:
        walk = Walk(trainer.model, picture.reshape(1, *trainer._image_shape), tape.watch)
        looks = _last_with_places([walk.maps_of(layer, name) for name, layer in chosen.items()])
        score = walk.score(label)
    slopes = tape.gradient(score, [maps.output for maps in looks], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return _heat_map(looks, slopes, average)


@contextlib.contextmanager
def _untouched(trainer: Trainer) -> Iterator[None]:
    """Keep a training step in another thread from changing how the layers compute, and the layers from assigning."""
    with trainer._locks.computing, keras.StatelessScope():
        yield


def _one_picture(image: ImagesLike) -> FloatArray:
    pictures = scale_pixels(check_images(image, "image"))
    if len(pictures) != 1:
        raise ValueError(f"`image` holds {len(pictures)} pictures, expected one. Pass one of them, such as `image[0]`.")
    return pictures


def _label_of(class_name: Any, trainer: Trainer) -> int:
    names = trainer._known_names()
    return names.index(check_choice(class_name, "class_name", names))


def _convolutions(layers: Mapping[str, keras.Layer]) -> dict[str, keras.Layer]:
    found = {name: layer for name, layer in layers.items() if isinstance(layer, CONVOLUTIONS)}
    if not found:
        raise ValueError(
            "`trainer.model` has no convolution among its layers. Use a model that has, such as `cnn_model()`; where "
            "layers of your own hold convolutions, name such a layer to see its maps."
        )
    return found


def _choose(names: str | Iterable[str], layers: Mapping[str, keras.Layer]) -> dict[str, keras.Layer]:
    if not isinstance(names, Iterable):
        raise TypeError(f"`layers` must be names of layers. Received: {names!r}")
    listed = [names] if isinstance(names, str) else list(names)
    if not listed:
        raise ValueError("`layers` is empty. Name at least one layer, or leave it out for all convolutions.")
    return {name: layers[check_choice(name, "layer", layers)] for name in listed}


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


def _last_with_places(candidates: list[list[Maps]]) -> list[Maps]:
    """Return the last maps that can tell one place from another."""
    telling = [looks for looks in candidates if looks[0].values[..., 0].size > 1]
    return (telling or candidates)[-1]


def _heat_map(looks: list[Maps], slopes: list[Any], average: bool) -> FloatArray:
    """Add up maps, weighted by their slopes, and bring the sum to 28x28 in [0, 1]."""
    coarse: Any = 0
    for maps, slope in zip(looks, slopes, strict=True):
        weights = maps.channels_last(slope)
        if average:
            weights = weights.mean(axis=(0, 1))
        weighted = (maps.values * weights).sum(axis=-1)
        coarse = coarse + (weighted[:, ::-1] if maps.mirrored else weighted)
    positive = np.maximum(coarse, 0)[..., np.newaxis]
    heat = tf.image.resize(positive, (HEIGHT, WIDTH), method="bilinear").numpy()[..., 0]
    peak = heat.max()
    if not np.isfinite(peak):
        raise ValueError(
            "`trainer.model` computes NaN or infinity for this picture. Train it anew from finite weights."
        )
    return np.asarray(heat / peak if peak > 0 else heat, dtype=np.float32)
