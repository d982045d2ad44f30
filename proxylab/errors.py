"""Errors that are the caller's to mend: one line, what is wrong and what to do."""


class UsageError(ValueError):
    """Wrong use: an unknown name, an impossible number, a file that is not there."""


class AgentError(UsageError):
    """An agent that cannot be found, read or trusted to be what it says."""
