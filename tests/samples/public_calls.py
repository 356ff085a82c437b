"""Every public function and method with valid arguments. The tests replace each by odd values."""

import inspect

import keras
import numpy as np

import fashionclf as fc
import fashionclf.sklearn
from fashionclf import evaluation, explain, plot, testing
from samples.explain import known
from samples.odd_values import IMAGES
from samples.plots import CORRUPTED, HISTORY, shifts

LABELS = np.array([0, 1, 0, 1])
ROWS = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])


class Callables:
    """The objects on which methods are called. None may change, except the Trainer that is fitted."""

    def __init__(self, folder):
        self.folder = folder
        self.trainer = fc.Trainer(fc.dense_model((), seed=0))
        self.network = known(keras.layers.GlobalAveragePooling2D())
        self.convolutional = fc.Trainer(self.network)
        self.frozen = self.trainer.compile_predictor()
        self.predictions = fc.Predictions(ROWS, ["Shirt", "Bag"])
        self.report = fc.evaluate_predictions(LABELS, self.predictions)
        self.split = fc.Split(IMAGES, LABELS, class_names=["Shirt", "Bag"])
        self.fake = testing.fake_trainer("Bag")
        options = {"epochs": 1, "validation_split": 0, "random_state": 0}
        self.classifier = fashionclf.sklearn.FashionClassifier("softmax", **options)
        self.fitted_classifier = fashionclf.sklearn.FashionClassifier("softmax", **options).fit(IMAGES, LABELS)
        self.robustness = fc.CorruptionRobustness(np.array([[0.5]]), ("fog",), (3,), uncorrupted=0.9)
        self.trainer.save(folder / "trainer.keras")


class Estimator:
    """The cheapest classifier for `cross_validate`."""

    def fit(self, X, y):  # noqa: N803  # scikit-learn's name
        self.label = y[0]
        return self

    def predict(self, X):  # noqa: N803
        return np.full(len(X), self.label)

    def get_params(self, deep=True):
        return {}


def setter(owner, name):
    def assign(value):
        before = getattr(owner, name)
        setattr(owner, name, value)
        setattr(owner, name, before)

    return assign


def everything(generate):
    """Read what a generator function gives."""

    def read(**arguments):
        return list(generate(**arguments))

    read.__signature__ = inspect.signature(generate)
    return read


class Figures:
    """A flat figure and axes, as `place` argument of plots."""

    @property
    def ax(self):
        from matplotlib.figure import Figure

        return Figure().add_subplot()

    @property
    def figure(self):
        from matplotlib.figure import Figure

        return Figure()


DRAW = Figures()
PRESET = fc.get_preset("softmax")
RECIPE_OPTIONS = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.1, "schedule": "cosine",
                  "epochs": 1, "freeze_epochs": 1, "batch_size": 2, "augmentation": None,
                  "label_smoothing": 0.0, "cutmix": 0.0,
                  "precision": "float32", "early_stopping": None, "validation_split": 0.0}  # fmt: skip
CHANGES = {"horizontal_flip": True, "max_shift": 1, "erasing": 0.1, "noise": 0.1, "rotation": 1, "zoom": 0.1,
           "shear": 0.1, "contrast": 0.1, "brightness": 0.1, "saturation": 0.1, "blur": 0.1,
           "fill_mode": "nearest"}  # fmt: skip
FIT = {"epochs": 1, "batch_size": 2, "validation_data": None, "validation_split": None, "early_stopping": None,
       "checkpoint": None, "callbacks": (), "augment": None, "class_weight": None,
       "sample_weight": None, "seed": 0, "resume": None, "verbose": 0}  # fmt: skip
XY = {"x": IMAGES, "y": LABELS}
PHOTOGRAPHS = {"image_shape": (28, 28, 1), "find_garment": None, "crop_to_aspect_ratio": False}

# Name: a function of `w: Callables` that returns the callable and valid arguments.
CALLS = {
    "prepare_images": lambda w: (fc.prepare_images, {"images": IMAGES, "image_shape": (28, 28, 1)}),
    "scale": lambda w: (fc.scale, {"images": IMAGES}),
    "flatten": lambda w: (fc.flatten, {"images": IMAGES, "image_shape": (28, 28, 1)}),
    "one_hot": lambda w: (fc.one_hot, {"labels": LABELS, "num_classes": 10}),
    "train_validation_split": lambda w: (
        fc.train_validation_split,
        {"images": IMAGES, "labels": LABELS, "validation_size": 0.5, "seed": 0, "stratify": True, "groups": None},
    ),
    "Augmentation": lambda w: (fc.Augmentation, CHANGES),
    "Augmentation.__call__": lambda w: (fc.Augmentation(**CHANGES).__call__, {"images": IMAGES, "seed": 0}),
    "class_names": lambda w: (fc.class_names, {"dataset": "mnist", "language": "ko"}),
    "load_data": lambda w: (fc.load_data, {"name": "mnist", "data_dir": None, "download": False}),
    "Split": lambda w: (
        fc.Split,
        {"images": IMAGES, "labels": LABELS, "class_names": ["a", "b"], "files": list("abcd"), "groups": None,
         "image_shape": (28, 28, 1), "image_converter": None},
    ),
    "Split.train_validation_split": lambda w: (
        w.split.train_validation_split, {"validation_size": 0.5, "seed": 0, "stratify": False}
    ),
    "Split.__getitem__": lambda w: (w.split.__getitem__, {"part": slice(0, 2)}),
    "Dataset": lambda w: (fc.Dataset, {"name": "tiny", "train": w.split, "test": w.split}),
    "dense_model": lambda w: (
        fc.dense_model,
        {"units": (2,), "flatten": "before", "activation": "relu", "dropout": 0.1, "batch_norm": False,
         "image_shape": (28, 28, 1), "num_classes": 3, "seed": 0, "name": "model"},
    ),
    "cnn_model": lambda w: (
        fc.cnn_model,
        {"filters": (2,), "kernel_size": 3, "pooling": "max", "units": (2,), "activation": "relu", "dropout": 0.1,
         "batch_norm": False, "image_shape": (28, 28, 1), "num_classes": 3, "seed": 0, "name": "model"},
    ),
    "flip_averaged": lambda w: (fc.flip_averaged, {"model": w.network, "name": "flipped"}),
    "Recipe": lambda w: (fc.Recipe, RECIPE_OPTIONS),
    "Recipe.from_dict": lambda w: (fc.Recipe.from_dict, {"values": RECIPE_OPTIONS}),
    "get_preset": lambda w: (fc.get_preset, {"name": "softmax"}),
    "list_presets": lambda w: (fc.list_presets, {"pretrained": False}),
    "Preset.build": lambda w: (PRESET.build, {"seed": 0, "num_classes": 3}),
    "load_image": lambda w: (fc.load_image, {"source": IMAGES[0], **PHOTOGRAPHS}),
    "preprocessing_steps": lambda w: (fc.preprocessing_steps, {"source": IMAGES[0], **PHOTOGRAPHS}),
    "load_folder": lambda w: (
        fc.load_folder,
        {"directory": w.folder, "class_names": None, "groups": None, "on_error": "raise", **PHOTOGRAPHS},
    ),
    "Predictions": lambda w: (
        fc.Predictions,
        {"probabilities": ROWS, "class_names": ["a", "b"], "sources": list("abcd"), "doubts": [()] * 4},
    ),
    "Predictions.__getitem__": lambda w: (w.predictions.__getitem__, {"index": 0}),
    "Predictions.grouped": lambda w: (w.predictions.grouped, {"groups": {"Bag": "Other"}}),
    "Predictions.top": lambda w: (w.predictions.top, {"k": 1}),
    "Prediction.top": lambda w: (w.predictions[0].top, {"k": 1}),
    "evaluate_predictions": lambda w: (
        fc.evaluate_predictions, {"labels": LABELS, "predictions": ROWS, "class_names": ["a", "b"]}
    ),
    "EvaluationReport.top_k_accuracy": lambda w: (w.report.top_k_accuracy, {"k": 1}),
    "EvaluationReport.most_confused": lambda w: (w.report.most_confused, {"k": 1}),
    "EvaluationReport.mistakes": lambda w: (w.report.mistakes, {"k": 1}),
    "EvaluationReport.describe": lambda w: (w.report.describe, {"language": "ko"}),
    "CorruptionRobustness.at": lambda w: (w.robustness.at, {"severity": 3}),
    "load_exported": lambda w: (fc.load_exported, {"path": w.folder / "no.tflite", "num_threads": None}),
    "FrozenPredictor.predict": lambda w: (w.frozen.predict, {"x": IMAGES, "on_error": "raise"}),
    "FrozenPredictor.predict_proba": lambda w: (w.frozen.predict_proba, {"x": IMAGES}),
    "Trainer": lambda w: (
        fc.Trainer,
        {"model": w.network, "class_names": fc.CLASS_NAMES, "optimizer": "sgd", "loss": "auto",
         "metrics": ["accuracy"], "recipe": None, "image_converter": None},
    ),
    "Trainer.from_preset": lambda w: (
        fc.Trainer.from_preset,
        {"name": "softmax", "pretrained": False, "class_names": fc.CLASS_NAMES, "seed": 0},
    ),
    "Trainer.recipe": lambda w: (setter(w.trainer, "recipe"), {"value": fc.Recipe()}),
    "Trainer.class_names": lambda w: (setter(w.trainer, "class_names"), {"value": fc.CLASS_NAMES}),
    "Trainer.unfamiliarity_threshold": lambda w: (setter(w.trainer, "unfamiliarity_threshold"), {"value": 0.5}),
    "Trainer.fit": lambda w: (w.trainer.fit, {**XY, **FIT}),
    "Trainer.evaluate": lambda w: (w.trainer.evaluate, {**XY, "batch_size": 2, "sample_weight": None}),
    "Trainer.report": lambda w: (w.trainer.report, {**XY, "batch_size": 2}),
    "Trainer.predict": lambda w: (
        w.trainer.predict, {"x": IMAGES, "batch_size": 2, "precision": "float32", "on_error": "raise"}
    ),
    "Trainer.predict_batches": lambda w: (
        everything(w.trainer.predict_batches),
        {"x": IMAGES, "batch_size": 2, "precision": "float32", "on_error": "raise"},
    ),
    "Trainer.predict_proba": lambda w: (
        w.trainer.predict_proba, {"x": IMAGES, "batch_size": 2, "precision": "float32"}
    ),
    "Trainer.export": lambda w: (
        w.trainer.export,
        {"path": w.folder / "a.tflite", "format": "litert", "quantize": "float16", "images": IMAGES},
    ),
    "Trainer.save": lambda w: (w.trainer.save, {"path": w.folder / "no" / "a.keras"}),
    "Trainer.load": lambda w: (
        fc.Trainer.load, {"path": w.folder / "trainer.keras", "class_names": None, "custom_objects": None}
    ),
    "cross_validate": lambda w: (
        fc.cross_validate, {"model": Estimator(), **XY, "folds": 2, "groups": None, "seed": 0}
    ),
    "calibrate": lambda w: (fc.calibrate, {"trainer": w.convolutional, **XY}),
    "distance_aware": lambda w: (fc.distance_aware, {"trainer": w.convolutional, **XY}),
    "shift_robustness": lambda w: (fc.shift_robustness, {"trainer": w.trainer, **XY, "max_shift": 0}),
    "corruption_robustness": lambda w: (
        fc.corruption_robustness,
        {"trainer": w.trainer, **XY, "corruptions": ["fog"], "severities": [1], "seed": 0},
    ),
    "evaluation.corrupt": lambda w: (
        evaluation.corrupt, {"images": IMAGES, "corruption": "fog", "severity": 1, "seed": 0}
    ),
    "explain.feature_maps": lambda w: (
        explain.feature_maps, {"trainer": w.convolutional, "image": IMAGES[0], "layers": "conv"}
    ),
    "explain.kernels": lambda w: (explain.kernels, {"trainer": w.convolutional, "layers": ["conv"]}),
    "explain.grad_cam": lambda w: (
        explain.grad_cam,
        {"trainer": w.convolutional, "image": IMAGES[0], "class_name": "Bag", "layer": "conv",
         "average_gradients": True},
    ),
    "plot.class_distribution": lambda w: (
        plot.class_distribution, {"labels": LABELS, "class_names": ["a", "b"], "language": "en", "ax": DRAW.ax}
    ),
    "plot.comparison": lambda w: (plot.comparison, {"results": {"a": 0.5}, "ax": DRAW.ax}),
    "plot.confusion_matrix": lambda w: (
        plot.confusion_matrix,
        {"report": LABELS, "predictions": w.predictions, "normalize": None, "class_names": ["a", "b"],
         "language": "en", "ax": DRAW.ax},
    ),
    "plot.corruption_robustness": lambda w: (plot.corruption_robustness, {"result": CORRUPTED, "ax": DRAW.ax}),
    "plot.feature_maps": lambda w: (
        plot.feature_maps, {"maps": {"a": np.zeros((3, 3, 2))}, "limit": 1, "figure": DRAW.figure}
    ),
    "plot.grad_cam": lambda w: (
        plot.grad_cam,
        {"trainer": w.convolutional, "image": IMAGES[0], "class_name": "Bag", "layer": "conv",
         "average_gradients": True, "ax": DRAW.ax},
    ),
    "plot.history": lambda w: (
        plot.history, {"history": HISTORY, "metrics": "loss", "language": "en", "figure": DRAW.figure}
    ),
    "plot.images": lambda w: (
        plot.images,
        {"x": IMAGES, "labels": LABELS, "predictions": w.predictions, "class_names": ["a", "b"], "columns": 1,
         "limit": 1, "bars": False, "language": "en", "figure": DRAW.figure},
    ),
    "plot.mistakes": lambda w: (
        plot.mistakes, {"report": w.report, "x": IMAGES, "limit": 1, "language": "en", "figure": DRAW.figure}
    ),
    "plot.kernels": lambda w: (
        plot.kernels, {"kernels": {"a": np.zeros((3, 3, 1, 1))}, "limit": 1, "input_limit": 1, "figure": DRAW.figure}
    ),
    "plot.model_diagram": lambda w: (plot.model_diagram, {"model": w.fake, "ax": DRAW.ax}),
    "plot.preprocessing_steps": lambda w: (
        plot.preprocessing_steps, {"steps": None, "figure": DRAW.figure}
    ),
    "plot.reliability_diagram": lambda w: (plot.reliability_diagram, {"report": w.report, "ax": DRAW.ax}),
    "plot.shift_map": lambda w: (plot.shift_map, {"result": shifts(1), "ax": DRAW.ax}),
    "plot.shift_robustness": lambda w: (plot.shift_robustness, {"result": shifts(1), "ax": DRAW.ax}),
    "testing.fake_trainer": lambda w: (
        testing.fake_trainer,
        {"answers": "Bag", "class_names": fc.CLASS_NAMES, "image_shape": (28, 28, 1), "image_converter": None},
    ),
    "testing.FakeTrainer.class_names": lambda w: (setter(w.fake, "class_names"), {"value": fc.CLASS_NAMES}),
    "testing.FakeTrainer.predict": lambda w: (
        w.fake.predict, {"x": IMAGES, "batch_size": 2, "precision": "float32", "on_error": "raise"}
    ),
    "testing.FakeTrainer.predict_proba": lambda w: (
        w.fake.predict_proba, {"x": IMAGES, "batch_size": 2, "precision": "float32"}
    ),
    "testing.FakeTrainer.report": lambda w: (w.fake.report, {**XY, "batch_size": 2}),
    "sklearn.FashionClassifier.fit": lambda w: (
        w.classifier.fit, {"X": IMAGES, "y": LABELS, "sample_weight": None}
    ),
    "sklearn.FashionClassifier.predict": lambda w: (w.fitted_classifier.predict, {"X": IMAGES}),
    "sklearn.FashionClassifier.predict_proba": lambda w: (w.fitted_classifier.predict_proba, {"X": IMAGES}),
}  # fmt: skip
