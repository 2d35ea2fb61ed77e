"""Figures for people: tables, pictures and JSON of what other rooms have found out."""
