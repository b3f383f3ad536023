"""Chinese tokens: jieba's own words, in any number of processes."""

import hashlib

import jieba
import pytest

from lcm.errors import UserError
from lcm.text import chinese

# Of the FDCNews corpus, and what is rare: names that jieba's hidden Markov model must find, other scripts, prefixes of
# words.
TEXTS = [
    "据新华社华盛顿３月４日电  （记者唐霄）宇宙年龄究竟是１５０亿年还是要年轻许多？",
    "断裂力学在工程中的应用，首先必须准确知道结构材料中的缺陷尺寸；Re=42000～127000，Sn／d为6.5。",
    "卡内基研究所37岁的温蒂·弗里德曼 et al. (C++, U.S.) 80%的β粒子とカナ",
    "工信处女干事每月经过下属科室都要亲口交代24口交换机等技术性器件的安装工作",
    "叶片前缘气膜冷却效率的实验研究\r\n朱惠人**　许都纯　郭涛　刘松龄",
    "龘靐齉㐀",
    "",
]


@pytest.fixture(autouse=True)
def silent():
    jieba.setLogLevel("WARNING")


def test_the_words_are_jiebas_own():
    own = jieba.Tokenizer()
    own.initialize()
    for text in [*TEXTS, "".join(TEXTS)]:
        assert chinese.tokenise(text) == [word for word in own.lcut(text.lower()) if chinese.WORD.search(word)]
    assert chinese.tokenise("今天，天气很好 OK!") == ["今天", "天气", "很", "好", "ok"]


def test_number_of_processes_changes_nothing(monkeypatch):
    monkeypatch.setattr(chinese, "CHUNK", 100)
    alone = list(chinese.tokenise_all(TEXTS * 20, "test", processes=1))
    assert alone == list(chinese.tokenise_all(TEXTS * 20, "test", processes=2))
    assert alone == [chinese.tokenise(text) for text in TEXTS * 20]


def test_another_dictionary_is_refused(monkeypatch):
    monkeypatch.setattr(chinese, "DICTIONARY", hashlib.sha256(b"").hexdigest())
    chinese._tokenizer.cache_clear()
    with pytest.raises(
        UserError, match=r"dict.txt: found 7197c321.*, expected sha256 e3b0c442.*; pip install --force-reinstall jieba"
    ) as error:
        list(chinese.tokenise_all(TEXTS, "test"))
    assert "\n" not in str(error.value)
