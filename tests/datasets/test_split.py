"""`Split` and `Dataset`."""

import numpy as np
import pytest
from samples.datasets import split

from fashionclf import CLASS_NAMES
from fashionclf.datasets import Dataset, Split
from fashionclf.photographs import ImageConverter


def test_a_split_of_other_images_knows_their_shape_and_how_they_were_read():
    rows = np.zeros((4, 12), np.uint8)
    made = Split(rows, [0, 1, 2, 3], image_shape=(2, 2, 3), image_converter=ImageConverter((2, 2, 3)))
    assert (made.images.shape, made.image_shape) == ((4, 2, 2, 3), (2, 2, 3))
    assert made[1:].image_converter is made.image_converter
    assert Split(np.zeros((4, 5, 3, 1)), [0, 1, 2, 3])[1:].image_shape == (5, 3, 1)
    assert (
        "float32 (2, 5, 3)"
        in Dataset("x", train=split(), test=Split(np.ones((2, 5, 3, 1)), [0, 1], class_names=CLASS_NAMES)).describe()
    )
    with pytest.raises(ValueError, match=r"shape \(28, 28, 1\), but their converter gives \(2, 2, 3\)"):
        Split(split().images, [0, 1, 2, 3], image_converter=made.image_converter)
    with pytest.raises(TypeError, match="`image_converter` must be an ImageConverter"):
        Split(rows, [0, 1, 2, 3], image_shape=(2, 2, 3), image_converter=(2, 2, 3))


@pytest.mark.parametrize("shape", [(4, 28, 28), (4, 28, 28, 1), (4, 784)])
def test_a_split_takes_every_form_of_many_images(shape):
    made = Split(np.zeros(shape, np.int64), [0, 1, 2, 3])
    assert made.images.shape == (4, 28, 28)
    assert (made.images.dtype, made.labels.dtype) == (np.uint8, np.uint8)
    assert made.class_names is None  # nothing has told them
    assert "unknown class names" in repr(made)


def test_a_split_keeps_floats_and_many_classes():
    made = Split(np.full((2, 28, 28), 0.5), [0, 299], class_names=[f"class {i}" for i in range(300)])
    assert made.images.dtype == np.float32
    assert made.labels.tolist() == [0, 299]


def test_a_split_does_not_copy_what_needs_no_copy():
    images, labels = np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.uint8)
    made = Split(images, labels)[1:]
    assert np.shares_memory(made.images, images)
    assert np.shares_memory(made.labels, labels)


def test_a_split_unpacks_and_has_the_length_of_its_images():
    images, labels = split(5)
    assert len(split(5)) == len(images) == len(labels) == 5


@pytest.mark.parametrize("part", [slice(1, 3), [1, 2], np.array([1, 2]), np.array([False, True, True, False])])
def test_a_part_of_a_split_is_a_split(part):
    names = ("a", "b", "c")
    part_of = split(class_names=names)[part]
    assert isinstance(part_of, Split)
    assert part_of.labels.tolist() == [1, 2]
    assert part_of.images[:, 0, 0].tolist() == [1, 2]
    assert part_of.class_names == names


@pytest.mark.parametrize("index", [0, -1, np.int64(2)])
def test_one_index_of_a_split_is_a_mistake_with_a_hint(index):
    with pytest.raises(TypeError, match=r"Index `split.images`"):
        split()[index]


def test_a_split_has_one_axis():
    with pytest.raises(TypeError, match="taken apart"):
        split()[1:, 2]


@pytest.mark.parametrize(
    ("arguments", "names", "error", "words"),
    [
        ((np.zeros((4, 27)), [0] * 4), None, ValueError, "shape"),
        ((np.zeros((4, 28, 28)), [0] * 3), None, ValueError, "3 rows but there are 4 images"),
        ((np.zeros((4, 28, 28)), [0, 1, 2, 10]), CLASS_NAMES, ValueError, r"0\.\.9"),
        ((np.zeros((2, 28, 28)), [0, 2]), ["a", "b"], ValueError, r"0\.\.1"),
        ((np.zeros((2, 28, 28)), [0, 1]), ["a", "a"], ValueError, "more than once"),
        ((np.zeros((2, 28, 28)), [0, 1]), "ab", TypeError, "sequence of strings"),
        ((np.zeros((2, 28, 28)), np.eye(10)[:2]), None, ValueError, "argmax"),
        ((np.full((2, 28, 28), 255.0), [0, 1]), None, ValueError, "divide by 255|Divide by 255"),
        ((np.zeros((0, 28, 28)), []), None, ValueError, "empty"),
        (([["a"]], [0]), None, TypeError, "dtype"),
    ],
)
def test_a_wrong_split_is_refused(arguments, names, error, words):
    with pytest.raises(error, match=words):
        Split(*arguments, class_names=names)


def test_reprs_are_short_and_comparing_is_by_identity():
    one = Dataset("tiny", train=split(), test=split(2))
    assert repr(one) == "Dataset('tiny': 4 train and 2 test images, 10 classes)"
    assert repr(one.train) == "Split(4 images uint8 (4, 28, 28), 10 classes)"
    assert one == one  # arrays in a dataclass usually make this raise
    assert one != Dataset("tiny", train=split(), test=split(2))
    assert len({one, one.train}) == 2


def test_a_dataset_needs_two_splits_of_the_same_classes():
    with pytest.raises(TypeError, match="`test` must be a Split"):
        Dataset("x", train=split(), test=(1, 2))
    with pytest.raises(ValueError, match="the same classes"):
        Dataset("x", train=split(), test=split(class_names=["a", "b", "c"]))


def test_describe_is_a_table_of_the_facts():
    table = Dataset("mine", train=split(5), test=split(3)).describe()
    assert repr(table) == str(table)
    lines = [line.split() for line in table.splitlines()]
    assert ["train", "uint8", "(5,", "28,", "28)", "uint8", "(5,)", "0", "4"] in lines
    assert ["0", "T-shirt/top", "2", "1"] in lines
    assert ["9", "Ankle", "boot", "0", "0"] in lines


def test_files_and_groups_go_with_their_images():
    made = Split(np.zeros((4, 28, 28), np.uint8), [0, 1, 2, 3], files=["a", "b", "c", "d"], groups=[7, 7, 8, 9])
    part = made[[3, 0]]
    assert part.files == ("d", "a")
    assert part.groups.tolist() == [9, 7]
    assert made[made.groups == 7].files == ("a", "b")
    assert made[1:].files == ("b", "c", "d")
    with pytest.raises(ValueError, match="`files` has 1 entries but there are 4 images"):
        Split(np.zeros((4, 28, 28), np.uint8), [0, 1, 2, 3], files=["a"])
    for groups in ([1], [0.5] * 4, [[1]] * 4):
        with pytest.raises(ValueError, match="`groups` must be one integer or string per image"):
            Split(np.zeros((4, 28, 28), np.uint8), [0, 1, 2, 3], groups=groups)


def test_both_parts_keep_what_belongs_to_the_images():
    converter = ImageConverter((4, 5, 3), crop_to_aspect_ratio=True)
    images = np.random.default_rng(0).integers(0, 200, (12, 4, 5, 3), dtype=np.uint8)
    split = Split(
        images,
        np.arange(12) % 2,
        class_names=["a", "b"],
        files=list(map(str, range(12))),
        groups=np.arange(12) // 2,
        image_converter=converter,
    )
    train, validation = split.train_validation_split(validation_size=0.5, seed=0)
    assert sorted(map(int, train.files + validation.files)) == list(range(12))
    assert not set(train.groups) & set(validation.groups)
    assert {part.image_converter for part in (train, validation)} == {converter}
    assert train.class_names == ("a", "b")
