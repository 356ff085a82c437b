"""Evaluation reports: the metrics of a classifier on labelled images. Numpy only."""

from fashionclf.report._evaluation import CalibrationBin, Confusion, EvaluationReport, evaluate_predictions

__all__ = ["CalibrationBin", "Confusion", "EvaluationReport", "evaluate_predictions"]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
