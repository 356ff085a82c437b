"""Training on several devices, in processes of their own: devices are laid out before TensorFlow starts."""

import json
import socket
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
        endless = trained(two, make, stream.repeat(), steps_per_epoch=8)
        np.testing.assert_allclose(found, endless, atol=1e-4)
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


SEVERAL = """
    import json, os, pathlib, zlib
    import keras
    import numpy as np
    import pytest
    import tensorflow as tf
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    import fashionclf as fc
    from fashionclf.datasets._synthetic import draw_garments
    images, labels = draw_garments(160)
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    quiet = {"epochs": 2, "seed": 0, "verbose": 0}

    def make(**options):
        return fc.Trainer(fc.dense_model((8,), seed=0, **options), recipe=fc.Recipe(precision="float32"))

    def weights(trainer):
        return np.concatenate([each.ravel() for each in trainer.model.get_weights()])

    def show(trainer):
        print(zlib.crc32(weights(trainer).tobytes()))
"""


def run_two(program):
    """Run a program in two processes that train together, and return what both have printed."""
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in (first, second)]
    cluster = {"worker": workers}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(2)]
    environments = [{"TF_CONFIG": json.dumps(task)} for task in tasks]
    return processes.run_together(textwrap.dedent(SEVERAL) + textwrap.dedent(program), environments)


def test_two_processes_end_with_the_same_weights():
    """Bit for bit the same, and equal to 1e-4 to what one process learns."""
    first, second = run_two("""
        with strategy.scope():
            trainer = make()
        stream = tf.data.Dataset.from_tensor_slices((images, labels)).batch(32)
        history = trainer.fit(images, labels, validation_data=(images, labels), **quiet).history
        trainer.fit(stream, validation_data=stream, early_stopping=1, **quiet)
        figures = trainer.evaluate(images, labels)
        assert abs(figures["accuracy"] - trainer.report(images, labels).accuracy) < 1e-6
        alone = make()
        expected = alone.fit(images, labels, validation_data=(images, labels), **quiet).history
        alone.fit(stream, validation_data=stream, early_stopping=1, **quiet)
        for name, values in expected.items():
            np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)
        np.testing.assert_allclose(weights(trainer), weights(alone), atol=1e-4)
        show(trainer)
    """)
    assert first == second != ""


def test_options_in_two_processes(tmp_path):
    """With normalisation, dropout and a last batch of an odd number of images, all end with the same weights."""
    first, second = run_two(f"""
        file = pathlib.Path({str(tmp_path)!r}) / f"{{index}}.keras"
        with strategy.scope():
            trainer = make(dropout=0.3, batch_norm=True)
        epochs = []
        counted = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(logs["val_loss"]))
        options = {{"validation_split": 0.2, "batch_size": 33, "early_stopping": 2, "augment": True, **quiet}}
        trainer.fit(images[:150], labels[:150], checkpoint=file, callbacks=[counted], **options)
        show(trainer)
        show(fc.Trainer.load(file))
        print(epochs, trainer.evaluate(images[:33], labels[:33]))
        with strategy.scope():
            preset = fc.Trainer.from_preset("cnn_fast", seed=0)
        preset.fit(images, labels, **quiet)
        show(preset)
    """)
    assert first == second != ""


def test_what_two_processes_cannot_share_raises_an_error():
    run_two("""
        with strategy.scope():
            trainer = make()
        before = weights(trainer)
        with pytest.raises(ValueError, match="`seed=None`: pass the same number"):
            trainer.fit(images, labels, epochs=1, verbose=0)
        with pytest.raises(ValueError, match="`resume='a.npz'`: leave it out"):
            trainer.fit(images, labels, resume="a.npz", **quiet)
        with pytest.raises(ValueError, match="their `seed` differ: received 0, 1"):
            trainer.fit(images, labels, **{**quiet, "seed": index})
        with pytest.raises(ValueError, match="their `batches per epoch` differ: received 3, 5"):
            trainer.fit(images[: 160 - 70 * index], labels[: 160 - 70 * index], batch_size=32, **quiet)
        assert np.array_equal(weights(trainer), before)
        make().fit(images, labels, epochs=1, verbose=0)  # a model of this process alone
    """)
