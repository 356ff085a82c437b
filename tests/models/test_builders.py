import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import fashionclf as fc
from fashionclf.models import ACTIVATIONS


def layer_types(model):
    return [type(layer).__name__ for layer in model.layers]


def test_dense_layers_in_order():
    model = fc.dense_model((8, 4), batch_norm=True, dropout=0.2, seed=0)
    block = ["Dense", "BatchNormalization", "Activation", "Dropout"]
    assert layer_types(model) == ["Flatten", *block, *block, "Dense"]
    assert not model.compiled
    assert model.input_shape == (None, 28, 28, 1)


def test_cnn_layers_in_order():
    model = fc.cnn_model((8, 4), units=(6,), batch_norm=True, pooling="average", seed=0)
    block = ["Conv2D", "BatchNormalization", "Activation", "AveragePooling2D"]
    dense = ["Dense", "BatchNormalization", "Activation"]
    assert layer_types(model) == [*block, *block, "Flatten", *dense, "Dropout", "Dense"]


@pytest.mark.parametrize("flatten", ["before", "after"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense_options_give_probabilities(flatten, activation):
    model = fc.dense_model(4, flatten=flatten, activation=activation, num_classes=3, seed=0)
    outputs = np.asarray(model(np.random.default_rng(0).random((2, 28, 28, 1), np.float32)))
    assert outputs.shape == (2, 3)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("image_shape", "most"), [((28, 28, 1), 4), ((33, 70, 3), 5), ((2, 90, 1), 1)])
def test_as_many_blocks_as_the_image_can_be_halved(image_shape, most):
    model = fc.cnn_model((2,) * most, image_shape=image_shape, kernel_size=(2, 5))
    assert model.input_shape == (None, *image_shape)
    assert min(model.get_layer(f"pool_{most}").output.shape[1:3]) == 1
    with pytest.raises(ValueError, match=f"at most {most}: .* {image_shape[0]}x{image_shape[1]} pixels"):
        fc.cnn_model((2,) * (most + 1), image_shape=image_shape)
    with pytest.raises(ValueError, match="`kernel_size` must be one or two"):
        fc.cnn_model((2,), image_shape=image_shape, kernel_size=min(image_shape[:2]) + 1)


def test_rows_of_pixels_in_colour():
    model = fc.dense_model(5, flatten="after", image_shape=(6, 4, 3), seed=0)
    assert model.get_layer("dense_1").kernel.shape == (4 * 3, 5)
    assert model.get_layer("output").kernel.shape == (6 * 5, 10)


@pytest.mark.parametrize("kernel_size", [1, 5, (3, 5), 2])
def test_kernel_sizes_keep_the_image(kernel_size):
    model = fc.cnn_model((2, 2, 2, 2), kernel_size=kernel_size, units=(), dropout=0.0)
    assert model.output_shape == (None, 10)
    assert model.get_layer("conv_1").output.shape == (None, 28, 28, 2)


def test_one_class_is_a_sigmoid_unit():
    model = fc.dense_model((), num_classes=1)
    assert model.output_shape == (None, 1)
    assert model.layers[-1].activation is keras.activations.sigmoid


def test_seed_decides_the_weights():
    first, again, other, fresh = (fc.cnn_model((2,), units=(3,), seed=s).get_weights() for s in (1, 1, 2, None))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()
    assert (first[0] != fresh[0]).any()


def test_layers_do_not_share_a_seed():
    model = fc.dense_model((784, 784), seed=0)
    assert (model.get_layer("dense_1").kernel.numpy() != model.get_layer("dense_2").kernel.numpy()).any()


def test_building_leaves_global_random_states_alone():
    def states():
        return (
            random.getstate(),
            np.random.get_state()[1].tolist(),
            tf.random.get_global_generator().state.numpy().tolist(),
        )

    before = states()
    for seed in (0, None):
        fc.cnn_model(batch_norm=True, seed=seed)
        fc.dense_model(dropout=0.5, seed=seed)
    assert states() == before


def test_models_are_kerass_own(tmp_path):
    model = fc.cnn_model((2, 2), batch_norm=True, activation="leaky_relu", seed=0)
    model.save(tmp_path / "plain.keras")
    images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    again = keras.models.load_model(tmp_path / "plain.keras")
    np.testing.assert_array_equal(again(images), model(images))


def test_no_activation_stays_linear():
    """A stack of dense layers without activation is one linear map: doubling the input doubles the logits."""
    model = fc.dense_model((16, 8), activation="linear", seed=0)
    logits = keras.Model(model.inputs[0], model.layers[-2].output)
    images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    np.testing.assert_allclose(logits(images * 2), logits(images) * 2, rtol=1e-4, atol=1e-5)


class TestFlipAveraged:
    def test_it_is_the_mean_of_both_answers(self, fitted, garments):
        images = garments[0][:20]
        averaged = fc.Trainer(fc.flip_averaged(fitted.model))
        expected = (fitted.predict_proba(images) + fitted.predict_proba(images[:, :, ::-1])) / 2
        np.testing.assert_allclose(averaged.predict_proba(images), expected, atol=1e-6)
        np.testing.assert_allclose(averaged.predict_proba(images[:, :, ::-1]), expected, atol=1e-6)

    def test_it_shares_the_weights(self):
        model = fc.dense_model((), seed=0)
        averaged = fc.flip_averaged(model)
        assert averaged.name == model.name
        assert fc.flip_averaged(model, name="both").name == "both"
        assert [id(weight) for weight in averaged.weights] == [id(weight) for weight in model.weights]

    def test_a_model_of_images_without_channel(self, garments):
        layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        averaged = fc.Trainer(fc.flip_averaged(keras.Sequential([keras.Input((28, 28)), *layers])))
        images = garments[0][:5]
        np.testing.assert_allclose(
            averaged.predict_proba(images), averaged.predict_proba(images[:, :, ::-1]), atol=1e-6
        )

    def test_it_can_be_trained(self, garments):
        trainer = fc.Trainer(fc.flip_averaged(fc.dense_model((), seed=0)))
        history = trainer.fit(*garments, epochs=3, seed=0, verbose=0).history
        assert history["loss"][-1] < history["loss"][0]
