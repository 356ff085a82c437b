import pickle
import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

import fashionclf as fc
from fashionclf.serving import _predictor


@pytest.fixture(scope="module")
def frozen(fitted):
    return fitted.compile_predictor()


def test_frozen_predicts_what_the_trainer_does(fitted, frozen, every_form):
    expected = fitted.predict(every_form["float32"])
    for form, images in every_form.items():
        predictions = frozen.predict(images)
        np.testing.assert_allclose(predictions.probabilities, expected.probabilities, atol=1e-5, err_msg=form)
    assert predictions.class_names == expected.class_names
    assert frozen.predict(every_form["float32"][0])[0].class_name == expected[0].class_name
    assert "10 classes" in repr(frozen)


def test_frozen_stays_as_it_was(garments, trained):
    trainer = trained.trainer
    frozen = trainer.compile_predictor()
    before = trainer.predict_proba(garments[0][:3])
    trainer.fit(*garments, epochs=1, verbose=0)
    np.testing.assert_allclose(frozen.predict_proba(garments[0][:3]), before, atol=1e-6)
    assert (trainer.predict_proba(garments[0][:3]) != before).any()


@pytest.mark.parametrize("shape", [(28, 28, 1), (784,)])
def test_frozen_binary_and_flat_models(garments, shape):
    layers = [keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")]
    trainer = fc.Trainer(keras.Sequential([keras.Input(shape), *layers]), class_names=["top", "rest"])
    expected = trainer.predict_proba(garments[0][:4])
    assert expected.shape == (4, 2)
    np.testing.assert_allclose(trainer.compile_predictor().predict_proba(garments[0][:4]), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["compiled", "frozen"])
def test_threads_agree(fitted, frozen, garments, kind):
    fitted._predictor._functions.clear()  # the first call of all is made by threads
    predict = fitted.predict_proba if kind == "compiled" else frozen.predict_proba
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda i: predict(garments[0][i]), range(40)))
    np.testing.assert_allclose(np.concatenate(results), fitted.predict_proba(garments[0][:40]), atol=1e-5)


def test_batch_sizes_do_not_trace_anew(garments):
    traced = []

    class Traced(keras.layers.Flatten):
        def call(self, inputs):
            traced.append(inputs.shape)
            return super().call(inputs)

    layers = [Traced(), keras.layers.Dense(10, activation="softmax")]
    trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]))
    traced.clear()
    for size in (1, 2, 50, 3):
        trainer.predict(garments[0][:size])
        trainer.predict_proba(garments[0][:60], batch_size=size)
    assert len(traced) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_memory_is_bounded(fitted, frozen, garments):
    for predict in (fitted.predict, frozen.predict):
        for _ in range(500):
            predict(garments[0][0])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for i in range(4_000):
            predict(garments[0][i % 600])
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 8_000, f"{grown} KiB more after 4,000 calls"


def test_frozen_travels_to_other_processes(frozen, garments):
    again = pickle.loads(pickle.dumps(frozen))
    assert again.predict(garments[0][:3]) == frozen.predict(garments[0][:3])


def test_missing_litert_is_said_in_one_sentence(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(ImportError, match=r'pip install "fashionclf\[litert\]"'):
        fitted.compile_predictor()


def test_names_must_be_known():
    with pytest.raises(ValueError, match="class names are not known"):
        fc.Trainer(fc.dense_model((), num_classes=3)).compile_predictor()


def test_a_process_that_may_use_one_core_gets_one_thread(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3}, raising=False)
    assert _predictor.default_threads() == 1
