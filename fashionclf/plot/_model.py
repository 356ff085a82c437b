"""A model as a diagram of its layers."""

import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fashionclf._text import shown
from fashionclf._types import PathLike
from fashionclf._validation import check_new_file, check_path
from fashionclf.plot._canvas import place_for_one

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMATS: Final = (".png", ".svg", ".pdf")
_DOTS_PER_INCH: Final = 200
_WIDEST: Final = 9.0  # inches
_HIGH: Final = 10.0
_READABLE: Final = 0.4  # of the size at which Graphviz draws: a deep model becomes higher rather than smaller


def model_diagram(model: Any, path: PathLike | None = None, *, ax: "Axes | None" = None) -> "Axes":
    """Plot a model's layers with their activations and the shapes that go in and out.

    Needs pydot and Graphviz: `pip install "fashionclf[diagram]"`, and Graphviz from the system's package manager
    or https://graphviz.org/download.

    Args:
        model: A `Trainer` or a `keras.Model` that is built.
        path: Also write the diagram to this file, whose name ends in `.png`, `.svg` or `.pdf`.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes with the diagram.

    Raises:
        ValueError: If the model is not built, or `path` does not name such a file.
        FileNotFoundError: If the folder of `path` does not exist.
        TypeError: If an argument has the wrong type.
        ImportError: If matplotlib, pydot or Graphviz is missing.

    Example:
        >>> import fashionclf as fc
        >>> ax = fc.plot.model_diagram(fc.Trainer.from_preset("cnn_dropout"))
        >>> ax.figure.savefig("cnn_dropout.png")  # doctest: +SKIP
    """
    import keras  # loads TensorFlow, which no other plot needs

    network: Any = model if isinstance(model, keras.Model) else getattr(model, "model", None)  # that of a Trainer
    if not isinstance(network, keras.Model):
        raise TypeError(f"`model` must be a Trainer or a keras.Model. Received: {shown(model)}")
    if not network.built:
        raise ValueError(
            "`model` has no shapes yet: build it, for example with `model.build((None, height, width, channels))`."
        )
    files = [] if path is None else [_check_file(path)]
    _check_graphviz()
    # not `plot_model`, which fails on an .svg wherever IPython is installed
    graph = keras.utils.model_to_dot(
        network, show_shapes=True, show_layer_names=True, show_layer_activations=True, dpi=_DOTS_PER_INCH
    )
    with tempfile.TemporaryDirectory() as folder:
        files.append(Path(folder) / "model.png")
        for file in files:
            graph.write(str(file), format=file.suffix.removeprefix("."))
        return _draw_file(files[-1], ax)


def _check_file(path: PathLike) -> Path:
    suffix = check_path(path, "path").suffix
    if suffix not in _FORMATS:
        raise ValueError(f"`path` must end in one of {', '.join(_FORMATS)}. Received: {shown(str(path))}")
    return check_new_file(path, "path", suffix)


def _check_graphviz() -> None:
    # Keras itself only prints a line in a notebook, and draws nothing
    if importlib.util.find_spec("pydot") is None or shutil.which("dot") is None:
        raise ImportError(
            'model_diagram needs pydot and Graphviz: run `pip install "fashionclf[diagram]"`, and install Graphviz, '
            "whose program `dot` must be found (`apt install graphviz`, `brew install graphviz`, "
            "https://graphviz.org/download)."
        )


def _draw_file(file: Path, ax: "Axes | None") -> "Axes":
    from matplotlib.image import imread

    image = imread(file)
    height, width = (side / _DOTS_PER_INCH for side in image.shape[:2])
    scale = min(1.0, _WIDEST / width, max(_HIGH / height, _READABLE))
    ax = place_for_one(ax, scale * width, scale * height)
    ax.imshow(image, interpolation="antialiased", interpolation_stage="rgba")
    ax.set_axis_off()
    return ax
