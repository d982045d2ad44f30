"""Differentiable value iteration on grids: exact values and exact gradients.

Every cell r has, per channel, a source strength s(r). The value of a cell is that of the
best source, minus a cost k > 0 for each step through a free cell on the way to it:

    v(r) = max over cells o of  s(o) − k · steps(r, o)

This is the fixed point of value iteration v = max(s, max over neighbours v − k), the
idea of Tamar et al. 2016, "Value Iteration Networks" (arXiv 1602.02867), solved exactly
instead of by a fixed number of convolutions. Since v(r) is one source minus a number of
steps, its gradient is nonzero only for that source and for k.

The network reads v at the agent's cell and at its four neighbours. A numba kernel computes it
on the CPU; on other devices the same arithmetic runs in torch (:func:`read_values_torch`).
"""

import math
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

READINGS = 5
"""Values read per channel: here, up, down, left, right."""

BLOCKED_STEPS = 2
"""A neighbouring wall reads as the value here minus this many steps."""

_OFF_MAP = -1e9


@numba.njit(cache=True)
def _explore(
    walls: NDArray[np.float32],
    size: int,
    here: int,
    cells: NDArray[np.int64],
    beside: NDArray[np.int64],
    rank: NDArray[np.int64],
    parent: NDArray[np.int64],
) -> tuple[int, int]:
    """Free cells reachable from ``here``, in breadth-first order.

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
    count, edges = 1, 0
    head = 0
    while head < count:
        cell = cells[head]
        for k in range(4):
            there = cell + (-size, size, -1, 1)[k]
            beside[head, k] = -1
            if walls[there] != 0:
                continue
            if rank[there] < 0:
                rank[there], cells[count], parent[count] = count, there, head
                count += 1
            beside[head, k] = rank[there]
            edges += 1
        head += 1
    return count, edges // 2


@numba.njit(cache=True)
def _relax(
    value: NDArray[np.float32],
    origin: NDArray[np.int32],
    cost: NDArray[np.float32],
    here: int,
    there: int,
) -> np.int32:
    """Update ``here`` from its neighbour ``there`` where that is better; the channels updated.

    Unsigned indices, no branch and one array written per loop let the compiler use vector
    instructions, which halves the time of the whole computation.
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
def _settle_tree(
    beside: NDArray[np.int64],
    parent: NDArray[np.int64],
    count: int,
    value: NDArray[np.float32],
    origin: NDArray[np.int32],
    cost: NDArray[np.float32],
) -> None:
    """The values of a tree at its root and beside it: one pass inwards, one step outwards."""
    for k in range(count - 1, 0, -1):
        _relax(value, origin, cost, parent[k], k)
    for side in range(4):
        if beside[0, side] >= 0:
            _relax(value, origin, cost, beside[0, side], 0)


@numba.njit(cache=True)
def _steps_from(
    beside: NDArray[np.int64],
    count: int,
    start: int,
    steps: NDArray[np.int32],
    queue: NDArray[np.int64],
) -> None:
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
def _best_source(
    value: NDArray[np.float32],
    cells: NDArray[np.int64],
    steps: NDArray[np.int32],
    count: int,
    cost: NDArray[np.float32],
    best: NDArray[np.float32],
    best_origin: NDArray[np.int32],
) -> None:
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
def _settle(
    beside: NDArray[np.int64],
    count: int,
    value: NDArray[np.float32],
    origin: NDArray[np.int32],
    cost: NDArray[np.float32],
    cells: NDArray[np.int64],
    scratch: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int32]],
) -> None:
    """The values of any grid at the agent and beside it, by breadth-first search from each.

    Args:
        beside: int64[S·S, 4], of :func:`_explore`.
        count: number of cells.
        value: float32[S·S, C], the sources; overwritten at the agent and beside it by their values.
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
def _source(
    look: NDArray[np.float32],
    planes: NDArray[np.float32],
    place: NDArray[np.float32],
    cell: int,
    out: NDArray[np.float32],
) -> None:
    """Write the source strengths of a cell: ``out`` [C] = place[cell] + planes[:, cell] · look."""
    for c in range(out.shape[0]):
        out[c] = place[cell, c]
    for p in range(look.shape[0]):
        amount = planes[p, cell]
        if amount != 0:
            for c in range(out.shape[0]):
                out[c] += amount * look[p, c]


@numba.njit(cache=True)
def read_values(
    planes: NDArray[np.float32],
    here: NDArray[np.int64],
    look: NDArray[np.float32],
    place: NDArray[np.float32],
    cost: NDArray[np.float32],
    out: NDArray[np.float32],
    out_origin: NDArray[np.int32],
) -> None:
    """The values at the agent's cell and its neighbours, for a batch of grids.

    Args:
        planes: float32[B, P, S·S], objects by cell; plane 0 is wall, the border included.
        here: int64[B], the agent's cell, row · S + column.
        look: float32[P, C], source strength per unit in a plane.
        place: float32[S·S, C], source strength of each cell.
        cost: float32[C], positive, the cost of a step.
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
def _read(
    beside: NDArray[np.int64],
    value: NDArray[np.float32],
    origin: NDArray[np.int32],
    cost: NDArray[np.float32],
    out: NDArray[np.float32],
    out_origin: NDArray[np.int32],
) -> None:
    """Copy the values here and beside to ``out`` [READINGS, C], with their origins."""
    for k in range(READINGS):
        there = 0 if k == 0 else max(beside[0, k - 1], 0)
        blocked_steps = BLOCKED_STEPS if k > 0 and beside[0, k - 1] < 0 else 0
        for c in range(cost.shape[0]):
            out[k, c] = value[there, c] - blocked_steps * cost[c]
            out_origin[k, c] = origin[there, c]


@numba.njit(cache=True)
def _route_gradient(
    gradient: NDArray[np.float32],
    out: NDArray[np.float32],
    origin: NDArray[np.int32],
    planes: NDArray[np.float32],
    look: NDArray[np.float32],
    place: NDArray[np.float32],
    cost: NDArray[np.float32],
    grad_look: NDArray[np.float32],
    grad_place: NDArray[np.float32],
    grad_cost: NDArray[np.float32],
) -> None:
    """Add the gradient of each value [B, READINGS, C] to its source's weights and the cost."""
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
    def forward(
        ctx: Any,
        planes: torch.Tensor,
        here: torch.Tensor,
        look: torch.Tensor,
        place: torch.Tensor,
        cost: torch.Tensor,
    ) -> torch.Tensor:
        """(planes [B, P, S·S], here [B], look [P, C], place [S·S, C], cost [C])."""
        shape = (len(planes), READINGS, len(cost))
        out, origin = torch.empty(shape), torch.empty(shape, dtype=torch.int32)
        inputs = [tensor.detach().contiguous() for tensor in (planes, look, place, cost)]
        arrays = [tensor.numpy() for tensor in inputs]
        read_values(arrays[0], here.numpy(), *arrays[1:], out.numpy(), origin.numpy())
        ctx.save_for_backward(out, origin, *inputs)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of look, place and cost."""
        saved = ctx.saved_tensors
        parts = [torch.zeros_like(tensor) for tensor in saved[3:]]
        tensors = (gradients[0].contiguous(), *saved, *parts)
        _route_gradient(*(tensor.numpy() for tensor in tensors))
        return None, None, *parts


def read_values_torch(
    planes: torch.Tensor,
    here: torch.Tensor,
    look: torch.Tensor,
    place: torch.Tensor,
    cost: torch.Tensor,
) -> torch.Tensor:
    """:class:`ReadValues` in plain torch operations, for any device.

    Sweeps until the values are unchanged, at most S² times; autograd follows the maxima.
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
