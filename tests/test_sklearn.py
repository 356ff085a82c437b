"""The scikit-learn classifier."""

import functools
import importlib
import pickle
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fashionclf as fc
from fashionclf.sklearn import FashionClassifier

QUICK = {"epochs": 2, "validation_split": 0, "random_state": 0}

# -- scikit-learn's own checks --------------------------------------------------------------------

A_FIT = "it fits a table of a few columns, and images have 784"
A_TABLE = dict.fromkeys(
    (
        *("check_class_weight_classifiers", "check_classifier_data_not_an_array", "check_classifiers_classes"),
        *("check_classifiers_train", "check_dict_unchanged", "check_dont_overwrite_parameters", "check_dtype_object"),
        *("check_estimators_dtypes", "check_estimators_fit_returns_self", "check_estimators_nan_inf"),
        *("check_estimators_overwrite_params", "check_estimators_pickle", "check_f_contiguous_array_estimator"),
        *("check_fit2d_predict1d", "check_fit_check_is_fitted", "check_fit_idempotent", "check_fit_score_takes_y"),
        *("check_methods_sample_order_invariance", "check_methods_subset_invariance", "check_n_features_in"),
        *("check_n_features_in_after_fitting", "check_pipeline_consistency", "check_readonly_memmap_input"),
        *("check_sample_weight_equivalence_on_dense_data", "check_sample_weights_list"),
        "check_sample_weights_pandas_series",
        *("check_sample_weights_not_an_array", "check_sample_weights_not_overwritten", "check_sample_weights_shape"),
        "check_supervised_y_2d",
    ),
    A_FIT,
)
ON_TABLES = {
    "check_class_weight_classifiers": "its values are negative, and pixels are not",
    "check_sample_weight_equivalence_on_dense_data": "an image given twice may be in two batches",
}


class OnTables(FashionClassifier):
    """Takes any table of numbers from 0 on, so that the checks that fit one can run as well."""

    def _images(self, rows):
        if rows.min() < 0:
            return super()._images(rows)
        pixels = (rows / (1 + rows)).astype(np.float32)
        return super()._images(np.pad(pixels, ((0, 0), (0, 784 - rows.shape[1]))))


@parametrize_with_checks([FashionClassifier("softmax", epochs=1)], expected_failed_checks=lambda _: A_TABLE)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::fashionclf.DoubtfulImageWarning", "ignore::DeprecationWarning")
@parametrize_with_checks(
    [OnTables("softmax", epochs=20, learning_rate=0.1, batch_size=8, validation_split=0)],
    expected_failed_checks=lambda _: ON_TABLES,
)
def test_all_checks_of_scikit_learn_without_the_784_pixels(estimator, check):
    check(estimator)


# -- what it computes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(garments):
    """300 images as rows of integers, and their labels as words."""
    images, labels = garments
    return images[:300].reshape(300, 784), np.array(list("jihgfedcba"))[labels[:300]]


@pytest.fixture(scope="module")
def classifier(rows):
    return FashionClassifier("softmax", **QUICK).fit(*rows)


def test_it_is_the_trainer_with_the_same_seed(garments):
    images, labels = garments[0][:300], garments[1][:300]
    ours = FashionClassifier("cnn_small", epochs=1, random_state=7).fit(images, labels)
    trainer = fc.Trainer.from_preset("cnn_small", seed=7)
    trainer.fit(images, labels, epochs=1, seed=7, verbose=0)
    np.testing.assert_array_equal(ours.predict_proba(images), trainer.predict_proba(images))
    assert ours.trainer_.class_names == fc.CLASS_NAMES
    assert ours.trainer_.recipe == fc.get_preset("cnn_small").recipe
    assert set(ours.history_) == {"loss", "accuracy"}


def test_labels_are_those_of_y(classifier, rows):
    assert list(classifier.classes_) == list("abcdefghij")
    assert classifier.trainer_.class_names == tuple("abcdefghij")
    assert classifier.score(*rows) > 0.5
    probabilities = classifier.predict_proba(rows[0])
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(classifier.predict(rows[0]), classifier.classes_[probabilities.argmax(axis=1)])
    assert classifier.n_features_in_ == 784


@pytest.mark.parametrize("labels", [[3, 17, -5], [0.0, 1.0, 2.0], ["", "x", " "], [True, False]], ids=repr)
def test_any_kind_and_number_of_labels(labels, garments):
    chosen = garments[1] < len(labels)
    images, y = garments[0][chosen], np.array(labels)[garments[1][chosen]]
    fitted = FashionClassifier("softmax", **QUICK).fit(images, y)
    assert fitted.predict_proba(images).shape == (len(images), len(labels))
    assert fitted.predict(images).dtype == y.dtype
    assert fitted.score(images, y) > 0.5
    assert len(set(fitted.trainer_.class_names)) == len(labels)


def test_every_form_of_images_gives_the_same(classifier, every_form):
    expected = classifier.predict_proba(every_form["uint8 (n, 784)"])
    arrays = ("uint8 (n, 28, 28)", "uint8 (n, 28, 28, 1)", "int64", "float32", "float64", "float32 (n, 784)")
    for form in (*arrays, "list of single images", "int16 nested list"):
        np.testing.assert_allclose(classifier.predict_proba(every_form[form]), expected, atol=1e-6)


def test_a_function_builds_the_network(rows):
    build = functools.partial(fc.cnn_model, (4,), units=())
    fitted = FashionClassifier(build, learning_rate=0.01, **QUICK).fit(*rows)
    assert fitted.trainer_.model.name == "cnn_model"
    assert fitted.trainer_.recipe.learning_rate == 0.01


def test_weights_of_images_and_classes(rows):
    images, y = rows
    kept = y < "d"
    only = FashionClassifier("softmax", batch_size=300, **QUICK).fit(images, y, sample_weight=kept)
    by_class = {label: float(label < "d") for label in set(y)}
    same = FashionClassifier("softmax", batch_size=300, class_weight=by_class, **QUICK).fit(images, y)
    np.testing.assert_array_equal(only.predict_proba(images), same.predict_proba(images))
    assert set(only.predict(images)) < set("abcdefghij")
    both = FashionClassifier("softmax", class_weight="balanced", **QUICK).fit(images, y, sample_weight=kept)
    assert (both.predict_proba(images) != only.predict_proba(images)).any()


def test_random_states(rows):
    results = [
        FashionClassifier("softmax", epochs=1, random_state=state).fit(*rows).predict_proba(rows[0])
        for state in (np.random.RandomState(3), np.random.RandomState(3), None)
    ]
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).any()


# -- in scikit-learn's tools ----------------------------------------------------------------------


def test_pickles_and_clones(classifier, rows):
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(rows[0]), classifier.predict_proba(rows[0]))
    copied = clone(classifier)
    assert copied.get_params() == classifier.get_params()
    with pytest.raises(NotFittedError):
        copied.predict(rows[0])


def test_pipeline_grid_search_and_scores(rows):
    images, y = rows
    pipeline = make_pipeline(MinMaxScaler(clip=True), FashionClassifier("softmax", **QUICK))
    search = GridSearchCV(pipeline, {"fashionclassifier__epochs": [1, 6]}, cv=2)
    search.fit(images.astype(float), y)  # floats up to 255, which the scaler brings to [0, 1]
    assert search.best_params_ == {"fashionclassifier__epochs": 6}
    assert search.predict(images[:3].astype(float)).shape == (3,)


def test_a_transformer_of_ours_before_it(classifier, rows):
    images, y = rows
    flat = make_pipeline(FunctionTransformer(fc.flatten), classifier)  # fitted already
    assert flat.score(images.reshape(-1, 28, 28), y) > 0.3


def test_calibration(rows):
    calibrated = CalibratedClassifierCV(FashionClassifier("softmax", **QUICK), cv=2).fit(*rows)
    np.testing.assert_allclose(calibrated.predict_proba(rows[0]).sum(axis=1), 1, atol=1e-5)
    assert calibrated.score(*rows) > 0.5


def test_our_cross_validation_takes_it(garments):
    images, labels = garments[0][:200], garments[1][:200]
    accuracies = fc.cross_validate(FashionClassifier("softmax", **QUICK), images, labels, folds=2)
    assert accuracies.shape == (2,)
    assert accuracies.min() > 0.3


# -- mistakes -------------------------------------------------------------------------------------

IMAGES, LABELS = np.zeros((20, 784), np.uint8), np.arange(20) % 10
MISTAKES = {
    "columns": ({}, IMAGES[:, :100], LABELS, ValueError, "expecting 784 features"),
    "preset": ({}, IMAGES[:, :64].reshape(20, 8, 8), LABELS, ValueError, r"for images \(28, 28, 1\), .*\(8, 8, 1\)"),
    "image shape": ({"image_shape": (8, 8)}, IMAGES[:, :64], LABELS, ValueError, "must be .height, width, channels"),
    "channels first": (
        {"image_shape": (14, 14, 3)},
        *(IMAGES[:, :588].reshape(20, 3, 14, 14), LABELS, ValueError, "channels come last"),
    ),
    "floats to 255": ({}, IMAGES + 255.0, LABELS, ValueError, "divide by 255 or pass integers"),
    "negative": ({}, IMAGES - 0.5, LABELS, ValueError, "Negative values"),
    "NaN": ({}, IMAGES * np.nan, LABELS, ValueError, "NaN"),
    "one image": ({}, IMAGES[0], LABELS[:1], ValueError, "2D array"),
    "lengths": ({}, IMAGES, LABELS[:-1], ValueError, "inconsistent numbers of samples"),
    "one class": ({}, IMAGES, LABELS * 0, ValueError, "one class only"),
    "numbers": ({}, IMAGES, LABELS + 0.5, ValueError, "Unknown label type"),
    "model": ({"model": "cnn_fsat"}, IMAGES, LABELS, ValueError, "Did you mean 'cnn_fast'"),
    "model type": ({"model": 3}, IMAGES, LABELS, TypeError, "string"),
    "network": ({"model": fc.dense_model(())}, IMAGES, LABELS, TypeError, "function that builds a new network"),
    "function": ({"model": lambda **_: 3}, IMAGES, LABELS, TypeError, "must build a keras.Model"),
    "units": (
        {"model": lambda num_classes, seed: fc.dense_model((), num_classes=4)},
        *(IMAGES, LABELS, ValueError, "4 names|network of 4 classes"),
    ),
    "recipe": ({"recipe": {"epochs": 3}}, IMAGES, LABELS, TypeError, "Recipe"),
    "learning rate": ({"learning_rate": 0}, IMAGES, LABELS, ValueError, "learning_rate"),
    "epochs": ({"epochs": 0}, IMAGES, LABELS, ValueError, "`epochs`"),
    "seed": ({"random_state": -1}, IMAGES, LABELS, ValueError, "`seed`"),
    "stopping": ({"recipe": fc.Recipe(early_stopping=1)}, IMAGES, LABELS, ValueError, "validation"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name):
    options, images, labels, error, message = MISTAKES[name]
    with pytest.raises(error, match=message):
        FashionClassifier(**options).fit(images, labels)


def test_a_network_that_is_returned_again_is_not_trained_further():
    network = fc.dense_model((), seed=0)
    classifier = FashionClassifier(lambda num_classes, seed: network, epochs=1).fit(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"trained already\. Build a new one"):
        clone(classifier).fit(IMAGES, LABELS)


def test_without_scikit_learn_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "fashionclf.sklearn")
    with pytest.raises(ImportError, match=r'pip install "fashionclf\[sklearn\]"') as caught:
        importlib.import_module("fashionclf.sklearn")
    assert len(str(caught.value).splitlines()) == 1


def test_a_star_import_leaves_scikit_learn_alone():
    assert "sklearn" not in fc.__all__
    assert fc.sklearn.FashionClassifier is FashionClassifier
