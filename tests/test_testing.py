"""`fashionclf.testing`: what the fake answers, and where it must be as the real Trainer."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from samples.bad_input import BAD_PHOTOGRAPHS, IMAGES, LABELS, NAMES

import fashionclf as fc
from fashionclf.testing import FakeTrainer, fake_trainer, ready_trainer, tiny_dataset

OFFERED = [name for name in vars(FakeTrainer) if not name.startswith("_")]
METHODS = [name for name in OFFERED if callable(getattr(FakeTrainer, name))]


@pytest.fixture(scope="module")
def dataset():
    return tiny_dataset()


@pytest.fixture(scope="module")
def real():
    return ready_trainer()


@pytest.fixture
def twin(real, dataset):
    """A fake with the answers of the real Trainer on the test images."""
    return fake_trainer([dict(prediction.top(10)) for prediction in real.predict(dataset.test)])


@pytest.fixture
def folder(tmp_path, dataset):
    """Two photographs of garments on white paper."""
    for name, label in (("coat.png", 4), ("boot.png", 9)):
        picture = Image.fromarray(255 - dataset.test.images[label]).resize((140, 140))
        picture.save(tmp_path / name)
    return tmp_path


def names(predictions):
    return [prediction.class_name for prediction in predictions]


class TestTinyDataset:
    def test_it_is_always_the_same_and_never_shared(self, dataset):
        again = tiny_dataset()
        for one, other in zip(again, dataset, strict=True):
            np.testing.assert_array_equal(one.images, other.images)
            assert not np.shares_memory(one.images, other.images)
        again.train.images[:] = 0
        assert tiny_dataset().train.images.any()

    def test_every_class_comes_in_turn(self, dataset):
        for split in dataset:
            np.testing.assert_array_equal(split.labels, np.arange(len(split)) % 10)
        assert not {image.tobytes() for image in dataset.train.images} & {i.tobytes() for i in dataset.test.images}


class TestReadyTrainer:
    def test_it_knows_every_image(self, real, dataset):
        assert type(real) is fc.Trainer
        for split in dataset:
            predictions = real.predict(split)
            np.testing.assert_array_equal(predictions.labels, split.labels)
            assert predictions.probabilities.max(axis=1).min() > 0.75
            assert predictions.probabilities.max() < 0.95

    def test_each_is_new_and_answers_the_same(self, real, dataset):
        other = ready_trainer()
        history = other.fit(dataset.train, epochs=1, validation_split=0.2, seed=0, verbose=0).history
        assert "val_loss" in history
        assert ready_trainer().predict(dataset.test) == real.predict(dataset.test)
        assert other.predict(dataset.test) != real.predict(dataset.test)

    def test_it_can_be_saved(self, real, dataset, tmp_path):
        real.save(tmp_path / "ready.keras")
        loaded = fc.Trainer.load(tmp_path / "ready.keras")
        assert loaded.predict(dataset.test) == real.predict(dataset.test)


class TestAnswers:
    @pytest.mark.parametrize(
        ("answers", "expected"),
        [
            ("Dress", ["Dress", "Dress"]),
            ({"Coat": 0.6, "Shirt": 0.4}, ["Coat", "Coat"]),
            (["Dress", {"Coat": 0.7}], ["Dress", "Coat"]),
            (("Dress", "Coat"), ["Dress", "Coat"]),
            (lambda image: "Sandal" if image.mean() < 0.3 else "Bag", ["Bag", "Sandal"]),
        ],
    )
    def test_forms(self, dataset, answers, expected):
        images = dataset.test.images[[4, 5]]
        trainer = fake_trainer(answers)
        assert names(trainer.predict(images)) == expected
        assert names(trainer.predict(images)) == expected  # nothing is used up
        np.testing.assert_array_equal(trainer.predict_proba(images), trainer.predict(images).probabilities)

    def test_a_name_alone_is_certain_and_the_rest_is_shared(self, dataset):
        image = dataset.test.images[0]
        assert fake_trainer("Bag").predict(image)[0].probability == 1
        prediction = fake_trainer({"Bag": 0.5, "Coat": 0.1}).predict(image)[0]
        assert dict(prediction.top(10)) == pytest.approx({"Bag": 0.5, "Coat": 0.1} | dict.fromkeys(
            set(fc.CLASS_NAMES) - {"Bag", "Coat"}, 0.05))  # fmt: skip

    @given(st.data())
    @settings(max_examples=30, deadline=None)
    def test_chosen_probabilities_come_back(self, data):
        classes = data.draw(st.lists(st.sampled_from(fc.CLASS_NAMES), min_size=1, max_size=9, unique=True))
        shares = data.draw(st.lists(st.floats(0, 1), min_size=len(classes), max_size=len(classes)))
        chosen = {name: share / max(1, sum(shares)) for name, share in zip(classes, shares, strict=True)}
        row = fake_trainer([chosen, "Dress"]).predict_proba(tiny_dataset().test.images[:2])[0]
        assert row.sum() == pytest.approx(1, abs=1e-5)
        assert {name: row[fc.CLASS_NAMES.index(name)] for name in classes} == pytest.approx(chosen, abs=1e-6)

    def test_other_classes(self, dataset):
        trainer = fake_trainer("dog", class_names=["cat", "dog"])
        assert (trainer.num_classes, trainer.class_names) == (2, ("cat", "dog"))
        np.testing.assert_array_equal(trainer.predict_proba(dataset.test.images[0]), [[0, 1]])

    def test_renamed_classes(self, dataset):
        trainer = fake_trainer(lambda image: "Dress")
        trainer.class_names = fc.class_names("fashion_mnist", "ko")
        assert names(trainer.predict(dataset.test.images[:1])) == ["드레스"]


class TestAsTheRealOne:
    @pytest.mark.parametrize("name", METHODS)
    def test_signatures(self, name):
        assert inspect.signature(getattr(FakeTrainer, name)) == inspect.signature(getattr(fc.Trainer, name))

    @pytest.mark.parametrize("name", sorted(set(OFFERED) - set(METHODS)))
    def test_attributes(self, name):
        fake, trainer = getattr(FakeTrainer, name), getattr(fc.Trainer, name)
        assert isinstance(trainer, property)
        assert (fake.fset is None) == (trainer.fset is None)

    def test_that_is_all(self):
        assert METHODS == ["predict", "predict_proba", "report"]

    def test_it_computes_the_same(self, twin, real, dataset):
        images = dataset.test.images
        assert twin.predict(images) == real.predict(images)
        np.testing.assert_array_equal(twin.predict_proba(images), real.predict_proba(images))
        assert str(twin.report(dataset.test)) == str(real.report(dataset.test))

    def test_every_form_of_images(self, every_form):
        for form, images in every_form.items():
            assert names(fake_trainer(["Dress"] * 8).predict(images)) == ["Dress"] * 8, form

    @pytest.mark.parametrize("case", BAD_PHOTOGRAPHS)
    def test_wrong_images_give_the_same_error(self, real, case):
        images, error, _ = BAD_PHOTOGRAPHS[case]
        calls = [
            lambda trainer: trainer.predict(images),
            lambda trainer: trainer.predict_proba(images),
        ]
        for call in calls:
            messages = set()
            for trainer in (real, fake_trainer("Dress")):
                with pytest.raises((TypeError, ValueError, error)) as caught:
                    call(trainer)
                messages.add((caught.type, str(caught.value)))
            assert len(messages) == 1, messages

    @pytest.mark.parametrize(
        ("method", "options"),
        [
            *((method, {"batch_size": 0}) for method in METHODS),
            ("predict", {"on_error": "ignore"}),
        ],
    )
    def test_wrong_options_give_the_same_error(self, real, method, options):
        messages = set()
        for trainer in (real, fake_trainer("Dress")):
            with pytest.raises(ValueError, match=r"`|Unknown") as caught:
                getattr(trainer, method)(IMAGES, **options)
            messages.add(str(caught.value))
        assert len(messages) == 1, messages

    def test_photographs_are_read(self, real, folder):
        (folder / "broken.png").write_bytes(b"no image")
        np_blank = np.zeros((28, 28), "uint8")
        paths = [str(folder / name) for name in ("boot.png", "broken.png", "coat.png")]
        found = []
        for trainer in (real, fake_trainer("Dress")):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                predictions = trainer.predict(iter([*paths, np_blank]), on_error="skip")
            assert {each.filename for each in caught} == {__file__}
            found.append((predictions.sources, predictions.doubts, [(w.category, str(w.message)) for w in caught]))
            with pytest.raises(ValueError, match=r"broken\.png"):
                trainer.predict(folder)
        assert found[0] == found[1]
        assert len(found[0][2]) == 2

    def test_what_is_missing_says_so(self):
        trainer = fake_trainer("Dress")
        missing = {name for name in dir(fc.Trainer) if not name.startswith("_")} - set(OFFERED)
        assert {"fit", "save", "load", "model", "recipe"} <= missing
        for name in missing:
            with pytest.raises(AttributeError, match=rf"no {name!r}; it has class_names, image.*ready_trainer"):
                getattr(trainer, name)
        with pytest.raises(AttributeError, match="recipe"):
            trainer.recipe = fc.Recipe()
        with pytest.raises(TypeError, match="must be a Trainer"):
            fc.shift_robustness(trainer, IMAGES, LABELS)

    def test_it_can_be_copied(self, twin, dataset):
        for again in (copy.deepcopy(twin), pickle.loads(pickle.dumps(twin))):
            assert again.predict(dataset.test) == twin.predict(dataset.test)


def test_it_reads_photographs_as_its_converter_says():
    converter = fc.photographs.ImageConverter((32, 32, 3), crop_to_aspect_ratio=True)
    trainer = fake_trainer(lambda image: "Bag" if image.shape == (32, 32, 3) else "Coat", image_converter=converter)
    assert trainer.predict(np.full((60, 40, 3), np.arange(40)[:, np.newaxis], np.uint8))[0].class_name == "Bag"
    assert trainer.image_converter == converter


TWO = fc.Predictions(np.eye(2), ["a", "b"])
MISTAKES = {
    "nothing": (lambda: fake_trainer(None), TypeError, "a class name, a list"),
    "a number": (lambda: fake_trainer(3), TypeError, "a class name, a list"),
    "bytes": (lambda: fake_trainer(b"Dress"), TypeError, "a class name, a list"),
    "a wrong name": (lambda: fake_trainer("Dres"), ValueError, "Did you mean 'Dress'"),
    "an empty list": (lambda: fake_trainer([]), ValueError, "is empty"),
    "an empty dictionary": (lambda: fake_trainer({}), ValueError, "empty dictionary"),
    "a list of numbers": (lambda: fake_trainer([0.5, 0.5]), TypeError, r"`answers\[0\]` is 0.5; expected a class name"),
    "a wrong name in a list": (lambda: fake_trainer(["Coat", {"Hat": 1}]), ValueError, r"class name in `answers\[1\]`"),
    "a sum above 1": (lambda: fake_trainer({"Coat": 0.8, "Bag": 0.8}), ValueError, "sum to 1.6, expected 1"),
    "a sum below 1": (lambda: fake_trainer(dict.fromkeys(fc.CLASS_NAMES, 0.01)), ValueError, "sum to 0.1, expected 1"),
    "out of range": (lambda: fake_trainer({"Coat": 2}), ValueError, r"\[0, 1\]"),
    "NaN": (lambda: fake_trainer({"Coat": np.nan}), ValueError, r"\[0, 1\]"),
    "no converter": (lambda: fake_trainer("Bag", image_converter=(28, 28, 1)), TypeError, "an ImageConverter or None"),
    "a flag": (lambda: fake_trainer({"Coat": True}), TypeError, "a number"),
    "too few answers": (lambda: fake_trainer(["Dress"]).predict(IMAGES), ValueError, "has 1 answers.* received 20"),
    "a function without an answer": (
        lambda: fake_trainer(lambda image: None).predict(IMAGES),
        TypeError,
        r"`answers\(image 0\)` is None",
    ),
    "a function with a wrong name": (lambda: fake_trainer(lambda image: "a").predict(IMAGES), ValueError, r"image 0\)"),
    "new names": (lambda: setattr(fake_trainer("Bag"), "class_names", ["a"]), ValueError, "1 names but there are 10"),
} | {
    f"names: {name}": (lambda bad=bad: fake_trainer("Dress", class_names=bad), error, text)
    for name, (bad, error, text) in NAMES.items()
    if name != "too few"  # a fake Trainer has as many classes as names
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_named(case):
    call, error, message = MISTAKES[case]
    with pytest.raises(error, match=message):
        call()
