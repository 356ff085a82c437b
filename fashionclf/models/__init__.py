"""Builders of classifiers: uncompiled `keras.Model`s for images of any shape, float32 in [0, 1].

They are made of Keras's own backend-neutral layers. Every layer that draws random numbers has its own seed, so the
global random states of Python, numpy and TensorFlow do not change.
"""

from fashionclf.models._blocks import ACTIVATIONS
from fashionclf.models._builders import cnn_model, dense_model
from fashionclf.models._flip import flip_averaged

__all__ = ["ACTIVATIONS", "cnn_model", "dense_model", "flip_averaged"]

for _public in (cnn_model, dense_model, flip_averaged):
    _public.__module__ = __name__  # where it is imported from: a pickle must not name a private module
