"""Your own photographs of garments, turned into the 28x28 pixels that a model sees.

The steps follow the way Fashion-MNIST was made from shop photographs (Xiao et al., arXiv:1708.07747, section 2):
cut out the garment, resize its longest edge to 28 pixels, centre it, show it bright on black, use the whole range
of grey. Fashion-MNIST skipped rows and columns and then sharpened; this package averages pixels instead.
"""

from fashionclf._doubts import DoubtfulImageWarning
from fashionclf.photographs._folder import load_folder
from fashionclf.photographs._many import UnreadableImageWarning
from fashionclf.photographs._steps import PreprocessingSteps, load_image, preprocessing_steps

__all__ = [
    "DoubtfulImageWarning",
    "PreprocessingSteps",
    "UnreadableImageWarning",
    "load_folder",
    "load_image",
    "preprocessing_steps",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
