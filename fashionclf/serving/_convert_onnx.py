"""A Keras model translated to the ONNX format, by tf2onnx and ONNX Runtime's own quantization."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from fashionclf._text import advice, first_line
from fashionclf._types import UInt8Array
from fashionclf._warnings import ignored
from fashionclf.serving._checksum import PLACE, with_checksum
from fashionclf.serving._convert import root_logger_as_it_is
from fashionclf.serving._function import INPUT, Source, serving_function
from fashionclf.serving._report import Quantization

_OPSET: Final = 15  # old enough for every runtime of today, and it has all operations that are needed
# Probabilities in 8 bits would be multiples of 1/256, and a mean of such numbers often a tie.
_KEPT_IN_FLOAT: Final = frozenset(("Softmax", "ReduceMean", "Sigmoid", "Sub"))
_BATCH: Final = 50  # images at once when ranges of values are measured


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
    with root_logger_as_it_is(), ignored(FutureWarning), ignored(DeprecationWarning):
        try:
            converted, _ = converter.from_function(function, source.signature(tf.uint8), opset=_OPSET)
            checker.check_model(converted)  # an operation that ONNX lacks is passed through
        except Exception as error:  # it raises whatever its handlers of operations raise
            raise ValueError(f"This model cannot be written in the ONNX format: {first_line(error)}") from error
        if quantize == "int8" and images is not None:
            converted = _in_int8(converted, images, work)
        elif quantize == "float16":
            _store_in_float16(converted)
    del converted.metadata_props[:]
    for key, text in (*files.items(), ("sha256", PLACE)):
        converted.metadata_props.add(key=key, value=text)
    return with_checksum(converted.SerializeToString())


def _store_in_float16(model: Any) -> None:
    """Store weights in half the bytes, and compute with them in float32 as before.

    `onnxruntime.transformers.float16` would also convert the values between operations, for which processors have no
    fast operations: that is slower and less exact.
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


def _in_int8(model: Any, images: UInt8Array, work: Path) -> Any:
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
        nodes_to_exclude=[node.name for node in nodes if node.op_type in _KEPT_IN_FLOAT],
    )
    return onnx.load(target)
