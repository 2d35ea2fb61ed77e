"""Measuring on simulated cores: instructions, cycles, memory."""
