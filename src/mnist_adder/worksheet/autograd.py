"""The worksheet's numbers by PyTorch's autograd, in double precision, to compare the worksheet with.

Nothing here is derived by hand: torch computes every slope, and the exact sum is the model's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_adder.models.layers import add_distributions, number_distribution


def small_network(inputs: Mapping[str, float], updates: int) -> dict[str, Tensor]:
    """Learn with the 2-2-2 network.

    Args:
        inputs: ``rate``, ``i1``, ``i2``, ``t1``, ``t2``, ``b1``, ``b2``, and ``w1`` .. ``w8`` to start with.
        updates: how many.

    Returns:
        By the names of the worksheet's columns (``h1`` .. ``dw8``), (updates + 1,) float64: the start, and
        after each update.
    """
    weight_names = [f"w{k}" for k in range(1, 9)]
    x, t, b, w = (
        torch.tensor([inputs[name] for name in names], dtype=torch.float64)
        for names in (("i1", "i2"), ("t1", "t2"), ("b1", "b2"), weight_names)
    )
    history = []
    for _ in range(updates + 1):
        w = w.requires_grad_()
        h = w[:4].view(2, 2) @ x + b[0]
        a_h = h.sigmoid()
        o = w[4:].view(2, 2) @ a_h + b[1]
        a_o = o.sigmoid()
        errors = (t - a_o).square() / 2
        (slopes,) = torch.autograd.grad(errors.sum(), w)
        history.append(torch.cat([w, h, a_h, o, a_o, errors, errors.sum()[None], slopes]).detach())
        w = (w - inputs["rate"] * slopes).detach()
    names = ["h1", "h2", "a_h1", "a_h2", "o1", "o2", "a_o1", "a_o2", "E1", "E2", "E_total"]
    names = [*weight_names, *names, *(f"d{name}" for name in weight_names)]
    return dict(zip(names, torch.stack(history).unbind(1), strict=True))


def adder_head(
    parameters: Sequence[float], digits: Sequence[float], numbers: Sequence[float], rate: float
) -> dict[str, Tensor]:
    """Learn to add with the linear head of ``argmax-regression``, one pair an update.

    Args:
        parameters: 51, as the model's head lists them.
        digits: one for each update.
        numbers: one for each update.
        rate: the learning rate.

    Returns:
        ``answer`` and ``error`` (updates,), ``parameters`` and ``slopes`` (updates, 51): before the update.
    """
    shapes = ((2, 5), (5, 5), (5, 1))  # skip_init: the caller's random state is not changed
    head = nn.Sequential(*(nn.utils.skip_init(nn.Linear, *shape, dtype=torch.float64) for shape in shapes))
    values = torch.tensor(parameters, dtype=torch.float64)
    history = []
    for digit, number in zip(digits, numbers, strict=True):
        nn.utils.vector_to_parameters(values, head.parameters())
        answer = head(torch.tensor([digit, number], dtype=torch.float64))[0]
        error = F.mse_loss(answer, answer.new_tensor(digit + number))
        slopes = torch.cat([part.flatten() for part in torch.autograd.grad(error, list(head.parameters()))])
        history.append((answer.detach(), error.detach(), values, slopes))
        values = values - rate * slopes
    columns = map(torch.stack, zip(*history, strict=True))
    return dict(zip(("answer", "error", "parameters", "slopes"), columns, strict=True))


def exact_sum(logits: Sequence[float], digit: int, number: int) -> dict[str, Tensor]:
    """The exact sum of one image's digit and a number, as ``exact-sum`` computes it, and its losses' slopes.

    Returns:
        ``digit_probabilities`` (10,), ``sum_probabilities`` (19,), ``losses`` (2,) of digit and sum, and
        their slopes by the logits: ``digit_slopes``, ``sum_slopes``, ``slopes`` of both, each (10,).
    """
    z = torch.tensor([list(logits)], dtype=torch.float64, requires_grad=True)
    scores = add_distributions(z.log_softmax(1), number_distribution(torch.tensor([number])).double())
    by_digit = F.cross_entropy(z, torch.tensor([digit]))
    by_sum = F.cross_entropy(scores, torch.tensor([digit + number]))
    slopes = [
        torch.autograd.grad(loss, z, retain_graph=True)[0][0]
        for loss in (by_digit, by_sum, by_digit + by_sum)
    ]
    return {
        "digit_probabilities": z.softmax(1)[0].detach(),
        "sum_probabilities": scores.softmax(1)[0].detach(),
        "losses": torch.stack([by_digit, by_sum]).detach(),
        "digit_slopes": slopes[0],
        "sum_slopes": slopes[1],
        "slopes": slopes[2],
    }
