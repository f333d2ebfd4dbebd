"""A short text while a question is open: "4", "better", もう大丈夫です -> the answer it means.

Only the whole text counts, and only what can mean nothing else: whatever says more is understood like every message.
"""

import re
from functools import cache

from intents.text import fold

# What a check-in asks -> the answers it offers, from best to worst.
ANSWERS = {
    "pain": ("none", "mild", "moderate", "severe"),
    "swelling": ("better", "same", "worse", "much_worse"),
    "fine": ("well", "worried"),
}
_HIGHEST = {"none": 0, "mild": 3, "moderate": 6, "severe": 10}  # of 10, for each answer about pain
_NUMBER = re.compile(
    r"(?:about |around |maybe |だいたい|约|大概|약 ?)?(\d{1,2})"
    r"(?: ?/ ?10| out of 10| of 10)?(?: ?(?:くらい|ぐらい|です|点|점|정도|이에요|예요|요|分|左右))*"
)
# The words of each answer, a line a language: en, ja, ko, zh.
WORDS = {
    "none": (
        "none, nothing, no pain, no pain at all, it does not hurt, it doesn't hurt, not at all, zero",
        "なし, 痛みなし, 痛くない, 痛くないです, 痛みはありません, 全然痛くない",
        "없음, 없어요, 안 아파요, 통증 없어요, 하나도 안 아파요, 전혀 없어요",
        "没有, 不疼, 不痛, 不疼了, 一点都不疼",
    ),
    "mild": (
        "a little, a bit, mild, slight, slightly, just a little",
        "少し, 少しだけ, 少し痛い, ちょっと, 少しです",
        "조금, 조금요, 조금 아파요, 약간, 약간요",
        "有一点, 一点点, 有点疼, 有点痛, 一点, 不怎么疼",
    ),
    "moderate": (
        "medium, moderate",
        "中くらい, 中くらいです",
        "중간, 중간이에요, 중간 정도",
        "中等, 中等程度",
    ),
    "severe": (
        "severe, very severe, a lot, very much, terrible, unbearable",
        "強い, 強いです, とても強い, すごく痛い, かなり痛い, 我慢できない",
        "심함, 심해요, 많이 아파요, 너무 아파요",
        "很疼, 很痛, 非常疼, 特别疼, 疼死了, 很厉害",
    ),
    "better": (
        "better, much better, a bit better, a little better, it is better, it's better, improved",
        "よくなった, 良くなった, よくなりました, 良くなりました, 少し良くなった, ましになった",
        "나아졌어요, 좋아졌어요, 많이 나아졌어요, 조금 나아졌어요",
        "好多了, 好一些了, 好一点, 好一点了, 好些了, 好转了",
    ),
    "same": (
        "same, the same, about the same, no change, unchanged, no different",
        "変わらない, 変わりません, 同じ, 同じです, 同じくらい",
        "비슷해요, 똑같아요, 그대로예요, 변화 없어요",
        "一样, 差不多, 没变化, 没有变化, 跟昨天一样",
    ),
    "worse": (
        "worse, a little worse, a bit worse, slightly worse, it is worse, it's worse",
        "悪くなった, 悪くなりました, 少し悪い, 少し悪くなった, ひどくなった",
        "심해졌어요, 더 심해졌어요, 조금 심해졌어요, 나빠졌어요, 더 부었어요",
        "更肿了, 加重了, 有点加重, 严重了, 变差了",
    ),
    "much_worse": (
        "much worse, a lot worse, far worse",
        "かなり悪い, かなり悪くなった, ずっと悪い",
        "많이 심해졌어요, 훨씬 심해졌어요, 훨씬 나빠졌어요",
        "加重很多, 严重多了, 肿得很厉害",
    ),
    "well": (
        "well, all well, all is well, fine, i am fine, i'm fine, all good, good, great, ok, okay, everything is fine",
        "順調, 順調です, 大丈夫, 大丈夫です, 問題ありません, 特にありません, 元気です",
        "괜찮아요, 괜찮습니다, 좋아요, 문제없어요, 잘 지내요",
        "一切都好, 都好, 很好, 挺好, 挺好的, 没事, 没问题, 还好",
    ),
    "worried": (
        "worried, i am worried, i'm worried, something worries me, not well",
        "気になることがある, 気になることがあります, 心配です",
        "걱정돼요, 걱정되는 점이 있어요, 걱정이 있어요",
        "有担心的地方, 有点担心, 很担心, 担心",
    ),
}


# What can also mean "understood" or "no, thank you" (大丈夫です, いいです, 알겠습니다) is no consent.
AGREED = (
    "yes, yes please, yeah, yep, yup, sure, yeah sure, ok, okay, agree, agreed, i agree, fine, that is ok, that's ok, that's fine",
    "of course, go ahead, please do",
    "はい, はいお願いします, お願いします, okです, オーケー, 同意, 同意します, いいですよ, はい大丈夫です",
    "네, 예, 넵, 네네, 네 좋아요, 네 동의해요, 네 괜찮아요, 동의, 동의합니다, 동의해요, 좋아요, 괜찮아요, 괜찮습니다",
    "그래요, 부탁드려요, ㅇㅇ, 오케이",
    "好, 好的, 好啊, 好呀, 好的谢谢, 可以, 可以的, 同意, 我同意, 行, 没问题, 是的, 是, 要, 嗯, 嗯嗯, 得, 好呀唔该, 麻烦了",
    "对, 确定, 係, 係呀, 係嘅",
)
DECLINED = (
    "no, no thanks, no thank you, nope, nah, not now, i don't agree, i do not agree, better not",
    "いいえ, いや, いいえ結構です, 結構です, 同意しません, やめておきます, やめとく, だめ, だめです",
    "아니요, 아뇨, 아니오, 아니, 아니에요, 싫어요, 동의 안 해요, 동의하지 않아요, 괜찮아요 안 할래요, 됐어요, 안 할게요",
    "不, 不要, 不用, 不用了, 不用了谢谢, 不同意, 不可以, 不行, 算了, 唔好, 唔使, 唔使喇",
)


def read_agreement(text: str) -> bool | None:
    """Whether `text` says yes or no to an open question, and nothing else; None: neither."""
    return _agreements().get(_bare(text))


def read_answer(text: str, asks: str) -> str | None:
    """The answer of ANSWERS[asks] that `text` is, or None."""
    bare = _bare(text)
    if asks == "pain" and (number := _NUMBER.fullmatch(bare)):
        level = int(number[1])
        return next((answer for answer, highest in _HIGHEST.items() if level <= highest), None)
    return _known()[asks].get(bare)


def _bare(text: str) -> str:
    return fold(text).strip(" .。!！…~〜").replace("、", "").replace(",", "").replace("，", "")


@cache
def _agreements() -> dict[str, bool]:
    both = ((AGREED, True), (DECLINED, False))
    return {fold(word): meant for lines, meant in both for line in lines for word in line.split(", ")}


@cache
def _known() -> dict[str, dict[str, str]]:
    return {
        asks: {fold(w): answer for answer in answers for line in WORDS[answer] for w in line.split(", ")}
        for asks, answers in ANSWERS.items()
    }
