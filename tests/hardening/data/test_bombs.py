"""Files that unpack to far more than they are: refused, in bounded memory, which the system enforces."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.hardening.attempts import Faults

from mnist_adder.data.mnist import MNIST

ROOT = Path(__file__).parents[3]
MEMORY = 320 * 2**20
"""What loading may take beside Python and its libraries: five times the largest file that is read."""

# Loads each folder named, after it has forbidden itself any further memory, and prints what came of it.
PROCESS = """
import json, resource, sys
from pathlib import Path
from mnist_adder.data.images import load_images
from mnist_adder.errors import DataError

pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
messages = []
for folder in sys.argv[2:]:
    try:
        messages.append(load_images("mnist", folder).dataset)
    except DataError as error:
        messages.append(str(error))
    except MemoryError:
        messages.append("MemoryError")
print(json.dumps(messages))
"""


def zeros(packed_bytes: int, before: bytes = b"") -> bytes:
    """``before`` and zeros without end, packed: of a megabyte of zeros a kilobyte remains."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)  # depends on nothing before it
    return start + block * ((packed_bytes - len(start)) // len(block))


def header(*sizes: int) -> bytes:
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def with_a_long_name() -> bytes:
    """60 MB of the gzip header's file name."""
    return b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 60_000_000 + b"\0" + gzip.compress(b"")[10:]


BOMBS: list[Callable[[], bytes]] = [
    lambda: zeros(200_000),  # 200 MB
    lambda: zeros(60_000_000),  # 60 GB
    lambda: zeros(60_000_000, header(60_000, 28, 28)),
    lambda: zeros(200_000, header(2**32 - 1, 2**32 - 1, 2**32 - 1)),
    lambda: zeros(200_000, header(2**32 - 1)),
    lambda: gzip.compress(zeros(60_000_000), 9),  # a bomb in a bomb
    lambda: gzip.compress(header(2**32 - 1, 28, 28)),  # promises 3 TB and holds nothing
    lambda: gzip.compress(bytes(64 * 2**20)),  # as much as is ever unpacked, and no IDX file
    lambda: gzip.compress(header(64 * 2**20 - 8) + bytes(64 * 2**20 - 8), 1),  # a well-formed one
    lambda: np.random.default_rng(0).bytes(64 * 2**20 + 1),  # not packed at all
    lambda: gzip.compress(np.random.default_rng(0).bytes(63 * 2**20), 0),  # packed, but no smaller
    with_a_long_name,
]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_bombs_are_refused_in_bounded_memory(tmp_path: Path, faults: Faults) -> None:
    folders = []
    for place in faults.times(len(BOMBS), 7):
        folder = tmp_path / str(place)
        folder.mkdir()
        (folder / "bomb").write_bytes(BOMBS[place]())
        for file in MNIST.files:
            (folder / f"{file.name}.gz").symlink_to("bomb")
        folders.append(folder)
    command = [sys.executable, "-c", PROCESS, str(MEMORY), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    for folder, message in zip(folders, json.loads(done.stdout), strict=True):
        with faults("gzip bomb, in bounded memory"):
            assert message.startswith(str(folder)), message
            assert message.endswith("Replace it by a fresh copy.")
