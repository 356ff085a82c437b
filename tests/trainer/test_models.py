"""Fitting models of every kind: nested, subclassed, with layers of the caller's."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from samples.trainer import Interrupt

import fashionclf as fc


def test_freezing_layers_between_fits(garments):
    for optimizer, turns in ((None, (False, True, False)), (keras.optimizers.SGD(0.01), (False, True))):
        trainer = fc.Trainer(fc.dense_model((8,), seed=0), optimizer=optimizer)
        layer = trainer.model.get_layer("dense_1")
        for trainable in turns:
            layer.trainable = trainable
            before = layer.kernel.numpy()
            trainer.fit(*garments, epochs=1, verbose=0)
            assert (layer.kernel.numpy() != before).any() == trainable


def test_a_subclassed_or_unbuilt_model(garments):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.out = keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")

        def call(self, inputs):
            return self.out(self.flat(inputs))

    unbuilt = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
    for model in (Own(), unbuilt):
        trainer = fc.Trainer(model, recipe=fc.Recipe(precision="bfloat16"))
        history = trainer.fit(*garments, epochs=2, validation_data=garments, verbose=0).history
        assert history["val_accuracy"][-1] > 0.3
        assert trainer.predict(garments[0][0])[0].class_name in fc.CLASS_NAMES


def test_own_layers_in_bfloat16_training(garments):
    """A layer of the caller's may mix its input with float32 values: it gets float32 whatever the precision."""

    class Double(keras.layers.Layer):
        def call(self, inputs):
            return inputs * tf.constant(2.0)

    layers = [
        keras.layers.Conv2D(4, 3),
        Double(),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    fc.Trainer(model, recipe=fc.Recipe(precision="bfloat16")).fit(*garments, epochs=1, verbose=0)


@pytest.mark.filterwarnings("ignore:.build... was called")  # Keras, of the layer that is never used
def test_own_layers_with_layers_inside(garments):
    class Residual(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.convolution = keras.layers.Conv2D(4, 3, padding="same")

        def call(self, inputs):
            return inputs + self.convolution(inputs)

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = keras.layers.Conv2D(4, 3, padding="same"), Residual()
            self.unused = keras.layers.BatchNormalization()
            self.flat, self.out = keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")

        def call(self, inputs):
            return self.out(self.flat(inputs + self.second(self.first(inputs))))

    head = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    graph = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(4, 3), Residual(), *head])
    for model in (graph, Own()):
        trainer = fc.Trainer(model, recipe=fc.Recipe(precision="bfloat16"))
        trainer.fit(garments[0][:64], garments[1][:64], epochs=1, verbose=0)


def test_a_nested_binary_model(garments):
    block = keras.Sequential(
        [
            keras.layers.Conv2D(2, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), block]), class_names=["even", "odd"])
    assert trainer.predict_proba(garments[0][:3]).shape == (3, 2)


def test_own_train_step_with_label_smoothing(garments):
    class Own(keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            variables = self.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return {"loss": loss}

    inputs = keras.Input((784,))
    model = Own(inputs, keras.layers.Dense(10, activation="softmax")(inputs))
    trainer = fc.Trainer(model, metrics=[], recipe=fc.Recipe(label_smoothing=0.1))
    assert "loss" in trainer.fit(*garments, epochs=1, verbose=0).history


def test_an_input_of_any_size(garments):
    layers = [
        keras.layers.Conv2D(4, 3),
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(10, activation="softmax"),
    ]
    trainer = fc.Trainer(keras.Sequential([keras.Input((None, None, 1)), *layers]))
    trainer.fit(*garments, epochs=1, validation_split=0.2, verbose=0)
    assert trainer.compile_predictor().predict_proba(garments[0][:2]) == pytest.approx(
        trainer.predict_proba(garments[0][:2]), abs=1e-5
    )


@pytest.mark.parametrize("shape", [(784,), (28, 28)])
def test_models_with_other_input_shapes(garments, shape):
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential([keras.Input(shape), *layers]))
    accuracy = trainer.fit(*garments, epochs=1, validation_data=garments, verbose=0).history["val_accuracy"][-1]
    assert accuracy == pytest.approx(np.mean(trainer.predict(garments[0]).labels == garments[1]), abs=1e-6)


def test_steps_per_execution_of_the_caller(garments):
    weights = []
    for steps in (1, 4):
        model = fc.dense_model((), seed=0)
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", steps_per_execution=steps)
        fc.Trainer(model).fit(*garments, epochs=2, seed=0, verbose=0)
        assert int(model.optimizer.iterations) == 2 * 19
        weights.append(model.get_weights()[0])
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-6)


def test_keras_backup_and_restore_gets_the_right_epochs(garments, small_trainer, tmp_path):
    """The callback leaves its epoch in the model, which the tests must not share."""
    whole, broken = small_trainer(), small_trainer()
    options = {"epochs": 3, "seed": 0, "verbose": 0}
    whole.fit(*garments, **options)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        broken.fit(*garments, callbacks=[backup, Interrupt(2)], **options)
    broken.fit(*garments, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")], **options)
    np.testing.assert_allclose(whole.model.get_weights()[0], broken.model.get_weights()[0], atol=1e-6)
