"""Execute docs/first_look.ipynb anew and store its outputs: ``python docs/execute_notebook.py``."""

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "first_look.ipynb"


def executed(path=NOTEBOOK, parameters=None, timeout=600):
    """The notebook with fresh outputs, run in a folder of its own.

    Args:
        path: of the ``.ipynb`` file.
        parameters: source of the cell tagged ``parameters``, or None to leave it.
        timeout: seconds that one cell may take.

    Raises:
        CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if parameters and "parameters" in cell.metadata.get("tags", ()):
            cell.source = parameters
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=timeout, resources=resources).execute()
    notebook.metadata.pop("language_info", None)  # versions and times: the same notebook
    for cell in notebook.cells:  # gives the same file
        cell.metadata.pop("execution", None)
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
    print(NOTEBOOK)
