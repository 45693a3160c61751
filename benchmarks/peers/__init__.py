"""What other tools say of the same recordings, each in an environment of its own."""
