"""Batch normalisation folded into convolutions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fashionclf as fc
from fashionclf._keras_internals import replaced_calls
from fashionclf.models._flip import averaged_over_flips
from fashionclf.models._fold import folded_calls, normalised_convolutions

IMAGES = np.random.default_rng(0).random((5, 28, 28, 1), np.float32)


def with_random_state(model):
    """Give normalisation means, variances, scales and offsets that change something."""
    rng = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def folded(model):
    """Compute a model with normalisation folded, in a function that may be called again."""
    pairs = normalised_convolutions(model, (28, 28, 1))

    @tf.function(autograph=False)
    def compute(images):
        with replaced_calls(folded_calls(pairs)):
            return model(images, training=False)

    return compute, pairs


def small(use_bias=True, activation="linear", between=(), after="relu", **options):
    convolution = keras.layers.Conv2D(4, 3, use_bias=use_bias, activation=activation, **options)
    layers = [convolution, *between, keras.layers.BatchNormalization(scale=use_bias), keras.layers.Activation(after)]
    end = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    return with_random_state(keras.Sequential([keras.Input((28, 28, 1)), *layers, *end]))


@pytest.mark.parametrize("options", [
    {}, {"use_bias": False}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}, {"after": "linear"},
], ids=str)  # fmt: skip
def test_the_result_is_the_same(options):
    model = small(**options)
    compute, pairs = folded(model)
    assert len(pairs) == 1
    np.testing.assert_allclose(compute(IMAGES), model(IMAGES, training=False), atol=1e-6)
    assert "call" not in vars(model.layers[0])


@pytest.mark.parametrize("options", [{"activation": "relu"}, {"between": [keras.layers.MaxPooling2D()]}], ids=str)
def test_what_stands_between_prevents_it(options):
    model = small(**options)
    compute, pairs = folded(model)
    assert not pairs
    np.testing.assert_allclose(compute(IMAGES), model(IMAGES, training=False), atol=1e-6)


def test_a_convolution_that_something_else_reads_is_left_alone():
    image = keras.Input((28, 28, 1))
    maps = keras.layers.Conv2D(4, 3)(image)
    both = keras.layers.Concatenate()([maps, keras.layers.BatchNormalization()(maps)])
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(both))
    assert not normalised_convolutions(keras.Model(image, outputs), (28, 28, 1))


def test_a_normalisation_of_two_convolutions_is_left_alone():
    image, norm = keras.Input((28, 28, 1)), keras.layers.BatchNormalization()
    both = keras.layers.Add()([norm(keras.layers.Conv2D(4, 3)(image)) for _ in range(2)])
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(both))
    assert not normalised_convolutions(keras.Model(image, outputs), (28, 28, 1))


@pytest.mark.parametrize("name", ["cnn_fast", "cnn_robust"])  # cnn_accurate has the network of cnn_robust
def test_pretrained_networks(name):
    model = fc.Trainer.from_preset(name, pretrained=True).model
    compute, pairs = folded(model)
    assert len(pairs) == {"cnn_fast": 0, "cnn_robust": 11}[name]
    np.testing.assert_allclose(compute(IMAGES), model(IMAGES, training=False), atol=1e-5)


def test_later_weights_are_used():
    model = small()
    compute, _ = folded(model)
    before = compute(IMAGES).numpy()
    model.layers[1].moving_mean.assign(np.full(4, 3.0))
    np.testing.assert_allclose(compute(IMAGES), model(IMAGES, training=False), atol=1e-6)
    assert np.abs(before - compute(IMAGES)).max() > 1e-3


class TestFlips:
    def test_the_averaged_model_is_found_again(self, tmp_path):
        model = fc.cnn_model((4,), seed=0)
        assert averaged_over_flips(fc.flip_averaged(model)) is model
        fc.Trainer(fc.flip_averaged(model)).save(tmp_path / "a.keras")
        loaded = fc.Trainer.load(tmp_path / "a.keras").model
        assert averaged_over_flips(loaded).count_params() == model.count_params()

    def test_other_models_are_not_taken_for_it(self):
        model = fc.cnn_model((4,), seed=0)
        image = keras.Input((28, 28, 1))
        upside_down = [model(image), model(keras.ops.flip(image, axis=1))]
        other = keras.Model(image, keras.layers.Average()(upside_down))
        two = keras.Model(
            image, keras.layers.Average()([model(image), fc.cnn_model((4,), seed=1, name="other")(image)])
        )
        assert [averaged_over_flips(each) for each in (model, other, two, fc.dense_model())] == [None] * 4
