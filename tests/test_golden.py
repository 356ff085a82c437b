"""Files that an earlier version wrote are read, and give the probabilities that it gave."""

from pathlib import Path

import numpy as np
import pytest

import fashionclf as fc

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("file", ["golden.keras", "golden.tflite", "golden.onnx", "golden"])
def test_a_golden_file(file):
    read = fc.Trainer.load if file.endswith(".keras") else fc.load_exported
    classifier = read(FOLDER / file)
    with np.load(FOLDER / "expected.npz") as expected:
        probabilities = classifier.predict_proba(expected["images"])
        np.testing.assert_allclose(probabilities, expected["probabilities"], atol=1e-5)
    assert classifier.class_names == ("Hat", "Shorts", "Skirt")
    assert classifier.unfamiliarity_threshold == 0.9
    assert classifier.image_converter.image_shape == (6, 5, 3)
    assert classifier.image_converter.crop_to_aspect_ratio
