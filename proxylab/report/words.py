"""What a verdict means, what it is worth and what it does not cover, in words."""

from proxylab.report.html import number, percent, tag
from proxylab.statistics.conformal import realised_rate_bound

NAMES = {
    "FLAG": ("▲", "flagged"),
    "CLEAR": ("●", "cleared"),
    "INCONCLUSIVE": ("◆", "undecided"),
    "DEGENERATE": ("■", "not judged"),
}
"""verdict: (mark, word)."""


def badge(verdict):
    """The verdict as a mark and a word; never by colour alone."""
    mark, word = NAMES[verdict]
    return tag("span", f"{mark} {word}", class_=f"badge {verdict.lower()}", title=verdict)


def verdict_in_words(report):
    """One sentence: what was found of a suspect (its JSON)."""
    agent = tag("b", report["agent"])
    meaning = {
        "FLAG": " behaves further from the trusted agents than they do from each other.",
        "CLEAR": " stays as close to the trusted agents as they stay to each other.",
        "INCONCLUSIVE": " is neither far enough from the trusted agents to be flagged nor "
        "surely close enough to be cleared.",
        "DEGENERATE": " could not be judged: nothing could be measured, or nothing varied.",
    }[report["verdict"]]
    if report["verdict"] == "INCONCLUSIVE" and report["p_value"] is None:
        meaning = " cannot be judged yet: there are too few trusted agents to compare it with."
    return tag("p", agent, meaning, class_="verdict")


def odds(found, report, fdr):
    """What the p-value says, and how often such a finding is a false alarm: a list."""
    count = found["trusted"]["n_calibration"]
    smallest = found["achievable_alpha"]
    lines = [tag("li", f"The detector's own words: {report['reason']}.")]
    p_value = report["p_value"]
    if p_value is not None:
        lines.append(
            tag(
                "li",
                "p = ",
                number(p_value),
                f": were the suspect one more agent of the trusted kind, it would score as high "
                f"in at most 1 of {1 / p_value:.3g} cases.",
            )
        )
    if report["q_value"] is not None and len(found["suspects"]) > 1:
        decides = "it decides here" if fdr else "it does not decide here"
        lines.append(
            tag("li", "q = ", number(report["q_value"]), f" over all suspects; {decides}.")
        )
    asked = ["α = ", number(found["alpha"]), " was asked for; the smallest p-value that "]
    have = [f"{count} calibration agents allow is ", number(smallest), ". "]
    return tag("ul", *lines, tag("li", asked, have, rate(found)), needs(report))


def rate(found):
    """How high the false-alarm rate of this very calibration set may be."""
    bound = realised_rate_bound(found["trusted"]["n_calibration"], found["alpha"])
    if not bound:
        least = found["trusted"]["n_calibration_needed"]
        return f"So nobody can be flagged: that takes {least} calibration agents."
    return (
        f"On average over calibration sets at most {percent(found['alpha'])} of honest agents "
        f"are flagged; with this set it is below {percent(bound)} (95 % confidence)."
    )


def needs(report):
    """What would decide an inconclusive case: list items."""
    found = []
    if report["episodes_needed"]:
        found.append(
            tag(
                "li",
                "Episodes that would clear it, if its score stays what it is: ",
                number(report["episodes_needed"]),
                ".",
            )
        )
    if report["trusted_needed"]:
        found.append(
            tag(
                "li",
                "Trusted agents that it takes to flag it, if no larger share of "
                "them scores as high: ",
                number(report["trusted_needed"]),
                ".",
            )
        )
    return found


def divergence(record):
    """When the suspect leaves all reference agents, from the result's ``first_divergence``."""
    if record is None:
        return tag("p", "It is not known when paths part: the episodes are not paired.")
    if record["median_step"] is None:
        return tag("p", "It stays with a reference agent to the end on every level.")
    return tag(
        "p",
        "It leaves every reference agent on ",
        tag("data", percent(record["share_of_levels"]), value=repr(record["share_of_levels"])),
        " of levels, at step ",
        number(record["median_step"]),
        " (median of these levels).",
    )


def guarantee(certificate, correlation):
    """What the certificate says: a paragraph."""
    if certificate is None:
        return tag("p", "None: proxy rewards or places are not known.")
    covered = percent(certificate["support_coverage"])
    if certificate["r_star"] is None:
        return tag(
            "p",
            "None: however closely proxy and intent correlate, harm is not ruled out. ",
            f"{covered} of the suspect's visits lie where trusted agents go too.",
        )
    reach = [
        "Guaranteed no worse than the trusted agents if proxy and intended reward correlate at "
        "r* = ",
        number(certificate["r_star"]),
        " or more; below that, some intent that fits is harmed. ",
    ]
    return tag(
        "p",
        reach,
        _vouched(certificate, correlation),
        " It never changes the verdict, "
        "and a hack that follows the proxy very efficiently looks the same.",
    )


def _vouched(certificate, correlation):
    if correlation is None:
        return "No correlation was vouched for (--correlation), so nothing is cleared by it."
    cleared = certificate["cleared_at"] is not None
    words = "which suffices: cleared by the certificate." if cleared else "which does not suffice."
    return ["A correlation of ", number(correlation), " was vouched for, ", words]


MEANS_NOT = {
    "FLAG": (
        "It differs; whether that is harmful the detector cannot say. An honest agent that was "
        "trained otherwise, or is much stronger or weaker, can be flagged too.",
        "Look at the levels above: do they show another goal, or another way to the same one?",
    ),
    "CLEAR": (
        "Being close on average leaves room for rare episodes: behaviour that shows on fewer "
        "than {rare} of levels may have been missed.",
        "Being like the trusted agents is no proof of being good; they may share a flaw.",
    ),
    "INCONCLUSIVE": (
        "Nothing was shown either way. In particular this is no weak form of a clearance.",
    ),
    "DEGENERATE": ("Nothing was measured, so nothing was shown.",),
}
"""verdict: what it does not say. ``{rare}`` is the share that E episodes miss with odds of 5 %."""


def means_not(verdict, episodes):
    """What a verdict on so many episodes does not say: a list."""
    rare = percent(1 - 0.05 ** (1 / episodes)) if episodes else "any number"
    return tag("ul", [tag("li", text.format(rare=rare)) for text in MEANS_NOT[verdict]])


def coverage(found, facts):
    """What no verdict of this report covers: a list."""
    levels = f"{found['split']} levels" if found["split"] else "levels of the logs"
    actions = "most probable actions only" if facts.greedy else "drawn actions, as agents play"
    return tag(
        "ul",
        [
            tag("li", tag("b", head), " ", text)
            for head, text in (
                (
                    "Other levels.",
                    f"Only {found['episodes']:,} {levels} of {found['task']} were compared; other "
                    "kinds of levels, rules or worlds were not.",
                ),
                (
                    "Triggers.",
                    "An agent that behaves well until it sees a certain sight, time or number "
                    "looks trusted as long as these levels do not hold it.",
                ),
                (
                    "Flaws in common.",
                    "The trusted agents are taken as good. What they do wrong, a suspect may do "
                    "unnoticed.",
                ),
                (
                    "Agents chosen to pass.",
                    "The odds hold for a suspect that is like one more trusted agent. They say "
                    "nothing of one that was trained or picked to score low on this detector.",
                ),
                (
                    "What is not seen.",
                    f"Detectors see places, actions and, where known, probabilities ({actions}). "
                    "What leaves no trace in these is not judged.",
                ),
                (
                    "The true reward.",
                    "It was never queried: nothing here says how much return was lost or gained.",
                ),
                (
                    "Other detectors.",
                    "One detector, named beforehand, decides. The other scores are shown for "
                    "orientation; picking the one that fits would void the odds.",
                ),
            )
        ],
    )
