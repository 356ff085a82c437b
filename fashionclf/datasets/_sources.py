"""The published data sets: their files, their checksums, and who offers them for download."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from fashionclf._types import DatasetName, UInt8Array

Arrays: TypeAlias = tuple[UInt8Array, UInt8Array, UInt8Array, UInt8Array]
"""Train images, train labels, test images, test labels: the order of every list of files here."""


@dataclass(frozen=True)
class IdxFile:
    """One IDX file of unsigned bytes; `sha256` is of its content, however the file is compressed."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> bytes:
        """The bytes before the data: two zeros, the type (8: unsigned byte), the number of axes, the axes."""
        return bytes((0, 0, 8, len(self.shape))) + b"".join(n.to_bytes(4, "big") for n in self.shape)


@dataclass(frozen=True)
class Source:
    """A published data set: its folder, its four files and who offers them for download."""

    title: str
    folder: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    mirrors: tuple[str, ...]
    npz: str | None = None


def _four_files(*sha256: str) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    return (
        IdxFile("train-images-idx3-ubyte", (60_000, 28, 28), sha256[0]),
        IdxFile("train-labels-idx1-ubyte", (60_000,), sha256[1]),
        IdxFile("t10k-images-idx3-ubyte", (10_000, 28, 28), sha256[2]),
        IdxFile("t10k-labels-idx1-ubyte", (10_000,), sha256[3]),
    )


SOURCES: Final[dict[DatasetName, Source]] = {
    "fashion_mnist": Source(
        title="Fashion-MNIST",
        folder="fashion-mnist",
        files=_four_files(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
    ),
    "mnist": Source(
        title="MNIST",
        folder="mnist",
        files=_four_files(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        npz="mnist.npz",
    ),
}
"""The one table of facts. The sums are of the decompressed files, so repacking does no harm."""

ABOUT: Final[dict[DatasetName, str]] = {
    "fashion_mnist": "Fashion-MNIST: images of clothing (Xiao et al. 2017)",
    "mnist": "MNIST: handwritten digits (LeCun et al. 1998)",
    "synthetic": "a stand-in for Fashion-MNIST, drawn by numpy; accuracy on it says nothing about the real one",
}
