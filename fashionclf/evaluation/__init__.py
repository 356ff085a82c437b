"""Evaluation beyond one accuracy: cross-validation, temperature scaling, accuracy on shifted images."""

from fashionclf.evaluation._calibration import calibrate
from fashionclf.evaluation._cross_validation import cross_validate
from fashionclf.evaluation._shifts import ShiftRobustness, shift_robustness

__all__ = ["ShiftRobustness", "calibrate", "cross_validate", "shift_robustness"]

for _public in (ShiftRobustness, calibrate, cross_validate, shift_robustness):
    _public.__module__ = __name__  # where it is imported from: a pickle must not name a private module
