"""Trainer: fit, evaluate, predict, save and load a garment classifier."""

from fashionclf.trainer._trainer import Trainer

__all__ = ["Trainer"]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
