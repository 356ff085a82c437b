"""Accuracy on corrupted images."""

import sys

import numpy as np
import pytest

import fashionclf as fc
from fashionclf.evaluation import CORRUPTIONS, corrupt


class TestCorrupt:
    @pytest.mark.parametrize("corruption", CORRUPTIONS)
    def test_each_changes_images_more_with_its_severity(self, garments, corruption):
        images = garments[0][:40].astype(int)
        weak, strong = (corrupt(garments[0][:40], corruption, severity) for severity in (1, 5))
        assert weak.shape == strong.shape == (40, 28, 28, 1)
        assert weak.dtype == np.uint8
        distances = [np.abs(changed[..., 0] - images).mean() for changed in (weak, strong)]
        assert 0 < distances[0] < distances[1]
        np.testing.assert_array_equal(corrupt(garments[0][:40], corruption, 5), strong)  # the seed is fixed

    def test_images_stay_as_they_are_and_may_be_floats(self, garments):
        images = garments[0][:5] / np.float32(255)
        before = images.copy()
        changed = corrupt(images, "glass_blur", 5)
        np.testing.assert_array_equal(images, before)
        np.testing.assert_array_equal(changed, corrupt(garments[0][:5], "glass_blur", 5))

    def test_geometry(self):
        image = np.zeros((1, 28, 28), np.uint8)
        image[0, 10:18, 6:22] = 200  # 8 x 16 pixels
        small = corrupt(image, "scale", 5)[0, ..., 0] > 100
        assert small.sum() == 8 * 16 / 4
        moved = corrupt(image, "translate", 3)[0, ..., 0]
        assert moved.sum() == image.sum()
        assert {abs(int(rows) - 10) for rows in np.flatnonzero(moved.any(axis=1))[:1]} == {3}
        for name in ("rotate", "shear"):
            assert corrupt(image, name, 1)[0, 14, 14] == 200  # the centre stays

    def test_lengths_grow_with_the_image_and_colours_stay(self):
        image = np.zeros((1, 56, 84, 3), np.uint8)
        image[0, 20:36, 26:58, 0] = 200
        moved = corrupt(image, "translate", 3)[0]
        assert abs(int(moved[..., 0].any(axis=1).argmax()) - 20) == 6
        assert not moved[..., 1:].any()
        assert (corrupt(image, "scale", 5)[0, ..., 0] > 100).sum() == 16 * 32 / 4
        pressed = corrupt(image, "jpeg_compression", 1)[0, 22:34, 28:56]
        assert pressed.mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=5)
        red, green, blue = corrupt(image * 0, "spatter", 5)[0].transpose(2, 0, 1)
        assert ((red > green) & (green > blue)).mean() > 0.05  # brown mud

    def test_half_of_the_images_turn_to_each_side(self, garments):
        image = np.zeros((28, 28), np.uint8)
        image[4:24, 13:15] = 255
        tops = corrupt(np.stack([image] * 60), "rotate", 3)[:, 6, :, 0]
        to_the_left = tops[:, :13].sum(axis=1) > tops[:, 15:].sum(axis=1)
        assert 15 < to_the_left.sum() < 45

    def test_without_opencv(self, garments, monkeypatch):
        monkeypatch.setitem(sys.modules, "cv2", None)
        with pytest.raises(ImportError, match=r'pip install "fashionclf\[images\]"'):
            corrupt(garments[0][:1], "rotate")


class TestCorruptionRobustness:
    def test_it_is_the_accuracy_on_corrupted_images(self, fitted, garments):
        images, labels = garments[0][:60], garments[1][:60]
        result = fc.corruption_robustness(fitted, images, labels, corruptions=("fog", "zigzag"), severities=(2, 4))
        assert result.accuracies.shape == (2, 2)
        assert result.accuracies[1, 0] == fitted.report(corrupt(images, "zigzag", 2), labels).accuracy
        assert result.uncorrupted == fitted.report(images, labels).accuracy
        assert result.at(4) == {"fog": result.accuracies[0, 1], "zigzag": result.accuracies[1, 1]}
        assert result.mean == pytest.approx(np.mean(list(result.by_corruption.values())))
        with pytest.raises(ValueError, match=r"one of \(2, 4\)"):
            result.at(3)

    def test_it_is_silent_and_takes_a_split(self, fitted, garments, recwarn):
        split = fc.Split(garments[0][:20], garments[1][:20])
        result = fc.corruption_robustness(fitted, split, corruptions=["brightness"], severities=[5])
        assert result.corruptions == ("brightness",)
        assert not recwarn.list

    def test_all_by_default(self, fitted, garments):
        result = fc.corruption_robustness(fitted, garments[0][:3], garments[1][:3])
        assert result.accuracies.shape == (len(CORRUPTIONS), 5)
