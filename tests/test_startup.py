"""What a command loads before it does anything."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("mlflow", "evidently", "fairlearn", "hypothesis", "skops", "sklearn", "plotly", "scipy.stats", "codecarbon")


def test_commands_settings_and_datasets_load_nothing_heavy() -> None:
    names = "cli, commands.status, commands.review, release, settings, datasets.candidate_model, hooks"
    names += ", pipelines.monitoring.plan"
    code = "import sys\n" + "\n".join(f"import rai_kedro.{name}" for name in names.split(", "))
    code += f"\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
