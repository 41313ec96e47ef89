"""Make `src/shouhao` importable and `shouhao` callable in this virtual environment.

A path file and a three-line script do what an editable install does, without a build tool that would have
to be fetched and pinned. Wheels for a hospital are built by `pyproject.toml`'s build back end as usual.
"""

import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """#!{python}
import sys
from shouhao.cli.main import main
sys.exit(main())
"""


def link() -> None:
    """Write the path file and the command into the environment that runs this script."""
    Path(sysconfig.get_path("purelib"), "shouhao.pth").write_text(f"{ROOT / 'src'}\n", encoding="utf-8")
    command = Path(sysconfig.get_path("scripts"), "shouhao")
    command.write_text(SCRIPT.format(python=sys.executable), encoding="utf-8")
    command.chmod(0o755)


if __name__ == "__main__":
    link()
