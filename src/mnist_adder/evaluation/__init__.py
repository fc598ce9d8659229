"""Evaluation: every image with each of the ten numbers, counted, and runs compared with one another."""
