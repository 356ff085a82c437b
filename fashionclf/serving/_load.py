"""`load_exported`: a predictor from what `Trainer.export` wrote."""

from fashionclf._types import PathLike
from fashionclf._validation import check_path, check_regular_file
from fashionclf.serving._predictor import FrozenPredictor
from fashionclf.serving._runtimes import check_threads, read_model


def load_exported(path: PathLike, *, num_threads: int | None = None) -> FrozenPredictor:
    """Load a classifier that `Trainer.export` wrote, for inference.

    A checksum is compared first, so a damaged model never runs. It does not show who made the model: load only models
    from people you trust.

    A `.tflite` file needs `pip install 'fashionclf[litert]'` and a `.onnx` file `pip install 'fashionclf[onnx]'`;
    neither imports TensorFlow. A folder is a SavedModel, which TensorFlow computes. Everything is read into memory and
    closed: the file may be replaced, and the predictor keeps what it has read.

    Exported models take pixels of 256 levels. Floats between two of them are rounded, so that their probabilities
    differ a little from the Trainer's.

    Args:
        path: A file ending in `.tflite` or `.onnx`, or a folder.
        num_threads: Threads for one image. None uses two, if the processor has two: more are not faster on images this
            small. TensorFlow has threads of its own, so that it must be None for a SavedModel.

    Returns:
        A `FrozenPredictor` with the class names and the `unfamiliarity_threshold` of the Trainer.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If it was not written by `Trainer.export`, is damaged, or of a newer format; if it is a pipe or a
            device; or `num_threads` is below 1 or above 1024, or given for a SavedModel.
        TypeError: If an argument has the wrong type.
        ImportError: If the runtime is missing.

    Example:
        >>> import fashionclf as fc, tempfile
        >>> images, _ = fc.load_data("synthetic").test
        >>> trainer = fc.Trainer(fc.dense_model(units=(), seed=0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = trainer.export(folder + "/softmax.tflite")
        ...     predictor = fc.load_exported(report.path)
        >>> predictor.predict(images[:2])
        <Predictions for 2 images, 10 classes>
    """
    file = check_path(path, "path")
    threads = check_threads(num_threads)
    if not file.is_dir():
        check_regular_file(file, "an exported classifier")
    model, metadata = read_model(file, threads)
    return FrozenPredictor(model, metadata.class_names, metadata.image_converter, metadata.unfamiliarity_threshold)
