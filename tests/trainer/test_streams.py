"""`tf.data.Dataset`, `keras.utils.PyDataset` and tuples in fit, evaluate, report and what else takes labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings, strategies as st
from samples.trainer import QUIET, Interrupt
from sklearn.linear_model import SGDClassifier

import fashionclf as fc


class Batches(keras.utils.PyDataset):
    """The images in batches; notes when epochs begin and end."""

    def __init__(self, images, labels, size=32, *, infinite=False, **options):
        super().__init__(**options)
        self.images, self.labels, self.size, self.infinite = images, labels, size, infinite
        self.epochs = []

    @property
    def num_batches(self):
        return None if self.infinite else -(-len(self.images) // self.size)

    def __getitem__(self, index):
        start = index % -(-len(self.images) // self.size) * self.size
        return self.images[start : start + self.size], self.labels[start : start + self.size]

    def on_epoch_begin(self):
        self.epochs.append("begin")

    def on_epoch_end(self):
        self.epochs.append("end")


class Lists(Batches):
    """The same in lists, which Keras takes as tuples."""

    def __getitem__(self, index):
        return list(super().__getitem__(index))


@pytest.fixture(scope="module")
def few(garments):
    """Seven batches of 32 images."""
    return tuple(array[:224] for array in garments)


@pytest.fixture(scope="module")
def singles(few):
    return tf.data.Dataset.from_tensor_slices(few)


@pytest.fixture(scope="module")
def batches(singles):
    return singles.batch(32)


@pytest.fixture(scope="module")
def expected(few):
    """What plain Keras learns from the batches in their order."""
    images, labels = few
    model = fc.dense_model((), seed=0)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(fc.prepare_images(images), labels, batch_size=32, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()[0]


def test_every_stream_trains_as_plain_keras(few, singles, batches, trained, expected):
    unknown = tf.data.Dataset.from_generator(
        lambda: zip(*few, strict=True),
        output_signature=(tf.TensorSpec((28, 28), tf.uint8), tf.TensorSpec((), tf.int64)),
    )
    floats = batches.map(lambda x, y: (tf.cast(x, tf.float32) / 255, y))
    streams = {
        "batches": batches,
        "single images": singles,
        "unknown length": unknown,
        "floats": floats,
        "PyDataset": Batches(*few),
        "PyDataset of lists": Lists(*few),
        "PyDataset with threads": Batches(*few, workers=2, max_queue_size=3),
    }
    for name, stream in streams.items():
        np.testing.assert_allclose(trained(stream, epochs=2), expected, atol=1e-6, err_msg=name)


def test_evaluate_and_report(fitted, few, singles, batches):
    images, labels = few
    expected, report = fitted.evaluate(images, labels), fitted.report(images, labels)
    for stream in (singles, batches, Batches(images, labels), (images, labels)):
        assert fitted.evaluate(stream) == pytest.approx(expected, abs=1e-5)
        found = fitted.report(stream)
        assert (found.accuracy, found.confusion_matrix.tolist()) == (report.accuracy, report.confusion_matrix.tolist())
    weight = np.linspace(0, 1, 224).astype("float32")
    weighted = tf.data.Dataset.from_tensor_slices((images, labels, weight)).batch(64)
    expected = fitted.evaluate(images, labels, sample_weight=weight, batch_size=64)
    assert fitted.evaluate(weighted) == pytest.approx(expected, abs=1e-5)
    assert fitted.evaluate((images, labels, weight), batch_size=64) == pytest.approx(expected, abs=1e-5)


def test_validation_early_stopping_checkpoint(few, batches, trained, tmp_path):
    images, labels = few
    losses = []
    for validation in (batches, (images, labels)):
        path = tmp_path / f"{len(losses)}.keras"
        trained(batches, epochs=2, early_stopping=1, validation_data=validation, checkpoint=path)
        losses.append(trained.history["val_loss"])
        best = keras.models.load_model(path, compile=False).get_weights()[0]
        np.testing.assert_array_equal(best, trained.trainer.model.get_weights()[0])
        assert trained.trainer.evaluate(images, labels)["loss"] == pytest.approx(min(losses[-1]), abs=1e-5)
    np.testing.assert_allclose(losses, [losses[0]] * 2, rtol=1e-5)
    trained(images, labels, batch_size=32, validation_data=Batches(images, labels))
    assert trained.history["val_loss"][0] > 0


def test_weights_of_images_and_classes(few, batches, trained):
    images, labels = few
    by_class = {"Trouser": 3.0, 2: 0.0}
    factor = np.array([1, 3, 0, 1, 1, 1, 1, 1, 1, 1], np.float32)[labels]
    triples = tf.data.Dataset.from_tensor_slices((images, labels, factor)).batch(32)
    found = trained(batches, class_weight=by_class)
    np.testing.assert_allclose(found, trained(triples), atol=1e-6)
    squared = trained(triples, class_weight=by_class)
    np.testing.assert_allclose(
        squared,
        trained(tf.data.Dataset.from_tensor_slices((images, labels, factor**2)).batch(32)),
        atol=1e-6,
    )
    assert not np.allclose(found, squared, atol=1e-4)


@pytest.mark.slow
def test_augmentation_cutmix_and_smoothing_are_seeded(garments):
    images, labels = garments
    streams = [
        tf.data.Dataset.from_tensor_slices((images, targets)).take(160).batch(32)
        for targets in (labels, fc.one_hot(labels))
    ]
    recipe = fc.Recipe(
        precision="float32", augmentation=fc.Augmentation(max_shift=1, erasing=0.5), cutmix=0.5, label_smoothing=0.1,
        schedule="one_cycle", learning_rate=0.01,
    )  # fmt: skip

    def run(recipe, seed, stream=streams[0]):
        trainer = fc.Trainer(fc.dense_model((), seed=0), recipe=recipe)
        trainer.fit(stream, epochs=2, seed=seed, verbose=0)
        assert float(keras.ops.convert_to_numpy(trainer.model.optimizer.learning_rate)) < 0.01
        return trainer.model.get_weights()[0]

    first = run(recipe, 1)
    np.testing.assert_array_equal(first, run(recipe, 1))
    np.testing.assert_allclose(first, run(recipe, 1, streams[1]), atol=1e-6)
    assert not np.array_equal(first, run(recipe, 2))
    for option, off in {"augmentation": None, "cutmix": 0.0, "label_smoothing": 0.0}.items():
        assert not np.array_equal(first, run(fc.Recipe(**{**vars(recipe), option: off}), 1)), option


def test_resume(batches, trained, tmp_path):
    options = {"epochs": 3, "augment": True, "resume": tmp_path / "a.npz"}
    whole = trained(batches, **options)
    with pytest.raises(KeyboardInterrupt):
        trained(batches, callbacks=[Interrupt(2)], **options)
    with pytest.raises(ValueError, match="another fit"):
        trained(batches.take(2), **options)
    np.testing.assert_array_equal(trained(batches, **options), whole)
    assert len(trained.history["loss"]) == 3


def test_epochs_of_a_pydataset_begin_and_end(few, trained):
    data, held_out = Batches(*few), Batches(*few, workers=2)
    trained(data, validation_data=held_out, epochs=2)
    assert data.epochs == held_out.epochs == ["begin", "end"] * 2


def test_tuples_and_streams_where_a_split_is_taken(few, batches):
    images, labels = few
    quick = SGDClassifier(max_iter=5, tol=None, random_state=0)
    trainer = fc.Trainer(fc.dense_model((), seed=0))
    expected = fc.shift_robustness(trainer, images, labels, max_shift=1).accuracies
    for data in ((images, labels), batches):
        np.testing.assert_array_equal(fc.shift_robustness(trainer, data, max_shift=1).accuracies, expected)
        found = fc.corruption_robustness(trainer, data, corruptions=["fog"], severities=[1]).uncorrupted
        assert found == trainer.report(data).accuracy
        scores = fc.cross_validate(quick, data, folds=2, seed=0)
        np.testing.assert_array_equal(scores, fc.cross_validate(quick, images, labels, folds=2, seed=0))
    temperatures = [fc.calibrate(fc.Trainer(fc.dense_model((), seed=0)), data) for data in ((images, labels), batches)]
    assert temperatures[0] == pytest.approx(temperatures[1])


def test_names_of_the_classes(garments):
    stream = tf.data.Dataset.from_tensor_slices((garments[0], garments[1] % 2)).batch(100)
    trainer = fc.Trainer(fc.dense_model((), num_classes=2, seed=0), class_names=["even", "odd"])
    trainer.fit(stream, **QUIET)
    assert trainer.predict(stream)[0].class_name in ("even", "odd")


# -- mistakes -----------------------------------------------------------------------------------------


def later(change):
    """Return a data set that is right in its first batch and wrong in the second."""

    def wrong(stream):
        return stream.take(1).concatenate(stream.skip(1).map(change))

    return wrong


MISTAKES = {
    "infinite": (lambda s: s.repeat(), {}, ValueError, r"infinite tf.data.Dataset.*x.take\(n\)"),
    "floats to 255": (lambda s: s.map(lambda x, y: (tf.cast(x, tf.float32), y)), {}, ValueError, "divide by 255"),
    "wrong size": (lambda s: s.map(lambda x, y: (x[:, :27], y)), {}, ValueError, r"\(32, 27, 28\), expected"),
    "images alone": (lambda s: s.map(lambda x, y: x), {}, ValueError, "1 array; expected tuples"),
    "four parts": (lambda s: s.map(lambda x, y: (x, y, y, y)), {}, ValueError, "4 arrays; expected tuples"),
    "dictionary": (lambda s: s.map(lambda x, y: {"image": x}), {}, ValueError, "1 array; expected tuples"),
    "empty": (lambda s: s.take(0), {}, ValueError, "empty tf.data.Dataset"),
    "labels": (lambda s: s.map(lambda x, y: (x, y + 5)), {}, ValueError, r"labels of x, batch 0.*0\.\.9"),
    "weights": (lambda s: s.map(lambda x, y: (x, y, -tf.ones(32))), {}, ValueError, "not negative"),
    "later labels": (later(lambda x, y: (x, y + 5)), {}, ValueError, r"labels of x, batch 1.*0\.\.9"),
    "iterator": (iter, {}, ValueError, "read only once.*from_generator"),
    "generator": (lambda s: (each for each in s), {}, ValueError, "read only once"),
    "y": (lambda s: s, {"y": np.zeros(224, int)}, ValueError, "`y` goes with arrays"),
    "sample_weight": (lambda s: s, {"sample_weight": np.ones(224)}, ValueError, "`sample_weight` goes with arrays"),
    "validation_split": (lambda s: s, {"validation_split": 0.2}, ValueError, "`validation_split=0.2` needs all images"),
    "batch_size": (lambda s: s, {"batch_size": 8}, ValueError, r"`x.rebatch\(8\)`"),
    "balanced": (lambda s: s, {"class_weight": "balanced"}, ValueError, "needs all labels"),
    "unknown class": (lambda s: s, {"class_weight": {"Boots": 2}}, ValueError, "unknown class 'Boots'"),
    "no class": (lambda s: s, {"class_weight": dict.fromkeys(range(10), 0)}, ValueError, "no image"),
    "validation": (lambda s: s, {"validation_data": iter([])}, ValueError, "`validation_data` is an iterator"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(batches, trained, mistake):
    stream, options, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        trained(stream(batches), **options)


def test_other_mistakes(few, batches, fitted, trained):
    images, labels = few
    with pytest.raises(ValueError, match=r"infinite tf.data.Dataset; expected one that ends"):
        fitted.evaluate(batches.repeat())
    with pytest.raises(ValueError, match=r"infinite PyDataset.*num_batches"):
        trained(batches, validation_data=Batches(images, labels, infinite=True))
    with pytest.raises(ValueError, match="leave out `sample_weight`"):
        fitted.evaluate((images, labels, np.ones(224)), sample_weight=np.ones(224))
    with pytest.raises(ValueError, match="Split and ndarray; expected"):
        fitted.evaluate((fc.Split(images, labels), labels))
    passes = iter([[tuple(few)]] * 2)  # the first batch, and one to count
    data = tf.data.Dataset.from_generator(
        lambda: next(passes, []),
        output_signature=(tf.TensorSpec((None, 28, 28), tf.uint8), tf.TensorSpec((None,), tf.int64)),
    )
    with pytest.raises(ValueError, match="gave no batch in pass 1"):
        trained(data)

    class Mixed(Batches):
        def __getitem__(self, index):
            images, labels = super().__getitem__(index)
            return images, (labels if index == 0 else fc.one_hot(labels))

    with pytest.raises(ValueError, match=r"batch 1.*one-hot labels without weights.*integer labels"):
        trained(Mixed(images, labels))

    class Single(Batches):
        def __getitem__(self, index):
            return self.images[index], self.labels[index]

    with pytest.raises(ValueError, match="PyDataset of single images"):
        trained(Single(images, labels))


def test_an_error_of_the_stream_itself_is_raised(few, trained):
    class Broken(Batches):
        def __getitem__(self, index):
            if index == 3:
                raise OSError("the disk is gone")
            return super().__getitem__(index)

    for options in ({}, {"workers": 2}):
        with pytest.raises(OSError, match="the disk is gone"):
            trained(Broken(*few, **options))


def test_negatives_are_warned_of_once(few, trained):
    stream = tf.data.Dataset.from_tensor_slices((255 - few[0], few[1])).batch(100)
    with pytest.warns(fc.DoubtfulImageWarning, match="Most images of `x`") as caught:
        trained.trainer.fit(stream, **QUIET)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    form=st.sampled_from(["uint8", "float32", "rows", "channel"]),
    soft=st.booleans(),
)
def test_any_batches_evaluate_as_their_arrays(fitted, garments, sizes, form, soft):
    images, labels = (array[: sum(sizes)] for array in garments)
    shaped = {
        "uint8": images,
        "float32": (images / 255).astype("float32"),
        "rows": images.reshape(-1, 784),
        "channel": images[..., np.newaxis],
    }[form]
    targets = fc.one_hot(labels) if soft else labels
    ends = np.cumsum(sizes)[:-1]

    class Uneven(keras.utils.PyDataset):
        num_batches = len(sizes)

        def __getitem__(self, index):
            return np.split(shaped, ends)[index], np.split(targets, ends)[index]

    expected = fitted.report(images, labels)
    found = fitted.report(Uneven())
    assert found.accuracy == expected.accuracy
    assert found.log_loss == pytest.approx(expected.log_loss, abs=1e-6)
    assert fitted.evaluate(Uneven())["accuracy"] == pytest.approx(expected.accuracy, abs=1e-6)
