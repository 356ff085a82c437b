"""Train on a folder of your own photographs: one sub-folder per class, split by the person who took each one.

    python examples/own_folder.py DIRECTORY --weights efficientnet_lite0 [--classes JSON] [--groups TABLE]
    python examples/own_folder.py DIRECTORY --image-shape 64 64 3 --folds 5

`--classes` names a JSON object from folder to class name (`examples/clothing_classes.json`); without it each folder is
a class. `--groups` names a table in the folder with the columns `image` (the file's name in the folder) and `sender`:
the photographs of a sender are then never in training and validation at once. `--weights` names the pretrained preset
whose layers are used, all but the last, which is new; without it a small network starts from nothing. `--epochs 0`
trains the new layer alone, where the recipe of the preset has `freeze_epochs`. `--image-shape` is that of the images
the small network sees: height, width and 1 channel (grey) or 3 (colour).
`--find-garment` cuts the garment out, as is done for 28x28 pixels in grey; otherwise the network sees the whole
picture. It prints the report on the validation part and saves `own.keras`; with `--folds` it prints the accuracy on
each fold.
"""

import argparse
import csv
import dataclasses
import functools
import json
from pathlib import Path

import fashionclf as fc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--classes", type=Path)
    parser.add_argument("--groups")
    parser.add_argument("--weights", choices=fc.list_presets(pretrained=True))
    parser.add_argument("--image-shape", type=int, nargs=3, default=(28, 28, 1), metavar=("H", "W", "C"))
    parser.add_argument("--find-garment", action="store_true", default=None)
    parser.add_argument("--folds", type=int)
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.weights:
        options.image_shape = fc.get_preset(options.weights).image_shape

    classes = json.loads(options.classes.read_text(encoding="utf-8")) if options.classes else None
    groups = None
    if options.groups:
        with (options.directory / options.groups).open(newline="") as table:
            groups = {row["image"]: row["sender"] for row in csv.DictReader(table)}
    split = fc.load_folder(
        options.directory,
        class_names=classes,
        groups=groups,
        on_error="skip",
        image_shape=options.image_shape,
        find_garment=options.find_garment,
    )
    print(split)
    if options.folds:
        build = functools.partial(new_trainer, split.class_names, options)
        accuracies = fc.cross_validate(build, split, folds=options.folds, seed=options.seed)
        print(f"accuracy on {options.folds} folds: {accuracies.round(3)}, mean {accuracies.mean():.3f}")
        return

    train, validation = split.train_validation_split(validation_size=0.2, seed=options.seed)
    trainer = new_trainer(split.class_names, options)
    trainer.fit(train, seed=options.seed, verbose=2)
    print(trainer.report(validation))
    trainer.save("own.keras")


def new_trainer(class_names: tuple[str, ...], options: argparse.Namespace) -> fc.Trainer:
    """Return what is trained: pretrained layers with a new last one, or a new network."""
    recipe = fc.Recipe(
        optimizer="adam",
        learning_rate=0.001 if options.weights else 0.003,
        schedule="one_cycle",
        epochs=20,
        batch_size=64,
        label_smoothing=0.1,
        augmentation=fc.Augmentation(
            horizontal_flip=True, max_shift=options.image_shape[0] // 14, rotation=10, zoom=0.1, erasing=0.25
        ),
    )
    if options.weights:
        trainer = fc.Trainer.from_preset(
            options.weights, pretrained="features", class_names=class_names, seed=options.seed
        )
        if not trainer.recipe.freeze_epochs:  # a recipe that starts from nothing has too high a learning rate
            trainer.recipe = recipe
        return with_epochs(trainer, options.epochs)
    model = fc.cnn_model(
        (32, 64, 128),
        batch_norm=True,
        image_shape=options.image_shape,
        num_classes=len(class_names),
        seed=options.seed,
    )
    return with_epochs(fc.Trainer(model, class_names=class_names, recipe=recipe), options.epochs)


def with_epochs(trainer: fc.Trainer, epochs: int | None) -> fc.Trainer:
    if epochs is not None:
        trainer.recipe = dataclasses.replace(trainer.recipe, epochs=epochs)
    return trainer


if __name__ == "__main__":
    main()
