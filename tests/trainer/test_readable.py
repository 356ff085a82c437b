"""`save`, pickles and checkpoints prove that custom layers can be read back, or say what to add."""

import pickle
import random

import keras
import numpy as np
import pytest
from samples.trainer import QUIET

import fashionclf as fc

Dense = keras.layers.Dense


class Subclass(keras.Model):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.flatten, self.hidden, self.out = keras.layers.Flatten(), Dense(units), Dense(10, activation="softmax")

    def call(self, inputs):
        return self.out(self.hidden(self.flatten(inputs)))


class OfTutorials(Subclass):
    def __init__(self):
        super().__init__()


class Bent(Subclass):
    """Keras writes the default of `power`, whatever was given."""

    def __init__(self, power=1, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def call(self, inputs):
        return super().call(inputs**self.power)


class Whole(Subclass):
    def __init__(self, units=4, **kwargs):
        super().__init__(units, **kwargs)
        self.units = units

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Bare(keras.layers.Layer):
    def __init__(self):
        super().__init__()

    def call(self, inputs):
        return inputs * 2


class Lacking(keras.layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return super().get_config()


class Automatic(keras.layers.Layer):
    """Keras writes its arguments by itself."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = Dense(units)

    def call(self, inputs):
        return self.dense(inputs)


class Holder(keras.layers.Layer):
    """A layer that holds other layers."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)

    def get_config(self):
        return {**super().get_config(), "inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "inner": keras.saving.deserialize_keras_object(config["inner"])})


class Scaled(keras.layers.Layer):
    """Has state beside its weights, which Keras keeps in the file."""

    scale = 1.0

    def call(self, inputs):
        return inputs * self.scale

    def save_own_variables(self, store):
        store["scale"] = np.array([self.scale], np.float32)

    def load_own_variables(self, store):
        self.scale = float(store["scale"][0])


class Always(keras.layers.Dropout):
    """Drops at inference too (Monte Carlo dropout)."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


class Loss(keras.losses.Loss):
    def __init__(self):
        super().__init__()

    def call(self, y_true, y_pred):
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


def rectified(x):
    return keras.ops.abs(x)


def with_layers(*layers):
    return keras.Sequential([keras.Input((784,)), *layers, Dense(10, activation="softmax")])


def functional(layer):
    inputs = keras.Input((784,))
    return keras.Model(inputs, Dense(10, activation="softmax")(layer(inputs)))


def sharing():
    shared = Dense(784)
    return with_layers(Holder(shared), Holder(shared))


def scaled():
    layer = Scaled()
    layer.scale = 0.25
    return with_layers(layer)


def normalized():
    layer = keras.layers.Normalization()
    layer.adapt(np.random.default_rng(0).random((50, 784)) + 1)
    return with_layers(layer, Automatic(4))


BARE = r"Bare.*`__init__`.*`\*\*kwargs`.*`get_config`"
REFUSED = {
    "a model without **kwargs": (OfTutorials, {}, "OfTutorials.*'trainable'"),
    "a layer without **kwargs": (lambda: with_layers(Bare()), {}, BARE),
    "the same in a graph": (lambda: functional(Bare()), {}, BARE),
    "the same within a layer": (lambda: with_layers(Holder(Bare())), {}, BARE),
    "an argument is missing": (lambda: with_layers(Lacking(3)), {}, "Lacking.*'factor'"),
    "an argument falls back": (lambda: Subclass(8), {}, "other shapes"),
    "the same with equal shapes": (lambda: Bent(3), {}, "other probabilities"),
    "a shared layer": (sharing, {}, "other shapes"),  # Keras itself cannot load it
    "a loss without **kwargs": (with_layers, {"loss": Loss()}, "Loss.*'name'"),
    "a lambda loss": (with_layers, {"loss": lambda y, p: keras.losses.mse(y, p)}, "not load a lambda function"),
    "a lambda activation": (lambda: with_layers(Dense(4, activation=lambda x: x)), {}, "not load a lambda function"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_be_read_back_is_not_written(name, tmp_path):
    make, options, words = REFUSED[name]
    trainer = fc.Trainer(make(), **options)
    with pytest.raises(ValueError, match=words) as caught:
        trainer.save(tmp_path / "a.keras")
    assert len(str(caught.value)) < 700
    assert "save_weights" in str(caught.value)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=words):
        pickle.dumps(trainer)


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called:UserWarning")  # Keras, of layers without `build`
@pytest.mark.parametrize(
    "make",
    [
        Subclass,
        lambda: Whole(8),
        lambda: with_layers(Automatic(4)),
        lambda: functional(Holder(Automatic(4))),
        lambda: with_layers(Always(0.5, seed=1)),
        lambda: with_layers(Dense(4, activation=rectified)),
        scaled,
        normalized,
    ],
    ids=["subclass", "get_config", "automatic", "nested", "random", "activation", "state", "adapted"],
)
def test_what_can_be_read_back_is_written(make, garments, tmp_path):
    trainer, state = fc.Trainer(make()), random.getstate()
    before = [variable.numpy() for variable in trainer.model.variables]
    trainer.save(tmp_path / "a.keras")
    assert random.getstate() == state
    for variable, value in zip(trainer.model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    own = {each.__name__: each for each in (Subclass, Whole, Automatic, Holder, Always, Scaled, rectified)}
    again = fc.Trainer.load(tmp_path / "a.keras", custom_objects=own)
    images = garments[0][:5]
    np.testing.assert_array_equal(again.predict_proba(images), trainer.predict_proba(images))


def test_a_checkpoint_is_refused_before_the_first_step(garments, tmp_path):
    trainer = fc.Trainer(with_layers(Bare()))
    before = trainer.model.get_weights()
    with pytest.raises(ValueError, match="Bare"):
        trainer.fit(*garments, validation_split=0.2, checkpoint=tmp_path / "a.keras", **QUIET)
    np.testing.assert_array_equal(trainer.model.get_weights()[0], before[0])


def test_the_weights_of_a_wrong_class_can_be_kept(garments, tmp_path):
    trainer = fc.Trainer(OfTutorials())
    trainer.model.save_weights(tmp_path / "boots.weights.h5")
    corrected = Subclass()
    again = fc.Trainer(corrected)
    corrected.load_weights(tmp_path / "boots.weights.h5")
    images = garments[0][:5]
    np.testing.assert_array_equal(again.predict_proba(images), trainer.predict_proba(images))


def test_models_of_keras_alone_are_not_built_again(small_trainer, tmp_path, monkeypatch):
    from fashionclf.trainer import _file

    monkeypatch.setattr(_file, "_built_again", None)
    small_trainer().save(tmp_path / "a.keras")


def test_a_missing_object_is_named_with_what_to_pass(tmp_path):
    fc.Trainer(with_layers(Automatic(4))).save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match=r"a\.keras' needs 'Automatic'.*`custom_objects=\{\"Automatic\": Automatic\}`"):
        fc.Trainer.load(tmp_path / "a.keras")
    fc.Trainer(with_layers(Dense(4, activation=rectified))).save(tmp_path / "c.keras")
    with pytest.raises(ValueError, match=r"needs 'rectified'.*custom_objects"):
        fc.Trainer.load(tmp_path / "c.keras")
