"""The demo catalogue as data: who, what, in two languages, at what price, and in which kind of master.

Every name is made up.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.money import Money

RECIPE = "1"
"""Changes when the sound or the look of anything does, so that masters already written are written again."""


@dataclass(frozen=True, slots=True)
class Master:
    """How a release was delivered. `bits` is 0 where the codec is lossy."""

    suffix: str
    codec: str
    rate: int
    bits: int


FLAC = Master(".flac", "flac", 44_100, 16)
FLAC_96 = Master(".flac", "flac", 96_000, 24)
WAV_48 = Master(".wav", "pcm_s24le", 48_000, 24)
ALAC = Master(".m4a", "alac", 44_100, 16)
AIFF = Master(".aiff", "pcm_s16be", 44_100, 16)
MP3 = Master(".mp3", "libmp3lame", 44_100, 0)
MP4 = Master(".mp4", "libx264", 48_000, 0)
MKV = Master(".mkv", "libx264", 48_000, 0)


@dataclass(frozen=True, slots=True)
class TrackSpec:
    """One track: `piece` is where its score is, in app.demo.pieces."""

    title: str
    title_zh: str
    piece: str
    seconds: float
    disc: int = 1


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """One release. `key` names its cover and, for a film, its pictures; `mood` is a listener's taste in history."""

    key: str
    title: str
    title_zh: str
    artist: str
    artist_zh: str
    label: str
    label_zh: str
    genre: str
    genre_zh: str
    date: str
    price: Money
    master: Master
    mood: str
    description: str
    description_zh: str
    tracks: tuple[TrackSpec, ...]
    lufs: float = -15.0
    lean: float = 0.6  # how far its masters are brought to the common balance
    film: bool = False

    @property
    def track_price(self) -> Money | None:
        """What one track costs alone; None for a film or a single."""
        return Money(150, "EUR") if len(self.tracks) > 1 else None


def _eur(cents: int) -> Money:
    return Money(cents, "EUR")


_FERRY = ("Slow Ferry", "慢渡船")
_NIGHT_BUS = ("Night Bus Records", "夜班车唱片")
_LANTERN = ("Paper Lantern Editions", "纸灯笼")
_KILN = ("Kiln & Sons", "窑与子")

RELEASES: tuple[ReleaseSpec, ...] = (
    ReleaseSpec(
        "weather", "Weather for Rooms", "室内天气", "Halden Vey", "海登·维",
        *_FERRY, "Ambient", "氛围", "2024-11-08",
        _eur(900), FLAC, "still",
        "Three kinds of indoor weather, recorded with the windows shut. Halden Vey lets chords the size of wallpaper "
        "drift past a few bells, a felt piano and a kettle that takes its time. Works at any volume, including none.",
        "三种室内的天气，关着窗录下。海登·维让墙纸一般大的和弦缓缓飘过几声钟、一架毛毡钢琴，"
        "还有一只不慌不忙的水壶。任何音量都合适，包括静音。",
        (
            TrackSpec("Window, Facing North", "朝北的窗", "ambient.window_facing_north", 36),
            TrackSpec("Condensation", "凝露", "ambient.condensation", 30),
            TrackSpec("Second Kettle", "第二壶水", "ambient.second_kettle", 34),
        ),
        lufs=-16.0,
    ),
    ReleaseSpec(
        "load", "Load-Bearing", "承重", "Doppelmeter", "双表",
        *_NIGHT_BUS, "Techno", "铁克诺", "2025-03-21",
        _eur(800), WAV_48, "night",
        "Techno for people who read the small print on scaffolding. Every part holds up another; take away the stab in "
        "the title track and the whole floor comes down. Checked by two engineers and one neighbour.",
        "写给会读脚手架说明书的人的铁克诺。每个声部都撑着另一个：抽掉同名曲里的那记和弦，整层楼都会塌。"
        "已由两位工程师和一位邻居验收。",
        (
            TrackSpec("Load-Bearing", "承重", "techno.load_bearing", 42),
            TrackSpec("Girder", "大梁", "techno.girder", 29),
            TrackSpec("Night Shift Arithmetic", "夜班算术", "techno.night_shift_arithmetic", 31),
        ),
        lufs=-14.0,
    ),
    ReleaseSpec(
        "cats", "Homework for Cats", "猫的家庭作业", "Mild Panic Club", "轻度恐慌俱乐部",
        *_NIGHT_BUS, "Lo-fi", "低保真", "2025-01-31", _eur(700), MP3, "warm",
        "Four afternoons on one electric piano with a sticking key. Recorded to a tape deck rescued from a skip and "
        "delivered as an MP3, because the tape is gone. No deadlines were met in the making of this record.",
        "四个下午，一架有个键会卡住的电钢琴。录在一台从垃圾箱里救出来的卡座上；磁带已经没了，所以母带是 MP3。"
        "制作过程中没有赶上任何截止日期。",
        (
            TrackSpec("Laundry, Sunday", "星期天，洗衣服", "lofi.laundry_sunday", 31),
            TrackSpec("Rain Check", "改天吧", "lofi.rain_check", 28),
            TrackSpec("Biscuit Economics", "饼干经济学", "lofi.biscuit_economics", 25),
            TrackSpec("Snooze Button Sonata", "贪睡奏鸣曲", "lofi.snooze_button_sonata", 29),
        ),
        lean=0.45,
    ),
    ReleaseSpec(
        "doors", "Small Doors", "小门", "Ines Tallow", "伊内丝·塔洛",
        *_FERRY, "Chamber", "室内乐", "2023-09-15",
        _eur(1200), FLAC_96, "still",
        "Three short pieces for an upright piano with its front panel off. The last one lets the strings in. Recorded "
        "at 96 kHz so that you can hear the chair.",
        "三首短曲，写给一架卸掉前板的立式钢琴，最后一首把弦乐放了进来。以 96 kHz 录音，好让你听见那把椅子。",
        (
            TrackSpec("Ajar", "虚掩", "piano.ajar", 23),
            TrackSpec("Painted Shut", "漆死的门", "piano.painted_shut", 24),
            TrackSpec("Garden", "通向花园", "piano.garden", 25),
        ),
        lean=0.3,
    ),
    ReleaseSpec(
        "river", "The River Keeps the Moon", "江心留月", "Willow Pavilion Ensemble", "柳亭雅集",
        *_LANTERN, "Guzheng", "古筝", "2024-09-17", _eur(1100), FLAC, "still",
        "A guzheng, a bamboo flute and the water under them. The ensemble plays old shapes in new places: a ferry song "
        "with no ferry, a rain study with nothing but rain, and a night on which the river answers back.",
        "一张古筝，一管竹笛，和脚下的水。旧曲式放进新地方：没有渡船的渡歌，只有雨的雨练习，以及江水会应答的一夜。",
        (
            TrackSpec("Ferry at Dusk", "暮渡", "guzheng.ferry_at_dusk", 38),
            TrackSpec("Bamboo Counting Rain", "竹数雨", "guzheng.bamboo_counting_rain", 27),
            TrackSpec("Moon in the River", "江心月", "guzheng.moon_in_the_river", 42),
        ),
        lean=0.3,
    ),
    ReleaseSpec(
        "save", "Save Point", "存档点", "Cartridge Widow", "卡带遗孀",
        *_KILN, "Chiptune", "芯片音乐", "2025-05-02",
        _eur(600), FLAC, "night",
        "Two pulse channels, one triangle and a shift register, in mourning for every battery-backed save that did not "
        "make it. Polite, then dangerous, then tired, then polite again.",
        "两路脉冲、一路三角波和一个移位寄存器，悼念每一份没能熬过电池寿命的存档。先是礼貌，然后危险，然后疲惫，"
        "最后又礼貌起来。",
        (
            TrackSpec("Press Start Politely", "请礼貌地按开始", "chiptune.press_start_politely", 27),
            TrackSpec("The Cellar", "地窖", "chiptune.the_cellar", 26),
            TrackSpec("Boss with a Day Job", "白天要上班的头目", "chiptune.boss_with_a_day_job", 25),
            TrackSpec("Continue?", "继续吗？", "chiptune.carry_on", 25),
        ),
    ),
    ReleaseSpec(
        "ceiling", "Low Ceiling Dub", "矮天花板", "Echo Parish", "回声教区",
        *_NIGHT_BUS, "Dub", "达布", "2024-06-14",
        _eur(800), ALAC, "warm",
        "Mixed in a basement where nobody taller than a bass bin could stand up straight. The band played once; the "
        "desk played the rest of the night. Side effects include nodding.",
        "在一间比低音箱高的人都直不起腰的地下室里混音。乐队只演了一遍，剩下整夜都是调音台在演。副作用包括点头。",
        (
            TrackSpec("Low Ceiling", "矮天花板", "dub.low_ceiling", 40),
            TrackSpec("Kettle Dub", "水壶达布", "dub.kettle_dub", 27),
            TrackSpec("Version for Empty Stairwell", "空楼梯间版", "dub.version_for_empty_stairwell", 32),
        ),
        lufs=-14.5,
    ),
    ReleaseSpec(
        "mains", "Mains Hum in D", "D 调电流声", "The Longest Cable", "最长的电缆",
        *_KILN, "Drone", "嗡鸣", "2022-12-01",
        _eur(650), AIFF, "still",
        "Two long tones and everything that lives inside them. Tuned in just ratios over a D that no power company "
        "has ever agreed to. Best heard lying down, next to something that is switched on.",
        "两个长音，以及住在里面的一切。按纯律叠在一个没有电力公司承认过的 D 上。宜躺着听，旁边放一件通了电的东西。",
        (
            TrackSpec("Mains Hum", "电流声", "drone.mains_hum", 40),
            TrackSpec("Transformer Lullaby", "变压器摇篮曲", "drone.transformer_lullaby", 42),
        ),
        lufs=-16.0,
        lean=0.5,
    ),
    ReleaseSpec(
        "orders", "Last Orders, First Takes", "末单初录", "Corner Table Trio", "角落桌三重奏",
        *_FERRY, "Jazz", "爵士", "2024-02-09", _eur(1000), FLAC, "warm",
        "Recorded after closing at the table they are named for, with the chairs already up. A blues that walks, a "
        "ballad that sulks and a bossa that has found its coat. Every take is the first; the second is drinks.",
        "打烊之后录于他们得名的那张桌子，其他椅子都已翻上桌面。一首会走路的布鲁斯，一首闹别扭的慢歌，"
        "一首找到了外套的波萨诺瓦。全是第一遍；第二遍是喝酒。",
        (
            TrackSpec("The Waiter Knows", "侍者心里有数", "jazz.the_waiter_knows", 44),
            TrackSpec("Brushes and Blame", "鼓刷与怪罪", "jazz.brushes_and_blame", 34),
            TrackSpec("One for the Coat Check", "衣帽间那一首", "jazz.one_for_the_coat_check", 30),
        ),
        lean=0.5,
    ),
    ReleaseSpec(
        "waited", "Places I Waited", "我等过的地方", "Odile Farrow", "奥迪尔·法罗",
        *_KILN, "Field recordings", "田野录音", "2023-04-28", _eur(700), WAV_48, "still",
        "A platform, a harbour and a pine wood. None of them exists: every drop, gull and sleeper was made from "
        "filtered noise by someone whose train was late.",
        "一个站台，一处港口，一片松林。它们都不存在：每一滴水、每一只海鸥、每一根枕木，都是某个误了车的人用滤过的噪声做的。",
        (
            TrackSpec("Platform 2, 06:10", "二号站台，06:10", "field.platform_two", 30),
            TrackSpec("Harbour, Horn Off Duty", "港口，雾号下班", "field.harbour", 30),
            TrackSpec("Pine Wood, Light Wind", "松林，微风", "field.pine_wood", 27),
        ),
        lufs=-16.0,
        lean=0.35,
    ),
    ReleaseSpec(
        "orbit", "Aphelion / Perihelion", "远日点／近日点", "Paper Orbit", "纸轨道",
        *_LANTERN, "Electronica", "电子", "2025-06-20", _eur(1400), FLAC, "night",
        "A double album in the shape of an ellipse. The first disc is far from the sun and in no hurry; the second "
        "falls towards it in broken beats and seven-eight. Hold the sleeve at arm's length to see the orbit close.",
        "一张椭圆形的双碟。第一碟离太阳很远，并不着急；第二碟以碎拍和八分之七拍向它坠去。把封套举到一臂之外，就能看见轨道合拢。",
        (
            TrackSpec("Far Side", "背面", "electronica.far_side", 33),
            TrackSpec("Cold Start", "冷启动", "electronica.cold_start", 31),
            TrackSpec("Closest Approach", "最近距离", "electronica.closest_approach", 29, disc=2),
            TrackSpec("Corona", "日冕", "electronica.corona", 31, disc=2),
        ),
        lufs=-14.5,
    ),
    ReleaseSpec(
        "crosswalk", "Wet Crosswalk", "湿漉漉的斑马线", "Neon Umbrella", "霓虹伞",
        *_NIGHT_BUS, "Synthwave", "合成器浪潮", "2025-07-11", _eur(150), FLAC, "night",
        "One song, one pedestrian, one light that stays red for exactly four bars. The single that their bass player "
        "wanted to be longer.",
        "一首歌，一个行人，一盏恰好红四小节的灯。贝斯手希望它再长一点的那首单曲。",
        (TrackSpec("Wet Crosswalk", "湿漉漉的斑马线", "synthwave.wet_crosswalk", 58),),
        lufs=-14.0,
    ),
    ReleaseSpec(
        "tide", "The Tide Table", "潮汐表", "Lantern & Lathe", "灯与车床",
        *_LANTERN, "Short film", "短片", "2024-08-30",
        _eur(800), MP4, "still",
        "A sea in ink, drawn line by line, and the moon that pulls it. Nothing happens, twice a day. With a bamboo "
        "flute that sees the moon before you do.",
        "一片用墨一笔一笔画出来的海，和牵动它的月亮。什么也没有发生，每天两次。竹笛会比你先看见月亮。",
        (TrackSpec("The Tide Table", "潮汐表", "scores.the_tide_table", 18),),
        lufs=-16.0,
        film=True,
    ),
    ReleaseSpec(
        "fold", "Nine Ways to Fold Light", "折光九式", "Lantern & Lathe", "灯与车床",
        *_LANTERN, "Short film", "短片", "2025-04-25", _eur(1000), MKV, "night",
        "One square of paper, one lamp, nine folds, in time with a plucked string. The shortest geometry lesson that "
        "has ever sold out a cinema of eleven seats.",
        "一张方纸，一盏灯，九次折叠，和拨弦同拍。史上最短的、曾在十一座影院里卖光的几何课。",
        (TrackSpec("Nine Ways to Fold Light", "折光九式", "scores.nine_ways_to_fold_light", 16),),
        film=True,
    ),
)  # fmt: skip


def by_key(key: str) -> ReleaseSpec:
    """The release of that key."""
    return next(release for release in RELEASES if release.key == key)
