"""Inference without TensorFlow: what `Trainer.compile_predictor` returns."""

from fashionclf.serving._litert import FrozenPredictor

__all__ = ["FrozenPredictor"]

for _public in (FrozenPredictor,):
    _public.__module__ = __name__  # where it is imported from: a pickle must not name a private module
