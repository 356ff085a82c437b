"""How photographs are tagged, with chosen answers: TensorFlow is not needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import catalogue_tagger
import pytest
from catalogue_tagger import Tag, accept, main, tag_photographs

import fashionclf as fc
from fashionclf.testing import FakeTrainer

Maker = Callable[..., FakeTrainer]
ANSWERS: list[str | dict[str, float]] = [
    "Ankle boot",
    {"Coat": 0.6, "Shirt": 0.4},
    "Dress",
]  # in the order of the files
TAGS = [
    Tag("boot.png", "Ankle boot", 1.0, needs_review=False),
    Tag("coat.png", "Coat", 0.6, needs_review=True),
    Tag("dress.png", "Dress", 1.0, needs_review=False),
]


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_tags(fake_trainer: Maker, catalogue: Path, batch_size: int) -> None:
    in_order = iter(ANSWERS)  # whatever the batches

    def answer(image: object) -> str | dict[str, float]:
        return next(in_order)

    tags = tag_photographs(fake_trainer(answer), sorted(catalogue.iterdir()), batch_size=batch_size)
    assert tags == TAGS


def test_photographs_that_cannot_be_read_are_left_out(fake_trainer: Maker, catalogue: Path) -> None:
    (catalogue / "broken.png").write_bytes(b"not an image")
    with pytest.warns(fc.UnreadableImageWarning, match=r"broken\.png"):
        assert tag_photographs(fake_trainer(ANSWERS), sorted(catalogue.iterdir())) == TAGS


def test_records(fake_trainer: Maker, catalogue: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def classifier(path: Path | None) -> fc.Trainer:
        return fake_trainer(ANSWERS)

    monkeypatch.setattr(catalogue_tagger, "load_classifier", classifier)
    main([str(catalogue), "--records", str(tmp_path / "records.jsonl")])
    lines = (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["garment"] for line in lines] == ["Ankle boot", "Coat", "Dress"]


def test_a_bad_classifier_is_refused(fake_trainer: Maker, tiny_dataset: fc.Dataset) -> None:
    right = fake_trainer([tiny_dataset.class_names[label] for label in tiny_dataset.test.labels])
    assert accept(right, tiny_dataset.test).accuracy == 1
    with pytest.raises(ValueError, match="is taken for Dress"):
        accept(fake_trainer("Dress"), tiny_dataset.test)
