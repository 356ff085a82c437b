"""Every public function and method with odd values in place of each argument.

Each call either gives a result, or raises an error that its documentation names, in one short message of ours. It
changes no argument, and gives only our own warnings. `tests/samples/public_calls.py` has the calls.
"""

import contextlib
import inspect
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from samples.odd_values import ODD, frozen
from samples.public_calls import CALLS, Callables

import fashionclf as fc
import fashionclf.sklearn
import fashionclf.trainer._trainer as trainer_module
from fashionclf import evaluation, explain, plot, testing

PACKAGE = str(Path(fc.__file__).parent)
LONGEST_MESSAGE = 1500
DOCUMENTED = (ValueError, TypeError, OSError, ImportError)
ALSO_DOCUMENTED = {
    "Split.__getitem__": (IndexError,),  # Python's word for a position that does not exist
    "Predictions.__getitem__": (IndexError,),
}
MODULES = {"": fc, "evaluation": evaluation, "explain": explain, "plot": plot, "testing": testing,
           "sklearn": fashionclf.sklearn}  # fmt: skip
# Public names without a row of their own, and why.
NOT_CALLED = {
    **dict.fromkeys(("CLASS_NAMES", "evaluation.CORRUPTIONS", "__version__"), "is no function"),
    **dict.fromkeys(("explain", "plot", "testing"), "is a module, whose names are here"),
    **dict.fromkeys(("DoubtfulImageWarning", "UnreadableImageWarning"), "is a kind of warning"),
    **dict.fromkeys(
        ("CalibrationBin", "Confusion", "CorruptionRobustness", "EvaluationReport", "ExportReport", "FrozenPredictor",
         "PreprocessingSteps", "Preset", "PretrainedWeights", "Prediction", "ShiftRobustness", "testing.FakeTrainer"),
        "is made by the library",
    ),
    "sklearn.FashionClassifier": "keeps its arguments unchecked until `fit`, as scikit-learn wants it",
    **dict.fromkeys(("testing.ready_trainer", "testing.tiny_dataset"), "takes no arguments"),
    "Augmentation.apply": "takes checked images: the training loop's form of a call",
}  # fmt: skip
# Arguments that are not tried, and why.
NOT_TRIED = {
    ("load_data", "download"): "True would use the network",
    ("Trainer.export", "images"): "None draws a data set; `compile_predictor` checks images in the same way",
}
IN_THEIR_OWN_WORDS = ("sklearn.",)  # scikit-learn checks arrays first: its messages repeat them, and its casts warn


class Checked(Exception):  # noqa: N818  # it is no error
    """All checks have passed; the slow work would begin here."""


def stop(*_arguments, **_options):
    raise Checked


@pytest.fixture(scope="module")
def callables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(folder / "keras"))
        patch.delenv("FASHIONCLF_DATA_DIR", raising=False)
        (folder / "work").mkdir()
        made = Callables(folder / "work")
        patch.chdir(folder / "empty")
        for name in ("run_fit", "export_classifier", "freeze"):
            patch.setattr(trainer_module, name, stop)
        yield made


def try_odd_values(callables, name, examples):
    arguments = sorted(set(CALLS[name](callables)[1]) - {argument for row, argument in NOT_TRIED if row == name})

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(argument=st.sampled_from(arguments), value=ODD)
    def check(argument, value):
        call, given_arguments = CALLS[name](callables)
        before = frozen(value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fc.DoubtfulImageWarning)
            warnings.simplefilter("ignore", fc.UnreadableImageWarning)
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            if name.startswith(IN_THEIR_OWN_WORDS):
                warnings.simplefilter("ignore", RuntimeWarning)
            outcome(name, call, {**given_arguments, argument: value})
        assert frozen(value) == before, f"{argument} has changed"

    check()


def outcome(name, call, arguments):
    """Call it, and check the result or the error."""
    try:
        with contextlib.suppress(Checked):
            result = call(**arguments)
            assert not isinstance(result, np.ndarray) or result.dtype.kind not in "fc" or np.isfinite(result).all()
    except (*DOCUMENTED, *ALSO_DOCUMENTED.get(name, ())) as error:
        if name.startswith(IN_THEIR_OWN_WORDS):
            return
        message = str(error)
        assert message
        assert len(message) < LONGEST_MESSAGE, f"{len(message):,} characters: {message[:200]}"
        origin = traceback.extract_tb(error.__traceback__)[-1].filename
        assert origin.startswith(PACKAGE), f"not a message of ours, but of {origin}: {message}"


@pytest.mark.parametrize("name", CALLS)
def test_odd_values_give_a_result_or_a_documented_error(callables, name):
    try_odd_values(callables, name, examples=5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_many_odd_values_give_a_result_or_a_documented_error(callables, name):
    try_odd_values(callables, name, examples=20)


def public_calls():
    """Every public function, and every public method that takes arguments, by name."""
    found = {}
    for prefix, module in MODULES.items():
        for name in module.__all__:
            value = getattr(module, name)
            if prefix and getattr(fc, name, None) is value:  # the name of fashionclf itself counts
                continue
            known_as = f"{prefix}.{name}" if prefix else name
            found[known_as] = value
            members = vars(value) if inspect.isclass(value) else {}
            for member, content in members.items():
                function = getattr(content, "__func__", content)
                if member.startswith("_") and member not in ("__call__", "__getitem__"):
                    continue
                takes_arguments = inspect.isfunction(function) and len(inspect.signature(function).parameters) > 1
                if takes_arguments or getattr(content, "fset", None):
                    found[f"{known_as}.{member}"] = value if not takes_arguments else function
    return found


def test_every_public_name_is_tried():
    assert set(public_calls()) == {*CALLS, *NOT_CALLED}


def test_every_argument_is_tried(callables):
    for name, make in CALLS.items():
        call, arguments = make(callables)
        assert set(inspect.signature(call).parameters) == set(arguments), name


@pytest.mark.filterwarnings("error")
def test_a_call_that_breaks_the_promise_is_found(callables, monkeypatch):
    def undocumented(value):
        if isinstance(value, str):
            raise KeyError(value)

    def foreign(value):
        np.zeros(3).reshape(2, 2)

    def changing(value):
        if isinstance(value, list):
            value.append(1)

    def incomplete(value):
        np.float32(1e300)

    for broken in (undocumented, foreign, changing, incomplete):
        monkeypatch.setitem(CALLS, "broken", lambda w, broken=broken: (broken, {"value": 1}))
        with pytest.raises((KeyError, AssertionError, RuntimeWarning)):
            try_odd_values(callables, "broken", examples=200)
