"""MidiTok tokenizers by name, and random valid configurations of them: what the parity checks run through."""
import random
import warnings

import miditok
from miditok import TokenizerConfig

warnings.filterwarnings("ignore")

TOKENIZATIONS = ["REMI", "TSD", "MIDILike", "Structured", "CPWord", "Octuple", "MuMIDI", "PerTok", "MMM"]
# Settings without a default in MidiTok, as its documentation has them.
NEEDED = {
    "PerTok": {"ticks_per_quarter": 320, "use_microtiming": True, "max_microtiming_shift": 0.125, "num_microtiming_bins": 30},
    "MMM": {"base_tokenizer": "TSD"},
}


def default(name, programs):
    """What `midi2tok --tokenizer NAME` promises to equal, and --no-programs."""
    return getattr(miditok, name)(TokenizerConfig(use_programs=programs, **NEEDED.get(name, {})))


def beat_res(rng, most):
    ends = sorted(rng.sample(range(1, 13), rng.randint(1, 3)))
    resolutions = sorted((rng.choice([1, 2, 3, 4, 6, 8, 12]) for _ in ends), reverse=True)
    resolutions = [min(r, most) for r in resolutions]
    return {(a, b): r for a, b, r in zip([0] + ends, ends, resolutions)}


def parameters(rng, name):
    """Arguments of a TokenizerConfig, each changed with some probability."""
    chance = lambda p: rng.random() < p
    p = {}
    if chance(0.4):
        low = rng.randint(0, 60)
        p["pitch_range"] = (low, rng.randint(low + 1, 127))
    if chance(0.4):
        p["beat_res"] = beat_res(rng, 12)
    if name == "PerTok" and chance(0.5):
        p["beat_res"] = {(0, 128): rng.choice([2, 4]), (0, 4): rng.choice([3, 8]), (0, 2): 5}
    if chance(0.5):
        p["num_velocities"] = rng.choice([1, 2, 7, 8, 16, 31, 64, 100, 127])
    if chance(0.3):
        p["special_tokens"] = rng.choice([["PAD"], ["BOS", "EOS"], ["PAD", "MASK", "Genre_rock", "a_b_c"]])
    if chance(0.3):
        p["encode_ids_split"] = rng.choice(["beat", "no"])
    for flag, probability in [("use_velocities", 0.8), ("use_chords", 0.35), ("use_rests", 0.4), ("use_tempos", 0.5), ("use_time_signatures", 0.7),
                              ("use_key_signatures", 0.25), ("use_sustain_pedals", 0.35), ("use_pitch_bends", 0.35), ("use_control_changes", 0.2),
                              ("use_programs", 0.6), ("use_pitch_intervals", 0.3), ("use_pitchdrum_tokens", 0.7), ("remove_duplicated_notes", 0.3),
                              ("chord_tokens_with_root_note", 0.5), ("log_tempos", 0.3), ("delete_equal_successive_tempo_changes", 0.3),
                              ("delete_equal_successive_time_sig_changes", 0.3), ("sustain_pedal_duration", 0.4), ("one_token_stream_for_programs", 0.7),
                              ("program_changes", 0.4), ("ac_polyphony_track", 0.1), ("ac_polyphony_bar", 0.1), ("ac_pitch_class_bar", 0.1),
                              ("ac_note_density_track", 0.1), ("ac_note_density_bar", 0.1), ("ac_note_duration_bar", 0.1),
                              ("ac_note_duration_track", 0.1), ("ac_repetition_track", 0.1)]:
        p[flag] = chance(probability)
    if chance(0.2):
        p["use_note_duration_programs"] = sorted(rng.sample(range(-1, 128), rng.choice([0, 1, 20, 100])))
    if chance(0.25):
        programs = list(range(-1, 128))
        rng.shuffle(programs)
        p["programs"] = programs[: rng.choice([20, 60, 129])]
    if p["use_rests"] and chance(0.5):
        p["beat_res_rest"] = beat_res(rng, max(p.get("beat_res", {0: 8}).values()))
    elif p["use_rests"] and max(p.get("beat_res", {0: 8}).values()) < 8:
        p["beat_res_rest"] = {(0, 4): max(p["beat_res"].values())}
    if chance(0.3):
        p["chord_unknown"] = (3, 6)
        p["chord_tokens_with_root_note"] = True  # without it MidiTok has no token for what it finds
    if chance(0.3):
        p["chord_maps"] = {"min": (0, 3, 7), "maj": (0, 4, 7), "5th": (0, 7, 12), "six": (0, 4, 7, 9, 12)}
    if chance(0.4):
        p["num_tempos"] = rng.choice([1, 2, 16, 64, 200])
        p["tempo_range"] = rng.choice([(40, 250), (30, 300), (60, 180), (20, 400)])
    if chance(0.4):
        p["time_signature_range"] = rng.choice([{4: [3, 4]}, {8: [6, 9, 12, 3], 4: [2, 3, 4, 5, 6], 2: [2, 3]}, {2: [1, 2, 3, 4], 4: [1, 2, 3, 4, 5, 6]},
                                                {16: [3, 6, 9], 8: [3, 5, 6, 7, 9, 12], 4: list(range(1, 13)), 2: [1, 2, 3, 4], 1: [1]}])
    if chance(0.3):
        p["pitch_bend_range"] = rng.choice([(-8192, 8191, 9), (-8192, 8191, 33), (-4096, 4096, 16), (-8192, 8191, 1)])
    if chance(0.3):
        p["max_pitch_interval"] = rng.choice([0, 3, 12, 40])
        p["pitch_intervals_max_time_dist"] = rng.choice([0.5, 1, 2, 4])
    if chance(0.3):
        low = rng.randint(20, 50)
        p["drums_pitch_range"] = (low, rng.randint(low + 1, 100))
    if chance(0.3):
        p["control_change_numbers"] = rng.sample(range(128), 10) + [64] * chance(0.5)
        p["control_change_n_bins"] = rng.choice([2, 5, 32, 128])
    if name in ("REMI", "MMM"):
        p["use_bar_end_tokens"] = chance(0.3)
        p["add_trailing_bars"] = chance(0.3)
        if chance(0.2):
            p["max_bar_embedding"] = 4000
    if name in ("Octuple", "MuMIDI") and chance(0.5):
        p["max_bar_embedding"] = rng.choice([10, 100, 1000])
    if name == "PerTok":
        p.update(ticks_per_quarter=rng.choice([96, 220, 320, 480]), use_microtiming=chance(0.7), max_microtiming_shift=rng.choice([0.05, 0.125, 0.5]),
                 num_microtiming_bins=rng.choice([2, 30, 31, 110]), use_position_toks=chance(0.4))
    if name == "MMM":
        p["base_tokenizer"] = rng.choice(["REMI", "TSD", "MIDILike"])
    return p


def randomly(seed, name=None):
    """A tokenizer with a random configuration: the same for the same seed."""
    rng = random.Random(seed)
    name = name or TOKENIZATIONS[seed % len(TOKENIZATIONS)]
    while True:
        try:
            return getattr(miditok, name)(TokenizerConfig(**parameters(rng, name)))
        except (ValueError, KeyError, IndexError, ZeroDivisionError, AttributeError):
            continue  # MidiTok does not take it
