"""`load_data`: Fashion-MNIST, MNIST and a synthetic stand-in as arrays, found, verified or downloaded."""

from fashionclf.datasets._load import load_data
from fashionclf.datasets._split import Dataset, Split

__all__ = ["Dataset", "Split", "load_data"]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
