"""Pictures of data, training, answers and what goes on inside a model. Needs matplotlib: `fashionclf[plot]`.

    import fashionclf as fc

    fc.plot.images(dataset.test, predictions=trainer.predict(dataset.test.images))
    fc.plot.history(history)
    fc.plot.confusion_matrix(trainer.report(dataset.test)).figure.savefig("confusions.png")

A function that draws one diagram takes `ax=` and returns that `matplotlib.axes.Axes`; one that draws several takes
`figure=` (also a `SubFigure`) and returns the `matplotlib.figure.Figure`. Without them it opens a figure through
`matplotlib.pyplot`, which a notebook shows by itself, and a script after `plt.show()`; nothing is shown or saved by
the functions themselves. Where there are no windows (matplotlib's backend "agg"), pyplot keeps the last figure only,
for `plt.savefig`; the figures returned before can still be saved by `figure.savefig`. Servers and threads, for which
pyplot is not made, pass a place of their own:
`ax=Figure(layout="constrained").add_subplot()`.

Colours are Okabe and Ito's, which colour-blind readers can tell apart, and never the only sign: right is ✓, wrong is ✗.
Class names may be in any script for which a font is installed; matplotlib's settings (`rcParams`) are left alone.
"""

from fashionclf.plot._charts import class_distribution, comparison, prediction
from fashionclf.plot._inside import feature_maps, grad_cam, kernels
from fashionclf.plot._model import model_diagram
from fashionclf.plot._pictures import images
from fashionclf.plot._reports import confusion_matrix, reliability_diagram
from fashionclf.plot._shifts import shift_map, shift_robustness
from fashionclf.plot._steps import preprocessing_steps
from fashionclf.plot._training import history

__all__ = [
    "class_distribution",
    "comparison",
    "confusion_matrix",
    "feature_maps",
    "grad_cam",
    "history",
    "images",
    "kernels",
    "model_diagram",
    "prediction",
    "preprocessing_steps",
    "reliability_diagram",
    "shift_map",
    "shift_robustness",
]

for _public in (
    class_distribution,
    comparison,
    confusion_matrix,
    feature_maps,
    grad_cam,
    history,
    images,
    kernels,
    model_diagram,
    prediction,
    preprocessing_steps,
    reliability_diagram,
    shift_map,
    shift_robustness,
):
    _public.__module__ = __name__  # where it is imported from: a pickle must not name a private module
