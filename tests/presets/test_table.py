import dataclasses
import typing

import pytest

import fashionclf as fc
from fashionclf import augmentation, labels, recipe
from fashionclf._types import DatasetName, FillMode, Precision, PresetName, Schedule
from fashionclf.datasets import _sources
from fashionclf.presets import OPTIMIZERS

SYSTEMS = {
    "softmax": 7_850, "dense_100": 79_510, "dense_200": 159_010, "dense_200_100": 178_110, "dense_256_64": 218_058,
    "dense_rowwise": 29_898, "cnn_small": 402_442, "cnn_dropout": 333_526,
}  # fmt: skip


def test_every_system_of_the_documents_is_a_preset():
    assert set(SYSTEMS) <= set(fc.list_presets())


@pytest.mark.parametrize("name", fc.list_presets())
def test_presets_are_what_their_table_says(name):
    preset = fc.get_preset(name)
    trainer = fc.Trainer.from_preset(name, seed=0)
    assert trainer.model.count_params() == preset.parameters == SYSTEMS.get(name, preset.parameters)
    assert trainer.model.name == preset.name == name
    assert trainer.recipe == preset.recipe
    assert trainer.class_names == fc.class_names(preset.dataset)
    assert trainer.image_shape == preset.image_shape


@pytest.mark.parametrize("name", fc.list_presets())
def test_every_preset_is_built_for_any_number_of_classes(name):
    preset = fc.get_preset(name)
    assert preset.build(0, num_classes=3).output_shape == (None, 3)
    assert preset.build().output_shape == (None, len(fc.class_names(preset.dataset)))


def test_raw_pixels_for_the_rowwise_system():
    layer = fc.Trainer.from_preset("dense_rowwise").model.layers[0]
    assert layer.get_config()["scale"] == 255


def test_recipe_survives_json():
    recipe = fc.Recipe(augmentation=fc.Augmentation(erasing=0.5), learning_rate=0.1, early_stopping=0)
    assert fc.Recipe.from_dict(recipe.to_dict()) == recipe


def test_recipe_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        fc.Recipe().epochs = 3


def test_optimizers_of_the_documents_are_known():
    assert {"sgd", "adam", "adagrad", "nadam", "rmsprop", "adadelta", "adamax", "ftrl"} <= set(OPTIMIZERS)


def test_types_name_the_same_presets_and_data_sets():
    assert list(typing.get_args(PresetName)) == fc.list_presets()
    assert set(typing.get_args(DatasetName)) == set(labels._NAMES) - {"clothing"} == set(_sources.ABOUT)
    assert set(_sources.SOURCES) < set(_sources.ABOUT)
    assert typing.get_args(Schedule) == recipe.SCHEDULES
    assert typing.get_args(Precision) == recipe.PRECISIONS
    assert typing.get_args(FillMode) == augmentation.FILL_MODES
