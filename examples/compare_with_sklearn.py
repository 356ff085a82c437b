"""Compare classical classifiers of scikit-learn with this package's networks: accuracy, training time, latency, size.

    python examples/compare_with_sklearn.py --images 12000             # two minutes on two cores
    python examples/compare_with_sklearn.py --plot comparison.png      # all 60,000 images

needs `pip install "fashionclf[litert,plot,sklearn]" scikit-image`. All of them are scikit-learn classifiers, trained on
five sixths of the training images and evaluated on the others; the test images are not used. Seconds of training
include the features. The latency is the median time of a prediction for one image, and the size is that of the pickle
that makes it: for a network, both are those of `Trainer.compile_predictor`.
"""

import argparse
import os
import pickle
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

import fashionclf as fc
from fashionclf.sklearn import FashionClassifier

PRESETS = ("softmax", "dense_200", "cnn_small", "cnn_fast", "cnn_balanced")
PREDICTIONS = 100  # for the latency


@dataclass
class Result:
    """What is measured of a classifier."""

    name: str
    accuracy: float
    seconds: float
    milliseconds: float
    size: int

    def __str__(self) -> str:
        size = f"{self.size / 1e6:.2f} MB"
        return f"{self.name:<28}{self.accuracy:>9.4f}{self.seconds:>10.1f} s{self.milliseconds:>10.3f} ms{size:>12}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=60_000, help="training images in all (default 60000)")
    parser.add_argument("--presets", nargs="*", default=PRESETS, choices=fc.list_presets(), help="networks to train")
    parser.add_argument("--seed", type=int, default=0, help="of all classifiers (default 0)")
    parser.add_argument("--plot", type=Path, help="image file to write the plot to")
    arguments = parser.parse_args()

    images, labels = fc.load_data().train[: arguments.images]
    parts = fc.train_validation_split(images, labels, validation_size=1 / 6, seed=42)
    print(f"{len(parts[0]):,} images to train on, {len(parts[1]):,} to evaluate\n")
    print(f"{'':<28}{'accuracy':>9}{'training':>12}{'one image':>13}{'size':>12}")
    results = []
    for name, classifier in classifiers(arguments.seed, arguments.presets).items():
        results.append(measure(name, classifier, *parts))
        print(results[-1], flush=True)
    if arguments.plot is not None:
        plot(results).savefig(arguments.plot, dpi=100)
        print(f"\nWrote {arguments.plot}")


def classifiers(seed: int, presets: list[str]) -> dict[str, Any]:
    """Return the classifiers by name: those of scikit-learn first."""
    pixels = FunctionTransformer(rows_of_pixels)
    networks = {name: FashionClassifier(name, random_state=seed) for name in presets}
    return {
        "SGD, log loss": make_pipeline(pixels, SGDClassifier(loss="log_loss", max_iter=5, random_state=seed)),
        "HOG + linear SVM": make_pipeline(
            FunctionTransformer(gradient_histograms), LinearSVC(C=0.1, random_state=seed)
        ),
        "hist. gradient boosting": make_pipeline(pixels, HistGradientBoostingClassifier(random_state=seed)),
        **networks,
    }


def rows_of_pixels(images: np.ndarray) -> np.ndarray:
    """Return images as float32 rows `(n, 784)` in [0, 1]."""
    return fc.flatten(fc.scale(images))


def gradient_histograms(images: np.ndarray) -> np.ndarray:
    """Return histograms of oriented gradients (Dalal and Triggs, 2005), float32 `(n, 1296)`."""
    from skimage.feature import hog

    return np.stack(
        [hog(image, orientations=9, pixels_per_cell=(4, 4), cells_per_block=(2, 2)) for image in images],
        dtype=np.float32,
    )


def measure(name: str, classifier: Any, x_fit: np.ndarray, x_val: np.ndarray, y_fit: Any, y_val: Any) -> Result:
    """Train a classifier and measure it on the validation images."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # five passes are the tutorials' recipe
        classifier.fit(x_fit, y_fit)
    seconds = time.perf_counter() - start
    accuracy = classifier.score(x_val, y_val)
    server = classifier.trainer_.compile_predictor() if isinstance(classifier, FashionClassifier) else classifier
    return Result(name, accuracy, seconds, latency(server.predict, x_val), len(pickle.dumps(server)))


def latency(predict: Callable[[np.ndarray], Any], images: np.ndarray) -> float:
    """Return the median milliseconds of a prediction for one image."""
    predict(images[:1])
    taken = []
    for i in range(PREDICTIONS):
        one = images[i % len(images)][np.newaxis]
        start = time.perf_counter()
        predict(one)
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


def plot(results: list[Result]) -> Figure:
    """Plot the accuracy against each cost; the best place is the upper left."""
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    costs = {
        "training, seconds": [result.seconds for result in results],
        "one image, milliseconds": [result.milliseconds for result in results],
        "size, MB": [result.size / 1e6 for result in results],
    }
    for axes, (label, values) in zip(figure.subplots(1, 3, sharey=True), costs.items(), strict=True):
        for number, (result, value) in enumerate(zip(results, values, strict=True)):
            network = result.name in fc.list_presets()
            axes.plot(value, result.accuracy, "o" if network else "s", color=f"C{number}", label=result.name, ms=9)
        axes.set_xscale("log")
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
        axes.margins(0.12)
    figure.axes[0].set_ylabel("validation accuracy")
    figure.axes[0].yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.1%}"))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


if __name__ == "__main__":
    main()
