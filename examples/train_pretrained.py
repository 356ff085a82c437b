"""Train the weights that the package ships, from the data alone: several seeds, the best of them calibrated and packed.

    FASHIONCLF_DATA_DIR=... python examples/train_pretrained.py
    FASHIONCLF_DATA_DIR=... python examples/train_pretrained.py cnn_robust --seeds 0 --photographs PHOTOGRAPHS.npz

Each seed is trained by the preset's own recipe. Its state is kept in `--runs` after every epoch; after an interruption
the same command continues from there. A seed of `cnn_accurate` takes two hours on two cores. Everything is chosen on
5,000 of the training images; the test images are not looked at here, but once for each file by `model_cards.py`, which
writes the model cards. `cnn_robust` learns from photographs as well, which `clothing_photographs.py` prepares; see
`robust_training.py`.
"""

import argparse
import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import robust_training
from clothing_photographs import load

import fashionclf as fc
from fashionclf.pretrained import PretrainedWeights
from fashionclf.trainer._model import named_variables

FOLDER = Path(fc.__file__).parent / "pretrained"
CARDS = Path(__file__).resolve().parent.parent / "docs" / "model_cards"
INDEX = FOLDER / "weights.json"
NUM_VALIDATION = 5000
SPLIT_SEED = 42
TRAINED_ON = "55,000 of the 60,000 training images of Fashion-MNIST"
PRESETS = ("cnn_fast", "cnn_accurate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=PRESETS, help="which to train (default: all that are shipped)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one training each (default 0 1 2)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of training runs (default ./runs)")
    parser.add_argument("--photographs", type=Path, help="the file that clothing_photographs.py wrote")
    parser.add_argument("--step", choices=robust_training.STEPS, help="train this step of cnn_robust only")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    for preset in arguments.presets:
        if preset == "cnn_robust":
            if not arguments.photographs:
                parser.error("cnn_robust needs --photographs")
            train_robust(arguments.seeds[0], arguments.runs, arguments.photographs, arguments.step)
            continue
        for seed in arguments.seeds:
            train(preset, seed, arguments.runs)
        release(preset, arguments.seeds, arguments.runs)


def split() -> tuple[Any, Any, Any, Any]:
    """Return training and validation images and labels, the same ones for all seeds."""
    images, labels = fc.load_data("fashion_mnist").train
    return fc.train_validation_split(images, labels, validation_size=NUM_VALIDATION, seed=SPLIT_SEED)


def run_file(runs: Path, preset: str, seed: int) -> Path:
    return runs / f"{preset}-{seed}.keras"


def train(preset: str, seed: int, runs: Path) -> None:
    """Train one seed of a preset, or go on with it."""
    file = run_file(runs, preset, seed)
    if file.exists():
        return
    x_fit, x_val, y_fit, y_val = split()
    print(f"== {preset}, seed {seed}", flush=True)
    trainer = fc.Trainer.from_preset(preset, seed=seed)
    history = trainer.fit(
        x_fit, y_fit, validation_data=(x_val, y_val), seed=seed, resume=file.with_suffix(".npz"), verbose=2
    )
    trainer.save(file)
    file.with_suffix(".json").write_text(json.dumps(history.history, default=float) + "\n", encoding="utf-8")


def train_robust(seed: int, runs: Path, file: Path, step: str | None) -> None:
    """Train `cnn_robust` in its steps, or in one of them; measure and release it if all are done."""
    photographs = load(file)
    x_fit, x_val, y_fit, y_val = split()
    final = run_file(runs, "cnn_robust", seed)
    for each in robust_training.STEPS if step is None else (step,):
        robust_training.train(each, seed, final, (x_fit, y_fit), photographs)
    if step is not None:
        return
    figures = robust_training.measure(final, photographs, x_val, y_val)
    trainer = fc.Trainer.load(final)
    output = trainer.model.layers[-1]
    output.set_weights([weight / np.float32(figures["temperature"]) for weight in output.get_weights()])
    print(f"validation images, calibrated: {fc.Trainer(fc.flip_averaged(trainer.model)).report(x_val, y_val)}")
    pack_and_write(
        trainer.model,
        preset="cnn_robust",
        trained_on=f"{TRAINED_ON}, and {len(photographs.files):,} photographs of clothes",
        seed=seed,
        temperature=round(figures["temperature"], 4),
        unfamiliarity_threshold=round(figures["unfamiliarity_threshold"], 4),
        flip_averaged=True,
    )
    CARDS.mkdir(parents=True, exist_ok=True)
    (CARDS / robust_training.FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def as_released(preset: str, seed: int, runs: Path) -> fc.Trainer:
    """Return the classifier of a run, flip-averaged if it was trained with flips."""
    model = fc.Trainer.load(run_file(runs, preset, seed)).model
    return fc.Trainer(fc.flip_averaged(model) if learns_flips(preset) else model)


def learns_flips(preset: str) -> bool:
    augmentation = fc.get_preset(preset).recipe.augmentation
    return augmentation is not None and augmentation.horizontal_flip


def release(preset: str, seeds: list[int], runs: Path) -> None:
    """Choose what is most accurate on the validation images, calibrate it and write its weights."""
    _, x_val, _, y_val = split()
    reports = {seed: as_released(preset, seed, runs).report(x_val, y_val) for seed in seeds}
    chosen = max(seeds, key=lambda seed: (reports[seed].accuracy, -reports[seed].log_loss))
    for seed, report in reports.items():
        print(f"{preset}, seed {seed}: validation accuracy {report.accuracy:.4f}, log loss {report.log_loss:.4f}")
    print(f"Chosen: seed {chosen}")
    trainer = as_released(preset, chosen, runs)
    temperature = fc.calibrate(trainer, x_val, y_val)
    print(f"temperature {temperature:.3f}, calibrated: {trainer.report(x_val, y_val)}")
    pack_and_write(
        trainer.model.get_layer(preset) if learns_flips(preset) else trainer.model,
        preset=preset,
        trained_on=TRAINED_ON,
        seed=chosen,
        temperature=round(temperature, 4),
        unfamiliarity_threshold=None,
        flip_averaged=learns_flips(preset),
    )


def pack_and_write(model: Any, *, preset: str, **values: Any) -> None:
    """Put the weights of a model and what is known of them into the package."""
    arrays = {name: np.asarray(variable) for name, variable in named_variables(model).items()}
    # kernels in float16, the few other numbers in float32
    stored = {name: array.astype(np.float16) if array.ndim > 1 else array for name, array in arrays.items()}
    packed = io.BytesIO()
    np.savez_compressed(packed, **stored)
    content = packed.getvalue()
    entry = PretrainedWeights(
        preset=preset,
        file=f"{preset}.npz",
        sha256=hashlib.sha256(content).hexdigest(),
        card=f"docs/model_cards/{preset}.md",
        **{"metrics": {}, **values},
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
