"""A model of the Llama family in PyTorch: one step of training, and its loss on held-out text."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyengine.language.llama import Llama, LlamaLayer, turns
from tinyengine.optional import torch
from tinyengine.recipes.language_recipe import LanguageRecipe

EPSILON, THETA = 1e-5, 10000.0
BETAS = 0.9, 0.95
IGNORED = -1
"""A target that is none: what fills a row behind the last text."""


def random_model(recipe: LanguageRecipe) -> Llama:
    """Weights to begin with; the classifier is the embedding. What a layer adds begins small in deep models."""
    rng = np.random.default_rng([recipe.seed, 1])
    width, keys = recipe.width, recipe.width // recipe.heads * recipe.kv_heads

    def normal(rows: int, columns: int, size: float) -> np.ndarray:
        return (rng.normal(size=(rows, columns)) * size).astype(np.float32)

    ones, inside = np.ones(width, np.float32), width**-0.5
    added = inside / (2 * recipe.layers) ** 0.5
    layers = tuple(
        LlamaLayer(
            attention_gain=ones,
            query=normal(width, width, inside),
            key=normal(keys, width, inside),
            value=normal(keys, width, inside),
            output=normal(width, width, added),
            feed_gain=ones,
            gate=normal(recipe.hidden, width, inside),
            up=normal(recipe.hidden, width, inside),
            down=normal(width, recipe.hidden, added),
        )
        for _ in range(recipe.layers)
    )
    embedding = normal(recipe.vocabulary, width, 0.02)
    return Llama(recipe.heads, recipe.kv_heads, recipe.context, THETA, EPSILON, embedding, layers, ones, embedding)


class LanguageEngine:
    """AdamW on the cross-entropy of next tokens. State that a checkpoint keeps: ``arrays``."""

    def __init__(self, recipe: LanguageRecipe, threads: int) -> None:
        self._torch = torch("train a language model")
        self._torch.set_num_threads(threads)
        self._recipe = recipe
        model = random_model(recipe)
        self._weights: dict[str, Any] = {"embedding": self._parameter(model.embedding)}
        for index, layer in enumerate(model.layers):
            self._weights |= {f"layers.{index}.{name}": self._parameter(x) for name, x in vars(layer).items()}
        self._weights["gain"] = self._parameter(model.gain)
        cosines, sines = turns(np.arange(recipe.context), model.head, THETA)
        self._turns = self._torch.from_numpy(cosines), self._torch.from_numpy(sines)
        matrices = [w for name, w in self._weights.items() if w.dim() == 2]
        gains = [w for w in self._weights.values() if w.dim() == 1]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": gains, "weight_decay": 0.0}]
        self._optimizer = self._torch.optim.AdamW(groups, lr=recipe.rate, betas=BETAS)

    def step(self, rows: np.ndarray, rate: float) -> float:
        """Of ``rows`` (B, N + 1) int64: each token foretells the next. The loss, nats per token."""
        loss = self._loss(rows)
        self._optimizer.zero_grad()
        loss.backward()
        self._torch.nn.utils.clip_grad_norm_(list(self._weights.values()), self._recipe.clip)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        return float(loss.detach())

    def loss(self, rows: np.ndarray) -> float:
        """Nats per token of held-out ``rows``."""
        with self._torch.no_grad():
            return float(self._loss(rows))

    def model(self) -> Llama:
        """The weights as they are now."""
        found = {name: w.detach().numpy().copy() for name, w in self._weights.items()}
        names, recipe = list(LlamaLayer.__dataclass_fields__), self._recipe
        layers = tuple(
            LlamaLayer(**{name: found[f"layers.{index}.{name}"] for name in names}) for index in range(recipe.layers)
        )
        embedding = found["embedding"]
        shape = recipe.heads, recipe.kv_heads, recipe.context
        return Llama(*shape, THETA, EPSILON, embedding, layers, found["gain"], embedding)

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights and the optimizer's memory."""
        found = {}
        for name, weight in self._weights.items():
            found[f"weight.{name}"] = weight.detach().numpy()
            for key, value in self._optimizer.state.get(weight, {}).items():
                found[f"{key}.{name}"] = value.detach().numpy()
        return found

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """What :meth:`arrays` gave."""
        torch = self._torch
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(torch.from_numpy(arrays[f"weight.{name}"]))
                kept = {key: arrays.get(f"{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
                if kept["step"] is not None:
                    self._optimizer.state[weight] = {key: torch.tensor(value) for key, value in kept.items()}

    def _parameter(self, value: np.ndarray) -> Any:
        return self._torch.tensor(value).requires_grad_()

    def _loss(self, rows: np.ndarray) -> Any:
        tokens = self._torch.from_numpy(np.maximum(rows[:, :-1], 0))
        targets = self._torch.from_numpy(np.ascontiguousarray(rows[:, 1:]))
        logits = self._forward(tokens)
        flat = logits.reshape(-1, logits.shape[-1])
        return self._torch.nn.functional.cross_entropy(flat, targets.reshape(-1), ignore_index=IGNORED)

    def _forward(self, tokens: Any) -> Any:
        """Logits (B, N, V) of ``tokens`` (B, N)."""
        functional, recipe, w = self._torch.nn.functional, self._recipe, self._weights
        batch, length = tokens.shape
        x = functional.embedding(tokens, w["embedding"])

        def heads(y: Any) -> Any:
            return y.view(batch, length, -1, recipe.width // recipe.heads).transpose(1, 2)

        def norm(y: Any, gain: Any) -> Any:
            return functional.rms_norm(y, (recipe.width,), gain, EPSILON)

        for index in range(recipe.layers):
            query, key, value, output, gate, up, down = (
                w[f"layers.{index}.{name}"] for name in ("query", "key", "value", "output", "gate", "up", "down")
            )
            h = norm(x, w[f"layers.{index}.attention_gain"])
            turned = (self._rotated(heads(functional.linear(h, each))) for each in (query, key))
            seen = functional.scaled_dot_product_attention(
                *turned, heads(functional.linear(h, value)), is_causal=True, enable_gqa=True
            )
            x = x + functional.linear(seen.transpose(1, 2).reshape(batch, length, -1), output)
            h = norm(x, w[f"layers.{index}.feed_gain"])
            x = x + functional.linear(functional.silu(functional.linear(h, gate)) * functional.linear(h, up), down)
        return functional.linear(norm(x, w["gain"]), w["embedding"])

    def _rotated(self, x: Any) -> Any:
        """Pairs of neighbours, each by its angle."""
        cosines, sines = (turn[: x.shape[2]] for turn in self._turns)
        a, b = x[..., 0::2], x[..., 1::2]
        return self._torch.stack([a * cosines - b * sines, a * sines + b * cosines], -1).flatten(-2)
