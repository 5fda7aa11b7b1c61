"""The words that name a place, an hour or the weather of a scene, in many languages.

A word of more than one meaning has all of them in its key. `~` marks a meaning that counts
only if no word names that facet outright: a whale is a hint of the sea, a beach is the sea.
Words of no meaning hide what they contain: 上海 is not 海, a depth of field is not a field.

`_` in a keyword is any gap. There are no stems: surf* would also be a surface. Chinese,
Japanese, Korean and Thai keywords match anywhere.
"""

from __future__ import annotations

from typing import Final

NO_MEANING: Final = ""

WORDS: Final[dict[str, str]] = {
    NO_MEANING: (
        "depth_of_field depth_of_fields field_of_view field_of_vision track_and_field"
        " magnetic_field force_field field_trip in_the_field_of sea_of ocean_of sea_salt"
        " sea_green ocean_blue forest_green sky_blue midnight_blue black_forest_cake"
        " black_forest_gateau family_tree christmas_tree mountain_of mountains_of mountain_dew"
        " mountain_bike mountain_bikes fish_and_chips fish_tank wave_at waves_at wave_to"
        " waves_to wave_goodbye waves_goodbye wave_hello waves_hello waves_her waves_his"
        " heat_wave sound_wave sound_waves light_waves brain_waves new_wave movie_stars"
        " film_stars rock_stars pop_stars five_stars hard_drive usb_drive flash_drive"
        " drives_me car_park toy_car theme_park car_keys snow_white snow_globe snow_peas"
        " winter_coat winter_jacket winter_olympics winter_soldier rain_check rain_boots"
        " after_the_rain after_a_rain after_the_storm after_a_storm storm_trooper"
        " lightning_mcqueen night_stand iceberg_lettuce street_food street_dance"
        " train_of_thought mars_bar desert_boots white_as_snow studio_ghibli surfing_the"
        " wave_of waves_of live_stream park_the server_farm tiger_woods jon_snow road_map"
        " sesame_street new_york_cheesecake silicon_valley uncanny_valley 海报 海報 海鲜 海鮮"
        " 海绵 海苔 海军 海拔 海带 海外 海选 人山人海 海关 海明威 山药 江山 中山装 佛山 唐山"
        " 山楂 山寨 湖南 湖北 江湖 雪糕 雪碧 雪茄 雪纺 雪梨 雪莲 雪白 白雪公主 夜宵 街舞 今日"
        " 明日 次日 当日 海底捞 家庭 法庭 波斯 波兰 波点 波浪卷 田园犬 도시락 나비가 준비가"
    ),
    "sea": (
        "sea seas seaside ocean oceans beach beaches coast shore seashore lake lakes"
        " underwater island islands harbour harbor surf desert_island coral_reef no_mar"
        " no_oceano no_lago mar océano playa isla lago mer océan plage meer ozean am_strand"
        " den_strand der_strand sandstrand ostsee nordsee insel spiaggia oceano praia lagoa"
        " море моря морем морской пляж пляже океан океана океане озеро озера 海 沙滩 沙灘 湖"
        " 砂浜 ビーチ 바다 해변 호수 بحر البحر شاطئ الشاطئ محيط ים חוף ทะเล ชายหาด"
    ),
    "~sea": (
        "wave waves river rivers a_stream the_stream boat boats ship ships sail"
        " sailing sailboat yacht fish whale whales dolphin dolphins shark sharks penguin"
        " penguins surfer surfers surfing lighthouse mermaid ola olas barco río vagues bateau"
        " rivière welle wellen schiff schiffe fluss onda onde barca fiume rio волна волны волн"
        " корабль корабли река реки 海浪 浪花 波浪 巨浪 河流 河边 小河 河面 大河 江边 江面"
        " 长江 帆船 轮船 渔船 小船 鲸 鯨 海豚 鲨鱼 冲浪 灯塔 波 川 船 파도 강가 موج أمواج"
        " سفينة قارب نهر גל גלים נהר คลื่น"
    ),
    "sea snow": "iceberg icebergs frozen_lake frozen_river 冰山 冰湖",
    "meadow": (
        "grass grassy grassland meadow meadows field fields lawn pasture farm farmland"
        " farmyard park garden gardens countryside savanna savannah prairie hill hills"
        " hillside backyard hierba prado jardín campo jardin wiese garten bauernhof giardino prato"
        " jardim no_jardim сад саду луг лугу поле парк парке"
        " 草地 草原 草坪 草丛 田野 稻田 麦田 田间 花园 花園 公园"
        " 公園 牧场 农场 乡村 田園 芝生 庭 들판 정원 공원 잔디 حديقة الحديقة حقل גן דשא שדה"
        " สวน ทุ่งหญ้า"
    ),
    "~meadow": (
        "cow cows sheep lamb lambs horse horses picnic butterfly butterflies vaca vacas"
        " cheval chevaux vache vaches pferd pferde kuh kühe cavallo лошадь лошади корова"
        " коровы 奶牛 绵羊 羊群 骏马 牧羊 野餐 蝴蝶 ひつじ 양떼"
    ),
    "rose": (
        "flowers wildflowers blossom blossoms cherry_blossom cherry_blossoms sakura roses"
        " a_rose red_rose rose_garden rose_petals tulips lavender sunflowers flores fleurs"
        " blumen fiori цветы цветов 花海 花田 花丛 花瓣 樱花 櫻花 桜 桃花 梅花 荷花 玫瑰"
        " 郁金香 薰衣草 向日葵 花畑 벚꽃 꽃밭 زهور פרחים ดอกไม้"
    ),
    "desert": (
        "desert deserts dune dunes canyon sahara gobi egypt egyptian on_mars planet_mars"
        " desierto désert wüste deserto no_deserto пустыня пустыне пустыни пустыню 沙漠 沙丘"
        " 火星 砂漠 戈壁 사막 صحراء الصحراء מדבר ทะเลทราย"
    ),
    "~desert": "sand sandy camel camels cactus pyramids 骆驼 駱駝 仙人掌 金字塔 песок رمال جمل",
    "desert night": "on_the_moon moonscape 月球",
    "forest": (
        "forest forests jungle jungles woods woodland rainforest rainforests grove bosque"
        " selva forêt wald wäldern wälder dschungel foresta bosco floresta лес леса лесу лесом"
        " лесной джунгли 森林 树林 樹林 丛林 林间 林中 竹林 雨林 密林 山林 森 숲 غابة الغابة"
        " יער ป่า"
    ),
    "~forest": (
        "tree trees bamboo deer fox foxes owl owls wolf wolves árbol árboles zorro renard"
        " arbre arbres baum bäume fuchs reh albero alberi raposa дерево деревья лиса лису"
        " олень 大树 树下 树叶 树木 竹子 小鹿 狐狸 나무 여우 사슴 أشجار עץ שועל"
    ),
    "mountains": (
        "mountain mountains mountaintop mountainside peaks alps himalaya himalayas everest"
        " valley valleys volcano volcanoes snow_capped_mountain snow_capped_mountains"
        " snow_capped_peaks sea_of_clouds great_wall montaña montañas montagne montagnes berge"
        " bergen gebirge alpen montagna montanha montanhas горы гор горах 山 长城 長城 火山"
        " 云海 雲海 峡谷 雪山 富士山 산맥 산꼭대기 جبل جبال الجبال הר הרים ภูเขา"
    ),
    "~mountains": "waterfall waterfalls 瀑布",
    "mountains snow": (
        "glacier glaciers ski_slope ski_slopes skiing skier skiers snowboarder snowboarding"
        " 滑雪 冰川 스키장 스키를"
    ),
    "road": (
        "road roads mountain_road country_road roadside highway highways freeway motorway"
        " autobahn racetrack carretera autoroute landstraße strada estrada дорога дороге дороги"
        " шоссе 马路 馬路 公路 道路 高速道路 赛道 도로를 도로_위 고속도로 طريق الطريق כביש ถนน"
    ),
    "~road": (
        "car cars drive drives driving truck trucks bus train trains bicycle bicycles bike"
        " bikes motorcycle motorcycles cyclist cyclists coche tren voiture auto autos zug"
        " macchina carro trem машина машины поезд 汽车 汽車 赛车 跑车 卡车 火车 列车 摩托车"
        " 自行车 单车 公交车 开车 驾驶 高铁 電車 자동차 기차 سيارة السيارة قطار מכונית รถยนต์"
    ),
    "city": (
        "city cities cityscape street streets skyline skyscraper skyscrapers cyberpunk"
        " downtown rooftop rooftops urban metropolis alley alleyway manhattan times_square"
        " tokyo shanghai beijing hong_kong new_york london paris ciudad calle calles ville rue"
        " rues stadt innenstadt großstadt straße straßen strasse città cidade город города"
        " городе городом улица улице улицы 城市 都市 街 高楼 高樓 大楼 楼群 摩天 天际线 胡同"
        " 上海 北京 东京 東京 香港 纽约 ビル 渋谷 도시 서울 길거리 مدينة المدينة شارع עיר רחוב"
        " เมือง"
    ),
    "city night": "nightclub 夜景 夜市 不夜城",
    "~city": "neon tower towers buildings traffic taxi taxis 霓虹 赛博 출근길 네온 неон неоне",
    "indoors": (
        "indoors indoor interior kitchen studio room bedroom bathroom classroom office"
        " restaurant cafe café library gym on_stage on_a_stage bowling_alley theatre theater"
        " museum supermarket hallway corridor laboratory cocina habitación cuisine chambre"
        " küche zimmer büro cucina camera_da_letto cozinha кухня кухне комната комнате офис"
        " white_background black_background grey_background gray_background plain_background"
        " 室内 厨房 廚房 房间 房間 卧室 客厅 办公室 教室 餐厅 咖啡馆 咖啡厅 工作室 摄影棚 舞台"
        " 图书馆 超市 浴室 白色背景 纯色背景 黑色背景 部屋 台所 キッチン 부엌 주방 사무실 مطبخ"
        " غرفة מטבח חדר ห้องครัว"
    ),
    "~indoors": (
        "table plate bowl desk sofa couch windowsill shelf la_mesa un_plato dem_teller tisch"
        " assiette тарелка стол столе 桌 沙发 盘子 碗里 窗台 床上 餐盘 机の上 식탁"
    ),
    "sky": "clouds cloudscape in_the_sky 云层 天空",
    "sky night": (
        "stars starry starlight shooting_star moon moonlight moonlit night_sky galaxy"
        " galaxies milky_way outer_space deep_space in_space cosmos universe nebula estrellas"
        " luna étoiles lune sterne sternen sternenhimmel mond stelle estrelas звезды звёзды"
        " звезд звёзд звездное звёздное луна луны космос космосе 星空 繁星 星星 群星 星光 流星"
        " 星河 银河 銀河 宇宙 太空 月亮 月光 明月 圆月 满月 夜空 별빛 달빛 우주 은하 نجوم قمر"
        " القمر فضاء ירח כוכבים ดวงจันทร์ ดาว"
    ),
    "~sky night": "planet planets astronaut astronauts spaceship 宇航员 飞船",
    "sky dusk": (
        "sunset sunsets sunrise sunrises sun_rose sun_rises sun_sets sun_goes_down"
        " setting_sun atardecer amanecer puesta_de_sol coucher_de_soleil sonnenuntergang"
        " sonnenuntergänge sonnenaufgang tramonto закат закате заката рассвет 日落 夕阳 夕陽"
        " 日出 朝霞 晚霞 夕焼け 夕日 노을 일출 غروب الغروب شروق שקיעה พระอาทิตย์ตก"
    ),
    "aurora": (
        "aurora auroras northern_lights borealis polarlicht polarlichter aurore 极光 極光"
        " オーロラ 오로라"
    ),
    "night": (
        "night nights nighttime midnight tonight noche nuit nacht nachts notte noite ночь"
        " ночью ночной ночи ночном fireflies firefly 夜 晚上 半夜 萤火 蛍 밤에 밤하늘 밤거리"
        " ليل ليلا לילה กลางคืน"
    ),
    "dusk": (
        "dusk dawn twilight evening golden_hour crépuscule aube abend abends dämmerung"
        " crepuscolo вечер вечером 黄昏 黃昏 傍晚 黎明 破晓 夕暮れ 저녁"
    ),
    "day": (
        "sun sunny sunshine sunlight sunlit daylight daytime noon midday morning afternoon"
        " blue_sky clear_sky soleado ensoleillé sonne sonnig sonnige sonnenschein soleggiato"
        " солнечный солнечная солнечное днем днём 白天 中午 正午 阳光 陽光 晴天 晴朗 午后 早晨"
        " 清晨 上午 晴れ 昼 한낮 맑은 مشمس שמש"
    ),
    "snow": (
        "snow snowy snowfall snowing snowflake snowflakes snowman winter arctic antarctica"
        " polar nieve invierno neige hiver schnee neve inverno no_inverno зима зимой зимний"
        " зимнем снег снегу снега 雪 冬天 冬日 冬季 冰天雪地 冰原 南极 北极 눈송이 눈꽃 눈사람"
        " 눈이_내리 겨울 ثلج شتاء שלג חורף หิมะ"
    ),
    "snow grey": "blizzard snowstorm 暴风雪 暴雪 吹雪",
    "grey": (
        "rain rains rainy raining storm storms stormy thunderstorm thunderstorms thunder"
        " lightning downpour drizzle hurricane typhoon tornado monsoon lluvia tormenta pluie"
        " orage regen regnet gewitter sturm pioggia temporale chuva дождь дождем дождём дожде"
        " гроза буря шторм 下雨 下着雨 大雨 暴雨 细雨 小雨 雨中 雨天 雷雨 雨滴 暴风雨 风暴"
        " 闪电 台风 雨の 雨が 嵐 비가 폭풍 مطر المطر عاصفة גשם סערה ฝนตก พายุ"
    ),
    "grey night": "雨夜",
    "~grey": (
        "fog foggy mist misty overcast cloudy gloomy nebel туман тумане brouillard niebla 雾"
        " 霧 阴天 多云 안개"
    ),
}
