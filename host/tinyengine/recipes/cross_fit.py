"""What is learned from a teacher's features: answers that do not repeat the labels, and an embedding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tinyengine.optional import scikit_learn

#: parts of the labelled pictures; each is answered by a regression on the others
FOLDS = 5
#: inverse strengths of the L2 penalty, tried from the strongest until the log loss on pictures left out rises
_STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


def answers(features: np.ndarray, labels: np.ndarray, soft: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(N, K) probabilities from (N, F) features and the (N, K) probabilities there were (NaN where there were none).

    ``labels`` is (N,), -1 where a picture has none; pictures of the same of the (N,) ``groups`` are left out together.
    Two logistic regressions: one on the standardized features, and one that weighs its log probabilities against those
    in ``soft``. The second one learns from and answers for the pictures that have these, if the labelled ones among
    them are enough.
    """
    result = _cross_fitted(features, labels, groups, _STRENGTHS)
    both = ~np.isnan(soft).any(axis=1)
    if fewest(labels[both], groups[both], result.shape[1]) >= FOLDS:
        x = np.hstack([_log(result[both]), _log(soft[both])])
        result[both] = _cross_fitted(x, labels[both], groups[both], (1.0,))
    return result


def principal_components(features: np.ndarray, components: int) -> tuple[np.ndarray, float]:
    """Scores (N, D) of unit variance on the first D principal components, and the share of the variance they keep."""
    library = scikit_learn("teach")
    analysis = library.decomposition.PCA(min(components, *features.shape), whiten=True, random_state=0)
    scores = analysis.fit_transform(features.astype(np.float32))
    return scores.astype(np.float16), float(analysis.explained_variance_ratio_.sum())


def _cross_fitted(x: np.ndarray, labels: np.ndarray, groups: np.ndarray, strengths: Iterable[float]) -> np.ndarray:
    """Probabilities of all rows of ``x``, those of rows with a label by a regression that has not seen their group."""
    library = scikit_learn("teach")
    known = labels >= 0
    x, y = x.astype(np.float32), labels[known]
    folds = list(_folds(y, groups[known]))

    def regression(strength: float) -> Any:
        scale, regress = library.preprocessing.StandardScaler(), library.linear_model.LogisticRegression
        return library.pipeline.make_pipeline(scale, regress(C=strength, max_iter=1000))

    best, best_loss, best_strength = None, np.inf, 0.0
    for strength in strengths:
        left_out = library.model_selection.cross_val_predict(
            regression(strength), x[known], y, cv=folds, method="predict_proba"
        )
        loss = library.metrics.log_loss(y, left_out)
        if loss >= best_loss:
            break
        best, best_loss, best_strength = left_out, loss, strength
    assert best is not None, "no strength was tried"
    result = np.empty((len(x), best.shape[1]), np.float32)
    result[known] = best
    if not known.all():
        result[~known] = regression(best_strength).fit(x[known], y).predict_proba(x[~known])
        first = {group: row for row, group in zip(np.flatnonzero(known)[::-1], groups[known][::-1], strict=True)}
        for row in np.flatnonzero(~known & np.isin(groups, groups[known])):
            result[row] = result[first[groups[row]]]  # a copy of a picture with a label: this regression knows it
    return result


def _folds(y: np.ndarray, groups: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(train, test) rows. Copies of a picture stay together, or a regression would know the label of what it judges."""
    selection = scikit_learn("teach").model_selection
    if len(np.unique(groups)) == len(groups):  # the same split, much faster
        return selection.StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(y, y)
    return selection.StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(y, y, groups)


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities, 1e-4, 1))


def fewest(labels: np.ndarray, groups: np.ndarray, classes: int) -> int:
    """Different pictures of the class that has fewest."""
    return min((len(np.unique(groups[labels == k])) for k in range(classes)), default=0)
