"""What several tests of strangers' files need."""

import pytest
from safetensors.torch import save

from proxylab.agents import import_sb3 as sb3
from proxylab.console.terminal import one_line
from proxylab.errors import AgentError
from proxylab.untrusted.confined import Refusal
from proxylab.untrusted.sb3_tensors import tensors_of


@pytest.fixture
def here(monkeypatch):
    """SB3 zips are read in this process, which saves starting one for each."""

    def read(file):
        try:
            state, facts = tensors_of(file)
        except Refusal as refusal:
            raise AgentError(f"{file}: {one_line(refusal)}") from None
        return save(state, metadata=facts)

    monkeypatch.setattr(sb3, "read_confined", read)
