"""Canary tests: each says in words which private part of Keras has changed, and shows the way back from it."""

import warnings

import keras
import numpy as np
import pytest

import fashionclf as fc
from fashionclf import _keras_internals as internals
from fashionclf.models._trace import Trace

IMAGE = np.random.default_rng(0).random((1, 28, 28, 1), dtype=np.float32)


def convolution():
    layers = keras.layers
    body = [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dropout(0.5, seed=1)]
    return keras.Sequential([keras.Input((28, 28, 1)), *body, layers.Dense(10, activation="softmax")])


class Holder(keras.layers.Layer):
    """A layer of a caller's, which holds another one."""

    def __init__(self):
        super().__init__()
        self.inner = keras.layers.Dense(3)

    def call(self, inputs):
        return self.inner(inputs)


class Bare:
    """What Keras's objects would be without the private parts: only the public attributes of another object."""

    def __init__(self, other, *public):
        for name in public:
            setattr(self, name, getattr(other, name))


# -- canaries: Keras still has what is relied on ---------------------------------------------------


def test_flatten_layers_finds_layers_that_layers_hold():
    holder = Holder()
    assert internals.all_layers(holder) == [holder, holder.inner], "Layer._flatten_layers no longer finds held layers"
    assert internals.all_layers(holder, include_self=False) == [holder.inner]
    assert internals.holds_layers(holder)
    assert not internals.holds_layers(holder.inner)


def test_keras_own_objects_come_from_modules_named_keras():
    own = (keras.layers.Dense(1), keras.losses.get("mse"), keras.metrics.AUC(), keras.losses.CategoricalCrossentropy())
    assert all(map(internals.is_builtin, own)), "Keras's classes and functions no longer live in modules `keras.*`"
    assert not internals.is_builtin(Holder())
    assert not internals.is_builtin(len)


def test_keras_names_what_it_does_not_find():
    config = keras.saving.serialize_keras_object(Holder())
    with pytest.raises(TypeError) as caught:
        keras.saving.deserialize_keras_object(config)
    assert internals.missing_object(caught.value) == "Holder", "Keras's error of a missing class has another text"
    assert internals.missing_object(ValueError("anything else")) is None


def test_batch_normalisation_has_no_new_options():
    unknown = keras.layers.BatchNormalization().get_config().keys() - internals._KNOWN_OPTIONS
    assert not unknown, f"BatchNormalization has the new options {unknown}: does the fused kernel obey them?"


def test_dropout_keeps_its_seed_in_a_variable_of_that_name():
    message = "Keras's SeedGenerator has renamed its variable: dropout is no longer seeded by `fit`"
    assert len(internals.seed_states(convolution())) == 1, message


def test_a_graph_is_run_operation_by_operation():
    model = convolution()
    seen = []

    def apply(operation):
        seen.append(operation)
        return operation

    outputs = internals.run_graph(internals.functional_of(model), IMAGE, apply)
    message = "`_functional`, `_run_through_graph` or `_standardize_inputs` of Keras's graphs has changed"
    assert [each for each in seen if isinstance(each, keras.layers.Dense)], message
    np.testing.assert_allclose(np.asarray(keras.tree.flatten(outputs)[0]), model(IMAGE), rtol=1e-6, err_msg=message)


def test_layers_say_whether_they_take_training():
    message = "Keras has renamed `_call_has_training_arg`"
    assert internals.takes_training(keras.layers.Dropout(0.5)), message
    assert not internals.takes_training(keras.layers.Flatten()), message


def test_flips_and_activations_are_known_by_name():
    image = keras.Input((28, 28, 1))
    flipped = keras.ops.flip(image, axis=2)
    model = keras.Model(image, keras.ops.relu(flipped))
    flip, relu = [each for each in model.operations if not isinstance(each, keras.layers.InputLayer)]
    assert internals.flips_left_and_right(flip, 4), "the operation of keras.ops.flip is no longer called Flip"
    assert not internals.flips_left_and_right(relu, 4)
    assert internals.activates(relu), "the operation of keras.ops.relu is no longer called Relu"
    assert internals.activates(keras.layers.ReLU())
    assert not internals.activates(keras.layers.Flatten())


@pytest.mark.parametrize(("activation", "units"), [("softmax", 10), ("sigmoid", 1)])
def test_logits_are_kept_at_probabilities(activation, units):
    layer = keras.layers.Dense(units, activation=activation)
    logits = internals.logits_behind(layer(np.ones((2, 5), np.float32)))
    assert logits is not None, "Keras no longer keeps `_keras_logits`: calibration computes them by logarithms instead"
    assert logits.shape == (2, units)


def test_a_training_function_can_be_wrapped_and_lent(garments):
    model = convolution()
    model.compile(loss="sparse_categorical_crossentropy")
    calls, functions = [], {}

    class Around:
        def __enter__(self):
            calls.append("in")

        def __exit__(self, *_):
            calls.append("out")

    with internals.lent_functions(model, functions), internals.wrapped_train_function(model, Around) as wrapped:
        assert wrapped
        model.fit(garments[0][:64, ..., np.newaxis] / 255, garments[1][:64], verbose=0)
    assert calls == ["in", "out"] * 2, "Keras no longer trains through `make_train_function` and `train_function`"
    assert functions["train_function"] is not None
    assert model.train_function is None, "the model still has the function that was lent"
    assert "make_train_function" not in vars(model)


def test_metrics_are_built_from_the_part_that_is_chosen(garments):
    model, chosen = convolution(), []
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    def part_of(batch):
        chosen.append(batch)
        return tuple(each[:1] for each in batch)

    with internals.built_from_one_part(model, part_of):
        model.evaluate(garments[0][:4, ..., np.newaxis] / 255, garments[1][:4], verbose=0)
    message = "Keras no longer builds metrics in `_maybe_symbolic_build`, by `_symbolic_build(data_batch=...)`"
    assert len(chosen) == 1, message
    assert model.metrics[-1].built, message
    assert "_maybe_symbolic_build" not in vars(model)


# -- the way back: what happens without it ---------------------------------------------------------


def test_without_flatten_layers_public_layers_are_followed():
    model = convolution()
    bare = Bare(model, "layers")
    bare.layers = [Bare(layer) for layer in bare.layers]
    with pytest.warns(RuntimeWarning, match=r"`Layer\._flatten_layers`.*Upgrade fashionclf"):
        found = internals.all_layers(bare)
    assert found == [bare, *bare.layers]


def test_a_layer_with_an_unknown_option_computes_as_keras_wrote_it(garments, monkeypatch):
    monkeypatch.setattr(internals, "_KNOWN_OPTIONS", internals._KNOWN_OPTIONS - {"momentum"})
    layers = [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    norm = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    with pytest.warns(RuntimeWarning, match=r"the options of `BatchNormalization` \(momentum\).*training is slower"):
        fc.Trainer(norm).fit(*garments, epochs=1, seed=0, verbose=0)


def test_without_a_traceable_graph_a_model_still_trains_and_predicts(garments, monkeypatch):
    monkeypatch.setattr("fashionclf.models._trace.functional_of", lambda model: None)
    trainer = fc.Trainer(convolution())
    trainer.fit(*garments, epochs=1, seed=0, verbose=0)
    assert trainer.predict_proba(garments[0][:2]).shape == (2, 10)
    with pytest.raises(ValueError, match="not a graph of layers"):
        fc.explain.feature_maps(trainer, garments[0][0])
    with pytest.raises(ValueError, match="must end in one Dense layer"):
        fc.calibrate(trainer, *garments)


def test_a_graph_without_the_private_methods_is_none_with_a_warning():
    with pytest.warns(RuntimeWarning, match="how a graph of layers is run"):
        assert internals.functional_of(Bare(convolution(), "layers")) is None


def test_without_kept_logits_logarithms_take_their_place(monkeypatch):
    model = convolution()
    kept = Trace(model, IMAGE).logits_of(model.layers[-1])[0]
    monkeypatch.setattr("fashionclf.models._trace.logits_behind", lambda probabilities: None)
    logarithms = Trace(model, IMAGE).logits_of(model.layers[-1])[0]
    np.testing.assert_allclose(kept - kept[:, :1], logarithms - logarithms[:, :1], atol=1e-5)


def test_without_a_training_function_to_wrap_the_plain_step_trains():
    bare = Bare(convolution(), "layers")
    changed = pytest.warns(RuntimeWarning, match="training computes in float32")
    with changed, internals.wrapped_train_function(bare, lambda: None) as wrapped:
        assert not wrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with internals.lent_functions(bare, {}):
            assert not hasattr(bare, "train_function")


def test_without_a_training_function_to_wrap_labels_cannot_be_smoothed(garments, monkeypatch):
    import contextlib

    monkeypatch.setattr("fashionclf.trainer._step.wrapped_train_function", lambda *_: contextlib.nullcontext(False))
    trainer = fc.Trainer(fc.dense_model((), seed=0), recipe=fc.Recipe(label_smoothing=0.1))
    with pytest.raises(RuntimeError, match="Labels cannot be smoothed with Keras"):
        trainer.fit(*garments, epochs=1, verbose=0)
    trainer.recipe = fc.Recipe()
    trainer.fit(*garments, epochs=1, verbose=0)


def test_without_a_symbolic_build_keras_builds_in_its_own_way():
    with (
        pytest.warns(RuntimeWarning, match=r"`Model\._symbolic_build`.*batches that they can share evenly"),
        internals.built_from_one_part(Bare(convolution(), "layers"), lambda batch: batch),
    ):
        pass


def test_names_tell_which_labels_a_loss_or_metric_takes():
    sparse = (keras.losses.SparseCategoricalCrossentropy(), keras.metrics.sparse_top_k_categorical_accuracy)
    dense = (keras.losses.CategoricalHinge(), keras.metrics.TopKCategoricalAccuracy(), keras.losses.binary_crossentropy)
    assert all(internals.has_in_name(each, "sparse") for each in sparse)
    assert not any(internals.has_in_name(each, "sparse") for each in dense)
    assert [internals.has_in_name(each, "categorical") for each in dense] == [True, True, False]
