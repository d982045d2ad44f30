"""Plans on maps of deterministic moves: distances, and the likelihood of actions."""

import numba
import numpy as np
from numpy.typing import NDArray

UNREACHABLE = -1


@numba.njit(cache=True)
def distances_to_states(successors: NDArray[np.int32]) -> NDArray[np.int16]:
    """Fewest steps from every state to every state, level by level.

    Breadth-first search backwards from each goal. Moves may be one-way.

    Args:
        successors: int32[L, S, A], the state that an action leads to, negative for none.

    Returns:
        int16[L, S, S]: [l, g, s] steps from s to g, ``UNREACHABLE`` where g cannot be
        reached, and in the rows of states that do not exist (no action has a successor there).
    """
    num_levels, num_states, num_actions = successors.shape
    out = np.full((num_levels, num_states, num_states), UNREACHABLE, np.int16)
    first = np.empty(num_states + 1, np.int64)
    before = np.empty(num_states * num_actions, np.int64)
    queue = np.empty(num_states, np.int64)
    for level in range(num_levels):
        _predecessors(successors[level], first, before)
        for goal in range(num_states):
            if successors[level, goal].max() >= 0:
                _search(first, before, goal, out[level, goal], queue)
    return out


@numba.njit(cache=True)
def _predecessors(
    successors: NDArray[np.int32], first: NDArray[np.int64], before: NDArray[np.int64]
) -> None:
    """States that lead to s: ``before[first[s]:first[s + 1]]``."""
    num_states, num_actions = successors.shape
    first[:] = 0
    for state in range(num_states):
        for action in range(num_actions):
            if successors[state, action] >= 0:
                first[successors[state, action] + 1] += 1
    for state in range(num_states):
        first[state + 1] += first[state]
    filled = first[:-1].copy()
    for state in range(num_states):
        for action in range(num_actions):
            there = successors[state, action]
            if there >= 0:
                before[filled[there]] = state
                filled[there] += 1


@numba.njit(cache=True)
def _search(
    first: NDArray[np.int64],
    before: NDArray[np.int64],
    goal: int,
    out: NDArray[np.int16],
    queue: NDArray[np.int64],
) -> None:
    out[goal] = 0
    queue[0] = goal
    head, tail = 0, 1
    while head < tail:
        there = queue[head]
        head += 1
        for k in range(first[there], first[there + 1]):
            state = before[k]
            if out[state] == UNREACHABLE:
                out[state] = out[there] + 1
                queue[tail] = state
                tail += 1


@numba.njit(cache=True)
def plan_probability(
    distances: NDArray[np.int16], successors: NDArray[np.int32], action: int, sharpness: float
) -> float:
    """Probability of ``action`` under a softmax over the distances that the actions lead to.

    π(a) ∝ exp(−sharpness · d(s_a)), with s_a the state that a leads to; an action from
    which the goal is out of reach has no weight.

    Args:
        distances: int16[S], steps to the goal.
        successors: int32[A], of one state; the goal can be reached from it.
        action: int.
        sharpness: per step.
    """
    nearest = -1
    for a in range(successors.shape[0]):
        there = successors[a]
        if there >= 0 and distances[there] >= 0 and (nearest < 0 or distances[there] < nearest):
            nearest = distances[there]
    total, chosen = 0.0, 0.0
    for a in range(successors.shape[0]):
        there = successors[a]
        if there >= 0 and distances[there] >= 0:
            weight = np.exp(-sharpness * (distances[there] - nearest))
            total += weight
            if a == action:
                chosen = weight
    return chosen / total if total > 0 else 0.0


@numba.njit(cache=True)
def plan_probabilities(
    distances: NDArray[np.int16],
    successors: NDArray[np.int32],
    level: NDArray[np.int64],
    offsets: NDArray[np.int64],
    state_id: NDArray[np.int64],
    action: NDArray[np.int64],
    sharpness: float,
) -> NDArray[np.float64]:
    """:func:`plan_probability` of every action taken, for one goal.

    Args:
        distances: int16[L, S], steps to the goal.
        successors: int32[L, S, A].
        level: int64[E], index of each episode's level.
        offsets: int64[E+1].
        state_id: int64[T].
        action: int64[T].
        sharpness: per step.

    Returns:
        float64[T]; NaN from the first arrival at the goal on, and everywhere where the goal is out
        of reach at the start.
    """
    out = np.full(state_id.shape[0], np.nan)
    for episode in range(level.shape[0]):
        row = level[episode]
        for step in range(offsets[episode], offsets[episode + 1]):
            state = state_id[step]
            if distances[row, state] <= 0:
                break
            out[step] = plan_probability(
                distances[row], successors[row, state], action[step], sharpness
            )
    return out


@numba.njit(cache=True)
def pursuit_likelihoods(
    distances: NDArray[np.int16],
    successors: NDArray[np.int32],
    level: NDArray[np.int64],
    offsets: NDArray[np.int64],
    state_id: NDArray[np.int64],
    action: NDArray[np.int64],
    rivals: NDArray[np.float64],
    lapses: NDArray[np.float64],
    sharpness: float,
) -> NDArray[np.float64]:
    """Log-likelihood of the actions before the arrival at each goal, for its plan and for rivals.

    A model m gives the action taken at step t the probability (1 − ε) m_t + ε/A. Steps from the
    first arrival at a goal on are left out for that goal.

    Args:
        distances: int16[L, G, S], steps to each goal.
        successors: int32[L, S, A].
        level: int64[E], index of each episode's level.
        offsets: int64[E+1].
        state_id: int64[T].
        action: int64[T].
        rivals: float64[R, T], probability of the action taken under R other models.
        lapses: float64[M], values of ε in (0, 1].
        sharpness: of the plans, per step.

    Returns:
        float64[G, 1 + R, M]: summed over all episodes; the goal's plan first. Nats.
    """
    num_goals, num_rivals = distances.shape[1], rivals.shape[0]
    out = np.zeros((num_goals, 1 + num_rivals, lapses.shape[0]))
    logs = np.zeros((num_rivals, lapses.shape[0], state_id.shape[0] + 1))
    chance = 1.0 / successors.shape[2]
    for r in range(num_rivals):
        for m in range(lapses.shape[0]):
            for step in range(state_id.shape[0]):
                likelihood = (1 - lapses[m]) * rivals[r, step] + lapses[m] * chance
                logs[r, m, step + 1] = logs[r, m, step] + np.log(likelihood)
    cells, at = _cells(successors.shape, level, offsets, state_id, action)
    for goal in range(num_goals):
        counts = np.zeros(len(cells), np.int64)
        for episode in range(level.shape[0]):
            to_goal = distances[level[episode], goal]
            start = step = offsets[episode]
            while step < offsets[episode + 1] and to_goal[state_id[step]] > 0:
                counts[at[step]] += 1
                step += 1
            for r in range(num_rivals):
                for m in range(lapses.shape[0]):
                    out[goal, 1 + r, m] += logs[r, m, step] - logs[r, m, start]
        for n in range(len(cells)):
            if counts[n]:
                place, state, chosen = cells[n, 0], cells[n, 1], cells[n, 2]
                to_goal, moves = distances[place, goal], successors[place, state]
                planned = plan_probability(to_goal, moves, chosen, sharpness)
                for m in range(lapses.shape[0]):
                    likelihood = (1 - lapses[m]) * planned + lapses[m] * chance
                    out[goal, 0, m] += counts[n] * np.log(likelihood)
    return out


@numba.njit(cache=True)
def _cells(
    shape: tuple[int, int, int],
    level: NDArray[np.int64],
    offsets: NDArray[np.int64],
    state_id: NDArray[np.int64],
    action: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different (level, state, action), and which of them each step is.

    Args:
        shape: (L, S, A).
        level: int64[E], index of each episode's level.
        offsets: int64[E+1].
        state_id: int64[T].
        action: int64[T].

    Returns:
        (int64[N, 3], int64[T]).
    """
    number, count = np.full(shape, -1), 0
    cells, at = np.empty((state_id.shape[0], 3), np.int64), np.empty(state_id.shape[0], np.int64)
    for episode in range(level.shape[0]):
        for step in range(offsets[episode], offsets[episode + 1]):
            place, state, chosen = level[episode], state_id[step], action[step]
            if number[place, state, chosen] < 0:
                number[place, state, chosen] = count
                cells[count] = place, state, chosen
                count += 1
            at[step] = number[place, state, chosen]
    return cells[:count], at
