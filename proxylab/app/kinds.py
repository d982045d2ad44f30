"""The kinds of agents in the page's menus: a title and one sentence each."""

from collections.abc import Mapping, Sequence

from proxylab.tasks import Role, Task

YOURS, SCRIPT = "yours", "script"
"""Groups of agents that are not shipped networks."""

TITLES = {
    YOURS: ("Yours", "named on the command line."),
    "proxy": ("Proxy agents", "trained {proxy}; they pursue the proxy goal."),
    "trusted": ("Trusted agents", "trained {trusted}; suspects are compared with them."),
    "honest": ("Honest, held out", "as the trusted ones, with other seeds."),
    SCRIPT: ("Scripts", "written rules that plan their path; no network."),
    "fresh": ("Fresh", "as the trusted ones, with seeds of the leaderboard."),
    "stronger": ("Overtrained", "as the trusted ones, trained for longer."),
    "different": ("Other algorithm", "trained {trusted} by another algorithm."),
    "weak": ("Undertrained", "as the trusted ones, stopped early."),
    "hack": ("Proxy, several lengths", "trained {proxy} for several lengths."),
    "learned": ("On a reward model", "trained on a reward learned from preferences."),
    "base": ("Base, proxy", "the proxy agents continue from it."),
    "base-trusted": ("Base, trusted", "the trusted agents continue from it."),
}
"""{group: (title, sentence)} in the order of the menus."""


def kinds_in_words(task: Task, groups: Sequence[str]) -> list[dict[str, str]]:
    """The kinds that occur in ``groups``: their group, title and sentence, in the menus' order."""
    trained = {name: _trained_on(role, task.roles) for name, role in task.roles.items()}
    trained = {"proxy": "on a proxy", "trusted": "on the goal", **trained}
    known = [*TITLES, *(group for group in dict.fromkeys(groups) if group not in TITLES)]
    found = []
    for group in known:
        if group in groups:
            title, sentence = TITLES.get(group, (group, "a kind of shipped agents."))
            found.append({"group": group, "title": title, "about": sentence.format(**trained)})
    return found


def _trained_on(role: Role, roles: Mapping[str, Role]) -> str:
    """What a role is trained on, so far as it differs from the other roles."""
    if len({other.levels for other in roles.values()}) == 1:
        return "on the true reward" if role.reward == "true" else "on the proxy reward"
    if role.levels == "train":
        return "on levels where proxy and goal coincide"
    return "on levels where proxy and goal differ"
