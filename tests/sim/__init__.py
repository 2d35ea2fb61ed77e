"""Tests that run firmware and bench images in simulators."""
