"""Plots of images, training runs, predictions and the inside of a model. Needs matplotlib: `fashionclf[plot]`.

    import fashionclf as fc

    fc.plot.images(dataset.test, predictions=trainer.predict(dataset.test.images))
    fc.plot.history(history)
    fc.plot.confusion_matrix(trainer.report(dataset.test)).figure.savefig("confusions.png")

A function that makes one plot takes `ax=` and returns that `matplotlib.axes.Axes`. One that makes several takes
`figure=` (also a `SubFigure`) and returns the `matplotlib.figure.Figure`. Without them it opens a figure through
`matplotlib.pyplot`: a notebook shows it by itself, a script after `plt.show()`. The functions themselves neither show
nor save anything: `figure.savefig` does, and `plt.close` frees a figure. Servers and threads should not use pyplot;
they pass their own axes: `ax=Figure(layout="constrained").add_subplot()`.

The colours (Okabe and Ito, 2008) can be told apart by colour-blind readers, and are never the only sign: right is ✓,
wrong is ✗. Class names may be in Korean, or in any script that your `font.family` has. Matplotlib's settings
(`rcParams`) are not changed.

Every function raises a `TypeError` for an argument of the wrong type, and an `ImportError` without matplotlib.
"""

from fashionclf.plot._charts import class_distribution, comparison
from fashionclf.plot._images import images, mistakes
from fashionclf.plot._inside import feature_maps, grad_cam, kernels
from fashionclf.plot._model import model_diagram
from fashionclf.plot._reports import confusion_matrix, reliability_diagram
from fashionclf.plot._robustness import corruption_robustness, shift_map, shift_robustness
from fashionclf.plot._steps import preprocessing_steps
from fashionclf.plot._training import history

__all__ = [
    "class_distribution",
    "comparison",
    "confusion_matrix",
    "corruption_robustness",
    "feature_maps",
    "grad_cam",
    "history",
    "images",
    "kernels",
    "mistakes",
    "model_diagram",
    "preprocessing_steps",
    "reliability_diagram",
    "shift_map",
    "shift_robustness",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
