"""Accuracy on shifted images."""

import numpy as np
import pytest

import fashionclf as fc


class TestShiftRobustness:
    def test_it_is_the_accuracy_on_moved_images(self, fitted, garments):
        images, labels = garments[0][:60], garments[1][:60]
        result = fc.shift_robustness(fitted, images, labels, max_shift=2)
        assert result.accuracies.shape == (5, 5)
        down_two_left_one = np.zeros_like(images)
        down_two_left_one[:, 2:, :-1] = images[:, :-2, 1:]
        assert result.accuracies[4, 1] == fitted.report(down_two_left_one, labels).accuracy
        assert result.unshifted == result.accuracies[2, 2] == fitted.report(images, labels).accuracy

    def test_figures(self):
        accuracies = np.array([[0.5, 0.6, 0.5], [0.7, 0.9, 0.7], [0.4, 0.6, 0.6]])
        result = fc.ShiftRobustness(accuracies, 1)
        assert (result.unshifted, result.worst, result.worst_shift) == (0.9, 0.4, (1, -1))
        assert result.mean == pytest.approx(accuracies.mean())
        np.testing.assert_allclose(result.curve, [0.9, (accuracies.sum() - 0.9) / 8])

    def test_no_shift(self, fitted, garments):
        result = fc.shift_robustness(fitted, fc.Split(garments[0][:20], garments[1][:20]), max_shift=0)
        assert result.accuracies.shape == (1, 1)
        assert result.curve.shape == (1,)
