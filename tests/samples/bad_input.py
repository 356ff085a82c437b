"""Wrong images, labels and names, with the error that each must give."""

import keras
import numpy as np

import fashionclf as fc

IMAGES = np.zeros((20, 28, 28), np.uint8)
LABELS = np.arange(20) % 10
GOOD = IMAGES / 255

BAD_IMAGES = {
    "wrong size": (np.zeros((2, 27, 28)), ValueError, r"shape \(2, 27, 28\), expected .*\(n, 28, 28\)"),
    "colour": (np.zeros((2, 28, 28, 3)), ValueError, "load_image"),
    "flat and short": (np.zeros(783), ValueError, r"shape \(783,\)"),
    "scalar": (3, ValueError, r"shape \(\)"),
    "five axes": (np.zeros((1, 1, 28, 28, 1)), ValueError, "shape"),
    "empty": (np.zeros((0, 28, 28)), ValueError, "empty"),
    "empty list": ([], ValueError, "empty"),
    "NaN": (np.full((28, 28), np.nan), ValueError, "NaN"),
    "one NaN": (np.where(np.arange(784) == 5, np.nan, 0.5), ValueError, "NaN"),
    "infinity": (np.full((28, 28), np.inf), ValueError, "infinity"),
    "floats to 255": (np.full((28, 28), 255.0), ValueError, "divide by 255 or pass integers"),
    "negative floats": (np.full((28, 28), -0.5), ValueError, r"from -0\.5 to -0\.5, expected \[0, 1\]"),
    "large integers": (np.full((28, 28), 256), ValueError, r"from 256 to 256, expected 0\.\.255"),
    "negative integers": (np.full((28, 28), -1), ValueError, r"expected 0\.\.255"),
    "bool": (np.zeros((28, 28), bool), TypeError, "dtype bool.*255"),
    "complex": (np.zeros((28, 28), complex), TypeError, "np.abs"),
    "object": (np.full((28, 28), None), TypeError, "dtype object"),
    "text": ("shoe", TypeError, "str"),
    "None": (None, TypeError, "NoneType"),
    "ragged": ([[1, 2], [3]], ValueError, "ragged"),
    "list of batches": ([IMAGES, IMAGES], ValueError, r"images\[0\].*one image in a list|x\[0\].*one image in a list"),
    "list with a bad one": ([IMAGES[0], np.zeros((28, 27))], ValueError, r"\[1\]"),
    "list with text": ([IMAGES[0], "b"], (TypeError, ValueError), "images|x"),
}
# What may be photographs as well takes text for a path.
BAD_PHOTOGRAPHS = BAD_IMAGES | {
    "text": ("shoe", FileNotFoundError, "no image 'shoe'"),
    "list with text": ([IMAGES[0], "b"], FileNotFoundError, "no image 'b'"),
    "bytes": (b"shoe", TypeError, "BytesIO"),
}
# Where no model tells the shape of images, it is that of the arrays.
BAD_ARRAYS = BAD_IMAGES | {
    "wrong size": (np.zeros((2, 783)), ValueError, r"shape \(2, 783\), expected"),
    "colour": (np.zeros((2, 28, 28, 4)), ValueError, "transparency by `fashionclf.load_image`"),
    "list of batches": ([IMAGES, IMAGES], ValueError, r"images\[0\]"),
}
# One message shows that a function checks images as all do: `test_fuzz.py` shows the rest.
SOME_BAD_IMAGES = {name: BAD_IMAGES[name] for name in ("wrong size", "floats to 255", "list with a bad one")}
SOME_BAD_ARRAYS = {name: BAD_ARRAYS[name] for name in SOME_BAD_IMAGES}
SOME_BAD_PIXELS = {name: BAD_ARRAYS[name] for name in ("floats to 255", "list with a bad one")}
SOME_BAD_PHOTOGRAPHS = {name: BAD_PHOTOGRAPHS[name] for name in ("wrong size", "text", "bytes")}
BAD_LABELS = {
    "too few": (LABELS[:-1], ValueError, "19 rows but there are 20 images"),
    "fractions": (LABELS + 0.5, ValueError, "fractions"),
    "NaN": (np.full(20, np.nan), ValueError, "NaN"),
    "negative": (LABELS - 1, ValueError, "from -1 to 8"),
    "unknown names": (np.array(["Hat"] * 20), (TypeError, ValueError), r"has the classes 'Hat'|class_names\.index"),
    "three axes": (np.zeros((20, 1, 1), int), ValueError, r"shape \(20, 1, 1\)"),
    "not one-hot": (np.ones((20, 10)), ValueError, "sum to 1"),
    "scalar": (3, ValueError, r"shape \(\)"),
    "empty": ([], ValueError, "empty|rows"),
    "ragged": ([[1], [2, 3]], TypeError, "array"),
}
SOME_BAD_LABELS = {name: BAD_LABELS[name] for name in ("too few", "fractions")}
OUT_OF_RANGE = {
    "too high": (LABELS + 1, ValueError, r"from 1 to 10, expected 0\.\.9"),
    "too many columns": (fc.one_hot(LABELS, 11), ValueError, "11 columns, expected 10"),
}
NAMES = {
    "too few": (["a"], ValueError, "1 names but there are 10 classes"),
    "one string": ("abcdefghij", TypeError, "sequence of strings"),
    "not strings": (range(10), TypeError, "must be strings"),
    "twice the same": (["a"] * 10, ValueError, "'a' more than once"),
    "empty": ([" ", *"abcdefghi"], ValueError, "empty name"),
}


def compiled():
    model = fc.dense_model(())
    model.compile(loss="categorical_crossentropy")
    return model


def mixed():
    layers = [keras.layers.Flatten(dtype="mixed_float16"), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers])


def with_images(call, table=SOME_BAD_IMAGES):
    """Rows for wrong kinds of images."""
    return [(f"images: {name}", lambda w, bad=bad, call=call: call(w, bad), error, text)
            for name, (bad, error, text) in table.items()]  # fmt: skip


def with_labels(call, table):
    return [(f"labels: {name}", lambda w, bad=bad, call=call: call(w, bad), error, text)
            for name, (bad, error, text) in table.items()]  # fmt: skip


class World:
    """A trainer and what must not change when it is used wrongly."""

    def __init__(self, folder):
        self.folder = folder
        self.trainer = fc.Trainer(fc.dense_model((), seed=0))
        (folder.parent / "folder.keras").mkdir()
        self.frozen = self.trainer.compile_predictor()
        self.report = fc.evaluate_predictions([0, 1], np.eye(2))

    def state(self):
        trainer = self.trainer
        weights = [weight.tobytes() for weight in trainer.model.get_weights()]
        return weights, trainer.model.compiled, trainer.class_names, trainer.recipe, sorted(self.folder.iterdir())
