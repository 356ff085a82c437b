"""The same with a real Trainer, from a file."""

from pathlib import Path

from catalogue_tagger import accept, load_classifier, tag_photographs

import fashionclf as fc


def test_a_classifier_from_a_file(
    ready_trainer: fc.Trainer, tiny_dataset: fc.Dataset, catalogue: Path, tmp_path: Path
) -> None:
    ready_trainer.save(tmp_path / "ready.keras")
    loaded = load_classifier(tmp_path / "ready.keras")
    assert loaded.predict(tiny_dataset.test) == ready_trainer.predict(tiny_dataset.test)
    assert accept(loaded, tiny_dataset.test).accuracy == 1
    assert len(tag_photographs(loaded, sorted(catalogue.glob("*.png")))) == 3
