"""Simulated boards: started and stopped as context managers."""

from tinyengine.sim.simulation import Simulation, start

__all__ = ["Simulation", "start"]
