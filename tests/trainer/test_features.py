"""Frozen layers: their features are computed once, and `freeze_epochs` trains the last layer alone."""

import keras
import numpy as np
import pytest

import fashionclf as fc
from fashionclf.trainer import _features, _resume


def frozen_cnn(**options):
    model = fc.cnn_model((4, 4), units=(8,), dropout=0.4, batch_norm=True, seed=0, **options)
    for layer in model.layers:
        layer.trainable = layer.name.startswith(("dense", "output"))
    return model


@pytest.fixture
def computed(monkeypatch):
    """The shapes of the features that were computed."""
    shapes, compute = [], _features._features

    def recorded(*arguments):
        features = compute(*arguments)
        shapes.append(features.shape)
        return features

    monkeypatch.setattr(_features, "_features", recorded)
    return shapes


def test_kept_features_change_no_bit(garments, computed, monkeypatch):
    images, labels = garments[0][:100], garments[1][:100]
    weights = []
    for callbacks, room in (((), 2**31), ((), 0), ([keras.callbacks.Callback()], 0)):
        monkeypatch.setattr(_features, "_IN_MEMORY", room)  # 0: in a file
        trainer = fc.Trainer(frozen_cnn(), recipe=fc.Recipe(precision="float32", label_smoothing=0.1))
        options = {"epochs": 2, "seed": 0, "verbose": 0, "callbacks": callbacks}
        history = trainer.fit(images, labels, validation_split=0.2, early_stopping=5, **options)
        weights.append([*trainer.model.get_weights(), np.array(history.history["val_loss"])])
        assert trainer.model.compiled
    assert computed == [(80, 196), (20, 196)] * 2  # not if a callback of one's own sees the model
    for first, *others in zip(*weights, strict=True):
        for other in others:
            np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize(
    ("recipe", "freeze"),
    [
        ({"augmentation": fc.Augmentation()}, 8),
        ({"cutmix": 0.5}, 8),
        ({}, 1),  # the first convolution gives more numbers than there are pixels
    ],
)
def test_features_are_not_kept_where_it_does_not_help(garments, computed, recipe, freeze):
    model = fc.cnn_model((4, 4), units=(8,), batch_norm=True, seed=0)
    for layer in model.layers[:freeze]:
        layer.trainable = False
    fc.Trainer(model, recipe=fc.Recipe(**recipe)).fit(garments[0][:20], garments[1][:20], epochs=1, verbose=0)
    assert not computed


@pytest.mark.parametrize("wrap", [lambda model: model, fc.flip_averaged], ids=["plain", "flip-averaged"])
def test_freeze_epochs_train_the_last_layer_first(garments, computed, wrap):
    images, labels = garments[0][:60], garments[1][:60]
    recipe = fc.Recipe(freeze_epochs=3, learning_rate=1e-3, augmentation=fc.Augmentation(max_shift=0))
    trainer = fc.Trainer(wrap(fc.cnn_model((4,), units=(8,), seed=0)), recipe=recipe)
    inner = trainer.model if len(trainer.model.layers) > 4 else trainer.model.layers[1]
    before = [layer.get_weights() for layer in inner.layers]
    history = trainer.fit(images, labels, epochs=0, seed=0, verbose=0)
    assert len(history.history["loss"]) == 3
    assert computed == [(120, 8)]  # flipped ones too
    changed = [
        any((old != new).any() for old, new in zip(weights, layer.get_weights(), strict=True))
        for weights, layer in zip(before, inner.layers, strict=True)
    ]
    assert changed == [False] * (len(changed) - 1) + [True]
    assert all(layer.trainable for layer in inner.layers)
    history = trainer.fit(images, labels, epochs=2, seed=0, verbose=0)
    assert len(history.history["loss"]) == 2  # of the epochs after
    assert (inner.layers[0].get_weights()[0] != before[0][0]).any()


@pytest.mark.parametrize("epochs", [0, 2], ids=["last layer", "all after the frozen ones"])
def test_either_stage_can_be_interrupted(garments, tmp_path, monkeypatch, computed, epochs):
    images, labels = garments[0][:60], garments[1][:60]

    def trained(**options):
        recipe = fc.Recipe(freeze_epochs=2, learning_rate=1e-3, schedule="one_cycle", precision="float32")
        model = fc.dense_model((8, 8), dropout=0.4, batch_norm=True, seed=0)
        for layer in model.layers:
            layer.trainable = not layer.name.startswith("dense_1")
        trainer = fc.Trainer(model, recipe=recipe)
        trainer.fit(images, labels, epochs=epochs, seed=1, verbose=0, **options)
        return trainer

    whole, file = trained(), tmp_path / "state.npz"
    write = _resume.TrainingState.on_epoch_end

    def interrupted(self, epoch, logs=None):
        write(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_resume.TrainingState, "on_epoch_end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(resume=file)
    assert file.exists()
    again = trained(resume=file)
    assert computed
    for a, b in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_of_the_last_layer_freezes_nothing(garments, tmp_path):
    trainer = fc.Trainer(fc.dense_model((8,), seed=0), recipe=fc.Recipe(freeze_epochs=1))
    options = {"validation_split": 0.2, "checkpoint": tmp_path / "a.keras"}
    trainer.fit(garments[0][:60], garments[1][:60], epochs=0, seed=0, verbose=0, **options)
    loaded = fc.Trainer.load(tmp_path / "a.keras")
    assert all(layer.trainable for layer in loaded.model.layers)


def test_the_optimizer_goes_on(garments, computed):
    images, labels = garments[0][:40], garments[1][:40]
    trainer = fc.Trainer(frozen_cnn(), optimizer=keras.optimizers.Adam(1e-3))
    for _ in range(2):
        trainer.fit(images, labels, epochs=1, seed=0, verbose=0)
    assert len(computed) == 2
    assert int(trainer.model.optimizer.iterations) == 4


def test_layers_that_return_what_they_get(garments, computed):
    image = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(4, 3, strides=4, trainable=False)(image)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Identity()(x))
    x = keras.layers.Dropout(0.5, seed=0)(keras.layers.Activation("linear")(x))
    outputs = keras.layers.Softmax()(keras.layers.Dense(10)(x))
    trainer = fc.Trainer(keras.Model(image, outputs), recipe=fc.Recipe(freeze_epochs=1, epochs=1))
    trainer.fit(garments[0][:40], garments[1][:40], seed=0, verbose=0)
    assert computed == [(40, 4), (40, 4)]


def test_steps_with_several_outputs_are_trained(garments, computed):
    image = keras.Input((28, 28, 1))
    first = keras.layers.Conv2D(4, 3, strides=4)
    x = keras.ops.split(first(image), 2, axis=-1)[0]
    x = keras.layers.Conv2D(4, 3, trainable=False)(x)
    outputs = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(x))
    trainer = fc.Trainer(keras.Model(image, outputs))
    before = first.get_weights()[0]
    trainer.fit(garments[0][:40], garments[1][:40], epochs=1, seed=0, verbose=0)
    assert not computed
    assert (first.get_weights()[0] != before).any()


def test_a_stream_and_a_model_of_ones_own(garments):
    images, labels = garments[0][:40], garments[1][:40]
    batches = [(images[:20], labels[:20]), (images[20:], labels[20:])]

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, number):
            return batches[number]

    recipe = fc.Recipe(freeze_epochs=1, epochs=1)
    trainer = fc.Trainer(fc.dense_model((8,), seed=0), recipe=recipe)
    first = trainer.model.get_weights()[0]
    trainer.fit(Batches(), epochs=0, verbose=0)
    np.testing.assert_array_equal(trainer.model.get_weights()[0], first)

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = fc.dense_model((), seed=0)

        def call(self, images):
            return self.inner(images)

    with pytest.raises(ValueError, match="freeze_epochs=0"):
        fc.Trainer(Own(), recipe=recipe, image_converter=fc.photographs.ImageConverter()).fit(images, labels, verbose=0)
