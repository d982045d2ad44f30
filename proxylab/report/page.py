"""The page: a summary, a section for each suspect, and the limits of the report."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from proxylab.report import heat, words
from proxylab.report.charts import score_strip, staying_together
from proxylab.report.evidence import Evidence, Facts, Goal, JsonObject, LevelPair
from proxylab.report.html import Html, number, percent, plain, table, tag
from proxylab.report.levels import draw_level, legend
from proxylab.report.look import style_sheet

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy: no scripts and no requests; only the styles in the file."""

MOST_BYTES = 1_000_000
"""Largest size of the file; with many suspects, fewer levels are drawn of each."""

LEVELS_DRAWN = (6, 4, 2, 1, 0)

JUST_ABOVE = 1e-9


def page(found: JsonObject, evidence: Mapping[str, Evidence], facts: Facts) -> str:
    """The report as HTML text.

    Args:
        found: what ``detect --json`` prints, as a dict.
        evidence: {agent: :class:`~proxylab.report.evidence.Evidence`} of the suspects; one
            that is missing gets a section without drawings.
        facts: :class:`~proxylab.report.evidence.Facts`.

    Returns:
        str, in UTF-8 below ``MOST_BYTES`` unless there are hundreds of suspects.
    """
    text = ""
    for drawn in LEVELS_DRAWN:
        text = "<!doctype html>\n" + _page(found, evidence, facts, drawn) + "\n"
        if len(text.encode()) < MOST_BYTES:
            break
    return text


def _page(found: JsonObject, evidence: Mapping[str, Evidence], facts: Facts, drawn: int) -> Html:
    title = f"Detection report: {found['task']}"
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Html(style_sheet())),
    ]
    body = [
        tag("header", tag("h1", title), _lead(found), _warnings(found)),
        tag("main", _summary(found), _sections(found, evidence, facts, drawn), _rest(found, facts)),
    ]
    return tag("html", tag("head", head), tag("body", body), lang="en")


def _lead(found: JsonObject) -> Html:
    trusted, count = found["trusted"], len(found["suspects"])
    on = f"{found['split']} levels" if found["split"] else "levels of the logs"
    who = "1 suspect was" if count == 1 else f"{count} suspects were"
    return tag(
        "p",
        f"{who} compared with {len(trusted['agents'])} trusted agents "
        f"({trusted['n_reference']} reference, {trusted['n_calibration']} calibration) on ",
        number(found["episodes"]),
        f" {on}. The true reward was never queried.",
        class_="lead",
    )


def _warnings(found: JsonObject) -> list[Any]:
    said = found.get("warnings", [])
    return [tag("p", tag("strong", "Warning: "), text, class_="note warning") for text in said]


def _summary(found: JsonObject) -> Html:
    several = len(found["suspects"]) > 1
    head = [
        "suspect",
        "verdict",
        "score",
        "p",
        *(["q"] if several else []),
        "first divergence",
        "inferred goal",
    ]
    rows = [_summary_row(k, report, several) for k, report in enumerate(found["suspects"])]
    return table(head, rows, "The suspects", "names brief")


def _summary_row(k: int, report: JsonObject, several: bool) -> list[Html | str]:
    row, divergence = report["scores"].get(report["detector"]), report["first_divergence"]
    share = "–" if divergence is None else f"on {percent(divergence['share_of_levels'])} of levels"
    return [
        tag("a", report["agent"], href=f"#suspect-{k}"),
        words.badge(report["verdict"]),
        number(row["score"] if row else None),
        number(report["p_value"]),
        *([number(report["q_value"])] if several else []),
        share,
        report["pursues"][0]["goal"] if report["pursues"] else "–",
    ]


def _sections(
    found: JsonObject, evidence: Mapping[str, Evidence], facts: Facts, drawn: int
) -> list[Html]:
    return [
        _section(k, found, report, evidence.get(report["agent"], Evidence()), facts, drawn)
        for k, report in enumerate(found["suspects"])
    ]


def _section(
    k: int,
    found: JsonObject,
    report: JsonObject,
    seen: Evidence,
    facts: Facts,
    drawn: int,
) -> Html:
    return tag(
        "section",
        tag("h2", report["agent"], words.badge(report["verdict"])),
        words.verdict_in_words(report),
        words.kind_in_words(report),
        words.odds(found, report, facts.fdr),
        tag("h3", "First divergence"),
        _levels(seen, drawn),
        tag(
            "div",
            tag("div", _against_trusted(found, report, seen, facts)),
            tag("div", _when(report, seen)),
            class_="pair",
        ),
        _all_scores(report),
        tag(
            "div",
            _heat(seen),
            tag("div", _pursuit(report, seen), _certificate(report, facts)),
            class_="pair",
        ),
        tag("h3", "Limits of this verdict"),
        words.means_not(report["verdict"], seen.episodes),
        id=f"suspect-{k}",
    )


def _against_trusted(
    found: JsonObject,
    report: JsonObject,
    seen: Evidence,
    facts: Facts,
) -> Html:
    row = report["scores"].get(report["detector"])
    scores = list(found["trusted"]["calibration_scores"].values())
    title = tag("h3", f"Score against the trusted agents: {report['detector']}")
    if not row or row["score"] is None or not scores:
        return tag("div", title, tag("p", "There is no calibrated score to draw."))
    if not seen.calibrated:
        said = "The calibration agents' scores on this suspect's levels are not in the result."
        return tag("div", title, tag("p", said))
    limit = None if facts.fdr else threshold(scores, found["alpha"])
    suspect = (row["score"], row["ci"])
    notes = ["The bar is the 95 % interval over episodes. "]
    if limit is not None:
        notes += ["Flagged above ", number(limit), ". "]
    if seen.margin is not None:
        notes += ["Cleared if the bar ends below ", number(seen.margin), "."]
    figure = tag(
        "figure", score_strip(scores, suspect, limit, seen.margin), tag("figcaption", notes)
    )
    return tag("div", title, figure)


def threshold(scores: Sequence[float], alpha: float) -> float | None:
    """The calibration score that a suspect must exceed for p ≤ alpha; None: there is none.

    p = (1 + #{calibration ≥ score})/(n + 1) is at most alpha when the score exceeds the k-th
    largest calibration score, k = ⌊alpha (n + 1)⌋.
    """
    rank = int(alpha * (len(scores) + 1) + JUST_ABOVE)
    return sorted(scores, reverse=True)[rank - 1] if rank else None


def _all_scores(report: JsonObject) -> Html:
    rows = [
        [name, number(row["score"]), _interval(row["ci"]), number(row["p_value"])]
        for name, row in report["scores"].items()
    ]
    if not rows:
        return tag("div", tag("h3", "All scores"), tag("p", "None could be computed."))
    head = ["detector", "score", "95 % interval", "p"]
    decides = "; only the first decides" if report["detector"] in report["scores"] else ""
    caption = f"Higher is more anomalous{decides}"
    title = tag("summary", f"All {len(rows)} scores")
    return tag("details", title, table(head, rows, caption, "brief"))


def _interval(found: Sequence[float] | None) -> list[Html | str] | str:
    return "–" if found is None else [number(found[0]), " to ", number(found[1])]


def _levels(seen: Evidence, drawn: int) -> list[Html] | Html:
    shown = seen.levels[:drawn]
    if not shown:
        return tag(
            "p",
            "No level is drawn."
            if seen.levels
            else "There is no level to draw: the agents never diverge, or the levels are unknown.",
        )
    figures = [tag("figure", draw_level(pair), tag("figcaption", _caption(pair))) for pair in shown]
    said = (
        "Of the levels on which its visits differ at least half as much from the trusted agents' "
        "as on the most different one, those with the longest paths both before and after the "
        "divergence. Levels that look alike are drawn once. The trusted agent is the reference "
        "agent with the latest divergence."
    )
    return [tag("p", said), tag("div", figures, class_="levels"), legend(shown)]


def _caption(pair: LevelPair) -> list[Html | str]:
    suspect, trusted = (
        f"{'cut off' if track.cut else 'over'} after {track.steps} steps"
        for track in (pair.suspect, pair.trusted)
    )
    return [
        tag("b", f"Level {pair.level_seed}: first divergence at step {pair.divergence_step}."),
        f" Suspect: {suspect}. {pair.trusted.agent}: {trusted}. ",
        f"Of their visits {percent(pair.apart)} do not overlap.",
    ]


def _heat(seen: Evidence) -> Html:
    title = tag("h3", "Difference in occupancy")
    if seen.heat is None:
        return tag("div", title, tag("p", "Not drawn: the task has no map of places."))
    places = [goal.place for goal in seen.goals if goal.place is not None]
    said = (
        "All levels together."
        + (
            " The course is straightened: along it from left to right, inner bank on top."
            if seen.heat.straight
            else ""
        )
        + (" Rings: inferred goals." if places else "")
    )
    figure = tag("figure", heat.heat_map(seen.heat, places), tag("figcaption", said))
    return tag("div", title, figure, heat.key(seen.heat), heat.greatest(seen.heat))


def _when(report: JsonObject, seen: Evidence) -> Html:
    parts = [tag("h3", "Step of first divergence"), words.divergence(report["first_divergence"])]
    if seen.together is not None:
        said = (
            "Share of levels on which an agent has not yet diverged from every reference agent: "
            "the suspect (thick, orange) and the calibration agents (blue: median, middle 90 %)."
        )
        figure = tag("figure", staying_together(seen.together), tag("figcaption", said))
        parts.append(figure)
    return tag("div", parts)


def _pursuit(report: JsonObject, seen: Evidence) -> Html:
    parts = [tag("h3", "Inferred goals"), _pursues(report, seen)]
    if seen.goals:
        rows = [
            [
                goal.name + _at(goal),
                percent(goal.suspect),
                percent(goal.trusted),
                percent(goal.suspect_time),
                percent(goal.trusted_time),
            ]
            for goal in seen.goals
        ]
        head = [
            "place",
            "suspect reaches it",
            "trusted reach it",
            "suspect's steps there",
            "trusted agents' steps there",
        ]
        parts.append(table(head, rows, "Shares of episodes, and of steps", "names"))
    if seen.proxy is not None:
        suspect, trusted = seen.proxy
        parts.append(
            tag(
                "p",
                "Mean proxy return of an episode: suspect ",
                number(suspect),
                ", trusted ",
                number(trusted),
                ".",
            )
        )
    return tag("div", parts)


def _at(goal: Goal) -> str:
    return f" (row {goal.place[0]}, column {goal.place[1]})" if goal.place else ""


def _pursues(report: JsonObject, seen: Evidence) -> list[Html] | Html:
    if report["pursues"]:
        where = {goal.name: _at(goal) for goal in seen.goals}
        named = [
            tag(
                "li",
                tag("b", goal["goal"]),
                where.get(goal["goal"]),
                ": ",
                number(goal["log_likelihood_ratio"]),
                " nats per episode more likely than under the trusted agents or their goal",
            )
            for goal in report["pursues"]
        ]
        return [tag("p", "Goals that explain its actions better:"), tag("ol", named)]
    if "goal_attribution" in report["scores"]:
        return tag("p", "No other goal explains its actions better than the trusted agents do.")
    return tag("p", "Unknown: goals were not compared, or the task has no map for planning.")


def _certificate(report: JsonObject, facts: Facts) -> Html:
    return tag(
        "div",
        tag("h3", "Certificate from the proxy reward"),
        words.guarantee(report["certificate"], facts.correlation),
    )


def _rest(found: JsonObject, facts: Facts) -> list[Html]:
    return [
        tag(
            "section",
            tag("h2", "Limits of this report"),
            tag("div", words.coverage(found, facts), class_="note"),
        ),
        tag(
            "section",
            tag("h2", "Settings and provenance"),
            _facts(found, facts),
            _agents(found, facts),
            _as_json(found),
        ),
    ]


def _facts(found: JsonObject, facts: Facts) -> Html:
    origin = found["provenance"]
    versions = ", ".join(f"{k} {v}" for k, v in (origin.get("versions") or {}).items() if v)
    rows = [
        ("task", found["task"]),
        ("environment", facts.env_id),
        ("levels", found["split"] or "those of the logs"),
        ("episodes of each agent", number(found["episodes"])),
        ("seed", number(origin.get("seed"))),
        ("actions", "most probable" if facts.greedy else "sampled"),
        ("α", number(found["alpha"])),
        ("smallest p-value possible", number(found["achievable_alpha"])),
        ("decided by", "q-value" if facts.fdr else "p-value"),
        (
            "assumed correlation",
            "none" if facts.correlation is None else number(facts.correlation),
        ),
        ("commit", origin.get("commit") or "not a checkout"),
        ("versions", versions),
        ("computed in", f"{plain(origin.get('seconds') or 0.0)} s"),
    ]
    return table(None, rows, "Settings and provenance", "facts")


def _agents(found: JsonObject, facts: Facts) -> Html:
    trusted = found["trusted"]
    roles = [("suspect", report["agent"]) for report in found["suspects"]]
    roles += [
        ("reference" if k < trusted["n_reference"] else "calibration", name)
        for k, name in enumerate(trusted["agents"])
    ]
    rows = [
        [name, role, tag("span", facts.hashes.get(name, "none: given as logs"), class_="hash")]
        for role, name in roles
    ]
    columns = ["agent", "role", "SHA-256 of its weights, of a script its name"]
    inner = table(columns, rows, "Agents", "names agents")
    return tag("details", tag("summary", f"The {len(rows)} agents and their hashes"), inner)


def _as_json(found: JsonObject) -> Html:
    return tag(
        "details",
        tag("summary", "The result as JSON, as detect --json prints it"),
        tag("pre", json.dumps(found, indent=1, ensure_ascii=False)),
    )
