"""Classifiers that say when they do not know."""

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import fashionclf as fc
from fashionclf.models._distance import similarities_to


@pytest.fixture(scope="module")
def aware(fitted, garments):
    return fc.distance_aware(fitted, *garments)


def unlike(images):
    """Images with the pixels of a garment in another order, and a black border."""
    inner = images[:, 4:24, 4:24]
    pixels = np.random.default_rng(0).permuted(inner.reshape(len(images), -1), axis=1)
    return np.pad(pixels.reshape(inner.shape), ((0, 0), (4, 4), (4, 4)))


def test_images_unlike_any_garment_are_unfamiliar(fitted, aware, garments):
    images = garments[0][:200]
    unknown = np.repeat([False, True], 200)
    areas = []
    for trainer in (fitted, aware):
        both = np.concatenate([trainer.predict(each).unfamiliarity for each in (images, unlike(images))])
        areas.append(roc_auc_score(unknown, both))
    assert areas[0] < 0.65
    assert areas[1] > 0.75
    assert (aware.predict(unlike(images)).unfamiliarity > aware.unfamiliarity_threshold).mean() > 0.4
    assert (aware.predict(garments[0]).unfamiliarity > aware.unfamiliarity_threshold).mean() == pytest.approx(0.05)
    assert (aware.predict(images).labels == fitted.predict(images).labels).mean() > 0.98


def test_its_probabilities(fitted, aware, garments):
    images, labels = fc.prepare_images(garments[0]), garments[1]
    part = keras.Model(fitted.model.inputs, fitted.model.layers[-2].input)
    features = part.predict(images, verbose=0)
    directions = features / np.linalg.norm(features, axis=1, keepdims=True)
    means = np.stack([directions[labels == label].mean(axis=0) for label in range(10)])
    distances = ((directions[:, None] - means) ** 2).sum(axis=2).min(axis=1)
    np.testing.assert_allclose(similarities_to(means, directions), (1 - distances) / 2, atol=1e-6)
    low, middle = np.quantile(-distances, [0.05, 0.5])
    familiarity = 1 / (1 + np.exp(-1.75 * (-distances - low) / (middle - low)))
    kernel, bias = fitted.model.layers[-1].get_weights()
    logits = (features * familiarity[:, None]) @ kernel * (1 + np.exp(-1.75)) + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(aware.predict_proba(images), expected, atol=1e-4)


def test_the_classifier_stays_as_it_is_and_a_second_time_changes_nothing(fitted, aware, garments, tmp_path):
    before = fitted.predict_proba(garments[0][:50])
    twice = fc.distance_aware(aware, *garments)
    np.testing.assert_array_equal(fitted.predict_proba(garments[0][:50]), before)
    assert [layer.name for layer in twice.model.layers] == [layer.name for layer in aware.model.layers]
    np.testing.assert_allclose(twice.predict_proba(garments[0]), aware.predict_proba(garments[0]), atol=1e-5)
    np.testing.assert_allclose(
        twice.model.get_layer("similarities").get_weights()[0], aware.model.get_layer("similarities").get_weights()[0]
    )
    aware.save(tmp_path / "aware.keras")
    loaded = fc.Trainer.load(tmp_path / "aware.keras")
    assert loaded.unfamiliarity_threshold == aware.unfamiliarity_threshold
    np.testing.assert_array_equal(loaded.predict_proba(garments[0][:50]), aware.predict_proba(garments[0][:50]))


def test_models_that_have_no_row_of_features_are_refused(fitted, garments):
    convolution = keras.layers.Conv2D(10, 28, activation="softmax")
    flat = keras.Sequential([keras.Input((28, 28, 1)), convolution, keras.layers.Flatten()])
    mirrored, labels = fc.flip_averaged(fitted.model), garments[1]
    sigmoid = fc.dense_model((), num_classes=1, seed=0)
    for model, y in ((flat, labels), (mirrored, labels), (sigmoid, labels % 2)):
        with pytest.raises(ValueError, match="must be a graph of layers that ends in one Dense layer with softmax"):
            fc.distance_aware(fc.Trainer(model), garments[0], y)
