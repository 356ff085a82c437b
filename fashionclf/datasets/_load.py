"""`load_data`: find, verify or download a data set."""

from fashionclf._types import DatasetName, PathLike
from fashionclf._validation import check_choice, check_flag, check_path
from fashionclf.datasets._lookup import find
from fashionclf.datasets._sources import ABOUT, SOURCES
from fashionclf.datasets._split import Dataset, Split
from fashionclf.datasets._synthetic import draw_garments
from fashionclf.labels import class_names


def load_data(
    name: DatasetName = "fashion_mnist", *, data_dir: PathLike | None = None, download: bool = True
) -> "Dataset":
    """Load a data set of 60,000 training and 10,000 test images in ten classes.

    Fashion-MNIST and MNIST are looked for in `data_dir`, then in the folder that the environment variable
    `FASHIONCLF_DATA_DIR` names, then in Keras's own cache (`$KERAS_HOME/datasets` or `~/.keras/datasets`).
    In each, Fashion-MNIST is four IDX files under `fashion-mnist/`, and MNIST is `mnist.npz` or four IDX files
    under `mnist/`. IDX files may be compressed (`.gz`) or not; in a folder named by `data_dir` or the variable
    they may also be in the folder itself. A data set that is in none of them is downloaded to `data_dir`, or else to
    Keras's cache.

    The content is always verified (sha256). A copy that is truncated, altered or another data set is never returned:
    it is skipped with a warning, or named in the error.

    Args:
        name: `"fashion_mnist"`, `"mnist"` or `"synthetic"`. The last is a stand-in for Fashion-MNIST that needs no
            file and no network: ten kinds of garment drawn by numpy, always the same images. It is for tests and first
            steps; accuracy on it says nothing about Fashion-MNIST. It is only used if you ask for it.
        data_dir: A folder to look in first and to download to. `"synthetic"` needs none and ignores it.
        download: Whether the network may be used.

    Returns:
        A `Dataset` that unpacks like Keras's, `(x_train, y_train), (x_test, y_test) = load_data()`. Images are
        uint8 0..255, `(60000, 28, 28)` and `(10000, 28, 28)`; labels are uint8 0..9, `(60000,)` and `(10000,)`.
        The arrays are not shared; you may change them.

    Raises:
        FileNotFoundError: If the data set is nowhere and cannot be downloaded. The message says where it was
            looked for, the reply of each mirror, and how to provide it.
        ValueError: If `name` is unknown, or the only copies are damaged; the message names the damaged files.
        OSError: If the folder to download to cannot be written (`PermissionError` if that is a matter of rights).
        TypeError: If an argument is of the wrong type.

    Example:
        >>> from fashionclf.datasets import load_data
        >>> dataset = load_data("synthetic")
        >>> dataset
        Dataset('synthetic': 60000 train and 10000 test images, 10 classes)
        >>> (x_train, y_train), (x_test, y_test) = dataset
        >>> x_train.shape, x_train.dtype
        ((60000, 28, 28), dtype('uint8'))

    References:
        - Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms.
          2017, https://arxiv.org/abs/1708.07747. MIT licence.
        - LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition. Proceedings of the
          IEEE 86(11), 1998 (MNIST).
    """
    name = check_choice(name, "name", tuple(ABOUT))
    folder = None if data_dir is None else check_path(data_dir, "data_dir")
    may_download = check_flag(download, "download")
    if name == "synthetic":
        arrays = (*draw_garments(60_000), *draw_garments(10_000, stream=1))
    else:
        arrays = find(SOURCES[name], folder, may_download=may_download)
    names = class_names(name)
    train = Split(arrays[0], arrays[1], class_names=names)
    return Dataset(name, train=train, test=Split(arrays[2], arrays[3], class_names=names))
