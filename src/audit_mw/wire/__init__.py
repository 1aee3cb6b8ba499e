"""Pure bytes to values: bounded in time and memory; no input is an error."""
