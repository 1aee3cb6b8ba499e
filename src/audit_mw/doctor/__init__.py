"""Whether a deployment keeps what is promised: its checks and requirements."""
