"""Figures of a plan: what lies where in the arena, and what SRAM costs in work. One scene, as SVG or as pixels."""
