"""Inference without the Trainer: what `Trainer.compile_predictor` returns and `Trainer.export` writes."""

from fashionclf.serving._predictor import FrozenPredictor, load_exported
from fashionclf.serving._report import ExportReport

__all__ = ["ExportReport", "FrozenPredictor", "load_exported"]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
