"""A model as a diagram of its layers."""

import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fashionclf._text import shown
from fashionclf.plot._canvas import place_for_one

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOTS_PER_INCH: Final = 200
_WIDEST: Final = 9.0  # inches
_HIGH: Final = 10.0
_READABLE: Final = 0.4  # of the size at which Graphviz draws: a deep model becomes higher rather than smaller


def model_diagram(model: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Plot a model's layers with their activations and the shapes that go in and out.

    Needs pydot and Graphviz: `pip install "fashionclf[diagram]"`, and Graphviz from the system's package manager
    or https://graphviz.org/download.

    Args:
        model: A `Trainer` or a `keras.Model` that is built.
        ax: Where to plot; None opens a new figure.

    Returns:
        The axes with the diagram.

    Raises:
        ValueError: If the model is not built.
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
    _check_graphviz()
    graph = keras.utils.model_to_dot(
        network, show_shapes=True, show_layer_names=True, show_layer_activations=True, dpi=_DOTS_PER_INCH
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.png"
        graph.write(str(file), format="png")
        return _draw_file(file, ax)


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
