"""Counting right answers over every image with each of the ten numbers."""
