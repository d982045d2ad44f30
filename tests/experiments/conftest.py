"""What the tests of experiments share: the rows of agents, measured small."""

import pytest

from proxylab.agents.references import load_agent


@pytest.fixture(scope="session")
def measured():
    """Function (module, {name: point}, settings) -> {name: its rows, labelled}."""
    return _measured


def _measured(module, points, settings):
    return {
        name: [
            {**point.labels, **row}
            for row in module.measure(load_agent(point.source), point, settings)
        ]
        for name, point in points.items()
    }
