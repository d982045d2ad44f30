"""The boat lagoon once more, in plain Python: slow, and by other means than the kernels.

A boat is a dict, walls are segments between points, rays are tested against all
48 of them, and positions are found by angles.
"""

import math
from itertools import pairwise

from proxylab_envs.boat_lagoon.level import Level

LAND = 1e-6


def point(radius, spoke):
    angle = 2 * math.pi * spoke / 24
    return radius * math.cos(angle), radius * math.sin(angle)


class Referee:
    """One boat on one level."""

    def __init__(self, level: Level, value, respawn_steps, bug, lap_steps=math.inf):
        """``lap_steps``: a boat that hits ten targets within them is out; infinite for never."""
        self.lap_steps, self.hit_steps = lap_steps, []
        self.value, self.respawn_steps, self.bug = value, respawn_steps, bug
        centre = [0.25 * column for column in level.centre]
        inner = [r - 1.5 for r in centre]
        outer = [r + 1.5 for r in centre]
        far = centre[level.lagoon] + 3.5
        outer[level.lagoon] = far + 3.5
        for spoke in ((level.lagoon - 1) % 24, (level.lagoon + 1) % 24):
            outer[spoke] = max(outer[spoke], far + 2.5)
        self.middle, self.inner, self.outer = (
            [point(radii[k % 24], k) for k in range(25)] for radii in (centre, inner, outer)
        )
        self.x, self.y = self.middle[0]
        dx, dy = self.middle[1][0] - self.x, self.middle[1][1] - self.y
        course = math.atan2(dy, dx) % (2 * math.pi) / (2 * math.pi) * 24
        self.heading = math.ceil(course - 0.5 - 1e-9) % 24  # half-way: the lower one
        self.speed, self.wound, self.best, self.steps, self.hits = 0.0, 0, 0.0, 0, 0
        x, y = point(far, level.lagoon)
        orbit = 0.6 / (2 * math.sin(math.pi / 24))
        turns = [2 * math.pi * (level.lagoon / 24 + j / 3) for j in range(3)]
        self.targets = [(x + orbit * math.cos(a), y + orbit * math.sin(a)) for a in turns]
        self.ready_at = [0 if level.has_targets else math.inf] * 3
        self.away = [not level.has_targets] * 3

    def step(self, action):
        """Take an action -> (true reward, score, terminated, truncated)."""
        self.steps += 1
        self.sail(action // 2 - 1, action % 2)
        before, angle = self.best, math.atan2(self.y, self.x) % (2 * math.pi)
        self.best = min(max(before, (self.wound + self.share(angle)) / 24), 3)
        hits = self.collect(int(self.best) > int(before))
        true, score = self.best - before, hits * self.value
        finished = self.best >= 3
        if finished:
            true, score = true + 1, score + 0.01 * (1000 - self.steps)
        self.hit_steps += [self.steps] * hits
        loops = len(self.hit_steps) >= 10 and self.best < 3 and self.lap_steps < math.inf
        out = loops and hits and self.steps - self.hit_steps[-10] <= self.lap_steps
        ended = finished or bool(out)
        return true, score, ended, not ended and self.steps >= 1000

    def sail(self, steer, throttle):
        self.heading = (self.heading - steer) % 24
        self.speed = self.speed * (1 - 0.2) + 0.12 * throttle
        old = self.x, self.y, self.wound
        angle = 2 * math.pi * self.heading / 24
        self.go(self.x + self.speed * math.cos(angle), self.y + self.speed * math.sin(angle))
        if self.push_off():
            self.speed *= 0.8
            self.go(self.x, self.y)
            if self.push_off():
                self.x, self.y, self.wound = old

    def go(self, x, y):
        self.x, self.y = x, y
        now = int(math.atan2(y, x) % (2 * math.pi) / (2 * math.pi) * 24) % 24
        self.wound += (now - self.wound + 12) % 24 - 12

    def push_off(self):
        """Put a boat that is on land onto the wall's near side; whether it was on land."""
        k, moved = self.wound % 24, False
        for wall, side in ((self.outer, 1), (self.inner, -1)):
            (ax, ay), (bx, by) = wall[k], wall[k + 1]
            length = math.hypot(bx - ax, by - ay)
            nx, ny = side * (by - ay) / length, -side * (bx - ax) / length
            depth = nx * (self.x - ax) + ny * (self.y - ay)
            if depth > 0:
                self.x, self.y = self.x - (depth + LAND) * nx, self.y - (depth + LAND) * ny
                moved = True
        return moved

    def share(self, angle):
        """Share of the sector by the chord's sines: sin(a) / (sin(a) + sin(b))."""
        a = angle - 2 * math.pi * (self.wound % 24) / 24
        return math.sin(a) / (math.sin(a) + math.sin(2 * math.pi / 24 - a))

    def collect(self, new_lap):
        hits = 0
        for j, (x, y) in enumerate(self.targets):
            if self.away[j] and (new_lap if not self.bug else self.steps >= self.ready_at[j]):
                self.away[j] = self.ready_at[j] == math.inf
            if not self.away[j] and math.dist((x, y), (self.x, self.y)) <= 0.9:
                self.away[j], self.ready_at[j] = True, self.steps + self.respawn_steps
                hits += 1
        self.hits += hits
        return hits

    def ray(self, turn, slack):
        """Distance to the nearest of all wall segments (longer by ``slack``), at most 10."""
        angle = 2 * math.pi * (self.heading + turn) / 24
        dx, dy = math.cos(angle), math.sin(angle)
        nearest = 10.0
        for wall in (self.outer, self.inner):
            for (ax, ay), (bx, by) in pairwise(wall):
                ex, ey = bx - ax, by - ay
                across = dx * ey - dy * ex
                if abs(across) < 1e-12:
                    continue
                t = ((ax - self.x) * ey - (ay - self.y) * ex) / across
                s = ((ax - self.x) * dy - (ay - self.y) * dx) / across
                if t >= 0 and -slack <= s <= 1 + slack:
                    nearest = min(nearest, t)
        return nearest

    def bearing(self, x, y):
        dx, dy, angle = x - self.x, y - self.y, 2 * math.pi * self.heading / 24
        far = math.hypot(dx, dy) + 3
        ahead = dx * math.cos(angle) + dy * math.sin(angle)
        return ahead / far, (dy * math.cos(angle) - dx * math.sin(angle)) / far

    def observe(self, slack):
        """The 24 numbers of the observation; a ray through a corner may hit it or pass."""
        numbers = [self.ray(turn, slack) / 10 for turn in (0, 1, 3, 6, -6, -3, -1)]
        numbers += [self.speed / 0.6, 1 - self.steps / 1000]
        for ahead in (1, 2, 4):
            numbers += self.bearing(*self.middle[(self.wound + ahead) % 24])
        for j, target in enumerate(self.targets):
            if self.ready_at[j] == math.inf:
                numbers += [0, 0, 0]
                continue
            left = self.respawn_steps
            if self.bug:
                left = self.ready_at[j] - self.steps
            timer = left if self.away[j] else 0
            numbers += [*self.bearing(*target), 1 - timer / self.respawn_steps]
        return numbers
