"""The table of presets: how each is built, trained and evaluated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import keras

from fashionclf._images import IMAGE_SHAPE
from fashionclf._types import ImageShape, LabelSet, PresetName
from fashionclf._validation import check_choice, check_flag
from fashionclf.augmentation import Augmentation
from fashionclf.labels import class_names
from fashionclf.models import cnn_model, dense_model
from fashionclf.presets._networks import (
    accurate_model,
    balanced_model,
    efficientnet_lite0,
    fast_model,
    rowwise_model,
)
from fashionclf.pretrained import PretrainedWeights, pretrained_weights
from fashionclf.recipe import Recipe


@dataclass(frozen=True, kw_only=True, eq=False)
class Preset:
    """A named system: its model, its recipe, and the metrics reported for it.

    Attributes:
        name: What `Trainer.from_preset` takes.
        description: The layers, in a line.
        network: The function that `build` calls with `num_classes`, `seed` and `name`.
        parameters: Number of weights and biases, for the classes of its data set.
        recipe: How it is trained.
        image_shape: `(height, width, channels)` of its images.
        dataset: The data set whose classes it has, a name that `class_names` takes.
        evaluated_on: What the reported metrics were measured on: `"validation"` (the 12,000 images of the documents'
            split), `"test"`, `"train"` (the running figures of the last epoch), or `"folds"` (five, by the person who
            took the photographs).
        reported: Metrics that the source reports, `"accuracy"` and `"loss"`; empty if it reports none.
        source: Where the system comes from.
        frozen_until: The name of the last layer that stays frozen once pretrained weights are loaded; None freezes
            none. Set `layer.trainable` to change that.

    Example:
        >>> preset = get_preset("cnn_fast")
        >>> preset.parameters, preset.recipe.epochs, preset.pretrained.file
        (422698, 3, 'cnn_fast.npz')
        >>> preset.build(0).name
        'cnn_fast'
    """

    name: PresetName
    description: str
    network: Callable[..., keras.Model]
    parameters: int
    recipe: Recipe
    image_shape: ImageShape = IMAGE_SHAPE
    dataset: LabelSet = "fashion_mnist"
    evaluated_on: str
    reported: Mapping[str, float] = field(default_factory=dict)
    source: str = "tutorials"
    frozen_until: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reported", MappingProxyType(dict(self.reported)))  # one table for everybody

    def __reduce__(self) -> tuple[Any, ...]:
        return get_preset, (self.name,)  # there is one of each name

    def build(self, seed: int | None = None, *, num_classes: int | None = None) -> keras.Model:
        """Build the model, untrained.

        Args:
            seed: Of initial weights and dropout, from 0 to 2**32 - 1. None draws fresh entropy.
            num_classes: Number of classes; None is that of its data set. 1 gives one sigmoid unit, for two classes.
        """
        if num_classes is None:
            num_classes = len(class_names(self.dataset))
        model: keras.Model = self.network(num_classes=num_classes, seed=seed, name=self.name)
        return model

    @property
    def pretrained(self) -> PretrainedWeights | None:
        """The weights that `Trainer.from_preset(name, pretrained=True)` loads; None if there are none."""
        return pretrained_weights().get(self.name)


_RMSPROP: Final = Recipe(optimizer="rmsprop", epochs=5, validation_split=0.2, precision="float32")
_dense = partial(Preset, recipe=_RMSPROP, evaluated_on="validation")
_residual = partial(
    Preset,
    description="Conv 32, 2 residual blocks → Conv 64 → pool, 2 blocks → Conv 128 → pool, 1 block → Dense 10",
    network=accurate_model,
    parameters=582_698,
    evaluated_on="test",
)
_one_cycle = partial(Recipe, optimizer="sgd", momentum=0.9, schedule="one_cycle")
_PRESETS: Final = (
    _dense(
        name="softmax",
        description="784 → Dense 10 softmax",
        network=partial(dense_model, units=()),
        parameters=7_850,
        reported={"accuracy": 0.8496, "loss": 0.4499},
    ),
    _dense(
        name="dense_100",
        description="784 → Dense 100 relu → Dense 10",
        network=partial(dense_model, units=(100,)),
        parameters=79_510,
    ),
    _dense(
        name="dense_200",
        description="784 → Dense 200 relu → Dense 10",
        network=partial(dense_model, units=(200,)),
        parameters=159_010,
        reported={"accuracy": 0.8758, "loss": 0.3675},
    ),
    _dense(
        name="dense_200_100",
        description="784 → Dense 200 relu → Dense 100 relu → Dense 10",
        network=partial(dense_model, units=(200, 100)),
        parameters=178_110,
        reported={"accuracy": 0.8625, "loss": 0.3976},
    ),
    Preset(
        name="dense_256_64",
        description="784 → Dense 256 relu → Dense 64 relu → Dense 10, on digits",
        network=partial(dense_model, units=(256, 64)),
        parameters=218_058,
        recipe=Recipe(epochs=10, precision="float32"),
        dataset="mnist",
        evaluated_on="test",
    ),
    Preset(
        name="dense_rowwise",
        description="raw pixels; each row → Dense 128 relu → Dense 64 relu; all rows → Dense 10",
        network=partial(rowwise_model, units=(128, 64)),
        parameters=29_898,
        recipe=Recipe(epochs=5, precision="float32"),
        evaluated_on="train",
        reported={"accuracy": 0.8659, "loss": 0.3817},
    ),
    Preset(
        name="cnn_small",
        description="Conv 32 → MaxPool → Dense 64 relu → Dense 10",
        network=partial(cnn_model, filters=(32,), units=(64,), dropout=0.0),
        parameters=402_442,
        recipe=Recipe(epochs=5, precision="float32"),
        evaluated_on="test",
        reported={"accuracy": 0.9089, "loss": 0.2617},
    ),
    Preset(
        name="cnn_dropout",
        description="Conv 32 → MaxPool → Conv 64 → MaxPool → Dense 100 relu → Dropout 0.4 → Dense 10",
        network=cnn_model,
        parameters=333_526,
        recipe=Recipe(epochs=20, early_stopping=2, validation_split=0.2, precision="float32"),
        evaluated_on="validation",
        reported={"accuracy": 0.9202, "loss": 0.2157},
    ),
    Preset(
        name="cnn_fast",
        description="fixed whitening Conv 32 5x5, stride 2 → Conv 64 → MaxPool, norm → Dense 128, norm → Dense 10",
        network=fast_model,
        parameters=422_698,
        recipe=_one_cycle(learning_rate=0.8, epochs=3, batch_size=480, label_smoothing=0.1),
        evaluated_on="validation",
        source="fashionclf: made for a short time to accuracy, see docs/performance.md",
    ),
    Preset(
        name="cnn_balanced",
        description="Conv 32 → pool → Conv 64 → Conv 64 → pool → Conv 128 → Dense 256 → Dense 10, norms, dropout 0.3",
        network=balanced_model,
        parameters=1_739_690,
        recipe=_one_cycle(
            learning_rate=0.8,
            weight_decay=5e-4,
            epochs=7,
            batch_size=480,
            label_smoothing=0.1,
            augmentation=Augmentation(horizontal_flip=True, max_shift=0),
        ),
        evaluated_on="test",
        source="fashionclf: made for two minutes of training on two cores, see docs/performance.md",
    ),
    _residual(
        name="cnn_accurate",
        recipe=_one_cycle(
            learning_rate=0.4,
            weight_decay=1e-3,
            epochs=90,
            batch_size=250,
            label_smoothing=0.05,
            cutmix=0.5,
            augmentation=Augmentation(horizontal_flip=True, max_shift=2, erasing=0.25),
        ),
        source="fashionclf: made for its pretrained weights, see docs/model_cards/cnn_accurate.md",
    ),
    _residual(
        name="cnn_robust",
        recipe=_one_cycle(
            learning_rate=0.2,
            weight_decay=5e-4,
            epochs=20,
            batch_size=250,
            label_smoothing=0.05,
            cutmix=0.4,
            augmentation=Augmentation(horizontal_flip=True, max_shift=1),
        ),
        source="fashionclf: made for photographs and changed images, see docs/model_cards/cnn_robust.md",
    ),
    Preset(
        name="efficientnet_lite0",
        description="EfficientNet-Lite0 for photographs in colour, 192x192x3: 16 blocks, of which 11 are trained",
        network=partial(efficientnet_lite0, image_shape=(192, 192, 3)),
        parameters=3_373_058,
        image_shape=(192, 192, 3),
        recipe=Recipe(
            optimizer="adamw",
            learning_rate=6e-4,
            weight_decay=0.05,
            schedule="one_cycle",
            freeze_epochs=10,
            epochs=10,
            batch_size=32,
            label_smoothing=0.1,
            augmentation=Augmentation(
                horizontal_flip=True,
                max_shift=19,
                rotation=15,
                zoom=0.25,
                contrast=0.3,
                brightness=0.2,
                saturation=0.5,
                erasing=0.25,
                fill_mode="nearest",
            ),
        ),
        dataset="clothing",
        evaluated_on="folds",
        frozen_until="block_5_add",
        source="Tan and Le, arXiv:1905.11946; see docs/model_cards/efficientnet_lite0.md",
    ),
)
_BY_NAME: Final[dict[PresetName, Preset]] = {preset.name: preset for preset in _PRESETS}


def list_presets(*, pretrained: bool = False) -> list[PresetName]:
    """Return the names that `Trainer.from_preset` and `get_preset` take.

    Args:
        pretrained: Only those for which the package has trained weights.

    Example:
        >>> "cnn_dropout" in list_presets()
        True
        >>> list_presets(pretrained=True)
        ['cnn_fast', 'cnn_accurate', 'cnn_robust', 'efficientnet_lite0']
    """
    only_pretrained = check_flag(pretrained, "pretrained")
    return [name for name, preset in _BY_NAME.items() if preset.pretrained or not only_pretrained]


def get_preset(name: PresetName) -> Preset:
    """Return a preset: its recipe, its data set, the metrics reported for it.

    Args:
        name: One of `list_presets()`.

    Raises:
        ValueError: If there is no such preset.
        TypeError: If the name is not a string.

    Example:
        >>> get_preset("cnn_dropout").parameters
        333526
    """
    return _BY_NAME[check_choice(name, "preset", tuple(_BY_NAME))]
