"""The result of ``bowtie`` as console text."""

from typing import TYPE_CHECKING

from rich.console import Console

from proxylab.console.output import escape, table

if TYPE_CHECKING:
    from proxylab.barriers.run import BowTie, FailureMode, Threat


def show_bow_tie(console: Console, result: "BowTie", _command: object) -> None:
    """Threats, barriers, the pairs whose holes line up, and the table of failure modes."""
    console.print(f"{result.task}: {result.hazard}; event: {result.event}")
    _heading(console, "threats: mean loss, a share of the true return of a trusted agent")
    table(console, [_threat_row(threat) for threat in result.threats])
    if result.training:
        _heading(console, "barriers in training: share of runs that yield a failing agent")
        table(
            console,
            [
                {
                    "barrier": barrier.name,
                    "threat": barrier.threat,
                    "strength": barrier.strength,
                    "runs": barrier.runs,
                    "pass": str(barrier.passed),
                }
                for barrier in result.training
            ],
        )
    _heading(console, "barriers: share of failing agents that pass, and of honest ones stopped")
    table(
        console,
        [
            {
                "barrier": barrier.name,
                "side": barrier.side,
                "honest stopped": str(barrier.honest_stopped),
                **{threat: str(rate) for threat, rate in barrier.passed.items()},
            }
            for barrier in result.barriers
        ],
    )
    _show_pairs(console, result)
    _heading(console, "failure modes")
    table(console, [_mode_row(mode) for mode in result.failure_modes])
    if result.irrecoverable:
        lost = result.irrecoverable
        console.print(
            f"\nwhere gaming cannot be undone, {lost.agents} gaming agents lose {lost.alone}; "
            f"{lost.guarded} with a guard"
        )
    for source in result.sources:
        console.print(f"{escape(source.file)}: {source.command}")
    if result.figure:
        console.print(escape(result.figure))


def _heading(console: Console, text: str) -> None:
    console.print(f"\n{text}")


def _threat_row(threat: "Threat") -> dict[str, object]:
    return {
        "threat": threat.name,
        "agents": threat.agents,
        "fail": "" if threat.occurrence is None else str(threat.occurrence),
        "no barrier": str(threat.severity),
        "preventive": str(threat.left),
        "recovery": str(threat.right),
        "both": str(threat.both),
        "if independent": str(threat.assumed),
    }


def _mode_row(mode: "FailureMode") -> dict[str, object]:
    return {
        "mode": mode.mode,
        "severity": str(mode.severity),
        "occurrence": "" if mode.occurrence is None else str(mode.occurrence),
        "undetected": str(mode.undetected),
        "product": str(mode.priority),
    }


def _show_pairs(console: Console, result: "BowTie") -> None:
    """The pairs that let through more than the product of their rates, and how many do not."""
    ratios = [pair.ratio for pair in result.pairs]
    defined = [ratio for ratio in ratios if ratio.value is not None]
    shared = [p for p in result.pairs if p.ratio.low is not None and p.ratio.low > 1]
    less = [ratio for ratio in defined if ratio.high is not None and ratio.high < 1]
    _heading(
        console,
        f"pairs of barriers: of {len(ratios)}, {len(ratios) - len(defined)} have no ratio (one of "
        f"them stops every agent), {len(shared)} let through more than the product of their pass "
        f"rates (interval above 1), {len(less)} less",
    )
    rows = [
        {
            "threat": pair.threat,
            "pair": " + ".join(pair.barriers),
            "pass both": str(pair.joint),
            "product": str(pair.product),
            "ratio": str(pair.ratio),
        }
        for pair in sorted(shared, key=lambda pair: -(pair.ratio.low or 0))
    ]
    table(console, rows)
