"""Images and labels as other libraries have them. Stand-ins show what their classes show: none is needed for tests."""

import sys
from types import ModuleType

import numpy as np
import pytest
from ml_dtypes import bfloat16
from PIL import Image

import fashionclf as fc


class Tensor:
    """As much of a tensor of torch as is looked at."""

    def __init__(self, values, dtype="float32"):
        self.values, self.dtype = values, dtype
        self.shape = values.shape

    def detach(self):
        return Tensor(self.values, self.dtype)

    cpu = detach

    def is_floating_point(self):
        return self.values.dtype.kind == "f"

    def float(self):
        return Tensor(self.values)

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        if self.dtype == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values

    def __getitem__(self, index):
        return Tensor(self.values[index], self.dtype)


class DataLoader:
    """Batches `[images, labels]` of tensors, any number of times."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return -(-len(self.labels) // 8)

    def __iter__(self):
        starts = range(0, len(self.labels), 8)
        return ([self.images[i : i + 8], self.labels[i : i + 8]] for i in starts)


class Rows:
    """A data set of rows, as Hugging Face and torch have them: a length and items, no array."""

    def __init__(self, rows):
        self.rows, self.shape = rows, (len(rows), 2)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


class Frame:
    """A table with columns that may have gaps: numpy gets objects from it."""

    def __init__(self, values):
        self.values, self.shape = values.astype(object), values.shape

    def __array__(self, dtype=None, copy=None):
        return self.values

    def to_numpy(self):
        return self.values


@pytest.fixture(scope="module", autouse=True)
def torch():
    modules = {name: ModuleType(name) for name in ("torch", "torch.utils", "torch.utils.data")}
    modules["torch"].Tensor, modules["torch"].utils = Tensor, modules["torch.utils"]
    modules["torch.utils"].data, modules["torch.utils.data"].DataLoader = modules["torch.utils.data"], DataLoader
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        yield


@pytest.fixture(scope="module")
def data(garments):
    return garments[0][:20], garments[1][:20]


def forms(images, labels):
    """Return the same images with labels in many forms."""
    first = Tensor(images[:, np.newaxis] / np.float32(255))
    rows = [{"image": image, "label": int(label)} for image, label in zip(images, labels, strict=True)]
    pairs = [(Image.fromarray(image), int(label)) for image, label in zip(images, labels, strict=True)]
    return {
        "DataLoader": DataLoader(first, Tensor(labels.astype(np.int64))),
        "rows": rows,
        "columns": {"img": list(images), "labels": labels},
        "rows of a data set": Rows([{"label": row["label"], "image": Image.fromarray(row["image"])} for row in rows]),
        "pairs of a data set": Rows(pairs),
    }


@pytest.mark.parametrize("form", forms(np.zeros((1, 28, 28), np.uint8), np.zeros(1)))
def test_images_with_their_labels(fitted, data, form):
    x = forms(*data)[form]
    np.testing.assert_allclose(fitted.predict_proba(x), fitted.predict_proba(data[0]), atol=1e-5)
    assert fitted.evaluate(x) == pytest.approx(fitted.evaluate(*data), rel=1e-4)
    assert fitted.report(x).accuracy == fitted.report(*data).accuracy


@pytest.mark.parametrize("form", ["DataLoader", "pairs of a data set"])
def test_they_train(trained, data, form):
    trained(forms(*data)[form], validation_data=forms(*data)["rows"])
    assert sorted(trained.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]


def images_alone(images):
    first = images[:, np.newaxis] / np.float32(255)
    return {
        "tensor, channels first": Tensor(first),
        "tensor of bfloat16": Tensor(first, "bfloat16"),
        "list of tensors": list(map(Tensor, first)),
        "array of bfloat16": (images / 255).astype(bfloat16),
        "table of integers": Frame(images.reshape(len(images), -1)),
        "table of floats": Frame(images.reshape(len(images), -1) / 255),
        "PIL images": list(map(Image.fromarray, images)),
        "iterator of a DataLoader": iter(DataLoader(Tensor(first), Tensor(np.zeros(len(images), np.int64)))),
    }


@pytest.mark.parametrize("form", images_alone(np.zeros((1, 28, 28), np.uint8)))
def test_images_alone(fitted, data, form):
    found = fitted.predict_proba(images_alone(data[0])[form])
    np.testing.assert_allclose(found, fitted.predict_proba(data[0]), atol=0.02 if "bfloat16" in form else 1e-5)


def test_channels_first_in_colour():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fc.prepare_images(Tensor(np.moveaxis(images, -1, 1))), fc.prepare_images(images))


@pytest.mark.parametrize("kind", [list, np.array, lambda names: np.array(names, object)])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_labels_may_be_class_names(fitted, data, kind, language):
    names = fc.class_names("fashion_mnist", language)
    labels = kind([names[label] for label in data[1]])
    assert fitted.evaluate(data[0], labels) == fitted.evaluate(*data)


def test_photographs_with_labels(fitted, data, tmp_path):
    for number, image in enumerate(data[0]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    assert fitted.report(tmp_path, data[1]).accuracy == fitted.report(*data).accuracy
    with (tmp_path / "3.png").open("rb") as file:
        assert fitted.predict(file).labels == fitted.predict(data[0][3]).labels
        assert fitted.evaluate(file, [data[1][3]])["accuracy"] in (0, 1)
    assert fitted.evaluate(sorted(tmp_path.iterdir(), key=lambda path: int(path.stem)), data[1])["accuracy"] > 0


def test_streams_of_photographs_with_labels(fitted, trained, data, tmp_path):
    import tensorflow as tf

    paths = [str(tmp_path / f"{number}.png") for number in range(20)]
    for path, image in zip(paths, data[0], strict=True):
        Image.fromarray(image).save(path)
    singles = tf.data.Dataset.from_tensor_slices((paths, data[1]))
    names = tf.data.Dataset.from_tensor_slices((paths, [fc.CLASS_NAMES[label] for label in data[1]]))
    expected = fitted.evaluate(*data)
    for stream in (singles, singles.batch(8), names, DataLoader(paths, data[1])):
        assert fitted.evaluate(stream) == pytest.approx(expected, rel=1e-4)
        np.testing.assert_allclose(fitted.predict_proba(stream), fitted.predict_proba(data[0]), atol=1e-5)
    trained(singles, epochs=2, validation_data=singles)
    assert len(trained.history["val_loss"]) == 2


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        ([{"pixels": np.zeros((28, 28))}], None, TypeError, r"dictionaries with 'pixels'; expected the key 'image'"),
        (Rows([]), None, ValueError, "empty Rows"),
        ([{"image": np.zeros((28, 28)), "label": 1}], [1], ValueError, "has its own labels: leave out `y`"),
        ([{"image": np.zeros((28, 28))}], None, ValueError, "Labels are missing"),
        (np.zeros((1, 28, 28), np.uint8), ["Hat"], ValueError, "has the classes 'Hat'"),
    ],
)
def test_mistakes(fitted, x, y, error, message):
    with pytest.raises(error, match=message):
        fitted.evaluate(x, y)


def test_batches_of_photographs_are_no_labels(fitted, data, tmp_path):
    images = data[0][:6]
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    first = [Tensor(image[np.newaxis] / np.float32(255)) for image in images]
    expected = fitted.predict_proba(images)
    for singles in (paths, list(map(Image.open, paths)), first, list(images)):
        for batches in ([singles[:2], singles[2:]], [tuple(singles[:3]), tuple(singles[3:])]):
            np.testing.assert_allclose(fitted.predict_proba(iter(batches)), expected, atol=1e-5)


def test_class_names_of_a_data_set(small_trainer, data):
    class Named(Rows):
        def __init__(self, rows):
            super().__init__(rows)
            self.features = {"label": type("ClassLabel", (), {"names": list(fc.CLASS_NAMES[::-1])})}

    turned = Named([{"image": image, "label": 9 - int(label)} for image, label in zip(*data, strict=True)])
    trainer = small_trainer()
    trainer.class_names = fc.CLASS_NAMES
    assert trainer.evaluate(turned) == pytest.approx(trainer.evaluate(*data))
    trainer = small_trainer()
    trainer.fit(turned, epochs=1, verbose=0)
    assert trainer.class_names == fc.CLASS_NAMES[::-1]


def test_a_turned_image_is_read_as_its_file(fitted, data, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(data[0][1]).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        np.testing.assert_array_equal(fitted.predict_proba(image), fitted.predict_proba(tmp_path / "turned.png"))


def test_the_number_of_labels_tells_one_image_from_many():
    assert fc.Split(np.zeros((4, 9, 3), np.uint8), [0, 1, 0, 1]).image_shape == (9, 3, 1)
    assert fc.Split(np.zeros((4, 9, 3), np.uint8), [0]).image_shape == (4, 9, 3)
