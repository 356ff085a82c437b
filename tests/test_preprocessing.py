import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

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


@settings(deadline=None)
@given(IMAGES)
def test_scaling_is_exact_and_idempotent(images):
    scaled = fc.scale(images)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, (images / 255).astype(np.float32))
    np.testing.assert_array_equal(fc.scale(scaled), scaled)
    np.testing.assert_array_equal(fc.prepare_images(images)[..., 0], scaled)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((0, 9)), ValueError, r"^`images` is empty: received shape \(0, 9\)"),
        ([256], ValueError, r"`images`.*256"),
        ("shoe", TypeError, r"`images`"),
    ],
)
def test_what_are_no_pixels_is_not_scaled(images, error, message):
    with pytest.raises(error, match=message):
        fc.scale(images)


@settings(deadline=None)
@given(IMAGES)
def test_shapes_keep_pixels_and_dtype(images):
    np.testing.assert_array_equal(fc.flatten(images).reshape(images.shape), images)


def test_nothing_changes_its_argument(garments):
    images = garments[0][:20].copy()
    before = images.copy()
    for function in (fc.prepare_images, fc.scale, fc.flatten):
        function(images)
    fc.Augmentation(erasing=1.0)(images, seed=1)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [([10, 6, 4], 5, [3, 1, 1]), ([3] * 20, 30, [2] * 10 + [1] * 10)],
)
def test_what_does_not_divide_goes_to_the_largest_remainders_and_then_to_the_first(sizes, count, expected):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    _, validation = split_indices(labels, validation_size=count, seed=0, stratify=True)
    assert np.bincount(labels[validation]).tolist() == expected


def test_one_hot():
    np.testing.assert_array_equal(fc.one_hot([1, 0, 9]), np.eye(10, dtype=np.float32)[[1, 0, 9]])
    np.testing.assert_array_equal(fc.one_hot(np.array([[1], [0]]), 2), [[0, 1], [1, 0]])
    assert fc.one_hot([1]).dtype == fc.one_hot([[0.0, 1.0]], 2).dtype == np.float32
    rows = np.float32([[0, 1], [0.5, 0.5]])
    assert np.shares_memory(fc.one_hot(rows, 2), rows)


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        ([0], 1, "`num_classes` must be an integer of at least 2"),
        ([3], 3, r"values from 3 to 3, expected 0\.\.2"),
        ([[0.0, 1.0]], 3, "has 2 columns, expected 3"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, classes, words):
    with pytest.raises(ValueError, match=words):
        fc.one_hot(labels, classes)


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

    @settings(deadline=None)
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

    def test_a_fifth_with_the_share_of_every_class(self, garments):
        assert np.bincount(fc.train_validation_split(*garments, seed=0)[3]).tolist() == [12] * 10

    def test_what_remains_goes_to_the_first_classes(self):
        labels = np.repeat(np.arange(40), 3)  # each class has one and a half for validation
        _, validation = split_indices(labels, validation_size=60, seed=0, stratify=True)
        assert np.bincount(labels[validation]).tolist() == [2] * 20 + [1] * 20

    def test_two_of_each_class_are_enough(self):
        fit, validation = split_indices(np.array([0, 1, 0, 1]), validation_size=2, seed=0, stratify=True)
        assert sorted(fit % 2) == sorted(validation % 2) == [0, 1]

    @pytest.mark.parametrize(
        ("labels", "size", "words"),
        [
            ([0, 1, 1, 1, 1, 1], 3, "6 images of 2 classes, 1 of the rarest, 3 for validation"),
            ([0, 0, 0, 1, 1, 1], 1, "2 classes, 3 of the rarest, 1 for validation"),
            ([0, 0, 0, 1, 1, 1], 5, "2 classes, 3 of the rarest, 5 for validation"),
            ([0, 0, 1, 1], 4, "`{name}=4` leaves no training image: there are 4 images"),
            ([0, 0, 1, 1], 0.0, r"`{name}` must be a number in \(0, 1\)"),
            ([0, 0, 1, 1], 1.0, r"`{name}` must be a number in \(0, 1\)"),
            ([0, 0, 1, 1], 0, "`{name}` must be an integer of at least 1"),
        ],
    )
    @pytest.mark.parametrize("name", ["validation_size", "validation_split"])
    def test_parts_that_cannot_be_made_are_refused(self, labels, size, words, name):
        with pytest.raises(ValueError, match=words.format(name=name)) as caught:
            split_indices(np.array(labels), validation_size=size, seed=0, stratify=True, name=name)
        if "stratified" in str(caught.value):
            fix = (
                "`stratify=False`, another `validation_size`, or more"
                if name == "validation_size"
                else f"another `{name}`, or"
            )
            assert f"Pass {fix}" in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"images": np.zeros((28, 28))}, ValueError, r"a single image of shape \(28, 28\)"),
            ({"images": np.zeros(784)}, ValueError, r"a single image of shape \(784,\)"),
            ({"labels": [0, 1, 0]}, ValueError, "`labels` has 3 rows but there are 4 images"),
            ({"validation_size": True}, TypeError, "`validation_size` must be a number"),
            ({"stratify": 1}, TypeError, "`stratify` must be True or False"),
            ({"stratify": "yes", "groups": [0, 1, 2, 3]}, TypeError, "`stratify` must be True or False"),
            ({"groups": [0, 1]}, ValueError, "`groups` must be one integer or string per image"),
        ],
    )
    def test_wrong_arguments_are_refused(self, options, error, words):
        given = {"images": np.zeros((4, 784)), "labels": [0, 0, 1, 1], "validation_size": 2, **options}
        with pytest.raises(error, match=words):
            fc.train_validation_split(**given)

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


class TestGroups:
    @pytest.mark.parametrize("stratify", [True, False])
    def test_a_group_is_in_one_part(self, stratify):
        rng = np.random.default_rng(0)
        groups = rng.integers(0, 40, 1000)
        labels = rng.integers(0, 4, 1000)
        images = np.zeros((1000, 784), np.uint8)
        images[:, 0] = groups
        options = {"validation_size": 0.25, "seed": 1, "stratify": stratify, "groups": groups}
        x_fit, x_val, _, y_val = fc.train_validation_split(images, labels, **options)
        assert 150 < len(x_val) < 350
        assert len(x_fit) + len(x_val) == 1000
        assert not {*x_fit[:, 0]} & {*x_val[:, 0]}
        np.testing.assert_array_equal(y_val, fc.train_validation_split(images, labels, **options)[3])
        if stratify:
            share = np.bincount(y_val, minlength=4) / np.bincount(labels, minlength=4)
            assert share.max() - share.min() < 0.15

    @pytest.mark.parametrize(("size", "folds"), [(0.25, 4), (0.5, 2), (0.8, 2), (5, 4)])
    def test_scikit_learn_chooses_the_groups(self, size, folds):
        groups = np.arange(20) % 5
        labels = np.array([0] + [1] * 19)  # fewer of a class than folds, of which scikit-learn warns
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen = {
                True: StratifiedGroupKFold(folds, shuffle=True, random_state=3),
                False: GroupShuffleSplit(1, test_size=size if size < 1 else size / 20, random_state=3),
            }
            expected = {stratify: next(each.split(labels, labels, groups)) for stratify, each in chosen.items()}
        for stratify, parts in expected.items():
            found = split_indices(labels, validation_size=size, seed=3, stratify=stratify, groups=groups)
            for one, other in zip(found, parts, strict=True):
                np.testing.assert_array_equal(np.sort(one), other)

    def test_there_is_one_for_each_part(self):
        options = {"validation_size": 0.25, "seed": 0, "stratify": False}
        with pytest.raises(
            ValueError, match=r"`groups` has 3 groups, too few to set aside a share of 0\.25: .* least 4"
        ):
            split_indices(np.arange(8), groups=np.arange(8) % 3, **options)
        fit, validation = split_indices(np.arange(8), groups=np.arange(8) % 4, **options)
        assert sorted([*fit, *validation]) == list(range(8))

    def test_missing_scikit_learn_is_said_in_one_sentence(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
        with pytest.raises(ImportError, match=r'pip install "fashionclf\[sklearn\]"'):
            fc.train_validation_split(np.zeros((4, 784)), [0, 0, 1, 1], groups=[0, 1, 2, 3])
