"""What `Trainer.export` does: convert, write, run what was written, compare, and only then put it in place."""

import math
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import numpy as np

from fashionclf._converter import ImageConverter
from fashionclf._files import disk_errors_of, replacing, temporary_folder
from fashionclf._images import IMAGE_SHAPE, doubts_of, round_pixels, warn_of_doubts, without_channel
from fashionclf._types import FloatArray, ImageShape, PathLike, PredictLike, UInt8Array
from fashionclf._validation import check_choice, check_new_file, check_path
from fashionclf.augmentation import Augmentation
from fashionclf.datasets import Split
from fashionclf.datasets._synthetic import draw_garments
from fashionclf.inputs import read_images
from fashionclf.serving._convert import Source, convert_to_litert, convert_to_onnx, write_saved_model
from fashionclf.serving._litert import LiteRTModel, litert, with_files
from fashionclf.serving._metadata import SUMS, sums_of
from fashionclf.serving._predictor import SUFFIXES, FrozenPredictor, default_threads, load_exported
from fashionclf.serving._report import ExportFormat, ExportReport, Quantization
from fashionclf.serving._saved_model import FOLDER

_LEAST: Final = 1000  # images to compare, of the synthetic ones and of the caller's each
_MOST: Final = 10_000
_CALIBRATION: Final = 300  # images that ranges of values are measured on, for int8
_MEMORY: Final = 2**28  # bytes of these images
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
# Synthetic images may be unlike those on which ranges were measured. Useless ranges give half of them another class.
SYNTHETIC_IN_INT8: Final = Tolerance(0.9, 0.05, on_average=True)
OF_OTHER_SHAPES: Final = Tolerance(0.9, 0.1, on_average=True)  # drawn garments are even less like photographs


class Request(NamedTuple):
    """A checked request to export."""

    path: Path
    format: ExportFormat
    quantize: Quantization | None
    images: UInt8Array | None


def check_request(
    path: PathLike,
    name: ExportFormat,
    quantize: Quantization | None,
    images: PredictLike | Split | None,
    converter: ImageConverter,
) -> Request:
    """Check the arguments of `Trainer.export`."""
    checked: ExportFormat = check_choice(name, "format", get_args(ExportFormat))
    quantize = None if quantize is None else check_choice(quantize, "quantize", get_args(Quantization))
    if quantize == "int8" and images is None:
        raise ValueError(
            "`quantize='int8'` needs images, on which ranges of values are measured: pass `images=`, a few hundred "
            "images like those to be classified, such as `images=x_train[:1000]`."
        )
    if checked == "saved_model" and quantize is not None:
        raise ValueError(
            f"A SavedModel holds float32 only: received `quantize={quantize!r}`. Export to 'litert' or 'onnx', or "
            "leave `quantize` out."
        )
    return Request(_check_target(path, checked), checked, quantize, prepared_images(images, converter))


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
    if os.path.lexists(folder):  # also a link to what is not there
        raise FileExistsError(
            f"`path` exists already: {str(path)!r}. A folder cannot be replaced in one step: remove it, or name "
            "another."
        )
    return check_new_file(folder, "path", folder.suffix)


def prepared_images(images: PredictLike | Split | None, converter: ImageConverter) -> UInt8Array | None:
    """Return 1,000 to 10,000 of the caller's images, uint8, and warn of doubtful ones."""
    if images is None:
        return None
    read = read_images(images, converter, "images")
    warn_of_doubts(
        doubts_of(read.images, bright_on_black=converter.find_garment),
        images.files if isinstance(images, Split) else read.names,
    )
    checked: Any = round_pixels(read.images)[: max(_LEAST, min(_MOST, _MEMORY // math.prod(converter.image_shape)))]
    if len(checked) < _LEAST:  # filled up with changed copies
        copies = np.tile(checked, (-(-_LEAST // len(checked)) - 1, 1, 1, 1))
        reach = min(2, min(checked.shape[1:3]) - 1)
        changed = Augmentation(max_shift=reach, horizontal_flip=True)(copies, seed=0)
        checked = np.concatenate([checked, changed])[:_LEAST]
    return checked  # type: ignore[no-any-return]


class Images(NamedTuple):
    """Images to measure ranges of values on, and other images to compare, with their tolerances."""

    measured: UInt8Array | None
    compared: list[tuple[str, UInt8Array, Tolerance]]


def divided(images: UInt8Array | None, quantize: Quantization | None, image_shape: ImageShape) -> Images:
    """Divide prepared images. 1,000 synthetic ones, which no data set contains, are always compared."""
    synthetic = _synthetic(image_shape)
    tolerance = TOLERANCES[quantize]
    measured = None
    if images is not None and quantize == "int8":
        chosen = np.linspace(0, len(images) - 1, _CALIBRATION).astype(np.int64)  # they may be sorted by class
        measured, images = without_channel(images[chosen]), np.delete(images, chosen, axis=0)
    in_int8 = SYNTHETIC_IN_INT8 if image_shape == IMAGE_SHAPE else OF_OTHER_SHAPES
    compared = [("synthetic images", synthetic, tolerance if measured is None else in_int8)]
    if images is not None:
        compared.append(("images", images, tolerance))
    return Images(measured, compared)


def _synthetic(image_shape: ImageShape) -> UInt8Array:
    """Return images of drawn garments in this shape, in colour each of its own tint."""
    drawn = draw_garments(_LEAST, stream=2)[0][..., np.newaxis]
    height, width, channels = image_shape
    rows, columns = (np.arange(size) * drawn.shape[1] // size for size in (height, width))
    resized = drawn[:, rows[:, np.newaxis], columns]
    tint = np.random.default_rng(0).uniform(0.3, 1, (_LEAST, 1, 1, channels)) if channels > 1 else 1
    return (resized * tint).astype(np.uint8)


def export_classifier(source: Source, request: Request) -> ExportReport:
    """Write a classifier in another format, if what was written agrees with the Trainer."""
    images = divided(request.images, request.quantize, source.metadata.image_converter.image_shape)
    with replacing(request.path, "The exported model") as part:
        _write(source, request, images.measured, part)
        predictor = load_exported(part)
        agreement = compare(predictor, source, images)
        latency = _latency(predictor, images.compared[-1][1])
    return ExportReport(
        path=request.path,
        format=request.format,
        quantize=request.quantize,
        num_bytes=predictor._model.num_bytes,
        latency_ms=latency,
        **agreement,
    )


def _write(source: Source, request: Request, images: UInt8Array | None, path: Path) -> None:
    source = source._replace(metadata=replace(source.metadata, quantize=request.quantize))
    files = source.metadata.files()
    work = path.parent / "conversion"  # on the same disk, so that its errors are about the target
    work.mkdir()
    if request.format == "litert":
        litert()  # before the work of translating
        path.write_bytes(with_files(convert_to_litert(source, request.quantize, images, work), files))
    elif request.format == "onnx":
        path.write_bytes(convert_to_onnx(source, request.quantize, images, files, work))
    else:
        write_saved_model(source, path)
        extra = path / FOLDER
        extra.mkdir()
        for name, text in files.items():
            (extra / name).write_text(text, encoding="utf-8")
        (extra / SUMS).write_text(sums_of(path), encoding="utf-8")


def freeze(source: Source) -> FrozenPredictor:
    """Return a predictor in memory: what `Trainer.compile_predictor` does. It takes floats as they are."""
    litert()  # before the work of translating
    place = Path(tempfile.gettempdir())
    with disk_errors_of(place / "predictor", "The temporary file"), temporary_folder(place) as work:
        content = convert_to_litert(source, None, None, work, dtype="float32")
    metadata = source.metadata
    model = LiteRTModel(content, default_threads())
    predictor = FrozenPredictor(model, metadata.class_names, metadata.image_converter, metadata.unfamiliarity_threshold)
    blank = np.zeros((1, *metadata.image_converter.image_shape), np.uint8)
    predictor._probabilities(blank)  # raises an error if it gives NaN
    return predictor


def compare(predictor: FrozenPredictor, source: Source, images: Images) -> dict[str, Any]:
    """Raise an error if probabilities differ too much from the Trainer's; return what `ExportReport` says of them."""
    predictor._probabilities(images.compared[0][1][:100])  # the first images take longer
    seconds, differences, equal = 0.0, [], []
    for name, part, tolerance in images.compared:
        started = time.perf_counter()
        found = predictor._probabilities(part)
        seconds += time.perf_counter() - started
        expected = source.predict(part)
        check_tolerance(found, expected, tolerance, name)
        differences.append(float(np.abs(found - expected).max()))
        equal.append(found.argmax(axis=1) == expected.argmax(axis=1))
    same = np.concatenate(equal)
    return {
        "images_per_second": len(same) / seconds,
        "largest_difference": max(differences),
        "equal_labels": float(same.mean()),
        "num_images": len(same),
    }


def check_tolerance(found: FloatArray, expected: FloatArray, tolerance: Tolerance, name: str) -> None:
    """Raise an error if probabilities differ by more than a tolerance."""
    largest = np.abs(found - expected).max(axis=1)
    difference = float(largest.mean() if tolerance.on_average else largest.max())
    chosen = np.take_along_axis(expected, found.argmax(axis=1)[:, np.newaxis], axis=1)[:, 0]
    agree = float((expected.max(axis=1) - chosen <= tolerance.difference).mean())
    if difference <= tolerance.difference and agree >= tolerance.equal_labels:
        return
    on_average = " on average" if tolerance.on_average else ""
    is_exact = tolerance is TOLERANCES[None]
    raise ValueError(
        f"The exported model differs from the Trainer, and is not kept: {100 * agree:.2f} % of {len(found):,} {name} "
        f"get the same class (expected at least {100 * tolerance.equal_labels:g} %), and probabilities differ by "
        f"{difference:.2g}{on_average} (expected at most {tolerance.difference:g}). "
        + ("Use another format." if is_exact else "Leave `quantize` out, or pass `images` like those to be classified.")
    )


def _latency(predictor: FrozenPredictor, images: UInt8Array) -> float:
    """Return the median time for one image, in milliseconds."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 20 or (len(times) < 300 and time.perf_counter() - begun < _PATIENCE):
        image = without_channel(images[len(times)][np.newaxis])
        started = time.perf_counter()
        predictor._model(image)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times[5:])
