"""Recordings of real fine-tuned models under known faults, and how they are diagnosed."""
