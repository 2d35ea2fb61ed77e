from platformio.public import PlatformBase


class HerePlatform(PlatformBase):
    pass
