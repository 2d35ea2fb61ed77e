"""te_image.h against the host's way of a picture into a network: natively under sanitizers, and on simulated cores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.data import astronaut
from tinyengine import reference
from tinyengine.codegen.generated import Generated
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.data.images import InputForm, to_pixels
from tinyengine.data.metadata import ModelMetadata, load_metadata, parse_mapping
from tinyengine.data.pixels import FORMATS
from tinyengine.ir import Graph, Port, Tensor
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.paths import project_root

from tests.helpers import needs
from tests.helpers.camera import NativeCamera, PictureCase, picture_network

READY, BAD_SOURCE = 0, 1


def bound(width: int, to_width: int) -> int:
    """TE_IMAGE_BYTES."""
    return 19 * width + 30 * to_width + 64


@pytest.fixture(scope="module")
def camera() -> Iterator[NativeCamera]:
    made = NativeCamera()
    yield made
    made.close()


def form(
    shape: tuple[int, int, int],
    mapping: str = "pixel-128",
    color: str = "rgb",
    resize: str = "bilinear",
    crop: str = "none",
) -> InputForm:
    metadata = ModelMetadata(mapping=parse_mapping(mapping), color=color, resize=resize, crop=crop)
    return InputForm(shape, 1 / 127.5, -1, metadata)


def frame(format: str, width: int, height: int, seed: int, extreme: bool = False) -> bytes:
    """Random bytes; ``extreme``: only the smallest and the largest."""
    rng = np.random.default_rng(seed)
    size = FORMATS[format].line_bytes(width) * height
    return (rng.integers(0, 2, size) * 255 if extreme else rng.integers(0, 256, size)).astype(np.uint8).tobytes()


def check(camera: NativeCamera, case: PictureCase) -> None:
    answer = camera.convert(case)
    assert answer.status == READY, case
    assert answer.memory <= bound(case.width, case.form.shape[1])
    np.testing.assert_array_equal(answer.rows, case.expected().ravel(), err_msg=str(case))


SIDES = st.integers(1, 70) | st.sampled_from([1, 2, 3, 24, 32, 48, 64, 96])


@st.composite
def picture_cases(draw: st.DrawFn) -> PictureCase:
    width, height, to_width, to_height = (draw(SIDES) for _ in range(4))
    format = draw(st.sampled_from([*FORMATS]))
    area = (0, 0, 0, 0)
    if draw(st.booleans()):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        area = x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y))
    wanted = form(
        (to_height, to_width, draw(st.sampled_from([1, 3]))),
        draw(st.sampled_from(["pixel-128", "pixel/255", "pixel/127.5-1", "pixel*0.02-3"])),
        draw(st.sampled_from(["rgb", "luma"])),
        draw(st.sampled_from(["bilinear", "bilinear", "nearest"])),
        draw(st.sampled_from(["none", "center"])),
    )
    data = frame(format, width, height, draw(st.integers(0, 1 << 30)), draw(st.booleans()))
    return PictureCase(format, width, height, wanted, data, area, draw(st.booleans()))


@settings(max_examples=400, deadline=None)
@given(case=picture_cases())
def test_same_bytes_as_the_host(camera: NativeCamera, case: PictureCase) -> None:
    check(camera, case)


@settings(max_examples=40, deadline=None)
@given(case=picture_cases())
def test_lines_are_a_frame(camera: NativeCamera, case: PictureCase) -> None:
    apart, whole = (camera.convert(replace(case, by_lines=by_lines)) for by_lines in (True, False))
    np.testing.assert_array_equal(apart.rows, whole.rows)
    assert apart.rows.size == np.prod(case.form.shape)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("resize", ["bilinear", "nearest"])
def test_every_format_by_itself(camera: NativeCamera, format: str, resize: str) -> None:
    """Odd widths, at odd places: narrower, wider, lower and higher."""
    for k, (width, height, area) in enumerate([(37, 29, (0, 0, 0, 0)), (37, 29, (5, 3, 31, 20)), (9, 5, (1, 1, 7, 3))]):
        for shape in ((13, 11, 3), (29, 37, 3), (31, 40, 3), (13, 11, 1)):
            check(
                camera,
                PictureCase(format, width, height, form(shape, resize=resize), frame(format, width, height, k), area),
            )


LARGE = [
    ("rgb565le", 640, 480, (72, 72, 3)),
    ("yuyv", 640, 480, (96, 96, 1)),
    ("rgb888", 1600, 1200, (96, 96, 3)),
    ("gray8", 1600, 1200, (1, 1, 1)),
    ("gray8", 2047, 3, (3, 1, 1)),
    ("gray8", 4095, 2, (2, 9, 1)),
    ("gray8", 2, 4095, (9, 1, 1)),
    ("gray8", 4095, 2, (1, 1, 1)),
    ("rgb888", 3, 4095, (1, 2, 3)),
    ("yuyv", 4095, 3, (1, 1, 3)),
    ("rgb888", 1, 1, (96, 96, 3)),
    ("uyvy", 1, 1, (5, 4, 3)),
    ("rgb565be", 1, 480, (96, 1, 3)),
]


@pytest.mark.parametrize(("format", "width", "height", "shape"), LARGE)
@pytest.mark.parametrize("white", [False, True])
def test_sums_of_large_pictures_do_not_overflow(
    camera: NativeCamera, format: str, width: int, height: int, shape: tuple[int, int, int], white: bool
) -> None:
    data = (
        bytes([255]) * (FORMATS[format].line_bytes(width) * height) if white else frame(format, width, height, 1, True)
    )
    check(camera, PictureCase(format, width, height, form(shape), data))


@pytest.mark.parametrize(
    ("width", "height", "area", "shape"),
    [
        (0, 4, (0, 0, 0, 0), (2, 2, 1)),
        (4, 0, (0, 0, 0, 0), (2, 2, 1)),
        (4, 4, (1, 0, 4, 4), (2, 2, 1)),
        (4, 4, (0, 3, 4, 2), (2, 2, 1)),
        (4, 4, (0, 0, 4, 0), (2, 2, 1)),
        (4096, 1, (0, 0, 0, 0), (1, 9, 1)),
    ],
)
def test_impossible_sources_are_refused(
    camera: NativeCamera, width: int, height: int, area: tuple[int, int, int, int], shape: tuple[int, int, int]
) -> None:
    case = PictureCase("gray8", width, height, form(shape), bytes(width * height), area)
    answer = camera.convert(case)
    assert (answer.status, answer.memory, answer.rows.size) == (BAD_SOURCE, 0, 0)


def target_cases() -> list[PictureCase]:
    rng = np.random.default_rng(3)
    cases = []
    for k, format in enumerate([*FORMATS] * 6):
        width, height, to_width, to_height = (int(v) for v in rng.integers(1, 60, 4))
        if k < len(FORMATS):
            width, to_width = 60, 13  # every format is narrowed by itself
            height, to_height = 50, 11
        wanted = form(
            (to_height, to_width, int(rng.choice([1, 3]))),
            color=str(rng.choice(["rgb", "luma"])),
            resize=["bilinear", "bilinear", "nearest"][k % 3],
            crop=str(rng.choice(["none", "center"])),
        )
        area = (0, 0, 0, 0)
        if k % 4 == 1:
            area = int(rng.integers(0, width)), int(rng.integers(0, height)), 0, 0
            area = *area[:2], int(rng.integers(1, width - area[0] + 1)), int(rng.integers(1, height - area[1] + 1))
        cases.append(PictureCase(format, width, height, wanted, frame(format, width, height, k, k % 5 == 0), area))
    for format in FORMATS:  # a long way from pixel to pixel, and half pairs at either end
        cases.append(PictureCase(format, 151, 40, form((7, 3, 3)), frame(format, 151, 40, 9, True), (1, 2, 149, 37)))
        cases.append(PictureCase(format, 43, 40, form((9, 40, 1)), frame(format, 43, 40, 9, True), (1, 2, 41, 37)))
    return cases


@pytest.mark.parametrize("portable", [False, True], ids=["dsp", "portable"])
@needs.thorough_cores
def test_same_bytes_on_a_device(cpu: str, portable: bool) -> None:
    network = picture_network(target_cases())
    with BenchImage([network], cpu, portable) as image:
        [result] = image.run([Job(0, [network.input])], exact=False)
    assert result.guards_intact
    for case, got in zip(network.cases, network.split(result.outputs[0]), strict=True):
        np.testing.assert_array_equal(got, case.expected().ravel(), err_msg=str(case))


CAMERA = """
#include "network.h"
#include "person_image.h"
#include "tinyengine/te_answer.h"

static const uint8_t frame[] = {%s};                     /* flash: what the camera sees */
static uint8_t line[2 * 320];                            /* what it delivers */
static uint32_t memory[TE_IMAGE_BYTES(320, PERSON_IMAGE_WIDTH) / 4];
static int8_t arena[4 + PERSON_OUTPUT_0_BYTES] __attribute__((aligned(16)));

static void run(void) {
    const te_image_source camera = {.pixels = &te_rgb565be, .width = 320, .height = 240};
    te_image image;
    if (te_image_open(&image, &person_image, &camera, memory, sizeof memory)) return;
    te_image_feed(&image, &person);
    for (uint32_t y = 0; y < 240; y++) {
        for (uint32_t k = 0; k < sizeof line; k++) line[k] = frame[y * sizeof line + k];
        te_image_push(&image, line, 1);
    }
    person.finish();
    const int8_t *output = person.outputs[0].data;
    for (uint32_t k = 0; k < PERSON_OUTPUT_0_BYTES; k++) arena[4 + k] = output[k];
    arena[0] = (int8_t)te_answer(&person.outputs[0], 0.5f, NULL);
}

static const te_port ports[] = {{"y", arena, sizeof arena, 1.0f, 0, 1, TE_INT8, {sizeof arena}}};
const te_model network = {.name = "camera", .arena = (uint8_t *)arena, .arena_bytes = sizeof arena,
                          .n_outputs = 1, .outputs = ports, .run = run};
"""


@needs.thorough_cores
def test_a_network_looks_through_a_camera_without_a_frame(cpu: str) -> None:
    """Lines of RGB565 through te_image.h into push_rows: the answer of `infer` on the same picture."""
    path = project_root() / "models" / "person_tiny.tflite"
    person = compile_model(path, CompileOptions(cpu=cpu, prefix="person", input="rows", optimize="sram"))
    seen = to_pixels(Image.fromarray(astronaut()[:384]), 240, 320, 3)
    r, g, b = (seen[:, :, c].astype(np.uint16) for c in range(3))
    pixels = (r >> 3 << 11 | g >> 2 << 5 | b >> 3).astype(">u2").tobytes()

    graph = Graph("camera")
    size = 4 + person.graph.tensor(person.graph.outputs[0].tensor).nbytes
    graph.tensors["y"] = Tensor("y", (size,))
    graph.outputs.append(Port("y", "y", "int8"))
    header = '#include "person.h"\nextern const te_model network;\n'
    sources = {**person.sources, "network.h": header, "network.c": CAMERA % ",".join(map(str, pixels))}
    with BenchImage([Generated(graph, "network", sources, person.macs, False, None)], cpu) as image:
        [result] = image.run([Job(0, [])], exact=False)

    tensor = person.graph.tensor(person.graph.inputs[0].tensor)
    metadata = load_metadata(path)
    assert metadata is not None
    wanted = InputForm(tensor.hwc(), tensor.scale, tensor.zero_point, metadata)
    values = wanted.values(FORMATS["rgb565be"].frame(pixels, 320, 240))
    [expected] = reference.run(person.graph, [values[None]], requant=person.roundings)
    np.testing.assert_array_equal(result.outputs[0][4:], expected.ravel())
    assert result.outputs[0][0] == np.argmax(expected)
    assert person.plan.arena_bytes + bound(320, tensor.shape[2]) < len(pixels) // 5


COSTS = re.compile(r"^\| `te_(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)
COLUMNS = [((320, 240), 72, "bilinear"), ((640, 480), 96, "bilinear"), ((320, 240), 72, "nearest")]
"""Of the table: size of the frame, side of the input, way."""


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("column", range(len(COLUMNS)))
@pytest.mark.parametrize("cpu", [pytest.param("cortex-m4", marks=needs.simulated_core)])
def test_the_documentation_tells_the_cost(cpu: str, column: int) -> None:
    """Instructions per byte of a frame, without those of whoever takes the rows."""
    rows = COSTS.findall((project_root() / "docs" / "image.md").read_text())
    documented = {row[0]: float(row[1 + column]) for row in rows}
    measured: dict[str, float] = {}
    for half in ([*FORMATS][:4], [*FORMATS][4:]):  # all frames of a large camera would not fit
        measured |= costs(cpu, half, *COLUMNS[column])
    assert measured == pytest.approx(documented, rel=0.02, abs=0.01)


def costs(cpu: str, formats: Sequence[str], size: tuple[int, int], side: int, resize: str) -> dict[str, float]:
    """Instructions per byte of a frame, by format."""
    cases = []
    for format in formats:
        wanted = form((side, side, 1 if "gray" in format else 3), resize=resize)
        cases.append(PictureCase(format, *size, wanted, frame(format, *size, 1), unheard=True))
    network = picture_network(cases)
    with BenchImage([network], cpu) as image:
        [result] = image.run([Job(0, [network.input], profile=True)])
    return {case.format: result.layers[2 * k + 1].instructions / len(case.frame) for k, case in enumerate(cases)}
