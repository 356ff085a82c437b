"""Feature maps and filters."""

import keras
import numpy as np
import pytest
from samples.explain import KERNEL, MAPS, PICTURE, SCALED, conv, correlate, known, layers

import fashionclf as fc
from fashionclf.explain import feature_maps, grad_cam, kernels

PICTURE_INPUT = keras.Input((28, 28, 1))


def values(model, name):
    """What a layer gives for the image, by a model that ends there: (height, width, channels)."""
    return keras.Model(model.inputs[0], model.get_layer(name).output)(SCALED[np.newaxis, ..., np.newaxis])[0]


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (784,)])
def test_maps_are_the_convolution_computed_by_hand(shape):
    trainer = fc.Trainer(known(layers.GlobalAveragePooling2D(), shape=shape))
    maps = feature_maps(trainer, PICTURE)
    assert list(maps) == ["conv"]
    assert maps["conv"].dtype == np.float32
    np.testing.assert_allclose(maps["conv"], MAPS, atol=1e-5)


def test_one_image_in_every_form(averaging, every_form):
    expected = feature_maps(averaging, every_form["float32"][0])["conv"]
    for form, images in every_form.items():
        for image in (images[0], images[:1]):
            np.testing.assert_allclose(feature_maps(averaging, image)["conv"], expected, atol=1e-6, err_msg=form)


def test_maps_are_taken_behind_the_activation(fitted):
    maps = feature_maps(fitted, PICTURE)
    assert {name: array.shape for name, array in maps.items()} == {"conv_1": (28, 28, 8), "conv_2": (14, 14, 16)}
    for name, array in maps.items():
        np.testing.assert_allclose(array, values(fitted.model, f"{name}_relu"), atol=1e-5)


@pytest.mark.parametrize(
    "activation",
    [
        lambda x: layers.ReLU()(layers.BatchNormalization()(x)),
        lambda x: layers.LeakyReLU()(layers.MaxPooling2D(2)(x)),
        lambda x: layers.PReLU()(layers.Dropout(0.5)(layers.Activation("linear")(x))),
        lambda x: layers.Activation("gelu")(layers.Add()([x, layers.Rescaling(2.0)(PICTURE_INPUT)])),
        lambda x: keras.ops.relu(layers.AveragePooling2D(2)(x)),
        lambda x: keras.activations.leaky_relu(x + PICTURE_INPUT),
    ],
)
def test_what_may_stand_before_the_activation(activation):
    first = conv(name="first", activation=None)(PICTURE_INPUT)
    x = activation(first)
    trainer = fc.Trainer(keras.Model(PICTURE_INPUT, layers.Dense(10, activation="softmax")(layers.Flatten()(x))))
    expected = keras.Model(PICTURE_INPUT, x)(SCALED[np.newaxis, ..., np.newaxis])[0]
    np.testing.assert_allclose(feature_maps(trainer, PICTURE)["first"], expected, atol=1e-5)


@pytest.mark.parametrize(
    "following",
    [
        lambda x: layers.Flatten()(x),
        lambda x: layers.ReLU()(conv(activation=None)(x)),
        lambda x: layers.ReLU()(layers.Dense(4)(x)),
        lambda x: layers.ReLU()(layers.Concatenate()([x, PICTURE_INPUT])),
        lambda x: layers.Add()([x, layers.ReLU()(x)]),
        lambda x: layers.Add()([layers.ReLU()(layers.Dropout(0.5)(x)), x]),
        lambda x: layers.ReLU()(layers.Flatten()(x)),
    ],
)
def test_what_leads_to_no_activation_gives_its_own_output(following):
    x = layers.Flatten()(following(conv(name="first", activation=None)(PICTURE_INPUT)))
    trainer = fc.Trainer(keras.Model(PICTURE_INPUT, layers.Dense(10, activation="softmax")(x)))
    expected = correlate(SCALED, kernels(trainer)["first"])
    np.testing.assert_allclose(feature_maps(trainer, PICTURE)["first"], expected, atol=1e-5)


def test_a_residual_block_gives_its_sum():
    trainer = fc.Trainer.from_preset("cnn_accurate", seed=0)
    expected = values(trainer.model, "block_1_conv_2_relu")
    np.testing.assert_allclose(feature_maps(trainer, PICTURE)["block_1_conv_2"], expected, atol=1e-4)


def test_other_layers_by_name_give_their_output(fitted):
    maps = feature_maps(fitted, PICTURE, layers=["pool_2", "conv_1"])
    assert [(name, array.shape) for name, array in maps.items()] == [("pool_2", (7, 7, 16)), ("conv_1", (28, 28, 8))]
    alone = feature_maps(fitted, PICTURE, layers="pool_2")
    np.testing.assert_array_equal(alone["pool_2"], maps["pool_2"])


def test_kernels_are_copies(averaging):
    filters = kernels(averaging)["conv"]
    np.testing.assert_array_equal(filters, KERNEL)
    filters[:] = 0
    np.testing.assert_array_equal(kernels(averaging, layers=["conv"])["conv"], KERNEL)


def test_every_kind_of_convolution():
    body = [
        layers.Conv2D(4, 3, activation="relu", name="plain"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="depthwise"),
        layers.SeparableConv2D(6, (3, 2), depth_multiplier=2, use_bias=False, name="separable"),
        layers.Conv2DTranspose(5, 2, strides=2, name="transposed"),
        layers.Conv2D(5, 1, groups=5, name="groups"),
    ]
    tail = [layers.GlobalMaxPooling2D(), layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *body, *tail]))
    filters, maps = kernels(trainer), feature_maps(trainer, PICTURE)
    assert {name: array.shape for name, array in filters.items()} == {
        "plain": (3, 3, 1, 4),
        "depthwise": (3, 3, 4, 2),
        "separable": (3, 2, 8, 6),
        "transposed": (2, 2, 6, 5),
        "groups": (1, 1, 1, 5),
    }
    assert all(array.dtype == np.float32 for array in (*filters.values(), *maps.values()))
    whole = keras.ops.conv(maps["depthwise"][np.newaxis], filters["separable"])[0]
    np.testing.assert_allclose(maps["separable"], whole, atol=1e-4)
    heat = grad_cam(trainer, PICTURE)
    assert heat.shape == (28, 28)
