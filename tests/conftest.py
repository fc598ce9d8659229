"""What all tests share: the data they run on, and the rule that nothing is skipped in CI.

``data`` is real MNIST where ``MNIST_ADDER_DATA`` names its folder, else the bundled digits; tests that
take it pass with either. Tests marked ``mnist`` need the real
files. Tests marked ``gpu`` are left out altogether where there is no CUDA device, and those marked ``pinned``
by `make newest`. With ``CI=true`` any test that is skipped has failed.
"""

from __future__ import annotations

import os

# One thread, here and in the processes that tests start: on small data more of them are no quicker, and on a
# busy machine they wait for each other a hundred times longer than they work. Where a test asks for two, they
# sleep while they wait. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# As the package does; tests may start ONNX Runtime before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.runs import Run

ROOT = Path(__file__).parent.parent
# The files that take longest, the longest first: they run while the many short ones follow.
LONGEST = [
    "tests/notebooks/test_mnist_adder.py",
    "tests/test_docs.py",
    "tests/training/test_train.py",
    "tests/hardening/training/test_killed.py",
    "tests/reports/test_page.py",
    "tests/serving/page/test_page.py",
    "tests/training/test_distributed.py",
    "tests/training/test_unchanged.py",
    "tests/training/test_determinism.py",
    "tests/inference/test_export.py",
    "tests/serving/page/test_page_pictures.py",
    "tests/worksheet/test_recalculated.py",
    "tests/examples/test_adder.py",
    "tests/test_lr_finder.py",
    "tests/hardening/training/test_full_disk.py",
]
HAS_MNIST = bool(os.environ.get("MNIST_ADDER_DATA"))
IN_CI = os.environ.get("CI", "").lower() == "true"

# A shared machine has slow moments, so no deadline; CI runs the same examples each time.
settings.register_profile("mnist-adder", deadline=None, database=None, derandomize=IN_CI, max_examples=50)
settings.load_profile("mnist-adder")


@pytest.fixture(scope="session")
def data() -> DigitImages:
    """Real MNIST if its folder is named, else the bundled digits."""
    return load_images("mnist" if HAS_MNIST else "digits")


@pytest.fixture
def mnist(data: DigitImages) -> DigitImages:
    """Real MNIST, for tests marked ``mnist``."""
    if data.dataset != "mnist":
        pytest.fail("a test that takes the fixture mnist must be marked @pytest.mark.mnist")
    return data


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder of the four MNIST files, for tests marked ``mnist``."""
    return Path(os.environ["MNIST_ADDER_DATA"]).expanduser()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not HAS_MNIST:
        reason = "set MNIST_ADDER_DATA to the folder of the four MNIST files"
        for item in items:
            if item.get_closest_marker("mnist"):
                item.add_marker(pytest.mark.skip(reason=reason))
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(ROOT).as_posix(), len(places)))
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not _has_cuda():
        config.hook.pytest_deselected(items=on_gpu)
        items[:] = [item for item in items if item not in on_gpu]


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A real run, quickly: three epochs on the bundled digits. Tests copy it before they change it."""
    from mnist_adder.training.config import TrainConfig
    from mnist_adder.training.train import train

    folder = tmp_path_factory.mktemp("runs") / "trained"
    return train(
        TrainConfig(
            model="exact-sum",
            recipe={"epochs": "3", "batch_size": "64", "weight_averaging": "none"},
            dataset="digits",
            run_dir=folder,
        )
    )
