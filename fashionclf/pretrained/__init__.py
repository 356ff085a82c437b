"""Weights that this project trained itself, shipped inside the package and verified when they are read.

`weights.json` beside this file says what there is; each file of weights has a model card in `docs/model_cards/`.
"""

import functools
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from fashionclf._types import FloatArray

_INDEX: Final = "weights.json"
_REPAIR: Final = "Install it again: `pip install --force-reinstall --no-deps fashionclf`."


@dataclass(frozen=True, kw_only=True)
class PretrainedWeights:
    """The metadata of one file of weights.

    Attributes:
        preset: The preset that the weights are for.
        file: Its name in `fashionclf/pretrained/`.
        sha256: Of its content, in hexadecimal.
        flip_averaged: Whether the classifier uses test-time augmentation: the mean over an image and the flipped image
            (`flip_averaged`).
        trained_on: The training images, in words.
        seed: Of the training run.
        temperature: Of temperature scaling: the last layer was divided by it to calibrate the probabilities; above 1
            if they were too high.
        unfamiliarity_threshold: The `Predictions.unfamiliarity` that 95 % of photographs of the ten classes, by people
            whose photographs were not trained on, stay below; None for weights that did not learn from photographs.
        metrics: `"accuracy"`, `"log_loss"` and `"expected_calibration_error"`, measured on the 10,000 test images of
            Fashion-MNIST, or on photographs by people not trained on.
        card: The model card, a file in the project's `docs/`.

    Example:
        >>> import fashionclf as fc
        >>> weights = fc.get_preset("cnn_accurate").pretrained
        >>> weights.flip_averaged, weights.card
        (True, 'docs/model_cards/cnn_accurate.md')
        >>> weights.read()["conv_1/kernel"].shape
        (3, 3, 1, 32)
    """

    preset: str
    file: str
    sha256: str
    flip_averaged: bool
    trained_on: str
    seed: int
    temperature: float
    unfamiliarity_threshold: float | None
    metrics: Mapping[str, float] = field(hash=False)
    card: str

    def __reduce__(self) -> tuple[Any, ...]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return _entry, (values.pop("preset"), {**values, "metrics": dict(self.metrics)})

    def read(self) -> dict[str, FloatArray]:
        """Read the weights and verify them.

        Returns:
            A float32 array for every variable of the preset's model, by layer and name such as `"conv_1/kernel"`.

        Raises:
            ValueError: If the file is damaged.
            FileNotFoundError: If it is missing.
        """
        try:
            content = (resources.files(__name__) / self.file).read_bytes()
        except OSError as error:
            raise FileNotFoundError(f"fashionclf lacks its file of weights {self.file!r}. {_REPAIR}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ValueError(
                f"The weights {self.file!r} of fashionclf are damaged: their sha256 is {found}, expected "
                f"{self.sha256}. {_REPAIR}"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name].astype(np.float32) for name in archive.files}


@functools.cache
def pretrained_weights() -> Mapping[str, PretrainedWeights]:
    """Return what weights there are, by the name of their preset."""
    entries = json.loads((resources.files(__name__) / _INDEX).read_text(encoding="utf-8"))
    return MappingProxyType({name: _entry(name, values) for name, values in entries.items()})


def _entry(name: str, values: Mapping[str, Any]) -> PretrainedWeights:
    return PretrainedWeights(preset=name, **{**values, "metrics": MappingProxyType(values["metrics"])})
