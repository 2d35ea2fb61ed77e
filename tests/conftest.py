"""Being here, in a package, it makes pytest put the repository root on the path: tests import as tests.<name>."""
