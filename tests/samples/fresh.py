"""Scripts in fresh processes.

`run` starts a new Python for a script, and notes what threads of fashionclf import: a package that threads share must
be imported before they start, else one of them can meet a module that another has imported in part. (Waiting for that
to happen shows it on some machines only.)

`ForkServer.run` forks a process that has imported some modules and has done nothing else, which saves the time that
this takes (five seconds for TensorFlow). Fresh in the child: fashionclf, and everything that TensorFlow and Keras do
when they are first used (devices, threads, compiled functions). Not fresh: those modules and what they import.
TensorFlow and Keras import numpy; and pillow, OpenCV, matplotlib and scikit-learn where they are installed.
"""

import faulthandler
import importlib
import json
import os
import runpy
import subprocess
import sys
import threading
import traceback
import warnings
from pathlib import Path

HANGS = 240  # seconds after which a script is stopped, and says where each of its threads was


def run(script, folder, *, environment, strict=False):
    """Run a script in a folder, in a new process; return its exit status and what it prints."""
    command = [sys.executable, "-P", __file__, json.dumps(_request([script], folder, strict))]
    return _finished(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL).wait(), folder)


class ForkServer:
    """A process that imports modules, and runs scripts in forks of itself, one after the other."""

    def __init__(self, environment, *modules):
        command = [sys.executable, "-P", __file__, "serve", *modules]
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *scripts, folder, strict=False):
        """Run scripts in a folder, in one new process; return its exit status and what it prints."""
        print(json.dumps(_request(scripts, folder, strict)), file=self._process.stdin, flush=True)
        return _finished(int(self._process.stdout.readline()), folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._process:  # which waits for it
            self._process.stdin.close()


def _request(scripts, folder, strict):
    return {"scripts": [str(script) for script in scripts], "folder": str(folder), "strict": strict}


def _finished(code, folder):
    return code, (Path(folder) / "printed.txt").read_text(encoding="utf-8")


# -- in the other process -------------------------------------------------------------------------


def _serve(modules):
    """Import modules, and fork for every request."""
    for name in modules:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os.close(0)
            os.open(os.devnull, os.O_RDONLY)
            _work(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _work(request):
    """Run the scripts of a request as main modules, and end the process."""
    os.chdir(request["folder"])
    printed = os.open("printed.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(printed, stream)
    faulthandler.dump_traceback_later(HANGS, exit=True)
    noted = _ImportedByThreads()
    sys.meta_path.insert(0, noted)
    if request["strict"]:
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
    try:
        for script in request["scripts"]:
            runpy.run_path(script, run_name="__main__")
        shared = set(noted) - sys.stdlib_module_names
        assert not shared, f"imported by threads, not before they start: {sorted(shared)}"
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    sys.exit(0)


class _ImportedByThreads(list):
    """A finder that finds nothing, and notes the packages that fashionclf imports outside the main thread."""

    def find_spec(self, name, path=None, target=None):
        if path is None and threading.current_thread() is not threading.main_thread():
            frame = sys._getframe()
            while frame and (frame.f_globals is globals() or "importlib" in frame.f_code.co_filename):
                frame = frame.f_back
            if frame and frame.f_globals["__name__"].startswith("fashionclf."):
                self.append(name)


if __name__ == "__main__":
    _serve(sys.argv[2:]) if sys.argv[1] == "serve" else _work(json.loads(sys.argv[1]))
