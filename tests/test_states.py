"""Odd states and odd use: nothing may be silently wrong."""

import io
import os
import random
import subprocess
import sys
import textwrap
import warnings

import keras
import numpy as np
import pytest

import fashionclf as fc

QUIET = {"epochs": 1, "seed": 0, "verbose": 0}


def run(script, *options):
    """Run a script in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


class TestCompilation:
    def test_a_second_trainer_trains_what_a_one_cycle_fit_left(self, garments):
        first = fc.Trainer(fc.dense_model((), seed=0), recipe=fc.Recipe(schedule="one_cycle", learning_rate=0.01))
        first.fit(*garments, **QUIET)
        before = first.model.get_weights()[0]
        second = fc.Trainer(first.model, optimizer="sgd")
        second.fit(*garments, **QUIET)
        assert np.abs(second.model.get_weights()[0] - before).max() > 1e-4
        first.fit(*garments, **QUIET)  # compiles anew what the second left
        assert isinstance(first.model.optimizer, keras.optimizers.Adam)

    def test_evaluating_does_not_compile(self, garments):
        trainer = fc.Trainer.from_preset("cnn_fast", pretrained=True)
        figures = trainer.evaluate(*garments)
        assert not trainer.model.compiled
        fc.Trainer(trainer.model, optimizer="sgd")
        trainer.model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        expected = trainer.model.evaluate(fc.prepare_images(garments[0]), garments[1], verbose=0, return_dict=True)
        assert figures == pytest.approx(expected, rel=1e-5)

    def test_evaluate_save_load_warns_of_nothing(self, garments, tmp_path):
        trainer = fc.Trainer.from_preset("cnn_fast", pretrained=True)
        trainer.evaluate(*garments)
        trainer.save(tmp_path / "a.keras")
        compiled = fc.dense_model((), seed=0)
        compiled.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
        fc.Trainer(compiled).save(tmp_path / "b.keras")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fc.Trainer.load(tmp_path / "a.keras")
            fc.Trainer.load(tmp_path / "b.keras")

    def test_a_model_that_the_caller_compiles_later_is_noticed(self, garments, small_trainer):
        plain, with_recipe = small_trainer(), small_trainer(recipe=fc.Recipe(optimizer="sgd"))
        for trainer in (plain, with_recipe):
            trainer.fit(*garments, **QUIET)
            trainer.model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        plain.fit(*garments, **QUIET)
        assert isinstance(plain.model.optimizer, keras.optimizers.RMSprop)
        with pytest.raises(ValueError, match="compiled already"):
            with_recipe.fit(*garments, **QUIET)

    def test_one_built_optimizer_serves_two_trainers(self, garments, small_trainer):
        optimizer = keras.optimizers.SGD(0.1)
        first, second = (small_trainer(optimizer=optimizer) for _ in range(2))
        first.fit(*garments, **QUIET)
        second.fit(*garments, **QUIET)  # both were made before the first was fitted
        np.testing.assert_array_equal(first.model.get_weights()[0], second.model.get_weights()[0])

    def test_what_is_saved_is_the_trainers_own_compilation(self, garments, small_trainer, tmp_path):
        first = small_trainer()
        second = fc.Trainer(first.model, optimizer="sgd")
        for trainer in (first, second):
            trainer.fit(*garments, **QUIET)
        first.save(tmp_path / "first.keras")
        loaded = fc.Trainer.load(tmp_path / "first.keras")
        loaded.fit(*garments, **QUIET)
        assert isinstance(loaded.model.optimizer, keras.optimizers.Adam)
        second.save(tmp_path / "second.keras")
        assert isinstance(fc.Trainer.load(tmp_path / "second.keras").model.optimizer, keras.optimizers.SGD)

    def test_repeated_fits_trace_once(self, garments):
        for recipe in (fc.Recipe(), fc.Recipe(schedule="one_cycle", learning_rate=0.01, label_smoothing=0.1)):
            traced = []

            class Counting(keras.layers.Layer):
                def call(self, inputs, traced=traced):
                    traced.append(1)
                    return inputs

            layers = [Counting(), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
            trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]), recipe=recipe)
            trainer.fit(*garments, validation_split=0.2, **QUIET)
            count = len(traced)
            for _ in range(3):
                trainer.fit(*garments, validation_split=0.2, **QUIET)
            assert len(traced) <= count + 1  # building asks once more

    def test_what_a_step_depends_on_traces_it_anew(self, garments):
        model = fc.cnn_model((4,), units=(8,), dropout=0.0001, seed=0)
        trainer, fresh = fc.Trainer(model), fc.cnn_model((4,), units=(8,), dropout=0.0001, seed=0)
        trainer.fit(*garments, **QUIET)
        fresh.set_weights(model.get_weights())
        model.get_layer("dropout").rate = fresh.get_layer("dropout").rate = 0.9
        trainer.recipe = recipe = fc.Recipe(optimizer="sgd", label_smoothing=0.3)
        trainer.fit(*garments, **QUIET)
        expected = fc.Trainer(fresh, recipe=recipe)
        expected.fit(*garments, **QUIET)
        for ours, theirs in zip(model.get_weights(), fresh.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_plain_keras_does_not_train_by_our_steps(self, garments, small_trainer):
        trainer = small_trainer(recipe=fc.Recipe(label_smoothing=0.5, precision="bfloat16"))
        trainer.fit(*garments, **QUIET)
        assert trainer.model.train_function is None
        assert trainer.model.test_function is None

    def test_the_model_cannot_be_exchanged(self, small_trainer):
        trainer = small_trainer()
        with pytest.raises(AttributeError):
            trainer.model = fc.dense_model((), seed=1)
        with pytest.raises(TypeError, match="`recipe` must be a Recipe"):
            trainer.recipe = {"epochs": 3}
        with_instance = small_trainer(optimizer=keras.optimizers.SGD(0.1))
        with pytest.raises(ValueError, match="its own learning rate"):
            with_instance.recipe = fc.Recipe(learning_rate=0.1)

    def test_resume_refuses_another_model_by_name(self, garments, tmp_path):
        class Interrupt(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 1:
                    raise KeyboardInterrupt

        def trainer(**options):
            return fc.Trainer(fc.cnn_model((4,), units=(8,), **{"dropout": 0.1, "seed": 0, **options}))

        state = tmp_path / "run.npz"
        fit = {"epochs": 2, "seed": 0, "verbose": 0, "resume": state}
        with pytest.raises(KeyboardInterrupt):
            trainer().fit(*garments, callbacks=[Interrupt()], **fit)
        for changed, word in (({"dropout": 0.7}, "rate"), ({"activation": "tanh"}, "activation")):
            with pytest.raises(ValueError, match=rf"another fit.*{word}"):
                trainer(**changed).fit(*garments, **fit)
        trainer(seed=5).fit(*garments, **fit)  # its weights are replaced
        same = trainer()
        with pytest.raises(KeyboardInterrupt):
            same.fit(*garments, callbacks=[Interrupt()], **fit)
        same.fit(*garments, **fit)

    def test_resume_knows_a_model_built_again_with_names_that_keras_counts_on(self, garments, tmp_path):
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

    def test_one_hot_metrics_get_one_hot_labels(self, garments, small_trainer):
        metrics = [keras.metrics.AUC(), keras.metrics.Precision(), keras.metrics.F1Score(average="macro")]
        trainer = small_trainer(metrics=metrics)
        history = trainer.fit(*garments, validation_split=0.2, **QUIET).history
        assert {"auc", "precision", "f1_score"} <= {name.rstrip("_0123456789") for name in history}
        assert 0.5 < trainer.evaluate(*garments)[metrics[0].name] <= 1
        sparse = keras.metrics.SparseTopKCategoricalAccuracy(3)
        with pytest.raises(ValueError, match="integers"):
            small_trainer(metrics=[sparse, keras.metrics.AUC()]).fit(*garments, **QUIET)
        refused = small_trainer(loss="sparse_categorical_crossentropy", metrics=[keras.metrics.AUC()])
        with pytest.raises(ValueError, match="one-hot"):
            refused.fit(*garments, **QUIET)
        assert not refused.model.compiled


class TestCrossValidation:
    def test_one_model_for_all_folds_is_refused_before_it_learns(self, garments):
        model = fc.dense_model((), seed=0)
        trainer = fc.Trainer(fc.dense_model((), seed=0))
        wrapped = fc.cnn_model((2,), units=(), seed=0)
        for function, used in (
            (lambda: fc.Trainer(model), model),
            (lambda: trainer, trainer.model),
            (lambda: fc.Trainer(fc.flip_averaged(wrapped)), wrapped),
        ):
            before = used.get_weights()
            with pytest.raises(ValueError, match="twice"):
                fc.cross_validate(function, *garments, folds=3)
            for a, b in zip(before, used.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


class TestClassNames:
    @pytest.fixture
    def named(self, garments):
        return fc.Split(*garments, class_names=fc.CLASS_NAMES)

    @pytest.fixture
    def sorted_split(self, garments):
        names = sorted(fc.CLASS_NAMES)
        labels = np.array([names.index(name) for name in fc.CLASS_NAMES])[garments[1]]
        return fc.Split(garments[0], labels, class_names=names)

    def test_labels_are_matched_by_name(self, fitted, named, sorted_split):
        assert fitted.evaluate(sorted_split) == fitted.evaluate(named)
        assert fitted.report(sorted_split).accuracy == fitted.report(named).accuracy
        few = fc.Split(named.images[named.labels == 8], np.zeros((named.labels == 8).sum(), int), class_names=["Bag"])
        assert fitted.evaluate(few) == fitted.evaluate(named[named.labels == 8])
        korean = fc.Split(*named, class_names=fc.class_names("fashion_mnist", "ko"))
        assert fitted.evaluate(korean) == fitted.evaluate(named)
        assert fc.shift_robustness(fitted, sorted_split, max_shift=0).mean == fitted.report(named).accuracy

    def test_other_classes_are_refused_by_name(self, fitted, garments):
        digits = fc.Split(*garments, class_names=fc.class_names("mnist"))
        for function in (fitted.evaluate, fitted.report):
            with pytest.raises(ValueError, match=r"'7'.*'Ankle boot'"):
                function(digits)
        with pytest.raises(ValueError, match=r"validation_data.*'7'"):
            fc.Trainer.from_preset("softmax").fit(
                fc.Split(*garments, class_names=fc.CLASS_NAMES), validation_data=digits, **QUIET
            )

    def test_fitting_matches_too(self, named, sorted_split, small_trainer):
        one, other = (small_trainer(class_names=fc.CLASS_NAMES) for _ in range(2))
        one.fit(named, **QUIET)
        other.fit(sorted_split, **QUIET)
        np.testing.assert_array_equal(one.model.get_weights()[0], other.model.get_weights()[0])
        assert other.class_names == fc.CLASS_NAMES
        fresh = small_trainer()
        fresh.fit(sorted_split, **QUIET)
        assert fresh.class_names == sorted_split.class_names
        fresh.fit(named, **QUIET)  # has learnt the other order
        assert fresh.class_names == sorted_split.class_names

    def test_names_that_were_assumed_are_matched_too(self, named, sorted_split, small_trainer):
        trainer = small_trainer()
        trainer.fit(*named, **QUIET)  # arrays, which tell no names: Fashion-MNIST's are assumed
        expected = trainer.evaluate(*named)
        assert trainer.evaluate(sorted_split) == expected
        trainer.class_names = list("abcdefghij")
        assert trainer.evaluate(named) == expected
        again = small_trainer()
        again.fit(*named, **QUIET)
        again.fit(sorted_split, **QUIET)
        assert again.class_names == fc.CLASS_NAMES

    def test_names_of_ones_own_rename_a_splits(self, named, small_trainer, tmp_path):
        trainer = small_trainer(class_names=list("abcdefghij"))
        trainer.fit(named, **QUIET)
        trainer.save(tmp_path / "a.keras")
        for each in (trainer, fc.Trainer.load(tmp_path / "a.keras")):
            assert each.class_names == tuple("abcdefghij")
            assert each.evaluate(named) == each.evaluate(*named)
        confused = fc.Split(*named, class_names=["b", *"acdefghi", "other"])
        with pytest.raises(ValueError, match="'other'"):
            trainer.evaluate(confused)

    def test_they_can_be_set(self, garments, tmp_path):
        images, labels = garments[0][:60], garments[1][:60] % 3
        trainer = fc.Trainer(fc.dense_model((), num_classes=3, seed=0))
        trainer.fit(images, labels, **QUIET)
        trainer.save(tmp_path / "a.keras")
        loaded = fc.Trainer.load(tmp_path / "a.keras")
        with pytest.raises(ValueError, match=r"trainer\.class_names.*load"):
            loaded.predict(images)
        loaded.class_names = ["x", "y", "z"]
        assert loaded.predict(images).class_names == ("x", "y", "z")
        assert fc.Trainer.load(tmp_path / "a.keras", class_names=["x", "y", "z"]).report(images, labels).accuracy >= 0
        with pytest.raises(ValueError, match="2 names"):
            loaded.class_names = ["x", "y"]


class TestScaledTwice:
    @pytest.mark.parametrize(
        "kind", ["layer", "nested", "before a nested model", "division", "normalisation", "subclass"]
    )
    def test_a_model_that_divides_by_255_is_refused(self, kind):
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

    def test_other_scalings_are_fine(self):
        for scaling in (keras.layers.Rescaling(2.0, offset=-1), keras.layers.Normalization(mean=0.29, variance=0.12)):
            head = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
            fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), scaling, *head]))


class TestDoubts:
    def test_negatives_masks_and_blanks(self, fitted, garments):
        images = garments[0][:5].copy()
        images[1], images[2], images[3] = 255 - images[1], images[2] > 100, 0
        frozen = fitted.compile_predictor()
        for predict in (fitted.predict, frozen.predict):
            with pytest.warns(fc.DoubtfulImageWarning, match=r"3 of 5 images") as caught:
                predictions = predict(images)
            assert [w.filename for w in caught] == [__file__]
            assert [bool(doubts) for doubts in predictions.doubts] == [False, True, True, True, False]
            assert "255 - image" in predictions[1].doubts[0]
            assert "mask * 255" in predictions[2].doubts[0]
            assert predictions[3].doubts == ("it is blank",)
            assert predictions[1:3].doubts == predictions.doubts[1:3]
            assert [each.doubts for each in predictions] == list(predictions.doubts)
            assert [("doubts" in record) for record in predictions.to_records()] == [False, True, True, True, False]
        for proba in (fitted.predict_proba, frozen.predict_proba):
            with pytest.warns(fc.DoubtfulImageWarning) as caught:
                proba(images)
            assert [w.filename for w in caught] == [__file__]

    def test_every_blank_upload_is_named(self, fitted):
        from PIL import Image

        def upload():
            content = io.BytesIO()
            Image.new("RGB", (90, 60), "white").save(content, "PNG")
            return content

        with pytest.warns(fc.DoubtfulImageWarning, match=r"3 of 3 .*x\[0\].*x\[1\].*x\[2\]") as caught:
            predictions = fitted.predict([upload(), upload(), upload()])
        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert all(predictions.doubts)
        with pytest.warns(fc.DoubtfulImageWarning) as caught:
            fc.load_image(upload())
        assert caught[0].filename == __file__

    def test_training_on_negatives_is_warned_of(self, garments, small_trainer):
        for call in (small_trainer().evaluate, lambda *data: small_trainer().fit(*data, **QUIET)):
            with pytest.warns(fc.DoubtfulImageWarning, match="255 - images") as caught:
                call(255 - garments[0], garments[1])
            assert caught[0].filename == __file__

    def test_an_array_of_colours_is_a_photograph(self, fitted):
        from PIL import Image

        photograph = np.full((200, 150, 3), 240, np.uint8)
        photograph[40:160, 50:100] = (60, 30, 30)
        expected = fitted.predict_proba(Image.fromarray(photograph))
        np.testing.assert_array_equal(fitted.predict_proba(photograph), expected)
        np.testing.assert_allclose(fitted.predict_proba([photograph] * 2), np.repeat(expected, 2, axis=0), atol=1e-6)
        for wrong in (photograph[..., 0], photograph[np.newaxis]):
            with pytest.raises(ValueError, match="load_image"):
                fitted.predict(wrong)

    def test_rounding_and_channels(self, fitted, garments):
        floats = (garments[0][:4] / 255).astype(np.float64)
        floats[0, 0, 0], floats[0, 1, 1] = 0, 1
        off = floats.copy()
        off[0, 0, 0], off[0, 1, 1] = -1e-8, 1.0000001
        np.testing.assert_allclose(fitted.predict_proba(off), fitted.predict_proba(floats), atol=1e-5)
        assert fc.prepare_images(off).max() <= 1
        with pytest.raises(ValueError, match=r"to 1\.0001"):
            fc.prepare_images(floats * 1.0001)
        with pytest.raises(ValueError, match="channel comes last"):
            fc.prepare_images(floats[:, np.newaxis])


class TestDivergence:
    def test_fit_stops_and_predict_says_so(self, garments, small_trainer):
        trainer = small_trainer(optimizer=keras.optimizers.SGD(1e38))
        with pytest.warns(RuntimeWarning, match="diverged") as caught:
            history = trainer.fit(*garments, epochs=50, seed=0, verbose=0)
        assert caught[0].filename == __file__
        assert len(history.epoch) < 50
        for method in (trainer.predict, trainer.predict_proba, lambda _: trainer.compile_predictor()):
            with pytest.raises(ValueError, match="diverged"):
                method(garments[0])


class TestFiles:
    def test_a_recipe_of_other_versions(self):
        assert fc.Recipe.from_dict({"epochs": 3}) == fc.Recipe(epochs=3)
        with pytest.raises(ValueError, match=r"'warp'.*newer version"):
            fc.Recipe.from_dict({"warp": 9})
        with pytest.raises(TypeError, match="augmentation is read from a dictionary"):
            fc.Recipe.from_dict({"augmentation": "strong"})
        for name in fc.list_presets():
            recipe = fc.get_preset(name).recipe
            assert fc.Recipe.from_dict(recipe.to_dict()) == recipe

    def test_a_classifier_of_other_versions(self, small_trainer, tmp_path):
        import json
        import zipfile

        def rewritten(name, **changes):
            small_trainer(class_names=list("abcdefghij")).save(tmp_path / "whole.keras")
            with (
                zipfile.ZipFile(tmp_path / "whole.keras") as source,
                zipfile.ZipFile(tmp_path / name, "w") as target,
            ):
                for member in source.namelist():
                    content = source.read(member)
                    if member == "fashionclf.json":
                        values = {**json.loads(content), **changes}
                        content = json.dumps({k: v for k, v in values.items() if v != "gone"})
                    target.writestr(member, content)
            return tmp_path / name

        old = fc.Trainer.load(rewritten("old.keras", format=1, renamed_from="gone"))
        assert old.class_names == tuple("abcdefghij")
        with pytest.raises(ValueError, match="newer version"):
            fc.Trainer.load(rewritten("new.keras", format=99))
        for name, changes in (("a.keras", {"format": "x"}), ("b.keras", {"class_names": "gone"})):
            with pytest.raises(ValueError, match="damaged"):
                fc.Trainer.load(rewritten(name, **changes))
        with pytest.raises(ValueError, match=r"c\.keras.*'warp'"):
            fc.Trainer.load(rewritten("c.keras", recipe={"warp": 9}))

    def test_states_of_other_versions(self, garments, small_trainer, tmp_path):
        import json

        for values, words in (({}, "format 1"), ({"format": 99}, "format 99"), ({"format": 2}, "damaged")):
            np.savez(tmp_path / "run.npz", values=np.array(json.dumps(values)))
            with pytest.raises(ValueError, match=words):
                small_trainer().fit(*garments, resume=tmp_path / "run.npz", **QUIET)


class TestCalibration:
    def test_the_live_weights_are_written_once(self, garments, monkeypatch):
        trainer = fc.Trainer(fc.flip_averaged(fc.cnn_model((4,), units=(), seed=0)))
        trainer.fit(*garments, **QUIET)
        written = []
        original = keras.layers.Dense.set_weights
        monkeypatch.setattr(keras.layers.Dense, "set_weights", lambda self, w: written.append(1) or original(self, w))
        before = trainer.report(*garments).log_loss
        temperature = fc.calibrate(trainer, *garments)
        assert len(written) == 1
        assert trainer.report(*garments).log_loss <= before
        assert fc.calibrate(trainer, *garments) == pytest.approx(1, abs=0.01)
        assert temperature != 1

    def test_a_sigmoid_unit(self, garments):
        images, labels = garments[0], garments[1] % 2
        trainer = fc.Trainer(fc.dense_model((), num_classes=1, seed=0), class_names=["even", "odd"])
        trainer.fit(images, labels, **QUIET)
        fc.calibrate(trainer, images, labels)
        assert fc.calibrate(trainer, images, labels) == pytest.approx(1, abs=0.01)

    def test_not_while_the_model_is_fitted(self, garments, small_trainer):
        trainer = small_trainer()
        errors = []

        class Calibrate(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                try:
                    fc.calibrate(trainer, *garments)
                except RuntimeError as error:
                    errors.append(str(error))

        trainer.fit(*garments, callbacks=[Calibrate()], **QUIET)
        assert "being fitted" in errors[0]


class TestAround:
    """What belongs to the process, or to other people's code in it."""

    def test_builders_leave_global_random_states_alone(self):
        def states():
            generator = keras.src.random.seed_generator.global_seed_generator().state
            return random.getstate(), np.random.get_state()[1].tobytes(), generator.numpy().tobytes()

        before = states()
        for name in fc.list_presets():
            fc.Trainer.from_preset(name, seed=0)
        fc.Trainer.from_preset("cnn_fast", pretrained=True)
        for options in ({}, {"batch_norm": True, "dropout": 0.5, "num_classes": 1}):
            fc.dense_model((8,), seed=0, **options)
            fc.flip_averaged(fc.cnn_model((4,), pooling="average", seed=0, **options))
            fc.cnn_model((4,), **options)
        assert states() == before

    def test_channels_first_as_the_global_setting(self):
        run("""
            import keras, tempfile
            keras.config.set_image_data_format("channels_first")
            import fashionclf as fc
            from fashionclf.datasets._synthetic import draw_garments
            images, labels = draw_garments(60)
            for name in fc.list_presets():
                fc.Trainer.from_preset(name, seed=0).predict(images[:2])
            trainer = fc.Trainer(fc.flip_averaged(fc.cnn_model((4,), seed=0)))
            trainer.fit(images, labels, epochs=1, verbose=0)
            with tempfile.TemporaryDirectory() as folder:
                trainer.save(folder + "/a.keras")
                fc.Trainer.load(folder + "/a.keras").predict(images)
        """)

    def test_nothing_configures_logging_or_warnings(self):
        printed = run("""
            import logging, os, warnings
            import fashionclf as fc
            from fashionclf.datasets._synthetic import draw_garments
            images, labels = draw_garments(60)
            trainer = fc.Trainer(fc.dense_model((), seed=0))
            before = list(warnings.filters), dict(os.environ)
            trainer.fit(images, labels, epochs=1, verbose=0)
            trainer.predict(images)
            trainer.compile_predictor()
            assert (list(warnings.filters), dict(os.environ)) == before
            assert not logging.getLogger().handlers
            logging.basicConfig(level="INFO", format="mine %(message)s", stream=__import__("sys").stdout)
            logging.info("heard")
        """)
        assert "mine heard" in printed

    def test_downstream_tests_may_turn_warnings_into_errors(self):
        run(
            """
            import warnings
            import tempfile
            import fashionclf as fc
            from fashionclf.datasets._synthetic import draw_garments
            images, labels = draw_garments(120)
            fc.Trainer, fc.calibrate  # what other libraries warn of when they are imported is theirs
            warnings.simplefilter("error")
            recipe = fc.Recipe(schedule="one_cycle", augmentation=fc.Augmentation(), label_smoothing=0.1)
            for options in ({}, {"recipe": recipe}):
                trainer = fc.Trainer(fc.cnn_model((4,), units=(8,), batch_norm=True, seed=0), **options)
                with tempfile.TemporaryDirectory() as folder:
                    trainer.fit(
                        images, labels, epochs=2, validation_split=0.3, early_stopping=1, seed=0, verbose=0,
                        checkpoint=folder + "/best.keras", resume=folder + "/run.npz",
                    )
                    trainer.save(folder + "/a.keras")
                    fc.Trainer.load(folder + "/a.keras").fit(images, labels, epochs=1, verbose=0)
                trainer.evaluate(images, labels)
                trainer.report(images, labels)
                fc.calibrate(trainer, images, labels)
            fc.Trainer.from_preset("cnn_accurate", pretrained=True).predict(images[:2])
            """
        )

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_a_forked_child_is_told_what_to_do(self):
        printed = run("""
            import multiprocessing
            import fashionclf as fc
            from fashionclf.datasets._synthetic import draw_garments
            images, labels = draw_garments(8)
            trainer = fc.Trainer(fc.dense_model((), seed=0))
            trainer.predict(images)
            frozen = trainer.compile_predictor()

            def child(_):
                told = []
                for call in (lambda: trainer.predict(images), lambda: trainer.evaluate(images, labels),
                             lambda: trainer.fit(images, labels, epochs=1), lambda: fc.Trainer(trainer.model)):
                    try:
                        call()
                    except RuntimeError as error:
                        told.append("compile_predictor" in str(error))
                return told, frozen.predict(images).labels.tolist()

            with multiprocessing.get_context("fork").Pool(1) as pool:
                print(pool.map_async(child, [0]).get(60)[0] == ([True] * 4, trainer.predict(images).labels.tolist()))
        """)
        assert "True" in printed

    def test_a_very_large_image(self, tmp_path):
        from PIL import Image

        Image.new("1", (12_000, 12_000)).save(tmp_path / "huge.png")
        with pytest.raises(ValueError, match=r"huge\.png.*144,000,000 pixels"):
            fc.load_image(tmp_path / "huge.png")
        image = Image.new("L", (12_000, 12_000), 255)
        image.paste(0, (4000, 2000, 8000, 10_000))
        image.save(tmp_path / "huge.jpg")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert fc.load_image(tmp_path / "huge.jpg")[14, 14] > 200  # a JPEG is decoded at an eighth of its size

    def test_the_error_of_a_split_in_fit_names_options_of_fit(self, garments, small_trainer):
        with pytest.raises(ValueError, match="validation_split") as caught:
            small_trainer().fit(garments[0][:30], garments[1][:30], validation_split=0.1, **QUIET)
        assert "stratify=" not in str(caught.value)
        assert "validation_size" not in str(caught.value)

    def test_rows_that_do_not_sum_to_one(self):
        with pytest.raises(ValueError, match=r"sum to 1.*row 0 with 1\.8"):
            fc.evaluate_predictions([0, 1], [[0.9, 0.9], [0.5, 0.5]])
        assert fc.evaluate_predictions([0], np.array([[0.3333, 0.6665]], np.float16)).accuracy == 0

    def test_many_plots_leave_one_figure(self, garments):
        import matplotlib.pyplot as plt

        plt.close("all")
        figures = [fc.plot.images(garments[0][:1]) for _ in range(25)]
        assert plt.get_fignums() == [figures[-1].number]
        figures[0].savefig(io.BytesIO())
