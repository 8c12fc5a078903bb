"""What is found in a master: levels and spectra by themselves, then whole files through FFmpeg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_samples import ffmpeg, make_audio, make_film
from scipy import signal
from support.sounds import lossy_copy, song, write_wav

from transcoder import fingerprint, pcm, quality
from transcoder.errors import TranscoderError
from transcoder.levels import Levels
from transcoder.probe import probe_file
from transcoder.quality import Finding, QualityReport

RATE = 44_100


def inspect(path: Path) -> QualityReport:
    work = path.with_name(f"work-{path.stem}")
    work.mkdir()
    report = quality.inspect(path, probe_file(path), work)
    assert {each.name for each in work.iterdir()} <= {"fingerprint.raw"}, "the pipe is taken away"
    return report


def found(path: Path) -> dict[str, Finding]:
    findings = inspect(path).findings
    assert [f.severity for f in findings] == sorted((f.severity for f in findings), reverse=True)
    assert {finding.code for finding in findings} <= set(quality.CODES)
    return {finding.code: finding for finding in findings}


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return song(12, RATE)


def heard(sound: np.ndarray, rate: int = 1000, size: int = 997) -> Levels:
    """The sound in windows of an awkward size."""
    levels = Levels(rate, sound.shape[1])
    for start in range(0, len(sound), size):
        levels.add(sound[start : start + size].astype(np.float32), None)
    return levels


@pytest.mark.parametrize("start", [0, 10, 994, 995, 996, 997, 1990, 2990])
@pytest.mark.parametrize("length", [3, 4, 20, 1100])
def test_clipping_is_counted_wherever_windows_meet(start: int, length: int) -> None:
    sound = np.full((5000, 2), 0.1)
    sound[start : start + length, 1] = 1.0
    clipping = heard(sound).clipping()
    if length < 4:
        assert clipping.runs == 0
    else:
        assert (clipping.runs, clipping.longest, clipping.places) == (1, length, (round(start / 1000, 2),))


def test_clipping_of_both_channels_at_once_is_one_place() -> None:
    sound = np.full((4000, 2), 0.1)
    sound[500:510] = -1.0
    sound[2500:2505, 0] = 1.0
    clipping = heard(sound).clipping()
    assert (clipping.runs, clipping.longest, clipping.places) == (2, 10, (0.5, 2.5))


def test_silence_is_measured_to_a_hundredth() -> None:
    sound = np.zeros((10_000, 1))
    sound[1230:4000] = 0.5
    sound[7000:8500] = 0.0009
    sound[8500:9000] = 0.5
    levels = heard(sound)
    ends = levels.silent_ends()
    assert ends == pytest.approx((1.23, 1.0), abs=0.011)
    [hole] = levels.holes(2.0)
    assert (hole.start, hole.seconds) == pytest.approx((4.0, 3.0), abs=0.011)
    assert heard(np.zeros((5000, 2))).silent_ends() is None


def test_a_sound_master_has_nothing_to_be_ashamed_of(music: np.ndarray, tmp_path: Path) -> None:
    report = inspect(write_wav(tmp_path / "fine.wav", music, RATE))
    assert report.findings == ()
    assert len(report.fingerprint) > 60
    assert inspect(write_wav(tmp_path / "deep.wav", music, RATE, bits=24)).findings == ()
    assert inspect(write_wav(tmp_path / "high.wav", song(8, 96_000), 96_000, bits=24)).findings == ()


def test_faults_of_level_and_channels_are_named(music: np.ndarray, tmp_path: Path) -> None:
    clipped = np.clip(music * 4, -1, 1)
    assert found(write_wav(tmp_path / "clipped.wav", clipped, RATE))["clipped"].severity == "shame"
    mono = np.repeat(music[:, :1], 2, axis=1)
    plain = write_wav(tmp_path / "mono.wav", mono[:, 0], RATE)
    doubled = tmp_path / "doubled.wav"
    ffmpeg("-i", str(plain), "-ac", "2", str(doubled))
    assert found(plain) == {}
    assert found(doubled)["mono_as_stereo"].facts == {"identical": True}
    copied = lossy_copy(doubled, "mp3", "192k")
    assert "mono_as_stereo" in found(copied)
    assert "inverted_polarity" in found(write_wav(tmp_path / "upside.wav", mono * [1, -1], RATE))
    dead = found(write_wav(tmp_path / "dead.wav", music * [0, 1], RATE))
    assert dead["dead_channel"].facts == {"channel": "left"}
    assert found(write_wav(tmp_path / "off.wav", music * 0.8 + 0.05, RATE))["dc_offset"].severity == "shame"
    assert list(found(write_wav(tmp_path / "none.wav", music * 0, RATE))) == ["silent"]


def test_a_wave_that_rises_between_samples_is_told(tmp_path: Path) -> None:
    t = np.arange(4 * RATE)
    # A quarter of the rate, caught a little off its tops: no sample is at full scale, the wave is above it.
    wave = 0.99 / np.sqrt(0.5) * np.sin(2 * np.pi * t / 4 + np.pi / 4)
    report = found(write_wav(tmp_path / "over.wav", np.stack([wave, wave * 0.5], 1), RATE))
    assert 2.5 < report["over_full_scale"].facts["true_peak"] < 4


def test_silence_at_the_ends_and_in_the_middle_is_told(music: np.ndarray, tmp_path: Path) -> None:
    gap = np.zeros((3 * RATE, 2))
    sound = np.concatenate([gap, music, gap, music, gap, gap, gap, gap])
    report = found(write_wav(tmp_path / "gaps.wav", sound, RATE))
    assert report["silence_at_start"].facts["seconds"] == pytest.approx(3.0, abs=0.3)
    assert report["silence_at_end"].facts["seconds"] == pytest.approx(12.0, abs=0.5)
    assert report["silence_at_end"].severity == "shame"
    assert report["hole"].facts["count"] == 1
    assert report["hole"].facts["at"] == pytest.approx(15.0, abs=0.3)


def test_padding_and_low_rates_are_told(music: np.ndarray, tmp_path: Path) -> None:
    sixteen = write_wav(tmp_path / "16.wav", music, RATE)
    padded = tmp_path / "padded.flac"
    ffmpeg("-i", str(sixteen), "-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24", str(padded))
    assert found(padded)["padded_depth"].facts == {"depth": 24, "used": 16}
    low = tmp_path / "low.wav"
    ffmpeg("-i", str(sixteen), "-ar", "22050", str(low))
    assert found(low)["low_sample_rate"].facts == {"rate": 22_050}


LOSSY = [("mp3", "128k"), ("mp3", "192k"), ("mp3", "256k"), ("mp3", "320k"), ("m4a", "128k"), ("opus", "128k")]


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize(("suffix", "bit_rate"), LOSSY)
def test_what_was_lossy_is_known(music: np.ndarray, tmp_path: Path, suffix: str, bit_rate: str, bits: int) -> None:
    finding = found(lossy_copy(write_wav(tmp_path / "a.wav", music, RATE), suffix, bit_rate, bits=bits))["lossy_source"]
    assert finding.severity == "shame"
    if suffix == "mp3":
        assert finding.facts["kbps"] == int(bit_rate[:-1])


@pytest.mark.parametrize(
    ("rate", "came_from"), [(48_000, 44_100), (96_000, 44_100), (96_000, 48_000), (192_000, 96_000)]
)
def test_what_was_upsampled_is_known(tmp_path: Path, rate: int, came_from: int) -> None:
    path = write_wav(tmp_path / "a.wav", song(8, came_from), came_from, bits=24)
    up = tmp_path / "up.wav"
    ffmpeg("-i", str(path), "-af", f"aresample={rate}:resampler=soxr", "-c:a", "pcm_s24le", str(up))
    assert found(up)["upsampled"].facts["came_from"] == came_from


def gentle(order: int, hertz: int, rate: int = RATE) -> np.ndarray:
    """A filter as instruments, tape and mixing desks have them."""
    return signal.butter(order, hertz, fs=rate, output="sos")


@pytest.mark.parametrize(
    ("order", "hertz"), [(1, 8000), (2, 12_000), (2, 16_000), (4, 10_000), (4, 15_000), (8, 20_000)]
)
def test_music_that_thins_out_is_accused_of_nothing(music: np.ndarray, tmp_path: Path, order: int, hertz: int) -> None:
    dull = signal.sosfilt(gentle(order, hertz), music, axis=0)
    assert found(write_wav(tmp_path / "dull.wav", dull, RATE)) == {}
    hissing = dull + 0.002 * np.random.default_rng(2).standard_normal(dull.shape)
    assert found(write_wav(tmp_path / "hiss.wav", hissing, RATE)) == {}


def test_tones_quiet_music_and_what_was_made_from_a_higher_rate_are_accused_of_nothing(
    music: np.ndarray, tmp_path: Path
) -> None:
    t = np.arange(8 * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * f * t + f) for f in (220, 440, 1760, 7040, 15_800)) * 0.1
    assert "lossy_source" not in found(write_wav(tmp_path / "tones.wav", np.stack([tones, tones[::-1]], 1), RATE))
    # A hum with its harmonics up to 16 kHz and no further: lines, not a band.
    hum = sum(np.sin(2 * np.pi * 50 * n * t + n * n) / n for n in range(1, 320)) * 0.1
    assert "lossy_source" not in found(write_wav(tmp_path / "hum.wav", np.stack([hum, hum[::-1]], 1), RATE))
    assert found(write_wav(tmp_path / "quiet.wav", music * 0.01, RATE)) == {}
    high = write_wav(tmp_path / "96.wav", song(8, 96_000), 96_000, bits=24)
    down = tmp_path / "down.wav"
    ffmpeg("-i", str(high), "-af", "aresample=44100:resampler=soxr", "-c:a", "pcm_s16le", str(down))
    assert found(down) == {}


def test_a_lossy_master_is_told_what_it_is_and_floats_may_go_over(music: np.ndarray, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", music, RATE)
    mp3 = tmp_path / "a.mp3"
    ffmpeg("-i", str(path), "-b:a", "192k", str(mp3))
    assert list(found(mp3)) == ["lossy_master"]
    floats = write_wav(tmp_path / "float.wav", music * 1.5, RATE, codec="pcm_f32le")
    assert "padded_depth" not in found(floats)


def test_films_are_looked_at_too(tmp_path: Path) -> None:
    assert found(make_film(tmp_path / "plain.mp4", 3)) == {}
    assert found(make_film(tmp_path / "steady.mkv", 3)) == {}, "a container that counts milliseconds is steady too"
    assert list(found(make_film(tmp_path / "mute.mp4", 2, audio=False))) == ["no_sound"]
    woven = tmp_path / "woven.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=50:duration=3", "-vf", "interlace",
        "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "3", str(woven),
    )  # fmt: skip
    assert "interlaced" in found(woven)
    uneven = tmp_path / "uneven.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=4", "-vf", "select='not(eq(mod(n\\,7)\\,3))'",
        "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", str(uneven),
    )  # fmt: skip
    assert "variable_frame_rate" in found(uneven)


def test_samples_come_whole_and_in_order_however_long(tmp_path: Path) -> None:
    count = 2 * pcm.WINDOW + 12_345
    ramp = (np.arange(count) % 30_000 - 15_000) / 32_768
    path = tmp_path / "ramp.wav"
    whole = np.round(ramp * 32_768).astype("<i2")
    raw = tmp_path / "ramp.raw"
    whole.tofile(raw)
    ffmpeg("-f", "s16le", "-ar", "44100", "-ac", "1", "-i", str(raw), str(path))
    windows: list[np.ndarray] = []
    pcm.each_window(path, probe_file(path), tmp_path, lambda window: windows.append(window[:, 0].copy()))
    assert [len(window) for window in windows] == [pcm.WINDOW, pcm.WINDOW, 12_345]
    assert np.array_equal(np.concatenate(windows) >> 16, whole)


def test_what_goes_wrong_on_either_side_of_the_pipe_ends_both(music: np.ndarray, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", music, RATE)
    probe = probe_file(path)

    def breaks(_window: pcm.Window) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        pcm.each_window(path, probe, tmp_path, breaks)
    path.write_bytes(path.read_bytes()[:44] + b"")
    with pytest.raises(TranscoderError):
        pcm.each_window(tmp_path / "nothing.wav", probe, tmp_path, lambda _window: None)
    assert not (tmp_path / "samples.raw").exists()


def words_of(path: Path, tmp_path: Path) -> tuple[int, ...]:
    return inspect(path).fingerprint


def test_fingerprints_of_one_recording_are_alike_and_of_two_are_not(music: np.ndarray, tmp_path: Path) -> None:
    original = write_wav(tmp_path / "a.wav", music, RATE)
    mine = inspect(original).fingerprint
    later = tmp_path / "later.wav"
    ffmpeg("-i", str(original), "-af", "adelay=1000:all=1,volume=-9dB", str(later))
    likeness = fingerprint.alike(mine, inspect(later).fingerprint)
    assert likeness is not None
    assert likeness.shift == pytest.approx(1.0, abs=0.13)
    assert fingerprint.alike(mine, inspect(lossy_copy(original, "mp3", "128k")).fingerprint)
    other = inspect(write_wav(tmp_path / "b.wav", song(12, RATE, seed=8), RATE)).fingerprint
    assert fingerprint.alike(mine, other) is None
    assert not set(fingerprint.index_words(mine)) & set(fingerprint.search_words(other))


def test_what_says_nothing_is_like_nothing(tmp_path: Path) -> None:
    tone = inspect(make_audio(tmp_path / "tone.wav", 12)).fingerprint
    assert not fingerprint.tells(tone)
    assert fingerprint.alike(tone, tone) is None
    assert fingerprint.index_words(tone) == fingerprint.search_words(tone) == []
    assert fingerprint.compare(tone[:10], tone[:10]) is None
