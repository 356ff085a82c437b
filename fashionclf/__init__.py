"""Fashion-MNIST classifiers: load the images, build a model, fit it, read class names with probabilities.

    import fashionclf as fc

    dataset = fc.load_data()
    trainer = fc.Trainer.from_preset("cnn_dropout", seed=0)
    trainer.fit(dataset.train, seed=0)
    print(trainer.predict(dataset.test.images[:1])[0])

Importing the package costs next to nothing: numpy and TensorFlow are loaded when a name that needs them is
first used.

PYTEST_DONT_REWRITE: the package has a pytest plugin but no assertions. Without this word, pytest warns if it is started
after the package was imported, as in a notebook.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from fashionclf._version import __version__

if TYPE_CHECKING:
    from fashionclf import explain, plot, testing
    from fashionclf import sklearn as sklearn
    from fashionclf.augmentation import Augmentation
    from fashionclf.datasets import Dataset, Split, load_data
    from fashionclf.evaluation import (
        CorruptionRobustness,
        ShiftRobustness,
        calibrate,
        corruption_robustness,
        cross_validate,
        shift_robustness,
    )
    from fashionclf.labels import CLASS_NAMES, class_names
    from fashionclf.models import cnn_model, dense_model, flip_averaged
    from fashionclf.photographs import (
        DoubtfulImageWarning,
        PreprocessingSteps,
        UnreadableImageWarning,
        load_folder,
        load_image,
        preprocessing_steps,
    )
    from fashionclf.predictions import Prediction, Predictions
    from fashionclf.preprocessing import (
        add_channel_axis,
        flatten,
        one_hot,
        prepare_images,
        scale,
        train_validation_split,
    )
    from fashionclf.presets import Preset, get_preset, list_presets
    from fashionclf.pretrained import PretrainedWeights
    from fashionclf.recipe import Recipe
    from fashionclf.report import CalibrationBin, Confusion, EvaluationReport, evaluate_predictions
    from fashionclf.serving import ExportReport, FrozenPredictor, load_exported
    from fashionclf.trainer import Trainer

# Without `sklearn`: `from fashionclf import *` must not take the place of `import sklearn`.
__all__ = [
    "CLASS_NAMES",
    "Augmentation",
    "CalibrationBin",
    "Confusion",
    "CorruptionRobustness",
    "Dataset",
    "DoubtfulImageWarning",
    "EvaluationReport",
    "ExportReport",
    "FrozenPredictor",
    "Prediction",
    "Predictions",
    "PreprocessingSteps",
    "Preset",
    "PretrainedWeights",
    "Recipe",
    "ShiftRobustness",
    "Split",
    "Trainer",
    "UnreadableImageWarning",
    "__version__",
    "add_channel_axis",
    "calibrate",
    "class_names",
    "cnn_model",
    "corruption_robustness",
    "cross_validate",
    "dense_model",
    "evaluate_predictions",
    "explain",
    "flatten",
    "flip_averaged",
    "get_preset",
    "list_presets",
    "load_data",
    "load_exported",
    "load_folder",
    "load_image",
    "one_hot",
    "plot",
    "prepare_images",
    "preprocessing_steps",
    "scale",
    "shift_robustness",
    "testing",
    "train_validation_split",
]

# The imports above, for the running program: each name by the module that defines it.
_HOMES: Final = {
    "CLASS_NAMES": "labels",
    "Augmentation": "augmentation",
    "CalibrationBin": "report",
    "Confusion": "report",
    "CorruptionRobustness": "evaluation",
    "Dataset": "datasets",
    "DoubtfulImageWarning": "photographs",
    "EvaluationReport": "report",
    "ExportReport": "serving",
    "FrozenPredictor": "serving",
    "Prediction": "predictions",
    "Predictions": "predictions",
    "PreprocessingSteps": "photographs",
    "Preset": "presets",
    "PretrainedWeights": "pretrained",
    "Recipe": "recipe",
    "ShiftRobustness": "evaluation",
    "Split": "datasets",
    "Trainer": "trainer",
    "UnreadableImageWarning": "photographs",
    "add_channel_axis": "preprocessing",
    "calibrate": "evaluation",
    "class_names": "labels",
    "cnn_model": "models",
    "corruption_robustness": "evaluation",
    "cross_validate": "evaluation",
    "dense_model": "models",
    "evaluate_predictions": "report",
    "flatten": "preprocessing",
    "flip_averaged": "models",
    "get_preset": "presets",
    "list_presets": "presets",
    "load_data": "datasets",
    "load_exported": "serving",
    "load_folder": "photographs",
    "load_image": "photographs",
    "one_hot": "preprocessing",
    "prepare_images": "preprocessing",
    "preprocessing_steps": "photographs",
    "scale": "preprocessing",
    "shift_robustness": "evaluation",
    "train_validation_split": "preprocessing",
}
_PUBLIC_MODULES: Final = ("explain", "plot", "testing", "sklearn")  # whose names are used with the module's before them
_MODULES: Final = frozenset((*_HOMES.values(), *_PUBLIC_MODULES))


def __getattr__(name: str) -> Any:
    """Load a public name, or a module such as `fashionclf.datasets`, at its first use (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES} - {"sklearn"})  # which is imported by name: it needs scikit-learn
