"""Prediction without overhead: the compiled function behind `Trainer.predict`."""

from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fashionclf._types import FloatArray
from fashionclf.predictions import probabilities_of
from fashionclf.trainer._process import check_process


class CompiledPredictor:
    """Probabilities of a model through one cached TensorFlow function.

    Calling a concrete function avoids the 50 ms that `model.predict` spends on a new data set, callbacks and a
    progress bar. It reads the model's variables, so it follows further training. Threads may share it.
    """

    def __init__(self, model: keras.Model, image_shape: tuple[int, ...], lock: AbstractContextManager[Any]) -> None:
        self._model = model
        self._image_shape = image_shape
        self._lock = lock  # held while the model is traced: a training step changes how it computes
        self._function: Any = None

    def __call__(self, images: FloatArray, batch_size: int) -> FloatArray:
        """Return probabilities `(n, classes)` of prepared images, `batch_size` of them at a time."""
        check_process()
        function = self._function or self._trace()
        images = images.reshape(-1, *self._image_shape)
        parts = [
            function(tf.convert_to_tensor(images[start : start + batch_size])).numpy()
            for start in range(0, len(images), batch_size)
        ]
        return probabilities_of(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def _trace(self) -> Any:
        with self._lock:
            if self._function is None:
                signature = tf.TensorSpec((None, *self._image_shape), tf.float32)
                self._function = tf.function(self._probabilities, autograph=False).get_concrete_function(signature)
            return self._function

    def _probabilities(self, images: Any) -> Any:
        return tf.cast(self._model(images, training=False), tf.float32)
