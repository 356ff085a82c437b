"""`predict`, `predict_proba` and `predict_batches` on streams, iterators and folders."""

import resource

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from samples.streams import Batches

import fashionclf as fc


@pytest.fixture(scope="module")
def images(garments):
    return garments[0][:300]


@pytest.fixture(scope="module")
def streams(garments, images):
    labels = garments[1][:300]
    pairs = tf.data.Dataset.from_tensor_slices((images, labels))
    return {
        "batches of pairs": lambda: pairs.batch(100),
        "pairs": lambda: pairs,
        "images": lambda: tf.data.Dataset.from_tensor_slices(images),
        "PyDataset": lambda: Batches(images, labels),
        "PyDataset with threads": lambda: Batches(images, labels, workers=2),
        "iterator of images": lambda: iter(images),
        "generator of rows": lambda: (image.ravel() / 255 for image in images),
        "generator of batches": lambda: (images[i : i + 100] for i in range(0, 300, 100)),
        "generator of pairs": lambda: ((images[i : i + 100], labels[i : i + 100]) for i in range(0, 300, 100)),
        "iterator of a data set": lambda: iter(pairs.batch(100)),
        "mixed": lambda: iter([images[0], images[1:200], *images[200:]]),
    }


def test_streams_give_what_arrays_give(fitted, streams, images):
    expected = fitted.predict_proba(images)
    frozen = fitted.compile_predictor()
    for name, make in streams.items():
        np.testing.assert_allclose(fitted.predict_proba(make()), expected, atol=1e-6, err_msg=name)
        parts = list(fitted.predict_batches(make(), batch_size=100))
        joined = np.concatenate([part.probabilities for part in parts])
        np.testing.assert_allclose(joined, expected, atol=1e-6, err_msg=name)
        if name != "mixed":
            assert [len(part) for part in parts] == [100] * 3, name
    assert fitted.predict(streams["pairs"]()).sources is None
    found = frozen.predict(iter(images[:20])).probabilities
    np.testing.assert_allclose(found, expected[:20], atol=1e-5)


def test_batches_of_what_is_no_stream(fitted, images):
    expected = fitted.predict_proba(images)
    for x in (images, list(images), fc.Split(images, np.zeros(300, int))):
        parts = list(fitted.predict_batches(x, batch_size=128))
        assert [len(part) for part in parts] == [128, 128, 44]
        joined = np.concatenate([part.probabilities for part in parts])
        np.testing.assert_allclose(joined, expected, atol=1e-6)
    (one,) = fitted.predict_batches(images[0].tolist())
    assert len(one) == 1


@pytest.fixture
def folder(tmp_path):
    for i in range(5):
        pixels = np.full((60, 50, 3), 250, np.uint8)
        pixels[15:45, 15:35] = 20 + 10 * i
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    (tmp_path / "5.png").write_bytes(b"no image")
    return tmp_path


def test_photographs_in_batches(fitted, folder):
    with pytest.warns(fc.UnreadableImageWarning, match="Skipped"):
        expected = fitted.predict(folder, on_error="skip")
    for x in (folder, sorted(folder.iterdir()), iter(sorted(folder.iterdir()))):
        with pytest.warns(fc.UnreadableImageWarning, match=r"5\.png"):  # alone in its batch, which is left out
            parts = list(fitted.predict_batches(x, batch_size=5, on_error="skip"))
        assert len(parts) == 1
        assert parts[0] == expected
    opened = (Image.open(path) for path in sorted(folder.iterdir())[:5])
    assert [len(part) for part in fitted.predict_batches(opened, batch_size=2)] == [2, 2, 1]
    with pytest.raises(ValueError, match=r"5\.png"):
        list(fitted.predict_batches(folder))


def test_a_stream_of_images_then_photographs(fitted, folder, images):
    mixed = fitted.predict(iter([images[:2], images[2], folder / "0.png"]))
    assert mixed.sources == ("x[0]", "x[1]", "x[2]", str(folder / "0.png"))


def test_doubts_are_warned_of_once(fitted, images):
    doubtful = np.concatenate([images[:4], 255 - images[:6]])
    parts = fitted.predict_batches(iter(doubtful), batch_size=3)
    with pytest.warns(fc.DoubtfulImageWarning, match="image 4: its background is light") as caught:
        found = list(parts)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert [bool(each) for part in found for each in part.doubts] == [False] * 4 + [True] * 6
    with pytest.warns(fc.DoubtfulImageWarning, match="6 of 10 images may be misread") as caught:
        fitted.predict(iter(doubtful), batch_size=3)
    assert len(caught) == 1


def test_mistakes(fitted, images):
    with pytest.raises(ValueError, match="gives no image"):
        list(fitted.predict_batches(iter([])))
    with pytest.raises(ValueError, match="`batch_size`"):
        fitted.predict_batches(images, batch_size=0)  # at once, not when it is read
    with pytest.raises(ValueError, match="on_error"):
        fitted.predict_batches(images, on_error="ignore")
    with pytest.raises(ValueError, match=r"\(2, 27, 28\), expected"):
        fitted.predict(iter([np.zeros((2, 27, 28))]))
    with pytest.raises(TypeError, match=r"dictionaries with 'pixels'.*dataset\.map"):
        fitted.predict(tf.data.Dataset.from_tensor_slices({"pixels": images}))
    with pytest.raises(ValueError, match=r"infinite tf.data.Dataset.*`x.take\(n\)`"):
        fitted.predict(tf.data.Dataset.from_tensor_slices(images).batch(100).repeat())
    parts = fitted.predict_batches(iter([images[:2], images[:2] * 1.0]))
    assert len(next(parts)) == 2
    with pytest.raises(ValueError, match="divide by 255"):
        next(parts)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["generator", "tf.data"])
def test_memory_is_constant(form):
    """A tenth of what the images would take is more than 300,000 of them may add."""
    trainer = fc.Trainer(fc.dense_model((), seed=0))
    batch = np.random.default_rng(0).integers(0, 255, (1000, 28, 28), dtype=np.uint8)
    batch[:, 0] = 0

    def generator(batches):
        if form == "generator":
            return (batch.copy() for _ in range(batches))
        return tf.data.Dataset.from_tensors(batch).repeat(batches)

    def count(batches):
        return sum(len(part) for part in trainer.predict_batches(generator(batches)))

    assert count(100) == 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert count(300) == 300_000
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(f"\n{form}: {grown / 2**20:.1f} MiB more at the peak, for 300,000 images after 100,000")
    assert grown < 300_000 * 784 / 10
    keras.backend.clear_session()
