# Classifies pictures, learns two classes on the device, saves what it has learned, forgets it, and loads it again.
#
# The network is models/person_tiny.tflite with a new classifier, as a part of the firmware:
#   tinyengine export models/person_tiny.tflite --train last-2 --classes 2 --for micropython --cpu cortex-m7 -o m/net
# or as a native module:
#   tinyengine export models/person_tiny.tflite --train last-2 --classes 2 --for mpy --arch armv7emdp -o person
try:
    import tinyengine

    net = tinyengine.Network("person_tiny")
except ImportError:
    import person_tiny

    net = person_tiny.Network()

LABELS = ("stripes", "columns")
STEPS = 60
width = net.input_ports[0][2][1]
chance = 1


def random(count):  # from 0 to count - 1
    global chance
    chance = (chance * 16807) % 2147483647
    return (chance >> 8) % count


def picture(label):
    """Pushes the rows of one, instead of a camera: bars of a random width, place and brightness."""
    bar, first, dark, light = 6 + random(8), random(20), random(60), 140 + random(110)
    bright = [((i + first) // bar) % 2 for i in range(width)]
    plain = [bytes([(shade + random(40)) & 255 ^ 128 for _ in range(3 * width)]) for shade in (dark, light - 40)]
    columns = bytes([plain[bright[i // 3]][i] for i in range(3 * width)])
    net.begin()
    for y in range(width):
        net.push(columns if label else plain[bright[y]])


def right(count=20):  # of the same pictures each time
    global chance
    chance = 1
    hits = 0
    for i in range(count):
        picture(i % 2)
        net.finish()
        hits += net.argmax() == i % 2
    return "{} of {} pictures right".format(hits, count)  # noqa: UP032, not every MicroPython has f-strings


print("before:    ", right())
for i in range(STEPS):
    picture(i % 2)
    loss, answer = net.train(None, i % 2, rate=0.04, seed=7, step=i)
    if i % 15 == 0:
        print("step", i, "loss", round(loss, 2), "a picture of", LABELS[i % 2], "taken for", LABELS[answer])
print("after:     ", right())

with open("learned.bin", "wb") as file:
    file.write(net.state)
net.reset()
print("forgotten: ", right())
with open("learned.bin", "rb") as file:
    net.state = file.read()
print("loaded:    ", right())
