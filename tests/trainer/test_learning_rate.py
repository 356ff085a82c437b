"""Callbacks that set the learning rate: refused with a schedule; at the end of the fit the rate is restored."""

import keras
import numpy as np
import pytest
from samples.trainer import QUIET

import fashionclf as fc

ONE_CYCLE = fc.Recipe(optimizer="sgd", learning_rate=0.1, schedule="one_cycle")


def halving(**options):
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2, **options)


def plateau():
    """Return a callback that lowers the rate after every epoch: no loss improves by 100."""
    return keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.1, patience=1, min_delta=100, min_lr=1e-7)


class SetRate(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.001


def rate_of(trainer):
    return float(trainer.model.optimizer.learning_rate)


def scheduled_model():
    model = fc.dense_model((), seed=0)
    model.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9)), "sparse_categorical_crossentropy"
    )
    return model


@pytest.mark.parametrize("make", [halving, plateau])
@pytest.mark.parametrize(
    "build",
    [
        lambda: fc.Trainer(fc.dense_model((), seed=0), recipe=ONE_CYCLE),
        lambda: fc.Trainer(
            fc.dense_model((), seed=0), optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9))
        ),
        lambda: fc.Trainer(scheduled_model()),
    ],
    ids=["recipe", "optimizer", "caller"],
)
def test_refused_beside_a_schedule_before_the_first_step(garments, make, build):
    trainer = build()
    before = trainer.model.get_weights()
    with pytest.raises(ValueError, match=rf"{type(make()).__name__} sets the learning rate.*`Recipe\(schedule="):
        trainer.fit(*garments, callbacks=[make()], **QUIET)
    for weight, old in zip(trainer.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_callback_of_the_callers_own_is_told_the_same(garments, small_trainer):
    trainer = small_trainer(recipe=ONE_CYCLE)
    with pytest.raises(ValueError, match=r"A callback sets the learning rate.*schedule=\"constant\""):
        trainer.fit(*garments, callbacks=[SetRate()], **QUIET)


@pytest.mark.parametrize("optimizer", ["sgd", keras.optimizers.SGD(0.01)], ids=["named", "given"])
def test_the_next_fit_starts_at_the_first_rate(garments, small_trainer, optimizer, tmp_path):
    trainer = small_trainer(optimizer=optimizer)
    rates = []
    for callback in (plateau(), halving(), SetRate()):
        log = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: rates.append(rate_of(trainer)))
        trainer.fit(*garments, callbacks=[log, callback], **{**QUIET, "epochs": 3})
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.01, 0.005, 0.0025, 0.01, 0.001, 0.001])
    trainer.model.optimizer.learning_rate = 0.5  # what is set between two fits, as in Keras, stays
    trainer.fit(*garments, **QUIET)
    assert rate_of(trainer) == 0.5


def test_a_checkpoint_of_a_lowered_rate_starts_at_the_recipes(garments, small_trainer, tmp_path):
    trainer = small_trainer(optimizer="sgd")
    save = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: trainer.save(tmp_path / "a.keras"))
    trainer.fit(*garments, callbacks=[halving(), save], **QUIET)
    assert rate_of(fc.Trainer.load(tmp_path / "a.keras")) == pytest.approx(0.01)


def test_a_model_of_the_callers_keeps_what_its_callbacks_set(garments):
    model = fc.dense_model((), seed=0)
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    trainer = fc.Trainer(model)
    trainer.fit(*garments, callbacks=[SetRate()], **QUIET)
    assert rate_of(trainer) == pytest.approx(0.001)
