"""PlatformIO's view of our boards: which packages a build or an upload needs."""

import os
import shutil

from platformio.public import PlatformBase


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
        uploads = "upload" in targets and protocol == "openocd"
        self.packages["tool-openocd"]["optional"] = not uploads or bool(shutil.which("openocd"))

    def is_embedded(self):
        return True
