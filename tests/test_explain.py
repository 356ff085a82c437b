import threading

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fashionclf as fc
from fashionclf.explain import feature_maps, grad_cam, kernels

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (28, 28), dtype=np.uint8)
KERNEL = RNG.normal(size=(3, 3, 1, 4)).astype(np.float32)
HEAD = RNG.normal(size=(4, 10)).astype(np.float32)
layers = keras.layers


def correlate(image, kernel):
    """What a convolution with zeros around the picture computes: (height, width, filters)."""
    padded = np.pad(image, 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return np.einsum("yxhw,hwf->yxf", windows, kernel[:, :, 0])


SCALED = (PICTURE / 255).astype(np.float32)
MAPS = np.maximum(correlate(SCALED, KERNEL), 0)
PICTURE_INPUT = keras.Input((28, 28, 1))


def normalised(heat):
    heat = np.maximum(heat, 0)
    return heat / heat.max()


def values(model, name):
    """What a layer gives for the picture, by a model that ends there: (height, width, channels)."""
    return keras.Model(model.inputs[0], model.get_layer(name).output)(SCALED[np.newaxis, ..., np.newaxis])[0]


def conv(filters=4, name="conv", **options):
    options = {"padding": "same", "activation": "relu", "use_bias": False, **options}
    return layers.Conv2D(filters, 3, name=name, **options)


def known(*tail, head=HEAD, shape=(28, 28, 1)):
    """A model whose only convolution has the known kernel, and whose last layer has known weights."""
    reshape = [] if len(shape) == 3 else [layers.Reshape((28, 28, 1))]
    activation = "softmax" if head.shape[1] > 1 else "sigmoid"
    body = [*reshape, conv(), *tail, layers.Dense(head.shape[1], activation=activation, name="output")]
    model = keras.Sequential([keras.Input(shape), *body], name="known")
    model.get_layer("conv").set_weights([KERNEL])
    model.get_layer("output").set_weights([head, np.zeros(head.shape[1])])
    return model


@pytest.fixture(scope="module")
def averaging():
    return fc.Trainer(known(layers.GlobalAveragePooling2D()))


# -- feature maps and kernels -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (784,)])
def test_maps_are_the_convolution_computed_by_hand(shape):
    trainer = fc.Trainer(known(layers.GlobalAveragePooling2D(), shape=shape))
    maps = feature_maps(trainer, PICTURE)
    assert list(maps) == ["conv"]
    assert maps["conv"].dtype == np.float32
    np.testing.assert_allclose(maps["conv"], MAPS, atol=1e-5)


def test_one_picture_in_every_form(averaging, every_form):
    expected = feature_maps(averaging, every_form["float32"][0])["conv"]
    for form, images in every_form.items():
        for picture in (images[0], images[:1]):
            np.testing.assert_allclose(feature_maps(averaging, picture)["conv"], expected, atol=1e-6, err_msg=form)


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


def test_channels_first():
    body = [layers.Permute((3, 1, 2)), conv(name="first", data_format="channels_first"), layers.Permute((2, 3, 1))]
    tail = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax", name="output")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *body, *tail])
    model.get_layer("first").set_weights([KERNEL])
    model.get_layer("output").set_weights([HEAD, np.zeros(10)])
    trainer = fc.Trainer(model)
    np.testing.assert_allclose(feature_maps(trainer, PICTURE)["first"], MAPS, atol=1e-5)
    np.testing.assert_allclose(grad_cam(trainer, PICTURE, "Bag"), normalised(MAPS @ HEAD[:, 8]), atol=1e-5)


# -- Grad-CAM ---------------------------------------------------------------------------------------


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
    assert heat.max() == 1 or not heat.any()


# -- models in models -------------------------------------------------------------------------------


def test_flip_averaged_adds_what_both_looks_saw():
    trainer = fc.Trainer(fc.flip_averaged(known(layers.GlobalAveragePooling2D())))
    mirrored = np.maximum(correlate(PICTURE[:, ::-1] / 255, KERNEL), 0)
    expected = normalised((MAPS + mirrored[:, ::-1]) @ HEAD[:, 8])
    np.testing.assert_allclose(grad_cam(trainer, PICTURE, "Bag"), expected, atol=1e-5)
    np.testing.assert_allclose(feature_maps(trainer, PICTURE)["conv"], MAPS, atol=1e-5)
    np.testing.assert_array_equal(kernels(trainer)["conv"], KERNEL)


def test_the_mirrored_picture_has_the_mirrored_map(fitted, garments, tmp_path):
    trainer = fc.Trainer(fc.flip_averaged(fitted.model))
    trainer.save(tmp_path / "twice.keras")
    for each in (trainer, fc.Trainer.load(tmp_path / "twice.keras")):
        for picture in garments[0][:3]:
            heat, again = grad_cam(each, picture), grad_cam(each, picture[:, ::-1])
            np.testing.assert_allclose(again, heat[:, ::-1], atol=1e-5)
            assert heat.max() == 1
    assert np.abs(heat - grad_cam(fitted, picture)).max() > 0.01


def test_deeper_nesting_and_a_mirror_inside_change_nothing(averaging):
    image = keras.Input((28, 28, 1))
    twice = keras.ops.flip(keras.ops.flip(image, axis=-2), axis=2)
    upright = keras.Model(image, averaging.model(twice), name="upright")
    once = keras.Sequential([keras.Input((28, 28, 1)), upright], name="once")
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28)), layers.Reshape((28, 28, 1)), once]))
    np.testing.assert_allclose(grad_cam(trainer, PICTURE), grad_cam(averaging, PICTURE), atol=1e-6)
    mirrored = fc.Trainer(keras.Model(image, averaging.model(keras.ops.flip(image, axis=2))))
    heat = grad_cam(averaging, PICTURE[:, ::-1], "Bag")
    np.testing.assert_allclose(grad_cam(mirrored, PICTURE, "Bag"), heat[:, ::-1], atol=1e-6)
    upside_down = fc.Trainer(keras.Model(image, averaging.model(keras.ops.flip(image, axis=1))))
    np.testing.assert_allclose(grad_cam(upside_down, PICTURE[::-1], "Bag"), grad_cam(averaging, PICTURE, "Bag"))


def test_names_that_repeat_get_their_path():
    image = keras.Input((28, 28, 1))
    members = [fc.cnn_model((4,), units=(), dropout=0, seed=i, name=name) for i, name in enumerate(["left", "right"])]
    answer = layers.Average()([member(image) for member in members])
    trainer = fc.Trainer(keras.Model(image, answer))
    maps = feature_maps(trainer, PICTURE)
    assert list(maps) == list(kernels(trainer)) == ["left/conv_1", "right/conv_1"]
    alone = fc.Trainer(members[0])
    np.testing.assert_allclose(maps["left/conv_1"], feature_maps(alone, PICTURE)["conv_1"], atol=1e-6)
    # what goes into the other's softmax does not depend on these maps
    heat = grad_cam(trainer, PICTURE, "Bag", layer="left/conv_1")
    np.testing.assert_allclose(heat, grad_cam(alone, PICTURE, "Bag"), atol=1e-5)


def test_a_layer_used_again_has_the_last_word():
    image = keras.Input((28, 28, 1))
    shared = layers.Conv2D(1, 3, padding="same", use_bias=False, name="shared")
    x = layers.Flatten()(shared(shared(image)))
    trainer = fc.Trainer(keras.Model(image, layers.Dense(10, activation="softmax")(x)))
    kernel = kernels(trainer)["shared"]
    twice = correlate(correlate(SCALED, kernel)[..., 0], kernel)
    np.testing.assert_allclose(feature_maps(trainer, PICTURE)["shared"], twice, atol=1e-4)


class Block(layers.Layer):
    """A layer of a caller's own, with a convolution inside."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = layers.Conv2D(3, 3, activation="relu")

    def build(self, shape):
        self.inner.build(shape)
        self.built = True

    def call(self, inputs):
        return self.inner(inputs)


def test_a_layer_of_ones_own_is_one_step():
    body = [Block(name="block"), layers.GlobalMaxPooling2D(), layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *body]))
    assert feature_maps(trainer, PICTURE, layers="block")["block"].shape == (26, 26, 3)
    assert grad_cam(trainer, PICTURE, layer="block").shape == (28, 28)
    with pytest.raises(ValueError, match=r"no convolution among its layers.*name such a layer"):
        feature_maps(trainer, PICTURE)


# -- nothing is changed -----------------------------------------------------------------------------


def state(model):
    flat = model._flatten_layers()
    return (
        [weight.tobytes() for weight in model.get_weights()],
        [
            (layer.name, layer.trainable, layer.dtype_policy.name, len(layer._inbound_nodes), layer.built)
            for layer in flat
        ],
        [sorted(vars(layer)) for layer in flat],
        model.compiled,
    )


def test_the_model_stays_as_it_is():
    model = fc.flip_averaged(fc.cnn_model((4,), units=(8,), batch_norm=True, seed=0))
    trainer = fc.Trainer(model)
    before, number = state(model), int(layers.Dense(1).name.rpartition("_")[2])
    random = np.random.get_state()[1].tobytes()
    first = grad_cam(trainer, PICTURE), feature_maps(trainer, PICTURE), kernels(trainer)
    again = grad_cam(trainer, PICTURE), feature_maps(trainer, PICTURE), kernels(trainer)
    assert state(model) == before
    assert np.random.get_state()[1].tobytes() == random
    assert int(layers.Dense(1).name.rpartition("_")[2]) == number + 1
    np.testing.assert_equal(first, again)


def test_layers_infer_and_assign_nothing():
    seen = []

    class Counting(layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(shape=(), trainable=False, initializer="zeros")

        def call(self, inputs, training=None):
            seen.append(training)
            self.calls.assign_add(1)
            return inputs * 1

    body = [Counting(), conv(), layers.Flatten(), layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *body]))
    before = trainer.model.get_weights()[0]
    seen.clear()
    grad_cam(trainer, PICTURE)
    assert seen == [False]
    assert trainer.model.get_weights()[0] == before > 0


def test_it_waits_for_a_training_step(averaging):
    done = threading.Event()
    thread = threading.Thread(target=lambda: (grad_cam(averaging, PICTURE), done.set()))
    with averaging._locks.computing:
        thread.start()
        assert not done.wait(0.1)
    thread.join()
    assert done.is_set()


# -- mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda t: feature_maps(t.model, PICTURE), TypeError, "must be a Trainer"),
        (lambda t: kernels(None), TypeError, "must be a Trainer"),
        (lambda t: grad_cam("cnn", PICTURE), TypeError, "must be a Trainer"),
        (lambda t: grad_cam(t, np.zeros((2, 28, 28))), ValueError, "holds 2 images, expected one"),
        (lambda t: feature_maps(t, np.zeros((27, 28))), ValueError, r"`image` has shape \(27, 28\)"),
        (lambda t: feature_maps(t, np.full((28, 28), 2.0)), ValueError, "divide by 255"),
        (lambda t: feature_maps(t, None), TypeError, "`image`"),
        (lambda t: grad_cam(t, PICTURE, "Sandals"), ValueError, "class_name 'Sandals'. Did you mean 'Sandal'"),
        (lambda t: grad_cam(t, PICTURE, 5), TypeError, "`class_name` must be a string"),
        (lambda t: grad_cam(t, PICTURE, layer="conv1"), ValueError, "layer 'conv1'. Did you mean 'conv'"),
        (lambda t: grad_cam(t, PICTURE, layer=["conv"]), TypeError, "`layer` must be a string"),
        (lambda t: grad_cam(t, PICTURE, layer="output"), ValueError, "Layer 'output' gives no maps"),
        (lambda t: grad_cam(t, PICTURE, average_gradients=1), TypeError, "`average_gradients` must be True or False"),
        (lambda t: feature_maps(t, PICTURE, layers=["output"]), ValueError, "Layer 'output' gives no maps"),
        (lambda t: feature_maps(t, PICTURE, layers=3), TypeError, "`layers` must be names"),
        (lambda t: feature_maps(t, PICTURE, layers=[3]), TypeError, "`layer` must be a string"),
        (lambda t: feature_maps(t, PICTURE, layers=[]), ValueError, "`layers` is empty"),
        (lambda t: kernels(t, layers="output"), ValueError, "Unknown layer 'output'.*one of 'conv'"),
    ],
)
def test_mistakes_are_named(averaging, call, error, text):
    with pytest.raises(error, match=text):
        call(averaging)


def test_a_model_without_convolutions(small_trainer):
    trainer = small_trainer()
    for call in (lambda: kernels(trainer), lambda: feature_maps(trainer, PICTURE), lambda: grad_cam(trainer, PICTURE)):
        with pytest.raises(ValueError, match=r"no convolution among its layers.*cnn_model"):
            call()


def test_a_model_without_a_graph():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = known(layers.GlobalAveragePooling2D())

        def call(self, inputs):
            return self.inner(inputs)

    trainer = fc.Trainer(Own())
    for call in (lambda: kernels(trainer), lambda: feature_maps(trainer, PICTURE), lambda: grad_cam(trainer, PICTURE)):
        with pytest.raises(ValueError, match=r"\(Own\) is not a graph of layers.*keras.Model\(inputs, outputs\)"):
            call()


def test_weights_that_are_not_numbers():
    trainer = fc.Trainer(known(layers.GlobalAveragePooling2D()))
    trainer.model.get_layer("conv").set_weights([KERNEL * np.nan])
    with pytest.raises(ValueError, match="computes NaN or infinity"):
        grad_cam(trainer, PICTURE)


def test_names_must_be_known_to_be_asked_for():
    trainer = fc.Trainer(known(layers.GlobalAveragePooling2D(), head=HEAD[:, :3]))
    assert grad_cam(trainer, PICTURE).shape == (28, 28)
    with pytest.raises(ValueError, match="class names are not known"):
        grad_cam(trainer, PICTURE, "Bag")
