"""Operators without a C file: loops that are generated as plain C from a description.

Three forms: :mod:`elementwise` (any number of inputs, broadcast), :mod:`reduction` (over axes, in one or more passes),
:mod:`movement` (bytes from one place to another). A form makes the C function, the parameter struct, the accesses and
the overlap rules; a description says what is computed for one element. Functions are specialized on the number of axes
that are left when neighbours have been merged, and on types; all else stands in the parameters, so layers share them.
"""
