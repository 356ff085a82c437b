"""Arrays, labels and names that probably are not what the caller means."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from samples.public_calls import Estimator

import fashionclf as fc
from fashionclf.sklearn import FashionClassifier

LABELS = np.arange(20) % 2
MASKS = (np.random.RandomState(0).rand(20, 28, 28) < 0.3).astype(np.uint8)
QUIET = {"epochs": 1, "verbose": 0, "seed": 0}


class Batches(keras.utils.PyDataset):
    def __init__(self, brightest):
        super().__init__()
        self.images = MASKS * np.uint8(brightest)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.images[:10], LABELS[:10]


def one_epoch():
    return fc.Trainer(fc.dense_model((), num_classes=2), recipe=fc.Recipe(epochs=1))


ENTRANCES = {
    "Split": lambda trainer: fc.Split(MASKS, LABELS),
    "fit": lambda trainer: trainer.fit(MASKS, LABELS, **QUIET),
    "validation_data": lambda trainer: trainer.fit(MASKS * 255, LABELS, validation_data=(MASKS, LABELS), **QUIET),
    "evaluate": lambda trainer: trainer.evaluate(MASKS, LABELS),
    "report": lambda trainer: trainer.report(MASKS, LABELS),
    "floats divided twice": lambda trainer: trainer.evaluate(MASKS / 255, LABELS),
    "int64": lambda trainer: trainer.evaluate(MASKS.astype(int), LABELS),
    "tf.data": lambda trainer: trainer.evaluate(tf.data.Dataset.from_tensor_slices((MASKS, LABELS)).batch(7)),
    "PyDataset": lambda trainer: trainer.evaluate(Batches(1)),
    "cross_validate": lambda trainer: fc.cross_validate(Estimator(), MASKS, LABELS, folds=2),
    "cross_validate a Trainer": lambda trainer: fc.cross_validate(one_epoch, MASKS, LABELS, folds=2),
    "shift_robustness": lambda trainer: fc.shift_robustness(trainer, MASKS, LABELS, max_shift=1),
    "FashionClassifier": lambda trainer: FashionClassifier("softmax", epochs=1, validation_split=0).fit(MASKS, LABELS),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_masks_of_zeros_and_ones_are_doubted_once_at_the_callers_line(entrance, trained):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", fc.DoubtfulImageWarning)
        ENTRANCES[entrance](trained.trainer)
    assert [(each.category, each.filename) for each in caught] == [(fc.DoubtfulImageWarning, __file__)]
    assert "nearly black" in str(caught[0].message)
    assert ("* 255" in str(caught[0].message)) != (entrance == "floats divided twice")


def test_a_split_is_doubted_when_it_is_made_and_not_again(small_trainer):
    with pytest.warns(fc.DoubtfulImageWarning, match="`images`"):
        split = fc.Split(MASKS, LABELS)
    small_trainer().evaluate(split[:10])  # any warning is an error here
    with pytest.warns(fc.DoubtfulImageWarning, match="look like negatives"):
        fc.Split(255 - MASKS * 200, LABELS)


def test_a_set_whose_sample_is_dark_is_read_as_a_whole():
    images = np.tile(MASKS[:2], (1500, 1, 1))
    images[1] = 255
    fc.Split(images, np.zeros(3000, int))  # not all are nearly black


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((20, 28, 28), np.uint8),
        np.ones((20, 28, 28), np.uint8),
        np.zeros((28, 28), np.uint8),
        np.broadcast_to(np.arange(20, dtype=np.uint8)[:, np.newaxis, np.newaxis], (20, 28, 28)),
        MASKS * 255,
        MASKS.astype(np.float32),
        np.eye(28),
    ],
    ids=["zeros", "ones", "one black image", "each of one value", "masks of 255", "masks as floats", "a stroke"],
)
def test_what_tests_and_examples_are_made_of_is_not_doubted(images):
    fc.Split(images, np.zeros(1 if images.ndim == 2 else len(images), int))


def test_the_published_data_sets_are_not_doubted(real_data):
    for name in ("fashion_mnist", "mnist"):
        fc.load_data(name, data_dir=real_data)  # makes two Splits


@pytest.mark.parametrize(
    ("low", "high", "fix"),
    [
        (0, 1.12, r"MinMaxScaler\(clip=True\)"),
        (-0.1, 1.3, r"MinMaxScaler\(clip=True\)"),
        (0, 3, "divide by 255"),
        (0, 255, "divide by 255"),
        (0, 65535, "Rescale"),
        (-1, 1, r"\(images \+ 1\) / 2"),
        (-1.2, 9, "StandardScaler"),
    ],
)
def test_floats_out_of_range_are_told_their_likely_cause(low, high, fix):
    image = np.linspace(low, high, 784)
    with pytest.raises(ValueError, match=fix) as caught:
        fc.prepare_images(image)
    assert ("255" in str(caught.value)) == (fix == "divide by 255" or high == 255)
    with pytest.raises(ValueError, match=fix):
        FashionClassifier().fit([image, image], [0, 1])


def test_advice_on_streams_names_only_what_the_function_takes(trained):
    trainer, endless = trained.trainer, tf.data.Dataset.from_tensor_slices((MASKS * 255, LABELS)).batch(5).repeat()
    for call in (trainer.fit, trainer.evaluate, trainer.report, lambda x: fc.cross_validate("softmax", x)):
        with pytest.raises(ValueError, match=r"`x\.take\(n\)`\.$"):
            call(endless)
    with pytest.raises(ValueError, match=r"validation_data\.take\(n\)`\.$"):
        trainer.fit(MASKS * 255, LABELS, validation_data=endless, **QUIET)
    images = tf.data.Dataset.from_tensors(MASKS * 255).repeat()
    with pytest.raises(ValueError, match=r"\.take\(n\)"):
        trainer.predict(images)
    for option in ({"batch_size": 3}, {"validation_split": 0.5}):
        with pytest.raises(ValueError, match="`x`") as caught:
            trainer.fit(Batches(255), **option, **QUIET)
        assert not re.search("rebatch|take|skip", str(caught.value))  # a PyDataset has none of them


MASKED = np.ma.masked_greater(MASKS, 0)
MASKED_LABELS = np.ma.masked_equal(LABELS, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: fc.prepare_images(MASKED),
        lambda: fc.prepare_images([MASKED[0], MASKED[1]]),
        lambda: fc.one_hot(MASKED_LABELS),
        lambda: fc.Split(MASKS * 255, LABELS, groups=MASKED_LABELS),
        lambda: fc.testing.ready_trainer().evaluate(MASKS * 255, LABELS, sample_weight=MASKED_LABELS),
        lambda: fc.Predictions(np.ma.masked_less(np.full((4, 2), 0.5), 1), ["a", "b"]),
        lambda: fc.plot.history({"loss": np.ma.masked_equal([0.5, 0.4], 0.5)}),
    ],
    ids=["images", "list of images", "labels", "groups", "weights", "probabilities", "a plot"],
)
def test_nothing_is_read_through_a_mask(call):
    with pytest.raises(ValueError, match="masked array that hides values"):
        call()


def test_a_mask_that_hides_nothing_is_harmless():
    assert np.array_equal(fc.prepare_images(np.ma.array(MASKS)), fc.prepare_images(MASKS))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Shirt", "셔츠"], "one class in two languages: 'Shirt', '셔츠'"),
        (["가방", "Shirt", "Bag"], "'가방', 'Bag'"),
        (["line\nbreak", "b"], "line break"),
        (["a\0", "b"], "control character"),
        (["\ud800", "b"], "surrogate"),
        (["a" * 257, "b"], "257 characters, expected at most 256"),
    ],
)
def test_class_names_that_no_file_or_reader_can_tell_apart(names, message):
    for call in (
        lambda: fc.Split(np.zeros((4, 28, 28)), [0, 1, 0, 1], class_names=names),
        lambda: fc.Trainer(fc.dense_model((), num_classes=len(names)), class_names=names),
        lambda: fc.Predictions(np.full((1, len(names)), 1 / len(names)), names),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_class_names_in_any_script_and_mixture_are_taken():
    names = ("Shirt", "바지", "👩🏽‍🦱 hair", "نیم‌بوت", "a\u3000b", "0")
    assert fc.Predictions(np.full((1, 6), 1 / 6), names).class_names == names
    assert fc.Predictions(np.full((1, 2), 0.5), ["Sandal", "Shirt\u00a0XL"])[0].class_name == "Sandal"


def test_labels_of_any_text_train_a_classifier_of_scikit_learn():
    labels = np.array(["셔츠", "Shirt\n"])[LABELS]
    fitted = FashionClassifier("softmax", epochs=1, validation_split=0).fit(MASKS * 255, labels)
    assert set(fitted.classes_) == set(labels)
    assert fitted.trainer_.class_names == ("class 0", "class 1")
