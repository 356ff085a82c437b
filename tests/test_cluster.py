"""Bulk prediction and cross-validation on clusters of two processes on this computer, with the code of examples/."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fashionclf as fc
from fashionclf.datasets._synthetic import draw_garments

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # what the clusters warn of is theirs

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PACKAGES = {"ray": "ray", "dask": "distributed"}
DASK = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Ray keeps its files in a folder that goes, and no key in the home folder."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    folder = tempfile.mkdtemp(prefix="ray")  # a short path: sockets are in it
    monkeypatch.setenv("RAY_TMPDIR", folder)
    yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_process_is_left():
    psutil = pytest.importorskip("psutil")
    before = set(psutil.Process().children(recursive=True))
    yield
    started = [each for each in psutil.Process().children(recursive=True) if each not in before]
    # joblib and multiprocessing keep a process that cleans up after the others, until Python ends
    workers = [each for each in started if "tracker" not in " ".join(each.cmdline())]
    assert not psutil.wait_procs(workers, timeout=20)[1]


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    return fitted.export(tmp_path_factory.mktemp("exported") / "fitted.tflite").path


@pytest.fixture(scope="module")
def images():
    return draw_garments(2000)[0]


@pytest.fixture
def example(request, monkeypatch):
    """The modules of an example, with small parts."""
    pytest.importorskip(PACKAGES[request.param])
    pytest.importorskip("pyarrow")
    import bulk_prediction

    monkeypatch.setattr(bulk_prediction, "PART", 64)
    module = pytest.importorskip(f"predict_with_{request.param}")
    if request.param == "ray":
        import ray

        ray.cloudpickle.register_pickle_by_value(module)  # it is the main module otherwise
    return module, bulk_prediction


class Deadly:
    """A predictor whose process is killed once, while it classifies its second part."""

    def __init__(self, predictor, marker):
        self.predictor, self.marker, self.calls = predictor, str(marker), 0

    def predict(self, images):
        self.calls += len(images) > 1  # Dask classifies one image to learn the columns
        if self.calls == 2:
            try:
                os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.predictor.predict(images)


def assert_same(found, expected):
    assert found["id"].tolist() == expected["id"].tolist()  # each once, in order
    assert found["class_name"].tolist() == expected["class_name"].tolist()
    np.testing.assert_allclose(found["probability"].to_numpy(float), expected["probability"], atol=1e-6)


@pytest.mark.parametrize("example", PACKAGES, indirect=True)
def test_a_killed_worker_loses_and_doubles_nothing(example, exported, images, tmp_path):
    module, bulk = example
    pickle_by_value = sys.modules["ray" if module.__name__.endswith("ray") else "cloudpickle"]
    getattr(pickle_by_value, "cloudpickle", pickle_by_value).register_pickle_by_value(sys.modules[__name__])
    import pandas as pd

    (folder := tmp_path / "table").mkdir()
    table = bulk.write_table(images, folder)
    predictor = fc.load_exported(exported, num_threads=1)
    expected = bulk.classify(pd.read_parquet(table), predictor)
    assert len(expected) == len(images)
    assert expected["class_name"].nunique() == 10
    with module.cluster(2, None) as predict:
        found = predict(table, Deadly(predictor, tmp_path / "killed"))
    assert (tmp_path / "killed").exists()
    assert len(found) == len(images)
    assert_same(bulk.in_order(found, table), expected)


@pytest.mark.parametrize("name", PACKAGES)
def test_the_command_gives_what_one_process_gives(name, exported, images, tmp_path):
    pytest.importorskip(PACKAGES[name])
    pd = pytest.importorskip("pandas")
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, EXAMPLES / f"predict_with_{name}.py", "images.npy", "--model", exported]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 workers: 2,000 images in" in done.stdout
    found = pd.read_parquet(tmp_path / "predictions.parquet")
    one = fc.load_exported(exported, num_threads=1).predict(images)
    names = [one.class_names[label] for label in one.labels]
    expected = {"id": np.arange(2000), "class_name": names, "probability": one.probabilities.max(axis=1)}
    assert_same(found, pd.DataFrame(expected))


@pytest.mark.parametrize("example", ["dask"], indirect=True)
def test_rows_that_are_missing_or_doubled_are_an_error(example, exported, images, tmp_path):
    _, bulk = example
    import pandas as pd

    table = bulk.write_table(images[:20], tmp_path)
    found = bulk.classify(pd.read_parquet(table), fc.load_exported(exported))
    assert_same(bulk.in_order(found.sample(frac=1, random_state=0), table), found)
    for wrong in (found[:-1], pd.concat([found, found[:1]])):
        with pytest.raises(RuntimeError, match="20 images were read"):
            bulk.in_order(wrong, table)


@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark_gives_what_one_process_gives(exported, images, tmp_path, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    import bulk_prediction as bulk
    import pandas as pd
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(bulk)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    table = bulk.write_table(images, tmp_path)
    predictor = fc.load_exported(exported, num_threads=1)
    local = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
    spark = sql.SparkSession.builder.master("local[2]").config(map=local).getOrCreate()
    try:
        shared = spark.sparkContext.broadcast(predictor)
        parts = spark.read.parquet(table).mapInPandas(
            lambda frames: (bulk.classify(frame, shared.value) for frame in frames),
            "id long, class_name string, probability float",
        )
        found = parts.toPandas()
    finally:
        spark.stop()
        gateway = type(spark.sparkContext)._gateway
        gateway.shutdown()
        gateway.proc.kill()
        gateway.proc.wait()
        type(spark.sparkContext)._gateway = type(spark.sparkContext)._jvm = None
    assert_same(bulk.in_order(found, table), bulk.classify(pd.read_parquet(table), predictor))


@pytest.mark.parametrize("backend", PACKAGES)
def test_cross_validation_on_a_cluster(backend, garments):
    package = pytest.importorskip(PACKAGES[backend])
    import joblib
    from sklearn.linear_model import SGDClassifier

    sgd = SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=42)
    expected = {model: fc.cross_validate(model, *garments, folds=3, seed=1) for model in ("softmax", sgd)}
    if backend == "dask":
        started, options = partial(package.Client, **DASK), {}
    else:
        from ray.util.joblib import register_ray

        register_ray()
        local = {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "log_to_driver": False}
        started, options = partial(package.init, "local", num_cpus=2, **local), {"n_jobs": 2}
    with started(), joblib.parallel_config(backend, **options):
        for model, accuracies in expected.items():
            found = fc.cross_validate(model, *garments, folds=3, seed=1)
            np.testing.assert_allclose(found, accuracies, atol=0.01)  # TensorFlow has fewer threads there
