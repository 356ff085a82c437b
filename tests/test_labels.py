import numpy as np
import pytest

import fashionclf as fc
from fashionclf.labels import LabelNames, check_class_names, class_names, match_labels, meaning_of


def test_names_are_the_data_sets_own():
    assert fc.CLASS_NAMES == (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    assert fc.class_names() == fc.CLASS_NAMES
    assert fc.class_names("synthetic") == fc.CLASS_NAMES
    assert fc.class_names("mnist") == tuple("0123456789")


def test_korean():
    names = fc.class_names("fashion_mnist", "ko")
    assert names == ("티셔츠", "바지", "스웨터", "드레스", "코트", "샌들", "셔츠", "스니커즈", "가방", "앵클 부츠")
    assert fc.class_names("synthetic", "ko") == names
    assert fc.class_names("mnist", "ko") == fc.class_names("mnist")


def test_close_match_is_suggested():
    with pytest.raises(ValueError, match=r"Unknown dataset 'fashion-mnist'\. Did you mean 'fashion_mnist'"):
        fc.class_names("fashion-mnist")
    with pytest.raises(ValueError, match="Unknown language 'kr'"):
        fc.class_names("mnist", "kr")


@pytest.mark.parametrize("names", [["a"], ("b", "a"), {"a": 0, "b": 1}, iter("ba"), np.array(["Bag", "가방 2"])])
def test_names_are_a_tuple(names):
    checked = check_class_names(names)
    assert isinstance(checked, tuple)
    assert check_class_names(checked, len(checked)) == checked


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("ab", TypeError, "must be a sequence of strings. Received: 'ab'"),
        (b"ab", TypeError, "must be a sequence of strings"),
        (7, TypeError, "must be a sequence of strings. Received: 7"),
        (["a", 7], TypeError, r"must be strings. Received: 7 \(int\)"),
        (["a", []], TypeError, r"must be strings. Received: \[\] \(list\)"),
        ([], ValueError, "`class_names` is empty"),
        (["a", " "], ValueError, "`class_names` is an empty name"),
        (["a", "b", "a"], ValueError, "holds 'a' more than once"),
        (["Shirt", "Bag", "Bag"], ValueError, "holds 'Bag' more than once"),
        (["Coat", "Shirt", "셔츠"], ValueError, "one class in two languages: 'Shirt', '셔츠'. Give"),
    ],
)
def test_what_cannot_be_names_is_refused(names, error, message):
    with pytest.raises(error, match=message):
        check_class_names(names)


def test_there_are_as_many_names_as_classes():
    with pytest.raises(ValueError, match="has 2 names but there are 3 classes: received 'a', 'b'"):
        check_class_names(["a", "b"], 3)


def test_names_mean_the_data_sets_own_spelling():
    assert meaning_of(["가방", "Shirt"]) == ("Bag", "Shirt")
    assert meaning_of(["7"]) == ("7",)
    assert meaning_of(["Bag", "7"]) is None
    assert meaning_of(["Bag", "dog"]) is None
    labels = match_labels(["바지", "셔츠"], [class_names("clothing")], "x")  # which Fashion-MNIST has too
    assert [class_names("clothing")[label] for label in labels] == ["Pants", "Shirt"]


@pytest.mark.parametrize(
    ("names", "known", "labels"),
    [
        (("Bag", "Coat"), [("Shirt", "Bag", "Coat")], [1, 2]),
        (("Shirt", "Coat"), [("Shirt", "Bag", "Coat")], [0, 2]),
        (("Coat", "Bag", "Shirt"), [("Shirt", "Bag", "Coat")], [2, 1, 0]),
        (("코트", "Bag"), [("Shirt", "가방", "Coat")], [2, 1]),
        (("dog",), [("Shirt", "Bag"), ("cat", "dog")], [1]),
        (("Shirt", "Bag"), [("Shirt", "Bag", "Coat")], None),
    ],
)
def test_labels_are_matched_by_name(names, known, labels):
    matched = match_labels(names, known, "x")
    if labels is None:
        assert matched is None
    else:
        np.testing.assert_array_equal(matched, labels, strict=True)


@pytest.mark.parametrize(
    ("names", "known"), [(("Bag", "dog"), ("Shirt", "Bag")), (("Bag", "Coat"), ("cat", "dog")), (("cat",), ("dog",))]
)
def test_labels_that_a_trainer_lacks_are_refused(names, known):
    own, other = (", ".join(map(repr, each)) for each in (names, known))
    with pytest.raises(ValueError, match=f"`x` has the classes {own}; the Trainer has {other}"):
        match_labels(names, [known], "x")


def test_default_names_match_while_there_are_no_others():
    assert LabelNames().known == []
    assert LabelNames(default=("a",)).known == [("a",)]
    assert LabelNames(default=("a",), given=("b",), learnt=("c",)).known == [("b",), ("c",)]


@pytest.mark.parametrize(
    ("names", "data"),
    [(LabelNames(given=("A", "B"), learnt=("x", "y")), ("p", "q")), (LabelNames(given=("A", "B")), ("p",))],
)
def test_a_fit_on_other_classes_teaches_no_names(names, data):
    assert names.after_fit(data, 2) == names


@pytest.mark.parametrize(
    ("before", "data", "shown", "learnt"),
    [
        ({"default": "AB"}, None, "AB", "AB"),
        ({"default": "AB"}, "BA", "BA", "BA"),
        ({"learnt": "AB"}, "BA", "AB", "AB"),
        ({"learnt": "AB"}, "xy", "xy", "xy"),
        ({"given": "AB"}, "BA", "AB", "AB"),
        ({"given": "AB"}, "xy", "AB", "xy"),
        ({"given": "AB"}, "xB", "AB", None),  # refused when the data is read
        ({"given": "AB", "learnt": "xy"}, "yx", "AB", "xy"),
        ({"given": ("가방", "코트")}, ("Coat", "Bag"), ("가방", "코트"), ("가방", "코트")),
    ],
)
def test_what_labels_are_called_after_a_fit(before, data, shown, learnt):
    names = LabelNames(**{kind: tuple(each) for kind, each in before.items()}).after_fit(data and tuple(data), 2)
    assert names.shown == tuple(shown)
    assert names.learnt == (learnt and tuple(learnt))
    assert names.matches(data or shown) == (learnt is not None)
    assert LabelNames.from_dict(names.to_dict(), 2) == names
