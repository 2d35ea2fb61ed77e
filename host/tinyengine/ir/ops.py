"""Operators of the IR: one kind and one attribute class each.

Data layout is TFLite's: activations NHWC with N = 1, convolution weights OHWI, depthwise weights 1HW(C*multiplier),
fully connected weights OI, biases int32 with scale = input scale * weight scale. Paddings are explicit numbers;
``SAME`` and ``VALID`` do not exist behind the frontend.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tinyengine.sizes import ceil_div


class OpKind(StrEnum):
    """Name of an operator, as TFLite spells it, if it has it."""

    CONV_2D = "CONV_2D"
    DEPTHWISE_CONV_2D = "DEPTHWISE_CONV_2D"
    TRANSPOSE_CONV = "TRANSPOSE_CONV"
    FULLY_CONNECTED = "FULLY_CONNECTED"
    BATCH_MATMUL = "BATCH_MATMUL"
    ADD = "ADD"
    SUB = "SUB"
    MUL = "MUL"
    DIV = "DIV"
    FLOOR_DIV = "FLOOR_DIV"
    FLOOR_MOD = "FLOOR_MOD"
    ADD_N = "ADD_N"
    AVERAGE_POOL_2D = "AVERAGE_POOL_2D"
    MAX_POOL_2D = "MAX_POOL_2D"
    MEAN = "MEAN"
    PAD = "PAD"
    RESHAPE = "RESHAPE"  # also SQUEEZE: the bytes stay where they are
    TRANSPOSE = "TRANSPOSE"
    CONCATENATION = "CONCATENATION"
    RESIZE_NEAREST_NEIGHBOR = "RESIZE_NEAREST_NEIGHBOR"
    STRIDED_SLICE = "STRIDED_SLICE"
    CONV_CHANNELS = "CONV_CHANNELS"  # ours: some channels of a layer with other weights (frontend/legacy.py)
    SHIFT = "SHIFT"  # ours: a window over time loses its oldest indices to new ones (passes/windows_over_time.py)
    SOFTMAX = "SOFTMAX"
    LOGISTIC = "LOGISTIC"
    RELU = "RELU"  # RELU6 too: see ActivationAttrs
    HARD_SWISH = "HARD_SWISH"
    QUANTIZE = "QUANTIZE"
    DEQUANTIZE = "DEQUANTIZE"
    TANH = "TANH"
    LEAKY_RELU = "LEAKY_RELU"
    ELU = "ELU"
    GELU = "GELU"
    EXP = "EXP"
    LOG = "LOG"
    SQRT = "SQRT"
    RSQRT = "RSQRT"
    ABS = "ABS"
    NEG = "NEG"
    SQUARE = "SQUARE"
    FLOOR = "FLOOR"
    CEIL = "CEIL"
    ROUND = "ROUND"
    SIGN = "SIGN"
    SIN = "SIN"
    COS = "COS"
    TABLE = "TABLE"  # not TFLite's: what a pass makes of several functions of one value
    LOG_SOFTMAX = "LOG_SOFTMAX"
    L2_NORMALIZATION = "L2_NORMALIZATION"
    ARG_MAX = "ARG_MAX"
    ARG_MIN = "ARG_MIN"
    RESIZE_BILINEAR = "RESIZE_BILINEAR"
    MINIMUM = "MINIMUM"
    MAXIMUM = "MAXIMUM"
    SQUARED_DIFFERENCE = "SQUARED_DIFFERENCE"
    PRELU = "PRELU"
    REDUCE_MAX = "REDUCE_MAX"
    REDUCE_MIN = "REDUCE_MIN"
    SUM = "SUM"
    CUMSUM = "CUMSUM"
    REDUCE_ALL = "REDUCE_ALL"
    REDUCE_ANY = "REDUCE_ANY"
    CAST = "CAST"
    EQUAL = "EQUAL"
    NOT_EQUAL = "NOT_EQUAL"
    LESS = "LESS"
    LESS_EQUAL = "LESS_EQUAL"
    GREATER = "GREATER"
    GREATER_EQUAL = "GREATER_EQUAL"
    LOGICAL_AND = "LOGICAL_AND"
    LOGICAL_OR = "LOGICAL_OR"
    LOGICAL_NOT = "LOGICAL_NOT"
    SELECT_V2 = "SELECT_V2"  # also SELECT
    DYNAMIC_UPDATE_SLICE = "DYNAMIC_UPDATE_SLICE"
    EMBEDDING_LOOKUP = "EMBEDDING_LOOKUP"  # also GATHER, where the network computes the indices
    UNIDIRECTIONAL_SEQUENCE_LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    SVDF = "SVDF"
    GATHER = "GATHER"  # also TILE, MIRROR_PAD, BROADCAST_TO: see GatherAttrs
    SIGNAL_WINDOW = "SignalWindow"  # this one to SignalFilterBankLog: custom operators of TFLite Micro's signal library
    SIGNAL_FFT_AUTO_SCALE = "SignalFftAutoScale"
    SIGNAL_RFFT = "SignalRfft"
    SIGNAL_ENERGY = "SignalEnergy"
    MAGNITUDE = "MAGNITUDE"
    SIGNAL_FILTER_BANK = "SignalFilterBank"
    SIGNAL_FILTER_BANK_SQUARE_ROOT = "SignalFilterBankSquareRoot"
    SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION = "SignalFilterBankSpectralSubtraction"
    SIGNAL_PCAN = "SignalPCAN"
    SIGNAL_FILTER_BANK_LOG = "SignalFilterBankLog"
    DETECTION_POST_PROCESS = "TFLite_Detection_PostProcess"  # a custom operator of TFLite's and TFLite Micro's
    LINEAR_ATTENTION = "TinyengineLinearAttention"  # ours: a custom operator, see LinearAttentionAttrs
    LAYER_NORM = "LAYER_NORM"  # ours: what a pass makes of a dozen operators (passes/layer_norm.py)
    LM_EMBEDDING = "LM_EMBEDDING"  # ours, this one to LM_GATE: parts of a language model (ir/operators/language.py)
    LM_POSITION = "LM_POSITION"
    LM_NORM = "LM_NORM"
    LM_MATRIX = "LM_MATRIX"
    LM_ROTATE = "LM_ROTATE"
    LM_ATTENTION = "LM_ATTENTION"
    LM_GATE = "LM_GATE"


class Activation(StrEnum):
    """Activation fused into an operator's output clamp."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"


@dataclass(frozen=True)
class Window:
    """A sliding window: (height, width) pairs; ``pad`` is (top, bottom, left, right) in pixels."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)

    def turned(self) -> Window:
        """Rows and columns exchanged, without the rows' padding."""
        return Window(self.kernel[::-1], self.stride[::-1], self.dilation[::-1], (*self.pad[2:], 0, 0))

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the output for an input of ``height`` x ``width``."""
        reach_h = (self.kernel[0] - 1) * self.dilation[0] + 1
        reach_w = (self.kernel[1] - 1) * self.dilation[1] + 1
        return (
            (height + self.pad[0] + self.pad[1] - reach_h) // self.stride[0] + 1,
            (width + self.pad[2] + self.pad[3] - reach_w) // self.stride[1] + 1,
        )


def same_padding(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], height: int, width: int
) -> tuple[int, int, int, int]:
    """TFLite's SAME padding of a picture as a window's ``pad``: the odd pixel comes last."""
    pad: list[int] = []
    for k, s, d, size in zip(kernel, stride, dilation, (height, width), strict=True):
        total = max((ceil_div(size, s) - 1) * s + (k - 1) * d + 1 - size, 0)
        pad += [total // 2, total - total // 2]
    return pad[0], pad[1], pad[2], pad[3]


@dataclass(frozen=True)
class Attrs:
    """What an operator needs to know besides its tensors."""


@dataclass(frozen=True)
class NoAttrs(Attrs):
    """RESHAPE, SHIFT, QUANTIZE, DEQUANTIZE, LOGISTIC, HARD_SWISH: the tensors say everything."""


@dataclass(frozen=True)
class WindowAttrs(Attrs):
    """Of operators that slide a window over a picture."""

    window: Window


@dataclass(frozen=True)
class Conv2DAttrs(WindowAttrs):
    """inputs: x, weights (O,KH,KW,I/groups), bias (O); of as many groups of channels, each writes what it reads of."""

    activation: Activation = Activation.NONE
    groups: int = 1


@dataclass(frozen=True)
class TransposeConvAttrs(Attrs):
    """inputs: x, weights (O,KH,KW,I), bias (O).

    The transpose of a convolution by ``window`` (not dilated): input pixel (i, j) is added, weighted, to the outputs
    under the window at (i, j). ``window.pad`` is what lies around the output; behind it less than nothing, where the
    output has rows and columns that no window reaches.
    """

    window: Window
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class ConvChannelsAttrs(WindowAttrs):
    """inputs: y, x, weights (N,KH,KW,depth) of 16 bits, bias (N). The N output ``channels`` become convolutions of x,
    of its channels from ``first`` on, ``clamp`` behind them; the others are those of y. ``once``: rounded as
    FULLY_CONNECTED."""

    channels: tuple[int, ...]
    first: tuple[int, ...]
    clamp: Activation = Activation.NONE
    once: bool = False


@dataclass(frozen=True)
class DepthwiseConv2DAttrs(WindowAttrs):
    """inputs: x, weights (1,KH,KW,C*multiplier), bias (C*multiplier); output channel o reads input o // multiplier."""

    multiplier: int = 1
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class FullyConnectedAttrs(Attrs):
    """inputs: x (any shape, flattened), weights (O,I), bias (O)."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class MatmulAttrs(Attrs):
    """inputs: matrices on the last two axes, exchanged if ``adj_x``, ``adj_y`` say so; the others are alike."""

    adj_x: bool = False
    adj_y: bool = False


@dataclass(frozen=True)
class LinearAttentionAttrs(Attrs):
    """LINEAR_ATTENTION. inputs: queries, keys, values, all (1, rows, columns, channels); ``heads`` groups of
    neighbouring channels attend by themselves: y = q (K^T V) / (q K^T 1 + epsilon), K and V those of all pixels.
    Queries and keys are not negative, so y is a mean of the values."""

    heads: int
    epsilon: float


@dataclass(frozen=True)
class ElementwiseAttrs(Attrs):
    """ADD, SUB, MUL, DIV: numpy broadcasting; either input may be a constant."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class PoolAttrs(WindowAttrs):
    """AVERAGE_POOL_2D (divides by the pixels inside the picture), MAX_POOL_2D. ``half_up``: an average rounds halves
    up, not away from zero."""

    activation: Activation = Activation.NONE
    half_up: bool = False


@dataclass(frozen=True)
class MeanAttrs(Attrs):
    """MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_ALL, REDUCE_ANY over ``axes`` of the NHWC input (sorted,
    non-negative)."""

    axes: tuple[int, ...]
    keep_dims: bool = False


@dataclass(frozen=True)
class PadAttrs(Attrs):
    """Padding ((before, after), ...) per axis: zeros in real terms (the zero point), or ``value`` as the tensor's own
    type has it."""

    pads: tuple[tuple[int, int], ...]
    value: float | None = None


@dataclass(frozen=True)
class CumsumAttrs(Attrs):
    """Sums of all values along ``axis`` up to each, itself included or not; from the other end if ``reverse``."""

    axis: int
    exclusive: bool = False
    reverse: bool = False


@dataclass(frozen=True)
class TransposeAttrs(Attrs):
    """Output axis i is input axis perm[i]."""

    perm: tuple[int, ...]


@dataclass(frozen=True)
class ConcatAttrs(Attrs):
    """Any number of inputs, all with the output's quantization."""

    axis: int


@dataclass(frozen=True)
class LeakyReluAttrs(Attrs):
    """Negative values are multiplied by ``alpha``."""

    alpha: float


@dataclass(frozen=True)
class TableAttrs(Attrs):
    """The 256 results, for -128 .. 127."""

    values: tuple[int, ...]


@dataclass(frozen=True)
class GeluAttrs(Attrs):
    """By a hyperbolic tangent, or by the error function."""

    approximate: bool = False


@dataclass(frozen=True)
class ArgAttrs(Attrs):
    """ARG_MAX, ARG_MIN along one axis, which the output lacks."""

    axis: int


@dataclass(frozen=True)
class ResizeAttrs(Attrs):
    """RESIZE_NEAREST_NEIGHBOR, RESIZE_BILINEAR; output size from the output tensor."""

    align_corners: bool = False
    half_pixel_centers: bool = False


@dataclass(frozen=True)
class StridedSliceAttrs(Attrs):
    """Per axis, masks resolved: first index, step (may be negative), count (axes that TFLite drops count 1)."""

    begin: tuple[int, ...]
    stride: tuple[int, ...]
    count: tuple[int, ...]


@dataclass(frozen=True)
class SoftmaxAttrs(Attrs):
    """Softmax over the last axis."""

    beta: float = 1.0


@dataclass(frozen=True)
class ActivationAttrs(Attrs):
    """A RELU or RELU6 that stands alone (input and output quantization may differ)."""

    activation: Activation


@dataclass(frozen=True)
class GatherAttrs(Attrs):
    """Per axis of the input, which of its indices the output has along it, in order; None: all of them."""

    indices: tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True)
class LookupAttrs(Attrs):
    """EMBEDDING_LOOKUP: indices (int32), then what is looked up along ``axis``."""

    axis: int = 0


@dataclass(frozen=True)
class LstmAttrs(Attrs):
    """UNIDIRECTIONAL_SEQUENCE_LSTM. inputs: x (..., I), hidden (1,U), cell (1,U), four weights (U,I), four recurrent
    weights (U,U), four biases (U), each for the gates input, forget, cell, output. outputs: hidden of all steps, of
    the last one, cell of the last one. ``cell_clip``: largest magnitude of a cell, 0 for none.
    """

    cell_clip: float = 0.0


@dataclass(frozen=True)
class SvdfAttrs(Attrs):
    """SVDF. inputs: x (1,I), state (memory, filters), weights (filters, I), weights over time (filters, memory), bias
    (units). outputs: y (1, units), next state: a step younger. ``rank``: filters whose sums make one output.
    """

    rank: int = 1


@dataclass(frozen=True)
class SignalWindowAttrs(Attrs):
    """SIGNAL_WINDOW. inputs: samples (..., N), window (N). Products are shifted right by ``shift``."""

    shift: int


@dataclass(frozen=True)
class SignalFftAutoScaleAttrs(Attrs):
    """SIGNAL_FFT_AUTO_SCALE. ``skip_lowest``: -32768 counts as nothing, and silence is shifted by 15, as in the micro
    frontend; else as in TFLite Micro's operator."""

    skip_lowest: bool = False


@dataclass(frozen=True)
class SignalRfftAttrs(Attrs):
    """SIGNAL_RFFT of samples (..., N), zeros behind them up to ``fft_length``. Output (..., fft_length + 2): real and
    imaginary parts in turn."""

    fft_length: int


@dataclass(frozen=True)
class SignalEnergyAttrs(Attrs):
    """SIGNAL_ENERGY, MAGNITUDE of complex numbers (2N), as (N): of those from ``start_index`` to ``end_index`` - 1."""

    start_index: int
    end_index: int


@dataclass(frozen=True)
class SignalFilterBankAttrs(Attrs):
    """SIGNAL_FILTER_BANK. inputs: energies, weights, unweights; first energy, first weight, width of each of
    ``num_channels`` + 1 sections. A channel is its section weighted, and the one before it unweighted."""

    num_channels: int


@dataclass(frozen=True)
class SignalSpectralSubtractionAttrs(Attrs):
    """SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION. inputs: signal, noise estimate of the last run. outputs: signal without
    noise, noise estimate. Weights have ``spectral_subtraction_bits`` fraction bits, the estimate has ``smoothing_bits``
    more than the signal; ``alternate`` ones are those of odd channels."""

    smoothing: int
    one_minus_smoothing: int
    alternate_smoothing: int
    alternate_one_minus_smoothing: int
    smoothing_bits: int
    spectral_subtraction_bits: int
    min_signal_remaining: int
    clamping: bool


@dataclass(frozen=True)
class SignalPcanAttrs(Attrs):
    """SIGNAL_PCAN, a gain control. inputs: signal, noise estimate, table of gains. ``snr_shift``: of products of signal
    and gain to 12 fraction bits."""

    snr_shift: int


@dataclass(frozen=True)
class SignalLogAttrs(Attrs):
    """SIGNAL_FILTER_BANK_LOG: ``output_scale`` * log(x * 2^``input_correction_bits``); of uint64 x + ``floor``."""

    output_scale: int
    input_correction_bits: int
    floor: int = 0


@dataclass(frozen=True)
class DetectionAttrs(Attrs):
    """DETECTION_POST_PROCESS. inputs: encoded boxes (1,N,4 or more), scores (1,N,C), of which the last ``num_classes``
    are those of classes, anchors (N,4). outputs: corners (1,D,4), classes (1,D), scores (1,D), how many
    detections there are (1,); D = ``max_detections`` * ``max_classes_per_detection``.

    Of boxes with a score of ``nms_score_threshold`` or more those are left out that lie over a better one by more than
    ``nms_iou_threshold``: with ``use_regular_nms`` class by class, of which each has at most ``detections_per_class``,
    else by the best class of each box, which is listed with ``max_classes_per_detection`` of its classes. Encoded boxes
    are divided by the scales.
    """

    max_detections: int
    max_classes_per_detection: int
    nms_score_threshold: float
    nms_iou_threshold: float
    num_classes: int
    y_scale: float
    x_scale: float
    h_scale: float
    w_scale: float
    detections_per_class: int = 100
    use_regular_nms: bool = False

    @property
    def scales(self) -> tuple[float, float, float, float]:
        return self.y_scale, self.x_scale, self.h_scale, self.w_scale


@dataclass(frozen=True)
class RingAttrs(Attrs):
    """LM_POSITION, LM_ROTATE, LM_ATTENTION: what is remembered are ``window`` tokens: in the first ``sinks`` slots the
    text's first ones, behind them the last ones, in a ring. The last ``kept`` of the sinks are no longer the first
    tokens once the ring is full: a token that leaves it takes the place of the one there that receives least attention,
    if it receives more itself."""

    window: int
    sinks: int = 0
    kept: int = 0

    @property
    def ring(self) -> int:
        """Slots of the ring, behind those of the sinks."""
        return self.window - self.sinks

    @property
    def variants(self) -> int:
        """As what a query is rotated: for slots of the ring's present turn, of its former one, and for sinks."""
        return 3 if self.sinks else 2

    @property
    def farthest(self) -> int:
        """As at which slot queries are rotated for sinks, once the ring is full. Where tokens come there from the ring,
        with the rotation of its slots, all of them are farther away than those in the ring."""
        return self.window + self.ring - 1 if self.kept else self.window - 1


@dataclass(frozen=True)
class LmNormAttrs(Attrs):
    """LM_NORM. inputs: x (1,D), gains (D), 15 fraction bits. ``epsilon`` is added to the sum of squares of numbers with
    12 fraction bits; the result has ``fraction`` bits before the gains."""

    epsilon: int
    fraction: int = 10


@dataclass(frozen=True)
class LmMatrixAttrs(Attrs):
    """LM_MATRIX. inputs: x (1,K), weights (N,K), multipliers (N), scales (N, groups) if there are groups, what is added
    to (1,N) if ``add``. ``group``: columns that share a scale, 0: none do, weights have 8 bits, else 4."""

    group: int = 0
    add: bool = False


@dataclass(frozen=True)
class LmGateAttrs(Attrs):
    """LM_GATE. input: y (1,2F), 10 fraction bits. ``multiplier``: of the products, 2^-32 of it."""

    multiplier: int
