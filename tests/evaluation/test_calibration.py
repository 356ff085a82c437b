"""Temperature scaling."""

import math

import keras
import numpy as np
import pytest
from samples.trainer import QUIET

import fashionclf as fc
from fashionclf.evaluation._calibration import _minimum, _softmax


def test_softmax_of_any_scores():
    scores = np.array([[0.0, np.log(3)], [1000, 1000], [0, 1000]])
    np.testing.assert_allclose(_softmax(scores), [[0.25, 0.75], [0.5, 0.5], [0, 1]])


@pytest.mark.parametrize("place", [-2.0, -1.2, 0.3, 2.9, 3.0])
def test_the_minimum_is_found_in_few_steps(place):
    asked = []
    found = _minimum(lambda x: asked.append(x) or abs(x - place), -2, 3)
    assert found == pytest.approx(place, abs=1e-3)
    assert len(asked) == 2 + math.ceil(math.log(5 / 1e-3, (1 + math.sqrt(5)) / 2))
    assert min(asked) > -2
    assert max(asked) < 3


class TestCalibrate:
    def make(self, garments, sharpness=1.0):
        """Softmax regression from the mean image of each class, overconfident or underconfident."""
        images, labels = fc.prepare_images(garments[0][:300]).reshape(300, 784), garments[1][:300]
        means = np.array([images[labels == label].mean(axis=0) for label in range(10)])
        trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        weights = [means.T, -(means**2).sum(axis=1) / 2]
        trainer.model.layers[-1].set_weights([weight * np.float32(sharpness / 10) for weight in weights])
        return trainer

    def test_it_finds_how_much_too_sure_a_classifier_is(self, garments):
        x, y = garments[0][300:], garments[1][300:]
        plain, sharp = self.make(garments), self.make(garments, 3.0)
        predicted = sharp.predict(x).labels
        before = sharp.report(x, y)
        assert fc.calibrate(sharp, x, y) == pytest.approx(3 * fc.calibrate(plain, x, y), rel=3e-3)
        np.testing.assert_array_equal(sharp.predict(x).labels, predicted)
        np.testing.assert_allclose(sharp.predict_proba(x), plain.predict_proba(x), atol=1e-3)
        assert sharp.report(x, y).log_loss < before.log_loss

    @pytest.mark.parametrize(("sharpness", "temperature"), [(1000, 10), (1e-3, 0.1)])
    def test_it_lies_between_a_tenth_and_ten(self, garments, sharpness, temperature):
        assert fc.calibrate(self.make(garments, sharpness), *garments) == pytest.approx(temperature, rel=1e-3)

    def test_once_is_enough(self, garments):
        x, y = garments[0][300:], garments[1][300:]
        trainer = self.make(garments)
        fc.calibrate(trainer, x, y)
        assert fc.calibrate(trainer, x, y) == pytest.approx(1, abs=2e-3)

    def test_a_flip_averaged_model(self, garments):
        x, y = garments[0][300:], garments[1][300:]
        trainer = fc.Trainer(fc.flip_averaged(self.make(garments, 4.0).model))
        before = trainer.report(x, y).log_loss
        assert fc.calibrate(trainer, x, y) > 1
        assert trainer.report(x, y).log_loss < before

    def test_a_sigmoid_unit(self, garments):
        x, y = garments[0], garments[1] % 2
        rows = fc.prepare_images(x).reshape(-1, 784)
        even, odd = (rows[y == label].mean(axis=0) for label in (0, 1))
        kernel, bias = (odd - even)[:, np.newaxis], (even**2 - odd**2).sum(keepdims=True) / 2
        temperatures = []
        for sharpness in np.float32([0.1, 0.3]):
            trainer = fc.Trainer(fc.dense_model((), num_classes=1, seed=0), class_names=["even", "odd"])
            trainer.model.layers[-1].set_weights([kernel * sharpness, bias * sharpness])
            temperatures.append(fc.calibrate(trainer, x, y))
        assert temperatures[1] == pytest.approx(3 * temperatures[0], rel=3e-3)
        assert temperatures[0] == pytest.approx(1.17, rel=0.05)

    def test_a_sigmoid_inside_is_not_the_end(self, garments):
        image = keras.Input((28, 28, 1))
        flat = keras.layers.Flatten()(image)
        gate = keras.layers.Dense(784, activation="sigmoid", kernel_initializer="zeros")(flat)
        predicted = keras.layers.Dense(10, activation="softmax", kernel_initializer=keras.initializers.GlorotUniform(0))
        trainer = fc.Trainer(keras.Model(image, predicted(keras.layers.Multiply()([flat, gate]))))
        before = trainer.predict_proba(garments[0])
        temperature = fc.calibrate(trainer, *garments)
        expected = before ** (1 / temperature)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(trainer.predict_proba(garments[0]), expected, atol=1e-5)

    def test_an_average_of_different_ends_has_no_one_temperature(self, garments):
        image = keras.Input((28, 28, 1))
        flat = keras.layers.Flatten()(image)
        one = keras.layers.Dense(10, activation="softmax")(flat)
        for other in (keras.layers.Dense(10, activation="softmax"), lambda x: keras.layers.Softmax()(one)):
            trainer = fc.Trainer(keras.Model(image, keras.layers.Average()([one, other(flat)])))
            with pytest.raises(ValueError, match="must end in one Dense layer"):
                fc.calibrate(trainer, *garments)

    def test_what_is_no_dense_layer_with_probabilities_is_refused(self, garments):
        class Own(keras.Sequential):
            pass

        convolution = keras.layers.Conv2D(10, 28, activation="softmax")
        dense = keras.layers.Dense(10, activation=keras.ops.softmax)
        flat, usual = keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")
        for kind, *end in ((Own, flat, usual), (keras.Sequential, convolution, flat), (keras.Sequential, flat, dense)):
            model = kind([keras.Input((28, 28, 1)), *end])
            with pytest.raises(ValueError, match="must end in one Dense layer"):
                fc.calibrate(fc.Trainer(model), *garments)
        with pytest.raises(TypeError, match="must be a Trainer"):
            fc.calibrate(fc.dense_model(()), *garments)

    def test_an_interruption_leaves_the_model_as_it_was(self, garments, monkeypatch):
        trainer = self.make(garments)
        before = trainer.model.get_weights()
        calls = []

        def interrupted(labels, probabilities):
            calls.append(labels)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return fc.evaluate_predictions(labels, probabilities)

        monkeypatch.setattr("fashionclf.evaluation._calibration.evaluate_predictions", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fc.calibrate(trainer, *garments)
        for weight, original in zip(trainer.model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, original)


def test_the_live_weights_are_written_once(garments, monkeypatch):
    trainer = fc.Trainer(fc.flip_averaged(fc.cnn_model((4,), units=(), seed=0)))
    trainer.fit(*garments, **QUIET)
    written = []
    original = keras.layers.Dense.set_weights
    monkeypatch.setattr(keras.layers.Dense, "set_weights", lambda self, w: written.append(1) or original(self, w))
    before = trainer.report(*garments).log_loss
    temperature = fc.calibrate(trainer, *garments)
    assert len(written) == 1
    assert trainer.report(*garments).log_loss <= before
    assert fc.calibrate(trainer, *garments) == pytest.approx(1, abs=0.01)
    assert temperature != 1


def test_not_while_the_model_is_fitted(garments, small_trainer):
    trainer = small_trainer()
    errors = []

    class Calibrate(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            try:
                fc.calibrate(trainer, *garments)
            except RuntimeError as error:
                errors.append(str(error))

    trainer.fit(*garments, callbacks=[Calibrate()], **QUIET)
    assert "being fitted" in errors[0]
