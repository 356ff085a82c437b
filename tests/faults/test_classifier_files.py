"""Faults while classifier files and states of a fit are written and read."""

import os
import random
import resource
import signal
import textwrap
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from samples import processes
from samples.trainer import Interrupt

import fashionclf as fc
from fashionclf.trainer._resume import read_state

pytestmark = pytest.mark.slow

FIT = {"epochs": 16, "validation_split": 0.2, "seed": 3, "batch_size": 32, "verbose": 0}


def new_trainer():
    return fc.Trainer(fc.cnn_model((4,), units=(8,), seed=0), recipe=fc.Recipe(precision="float32"))


@pytest.fixture(scope="module")
def images(garments):
    return garments[0][:100], garments[1][:100]


@pytest.fixture(scope="module")
def fitted_without_a_fault(images):
    trainer = new_trainer()
    return trainer, trainer.fit(*images, **FIT).history


def kill(name, after, *, script, folder):
    """Run a script, and send it a signal shortly after it has printed `after` lines."""
    preamble = f"""
        import signal, sys
        sys.stdout.reconfigure(line_buffering=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background ignores
        import keras
        import fashionclf as fc
        from fashionclf.datasets._synthetic import draw_garments
        images, labels = draw_garments(600)
        images, labels, folder = images[:100], labels[:100], {str(folder)!r}
        def new_trainer():
            return fc.Trainer(fc.cnn_model((4,), units=(8,), seed=0), recipe=fc.Recipe(precision="float32"))
    """
    with processes.started(textwrap.dedent(preamble) + textwrap.dedent(script)) as (process, printed):
        while printed.read_bytes().count(b"\n") < after:
            assert process.is_alive(), "it ended too early"
            time.sleep(0.005)
        time.sleep(random.Random(after).uniform(0, 0.05))
        os.kill(process.pid, getattr(signal, name))
        process.join(60)
        assert process.exitcode


@pytest.mark.parametrize(("name", "after"), [("SIGKILL", 2), ("SIGINT", 5), ("SIGTERM", 9)])
def test_a_fit_that_is_killed_continues_bit_for_bit(name, after, images, fitted_without_a_fault, tmp_path):
    script = f"""
        class Say(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                print(epoch)
        new_trainer().fit(images, labels, resume=folder + "/run.npz", checkpoint=folder + "/best.keras",
                          callbacks=[Say()], **{FIT})
    """
    kill(name, after, script=script, folder=tmp_path)
    assert read_state(tmp_path / "run.npz").values["next_epoch"] >= after - 1
    fc.Trainer.load(tmp_path / "best.keras")
    resumed = new_trainer()
    history = resumed.fit(*images, resume=tmp_path / "run.npz", checkpoint=tmp_path / "best.keras", **FIT).history
    whole, expected = fitted_without_a_fault
    assert history == expected
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [path.name for path in tmp_path.iterdir()] == ["best.keras"]  # the state is removed


def test_a_save_that_is_killed_leaves_a_whole_file(images, tmp_path):
    script = """
        one, two = new_trainer(), new_trainer()
        two.class_names = [f"kind {i}" for i in range(10)]
        while True:
            for trainer in (one, two):
                trainer.save(folder + "/a.keras")
                print()
    """
    kill("SIGKILL", 7, script=script, folder=tmp_path)
    trainer = fc.Trainer.load(tmp_path / "a.keras")
    assert trainer.class_names in (fc.CLASS_NAMES, tuple(f"kind {i}" for i in range(10)))
    np.testing.assert_array_equal(trainer.predict_proba(images[0]), new_trainer().predict_proba(images[0]))
    for left in tmp_path.glob(".fashionclf-*"):
        os.utime(left, (0, 0))  # as after a day
    trainer.save(tmp_path / "b.keras")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.keras"]


@pytest.fixture
def full_disk():
    """Limit files to 20 kB: writing more fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk(images, tmp_path, request):
    trainer, path = new_trainer(), tmp_path / "a.keras"
    trainer.save(path)
    before = path.read_bytes()
    request.getfixturevalue("full_disk")
    with pytest.raises(
        OSError, match=r"^The classifier file '.*/a\.keras' could not .*: File too large; .* MB are free"
    ):
        trainer.save(path)
    for name, what in (("checkpoint", "best.keras"), ("resume", "run.npz")):
        weights = trainer.model.get_weights()[0]
        with pytest.raises(
            OSError, match=rf"'.*/{what}' could not be written.*stopped after epoch 1.*keeps its w"
        ) as error:
            trainer.fit(*images, **{name: tmp_path / what}, **FIT)
        assert ".fashionclf" not in str(error.value)
        assert (trainer.model.get_weights()[0] != weights).any()
        assert np.isfinite(trainer.predict_proba(images[0])).all()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.keras"]
    assert len(trainer.fit(*images, **FIT).history["loss"]) == FIT["epochs"]  # it can be fitted again


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a file system that takes no files")
def test_a_disk_that_takes_no_files():
    with pytest.raises(OSError, match=r"^The classifier file '/sys/a\.keras' could not be written: "):
        new_trainer().save("/sys/a.keras")


def flipped(content, number, ends):
    """Give copies of a file with one bit changed, half of them near its ends, where its directory is."""
    generator = np.random.default_rng(0)
    near = np.r_[0 : 8 * ends, 8 * (len(content) - ends) : 8 * len(content)]
    for i in range(number):
        bit = int(generator.choice(near) if i % 2 else generator.integers(8 * len(content)))
        copy = bytearray(content)
        copy[bit // 8] ^= 1 << bit % 8
        yield bytes(copy)


def test_200_flipped_bits_of_a_classifier_file(images, fitted_without_a_fault, tmp_path):
    trainer, path = fitted_without_a_fault[0], tmp_path / "a.keras"
    trainer.save(path)
    expected, refused = trainer.predict_proba(images[0][:5]), 0
    for content in flipped(path.read_bytes(), 200, 3000):
        path.write_bytes(content)
        try:
            again = fc.Trainer.load(path)
        except ValueError:
            refused += 1
        else:
            np.testing.assert_array_equal(again.predict_proba(images[0][:5]), expected)
            assert again.class_names == trainer.class_names
    assert refused > 150


def test_200_flipped_bits_of_a_state(images, tmp_path):
    path, refused = tmp_path / "run.npz", 0
    with pytest.raises(KeyboardInterrupt):
        new_trainer().fit(*images, resume=path, callbacks=[Interrupt(2)], **FIT)
    expected = read_state(path)
    for content in flipped(path.read_bytes(), 200, 2000):
        path.write_bytes(content)
        try:
            found = read_state(path)
        except ValueError:
            refused += 1
        else:
            assert found.values == expected.values
            for name, array in expected.arrays.items():
                np.testing.assert_array_equal(found.arrays[name], array)
    assert refused > 150


def test_a_bomb_of_400_mb(tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("fashionclf.json", "w") as file:
        for _ in range(400):
            file.write(b" " * 1_000_000)
    assert path.stat().st_size < 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="is longer than 1 MB"):
        fc.Trainer.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 250_000  # kB
