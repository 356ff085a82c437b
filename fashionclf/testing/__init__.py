"""What the tests of a project that uses fashionclf need: a tiny data set, a fake Trainer and a real one.

    from fashionclf.testing import fake_trainer, ready_trainer, tiny_dataset

`tiny_dataset`, `fake_trainer` and `ready_trainer` are pytest fixtures of the same names as well, wherever fashionclf is
installed. Only `ready_trainer` needs TensorFlow.
"""

from fashionclf.testing._fake import FakeTrainer, fake_trainer
from fashionclf.testing._ready import ready_trainer, tiny_dataset

__all__ = ["FakeTrainer", "fake_trainer", "ready_trainer", "tiny_dataset"]

for _name in __all__:
    globals()[_name].__module__ = __name__  # a pickle must name the public module
