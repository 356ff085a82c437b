"""What the library promises on the real images. Slow: trains for minutes, once for all tests."""

import keras
import numpy as np
import pytest

import fashionclf as fc

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset(real_data):
    return fc.load_data(data_dir=real_data, download=False)


@pytest.fixture(scope="module")
def documents_split(dataset):
    return fc.train_validation_split(*dataset.train, seed=42, stratify=False)


@pytest.fixture(scope="module")
def cnn_dropout(documents_split):
    """`cnn_dropout` trained for one epoch. docs/systems.md has what its recipe gives."""
    x_fit, _, y_fit, _ = documents_split
    trainer = fc.Trainer.from_preset("cnn_dropout", seed=1)
    trainer.fit(x_fit, y_fit, epochs=1, seed=1, verbose=2)
    return trainer


def test_documents_split_begins_with_a_bag(documents_split):
    _, x_val, _, y_val = documents_split
    assert len(x_val) == 12_000
    assert fc.CLASS_NAMES[y_val[0]] == "Bag"


def test_cnn_dropout_is_on_its_way_to_what_is_reported(cnn_dropout, documents_split):
    _, x_val, _, y_val = documents_split
    assert cnn_dropout.evaluate(x_val, y_val)["accuracy"] >= 0.86


def test_cnn_dropout_names_the_bag(cnn_dropout, documents_split):
    first = cnn_dropout.predict(documents_split[1][0])[0]
    assert first.class_name == "Bag"
    assert first.probability > 0.99


def test_the_saved_file_is_plain_keras(cnn_dropout, dataset, tmp_path):
    cnn_dropout.save(tmp_path / "boots.keras")
    images = dataset.test.images[:100]
    again = fc.Trainer.load(tmp_path / "boots.keras")
    np.testing.assert_array_equal(again.predict_proba(images), cnn_dropout.predict_proba(images))
    plain = keras.models.load_model(tmp_path / "boots.keras")(images[..., np.newaxis] / np.float32(255))
    np.testing.assert_allclose(plain, cnn_dropout.predict_proba(images), atol=1e-5)


def test_logistic_regression_in_scikit_learn(dataset):
    """On a fifth of the images, for time; docs/systems.md has the whole."""
    from sklearn.linear_model import SGDClassifier

    classifier = SGDClassifier(loss="log_loss", max_iter=5, random_state=42, tol=None)
    scores = fc.cross_validate(classifier, dataset.train[:12_000])
    assert scores.shape == (5,)
    assert scores.mean() > 0.78


def test_softmax_regression_generalises_to_test_images(dataset):
    trainer = fc.Trainer.from_preset("softmax", seed=0)
    trainer.fit(dataset.train[:20_000], seed=0, verbose=0)
    assert trainer.evaluate(dataset.test)["accuracy"] > 0.82


def test_cnn_fast_reaches_its_accuracy_in_three_epochs(documents_split):
    """The time it takes is measured by tests/benchmarks/run.py; the accuracy is a promise."""
    x_fit, x_val, y_fit, y_val = documents_split
    trainer = fc.Trainer.from_preset("cnn_fast", seed=0)
    history = trainer.fit(x_fit, y_fit, validation_data=(x_val, y_val), seed=0, verbose=2).history
    assert len(history["val_accuracy"]) == 3
    assert trainer.evaluate(x_val, y_val)["accuracy"] >= 0.92
