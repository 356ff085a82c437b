"""Images of another shape: scikit-learn's handwritten digits, 8x8 pixels in grey, in 5-fold cross-validation.

    python examples/digits.py [--epochs 30] [--seed 0]

It prints the accuracy of each fold, beside that of the same network compiled and fitted by Keras alone.
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold

import fashionclf as fc

FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    digits = load_digits()
    images, labels = (digits.images / 16).astype("float32"), digits.target  # 0..16 in the file

    def network() -> keras.Model:
        return fc.cnn_model(filters=(32, 64), image_shape=(8, 8, 1), seed=options.seed)

    def classifier() -> fc.Trainer:
        return fc.Trainer(network(), class_names=fc.class_names("mnist"), recipe=fc.Recipe(epochs=options.epochs))

    ours = fc.cross_validate(classifier, images, labels, folds=FOLDS, seed=options.seed)
    keras.utils.set_random_seed(options.seed)
    theirs = []
    for fit, test in StratifiedKFold(FOLDS, shuffle=True, random_state=options.seed).split(images, labels):
        model = network()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(images[fit, ..., None], labels[fit], epochs=options.epochs, verbose=0)
        theirs.append(model.evaluate(images[test, ..., None], labels[test], verbose=0)[1])
    for name, accuracies in (("fashionclf", ours), ("Keras", np.array(theirs))):
        print(f"{name}: {accuracies.mean():.4f}, folds {', '.join(f'{accuracy:.4f}' for accuracy in accuracies)}")


if __name__ == "__main__":
    main()
