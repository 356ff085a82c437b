import os
import random
import subprocess
import sys
import textwrap
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import fashionclf as fc


class TestFit:
    def test_it_learns(self, fitted):
        history = fitted.history.history
        assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
        assert len(history["loss"]) == 4
        assert history["loss"][-1] < history["loss"][0] / 2
        assert history["val_accuracy"][-1] > 0.6

    @pytest.mark.parametrize(
        ("model_options", "labels", "loss"),
        [
            ({}, "integers", "sparse_categorical_crossentropy"),
            ({}, "one_hot", "categorical_crossentropy"),
            ({"num_classes": 2}, "two", "sparse_categorical_crossentropy"),
            ({"num_classes": 1}, "two", "binary_crossentropy"),
            ({"num_classes": 1}, "two_one_hot", "binary_crossentropy"),
        ],
    )
    def test_loss_is_read_off_output_and_labels(self, garments, model_options, labels, loss):
        images, integers = garments[0][:60], garments[1][:60]
        forms = {
            "integers": integers,
            "one_hot": fc.one_hot(integers),
            "two": integers % 2,
            "two_one_hot": fc.one_hot(integers % 2, 2),
        }
        names = None if not model_options else ["even", "odd"]
        trainer = fc.Trainer(fc.dense_model((), seed=0, **model_options), class_names=names)
        trainer.fit(images, forms[labels], epochs=1, seed=0, verbose=0)
        assert trainer.model.loss == loss
        for form in ("integers", "one_hot") if not names else ("two", "two_one_hot"):
            figures = trainer.evaluate(images, forms[form])  # any form, whatever it was trained on
            assert figures["accuracy"] == pytest.approx(
                np.mean(trainer.predict(images).labels == (integers % 2 if names else integers)), abs=1e-6
            )

    def test_every_form_of_images_trains_the_same(self, every_form, garments, small_trainer):
        labels = garments[1][:8]
        results = []
        for form, images in every_form.items():
            trainer = small_trainer()
            trainer.fit(images, labels, epochs=2, batch_size=4, seed=3, verbose=0)
            results.append((form, trainer.model.get_weights()[0], trainer.evaluate(images, labels)))
        for form, weights, figures in results[1:]:
            np.testing.assert_allclose(weights, results[0][1], atol=1e-5, err_msg=form)
            assert figures == pytest.approx(results[0][2], abs=1e-5), form

    def test_a_split_brings_labels_and_names(self, garments, small_trainer):
        digits = fc.Split(*garments, class_names=fc.class_names("mnist"))
        trainer = small_trainer()
        trainer.fit(digits, epochs=1, validation_data=digits[:50], seed=0, verbose=0)
        assert trainer.class_names == fc.class_names("mnist")
        assert trainer.predict(garments[0][0])[0].class_name in "0123456789"
        assert trainer.evaluate(digits) == trainer.evaluate(*garments)
        preset = fc.Trainer.from_preset("softmax", class_names=None)
        preset.fit(fc.Split(*garments), epochs=1, validation_split=0, verbose=0)
        assert preset.class_names == fc.CLASS_NAMES
        given = small_trainer(class_names=fc.class_names("fashion_mnist", "ko"))
        given.fit(digits, epochs=1, seed=0, verbose=0)
        assert given.class_names[8] == "가방"

    def test_fitting_again_goes_on(self, garments, small_trainer):
        once, twice = small_trainer(), small_trainer()
        once.fit(*garments, epochs=1, seed=0, verbose=0)
        twice.fit(*garments, epochs=1, seed=0, verbose=0)
        before = once.evaluate(*garments)["loss"]
        twice.fit(*garments, epochs=3, seed=1, verbose=0)
        assert twice.evaluate(*garments)["loss"] < before
        assert int(twice.model.optimizer.iterations) == 4 * 19  # the optimizer went on too

    def test_a_schedule_starts_afresh(self, garments, small_trainer):
        trainer = small_trainer(recipe=fc.Recipe(schedule="one_cycle", learning_rate=0.01, epochs=2))
        for seed in (0, 1):
            trainer.fit(*garments, seed=seed, verbose=0)
            assert int(trainer.model.optimizer.iterations) == 2 * 19
            assert float(trainer.model.optimizer.learning_rate) == pytest.approx(0, abs=1e-6)

    def test_validation_split_is_stratified_and_not_trained_on(self, garments, small_trainer):
        seen = []

        class Steps(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                seen.append(self.params["steps"])

        trainer = small_trainer(recipe=fc.Recipe(validation_split=0.5))
        assert "val_loss" in trainer.fit(*garments, epochs=1, callbacks=[Steps()], seed=0, verbose=0).history
        off = trainer.fit(*garments, epochs=1, validation_split=0, callbacks=[Steps()], seed=0, verbose=0)
        assert "val_loss" not in off.history
        assert seen == [10, 19]

    def test_early_stopping_restores_the_best_weights(self, garments, small_trainer):
        trainer = small_trainer(optimizer="sgd", recipe=fc.Recipe(learning_rate=30.0))  # bounces
        held_out = (garments[0][:100], garments[1][:100])
        history = trainer.fit(
            *garments, epochs=30, validation_data=held_out, early_stopping=1, seed=0, verbose=0
        ).history["val_loss"]
        assert len(history) < 30
        assert trainer.evaluate(*held_out)["loss"] == pytest.approx(min(history), rel=1e-4)

    def test_checkpoint_holds_the_best_epoch_with_names(self, garments, small_trainer, tmp_path):
        trainer = small_trainer(optimizer="sgd", recipe=fc.Recipe(learning_rate=30.0), class_names=list("abcdefghij"))
        held_out = (garments[0][:100], garments[1][:100])
        path = tmp_path / "best.keras"
        history = trainer.fit(*garments, epochs=6, validation_data=held_out, checkpoint=path, seed=0, verbose=0).history
        best = fc.Trainer.load(path)
        assert best.class_names == tuple("abcdefghij")
        assert best.evaluate(*held_out)["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-4)
        assert [file.name for file in tmp_path.iterdir()] == ["best.keras"]

    def test_weights_of_examples_and_classes(self, garments, small_trainer):
        images, labels = garments
        boots = labels == 9
        by_class, by_example, by_name = small_trainer(), small_trainer(), small_trainer()
        options = {"epochs": 1, "seed": 0, "verbose": 0}
        by_class.fit(images, labels, class_weight=dict.fromkeys(range(9), 0.0), **options)
        by_example.fit(images, labels, sample_weight=boots.astype(float), **options)
        by_name.fit(images, labels, class_weight=dict.fromkeys(fc.CLASS_NAMES[:9], 0), **options)
        np.testing.assert_array_equal(by_class.model.get_weights()[0], by_example.model.get_weights()[0])
        np.testing.assert_array_equal(by_class.model.get_weights()[0], by_name.model.get_weights()[0])
        only_boots = by_class.evaluate(images[boots], labels[boots])
        assert only_boots["accuracy"] == 1
        weighted = by_class.evaluate(images, labels, sample_weight=boots)
        assert weighted["loss"] == pytest.approx(only_boots["loss"] * boots.mean(), rel=1e-4)  # a mean over all

    def test_balanced_weights_are_scikit_learns(self, garments):
        from sklearn.utils.class_weight import compute_class_weight

        from fashionclf._labelled import check_labelled

        labels = np.repeat([0, 1, 2], [10, 20, 30])
        examples = check_labelled(garments[0][:60], labels, None, num_classes=3)
        weights = examples.with_class_weight("balanced", None, 3).weights
        expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)[labels]
        np.testing.assert_allclose(weights, expected, rtol=1e-6)

    def test_label_smoothing_acts_in_training_only(self, garments, small_trainer):
        trainer = small_trainer(recipe=fc.Recipe(label_smoothing=0.2, epochs=30, learning_rate=0.01))
        history = trainer.fit(*garments, validation_data=garments, seed=0, verbose=0).history
        assert history["loss"][-1] > history["val_loss"][-1] + 0.2

    def test_label_smoothing_keeps_metrics_true(self, garments):
        """What the loss learns from is smoothed; accuracy and the like are counted on the labels themselves."""
        images, labels = garments[0], garments[1] % 2
        model = fc.dense_model((), num_classes=1, seed=0)
        trainer = fc.Trainer(model, class_names=["even", "odd"], recipe=fc.Recipe(label_smoothing=0.1))
        history = trainer.fit(images, labels, epochs=8, seed=0, verbose=0).history
        assert history["accuracy"][-1] > 0.6
        assert trainer.evaluate(images, labels)["loss"] < history["loss"][-1]

    def test_cutmix_acts_in_training_only(self, garments, small_trainer):
        trainer = small_trainer(recipe=fc.Recipe(cutmix=1.0, epochs=30, learning_rate=0.01))
        history = trainer.fit(*garments, validation_data=garments, seed=0, verbose=0).history
        assert history["loss"][-1] > history["val_loss"][-1] + 0.2

    def test_cutmix_with_other_options(self, garments):
        """One sigmoid unit, soft labels, weights, smoothing, augmentation: what it must get along with."""
        images, labels = garments[0][:100], garments[1][:100] % 2
        recipe = fc.Recipe(cutmix=0.5, label_smoothing=0.1, augmentation=fc.Augmentation(noise=0.1))
        options = {"sample_weight": np.arange(100), "class_weight": {1: 2}, "epochs": 2, "seed": 0, "verbose": 0}
        for units, targets in ((1, labels), (2, labels), (2, fc.one_hot(labels, 2) * 0.8 + 0.1)):
            trainer = fc.Trainer(fc.dense_model((), num_classes=units, seed=0), class_names=["a", "b"], recipe=recipe)
            assert np.isfinite(trainer.fit(images, targets, **options).history["loss"]).all()

    @pytest.mark.parametrize("optimizer", ["sgd", "Adagrad", "nadam", "rmsprop", "adadelta", "adamax", "ftrl", "adamw"])
    def test_optimizers_by_name(self, garments, small_trainer, optimizer):
        trainer = small_trainer(optimizer=optimizer)
        trainer.fit(garments[0][:40], garments[1][:40], epochs=1, verbose=0)
        assert type(trainer.model.optimizer).__name__.lower() == optimizer.lower()

    def test_instances_of_optimizer_loss_and_metrics(self, garments, small_trainer):
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        trainer = small_trainer(
            optimizer=optimizer,
            loss=keras.losses.CategoricalFocalCrossentropy(),
            metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(3, name="top_3")],
        )
        history = trainer.fit(*garments, epochs=2, seed=0, verbose=0).history
        assert trainer.model.optimizer is optimizer
        assert set(history) == {"loss", "accuracy", "top_3"}
        assert set(trainer.evaluate(*garments)) == {"loss", "accuracy", "top_3"}

    def test_nothing_keeps_the_pictures_alive(self, garments, small_trainer):
        import gc
        import weakref

        images = garments[0].copy()
        gone = weakref.ref(images)
        trainer = small_trainer()
        trainer.fit(images, garments[1], epochs=1, verbose=0)
        del images
        gc.collect()
        assert gone() is None

    def test_freezing_layers_between_fits(self, garments):
        for optimizer in (None, keras.optimizers.SGD(0.01)):
            trainer = fc.Trainer(fc.dense_model((8,), seed=0), optimizer=optimizer)
            layer = trainer.model.get_layer("dense_1")
            for trainable in (False, True, False):
                layer.trainable = trainable
                before = layer.kernel.numpy()
                trainer.fit(*garments, epochs=1, verbose=0)
                assert (layer.kernel.numpy() != before).any() == trainable

    def test_another_recipe_takes_effect(self, garments, small_trainer):
        trainer = small_trainer()
        trainer.fit(*garments, epochs=1, verbose=0)
        trainer.recipe = fc.Recipe(optimizer="sgd", momentum=0.5, weight_decay=0.01)
        trainer.fit(*garments, epochs=1, verbose=0)
        assert isinstance(trainer.model.optimizer, keras.optimizers.SGD)
        assert trainer.model.optimizer.momentum == 0.5
        assert trainer.model.optimizer.nesterov
        assert trainer.model.optimizer.weight_decay == 0.01

    def test_one_optimizer_instance_serves_two_trainers(self, garments, small_trainer):
        optimizer = keras.optimizers.SGD(0.1)
        for _ in range(2):
            trainer = small_trainer(optimizer=optimizer)
            trainer.fit(*garments, epochs=1, verbose=0)
            assert float(trainer.model.optimizer.learning_rate) == pytest.approx(0.1)

    def test_a_subclassed_or_unbuilt_model(self, garments):
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.flat, self.out = keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")

            def call(self, inputs):
                return self.out(self.flat(inputs))

        unbuilt = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
        for model in (Own(), unbuilt):
            trainer = fc.Trainer(model)
            trainer.fit(*garments, epochs=2, validation_split=0.2, precision="bfloat16", verbose=0)
            assert trainer.evaluate(*garments)["accuracy"] > 0.3
            assert trainer.predict(garments[0][0])[0].class_name in fc.CLASS_NAMES

    def test_own_layers_in_bfloat16_training(self, garments):
        """A layer of the caller's may mix its input with float32 values: it gets float32 whatever the precision."""

        class Double(keras.layers.Layer):
            def call(self, inputs):
                return inputs * tf.constant(2.0)

        layers = [
            keras.layers.Conv2D(4, 3),
            Double(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
        trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]))
        trainer.fit(*garments, epochs=1, precision="bfloat16", verbose=0)

    @pytest.mark.filterwarnings("ignore:.build... was called")  # Keras, of the layer that is never used
    def test_own_layers_with_layers_inside(self, garments):
        class Residual(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.convolution = keras.layers.Conv2D(4, 3, padding="same")

            def call(self, inputs):
                return inputs + self.convolution(inputs)

        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.first, self.second = keras.layers.Conv2D(4, 3, padding="same"), Residual()
                self.unused = keras.layers.BatchNormalization()
                self.flat, self.out = keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")

            def call(self, inputs):
                return self.out(self.flat(inputs + self.second(self.first(inputs))))

        head = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        graph = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(4, 3), Residual(), *head])
        for model in (graph, Own()):
            fc.Trainer(model).fit(garments[0][:64], garments[1][:64], epochs=1, precision="bfloat16", verbose=0)

    def test_which_layers_may_be_bfloat16(self):
        from fashionclf.models._graph import bfloat16_layers, last_layer

        nested = keras.Sequential([keras.Input((28, 28, 1)), fc.cnn_model((4,), units=())])
        assert last_layer(nested).name == "output"
        assert [layer.name for layer in bfloat16_layers(nested)] == [
            "conv_1",
            "conv_1_relu",
            "pool_1",
            "flatten",
            "dropout",
        ]

    def test_a_nested_binary_model(self, garments):
        block = keras.Sequential(
            [
                keras.layers.Conv2D(2, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), block]), class_names=["even", "odd"])
        assert trainer.predict_proba(garments[0][:3]).shape == (3, 2)

    def test_own_train_step_with_label_smoothing(self, garments):
        class Own(keras.Model):
            def train_step(self, data):
                x, y = data
                with tf.GradientTape() as tape:
                    loss = self.compute_loss(y=y, y_pred=self(x, training=True))
                variables = self.trainable_variables
                self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
                return {"loss": loss}

        inputs = keras.Input((784,))
        model = Own(inputs, keras.layers.Dense(10, activation="softmax")(inputs))
        trainer = fc.Trainer(model, metrics=[], recipe=fc.Recipe(label_smoothing=0.1))
        assert "loss" in trainer.fit(*garments, epochs=1, verbose=0).history

    def test_several_replicas(self):
        """In a process of its own: devices are laid out before TensorFlow starts."""
        script = """
            import tensorflow as tf
            cpu = tf.config.list_physical_devices("CPU")[0]
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
            import fashionclf as fc
            from fashionclf.datasets._synthetic import draw_garments
            with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
                trainer = fc.Trainer(fc.cnn_model((4,), units=(8,), batch_norm=True, seed=0))
            images, labels = draw_garments(128)
            history = trainer.fit(images, labels, epochs=2, precision="bfloat16", seed=0, verbose=0).history
            assert history["loss"][1] < history["loss"][0]
            trainer.evaluate(images, labels)
        """
        run = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, timeout=120
        )
        assert run.returncode == 0, run.stderr[-2000:]

    def test_saving_in_another_thread_sees_float32(self, garments, tmp_path):
        """While steps are traced and run, others wait for the lock, or would write bfloat16 layers."""
        from concurrent.futures import ThreadPoolExecutor

        started = threading.Event()

        class Slow(keras.layers.Flatten):
            def call(self, inputs):
                started.set()
                time.sleep(0.3)
                return super().call(inputs)

        Slow.__module__ = "keras.layers"
        layers = [keras.layers.Conv2D(2, 3), Slow(), keras.layers.Dense(10, activation="softmax")]
        trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]))
        started.clear()
        with ThreadPoolExecutor(1) as pool:
            fitted = pool.submit(trainer.fit, *garments, epochs=1, precision="bfloat16", verbose=0)
            assert started.wait(30)
            trainer.save(tmp_path / "a.keras")
            fitted.result()
        model = keras.models.load_model(tmp_path / "a.keras", custom_objects={"Slow": Slow})
        assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}

    def test_an_input_of_any_size(self, garments):
        layers = [
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(10, activation="softmax"),
        ]
        trainer = fc.Trainer(keras.Sequential([keras.Input((None, None, 1)), *layers]))
        trainer.fit(*garments, epochs=1, validation_split=0.2, verbose=0)
        assert trainer.compile_predictor().predict_proba(garments[0][:2]) == pytest.approx(
            trainer.predict_proba(garments[0][:2]), abs=1e-5
        )

    def test_steps_per_execution_of_the_caller(self, garments):
        weights = []
        for steps in (1, 4):
            model = fc.dense_model((), seed=0)
            model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", steps_per_execution=steps)
            fc.Trainer(model).fit(*garments, epochs=2, seed=0, verbose=0)
            assert int(model.optimizer.iterations) == 2 * 19
            weights.append(model.get_weights()[0])
        np.testing.assert_allclose(weights[0], weights[1], atol=1e-6)

    def test_keras_backup_and_restore_gets_the_right_epochs(self, garments, small_trainer, tmp_path):
        whole, broken = small_trainer(), small_trainer()
        options = {"epochs": 3, "seed": 0, "verbose": 0}
        whole.fit(*garments, **options)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        with pytest.raises(KeyboardInterrupt):
            broken.fit(*garments, callbacks=[backup, TestResume.Interrupt(2)], **options)
        broken.fit(*garments, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")], **options)
        np.testing.assert_allclose(whole.model.get_weights()[0], broken.model.get_weights()[0], atol=1e-6)

    def test_a_model_is_fitted_once_at_a_time(self, garments, small_trainer):
        from concurrent.futures import ThreadPoolExecutor

        trainer = small_trainer()
        refused = []

        class Second(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                with ThreadPoolExecutor(1) as pool:
                    refused.append(pool.submit(trainer.fit, *garments, epochs=1, verbose=0).exception())
                try:
                    trainer.fit(*garments, epochs=1, verbose=0)
                except RuntimeError as error:
                    refused.append(error)

        trainer.fit(*garments, epochs=1, callbacks=[Second()], verbose=0)
        assert [type(error) for error in refused] == [RuntimeError, RuntimeError]
        trainer.fit(*garments, epochs=1, verbose=0)

    def test_a_compiled_model_keeps_its_compilation(self, garments):
        model = fc.dense_model((), seed=0)
        model.compile(optimizer="sgd", loss="categorical_crossentropy", metrics=["mae"])
        optimizer = model.optimizer
        trainer = fc.Trainer(model)
        trainer.fit(*garments, epochs=1, verbose=0)
        assert model.optimizer is optimizer
        assert set(trainer.evaluate(*garments)) == {"loss", "mae"}

    @pytest.mark.parametrize("shape", [(784,), (28, 28)])
    def test_models_with_other_input_shapes(self, garments, shape):
        layers = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        trainer = fc.Trainer(keras.Sequential([keras.Input(shape), *layers]))
        trainer.fit(*garments, epochs=2, validation_split=0.1, verbose=0)
        assert trainer.evaluate(*garments)["accuracy"] == pytest.approx(
            np.mean(trainer.predict(garments[0]).labels == garments[1]), abs=1e-6
        )

    def test_augmentation_is_applied_and_can_be_turned_off(self, garments, small_trainer):
        recipe = fc.Recipe(augmentation=fc.Augmentation(max_shift=3), epochs=1)
        weights = {}
        nothing = fc.Augmentation(horizontal_flip=False, max_shift=0)
        for name, augment in {"recipe": None, "on": True, "off": False, "none": nothing}.items():
            trainer = small_trainer(recipe=recipe)
            trainer.fit(*garments, augment=augment, seed=0, verbose=0)
            weights[name] = trainer.model.get_weights()[0]
        np.testing.assert_array_equal(weights["recipe"], weights["on"])
        np.testing.assert_array_equal(weights["off"], weights["none"])
        assert (weights["on"] != weights["off"]).any()

    def test_user_callbacks_see_every_batch_and_epoch(self, garments, small_trainer):
        calls = {"batch": 0, "epoch": 0}

        class Count(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                calls["batch"] += 1

            def on_epoch_end(self, epoch, logs=None):
                calls["epoch"] += 1

        small_trainer().fit(*garments, epochs=2, batch_size=100, callbacks=[Count()], verbose=0)
        assert calls == {"batch": 12, "epoch": 2}


class TestPrecision:
    def test_bfloat16_trains_and_leaves_float32(self, garments):
        policies = []

        class Spy(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                policies.extend(layer.dtype_policy.name for layer in self.model.layers)

            def on_train_batch_end(self, batch, logs=None):
                self.on_train_begin()

            def on_epoch_end(self, epoch, logs=None):
                self.on_train_begin()

        in_step = []

        class Watched(keras.layers.Flatten):
            def call(self, inputs):
                in_step.append(inputs.dtype)
                return super().call(inputs)

        Watched.__module__ = "keras.layers"  # a layer of the caller's own stays float32
        layers = [
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            Watched(),
            keras.layers.Dense(10, activation="softmax"),
        ]
        trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]))
        in_step.clear()
        history = trainer.fit(
            *garments, epochs=3, precision="bfloat16", validation_data=garments, callbacks=[Spy()], seed=0, verbose=0
        ).history
        assert "bfloat16" in in_step
        assert in_step[-1] == "float32"  # validation is traced last
        assert set(policies) == {"float32"}
        assert {layer.dtype_policy.name for layer in trainer.model.layers} == {"float32"}
        assert {str(variable.dtype) for variable in trainer.model.weights} == {"float32"}
        assert history["loss"][-1] < history["loss"][0] / 2
        assert history["val_loss"][-1] == pytest.approx(trainer.evaluate(*garments)["loss"], rel=1e-4)
        assert "make_train_function" not in vars(trainer.model)

    def test_precisions_train_alike_but_not_the_same(self, garments):
        weights = {}
        for precision in ("float32", "bfloat16"):
            trainer = fc.Trainer(fc.cnn_model((8,), units=(), dropout=0.0, seed=0))
            trainer.fit(*garments, epochs=1, precision=precision, seed=0, verbose=0)
            weights[precision] = trainer.model.get_weights()[0]
        assert (weights["float32"] != weights["bfloat16"]).any()
        np.testing.assert_allclose(weights["float32"], weights["bfloat16"], atol=0.02)

    def test_auto_is_decided_by_the_processor(self, garments, monkeypatch):
        from fashionclf.trainer import _step

        weights = []
        for fast in (True, False):
            monkeypatch.setattr(_step, "has_fast_bfloat16", lambda fast=fast: fast)
            trainer = fc.Trainer(fc.cnn_model((8,), units=(), seed=0))
            trainer.fit(*garments, epochs=1, precision="auto", seed=0, verbose=0)
            weights.append(trainer.model.get_weights()[0])
        assert (weights[0] != weights[1]).any()

    def test_a_checkpoint_made_while_training_in_bfloat16_is_float32(self, garments, tmp_path):
        trainer = fc.Trainer(fc.cnn_model((8,), units=(), seed=0))
        path = tmp_path / "best.keras"
        trainer.fit(*garments, epochs=1, precision="bfloat16", validation_split=0.2, checkpoint=path, verbose=0)
        model = keras.models.load_model(path)
        assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}

    def test_an_error_in_training_leaves_float32(self, garments):
        class Stop(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                raise RuntimeError("stop")

        trainer = fc.Trainer(fc.cnn_model((8,), units=(), seed=0))
        with pytest.raises(RuntimeError, match="stop"):
            trainer.fit(*garments, epochs=1, precision="bfloat16", callbacks=[Stop()], verbose=0)
        assert {layer.dtype_policy.name for layer in trainer.model.layers} == {"float32"}
        trainer.evaluate(*garments)


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

    def test_two_processes_agree_bit_for_bit_and_leave_global_states_alone(self):
        runs = [
            subprocess.run(
                [sys.executable, "-c", textwrap.dedent(self.SCRIPT)], capture_output=True, text=True, check=False
            )
            for _ in range(2)
        ]
        assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
        assert runs[0].stdout == runs[1].stdout
        assert len(runs[0].stdout.strip()) == 64

    def test_the_seed_of_fit_governs_dropout_of_any_model(self, garments):
        def train(seed):
            model = keras.Sequential(
                [
                    keras.Input((28, 28, 1)),
                    keras.layers.Flatten(),
                    keras.layers.Dropout(0.5),  # no seed of its own
                    keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros"),
                ]
            )
            fc.Trainer(model).fit(*garments, epochs=1, seed=seed, verbose=0)
            return model.get_weights()[0]

        np.testing.assert_array_equal(train(1), train(1))
        assert (train(1) != train(2)).any()

    def test_without_a_seed_two_fits_differ(self, garments, small_trainer):
        weights = []
        for _ in range(2):
            trainer = small_trainer()
            trainer.fit(*garments, epochs=1, verbose=0)
            weights.append(trainer.model.get_weights()[0])
        assert (weights[0] != weights[1]).any()


class TestResume:
    class Interrupt(keras.callbacks.Callback):
        def __init__(self, epoch):
            super().__init__()
            self.last = epoch

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == self.last:
                raise KeyboardInterrupt

    @pytest.fixture
    def options(self):
        return {
            "epochs": 5, "validation_split": 0.2, "early_stopping": 3, "augment": True, "verbose": 0,
        }  # fmt: skip

    @pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
    def test_an_interrupted_fit_ends_as_if_it_had_not_been(self, garments, options, schedule, tmp_path):
        def trainer():
            model = fc.cnn_model((4,), units=(8,), batch_norm=True, seed=0)
            return fc.Trainer(model, recipe=fc.Recipe(schedule=schedule, learning_rate=0.01))

        whole = trainer()
        expected = whole.fit(*garments, seed=5, **options).history
        state = tmp_path / "run.npz"
        with pytest.raises(KeyboardInterrupt):
            trainer().fit(*garments, seed=5, resume=state, callbacks=[self.Interrupt(3)], **options)
        assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]
        resumed = trainer()
        history = resumed.fit(*garments, resume=state, **options)  # the seed is in the file
        for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        assert history.history == expected
        assert history.epoch == list(range(len(expected["loss"])))
        assert not list(tmp_path.iterdir())

    def test_another_fit_is_refused(self, garments, small_trainer, tmp_path):
        state = tmp_path / "run.npz"
        with pytest.raises(KeyboardInterrupt):
            small_trainer().fit(*garments, epochs=3, seed=1, resume=state, callbacks=[self.Interrupt(1)], verbose=0)
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

    def test_a_damaged_state_is_named(self, garments, small_trainer, tmp_path):
        state = tmp_path / "run.npz"
        state.write_bytes(b"not an archive")
        with pytest.raises(ValueError, match=r"run\.npz.*damaged"):
            small_trainer().fit(*garments, epochs=1, resume=state, verbose=0)


class TestPredict:
    def test_every_form_predicts_the_same(self, fitted, every_form):
        expected = fitted.predict_proba(every_form["float32"])
        assert expected.shape == (8, 10)
        assert expected.dtype == np.float32
        for form, images in every_form.items():
            np.testing.assert_allclose(fitted.predict_proba(images), expected, atol=1e-5, err_msg=form)

    def test_it_is_what_keras_predicts(self, fitted, garments):
        expected = fitted.model.predict(fc.prepare_images(garments[0]), verbose=0)
        np.testing.assert_allclose(fitted.predict_proba(garments[0]), expected, atol=1e-6)

    @pytest.mark.parametrize("batch_size", [1, 7, 600, 10_000])
    def test_batch_size_changes_nothing(self, fitted, garments, batch_size):
        expected = fitted.predict_proba(garments[0][:50])
        np.testing.assert_allclose(fitted.predict_proba(garments[0][:50], batch_size=batch_size), expected, atol=1e-6)

    def test_one_picture(self, fitted, garments):
        predictions = fitted.predict(garments[0][0])
        assert len(predictions) == 1
        assert predictions[0].class_name in fc.CLASS_NAMES
        assert predictions[0].probabilities.sum() == pytest.approx(1, abs=1e-5)

    def test_binary_has_two_columns(self, garments):
        trainer = fc.Trainer(fc.dense_model((), num_classes=1, seed=0), class_names=["top", "rest"])
        probabilities = trainer.predict_proba(garments[0][:5])
        assert probabilities.shape == (5, 2)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(probabilities[:, 1:], trainer.model(fc.prepare_images(garments[0][:5])), atol=1e-6)

    def test_training_is_seen_by_the_compiled_function(self, garments, small_trainer):
        trainer = small_trainer()
        before = trainer.predict_proba(garments[0][:3])
        trainer.fit(*garments, epochs=1, verbose=0)
        assert (trainer.predict_proba(garments[0][:3]) != before).any()
        trainer.model.set_weights([np.zeros_like(weight) for weight in trainer.model.get_weights()])
        np.testing.assert_allclose(trainer.predict_proba(garments[0][:3]), 0.1)

    def test_a_split_is_taken_for_its_images(self, fitted, garments):
        split = fc.Split(*garments)[:5]
        assert fitted.predict(split) == fitted.predict(garments[0][:5])

    def test_names_must_be_known(self, garments):
        trainer = fc.Trainer(fc.dense_model((), num_classes=3, seed=0))
        assert trainer.class_names is None
        trainer.predict_proba(garments[0][:2])
        with pytest.raises(ValueError, match="class_names="):
            trainer.predict(garments[0][:2])

    def test_evaluate_agrees_with_predict(self, fitted, garments):
        images, labels = garments
        figures = fitted.evaluate(images, labels)
        probabilities = fitted.predict_proba(images)
        assert figures["accuracy"] == pytest.approx(np.mean(probabilities.argmax(1) == labels), abs=1e-6)
        assert figures["loss"] == pytest.approx(-np.mean(np.log(probabilities[np.arange(600), labels])), rel=1e-4)

    def test_summary_and_repr(self, fitted, capsys):
        fitted.summary()
        assert "conv_1" in capsys.readouterr().out
        assert repr(fitted) == "<Trainer fitted: 26,698 parameters, 10 classes>"


class TestSaveAndLoad:
    def test_round_trip_in_a_fresh_process(self, fitted, garments, tmp_path):
        path = tmp_path / "boots.keras"
        fitted.save(path)
        np.save(tmp_path / "images.npy", garments[0][:20])
        script = f"""
            import numpy as np, sys
            import fashionclf as fc
            trainer = fc.Trainer.load({str(path)!r})
            assert trainer.class_names == fc.CLASS_NAMES
            images = np.load({str(tmp_path / "images.npy")!r})
            np.save({str(tmp_path / "fashionclf.npy")!r}, trainer.predict_proba(images))
        """
        plain = f"""
            import os, sys
            sys.modules["fashionclf"] = None  # as if it were not installed
            import keras, numpy as np
            model = keras.models.load_model({str(path)!r})
            images = np.load({str(tmp_path / "images.npy")!r})[..., None] / np.float32(255)
            np.save({str(tmp_path / "plain.npy")!r}, model(images.astype("float32")))
        """
        for code in (script, plain):
            run = subprocess.run(
                [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
            )
            assert run.returncode == 0, run.stderr
        expected = fitted.predict_proba(garments[0][:20])
        np.testing.assert_array_equal(np.load(tmp_path / "fashionclf.npy"), expected)
        np.testing.assert_allclose(np.load(tmp_path / "plain.npy"), expected, atol=1e-6)

    def test_recipe_names_and_evaluation_survive(self, garments, tmp_path):
        recipe = fc.Recipe(learning_rate=0.01, schedule="one_cycle", epochs=2, augmentation=fc.Augmentation())
        trainer = fc.Trainer(
            fc.dense_model((), seed=0),
            class_names=fc.class_names("fashion_mnist", "ko"),
            recipe=recipe,
            metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(3, name="top_3")],
        )
        trainer.fit(*garments, seed=0, verbose=0)
        trainer.save(tmp_path / "a.keras")
        again = fc.Trainer.load(tmp_path / "a.keras")
        assert again.recipe == recipe
        assert again.class_names[8] == "가방"
        assert again.evaluate(*garments) == trainer.evaluate(*garments)
        history = again.fit(*garments, seed=1, verbose=0).history
        assert set(history) == {"loss", "accuracy", "top_3"}
        assert again.class_names[8] == "가방"

    def test_a_loaded_trainer_goes_on_like_the_saved_one(self, garments, small_trainer, tmp_path):
        trainer = small_trainer()
        trainer.fit(*garments, epochs=1, seed=0, verbose=0)
        trainer.save(tmp_path / "a.keras")
        again = fc.Trainer.load(tmp_path / "a.keras")
        for each in (trainer, again):
            each.fit(*garments, epochs=1, seed=1, verbose=0)
        np.testing.assert_array_equal(trainer.model.get_weights()[0], again.model.get_weights()[0])

    def test_an_untrained_classifier(self, small_trainer, garments, tmp_path):
        trainer = small_trainer()
        trainer.save(tmp_path / "a.keras")
        again = fc.Trainer.load(tmp_path / "a.keras")
        np.testing.assert_array_equal(again.predict_proba(garments[0]), trainer.predict_proba(garments[0]))
        again.fit(*garments, epochs=1, verbose=0)

    def test_what_was_asked_for_survives_before_the_first_fit(self, garments, small_trainer, tmp_path):
        small_trainer(optimizer=keras.optimizers.SGD(0.5), loss="mse", metrics=["mae"]).save(tmp_path / "a.keras")
        again = fc.Trainer.load(tmp_path / "a.keras")
        assert set(again.fit(*garments, epochs=1, verbose=0).history) == {"loss", "mae"}
        assert isinstance(again.model.optimizer, keras.optimizers.SGD)
        assert float(again.model.optimizer.learning_rate) == 0.5

    def test_numpy_numbers_in_a_recipe_are_saved(self, small_trainer, tmp_path):
        recipe = fc.Recipe(
            epochs=np.int64(3), learning_rate=np.float32(0.5), augmentation=fc.Augmentation(max_shift=np.int8(1))
        )
        small_trainer(recipe=recipe).save(tmp_path / "a.keras")
        assert fc.Trainer.load(tmp_path / "a.keras").recipe == recipe

    def test_tampered_metadata_is_named(self, small_trainer, tmp_path):
        import json
        import zipfile

        for i, metadata in enumerate([{"format": 1}, {"format": 99}, [], {"format": 1, "class_names": None,
                                      "class_names_given": False, "recipe": [], "compilation": {}}]):  # fmt: skip
            path = tmp_path / f"{i}.keras"
            small_trainer().model.save(path)
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr("fashionclf.json", json.dumps(metadata))
            with pytest.raises(ValueError, match=rf"{i}\.keras"):
                fc.Trainer.load(path)

    def test_a_lambda_layer_is_refused(self, tmp_path):
        layers = [keras.layers.Lambda(lambda x: x), keras.layers.Dense(10, activation="softmax")]
        with pytest.raises(ValueError, match="Lambda"):
            fc.Trainer(keras.Sequential([keras.Input((784,)), *layers])).save(tmp_path / "a.keras")
        assert not list(tmp_path.iterdir())

    def test_a_trainer_cannot_be_pickled(self, small_trainer):
        import copy

        with pytest.raises(TypeError, match="use `save` and `load`"):
            copy.deepcopy(small_trainer())

    def test_a_plain_keras_file_needs_names(self, tmp_path):
        fc.dense_model((), num_classes=2).save(tmp_path / "plain.keras")
        with pytest.raises(ValueError, match="pass `class_names`"):
            fc.Trainer.load(tmp_path / "plain.keras")
        assert fc.Trainer.load(tmp_path / "plain.keras", class_names=["a", "b"]).class_names == ("a", "b")

    def test_own_layers_need_custom_objects(self, garments, tmp_path):
        class Twice(keras.layers.Layer):
            def call(self, inputs):
                return inputs * 2

        layers = [Twice(), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        trainer = fc.Trainer(keras.Sequential([keras.Input((28, 28, 1)), *layers]))
        trainer.save(tmp_path / "own.keras")
        with pytest.raises(TypeError, match="Twice"):
            fc.Trainer.load(tmp_path / "own.keras")
        again = fc.Trainer.load(tmp_path / "own.keras", custom_objects={"Twice": Twice})
        np.testing.assert_array_equal(again.predict_proba(garments[0]), trainer.predict_proba(garments[0]))

    def test_damaged_and_missing_files(self, small_trainer, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"none\.keras"):
            fc.Trainer.load(tmp_path / "none.keras")
        (tmp_path / "text.keras").write_text("not a zip file")
        with pytest.raises(ValueError, match=r"text\.keras.*not a \.keras file"):
            fc.Trainer.load(tmp_path / "text.keras")
        small_trainer().save(tmp_path / "whole.keras")
        content = (tmp_path / "whole.keras").read_bytes()
        (tmp_path / "half.keras").write_bytes(content[: len(content) // 2])
        with pytest.raises(ValueError, match=r"half\.keras"):
            fc.Trainer.load(tmp_path / "half.keras")

    def test_a_failing_save_leaves_the_old_file(self, small_trainer, tmp_path, monkeypatch):
        trainer = small_trainer()
        trainer.save(tmp_path / "a.keras")
        before = (tmp_path / "a.keras").read_bytes()
        monkeypatch.setattr(keras.Sequential, "save", lambda self, path: os.fspath(1 / 0))
        with pytest.raises(ZeroDivisionError):
            trainer.save(tmp_path / "a.keras")
        assert (tmp_path / "a.keras").read_bytes() == before
        assert len(list(tmp_path.iterdir())) == 1

    def test_loading_leaves_pythons_random_state(self, tmp_path):
        model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
        fc.Trainer(model).save(tmp_path / "a.keras")
        before = random.getstate()
        fc.Trainer.load(tmp_path / "a.keras")
        assert random.getstate() == before


def test_tensorflow_backend_is_checked(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        fc.Trainer(fc.dense_model(()))


class TestSpeed:
    def test_fused_normalisation_trains_as_keras_does(self, garments):
        """One kernel against many: after four steps the same weights and moving averages, but for rounding."""
        images, labels = garments[0][:128], garments[1][:128]
        weights = []
        for fused in (True, False):
            model = fc.cnn_model((4, 8), units=(), batch_norm=True, dropout=0.0, seed=0)
            with pytest.MonkeyPatch.context() as patch:
                if not fused:
                    patch.setattr("fashionclf.trainer._step._can_be_fused", lambda layer: False)
                recipe = fc.Recipe(optimizer="sgd", learning_rate=0.01, precision="float32")
                fc.Trainer(model, recipe=recipe).fit(images, labels, epochs=1, seed=0, verbose=0)
            weights.append(model.get_weights())
            assert all("call" not in vars(layer) for layer in model.layers)
        for ours, theirs in zip(*weights, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=5e-6)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_sums_by_place_train_as_keras_does(self, garments, precision):
        """A depthwise filter of the map's size is a weighted sum, whoever computes it; a smaller one stays as it is."""
        images, labels = garments[0][:128], garments[1][:128]
        weights = []
        for summed in (True, False):
            initial = keras.initializers.GlorotUniform
            depthwise = [
                keras.layers.DepthwiseConv2D(size, use_bias=False, depthwise_initializer=initial(seed=size))
                for size in (5, 24)
            ]
            head = keras.layers.Dense(10, activation="softmax", kernel_initializer=initial(seed=0))
            model = keras.Sequential([keras.Input((28, 28, 1)), *depthwise, keras.layers.Flatten(), head])
            with pytest.MonkeyPatch.context() as patch:
                if not summed:
                    patch.setattr("fashionclf.trainer._step._is_plain_depthwise", lambda layer: False)
                recipe = fc.Recipe(optimizer="sgd", learning_rate=0.01, precision=precision)
                fc.Trainer(model, recipe=recipe).fit(images, labels, epochs=2, seed=0, verbose=0)
            weights.append(model.get_weights())
            assert all("call" not in vars(layer) for layer in model.layers)
        for ours, theirs in zip(*weights, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=5e-6 if precision == "float32" else 5e-5)

    def test_grouping_steps_changes_nothing(self, garments):
        class EveryBatch(keras.callbacks.Callback):
            seen = 0

            def on_train_batch_end(self, batch, logs=None):
                self.seen += 1

        results = []
        for callbacks in ([], [EveryBatch()]):
            trainer = fc.Trainer(fc.cnn_model((4,), units=(), seed=0))
            history = trainer.fit(*garments, epochs=2, validation_split=0.2, callbacks=callbacks, seed=0, verbose=0)
            results.append((history.history, trainer.model.get_weights()))
            assert trainer.model.steps_per_execution == 1
        assert callbacks[0].seen == 2 * 15  # 480 pictures, 32 at a time
        for name, values in results[0][0].items():
            assert values == pytest.approx(results[1][0][name])
        for grouped, single in zip(results[0][1], results[1][1], strict=True):
            np.testing.assert_allclose(grouped, single, atol=1e-6)

    def test_cnn_fast_learns_in_its_three_epochs(self, garments, tmp_path):
        trainer = fc.Trainer.from_preset("cnn_fast", seed=0)
        first = trainer.model.layers[0].kernel.numpy()
        trainer.fit(*garments, batch_size=20, seed=0, verbose=0)
        assert trainer.evaluate(*garments)["accuracy"] > 0.8
        np.testing.assert_array_equal(trainer.model.layers[0].kernel, first)  # fixed
        trainer.save(tmp_path / "fast.keras")
        plain = keras.models.load_model(tmp_path / "fast.keras")
        np.testing.assert_allclose(plain(fc.prepare_images(garments[0])), trainer.predict_proba(garments[0]), atol=1e-5)


def test_batches_are_not_tuned(garments):
    """The end of an epoch waits for the tuning thread of tf.data, half a minute at times."""
    from fashionclf.trainer._batches import BatchSource
    from fashionclf.trainer._fit import tf_dataset

    source = BatchSource(garments[0], garments[1], batch_size=100, image_shape=(28, 28, 1), seed=0)
    with tf_dataset(source) as batches:
        assert batches.options().autotune.enabled is False
        assert sum(len(labels) for _, labels in batches) == len(garments[1])
