"""Kedro datasets, only where no stock class exists."""
