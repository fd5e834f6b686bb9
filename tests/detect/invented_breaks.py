"""Invented pixels with known breaks: seasons that differ by year, clouds, gaps, missed clouds.

Three bands (red, near infrared, short-wave infrared) in reflectance; half of the pixels break once.
A break changes level, season or both, by 0.03 to 0.25 of the near infrared, at once or within two
months.
"""

import numpy as np

MATCH_DAYS = 180
"""A break told is right within so many days of the true one; six clear dates span some hundred."""

BASES = np.array([[0.05, 0.30, 0.15], [0.10, 0.25, 0.22], [0.04, 0.35, 0.12], [0.15, 0.22, 0.28]])
DIRECTION = np.array([[0.4, -1.0, 0.6], [0.8, -0.5, 1.0], [-0.3, 0.8, -0.5]])


def invented_breaks(count: int, *, seed: int):
    """Return days, values (t, 3, 1, count), valid (t, 1, count), true break days (0: none)."""
    rng = np.random.default_rng(seed)
    days = np.arange(14_600, 14_600 + 9 * 365, 8, dtype=np.int64)
    days += rng.integers(0, 3, days.size)
    year = (days - days[0]) // 365
    values = np.empty((days.size, 3, 1, count), np.float32)
    valid = np.empty((days.size, 1, count), bool)
    truth = np.zeros(count, np.int64)
    for p in range(count):
        base = BASES[rng.integers(4)] * rng.uniform(0.8, 1.2)
        amplitude = rng.uniform(0.02, 0.12) * np.array([-0.4, 1.0, -0.6])
        shift = rng.normal(0, 8, year.max() + 1)[year]
        height = (1 + rng.normal(0, 0.1, year.max() + 1))[year]
        phase = 2 * np.pi * (days - 200 - shift) / 365.25
        season = height * (np.cos(phase) + 0.3 * np.cos(2 * phase + 1))
        part = np.zeros(days.size)
        if p % 2:
            at = rng.integers(3 * 365, 8 * 365) + days[0]
            truth[p] = at
            part = np.clip((days - at) / rng.choice([1, 1, 30, 60]), 0, 1)
        step = rng.choice([0.03, 0.06, 0.1, 0.15, 0.25]) * DIRECTION[rng.integers(3)]
        damped = 1 - part * rng.choice([0.0, 0.5, 0.9])
        drift = rng.normal(0, 0.002) * (days - days[0]) / 365
        noise = rng.normal(0, rng.uniform(0.006, 0.018), (days.size, 3))
        common = rng.normal(0, 0.008, days.size)
        whole = base + (season * damped)[:, None] * amplitude + part[:, None] * step
        whole = whole + noise + (drift + common)[:, None]
        cloudy = rng.random(days.size) < rng.uniform(0.35, 0.65) + 0.2 * np.cos(phase)
        missed = rng.random(days.size) < 0.03
        whole[missed] += rng.uniform(0.05, 0.5, (missed.sum(), 1))
        gap = rng.integers(0, days.size - 12)
        cloudy[gap : gap + 12] = True
        values[:, :, 0, p], valid[:, 0, p] = np.clip(whole, 0.001, 1), ~cloudy
    return days, values, valid, truth


def scores(found, truth, within=MATCH_DAYS):
    """Return precision, recall and F1 of break days found per pixel, one to one."""
    right = wrong = 0
    for days, true in zip(found, truth, strict=True):
        near = [d for d in days if true and abs(d - true) <= within]
        right += bool(near)
        wrong += len(days) - bool(near)
    precision, recall = right / max(right + wrong, 1), right / np.count_nonzero(truth)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)
