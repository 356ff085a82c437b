"""The synthetic garments: the same everywhere, balanced, varied, and learnable."""

import hashlib

import numpy as np
import pytest

from fashionclf.datasets import load_data
from fashionclf.datasets._synthetic import draw_garments


@pytest.fixture(scope="module")
def dataset():
    return load_data("synthetic")


def test_it_has_fashion_mnist_s_shapes_dtypes_and_classes(dataset):
    (x_train, y_train), (x_test, y_test) = dataset
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert np.bincount(y_train).tolist() == [6_000] * 10
    assert np.bincount(y_test).tolist() == [1_000] * 10
    assert (x_train.min(), x_train.max()) == (0, 255)
    assert dataset.class_names[9] == "Ankle boot"
    assert x_train.flags.writeable


def test_every_image_shows_something_and_no_two_are_alike(dataset):
    (x_train, _), (x_test, _) = dataset
    covered = (x_train > 20).mean(axis=(1, 2))
    assert covered.min() > 0.02
    assert covered.max() < 0.98
    assert len({image.tobytes() for image in (*x_train, *x_test)}) == 70_000


def test_the_order_is_shuffled(dataset):
    assert np.abs(np.diff(dataset.train.labels[:100].astype(int))).mean() > 2


def test_it_is_the_same_bit_for_bit_on_every_machine():
    images, labels = draw_garments(500, stream=7)
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == FINGERPRINT


FINGERPRINT = "ccd5a0bacee583f33189cd779037e88850efabd3c08bea02b698a687e4cb6eaf"


def test_streams_differ_and_the_global_random_state_is_left_alone():
    state = np.random.get_state()[1].copy()  # the state that must stay
    one, two = draw_garments(20, stream=1), draw_garments(20, stream=2)
    assert (one[0] != two[0]).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_classes_can_be_learned_but_not_from_single_pixels():
    images, labels = draw_garments(4_000, stream=3)
    x = images.reshape(len(images), -1) / np.float32(255)
    means = np.stack([x[:3_000][labels[:3_000] == k].mean(axis=0) for k in range(10)])
    guess = ((x[3_000:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.5 < (guess == labels[3_000:]).mean() < 0.9
