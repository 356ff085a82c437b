import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

import fashionclf as fc
from fashionclf.predictions import as_predictions, probabilities_of, rank_labels

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
    assert [name for name, _ in first.top(2)] == ["Bag", "Coat"]
    assert first.top(99) == first.top(3)


def test_three_of_many_are_shown():
    rows = [[0.1, 0.2, 0.3, 0.4]]
    predictions = fc.Predictions(rows, list("abcd"))
    three = [("d", pytest.approx(0.4)), ("c", pytest.approx(0.3)), ("b", pytest.approx(0.2))]
    assert predictions[0].top() == predictions.top()[0] == three
    assert str(predictions[0]) == "d 40.0% · c 30.0% · b 20.0%"
    with pytest.raises(ValueError, match="`k` must be an integer of at least 1"):
        predictions.top(0)


def test_it_can_be_made_of_a_list():
    made = fc.Prediction([0.2, 0.8], ("Bag", "Coat"))
    assert (made.label, made.source, made.doubts) == (1, None, ())
    assert made.probabilities.dtype == np.float32


def test_equal_names_and_probabilities_make_equal_predictions():
    one = fc.Predictions(ROWS, NAMES)
    for other in (fc.Predictions(ROWS, ["a", "b", "c"]), fc.Predictions(ROWS[::-1], NAMES)):
        assert one != other
        assert one[0] != other[0]
    assert one == fc.Predictions(ROWS.tolist(), list(NAMES), sources=["a", "b", "c"])
    assert one[0] == fc.Prediction(ROWS[0], NAMES)
    assert (one == [*one]) is (one[0] == "Bag") is (one[0] == one) is False


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
    assert predictions[-3] == predictions[0]
    for position in (3, -4):
        with pytest.raises(IndexError, match=f"^There are 3 predictions, none at {position}"):
            predictions[position]
    with pytest.raises(TypeError, match="`index` must be"):
        predictions[[0.5]]


def test_one_array_is_kept(predictions):
    assert predictions.probabilities is ROWS
    assert predictions[0].probabilities.base is ROWS


def test_records_are_json_ready(predictions):
    records = json.loads(json.dumps(predictions.to_records()))
    assert records[0]["class_name"] == "Bag"
    assert records[0]["label"] == 1
    assert list(records[0]["probabilities"]) == ["Bag", "Coat", "Shirt"]
    assert records[0] == {
        "class_name": "Bag",
        "label": 1,
        "probability": pytest.approx(0.9),
        "unfamiliarity": predictions[0].unfamiliarity,
        "probabilities": dict(predictions[0].top()),
        "doubts": [],
    }


def test_unfamiliarity_is_the_entropy_of_equal_probabilities_at_most():
    predictions = fc.Predictions([[0, 1, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], NAMES)
    assert predictions.unfamiliarity == pytest.approx([0, 1, np.log(2) / np.log(3)])
    assert predictions.unfamiliarity.dtype == np.float32
    assert [each.unfamiliarity for each in predictions] == predictions.unfamiliarity.tolist()
    assert predictions.to_records()[1]["unfamiliarity"] == 1
    assert fc.Predictions(np.zeros((0, 3)), NAMES).unfamiliarity.shape == (0,)
    for classes in range(2, 40):  # rounding may carry a sum past 1
        assert fc.Predictions(np.full((1, classes), 1 / classes), list(map(str, range(classes)))).unfamiliarity <= 1


def test_printing_many_is_short(predictions):
    many = fc.Predictions(np.repeat(ROWS, 20, axis=0), NAMES)
    assert str(many).endswith("… and 50 more")
    assert len(str(many).splitlines()) == 11
    assert repr(many) == "<Predictions for 60 images, 3 classes>"
    assert str(predictions[:1]) == "Bag 90.0% · Coat 8.0% · Shirt 2.0%"


@settings(deadline=None)
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
        with pytest.raises(ValueError, match="`sources` has 2 entries but there are 1 predictions"):
            fc.Predictions([[0.9, 0.1]], ["Bag", "Coat"], sources=["a", "b"])
        with pytest.raises(ValueError, match="`doubts` has 0 entries but there are 1 predictions"):
            fc.Predictions([[0.9, 0.1]], ["Bag", "Coat"], doubts=[])

    def test_doubts_go_with_their_images(self):
        doubts = [[], ["it is blank", "it is small"], ["it is blank"]]
        predictions = fc.Predictions([[0.9, 0.1]] * 3, ["Bag", "Coat"], sources=["a", "b", "c"], doubts=doubts)
        expected = ((), ("it is blank", "it is small"), ("it is blank",))
        assert predictions.doubts == predictions[:].doubts == tuple(p.doubts for p in predictions) == expected
        assert predictions[2].doubts == expected[2]
        assert type(predictions[2].source) is str
        assert [record["doubts"] for record in predictions.to_records()] == doubts
        assert fc.Predictions(ROWS, NAMES).doubts == ((), (), ())


@pytest.mark.parametrize("index", [(slice(None), 1), (0, 1), None, True, np.True_])
def test_columns_are_not_images(index):
    predictions = fc.Predictions(np.eye(3) * 0.5 + 0.1, ["a", "b", "c"])
    with pytest.raises(TypeError, match=r"indexed by image.*index `probabilities`"):
        predictions[index]


@pytest.mark.parametrize("probabilities", [[[1 + 1j, 0]], [["0.5", "0.5"]], [[0.5, 0.5], [1]]])
def test_what_is_no_number_is_refused(probabilities):
    with pytest.raises(TypeError, match=r"must be an array of numbers|cannot be read as an array"):
        fc.Predictions(probabilities, ["a", "b"])


@pytest.mark.parametrize("shape", [(), (2,), (3, 1), (1, 2, 2)])
def test_one_row_for_each_image(shape):
    words = rf"`probabilities` has shape \({str(shape)[1:-1]}\), expected \(n, num_classes\)"
    with pytest.raises(ValueError, match=words):
        as_predictions(np.full(shape, 0.5), None)


@pytest.mark.parametrize("value", [-0.001, 1.0001, np.nan, 1e300])
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        fc.Predictions([[0.5, 0.5], [0.5, value]], ["a", "b"])


def test_sums_and_masks_are_probabilities():
    assert fc.Predictions([[1.000005, 0]], ["a", "b"])[0].class_name == "a"  # rounding
    assert fc.Predictions([[False, True]], ["a", "b"])[0].class_name == "b"


@pytest.mark.parametrize(
    ("names", "words"), [(["a", "b"], "2 names but there are 3"), (["a", "b", "a"], "'a' more than")]
)
def test_each_column_has_a_name_of_its_own(names, words):
    with pytest.raises(ValueError, match=words):
        fc.Predictions(ROWS, names)


def test_arrays_and_predictions_get_the_names_asked_for():
    given = fc.Predictions(ROWS, NAMES, sources=["a", "b", "c"], doubts=[["it is blank"], [], []])
    assert as_predictions(given, None) is given
    named = as_predictions(given, ["x", "y", "z"])
    assert (named.class_names, named.sources, named.doubts) == (("x", "y", "z"), given.sources, given.doubts)
    assert as_predictions(ROWS, NAMES) == given
    assert as_predictions(ROWS, None).class_names == ("0", "1", "2")
    assert as_predictions(np.eye(10), None).class_names == fc.CLASS_NAMES


def test_equally_probable_labels_keep_their_order():
    assert rank_labels(np.tile([0.01, 0.03], 30)).tolist() == [*range(1, 60, 2), *range(0, 60, 2)]


def test_outputs_of_a_model_have_one_column_for_each_class():
    outputs = np.array([[0.2, 0.8], [0.5, 0.5]], np.float32)
    assert probabilities_of(outputs) is outputs
    np.testing.assert_allclose(probabilities_of(outputs[:, 1:]), outputs)
    outputs[0, 1] = np.nan
    with pytest.raises(ValueError, match="its training has diverged"):
        probabilities_of(outputs)


def test_groups_sum_their_classes():
    predictions = fc.Predictions(
        [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]], ["Polo", "Dress", "T-Shirt"], sources=["a", "b"], doubts=[(), ("dark",)]
    )
    grouped = predictions.grouped({"Polo": "Top", "T-Shirt": "Top"})
    assert grouped.class_names == ("Top", "Dress")
    np.testing.assert_allclose(grouped.probabilities, [[0.7, 0.3], [0.9, 0.1]])
    assert (grouped.sources, grouped.doubts) == (predictions.sources, predictions.doubts)
    assert predictions.grouped({}) == predictions
    with pytest.raises(ValueError, match="'Hat'"):
        predictions.grouped({"Hat": "Top"})
    with pytest.raises(ValueError, match="2 groups"):
        predictions.grouped(dict.fromkeys(predictions.class_names, "Top"))
    with pytest.raises(TypeError, match="mapping"):
        predictions.grouped(["Top"])
