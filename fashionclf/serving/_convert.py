"""A Keras model translated to the formats of the runtimes, each by its own converter."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras
import tensorflow as tf

from fashionclf._text import first_line
from fashionclf._types import UInt8Array
from fashionclf._warnings import ignored
from fashionclf.serving._function import Source, serving_function
from fashionclf.serving._report import Quantization

# Probabilities in 8 bits would be multiples of 1/256, and a mean of such numbers often a tie.
_KEPT_IN_FLOAT: Final = ("SOFTMAX", "MEAN")


def write_saved_model(source: Source, folder: Path, dtype: Any = tf.uint8) -> None:
    """Write a model to a folder in TensorFlow's own format."""
    archive = keras.export.ExportArchive()
    archive.track(source.model)
    archive.add_endpoint("serve", serving_function(source), input_signature=source.signature(dtype))
    with root_logger_as_it_is():
        archive.write_out(str(folder), verbose=False)


def convert_to_litert(
    source: Source, quantize: Quantization | None, images: UInt8Array | None, work: Path, *, dtype: Any = tf.uint8
) -> bytes:
    """Return a model in LiteRT's format, with its weights as constants; `dtype` is that of its input.

    The ranges of values for `"int8"` are measured on `images`. `work` is a folder for temporary files.
    """
    folder = work / "model"
    write_saved_model(source, folder, dtype)
    with root_logger_as_it_is():
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            if quantize == "int8" and images is not None:
                return _in_int8(converter, images, dtype)
            return converter.convert()  # type: ignore[no-any-return]
        except Exception as error:  # the converter raises a bare Exception's child that TensorFlow does not export
            raise ValueError(f"LiteRT cannot run this model, use `predict` instead: {first_line(error)}") from error


def _in_int8(converter: Any, images: UInt8Array, dtype: Any) -> bytes:
    def calibration() -> Iterator[list[Any]]:
        for image in images:
            yield [image[None] if dtype == tf.uint8 else (image[None] / 255).astype("float32")]

    converter.representative_dataset = calibration
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(_KEPT_IN_FLOAT))
    with ignored(UserWarning, r"\s*Warning: tf.lite.Interpreter is deprecated"):  # TensorFlow uses its own
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=calibration, debug_options=options
        )
    return debugger.get_nondebug_quantized_model()  # type: ignore[no-any-return]


@contextlib.contextmanager
def root_logger_as_it_is() -> Iterator[None]:
    """Keep libraries from configuring a root logger without handlers: `logging.basicConfig` would do nothing then."""
    handler = logging.NullHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
