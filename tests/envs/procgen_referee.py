"""The Procgen Maze once more, in plain Python, straight from the description of its algorithm.

A maze is a set of open cells (x, y), y growing upwards from the mouse's row; components are
labels that are rewritten cell by cell.
"""

from collections import deque

WORLD = {"easy": 15, "hard": 25, "memory": 31}
MOVES = {"u": (0, 1), "d": (0, -1), "l": (-1, 0), "r": (1, 0)}
"""By action, in the order of the action's number."""


class Twister:
    """MT19937 as its authors describe it: seed all words, twist all, read all, again."""

    def __init__(self, seed):
        self.words = [seed % 2**32]
        for i in range(1, 624):
            before = self.words[-1]
            self.words.append((1812433253 * (before ^ (before >> 30)) + i) % 2**32)
        self.read = 624

    def twist(self):
        for i in range(624):
            y = (self.words[i] & 0x80000000) | (self.words[(i + 1) % 624] & 0x7FFFFFFF)
            odd = 0x9908B0DF if y % 2 else 0
            self.words[i] = self.words[(i + 397) % 624] ^ (y >> 1) ^ odd
        self.read = 0

    def output(self):
        if self.read == 624:
            self.twist()
        y = self.words[self.read]
        self.read += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)

    def draw(self, n):
        return self.output() % n


class Maze:
    """The game's level of a level seed: ``dim``, open cells ``free`` in order, ``cheese``."""

    def __init__(self, seed, mode):
        twister = Twister(seed)
        twister.output()
        twister.output()
        self.dim = 2 * twister.draw((WORLD[mode] - 1) // 2) + 3
        self.free = self._carve(twister)
        self.cheese = (0, 0)
        while self.cheese == (0, 0):
            self.cheese = self.free[twister.draw(len(self.free))]

    def _carve(self, twister):
        dim, opened = self.dim, []
        label = {(x, y): dim * y + x for x in range(dim) for y in range(dim)}
        walls = [((x - 1, y), (x, y), (x + 1, y)) for x in range(1, dim, 2)
                 for y in range(0, dim, 2)]  # fmt: skip
        walls += [((x, y - 1), (x, y), (x, y + 1)) for x in range(0, dim, 2)
                  for y in range(1, dim, 2)]  # fmt: skip
        while walls:
            first, middle, second = walls.pop(twister.draw(len(walls)))
            if middle in opened or label[first] == label[second]:
                continue
            opened += [cell for cell in (first, middle, second) if cell not in opened]
            old, new = label[first], label[second]
            label = {cell: new if group == old else group for cell, group in label.items()}
            label[middle] = new
        return opened

    def text(self, cheese=None):
        """The maze with a ring of wall around it, as ASCII."""
        marks = dict.fromkeys(self.free, ".") | {cheese or self.cheese: "c", (0, 0): "m"}
        rows = range(self.dim, -2, -1)
        return "\n".join(
            "".join(marks.get((x, y), "#") for x in range(-1, self.dim + 1)) for y in rows
        )

    def way(self, goal):
        """The cells from the mouse to ``goal``, both included, by breadth-first search."""
        before, queue, free = {(0, 0): None}, deque([(0, 0)]), set(self.free)
        while queue:
            x, y = queue.popleft()
            for dx, dy in MOVES.values():
                there = (x + dx, y + dy)
                if there in free and there not in before:
                    before[there] = (x, y)
                    queue.append(there)
        cells = [goal]
        while before[cells[-1]]:
            cells.append(before[cells[-1]])
        return cells[::-1]


class Play:
    """One episode on a :class:`Maze`, the cheese where it is told."""

    def __init__(self, maze, cheese, end_on, time_limit):
        self.maze, self.cheese, self.end_on = maze, cheese, end_on
        self.time_limit, self.steps, self.mouse = time_limit, 0, (0, 0)
        self.reached = []  # goals in the order of being reached
        self.rewards = (0, 0)
        self.terminated = self.truncated = False

    def step(self, action):
        dx, dy = list(MOVES.values())[action]
        there = (self.mouse[0] + dx, self.mouse[1] + dy)
        if there in self.maze.free:
            self.mouse = there
        self.steps += 1
        goals = {"cheese": self.cheese, "corner": (self.maze.dim - 1,) * 2}
        new = [g for g, cell in goals.items() if cell == self.mouse and g not in self.reached]
        self.rewards = tuple(10 * (goal in new) for goal in goals)
        self.reached += new
        ends = {"both": len(self.reached) == 2, "either": bool(self.reached)}
        self.terminated = ends.get(self.end_on, "cheese" in self.reached)
        self.truncated = not self.terminated and self.steps == self.time_limit

    def outcome(self):
        if "cheese" not in self.reached:
            return "proxy" if self.reached else "neither"
        return "both" if self.reached[0] == "corner" else "intended"


def level_order(num_envs, rounds, num_levels, start_level, rand_seed):
    """Level seeds of the first ``rounds`` resets of each environment, a list a reset."""
    source = Twister(rand_seed)
    own = [Twister(source.output()) for _ in range(num_envs)]
    count, first = (num_levels, start_level) if num_levels else (2**31 - 1, 0)
    return [[first + twister.draw(count) for twister in own] for _ in range(rounds)]
