"""The model of a preset: untrained, with its pretrained weights, or with those of all layers but the last."""

from typing import Any

import keras

from fashionclf._types import ClassNames
from fashionclf._validation import check_flag
from fashionclf.labels import LabelNames, check_class_names, class_names as class_names_of
from fashionclf.models import flip_averaged
from fashionclf.models._graph import named_variables
from fashionclf.presets import Preset, list_presets


def preset_model(
    preset: Preset, pretrained: Any, class_names: ClassNames | None, seed: int | None
) -> tuple[keras.Model, LabelNames]:
    """Return the model of a preset, and what its labels are called.

    Args:
        preset: Which.
        pretrained: Whether to load its weights, or `"features"` for those of all layers but the last.
        class_names: As `Trainer.from_preset`.
        seed: Of the initial weights.

    Raises:
        ValueError: As `Trainer.from_preset`.
        TypeError: As `Trainer.from_preset`.
    """
    features = isinstance(pretrained, str) and pretrained == "features"
    whole = not features and check_flag(pretrained, "pretrained", or_else='"features"')
    theirs = class_names_of(preset.dataset)
    given = None if class_names is None else check_class_names(class_names)
    names = given or theirs
    if features and class_names is None:
        raise ValueError('`pretrained="features"` gives a new last layer, for classes of your own: pass `class_names`.')
    if len(names) < 2:
        raise ValueError(f"`class_names` has {len(names)} names, expected at least 2.")
    if whole and len(names) != len(theirs):
        raise ValueError(
            f"The pretrained weights of {preset.name!r} have {len(theirs)} classes, but `class_names` has {len(names)} "
            'names. To train them on classes of your own, pass `pretrained="features"`.'
        )
    model = preset.build(seed, num_classes=len(names))
    if whole or features:
        model = with_weights(model, preset, last_layer=whole)
    return model, LabelNames(given, learnt=theirs if whole else None, default=None if given else theirs)


def with_weights(model: keras.Model, preset: Preset, *, last_layer: bool) -> keras.Model:
    """Return a preset's model with its pretrained weights, with test-time augmentation where they use it.

    Without the `last_layer` those of all others are loaded.
    """
    weights = preset.pretrained
    if weights is None:
        raise ValueError(
            f"Preset {preset.name!r} has no pretrained weights. Train it, or use one of "
            f"{', '.join(list_presets(pretrained=True))}."
        )
    arrays = weights.read()
    kept = [] if last_layer else [id(variable) for variable in model.layers[-1].weights]
    for name, variable in named_variables(model).items():
        if id(variable) not in kept:
            variable.assign(arrays[name])
    return flip_averaged(model) if weights.flip_averaged else model
