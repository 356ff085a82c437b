"""Real use, type-checked by mypy --strict; never run."""

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import fashionclf as fc

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
pixels: NDArray[np.float32] = fc.prepare_images(x_test)

report: fc.EvaluationReport = trainer.report(dataset.test)
confused: list[fc.Confusion] = list(report.most_confused(3))
moved: fc.ShiftRobustness = fc.shift_robustness(trainer, dataset.test, max_shift=1)
temperature: float = fc.calibrate(trainer, x_val, y_val)
image: NDArray[np.uint8] = fc.load_image("boot.jpg")
steps: fc.PreprocessingSteps = fc.preprocessing_steps("boot.jpg")
from_files: fc.Predictions = trainer.predict(["boot.jpg", "trouser.jpg"])
maps: dict[str, NDArray[np.float32]] = fc.explain.feature_maps(trainer, x_test[0])
heat: NDArray[np.float32] = fc.explain.grad_cam(trainer, x_test[0], "Bag")
axes: Axes = fc.plot.confusion_matrix(report, normalize="true")
figure: Figure = fc.plot.images(dataset.test[:10], predictions=predictions[:10])
