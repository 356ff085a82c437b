import keras
import numpy as np
import pytest

import fashionclf as fc


@pytest.fixture(scope="module")
def sgd():
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=42)


def test_it_is_scikit_learns_cross_validation(garments, sgd):
    from sklearn.model_selection import cross_val_score

    images, labels = garments
    expected = cross_val_score(sgd, fc.prepare_images(images).reshape(-1, 784), labels, cv=4, scoring="accuracy")
    np.testing.assert_allclose(fc.cross_validate(sgd, images, labels, folds=4), expected)
    assert not hasattr(sgd, "coef_")  # the classifier passed is not the one fitted


def test_a_seed_shuffles(garments, sgd):
    plain, first, again = (fc.cross_validate(sgd, *garments, folds=3, seed=seed) for seed in (None, 1, 1))
    np.testing.assert_array_equal(first, again)
    assert (plain != first).any()


def test_a_preset_or_a_function_trains_anew_in_every_fold(garments):
    images, labels = garments[0][:200], garments[1][:200]
    by_name = fc.cross_validate("softmax", images, labels, folds=2, seed=0)
    assert by_name.shape == (2,)
    assert by_name.dtype == np.float64
    np.testing.assert_array_equal(by_name, fc.cross_validate("softmax", fc.Split(images, labels), folds=2, seed=0))
    built = []

    def build():
        built.append(fc.Trainer(fc.dense_model((), seed=0), recipe=fc.Recipe(epochs=2)))
        return built[-1]

    scores = fc.cross_validate(build, images, fc.one_hot(labels), folds=3, seed=0)
    assert len(built) == len(scores) == 3
    assert (scores > 0.3).all()


def test_missing_scikit_learn_is_said_in_one_sentence(garments, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.model_selection", None)
    with pytest.raises(ImportError, match=r"pip install 'fashionclf\[sklearn\]'"):
        fc.cross_validate("softmax", *garments)


class TestShiftRobustness:
    def test_it_is_the_accuracy_on_moved_pictures(self, fitted, garments):
        images, labels = garments[0][:60], garments[1][:60]
        result = fc.shift_robustness(fitted, images, labels, max_shift=2)
        assert result.accuracies.shape == (5, 5)
        down_two_left_one = np.zeros_like(images)
        down_two_left_one[:, 2:, :-1] = images[:, :-2, 1:]
        assert result.accuracies[4, 1] == fitted.report(down_two_left_one, labels).accuracy
        assert result.unshifted == result.accuracies[2, 2] == fitted.report(images, labels).accuracy

    def test_figures(self):
        accuracies = np.array([[0.5, 0.6, 0.5], [0.7, 0.9, 0.7], [0.4, 0.6, 0.6]])
        result = fc.ShiftRobustness(accuracies, 1)
        assert (result.unshifted, result.worst, result.worst_shift) == (0.9, 0.4, (1, -1))
        assert result.mean == pytest.approx(accuracies.mean())
        np.testing.assert_allclose(result.curve, [0.9, (accuracies.sum() - 0.9) / 8])

    def test_no_shift(self, fitted, garments):
        result = fc.shift_robustness(fitted, fc.Split(garments[0][:20], garments[1][:20]), max_shift=0)
        assert result.accuracies.shape == (1, 1)
        assert result.curve.shape == (1,)


class TestCalibrate:
    def make(self, garments, sharpness=1.0):
        """Softmax regression, made too sure or not sure enough of itself."""
        trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        trainer.fit(garments[0][:300], garments[1][:300], epochs=5, seed=0, verbose=0)
        layer = trainer.model.layers[-1]
        layer.set_weights([weight * np.float32(sharpness) for weight in layer.get_weights()])
        return trainer

    def test_it_finds_how_much_too_sure_a_classifier_is(self, garments):
        x, y = garments[0][300:], garments[1][300:]
        plain, sharp = self.make(garments), self.make(garments, 3.0)
        answers = sharp.predict(x).labels
        before = sharp.report(x, y)
        assert fc.calibrate(sharp, x, y) == pytest.approx(3 * fc.calibrate(plain, x, y), rel=3e-3)
        np.testing.assert_array_equal(sharp.predict(x).labels, answers)
        np.testing.assert_allclose(sharp.predict_proba(x), plain.predict_proba(x), atol=1e-3)
        assert sharp.report(x, y).log_loss < before.log_loss

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
        trainer = fc.Trainer(fc.dense_model(units=(), num_classes=1, seed=0), class_names=["no", "yes"])
        labels = (garments[1] == 9).astype(int)
        trainer.fit(garments[0], labels, epochs=2, seed=0, verbose=0)
        before = trainer.report(garments[0], labels).log_loss
        fc.calibrate(trainer, garments[0], labels)
        assert trainer.report(garments[0], labels).log_loss <= before

    def test_a_sigmoid_inside_is_not_the_end(self, garments):
        image = keras.Input((28, 28, 1))
        flat = keras.layers.Flatten()(image)
        gate = keras.layers.Dense(784, activation="sigmoid", kernel_initializer="zeros")(flat)
        answer = keras.layers.Dense(10, activation="softmax", kernel_initializer=keras.initializers.GlorotUniform(0))
        trainer = fc.Trainer(keras.Model(image, answer(keras.layers.Multiply()([flat, gate]))))
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
