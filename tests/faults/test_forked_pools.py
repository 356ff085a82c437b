"""A Trainer in forked pools gives an error in the parent; workers are not restarted for ever."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
    import concurrent.futures, multiprocessing, tempfile
    import joblib
    import fashionclf as fc
    from fashionclf.datasets._synthetic import draw_garments
    images, labels = draw_garments(8)
    trainer = fc.Trainer(fc.dense_model((), seed=0))
    trainer.predict(images)
    folder = tempfile.mkdtemp() + "/softmax"
    trainer.export(folder, "saved_model")
    fork = multiprocessing.get_context("fork")

    def told(call):
        try:
            return call()
        except RuntimeError as error:
            return "compile_predictor" in str(error)

    with fork.Pool(2) as pool:
        print("pool", told(lambda: pool.map_async(trainer.predict_proba, [images] * 4).get(60)))
        print("evaluate", told(lambda: pool.apply_async(trainer.evaluate, (images, labels)).get(60)))
        print("attribute", told(lambda: pool.apply_async(getattr, (trainer, "class_names")).get(60)))
        print("predictor", told(lambda: pool.apply_async(fc.load_exported(folder).predict, (images,)).get(60)))
        frozen = trainer.compile_predictor()
        print("frozen", len(pool.map_async(frozen.predict_proba, [images] * 4).get(60)))
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as pool:
        print("executor", told(lambda: pool.submit(trainer.predict_proba, images).result(60)))
    parallel = joblib.Parallel(2, backend="multiprocessing", timeout=60)
    print("joblib", told(lambda: parallel(joblib.delayed(trainer.predict_proba)(images) for _ in range(2))))
"""


def test_pools_pass_the_error_to_the_parent():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    answers = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    names = ("pool", "evaluate", "attribute", "predictor", "executor", "joblib")
    assert answers == {"frozen": "4", **dict.fromkeys(names, "True")}, done.stderr[-2000:]
