"""Measure fashionclf against plain Keras code, side by side in one run.

    FASHIONCLF_DATA_DIR=... python tests/benchmarks/run.py [SECTION ...]

measures the sections that are named (all by default; about half an hour on two cores), prints the ratios, and writes
`docs/benchmarks.json`, `docs/benchmarks.md` and the plot `docs/benchmarks.png`. It needs the extras `litert`,
`onnx`, `images` and `plot`; PyTorch and ONNX Runtime (with PyTorch and `onnx`, to make the file) are compared where
they are installed. What is compared alternates, so that a slow minute of the machine hits both sides.
"""

import argparse
import functools
import importlib.util
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import photographs
import serving

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
SEEDS = (0, 1, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sections = {
        "training": training,
        "batches": batches,
        "latency": latency,
        "throughput": throughput,
        "start": start,
        "refit": refit,
        "serving": serving.measure,
        "presets": serving.presets,
        "photographs": photographs.measure,
    }
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(sections))
    chosen = parser.parse_args().sections or list(sections)
    path = DOCS / "benchmarks.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in chosen:
        print(f"== {name}", flush=True)
        results.setdefault("machines", {})[name] = machine()
        results[name] = sections[name]()
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = page(results)
    (DOCS / "benchmarks.md").write_text(text, encoding="utf-8")
    plot(results, DOCS / "benchmarks.png")
    print(text)


def machine():
    """Name the processor and the versions."""
    from fashionclf.trainer._step import has_fast_bfloat16

    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    names = ("tensorflow", "keras", "numpy", "torch", "onnxruntime", "ai-edge-litert")
    return {
        "processor": cpu,
        "cores": os.cpu_count(),
        "bfloat16": has_fast_bfloat16(),
        "versions": {name: version(name) for name in names if installed(name)},
    }


def installed(name):
    return importlib.util.find_spec({"ai-edge-litert": "ai_edge_litert"}.get(name, name)) is not None


# -- (a), (e): training ---------------------------------------------------------------------------


def training():
    """Train each way with each seed, every training in a fresh process, the ways taking turns."""
    results = {"plain": [], "fast": [], "balanced": []}
    for seed in SEEDS:
        for kind, runs in results.items():
            command = [sys.executable, str(HERE / "training.py"), kind, str(seed)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout.strip().splitlines()[-1]))
            print({key: value for key, value in runs[-1].items() if key != "epochs"}, flush=True)
    return results


def batches(rounds=3):
    """Time making the batches of one epoch on one core, without and with augmentation; the median of the rounds."""
    import numpy as np

    import fashionclf as fc
    from fashionclf.inputs import LabelledImages
    from fashionclf.trainer._batches import BatchChange, BatchSource

    images = fc.load_data().train.images[:48_000, ..., np.newaxis]
    data = LabelledImages(images, np.zeros(len(images)))
    ways = {
        "no augmentation": None,
        "flips": fc.Augmentation(horizontal_flip=True, max_shift=0),
        "flips, shifts of 2": fc.Augmentation(horizontal_flip=True, max_shift=2),
        "flips, shifts of 2, erasing 0.25": fc.Augmentation(horizontal_flip=True, max_shift=2, erasing=0.25),
    }
    times = {name: [] for name in ways}
    for epoch in range(rounds):
        for name, augmentation in ways.items():
            recipe = fc.Recipe(batch_size=480, augmentation=augmentation)
            source = BatchSource(data, lambda labels: labels, BatchChange(recipe, seed=0, input_shape=(28, 28, 1)))
            source.epoch = epoch
            before = time.perf_counter()
            for step in range(source.steps_per_epoch):
                source.batch(step)
            times[name].append(time.perf_counter() - before)
    return {name: statistics.median(values) for name, values in times.items()}


# -- (b): one image -----------------------------------------------------------------------------


def latency(calls=300, rounds=5):
    """Time single calls, in rounds that take turns."""
    import fashionclf as fc

    trainer = fc.Trainer.from_preset("cnn_dropout", seed=0)
    image = fc.load_data().test.images[0]
    ready = fc.prepare_images(image)
    frozen = trainer.compile_predictor()
    ways = {
        "Trainer.predict": lambda: trainer.predict(image),
        "frozen predictor": lambda: frozen.predict(image),
        "model.predict": lambda: trainer.model.predict(ready, verbose=0),
        "model(x)": lambda: trainer.model(ready, training=False).numpy(),
    }
    if installed("torch"):
        ways["PyTorch eager"] = torch_predictor(ready)
        if installed("onnxruntime") and installed("onnx"):
            ways["ONNX Runtime"] = onnx_predictor(ready)
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            for _ in range(5):
                way()
            for _ in range(calls if name != "model.predict" else calls // 10):
                before = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - before)
    return {
        name: {"p50_ms": 1e3 * percentile(values, 50), "p99_ms": 1e3 * percentile(values, 99)}
        for name, values in times.items()
    }


def percentile(values, share):
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


@functools.cache
def torch_model():
    """Build the architecture of `cnn_dropout` in PyTorch."""
    import torch

    layers = torch.nn
    return layers.Sequential(
        *(layers.Conv2d(1, 32, 3, padding=1), layers.ReLU(), layers.MaxPool2d(2)),
        *(layers.Conv2d(32, 64, 3, padding=1), layers.ReLU(), layers.MaxPool2d(2)),
        *(layers.Flatten(), layers.Linear(3136, 100), layers.ReLU(), layers.Dropout(0.4), layers.Linear(100, 10)),
        layers.Softmax(dim=1),
    ).eval()


def torch_predictor(ready):
    import torch

    model, tensor = torch_model(), torch.from_numpy(ready.transpose(0, 3, 1, 2).copy())

    def predict():
        with torch.inference_mode():
            return model(tensor).numpy()

    return predict


def onnx_predictor(ready):
    import onnxruntime
    import torch

    channels_first = ready.transpose(0, 3, 1, 2).copy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(torch_model(), (torch.from_numpy(channels_first),), path, input_names=["x"], dynamo=False)
        session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": channels_first})


# -- (c): many images ---------------------------------------------------------------------------


def throughput(rounds=5):
    """Time whole passes over 10,000 and 60,000 images, taking turns; the median of the rounds."""
    import tensorflow as tf

    import fashionclf as fc

    trainer = fc.Trainer.from_preset("cnn_dropout", seed=0)
    dataset = fc.load_data()
    bare = tf.function(lambda x: trainer.model(x, training=False)).get_concrete_function(
        tf.TensorSpec((None, 28, 28, 1), tf.float32)
    )

    def run_bare(ready):
        return [bare(tf.constant(ready[i : i + 256])).numpy() for i in range(0, len(ready), 256)]

    results = {}
    for images in (dataset.test.images, dataset.train.images):
        ready = fc.prepare_images(images)
        ways = {
            "Trainer.predict": lambda images=images: trainer.predict(images),
            "bare function, float32 ready": lambda ready=ready: run_bare(ready),
            "model.predict": lambda ready=ready: trainer.model.predict(ready, verbose=0),
            "model.predict, batch 256": lambda ready=ready: trainer.model.predict(ready, batch_size=256, verbose=0),
        }
        times = {name: [] for name in ways}
        for way in ways.values():
            way()
        for _ in range(rounds):
            for name, way in ways.items():
                before = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - before)
        results[str(len(images))] = {name: statistics.median(values) for name, values in times.items()}
    return results


# -- (d): import and load -------------------------------------------------------------------------


def start(rounds=5):
    """Time imports and data loading in fresh processes, taking turns; the median of the rounds."""
    folder = os.environ.get("FASHIONCLF_DATA_DIR", "")
    with tempfile.TemporaryDirectory() as home:
        if (Path(folder) / "fashion-mnist").is_dir():  # as if Keras had fetched it
            (Path(home) / "datasets").mkdir()
            (Path(home) / "datasets" / "fashion-mnist").symlink_to(Path(folder).resolve() / "fashion-mnist")
        codes = {
            "import fashionclf": ("", "import fashionclf"),
            "import tensorflow": ("", "import tensorflow"),
            "import keras": ("", "import keras"),
            "fashionclf.load_data": ("import fashionclf", "fashionclf.load_data()"),
            "keras.datasets.fashion_mnist": ("import keras", "keras.datasets.fashion_mnist.load_data()"),
            "pretrained cnn_accurate and its first prediction": (
                "import tensorflow, numpy as np; image = np.zeros((28, 28), 'uint8')",
                "import fashionclf as fc; fc.Trainer.from_preset('cnn_accurate', pretrained=True).predict(image)",
            ),
        }
        times = {name: [] for name in codes}
        environment = {**os.environ, "KERAS_HOME": home, "TF_CPP_MIN_LOG_LEVEL": "3"}
        for _ in range(rounds):
            for name, (before, code) in codes.items():
                script = f"import time\n{before}\ns = time.perf_counter()\n{code}\nprint(time.perf_counter() - s)"
                done = subprocess.run(
                    [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
                )
                times[name].append(float(done.stdout.strip().splitlines()[-1]))
    return {name: statistics.median(values) for name, values in times.items()}


def refit(rounds=3, fits=25):
    """Fit one model again and again on 600 images, in fresh processes that take turns; the median of the rounds."""
    ways = {
        "plain Keras": (
            "x = fc.prepare_images(images)\n"
            "model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])",
            "model.fit(x, labels, verbose=0)",
        ),
        "Trainer": (
            "trainer = fc.Trainer(model, recipe=fc.Recipe(precision='float32'))",
            "trainer.fit(images, labels, epochs=1, verbose=0)",
        ),
        "Trainer, one-cycle schedule": (
            "recipe = fc.Recipe(schedule='one_cycle', learning_rate=0.01, precision='float32')\n"
            "trainer = fc.Trainer(model, recipe=recipe)",
            "trainer.fit(images, labels, epochs=1, verbose=0)",
        ),
    }
    script = """
import time
import fashionclf as fc

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

images, labels = fc.load_data("synthetic").train[:600]
model = fc.cnn_model(seed=0)
{prepare}
{fit}
before, begun = memory(), time.perf_counter()
for _ in range({fits}):
    {fit}
print(time.perf_counter() - begun, memory() - before)
"""
    results = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (prepare, fit) in ways.items():
            code = script.format(prepare=prepare, fit=fit, fits=fits)
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            seconds, megabytes = map(float, done.stdout.split()[-2:])
            results[name].append({"seconds": seconds, "megabytes": megabytes})
    return results


# -- the page -------------------------------------------------------------------------------------


def page(results):
    """Write the figures and their ratios as Markdown."""
    lines = [
        "# Benchmarks",
        "",
        "`python tests/benchmarks/run.py` measured each of these tables side by side in one run. Read the ratios: "
        "seconds depend on the machine.",
        "",
        "![Seconds to validation accuracy 0.915, and milliseconds for one image](benchmarks.png)",
        "",
    ]
    writers = {
        "training": training_lines,
        "batches": batches_lines,
        "latency": latency_lines,
        "throughput": throughput_lines,
        "start": start_lines,
        "refit": refit_lines,
        "serving": serving.lines,
        "presets": serving.preset_lines,
        "photographs": photographs.lines,
    }
    for name, write in writers.items():
        if name in results:
            heading, *rest = write(results[name])
            lines += [heading, "", machine_line(results["machines"][name]), *rest, ""]
    return "\n".join(lines)


def machine_line(info):
    versions = ", ".join(f"{name} {number}" for name, number in info["versions"].items())
    units = "with" if info["bfloat16"] else "without"
    return f"{info['processor']}, {info['cores']} cores, {units} bfloat16 units. {versions}."


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def training_lines(results):
    plain, fast, balanced = results["plain"], results["fast"], results["balanced"]
    # a plain training that did not get there within its 8 epochs counts with all its time, which favours it
    reached = statistics.median(run["seconds_to_target"] or run["seconds"] for run in plain)
    missed = sum(run["seconds_to_target"] is None for run in fast)
    ratio = reached / statistics.median(run["seconds_to_target"] or float("inf") for run in fast)
    lines = [
        "## Training",
        "",
        "Each training runs in a process of its own; its clock starts with TensorFlow imported and raw images in "
        "memory, and counts preparation, tracing and every evaluation.",
        "",
        "| | seed | seconds to validation accuracy 0.915 | seconds in all | final validation accuracy "
        "| test accuracy | peak memory, MiB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    titles = {
        "plain": "`cnn_dropout`, plain Keras, 8 epochs",
        "fast": "`cnn_fast`, its recipe",
        "balanced": "`cnn_balanced`, its recipe, all 60,000",
    }
    for kind, runs in results.items():
        for run in runs:
            target = run["seconds_to_target"]
            missed_or_not_asked = "–" if run["val_accuracy"] is None else "not reached"
            lines.append(
                f"| {titles[kind]} | {run['seed']} | {missed_or_not_asked if target is None else f'{target:.1f}'} "
                f"| {run['seconds']:.1f} | {number(run['val_accuracy'])} | {number(run.get('test_accuracy'))} "
                f"| {run['peak_mib']:.0f} |"
            )
    return [
        *lines,
        "",
        f"- `cnn_fast` reaches 0.915 in **1/{ratio:.1f}** of plain Keras's time (medians of {len(fast)} seeds, "
        f"{missed} of which did not reach it).",
        f"- Lowest final validation accuracy of `cnn_fast`: **{min(run['val_accuracy'] for run in fast):.4f}**.",
        f"- `cnn_balanced` takes {median(balanced, 'seconds') / median(plain, 'seconds'):.2f} of the time of the plain "
        f"recipe's 8 epochs, and reaches **{median(balanced, 'test_accuracy'):.4f}** on the test split (median).",
        f"- Peak memory: `cnn_fast` **{median(fast, 'peak_mib') / median(plain, 'peak_mib'):.2f}**, `cnn_balanced` "
        f"**{median(balanced, 'peak_mib') / median(plain, 'peak_mib'):.2f}** of plain Keras's, "
        "whose scaled images are float64 as in the tutorials.",
    ]


def number(value):
    return "–" if value is None else f"{value:.4f}"


def batches_lines(results):
    lines = ["## Batches of one epoch, 48,000 images", "", "| augmentation | seconds of one core |", "|---|---:|"]
    return [
        *lines,
        *(f"| {name} | {seconds:.3f} |" for name, seconds in results.items()),
        "",
        "They are made while the step before runs.",
    ]


def latency_lines(results):
    lines = [
        "## One image, `cnn_dropout`",
        "",
        "| way | p50, ms | p99, ms | p50 of `model.predict` / this |",
        "|---|---:|---:|---:|",
    ]
    reference = results["model.predict"]["p50_ms"]
    for name, values in results.items():
        lines.append(
            f"| {name} | {values['p50_ms']:.3f} | {values['p99_ms']:.3f} | {reference / values['p50_ms']:.1f} |"
        )
    return lines


def throughput_lines(results):
    lines = [
        "## Many images, `cnn_dropout`",
        "",
        "| way | 10,000, s | 60,000, s | of the bare function (10,000) |",
        "|---|---:|---:|---:|",
    ]
    bare = results["10000"]["bare function, float32 ready"]
    for name, seconds in results["10000"].items():
        lines.append(f"| {name} | {seconds:.3f} | {results['60000'][name]:.3f} | {seconds / bare:.2f} |")
    return lines


def start_lines(results):
    lines = ["## Importing and loading", "", "| step | seconds |", "|---|---:|"]
    lines += [f"| `{name}` | {seconds:.3f} |" for name, seconds in results.items()]
    ratio = results["import tensorflow"] / results["import fashionclf"]
    load = results["fashionclf.load_data"] / results["keras.datasets.fashion_mnist"]
    return [
        *lines,
        "",
        f"- `import fashionclf` takes **1/{ratio:.0f}** of `import tensorflow`.",
        f"- `load_data` takes {load:.2f} of Keras's time, and verifies the content, which Keras does not.",
        "- Loading a pretrained classifier and its first prediction come on top of importing TensorFlow.",
    ]


def refit_lines(results):
    lines = ["## Fitting again", "", "25 fits of one `cnn_model` on 600 images, one epoch each, after a first one.", ""]
    lines += ["| way | seconds | memory grows by, MB |", "|---|---:|---:|"]
    for name, runs in results.items():
        lines.append(f"| {name} | {median(runs, 'seconds'):.1f} | {median(runs, 'megabytes'):.0f} |")
    ratio = median(results["Trainer"], "seconds") / median(results["plain Keras"], "seconds")
    return [*lines, "", f"- Fitting a Trainer again takes **{ratio:.2f}** of plain Keras's time."]


def plot(results, path):
    """Draw time to accuracy and single-image latency as bars."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
    if "training" in results:
        for kind, colour, label in (("plain", "#999999", "plain Keras, cnn_dropout"), ("fast", "#0072B2", "cnn_fast")):
            for i, run in enumerate(results["training"][kind]):
                seconds, accuracy = zip(*run["epochs"], strict=True)
                left.plot(seconds, accuracy, "o-", color=colour, markersize=3, label=label if not i else None)
        left.axhline(0.915, color="black", linewidth=0.8, linestyle=":")
        left.set(
            xscale="log", xlabel="seconds", ylabel="validation accuracy", title="Training (3 seeds)", ylim=(0.84, 0.95)
        )
        left.legend(loc="lower right")
    if "latency" in results:
        names = sorted(results["latency"], key=lambda name: results["latency"][name]["p50_ms"])
        values = [results["latency"][name]["p50_ms"] for name in names]
        bars = right.barh(
            names, values, color=["#0072B2" if "redictor" in n or "Trainer" in n else "#999999" for n in names]
        )
        right.bar_label(bars, [f"{value:.2f} ms" for value in values], padding=3)
        right.set(xscale="log", title="One image (median)", xlabel="milliseconds")
        right.set_xlim(right=max(values) * 8)
        right.invert_yaxis()
    content = io.BytesIO()
    figure.savefig(content, dpi=110)
    with Image.open(content) as image:
        image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
