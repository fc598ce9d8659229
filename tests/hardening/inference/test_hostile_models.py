"""ONNX files that are damaged or made to do harm: refused clearly, or the answers are finite numbers.

What might end the interpreter is tried in a process of its own.
"""

from __future__ import annotations

import itertools
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from tests.hardening.attempts import Faults

from mnist_adder.errors import RunError
from mnist_adder.inference import Predictor
from mnist_adder.inference.session import MEMORY_BYTES, append_checksum
from mnist_adder.pretrained import pretrained_folder

ROOT = Path(__file__).parents[3]
STATUS = Path("/proc/self/status")
WHOLE = (pretrained_folder("tiny") / "model.onnx").read_bytes()
BODY = WHOLE[:-76]  # without its checksum
IMAGES = np.random.default_rng(0).random((3, 28, 28), dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pretrained_folder("tiny"), tmp_path / "run"))


def refusal(folder: Path, content: bytes) -> str:
    """What is said about a file; empty if it answers, with possible answers."""
    (folder / "model.onnx").write_bytes(content)
    try:
        answers = Predictor(folder).predict_images(IMAGES, [1, 2, 3])
    except RunError as error:
        said = str(error)
        assert "model.onnx" in said
        assert said.isprintable()
        assert len(said) < 600
        return said
    for probabilities, width in ((answers.digit_probabilities, 10), (answers.sum_probabilities, 19)):
        assert probabilities.shape == (3, width)
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=0.03)
    assert set(answers.digits.tolist()) <= set(range(10))
    assert set(answers.sums.tolist()) <= set(range(19))
    return ""


def mutate(content: bytes, attempt: int) -> bytes:
    """Flip bits, write other bytes, cut off, insert or leave out; mostly outside of the weights."""
    random = np.random.default_rng(attempt)
    data = np.frombuffer(content, np.uint8).copy()
    structure = np.flatnonzero(STRUCTURE)
    count = random.integers(1, 5)
    places = (
        random.choice(structure, count) if random.random() < 0.8 else random.integers(0, data.size, count)
    )
    if random.random() < 0.5:
        data[places] = random.integers(0, 256, count)
    else:
        data[places] ^= (1 << random.integers(0, 8, count)).astype(np.uint8)
    changed, way, at = data.tobytes(), random.random(), int(random.choice(structure))
    if way < 0.1:
        return changed[: random.integers(data.size)]
    if way < 0.2:
        return changed[:at] + random.bytes(int(random.integers(1, 9))) + changed[at:]
    return changed[:at] + changed[at + random.integers(1, 9) :] if way < 0.3 else changed


def find_structure() -> NDArray[np.bool_]:
    """Which bytes of BODY are not in the middle of a large tensor."""
    structure = np.ones(len(BODY), dtype=np.bool_)
    for tensor in onnx.load_from_string(BODY).graph.initializer:
        if len(tensor.raw_data) > 256:
            start = BODY.index(tensor.raw_data)
            structure[start + 8 : start + len(tensor.raw_data) - 8] = False
    return structure


STRUCTURE = find_structure()


def test_every_damage_is_noticed(folder: Path, faults: Faults) -> None:
    for attempt in faults.times(1000, 150):
        content = mutate(WHOLE, attempt)
        if content != WHOLE:
            with faults("a damaged ONNX file"):
                assert "damaged" in refusal(folder, content)
    for length in (0, 1, 75, 76, 77, len(WHOLE) - 77, len(WHOLE) - 1):
        with faults("a damaged ONNX file"):
            assert "damaged" in refusal(folder, WHOLE[:length])
    assert refusal(folder, WHOLE) == ""


def sealed_mutations(first: int, last: int, folder: Path) -> None:
    """Ask about mutations whose checksum is right: what a process of its own is started for."""
    resource.setrlimit(resource.RLIMIT_AS, (16 * MEMORY_BYTES, 16 * MEMORY_BYTES))  # lest others suffer
    said = [refusal(folder, append_checksum(mutate(BODY, attempt))) for attempt in range(first, last)]
    # getrusage's would be that of the process which started this one, if it had more.
    [peak] = [int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if "VmHWM" in line]
    print(len(said), sum(map(bool, said)), peak)


def test_what_is_made_to_do_harm_does_not_end_the_interpreter(folder: Path, faults: Faults) -> None:
    at_once = 50
    for part in faults.times(20, 3):
        first = part * at_once
        code = (
            "import sys; from pathlib import Path; "
            "from tests.hardening.inference import test_hostile_models as tests; "
            f"tests.sealed_mutations({first}, {first + at_once}, Path(sys.argv[1]))"
        )
        command = [sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        (line,) = done.stdout.splitlines()  # nothing else was printed
        tried, refused, peak = map(int, line.split())
        assert tried == at_once
        assert at_once / 2 < refused < at_once
        assert peak < MEMORY_BYTES + 500e6
        for _ in range(tried):
            with faults("a mutated ONNX file with a checksum that fits"):
                pass  # asserted there


def after_gemm(model: Any, *nodes: Any) -> None:
    """Put nodes between the last matrix product and what reads it: they read "before" and write "after"."""
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    name, place = gemm.output[0], list(model.graph.node).index(gemm) + 1
    gemm.output[0] = "before"
    for node in reversed(nodes):
        node.output[:] = [name if value == "after" else value for value in node.output]
        model.graph.node.insert(place, node)


def constant(model: Any, values: list[int]) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.array(values), "a_constant"))
    return "a_constant"


def pad_by_a_lot(model: Any) -> None:
    pads = constant(model, [0, 0, 40_000, 40_000])
    nodes = [("Pad", ["before", pads], "a"), ("ReduceMax", ["a"], "b"), ("Add", ["before", "b"], "after")]
    after_gemm(model, *(helper.make_node(kind, inputs, [output]) for kind, inputs, output in nodes))


def double_forty_times(model: Any) -> None:
    names = ["before", *(f"doubled_{turn}" for turn in range(40))]
    nodes = [
        helper.make_node("Concat", [name, name], [twice], axis=0) for name, twice in itertools.pairwise(names)
    ]
    greatest = helper.make_node("ReduceMax", [names[-1]], ["greatest"], keepdims=0)
    after_gemm(model, *nodes, greatest, helper.make_node("Add", ["before", "greatest"], ["after"]))


def fill(model: Any) -> None:
    shape = constant(model, [2**31, 2**10])
    nodes = [("ConstantOfShape", [shape], "a"), ("ReduceMax", ["a"], "b"), ("Add", ["before", "b"], "after")]
    after_gemm(model, *(helper.make_node(kind, inputs, [output]) for kind, inputs, output in nodes))


def promise(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [2**40, 2**20]


def promise_an_attribute(model: Any) -> None:
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    for attribute in conv.attribute:
        if attribute.name == "pads":
            attribute.ints[:] = [2**40] * 4


def loop(model: Any) -> None:
    times = constant(model, [2**62])
    body = helper.make_graph([], "body", [], [])
    after_gemm(model, helper.make_node("Loop", [times, "", "before"], ["after"], body=body))


def keep_elsewhere(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../../../etc/passwd")


def answer_nan(model: Any) -> None:
    after_gemm(
        model,
        helper.make_node("Sub", ["before", "before"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["after"]),
    )


def drop_rows(model: Any) -> None:
    after_gemm(model, helper.make_node("ReduceMax", ["before"], ["after"], axes=[0], keepdims=1))


def drop_an_input(model: Any) -> None:
    del model.graph.input[0]


def weights_of_nan(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(tensor), np.nan), tensor.name))


HARM: dict[Callable[[Any], None], str] = {
    pad_by_a_lot: "does not answer",
    double_forty_times: "does not answer",
    fill: "does not answer",
    promise: "damaged",
    promise_an_attribute: "damaged|does not answer",
    loop: "in a loop",
    keep_elsewhere: "in other files",
    answer_nan: "no digits, sums and probabilities",
    drop_rows: "something else",
    drop_an_input: "something else|damaged",
    weights_of_nan: "no digits, sums and probabilities",
}


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_harm_is_refused(harm: Callable[[Any], None], folder: Path, faults: Faults) -> None:
    model = onnx.load_from_string(BODY)
    harm(model)
    with faults("an ONNX file made to do harm"):
        (folder / "model.onnx").write_bytes(append_checksum(model.SerializeToString()))
        with pytest.raises(RunError, match=HARM[harm]):
            Predictor(folder)


def test_the_model_of_something_else(folder: Path, faults: Faults) -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3])
    other = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", [value], [other])
    content = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    with faults("an ONNX file of another model"):
        assert "does not end in its checksum" in refusal(folder, content)
    with faults("an ONNX file of another model"):
        assert "is the model of something else: it has x" in refusal(folder, append_checksum(content))
