"""Shapes, as SVG, as pixels, as a page; what a drawing shows is the caller's business."""
