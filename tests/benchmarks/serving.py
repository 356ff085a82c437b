"""Exported formats of `cnn_accurate` and bulk prediction in bfloat16, for `run.py`: times and lines of its page."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fashionclf as fc

PRESET = "cnn_accurate"
EXPORTS = (  # name of the row, file, format, quantize
    ("LiteRT", "float32.tflite", "litert", None),
    ("LiteRT, float16", "float16.tflite", "litert", "float16"),
    ("LiteRT, int8", "int8.tflite", "litert", "int8"),
    ("ONNX", "float32.onnx", "onnx", None),
    ("ONNX, float16", "float16.onnx", "onnx", "float16"),
    ("ONNX, int8", "int8.onnx", "onnx", "int8"),
)
FIRST = """
import sys, time
import numpy as np
begin = time.perf_counter()
import fashionclf as fc
fc.load_exported(sys.argv[1]).predict(np.zeros((28, 28), "uint8"))
print(time.perf_counter() - begin)
assert "tensorflow" not in sys.modules
"""


def measure(rounds=5, calls=200):
    """Time single calls, first predictions in fresh processes, and 10,000 images; medians of rounds that take turns."""
    train, test = fc.load_data()
    trainer = fc.Trainer.from_preset(PRESET, pretrained=True)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / file for name, file, _, _ in EXPORTS}
        for name, _, runtime, quantize in EXPORTS:
            trainer.export(paths[name], runtime, quantize=quantize, images=train.images[:1000])
        ways = {"Trainer.predict": trainer, "compile_predictor": trainer.compile_predictor()}
        ways |= {name: fc.load_exported(path) for name, path in paths.items()}
        one = {name: statistics.median(times) for name, times in single(ways, test.images[0], rounds, calls).items()}
        first = {name: statistics.median(first_prediction(path) for _ in range(rounds)) for name, path in paths.items()}
        sizes = {name: path.stat().st_size for name, path in paths.items()}
    return {"one_image_ms": one, "first_prediction_s": first, "bytes": sizes, "bulk_s": bulk(trainer, test.images)}


def presets(calls=60):
    """Return the median milliseconds for one image, by preset with weights: exported to LiteRT, with one thread."""
    rng = np.random.default_rng(0)
    medians = {}
    for name in fc.list_presets(pretrained=True):
        trainer = fc.Trainer.from_preset(name, pretrained=True)
        image = rng.integers(0, 256, trainer.image_shape, dtype="uint8")
        with tempfile.TemporaryDirectory() as folder:
            trainer.export(Path(folder) / "model.tflite")
            predictor = fc.load_exported(Path(folder) / "model.tflite", num_threads=1)
        medians[name] = statistics.median(single({name: predictor}, image, 1, calls)[name])
    return medians


def single(ways, image, rounds, calls):
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            way.predict(image)
            for _ in range(calls):
                before = time.perf_counter()
                way.predict(image)
                times[name].append(1000 * (time.perf_counter() - before))
    return times


def first_prediction(path):
    done = subprocess.run([sys.executable, "-c", FIRST, str(path)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def bulk(trainer, images, rounds=3):
    times = {"float32": [], "bfloat16": []}
    for precision in times:
        trainer.predict(images[:1000], precision=precision)
    for _ in range(rounds):
        for precision, seconds in times.items():
            before = time.perf_counter()
            trainer.predict(images, precision=precision)
            seconds.append(time.perf_counter() - before)
    return {precision: statistics.median(seconds) for precision, seconds in times.items()}


def lines(results):
    one, first, sizes, bulk = (results[key] for key in ("one_image_ms", "first_prediction_s", "bytes", "bulk_s"))
    reference = one["compile_predictor"]
    rows = [
        f"| {name} | {ms:.3f} | {reference / ms:.1f} | {f'{first[name]:.2f}' if name in first else '–'} "
        f"| {f'{sizes[name]:,}' if name in sizes else '–'} |"
        for name, ms in one.items()
    ]
    return [
        f"## Serving, `{PRESET}`",
        "",
        "| way | one image, p50, ms | `compile_predictor` / this | import to first prediction, s | bytes |",
        "|---|---:|---:|---:|---:|",
        *rows,
        "",
        f"- 10,000 images: {bulk['float32']:.1f} s in float32, {bulk['bfloat16']:.1f} s in bfloat16: "
        f"**{bulk['float32'] / bulk['bfloat16']:.1f} times** as fast.",
        "- The exported formats do not import TensorFlow. Their first prediction includes importing fashionclf.",
    ]


def preset_lines(results):
    rows = [f"| `{name}` | {ms:.2f} |" for name, ms in results.items()]
    return [
        "## One image, every pretrained classifier",
        "",
        "| preset | LiteRT with one thread, p50, ms |",
        "|---|---:|",
        *rows,
    ]
