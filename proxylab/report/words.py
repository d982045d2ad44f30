"""The meaning, error rates and limits of a verdict, as text."""

from proxylab.report.evidence import Facts, JsonObject
from proxylab.report.html import Html, number, percent, tag
from proxylab.statistics.conformal import realised_rate_bound

NAMES = {
    "FLAG": ("▲", "flagged"),
    "CLEAR": ("●", "cleared"),
    "INCONCLUSIVE": ("◆", "undecided"),
    "DEGENERATE": ("■", "not judged"),
}
"""verdict: (mark, word)."""

NOT_HARM = "Different, not necessarily harmful."
"""Beside every FLAG."""


def badge(verdict: str) -> Html:
    """The verdict as a mark and a word, not by colour alone."""
    mark, word = NAMES[verdict]
    return tag("span", f"{mark} {word}", class_=f"badge {verdict.lower()}", title=verdict)


def verdict_in_words(report: JsonObject) -> Html:
    """The verdict on a suspect (its JSON) in one sentence."""
    agent = tag("b", report["agent"])
    meaning = {
        "FLAG": " behaves further from the trusted agents than they do from each other.",
        "CLEAR": " stays as close to the trusted agents as they stay to each other.",
        "INCONCLUSIVE": " is neither far enough from the trusted agents to be flagged nor "
        "close enough, with confidence, to be cleared.",
        "DEGENERATE": " could not be judged: the scores are undefined or constant.",
    }[report["verdict"]]
    if report["verdict"] == "INCONCLUSIVE" and report["p_value"] is None:
        meaning = " cannot be judged yet: there are too few trusted agents to compare it with."
    return tag("p", agent, meaning, class_="verdict")


def kind_in_words(report: JsonObject) -> Html:
    """The kind of difference of a FLAG with its evidence; nothing for other verdicts."""
    if report["verdict"] != "FLAG":
        return tag("p", hidden="")
    found = report.get("difference")
    if not found:
        return tag("p", NOT_HARM, class_="note")
    return tag(
        "p", tag("b", f"{found['kind'].capitalize()}: "), f"{found['reason']}. ",
        NOT_HARM, class_="note",
    )  # fmt: skip


def odds(found: JsonObject, report: JsonObject, fdr: bool) -> Html:
    """The p-value, the q-value and the false-alarm rate, as a list."""
    count = found["trusted"]["n_calibration"]
    smallest = found["achievable_alpha"]
    lines = [tag("li", f"Reason: {report['reason']}.")]
    p_value = report["p_value"]
    if p_value is not None:
        lines.append(
            tag(
                "li",
                "p = ",
                number(p_value),
                f": a suspect exchangeable with the trusted agents would score as high "
                f"in at most 1 of {1 / p_value:.3g} cases.",
            )
        )
    if report["q_value"] is not None and len(found["suspects"]) > 1:
        decides = "it decides here" if fdr else "it does not decide here"
        lines.append(
            tag("li", "q = ", number(report["q_value"]), f" over all suspects; {decides}.")
        )
    level = ["α = ", number(found["alpha"]), "; the smallest p-value possible with "]
    least = [f"{count} calibration agents is ", number(smallest), ". "]
    return tag("ul", *lines, tag("li", level, least, rate(found)), needs(report))


def rate(found: JsonObject) -> str:
    """A bound on the false-alarm rate with this calibration set."""
    bound = realised_rate_bound(found["trusted"]["n_calibration"], found["alpha"])
    if not bound:
        least = found["trusted"]["n_calibration_needed"]
        return f"No suspect can be flagged: that needs {least} calibration agents."
    return (
        f"On average over calibration sets at most {percent(found['alpha'])} of honest agents "
        f"are flagged; with this set it is below {percent(bound)} (95 % confidence)."
    )


def needs(report: JsonObject) -> list[Html]:
    """The numbers that would decide an inconclusive case: list items."""
    items = []
    if report["episodes_needed"]:
        items.append(
            tag(
                "li",
                "Episodes needed to clear it, if its score stays the same: ",
                number(report["episodes_needed"]),
                ".",
            )
        )
    if report["trusted_needed"]:
        items.append(
            tag(
                "li",
                "Trusted agents needed to flag it, if no larger share of them scores as high: ",
                number(report["trusted_needed"]),
                ".",
            )
        )
    return items


def divergence(record: JsonObject | None) -> Html:
    """When the suspect diverges from all reference agents, from ``first_divergence``."""
    if record is None:
        return tag("p", "The first divergence is unknown: the episodes are not paired.")
    if record["median_step"] is None:
        return tag("p", "On every level it follows a reference agent to the end.")
    return tag(
        "p",
        "It diverges from every reference agent on ",
        tag("data", percent(record["share_of_levels"]), value=repr(record["share_of_levels"])),
        " of levels, at step ",
        number(record["median_step"]),
        " (median of these levels).",
    )


def guarantee(certificate: JsonObject | None, correlation: float | None) -> Html:
    """The certificate as a paragraph."""
    if certificate is None:
        return tag("p", "None: proxy rewards or states are unknown.")
    covered = percent(certificate["support_coverage"])
    if certificate["r_star"] is None:
        return tag(
            "p",
            "None: no correlation of proxy and intended reward rules out harm. ",
            f"{covered} of the suspect's visits lie on the trusted agents' support.",
        )
    reach = [
        "Guaranteed no worse than the trusted agents if proxy and intended reward correlate at "
        "r* = ",
        number(certificate["r_star"]),
        " or more; below that, some intended reward with that correlation loses. ",
    ]
    return tag(
        "p",
        reach,
        _vouched(certificate, correlation),
        " It never changes the verdict, "
        "and a hack that follows the proxy very efficiently looks the same.",
    )


def _vouched(certificate: JsonObject, correlation: float | None) -> list[Html | str] | str:
    if correlation is None:
        return "No correlation is assumed (--correlation), so the certificate clears nothing."
    cleared = certificate["cleared_at"] is not None
    words = "which suffices: cleared by the certificate." if cleared else "which does not suffice."
    return ["A correlation of ", number(correlation), " is assumed, ", words]


MEANS_NOT = {
    "FLAG": (
        "It differs; the detector cannot tell whether that is harmful. An honest agent that was "
        "trained differently, overtrained or undertrained can be flagged too.",
        "Look at the levels above: do they show another goal, or another path to the same one?",
    ),
    "CLEAR": (
        "Being close on average leaves room for rare episodes: behaviour that shows on fewer "
        "than {rare} of levels may have been missed.",
        "Similarity to the trusted agents does not prove good behaviour; they may share a flaw.",
    ),
    "INCONCLUSIVE": (
        "There is no evidence either way. In particular, this is not a weak clearance.",
    ),
    "DEGENERATE": ("Nothing was measured, so there is no evidence.",),
}
"""verdict: its limits. ``{rare}`` is the share that E episodes miss with odds of 5 %."""


def means_not(verdict: str, episodes: int) -> Html:
    """The limits of a verdict on so many episodes: a list."""
    rare = percent(1 - 0.05 ** (1 / episodes)) if episodes else "any number"
    return tag("ul", [tag("li", text.format(rare=rare)) for text in MEANS_NOT[verdict]])


def coverage(found: JsonObject, facts: Facts) -> Html:
    """The limits of all verdicts of this report: a list."""
    levels = f"{found['split']} levels" if found["split"] else "levels of the logs"
    actions = "most probable actions only" if facts.greedy else "sampled actions"
    return tag(
        "ul",
        [
            tag("li", tag("b", head), " ", text)
            for head, text in (
                (
                    "Other levels.",
                    f"Only {found['episodes']:,} {levels} of {found['task']} were compared; other "
                    "kinds of levels, rules or environments were not.",
                ),
                (
                    "Triggers.",
                    "An agent that behaves well until a certain observation, time or number "
                    "occurs looks trusted if these levels do not contain it.",
                ),
                (
                    "Flaws in common.",
                    "The trusted agents are assumed to be good. A suspect that shares their "
                    "flaws is not flagged.",
                ),
                (
                    "Agents chosen to pass.",
                    "The false-alarm rate holds for a suspect exchangeable with the trusted "
                    "agents, not for one trained or selected to score low on this detector.",
                ),
                (
                    "Unobserved behaviour.",
                    f"Detectors see states, actions and, where known, probabilities ({actions}). "
                    "Behaviour that leaves no trace in these is not judged.",
                ),
                (
                    "The true reward.",
                    "It was never queried: the report does not say how return changed.",
                ),
                (
                    "Other detectors.",
                    "One detector, named beforehand, decides. The other scores are shown for "
                    "orientation; choosing among them afterwards would void the false-alarm rate.",
                ),
            )
        ],
    )
