"""Every shipped text keeps to its language: rules, vetting, watching, vocabularies."""

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from configs.loading import load_yaml

CONFIGS = Path(str(resources.files("configs")))
FOLDERS = ("rules", "vetting", "watching", "vocabularies")
FILES = [path for folder in FOLDERS for path in sorted((CONFIGS / folder).glob("*.yaml"))]
CJK = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
WORD = re.compile(r"[A-Za-z]{2,}")
PLACE = re.compile(r"\{[^{}]*\}")
NAMES = re.compile(r"GB/T|GCJ-02|VV|VH|HV|HH|(scheme|units|uses|patches):")
"""Standards, datums, polarisations, and keys of the layers file that a remedy names."""


def texts(node: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from texts(value, (*keys, str(key)))
    elif isinstance(node, list):
        for value in node:
            yield from texts(value, keys)
    elif isinstance(node, str):
        yield keys, node


def language(keys: tuple[str, ...]) -> str:
    ends = {key.rpartition("_")[2] for key in keys}
    return "zh" if "zh" in ends else "en" if "en" in ends else ""


def bare(text: str) -> str:
    """Return a text without its places for values, which may stand in one another."""
    while PLACE.search(text):
        text = PLACE.sub("", text)
    return text


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_chinese_holds_no_english_word_and_english_no_chinese(path: Path):
    told = [(k, bare(t)) for k, t in texts(load_yaml(path)[0])]
    for keys, text in told:
        if language(keys) == "zh":
            assert not WORD.search(NAMES.sub("", text)), (keys, text)
        elif language(keys) == "en":
            assert not CJK.search(text), (keys, text)


def test_there_is_something_to_read():
    read = [language(k) for path in FILES for k, _ in texts(load_yaml(path)[0])]
    assert read.count("zh") > 500
    assert read.count("en") > 500
