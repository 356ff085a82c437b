"""Models in models, and what explaining leaves alone."""

import threading

import keras
import numpy as np
import pytest
from samples.explain import HEAD, KERNEL, MAPS, PICTURE, SCALED, conv, correlate, known, layers, normalised

import fashionclf as fc
from fashionclf.explain import feature_maps, grad_cam, kernels


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


def test_flip_averaged_adds_what_both_looks_saw():
    trainer = fc.Trainer(fc.flip_averaged(known(layers.GlobalAveragePooling2D())))
    mirrored = np.maximum(correlate(PICTURE[:, ::-1] / 255, KERNEL), 0)
    expected = normalised((MAPS + mirrored[:, ::-1]) @ HEAD[:, 8])
    np.testing.assert_allclose(grad_cam(trainer, PICTURE, "Bag"), expected, atol=1e-5)
    np.testing.assert_allclose(feature_maps(trainer, PICTURE)["conv"], MAPS, atol=1e-5)
    np.testing.assert_array_equal(kernels(trainer)["conv"], KERNEL)


def test_the_mirrored_image_has_the_mirrored_map(fitted, garments, tmp_path):
    trainer = fc.Trainer(fc.flip_averaged(fitted.model))
    trainer.save(tmp_path / "twice.keras")
    for each in (trainer, fc.Trainer.load(tmp_path / "twice.keras")):
        for image in garments[0][:3]:
            heat, again = grad_cam(each, image), grad_cam(each, image[:, ::-1])
            np.testing.assert_allclose(again, heat[:, ::-1], atol=1e-5)
            assert heat.max() == 1
    assert np.abs(heat - grad_cam(fitted, image)).max() > 0.01


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
    predicted = layers.Average()([member(image) for member in members])
    trainer = fc.Trainer(keras.Model(image, predicted))
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


def test_a_layer_of_ones_own_is_one_step():
    body = [Block(name="block"), layers.GlobalMaxPooling2D(), layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *body]))
    assert feature_maps(trainer, PICTURE, layers="block")["block"].shape == (26, 26, 3)
    assert grad_cam(trainer, PICTURE, layer="block").shape == (28, 28)
    with pytest.raises(ValueError, match=r"no convolution among its layers.*name such a layer"):
        feature_maps(trainer, PICTURE)


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


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda t: feature_maps(t.model, PICTURE), TypeError, "must be a Trainer"),
        (lambda t: kernels(None), TypeError, "must be a Trainer"),
        (lambda t: grad_cam("cnn", PICTURE), TypeError, "must be a Trainer"),
        (lambda t: grad_cam(t, np.zeros((2, 28, 28))), ValueError, "holds 2 images, expected one"),
        (lambda t: feature_maps(t, np.zeros((27, 28))), ValueError, r"`image` has shape \(27, 28\)"),
        (lambda t: feature_maps(t, np.full((28, 28), 9.0)), ValueError, "divide by 255"),
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
