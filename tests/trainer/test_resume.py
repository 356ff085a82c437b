"""Reproducible and interrupted fits."""

import json
import textwrap

import keras
import numpy as np
import pytest
from samples.processes import run
from samples.trainer import QUIET, Interrupt

import fashionclf as fc


class TestReproducibility:
    SCRIPT = """
        import hashlib, random
        import numpy as np, tensorflow as tf
        import fashionclf as fc
        from fashionclf.datasets._synthetic import draw_garments
        tf.random.set_seed(7)
        def states():
            return (random.getstate(), np.random.get_state()[1].tolist(),
                    tf.random.get_global_generator().state.numpy().tolist())
        before = states()
        trainer = fc.Trainer.from_preset("cnn_dropout", seed=0)
        trainer.fit(*draw_garments(300), epochs=2, seed=0, augment=True, verbose=0)
        assert states() == before, "a global random state has changed"
        first = float(tf.random.uniform(()))
        tf.random.set_seed(7)
        assert first == float(tf.random.uniform(())), "TensorFlow's global random state has changed"
        print(hashlib.sha256(b"".join(w.tobytes() for w in trainer.model.get_weights())).hexdigest())
    """

    @pytest.mark.slow
    def test_two_processes_agree_bit_for_bit_and_leave_global_states_alone(self, capsys):
        exec(textwrap.dedent(self.SCRIPT), {})  # in this process, which hashes strings otherwise
        here = capsys.readouterr().out
        assert run(self.SCRIPT) == here
        assert len(here.strip()) == 64

    def test_the_seed_of_fit_governs_dropout_of_any_model(self, garments):
        model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                keras.layers.Flatten(),
                keras.layers.Dropout(0.5),  # no seed of its own
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        trainer = fc.Trainer(model, optimizer=keras.optimizers.SGD(0.1))  # which has no state
        untrained = model.get_weights()

        def train(seed):
            model.set_weights(untrained)
            trainer.fit(*garments, epochs=1, seed=seed, verbose=0)
            return model.get_weights()[0]

        first = train(1)
        np.testing.assert_array_equal(train(1), first)
        assert (train(2) != first).any()

    def test_without_a_seed_two_fits_differ(self, garments, trained):
        assert (trained(*garments, seed=None) != trained(*garments, seed=None)).any()


class TestResume:
    def test_an_interrupted_fit_ends_as_if_it_had_not_been(self, garments, tmp_path):
        """Here with a schedule; `test_streams` and `tests/faults` resume at a constant rate."""
        options = {"epochs": 5, "validation_split": 0.2, "early_stopping": 3, "augment": True, "verbose": 0}

        def trainer():
            model = fc.dense_model((8,), batch_norm=True, dropout=0.4, seed=0)
            return fc.Trainer(model, recipe=fc.Recipe(schedule="one_cycle", learning_rate=0.01))

        first = trainer()
        untrained = first.model.get_weights()
        expected = first.fit(*garments, seed=5, **options).history
        whole = first.model.get_weights()
        state = tmp_path / "run.npz"
        first.model.set_weights(untrained)
        with pytest.raises(KeyboardInterrupt):
            first.fit(*garments, seed=5, resume=state, callbacks=[Interrupt(3)], **options)
        assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]
        resumed = trainer()
        history = resumed.fit(*garments, resume=state, **options)  # the seed is in the file
        for a, b in zip(whole, resumed.model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        assert history.history == expected
        assert history.epoch == list(range(len(expected["loss"])))
        assert not list(tmp_path.iterdir())

    def test_another_fit_is_refused(self, garments, small_trainer, tmp_path):
        state = tmp_path / "run.npz"
        with pytest.raises(KeyboardInterrupt):
            small_trainer().fit(*garments, epochs=3, seed=1, resume=state, callbacks=[Interrupt(1)], verbose=0)
        images, labels = garments
        for changed in ({"seed": 2}, {"seed": 1, "epochs": 4}, {"seed": 1, "batch_size": 7}):
            with pytest.raises(ValueError, match="belongs to another fit"):
                small_trainer().fit(images, labels, resume=state, verbose=0, **{"epochs": 3, **changed})
        fits = [
            (small_trainer(), {"y": labels[::-1]}),
            (small_trainer(), {"sample_weight": np.ones(600)}),
            (small_trainer(), {"validation_data": (images[:9], labels[:9])}),
            (small_trainer(metrics=["mae"]), {}),
            (small_trainer(optimizer=keras.optimizers.SGD()), {}),
        ]
        for trainer, changed in fits:
            with pytest.raises(ValueError, match="belongs to another fit"):
                trainer.fit(images, **{"y": labels, "epochs": 3, "seed": 1, "resume": state, "verbose": 0, **changed})


def test_resume_refuses_another_model_by_name(garments, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def trainer(**options):
        return fc.Trainer(fc.dense_model((8,), **{"dropout": 0.1, "seed": 0, **options}))

    state = tmp_path / "run.npz"
    fit = {"epochs": 2, "seed": 0, "verbose": 0, "resume": state}
    same = trainer()
    with pytest.raises(KeyboardInterrupt):
        same.fit(*garments, callbacks=[Interrupt()], **fit)
    for changed, word in (({"dropout": 0.7}, "rate"), ({"activation": "tanh"}, "activation")):
        with pytest.raises(ValueError, match=rf"another fit.*{word}"):
            trainer(**changed).fit(*garments, **fit)
    same.fit(*garments, **fit)
    with pytest.raises(KeyboardInterrupt):
        same.fit(*garments, callbacks=[Interrupt()], **fit)
    trainer(seed=5).fit(*garments, **fit)  # its weights are replaced


def test_resume_knows_a_model_built_again_with_names_that_keras_counts_on(garments, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def trainer():
        layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        return fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]))

    fit = {"epochs": 2, "seed": 0, "verbose": 0, "resume": tmp_path / "run.npz"}
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(*garments, callbacks=[Interrupt()], **fit)
    trainer().fit(*garments, **fit)


def test_states_of_other_versions(garments, small_trainer, tmp_path):
    for values, words in (({}, "format 1"), ({"format": 99}, "format 99"), ({"format": 3}, "damaged")):
        np.savez(tmp_path / "run.npz", values=np.array(json.dumps(values)))
        with pytest.raises(ValueError, match=words):
            small_trainer().fit(*garments, resume=tmp_path / "run.npz", **QUIET)
