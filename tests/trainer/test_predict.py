"""`Trainer.predict`, `predict_proba`, `evaluate` and `summary`."""

import numpy as np
import pytest

import fashionclf as fc


class TestPredict:
    def test_every_form_predicts_the_same(self, fitted, every_form):
        expected = fitted.predict_proba(every_form["float32"])
        assert expected.shape == (8, 10)
        assert expected.dtype == np.float32
        for form, images in every_form.items():
            np.testing.assert_allclose(fitted.predict_proba(images), expected, atol=1e-5, err_msg=form)

    def test_it_is_what_keras_predicts(self, fitted, garments):
        expected = fitted.model.predict(fc.prepare_images(garments[0]), verbose=0)
        np.testing.assert_allclose(fitted.predict_proba(garments[0]), expected, atol=1e-6)

    @pytest.mark.parametrize("batch_size", [1, 7, 600, 10_000])
    def test_batch_size_changes_nothing(self, fitted, garments, batch_size):
        expected = fitted.predict_proba(garments[0][:50])
        np.testing.assert_allclose(fitted.predict_proba(garments[0][:50], batch_size=batch_size), expected, atol=1e-6)

    def test_one_image(self, fitted, garments):
        predictions = fitted.predict(garments[0][0])
        assert len(predictions) == 1
        assert predictions[0].class_name in fc.CLASS_NAMES
        assert predictions[0].probabilities.sum() == pytest.approx(1, abs=1e-5)

    def test_binary_has_two_columns(self, garments):
        trainer = fc.Trainer(fc.dense_model((), num_classes=1, seed=0), class_names=["top", "rest"])
        probabilities = trainer.predict_proba(garments[0][:5])
        assert probabilities.shape == (5, 2)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(probabilities[:, 1:], trainer.model(fc.prepare_images(garments[0][:5])), atol=1e-6)

    def test_training_is_seen_by_the_compiled_function(self, garments, trained):
        trainer = trained.trainer
        before = trainer.predict_proba(garments[0][:3])
        trained(*garments)
        assert (trainer.predict_proba(garments[0][:3]) != before).any()
        trainer.model.set_weights([np.zeros_like(weight) for weight in trainer.model.get_weights()])
        np.testing.assert_allclose(trainer.predict_proba(garments[0][:3]), 0.1)

    def test_a_split_is_taken_for_its_images(self, fitted, garments):
        split = fc.Split(*garments)[:5]
        assert fitted.predict(split) == fitted.predict(garments[0][:5])

    def test_names_must_be_known(self, garments):
        trainer = fc.Trainer(fc.dense_model((), num_classes=3, seed=0))
        assert trainer.class_names is None
        trainer.predict_proba(garments[0][:2])
        with pytest.raises(ValueError, match="class_names="):
            trainer.predict(garments[0][:2])

    def test_evaluate_agrees_with_predict(self, fitted, garments):
        images, labels = garments
        figures = fitted.evaluate(images, labels)
        probabilities = fitted.predict_proba(images)
        assert figures["accuracy"] == pytest.approx(np.mean(probabilities.argmax(1) == labels), abs=1e-6)
        assert figures["loss"] == pytest.approx(-np.mean(np.log(probabilities[np.arange(600), labels])), rel=1e-4)

    def test_summary_and_repr(self, fitted, capsys):
        fitted.summary()
        assert "conv_1" in capsys.readouterr().out
        assert repr(fitted) == "<Trainer fitted: 26,698 parameters, 10 classes>"


class TestPrecision:
    def test_bfloat16_predicts_nearly_the_same(self, fitted, garments):
        exact = fitted.predict_proba(garments[0])
        fast = fitted.predict_proba(garments[0], precision="bfloat16")
        assert fast.dtype == np.float32
        assert 1e-5 < np.abs(fast - exact).max() < 0.1
        assert (fast.argmax(axis=1) == exact.argmax(axis=1)).mean() >= 0.99
        np.testing.assert_array_equal(fitted.predict_proba(garments[0]), exact)
        assert fitted.predict(garments[0], precision="bfloat16") == fc.Predictions(fast, fitted.class_names)
        assert {layer.dtype_policy.name for layer in fitted.model.layers} == {"float32"}

    @pytest.mark.parametrize("fast", [True, False])
    def test_auto_is_decided_by_the_processor(self, fitted, garments, monkeypatch, fast):
        from fashionclf.trainer import _predictor

        monkeypatch.setattr(_predictor, "has_fast_bfloat16", lambda: fast)
        monkeypatch.setattr(fitted._predictor, "_functions", {})
        expected = fitted.predict_proba(garments[0][:9], precision="bfloat16" if fast else "float32")
        np.testing.assert_array_equal(fitted.predict_proba(garments[0][:9], precision="auto"), expected)

    def test_training_is_seen(self, garments, small_trainer):
        trainer = fc.Trainer(fc.cnn_model((4,), units=(), batch_norm=True, seed=0))
        before = trainer.predict_proba(garments[0], precision="bfloat16")
        trainer.fit(*garments, epochs=1, seed=0, verbose=0)
        after = trainer.predict_proba(garments[0], precision="bfloat16")
        assert np.abs(after - before).max() > 0.01
        np.testing.assert_allclose(after, trainer.predict_proba(garments[0]), atol=0.05)

    @pytest.mark.slow
    def test_labels_of_the_real_test_images(self, real_data):
        trainer = fc.Trainer.from_preset("cnn_accurate", pretrained=True)
        images = fc.load_data("fashion_mnist", data_dir=real_data).test.images[:3000]
        exact, fast = (trainer.predict(images, precision=each).labels for each in ("float32", "bfloat16"))
        assert (exact == fast).mean() >= 0.999
