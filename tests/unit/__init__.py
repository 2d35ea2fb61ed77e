"""Tests that need no simulator: the host side, and the firmware compiled for this machine."""
