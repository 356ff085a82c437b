"""What the tests of plot share."""

import functools
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import fashionclf as fc
from fashionclf import plot
from fashionclf.report import evaluate_predictions

IMAGES = np.random.RandomState(0).randint(0, 256, (6, 28, 28)).astype(np.uint8)


LABELS = np.array([0, 1, 2, 0, 1, 2])


NAMES = ("Shirt", "Bag", "Coat")


LONG = tuple(  # with dollars: matplotlib could not draw the second as a formula
    f"a name of many words, {each}, that takes a lot of room" for each in ("a $ sign", "$\\no$ here", "number 2")
)


ROWS = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.9, 0.1, 0.0], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])


PREDICTIONS = fc.Predictions(ROWS, NAMES)  # the third is wrong


REPORT = evaluate_predictions(LABELS, PREDICTIONS)


HISTORY = {"accuracy": [0.8, 0.9], "loss": [0.5, 0.4], "val_accuracy": [0.7, 0.8], "val_loss": [0.6, 0.5]}


CORRUPTED = SimpleNamespace(
    corruptions=("fog", "motion_blur"),
    severities=(1, 3),
    uncorrupted=0.9,
    by_corruption={"fog": 0.8, "motion_blur": 0.7},
)
HEAT = np.linspace(0, 1, 784).reshape(28, 28)


def shifts(reach):
    distance = np.abs(np.arange(-reach, reach + 1))
    accuracies = 0.9 - 0.01 * np.maximum.outer(distance, distance)
    curve = 0.9 - 0.01 * np.arange(reach + 1)
    return SimpleNamespace(accuracies=accuracies, max_shift=reach, curve=curve, mean=accuracies.mean(), worst=0.8)


@functools.cache
def trainer():
    return fc.Trainer(fc.cnn_model((2,), units=(), num_classes=3, seed=0))


def trainer_of(names):
    trainer().class_names = names
    return trainer()


ONE_AXES = {
    "class_distribution": lambda names=NAMES, **place: plot.class_distribution(LABELS, names, **place),
    "comparison": lambda names=NAMES, **place: plot.comparison(dict.fromkeys(names, (0.8, 0.9, 0.91)), **place),
    "confusion_matrix": lambda names=NAMES, **place: plot.confusion_matrix(REPORT, class_names=names, **place),
    "grad_cam": lambda names=NAMES, **place: plot.grad_cam(trainer_of(names), IMAGES[0], **place),
    "reliability_diagram": lambda names=NAMES, **place: plot.reliability_diagram(REPORT, **place),
    "shift_map": lambda names=NAMES, **place: plot.shift_map(shifts(2), **place),
    "corruption_robustness": lambda names=NAMES, **place: plot.corruption_robustness(
        dict.fromkeys(names, CORRUPTED), **place
    ),
    "shift_robustness": lambda names=NAMES, **place: plot.shift_robustness(dict.fromkeys(names, shifts(2)), **place),
}


SEVERAL_AXES = {
    "feature_maps": lambda names=NAMES, **place: plot.feature_maps(dict.fromkeys(names, HEAT[..., None]), **place),
    "history": lambda names=NAMES, **place: plot.history(dict.fromkeys(names, HISTORY), **place),
    "images": lambda names=NAMES, **place: plot.images(
        IMAGES, LABELS, predictions=PREDICTIONS, class_names=names, bars=True, **place
    ),
    "kernels": lambda names=NAMES, **place: plot.kernels(dict.fromkeys(names, np.ones((3, 3, 2, 4))), **place),
    "mistakes": lambda names=NAMES, **place: plot.mistakes(
        evaluate_predictions(LABELS, fc.Predictions(ROWS, names)), IMAGES, **place
    ),
    "preprocessing_steps": lambda names=NAMES, **place: plot.preprocessing_steps(
        fc.preprocessing_steps(255 - IMAGES[0]), **place
    ),
}


DRAWINGS = {**ONE_AXES, **SEVERAL_AXES}


def texts(ax):
    return [text.get_text() for text in ax.texts]


def y_names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]
