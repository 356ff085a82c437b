"""Compare two ways of feeding batches to Keras: the `tf.data` pipeline of `Trainer.fit`, and `keras.utils.PyDataset`.

    FASHIONCLF_DATA_DIR=... python tests/benchmarks/batches.py [--epochs 2] [--train 20000]

Both get the same batches from the same `BatchSource` and train `cnn_fast` in float32. The first epoch is not
counted: it traces.
"""

import argparse
import time

import keras
import numpy as np

import fashionclf as fc
from fashionclf.inputs import LabelledImages
from fashionclf.trainer._batches import BatchChange, BatchSource


class Batches(keras.utils.PyDataset):
    """The batches of a source, made by the workers of Keras."""

    def __init__(self, source, workers):
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self.source = source

    def __len__(self):
        return self.source.steps_per_epoch

    def __getitem__(self, step):
        return self.source.batch(step)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--train", type=int, default=20_000)
    parser.add_argument("--batch-size", type=int, default=100)
    options = parser.parse_args()
    train = fc.load_data().train[: options.train]
    ways = {
        "tf.data, groups of steps": 20,
        "tf.data": 1,
        "PyDataset, groups of steps, 2 workers": 20,
        "PyDataset, 2 workers": 1,
        "PyDataset, 1 worker": 1,
    }
    seconds = {way: [] for way in ways}
    for repetition in range(3):
        for way, group in ways.items():
            seconds[way].append(measure(way, group, train, options))
            print(f"{repetition}: {way}: {seconds[way][-1]:.2f} s an epoch", flush=True)
    reference = min(seconds["tf.data, groups of steps"])
    for way, values in seconds.items():
        print(f"{way:38} {min(values):6.2f} s an epoch, {min(values) / reference:.2f} times")


def measure(way, group, train, options):
    model = fc.get_preset("cnn_fast").build(0)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False, steps_per_execution=group)
    data = LabelledImages(train.images[..., np.newaxis], train.labels.astype(np.int64))
    recipe = fc.Recipe(batch_size=options.batch_size, augmentation=fc.Augmentation(erasing=0.25))
    source = BatchSource(data, lambda labels: labels, BatchChange(recipe, seed=0, input_shape=(28, 28, 1)))
    times = Times(source)
    fit = {"epochs": options.epochs + 1, "verbose": 0, "shuffle": False, "callbacks": [times]}
    if way.startswith("tf.data"):
        with source.dataset() as batches:
            model.fit(batches, **fit)
    else:
        model.fit(Batches(source, workers=int(way.split()[-2])), **fit)
    return min(np.diff(times.ends))


class Times(keras.callbacks.Callback):
    """Note when each epoch ends, and tell the source which one begins."""

    def __init__(self, source):
        super().__init__()
        self.source, self.ends = source, []

    def on_epoch_begin(self, epoch, logs=None):
        self.source.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


if __name__ == "__main__":
    main()
