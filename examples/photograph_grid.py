"""Plot photographs by people whom the classifier has not seen, right above and wrong below, with the outline found.

    python examples/photograph_grid.py FOLDER HELD_OUT.npz OUTPUT.jpg

`HELD_OUT.npz` is what `train_pretrained.py cnn_robust` left beside its runs. They are drawn at random.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from robust_training import UNKNOWN

from fashionclf.photographs import preprocessing_steps

COLUMNS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with np.load(arguments.held_out) as archive:
        files, truth, probabilities, names = (archive[key] for key in ("files", "truth", "probabilities", "names"))
    right = probabilities.argmax(axis=1) == truth
    rng = np.random.default_rng(arguments.seed)
    chosen = [rng.choice(np.flatnonzero((right == wanted) & (truth != UNKNOWN)), COLUMNS, False) for wanted in (1, 0)]
    figure, places = plt.subplots(2, COLUMNS, figsize=(1.9 * COLUMNS, 5.6), layout="constrained")
    for ax, i in zip(places.flat, np.concatenate(chosen), strict=True):
        photograph = Image.open(arguments.folder / files[i]).convert("RGB")
        ax.imshow(photograph)
        steps = preprocessing_steps(photograph)
        ax.contour(steps.mask, [0.5], colors="#E69F00", linewidths=1.5)
        best = probabilities[i].argmax()
        ax.set_title(f"{names[best]} {100 * probabilities[i, best]:.0f} %", fontsize=9)
        if best != truth[i]:
            ax.set_xlabel(f"labelled {names[truth[i]]}", fontsize=9)
        ax.set(xticks=[], yticks=[])
    figure.savefig(arguments.output, dpi=80, pil_kwargs={"quality": 50})


if __name__ == "__main__":
    main()
