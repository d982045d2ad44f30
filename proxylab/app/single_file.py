"""The page as one HTML file: its modules joined, its data beside them, nothing to be fetched."""

import base64
import hashlib
import html
import json
import re

from proxylab.app.page import STATIC, palette

IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class)\b)", re.MULTILINE)
DECLARED = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def joined_modules(first="main"):
    """All modules that ``first`` needs, each after those it needs, in one scope: str.

    Raises:
        ValueError: two modules declare the same name, or use a form this does not know.
    """
    parts, names = [], {}
    for module in _in_order(first, []):
        text = EXPORT.sub("", IMPORT.sub("", _source(module)))
        if strange := re.search(r"^(?:import|export)\b.*", text, re.MULTILINE):
            raise ValueError(f"{module}.js: cannot join {strange[0]!r}")
        for name in DECLARED.findall(text):
            if names.setdefault(name, module) != module:
                raise ValueError(f"{module}.js and {names[name]}.js both declare {name}")
        parts.append(text)
    return "\n".join(parts)


def _source(module):
    return (STATIC / f"{module}.js").read_text()


def _in_order(module, found):
    """``found`` with the modules below ``module`` and then itself added, each once."""
    for needed in IMPORT.findall(_source(module)):
        if needed not in found:
            _in_order(needed, found)
    found.append(module)
    return found


def single_file(data):
    """The page with ``data`` (of ``embedding.embedded_data``) in it: str.

    What it may do is in its own Content-Security-Policy: run this script, and fetch nothing.
    """
    script = joined_modules()
    style = palette() + (STATIC / "app.css").read_text()
    policy = POLICY.format(script=_hash(script), style=_hash(style))
    head = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'
    held = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    body = (
        f'<script type="application/json" id="embedded">{held}</script>\n'
        f'<script type="module">{script}</script>\n'
    )
    page = (STATIC / "page.html").read_text()
    page = re.sub(r'<link rel="stylesheet"[^>]*>\n', "", page)
    page = re.sub(r'<script type="module" src[^>]*></script>\n', "", page)
    page = page.replace("</head>", f"<style>{style}</style>\n</head>", 1)
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{head}', 1)
    return page.replace("</body>", f"{body}</body>", 1)


def _hash(text):
    """A source expression that allows exactly this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
