"""Class names: given, learnt, matched, changed."""

import copy

import keras
import numpy as np
import pytest
from samples.trainer import QUIET

import fashionclf as fc


@pytest.fixture
def named(garments):
    return fc.Split(*garments, class_names=fc.CLASS_NAMES)


@pytest.fixture
def sorted_split(garments):
    names = sorted(fc.CLASS_NAMES)
    labels = np.array([names.index(name) for name in fc.CLASS_NAMES])[garments[1]]
    return fc.Split(garments[0], labels, class_names=names)


def test_labels_are_matched_by_name(fitted, named, sorted_split):
    assert fitted.evaluate(sorted_split) == fitted.evaluate(named)
    assert fitted.report(sorted_split).accuracy == fitted.report(named).accuracy
    few = fc.Split(named.images[named.labels == 8], np.zeros((named.labels == 8).sum(), int), class_names=["Bag"])
    assert fitted.evaluate(few) == fitted.evaluate(named[named.labels == 8])
    korean = fc.Split(*named, class_names=fc.class_names("fashion_mnist", "ko"))
    assert fitted.evaluate(korean) == fitted.evaluate(named)
    assert fc.shift_robustness(fitted, sorted_split, max_shift=0).mean == fitted.report(named).accuracy


def test_other_classes_are_refused_by_name(fitted, garments):
    digits = fc.Split(*garments, class_names=fc.class_names("mnist"))
    for function in (fitted.evaluate, fitted.report):
        with pytest.raises(ValueError, match=r"'7'.*'Ankle boot'"):
            function(digits)
    with pytest.raises(ValueError, match=r"validation_data.*'7'"):
        fc.Trainer.from_preset("softmax").fit(
            fc.Split(*garments, class_names=fc.CLASS_NAMES), validation_data=digits, **QUIET
        )


def test_fitting_matches_too(named, sorted_split, small_trainer):
    one = small_trainer(class_names=fc.CLASS_NAMES, optimizer=keras.optimizers.SGD(0.1))  # which has no state
    untrained, weights = one.model.get_weights(), []
    for split in (named, sorted_split):
        one.model.set_weights(untrained)
        one.fit(split, **QUIET)
        weights.append(one.model.get_weights()[0])
    np.testing.assert_array_equal(*weights)
    assert one.class_names == fc.CLASS_NAMES
    fresh = small_trainer()
    fresh.fit(sorted_split, **QUIET)
    assert fresh.class_names == sorted_split.class_names
    fresh.fit(named, **QUIET)  # has learnt the other order
    assert fresh.class_names == sorted_split.class_names


def test_names_that_were_assumed_are_matched_too(named, sorted_split, small_trainer):
    trainer = small_trainer()
    trainer.fit(*named, **QUIET)  # arrays, which tell no names: Fashion-MNIST's are assumed
    expected = trainer.evaluate(*named)
    assert trainer.evaluate(sorted_split) == expected
    again = copy.deepcopy(trainer)
    again.class_names = list("abcdefghij")
    assert again.evaluate(named) == expected
    trainer.fit(sorted_split, **QUIET)
    assert trainer.class_names == fc.CLASS_NAMES


def test_names_of_ones_own_rename_a_splits(named, small_trainer, tmp_path):
    trainer = small_trainer(class_names=list("abcdefghij"))
    trainer.fit(named, **QUIET)
    trainer.save(tmp_path / "a.keras")
    for each in (trainer, fc.Trainer.load(tmp_path / "a.keras")):
        assert each.class_names == tuple("abcdefghij")
        assert each.evaluate(named) == each.evaluate(*named)
    confused = fc.Split(*named, class_names=["b", *"acdefghi", "other"])
    with pytest.raises(ValueError, match="'other'"):
        trainer.evaluate(confused)


def test_they_can_be_set(garments, tmp_path):
    images, labels = garments[0][:60], garments[1][:60] % 3
    trainer = fc.Trainer(fc.dense_model((), num_classes=3, seed=0))
    trainer.fit(images, labels, **QUIET)
    trainer.save(tmp_path / "a.keras")
    loaded = fc.Trainer.load(tmp_path / "a.keras")
    with pytest.raises(ValueError, match=r"trainer\.class_names.*load"):
        loaded.predict(images)
    loaded.class_names = ["x", "y", "z"]
    assert loaded.predict(images).class_names == ("x", "y", "z")
    assert fc.Trainer.load(tmp_path / "a.keras", class_names=["x", "y", "z"]).predict(images) == loaded.predict(images)
    with pytest.raises(ValueError, match="2 names"):
        loaded.class_names = ["x", "y"]
