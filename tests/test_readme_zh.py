"""The Chinese README keeps step with the English one: the same programs, commands, figures and links, in Chinese."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
FENCE = re.compile(r"^```\w+\n.*?^```", re.MULTILINE | re.DOTALL)


def test_its_programs_and_commands_are_those_of_the_english_one():
    assert FENCE.findall(CHINESE) == FENCE.findall(ENGLISH)


def test_its_links_are_those_of_the_english_one():
    links = [
        sorted(set(re.findall(r"\]\(([^)]+)\)", text)) - {"README.md", "README.zh.md"}) for text in (ENGLISH, CHINESE)
    ]
    assert links[0] == links[1]
    assert "(README.zh.md)" in ENGLISH
    assert "(README.md)" in CHINESE


def test_its_tables_hold_the_same_figures():
    numbers = [re.findall(r"\d+(?:[.,]\d+)*", "".join(re.findall(r"^\|.*\n", FENCE.sub("", text), re.MULTILINE)))
               for text in (ENGLISH, CHINESE)]  # fmt: skip
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) > 30


def test_it_has_the_same_chapters_and_is_chinese():
    assert CHINESE.count("\n## ") == ENGLISH.count("\n## ")
    prose = re.sub(r"`[^`]*`|!?\[[^\]]*\]\([^)]*\)", "", FENCE.sub("", CHINESE))
    for paragraph in re.split(r"\n\n+", prose):
        latin, han = len(re.findall("[A-Za-z]", paragraph)), len(re.findall("[\u4e00-\u9fff]", paragraph))
        assert han >= latin or paragraph.strip(" ·\n").startswith(("|", "# steepest")), paragraph
    assert not re.search("[\u4e00-\u9fff][,;:!?]", prose)
