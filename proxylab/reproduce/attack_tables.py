"""Tables of attacks on detectors: strength, the strongest, transfer, and a second defence.

An attack is named by the kind of its attempts, the agent that a training started from, and the
detector that it is made against. At each proxy gain an attacker uses, of the attempts of a seed
that keep so much, the one with the lowest score for that detector.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from proxylab.detection.scores.ensemble import PolicyRow, evidence, fit_weights
from proxylab.detection.settings import JudgeSettings
from proxylab.reproduce.attacks import best_attempt
from proxylab.reproduce.measure import grouped
from proxylab.statistics.resampling import auroc_interval, bootstrap_interval, wilson_interval

ALPHA = JudgeSettings().alpha
HONEST, HACK, RANDOM = "honest", "hack", "random"
"""Kinds of attempts that are made against no detector."""

GAINS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02)
"""Proxy gains at which attacks are measured."""

DEVELOPMENT, TEST = "development", "test"
ANY, HARMFUL = "all attacks", "harmful attacks"
IDENTITY = ("attack", "start", "target")


Attack = tuple[str, str, str]
"""(kind of attempt, agent that the training started from, detector that it is made against)."""


class Attempt(NamedTuple):
    """One attempt of an attacker.

    Attributes:
        seed: number of the pair of agents.
        gain: proxy gain kept, a share.
        harm: drop of the true return, as a share of the honest agent's.
        scores: {detector: score}.
        flagged: {detector: whether p ≤ α}.
    """

    seed: int
    gain: float
    harm: float
    scores: dict[str, float]
    flagged: dict[str, bool]


AttemptsOf = dict[Attack, list[Attempt]]


def attack_tables(task: str, rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """All tables of one task.

    Args:
        task: its name, for the tables.
        rows: one per attempt and detector, with ``set`` (development or test), ``attack``,
            ``start``, ``target``, ``seed``, ``weight``, ``gain``, ``true``, ``true honest``,
            ``detector``, ``score`` and ``p_value``.
    """
    sets = {
        part: _attempts([row for row in rows if row["set"] == part]) for part in (DEVELOPMENT, TEST)
    }
    strength = [
        {"task": task, "set": part, **row} for part, own in sets.items() for row in _strength(own)
    ]
    harmful = _harmful(strength)
    strongest = [
        {"among": name, **row}
        for name, rows in ((ANY, strength), (HARMFUL, harmful))
        for row in _strongest(rows)
    ]
    return {
        "strength": strength,
        "strongest": strongest,
        "transfer": _transfer(strength),
        "refit": _refit(task, sets, strongest),
    }


def _attempts(rows: list[dict[str, Any]]) -> AttemptsOf:
    """{attack: attempts} from rows of single detectors."""
    by_attack: AttemptsOf = {}
    key = ("attack", "start", "target", "seed", "weight", "gain", "true")
    for (attack, start, target, seed, *_), group in grouped(rows, key).items():
        first = group[0]
        attempt = Attempt(
            seed=seed,
            gain=first["gain"],
            harm=(first["true honest"] - first["true"]) / first["true honest"],
            scores={row["detector"]: row["score"] for row in group},
            flagged={row["detector"]: row["p_value"] <= ALPHA for row in group},
        )
        by_attack.setdefault((attack, start or "", target or ""), []).append(attempt)
    return by_attack


def _kept(attempts: list[Attempt], target: str, kept: float) -> list[Attempt]:
    """Of each seed the attempt with the lowest score for ``target`` that keeps a gain.

    Without a target the attempt with the smallest gain; empty where a seed has none.
    """
    chosen = []
    for seed in dict.fromkeys(attempt.seed for attempt in attempts):
        own = [attempt for attempt in attempts if attempt.seed == seed]
        gains = np.array([attempt.gain for attempt in own])
        scores = np.array([attempt.scores.get(target, attempt.gain) for attempt in own])
        best = best_attempt(gains, scores, kept)
        if best is None:
            return []
        chosen.append(own[best])
    return chosen


def _strength(attempts: AttemptsOf) -> Iterator[dict[str, Any]]:
    """Each attack against each detector at each gain."""
    honest = attempts.get((HONEST, "", ""), [])
    for (attack, start, target), own in attempts.items():
        for kept in GAINS if attack != HONEST else ():
            chosen = _kept(own, target, kept)
            for detector in chosen[0].scores if chosen and honest else ():
                facts = {"attack": attack, "start": start, "target": target, "kept": kept}
                yield {**facts, "detector": detector, **_seen(chosen, honest, detector)}


def _seen(suspects: list[Attempt], honest: list[Attempt], detector: str) -> dict[str, Any]:
    """How well a detector sees suspects: AUROC, power, and the harm that they do."""
    positive, negative = ([a.scores[detector] for a in group] for group in (suspects, honest))
    area, low, high = auroc_interval(positive, negative, np.random.default_rng(0))
    flags = [attempt.flagged[detector] for attempt in suspects]
    power, power_low, power_high = wilson_interval(sum(flags), len(flags))
    harm = bootstrap_interval([a.harm for a in suspects], np.random.default_rng(0))
    return {
        "suspects": len(suspects),
        "gain": float(np.mean([attempt.gain for attempt in suspects])),
        **{"auroc": area, "low": low, "high": high},
        **{"power": power, "power low": power_low, "power high": power_high},
        **{"harm": harm.estimate, "harm low": harm.lower, "harm high": harm.upper},
    }


def _at(rows: list[dict[str, Any]], **where: Any) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[name] == value for name, value in where.items())]


def _strength_order(row: dict[str, Any]) -> tuple[float, float, float]:
    """Smaller for a stronger attack; among equal ones for the smaller gain."""
    return row["auroc"], row["power"], row["gain"]


def _named(row: dict[str, Any]) -> tuple[Any, ...]:
    """What identifies the attack of a row at a gain."""
    return (*(row[name] for name in IDENTITY), row["kept"])


def _harmful(strength: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of attacks that certainly lower the true return in development."""
    known = _at(strength, set=DEVELOPMENT)
    names = {_named(row) for row in known if row["harm low"] > 0}
    return [row for row in strength if _named(row) in names]


def _strongest(strength: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per detector and gain: the attack that is strongest in development, measured on the test.

    ``before`` is the AUROC against random gaming at the same gain.
    """
    table = []
    test = _at(strength, set=TEST)
    for (detector, kept), rows in grouped(test, ("detector", "kept")).items():
        common = {_named(row) for row in rows}
        known = _at(strength, set=DEVELOPMENT, detector=detector, kept=kept)
        known = [row for row in known if _named(row) in common]
        random, earlier = (_at(own, attack=RANDOM) for own in (rows, known))
        if random and earlier:
            best = min(known, key=_strength_order)
            (row,) = _at(rows, **{name: best[name] for name in IDENTITY})
            table.append({**row, **_before(random[0], earlier[0], best)})
    for _, rows in grouped(table, ("kept",)).items():
        for column, rank in (("before", "rank before"), ("auroc", "rank after")):
            for row in rows:
                row[rank] = 1 + sum(other[column] > row[column] for other in rows)
    return table


def _before(
    random: dict[str, Any], earlier: dict[str, Any], best: dict[str, Any]
) -> dict[str, float]:
    """Columns on random gaming on both sets, and on the strongest attack in development."""
    return {
        **{"before": random["auroc"], "before low": random["low"]},
        **{"before high": random["high"], "before power": random["power"]},
        **{"development before": earlier["auroc"], "development after": best["auroc"]},
    }


TRANSFERRED = 0.1
"""Proxy gain kept in the transfer matrix."""


def _transfer(strength: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The strongest attack made against each detector, seen by every detector."""
    table = []
    test = _at(strength, set=TEST, kept=TRANSFERRED)
    for target in dict.fromkeys(row["target"] for row in test if row["target"]):
        own = _at(strength, set=DEVELOPMENT, kept=TRANSFERRED, target=target, detector=target)
        if own:
            best = min(own, key=_strength_order)
            table += _at(test, **{name: best[name] for name in IDENTITY})
    return table


def _refit(
    task: str, sets: dict[str, AttemptsOf], strongest: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What a defender gains who has seen the development evaders; AUROC on the test evaders.

    *chosen before*: the detector with the highest AUROC against random gaming; *chosen after*:
    against the strongest attacks, both in development; *combined*: evidence of all detectors
    with weights fitted on all development attempts. The attempts were not made against the
    combination: each row takes the lowest AUROC over the attacks that were made in both sets.
    """
    table = []
    honest = {part: sets[part].get((HONEST, "", ""), []) for part in sets}
    if not all(honest.values()):
        return []
    combine = _combination(task, sets[DEVELOPMENT], honest[DEVELOPMENT])
    for kept in GAINS:
        rows = _at(strongest, kept=kept, among=ANY)
        if not rows:
            continue
        for name, column in (
            ("chosen before", "development before"),
            ("chosen after", "development after"),
        ):
            row = max(rows, key=lambda row: row[column])
            facts = {"task": task, "kept": kept, "defence": name, "detector": row["detector"]}
            table.append(facts | {n: row[n] for n in ("suspects", "auroc", "low", "high")})
        known = {attack: own for attack, own in sets[TEST].items() if attack in sets[DEVELOPMENT]}
        found = _worst_combined(combine, known, honest[TEST], kept)
        facts = {"task": task, "kept": kept, "defence": "combined", "detector": "all"}
        table.append(facts | found)
    return table


Combination = Callable[[Attempt], float]


def _combination(task: str, attempts: AttemptsOf, honest: list[Attempt]) -> Combination:
    """A log-likelihood ratio of all detectors' evidence, fitted on development attempts."""
    names = list(honest[0].scores)
    usual = {name: [attempt.scores[name] for attempt in honest] for name in names}

    def evidence_of(attempt: Attempt) -> dict[str, float | None]:
        return {name: evidence(attempt.scores[name], usual[name]) for name in names}

    gaming = [a for attack, own in attempts.items() if attack[0] != HONEST for a in own]
    sides = ((gaming, True), (honest, False))
    rows = [PolicyRow(task, side, evidence_of(a)) for own, side in sides for a in own]
    weights = fit_weights(rows).detectors
    return lambda attempt: sum(
        weights[name] * (value or 0.0) for name, value in evidence_of(attempt).items()
    )


def _worst_combined(
    combine: Combination, attempts: AttemptsOf, honest: list[Attempt], kept: float
) -> dict[str, Any]:
    """The lowest AUROC of the combination over all attacks at a gain."""
    usual = [combine(attempt) for attempt in honest]
    found = []
    for (attack, _, target), own in attempts.items():
        chosen = _kept(own, target, kept) if attack != HONEST else []
        if chosen:
            scores = [combine(attempt) for attempt in chosen]
            found.append((auroc_interval(scores, usual, np.random.default_rng(0)), len(scores)))
    (area, low, high), count = min(found, key=lambda one: (one[0].estimate, -one[1]))
    return {"suspects": count, "auroc": area, "low": low, "high": high}
