"""One file per verb: a frozen dataclass of its options, and the call that they configure.

``run`` returns what the verb's function returns, a dataclass with ``as_json``; ``code``,
where there is one, turns that into an exit code. ``run`` imports what it calls, so that
``proxylab VERB --help`` and a typing error answer at once.
"""
