"""Mutation testing: a mutant is a module with one small change, at which a test of that module must fail.

    python tests/mutation.py                                   # every mutant of every target: minutes on one core
    python tests/mutation.py predictions --sample 50 --seed 1  # 50 of one target

A mutant is a changed syntax tree. Its tests run in a process of their own, which is forked after the libraries are
imported and before the package is. Survivors are printed; docs/reliability.md gives the reasons.

No library fits: mutmut 3 skips decorated functions (properties, `@override`), and neither it nor cosmic-ray removes a
`raise`. Words of messages are not mutated.
"""

import argparse
import ast
import copy
import importlib
import importlib.machinery
import importlib.util
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Each target: its module, the tests that must kill its mutants, and what is imported before forking.
NUMPY = ("pytest", "numpy", "hypothesis.extra.numpy")
TARGETS = {
    "preprocessing": (
        "fashionclf/preprocessing.py",
        ("tests/test_preprocessing.py", "fashionclf/preprocessing.py"),
        (*NUMPY, "sklearn.model_selection"),
    ),
    "predictions": ("fashionclf/predictions.py", ("tests/test_predictions.py", "fashionclf/predictions.py"), NUMPY),
    "labels": ("fashionclf/labels.py", ("tests/test_labels.py", "fashionclf/labels.py"), NUMPY),
    "report": (
        "fashionclf/report/_evaluation.py",
        ("tests/test_report.py", "fashionclf/report/_evaluation.py", "-k", "not trainer"),  # which imports TensorFlow
        (*NUMPY, "sklearn.metrics"),
    ),
    "idx": ("fashionclf/datasets/_idx.py", ("tests/datasets/test_lookup.py",), NUMPY),
    # TensorFlow is imported, but not used, before the fork: its threads would not be copied
    "calibration": (
        "fashionclf/evaluation/_calibration.py",
        ("tests/evaluation/test_calibration.py", "-k", "softmax or minimum or TestCalibrate"),  # without those that fit
        (*NUMPY, "keras", "tensorflow"),
    ),
}

NO_TESTS = 5  # pytest's exit code
OPTIONS = (
    "--exitfirst", "--quiet", "--tb=no", "--assert=plain", "-p", "no:cacheprovider",
    "-o", "addopts=--import-mode=importlib --doctest-modules -m 'not slow and not network'",
)  # fmt: skip

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Pow: ast.Mult, ast.Mod: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip
OPPOSITES = {"min": "max", "any": "all", "floor": "ceil", "argmin": "argmax", "zeros": "ones", "sum": "prod"}
OPPOSITES |= {other: one for one, other in OPPOSITES.items()}
CONDITIONS = (ast.If, ast.IfExp, ast.While)


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """The replacements of a node."""
    match node:
        case ast.Compare(ops=[operation]):
            for other in COMPARISONS[type(operation)]:
                yield ast.Compare(node.left, [other()], node.comparators)
        case ast.Compare():
            for i, operation in enumerate(node.ops):
                yield ast.Compare(node.left, [*node.ops[:i], COMPARISONS[type(operation)][0](), *node.ops[i + 1 :]],
                                  node.comparators)  # fmt: skip
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            for i in range(len(node.values)):
                yield ast.BoolOp(node.op, node.values[:i] + node.values[i + 1 :])
        case ast.UnaryOp():
            yield node.operand
        case ast.BinOp():
            yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield ast.Constant(node.value + 1)
        case ast.Constant(value=str()) if node.value:
            yield ast.Constant("")
        case ast.If() | ast.IfExp() | ast.While():
            refuses = isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise)  # is removed as a statement
            for value in () if refuses else (True, False):
                changed = copy.copy(node)
                changed.test = ast.Constant(value)
                yield changed
        case ast.comprehension() if node.ifs:
            yield ast.comprehension(node.target, node.iter, [], node.is_async)
        case ast.For():
            changed = copy.copy(node)
            changed.iter = ast.Tuple([], ast.Load())
            yield changed
        case ast.Return() if node.value is not None and not isinstance(node.value, ast.Constant):
            yield ast.Return(None)
        case ast.Raise() | ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Slice():
            if node.lower is not None:
                yield ast.Slice(None, node.upper, node.step)
            if node.upper is not None:
                yield ast.Slice(node.lower, None, node.step)
        case ast.Call():
            for i in range(len(node.keywords)):
                yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])
        case ast.Attribute() if node.attr in OPPOSITES:
            yield ast.Attribute(node.value, OPPOSITES[node.attr], node.ctx)
        case ast.Name() if node.id in OPPOSITES:
            yield ast.Name(OPPOSITES[node.id], node.ctx)


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Every node of a tree that may change: its parent, the field and, in a list, the index."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "format_spec", "bases", "type_params"):
            continue
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue  # the words of a message; a docstring
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            continue  # -1 is a number; 1 is a mutant of it
        if isinstance(node, ast.JoinedStr) and all(isinstance(part, ast.Constant) for part in node.values):
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _means_nothing(child):
                yield node, field, i
                yield from places(child)


def _means_nothing(node: ast.AST) -> bool:
    """Whether a node is for type checkers only."""
    overload = isinstance(node, ast.FunctionDef) and any(
        isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list
    )
    return overload or isinstance(node, ast.Import | ast.ImportFrom)


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Every mutant of a module: the change in words, and the tree."""
    tree = ast.parse(source)
    for parent, field, i in places(tree):
        value = getattr(parent, field)
        node = value if i is None else value[i]
        for changed in changes(node):
            ast.copy_location(changed, node)
            _put(parent, field, i, changed)
            line = getattr(node, "lineno", None) or node.target.lineno
            mutant = ast.fix_missing_locations(copy.deepcopy(tree))
            _put(parent, field, i, node)
            yield f"line {line}: {_shown(node)}  →  {_shown(changed)}", mutant


def _put(parent: ast.AST, field: str, i: int | None, node: ast.AST) -> None:
    if i is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[i] = node


def _shown(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:100]


class Mutated(importlib.machinery.SourceFileLoader):
    """Loads one module from a syntax tree, and finds it before any other finder does."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self.module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self.tree = tree
        super().__init__(self.module, str(path))

    def get_code(self, fullname):
        return compile(self.tree, self.path, "exec")

    def find_spec(self, fullname, path=None, target=None):
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.module else None


def test(path: Path, tree: ast.Module, tests: tuple[str, ...], seconds: int) -> tuple[bool, float]:
    """Run the tests on a tree in a forked process; return whether all pass, and the CPU seconds."""
    process = os.fork()
    if not process:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))  # CPU time: the machine may be busy
        signal.alarm(30 * seconds)  # for mutants that wait for ever
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        code = 2
        try:
            sys.meta_path.insert(0, Mutated(path, tree))
            code = _pytest(tests)
        finally:
            os._exit(code)
    _, status, usage = os.wait4(process, 0)
    if status == NO_TESTS << 8:
        raise RuntimeError(f"There are no tests in {tests}.")
    return status == 0, usage.ru_utime + usage.ru_stime


def _pytest(tests: tuple[str, ...]) -> int:
    import pytest
    from hypothesis import HealthCheck, Phase, settings

    quick = {
        "phases": [Phase.explicit, Phase.generate],
        "deadline": None,
        "max_examples": 20,
        "suppress_health_check": list(HealthCheck),
    }
    settings.register_profile("mutants", derandomize=True, database=None, **quick)
    settings.load_profile("mutants")
    return pytest.main([*tests, *OPTIONS])


def run(target: str, sample: int | None, seed: int) -> tuple[int, int]:
    """Test the mutants of a target, print the survivors, and return the numbers of mutants and of killed ones."""
    name, tests, libraries = TARGETS[target]
    path, start = ROOT / name, time.monotonic()
    for library in libraries:
        importlib.import_module(library)
    source = path.read_text(encoding="utf-8")
    passed, used = test(path, ast.parse(source), tests, 600)
    if not passed:
        raise RuntimeError(f"The tests of {target} fail without a mutant: {' '.join(tests)}")
    if test(path, ast.parse("raise ImportError"), tests, 600)[0]:
        raise RuntimeError(f"{name} is not what the tests of {target} import.")
    seconds = round(5 + 5 * used)
    chosen = list(mutants(source))
    if sample is not None and sample < len(chosen):
        chosen = random.Random(seed).sample(chosen, sample)
    killed = 0
    for words, tree in chosen:
        if test(path, tree, tests, seconds)[0]:
            print(f"  {name} {words}", flush=True)
        else:
            killed += 1
    print(
        f"| {target} | {len(chosen)} | {killed} | {killed / len(chosen):.1%} | {time.monotonic() - start:.0f} |",
        flush=True,
    )
    return len(chosen), killed


def main() -> None:
    """Read the command line and run the targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "targets", nargs="*", metavar="target", choices=[*TARGETS, []], help=f"default: {' '.join(TARGETS)}"
    )
    parser.add_argument("--sample", type=int, help="number of mutants of each target; default: all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # for speed
    counts = [run(target, options.sample, options.seed) for target in options.targets or TARGETS]
    total, killed = map(sum, zip(*counts, strict=True))
    print(f"{killed} of {total} mutants killed: {killed / total:.1%}")


if __name__ == "__main__":
    main()
