"""Count the package's functions and modules that a call of `predict` and of `fit` passes: the road of an image.

python tests/benchmarks/calls.py
"""

import sys
from pathlib import Path

import numpy as np

import fashionclf as fc

ROOT = str(Path(fc.__file__).parent)


def passed(call):
    """Return the functions of the package that a call runs, as pairs of module and name."""
    functions = []

    def note(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(ROOT):
            functions.append((code.co_filename[len(ROOT) + 1 :], code.co_qualname))

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return functions


def main():
    images, labels = fc.load_data("synthetic").test.images[:32], np.arange(32) % 10
    trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
    for name, call in {
        "predict(array)": lambda: trainer.predict(images),
        "fit(x, y)": lambda: trainer.fit(images, labels, epochs=1, verbose=0),
    }.items():
        call()  # the first one traces
        functions = passed(call)
        modules = sorted({module for module, _ in functions})
        print(f"{name}: {len(functions)} calls in {len(modules)} modules: {', '.join(modules)}")


if __name__ == "__main__":
    main()
