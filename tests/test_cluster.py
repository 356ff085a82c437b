"""Bulk prediction and cross-validation on clusters of two processes on this computer, with the code of examples/."""

import contextlib
import importlib.util
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


@pytest.fixture
def watch():
    """A function to call while a cluster runs: the processes that it has then must end with it."""
    psutil = pytest.importorskip("psutil")
    before, seen, calls = psutil.Process().children(recursive=True), [], []

    def note():
        calls.append(len(seen))
        for process in set(psutil.Process().children(recursive=True)) - {*before, *seen}:
            with contextlib.suppress(psutil.NoSuchProcess):
                if "resource_tracker" not in " ".join(process.cmdline()):  # Python keeps it for later processes
                    seen.append(process)

    yield note
    assert seen or not calls  # a test may be skipped
    assert not psutil.wait_procs(seen, timeout=30)[1]


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
def test_a_killed_worker_loses_and_doubles_nothing(example, exported, images, tmp_path, watch):
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
        watch()
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
@pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is missing")
def test_spark_gives_what_one_process_gives(exported, images, tmp_path, monkeypatch, watch):
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
        watch()
    finally:
        gateway = type(spark.sparkContext)._gateway
        spark.stop()
        gateway.shutdown()
        with gateway.proc:  # Java would stay until this process ends
            gateway.proc.kill()
        type(spark.sparkContext)._gateway = type(spark.sparkContext)._jvm = None
    assert_same(bulk.in_order(found, table), bulk.classify(pd.read_parquet(table), predictor))


@pytest.mark.parametrize("backend", PACKAGES)
def test_cross_validation_on_a_cluster(backend, garments, watch):
    package = pytest.importorskip(PACKAGES[backend])
    import joblib
    from sklearn.model_selection import cross_val_score

    from fashionclf.sklearn import FashionClassifier

    if backend == "dask":
        started, options = partial(package.Client, **DASK), {}
    else:
        from ray.util.joblib import register_ray

        register_ray()
        local = {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "log_to_driver": False}
        started, options = partial(package.init, "local", num_cpus=2, **local), {"n_jobs": 2}
    classifier = FashionClassifier("softmax", random_state=1)
    expected = cross_val_score(classifier, *garments, cv=2)
    with started(), joblib.parallel_config(backend, **options):
        found = cross_val_score(classifier, *garments, cv=2)
        watch()
    np.testing.assert_allclose(found, expected, atol=0.01)  # TensorFlow has fewer threads there
