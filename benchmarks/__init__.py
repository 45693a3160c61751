"""What the plugin costs, and how often its checks are wrong: see README.md."""
