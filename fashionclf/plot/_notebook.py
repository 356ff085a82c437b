"""The figure class of this package. The one module with matplotlib at its top: `_canvas` imports it when needed."""

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that a notebook shows once: as an open figure of pyplot, not as the value of a cell too."""

    def _ipython_display_(self) -> None:
        """Take the figure from pyplot, since IPython is about to show it; it does so on NotImplementedError."""
        if "inline" in mpl.get_backend():  # elsewhere that would close a window
            plt.close(self)
        raise NotImplementedError
