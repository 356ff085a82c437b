import functools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.model_selection import train_test_split

import fashionclf as fc
from fashionclf.preprocessing import split_indices

IMAGES = arrays.arrays(np.uint8, st.integers(1, 4).map(lambda n: (n, 28, 28)))


def test_every_form_gives_the_same_prepared_images(every_form):
    expected = fc.prepare_images(every_form["uint8 (n, 28, 28)"])
    assert expected.shape == (8, 28, 28, 1)
    assert expected.dtype == np.float32
    for form, images in every_form.items():
        prepared = fc.prepare_images(images)
        assert prepared.dtype == np.float32, form
        np.testing.assert_allclose(prepared, expected, atol=1e-7, err_msg=form)


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (784,)])
def test_a_single_image_becomes_a_batch_of_one(shape):
    assert fc.prepare_images(np.zeros(shape, np.uint8)).shape == (1, 28, 28, 1)
    assert fc.flatten(np.zeros(shape)).shape == (1, 784)


@given(IMAGES)
def test_scaling_is_exact_and_idempotent(images):
    scaled = fc.scale(images)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, (images / 255).astype(np.float32))
    np.testing.assert_array_equal(fc.scale(scaled), scaled)
    np.testing.assert_array_equal(fc.prepare_images(images)[..., 0], scaled)


@given(IMAGES)
def test_shapes_keep_pixels_and_dtype(images):
    assert fc.add_channel_axis(images).dtype == np.uint8
    np.testing.assert_array_equal(fc.add_channel_axis(images)[..., 0], images)
    np.testing.assert_array_equal(fc.flatten(images).reshape(images.shape), images)


def test_nothing_changes_its_argument(garments):
    images = garments[0][:20].copy()
    before = images.copy()
    for function in (fc.prepare_images, fc.scale, fc.flatten, fc.add_channel_axis):
        function(images)
    fc.Augmentation(erasing=1.0)(images, seed=1)
    np.testing.assert_array_equal(images, before)


def test_one_hot():
    np.testing.assert_array_equal(fc.one_hot([1, 0, 9]), np.eye(10, dtype=np.float32)[[1, 0, 9]])
    np.testing.assert_array_equal(fc.one_hot(np.array([[1], [0]]), 2), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(fc.one_hot([[0.0, 1.0]], 2), [[0, 1]])


class TestSplit:
    @pytest.mark.parametrize("size", [0.2, 0.25, 0.333, 7])
    @pytest.mark.parametrize("seed", [0, 42])
    def test_without_stratification_it_is_scikit_learns(self, garments, size, seed):
        images, labels = garments
        ours = fc.train_validation_split(images, labels, validation_size=size, seed=seed, stratify=False)
        theirs = train_test_split(images, labels, test_size=size, random_state=seed)
        for mine, other in zip(ours, (theirs[0], theirs[1], theirs[2], theirs[3]), strict=True):
            np.testing.assert_array_equal(mine, other)

    def test_documents_split(self):
        order = np.random.RandomState(42).permutation(60_000)
        fit_index, validation_index = split_indices(
            np.zeros(60_000, np.int64), validation_size=0.2, seed=42, stratify=False
        )
        np.testing.assert_array_equal(validation_index, order[:12_000])
        np.testing.assert_array_equal(fit_index, order[12_000:])

    @given(st.lists(st.integers(2, 9), min_size=2, max_size=5), st.floats(0.3, 0.7), st.integers(0, 99))
    def test_stratified_parts_are_disjoint_complete_and_fair(self, counts, size, seed):
        labels = np.repeat(np.arange(len(counts)), counts)
        total = len(labels)
        if min(np.ceil(size * total), total - np.ceil(size * total)) < len(counts):
            return
        fit_index, validation_index = split_indices(labels, validation_size=size, seed=seed, stratify=True)
        assert sorted([*fit_index, *validation_index]) == list(range(total))
        assert len(validation_index) == np.ceil(size * total)
        for label, count in enumerate(counts):
            share = np.count_nonzero(labels[validation_index] == label)
            assert abs(share - count * len(validation_index) / total) < 1

    def test_seeds(self, garments):
        first, again, other = (fc.train_validation_split(*garments, seed=s)[3] for s in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_forms_are_kept(self, garments):
        images, labels = garments
        x_fit, x_val, y_fit, y_val = fc.train_validation_split(
            images.reshape(-1, 784) / 255, fc.one_hot(labels), seed=0
        )
        assert x_fit.shape == (480, 784)
        assert x_val.dtype == np.float32
        assert y_fit.shape == (480, 10)
        np.testing.assert_array_equal(y_val.sum(axis=0), 12)

    def test_global_random_state_is_left_alone(self, garments):
        before = np.random.get_state()[1].copy()
        fc.train_validation_split(*garments, seed=3, stratify=False)
        np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("stratify", [True, False])
def test_a_group_is_in_one_part(stratify):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 1000)
    labels = rng.integers(0, 4, 1000)
    images = np.zeros((1000, 784), np.uint8)
    split = functools.partial(fc.train_validation_split, images, labels, stratify=stratify, groups=groups)
    x_fit, x_val, _, y_val = split(validation_size=0.25, seed=1)
    assert 150 < len(x_val) < 350
    assert len(x_fit) + len(x_val) == 1000
    again = split(validation_size=0.25, seed=1)
    np.testing.assert_array_equal(y_val, again[3])
    fit, val = split_indices(labels, validation_size=0.25, seed=1, stratify=stratify, groups=groups)
    assert not set(groups[fit]) & set(groups[val])
    assert sorted([*fit, *val]) == list(range(1000))
    if stratify:
        share = np.bincount(labels[val], minlength=4) / np.bincount(labels, minlength=4)
        assert share.max() - share.min() < 0.15
