"""Update schemes found by measuring: contribution analysis, then an evolutionary search under the planner's SRAM.

After "On-Device Training Under 256KB Memory" (Lin et al., NeurIPS 2022), section 3.2.
"""
