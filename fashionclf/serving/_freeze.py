"""A Keras model translated to LiteRT's format."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator

import keras
import tensorflow as tf

from fashionclf.serving._litert import FrozenPredictor, _litert


def freeze(
    model: keras.Model,
    image_shape: tuple[int, ...],
    class_names: tuple[str, ...],
    num_threads: int,
    unfamiliarity_threshold: float | None,
) -> FrozenPredictor:
    """Convert a model to LiteRT's format, with its weights as constants."""
    _litert()  # before the work of translating
    with _root_logger_as_it_is(), tempfile.TemporaryDirectory(prefix="fashionclf-") as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        try:
            content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
        except Exception as error:  # the converter raises a bare Exception's child that TensorFlow does not export
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"LiteRT cannot run this model, use `predict` instead: {reason}") from error
    return FrozenPredictor(content, image_shape, class_names, num_threads, unfamiliarity_threshold)


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
