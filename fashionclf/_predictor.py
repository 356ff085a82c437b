"""The compiled function behind `Trainer.predict`: traced once, for batches of any size."""

import threading
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fashionclf._types import FloatArray
from fashionclf._validation import IMAGE_SHAPE


class CompiledPredictor:
    """Probabilities of a model through one cached TensorFlow function.

    Calling a concrete function skips what costs `model.predict` its 50 ms a call: a new data set, callbacks
    and progress bar. It reads the model's variables, so training in between is seen. Safe to share between threads.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._function: Any = None

    def __call__(self, images: FloatArray, batch_size: int) -> FloatArray:
        """Return probabilities `(n, classes)` of prepared images, `batch_size` of them at a time."""
        function = self._function or self._trace()
        if len(images) <= batch_size:
            return function(tf.convert_to_tensor(images)).numpy()  # type: ignore[no-any-return]
        parts = [
            function(tf.convert_to_tensor(images[start : start + batch_size])).numpy()
            for start in range(0, len(images), batch_size)
        ]
        return np.concatenate(parts)

    def reset(self) -> None:
        """Trace anew at the next call: the model computes in another way now."""
        self._function = None

    def _trace(self) -> Any:
        with self._lock:
            if self._function is None:
                signature = tf.TensorSpec((None, *IMAGE_SHAPE), tf.float32)
                self._function = tf.function(self._probabilities, autograph=False).get_concrete_function(signature)
            return self._function

    def _probabilities(self, images: Any) -> Any:
        shape = getattr(self._model, "input_shape", (None, *IMAGE_SHAPE))
        inputs = images if len(shape) == 4 else tf.reshape(images, (-1, *shape[1:]))
        outputs = tf.cast(self._model(inputs, training=False), tf.float32)
        if outputs.shape[-1] == 1:  # one sigmoid unit: the probability of the second class
            outputs = tf.concat([1 - outputs, outputs], axis=-1)
        return outputs
