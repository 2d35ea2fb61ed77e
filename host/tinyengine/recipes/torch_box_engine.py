"""One step of training a detector, by PyTorch; pictures are augmented, and outputs judged, by TensorFlow."""

from __future__ import annotations

from typing import Any

from tinyengine.recipes.augment import augment_boxes
from tinyengine.recipes.box_engine import mosaic_share
from tinyengine.recipes.box_loss import BoxLoss
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.torch_engine import TorchSteps
from tinyengine.recipes.torch_network import Layers
from tinyengine.zoo.detector import STRIDE, Detector, detector_convolutions, used_blocks


class TorchBoxEngine(TorchSteps):
    """The same steps as ``BoxEngine``."""

    def __init__(self, model: Any, detector: Detector, recipe: Recipe, mosaic: float, until: int, threads: int) -> None:
        self._detector, self._mosaic, self._until = detector, mosaic, until
        super().__init__(model, detector_convolutions(model), recipe, threads)
        self._boxes = BoxLoss(detector.classes)
        self._judge = self._tf.function(self._judged)

    def _augmented(self, pixels: Any, targets: Any, seed: Any) -> tuple[Any, Any]:
        size, share = self._detector.backbone.resolution, mosaic_share(self._mosaic, self._until, seed)
        return augment_boxes(pixels, targets, size, self._recipe.augmentation, share, seed)

    def _gradients(self, images: Any, targets: Any, weights: list[Any]) -> tuple[float, list[Any]]:
        outputs = self._outputs(images)
        grid = outputs.detach().permute(0, 2, 3, 1).contiguous().numpy()
        loss, slope = self._judge(self._tf.constant(grid), self._tf.constant(targets.numpy()))
        slope = self._torch.from_numpy(slope.numpy()).permute(0, 3, 1, 2)
        return float(loss), list(self._torch.autograd.grad(outputs, weights, slope))

    def _outputs(self, x: Any) -> Any:
        """(N, numbers, rows, columns) of (N, 3, R, R) pictures, as ``zoo.detector`` has them."""
        functional, run = self._torch.nn.functional, Layers(self._layers, self._by_layer)
        fine = x = run.normalized(x, "stem")
        for index, block in used_blocks(self._detector):
            x = run.block(x, index, block)
            if x.shape[2] * STRIDE == self._detector.backbone.resolution:
                fine = x
        fine = run.normalized(fine, "boxes_fine", activation=False)
        coarse = run.normalized(x, "boxes_coarse", activation=False)
        large = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        x = run.normalized(functional.relu6(fine + large), "boxes_depthwise")
        return functional.conv2d(run.normalized(x, "boxes_project"), *self._by_layer["boxes"])

    def _judged(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        """The loss, and its gradient by the outputs."""
        with self._tf.GradientTape() as tape:
            tape.watch(outputs)
            loss = self._boxes.of(outputs, targets)
        return loss, tape.gradient(loss, outputs)
