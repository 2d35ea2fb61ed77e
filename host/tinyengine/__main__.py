"""``python -m tinyengine``."""

from tinyengine.cli.main import main

main()
