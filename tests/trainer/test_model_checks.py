"""Models that a Trainer refuses."""

import keras
import pytest

import fashionclf as fc


@pytest.mark.parametrize("kind", ["layer", "nested", "before a nested model", "division", "normalisation", "subclass"])
def test_a_model_that_divides_by_255_is_refused(kind):
    head = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    image = keras.Input((28, 28, 1))
    if kind == "layer":
        model = keras.Sequential([image, keras.layers.Rescaling(1 / 255), *head])
    elif kind == "nested":
        model = keras.Sequential([image, keras.Sequential([keras.layers.Rescaling(1 / 127.5, offset=-1)]), *head])
    elif kind == "before a nested model":
        model = keras.Sequential([image, keras.layers.Rescaling(1 / 255), keras.Sequential(head)])
    elif kind == "division":
        model = keras.Model(image, head[1](head[0](image / 255.0)))
    elif kind == "normalisation":
        model = keras.Sequential([image, keras.layers.Normalization(mean=72.9, variance=8100.0), *head])
    else:

        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.scaling, self.flat, self.out = keras.layers.Rescaling(1 / 255), *head

            def call(self, inputs):
                return self.out(self.flat(self.scaling(inputs)))

        model = Own()
    with pytest.raises(ValueError, match=r"Rescaling\(255\)"):
        fc.Trainer(model)
    if kind != "subclass":  # the way out that the message names
        fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(255.0), model]))


def test_other_scalings_are_fine():
    for scaling in (keras.layers.Rescaling(2.0, offset=-1), keras.layers.Normalization(mean=0.29, variance=0.12)):
        head = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), scaling, *head]))


def test_tensorflow_backend_is_checked(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        fc.Trainer(fc.dense_model(()))
