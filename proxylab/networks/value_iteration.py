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
def _steps_from(beside, count, start, steps, queue):
    """Steps from the cell of rank ``start`` to each of ``count`` cells: int32[S·S], overwritten."""
    steps[:count] = -1
    queue[0], steps[start] = start, 0
    head, tail = 0, 1
    while head < tail:
        cell = queue[head]
        head += 1
        for side in range(4):
            there = beside[cell, side]
            if there >= 0 and steps[there] < 0:
                steps[there] = steps[cell] + 1
                queue[tail] = there
                tail += 1


@numba.njit(cache=True)
def _best_source(value, cells, steps, count, cost, best, best_origin):
    """The best of ``count`` sources at their distances: ``best`` [C] and its cell, overwritten."""
    best[:] = _OFF_MAP
    for r in range(count):
        row, away, cell = np.uint64(r), np.float32(steps[r]), np.int32(cells[r])
        for k in range(cost.shape[0]):
            c = np.uint64(k)
            gain = np.int32(value[row, c] - away * cost[c] > best[c])
            best_origin[c] += gain * (cell - best_origin[c])
        for k in range(cost.shape[0]):
            c = np.uint64(k)
            held, offer = best[c], value[row, c] - away * cost[c]
            best[c] = held if held > offer else offer


@numba.njit(cache=True)
def _settle(beside, count, value, origin, cost, cells, scratch):
    """The values of any grid at the walker and beside it, by breadth-first search from each.

    Args:
        beside: int64[S·S, 4], of :func:`_explore`.
        count: number of cells.
        value: float32[S·S, C], the sources; the values asked for are written in place.
        origin: int32[S·S, C], likewise.
        cost: float32[C].
        cells: int64[S·S], of :func:`_explore`.
        scratch: (int32[S·S], int64[S·S], float32[READINGS, C], int32[READINGS, C]).
    """
    steps, queue, best, best_origin = scratch
    for k in range(READINGS):
        start = 0 if k == 0 else beside[0, k - 1]
        if start >= 0:
            _steps_from(beside, count, start, steps, queue)
            _best_source(value, cells, steps, count, cost, best[k], best_origin[k])
    for k in range(READINGS):
        start = 0 if k == 0 else beside[0, k - 1]
        if start >= 0:
            value[start] = best[k]
            origin[start] = best_origin[k]


@numba.njit(cache=True)
def _source(look, planes, place, cell, out):
    """Write the source strengths of a cell: ``out`` [C] = place[cell] + what lies there · look."""
    for c in range(out.shape[0]):
        out[c] = place[cell, c]
    for p in range(look.shape[0]):
        amount = planes[p, cell]
        if amount != 0:
            for c in range(out.shape[0]):
                out[c] += amount * look[p, c]


@numba.njit(cache=True)
def read_values(planes, here, look, place, cost, out, out_origin):
    """The values at and around the walker, for a batch of grids.

    Args:
        planes: float32[B, P, S·S], what lies where; plane 0 is wall, and the border is.
        here: int64[B], the walker's cell, row · S + column.
        look: float32[P, C], source strength per unit in a plane.
        place: float32[S·S, C], source strength of each cell.
        cost: float32[C], positive, the price of a step.
        out: float32[B, READINGS, C], overwritten.
        out_origin: int32[B, READINGS, C], the cell each value comes from, overwritten.
    """
    area = place.shape[0]
    size = int(math.sqrt(area))
    value = np.empty((area, cost.shape[0]), np.float32)
    origin = np.empty((area, cost.shape[0]), np.int32)
    cells, rank, parent = np.empty((3, area), np.int64)
    beside = np.empty((area, 4), np.int64)
    best = np.empty((READINGS, cost.shape[0]), np.float32)
    scratch = (np.empty(area, np.int32), np.empty(area, np.int64), best, best.astype(np.int32))
    for b in range(planes.shape[0]):
        count, edges = _explore(planes[b, 0], size, here[b], cells, beside, rank, parent)
        for k in range(count):
            _source(look, planes[b], place, cells[k], value[k])
            origin[k] = np.int32(cells[k])
        if edges == count - 1:
            _settle_tree(beside, parent, count, value, origin, cost)
        else:
            _settle(beside, count, value, origin, cost, cells, scratch)
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
def _route_gradient(
    gradient, out, origin, planes, look, place, cost, grad_look, grad_place, grad_cost
):
    """Add each reading's gradient [B, READINGS, C] to its source's parts and to its steps."""
    for b in range(gradient.shape[0]):
        for k in range(gradient.shape[1]):
            for c in range(cost.shape[0]):
                cell, slope = origin[b, k, c], gradient[b, k, c]
                grad_place[cell, c] += slope
                source = place[cell, c]
                for p in range(look.shape[0]):
                    source += planes[b, p, cell] * look[p, c]
                    grad_look[p, c] += planes[b, p, cell] * slope
                grad_cost[c] -= slope * np.rint((source - out[b, k, c]) / cost[c])


class ReadValues(torch.autograd.Function):
    """:func:`read_values` with its gradient, for tensors on the CPU.

    The gradient of a value goes to its source; that of the cost is minus the steps.
    """

    @staticmethod
    def forward(ctx, planes, here, look, place, cost):
        """(planes [B, P, S·S], here [B], look [P, C], place [S·S, C], cost [C])."""
        shape = (len(planes), READINGS, len(cost))
        out, origin = torch.empty(shape), torch.empty(shape, dtype=torch.int32)
        inputs = [tensor.detach().contiguous() for tensor in (planes, look, place, cost)]
        arrays = [tensor.numpy() for tensor in inputs]
        read_values(arrays[0], here.numpy(), *arrays[1:], out.numpy(), origin.numpy())
        ctx.save_for_backward(out, origin, *inputs)
        return out

    @staticmethod
    def backward(ctx, gradient):  # ty: ignore[incompatible-method-override]
        """Gradients of look, place and cost."""
        saved = ctx.saved_tensors
        parts = [torch.zeros_like(tensor) for tensor in saved[3:]]
        tensors = (gradient.contiguous(), *saved, *parts)
        _route_gradient(*(tensor.numpy() for tensor in tensors))
        return None, None, *parts


def read_values_torch(planes, here, look, place, cost):
    """The same as :class:`ReadValues` in plain torch operations, for any device.

    Sweeps until nothing changes, at most S² times; autograd follows the maxima.
    """
    area = len(place)
    size = math.isqrt(area)
    wall = planes[:, 0, :, None] != 0
    source = (planes.transpose(1, 2) @ look + place).masked_fill(wall, _OFF_MAP)
    value = source
    for _ in range(area):
        offers = torch.stack([value.roll(step, 1) for step in (size, -size, 1, -1)]).amax(0)
        settled = torch.maximum(source, (offers - cost).masked_fill(wall, _OFF_MAP))
        if torch.equal(settled, value):
            break
        value = settled
    steps = torch.tensor([0, -size, size, -1, 1], device=here.device)
    cells = (here[:, None] + steps)[:, :, None].expand(-1, -1, len(cost))
    read = value.gather(1, cells)
    return torch.where(read > _OFF_MAP / 2, read, read[:, :1] - BLOCKED_STEPS * cost)
