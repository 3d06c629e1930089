"""What the commands of ``kedro rai`` do."""
