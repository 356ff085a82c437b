"""Who compiled a model, and with what."""

import warnings

import keras
import numpy as np
import pytest
from samples.trainer import QUIET

import fashionclf as fc


def test_a_second_trainer_trains_what_a_one_cycle_fit_left(garments):
    first = fc.Trainer(fc.dense_model((), seed=0), recipe=fc.Recipe(schedule="one_cycle", learning_rate=0.01))
    first.fit(*garments, **QUIET)
    before = first.model.get_weights()[0]
    second = fc.Trainer(first.model, optimizer="sgd")
    second.fit(*garments, **QUIET)
    assert np.abs(second.model.get_weights()[0] - before).max() > 1e-4
    first.fit(*garments, **QUIET)  # compiles anew what the second left
    assert isinstance(first.model.optimizer, keras.optimizers.Adam)


def test_evaluating_does_not_compile(garments):
    images, labels = garments[0][:100], garments[1][:100]
    trainer = fc.Trainer.from_preset("cnn_fast", pretrained=True)
    figures = trainer.evaluate(images, labels)
    assert not trainer.model.compiled
    fc.Trainer(trainer.model, optimizer="sgd")
    trainer.model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    expected = trainer.model.evaluate(fc.prepare_images(images), labels, verbose=0, return_dict=True)
    assert figures == pytest.approx(expected, rel=1e-5)


def test_evaluate_save_load_warns_of_nothing(garments, tmp_path):
    trainer = fc.Trainer.from_preset("cnn_fast", pretrained=True)
    trainer.evaluate(garments[0][:9], garments[1][:9])
    trainer.save(tmp_path / "a.keras")
    compiled = fc.dense_model((), seed=0)
    compiled.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    fc.Trainer(compiled).save(tmp_path / "b.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fc.Trainer.load(tmp_path / "a.keras")
        fc.Trainer.load(tmp_path / "b.keras")


def test_a_model_that_the_caller_compiles_later_is_noticed(garments, small_trainer):
    plain, with_recipe = small_trainer(), small_trainer(recipe=fc.Recipe(optimizer="sgd"))
    plain.fit(*garments, **QUIET)
    for trainer in (plain, with_recipe):
        trainer.model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    plain.fit(*garments, **QUIET)
    assert isinstance(plain.model.optimizer, keras.optimizers.RMSprop)
    with pytest.raises(ValueError, match="compiled already"):
        with_recipe.fit(*garments, **QUIET)


def test_one_optimizer_serves_several_trainers(garments, small_trainer):
    optimizer = keras.optimizers.SGD(0.1)
    first, made_before = (small_trainer(optimizer=optimizer) for _ in range(2))
    first.fit(*garments, **QUIET)
    for trainer in (made_before, small_trainer(optimizer=optimizer)):
        trainer.fit(*garments, **QUIET)
        np.testing.assert_array_equal(first.model.get_weights()[0], trainer.model.get_weights()[0])
        assert float(trainer.model.optimizer.learning_rate) == pytest.approx(0.1)


def test_what_is_saved_is_the_trainers_own_compilation(garments, small_trainer, tmp_path):
    first = small_trainer()
    second = fc.Trainer(first.model, optimizer="sgd")
    for trainer in (first, second):
        trainer.fit(*garments, **QUIET)
    first.save(tmp_path / "first.keras")
    loaded = fc.Trainer.load(tmp_path / "first.keras")
    loaded.fit(*garments, **QUIET)
    assert isinstance(loaded.model.optimizer, keras.optimizers.Adam)
    second.save(tmp_path / "second.keras")
    assert isinstance(fc.Trainer.load(tmp_path / "second.keras").model.optimizer, keras.optimizers.SGD)


def test_repeated_fits_trace_once(garments):
    for recipe in (fc.Recipe(), fc.Recipe(schedule="one_cycle", learning_rate=0.01, label_smoothing=0.1)):
        traced = []

        class Counting(keras.layers.Layer):
            def call(self, inputs, traced=traced):
                traced.append(1)
                return inputs

        layers = [Counting(), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]), recipe=recipe)
        trainer.fit(*garments, validation_split=0.2, **QUIET)
        count = len(traced)
        for _ in range(2):
            trainer.fit(*garments, validation_split=0.2, **QUIET)
        assert len(traced) <= count + 1  # building asks once more


def test_what_a_step_depends_on_traces_it_anew(garments):
    model = fc.cnn_model((4,), units=(8,), dropout=0.0001, seed=0)
    trainer, fresh = fc.Trainer(model), fc.cnn_model((4,), units=(8,), dropout=0.0001, seed=0)
    trainer.fit(*garments, **QUIET)
    fresh.set_weights(model.get_weights())
    model.get_layer("dropout").rate = fresh.get_layer("dropout").rate = 0.9
    trainer.recipe = recipe = fc.Recipe(optimizer="sgd", label_smoothing=0.3)
    trainer.fit(*garments, **QUIET)
    expected = fc.Trainer(fresh, recipe=recipe)
    expected.fit(*garments, **QUIET)
    for ours, theirs in zip(model.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_plain_keras_does_not_train_by_our_steps(garments, small_trainer):
    trainer = small_trainer(recipe=fc.Recipe(label_smoothing=0.5, precision="bfloat16"))
    trainer.fit(*garments, **QUIET)
    assert trainer.model.train_function is None
    assert trainer.model.test_function is None


def test_the_model_cannot_be_exchanged(small_trainer):
    trainer = small_trainer()
    with pytest.raises(AttributeError):
        trainer.model = fc.dense_model((), seed=1)
    with pytest.raises(TypeError, match="`recipe` must be a Recipe"):
        trainer.recipe = {"epochs": 3}
    with_instance = small_trainer(optimizer=keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="its own learning rate"):
        with_instance.recipe = fc.Recipe(learning_rate=0.1)


def test_one_hot_metrics_get_one_hot_labels(garments, small_trainer):
    metrics = [keras.metrics.AUC(), keras.metrics.Precision(), keras.metrics.F1Score(average="macro")]
    trainer = small_trainer(metrics=metrics)
    history = trainer.fit(*garments, validation_split=0.2, **QUIET).history
    assert {"auc", "precision", "f1_score"} <= {name.rstrip("_0123456789") for name in history}
    assert 0.5 < trainer.evaluate(*garments)[metrics[0].name] <= 1
    sparse = keras.metrics.SparseTopKCategoricalAccuracy(3)
    with pytest.raises(ValueError, match="integers"):
        small_trainer(metrics=[sparse, keras.metrics.AUC()]).fit(*garments, **QUIET)
    refused = small_trainer(loss="sparse_categorical_crossentropy", metrics=[keras.metrics.AUC()])
    with pytest.raises(ValueError, match="one-hot"):
        refused.fit(*garments, **QUIET)
    assert not refused.model.compiled
