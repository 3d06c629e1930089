"""Who works on the blocks of a month changes nothing about what comes out."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rai_kedro.datasets.engine import EngineDataset
from rai_kedro.errors import RaiError

SCALE = Path(__file__).resolve().parents[2] / "benchmarks" / "scale.py"


@pytest.mark.parametrize("given", [{"name": "dask"}, {"name": "blocks", "options": {"spark.master": "local[2]"}}])
def test_an_engine_that_is_not_there_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(RaiError, match="engine"):
        EngineDataset(**given)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed")
@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java")
def test_spark_says_the_same_to_the_last_bit(tmp_path: Path) -> None:
    asked = ["--equal", "--rows", "3e5", "--engines", "blocks", "spark", "--place", str(tmp_path)]
    command = [sys.executable, str(SCALE), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all engines say the same" in done.stdout
