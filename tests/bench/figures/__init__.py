"""Figures, a module for each kind. bench.py takes the classes in FIGURES of all of them."""
