"""Train on a folder of your own photographs: one sub-folder per class, split by the person who took each one.

    python examples/own_folder.py DIRECTORY [--groups clothing.csv] [--seed 0]

`--groups` names a table in the folder with the columns `image` (the file's name in the folder) and `sender`. The
photographs of a sender are then never in training and validation at once. It prints the report on the validation part
and saves `own.keras`.
"""

import argparse
import csv
from pathlib import Path

import fashionclf as fc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--groups")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    groups = None
    if options.groups:
        with (options.directory / options.groups).open(newline="") as table:
            groups = {row["image"]: row["sender"] for row in csv.DictReader(table)}
    split = fc.load_folder(options.directory, groups=groups, on_error="skip")
    print(split)

    x_fit, x_val, y_fit, y_val = fc.train_validation_split(
        split.images, split.labels, groups=split.groups, validation_size=0.2, seed=options.seed
    )
    recipe = fc.Recipe(
        optimizer="adam",
        learning_rate=0.003,
        schedule="one_cycle",
        epochs=options.epochs,
        batch_size=64,
        label_smoothing=0.1,
        augmentation=fc.Augmentation(horizontal_flip=True, max_shift=2, erasing=0.25),
    )
    model = fc.cnn_model((32, 64, 128), batch_norm=True, num_classes=len(split.class_names), seed=options.seed)
    trainer = fc.Trainer(model, class_names=split.class_names, recipe=recipe)
    trainer.fit(x_fit, y_fit, seed=options.seed, verbose=2)
    print(trainer.report(x_val, y_val))
    trainer.save("own.keras")


if __name__ == "__main__":
    main()
