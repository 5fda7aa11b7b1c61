"""Choice of a mood by the words of a prompt, in many languages.

It only has to be right for obvious prompts and must not choose a surprising mood. Add a
new word in every language that you know. In scripts with spaces a keyword matches a whole
word, and `stem*` every word with that prefix. Chinese, Japanese, Korean and Thai keywords
match anywhere, and longer ones weigh more.
"""

from __future__ import annotations

import re
from typing import Final

from geekai_sandbox.render.noise import make_seed

WORDS: Final[dict[str, str]] = {
    "aurora": "aurora auroras polarlicht borealis aurore 极光 極光 オーロラ 오로라 شفق",
    "night": (
        "night nights midnight star stars starry moon moonlight galaxy space cosmos universe firefly fireflies"
        " lantern planet astronaut noche estrella estrellas luna nuit étoile étoiles lune nacht stern* mond"
        " notte noite ночь ночн* звезд* звёзд* лун* космос*"
        " 夜 星 月光 月亮 宇宙 银河 銀河 太空 萤火 蛍 밤 별 달빛 우주 은하 ليل ليلا نجم نجوم قمر فضاء לילה כוכב* ירח ดาว กลางคืน"
    ),
    "snow": (
        "snow snowy winter ice icy frozen glacier polar arctic blizzard christmas penguin* nieve invierno neige hiver"
        " schnee winter* eis neve inverno снег* снеж* зим* 雪 冬 冰 圣诞 聖誕 クリスマス 눈송이 눈꽃 눈사람 겨울 ثلج شتاء שלג חורף หิมะ"
    ),
    "sea": (
        "sea seas ocean wave waves beach river lake boat boats ship ships sail sailing sailboat fish whale whales"
        " dolphin* surf* underwater island* harbour harbor mar océano ola olas playa barco mer océan vague* plage"
        " bateau meer ozean welle* strand schiff* mare onda mareggiata море мор* волн* океан* кораб*"
        " 海 浪 河 湖 船 鱼 魚 鲸 鯨 岛 島 波 바다 파도 호수 강가 بحر البحر موج أمواج سفينة قارب ים גל גלים ทะเล คลื่น เรือ"
    ),
    "desert": (
        "desert dune dunes sand sandy canyon camel* egypt* mars sahara desierto arena désert sable wüste sand*"
        " deserto пустын* песок 沙漠 沙丘 骆驼 駱駝 火星 砂漠 戈壁 사막 صحراء رمال جمل מדבר ทะเลทราย"
    ),
    "city": (
        "city cities street streets skyline neon building* tower* skyscraper* cyberpunk tokyo downtown rooftop urban"
        " ciudad calle ville rue stadt straße strasse città cidade город* улиц*"
        " 城 街 楼 樓 霓虹 都市 赛博 東京 东京 ビル 도시 거리 네온 مدينة المدينة شارع עיר רחוב เมือง"
    ),
    "road": (
        "car cars road roads drive drives driving highway bus truck bicycle* bike* train* race racing motorcycle*"
        " coche carretera tren voiture route auto autobahn zug macchina strada carro estrada машин* дорог* поезд*"
        " 车 車 马路 道路 驾 公路 火车 自行车 列车 자동차 도로 기차 سيارة السيارة طريق الطريق قطار מכונית כביש รถ ถนน"
    ),
    "forest": (
        "forest* tree trees jungle wood woods bamboo mist misty rain rainy fog foggy mushroom* deer fox foxes bear"
        " bears owl owls bosque árbol árboles lluvia zorro forêt arbre* pluie renard wald bäume baum regen fuchs"
        " foresta pioggia floresta лес* дерев* дожд* туман* лис*"
        " 森 林 树 樹 竹 雾 霧 雨 木 狐 鹿 숲 나무 비가 여우 غابة أشجار مطر יער עץ גשם ป่า ฝน"
    ),
    "sunset": (
        "sunset* sunrise dusk dawn twilight fire flame* volcano* dragon* epic warrior* battle atardecer amanecer fuego"
        " crépuscule aube feu sonnenuntergang feuer tramonto fuoco закат* рассвет* огонь дракон*"
        " 日落 夕阳 夕陽 黄昏 日出 朝霞 晚霞 火 龙 龍 竜 夕焼け 夕日 노을 일출 غروب الغروب شروق نار שקיעה אש พระอาทิตย์"
    ),
    "meadow": (
        "grass meadow* field fields garden* puppy puppies kitten* dog dogs cat cats rabbit* bunny farm* spring park"
        " cow cows sheep horse* picnic bird birds perro perros gato gatos jardín campo chien* chat chats jardin hund*"
        " katze* garten wiese cane gatto giardino cão jardim кот* кошк* собак* щен* сад луг*"
        " 草 田野 花园 花園 狗 猫 貓 兔 春 公园 公園 牧 犬 うさぎ ウサギ 고양이 강아지 토끼 정원 들판"
        " قطة القط قط كلب أرنب حديقة חתול כלב גן แมว หมา สุนัข สวน"
    ),
    "rose": (
        "flower* love wedding* rose roses cherry blossom* sakura dress girl baby dance* dancing ballet heart flor"
        " flores amor boda fleur* amour mariage danse blume* liebe hochzeit fiore amore любов* цвет* свадьб* роз*"
        " 花 爱 愛 婚 玫瑰 樱 桜 櫻 女孩 跳舞 舞 恋 꽃 사랑 결혼 벚꽃 춤 زهرة زهور حب عرس פרח אהבה ดอกไม้ รัก"
    ),
}

FALLBACKS: Final = ("rose", "sunset", "meadow", "sea", "forest", "desert", "road", "snow")
"""Moods for a prompt without any of the words."""

_WORD: Final = re.compile(r"[^\W\d_]+", re.UNICODE)
_UNSPACED: Final = re.compile(r"[\u0E00-\u0E7F\u3040-\u30FF\u3400-\u9FFF\uAC00-\uD7AF]")


def _keyword_weight(keyword: str, text: str, words: frozenset[str]) -> float:
    if _UNSPACED.match(keyword):
        # Longer keywords are more specific: 火星 is Mars, not fire.
        return float(len(keyword)) if keyword in text else 0.0
    if keyword.endswith("*"):
        stem = keyword[:-1]
        return 2.0 if any(word.startswith(stem) for word in words) else 0.0
    return 2.0 if keyword in words else 0.0


def choose_mood(prompt: str) -> str:
    """Return the mood whose words weigh most in *prompt*; in a tie, the first one of WORDS."""
    text = prompt.casefold()
    words = frozenset(_WORD.findall(text))
    scores = {
        mood: sum(_keyword_weight(keyword, text, words) for keyword in keywords.split())
        for mood, keywords in WORDS.items()
    }
    best = max(scores, key=lambda mood: scores[mood])
    return best if scores[best] > 0 else FALLBACKS[make_seed(prompt, "mood") % len(FALLBACKS)]
