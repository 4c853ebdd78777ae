#!/usr/bin/env bats
# The demo's pairs: 54 real MIDI files, each with a caption of one to four sentences.

setup() {
    cd "$BATS_TEST_DIRNAME/.."
    pairs=data/demo/pairs.json
}

# json EXPRESSION: of the pairs, one result a line
json() {
    python3 -c 'import json, re, sys; pairs = json.load(open(sys.argv[1], encoding="utf-8"))
for line in eval(sys.argv[2]): print(line)' "$pairs" "$1"
}

@test "there are 54 pairs, and each is a file of the checked list, once" {
    [ "$(json '[len(pairs)]')" = 54 ]
    diff <(json 'sorted(p["midi_file"] for p in pairs)') <(sed 's|^[0-9a-f]*  |midi/|' setup/demo-midi.sha256 | LC_ALL=C sort)
}

@test "captions are distinct and have one to four sentences" {
    [ "$(json '{p["text_description"] for p in pairs}' | wc -l)" = 54 ]
    counts=$(json 'sorted({len(re.findall(r"[.!?](?:\s|$)", p["text_description"])) for p in pairs})' | tr '\n' ' ')
    [ "$counts" = "1 2 3 4 " ]
    [ -z "$(json '[p for p in pairs if p["text_description"] != " ".join(p["text_description"].split())]')" ]
}

@test "every pair names its title and its package" {
    [ "$(json '{p["source"] for p in pairs if p["title"]}' | sort | tr '\n' ' ')" = "openttd-openmsx pianobooster planetblupi-music-midi " ]
    [ -z "$(json '[p for p in pairs if sorted(p) != ["midi_file", "source", "text_description", "title"]]')" ]
}

@test "the extracted files are those that the captions were written for" {
    [ -d data/demo/midi ] || skip "make demo has not been run"
    (cd data/demo/midi && sha256sum --check --quiet "$OLDPWD/setup/demo-midi.sha256")
    [ "$(find data/demo/midi -type f | wc -l)" = 54 ]
}
