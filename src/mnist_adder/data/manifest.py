"""MNIST as it was published: four files, what they must contain, and who serves them.

In: nothing. Out: :data:`MNIST`. Next: sources, which reads these files, and download, which fetches them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ManifestFile:
    """One published file, pinned by its content both packed and unpacked."""

    name: str
    """Without ``.gz``."""
    shape: tuple[int, ...]
    sha256: str
    """Of the unpacked bytes, header included: a file packed anew, or not at all, is still the file."""
    packed_sha256: str
    """Of the ``.gz`` as served."""
    packed_bytes: int
    """Size of the ``.gz`` as served."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The four files of a dataset, and mirrors (URLs that end in a slash) which serve them."""

    train_images: ManifestFile
    train_digits: ManifestFile
    test_images: ManifestFile
    test_digits: ManifestFile
    mirrors: tuple[str, ...]

    @property
    def files(self) -> tuple[ManifestFile, ManifestFile, ManifestFile, ManifestFile]:
        """The four files: training images and digits, test images and digits."""
        return self.train_images, self.train_digits, self.test_images, self.test_digits


MNIST = Manifest(
    train_images=ManifestFile(
        name="train-images-idx3-ubyte",
        shape=(60_000, 28, 28),
        sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        packed_sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        packed_bytes=9_912_422,
    ),
    train_digits=ManifestFile(
        name="train-labels-idx1-ubyte",
        shape=(60_000,),
        sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        packed_sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        packed_bytes=28_881,
    ),
    test_images=ManifestFile(
        name="t10k-images-idx3-ubyte",
        shape=(10_000, 28, 28),
        sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        packed_sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        packed_bytes=1_648_877,
    ),
    test_digits=ManifestFile(
        name="t10k-labels-idx1-ubyte",
        shape=(10_000,),
        sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        packed_sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        packed_bytes=4_542,
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)
"""The MNIST database of handwritten digits (LeCun, Cortes, Burges)."""
