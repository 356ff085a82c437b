"""Train the weights that the package ships, from the data alone: several seeds, the best of them calibrated and packed.

    FASHIONCLF_DATA_DIR=... python examples/train_pretrained.py

`cnn_accurate` is trained in three stages. A teacher learns the labels. A second one learns the answers of the first,
which are milder with pictures that are hard to tell (Furlanello et al., "Born-Again Neural Networks",
arXiv:1805.04770). Each seed then goes on from the weights of the first teacher and learns the mean answers of both.

The state of each training is kept in `--runs` after every epoch; after an interruption the same command goes on
there. It takes hours on two cores. Everything is chosen on 5,000 of the training pictures; the test pictures are
not looked at here, but once for each file by `model_cards.py`, which writes the model cards.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import fashionclf as fc
from fashionclf._layers import named_variables
from fashionclf.pretrained import PretrainedWeights, pack

FOLDER = Path(fc.__file__).parent / "pretrained"
INDEX = FOLDER / "weights.json"
NUM_VALIDATION = 5000
SPLIT_SEED = 42
TRAINED_ON = "55,000 of the 60,000 training pictures of Fashion-MNIST"
PRESETS = ("cnn_fast", "cnn_accurate")
TEACHERS = ("teacher_1", "teacher_2")
TEACHER_SEED = 0
TAUGHT = ("cnn_accurate",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=PRESETS, help="which to train (default: all that are shipped)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one training each (default 0 1 2)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of trainings (default ./runs)")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    for preset in arguments.presets:
        for seed in arguments.seeds:
            train(preset, seed, arguments.runs)
        release(preset, arguments.seeds, arguments.runs)


def split() -> tuple[Any, Any, Any, Any]:
    """Return training and validation pictures and labels, the same ones for all seeds."""
    images, labels = fc.load_data("fashion_mnist").train
    return fc.train_validation_split(images, labels, validation_size=NUM_VALIDATION, seed=SPLIT_SEED)


def run_file(runs: Path, preset: str, run: int | str) -> Path:
    return runs / f"{preset}-{run}.keras"


def train(preset: str, run: int | str, runs: Path) -> None:
    """Train one run of a preset, or go on with it: a seed, or a teacher of the seeds."""
    file = run_file(runs, preset, run)
    if file.exists():
        return
    x_fit, x_val, y_fit, y_val = split()
    teachers = teachers_of(preset, run)
    if teachers:
        y_fit = lesson(preset, teachers, runs)
    print(f"== {preset}, {run}", flush=True)
    seed = TEACHER_SEED if run in TEACHERS else int(run)
    trainer = fc.Trainer(fc.get_preset(preset).build(seed), recipe=recipe_of(preset, run))
    if len(teachers) == len(TEACHERS):  # a new cycle from where the first teacher ended
        trainer.model.set_weights(fc.Trainer.load(run_file(runs, preset, TEACHERS[0])).model.get_weights())
    history = trainer.fit(
        x_fit, y_fit, validation_data=(x_val, y_val), seed=seed, resume=file.with_suffix(".npz"), verbose=2
    )
    trainer.save(file)
    file.with_suffix(".json").write_text(json.dumps(history.history, default=float) + "\n", encoding="utf-8")


def teachers_of(preset: str, run: int | str) -> tuple[str, ...]:
    """Return those from which a run learns instead of from the labels."""
    if preset not in TAUGHT:
        return ()
    return TEACHERS[: TEACHERS.index(run)] if run in TEACHERS else TEACHERS


def recipe_of(preset: str, run: int | str) -> fc.Recipe:
    """Return how a run is trained: by the preset's recipe, with changes for those that learn from teachers."""
    recipe = fc.get_preset(preset).recipe
    teachers = teachers_of(preset, run)
    if not teachers:
        return recipe
    taught = replace(recipe, label_smoothing=0.0, augmentation=replace(recipe.augmentation, noise=0.05))
    if len(teachers) < len(TEACHERS):
        return replace(taught, epochs=32)
    return replace(taught, epochs=20, schedule="cosine", learning_rate=0.15)


def lesson(preset: str, teachers: tuple[str, ...], runs: Path) -> Any:
    """Return the teachers' probabilities for the training pictures, their mean: `(55000, 10)`."""
    answers = []
    for teacher in teachers:
        train(preset, teacher, runs)
        file = run_file(runs, preset, teacher).with_suffix(".npy")
        if not file.exists():
            unfinished = file.with_suffix(".part.npy")
            np.save(unfinished, as_released(preset, [teacher], runs).predict_proba(split()[0]))
            unfinished.replace(file)
        # Who learned smoothed labels answers best with the truth smoothed alike. This takes it back.
        smoothing = recipe_of(preset, teacher).label_smoothing
        answer = np.maximum((np.load(file) - smoothing / 10) / (1 - smoothing), 0)
        answers.append(answer / answer.sum(axis=1, keepdims=True))
    return np.mean(answers, axis=0)


def as_released(preset: str, members: Sequence[int | str], runs: Path) -> fc.Trainer:
    """Return the classifier of a run, or of the mean weights of several; flip-averaged if it was trained with flips."""
    models = [fc.Trainer.load(run_file(runs, preset, run)).model for run in members]
    weights = zip(*(model.get_weights() for model in models), strict=True)
    models[0].set_weights([np.mean(values, axis=0) for values in weights])
    return fc.Trainer(fc.flip_averaged(models[0]) if learns_flips(preset) else models[0])


def learns_flips(preset: str) -> bool:
    augmentation = fc.get_preset(preset).recipe.augmentation
    return augmentation is not None and augmentation.horizontal_flip


def release(preset: str, seeds: list[int], runs: Path) -> None:
    """Choose what is most accurate on the validation pictures, calibrate it and write its weights."""
    _, x_val, _, y_val = split()
    candidates: list[tuple[int, ...]] = [(seed,) for seed in seeds]
    if preset in TAUGHT and len(seeds) > 1:
        # Having begun with the same weights, they lie in one valley (Wortsman et al., arXiv:2203.05482).
        candidates.append(tuple(seeds))
    reports = {members: as_released(preset, members, runs).report(x_val, y_val) for members in candidates}
    chosen = max(candidates, key=lambda members: (reports[members].accuracy, -reports[members].log_loss))
    for members, report in reports.items():
        print(f"{preset}, seeds {members}: validation accuracy {report.accuracy:.4f}, log loss {report.log_loss:.4f}")
    print(f"Chosen: {chosen}")
    trainer = as_released(preset, chosen, runs)
    temperature = fc.calibrate(trainer, x_val, y_val)
    print(f"temperature {temperature:.3f}, calibrated: {trainer.report(x_val, y_val)}")
    model = trainer.model.get_layer(preset) if learns_flips(preset) else trainer.model
    content = pack({name: np.asarray(variable) for name, variable in named_variables(model).items()})
    entry = PretrainedWeights(
        preset=preset,
        file=f"{preset}.npz",
        sha256=hashlib.sha256(content).hexdigest(),
        flip_averaged=learns_flips(preset),
        trained_on=TRAINED_ON,
        seeds=chosen,
        temperature=round(temperature, 4),
        metrics={},
        card=f"docs/model_cards/{preset}.md",
    )
    write(entry, content)


def write(entry: PretrainedWeights, content: bytes) -> None:
    """Put weights and what is known of them into the package."""
    (FOLDER / entry.file).write_bytes(content)
    index = json.loads(INDEX.read_text(encoding="utf-8"))
    values = asdict(entry)
    del values["preset"]
    before = index.get(entry.preset, {})
    if before.get("sha256") == entry.sha256:
        values["metrics"] = before["metrics"]  # the same weights as before
    index[entry.preset] = values
    INDEX.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    print(f"Wrote {entry.file}, {len(content):,} bytes. Now run model_cards.py.")


if __name__ == "__main__":
    main()
