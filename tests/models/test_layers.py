"""Adding distributions, against the sum written out, and its one promise: digit and sum never disagree."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.models.layers import add_distributions, number_distribution, number_value

logits = st.lists(st.floats(-200, 200, width=32), min_size=10, max_size=10).map(
    lambda row: torch.tensor([row])
)
weights = st.lists(st.floats(0, 1, width=32), min_size=10, max_size=10).filter(lambda row: sum(row) > 0.01)


@given(logits, weights)
def test_it_is_the_convolution(digit_logits: torch.Tensor, number_weights: list[float]) -> None:
    number = torch.tensor([number_weights], dtype=torch.float64) / sum(number_weights)
    digit = digit_logits.double().softmax(1)
    expected = torch.zeros(19, dtype=torch.float64)
    for d in range(10):
        for n in range(10):
            expected[d + n] += digit[0, d] * number[0, n]
    ours = add_distributions(digit_logits.log_softmax(1), number.float())[0].double().exp()
    assert torch.allclose(ours, expected, atol=1e-6)


@given(logits, st.integers(0, 9))
def test_a_known_number_shifts_the_digit_to_the_last_bit(digit_logits: torch.Tensor, number: int) -> None:
    digit = digit_logits.log_softmax(1)
    ours = add_distributions(digit, number_distribution(torch.tensor([number])))
    assert torch.equal(ours[:, number : number + 10], digit)


@given(logits, st.integers(0, 9))
def test_a_known_number_is_its_distribution_to_the_last_bit(digit_logits: torch.Tensor, number: int) -> None:
    known = torch.tensor([number])
    results = []
    for numbers in (known, number_distribution(known)):
        logits = digit_logits.clone().requires_grad_()
        sums = add_distributions(logits.log_softmax(1), numbers)
        loss = torch.nn.functional.cross_entropy(sums, known + 4)
        results.append((sums, *torch.autograd.grad(loss, logits)))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*results, strict=True))


@given(logits, st.integers(0, 9))
def test_digit_and_sum_never_disagree(digit_logits: torch.Tensor, number: int) -> None:
    model = ExactSum()
    outputs = model.combine(digit_logits, torch.tensor([number]))
    said_digit = outputs.digit_logits.log_softmax(1).argmax(1)
    said_sum = model.sum_probabilities(outputs).argmax(1)
    assert said_sum.item() == said_digit.item() + number


def test_the_gradient_is_finite_where_probabilities_are_zero() -> None:
    digit_logits = torch.tensor([[200.0] + [-200.0] * 9], requires_grad=True)
    sums = add_distributions(digit_logits.log_softmax(1), number_distribution(torch.tensor([3])))
    torch.nn.functional.cross_entropy(sums, torch.tensor([12])).backward()
    assert digit_logits.grad is not None
    assert torch.isfinite(digit_logits.grad).all()
    assert digit_logits.grad[0, 9] < 0  # more of digit 9 would make 12 likelier


def test_numbers_as_distributions_and_values() -> None:
    numbers = torch.tensor([0, 9])
    assert torch.equal(number_distribution(numbers).argmax(1), numbers)
    assert torch.equal(number_value(numbers), torch.tensor([[0.0], [9.0]]))
    assert torch.allclose(number_value(torch.full((1, 10), 0.1)), torch.tensor([[4.5]]))
