"""Training images of `cnn_robust`: Fashion-MNIST, much of it changed, and photographs. `train_pretrained.py` uses it.

The network is that of `cnn_accurate`, and training starts from its weights. The steps differ in their photographs:

1. `fold-0` ... `fold-4`: those of four fifths of the senders. Only these measure photographs, each on the senders that
   it has not seen.
2. `all`: all photographs. These weights are shipped.

The shipped weights were made by these commands; each step takes 20 minutes on one core (`--step` trains one
alone, so that two can run side by side):

    python examples/garment_finder.py FOLDER OUTLINES.npz
    python examples/garment_finder.py FOLDER OUTLINES.npz --held-out 0 1 --output FIRST.onnx
    python examples/garment_finder.py FOLDER OUTLINES.npz --held-out 2 3 4 --output SECOND.onnx
    python examples/clothing_photographs.py FOLDER PHOTOGRAPHS.npz --finders FIRST.onnx SECOND.onnx
    python examples/train_pretrained.py cnn_robust --seeds 0 --photographs PHOTOGRAPHS.npz

The garment in a held-out photograph is found by a network that has not seen its sender either. The photographs that
the shipped weights were trained on were found by an earlier finder: GrabCut alone, at 128 pixels.

Tried and not used, on the held-out photographs of the first fold, with the earlier finder: two epochs (0.837, three:
0.828), 24 versions instead of 41 and half the steps (0.819), the mean of two or three of these networks (0.828 to
0.837), the mean over five rotated and enlarged views (0.834 of 0.837). So what limits photographs is what 28x28 grey
pixels and the labels tell, and the outline. The same five networks are right for 0.828 of the held-out photographs if
GrabCut alone finds the garment (at 192 pixels, two rounds), 0.837 with the network before it, and 0.852 for the mean
of the probabilities of both outlines, which takes four times as long.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from clothing_photographs import FOLDS, UNKNOWN, Photographs, as_one_class, folds_of, kinds_of
from garment_variants import enlarged, variant
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

import fashionclf as fc

SEED = 0
RECIPE = replace(fc.get_preset("cnn_robust").recipe, epochs=3, learning_rate=0.15)  # of all steps
CHANGED = 25_000  # training images of Fashion-MNIST that are seen once more, changed at 28x28 pixels
VARIANTS = 25_000  # and such that are seen once more as `garment_variants.py` changes photographs
CHANGES = (  # each for a part of `CHANGED`
    fc.Augmentation(max_shift=3, rotation=45),
    fc.Augmentation(max_shift=3, shear=0.7, zoom=0.4),
    fc.Augmentation(max_shift=1, noise=0.15, erasing=0.3),
    fc.Augmentation(max_shift=1, blur=1.5, contrast=0.7, brightness=0.2),
    fc.Augmentation(max_shift=2, rotation=20, zoom=0.2, contrast=0.5, brightness=0.2, noise=0.15, blur=0.7),
)
OF_TEACHER = 0.5  # weight of the teacher's probabilities in the targets
KINDS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Shirt", "Bag", "footwear")  # as `as_one_class`
FIGURES = "cnn_robust_photographs.json"  # beside the model cards
STEPS = (*(f"fold-{number}" for number in range(FOLDS)), "all")


def benchmark_images(images: Any, labels: Any, teacher: Any) -> tuple[Any, Any]:
    """Return training images of Fashion-MNIST, changed ones as well, and their targets `(n, 10)`.

    The targets are halfway between the labels and the probabilities that `cnn_accurate` (`teacher`) gives the unchanged
    image (Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv:1503.02531).
    """
    targets = ((1 - OF_TEACHER) * np.eye(10)[labels] + OF_TEACHER * teacher).astype(np.float32)
    rng = np.random.default_rng(SEED)
    chosen = rng.permutation(len(images))
    to_change, to_vary = chosen[:CHANGED], chosen[CHANGED : CHANGED + VARIANTS]
    parts = np.array_split(images[to_change], len(CHANGES))
    changed = [change(part, seed=SEED)[..., 0] for change, part in zip(CHANGES, parts, strict=True)]
    varied = np.stack([variant(enlarged(image), rng) for image in images[to_vary]])
    order = np.concatenate([np.arange(len(images)), to_change, to_vary])
    return np.concatenate([images, *changed, varied]), targets[order]


def photograph_images(photographs: Photographs, chosen: Any) -> tuple[Any, Any]:
    """Return all versions of the chosen photographs and their targets: uniform for what is none of the ten classes.

    A uniform target teaches low logits for what the classes do not cover (Hendrycks et al., "Deep Anomaly Detection
    with Outlier Exposure", arXiv:1812.04606).
    """
    targets = np.where(photographs.known[:, np.newaxis], photographs.targets, 0.1).astype(np.float32)
    images = photographs.images[chosen]
    return images.reshape(-1, 28, 28), np.repeat(targets[chosen], images.shape[1], axis=0)


def folds(photographs: Photographs) -> list[tuple[Any, Any]]:
    """Return, for each fold, the photographs to train on and those of senders that are held out."""
    return folds_of(photographs.targets, photographs.senders)


def train(step: str, seed: int, final: Path, benchmark: tuple[Any, Any], photographs: Photographs) -> None:
    """Train one step, or go on with it; see `STEPS`. `final` is the file of the last step."""
    file = step_file(final, step)
    if file.exists():
        return
    print(f"== cnn_robust, {step}", flush=True)
    teacher = fc.Trainer.from_preset("cnn_accurate", pretrained=True)
    kept = final.with_name("teacher.npy")
    if not kept.exists():
        np.save(kept, teacher.predict_proba(benchmark[0]))
    chosen = np.arange(len(photographs.files)) if step == "all" else folds(photographs)[int(step[-1])][0]
    pairs = benchmark_images(*benchmark, np.load(kept)), photograph_images(photographs, chosen)
    x, y = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    trainer = fc.Trainer.from_preset("cnn_robust", seed=seed)
    trainer.model.set_weights(teacher.model.get_layer("cnn_accurate").get_weights())
    trainer.recipe = RECIPE
    trainer.fit(x, y, seed=seed, resume=file.with_suffix(".npz"), verbose=2)
    trainer.save(file)


def step_file(final: Path, step: str) -> Path:
    return final if step == "all" else final.with_stem(f"{final.stem}-{step}")


def measure(final: Path, photographs: Photographs, x_val: Any, y_val: Any) -> dict[str, Any]:
    """Measure photographs of people who were not trained on, with the folds that are trained, and choose what follows.

    The temperature is the geometric mean of those of the folds, each fitted on its held-out photographs and as many
    validation images; the calibration error of a fold is measured with the mean of the others.
    """
    temperatures, held_out = [], []
    for number, (_, members) in enumerate(folds(photographs)):
        if not step_file(final, f"fold-{number}").exists():
            continue
        model = fc.Trainer.load(step_file(final, f"fold-{number}")).model
        scores = [logits(model, view) for view in both_views(photographs.images[members, 0])]
        labelled = photographs.targets[members].max(axis=1) == 1  # the kind of footwear is not known
        x = np.concatenate([photographs.images[members[labelled], 0], x_val[: labelled.sum()]])
        y = np.concatenate([photographs.targets[members[labelled]].argmax(axis=1), y_val[: labelled.sum()]])
        temperatures.append(fc.calibrate(fc.Trainer(fc.flip_averaged(model)), x, y))
        held_out.append((members, scores))
    return figures_of(photographs, temperatures, held_out, final.with_suffix(".held_out.npz"))


def both_views(images: Any) -> tuple[Any, Any]:
    return images, images[:, :, ::-1]


def logits(model: Any, images: Any) -> Any:
    """Return what enters the softmax of a model's last layer: `(n, 10)`."""
    features = keras.Model(model.inputs, model.layers[-2].output).predict(fc.prepare_images(images), verbose=0)
    kernel, bias = model.layers[-1].get_weights()
    return features.reshape(len(images), -1) @ kernel + bias


def figures_of(
    photographs: Photographs, temperatures: list[float], held_out: list[tuple[Any, Any]], file: Path
) -> dict[str, Any]:
    """Return accuracies, calibration error, AUROC and threshold on held-out photographs, as JSON takes them.

    `held_out` has the members of each fold and their logits. The probabilities go to a file, for `photograph_grid.py`.
    """
    temperature = float(np.exp(np.mean(np.log(temperatures))))
    kinds = kinds_of(photographs.targets)
    accuracies, parts = [], []
    for number, (members, scores) in enumerate(held_out):
        others = float(np.exp(np.mean(np.log(np.delete(temperatures, number)))))
        probabilities = np.mean([softmax(each / others, axis=1) for each in scores], axis=0)
        known = photographs.known[members]
        merged = as_one_class(probabilities)
        accuracies.append(float((merged[known].argmax(axis=1) == kinds[members[known]]).mean()))
        parts.append((kinds[members], merged, fc.Predictions(probabilities, fc.CLASS_NAMES)))
    truth = np.concatenate([kind for kind, _, _ in parts])
    merged = np.concatenate([each for _, each, _ in parts])
    members = np.concatenate([each for each, _ in held_out])
    np.savez(file, files=photographs.files[members], truth=truth, probabilities=merged, names=KINDS)
    unfamiliarity = np.concatenate([each.unfamiliarity for _, _, each in parts])
    known = truth != UNKNOWN
    report = fc.evaluate_predictions(truth[known], fc.Predictions(np.clip(merged[known], 0, 1), KINDS))
    highest = np.concatenate([each.probabilities.max(axis=1) for _, _, each in parts])
    return {
        "photographs": int(known.sum()),
        "senders": len(np.unique(photographs.senders[members])),
        "accuracy": report.accuracy,
        "accuracy_of_folds": accuracies,
        "expected_calibration_error": report.expected_calibration_error,
        "recall": {name: report.to_dict()["classes"][name]["recall"] for name in KINDS if name != "Bag"},
        "confusion_matrix": report.confusion_matrix.tolist(),
        "temperature": temperature,
        "unfamiliarity_threshold": float(np.quantile(unfamiliarity[known], 0.95)),
        "none_of_the_classes": int((~known).sum()),
        "auroc_unfamiliarity": float(roc_auc_score(~known, unfamiliarity)),
        "auroc_maximum_probability": float(roc_auc_score(~known, -highest)),
        "none_of_the_classes_found": float((unfamiliarity[~known] > np.quantile(unfamiliarity[known], 0.95)).mean()),
    }
