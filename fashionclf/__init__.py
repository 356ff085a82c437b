"""Fashion-MNIST classifiers: load the images, build a model, fit it, read class names with probabilities.

    import fashionclf as fc

    dataset = fc.load_data()
    trainer = fc.Trainer.from_preset("cnn_dropout", seed=0)
    trainer.fit(dataset.train, seed=0)
    print(trainer.predict(dataset.test.images[:1])[0])

An argument of the wrong type is a `TypeError`. Messages say what was received, what was expected and how to fix it.

Importing the package costs next to nothing: numpy and TensorFlow are loaded when a name that needs them is
first used.

PYTEST_DONT_REWRITE: the package has a pytest plugin but no assertions. Without this word, pytest warns if it is started
after the package was imported, as in a notebook.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from fashionclf._version import __version__ as __version__

if TYPE_CHECKING:
    from fashionclf import explain as explain, plot as plot, sklearn as sklearn, testing as testing
    from fashionclf.augmentation import Augmentation as Augmentation
    from fashionclf.datasets import Dataset as Dataset, Split as Split, load_data as load_data
    from fashionclf.evaluation import (
        CorruptionRobustness as CorruptionRobustness,
        ShiftRobustness as ShiftRobustness,
        calibrate as calibrate,
        corruption_robustness as corruption_robustness,
        cross_validate as cross_validate,
        distance_aware as distance_aware,
        shift_robustness as shift_robustness,
    )
    from fashionclf.labels import CLASS_NAMES as CLASS_NAMES, class_names as class_names
    from fashionclf.models import cnn_model as cnn_model, dense_model as dense_model, flip_averaged as flip_averaged
    from fashionclf.photographs import (
        DoubtfulImageWarning as DoubtfulImageWarning,
        PreprocessingSteps as PreprocessingSteps,
        UnreadableImageWarning as UnreadableImageWarning,
        load_folder as load_folder,
        load_image as load_image,
        preprocessing_steps as preprocessing_steps,
    )
    from fashionclf.predictions import Prediction as Prediction, Predictions as Predictions
    from fashionclf.preprocessing import (
        flatten as flatten,
        one_hot as one_hot,
        prepare_images as prepare_images,
        scale as scale,
        train_validation_split as train_validation_split,
    )
    from fashionclf.presets import Preset as Preset, get_preset as get_preset, list_presets as list_presets
    from fashionclf.pretrained import PretrainedWeights as PretrainedWeights
    from fashionclf.recipe import Recipe as Recipe
    from fashionclf.report import (
        CalibrationBin as CalibrationBin,
        Confusion as Confusion,
        EvaluationReport as EvaluationReport,
        evaluate_predictions as evaluate_predictions,
    )
    from fashionclf.serving import (
        ExportReport as ExportReport,
        FrozenPredictor as FrozenPredictor,
        load_exported as load_exported,
    )
    from fashionclf.trainer import Trainer as Trainer

# The imports above, for the running program: public names by the module that defines them.
_DEFINED_IN: Final = {
    "augmentation": "Augmentation",
    "datasets": "Dataset Split load_data",
    "evaluation": "CorruptionRobustness ShiftRobustness calibrate corruption_robustness cross_validate "
    "distance_aware shift_robustness",
    "labels": "CLASS_NAMES class_names",
    "models": "cnn_model dense_model flip_averaged",
    "photographs": "DoubtfulImageWarning PreprocessingSteps UnreadableImageWarning load_folder load_image "
    "preprocessing_steps",
    "predictions": "Prediction Predictions",
    "preprocessing": "flatten one_hot prepare_images scale train_validation_split",
    "presets": "Preset get_preset list_presets",
    "pretrained": "PretrainedWeights",
    "recipe": "Recipe",
    "report": "CalibrationBin Confusion EvaluationReport evaluate_predictions",
    "serving": "ExportReport FrozenPredictor load_exported",
    "trainer": "Trainer",
}
_HOMES: Final = {name: module for module, names in _DEFINED_IN.items() for name in names.split()}
_PUBLIC_MODULES: Final = ("explain", "plot", "testing", "sklearn")  # whose names are used with the module's before them
_MODULES: Final = frozenset((*_HOMES.values(), *_PUBLIC_MODULES))

# Without `sklearn`: `from fashionclf import *` must not take the place of `import sklearn`.
__all__ = sorted({*_HOMES, *_PUBLIC_MODULES, "__version__"} - {"sklearn"})  # pyright: ignore[reportUnsupportedDunderAll]


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
