"""Tag the photographs of a shop's catalogue with the kind of garment, and keep a record of each."""

from __future__ import annotations  # or the annotation `fc.Trainer` would load TensorFlow with this module

import argparse
import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import fashionclf as fc


@dataclass(frozen=True)
class Tag:
    """What is known of one photograph."""

    file: str
    garment: str
    probability: float
    needs_review: bool


def load_classifier(path: Path | None = None) -> fc.Trainer:
    """Return the classifier of a file, or the one for photographs that comes with fashionclf."""
    return fc.Trainer.from_preset("cnn_robust", pretrained=True) if path is None else fc.Trainer.load(path)


def tag_photographs(
    trainer: fc.Trainer, files: Sequence[Path], *, sure: float = 0.8, batch_size: int = 64
) -> list[Tag]:
    """Tag photographs, a batch at a time; a person reviews those that are not sure or doubtful."""
    tags: list[Tag] = []
    for start in range(0, len(files), batch_size):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fc.DoubtfulImageWarning)  # they are reviewed
            predictions = trainer.predict(files[start : start + batch_size], on_error="skip")
        tags += [tag_of(prediction, sure) for prediction in predictions]
    return tags


def tag_of(prediction: fc.Prediction, sure: float) -> Tag:
    """Return the tag of one prediction."""
    return Tag(
        file=Path(prediction.source or "").name,
        garment=prediction.class_name,
        probability=round(prediction.probability, 3),
        needs_review=prediction.probability < sure or bool(prediction.doubts),
    )


def write_records(tags: Iterable[Tag], path: Path) -> None:
    """Write one JSON record in a line for each tag."""
    path.write_text("".join(json.dumps(asdict(tag), ensure_ascii=False) + "\n" for tag in tags), encoding="utf-8")


def accept(trainer: fc.Trainer, labelled: fc.Split, *, minimum: float = 0.9) -> fc.EvaluationReport:
    """Return the report on labelled photographs; refuse a classifier that is not good enough."""
    report = trainer.report(labelled)
    if report.accuracy < minimum:
        worst = report.most_confused(1)[0]
        raise ValueError(f"accuracy {report.accuracy:.2f}; {worst.class_name} is taken for {worst.predicted}")
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Tag the JPEG and PNG files of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=Path, default=Path("records.jsonl"))
    parser.add_argument("--classifier", type=Path)
    given = parser.parse_args(arguments)
    files = sorted(file for ending in ("*.jpg", "*.png") for file in given.folder.glob(ending))
    write_records(tag_photographs(load_classifier(given.classifier), files), given.records)
