"""`make serve`: a shared MLflow server with login, on which those who train cannot decide."""
