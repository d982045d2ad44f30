"""What several tests of strangers' files need."""

import pytest

from proxylab.errors import AgentError
from proxylab.learning.sb3_tensors import tensors_of
from proxylab.strangers import sb3
from proxylab.strangers.confined import Refusal, one_line


@pytest.fixture
def here(monkeypatch):
    """SB3 zips are read in this process, which saves starting one for each."""

    def read(file):
        try:
            state, facts = tensors_of(file)
        except Refusal as refusal:
            raise AgentError(f"{file}: {one_line(refusal)}") from None
        return {name: tensor.numpy() for name, tensor in state.items()}, facts

    monkeypatch.setattr(sb3, "_confined", read)
