"""Thousands of bad pictures: an answer, or one line that says what is wrong, soon and in little memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.hardening.attempts import Faults
from tests.hardening.inference.bad_pictures import everything
from tests.inference.test_picture_refused import draw, save

from mnist_adder import cli
from mnist_adder.errors import PictureError
from mnist_adder.inference.preprocess import preprocess

ROOT = Path(__file__).parents[3]
SECONDS = 2.0  # of the processor, for any one picture
PEAK_BYTES = 300e6  # that looking at all of them takes in one process


def look(content: bytes) -> float:
    """Preprocess a picture; seconds of the processor that it took."""
    began = time.process_time()
    try:
        image = preprocess(content)
    except PictureError as error:
        said = str(error)
        assert said.isprintable()
        assert len(said) < 400
    else:
        assert image.shape == (28, 28)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
    return time.process_time() - began


def eat(folder: Path) -> None:
    """Look at all pictures of a folder; print how many, the slowest's seconds, and the peak of memory."""
    before = memory("VmRSS")  # of the libraries: those of CUDA alone have 500 MB
    seconds = [look(path.read_bytes()) for path in sorted(folder.iterdir())]
    print(len(seconds), max(seconds), memory("VmHWM") - before)


def memory(kind: str) -> int:
    """Bytes of this process; getrusage would count what the parent had when it forked."""
    [kilobytes] = re.findall(rf"{kind}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them as files, called NUMBER-KIND."""
    made = tmp_path_factory.mktemp("pictures")
    for number, (kind, content) in enumerate(everything()):
        (made / f"{number:05d}-{kind}").write_bytes(content)
    return made


def kind_of(path: Path) -> str:
    return path.name.partition("-")[2]


def test_one_process_looks_at_all_of_them_soon_and_in_little_memory(folder: Path, faults: Faults) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from tests.hardening.inference import test_hostile_pictures as tests; "
        "tests.eat(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert done.returncode == 0
    count, seconds, peak = map(float, done.stdout.split())
    assert seconds < SECONDS
    assert peak < PEAK_BYTES, peak
    assert count == len(list(folder.iterdir()))
    for path in folder.iterdir():
        with faults(kind_of(path)):
            pass  # looked at there


Ask = Callable[[str], None]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Ask ``predict`` about a path, and see that it answers or says in one line why not."""

    def ask(path: str) -> None:
        monkeypatch.setattr(sys, "argv", ["mnist-adder", "predict", path, "7", "--run", "tiny", "--json"])
        code: object = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        check(code, *capfd.readouterr())

    return ask


def check(code: object, out: str, err: str) -> None:
    """The answer is one, with nothing beside it; or there is one line, and the exit code is 2."""
    if code in (0, None):
        answer = json.loads(out)
        assert err == ""
        assert answer["sum"] == answer["digit"] + 7
        assert sum(answer["digit_probabilities"]) == pytest.approx(1, abs=1e-4)
    else:
        assert (code, out) == (2, "")
        (line,) = err.splitlines()
        assert line.startswith("mnist-adder: ")
        assert line.isprintable()
        assert len(line) < 600


def test_the_command_line_answers_or_says_why_not(folder: Path, ask: Ask, faults: Faults) -> None:
    paths = sorted(folder.iterdir())
    for turn in faults.times(len(paths), len(paths) // 8):
        path = paths[turn * 7 % len(paths)]
        with faults(f"{kind_of(path)}, given to the command line"):
            began = time.process_time()
            ask(str(path))
            assert time.process_time() - began < SECONDS


def test_what_is_no_file(tmp_path: Path, ask: Ask, faults: Faults) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "endless").symlink_to("/dev/zero")
    odd = ["folder", "pipe", "circle", "endless", "missing", "folder/below", "pipe/below", "x" * 300]
    paths = [str(tmp_path / name) for name in odd]
    for path in (*paths, "/dev/zero", "/dev/null", "/proc/self/mem", "", "~", "http://localhost/7.png"):
        with faults("a path that leads to no picture"):
            ask(path)


def test_odd_names_of_good_pictures(tmp_path: Path, ask: Ask, faults: Faults) -> None:
    names = [b"two\nlines", b"\xff\xfe", b"\x1b[31mred", b"a b.PNG", b"[bold]", b"-", "٣".encode(), b"%s{0}"]
    for name in names:
        for content in (save(draw(), "PNG"), b"no picture"):
            with faults("a picture of an odd name"):
                path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
                Path(path).write_bytes(content)
                ask(path)


def test_real_processes(folder: Path, faults: Faults) -> None:
    """Most of the above is asked in this process; this is what a user starts."""
    bad = sorted(folder.iterdir(), key=lambda path: path.name[::-1])
    for turn in faults.times(25, 3):
        path = bad[turn * 997 % len(bad)]
        command = [sys.executable, "-m", "mnist_adder", "predict", str(path), "7", "--run", "tiny", "--json"]
        with faults("a bad picture, given to the command in a process of its own"):
            done = subprocess.run(command, capture_output=True, text=True)
            check(done.returncode, done.stdout, done.stderr)
