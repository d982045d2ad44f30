"""Jupyter notebooks as pages, with the outputs that are stored in them; nothing is executed."""

import json

from myst_parser.parsers.sphinx_ import MystParser

PICTURE = "image/png"


def notebook_as_markdown(text):
    """Markdown of a notebook: str, from the JSON text of an ``.ipynb`` file.

    Markdown cells stand as they are, code cells in a block each, below it what they
    printed, showed or returned. Pictures are embedded.

    Raises:
        ValueError: it is no notebook of format 4.
    """
    notebook = json.loads(text)
    if notebook.get("nbformat") != 4:
        raise ValueError("only notebooks of format 4 are known")
    return "\n\n".join(part for cell in notebook["cells"] for part in _cell(cell)) + "\n"


def _cell(cell):
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
    elif cell["cell_type"] == "code":
        yield _fenced(source, "python")
        for output in cell["outputs"]:
            yield from _output(output)


def _output(output):
    """What one output of a cell shows; progress on stderr is left out."""
    if output["output_type"] == "stream":
        if output["name"] == "stdout":
            yield _fenced("".join(output["text"]), "text")
        return
    data = output.get("data", {})
    if PICTURE in data:
        encoded = "".join(data[PICTURE]).replace("\n", "")
        yield f"![output of the cell above](data:{PICTURE};base64,{encoded})"
    elif "text/plain" in data:
        yield _fenced("".join(data["text/plain"]), "text")


def _fenced(text, language):
    return f"````{language}\n{text.rstrip()}\n````"


class NotebookParser(MystParser):
    """Reads ``.ipynb`` files."""

    supported = ("ipynb",)

    def parse(self, inputstring, document):
        """Parse the notebook's Markdown into ``document``."""
        super().parse(notebook_as_markdown(inputstring), document)


def setup(app):
    """Register with Sphinx."""
    app.add_source_suffix(".ipynb", "ipynb")
    app.add_source_parser(NotebookParser)
    return {"parallel_read_safe": True}
