"""Pickles and copies of a Trainer."""

import copy
import io
import multiprocessing
import pickle

import keras
import numpy as np
import pytest
from samples.processes import run

import fashionclf as fc


def in_band(trainer):
    return pickle.loads(pickle.dumps(trainer, protocol=4))


def out_of_band(trainer):
    buffers = []
    content = pickle.dumps(trainer, protocol=5, buffer_callback=buffers.append)
    assert len(content) < 10_000 < len(buffers[0].raw())  # the weights stand beside the pickle
    return pickle.loads(content, buffers=buffers)


def through_joblib(trainer):
    import joblib

    file = io.BytesIO()
    joblib.dump(trainer, file)
    file.seek(0)
    return joblib.load(file)


WAYS = [copy.copy, copy.deepcopy, in_band, out_of_band, through_joblib]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


class Own(fc.Trainer):
    """A class of the caller's."""

    def greet(self):
        return f"hello {self.class_names[0]}"


class Twice(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2


def halved_loss(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred) / 2


@keras.saving.register_keras_serializable("tests")
def bent(x):
    return keras.ops.abs(x)


def with_activation(activation):
    layers = [keras.layers.Dense(4, activation=activation), keras.layers.Dense(10, activation="softmax")]
    return fc.Trainer(keras.Sequential([keras.Input((784,)), *layers]))


@every_way
def test_a_copy_predicts_the_same_bit_for_bit(way, fitted, garments):
    again = way(fitted)
    np.testing.assert_array_equal(again.predict_proba(garments[0]), fitted.predict_proba(garments[0]))
    assert again.model is not fitted.model
    assert again.recipe == fitted.recipe
    if way in (copy.copy, in_band):  # the others end in the same function
        assert again.evaluate(*garments) == fitted.evaluate(*garments)


def test_a_copy_keeps_what_a_file_keeps_and_is_independent(garments):
    recipe = fc.Recipe(learning_rate=0.01, schedule="one_cycle", epochs=1, augmentation=fc.Augmentation())
    trainer = Own(fc.dense_model((), seed=0), class_names=list("abcdefghij"), metrics=["mae"], recipe=recipe)
    trainer.fit(*garments, seed=0, verbose=0)
    trainer.unfamiliarity_threshold = 0.5
    again = out_of_band(trainer)
    assert type(again) is Own
    assert again.greet() == "hello a"
    assert again.recipe == recipe
    assert again.unfamiliarity_threshold == 0.5
    assert again.class_names == tuple("abcdefghij")
    before = trainer.predict_proba(garments[0])
    histories = [each.fit(*garments, seed=1, verbose=0).history for each in (again, trainer)]
    assert histories[0] == histories[1]
    assert set(histories[0]) == {"loss", "mae"}
    assert (trainer.predict_proba(garments[0]) != before).any()


def test_the_state_of_an_optimizer_goes_with_it(garments, small_trainer):
    trainer = small_trainer()
    trainer.fit(*garments, epochs=1, seed=0, verbose=0)
    again = copy.deepcopy(trainer)
    for each in (trainer, again):
        each.fit(*garments, epochs=1, seed=1, verbose=0)
    np.testing.assert_array_equal(trainer.model.get_weights()[0], again.model.get_weights()[0])


def test_a_model_that_the_caller_compiled_keeps_its_compilation(garments):
    model = fc.dense_model((), seed=0)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.SGD(0.25), metrics=["accuracy"])
    again = copy.deepcopy(fc.Trainer(model))
    again.fit(*garments, epochs=1, verbose=0)
    assert float(again.model.optimizer.learning_rate) == 0.25


def test_an_untrained_copy_takes_the_classes_of_a_split_as_the_original_does(garments):
    names = tuple(f"kind {i}" for i in range(10))
    again = in_band(fc.Trainer(fc.dense_model((), seed=0), class_names=names))
    again.fit(fc.Split(*garments, class_names=fc.CLASS_NAMES), epochs=1, seed=0, verbose=0)
    assert again.class_names == names


def test_several_references_stay_one_trainer(small_trainer):
    first, second = copy.deepcopy([small_trainer()] * 2)
    assert first is second


def test_own_layers_and_losses_go_by_name(garments):
    layers = [keras.Input((28, 28, 1)), Twice(), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential(layers), loss=halved_loss)
    trainer.fit(*garments, epochs=1, verbose=0)
    content = pickle.dumps(trainer)
    assert b"Twice" in content
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.predict_proba(garments[0]), trainer.predict_proba(garments[0]))
    assert again.evaluate(*garments) == trainer.evaluate(*garments)


def test_own_functions_inside_layers_are_registered(garments):
    trainer, image = with_activation(bent), garments[0][:1]
    np.testing.assert_array_equal(in_band(trainer).predict_proba(image), trainer.predict_proba(image))

    def unknown(x):
        return x

    with pytest.raises(ValueError, match=r"'unknown'.*register_keras_serializable"):
        pickle.dumps(with_activation(unknown))


def test_no_code_of_ours_in_the_pickle(small_trainer):
    """A pickle names the class, the way to rebuild it, and nothing else that would be called."""
    import pickletools

    content = pickle.dumps(small_trainer(), protocol=4)
    parts = list(pickletools.genops(content))
    named = [
        (parts[i - 2][1], parts[i - 1][1]) if parts[i - 1][0].name != "MEMOIZE" else (parts[i - 4][1], parts[i - 2][1])
        for i, (code, _, _) in enumerate(parts)
        if code.name == "STACK_GLOBAL"
    ]
    assert named == [("builtins", "getattr"), ("fashionclf.trainer", "Trainer")]


def test_a_lambda_layer_is_refused():
    layers = [keras.layers.Lambda(lambda x: x), keras.layers.Dense(10, activation="softmax")]
    with pytest.raises(ValueError, match="Lambda"):
        copy.deepcopy(fc.Trainer(keras.Sequential([keras.Input((784,)), *layers])))


def test_a_damaged_pickle_is_named(small_trainer):
    restore, (content, own) = small_trainer().__reduce_ex__(4)
    with pytest.raises(ValueError, match="the pickled Trainer is damaged"):
        restore(content[: len(content) // 2], own)


def test_unpickling_in_a_forked_process_raises_no_error(small_trainer, garments, monkeypatch):
    content = pickle.dumps(small_trainer())
    monkeypatch.setattr("fashionclf._validation._OWNER", [0])  # as if this process were forked
    again = pickle.loads(content)
    for call in (lambda: again.predict(garments[0]), lambda: again.class_names, lambda: again.evaluate(*garments)):
        with pytest.raises(RuntimeError, match="compile_predictor"):
            call()
    assert not hasattr(again, "__len__")


@pytest.mark.slow
def test_a_spawned_process_takes_one(fitted, garments):
    images = garments[0][:50]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(fitted.predict_proba, (images,)), fitted.predict_proba(images))


@pytest.mark.slow
def test_a_class_of_a_script_reaches_joblib_workers():
    script = """
        import joblib, keras, numpy as np
        import fashionclf as fc

        @keras.saving.register_keras_serializable("mine")
        class Twice(keras.layers.Layer):
            def call(self, inputs):
                return inputs * 2

        layers = [keras.Input((784,)), Twice(), keras.layers.Dense(10, activation="softmax")]
        trainer = fc.Trainer(keras.Sequential(layers))
        image = np.full((28, 28), 99, np.uint8)
        results = joblib.Parallel(n_jobs=2)(joblib.delayed(trainer.predict_proba)(image) for _ in range(2))
        assert (np.stack(results) == trainer.predict_proba(image)).all()
    """
    run(script)


def test_errors_in_properties_are_not_hidden():
    class Own(fc.Trainer):
        @property
        def best(self):
            return self.missing

    with pytest.raises(AttributeError, match="'missing'"):
        Own(fc.dense_model((), seed=0)).best  # noqa: B018 - the access raises
