"""Every way out that a refusal names is itself accepted: for each there is a network that follows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import OpKind, Quantization
from tinyengine.ir.ops import Activation, ElementwiseAttrs, GatherAttrs, MatmulAttrs, PadAttrs, Window
from tinyengine.paths import project_root

from tests.helpers.graphs import GraphBuilder
from tests.helpers.ways_out import AGAIN, ways_out

Follow = Callable[[GraphBuilder, str], str]
"""Adds to a network, behind a picture of 8 x 8 x 4, what a way out says; the result."""

ONE, THREE = Window((1, 1)), Window((3, 3), pad=(1, 1, 1, 1))


def relu6(b: GraphBuilder, x: str) -> str:
    return b.conv(x, 4, ONE, Activation.RELU6)


def upsampled(b: GraphBuilder, x: str) -> str:
    return b.conv(b.resize(x, 16, 16), 4, THREE)


def sliced(b: GraphBuilder, x: str, parts: int = 4) -> str:
    """A slice of its own for each of several parts."""
    step = 8 // parts
    shape = (1, step, 8, 4)
    return b.concat([b.slice(x, (0, i * step, 0, 0), (1,) * 4, shape, shape) for i in range(parts)], 1)


def multiplied(b: GraphBuilder, x: str) -> str:
    """By matrices that are repeated before."""
    repeated = b.op(
        OpKind.GATHER,
        [b.slice(x, (0, 0, 0, 0), (1,) * 4, (1, 1, 8, 4), (1, 1, 8, 4))],
        GatherAttrs((None, (0,) * 8, None, None)),
        quant=b.graph.tensor(x).quant,
    )
    return b.op(OpKind.BATCH_MATMUL, [x, repeated], MatmulAttrs(adj_x=True))


def pooled(b: GraphBuilder, x: str) -> str:
    return b.pool(OpKind.MAX_POOL_2D, x, Window((8, 8)))


def filled(b: GraphBuilder, x: str) -> str:
    attrs = PadAttrs(((0, 0), (1, 1), (0, 0), (0, 0)), 17)
    return b.op(OpKind.PAD, [x], attrs, quant=b.graph.tensor(x).quant)


def separate_axes(b: GraphBuilder, x: str) -> str:
    """Four axes that do not lie together."""
    return b.transpose(b.pad(x, ((0, 0), (1, 1), (1, 2), (0, 1))), 0, 3, 2, 1)


def split_in_two(b: GraphBuilder, x: str) -> str:
    half = (1, 8, 8, 2)
    parts = [b.slice(x, (0, 0, 0, first), (1,) * 4, half, half) for first in (0, 2)]
    return b.binary(OpKind.ADD, *(b.conv(part, 4, ONE) for part in parts))


def constant(b: GraphBuilder, x: str) -> str:
    quant = Quantization((0.02,), (0,))
    return b.binary(OpKind.MUL, x, b.constant(np.arange(4, dtype=np.int8).reshape(1, 1, 1, 4), quant))


def longest(b: GraphBuilder, _: str) -> str:
    return b.conv(b.input(1, 1, 65535, 1), 1, ONE)


def two_inputs(b: GraphBuilder, x: str) -> str:
    return b.concat([x, b.input(1, 8, 8, 4, quant=b.graph.tensor(x).quant)], 3)


def border(dtype: str) -> Follow:
    def follow(b: GraphBuilder, _: str) -> str:
        return b.conv(b.input(1, 4, 4, 2), 2, ONE)

    follow.__name__ = f"border_{dtype}"
    return follow


CONV: Follow = lambda b, x: b.conv(x, 4, THREE)  # noqa: E731 - a plain int8 convolution with constant symmetric weights
DEPTHWISE: Follow = lambda b, x: b.depthwise(x, THREE)  # noqa: E731
DENSE: Follow = lambda b, x: b.dense(b.reshape(x, 1, 256), 3)  # noqa: E731
MEAN: Follow = lambda b, x: b.mean(x, (1, 2))  # noqa: E731
MEANS: Follow = lambda b, x: b.mean(b.mean(x, (1,), keep=True), (3,))  # noqa: E731
SOFTMAX: Follow = lambda b, x: b.softmax(b.reshape(x, 1, 256))  # noqa: E731
LOGISTIC: Follow = lambda b, x: b.logistic(x)  # noqa: E731
HARD_SWISH: Follow = lambda b, x: b.hard_swish(x)  # noqa: E731
PAD: Follow = lambda b, x: b.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # noqa: E731


def gathered(b: GraphBuilder, x: str) -> str:
    attrs = GatherAttrs((None, (3, 0, 3), None, None))
    return b.op(OpKind.GATHER, [x], attrs, (1, 3, 8, 4), b.graph.tensor(x).quant)


def normalized(b: GraphBuilder, x: str) -> str:
    return b.relu(b.op(OpKind.L2_NORMALIZATION, [x], ElementwiseAttrs(), quant=Quantization((1 / 128,), (0,))))


FOLLOWED: dict[str, tuple[Follow, ...]] = {
    # the file as a whole
    "convert the model with full integer quantization (a representative data set and TFLITE_BUILTINS_INT8 as the only "
    "supported operators)": (CONV, DENSE, SOFTMAX),
    "convert the model with full integer quantization": (CONV, DENSE),
    "quantize the model fully to int8": (CONV, DENSE),
    "quantize the model fully to int8 (float and uint8 may stand at its border only)": (CONV,),
    "quantize the activations to int8 instead of 16x8": (CONV, LOGISTIC),
    "convert the model with int8 inside (uint8 only at the border)": (border("uint8"),),
    "convert the model with one of them": (border("int8"), border("uint8"), border("float32")),
    "export the model with a fixed input size": (CONV,),
    "export the model with batch 1": (CONV,),
    "export the model without it": (CONV,),
    "rebuild that part of the network from other operators (docs/operators.md lists all)": (CONV, SOFTMAX),
    "export the inference function alone, without control flow": (CONV,),
    "convert the model with TensorFlow": (SOFTMAX,),
    "use a smaller model": (CONV,),
    "tinyengine convert makes one of others": (CONV,),
    # operators
    "use RELU6 or HARD_SWISH": (relu6, HARD_SWISH),
    "use HARD_SWISH": (HARD_SWISH,),
    "use LOGISTIC or HARD_SWISH": (LOGISTIC, HARD_SWISH),
    "use RELU, RELU6 or a separate LOGISTIC": (relu6, LOGISTIC),
    "use nearest-neighbour interpolation": (upsampled,),
    "use STRIDED_SLICE for each part": (sliced,),
    "use STRIDED_SLICE": (sliced,),
    "use MEAN": (MEAN,),
    "use MAX_POOL_2D if it goes over rows and columns, all of them": (pooled,),
    "repeat that one before (BROADCAST_TO)": (multiplied,),
    "use SOFTMAX": (SOFTMAX,),
    "leave the largest output to be found by the application": (DENSE,),
    "gather along one axis, without batch_dims": (gathered,),
    "put a RELU behind it": (normalized,),
    "put the activation before the concatenation": (lambda b, x: b.concat([b.relu(x)] * 2, 3),),
    "make the {} constant": (PAD, MEAN, sliced),
    "make the value constant, of the input's type": (filled,),
    "add two at a time (ADD)": (lambda b, x: b.binary(OpKind.ADD, x, b.relu(x)),),
    "multiply, or take a square root (SQRT)": (lambda b, x: b.binary(OpKind.MUL, x, x),),
    "make them constant": (CONV, DENSE),
    "make it constant": (CONV, DENSE),
    "store constant weights": (CONV, DENSE),
    "convert the model without shuffled weights": (DENSE,),
    "quantize the weights to int8": (CONV,),
    "quantize the weights symmetrically": (CONV,),
    "remove the empty slice from the network": (CONV,),
    "remove it from the network": (CONV,),
    "leave it out of the network or run it on the host": (CONV,),
    "give it a four-dimensional input (1, rows, columns, channels)": (CONV, pooled, upsampled),
    "give the network four axes and a batch of 1": (CONV, pooled),
    "use at most {} per axis": (longest,),
    "use at most four": (separate_axes, constant),
    "split its inputs over several operators": (split_in_two,),
    "fold it into one constant before exporting the model": (constant,),
    "feed it as an input of the network": (two_inputs,),
    "convert the model with a current TensorFlow, which gives them one scale": (two_inputs, sliced),
    "use a plain window": (pooled,),
    "use a padding below the kernel": (lambda b, x: b.pool(OpKind.MAX_POOL_2D, x, Window((3, 3), pad=(1, 1, 1, 1))),),
    "average in two steps": (MEANS,),
}
"""Networks that do what a way out says."""

TESTED: dict[str, str] = {
    "name the file in which the array's numbers stand": "test_files.py::test_commands_take_c_arrays",
    "leave one of the arrays in the file": "test_files.py::test_a_c_array_is_the_file_that_it_was_made_of",
    "name the .tflite or .lm file in it": "test_cli_compile.py::test_json_has_the_contract_keys",
    "use {}a smaller resolution or width, or a board with more SRAM": "test_check.py::test_a_supported_network",
    "use --requant exact": "test_ways_out.py::test_the_way_out_is_accepted",  # on a Cortex-M3, which rounds exactly
    "convert the model with a current TensorFlow": "test_int16_networks.py::test_old_additions_are_refused",
    **dict.fromkeys(
        (
            'write "audio" into the MODEL.json beside it, as docs/audio.md shows, or leave out --input sound',
            "leave out --input sound",
        ),
        "test_audio.py::test_sound_as_the_input_is_refused_or_compiled",
    ),
    "not SAME, not VALID": "test_frontend.py::test_paddings_that_tflite_lacks_are_written_as_pad",
    **dict.fromkeys(
        (
            "give it one sequence (batch 1)",
            "use a plain LSTM with four gates, as Keras writes it",
            "quantize the weights symmetrically",
            "quantize the state symmetrically",
            "quantize the model again",
            "convert the model again with TensorFlow's own quantizer",
            "store constant weights",
        ),
        "test_recurrent.py::test_lstm_is_bit_identical_to_tflite_run_after_run",
    ),
    **dict.fromkeys(
        ("transform int16 or int32", "take a power of two from {}"),
        "test_signal.py::test_every_stage_is_bit_identical_to_tflite",
    ),
    # variables and control flow
    "unroll the loop (Keras: unroll=True, a fixed number of steps, batch_size=1) and convert again": (
        "test_ways_out.py::test_advice_that_is_followed_in_keras_is_not_refused"
    ),
    "convert the function with the branch that is to run": "test_frontend.py::test_round_trip_keeps_the_graph",
    "give the variable an initial value (CALL_ONCE), as TensorFlow's converter does": (
        "test_variables.py::test_tflite_answers_the_same_run_after_run"
    ),
    "put it before all other operators": "test_variables.py::test_tflite_answers_the_same_run_after_run",
    "create them with constant initial values": "test_variables.py::test_tflite_answers_the_same_run_after_run",
    "keep type, shape and quantization of the variable": "test_variables.py::test_whatever_the_order_the_answers_are",
    "read what was assigned": "test_variables.py::test_whatever_the_order_the_answers_are_those_of_tflite",
    "let the network read the constant itself": "test_variables.py::test_whatever_the_order_the_answers_are",
    # convert
    "calibrate it with numbers, an .npy of N samples say": "test_convert.py::test_other_inputs_than_pictures_calibrate",
    "only models with one can be converted": "test_convert.py::test_a_keras_model_becomes_int8",
    "leave --equalize out": "test_pytorch.py::test_a_program_becomes_int8",
    "leave --mapping, --color, --rows, --frame, --hop and --window out": (
        "test_looking.py::test_the_firmware_maps_what_its_own_camera_sees"
    ),
    "leave --train out, and go on training it on a PC by tinyengine fit --task detection --start": (
        "test_box_fit.py::test_squares_are_learned_found_and_a_run_continues"
    ),
    "give a SavedModel folder or a .keras file": "test_convert.py::test_a_saved_model_converts",
    "export the model with one": "test_convert.py::test_a_saved_model_converts",
    "export the model with batch 1 and fixed sizes": "test_convert.py::test_a_float_tflite_is_quantized",
    "save it again under the dtype policy float32": "test_convert.py::test_a_keras_model_becomes_int8",
    "give the model a fixed input shape": "test_convert.py::test_a_keras_model_becomes_int8",
    "only models with float32 inputs can be quantized": "test_convert.py::test_a_keras_model_becomes_int8",
    "quantize the network with QuantType.QInt8 or QuantType.QUInt8": "test_onnx.py::test_a_quantized_network",
    "quantize the network with weight_type=QuantType.QInt8": "test_onnx.py::test_a_quantized_network",
    "replace it, or convert the model where it was trained (Keras: .keras, PyTorch: .pt2)": (
        "test_pytorch.py::test_a_program_becomes_int8"
    ),
    "export the network with a float32 input": "test_onnx.py::test_float_networks_compute",
    "export the network with batch 1": "test_onnx.py::test_float_networks_compute",
    "export the network in evaluation mode": "test_onnx.py::test_float_networks_compute",
    "give its sizes, for example tinyengine convert --input-shape {}": "test_onnx.py::test_the_file_may_leave",
    "give --input-shape as many and the same": "test_onnx.py::test_the_file_may_leave",
    "join both with onnx.save(onnx.load(path), path)": "test_onnx.py::test_weights_in_another_file",
    "make the weights constant": "test_onnx.py::test_float_networks_compute",
    "make the limits constant": "test_onnx.py::test_float_networks_compute",
    "reshape them to as many axes": "test_onnx.py::test_float_networks_compute",
    "use a convolution over one or two axes": "test_onnx.py::test_float_networks_compute",
    "slice its input instead": "test_onnx.py::test_float_networks_compute",
    "use constant weights of two axes": "test_onnx.py::test_float_networks_compute",
    "fold them into the weights": "test_onnx.py::test_float_networks_compute",
    "combine two at a time": "test_onnx.py::test_float_networks_compute",
    "use the maxima alone": "test_onnx.py::test_float_networks_compute",
    "pool over one or two axes without dilation": "test_onnx.py::test_float_networks_compute",
    "pad with zeros": "test_onnx.py::test_float_networks_compute",
    "resize (N, C, H, W) by constant factors": "test_onnx.py::test_float_networks_compute",
    "resize rows and columns only": "test_onnx.py::test_float_networks_compute",
    "pad its input, or use ceil_mode=0": "test_onnx.py::test_float_networks_compute",
    "use asymmetric or half_pixel": "test_onnx.py::test_float_networks_compute",
    "use nearest by whole factors, or linear": "test_onnx.py::test_float_networks_compute",
    "give it whole sizes, of two or more": "test_onnx.py::test_pixels_are_those_that_onnxruntime_takes",
    "start from an int8 network": "test_start.py::test_a_run_begins_with_an_int8_network",
    "use --prefix {}": "test_storage_macros.py::test_the_way_out_of_a_taken_prefix_is_accepted",
    "give --prefix a letter, followed by up to 39 letters, digits and _": (
        "test_storage_macros.py::test_a_prefix_from_a_file_is_always_accepted"
    ),
    "give it pads and output_padding": "test_onnx.py::test_float_networks_compute",
    "use alpha 1": "test_onnx.py::test_float_networks_compute",
    "use count_include_pad=1, or no paddings": "test_onnx.py::test_float_networks_compute",
    "leave --input-shape out": "test_convert.py::test_a_float_tflite_is_quantized",
    "cannot compare them": "test_convert.py::test_a_keras_model_becomes_int8",
    "export it with torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')": (
        "test_pytorch.py::test_a_program_becomes_int8"
    ),
    "export a model whose inputs are tensors": "test_pytorch.py::test_a_program_becomes_int8",
    "export it without dynamic_shapes": "test_pytorch.py::test_a_program_becomes_int8",
    "export with an example of batch 1": "test_pytorch.py::test_a_program_becomes_int8",
    "export model.float() instead": "test_pytorch.py::test_a_program_becomes_int8",
    "run pip install 'tinyengine[pytorch]'": "test_pytorch.py::test_a_program_becomes_int8",
    "name another output": "test_files.py::test_commands_take_c_arrays",
    "compile it": "test_cli_compile.py::test_json_has_the_contract_keys",
    **dict.fromkeys(
        ("write it with tinyengine lm convert", "give a .lm file that 'tinyengine lm convert' wrote"),
        "test_language_convert.py::test_integers_stay_near_the_float_model",
    ),
    "leave out --classes and --residual": "test_language_learning.py::test_a_scheme_names_what_is_trained",
    # language models
    **dict.fromkeys(
        ("give the .bin file", "download it again, or export it with version 0", "download it again"),
        "test_language_convert.py::test_a_checkpoint_is_read",
    ),
    "train a tokenizer whose pieces have at most {}": "test_language_convert.py::test_sizes_at_the_limits",
    "train a model where it is a multiple of {} from {} to {}": "test_language_convert.py::test_sizes_at_the_limits",
    "give the one of this model": "test_language_convert.py::test_a_checkpoint_is_read",
    "scale the model's weights down": "test_language_convert.py::test_weights_beyond_32_bits",
    "give them all 8 or all 4": "test_lm_weights.py::test_choices_leave_other_matrices",
    **dict.fromkeys(
        (
            "end the name of what is written in {}",
            "give a multiple of {} up to {}",
            "give fewer of them or a wider window",
            "give --prune-heads {}",
            "convert without --prune-heads",
        ),
        "test_language_convert.py::test_heads_are_dropped_and_tokens_kept",
    ),
    "name the tokenizer with --tokenizer": "test_safetensors_folder.py::test_a_folder_is_converted",
    "name a text file": "test_language_convert.py::test_a_text_calibrates",
    "give a text of {} or more": "test_language_convert.py::test_a_text_calibrates",
    **dict.fromkeys(
        (
            "give a folder with {}, {} and {}, or a .bin of llama2.c",
            "save the model in one file of that name",
            "save the model in one file",
            "give this model's {}",
            "give a model of the type llama",
            "give a model where it is {}",
            "give a model whose width is heads times channels",
            "give one where it is a whole number from 1",
            "give one where it is a number above 0",
            "give the tokenizer.json of this model",
        ),
        "test_safetensors_folder.py::test_a_folder_is_converted",
    ),
    "save the model as float32": "test_safetensors_folder.py::test_types_of_floats",
    **dict.fromkeys(
        (
            "train a tokenizer with SentencePiece (BPE, byte fallback) or 'lm train'",
            "give a file with one text per line, at least two",
            "give other --heads",
            "give a --width that is a multiple of 8 up to {}, and a --vocabulary that is a multiple of 4 up to {}",
            "name a folder with -o",
        ),
        "test_language_training.py::test_the_command_trains_what_convert_reads",
    ),
    **dict.fromkeys(
        ("give a --vocabulary of at least {}", "give more text, or a --vocabulary of at most {}"),
        "test_safetensors_folder.py::test_a_text_of_few_pieces_trains_no_large_tokenizer",
    ),
    # training on a computer
    **dict.fromkeys(
        (
            "add --resume, or name another --run folder",
            "name another --run folder, or repeat the settings it was started with",
        ),
        "test_language_training.py::test_a_run_that_was_interrupted",
    ),
    "use a smaller --batch": "test_language_training.py::test_a_run_learns_and_its_model",
    "add --backend pytorch": "test_online_teacher.py::test_a_run_learns_from_a_teacher",
    "name a teacher of the same classes": "test_online_teacher.py::test_pictures_of_another_size",
    "name a network that was trained with one of them, such as models/person_small.tflite": (
        "test_online_teacher.py::test_a_teacher_of_other_classes"
    ),
    "its blocks are e1c16k3 e6c24k3 e6c40k5 e6c80k3 e6c112k5 e6c192k5 e6c320k3 behind a stem of 32 channels; give "
    "--arch a network of some of these, such as person-best": (
        "test_start.py::test_person_best_is_made_of_the_published_blocks"
    ),
    "name those to begin with by --start": "test_online_teacher.py::test_frozen_blocks_keep",
    "at most {}": "test_online_teacher.py::test_frozen_blocks_keep",
    "give --epochs": "test_box_fit.py::test_squares_are_learned_found_and_a_run_continues",
    "name it once": "test_box_fit.py::test_the_forms_of_boxes_say_the_same",
    "leave --background out": "test_box_fit.py::test_the_forms_of_boxes_say_the_same",
    "start with the run's best.npz or model.keras instead": "test_recipes.py::test_a_run_may_begin_with_the_weights",
    "it has {}; give --arch its own (tinyengine zoo list)": "test_start.py::test_a_run_begins_with_an_int8_network",
    "name them with --start": "test_start.py::test_no_passes_only_measure_the_normalization",
    "name another --cache folder": "test_teach.py::test_a_damaged_part_of_the_cache",
    **dict.fromkeys(
        ("take them out of one of the two", "name a file that ends in .npz", "name another file"),
        "test_teach.py::test_teach_writes_a_data_set",
    ),
    "allow more of it": "test_search.py::test_evolution_climbs_and_keeps_the_budget",
    "name some with --data, labelled or not": "test_search.py::test_what_a_search_lacks_is_said",
    "run tinyengine supernet predict {} --data PHOTOS --validate OTHERS": (
        "test_search.py::test_what_a_search_lacks_is_said"
    ),
    "train one with tinyengine supernet train": "test_supernet.py::test_from_training_to_an_int8_network",
    "take a file that tinyengine supernet train has written": "test_supernet.py::test_a_file_keeps_what_it_is_given",
    "take an architecture that tinyengine search wrote, or 'largest' or 'smallest'": (
        "test_supernet.py::test_what_is_no_part"
    ),
    "name a --resolution in between": "test_supernet.py::test_what_is_no_part",
    "give its own --arch": "test_supernet.py::test_a_training_begins_with_another_super_network",
    "take a network of inverted residuals, such as mbv2-w0.35": "test_supernet.py::test_what_is_no_part",
    "run pip install {}": "test_teach.py::test_the_published_teacher_sees_pictures",
    "give a SavedModel folder or a file that ends in one of {}": "test_formats.py::test_a_new_format_is_one_entry",
}
"""Where a way out is tested that is no matter of operators: a file of tests/unit, and how the test's name begins."""


def test_every_way_out_is_followed_by_a_test() -> None:
    found = ways_out()
    assert len(found) > 20
    known = {*FOLLOWED, *TESTED}
    missing = {way: place for way, place in found.items() if not AGAIN.search(way) and way not in known}
    assert not missing, "add a network that follows it to FOLLOWED, or name the test that does in TESTED"


@pytest.mark.parametrize("way", FOLLOWED)
def test_the_way_out_is_accepted(way: str) -> None:
    for number, follow in enumerate(FOLLOWED[way]):
        b = GraphBuilder(number, "followed")
        b.output(follow(b, b.input(1, 8, 8, 4)))
        used = {name for op in b.graph.operators for name in op.inputs}
        b.graph.inputs = [port for port in b.graph.inputs if port.tensor in used]
        if follow.__name__.startswith("border_") and not follow.__name__.endswith("int8"):
            b = bordered(b, follow.__name__.removeprefix("border_"))
        graph = parse_tflite(tflite_bytes(b.graph))
        for options in (CompileOptions(), CompileOptions(optimize="sram"), CompileOptions("cortex-m3")):
            assert compile_graph(graph, options).plan.arena_bytes > 0


def bordered(b: GraphBuilder, dtype: str) -> GraphBuilder:
    """With ports of another type."""
    for ports in (b.graph.inputs, b.graph.outputs):
        quant = b.graph.tensor(ports[0].tensor).quant
        ports[0] = replace(ports[0], dtype=dtype, quant=None if dtype == "float32" else quant)
    return b


@pytest.mark.parametrize("place", sorted(set(TESTED.values())))
def test_the_named_tests_exist(place: str) -> None:
    name, _, test = place.partition("::")
    text = (project_root() / "tests" / "unit" / name).read_text()
    assert re.search(rf"^def {test}\w*\(", text, re.MULTILINE), place


def test_a_file_written_anew_is_accepted() -> None:
    """What "convert the model again" comes down to: the same network in a file that is whole."""
    b = GraphBuilder(3)
    b.output(CONV(b, b.input(1, 8, 8, 4)))
    assert compile_graph(parse_tflite(tflite_bytes(b.graph))).macs > 0


# --- what people write in Keras when they follow a sentence: its converter must not lead to the next refusal ---


def keras_models() -> dict[str, Callable[[Any, Any], Any]]:
    """By what a sentence advises (or once did): what it adds to a model, given keras and x (8, 8, 4)."""

    def unrolled(kind: str) -> Callable[[Any, Any], Any]:
        return lambda keras, x: getattr(keras.layers, kind)(5, unroll=True)(keras.layers.Reshape((8, 32))(x))

    return {
        "nearest-neighbour interpolation": lambda keras, x: keras.layers.UpSampling2D()(x),
        "bilinear interpolation": lambda keras, x: keras.layers.UpSampling2D(interpolation="bilinear")(x),
        "nearest-neighbour, one axis": lambda keras, x: keras.layers.UpSampling1D(2)(keras.layers.Reshape((8, 32))(x)),
        "maximum over channels": lambda keras, x: keras.ops.max(x, axis=-1, keepdims=True),
        "maximum over the picture": lambda keras, x: keras.layers.GlobalMaxPooling2D()(x),
        "parts of an axis": lambda keras, x: keras.layers.Concatenate()(keras.ops.split(x, 4, axis=-1)[::-1]),
        "unrolled RNN": unrolled("SimpleRNN"),
        "unrolled LSTM": unrolled("LSTM"),
        "unrolled GRU": unrolled("GRU"),
    }


@pytest.mark.parametrize("advice", keras_models())
def test_advice_that_is_followed_in_keras_is_not_refused(advice: str) -> None:
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    x = keras.Input((8, 8, 4), batch_size=1)
    y = keras_models()[advice](keras, keras.layers.Conv2D(4, 3, padding="same")(x))
    model = keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(y)))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    rng = np.random.default_rng(1)
    converter.representative_dataset = lambda: ([rng.normal(size=(1, 8, 8, 4)).astype(np.float32)] for _ in range(4))
    graph = parse_tflite(converter.convert())
    assert compile_graph(graph).macs > 0
