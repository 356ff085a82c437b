"""Cross-validation."""

import numpy as np
import pytest

import fashionclf as fc


@pytest.fixture(scope="module")
def sgd():
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=42)


def test_it_is_scikit_learns_cross_validation(garments, sgd):
    from sklearn.model_selection import cross_val_score

    images, labels = garments
    expected = cross_val_score(sgd, fc.prepare_images(images).reshape(-1, 784), labels, cv=4, scoring="accuracy")
    np.testing.assert_allclose(fc.cross_validate(sgd, images, labels, folds=4), expected)
    assert not hasattr(sgd, "coef_")  # the classifier passed is not the one fitted


def test_a_seed_shuffles(garments, sgd):
    plain, first, again = (fc.cross_validate(sgd, *garments, folds=3, seed=seed) for seed in (None, 1, 1))
    np.testing.assert_array_equal(first, again)
    assert (plain != first).any()


def test_a_preset_or_a_function_trains_anew_in_every_fold(garments):
    images, labels = garments[0][:200], garments[1][:200]
    by_name = fc.cross_validate("softmax", fc.Split(images, labels), folds=2, seed=0)
    assert by_name.shape == (2,)
    assert by_name.dtype == np.float64
    built = []

    def build():
        built.append(fc.Trainer(fc.dense_model((), seed=0), recipe=fc.Recipe(epochs=2)))
        return built[-1]

    scores = fc.cross_validate(build, images, fc.one_hot(labels), folds=2, seed=0)
    assert len(built) == len(scores) == 2
    assert (scores > 0.3).all()


def test_missing_scikit_learn_is_said_in_one_sentence(garments, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.model_selection", None)
    with pytest.raises(ImportError, match=r'pip install "fashionclf\[sklearn\]"'):
        fc.cross_validate("softmax", *garments)


def test_one_model_for_all_folds_is_refused_before_it_learns(garments):
    model = fc.dense_model((), seed=0)
    trainer = fc.Trainer(fc.dense_model((), seed=0))
    wrapped = fc.cnn_model((2,), units=(), seed=0)
    for function, used in (
        (lambda: fc.Trainer(model), model),
        (lambda: trainer, trainer.model),
        (lambda: fc.Trainer(fc.flip_averaged(wrapped)), wrapped),
    ):
        before = used.get_weights()
        with pytest.raises(ValueError, match="twice"):
            fc.cross_validate(function, *garments, folds=3)
        for a, b in zip(before, used.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_groups_stay_in_one_fold(garments):
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.arange(600) % 30
    seen = []

    class Recorder:
        def fit(self, rows, labels):
            self.rows = rows
            return self

        def predict(self, rows):
            seen.append((self.rows, rows))
            return np.zeros(len(rows), int)

        def get_params(self, deep=True):
            return {}

        def set_params(self, **_):
            return self

    split = fc.Split(*garments, groups=groups)
    scores = fc.cross_validate(Recorder(), split, folds=3, seed=4)
    given = fc.cross_validate(Recorder(), *garments, groups=groups, folds=3, seed=4)
    np.testing.assert_array_equal(scores, given)
    splitter = StratifiedGroupKFold(3, shuffle=True, random_state=4)
    folds = [*splitter.split(*garments, groups)] * 2
    for (fit_rows, test_rows), (fit, test) in zip(seen, folds, strict=True):
        assert len(fit_rows) == len(fit)
        np.testing.assert_array_equal(test_rows, fc.flatten(fc.scale(garments[0][test])))
        assert not set(groups[fit]) & set(groups[test])


def test_fit_keeps_the_groups_of_a_split_together(garments, monkeypatch):
    import fashionclf.trainer._fit as fitting

    parts = []
    original = fitting.split_indices

    def recorded(*args, **options):
        parts.append((options["groups"], original(*args, **options)))
        return parts[-1][1]

    monkeypatch.setattr(fitting, "split_indices", recorded)
    split = fc.Split(*garments, groups=np.arange(600) % 20)[::-1]
    fc.Trainer(fc.dense_model((), seed=0)).fit(split, epochs=1, validation_split=0.2, seed=0, verbose=0)
    ((groups, (fit, validation)),) = parts
    np.testing.assert_array_equal(groups, split.groups)
    assert not set(groups[fit]) & set(groups[validation])


def one_epoch(**options):
    return fc.Trainer(fc.dense_model((), seed=0, **options), recipe=fc.Recipe(epochs=1))


def test_images_are_read_as_the_trainer_reads_them(garments, tmp_path):
    from PIL import Image

    images, labels = garments[0][:40], garments[1][:40]
    order = np.argsort(labels)[:10]  # two classes
    pixels, names = images[order].repeat(3, axis=0), [fc.CLASS_NAMES[label] for label in labels[order].repeat(3)]
    paths = [tmp_path / f"{number}.png" for number in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    scores = fc.cross_validate(one_epoch, paths, names, folds=2, seed=0)
    np.testing.assert_array_equal(scores, fc.cross_validate(one_epoch, pixels, names, folds=2, seed=0))
    rows, digits = np.zeros((8, 64), np.uint8), [0, 1] * 4
    rows[::2] = 200

    def build():
        return one_epoch(image_shape=(8, 8, 1))

    assert fc.cross_validate(build, rows, digits, folds=2, seed=0).shape == (2,)
