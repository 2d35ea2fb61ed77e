"""Operators by rows: row operators, chains of them, patches."""
