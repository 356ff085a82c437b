import json

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

import fashionclf as fc

NAMES = ("Shirt", "Bag", "Coat")
ROWS = np.array([[0.02, 0.9, 0.08], [0.4, 0.4, 0.2], [0.0, 0.0, 1.0]], np.float32)


@pytest.fixture
def predictions():
    return fc.Predictions(ROWS, NAMES)


def test_one_prediction(predictions):
    first = predictions[0]
    assert (first.class_name, first.label) == ("Bag", 1)
    assert first.probability == pytest.approx(0.9)
    assert str(first) == "Bag 90.0% · Coat 8.0% · Shirt 2.0%"
    assert repr(first) == "<Prediction Bag 90.0% · Coat 8.0% · Shirt 2.0%>"
    assert first.probabilities.dtype == np.float32
    assert list(first.to_dict()) == ["Bag", "Coat", "Shirt"]
    assert [name for name, _ in first.top(2)] == ["Bag", "Coat"]
    assert first.top(99) == first.top(3)


def test_a_tie_goes_to_the_first_label_everywhere(predictions):
    tied = predictions[1]
    assert tied.label == predictions.labels[1] == 0
    assert tied.top(1)[0][0] == tied.class_name == "Shirt"


def test_sequence(predictions):
    assert len(predictions) == 3
    assert [p.class_name for p in predictions] == ["Bag", "Shirt", "Coat"]
    assert predictions[-1].class_name == "Coat"
    assert isinstance(predictions[1:], fc.Predictions)
    assert len(predictions[np.array([True, False, True])]) == 2
    assert predictions[:2] == fc.Predictions(ROWS[:2], NAMES)
    assert predictions[0] in predictions
    assert next(reversed(predictions)) == predictions[2]
    assert not predictions[:0]
    with pytest.raises(IndexError):
        predictions[3]


def test_one_array_is_kept(predictions):
    assert predictions.probabilities is ROWS
    assert predictions[0].probabilities.base is ROWS


def test_records_are_json_ready(predictions):
    records = json.loads(json.dumps(predictions.to_records()))
    assert records[0]["class_name"] == "Bag"
    assert records[0]["label"] == 1
    assert list(records[0]["probabilities"]) == ["Bag", "Coat", "Shirt"]


def test_unfamiliarity_is_the_entropy_of_equal_probabilities_at_most():
    predictions = fc.Predictions([[0, 1, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], NAMES)
    assert predictions.unfamiliarity == pytest.approx([0, 1, np.log(2) / np.log(3)])
    assert predictions.unfamiliarity.dtype == np.float32
    assert [each.unfamiliarity for each in predictions] == predictions.unfamiliarity.tolist()
    assert predictions.to_records()[1]["unfamiliarity"] == 1
    assert fc.Predictions(np.zeros((0, 3)), NAMES).unfamiliarity.shape == (0,)


def test_printing_many_is_short(predictions):
    many = fc.Predictions(np.repeat(ROWS, 20, axis=0), NAMES)
    assert str(many).endswith("… and 50 more")
    assert len(str(many).splitlines()) == 11
    assert repr(many) == "<Predictions for 60 images, 3 classes>"
    assert str(predictions[:1]) == "Bag 90.0% · Coat 8.0% · Shirt 2.0%"


@given(arrays.arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=32)), st.integers(1, 7))
def test_top_is_sorted_and_agrees_with_the_label(rows, k):
    predictions = fc.Predictions(rows, list("abcde"))
    for prediction, top in zip(predictions, predictions.top(k), strict=True):
        assert top[0] == (prediction.class_name, prediction.probability)
        assert len(top) == min(k, 5)
        values = [probability for _, probability in top]
        assert values == sorted(values, reverse=True)


class TestSources:
    def test_they_go_with_their_images(self):
        rows = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
        predictions = fc.Predictions(rows, ["Bag", "Coat"], sources=["a.png", "b.png", "c.png"])
        assert predictions[1].source == "b.png"
        assert predictions[np.array([2, 0])].sources == ("c.png", "a.png")
        assert [p.source for p in predictions] == ["a.png", "b.png", "c.png"]
        assert str(predictions[:1]) == "a.png: Bag 90.0% · Coat 10.0%"
        assert str(predictions[0]) == "Bag 90.0% · Coat 10.0%"
        assert predictions.to_records()[2]["source"] == "c.png"

    def test_arrays_have_none(self):
        predictions = fc.Predictions([[0.9, 0.1]], ["Bag", "Coat"])
        assert predictions.sources is None
        assert predictions[0].source is None
        assert "source" not in predictions.to_records()[0]

    def test_there_is_one_for_each(self):
        with pytest.raises(ValueError, match="`sources` has 2 names but there are 1 predictions"):
            fc.Predictions([[0.9, 0.1]], ["Bag", "Coat"], sources=["a", "b"])


@pytest.mark.parametrize("index", [(slice(None), 1), (0, 1), None, True])
def test_columns_are_not_images(index):
    predictions = fc.Predictions(np.eye(3) * 0.5 + 0.1, ["a", "b", "c"])
    with pytest.raises(TypeError, match=r"indexed by image.*index `probabilities`"):
        predictions[index]


@pytest.mark.parametrize("probabilities", [[[1 + 1j, 0]], [["0.5", "0.5"]]])
def test_what_is_no_number_is_refused(probabilities):
    with pytest.raises(TypeError, match="must be an array of numbers"):
        fc.Predictions(probabilities, ["a", "b"])
