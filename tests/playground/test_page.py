"""The playground's file: small enough, closed to the network, and complete in both languages."""

import base64
import hashlib
import re
from functools import cache

from steepest.messages import speaking
from steepest.playground import page


@cache
def html():
    with speaking("zh"):
        return page.page()


def test_it_is_below_four_megabytes():
    assert len(html().encode()) < 4_000_000


def test_the_policy_admits_this_script_and_this_stylesheet_and_nothing_else():
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html())[1].replace("&#39;", "'")
    *_, script = re.findall(r"<script>(.*?)</script>", html(), re.DOTALL)
    sheet = re.search(r"<style>(.*?)</style>", html(), re.DOTALL)[1]
    for part, content in (("script-src", script), ("style-src", sheet)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{part} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")


def test_nothing_is_fetched_and_no_attribute_holds_code_or_style():
    assert not re.search(r"""(src|href|action)\s*=|url\(|@import|\bfetch\(|XMLHttpRequest|WebSocket""", html())
    assert not re.search(r"<[^>]+\s(style|on\w+)=", html())
    assert set(re.findall(r"https?://[^\s\"']+", html())) <= {"http://www.w3.org/2000/svg"}


def test_every_label_stands_there_in_both_languages():
    body = html().split('<script type="application/json"')[0].split("<body>")[1]
    english = re.findall(r'<span lang="en">([^<]*)</span>', body)
    chinese = re.findall(r'<span lang="zh">([^<]*)</span>', body)
    assert len(english) == len(chinese) > 20
    assert all(re.search("[\u4e00-\u9fff]", words) for words in chinese)
    left = re.sub(r'<span lang="en">[^<]*</span>|<[^>]*>', "", body)
    assert set(re.findall("[A-Za-z]{2,}", left)) <= {"EN", "steepest", "Rosenbrock", "AdaGrad", "JavaScript", "xy"}


def test_the_language_of_the_page_is_the_one_asked_for():
    assert '<html lang="zh">' in html()
