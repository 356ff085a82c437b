"""Grad-CAM: where a classifier looked."""

from typing import Any

import numpy as np
import tensorflow as tf

from fashionclf._types import FloatArray, ImageShape, ImagesLike
from fashionclf._validation import check_choice, check_flag
from fashionclf.explain._maps import Maps, choose_layers, convolutions, maps_of, model_input, untouched
from fashionclf.models._trace import Trace, named_layers
from fashionclf.predictions import with_both_classes
from fashionclf.trainer._trainer import Trainer, check_trainer


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
        TypeError: If an argument has the wrong type.

    Example:
        >>> import fashionclf as fc, numpy as np
        >>> trainer = fc.Trainer(fc.cnn_model((8, 16), seed=0))
        >>> heat = grad_cam(trainer, np.eye(28), "Sandal")
        >>> heat.shape, float(heat.max())
        ((28, 28), 1.0)
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
        weights = maps.channels_last(slope)
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
