"""The training step: precision, faster kernels."""

import threading
import time

import keras
import numpy as np
import pytest

import fashionclf as fc
from fashionclf.trainer import _step

BFLOAT16 = fc.Recipe(precision="bfloat16")


def counted(patch, name):
    """A list that records every call of a function of the training step."""
    calls, function = [], getattr(_step, name)
    patch.setattr(_step, name, lambda *args, **options: calls.append(name) or function(*args, **options))
    return calls


class TestPrecision:
    def test_bfloat16_trains_and_leaves_float32(self, garments):
        policies = []

        class Spy(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                policies.extend(layer.dtype_policy.name for layer in self.model.layers)

            def on_train_batch_end(self, batch, logs=None):
                self.on_train_begin()

            def on_epoch_end(self, epoch, logs=None):
                self.on_train_begin()

        in_step = []

        class Watched(keras.layers.Flatten):
            def call(self, inputs):
                in_step.append(inputs.dtype)
                return super().call(inputs)

        Watched.__module__ = "keras.layers"  # a layer of the caller's own stays float32
        layers = [
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            Watched(),
            keras.layers.Dense(10, activation="softmax"),
        ]
        trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]), recipe=BFLOAT16)
        in_step.clear()
        history = trainer.fit(
            *garments, epochs=3, validation_data=garments, callbacks=[Spy()], seed=0, verbose=0
        ).history
        assert "bfloat16" in in_step
        assert in_step[-1] == "float32"  # validation is traced last
        assert set(policies) == {"float32"}
        assert {layer.dtype_policy.name for layer in trainer.model.layers} == {"float32"}
        assert {str(variable.dtype) for variable in trainer.model.weights} == {"float32"}
        assert history["loss"][-1] < history["loss"][0] / 2
        assert history["val_loss"][-1] == pytest.approx(trainer.evaluate(*garments)["loss"], rel=1e-4)
        assert "make_train_function" not in vars(trainer.model)

    def test_precisions_train_alike_but_not_the_same(self, garments, monkeypatch):
        """`"auto"` is decided by the processor."""
        weights = []
        for fast in (True, False):
            monkeypatch.setattr(_step, "has_fast_bfloat16", lambda fast=fast: fast)
            trainer = fc.Trainer(fc.cnn_model((4,), units=(), dropout=0.0, seed=0))
            trainer.fit(*garments, epochs=1, seed=0, verbose=0)
            weights.append(trainer.model.get_weights()[0])
        assert (weights[0] != weights[1]).any()
        np.testing.assert_allclose(*weights, atol=0.02)

    def test_any_gpu_counts_as_fast(self, monkeypatch):
        monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [kind])
        assert _step.has_fast_bfloat16.__wrapped__()

    def test_checkpoints_and_errors_leave_float32(self, garments, tmp_path):
        class Stop(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 1:
                    raise RuntimeError("stop")

        trainer = fc.Trainer(fc.cnn_model((4,), units=(), seed=0), recipe=BFLOAT16)
        options = {"validation_split": 0.2, "checkpoint": tmp_path / "best.keras"}
        with pytest.raises(RuntimeError, match="stop"):
            trainer.fit(*garments, epochs=2, callbacks=[Stop()], verbose=0, **options)
        for model in (trainer.model, keras.models.load_model(tmp_path / "best.keras")):
            assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
        trainer.evaluate(*garments)


class TestSpeed:
    def test_fused_normalisation_trains_as_keras_does(self, garments):
        """One kernel against many: after four steps the same weights and moving averages, but for rounding."""
        images, labels = garments[0][:128], garments[1][:128]
        weights = []
        for fused in (True, False):
            model = fc.cnn_model((4, 8), units=(), batch_norm=True, dropout=0.0, seed=0)
            with pytest.MonkeyPatch.context() as patch:
                calls = counted(patch, "_fused_normalisation")
                if not fused:
                    patch.setattr("fashionclf.trainer._step._can_be_fused", lambda layer: False)
                recipe = fc.Recipe(optimizer="sgd", learning_rate=0.01, precision="float32")
                fc.Trainer(model, recipe=recipe).fit(images, labels, epochs=1, seed=0, verbose=0)
            weights.append(model.get_weights())
            assert bool(calls) == fused
            assert all("call" not in vars(layer) for layer in model.layers)
        for ours, theirs in zip(*weights, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=5e-6)

    def test_cnn_fast_learns_in_its_three_epochs(self, garments, tmp_path):
        trainer = fc.Trainer.from_preset("cnn_fast", seed=0)
        first = trainer.model.layers[0].kernel.numpy()
        trainer.fit(*garments, batch_size=20, seed=0, verbose=0)
        assert trainer.evaluate(*garments)["accuracy"] > 0.8
        np.testing.assert_array_equal(trainer.model.layers[0].kernel, first)  # fixed
        trainer.save(tmp_path / "fast.keras")
        plain = keras.models.load_model(tmp_path / "fast.keras")
        np.testing.assert_allclose(plain(fc.prepare_images(garments[0])), trainer.predict_proba(garments[0]), atol=1e-5)


def test_which_layers_may_be_bfloat16():
    from fashionclf.trainer._step import bfloat16_layers, last_layer

    nested = keras.Sequential([keras.Input((28, 28, 1)), fc.cnn_model((4,), units=())])
    assert last_layer(nested).name == "output"
    assert [layer.name for layer in bfloat16_layers(nested)] == [
        "conv_1",
        "conv_1_relu",
        "pool_1",
        "flatten",
        "dropout",
    ]


def test_saving_in_another_thread_sees_float32(garments, tmp_path, monkeypatch):
    """While steps are traced and run, others wait for the lock, or would write bfloat16 layers."""
    from concurrent.futures import ThreadPoolExecutor

    started = threading.Event()

    flatten = keras.layers.Flatten.call

    def slow(layer, inputs):
        started.set()
        time.sleep(0.3)
        return flatten(layer, inputs)

    monkeypatch.setattr(keras.layers.Flatten, "call", slow)
    layers = [keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]), recipe=BFLOAT16)
    started.clear()
    with ThreadPoolExecutor(1) as pool:
        fitted = pool.submit(trainer.fit, *garments, epochs=1, verbose=0)
        assert started.wait(30)
        trainer.save(tmp_path / "a.keras")
        fitted.result()
    model = keras.models.load_model(tmp_path / "a.keras")
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
