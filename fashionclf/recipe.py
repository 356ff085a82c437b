"""Recipe: how to train a model."""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import keras

from fashionclf._text import shown
from fashionclf._types import Precision, Schedule
from fashionclf._validation import check_choice, check_count, check_number
from fashionclf.augmentation import Augmentation

SCHEDULES: Final = ("constant", "one_cycle", "cosine")
PRECISIONS: Final = ("auto", "float32", "bfloat16")
OPTIMIZERS: Final[Mapping[str, type[keras.optimizers.Optimizer]]] = {
    name.lower(): optimizer
    for name, optimizer in vars(keras.optimizers).items()
    if isinstance(optimizer, type)
    and issubclass(optimizer, keras.optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")  # these wrap others
}
"""Keras's optimizers by the name that a `Recipe` or `Trainer` takes: `"adam"`, `"sgd"`, `"rmsprop"`, …"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train a model: the defaults of `Trainer.fit`.

    Args:
        optimizer: Name of a Keras optimizer, such as `"adam"`, `"sgd"`, `"rmsprop"`, `"adamw"`.
        learning_rate: Peak learning rate, above 0. None is the optimizer's own default.
        momentum: Of `"sgd"`, from 0 up to 1, in Nesterov's form.
        weight_decay: Share of every weight taken off per step, times the learning rate, as in AdamW.
        schedule: `"constant"`; `"one_cycle"`, a linear rise over the first quarter of all steps and a cosine
            fall to zero (Smith and Topin, arXiv:1708.07120); or `"cosine"`, the fall alone (Loshchilov and
            Hutter, arXiv:1608.03983).
        epochs: Number of passes over the training images; 0 if `freeze_epochs` is all.
        freeze_epochs: Number of passes before these in which only the last layer with weights is trained (fastai's
            word). The others compute as for inference. The layer is new, so it learns at ten times the
            `learning_rate`, if that is given. Where the augmentation flips, it gets each image and its mirror image;
            nothing else is changed at random.
        batch_size: Images per step.
        augmentation: Random changes to every batch, or None.
        label_smoothing: Share of each training label spread over all classes, from 0 up to 1 (Szegedy et
            al., arXiv:1512.00567). Validation and evaluation use the labels unchanged.
        cutmix: Probability, from 0 to 1, of pasting into a training image a box of another one of its batch; its
            label becomes a mixture by their areas (Yun et al., "CutMix", arXiv:1905.04899). The training accuracy then
            counts the larger part and is lower; validation and evaluation use whole images.
        precision: `"float32"`; `"bfloat16"` is mixed precision: most layers compute in bfloat16, weights stay float32
            (Micikevicius et al., arXiv:1710.03740); `"auto"` is bfloat16 on a GPU, and where the processor
            computes it faster; else float32.
        early_stopping: Stop after this many epochs without a better validation loss and restore the best
            weights. None trains all epochs.
        validation_split: Share of the training images set aside for validation, from 0 up to 1; used where
            `fit` is given no `validation_data`.

    Raises:
        ValueError: If a value is out of range or a name unknown.

    Example:
        >>> Recipe(optimizer="sgd", learning_rate=0.1, schedule="one_cycle", epochs=5).batch_size
        32
    """

    optimizer: str = "adam"
    learning_rate: float | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    epochs: int = 10
    freeze_epochs: int = 0
    batch_size: int = 32
    augmentation: Augmentation | None = None
    label_smoothing: float = 0.0
    cutmix: float = 0.0
    precision: Precision = "auto"
    early_stopping: int | None = None
    validation_split: float = 0.0

    def __post_init__(self) -> None:
        keep = functools.partial(object.__setattr__, self)  # plain Python values, which JSON and Keras take
        check_choice(self.optimizer, "optimizer", tuple(OPTIMIZERS))
        if self.learning_rate is not None:
            rate = check_number(self.learning_rate, "learning_rate", low=0, high=1000, open_low=True)
            keep("learning_rate", rate)
        keep("momentum", check_number(self.momentum, "momentum", low=0, high=1, open_high=True))
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(f"`momentum` is an option of 'sgd'. Received: optimizer={shown(self.optimizer)}")
        keep("weight_decay", check_number(self.weight_decay, "weight_decay", low=0, high=1, open_high=True))
        check_choice(self.schedule, "schedule", SCHEDULES)
        keep("freeze_epochs", check_count(self.freeze_epochs, "freeze_epochs", minimum=0))
        keep("epochs", check_count(self.epochs, "epochs", minimum=0 if self.freeze_epochs else 1))
        keep("batch_size", check_count(self.batch_size, "batch_size"))
        if self.augmentation is not None and not isinstance(self.augmentation, Augmentation):
            raise TypeError(f"`augmentation` must be an Augmentation or None. Received: {shown(self.augmentation)}")
        for name in ("label_smoothing", "validation_split"):
            keep(name, check_number(getattr(self, name), name, low=0, high=1, open_high=True))
        keep("cutmix", check_number(self.cutmix, "cutmix", low=0, high=1))
        check_choice(self.precision, "precision", PRECISIONS)
        if self.early_stopping is not None:
            keep("early_stopping", check_count(self.early_stopping, "early_stopping", minimum=0))

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON-ready values, as a saved classifier carries it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Rebuild a recipe from what `to_dict` gave. A missing key, as in a file of an older version, has its default.

        Raises:
            ValueError: If a value is out of range.
            TypeError: If a key is not a field of a recipe, or a value has the wrong type.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"A recipe is read from a dictionary. Received: {shown(values)}")
        augmentation = values.get("augmentation")
        return cls(**{**values, "augmentation": augmentation and Augmentation(**augmentation)})
