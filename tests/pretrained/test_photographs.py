"""`efficientnet_lite0`: its weights, its card, and classes of one's own. The photographs were trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

import fashionclf as fc
from fashionclf import pretrained

ROOT = Path(__file__).resolve().parents[2]
NAME = "efficientnet_lite0"


@pytest.fixture(scope="module")
def photographs():
    return fc.load_folder(ROOT / "examples" / "clothes", image_shape=fc.get_preset(NAME).image_shape)


@pytest.fixture(scope="module")
def trainer():
    """Shared: predict only."""
    return fc.Trainer.from_preset(NAME, pretrained=True)


def test_the_file_is_small_and_whole():
    weights = fc.get_preset(NAME).pretrained
    assert (Path(pretrained.__file__).parent / weights.file).stat().st_size <= 7_500_000
    familiarity = 18 * (1280 + 1) + 2
    assert sum(array.size for array in weights.read().values()) == fc.get_preset(NAME).parameters + familiarity


def test_the_card_tells_what_ships():
    weights = fc.get_preset(NAME).pretrained
    figures = json.loads((ROOT / "docs" / "model_cards" / f"{NAME}.json").read_text(encoding="utf-8"))["one_view"]
    card = (ROOT / weights.card).read_text(encoding="utf-8")
    assert weights.sha256 in card
    assert f"**{figures['seven_groups']:.3f}**" in card
    assert len(figures["seven_groups_of_folds"]) == 5
    assert weights.metrics["accuracy"] == pytest.approx(figures["seventeen_labels"], abs=5e-5)
    assert weights.unfamiliarity_threshold == pytest.approx(figures["unfamiliarity_threshold"], abs=1e-4)


def test_it_names_photographs_in_both_languages(trainer, photographs):
    assert trainer.class_names == fc.class_names("clothing")
    assert trainer.image_shape == (192, 192, 3)
    assert trainer.report(photographs).accuracy > 0.95  # labels are matched by name
    file = next((ROOT / "examples" / "clothes" / "Hat").iterdir())
    korean = fc.Trainer.from_preset(NAME, pretrained=True, class_names=fc.class_names("clothing", "ko"))
    predictions = trainer.predict(file)
    assert predictions[0].class_name == "Hat"
    assert korean.class_names[predictions.labels[0]] == "모자"


def test_what_is_no_garment_is_doubted(trainer):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    with pytest.warns(fc.DoubtfulImageWarning, match="unlike all classes"):
        assert trainer.predict(noise)[0].unfamiliarity > trainer.unfamiliarity_threshold


@pytest.mark.slow
def test_classes_of_ones_own(photographs, tmp_path):
    train, validation = photographs.train_validation_split(validation_size=0.5, seed=0)
    trainer = fc.Trainer.from_preset(NAME, pretrained="features", class_names=photographs.class_names, seed=0)
    frozen = [layer.name for layer in trainer.model.layers if not layer.trainable]
    assert frozen[-1] == "block_5_add"
    first, later = (trainer.model.get_layer(f"block_{i}_expand") for i in (2, 12))
    before = [first.get_weights()[0], later.get_weights()[0]]
    trainer.fit(train, epochs=0, seed=0, verbose=0)
    assert trainer.report(validation).accuracy > 0.9
    np.testing.assert_array_equal(later.get_weights()[0], before[1])
    trainer.fit(train, epochs=1, seed=0, verbose=0)
    np.testing.assert_array_equal(first.get_weights()[0], before[0])
    assert (later.get_weights()[0] != before[1]).any()
    trainer.save(tmp_path / "own.keras")
    loaded = fc.Trainer.load(tmp_path / "own.keras")
    assert loaded.recipe == trainer.recipe
    np.testing.assert_array_equal(loaded.predict_proba(validation), trainer.predict_proba(validation))


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "format_"), [(".tflite", "litert"), (".onnx", "onnx")])
def test_int8_exports(trainer, photographs, tmp_path, suffix, format_):
    report = trainer.export(tmp_path / f"a{suffix}", format_, quantize="int8", images=photographs)
    assert report.path.stat().st_size < 5_000_000
    exported = fc.load_exported(report.path)
    assert (exported.predict(photographs).labels == trainer.predict(photographs).labels).mean() >= 0.95
