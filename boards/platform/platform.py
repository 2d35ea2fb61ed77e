"""PlatformIO's view of our boards: which packages a build or an upload needs, and what it shows of a board."""

import os
import shutil
import sys
from pathlib import Path

from platformio.public import PlatformBase

UPLOADERS = {"openocd": ("tool-openocd", "openocd"), "dfu": ("tool-dfuutil", "dfu-util")}
"""The package that brings the program of an upload protocol."""


class Tinyengine_mcuPlatform(PlatformBase):  # PlatformIO derives the name from platform.json's, capitalized
    def configure_default_packages(self, variables, targets):
        """Ask the registry only for what the machine does not have: without need, nothing goes over the network."""
        # The base class makes every uploader required for "-t upload", so decide after it.
        super().configure_default_packages(variables, targets)
        builds = "nobuild" not in targets
        self.packages["toolchain-gccarmnoneeabi"]["optional"] = not builds or bool(shutil.which("arm-none-eabi-gcc"))

        board = self.board_config(variables["board"]) if variables.get("board") else {}
        protocol = (
            os.environ.get("TINYENGINE_UPLOAD_PROTOCOL")
            or variables.get("upload_protocol")
            or board.get("upload.protocol", "")
        )
        for name, (package, program) in UPLOADERS.items():
            uploads = "upload" in targets and protocol == name
            self.packages[package]["optional"] = not uploads or bool(shutil.which(program))

    def get_boards(self, id_=None):
        """The boards, with what follows from their descriptions in the fields where PlatformIO looks for it."""
        found = super().get_boards(id_)
        for board in found.values() if id_ is None else [found]:
            sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "host"))
            try:
                from tinyengine.boards import read

                described = read(Path(board.manifest_path))
            finally:
                del sys.path[0]
            board.update("build.f_cpu", "%dL" % described.clock.core_hz)
            board.update("upload.maximum_size", described.flash_bytes)
            board.update("upload.maximum_ram_size", sum(region.bytes for region in described.memories))
        return found

    def is_embedded(self):
        return True
