"""Classify a table of images with Ray Data, on this computer or on a cluster.

    python examples/predict_with_ray.py --workers 2 --compare                       # the images of Fashion-MNIST
    python examples/predict_with_ray.py s3://bucket/images --address auto --workers 16

needs `pip install "fashionclf[cluster,litert]"`. Each worker loads the classifier once and reads its own parts of the
table. The classes are written to `predictions.parquet`, in the order of the table. `--compare` measures one worker
first; the seconds include the start of the workers, and not that of the cluster.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before Ray is imported: it reports its use otherwise

import bulk_prediction
import pandas as pd
import ray
from bulk_prediction import PART, Predict

from fashionclf.serving import FrozenPredictor


class Classifier:
    """A worker. Ray starts it once in each process, and starts another if that process dies."""

    def __init__(self, predictor: FrozenPredictor) -> None:
        self.predictor = predictor

    def __call__(self, images: pd.DataFrame) -> pd.DataFrame:
        """Return a row for each image of a part of the table."""
        return bulk_prediction.classify(images, self.predictor)


@contextmanager
def cluster(workers: int, address: str | None = None) -> Iterator[Predict]:
    """Connect to a cluster, or start one on this computer, and give a function that classifies a table there."""
    local = {"num_cpus": workers + 1, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}  # one core to read
    ray.init(address or "local", log_to_driver=False, logging_level="error", **({} if address else local))
    ray.cloudpickle.register_pickle_by_value(bulk_prediction)  # other computers do not have this module
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    if address is None:
        context.use_datasource_v2 = False  # it starts dozens of processes to read

    def predict(table: str, predictor: FrozenPredictor) -> pd.DataFrame:
        images = ray.data.read_parquet(table, override_num_blocks=16 * workers)
        found = images.map_batches(
            Classifier,
            fn_constructor_args=(predictor,),
            batch_format="pandas",
            batch_size=PART,
            compute=ray.data.ActorPoolStrategy(size=workers),
        )
        return found.to_pandas()  # `found.write_parquet(...)` if they do not fit in memory here

    try:
        yield predict
    finally:
        ray.shutdown()


if __name__ == "__main__":
    bulk_prediction.run(cluster, __doc__)
