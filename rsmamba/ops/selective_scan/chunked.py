"""The selective scan in torch with bounded memory: the fallback where no kernel runs.

The sequence is cut into chunks of 64 tokens. Only the state at the start of each chunk is kept; the
backward recomputes the states inside a chunk and sweeps back over them, so that neither pass ever
holds the (L, D, N) states of a whole sequence. No cumulative products or logarithms are formed:
exp(A * sum(dt)) underflows within a chunk for N = 16.

Symbols: K groups, L tokens, D channels, N states, T tokens of one chunk.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

CHUNK = 64
"""Tokens of a chunk; the state is kept once for each."""


class ScanInputs(NamedTuple):
    """The tensors of a selective scan, in one floating type.

    Attributes:
        x: Inputs, (batch, K, L, D).
        dt: Step sizes before bias and softplus, (batch, K, L, D).
        A: State decay rates, (K, D, N).
        B: Input terms, (batch, K, L, N).
        C: Output terms, (batch, K, L, N).
        D: Skip terms, (K, D), or None.
        dt_bias: Bias of the step size, (K, D), or None.
    """

    x: Tensor
    dt: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    dt_bias: Tensor | None


class ScanGradients(NamedTuple):
    """Gradients of a selective scan, each with the shape of its input.

    Attributes:
        x: Gradient of the inputs.
        dt: Gradient of the step sizes.
        A: Gradient of the decay rates.
        B: Gradient of the input terms.
        C: Gradient of the output terms.
        D: Gradient of the skip terms, (K, D), zero without skip.
        dt_bias: Gradient of the bias, (K, D).
    """

    x: Tensor
    dt: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor
    dt_bias: Tensor


def num_chunks(length: int) -> int:
    """Return the number of chunks of a sequence of `length` tokens."""
    return -(-length // CHUNK)


def chunked_forward(
    inputs: ScanInputs, *, softplus: bool, keep_states: bool
) -> tuple[Tensor, Tensor]:
    """Run the scan chunk by chunk.

    Args:
        inputs: The tensors of the scan.
        softplus: Whether the step size passes through a softplus.
        keep_states: Whether to return the states that the backward needs.

    Returns:
        Outputs (batch, K, L, D), and the state before each chunk, (chunks, batch, K, D, N), with
        zero chunks if `keep_states` is false.
    """
    x, A = inputs.x, inputs.A
    state = x.new_zeros(*x.shape[:2], x.shape[3], A.shape[2])  # (batch, K, D, N)
    kept = state.new_empty((num_chunks(x.shape[2]) if keep_states else 0, *state.shape))
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    for index in range(num_chunks(x.shape[2])):
        if keep_states:
            kept[index] = state
        part = _chunk(inputs, index)
        _, decay, states = _recompute(part, state, softplus=softplus)
        state = states[:, :, -1].clone()
        out = torch.einsum("bktdn,bktn->bktd", states[:, :, 1:], part.C)
        y[:, :, _tokens(index)] = out if part.D is None else out + part.x * part.D[:, None]
        del decay, states
    return y, kept


def chunked_backward(
    dy: Tensor, inputs: ScanInputs, *, states: Tensor, softplus: bool
) -> ScanGradients:
    """Sweep back over the chunks, recomputing the states of each.

    Args:
        dy: Gradient of the outputs, (batch, K, L, D).
        inputs: The tensors of the scan.
        states: What `chunked_forward` kept, (chunks, batch, K, D, N).
        softplus: As given to `chunked_forward`.

    Returns:
        The gradients of all inputs.
    """
    x, dt, A, B, C = (torch.empty_like(tensor) for tensor in inputs[:5])
    grads = ScanGradients(
        x=x,
        dt=dt,
        A=A.zero_(),
        B=B,
        C=C,
        D=A.new_zeros(A.shape[:2]),
        dt_bias=A.new_zeros(A.shape[:2]),
    )
    carry = torch.zeros_like(states[0])  # gradient of the state after the chunk
    for index in reversed(range(states.shape[0])):
        carry = _chunk_backward(
            dy[:, :, _tokens(index)],
            _chunk(inputs, index),
            grads=_gradient_chunk(grads, index),
            state=states[index],
            carry=carry,
            softplus=softplus,
        )
    return grads


def _chunk_backward(
    dy: Tensor,
    part: ScanInputs,
    *,
    grads: ScanGradients,
    state: Tensor,
    carry: Tensor,
    softplus: bool,
) -> Tensor:
    """Fill the gradients of one chunk and return the gradient of the state before it."""
    step, decay, states = _recompute(part, state, softplus=softplus)
    x, A, B, C = part.x, part.A, part.B, part.C
    gradient = dy[..., None] * C[:, :, :, None]  # (batch, K, T, D, N), of the state after a token
    grads.C.copy_(torch.einsum("bktd,bktdn->bktn", dy, states[:, :, 1:]))
    for t in reversed(range(x.shape[2])):
        gradient[:, :, t] += carry
        carry = gradient[:, :, t] * decay[:, :, t]
    grads.B.copy_(torch.einsum("bktd,bktdn->bktn", step * x, gradient))
    through_input = torch.einsum("bktdn,bktn->bktd", gradient, B)
    of_exponent = gradient.mul_(decay).mul_(states[:, :, :-1])
    grads.A.add_(torch.einsum("bktd,bktdn->kdn", step, of_exponent))
    of_step = torch.einsum("bktdn,kdn->bktd", of_exponent, A) + through_input * x
    if softplus:
        of_step = of_step * -torch.expm1(-step)  # the slope of the softplus is 1 - exp(-step)
    grads.dt.copy_(of_step)
    grads.dt_bias.add_(of_step.sum((0, 2)))
    grads.x.copy_(through_input * step)
    if part.D is not None:
        grads.x.add_(dy * part.D[:, None])
        grads.D.add_((dy * x).sum((0, 2)))
    return carry


def _recompute(part: ScanInputs, state: Tensor, *, softplus: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return step sizes (batch, K, T, D), decays (.., T, D, N) and states (.., T + 1, D, N)."""
    step = part.dt if part.dt_bias is None else part.dt + part.dt_bias[:, None]
    if softplus:
        step = functional.softplus(step, threshold=50.0)
    decay = torch.exp(step[..., None] * part.A[:, None])  # (batch, K, T, D, N)
    states = decay.new_empty((*decay.shape[:2], decay.shape[2] + 1, *decay.shape[3:]))
    states[:, :, 0] = state
    torch.mul((step * part.x)[..., None], part.B[:, :, :, None], out=states[:, :, 1:])
    for t in range(decay.shape[2]):
        states[:, :, t + 1].addcmul_(decay[:, :, t], states[:, :, t])
    return step, decay, states


def _tokens(index: int) -> slice:
    """Return the tokens of a chunk."""
    return slice(index * CHUNK, (index + 1) * CHUNK)


def _chunk(inputs: ScanInputs, index: int) -> ScanInputs:
    """Return the views of one chunk."""
    tokens = _tokens(index)
    return inputs._replace(
        x=inputs.x[:, :, tokens],
        dt=inputs.dt[:, :, tokens],
        B=inputs.B[:, :, tokens],
        C=inputs.C[:, :, tokens],
    )


def _gradient_chunk(grads: ScanGradients, index: int) -> ScanGradients:
    """Return the views of one chunk of the gradients."""
    tokens = _tokens(index)
    return grads._replace(
        x=grads.x[:, :, tokens],
        dt=grads.dt[:, :, tokens],
        B=grads.B[:, :, tokens],
        C=grads.C[:, :, tokens],
    )
