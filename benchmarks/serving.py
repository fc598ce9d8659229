"""What the HTTP service bears: ``python benchmarks/serving.py`` with nothing else running, eight minutes.

``mnist-adder serve`` with one worker, as it comes, logging and counting, in a process of its own; the load is
wrk's (``apt-get install wrk``), with one thread, on the same machine. MNIST's first 500 test images go in as
28 x 28 arrays in JSON, as 28 x 28 PNG files in forms and as the 320 x 320 PNG files that the page sends, over
16 and over 256 connections; then over more than it lets in, and at last for five minutes over 16, while its
memory is watched. Writes results/serving.json and
prints it. ``--quick`` takes seconds and writes nothing.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from PIL import Image

from mnist_adder import environment
from mnist_adder.data.images import load_images
from mnist_adder.safe_io import write_json
from mnist_adder.serving.limits import Limits

ROOT = Path(__file__).parent.parent
QUICK = "--quick" in sys.argv[1:]
SECONDS, SOAK_SECONDS = (2, 6) if QUICK else (15, 300)
IMAGES = 500
CONNECTIONS = (16, 256)
TOO_MANY = 2 * Limits().in_flight
BOUNDARY = "the-boundary-of-a-form"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
KINDS = {"json": "application/json", "png": FORM, "page": FORM}

LUA = """
local kind, path = "%s", "%s"
local bodies = {}
for line in io.lines(path) do
  bodies[#bodies + 1] = (line:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end
wrk.method = "POST"
wrk.headers["Content-Type"] = kind
local requests, next = {}, 0
init = function()
  for place, body in ipairs(bodies) do requests[place] = wrk.format(nil, nil, nil, body) end
end
request = function() next = next %% #requests + 1; return requests[next] end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %%d, "seconds": %%f, "p50_ms": %%f, "p99_ms": %%f, "worst_ms": %%f, ' ..
    '"refused": %%d, "failed": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def bodies(images: NDArray[np.uint8]) -> dict[str, list[bytes]]:
    """Each image as all kinds of request, with the numbers 0..9 in turn."""
    made: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    for place, image in enumerate(images):
        asked = {"number": place % 10, "pixels": image.tolist()}
        made["json"].append(json.dumps(asked, separators=(",", ":")).encode())
        made["png"].append(form(Image.fromarray(image), place % 10))
        made["page"].append(form(drawing(image), place % 10))
    return made


def drawing(image: NDArray[np.uint8]) -> Image.Image:
    """An image as the page would send it: black strokes with sharp edges on white, 320 x 320, in colours."""
    large = Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC)
    paper = Image.new("L", (320, 320), 255)
    paper.paste(large.point([max(0, min(255, 255 - 4 * (value - 96))) for value in range(256)]), (20, 20))
    return paper.convert("RGBA")


def form(picture: Image.Image, number: int) -> bytes:
    """A picture as a PNG file and a number, as browsers send them."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    start = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    return b"".join(
        [
            f'{start}"image"; filename="drawing.png"\r\nContent-Type: image/png\r\n\r\n'.encode(),
            content.getvalue(),
            f'\r\n{start}"number"\r\n\r\n{number}\r\n--{BOUNDARY}--\r\n'.encode(),
        ]
    )


def write_scripts(folder: Path, made: dict[str, list[bytes]]) -> dict[str, Path]:
    """What wrk runs to send the requests, by kind."""
    scripts = {}
    for kind, asked in made.items():
        data, scripts[kind] = folder / f"{kind}.hex", folder / f"{kind}.lua"
        data.write_text("\n".join(body.hex() for body in asked) + "\n")
        scripts[kind].write_text(LUA % (KINDS[kind], data))
    return scripts


@contextmanager
def serving(folder: Path, source: Path = ROOT / "src") -> Iterator[tuple[str, int]]:
    """The address and process id of the service whose code is in ``source``; its log goes to a file."""
    command = [sys.executable, "-m", "mnist_adder", "serve", "--port", "0"]
    log, variables = folder / "log", {**os.environ, "PYTHONPATH": str(source)}
    with log.open("w") as errors, subprocess.Popen(command, stderr=errors, env=variables) as process:
        try:
            until = time.monotonic() + 60
            while not (found := re.search(r"(?:serves|running) on (http://[\d.:]+)", log.read_text())):
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"the service does not start: {log.read_text()}")
                time.sleep(0.1)
            yield found[1], process.pid
        finally:
            process.terminate()


def right(url: str, kind: str, asked: list[bytes], digits: NDArray[Any]) -> float:
    """How often the digit and the sum answered are right: whether these are answers at all."""
    count = 0
    for place, body in enumerate(asked):
        request = urllib.request.Request(url, body, {"Content-Type": KINDS[kind]})
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        digit = int(digits[place])
        count += answer["digit"] == digit and answer["sum"] == digit + place % 10
    return count / len(asked)


def load(script: Path, url: str, connections: int, seconds: int) -> dict[str, Any]:
    """What wrk measures."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    answered = measured["requests"] - measured["refused"]
    return {"answered_per_second": round(answered / measured["seconds"]), **measured}


def memory(pid: int) -> float:
    """Of the service, in MB."""
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return round(int(kilobytes) / 1000, 1)


def soak(scripts: dict[str, Path], url: str, pid: int) -> dict[str, Any]:
    """All kinds in turn for minutes: errors, and memory after each piece."""
    pieces, sizes = [], []
    piece_seconds = max(2, SOAK_SECONDS // 20)
    for turn in range(SOAK_SECONDS // piece_seconds):
        pieces.append(load(scripts[list(scripts)[turn % len(scripts)]], url, 16, piece_seconds))
        sizes.append(memory(pid))
    return {
        "seconds": round(sum(piece["seconds"] for piece in pieces), 1),
        "requests": sum(piece["requests"] for piece in pieces),
        "errors": sum(piece["refused"] + piece["failed"] for piece in pieces),
        "memory_mb": sizes,
        "memory_grew_mb": round(sizes[-1] - sizes[1], 1),
    }


def measure(folder: Path) -> dict[str, Any]:
    """All figures."""
    data = load_images("mnist")
    images, digits = data.test_images[:IMAGES].numpy(), data.test_digits[:IMAGES].numpy()
    made = bodies(images)
    scripts = write_scripts(folder, made)
    with serving(folder) as (address, pid):
        url = f"{address}/predict"
        accuracy = {kind: right(url, kind, asked, digits) for kind, asked in made.items()}
        measured = {
            kind: {str(count): load(script, url, count, SECONDS) for count in CONNECTIONS}
            for kind, script in scripts.items()
        }
        overload = {"connections": TOO_MANY, **load(scripts["png"], url, TOO_MANY, SECONDS)}
        return {
            "joint_accuracy": accuracy,
            "connections": measured,
            "overload": overload,
            "soak": soak(scripts, url, pid),
        }


def main() -> None:
    """Measure, print, and without ``--quick`` write."""
    if shutil.which("wrk") is None:
        raise SystemExit("This needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder))
    results: dict[str, Any] = {
        "device": environment.describe_device(torch.device("cpu")),
        "cores": os.cpu_count(),
        "workers": 1,
        "images": IMAGES,
        "versions": {**environment.versions(), "onnxruntime": onnxruntime.__version__},
        "commit": environment.source_commit(),
        **measured,
    }
    path = Path(tempfile.gettempdir(), "serving.json") if QUICK else ROOT / "results" / "serving.json"
    write_json(path, results)
    print(path.read_text())


if __name__ == "__main__":
    main()
