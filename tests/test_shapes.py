"""Every public function that takes images or a Trainer, for images of several shapes.

A row of `CHECKS` gives what a function returned, or the shape of it, and what it should be.
"""

import functools
import math

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
from conftest import HAS_GRAPHVIZ
from matplotlib.figure import Figure
from PIL import Image
from samples.public_calls import CALLS, Estimator

import fashionclf as fc
from fashionclf import evaluation, explain, plot, testing
from fashionclf.sklearn import FashionClassifier

SHAPES = [
    *((32, 32, 3), (8, 8, 1)),
    *(pytest.param(shape, marks=pytest.mark.slow) for shape in ((28, 28, 1), (64, 48, 1), (96, 96, 3))),
]
COUNT = 12
CHANGES = {"max_shift": 7, "erasing": 1.0, "noise": 0.1, "rotation": 30, "zoom": 0.3, "shear": 0.3, "contrast": 0.8,
           "brightness": 0.3, "blur": 2.0}  # fmt: skip


class World:
    """A Trainer for images of one shape, with such images."""

    def __init__(self, shape, folder):
        self.shape, self.size, self.folder = shape, shape[:2], folder
        pixels = np.random.default_rng(0).integers(0, 200, (COUNT, *shape), dtype=np.uint8)
        self.images = pixels[..., 0] if shape[2] == 1 else pixels
        self.labels = np.arange(COUNT) % 2
        self.xy = self.images, self.labels
        self.split = fc.Split(*self.xy, class_names=["Shirt", "Bag"])
        self.trainer = self.new_trainer()
        self.frozen = self.trainer.compile_predictor()
        self.answers = self.trainer.predict(self.images)
        self.fake = testing.fake_trainer("Bag", class_names=["Shirt", "Bag"], image_shape=shape)
        build = functools.partial(fc.cnn_model, (2,), units=())
        self.classifier = FashionClassifier(build, epochs=1, random_state=0).fit(*self.xy)
        self.photograph = np.full((90, 120, 3), 250, np.uint8)
        self.photograph[20:70, 40:90] = 40, 90, 160
        for name in ("Bag", "Shirt"):
            (folder / "photographs" / name).mkdir(parents=True)
            Image.fromarray(self.photograph).save(folder / "photographs" / name / "1.png")

    def new_trainer(self):
        network = fc.cnn_model((2,), units=(), image_shape=self.shape, num_classes=2, seed=0)
        return fc.Trainer(network, class_names=["Shirt", "Bag"])

    @functools.cached_property
    def exported(self):
        """The Trainer exported in each format and read back."""
        files = {"litert": "a.tflite", "onnx": "a.onnx", "saved_model": "a"}
        return [fc.load_exported(self.trainer.export(self.folder / file, kind).path) for kind, file in files.items()]

    def steps(self):
        return fc.preprocessing_steps(self.photograph, image_shape=self.shape)

    def loaded(self):
        self.trainer.save(self.folder / "a.keras")
        return fc.Trainer.load(self.folder / "a.keras")


@pytest.fixture(scope="module", params=SHAPES, ids=str)
def world(request, tmp_path_factory):
    return World(request.param, tmp_path_factory.mktemp("shapes"))


def drawn(place):
    """Return how many images each axes shows, of a figure or axes that can be drawn."""
    figure = place if isinstance(place, Figure) else place.figure
    figure.canvas.draw()
    return [len(ax.images) for ax in figure.axes]


def axes():
    return Figure(layout="constrained").add_subplot()


CHECKS = {
    "prepare_images": lambda w: (fc.prepare_images(w.images).shape, (COUNT, *w.shape)),
    "scale": lambda w: (fc.scale(w.images), w.images / np.float32(255)),
    "flatten": lambda w: (fc.flatten(w.images), w.images.reshape(COUNT, -1)),
    "train_validation_split": lambda w: (
        fc.train_validation_split(*w.xy, validation_size=0.5, seed=0)[0].shape, (COUNT // 2, *w.images.shape[1:])
    ),
    "Augmentation.__call__": lambda w: (fc.Augmentation(**CHANGES)(w.images, seed=0).shape, (COUNT, *w.shape)),
    "Split": lambda w: (fc.Split(w.images.reshape(COUNT, -1), w.labels, image_shape=w.shape).images, w.images),
    "Split.train_validation_split": lambda w: (
        w.split.train_validation_split(validation_size=0.5, seed=0)[1].image_shape, w.shape
    ),
    "Split.__getitem__": lambda w: (w.split[:3].image_shape, w.shape),
    "Dataset": lambda w: (fc.Dataset("own", train=w.split, test=w.split).train.image_shape, w.shape),
    "dense_model": lambda w: (fc.dense_model((3,), flatten="after", image_shape=w.shape).input_shape[1:], w.shape),
    "cnn_model": lambda w: (
        fc.cnn_model([1] * (min(w.size).bit_length() - 1), image_shape=w.shape).input_shape[1:], w.shape
    ),
    "flip_averaged": lambda w: (
        fc.Trainer(fc.flip_averaged(w.trainer.model)).predict_proba(w.images),
        (w.answers.probabilities + w.trainer.predict_proba(w.images[:, :, ::-1])) / 2,
    ),
    "load_image": lambda w: (fc.load_image(w.photograph, image_shape=w.shape).shape, w.images.shape[1:]),
    "preprocessing_steps": lambda w: (w.steps().image.shape, w.images.shape[1:]),
    "load_folder": lambda w: (fc.load_folder(w.folder / "photographs", image_shape=w.shape).image_shape, w.shape),
    "Trainer": lambda w: (w.trainer.image_shape, w.shape),
    "Trainer.fit": lambda w: (len(w.new_trainer().fit(w.split, epochs=1, augment=True, verbose=0).epoch), 1),
    "Trainer.evaluate": lambda w: (
        w.trainer.evaluate(*w.xy)["accuracy"], (w.answers.labels == w.labels).mean()
    ),
    "Trainer.report": lambda w: (w.trainer.report(w.split).accuracy, (w.answers.labels == w.labels).mean()),
    "Trainer.predict": lambda w: (
        w.trainer.predict([w.images[0], w.photograph]).probabilities[0], w.answers.probabilities[0]
    ),
    "Trainer.predict_batches": lambda w: (
        [row for part in w.trainer.predict_batches(w.images, batch_size=5) for row in part.probabilities],
        w.answers.probabilities,
    ),
    "Trainer.predict_proba": lambda w: (
        w.trainer.predict_proba(w.images.reshape(COUNT, -1)), w.answers.probabilities
    ),
    "Trainer.compile_predictor": lambda w: (w.frozen.image_converter.image_shape, w.shape),
    "Trainer.export": lambda w: (
        [each.predict_proba(w.images) for each in w.exported], [w.answers.probabilities] * 3
    ),
    "load_exported": lambda w: ([each.image_converter.image_shape for each in w.exported], [w.shape] * 3),
    "Trainer.save": lambda w: (w.loaded().image_shape, w.shape),
    "Trainer.load": lambda w: (w.loaded().predict_proba(w.images), w.answers.probabilities),
    "FrozenPredictor.predict": lambda w: (
        w.frozen.predict([w.images[0], w.photograph]).probabilities[0], w.answers.probabilities[0]
    ),
    "FrozenPredictor.predict_proba": lambda w: (w.frozen.predict_proba(w.images), w.answers.probabilities),
    "cross_validate": lambda w: (fc.cross_validate(Estimator(), *w.xy, folds=2).shape, (2,)),
    "distance_aware": lambda w: (fc.distance_aware(w.trainer, *w.xy).predict(w.images).labels, w.answers.labels),
    "calibrate": lambda w: (0.1 < fc.calibrate(w.new_trainer(), *w.xy) < 10, True),
    "shift_robustness": lambda w: (
        fc.shift_robustness(w.trainer, *w.xy, max_shift=1).unshifted, (w.answers.labels == w.labels).mean()
    ),
    "corruption_robustness": lambda w: (
        fc.corruption_robustness(w.trainer, *w.xy, severities=[5]).uncorrupted, (w.answers.labels == w.labels).mean()
    ),
    "evaluation.corrupt": lambda w: (
        {evaluation.corrupt(w.images, name, level).shape for name in evaluation.CORRUPTIONS for level in (1, 5)},
        {(COUNT, *w.shape)},
    ),
    "explain.feature_maps": lambda w: (
        explain.feature_maps(w.trainer, w.images[0])["conv_1"].shape, (*w.size, 2)
    ),
    "explain.kernels": lambda w: (explain.kernels(w.trainer)["conv_1"].shape, (3, 3, w.shape[2], 2)),
    "explain.grad_cam": lambda w: (explain.grad_cam(w.trainer, w.images[0], "Bag").shape, w.size),
    "plot.feature_maps": lambda w: (
        drawn(plot.feature_maps(explain.feature_maps(w.trainer, w.images[0]), figure=Figure())), [1, 0]
    ),
    "plot.grad_cam": lambda w: (
        drawn(plot.grad_cam(w.trainer, w.images[0], ax=axes())), [2]
    ),
    "plot.images": lambda w: (
        drawn(plot.images(w.split, predictions=w.answers, bars=True, limit=2, figure=Figure())), [1, 0, 1, 0]
    ),
    "plot.kernels": lambda w: (drawn(plot.kernels(explain.kernels(w.trainer), figure=Figure())), [1, 0]),
    "plot.mistakes": lambda w: (
        drawn(plot.mistakes(w.trainer.report(*w.xy), w.images, limit=2, figure=Figure())), [1, 1]
    ),
    "plot.preprocessing_steps": lambda w: (set(drawn(plot.preprocessing_steps(w.steps(), figure=Figure()))), {1}),
    "testing.fake_trainer": lambda w: (w.fake.image_shape, w.shape),
    "testing.FakeTrainer.predict": lambda w: (w.fake.predict([w.images[0], w.photograph]).labels, [1, 1]),
    "testing.FakeTrainer.predict_proba": lambda w: (w.fake.predict_proba(w.images), [[0, 1]] * COUNT),
    "testing.FakeTrainer.report": lambda w: (w.fake.report(w.split).accuracy, 0.5),
    "sklearn.FashionClassifier.fit": lambda w: (w.classifier.n_features_in_, math.prod(w.shape)),
    "sklearn.FashionClassifier.predict": lambda w: (
        w.classifier.predict(w.images), w.classifier.trainer_.predict(w.images).labels
    ),
    "sklearn.FashionClassifier.predict_proba": lambda w: (
        w.classifier.predict_proba(w.images.reshape(COUNT, -1)), w.classifier.trainer_.predict_proba(w.images)
    ),
}  # fmt: skip
if HAS_GRAPHVIZ:
    CHECKS["plot.model_diagram"] = lambda w: (drawn(plot.model_diagram(w.trainer, ax=axes())), [1])

# Public names that take neither images nor a Trainer; presets are for 28x28 grey images.
NO_IMAGES = {
    *("one_hot", "class_names", "load_data", "evaluate_predictions", "Augmentation", "Recipe", "Recipe.from_dict"),
    *("get_preset", "list_presets", "Preset.build", "Trainer.from_preset"),
    *("Trainer.recipe", "Trainer.class_names", "Trainer.unfamiliarity_threshold"),
    *("Predictions", "Predictions.__getitem__", "Predictions.grouped", "Predictions.top", "Prediction.top"),
    "CorruptionRobustness.at",
    *(
        "EvaluationReport.top_k_accuracy",
        "EvaluationReport.most_confused",
        "EvaluationReport.mistakes",
        "EvaluationReport.describe",
    ),
    *("plot.class_distribution", "plot.comparison", "plot.confusion_matrix", "plot.corruption_robustness"),
    *("plot.history", "plot.reliability_diagram", "plot.shift_map", "plot.shift_robustness"),
    "testing.FakeTrainer.class_names",
}


@pytest.mark.filterwarnings("ignore::fashionclf.DoubtfulImageWarning")
@pytest.mark.parametrize("name", CHECKS)
def test_images_of_this_shape(world, name):
    actual, expected = CHECKS[name](world)
    if isinstance(expected, set):
        assert actual == expected
    else:
        np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_every_public_name_is_tried():
    assert {*CHECKS, *NO_IMAGES, "plot.model_diagram"} == {*CALLS, "Trainer.compile_predictor"}  # which takes nothing
