"""The weights in the package: that damage is noticed, and that the classifier is the one its card describes."""

import copy
import json
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

import fashionclf as fc
from fashionclf import pretrained
from fashionclf.trainer._model import with_weights

NAMES = ("cnn_fast", "cnn_accurate", "cnn_robust")  # of Fashion-MNIST; test_photographs.py has the other one
CARDS = Path(__file__).resolve().parents[2] / "docs" / "model_cards"


# cnn_robust has the network of cnn_accurate
_PARAMETERS = [pytest.param(name, marks=pytest.mark.slow if name == "cnn_accurate" else ()) for name in NAMES]


@pytest.fixture(scope="module", params=_PARAMETERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def trainer(name):
    """The pretrained classifier. Shared: predict only."""
    return fc.Trainer.from_preset(name, pretrained=True)


def test_these_presets_have_weights():
    assert tuple(fc.list_presets(pretrained=True)) == (*NAMES, "efficientnet_lite0")
    assert fc.get_preset("softmax").pretrained is None


def test_files_are_small(name):
    weights = fc.get_preset(name).pretrained
    file = Path(pretrained.__file__).parent / weights.file
    assert file.stat().st_size <= 2_500_000
    assert fc.get_preset(name).parameters <= 1_000_000
    assert sum(array.size for array in weights.read().values()) == fc.get_preset(name).parameters
    with np.load(file) as stored:
        assert all(stored[key].dtype == ("float16" if stored[key].ndim > 1 else "float32") for key in stored.files)


def test_it_knows_garments_it_has_never_seen(trainer, garments):
    """The drawn images are another data set altogether, so chance is all that can be asked to be beaten by far."""
    images, labels = garments[0][:100], garments[1][:100]
    assert trainer.report(images, labels).accuracy > 0.3


def test_the_seed_does_not_matter(trainer, name, garments):
    again = fc.Trainer.from_preset(name, pretrained=True, seed=5, class_names=fc.class_names("fashion_mnist", "ko"))
    images = garments[0][:5]
    np.testing.assert_array_equal(again.predict_proba(images), trainer.predict_proba(images))
    assert again.predict(images)[0].class_name in fc.class_names("fashion_mnist", "ko")
    assert trainer.class_names == fc.CLASS_NAMES


def test_plain_keras_computes_the_same(trainer, name, garments, tmp_path):
    trainer.save(tmp_path / "a.keras")
    model = keras.models.load_model(tmp_path / "a.keras")
    images = fc.prepare_images(garments[0][:20])
    np.testing.assert_allclose(model.predict(images, verbose=0), trainer.predict_proba(images), atol=1e-6)
    loaded = fc.Trainer.load(tmp_path / "a.keras")
    np.testing.assert_allclose(loaded.predict_proba(images), trainer.predict_proba(images), atol=1e-6)
    assert loaded.recipe == fc.get_preset(name).recipe


# tests/models/test_fold.py folds the network of cnn_robust, the rest is the same
@pytest.mark.parametrize("name", ["cnn_fast", pytest.param("cnn_robust", marks=pytest.mark.slow)], indirect=True)
def test_the_frozen_predictor_computes_the_same(trainer, garments):
    images = garments[0][:5]
    np.testing.assert_allclose(
        trainer.compile_predictor().predict_proba(images), trainer.predict_proba(images), atol=1e-5
    )


def test_flips_do_not_matter_to_the_flip_averaged(trainer, name, garments):
    images = garments[0][:20]
    difference = np.abs(trainer.predict_proba(images) - trainer.predict_proba(images[:, :, ::-1])).max()
    assert (difference < 1e-5) == fc.get_preset(name).pretrained.flip_averaged


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn_fast", "cnn_robust"])
def test_it_can_be_trained_further(name, garments):
    trainer = fc.Trainer.from_preset(name, pretrained=True, seed=0)
    trainer.recipe = fc.Recipe(learning_rate=1e-3, epochs=2, batch_size=50)
    images, labels = garments[0][:100], garments[1][:100]
    before, untrained = trainer.evaluate(images, labels), trainer.model.get_weights()
    trainer.fit(images, labels, seed=0, verbose=0)
    assert trainer.evaluate(images, labels)["loss"] < before["loss"]
    again = fc.Trainer.from_preset(name, pretrained=True, seed=0)  # which training has not touched
    for ours, theirs in zip(again.model.get_weights(), untrained, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_last_layer_may_be_new(trainer, name, garments):
    """All other weights are the pretrained ones; what was measured of the whole classifier does not hold any more."""
    names = ("Hat", "Shorts", "Skirt")
    own = fc.Trainer.from_preset(name, pretrained="features", class_names=iter(names), seed=1)
    again = fc.Trainer.from_preset(name, pretrained="features", class_names=names, seed=1)
    assert own.class_names == names
    assert own.unfamiliarity_threshold is None
    images = garments[0][:4]
    np.testing.assert_array_equal(own.predict_proba(images), again.predict_proba(images))
    theirs, ours = trainer.model.get_weights(), own.model.get_weights()
    assert [array.shape for array in theirs[:-2]] == [array.shape for array in ours[:-2]]
    assert all(np.array_equal(one, other) for one, other in zip(theirs[:-2], ours[:-2], strict=True))
    assert ours[-1].shape == (3,)


def test_new_classes_are_learnt_and_kept(garments, tmp_path):
    trainer = fc.Trainer.from_preset("cnn_fast", pretrained="features", class_names=["upper", "lower"], seed=0)
    trainer.recipe = fc.Recipe(learning_rate=1e-3, epochs=3, batch_size=50)
    chosen = garments[1] < 2  # T-shirts and trousers
    images, labels = garments[0][chosen][:200], garments[1][chosen][:200]
    trainer.fit(images, labels, seed=0, verbose=0)
    assert trainer.report(images, labels).accuracy > 0.9
    trainer.save(tmp_path / "own.keras")
    assert fc.Trainer.load(tmp_path / "own.keras").predict(images[0])[0].class_name in ("upper", "lower")


def test_a_preset_may_have_any_number_of_classes():
    trainer = fc.Trainer.from_preset("cnn_small", class_names=["Hat", "Shorts", "Skirt"])
    assert trainer.class_names == ("Hat", "Shorts", "Skirt")
    assert trainer.num_classes == 3


class TestDamage:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        """A copy of the weights that may be damaged."""
        source = Path(pretrained.__file__).parent
        for file in source.glob("*.npz"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        monkeypatch.setattr(pretrained.resources, "files", lambda package: tmp_path)
        return tmp_path

    def test_a_changed_byte_is_noticed(self, folder):
        content = bytearray((folder / "cnn_fast.npz").read_bytes())
        content[-1000] ^= 1
        (folder / "cnn_fast.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"'cnn_fast\.npz' of fashionclf are damaged: their sha256 is \w{64}.*pip"):
            fc.Trainer.from_preset("cnn_fast", pretrained=True)

    def test_a_truncated_file_is_noticed(self, folder):
        content = (folder / "cnn_fast.npz").read_bytes()
        (folder / "cnn_fast.npz").write_bytes(content[: len(content) // 2])
        with pytest.raises(ValueError, match="damaged"):
            fc.Trainer.from_preset("cnn_fast", pretrained=True)

    def test_a_missing_file_is_named(self, folder):
        (folder / "cnn_fast.npz").unlink()
        with pytest.raises(FileNotFoundError, match=r"lacks its file of weights 'cnn_fast\.npz'.*pip install"):
            fc.Trainer.from_preset("cnn_fast", pretrained=True)


def test_cards_tell_what_ships(name):
    weights = fc.get_preset(name).pretrained
    figures = json.loads((CARDS / f"{name}.json").read_text(encoding="utf-8"))
    card = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    assert weights.sha256 in card
    assert weights.card == f"docs/model_cards/{name}.md"
    assert f"**{weights.metrics['accuracy']:.4f}**" in card
    assert figures["report"]["accuracy"] == pytest.approx(weights.metrics["accuracy"], abs=5e-5)
    assert figures["num_duplicates"] == 0
    assert len(figures["most_alike"]) == 10
    assert str(weights.seed) in figures["seeds"]


@pytest.mark.parametrize("name", ["cnn_fast", "cnn_accurate"])
def test_cards_tell_how_three_seeds_differ(name):
    figures = json.loads((CARDS / f"{name}.json").read_text(encoding="utf-8"))
    assert len(figures["seeds"]) >= 3


def test_the_card_tells_how_it_does_on_photographs():
    figures = json.loads((CARDS / "cnn_robust_photographs.json").read_text(encoding="utf-8"))
    card = (CARDS / "cnn_robust.md").read_text(encoding="utf-8")
    weights = fc.get_preset("cnn_robust").pretrained
    assert f"**{figures['accuracy']:.3f}**" in card
    assert len(figures["accuracy_of_folds"]) == 5
    assert weights.unfamiliarity_threshold == pytest.approx(figures["unfamiliarity_threshold"], abs=1e-4)
    assert fc.Trainer.from_preset("cnn_robust", pretrained=True).unfamiliarity_threshold is not None
    assert fc.get_preset("cnn_fast").pretrained.unfamiliarity_threshold is None


def test_a_preset_without_its_arrays_is_refused(monkeypatch):
    """Weights of another architecture cannot pass: every variable must be there by its path."""
    preset = fc.get_preset("cnn_fast")
    with pytest.raises(KeyError):
        with_weights(fc.get_preset("cnn_accurate").build(0), preset, last_layer=True)


@pytest.mark.slow
def test_accuracy_and_calibration_on_the_real_test_images(trainer, name, real_data):
    test = fc.load_data("fashion_mnist", data_dir=real_data).test
    metrics = fc.get_preset(name).pretrained.metrics
    if name == "cnn_accurate":  # it has the network of cnn_robust: a quarter of the images, for time
        assert trainer.report(test[::4]).accuracy == pytest.approx(metrics["accuracy"], abs=5e-3)
        return
    report = trainer.report(test)
    assert report.accuracy == pytest.approx(metrics["accuracy"], abs=2e-4)
    assert report.expected_calibration_error == pytest.approx(metrics["expected_calibration_error"], abs=1e-3)


def test_what_is_known_of_weights_can_be_copied(name):
    weights = fc.get_preset(name).pretrained
    for again in (copy.deepcopy(weights), pickle.loads(pickle.dumps(weights))):
        assert again == weights
        assert hash(again) == hash(weights)
    assert copy.deepcopy(fc.get_preset(name)) is fc.get_preset(name)
