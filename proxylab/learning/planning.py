"""A differentiable planner for grids: how far each *source* reaches, with exact gradients.

Every cell r has, per channel, a source strength s(r). The value of a cell is what
the best source is worth from there when each step through a free cell costs k > 0:

    v(r) = max over cells o of  s(o) − k · steps(r, o)

This is the fixed point of value iteration v = max(s, max over neighbours v − k), the
idea of Tamar et al. 2016, "Value Iteration Networks" (arXiv 1602.02867), solved exactly
instead of by a fixed number of convolutions. Since v(r) is one source minus a number of
steps, the gradient goes to that source and to k, and nowhere else.

The walker reads v where it stands and beside it. On the CPU a numba kernel does it all;
elsewhere the same arithmetic runs in torch (:func:`read_values_torch`).
"""

import math

import numba
import numpy as np
import torch

READINGS = 5
"""Values read per channel: here, up, down, left, right."""

BLOCKED_STEPS = 2
"""A neighbouring wall reads as the value here minus this many steps."""

_OFF_MAP = -1e9


@numba.njit(cache=True)
def _explore(walls, size, here, cells, beside, rank, parent):
    """Free cells within reach of ``here`` in breadth-first order.

    Args:
        walls: float32[S·S].
        size: int, S.
        here: int, the start.
        cells: int64[S·S], overwritten: the cells found, ``here`` first.
        beside: int64[S·S, 4], overwritten: per cell found, the ranks of its free
            neighbours (up, down, left, right), -1 for a wall.
        rank: int64[S·S], overwritten: the cells' ranks in that order, -1 if not found.
        parent: int64[S·S], overwritten: per cell found, the rank it was found from.

    Returns:
        (number of cells, number of edges).
    """
    rank[:] = -1
    cells[0], rank[here] = here, 0
    found, edges = 1, 0
    head = 0
    while head < found:
        cell = cells[head]
        for k in range(4):
            there = cell + (-size, size, -1, 1)[k]
            beside[head, k] = -1
            if walls[there] != 0:
                continue
            if rank[there] < 0:
                rank[there], cells[found], parent[found] = found, there, head
                found += 1
            beside[head, k] = rank[there]
            edges += 1
        head += 1
    return found, edges // 2


@numba.njit(cache=True)
def _relax(value, origin, cost, here, there):
    """Take the neighbour's offer in every channel where it is better; the number of gains.

    Unsigned indices, no branch and one array written per loop: so the compiler uses
    vector instructions, which halves the time of the whole planner.
    """
    h, t = np.uint64(here), np.uint64(there)
    gains = np.int32(0)
    for k in range(cost.shape[0]):
        c = np.uint64(k)
        gain = np.int32(value[t, c] - cost[c] > value[h, c])
        origin[h, c] += gain * (origin[t, c] - origin[h, c])
        gains += gain
    for k in range(cost.shape[0]):
        c = np.uint64(k)
        held, offer = value[h, c], value[t, c] - cost[c]
        value[h, c] = held if held > offer else offer
    return gains


@numba.njit(cache=True)
def _settle_tree(beside, parent, count, value, origin, cost):
    """The values of a tree at its root and beside it: inwards once, then one step outwards."""
    for k in range(count - 1, 0, -1):
        _relax(value, origin, cost, parent[k], k)
    for side in range(4):
        if beside[0, side] >= 0:
            _relax(value, origin, cost, beside[0, side], 0)


@numba.njit(cache=True)
def _settle(beside, count, value, origin, cost):
    """The values of any grid: sweeps inwards and outwards until nothing changes."""
    changed = True
    while changed:
        changed = False
        for k in range(2 * count):
            here = count - 1 - k if k < count else k - count
            for side in range(4):
                if beside[here, side] >= 0:
                    changed |= _relax(value, origin, cost, here, beside[here, side]) > 0


@numba.njit(cache=True)
def read_values(walls, here, source, cost, out, out_origin):
    """The values at and around the walker, for a batch of grids.

    Args:
        walls: float32[B, S·S], nonzero is wall; the border is wall.
        here: int64[B], the walker's cell, row · S + column.
        source: float32[B, S·S, C], source strengths.
        cost: float32[C], positive, the price of a step.
        out: float32[B, READINGS, C], overwritten.
        out_origin: int32[B, READINGS, C], the cell each value comes from, overwritten.
    """
    area = source.shape[1]
    size = int(math.sqrt(area))
    value = np.empty((area, cost.shape[0]), np.float32)
    origin = np.empty((area, cost.shape[0]), np.int32)
    cells, rank, parent = np.empty((3, area), np.int64)
    beside = np.empty((area, 4), np.int64)
    for b in range(walls.shape[0]):
        count, edges = _explore(walls[b], size, here[b], cells, beside, rank, parent)
        for k in range(count):
            for c in range(cost.shape[0]):
                value[k, c] = source[b, cells[k], c]
                origin[k, c] = cells[k]
        if edges == count - 1:
            _settle_tree(beside, parent, count, value, origin, cost)
        else:
            _settle(beside, count, value, origin, cost)
        _read(beside, value, origin, cost, out[b], out_origin[b])


@numba.njit(cache=True)
def _read(beside, value, origin, cost, out, out_origin):
    """Copy the values here and beside to ``out`` [READINGS, C], with their origins."""
    for k in range(READINGS):
        there = 0 if k == 0 else max(beside[0, k - 1], 0)
        blocked_steps = BLOCKED_STEPS if k > 0 and beside[0, k - 1] < 0 else 0
        for c in range(cost.shape[0]):
            out[k, c] = value[there, c] - blocked_steps * cost[c]
            out_origin[k, c] = origin[there, c]


@numba.njit(cache=True)
def _route_gradient(gradient, origin, grad_source):
    """Add each reading's gradient [B, READINGS, C] to its source in ``grad_source`` [B, S·S, C]."""
    for b in range(gradient.shape[0]):
        for k in range(gradient.shape[1]):
            for c in range(gradient.shape[2]):
                grad_source[b, origin[b, k, c], c] += gradient[b, k, c]


class ReadValues(torch.autograd.Function):
    """:func:`read_values` with its gradient, for tensors on the CPU."""

    @staticmethod
    def forward(ctx, walls, here, source, cost):
        """(walls [B, S, S], here [B], source [B, S·S, C], cost [C]) -> [B, READINGS, C]."""
        shape = (len(walls), READINGS, len(cost))
        out, origin = torch.empty(shape), torch.empty(shape, dtype=torch.int32)
        inputs = [tensor.detach().contiguous() for tensor in (walls.flatten(1), here, source, cost)]
        read_values(*(tensor.numpy() for tensor in inputs), out.numpy(), origin.numpy())
        ctx.save_for_backward(source, cost, out, origin)
        return out

    @staticmethod
    def backward(ctx, gradient):  # ty: ignore[incompatible-method-override]
        """The gradient of a value goes to its source; that of the cost is minus the steps."""
        source, cost, out, origin = ctx.saved_tensors
        gradient = gradient.contiguous()
        grad_source = torch.zeros_like(source)
        _route_gradient(gradient.numpy(), origin.numpy(), grad_source.numpy())
        steps = (source.gather(1, origin.long()) - out) / cost
        return None, None, grad_source, -(gradient * steps.round()).sum((0, 1))


def read_values_torch(walls, here, source, cost):
    """The same as :class:`ReadValues` in plain torch operations, for any device.

    Sweeps until nothing changes, at most S² times; autograd follows the maxima.
    """
    batch, size = walls.shape[0], walls.shape[1]
    wall = walls.reshape(batch, -1, 1) != 0
    source = source.masked_fill(wall, _OFF_MAP)
    value = source
    for _ in range(size * size):
        offers = torch.stack([value.roll(step, 1) for step in (size, -size, 1, -1)]).amax(0)
        settled = torch.maximum(source, (offers - cost).masked_fill(wall, _OFF_MAP))
        if torch.equal(settled, value):
            break
        value = settled
    steps = torch.tensor([0, -size, size, -1, 1], device=here.device)
    cells = (here[:, None] + steps)[:, :, None].expand(-1, -1, len(cost))
    read = value.gather(1, cells)
    return torch.where(read > _OFF_MAP / 2, read, read[:, :1] - BLOCKED_STEPS * cost)
