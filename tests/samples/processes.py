"""Scripts in processes of their own, forked from one that has spent five seconds to import TensorFlow."""

import contextlib
import multiprocessing
import os
import sys
import tempfile
import textwrap
from pathlib import Path

LINUX = sys.platform == "linux"  # macOS must not fork what has loaded its frameworks, and Windows cannot
START = "forkserver" if LINUX else "spawn"
_CONTEXT = multiprocessing.get_context(START)
if LINUX:
    _CONTEXT.set_forkserver_preload(["tensorflow", "keras"])


def run(script, *arguments, timeout=300, **environment):
    """Run a script in a process that has imported TensorFlow and nothing of fashionclf; return what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        printed, errors = Path(folder, "out"), Path(folder, "err")
        inputs = (script, arguments, {**os.environ, **environment}, (printed, errors))
        process = _CONTEXT.Process(target=_execute, args=inputs)
        try:
            process.start()
            process.join(timeout)
            code = process.exitcode
        finally:
            process.kill()
            process.join()
            process.close()
        assert code == 0, f"exit code {code}\n{errors.read_text('utf-8')[-3000:]}"
        return printed.read_text("utf-8")


@contextlib.contextmanager
def started(script):
    """Start a script, and give its process and the file with what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "0.out"), Path(folder, "0.err")
        files[0].touch()
        process = _CONTEXT.Process(target=_execute, args=(script, (), dict(os.environ), files))
        process.start()
        try:
            yield process, files[0]
        finally:
            process.kill()
            process.join()
            process.close()


def _execute(script, arguments, environment, files):
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *map(str, arguments)]
    # what a script defines is found in `__main__` by pickle
    exec(compile(textwrap.dedent(script), "<script>", "exec"), vars(sys.modules["__main__"]))
