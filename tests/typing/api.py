"""Real use, type-checked by mypy --strict; never run."""

import io
from pathlib import Path
from typing import Any, assert_type

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import fashionclf as fc
from fashionclf._types import PresetName
from fashionclf.sklearn import FashionClassifier

dataset: fc.Dataset = fc.load_data("synthetic")
(x_train, y_train), (x_test, y_test) = dataset
x_fit, x_val, y_fit, y_val = fc.train_validation_split(x_train, y_train, validation_size=0.2, seed=42)
names: tuple[str, ...] = fc.class_names("mnist", "ko")

recipe = fc.Recipe(optimizer="sgd", augmentation=fc.Augmentation(max_shift=1))
trainer = fc.Trainer(fc.cnn_model((16, 32), seed=0), class_names=names, recipe=recipe)
history: keras.callbacks.History = trainer.fit(x_fit, y_fit, validation_data=(x_val, y_val), early_stopping=2)
figures: dict[str, float] = trainer.evaluate(dataset.test)
predictions: fc.Predictions = trainer.predict(x_test)
prediction: fc.Prediction = predictions[0]
more: fc.Predictions = predictions[1:]
probabilities: NDArray[np.float32] = trainer.predict_proba(x_test)
name: str = prediction.class_name
best: list[tuple[str, float]] = prediction.top(2)
loaded: fc.Trainer = fc.Trainer.load("boots.keras")
scores: NDArray[np.float64] = fc.cross_validate("softmax", dataset.train, folds=3, seed=0)
estimator: FashionClassifier = FashionClassifier("cnn_fast", epochs=2, random_state=0).fit(x_train, y_train)
of_rows: NDArray[np.float32] = estimator.predict_proba(x_test)
pixels: NDArray[np.float32] = fc.prepare_images(x_test)

report: fc.EvaluationReport = trainer.report(dataset.test)
confused: list[fc.Confusion] = list(report.most_confused(3))
corrupted: fc.CorruptionRobustness = fc.corruption_robustness(trainer, dataset.test, severities=[3])
moved: fc.ShiftRobustness = fc.shift_robustness(trainer, dataset.test, max_shift=1)
temperature: float = fc.calibrate(trainer, x_val, y_val)
image: NDArray[np.uint8] = fc.load_image("boot.jpg")
steps: fc.PreprocessingSteps = fc.preprocessing_steps("boot.jpg")
from_files: fc.Predictions = trainer.predict(["boot.jpg", "trouser.jpg"])
maps: dict[str, NDArray[np.float32]] = fc.explain.feature_maps(trainer, x_test[0])
heat: NDArray[np.float32] = fc.explain.grad_cam(trainer, x_test[0], "Bag")
axes: Axes = fc.plot.confusion_matrix(report, normalize="true")
figure: Figure = fc.plot.images(dataset.test[:10], predictions=predictions[:10])

# what unpacking gives
images, labels = dataset.train
assert_type(images, NDArray[Any])
assert_type(dataset.train.images, NDArray[np.uint8] | NDArray[np.float32])
assert_type(trainer.predict(x_test), fc.Predictions)
assert_type(trainer.predict_proba(x_test), NDArray[np.float32])
assert_type(fc.list_presets()[0], PresetName)
assert_type(trainer.class_names, tuple[str, ...] | None)

# every form of images, labels and photographs
for form in (x_test, x_test / 255, list(x_test), [[0.0] * 784], [[[0] * 28] * 28]):
    pixels = fc.prepare_images(form)
one: fc.Predictions = trainer.predict(Image.open("boot.png"))
files: list[Path | io.BytesIO] = [Path("boot.png"), io.BytesIO(b"")]
several: fc.Predictions = trainer.predict(files)
of_a_split: fc.Predictions = trainer.predict(dataset.test)
trainer.evaluate(x_test, [3, 9])
trainer.evaluate(x_test, [[0.1, 0.9]])
folder: fc.Split = fc.load_folder("clothes", class_names={"Polo": "T-shirt/top"}, groups=str.lower, on_error="skip")
skipped: fc.Predictions = trainer.predict(Path("clothes").glob("*.jpg"), on_error="skip")
for part in trainer.predict_batches((x_test[:100] for _ in range(3)), batch_size=100):
    assert_type(part, fc.Predictions)
trainer.fit((x_fit, y_fit), validation_data=(x_val, y_val))
temperature = fc.calibrate(trainer, (x_val, y_val))


class Batches(keras.utils.PyDataset):
    num_batches = 3

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return x_fit[:100], y_fit[:100]


trainer.fit(Batches(workers=2), epochs=1)
trainer.evaluate(Batches())
trainer.predict(Batches())
frozen: fc.FrozenPredictor = trainer.compile_predictor()
again: fc.Predictions = frozen.predict("boot.jpg")
exported: fc.ExportReport = trainer.export("boots.onnx", "onnx", quantize="float16", images=dataset.test)
served: fc.FrozenPredictor = fc.load_exported(exported.path, num_threads=1)
assert_type(served.predict_proba(x_test), NDArray[np.float32])
quick: fc.Predictions = trainer.predict(x_test, precision="bfloat16")
new: fc.Trainer = fc.Trainer.from_preset("cnn_robust", pretrained="features", class_names=["Hat", "Skirt"])
for preset_name in fc.list_presets():
    fc.Trainer.from_preset(preset_name)

# tests of a project
double: fc.testing.FakeTrainer = fc.testing.fake_trainer(["Dress", {"Coat": 0.6, "Shirt": 0.4}])
for answers in ("Dress", {"Coat": 0.6}):
    double = fc.testing.fake_trainer(answers, class_names=names)
double = fc.testing.fake_trainer(lambda image: "Bag" if image.mean() > 0.5 else "Dress")
stand_in: fc.Trainer = double
assert_type(double.class_names, tuple[str, ...])
ready: fc.Trainer = fc.testing.ready_trainer()
tiny: fc.Dataset = fc.testing.tiny_dataset()
