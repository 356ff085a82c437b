"""What callers pass as images, decided once: every function that takes images begins here.

`predict(x)` calls `classify`. That calls `opened`, which looks at `x` once:

| x | becomes |
|---|---|
| an array, tensor, table or nested list of images of the model's shape | one array, checked |
| a path, a folder, a PIL image, an array of other size in colour; a list with any of these | a list: each is read as the Trainer's `ImageConverter` says |
| rows: `{"image": ..., "label": ...}`, a list of them | one of the above |
| a data set of Hugging Face or of torch | an iterator of its rows |
| a `tf.data.Dataset`, a `PyDataset`, a `DataLoader` of torch, an iterator | a `Stream`, read batch by batch |

What comes out are checked images `(n, height, width, channels)`, with the names of files and the doubts about
photographs. `classify` gives them to the model. `fit(x, y)` and all that takes labels call `read_labelled`, which reads
images in the same way and adds labels and weights.

A new kind of input is one more case in `opened` (many images at once, with their labels if they have any) or in `Stream`
(batch by batch). Nothing after this looks at `x` again.
"""  # noqa: E501  # a table

from fashionclf.inputs._labelled import LabelledImages, LabelledStream, collect_labelled, read_labelled
from fashionclf.inputs._read import Classified, class_names_in, classify, classify_batches, read_images

__all__ = [
    "Classified",
    "LabelledImages",
    "LabelledStream",
    "class_names_in",
    "classify",
    "classify_batches",
    "collect_labelled",
    "read_images",
    "read_labelled",
]
