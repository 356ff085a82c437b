"""Evaluation beyond one accuracy: cross-validation, temperature scaling, accuracy on shifted and corrupted images."""

from fashionclf.evaluation._calibration import calibrate
from fashionclf.evaluation._cross_validation import cross_validate
from fashionclf.evaluation._distance import distance_aware
from fashionclf.evaluation._robustness import (
    CORRUPTIONS,
    CorruptionRobustness,
    ShiftRobustness,
    corrupt,
    corruption_robustness,
    shift_robustness,
)

__all__ = [
    "CORRUPTIONS",
    "CorruptionRobustness",
    "ShiftRobustness",
    "calibrate",
    "corrupt",
    "corruption_robustness",
    "cross_validate",
    "distance_aware",
    "shift_robustness",
]

for _name in set(__all__) - {"CORRUPTIONS"}:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
