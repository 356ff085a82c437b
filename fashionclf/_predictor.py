"""Prediction without overhead: the compiled function behind `Trainer.predict`, and its frozen form."""

import contextlib
import logging
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from fashionclf._examples import as_pictures
from fashionclf._process import check_process
from fashionclf._types import FloatArray, ImagesLike
from fashionclf._validation import IMAGE_SHAPE
from fashionclf.predictions import Predictions


class CompiledPredictor:
    """Probabilities of a model through one cached TensorFlow function.

    Calling a concrete function skips what costs `model.predict` its 50 ms a call: a new data set, callbacks
    and progress bar. It reads the model's variables, so training in between is seen. Safe to share between threads.
    """

    def __init__(self, model: keras.Model, image_shape: tuple[int, ...], lock: AbstractContextManager[Any]) -> None:
        self._model = model
        self._image_shape = image_shape
        self._lock = lock  # held while the model is traced: training traces it to compute otherwise
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
        return _probabilities_of(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def _trace(self) -> Any:
        with self._lock:
            if self._function is None:
                signature = tf.TensorSpec((None, *self._image_shape), tf.float32)
                self._function = tf.function(self._probabilities, autograph=False).get_concrete_function(signature)
            return self._function

    def _probabilities(self, images: Any) -> Any:
        return tf.cast(self._model(images, training=False), tf.float32)


class FrozenPredictor:
    """A classifier frozen for serving one picture at a time, on LiteRT: `Trainer.compile_predictor` makes it.

    It keeps the weights of that moment; training the Trainer further does not change it. An answer takes a small
    part of a millisecond and no TensorFlow. Threads may share it; each gets an interpreter of its own.

    Attributes:
        class_names: One name per class.

    Example:
        >>> import fashionclf as fc
        >>> trainer = fc.Trainer.from_preset("cnn_fast", pretrained=True)
        >>> predictor = trainer.compile_predictor()
        >>> images, _ = fc.load_data("synthetic").test
        >>> predictor.predict(images[0])[0].class_name in predictor.class_names
        True
        >>> predictor.predict_proba(images[:3]).shape
        (3, 10)
    """

    def __init__(
        self, content: bytes, image_shape: tuple[int, ...], class_names: tuple[str, ...], num_threads: int
    ) -> None:
        self.class_names = class_names
        self._shape = (1, *image_shape)
        self._content = content
        self._num_threads = num_threads
        self._local = threading.local()
        self._run(np.zeros((1, *IMAGE_SHAPE), np.float32))  # a missing runtime shows here, not at the first picture

    def predict(self, x: ImagesLike) -> Predictions:
        """Return class names with probabilities, as `Trainer.predict` does.

        Args:
            x: Images or photographs, as `Trainer.predict`. Many are computed one after the other.

        Returns:
            `Predictions`, a sequence of one `Prediction` per picture.

        Raises:
            ValueError: If the images are not right, or a file is not a picture or damaged.
            TypeError: If an argument has the wrong type.
            FileNotFoundError: If there is no such file.
            ImportError: If a photograph is to be read and pillow is missing.
        """
        pictures, doubts = as_pictures(x)
        probabilities = self._run_all(pictures.images)
        return Predictions(probabilities, self.class_names, sources=pictures.names, doubts=doubts)

    def predict_proba(self, x: ImagesLike) -> FloatArray:
        """Return probabilities alone: float32 `(n, num_classes)`, each row summing to 1.

        Args:
            x: Images or photographs, as `predict`.

        Raises:
            ValueError: If the images are not right, or a file is not a picture or damaged.
            TypeError: If an argument has the wrong type.
            FileNotFoundError: If there is no such file.
            ImportError: If a photograph is to be read and pillow is missing.
        """
        return self._run_all(as_pictures(x)[0].images)

    def _run_all(self, images: FloatArray) -> FloatArray:
        if len(images) == 1:
            return self._run(images)
        return np.concatenate([self._run(images[i : i + 1]) for i in range(len(images))])

    def _run(self, image: FloatArray) -> FloatArray:
        interpreter, source, target = self._interpreter()
        interpreter.set_tensor(source, image.reshape(self._shape))
        interpreter.invoke()
        return _probabilities_of(interpreter.get_tensor(target))

    def _interpreter(self) -> Any:
        """Return this thread's interpreter with its input and output: LiteRT's may not be shared."""
        if not hasattr(self._local, "parts"):
            interpreter = _litert().Interpreter(model_content=self._content, num_threads=self._num_threads)
            (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
            interpreter.resize_tensor_input(source["index"], self._shape)
            interpreter.allocate_tensors()
            self._local.parts = (interpreter, source["index"], target["index"])
        return self._local.parts

    @override
    def __reduce__(self) -> Any:
        """Pickle what it was made from, as other processes need it: interpreters stay where they are."""
        return FrozenPredictor, (self._content, self._shape[1:], self.class_names, self._num_threads)

    @override
    def __repr__(self) -> str:
        return f"<FrozenPredictor: {len(self._content):,} bytes, {len(self.class_names)} classes>"


def freeze(
    model: keras.Model, image_shape: tuple[int, ...], class_names: tuple[str, ...], num_threads: int
) -> FrozenPredictor:
    """Translate a model to LiteRT's format, its weights now constants."""
    _litert()  # before the work of translating
    with _root_logger_as_it_is(), tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        try:
            content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
        except Exception as error:  # the converter raises a bare Exception's child that TensorFlow does not export
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"LiteRT has no form for this model, use `predict` instead: {reason}") from error
    return FrozenPredictor(content, image_shape, class_names, num_threads)


@contextlib.contextmanager
def _root_logger_as_it_is() -> Iterator[None]:
    """Keep absl from configuring a root logger without handlers, which would make `logging.basicConfig` do nothing."""
    handler = logging.NullHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _probabilities_of(outputs: FloatArray) -> FloatArray:
    """Return a model's outputs as one column per class; refuse those of a model that has diverged."""
    if np.isnan(outputs.sum()):
        raise ValueError(
            "The model gives NaN in place of probabilities: its weights have diverged in training. Train a new model, "
            "with a lower learning rate."
        )
    return with_both_classes(outputs)


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
