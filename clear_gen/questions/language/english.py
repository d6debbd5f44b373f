"""English forms that depend on how a word sounds: articles and plurals of labels."""

from __future__ import annotations

import re
import unicodedata

LETTERS_WITH_VOWEL = frozenset("AEFHILMNORSX")  # "an F": the names of these letters begin with a vowel
# "a unit", "a ukulele", "a euphonium", "a one-shot": what is written with a vowel and begins with a consonant
_CONSONANT = re.compile(r"eu|ew|oui|one?s?$|once$|u(?:ni(?!n|de|m[ap])|[bkstz][aeiou]|r[aeiou]|v|tr[aeiou]|fo)")
_SILENT_H = re.compile(r"hour|hono|honest|heir")
_VOWEL_Y = re.compile(r"y[^aeiou]")  # "an ytterbium lamp"
_IRREGULAR = {
    "child": "children",
    "foot": "feet",
    "goose": "geese",
    "lens": "lenses",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "quiz": "quizzes",
    "tooth": "teeth",
    **{word: word for word in ("aircraft", "deer", "fish", "moose", "offspring", "salmon", "sheep", "swine")},
    **{word: f"{word}es" for word in ("buffalo", "echo", "hero", "mosquito", "potato", "tomato", "tornado", "volcano")},
    **{word: f"{word}s" for word in ("caiman", "german", "human", "norman", "ottoman", "roman", "shaman", "talisman")},
    **{word: f"{word}s" for word in ("belief", "chef", "chief", "cliff", "proof", "reef", "roof")},
}


def article(following: str) -> str:
    """The indefinite article before words, by how the first of them sounds.

    >>> [article(words) for words in ("A#", "C", "violin", "oboe", "hour bell", "ukulele", "8-bit", "one-shot")]
    ['an', 'a', 'a', 'an', 'an', 'a', 'an', 'a']
    """
    plain = unicodedata.normalize("NFKD", following)
    words = re.findall(r"[^\W_]+", "".join(one for one in plain if not unicodedata.combining(one)))
    return "an" if words and _begins_with_vowel(words[0]) else "a"


def _begins_with_vowel(word: str) -> bool:
    if digits := re.match(r"\d+", word):  # eight, eighty, eleven, eighteen
        return digits[0].startswith("8") or digits[0] in ("11", "18")
    spelled = len(word) == 1 or (word.isupper() and (len(word) < 4 or not re.search("[AEIOUY]", word)))
    if spelled or re.fullmatch(r"[A-Z]+\d+", word):
        return word[0].upper() in LETTERS_WITH_VOWEL
    word = word.lower()
    if word[0] in "aeiou":
        return not _CONSONANT.match(word)
    return bool(_SILENT_H.match(word) or _VOWEL_Y.match(word))


def plural(words: str) -> str:
    """The plural of a noun, of the last word if there are several; what is one already stays.

    >>> [plural(word) for word in ("cello", "bass", "A#", "dog bark", "cry", "wolf", "woman", "footsteps")]
    ['cellos', 'basses', 'A#s', 'dog barks', 'cries', 'wolves', 'women', 'footsteps']
    """
    head = re.search(r"[^\W\d_]*$", words)
    word = head[0] if head else ""
    before = words[: len(words) - len(word)]
    if word.lower() in _IRREGULAR:
        return before + word[:1] + _IRREGULAR[word.lower()][1:]
    if word.endswith("man"):
        return f"{words[:-2]}en"
    if re.search(r"([aeo]l|[ei]a|oa|o{2}|ar|ie|el)f$", word):
        return f"{words[:-1]}ves"
    if re.search(r"(kn|l|w)ife$", word):
        return f"{words[:-2]}ves"
    if re.search(r"[^aiosu]s$", word):
        return words
    if words.endswith(("s", "x", "z", "ch", "sh")):
        return f"{words}es"
    return f"{words[:-1]}ies" if re.search(r"[^aeiou]y$", words) else f"{words}s"
