"""The function that is exported, pixels in and probabilities out, translated to the formats of the runtimes."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from fashionclf._images import pixel_shape
from fashionclf._keras_internals import replaced_calls
from fashionclf._text import advice, first_line
from fashionclf._types import FloatArray, ImageArray, UInt8Array
from fashionclf._warnings import ignored
from fashionclf.models._flip import averaged_over_flips
from fashionclf.models._fold import folded_calls, normalised_convolutions
from fashionclf.serving._metadata import PLACE, Metadata, with_checksum
from fashionclf.serving._report import Quantization

INPUT: Final = "images"
OUTPUT: Final = "probabilities"
_OPSET: Final = 15  # of ONNX: old enough for every runtime of today, and it has all operations that are needed
# Probabilities in 8 bits would be multiples of 1/256, and a mean of such numbers often a tie.
_FLOAT_IN_LITERT: Final = ("SOFTMAX", "MEAN")
_FLOAT_IN_ONNX: Final = ("Softmax", "ReduceMean", "Sigmoid", "Sub")
_BATCH: Final = 50  # images at once when ONNX Runtime measures ranges of values


class Source(NamedTuple):
    """A classifier to be exported: `predict` gives the Trainer's probabilities of checked images."""

    model: keras.Model
    input_shape: tuple[int, ...]
    metadata: Metadata
    predict: Callable[[ImageArray], FloatArray]

    def signature(self, dtype: Any) -> list[Any]:
        """Return the signature of the exported function: images `(n, height, width)`, with 3 channels if in colour."""
        shape = pixel_shape(self.metadata.image_converter.image_shape)
        return [tf.TensorSpec((None, *shape), dtype, name=INPUT)]


def serving_function(source: Source) -> Callable[[Any], dict[str, Any]]:
    """Return the function of images, uint8 or float32 in [0, 1], that gives probabilities `(n, num_classes)`.

    A model with test-time augmentation computes an image and the flipped image in one batch, not one after the other.
    Batch normalisation is folded into the convolutions before it.
    """
    model, input_shape = source.model, source.input_shape
    averaged = averaged_over_flips(model)
    pairs = normalised_convolutions(model, input_shape)

    def probabilities(images: Any) -> dict[str, Any]:
        scaled = tf.cast(images, tf.float32) / 255 if images.dtype == tf.uint8 else images
        pixels = tf.reshape(scaled, (-1, *input_shape))
        with replaced_calls(folded_calls(pairs)):
            if averaged is None:
                outputs = model(pixels, training=False)
            else:
                both = averaged(tf.concat([pixels, pixels[:, :, ::-1]], axis=0), training=False)
                outputs = tf.reduce_mean(tf.reshape(both, (2, -1, both.shape[-1])), axis=0)
        if outputs.shape[-1] == 1:  # one sigmoid unit
            outputs = tf.concat([1 - outputs, outputs], axis=1)
        return {OUTPUT: tf.cast(outputs, tf.float32)}

    return probabilities


def write_saved_model(source: Source, folder: Path, dtype: Any = tf.uint8) -> None:
    """Write a model to a folder in TensorFlow's own format."""
    archive = keras.export.ExportArchive()
    archive.track(source.model)
    archive.add_endpoint("serve", serving_function(source), input_signature=source.signature(dtype))
    with _root_logger_as_it_is():
        archive.write_out(str(folder), verbose=False)


def convert_to_litert(
    source: Source, quantize: Quantization | None, images: UInt8Array | None, work: Path, *, dtype: Any = tf.uint8
) -> bytes:
    """Return a model in LiteRT's format, with its weights as constants; `dtype` is that of its input.

    The ranges of values for `"int8"` are measured on `images`. `work` is a folder for temporary files.
    """
    folder = work / "model"
    write_saved_model(source, folder, dtype)
    with _root_logger_as_it_is():
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            if quantize == "int8" and images is not None:
                return _quantized_by_litert(converter, images, dtype)
            return converter.convert()  # type: ignore[no-any-return]
        except Exception as error:  # the converter raises a bare Exception's child that TensorFlow does not export
            raise ValueError(f"LiteRT cannot run this model, use `predict` instead: {first_line(error)}") from error


def _quantized_by_litert(converter: Any, images: UInt8Array, dtype: Any) -> bytes:
    def calibration() -> Iterator[list[Any]]:
        for image in images:
            yield [image[None] if dtype == tf.uint8 else (image[None] / 255).astype("float32")]

    converter.representative_dataset = calibration
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(_FLOAT_IN_LITERT))
    with ignored(UserWarning, r"\s*Warning: tf.lite.Interpreter is deprecated"):  # TensorFlow uses its own
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=calibration, debug_options=options
        )
    return debugger.get_nondebug_quantized_model()  # type: ignore[no-any-return]


@contextlib.contextmanager
def _root_logger_as_it_is() -> Iterator[None]:
    """Keep libraries from configuring a root logger without handlers: `logging.basicConfig` would do nothing then."""
    handler = logging.NullHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def convert_to_onnx(
    source: Source, quantize: Quantization | None, images: UInt8Array | None, files: Mapping[str, str], work: Path
) -> bytes:
    """Return a model in the ONNX format, with its weights as constants and `files` as its metadata.

    The ranges of values for `"int8"` are measured on `images`. `work` is a folder for temporary files.
    """
    with advice("Export to ONNX needs more packages", "onnx"):
        from onnx import checker
        from onnxruntime import quantization  # noqa: F401  # before the work of translating
        from tf2onnx import convert as converter
    function = tf.function(serving_function(source), autograph=False)
    with _root_logger_as_it_is(), ignored(FutureWarning), ignored(DeprecationWarning):
        try:
            converted, _ = converter.from_function(function, source.signature(tf.uint8), opset=_OPSET)
            checker.check_model(converted)  # an operation that ONNX lacks is passed through
        except Exception as error:  # it raises whatever its handlers of operations raise
            raise ValueError(f"This model cannot be written in the ONNX format: {first_line(error)}") from error
        if quantize == "int8" and images is not None:
            converted = _quantized_by_onnx(converted, images, work)
        elif quantize == "float16":
            _store_in_float16(converted)
    del converted.metadata_props[:]
    for key, text in (*files.items(), ("sha256", PLACE)):
        converted.metadata_props.add(key=key, value=text)
    return with_checksum(converted.SerializeToString())


def _store_in_float16(model: Any) -> None:
    """Store weights in half the bytes, and compute with them in float32 as before.

    Processors have no fast operations in float16, which `onnxruntime.transformers.float16` would use.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            name = tensor.name
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_float16"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def _quantized_by_onnx(model: Any, images: UInt8Array, work: Path) -> Any:
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Calibration(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._batches: Iterator[UInt8Array] = (images[i : i + _BATCH] for i in range(0, len(images), _BATCH))

        def get_next(self) -> dict[str, UInt8Array] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT: batch}

    source, fused, target = (str(work / f"{name}.onnx") for name in ("source", "fused", "target"))
    onnx.save(model, source)
    quant_pre_process(source, fused, skip_symbolic_shape=True)  # which would need sympy
    nodes = onnx.load(fused).graph.node
    quantization.quantize_static(
        fused,
        target,
        Calibration(),
        per_channel=True,
        # Weights of 7 bits: processors without instructions for 8-bit sums (VNNI) would let them overflow.
        reduce_range=True,
        # ONNX Runtime has fast operations on x86 for unsigned values and signed weights only.
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        nodes_to_exclude=[node.name for node in nodes if node.op_type in _FLOAT_IN_ONNX],
    )
    return onnx.load(target)
