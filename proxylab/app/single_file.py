"""The page as one self-contained HTML file: its modules joined, its data embedded."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from typing import Any

from proxylab.app.page import STATIC, palette

IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class)\b)", re.MULTILINE)
DECLARED = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def joined_modules(first: str = "main") -> str:
    """``first`` and all modules that it imports, dependencies first, as one scope: str.

    Raises:
        ValueError: two modules declare the same name, or use an unsupported import or export.
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


def _source(module: str) -> str:
    return (STATIC / f"{module}.js").read_text()


def _in_order(module: str, modules: list[str]) -> list[str]:
    """``modules`` extended by the dependencies of ``module``, then by itself, each once."""
    for needed in IMPORT.findall(_source(module)):
        if needed not in modules:
            _in_order(needed, modules)
    modules.append(module)
    return modules


def single_file(data: Mapping[str, Any]) -> str:
    """The page with ``data`` (of ``embedding.embedded_data``) in it: str.

    Its Content-Security-Policy allows this script and style only, and no requests.
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


def _hash(text: str) -> str:
    """The CSP source expression of this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
