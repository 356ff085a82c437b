"""What a classifier sees: the filters of its convolutions, what they find in an image, and where it looked.

All three functions read the model and leave it unchanged.
"""

from fashionclf.explain._explain import feature_maps, grad_cam, kernels

__all__ = ["feature_maps", "grad_cam", "kernels"]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
