import json
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn import metrics

import fashionclf as fc


def random_report(seed, count=500, classes=10, sharpness=3.0):
    """A report on random answers that are better than chance, and what it is made of."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    scores = rng.normal(size=(count, classes)) + sharpness * np.eye(classes)[labels] * rng.random((count, 1))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    predictions = fc.Predictions(probabilities, [f"class {i}" for i in range(classes)])
    return fc.evaluate_predictions(labels, predictions), labels, predictions.probabilities.astype(np.float64)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60), classes=st.integers(2, 12))
@settings(deadline=None, max_examples=40)
@pytest.mark.filterwarnings("ignore:.*number of classes in y_true:UserWarning")
def test_figures_are_scikit_learns(seed, count, classes):
    report, labels, rows = random_report(seed, count, classes)
    all_labels = list(range(classes))
    predicted = rows.argmax(axis=1)
    exactly = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(report.accuracy, metrics.accuracy_score(labels, predicted), **exactly)
    np.testing.assert_array_equal(
        report.confusion_matrix, metrics.confusion_matrix(labels, predicted, labels=all_labels)
    )
    normal = rows / rows.sum(axis=1, keepdims=True)  # scikit-learn warns of rows that float32 left a little off 1
    np.testing.assert_allclose(report.log_loss, metrics.log_loss(labels, normal, labels=all_labels), **exactly)
    expected = metrics.precision_recall_fscore_support(labels, predicted, labels=all_labels, zero_division=0)
    for figures, own in zip(expected, (report.precision, report.recall, report.f1, report.support), strict=True):
        np.testing.assert_allclose(own, figures, **exactly)
    if classes > 2:  # with two, scikit-learn wants the scores of one
        for k in range(1, classes):
            theirs = metrics.top_k_accuracy_score(labels, rows, k=k, labels=all_labels)
            np.testing.assert_allclose(report.top_k_accuracy(k), theirs, **exactly)


def test_certain_and_wrong_costs_what_scikit_learn_says():
    rows = np.array([[1.0, 0.0], [0.0, 1.0]])
    report = fc.evaluate_predictions([1, 1], rows)
    assert report.log_loss == pytest.approx(metrics.log_loss([1, 1], rows, labels=[0, 1]), abs=1e-12)


def test_calibration_error_by_hand():
    rows = [[0.95, 0.05], [0.9, 0.1], [0.55, 0.45], [0.6, 0.4]]
    report = fc.evaluate_predictions([0, 1, 0, 0], np.array(rows))
    found = [(part.count, part.accuracy) for part in report.calibration_bins if part.count]
    # 0.55 and 0.6 lie in (8/15, 9/15], 0.9 in (13/15, 14/15] and 0.95 in (14/15, 1]; 0.6 as float32 is above 9/15
    assert [part.count for part in report.calibration_bins][8:] == [1, 1, 0, 0, 0, 1, 1]
    assert found == [(1, 1.0), (1, 1.0), (1, 0.0), (1, 1.0)]
    assert report.expected_calibration_error == pytest.approx((0.45 + 0.4 + 0.9 + 0.05) / 4, abs=1e-6)


@pytest.mark.parametrize(("classes", "probability", "place"), [(20, 0.05, 0), (2, 0.55, 8)])
def test_the_outer_calibration_bins_may_be_empty(classes, probability, place):
    rows = np.full((1, classes), (1 - probability) / (classes - 1))
    rows[0, 0] = probability
    bins = fc.evaluate_predictions([0], rows).calibration_bins
    assert [part.count for part in bins] == [int(i == place) for i in range(15)]


def test_calibration_bins_partition_the_answers():
    report, labels, _ = random_report(0)
    bins = report.calibration_bins
    assert [(part.low, part.high) for part in bins] == [(i / 15, (i + 1) / 15) for i in range(15)]
    assert sum(part.count for part in bins) == len(labels)
    inside = [part for part in bins if part.count]
    assert all(part.low < part.probability <= part.high for part in inside)
    empty = [part for part in bins if not part.count]
    assert all(np.isnan(part.accuracy) and np.isnan(part.probability) for part in empty)
    overall = sum(part.count * part.accuracy for part in inside) / len(labels)
    assert overall == pytest.approx(report.accuracy)


def test_a_classifier_that_knows_how_sure_it_is_has_a_small_error():
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(4), size=40_000)
    labels = np.array([rng.choice(4, p=row) for row in rows])
    assert fc.evaluate_predictions(labels, rows).expected_calibration_error < 0.01
    assert fc.evaluate_predictions(labels, rows**3 / (rows**3).sum(1, keepdims=True)).expected_calibration_error > 0.1


def indices(report, k=10):
    return [mistake["index"] for mistake in report.mistakes(k)]


def test_most_confused_and_confident_mistakes():
    names = ["Shirt", "Coat", "Bag"]
    rows = np.array([[0.2, 0.8, 0], [0.1, 0.9, 0], [0.6, 0.3, 0.1], [0.3, 0.3, 0.4], [0, 0.3, 0.7]])
    report = fc.evaluate_predictions([0, 0, 0, 1, 2], fc.Predictions(rows, names))
    assert report.most_confused(1) == [fc.Confusion("Shirt", "Coat", 2)]
    assert report.most_confused() == [fc.Confusion("Shirt", "Coat", 2), fc.Confusion("Coat", "Bag", 1)]
    assert indices(report) == [1, 0, 3]
    first = {"index": 1, "source": None, "class_name": "Shirt", "predicted": "Coat", "probability": pytest.approx(0.9)}
    assert report.mistakes(1) == [first]
    equal = fc.evaluate_predictions([1] * 40, [[0.9, 0.1]] * 40)
    assert indices(equal, 40) == [*range(40)]  # in their order


def test_no_mistakes():
    report = fc.evaluate_predictions([0, 1], np.eye(2))
    assert report.most_confused() == []
    assert report.mistakes() == []
    assert "most confused" not in str(report)
    assert report.expected_calibration_error == 0


SMALL = fc.Predictions(
    [[0.95, 0.05, 0], [0.55, 0.4, 0.05], [0.05, 0.9, 0.05], [0.1, 0.8, 0.1]], ["Bag", "앵클 부츠", "Coat"]
)


def test_it_prints_a_table():
    report = fc.evaluate_predictions([0, 1, 1, 0], SMALL)
    assert str(report) == textwrap.dedent("""\
        4 images, 3 classes
        accuracy 0.5000 · top 3 1.0000 · log loss 0.8439 · calibration error 0.3750

                        precision  recall      F1    images
        Bag                 0.500   0.500   0.500         2
        앵클 부츠           0.500   0.500   0.500         2
        Coat                0.000   0.000   0.000         0

        most confused
          Bag misclassified as 앵클 부츠: 1
          앵클 부츠 misclassified as Bag: 1""")
    assert repr(report) == "<EvaluationReport on 4 images: accuracy 0.5000>"
    many = fc.evaluate_predictions(np.arange(1200) % 2, fc.Predictions(np.eye(2)[[0] * 1200], ["a" * 20, "b"]))
    assert str(many).splitlines()[0] == "1,200 images, 2 classes"
    assert str(many).splitlines()[5] == "b" + " " * 25 + "0.000   0.000   0.000       600"
    assert str(many).endswith("b misclassified as aaaaaaaaaaaaaaaaaaaa: 600")
    assert repr(many) == "<EvaluationReport on 1,200 images: accuracy 0.5000>"


def test_headings_in_korean():
    assert fc.evaluate_predictions([0, 1, 1, 0], SMALL).describe("ko") == textwrap.dedent("""\
        이미지 4개, 클래스 3개
        정확도 0.5000 · 상위 3 1.0000 · 로그 손실 0.8439 · 보정 오차 0.3750

                           정밀도  재현율      F1 이미지 수
        Bag                 0.500   0.500   0.500         2
        앵클 부츠           0.500   0.500   0.500         2
        Coat                0.000   0.000   0.000         0

        가장 많이 혼동한 클래스
          Bag → 앵클 부츠: 1
          앵클 부츠 → Bag: 1""")


def test_the_best_three_count():
    report, _, _ = random_report(0)
    assert report.to_dict()["top_3_accuracy"] == report.top_k_accuracy(3) < report.top_k_accuracy(4)
    assert f" top 3 {report.top_k_accuracy(3):.4f} " in str(report)


def test_to_dict_is_json():
    report = fc.evaluate_predictions([0, 1, 1, 0], SMALL)
    values = report.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    bins = values.pop("calibration_bins")
    assert values == {
        "num_images": 4,
        "accuracy": 0.5,
        "top_3_accuracy": 1.0,
        "log_loss": report.log_loss,
        "expected_calibration_error": report.expected_calibration_error,
        "classes": {
            "Bag": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2},
            "앵클 부츠": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2},
            "Coat": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
        },
        "confusion_matrix": [[1, 1, 0], [1, 1, 0], [0, 0, 0]],
        "most_confused": [
            {"class_name": "Bag", "predicted": "앵클 부츠", "count": 1},
            {"class_name": "앵클 부츠", "predicted": "Bag", "count": 1},
        ],
    }
    assert bins[0] == {"low": 0.0, "high": 1 / 15, "count": 0, "probability": None, "accuracy": None}
    assert bins[14] == {"low": 14 / 15, "high": 1.0, "count": 1, "probability": pytest.approx(0.95), "accuracy": 1.0}


def test_how_many_are_named():
    rows = np.roll(np.eye(12), 1, axis=1) * 0.9 + np.eye(12) * 0.1  # each class is taken for the next one
    report = fc.evaluate_predictions(np.arange(12), fc.Predictions(rows, list("abcdefghijkl")))
    assert [confusion.class_name for confusion in report.most_confused(12)] == list("abcdefghijkl")
    assert report.most_confused() == report.most_confused(5) == report.most_confused(12)[:5]
    assert indices(report) == list(range(10))
    assert report.top_k_accuracy(1) == 0
    assert report.top_k_accuracy() == report.top_k_accuracy(2) == 1
    ties = fc.evaluate_predictions([3] * 5, np.full((5, 5), 0.2))
    assert (ties.top_k_accuracy(), ties.top_k_accuracy(4)) == (0, 1)
    for method in (report.most_confused, report.mistakes, report.top_k_accuracy):
        with pytest.raises(ValueError, match="`k` must be an integer of at least 1"):
            method(0)


def test_a_sum_of_products_may_be_a_little_past_1():
    report = fc.evaluate_predictions([0, 1], [[1.000005, 0], [1, 0]])
    assert report.calibration_bins[14].count == 2


@pytest.mark.parametrize(
    ("labels", "rows", "options", "words"),
    [
        ([0, 1], [[0.9, 0.9], [0.5, 0.5]], {}, r"1 rows that do not sum to 1, such as row 0 with 1\.8"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.48]], {}, r"1 rows that do not sum to 1, such as row 1 with 0\.98"),
        ([0, 1], SMALL[:2], {"class_names": ["a", "b", "c"]}, "have their own class names"),
        ([0, 1, 0], SMALL[:2], {}, "`labels` has 3 rows but there are 2 predictions"),
        ([0, 3], SMALL[:2], {}, r"from 0 to 3, expected 0\.\.2"),
    ],
)
def test_what_does_not_fit_is_refused(labels, rows, options, words):
    with pytest.raises(ValueError, match=words):
        fc.evaluate_predictions(labels, rows, **options)


def test_rounded_rows_are_taken():
    assert fc.evaluate_predictions([0], np.array([[0.3333, 0.6665]], np.float16)).accuracy == 0
    assert fc.evaluate_predictions([0, 0], [[0.5, 0.509], [0.5, 0.491]], class_names=["a", "b"]).accuracy == 0.5


def test_labels_of_few_bits_are_widened():
    labels = np.arange(30, dtype=np.uint8)  # a label times the number of classes is more than 255
    predictions = fc.Predictions(np.eye(30), list(map(str, labels)))
    np.testing.assert_array_equal(fc.EvaluationReport(labels, predictions).confusion_matrix, np.eye(30))


def test_names_of_plain_probabilities():
    assert fc.evaluate_predictions([0], np.eye(10)[:1]).class_names == fc.CLASS_NAMES
    assert fc.evaluate_predictions([0], np.eye(3)[:1]).class_names == ("0", "1", "2")
    assert fc.evaluate_predictions(np.eye(3)[[1]], np.eye(3)[:1]).labels.tolist() == [1]


def test_a_trainer_reports(fitted, garments):
    images, labels = garments[0][:50], garments[1][:50]
    report = fitted.report(images, labels)
    figures = fitted.evaluate(images, labels)
    assert report.accuracy == pytest.approx(figures["accuracy"])
    assert report.log_loss == pytest.approx(figures["loss"], rel=1e-3)
    assert report.predictions == fitted.predict(images)
    files = [f"{i}.jpg" for i in range(50)]
    named = fitted.report(fc.Split(images, labels, files=files), batch_size=7)
    assert named.accuracy == report.accuracy
    assert [mistake["source"] for mistake in named.mistakes()] == [files[i] for i in indices(report)]
