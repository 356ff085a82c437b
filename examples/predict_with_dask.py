"""Classify a table of images with Dask, on this computer or on a cluster.

    python examples/predict_with_dask.py --workers 2 --compare                       # the images of Fashion-MNIST
    python examples/predict_with_dask.py s3://bucket/images --address tcp://scheduler:8786

needs `pip install "fashionclf[cluster,litert]"`. Each worker loads the classifier once and reads its own parts of the
table. The classes are written to `predictions.parquet`, in the order of the table. `--compare` measures one worker
first; the seconds do not include the start of the cluster with its workers. At an address, all its workers are used.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import bulk_prediction
import cloudpickle
import dask
import dask.dataframe as dd
import pandas as pd
from bulk_prediction import Predict
from distributed import Client

from fashionclf.serving import FrozenPredictor


@contextmanager
def cluster(workers: int, address: str | None = None) -> Iterator[Predict]:
    """Connect to a cluster, or start one on this computer, and give a function that classifies a table there."""
    cloudpickle.register_pickle_by_value(bulk_prediction)  # other computers do not have this module

    def predict(table: str, predictor: FrozenPredictor) -> pd.DataFrame:
        images = dd.read_parquet(table, split_row_groups=True)
        answer = bulk_prediction.classify(images.head(1), predictor)  # tells Dask the columns
        found = images.map_partitions(bulk_prediction.classify, dask.delayed(predictor), meta=answer)
        return found.compute()  # `found.to_parquet(...)` if they do not fit in memory here

    local = {"n_workers": workers, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with Client(address, **({} if address else local)):
        yield predict


if __name__ == "__main__":
    bulk_prediction.run(cluster, __doc__)
