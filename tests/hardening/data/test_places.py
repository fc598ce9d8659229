"""Caches and folders in a bad state, and two processes in one: right data, or one line that says why not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.hardening.attempts import Faults

from mnist_adder.data.images import load_images
from mnist_adder.data.mnist import MNIST, Manifest
from mnist_adder.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Handler, Mirrors

ROOT = Path(__file__).parents[3]
Folder = tuple[Path, Manifest]
AssertWhole = Callable[[], None]
NAME = f"{MNIST.files[0].name}.gz"


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def right_size_half_written(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


def link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def link_in_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def link_to_a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def anothers_content(path: Path) -> None:
    path.write_bytes((path.parent / f"{MNIST.files[2].name}.gz").read_bytes())


STATES = [
    half,
    right_size_half_written,
    empty,
    gone,
    link_to_nowhere,
    link_in_a_circle,
    link_to_a_device,
    pipe,
    anothers_content,
]


@pytest.mark.parametrize("spoil", STATES)
def test_a_bad_cache_is_repaired(
    small: Folder,
    mirrors: Mirrors,
    cache: Path,
    assert_whole: AssertWhole,
    faults: Faults,
    spoil: Callable[[Path], None],
) -> None:
    right = load_images("mnist", small[0], manifest=small[1])
    manifest = replace(small[1], mirrors=(mirrors.start(),))
    for name in (f"{file.name}.gz" for file in manifest.files):
        shutil.rmtree(cache, ignore_errors=True)
        shutil.copytree(small[0], cache)
        spoil(cache / name)
        with faults("cache file half-written, empty, a pipe or a link to nowhere"):
            assert load_images("mnist", manifest=manifest).sha256 == right.sha256
            assert_whole()
            assert (cache / name).is_file()
            assert not (cache / name).is_symlink()


def test_what_a_killed_process_left_is_passed_over(small: Folder, cache: Path) -> None:
    shutil.copytree(small[0], cache)
    (cache / f".{NAME}.k3xq").write_bytes(b"half a f")
    assert load_images("mnist", notify=pytest.fail, manifest=small[1]).dataset == "mnist"


def a_file(path: Path) -> None:
    path.write_text("no folder")


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_in_a_circle(path: Path) -> None:
    path.symlink_to(path.name)


def a_folder_for_a_file(path: Path) -> None:
    (path / NAME if path.name == "mnist" else path / "mnist" / NAME).mkdir(parents=True)


@pytest.mark.parametrize("make", [a_file, a_link_to_nowhere, a_link_in_a_circle, a_folder_for_a_file])
@pytest.mark.parametrize("place", ["cache", "cache/mnist"])
def test_a_cache_that_cannot_be_is_named(
    small: Folder,
    mirrors: Mirrors,
    tmp_path: Path,
    faults: Faults,
    make: Callable[[Path], None],
    place: str,
) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    make(path)
    with faults("cache is a file, a link to nowhere or holds a folder for a file"):
        with pytest.raises(
            DataError, match=rf"MNIST is not in the cache.*{path}.* cannot be written: \w"
        ) as caught:
            load_images("mnist", manifest=replace(small[1], mirrors=(mirrors.start(),)))
        assert "\n" not in str(caught.value)


def test_a_home_that_is_nobodys_is_named(
    small: Folder, tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faults("folder in a home that is nobody's"), pytest.raises(DataError, match="folder ~nobody0/mnist"):
        load_images("auto", "~nobody0/mnist", manifest=small[1])
    monkeypatch.setenv("MNIST_ADDER_DATA", "~nobody0/data")
    with faults("folder in a home that is nobody's"), pytest.raises(DataError, match="folder ~nobody0/data"):
        load_images("auto", manifest=small[1])
    monkeypatch.delenv("MNIST_ADDER_DATA")
    monkeypatch.setenv("MNIST_ADDER_CACHE", "~nobody0/cache")
    with (
        faults("folder in a home that is nobody's"),
        pytest.raises(DataError, match="MNIST_ADDER_CACHE is ~nobody0"),
    ):
        load_images("mnist", manifest=small[1])


@pytest.mark.parametrize("make", [a_file, a_link_to_nowhere, a_link_in_a_circle, Path.mkdir])
def test_a_folder_that_is_none_is_named(
    small: Folder, tmp_path: Path, faults: Faults, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "named")
    with (
        faults("folder is a file, empty or a link to nowhere"),
        pytest.raises(DataError, match=r"folder .*named"),
    ):
        load_images("auto", tmp_path / "named", pytest.fail, manifest=small[1])


# A user who may write only what is his, and no file of more than 4,096 bytes, as on a full disk. Pairs of a
# cache and a folder (or null) come in; for each the hash of the data goes out, or why there are none.
LIMITED = """
import json, os, resource, sys
import encodings.idna, requests  # while Python's files may still be read
from pathlib import Path
from mnist_adder.data import download
from mnist_adder.data.images import load_images
from mnist_adder.errors import DataError
from tests.data.conftest import write_small
from dataclasses import replace

manifest = replace(write_small(Path(sys.argv[1])), mirrors=(sys.argv[2],))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
if os.geteuid() == 0:
    os.seteuid(65534)
os.environ.pop("MNIST_ADDER_DATA", None)
answers = []
for cache, folder in json.loads(sys.argv[3]):
    os.environ["MNIST_ADDER_CACHE"] = cache
    try:
        answers.append(load_images("mnist", folder, manifest=manifest).sha256)
    except DataError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs another user's rights")
def test_without_the_right_or_the_room_to_write(small: Folder, mirrors: Mirrors, faults: Faults) -> None:
    right = load_images("mnist", small[0], manifest=small[1]).sha256
    with tempfile.TemporaryDirectory() as name:  # tmp_path lies in a folder that nobody else may enter
        top = Path(name)
        top.chmod(0o777)
        empty_, whole, damaged, locked, full = (
            top / kind for kind in ("empty", "whole", "damaged", "locked", "full")
        )
        for folder in (whole, damaged, locked):
            shutil.copytree(small[0], folder / "mnist")
        half(damaged / "mnist" / NAME)
        (locked / "mnist" / NAME).chmod(0)
        for folder in (empty_, full):
            folder.mkdir()
        full.chmod(0o777)
        for folder in (empty_, damaged / "mnist"):
            folder.chmod(0o555)
        (top / "closed" / "files").mkdir(parents=True)
        (top / "closed").chmod(0)
        cases: list[tuple[Path, Path | None, str]] = [
            (whole, None, right),
            (empty_, None, "cannot be written: Permission denied"),
            (damaged, None, "cannot be written: Permission denied"),
            (full, None, "cannot be written: File too large"),
            (whole, locked / "mnist", "cannot be read: Permission denied"),
            (whole, top / "closed" / "files", "cannot be read ([Errno 13] Permission denied"),
        ]
        asked = json.dumps([(str(cache), folder and str(folder)) for cache, folder, _ in cases])
        scratch = top / "scratch"
        scratch.mkdir()
        command = [sys.executable, "-c", LIMITED, str(scratch), mirrors.start(), asked]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        for (_, _, words), answer in zip(cases, json.loads(done.stdout), strict=True):
            with faults("cache or folder without the right or the room to write or read"):
                assert words in answer
                assert "\n" not in answer
        assert list((full / "mnist").iterdir()) == []  # nor is half a file left
        (top / "closed").chmod(0o777)


PROCESS = """
import os, sys
from dataclasses import replace
from pathlib import Path
from mnist_adder.data.images import load_images
from tests.data.conftest import write_small

os.environ.pop("MNIST_ADDER_DATA", None)
manifest = replace(write_small(Path(sys.argv[1])), mirrors=(sys.argv[2],))
for cache in sys.argv[3:]:
    os.environ["MNIST_ADDER_CACHE"] = cache
    print(load_images("mnist", manifest=manifest).sha256)
"""


def test_two_processes_fill_one_cache(
    small: Folder, mirrors: Mirrors, tmp_path: Path, faults: Faults
) -> None:
    """Each round in another cache, bad in another way; neither is done before both have begun."""
    both_under_way = threading.Barrier(2)

    def together(handler: Handler, content: bytes) -> None:
        if handler.command == "GET" and NAME in handler.path:
            both_under_way.wait(60)
        handler.send(content)

    rounds = [tmp_path / f"round{number}" for number in faults.times(36, 9)]
    for number, cache in enumerate(rounds):
        shutil.copytree(small[0], cache / "mnist")
        STATES[number % len(STATES)](cache / "mnist" / NAME)
        (cache / "mnist" / f"{MNIST.files[3].name}.gz").unlink()
    mirror, processes = mirrors.start(together), []
    for number in range(2):
        scratch = tmp_path / f"scratch{number}"
        scratch.mkdir()
        command = [sys.executable, "-W", "error", "-c", PROCESS, str(scratch), mirror, *map(str, rounds)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))  # type: ignore[call-overload]
    said = [process.communicate(timeout=120) for process in processes]
    right = load_images("mnist", small[0], manifest=small[1]).sha256
    assert [errors for _, errors in said] == ["", ""]
    for cache, *found in zip(rounds, *(out.split() for out, _ in said), strict=True):
        with faults("two processes fill one cache"):
            assert found == [right, right]
            names = [path.name for path in sorted((cache / "mnist").iterdir())]
            assert names == sorted(f"{file.name}.gz" for file in MNIST.files)  # and no temporary file
            for name in names:
                assert (cache / "mnist" / name).read_bytes() == (small[0] / name).read_bytes()
