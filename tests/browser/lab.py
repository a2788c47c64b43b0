"""A running JupyterLab, and what one asks of its notebooks."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def running_lab(folder: Path, home: Path) -> Iterator[str]:
    """Starts JupyterLab in a folder, with settings of its own in another; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "IPYTHONDIR": str(home / "ipython"),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=secret",
        f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with (home / "log.txt").open("w") as log:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, home / "log.txt")
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{address}/api?token=secret", timeout=2)
            return
        except OSError:
            time.sleep(0.25)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def notebook(*sources: str) -> str:
    """A notebook with these cells, as JSON."""
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [],
         "execution_count": None, "source": source}
        for n, source in enumerate(sources)
    ]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells})


def open_notebook(page, address: str, name: str, views: int) -> None:
    """Opens a notebook, runs its cells, and waits for its explorers."""
    page.goto(f"{address}/lab/tree/{name}?token=secret&reset")
    page.wait_for_selector(".jp-Notebook")
    page.wait_for_function("() => window.jupyterapp.commands.hasCommand('notebook:run-all-cells')")
    page.wait_for_selector("text=/Python 3.*\\| Idle/", timeout=90_000)
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        "n => document.querySelectorAll('.attnviz').length === n", arg=views, timeout=90_000
    )


def python(page, code: str) -> str:
    """What some Python prints in the notebook's kernel."""
    return page.evaluate(
        """async code => {
             const panel = window.jupyterapp.shell.currentWidget;
             const kernel = panel.sessionContext.session.kernel;
             const future = kernel.requestExecute({code, store_history: false});
             let told = '';
             future.onIOPub = message => {
               if (message.header.msg_type === 'stream') told += message.content.text;
               if (message.header.msg_type === 'error') told += message.content.evalue;
             };
             await future.done;
             return told.trim();
           }""",
        code,
    )
