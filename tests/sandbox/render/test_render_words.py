"""From the words of a prompt to its mood: place, hour and weather, and no invented place."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from geekai_sandbox.render.camera import Pose
from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.landscape import Landscape
from geekai_sandbox.render.layout import Backdrop
from geekai_sandbox.render.mood_words import choose_mood
from geekai_sandbox.render.moods import MOODS, PLACES, find_mood, name_mood
from geekai_sandbox.render.scene_words import WORDS

TRAPS = [
    # The word is only a part of another word, or of an idiom.
    ("A sandwich on a wooden board", "backdrop"),
    ("Hundreds of paper planes take off", "backdrop"),
    ("Portrait of a woman, shallow depth of field, 85mm", "backdrop"),
    ("A child eats ice cream", "backdrop"),
    ("The surface of a marble sphere, macro", "backdrop"),
    ("A stern teacher looks over her glasses", "backdrop"),
    ("She waves at the camera and smiles", "backdrop"),
    ("A strand of hair falls over her face", "backdrop"),
    ("A chat between two old friends", "backdrop"),
    ("A wave of relief washes over her face", "backdrop"),
    ("A sea of people holding phones", "backdrop"),
    ("A dog wearing a winter coat, white background", "backdrop"),
    ("Prices rose as the arena emptied", "backdrop"),
    ("Fish and chips on a plate", "backdrop"),
    # What is named by a subject, or denied, is not where it is.
    ("A car drives through the desert", "desert"),
    ("An empty forest, no cars, no snow", "forest"),
    ("A city without any people, no rain", "city"),
    # The hour and the weather are not the place, nor the place the hour.
    ("City at night", "city-night"),
    ("A storm over the sea", "sea-grey"),
    ("The beach after the storm", "sea"),
    ("The sun rose over the mountains", "sunset"),
    # Chinese: the same, without spaces.
    ("三明治和草莓放在木桌上", "backdrop"),
    ("一碗冰淇淋，特写", "backdrop"),
    ("电影海报，人像，浅景深", "backdrop"),
    ("今日出发去旅行", "backdrop"),
    ("明星在星期天吃火锅和热狗", "backdrop"),
    ("浪漫的流浪猫", "backdrop"),
    ("高速摄影：水滴溅起", "backdrop"),
    ("爆米花和烟花", "backdrop"),
    ("上海的街头", "city"),
    ("火星上的骆驼", "desert"),
    ("雨后的城市，没有车", "city"),
    # Other languages that share their letters with another word.
    ("Который час? Дорогой лист бумаги, морковь и розетка", "backdrop"),
    ("위스키 한 잔과 도시락", "backdrop"),
    ("Um barco no mar", "sea"),
]

EVERYDAY = [
    ("Kittens and puppies are playing in the grass", "meadow"),
    ("A golden retriever runs across a sunny field", "meadow"),
    ("Cows graze on rolling hills", "meadow"),
    ("A couple walks through a park in the evening", "meadow-dusk"),
    ("A foggy meadow", "meadow-grey"),
    ("Fireflies over a field at night", "meadow-night"),
    ("Waves roll onto a quiet beach", "sea"),
    ("A sailboat at sunset", "sea-dusk"),
    ("A lighthouse in a thunderstorm", "sea-grey"),
    ("A whale jumps out of the water", "sea"),
    ("A waterfall in spring", "mountains"),
    ("A waterfall in the jungle", "forest"),
    ("Moonlight on a calm lake", "sea-night"),
    ("Surfers at golden hour", "sea-dusk"),
    ("An iceberg drifts past", "sea-snow"),
    ("A neon city at night with rain slick streets", "city-night-grey"),
    ("Times Square in the snow", "city-snow"),
    ("A sunny street in Paris", "city-day"),
    ("Skyline at dusk", "city"),
    ("Tokyo alley, cyberpunk", "city"),
    ("Rain falls on the city streets", "city-grey"),
    ("A red car on a mountain road at dawn", "road-dusk"),
    ("A motorcycle speeds along a highway", "road"),
    ("Driving at night", "road-night"),
    ("A train passes", "road"),
    ("Sand dunes under a blazing sun", "desert"),
    ("A camel caravan at sunset", "desert-dusk"),
    ("A starry night over the Sahara", "desert-night"),
    ("A misty forest in the morning, sunlight between the trees", "forest"),
    ("A deer in a snowy forest", "forest-snow"),
    ("Rainforest in heavy rain", "forest-grey"),
    ("A red fox in the snow", "forest-snow"),
    ("A bamboo grove", "forest"),
    ("Snow-capped mountains under a clear sky", "mountains"),
    ("Sunset over the Alps", "sunset"),
    ("Skiers race down a slope", "snow"),
    ("Snow falls", "snow"),
    ("A blizzard in the mountains", "mountains-snow-grey"),
    ("A drone flies through a valley", "mountains"),
    ("The Milky Way", "night"),
    ("An astronaut riding a horse on the moon", "desert-night"),
    ("Sunrise", "sunset"),
    ("Northern lights over a frozen lake", "sea-aurora-snow"),
    ("Aurora", "aurora"),
    ("Cherry blossoms fall", "rose"),
    ("A bee on wildflowers", "rose"),
    ("A barista pours coffee in a café on a rainy day", "backdrop"),
    ("A robot cooks dinner in a kitchen at night", "backdrop-night"),
    ("A grilled fish on a plate", "backdrop"),
    ("A perfume bottle rotates on a table", "backdrop"),
    ("A businessman in a suit", "backdrop"),
    ("A portrait at night", "backdrop-night"),
    ("A cat", "backdrop"),
    ("彼得兔开小汽车,游走在马路上", "road"),
    ("海边的灯塔，浪花拍打礁石", "sea"),
    ("夕阳下的海滩", "sea-dusk"),
    ("城市夜景，霓虹闪烁", "city-night"),
    ("晚上海边的情侣", "sea-night"),
    ("暴风雨中的大海", "sea-grey"),
    ("清晨的森林里，阳光透过薄雾洒在林间小路上", "forest"),
    ("一只小鹿在雪中的森林里", "forest-snow"),
    ("雨夜的街道", "city-night-grey"),
    ("樱花飘落", "rose"),
    ("草原上的骏马奔跑", "meadow"),
    ("沙漠星空", "desert-night"),
    ("长城上的日出", "sunset"),
    ("滑雪运动员", "snow"),
    ("厨房里，妈妈在做饭", "backdrop"),
    ("一位宇航员", "night"),
    ("小女孩在跳舞", "backdrop"),
    ("夜空の星を見上げる", "night"),
    ("눈송이가 내리는 겨울 마을", "snow"),
    ("سفينة في البحر", "sea"),
    ("Una noche de luna y estrellas", "night"),
    ("Une forêt sous la pluie", "forest-grey"),
    ("Ein Sonnenuntergang über den Bergen", "sunset"),
    ("Город и улицы в неоне", "city"),
]

ALL_MOODS = sorted(
    {
        name_mood(place, light=light, weather=weather)
        for place in PLACES
        for light in (None, "day", "dusk", "night", "aurora")
        for weather in (None, "snow", "grey", "snow-grey")
    }
)


@pytest.mark.parametrize(("prompt", "mood"), TRAPS)
def test_a_word_that_means_something_else_is_not_taken_for_a_place(prompt: str, mood: str) -> None:
    assert choose_mood(prompt) == mood


@pytest.mark.parametrize(("prompt", "mood"), EVERYDAY)
def test_an_everyday_prompt_has_its_place_its_hour_and_its_weather(prompt: str, mood: str) -> None:
    assert choose_mood(prompt) == mood


def test_no_word_has_two_keys_and_no_keyword_mixes_alphabets() -> None:
    keys = Counter(word for words in WORDS.values() for word in set(words.split()))
    assert [word for word, count in keys.items() if count > 1] == []
    for word in keys:
        hebrew = any("\u0590" <= c <= "\u05ff" for c in word)
        assert not (hebrew and any("\u0600" <= c <= "\u06ff" for c in word)), word


def test_the_longest_prompt_is_read_in_a_fraction_of_a_second() -> None:
    started = time.perf_counter()
    for text in ("海 sea 上海 without ", "ssssss ", "no "):
        choose_mood((text * 20_000)[:20_000])
    assert time.perf_counter() - started < 3


@pytest.mark.parametrize("name", ALL_MOODS)
def test_every_mood_that_can_be_named_is_painted_by_its_hour_and_weather(name: str) -> None:
    mood = find_mood(name)
    planes = Planes(*(np.zeros(side, np.uint8) for side in ((90, 160), (45, 80), (45, 80))))
    Landscape("any", name, width=160, height=90, sway=1.0).paint(planes, time=1.0, pose=Pose())

    assert Backdrop.for_landscape(name).top_tint[0] < 160
    assert 12 <= planes.y.min() <= planes.y.max() <= 240
    dark = "night" in name or "aurora" in name
    assert mood.night == dark
    if "dusk" in name and "grey" not in name and "backdrop" not in name:
        assert mood.sky == MOODS["sunset"].sky
    elif "aurora" not in name and mood.sky[0] != MOODS["sunset"].sky[0]:
        assert (planes.y[:10].mean() < 60) == dark
    assert not (mood.sun and "grey" in name)
    assert (mood.weather == "snow") == ("snow" in name or "aurora" in name)
