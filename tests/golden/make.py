"""Write the golden files again, when a format changes: `python tests/golden/make.py`.

A classifier in colour, in each format, with the probabilities that it gives: what one version writes, later ones read.
"""

import shutil
from pathlib import Path

import keras
import numpy as np

import fashionclf as fc
from fashionclf.photographs import ImageConverter

FOLDER = Path(__file__).parent
FILES = {"litert": "golden.tflite", "onnx": "golden.onnx", "saved_model": "golden"}


def main() -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            keras.layers.Conv2D(2, 3, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(0)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax", kernel_initializer=keras.initializers.GlorotUniform(1)),
        ],
        name="golden",
    )
    converter = ImageConverter((6, 5, 3), crop_to_aspect_ratio=True)
    trainer = fc.Trainer(model, class_names=["Hat", "Shorts", "Skirt"], image_converter=converter)
    trainer.unfamiliarity_threshold = 0.9
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
    trainer.save(FOLDER / "golden.keras")
    shutil.rmtree(FOLDER / FILES["saved_model"], ignore_errors=True)
    for kind, file in FILES.items():
        trainer.export(FOLDER / file, kind)
    np.savez(FOLDER / "expected.npz", images=images, probabilities=trainer.predict_proba(images))


if __name__ == "__main__":
    main()
