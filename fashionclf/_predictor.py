"""Prediction without overhead: the compiled function behind `Trainer.predict`, and its frozen form."""

import tempfile
import threading
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from fashionclf._types import FloatArray, ImagesLike
from fashionclf._validation import IMAGE_SHAPE
from fashionclf.predictions import Predictions
from fashionclf.preprocessing import prepare_images


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
        parts = [
            function(tf.convert_to_tensor(images[start : start + batch_size])).numpy()
            for start in range(0, len(images), batch_size)
        ]
        return with_both_classes(parts[0] if len(parts) == 1 else np.concatenate(parts))

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
        return tf.cast(self._model(inputs, training=False), tf.float32)


class FrozenPredictor:
    """A classifier frozen for serving one picture at a time, on LiteRT: `Trainer.compile_predictor` makes it.

    It keeps the weights of that moment; training the Trainer further does not change it. An answer takes a small
    part of a millisecond and no TensorFlow. Safe to share between threads, each of which gets an interpreter of its own.

    Attributes:
        class_names: One name per class.
    """

    def __init__(self, content: bytes, class_names: tuple[str, ...], num_threads: int) -> None:
        self.class_names = class_names
        self._content = content
        self._num_threads = num_threads
        self._local = threading.local()
        self._run(np.zeros((1, *IMAGE_SHAPE), np.float32))  # a missing runtime shows here, not at the first picture

    def predict(self, x: ImagesLike) -> Predictions:
        """Return class names with probabilities, as `Trainer.predict` does.

        Args:
            x: Images in any form that `prepare_images` takes. A single picture gives one prediction.

        Returns:
            `Predictions`, a sequence of one `Prediction` per picture.

        Raises:
            ValueError: If the images are not right.
            TypeError: If the images have a wrong dtype.
        """
        return Predictions(self.predict_proba(x), self.class_names)

    def predict_proba(self, x: ImagesLike) -> FloatArray:
        """Return probabilities alone: float32 `(n, num_classes)`, each row summing to 1.

        Args:
            x: Images in any form that `prepare_images` takes. Many are computed one after the other.

        Raises:
            ValueError: If the images are not right.
            TypeError: If the images have a wrong dtype.
        """
        images = prepare_images(x)
        if len(images) == 1:
            return self._run(images)
        return np.concatenate([self._run(images[i : i + 1]) for i in range(len(images))])

    def _run(self, image: FloatArray) -> FloatArray:
        interpreter, source, target, shape = self._interpreter()
        interpreter.set_tensor(source, image.reshape(shape))
        interpreter.invoke()
        return with_both_classes(interpreter.get_tensor(target))

    def _interpreter(self) -> Any:
        """Return this thread's interpreter with its input and output: LiteRT's may not be shared."""
        if not hasattr(self._local, "parts"):
            interpreter = _litert().Interpreter(model_content=self._content, num_threads=self._num_threads)
            interpreter.allocate_tensors()
            (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
            self._local.parts = (interpreter, source["index"], target["index"], source["shape"])
        return self._local.parts

    @override
    def __repr__(self) -> str:
        return f"<FrozenPredictor: {len(self._content):,} bytes, {len(self.class_names)} classes>"


def freeze(model: keras.Model, class_names: tuple[str, ...], num_threads: int) -> FrozenPredictor:
    """Translate a model to LiteRT's format, its weights now constants."""
    _litert()  # before the work of translating
    with tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return FrozenPredictor(content, class_names, num_threads)


def with_both_classes(outputs: FloatArray) -> FloatArray:
    """Return one column per class: one sigmoid unit gives the probability of the second class alone."""
    if outputs.shape[1] == 1:
        return np.concatenate([1 - outputs, outputs], axis=1)
    return outputs


def _litert() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise ImportError("A frozen predictor needs LiteRT: run `pip install 'fashionclf[litert]'`.") from error
    return interpreter
