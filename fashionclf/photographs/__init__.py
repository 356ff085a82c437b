"""Your own photographs, turned into images of the shape that a model takes; an `ImageConverter` says how.

For 28x28 pixels in grey the steps follow the way Fashion-MNIST was made from shop photographs (Xiao et al.,
arXiv:1708.07747, section 2): cut out the garment, resize its longest edge to 28 pixels, centre it, show it bright on
black, use the whole range of grey. Fashion-MNIST skipped rows and columns and then sharpened; this package averages
pixels instead. For other shapes the image is the whole photograph.
"""

from fashionclf._converter import ImageConverter
from fashionclf._images import DoubtfulImageWarning
from fashionclf.photographs._folder import load_folder
from fashionclf.photographs._many import UnreadableImageWarning
from fashionclf.photographs._steps import PreprocessingSteps, load_image, preprocessing_steps

__all__ = [
    "DoubtfulImageWarning",
    "ImageConverter",
    "PreprocessingSteps",
    "UnreadableImageWarning",
    "load_folder",
    "load_image",
    "preprocessing_steps",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
