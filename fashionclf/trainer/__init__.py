"""Trainer: fit, evaluate, predict, save and load a garment classifier."""

from fashionclf.trainer._trainer import Trainer

__all__ = ["Trainer"]

for _name in __all__:
    globals()[_name].__module__ = __name__  # where it is imported from: a pickle must not name a private module
