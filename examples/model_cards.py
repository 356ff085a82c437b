"""Measure the shipped weights on the test images and write their model cards: `docs/model_cards/*.md` and `.json`.

    FASHIONCLF_DATA_DIR=... python examples/model_cards.py
    FASHIONCLF_DATA_DIR=... python examples/model_cards.py --photographs FOLDER

Nothing is chosen here. `FOLDER` holds the photographs of `clothing_photographs.py`: presets that have learnt from none
are measured on all of them. (`train_pretrained.py` measures `cnn_robust`, which has learnt from them, by folds.)
Figures that the `.json` has for the same weights are kept. `--runs` is the folder in which
`train_pretrained.py` left its training runs: the other seeds are measured beside the shipped one, and the two models of
the tutorials, trained here if need be, on moved images.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from clothing_photographs import CLASSES_OF, FOOTWEAR, as_one_class
from train_pretrained import CARDS, FOLDER, INDEX, as_released, run_file, split

import fashionclf as fc

PRESETS = ("cnn_fast", "cnn_accurate", "cnn_robust")  # `train_photographs.py` has the other card
PURPOSE = {
    "cnn_fast": "For training in seconds, and for the least work per image.",
    "cnn_accurate": "For images like those of Fashion-MNIST: from shops, bright on black.",
    "cnn_robust": "For Fashion-MNIST's ten names on photographs of one garment, and for changed images.",
}
TUTORIAL_MODELS = ("dense_256_64", "cnn_dropout")
MAX_SHIFT = 3
NUM_ALIKE = 10
NOISE = (0.05, 0.1, 0.2)  # standard deviations, of pixels in [0, 1]
SEVERITIES = (1, 3, 5)  # of corruptions
SAMPLE = 1000  # the first test images: each is moved in 49 ways and corrupted in 54
RESAMPLES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", help="which to measure (default: all that are shipped)")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="training runs to measure (default 0 1 2)"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of training runs (default ./runs)")
    parser.add_argument("--photographs", type=Path, help="measure on this folder of photographs too")
    arguments = parser.parse_args()
    dataset = fc.load_data("fashion_mnist")
    CARDS.mkdir(parents=True, exist_ok=True)
    shifts = tutorial_shifts(dataset, arguments.runs)
    for preset in arguments.presets or PRESETS:
        figures = measure(preset, dataset, arguments.seeds, arguments.runs, shifts)
        (CARDS / f"{preset}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        if arguments.photographs and preset != "cnn_robust":
            on = photograph_figures(preset, arguments.photographs)
            (CARDS / f"{preset}_photographs.json").write_text(json.dumps(on, indent=1) + "\n", encoding="utf-8")
        (CARDS / f"{preset}.md").write_text(card(preset, figures), encoding="utf-8")
        note_metrics(preset, figures["report"])
        print(f"{preset}: test accuracy {figures['report']['accuracy']:.4f}. Wrote {CARDS / preset}.md", flush=True)


def note_metrics(preset: str, report: dict[str, Any]) -> None:
    """Put the main figures beside the weights, for `get_preset(name).pretrained`."""
    index = json.loads(INDEX.read_text(encoding="utf-8"))
    index[preset]["metrics"] = {
        name: round(report[name], 4) for name in ("accuracy", "log_loss", "expected_calibration_error")
    }
    INDEX.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


# -- measuring --------------------------------------------------------------------------------------


def tutorial_shifts(dataset: fc.Dataset, runs: Path) -> dict[str, Any]:
    """Measure the tutorials' models on moved images, or take what an earlier card says: they are always the same."""
    known = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(CARDS.glob("*.json"))]
    for figures in known:
        if set(TUTORIAL_MODELS) <= figures.get("shifts", {}).keys():
            return {name: figures["shifts"][name] for name in TUTORIAL_MODELS}
    trained = {name: tutorial_model(name, dataset, runs) for name in TUTORIAL_MODELS}
    return {name: moved_figures(trainer, dataset.test) for name, trainer in trained.items()}


def tutorial_model(name: str, dataset: fc.Dataset, runs: Path) -> fc.Trainer:
    """Return one of the tutorials' models, trained on Fashion-MNIST by its recipe with seed 0."""
    file = run_file(runs, name, 0)
    if not file.exists():
        print(f"== {name}", flush=True)
        trainer = fc.Trainer.from_preset(name, class_names=dataset.class_names, seed=0)
        trainer.fit(dataset.train, seed=0, verbose=2)
        trainer.save(file)
    return fc.Trainer.load(file)


def measure(preset: str, dataset: fc.Dataset, seeds: list[int], runs: Path, shifts: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the shipped weights: those that their card has already, and the missing ones, measured."""
    trainer, weights = fc.Trainer.from_preset(preset, pretrained=True), fc.get_preset(preset).pretrained
    images, labels = dataset.test
    sample = dataset.test[:SAMPLE]
    _, x_val, _, y_val = split()
    trained = [seed for seed in seeds if run_file(runs, preset, seed).exists()]
    known = earlier_figures(preset)
    figures = known if known.get("sha256") == weights.sha256 else {"sha256": weights.sha256}

    def add(name: str, figure: Callable[[], Any]) -> None:
        if name not in figures:
            print(f"{preset}: {name}", flush=True)
            figures[name] = figure()

    add("parameters", trainer.model.count_params)
    add("bytes", lambda: (FOLDER / weights.file).stat().st_size)
    add("flops", lambda: flops(trainer))
    add("seeds", lambda: accuracies(preset, trained, runs, images, labels))
    add("validation", lambda: accuracies(preset, trained, runs, x_val, y_val))
    if "report" not in figures:
        add_report(figures, trainer.report(images, labels), dataset)
    add("shifts", lambda: {**shifts, preset: moved_figures(trainer, sample)})
    add("corruptions", lambda: corruption_figures(fc.corruption_robustness(trainer, sample, severities=SEVERITIES)))
    add("noise", lambda: {str(level): noisy_accuracy(trainer, images, labels, level) for level in NOISE})
    return figures


def accuracies(preset: str, seeds: list[int], runs: Path, images: Any, labels: Any) -> dict[str, float]:
    return {str(seed): as_released(preset, seed, runs).report(images, labels).accuracy for seed in seeds}


def add_report(figures: dict[str, Any], report: fc.EvaluationReport, dataset: fc.Dataset) -> None:
    """Add what follows from the predictions for all test images."""
    alike = most_alike(dataset)
    kept = np.setdiff1d(np.arange(len(report.labels)), [number for number, _, _ in alike])
    figures["report"] = report.to_dict()
    figures["accuracy_interval"] = bootstrap(report, lambda sample: sample.accuracy)
    figures["calibration_interval"] = bootstrap(report, lambda sample: sample.expected_calibration_error)
    figures["num_duplicates"] = num_duplicates(dataset)
    figures["most_alike"] = alike
    unlike = fc.evaluate_predictions(report.labels[kept], report.predictions[kept])
    figures["accuracy_without_most_alike"] = unlike.accuracy


def earlier_figures(preset: str) -> dict[str, Any]:
    file = CARDS / f"{preset}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def moved_figures(trainer: fc.Trainer, images: fc.Split) -> dict[str, Any]:
    result = fc.shift_robustness(trainer, images, max_shift=MAX_SHIFT)
    return {
        "images": len(images),
        "unshifted": result.unshifted,
        "mean": result.mean,
        "worst": result.worst,
        "worst_shift": result.worst_shift,
        "curve": result.curve.tolist(),
    }


def photograph_figures(preset: str, folder: Path) -> dict[str, Any]:
    """Measure a preset on photographs, with footwear as one class; it has learnt from none of them."""
    photographs = fc.load_folder(folder, class_names={name: name for name in CLASSES_OF})
    columns = [*(name for name in fc.CLASS_NAMES if name not in FOOTWEAR), "footwear"]
    meant = [CLASSES_OF[name] for name in np.array(photographs.class_names)[photographs.labels]]
    labels = np.array([columns.index(names[0] if len(names) == 1 else "footwear") for names in meant])
    found = as_one_class(fc.Trainer.from_preset(preset, pretrained=True).predict_proba(photographs.images))
    right = found.argmax(axis=1) == labels
    recall = {name: float(right[labels == i].mean()) for i, name in enumerate(columns) if (labels == i).any()}
    return {"photographs": len(labels), "accuracy": float(right.mean()), "recall": recall}


def corruption_figures(result: fc.CorruptionRobustness) -> dict[str, Any]:
    return {str(severity): result.at(severity) for severity in result.severities}


def most_alike(dataset: fc.Dataset) -> list[tuple[int, int, float]]:
    """Return the test images that are most like a training image: both their numbers, and their correlation."""
    learnt, unseen = (standardised(part.images) for part in (dataset.train, dataset.test))
    found = []
    for start in range(0, len(unseen), 1000):
        correlations = unseen[start : start + 1000] @ learnt.T
        nearest = correlations.argmax(axis=1)
        values = correlations[np.arange(len(nearest)), nearest]
        found += zip(range(start, start + len(nearest)), nearest.tolist(), values.tolist(), strict=True)
    return sorted(found, key=lambda pair: -pair[2])[:NUM_ALIKE]


def standardised(images: Any) -> Any:
    rows = fc.flatten(images).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def num_duplicates(dataset: fc.Dataset) -> int:
    """Return how many test images are training images too, pixel for pixel."""
    learnt = {image.tobytes() for image in dataset.train.images}
    return sum(image.tobytes() in learnt for image in dataset.test.images)


def bootstrap(report: fc.EvaluationReport, figure: Any) -> list[float]:
    """Return the interval that holds 95 % of a figure's values on images drawn again with replacement."""
    rng = np.random.default_rng(0)
    count = len(report.labels)
    values = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, count, count)
        values.append(figure(fc.evaluate_predictions(report.labels[drawn], report.predictions[drawn])))
    return np.percentile(values, [2.5, 97.5]).tolist()


def noisy_accuracy(trainer: fc.Trainer, images: Any, labels: Any, level: float) -> float:
    noise = np.random.default_rng(0).normal(0, level, images.shape)
    return trainer.report(np.clip(images / 255 + noise, 0, 1), labels).accuracy


def flops(trainer: fc.Trainer) -> int:
    """Return the floating-point operations for one image, a multiplication and an addition counting as two."""
    signature = tf.TensorSpec((1, 28, 28, 1), tf.float32)
    graph = tf.function(lambda image: trainer.model(image, training=False)).get_concrete_function(signature).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops


# -- writing ----------------------------------------------------------------------------------------


def card(preset: str, figures: dict[str, Any]) -> str:
    """Return the model card, in the order of Mitchell et al., "Model Cards for Model Reporting", arXiv:1810.03993."""
    weights = fc.get_preset(preset).pretrained
    report = figures["report"]
    low, high = figures["accuracy_interval"]
    on = json.loads((CARDS / f"{preset}_photographs.json").read_text(encoding="utf-8"))
    parts = [accuracy_by_class(report), on_photographs(preset, on)]
    rows = [
        f"| 10,000 test images of Fashion-MNIST | **{report['accuracy']:.4f}** (95 %: {low:.4f} to {high:.4f}) |",
        f"| {on['photographs']:,} photographs by people not trained on, seven groups | **{on['accuracy']:.3f}** |",
    ]
    if preset == "cnn_robust":
        parts.reverse()  # they are what it is for
        rows.reverse()
    return f"""# Model card: `{preset}`

```python
import fashionclf as fc

trainer = fc.Trainer.from_preset("{preset}", pretrained=True)
```

{PURPOSE[preset]}
It gives the ten class names of Fashion-MNIST to garments on 28x28 grey pixels.

| measured on | accuracy |
|---|---:|
{rows[0]}
{rows[1]}

`python examples/model_cards.py` writes this page. The figures are in [{preset}.json]({preset}.json) and
[{preset}_photographs.json]({preset}_photographs.json).

## The model

| | |
|---|---|
| network | {fc.get_preset(preset).description} |
| images | 28x28 in grey, bright on black |
| parameters | {figures["parameters"]:,} |
| file | `fashionclf/pretrained/{weights.file}`, {figures["bytes"] / 1e6:.2f} MB, kernels in float16 |
| sha256 | `{weights.sha256}` |
| arithmetic for one image | {figures["flops"] / 1e6:.1f} million floating-point operations{flip_cost(weights)} |
| licence | MIT |

{limits(preset)}
{training(preset, figures)}
{parts[0]}
{parts[1]}
{robustness(preset, figures)}
{calibration(figures, weights)}"""


def flip_cost(weights: fc.PretrainedWeights) -> str:
    return ", half of them for the flipped image" if weights.flip_averaged else ""


def training(preset: str, figures: dict[str, Any]) -> str:
    weights = fc.get_preset(preset).pretrained
    recipe = "\n".join(f"{name} = {value!r}" for name, value in changed_options(preset))
    alike = figures["most_alike"]
    choice = ", the most accurate on the validation images (of equals, the one with the lower log loss)"
    return f"""## Data and training

Learnt from {weights.trained_on}. Fashion-MNIST is by Xiao et al., arXiv:1708.07747.
{choices(preset)} The test images were looked at once for this
file of weights, for this card.

{spread(figures)}

Shipped is seed {weights.seed}{choice if len(figures["seeds"]) > 1 else ""}.
`python examples/train_pretrained.py {preset}` trains them.

{figures["num_duplicates"]} test images are training images too, pixel for pixel. The ten that were found in the
first release of the data ([issue 44](https://github.com/zalandoresearch/fashion-mnist/issues/44) there) have been
replaced since, and `load_data` checks that it has the present release. The {len(alike)} test images most
like a training image (correlation of pixels {alike[-1][2]:.4f} to {alike[0][2]:.4f}) are, with the number of that
image: {", ".join(f"{number} ({learnt})" for number, learnt, _ in alike)}.
Without them the accuracy is {figures["accuracy_without_most_alike"]:.4f}.

The recipe, where it is not the default:

```ini
{recipe}
```
"""


def changed_options(preset: str) -> list[tuple[str, Any]]:
    """Return the options of a recipe that are not the default, and the changes that its augmentation makes."""
    options, defaults = fc.get_preset(preset).recipe.to_dict(), fc.Recipe().to_dict()
    augmentation = options.pop("augmentation") or {}
    changed = [(name, value) for name, value in options.items() if value != defaults[name]]
    return [
        *changed,
        *((f"augmentation.{name}", value) for name, value in augmentation.items() if value and name != "fill_mode"),
    ]


def choices(preset: str) -> str:
    """Say on what everything was chosen."""
    if preset == "cnn_robust":
        return """The steps of training are in `examples/robust_training.py`. They, the temperature and the threshold of
unfamiliarity were chosen on the other 5,000 training images and on photographs by people not trained on."""
    return """The other 5,000, drawn with seed 42 and stratified, served to choose everything: the recipe, the seeds,
the temperature."""


def spread(figures: dict[str, Any]) -> str:
    """Say how the seeds of the recipe differ."""
    test, validation = (list(figures[split].values()) for split in ("seeds", "validation"))
    listed = "\n".join(
        f"| {seed} | {on_test:.4f} | {on_validation:.4f} |"
        for seed, on_test, on_validation in zip(figures["seeds"], test, validation, strict=True)
    )
    summary = "Only one seed is measured here, so their variation is unknown."
    if len(test) > 1:
        summary = f"Test accuracy, mean ± standard deviation: **{np.mean(test):.4f} ± {np.std(test, ddof=1):.4f}**."
    return f"""The seeds of the recipe, before calibration and rounding to float16:

| seed | test accuracy | validation accuracy |
|---:|---:|---:|
{listed}

{summary}"""


def accuracy_by_class(report: dict[str, Any]) -> str:
    rows = "\n".join(
        f"| {name} | {row['recall']:.3f} | {row['precision']:.3f} | {row['f1']:.3f} | {row['support']:,} |"
        for name, row in report["classes"].items()
    )
    confusions = "\n".join(
        f"- {pair['class_name']} misclassified as {pair['predicted']}: {pair['count']}"
        for pair in report["most_confused"]
    )
    return f"""## Accuracy by class

Recall is the accuracy on the images of a class, precision that of the predictions naming it.

| class | recall | precision | F1 | images |
|---|---:|---:|---:|---:|
{rows}

Most frequent mistakes:

{confusions}
"""


def calibration(figures: dict[str, Any], weights: fc.PretrainedWeights) -> str:
    low, high = figures["calibration_interval"]
    images = "validation images" if weights.preset != "cnn_robust" else "images named above"
    rows = "\n".join(
        f"| {part['low']:.3f} – {part['high']:.3f} | {part['count']:,} "
        f"| {part['probability']:.3f} | {part['accuracy']:.3f} |"
        for part in figures["report"]["calibration_bins"]
        if part["count"]
    )
    return f"""## Are its probabilities right?

Expected calibration error (15 bins of equal width): **{figures["report"]["expected_calibration_error"]:.4f}**,
with 95 % of {RESAMPLES:,} bootstrap samples between {low:.4f} and {high:.4f}. (A sample repeats images,
which raises the error of a perfectly calibrated classifier too.) The temperature {weights.temperature:.3f} was
fitted on the {images} and is part of the last layer's weights.

| predicted probability | predictions | mean probability | accuracy |
|---|---:|---:|---:|
{rows}
"""


def robustness(preset: str, figures: dict[str, Any]) -> str:
    rows = "\n".join(
        f"| `{name}` | {row['unshifted']:.4f} | "
        + " | ".join(f"{value:.4f}" for value in row["curve"][1:])
        + f" | {row['mean']:.4f} | {row['worst']:.4f} |"
        for name, row in figures["shifts"].items()
    )
    own = figures["shifts"][preset]
    down, right = own["worst_shift"]
    count = own.get("images", 10_000)
    of_all = "all test images" if count == 10_000 else f"the first {count:,} of them"
    vertical = f"{abs(down)} {'up' if down < 0 else 'down'}"
    horizontal = f"{abs(right)} {'left' if right < 0 else 'right'}"
    noise = "\n".join(f"| {level} | {accuracy:.4f} |" for level, accuracy in figures["noise"].items())
    return f"""## Moved and noisy images

Accuracy on test images moved by up to {MAX_SHIFT} pixels in each direction: {(2 * MAX_SHIFT + 1) ** 2} displacements;
zeros move in, and what crosses the border is lost. Measured on {of_all}.
The mean over the displacements is {100 * (own["unshifted"] - own["mean"]):.2f}
points below the accuracy on unmoved images; the worst is {vertical} and {horizontal}.
Beside it the tutorials' dense and convolutional networks, trained on Fashion-MNIST by their own recipes:

| model | unmoved | 1 pixel | 2 pixels | 3 pixels | mean | worst |
|---|---:|---:|---:|---:|---:|---:|
{rows}

With Gaussian noise added to pixels in [0, 1]:

| standard deviation | accuracy |
|---:|---:|
{noise}

{corruptions(figures["corruptions"])}
"""


def corruptions(by_severity: dict[str, dict[str, float]]) -> str:
    """Write a table of the accuracy by corruption and severity, with the means."""
    rows = [
        f"| `{name}` | " + " | ".join(f"{accuracies[name]:.3f}" for accuracies in by_severity.values()) + " |"
        for name in next(iter(by_severity.values()))
    ]
    means = [f"{np.mean(list(accuracies.values())):.3f}" for accuracies in by_severity.values()]
    return f"""Accuracy on the first {SAMPLE:,} test images, corrupted (`fc.corruption_robustness`; names and strengths
of Hendrycks and Dietterich, arXiv:1903.12261, and of MNIST-C, arXiv:1906.02337):

| corruption | {" | ".join(f"severity {severity}" for severity in by_severity)} |
|---|{"---:|" * len(by_severity)}
{chr(10).join(rows)}
| **mean** | {" | ".join(f"**{mean}**" for mean in means)} |"""


def on_photographs(preset: str, figures: dict[str, Any]) -> str:
    """Write what was measured on photographs; `train_pretrained.py` did so for the preset that learnt from them."""
    rows = "\n".join(f"| {name} | {recall:.2f} |" for name, recall in figures["recall"].items())
    if preset != "cnn_robust":
        return f"""## Photographs

It has learnt from no photographs. Of {figures["photographs"]:,} photographs of garments on floors, beds, tables and
hangers (the CC0 "Clothing dataset") it is right for **{figures["accuracy"]:.3f}**. Use `cnn_robust` or
`efficientnet_lite0` for photographs. The label of footwear does not say which kind, so footwear counts as one class.

| class | recall |
|---|---:|
{rows}
"""
    count = len(figures["accuracy_of_folds"])
    garments, people, others = (figures[name] for name in ("photographs", "senders", "none_of_the_classes"))
    folds = ", ".join(f"{accuracy:.3f}" for accuracy in figures["accuracy_of_folds"])
    area, baseline = figures["auroc_unfamiliarity"], figures["auroc_maximum_probability"]
    threshold, found = figures["unfamiliarity_threshold"], 100 * figures["none_of_the_classes_found"]
    return f"""## Photographs

Measured on {garments:,} photographs of garments on floors, beds, tables and hangers by {people} people (the CC0
"Clothing dataset"). {count} networks were trained by the same steps, each without the photographs of a fifth of the
people, and asked about these; the garment was found by a finder that had not seen them either. The shipped network
and the shipped finder have learnt from all of them.

Accuracy **{figures["accuracy"]:.3f}** (each network: {folds}). The label of footwear does not say which kind, so
footwear counts as one class. Expected calibration error **{figures["expected_calibration_error"]:.3f}**.

| class | recall |
|---|---:|
{rows}

`Predictions.unfamiliarity` was measured on {others} photographs of hats, shorts, skirts and other things beside these:
area under the ROC curve **{area:.3f}**, that of the maximum probability {baseline:.3f}. Above the threshold of
{threshold:.3f}, which 95 % of the garments stay below, are {found:.0f} % of the other things.
"""


def limits(preset: str) -> str:
    """Say what a preset is for, and what it is not for."""
    unlike = "Photographs, and images that are noisy, rotated or cut off: see below."
    if preset == "cnn_robust":
        unlike = "Garments that somebody wears, or several at once. Noise and rotation cost some accuracy: see below."
    return f"""## For what it is, and for what not

{PURPOSE[preset]} Do not use it for:

- Anything about people. It has seen garments without wearers.
- Images of anything else: it predicts one of its ten classes for a cat as well, often with a high probability.
- Decisions that matter to somebody, without a person who looks.
- {unlike}
"""


if __name__ == "__main__":
    main()
