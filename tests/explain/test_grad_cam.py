"""Grad-CAM."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from samples.explain import HEAD, KERNEL, MAPS, PICTURE, conv, known, layers, normalised

import fashionclf as fc
from fashionclf.explain import feature_maps, grad_cam


@pytest.mark.parametrize("pooling", [layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D])
@pytest.mark.parametrize("label", range(10))
def test_heat_is_the_class_activation_map(pooling, label):
    # both pools hand each map's weight to its places, a share or one place all of it: on average the same
    trainer = fc.Trainer(known(pooling()))
    heat = grad_cam(trainer, PICTURE, fc.CLASS_NAMES[label])
    assert heat.dtype == np.float32
    np.testing.assert_allclose(heat, normalised(MAPS @ HEAD[:, label] / 28**2), atol=1e-5)


def test_the_predicted_class_is_explained_by_default(averaging):
    predicted = averaging.predict(PICTURE)[0].class_name
    np.testing.assert_array_equal(grad_cam(averaging, PICTURE), grad_cam(averaging, PICTURE, predicted))


def test_dense_layers_on_every_place():
    head = np.random.default_rng(1).random((28 * 28 * 4, 10), dtype=np.float32) - np.float32(0.4)
    heat = grad_cam(fc.Trainer(known(layers.Flatten(), head=head)), PICTURE, "Coat")
    weights = head[:, 4].reshape(28, 28, 4).mean(axis=(0, 1))
    np.testing.assert_allclose(heat, normalised(MAPS @ weights), atol=1e-4)


def test_without_averaging_every_place_has_its_own_weight(averaging):
    head = np.random.default_rng(1).random((28 * 28 * 4, 10), dtype=np.float32) - np.float32(0.4)
    dense = fc.Trainer(known(layers.Flatten(), head=head))
    heat = grad_cam(dense, PICTURE, "Coat", average_gradients=False)
    weights = head[:, 4].reshape(28, 28, 4)
    np.testing.assert_allclose(heat, normalised((MAPS * weights).sum(axis=-1)), atol=1e-5)
    # after a mean over all places, every place has the same gradient
    heat = grad_cam(averaging, PICTURE, "Bag", average_gradients=False)
    np.testing.assert_allclose(heat, grad_cam(averaging, PICTURE, "Bag"), atol=1e-5)


def test_small_maps_are_enlarged_bilinearly():
    heat = grad_cam(fc.Trainer(known(layers.MaxPooling2D(2, name="pool"), layers.GlobalAveragePooling2D())), PICTURE,
                    "Bag", layer="pool")  # fmt: skip
    small = np.maximum(MAPS.reshape(14, 2, 14, 2, 4).max(axis=(1, 3)) @ HEAD[:, 8], 0)
    centres = (np.arange(28) + 0.5) / 2 - 0.5
    wide = np.array([np.interp(centres, np.arange(14), row) for row in small])
    tall = np.array([np.interp(centres, np.arange(14), column) for column in wide.T]).T
    np.testing.assert_allclose(heat, normalised(tall), atol=1e-5)


def test_one_sigmoid_unit_speaks_for_two_classes():
    head = HEAD[:, :1]
    trainer = fc.Trainer(known(layers.GlobalAveragePooling2D(), head=head), class_names=["top", "rest"])
    np.testing.assert_allclose(grad_cam(trainer, PICTURE, "rest"), normalised(MAPS @ head[:, 0]), atol=1e-5)
    np.testing.assert_allclose(grad_cam(trainer, PICTURE, "top"), normalised(-MAPS @ head[:, 0]), atol=1e-5)
    predicted = trainer.predict(PICTURE)[0].class_name
    np.testing.assert_array_equal(grad_cam(trainer, PICTURE), grad_cam(trainer, PICTURE, predicted))


def test_a_sure_model_is_explained_too():
    trainer = fc.Trainer(known(layers.GlobalAveragePooling2D(), head=HEAD * 1e5))
    name = trainer.predict(PICTURE)[0].class_name
    assert trainer.predict(PICTURE)[0].probability == 1
    heat = grad_cam(trainer, PICTURE)
    np.testing.assert_allclose(heat, normalised(MAPS @ HEAD[:, fc.CLASS_NAMES.index(name)]), atol=1e-5)


@pytest.mark.parametrize("last", [layers.Activation("softmax"), layers.Softmax()])
def test_softmax_as_a_layer_of_its_own(last):
    body = [conv(), layers.GlobalAveragePooling2D(), layers.Dense(10, name="output"), last]
    model = keras.Sequential([keras.Input((28, 28, 1)), *body])
    model.get_layer("conv").set_weights([KERNEL])
    model.get_layer("output").set_weights([HEAD, np.zeros(10)])
    np.testing.assert_allclose(grad_cam(fc.Trainer(model), PICTURE, "Bag"), normalised(MAPS @ HEAD[:, 8]), atol=1e-5)


@pytest.mark.parametrize("units", [1, 10])
def test_without_logits_it_is_the_logarithm_of_the_probability(units):
    model = known(layers.GlobalAveragePooling2D(), head=HEAD[:, :units])
    hidden = keras.Sequential([keras.Input((28, 28, 1)), model, layers.Rescaling(1.0)])
    trainer = fc.Trainer(hidden, class_names=None if units > 1 else ["top", "Bag"])
    heat = grad_cam(trainer, PICTURE, "Bag")
    weights = HEAD[:, 0] if units == 1 else HEAD[:, 8] - HEAD @ trainer.predict_proba(PICTURE)[0]
    np.testing.assert_allclose(heat, normalised(MAPS @ weights), atol=1e-4)


def test_nothing_for_a_class_is_all_zero(averaging):
    heat = grad_cam(averaging, np.zeros((28, 28)))
    np.testing.assert_array_equal(heat, np.zeros((28, 28), np.float32))
    against = fc.Trainer(known(layers.GlobalAveragePooling2D(), head=-np.abs(HEAD)))
    assert not grad_cam(against, PICTURE, "Bag").any()


def test_a_convolution_of_one_place_is_passed_over():
    body = [conv(name="wide"), layers.DepthwiseConv2D(28, name="whole"), layers.Flatten()]
    model = keras.Sequential([keras.Input((28, 28, 1)), *body, layers.Dense(10, activation="softmax")])
    trainer = fc.Trainer(model)
    np.testing.assert_array_equal(grad_cam(trainer, PICTURE, "Bag"), grad_cam(trainer, PICTURE, "Bag", layer="wide"))
    assert np.ptp(grad_cam(trainer, PICTURE, "Bag", layer="whole")) == 0
    assert feature_maps(trainer, PICTURE)["whole"].shape == (1, 1, 4)


@settings(max_examples=30, deadline=None)
@given(image=arrays(np.uint8, (28, 28)), label=st.integers(0, 9), layer=st.sampled_from([None, "conv_1", "pool_2"]))
def test_heat_lies_between_0_and_1(fitted, image, label, layer):
    heat = grad_cam(fitted, image, fitted.class_names[label], layer=layer)
    assert heat.shape == (28, 28)
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    assert heat.max() in (0, 1)  # no place may speak for the class


@pytest.mark.parametrize("layer", [None, "conv_1", "pool_2"])
def test_something_speaks_for_the_predicted_class(fitted, garments, layer):
    assert [grad_cam(fitted, image, layer=layer).max() for image in garments[0][:20]] == [1] * 20
