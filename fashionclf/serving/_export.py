"""What `Trainer.export` does: convert, write, run what was written, compare, and only then put it in place."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
import numpy as np

from fashionclf._images import HEIGHT, WIDTH, check_images, round_pixels, scale_pixels
from fashionclf._types import FloatArray, ImagesLike, PathLike, UInt8Array
from fashionclf._validation import check_choice, check_new_file, check_path
from fashionclf.augmentation import Augmentation
from fashionclf.datasets import Split, load_data
from fashionclf.serving._convert import convert_to_litert, write_saved_model
from fashionclf.serving._convert_onnx import convert_to_onnx
from fashionclf.serving._litert import LiteRTModel, litert, with_files
from fashionclf.serving._load import load_exported
from fashionclf.serving._metadata import Metadata
from fashionclf.serving._predictor import FrozenPredictor
from fashionclf.serving._report import ExportFormat, ExportReport, Quantization
from fashionclf.serving._runtimes import SUFFIXES, default_threads
from fashionclf.serving._saved_model import FOLDER

_LEAST: Final = 1000  # images that an exported model is compared on
_MOST: Final = 10_000
_CALIBRATION: Final = 300  # images that ranges of values are measured on, for int8
_PATIENCE: Final = 1.0  # seconds in which the time for one image is measured


class Tolerance(NamedTuple):
    """How far an exported model may differ from the Trainer: see `Trainer.export`."""

    equal_labels: float
    difference: float
    on_average: bool = False


TOLERANCES: Final[Mapping[str | None, Tolerance]] = {
    None: Tolerance(1, 1e-4),
    "float16": Tolerance(0.995, 0.02),
    "int8": Tolerance(0.97, 0.02, on_average=True),
}


class Source(NamedTuple):
    """A classifier to be exported: its model, the shape of its images, its metadata, what gives its probabilities."""

    model: keras.Model
    image_shape: tuple[int, ...]
    metadata: Metadata
    predict: Callable[[FloatArray], FloatArray]


class Request(NamedTuple):
    """A checked request to export."""

    path: Path
    format: ExportFormat
    quantize: Quantization | None
    images: UInt8Array


def check_request(
    path: PathLike, name: ExportFormat, quantize: Quantization | None, images: ImagesLike | Split | None
) -> Request:
    """Check the arguments of `Trainer.export`."""
    formats: tuple[ExportFormat, ...] = ("litert", "onnx", "saved_model")
    checked = check_choice(name, "format", formats)
    quantization = check_quantization(quantize, images)
    if checked == "saved_model" and quantization is not None:
        raise ValueError(
            f"A SavedModel holds float32 only: received `quantize={quantize!r}`. Export to 'litert' or 'onnx', or "
            "leave `quantize` out."
        )
    return Request(_check_target(path, checked), checked, quantization, images_to_compare(images))


def check_quantization(quantize: Any, images: Any) -> Quantization | None:
    """Return `quantize` if it is one of the choices, and has the images that it needs."""
    if quantize is None:
        return None
    choices: tuple[Quantization, ...] = ("float16", "int8")
    checked = check_choice(quantize, "quantize", choices)
    if checked == "int8" and images is None:
        raise ValueError(
            "`quantize='int8'` needs images, on which ranges of values are measured: pass `images=`, a few hundred "
            "images like those to be classified, such as `images=x_train[:1000]`."
        )
    return checked


def _check_target(path: PathLike, name: ExportFormat) -> Path:
    if name != "saved_model":
        try:
            return check_new_file(path, "path", SUFFIXES[name])
        except ValueError as error:
            fitting = [other for other, suffix in SUFFIXES.items() if suffix == Path(path).suffix and other != name]
            raise ValueError(f"{error}{f' Or pass `format={fitting[0]!r}`.' if fitting else ''}") from None
    folder = check_path(path, "path")
    if folder.suffix in (SUFFIXES["litert"], SUFFIXES["onnx"]):
        raise ValueError(f"`path` must name a folder, which a SavedModel is. Received: {str(path)!r}")
    if folder.exists() or folder.is_symlink():  # also a link to what is not there
        raise FileExistsError(
            f"`path` exists already: {str(path)!r}. A folder cannot be replaced in one step: remove it, or name "
            "another."
        )
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"`path`: the folder {str(folder.parent)!r} does not exist; make it first.")
    return folder.parent.resolve() / folder.name


def images_to_compare(images: ImagesLike | Split | None) -> UInt8Array:
    """Return 1,000 to 10,000 images, uint8 `(n, 28, 28)`: the synthetic ones if none are given."""
    if images is None:
        return np.asarray(load_data("synthetic").test.images[:_LEAST], np.uint8)
    checked: Any = round_pixels(check_images(images.images if isinstance(images, Split) else images, "images"))
    if len(checked) < _LEAST:  # filled up with changed copies
        copies = np.tile(checked, (-(-_LEAST // len(checked)) - 1, 1, 1, 1))
        changed = Augmentation(max_shift=2, horizontal_flip=True)(copies, seed=0)
        checked = np.concatenate([checked, changed])[:_LEAST]
    pixels: UInt8Array = checked[:_MOST].reshape(-1, HEIGHT, WIDTH)
    return pixels


def calibration_images(images: UInt8Array) -> UInt8Array:
    """Return a few hundred of the images, from all over the array: it may be sorted by class."""
    return images[np.linspace(0, len(images) - 1, _CALIBRATION).astype(np.int64)]


def export_classifier(source: Source, request: Request) -> ExportReport:
    """Write a classifier in another format, if what was written agrees with the Trainer."""
    with tempfile.TemporaryDirectory(dir=request.path.parent, prefix=".fashionclf-") as folder:
        part = Path(folder) / request.path.name
        _write(source, request, part)
        predictor = load_exported(part)
        expected = source.predict(scale_pixels(request.images))
        found, seconds = _timed(predictor, request.images)
        compare(found, expected, request.quantize)
        latency = _latency(predictor, request.images)
        part.replace(request.path)
    return ExportReport(
        path=request.path,
        format=request.format,
        quantize=request.quantize,
        num_bytes=predictor._model.num_bytes,
        latency_ms=latency,
        images_per_second=len(found) / seconds,
        largest_difference=float(np.abs(found - expected).max()),
        equal_labels=float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        num_images=len(found),
    )


def _write(source: Source, request: Request, path: Path) -> None:
    model, shape = source.model, source.image_shape
    files = replace(source.metadata, quantize=request.quantize).files()
    images = calibration_images(request.images) if request.quantize == "int8" else None
    if request.format == "litert":
        litert()  # before the work of translating
        path.write_bytes(with_files(convert_to_litert(model, shape, request.quantize, images), files))
    elif request.format == "onnx":
        path.write_bytes(convert_to_onnx(model, shape, request.quantize, images, files))
    else:
        write_saved_model(model, shape, path)
        (path / FOLDER).mkdir()
        for name, text in files.items():
            (path / FOLDER / name).write_text(text, encoding="utf-8")


def freeze(
    source: Source, quantize: Quantization | None, images: UInt8Array | None, num_threads: int | None
) -> FrozenPredictor:
    """Return a predictor in memory: what `Trainer.compile_predictor` does. It takes floats as they are."""
    litert()  # before the work of translating
    calibration = None if images is None else calibration_images(images)
    content = convert_to_litert(source.model, source.image_shape, quantize, calibration, dtype="float32")
    metadata = source.metadata
    predictor = FrozenPredictor(
        LiteRTModel(content, num_threads or default_threads()), metadata.class_names, metadata.unfamiliarity_threshold
    )
    if quantize is not None or images is not None:
        pixels = scale_pixels(images_to_compare(images))
        compare(predictor._probabilities(pixels), source.predict(pixels), quantize)
    else:
        predictor._probabilities(np.zeros((1, HEIGHT, WIDTH, 1), np.float32))  # raises an error if it gives NaN
    return predictor


def compare(found: FloatArray, expected: FloatArray, quantize: Quantization | None) -> None:
    """Raise an error if the probabilities of an exported model differ too much from the Trainer's."""
    tolerance = TOLERANCES[quantize]
    largest = np.abs(found - expected).max(axis=1)
    difference = float(largest.mean() if tolerance.on_average else largest.max())
    chosen = np.take_along_axis(expected, found.argmax(axis=1)[:, np.newaxis], axis=1)[:, 0]
    agree = float((expected.max(axis=1) - chosen <= tolerance.difference).mean())
    if difference <= tolerance.difference and agree >= tolerance.equal_labels:
        return
    on_average = " on average" if tolerance.on_average else ""
    raise ValueError(
        f"The exported model differs from the Trainer, and is not kept: {100 * agree:.2f} % of {len(found):,} images "
        f"get the same class (expected at least {100 * tolerance.equal_labels:g} %), and probabilities differ by "
        f"{difference:.2g}{on_average} (expected at most {tolerance.difference:g}). "
        + ("Leave `quantize` out, or pass `images` like those to be classified." if quantize else "Use another format.")
    )


def _timed(predictor: FrozenPredictor, images: UInt8Array) -> tuple[FloatArray, float]:
    pixels = scale_pixels(images)
    predictor._probabilities(pixels[:100])  # the first images take longer
    started = time.perf_counter()
    return predictor._probabilities(pixels), time.perf_counter() - started


def _latency(predictor: FrozenPredictor, images: UInt8Array) -> float:
    """Return the median time for one image, in milliseconds."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 20 or (len(times) < 300 and time.perf_counter() - begun < _PATIENCE):
        image = images[len(times)][np.newaxis]
        started = time.perf_counter()
        predictor._model(image)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times[5:])
