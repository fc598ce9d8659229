"""Pen-written digits of many hands, drawn as images to learn from, and what is no digit."""
