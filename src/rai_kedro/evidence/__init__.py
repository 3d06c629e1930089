"""The append-only record of what was decided and measured, and its verification."""
