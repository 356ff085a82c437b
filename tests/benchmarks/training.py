"""One training in a process of its own, for `run.py`: prints a line of JSON with times, accuracies and peak memory.

    python tests/benchmarks/training.py plain|fast|balanced SEED

The clock starts when TensorFlow is imported and the raw images are in memory. Preparing the data, building,
tracing, training and every evaluation count.
"""

import json
import resource
import sys
import time

import keras
import numpy as np

import fashionclf as fc

TARGET = 0.915


class Clock(keras.callbacks.Callback):
    """Note the time and the validation accuracy at the end of every epoch."""

    def __init__(self):
        super().__init__()
        self.start = time.perf_counter()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((time.perf_counter() - self.start, logs.get("val_accuracy")))

    def seconds_to_target(self):
        return next((seconds for seconds, accuracy in self.epochs if accuracy and accuracy >= TARGET), None)


def plain(images, labels, seed):
    """Train `cnn_dropout` as the documents do, in plain Keras, for the 8 epochs after which their recipe stopped."""
    keras.utils.set_random_seed(seed)
    clock = Clock()
    scaled = images.reshape(-1, 28, 28, 1) / 255.0
    order = np.random.RandomState(42).permutation(len(images))
    fit_index, validation_index = order[12_000:], order[:12_000]
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu", padding="same"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 3, activation="relu", padding="same"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        scaled[fit_index],
        labels[fit_index],
        epochs=8,
        validation_data=(scaled[validation_index], labels[validation_index]),
        callbacks=[clock],
        verbose=0,
    )
    return clock, None


def fast(images, labels, seed):
    """Train the preset `cnn_fast` by its recipe, evaluating it after every epoch."""
    clock = Clock()
    x_fit, x_val, y_fit, y_val = fc.train_validation_split(images, labels, seed=42, stratify=False)
    trainer = fc.Trainer.from_preset("cnn_fast", seed=seed)
    trainer.fit(x_fit, y_fit, validation_data=(x_val, y_val), callbacks=[clock], seed=seed, verbose=0)
    return clock, trainer


def balanced(images, labels, seed):
    """Train the preset `cnn_balanced` by its recipe, on all 60,000 images: it is evaluated on the test split, once."""
    clock = Clock()
    trainer = fc.Trainer.from_preset("cnn_balanced", seed=seed)
    trainer.fit(images, labels, callbacks=[clock], seed=seed, verbose=0)
    return clock, trainer


def main(kind, seed):
    dataset = fc.load_data()
    clock, trainer = {"plain": plain, "fast": fast, "balanced": balanced}[kind](*dataset.train, seed)
    result = {
        "kind": kind,
        "seed": seed,
        "seconds": clock.epochs[-1][0],
        "seconds_to_target": clock.seconds_to_target(),
        "val_accuracy": clock.epochs[-1][1],
        "epochs": clock.epochs,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if trainer is not None:
        result["test_accuracy"] = trainer.evaluate(dataset.test)["accuracy"]
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
