"""What the tests of curricula share: a memory in plain Python, and a run that is interrupted."""

import pytest

from proxylab.training.train import train


@pytest.fixture
def memory_referee():
    """Function (visits, capacity) -> what a memory of levels holds after them."""
    return _remembered


@pytest.fixture
def interrupted_and_resumed(interrupted):
    """Function (folder, options) -> bytes of the weights of a run stopped half-way and resumed."""

    def resumed(folder, options):
        with interrupted(2_048):
            train("maze-corner", out=folder, **options)
        train("maze-corner", out=folder, resume=True, **options)
        return (folder / "agent.safetensors").read_bytes()

    return resumed


def _remembered(visits, capacity):
    """{seed: (best, latest, number of the visit)} in the order of entry, by a list of dicts."""
    known = {}
    for number, (seed, best, latest) in enumerate(visits, 1):
        if seed in known:
            known[seed] = (max(best, known[seed][0]), latest, number)
        elif len(known) < capacity:
            known[seed] = (best, latest, number)
        else:
            regret = {s: max(top - last, 0.0) for s, (top, last, _) in known.items()}
            least = min(regret, key=regret.get)  # the first one, as argmin takes
            if max(best - latest, 0.0) > regret[least]:
                items = [
                    (seed, (best, latest, number)) if s == least else (s, v)
                    for s, v in known.items()
                ]
                known = dict(items)
    return known
