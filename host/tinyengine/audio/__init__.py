"""Sound to features: the audio front end as a graph of the IR, run on the host or compiled into a network."""

from tinyengine.audio.features import Listener, features
from tinyengine.audio.front_end import front_end, listening
from tinyengine.audio.hearing import Hearing

__all__ = ["Hearing", "Listener", "features", "front_end", "listening"]
