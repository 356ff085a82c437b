"""Photographs of clothes as training images: found once, changed many times *before* they become 28x28 pixels.

    python examples/clothing_photographs.py FOLDER OUTPUT.npz [--finders FIRST.onnx SECOND.onnx]

`FOLDER` holds `clothing.csv` (image, label, sender) and the photographs it names: the "Clothing dataset" (A. Grigorev
and contributors, 2020, CC0), at most 240 pixels long. The garment is found as `fashionclf.load_image` finds it: in each
photograph, and in four changed ones (rotated, seen from an angle, lit differently, blurred, compressed), because the
outline of one garment differs from photograph to photograph. From these five, `garment_variants.py` makes the images.
`--finders` names two networks of `garment_finder.py`, trained without the senders of the first two folds and without
those of the last three: each photograph is then found by the one that has not seen its sender, as anybody's photograph
is. On two cores it takes eight minutes.
"""

import argparse
import csv
import functools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from garment_variants import cut_out, variant
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold

from fashionclf import CLASS_NAMES
from fashionclf.photographs import _garment

VARIANTS = 40
CHANGED = 4  # photographs in which the garment is found again
FOLDS = 5
LEFT_OUT = ((0, 1), (2, 3, 4))  # folds that the two finders have not seen
UNKNOWN = 99  # the kind of what is none of the ten classes
SEED = 0  # of the folds
OWN = 0.5  # share of the variants that come from the photograph as it is
FOOTWEAR = ("Sandal", "Sneaker", "Ankle boot")

# The classes that a label may mean. The label "Shoes" does not say which kind; labels that are not here are none.
CLASSES_OF = {
    **dict.fromkeys(("T-Shirt", "Polo", "Undershirt", "Top"), ("T-shirt/top",)),
    "Pants": ("Trouser",),
    **dict.fromkeys(("Longsleeve", "Hoodie"), ("Pullover",)),
    "Dress": ("Dress",),
    **dict.fromkeys(("Outwear", "Blazer"), ("Coat",)),
    **dict.fromkeys(("Shirt", "Blouse"), ("Shirt",)),
    "Shoes": FOOTWEAR,
}


class Photographs(NamedTuple):
    """Photographs as a model sees them.

    `images` is uint8 `(n, 1 + VARIANTS, 28, 28)`, that of `load_image` first; `targets` is float32 `(n, 10)`, zeros for
    what is none of the ten classes; `senders` is int `(n,)`; `files` are their names.
    """

    images: Any
    targets: Any
    senders: Any
    files: Any

    @property
    def known(self) -> Any:
        """Which of them show one of the ten classes, bool `(n,)`."""
        return self.targets.sum(axis=1) > 0


def load(file: Path) -> Photographs:
    """Read what `main` wrote."""
    with np.load(file) as archive:
        return Photographs(**{name: archive[name] for name in Photographs._fields})


def as_one_class(probabilities: Any) -> Any:
    """Add up the probabilities of footwear, because the labels do not say which kind: `(n, 8)`, footwear last."""
    shoes = [CLASS_NAMES.index(name) for name in FOOTWEAR]
    others = [i for i in range(len(CLASS_NAMES)) if i not in shoes]
    return np.column_stack([probabilities[:, others], probabilities[:, shoes].sum(axis=1)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--variants", type=int, default=VARIANTS)
    parser.add_argument("--finders", type=Path, nargs=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = rows_of(arguments.folder)
    targets = np.stack([target(row["label"]) for row in rows])
    senders = np.array([int(row["sender"]) for row in rows])
    images = np.zeros((len(rows), 1 + arguments.variants, 28, 28), np.uint8)
    read = functools.partial(versions, folder=arguments.folder, variants=arguments.variants, seed=arguments.seed)
    for finder, members in parts(arguments.finders, targets, senders):
        with ProcessPoolExecutor(initializer=use, initargs=(finder,)) as pool:
            names = [rows[i]["image"] for i in members]
            images[members] = list(pool.map(read, members, names, chunksize=20))
    np.savez_compressed(
        arguments.output, images=images, targets=targets, senders=senders, files=[row["image"] for row in rows]
    )
    print(f"{len(images):,} photographs, {images.shape[1]} versions each: {arguments.output}")


def parts(finders: list[Path] | None, targets: Any, senders: Any) -> list[tuple[Path | None, Any]]:
    """Return which photographs each network finds; without `finders` all are found by the one in the package."""
    if finders is None:
        return [(None, np.arange(len(senders)))]
    members = [held_out for _, held_out in folds_of(targets, senders)]
    return [
        (finder, np.concatenate([members[number] for number in numbers]))
        for finder, numbers in zip(finders, LEFT_OUT, strict=True)
    ]


def use(finder: Path | None) -> None:
    """Make this process find garments with another network than the one in the package."""
    cv2.setNumThreads(1)  # there is a process for each core
    if finder is not None:
        _garment.NETWORK = str(finder.resolve())


def folds_of(targets: Any, senders: Any) -> list[tuple[Any, Any]]:
    """Return, for each fold, the photographs to train on and those of senders that are held out."""
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    return list(splitter.split(targets, kinds_of(targets), senders))


def kinds_of(targets: Any) -> Any:
    """Return the label of each photograph with footwear as one class, and `UNKNOWN` for what is none of the ten."""
    return np.where(targets.sum(axis=1) > 0, as_one_class(targets).argmax(axis=1), UNKNOWN)


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the table in the folder of photographs: image, label, sender."""
    with (folder / "clothing.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def target(label: str) -> Any:
    """Return the probability of each class, given a label."""
    classes = CLASSES_OF.get(label, ())
    return np.array([(name in classes) / max(1, len(classes)) for name in CLASS_NAMES], np.float32)


def versions(number: int, name: str, *, folder: Path, variants: int, seed: int) -> Any:
    """Return a photograph as a model sees it, and other versions of it: uint8 `(1 + variants, 28, 28)`."""
    rng = np.random.default_rng((seed, number))
    pixels = np.asarray(Image.open(folder / name).convert("RGB"))
    own, image = cut_out(pixels)
    others = [cut_out(changed(pixels, rng))[0] for _ in range(CHANGED)]
    garments = [own if rng.random() < OWN else others[rng.integers(CHANGED)] for _ in range(variants)]
    return np.stack([image, *(variant(garment, rng) for garment in garments)])


def changed(pixels: Any, rng: np.random.Generator) -> Any:
    """Return a photograph as another person might have taken it: another angle, other light, another camera."""
    height, width = pixels.shape[:2]
    image = cv2.warpPerspective(pixels, camera(height, width, rng), (width, height), borderMode=cv2.BORDER_REFLECT_101)
    light = image / np.float32(255)
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    shade = 1 + rng.uniform(0, 0.25) * (np.cos(angle) * down + np.sin(angle) * across)  # light from one side
    light = np.clip(light * shade[..., np.newaxis], 0, 1) ** np.exp(rng.uniform(-0.4, 0.4))
    light = np.clip(light * rng.uniform(0.92, 1.08, 3), 0, 1)  # another white balance
    if rng.random() < 0.3:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.5, 1.5))
    content = cv2.imencode(".jpg", np.rint(255 * light).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return cv2.imdecode(content, cv2.IMREAD_COLOR)


def camera(height: int, width: int, rng: np.random.Generator) -> Any:
    """Return the 3x3 matrix of a rotation, a shear, a stretch and a slight perspective about the middle."""
    angle = np.deg2rad(rng.normal(0, 10))
    cosine, sine = np.cos(angle), np.sin(angle)
    shear, stretch = rng.uniform(-0.12, 0.12), np.exp(rng.uniform(-0.12, 0.12))
    size = np.exp(rng.uniform(-0.15, 0.08))
    linear = size * np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[stretch, shear], [0, 1 / stretch]])
    tilt = rng.uniform(-0.15, 0.15, 2) / (width, height)
    middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    about = np.block([[linear, np.zeros((2, 1))], [tilt[np.newaxis], np.ones((1, 1))]])
    return middle @ about @ np.linalg.inv(middle)


if __name__ == "__main__":
    main()
