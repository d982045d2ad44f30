"""Pictures (stub)."""
SMALL = 64
def observe_rgb(core, indices): pass
def render_rgb(core, index): pass
def render_ansi(core, index): pass
