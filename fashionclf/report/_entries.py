"""The entries of an `EvaluationReport`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Confusion:
    """Images of one class that were misclassified as another class.

    Attributes:
        class_name: The true class.
        predicted: The predicted class.
        count: How many.

    Example:
        >>> from fashionclf import evaluate_predictions
        >>> probabilities = [[0.2, 0.8], [0.4, 0.6], [0.1, 0.9]]
        >>> report = evaluate_predictions([0, 0, 1], probabilities, class_names=["shirt", "bag"])
        >>> report.most_confused(1)
        [Confusion(class_name='shirt', predicted='bag', count=2)]
    """

    class_name: str
    predicted: str
    count: int


@dataclass(frozen=True)
class CalibrationBin:
    """The predictions whose probability lies in one interval (the lower bound excluded).

    Attributes:
        low: Lower bound of the interval, from 0 to 1.
        high: Upper bound.
        count: Number of predictions.
        probability: Their mean probability, from 0 to 1; NaN if there are none.
        accuracy: The share of them that is right, from 0 to 1; NaN if there are none.

    Example:
        >>> from fashionclf import evaluate_predictions
        >>> probabilities = [[0.95, 0.05], [0.05, 0.95], [0.95, 0.05]]
        >>> report = evaluate_predictions([0, 1, 1], probabilities)
        >>> last = report.calibration_bins[-1]
        >>> last.count, round(last.probability, 2), round(last.accuracy, 2)
        (3, 0.95, 0.67)
    """

    low: float
    high: float
    count: int
    probability: float
    accuracy: float
