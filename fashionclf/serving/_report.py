"""ExportReport: what an export has written, how fast it is, and how well it agrees with the Trainer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

ExportFormat: TypeAlias = Literal["litert", "onnx", "saved_model"]
Quantization: TypeAlias = Literal["float16", "int8"]


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What `Trainer.export` has written and measured. Print it.

    The exported model was loaded from its file and run on its own runtime, on the machine that exported it.

    Attributes:
        path: The file, or the folder of a SavedModel.
        format: `"litert"`, `"onnx"` or `"saved_model"`.
        quantize: `"float16"`, `"int8"`, or None for float32.
        num_bytes: Size of the file, or of all files in the folder.
        latency_ms: Time for one image, in milliseconds: the median.
        images_per_second: Speed for many images at once.
        largest_difference: Between a probability of the exported model and of the Trainer, from 0 to 1.
        equal_labels: Share of images, from 0 to 1, to which both give the same class.
        num_images: Number of images that were compared: 1,000 synthetic ones, and those of the caller's on which no
            ranges of values were measured.

    Example:
        >>> import fashionclf as fc, tempfile
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = trainer.export(folder + "/softmax.tflite", quantize="float16")
        >>> report.format, report.quantize, report.num_images
        ('litert', 'float16', 1000)
        >>> print(report)
        softmax.tflite: litert, float16, ... bytes
        ... ms for one image, ... images per second in a batch
        1,000 images compared with the Trainer: ... % equal labels, probabilities differ by at most ...
    """

    path: Path
    format: ExportFormat
    quantize: Quantization | None
    num_bytes: int
    latency_ms: float
    images_per_second: float
    largest_difference: float
    equal_labels: float
    num_images: int

    def __str__(self) -> str:
        return (
            f"{self.path.name}: {self.format}, {self.quantize or 'float32'}, {self.num_bytes:,} bytes\n"
            f"{self.latency_ms:.3f} ms for one image, {self.images_per_second:,.0f} images per second in a batch\n"
            f"{self.num_images:,} images compared with the Trainer: {100 * self.equal_labels:.2f} % equal labels, "
            f"probabilities differ by at most {self.largest_difference:.2g}"
        )
