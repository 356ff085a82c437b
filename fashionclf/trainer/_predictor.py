"""Prediction without overhead: the compiled function behind `Trainer.predict`."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fashionclf._images import scale_pixels
from fashionclf._keras_internals import replaced_calls
from fashionclf._types import FloatArray, ImageArray, Precision
from fashionclf._validation import check_process
from fashionclf.models._fold import folded_calls, normalised_convolutions
from fashionclf.predictions import probabilities_of
from fashionclf.trainer._step import bfloat16_layers, has_fast_bfloat16, in_bfloat16


class CompiledPredictor:
    """Probabilities of a model through cached TensorFlow functions, one for each precision.

    Calling a concrete function avoids the 50 ms that `model.predict` spends on a new data set, callbacks and a
    progress bar. It reads the model's variables, so it follows further training. Threads may share it.
    """

    def __init__(self, model: keras.Model, input_shape: tuple[int, ...], lock: AbstractContextManager[Any]) -> None:
        self._model = model
        self._input_shape = input_shape
        self._lock = lock  # held while the model is traced: a training step changes how it computes
        self._functions: dict[Precision, Any] = {}
        self._process = os.getpid()  # TensorFlow does not work in one that is forked from it

    def __call__(self, images: ImageArray, batch_size: int, precision: Precision = "float32") -> FloatArray:
        """Return probabilities `(n, classes)` of checked images, `batch_size` of them at a time."""
        if os.getpid() != self._process:
            check_process()
        function = self._functions.get(precision) or self._trace(precision)
        images = images.reshape(-1, *self._input_shape)
        parts = []
        for start in range(0, len(images), batch_size):
            pixels = scale_pixels(images[start : start + batch_size])
            parts.append(function(tf.convert_to_tensor(pixels)).numpy())
        return probabilities_of(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def _trace(self, precision: Precision) -> Any:
        bfloat16 = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16())
        computed: Precision = "bfloat16" if bfloat16 else "float32"
        with self._lock:
            if computed not in self._functions:
                signature = tf.TensorSpec((None, *self._input_shape), tf.float32)
                compute = self._in_bfloat16() if bfloat16 else self._probabilities
                self._functions[computed] = tf.function(compute, autograph=False).get_concrete_function(signature)
            self._functions[precision] = self._functions[computed]
            return self._functions[precision]

    def _probabilities(self, images: Any) -> Any:
        return tf.cast(self._model(images, training=False), tf.float32)

    def _in_bfloat16(self) -> Callable[[Any], Any]:
        """Return the function that computes in bfloat16, with normalisation folded, which would take as long."""
        layers = bfloat16_layers(self._model)
        pairs = normalised_convolutions(self._model, self._input_shape)

        def probabilities(images: Any) -> Any:
            with replaced_calls(folded_calls(pairs)), in_bfloat16(layers):
                return self._probabilities(images)

        return probabilities
