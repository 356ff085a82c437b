"""Training on several devices, in processes of their own: devices are laid out before TensorFlow starts."""

import textwrap

import pytest
from samples import processes

pytestmark = pytest.mark.slow  # every test starts processes, each with a TensorFlow of its own

BEGIN = """
    import warnings
    import numpy as np
    import pytest
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    import fashionclf as fc
    from fashionclf.datasets._synthetic import draw_garments
    images, labels = draw_garments(240)
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    one = tf.distribute.MirroredStrategy(["CPU:0"])
    quiet = {"epochs": 2, "seed": 0, "verbose": 0}

    def weights(trainer):
        return np.concatenate([each.ravel() for each in trainer.model.get_weights()])

    def trained(strategy, make, *data, **options):
        with strategy.scope():
            trainer = make()
        trainer.fit(*(data or (images, labels)), **{**quiet, **options})
        return weights(trainer)
"""


def run(script):
    processes.run(textwrap.dedent(BEGIN) + textwrap.dedent(script))


def test_two_devices_train_as_one():
    """Equal to 1e-4 after 16 steps in float32: sums are added in another order, and Adam divides by small numbers."""
    run("""
        def make():
            return fc.Trainer(fc.dense_model((8,), seed=0), recipe=fc.Recipe(precision="float32"))

        # the last batch of 192 images has 42
        options = {"augment": True, "class_weight": "balanced", "batch_size": 50, "validation_split": 0.2}
        found, expected = (trained(strategy, make, early_stopping=0, **options) for strategy in (two, one))
        np.testing.assert_allclose(found, expected, atol=1e-4)
        stream = tf.data.Dataset.from_tensor_slices((images, labels)).batch(30)
        found, expected = (trained(strategy, make, stream, validation_data=stream) for strategy in (two, one))
        np.testing.assert_allclose(found, expected, atol=1e-4)
    """)


def test_presets_built_in_the_scope():
    run("""
        import keras
        for name in fc.list_presets():
            with two.scope():
                trainer = fc.Trainer.from_preset(name, seed=0)
            expected = fc.Trainer.from_preset(name, seed=0)
            np.testing.assert_array_equal(weights(trainer), weights(expected), err_msg=name)
            assert trainer.model.distribute_strategy is two
        for name in ("cnn_fast", "cnn_robust"):  # cnn_accurate has the network of cnn_robust
            with two.scope():
                trainer = fc.Trainer.from_preset(name, pretrained=True)
            expected = fc.Trainer.from_preset(name, pretrained=True)
            found = trainer.predict_proba(images)
            np.testing.assert_allclose(found, expected.predict_proba(images), atol=1e-6, err_msg=name)
        with two.scope():
            trainer = fc.Trainer.from_preset("cnn_fast", pretrained=True)
            trainer.recipe = fc.Recipe(learning_rate=1e-4, precision="float32")
            trainer.fit(images, labels, **quiet)  # inside the scope as well
            found = trainer.evaluate(images, labels)["accuracy"]
            assert abs(found - trainer.report(images, labels).accuracy) < 1e-6
            parts = [keras.ops.convert_to_numpy(each) for weight in trainer.model.weights
                     for each in two.experimental_local_results(weight.value)]
            for one, other in zip(parts[::2], parts[1::2], strict=True):
                np.testing.assert_array_equal(one, other)  # on both devices
    """)


def test_every_option(tmp_path):
    run(f"""
        import keras, pathlib
        folder = pathlib.Path({str(tmp_path)!r})
        recipe = fc.Recipe(
            precision="bfloat16", cutmix=0.5, label_smoothing=0.1, augmentation=fc.Augmentation(max_shift=1),
            schedule="one_cycle", learning_rate=0.01, early_stopping=2, validation_split=0.2,
        )

        class Interrupt(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    raise KeyboardInterrupt

        def make(recipe=recipe):
            with two.scope():
                return fc.Trainer(fc.cnn_model((4,), units=(), batch_norm=True, seed=0), recipe=recipe)

        options = {{"epochs": 4, "seed": 0, "verbose": 0, "checkpoint": folder / "best.keras"}}
        whole = make()
        losses = whole.fit(images, labels, **options).history["loss"]
        assert losses[-1] < losses[0]
        broken = make()
        try:
            broken.fit(images, labels, resume=folder / "a.npz", callbacks=[Interrupt()], **options)
        except KeyboardInterrupt:
            assert (folder / "a.npz").exists()
        resumed = make()
        resumed.fit(images, labels, resume=folder / "a.npz", **options)
        np.testing.assert_allclose(weights(resumed), weights(whole), atol=1e-5)
        with two.scope():
            best = fc.Trainer.load(folder / "best.keras")
        best.fit(images, labels, validation_split=0.2, **quiet)
        temperature = fc.calibrate(best, images, labels)
        assert 0.1 <= temperature <= 10
    """)


def test_batches_that_devices_cannot_share_evenly():
    """An odd number of images, and a batch of one."""
    run("""
        held_out = tf.data.Dataset.from_tensor_slices((images, labels)).take(65).batch(64)
        for length in (1, 37):  # the last batch has 5
            with two.scope():
                trainer = fc.Trainer(fc.cnn_model((4,), units=(), batch_norm=True, seed=0))
            data = images[:length], labels[:length]
            history = trainer.fit(*data, validation_data=held_out, **quiet).history
            assert np.isfinite(list(history.values())).all(), (length, history)
            assert np.isfinite(weights(trainer)).all()
        for judged in (held_out, (images[:65], labels[:65])):
            found = trainer.evaluate(judged, batch_size=64)["accuracy"]
            assert abs(found - trainer.report(judged).accuracy) < 1e-6
        with pytest.raises(ValueError, match=r"2 devices share each batch.*Received a batch of 1"):
            trainer.evaluate(images[:1], labels[:1])
    """)
