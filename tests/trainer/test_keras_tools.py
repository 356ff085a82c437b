"""Keras's own tools around a Trainer: TensorBoard, KerasTuner, averaged weights."""

import keras
import numpy as np
import pytest
from samples.trainer import QUIET, Interrupt

import fashionclf as fc

VALIDATED = {**QUIET, "validation_split": 0.2}


def test_tensorboard(garments, small_trainer, tmp_path):
    pytest.importorskip("tensorboard")  # a package of its own since TensorFlow 2.21
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
    small_trainer().fit(*garments, callbacks=[board], **VALIDATED)
    assert {path.name for path in tmp_path.iterdir()} >= {"train", "validation"}
    assert all(any(path.iterdir()) for path in tmp_path.iterdir())


class Choices:
    """Stands for KerasTuner's `HyperParameters`."""

    def Int(self, name, low, high, step=1):  # noqa: N802  # KerasTuner's name
        return low

    def Float(self, name, low, high, sampling=None):  # noqa: N802
        return high


def build(hp):
    model = fc.dense_model((hp.Int("units", 8, 16, step=8),), seed=0)
    rate = hp.Float("learning_rate", 1e-3, 1e-2, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_builder_of_keras_tuner(garments):
    model = build(Choices())
    history = fc.Trainer(model).fit(*garments, **VALIDATED)
    assert set(history.history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of KerasTuner
def test_keras_tuner_itself(garments, tmp_path):
    tuner = pytest.importorskip("keras_tuner")

    class Garments(tuner.HyperModel):
        build = staticmethod(build)

        def fit(self, hp, model, x, y, **options):
            return fc.Trainer(model).fit(x, y, batch_size=hp.Choice("batch_size", [16, 32]), **options)

    search = tuner.RandomSearch(Garments(), objective="val_accuracy", max_trials=2, directory=tmp_path, seed=0)
    search.search(*garments, **VALIDATED)
    assert search.get_best_hyperparameters()[0].get("batch_size") in (16, 32)


def ema_trainer(**options):
    optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, **options)
    return fc.Trainer(fc.dense_model((), seed=0), optimizer=optimizer)


class Notes(keras.callbacks.Callback):
    """The weights of the first layer as training leaves them after every batch."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights()[0])


def average(weights):
    mean = weights[0]  # Keras begins with what the first step gives
    for each in weights[1:]:
        mean = 0.9 * mean + 0.1 * each
    return mean


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_averaged_weights(garments, tmp_path, swap_on_epoch):
    images, labels = garments
    trainer, notes = ema_trainer(), Notes()
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=swap_on_epoch)
    options = {**VALIDATED, "epochs": 2, "validation_data": (images, labels), "validation_split": 0}
    history = trainer.fit(images, labels, callbacks=[notes, swap], checkpoint=tmp_path / "best.keras", **options)
    expected = average(notes.weights)
    np.testing.assert_allclose(trainer.model.get_weights()[0], expected, atol=1e-5)  # they end averaged
    # Validation sees the averages; a checkpoint has them only where the callback puts them in place for it.
    losses = history.history["val_loss"]
    assert trainer.evaluate(images, labels)["loss"] == pytest.approx(losses[-1], abs=1e-5)
    best = fc.Trainer.load(tmp_path / "best.keras")
    if swap_on_epoch:
        assert best.evaluate(images, labels)["loss"] == pytest.approx(min(losses), abs=1e-5)
    trainer.save(tmp_path / "averaged.keras")
    np.testing.assert_array_equal(
        fc.Trainer.load(tmp_path / "averaged.keras").predict_proba(images), trainer.predict_proba(images)
    )
    if swap_on_epoch:  # early stopping restores averaged weights
        del options["epochs"]
        history = trainer.fit(images, labels, callbacks=[swap], early_stopping=0, epochs=4, **options)
        loss = min(history.history["val_loss"])
        assert trainer.evaluate(images, labels)["loss"] == pytest.approx(loss, abs=1e-5)


def test_resume_with_averaged_weights(garments, tmp_path):
    def fit(trainer, *more):
        swap = keras.callbacks.SwapEMAWeights()
        options = {**VALIDATED, "epochs": 3}
        trainer.fit(*garments, callbacks=[swap, *more], resume=tmp_path / "state.npz", **options)
        return trainer.model.get_weights()[0]

    whole = fit(ema_trainer())
    with pytest.raises(KeyboardInterrupt):
        fit(ema_trainer(), Interrupt(2))
    np.testing.assert_allclose(fit(ema_trainer()), whole, atol=1e-6)
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    with pytest.raises(ValueError, match=r"averaged weights.*SwapEMAWeights\(\)"):
        ema_trainer().fit(*garments, callbacks=[swap], resume=tmp_path / "state.npz", **VALIDATED)
