"""The commands of this project without Kedro's own: ``python -m rai_kedro`` and the console script ``rai-kedro``.

For an installed wheel: ``rai-kedro rai init DIR`` makes a project to run it in; so does a folder with ``data`` and the
``conf`` that ``kedro package`` makes, unpacked.
"""

from __future__ import annotations

from pathlib import Path


def main() -> None:
    """Configure Kedro for this package and run the command that was typed."""
    from rai_kedro.files import project_folder
    from rai_kedro.startup import prepare

    prepare()
    from kedro.framework.project import configure_project
    from kedro.framework.startup import bootstrap_project

    project = project_folder()
    if (project / "pyproject.toml").is_file() and (project / "src").is_dir():
        bootstrap_project(project)
    else:
        configure_project(Path(__file__).parent.name)
    from rai_kedro.cli import cli

    cli(prog_name="rai-kedro")


if __name__ == "__main__":
    main()
