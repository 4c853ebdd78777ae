#!/usr/bin/env bats
# make why says in words what a build would do and for what reason; FILE=song.mid asks for one file. It builds and changes nothing.

load dataset

setup() {
    small_dataset 16
    reprise >/dev/null 2>&1
    # The pair of each index in the demo's order.
    mapfile -t song < <(cd "$data" && ls midi/*)
}

# All but the lists of the plan, which a question writes too.
made() {
    find "$work" "$out" ! -path "$work/plan*" -type f -printf '%p %i %s %T@\n' | sort
}

# Asks make why ARGUMENTS…, which must change nothing.
ask() {
    made >"$BATS_TEST_TMPDIR/made"
    run reprise why "$@"
    diff <(made) "$BATS_TEST_TMPDIR/made"
    [ "$status" -eq 0 ]
}

has_line() {
    grep -qxF -- "$1" <<<"$output" || { echo "no line '$1' in: $output"; return 1; }
}

@test "nothing to be done: it says so, for all and for a file" {
    ask
    [ "$output" = "Nothing would be done: $out holds what it should." ]
    ask FILE="${song[3]}"
    has_line "${song[3]}: unchanged"
    [ "$(grep -c '^  \(tokens\|embedding\) *finished$' <<<"$output")" = 2 ]
    has_line "  outputs    complete and current"
}

@test "before any build: everything is to be made" {
    rm -r "$work" "$out"
    run reprise why
    [ "$status" -eq 0 ]
    has_line "$out: no completed build is known"
    has_line "To do: 16 MIDI files (shards: 6), 16 texts (shards: 6), 6 of 6 pieces, the outputs."
    [ ! -e "$out" ]
    [ "$(ls "$work")" = plan ]
}

@test "captions, files, other fields, new and removed pairs, each by its name; then make does it and there is nothing left" {
    cp "$data/${song[3]}" "$data/${song[10]}"
    edit 'pairs[5]["text_description"] = "Another one."; pairs[7]["note"] = 1; pairs.insert(0, dict(pairs[1], midi_file="new.mid")); del pairs[13]'
    ask
    has_line "${song[5]}: caption changed"
    has_line "${song[10]}: file changed"
    has_line "${song[7]}: other fields changed"
    has_line "new.mid: new pair"
    has_line "${song[12]}: removed pair"
    [ "$(wc -l <<<"$output")" = 6 ]
    [[ ${lines[5]} =~ ^"To do: "([0-9]+)" MIDI files (shards: "([0-9]+)"), "([0-9]+)" texts (shards: "([0-9]+)"), "([0-9]+)" of "[0-9]+" pieces, the outputs."$ ]]
    said="${BASH_REMATCH[2]} ${BASH_REMATCH[4]} ${BASH_REMATCH[5]}"
    run reprise V=1
    [ "$said" = "$(starts midi2tok) $(starts text2emb) $(grep -c '/combine --tok' <<<"$output")" ]
    ask
    [[ $output == "Nothing would be done"* ]]
}

@test "FILE: what is finished of this file, what is to be made, and because of which neighbour" {
    edit 'pairs[5]["text_description"] = "Another one."'
    ask FILE="${song[5]#midi/}" # the end of its path will do
    has_line "${song[5]}: caption changed"
    has_line "  tokens     finished"
    has_line "  embedding  to be made: caption changed"
    has_line "  outputs    to be put together"
    shard=$(grep -o "$work/emb/.*" <<<"$output")
    [ ! -e "$shard" ]
    # Another pair of its shard.
    for other in 4 6; do
        ask FILE="${song[other]}"
        ! grep -qF "$shard" <<<"$output" || break
    done
    has_line "${song[other]}: unchanged"
    has_line "  embedding  to be copied into a new shard, because of ${song[5]}: caption changed"
    reprise >/dev/null 2>&1
    [ -e "$shard" ]
}

@test "FILE: with spaces, quotes, dollars, number signs, a line feed; names stay on one line, and nothing in them is run" {
    names=("a b.mid" "it's.mid" 'say "x".mid' 'cost $5.mid' '$(shell touch pwned).mid' '`touch pwned`.mid' 'no#1.mid' $'new\nline.mid' $'bell\e[1m.mid' 'back\slash.mid'
        '100%.mid' 'a;b|c&d.mid' 'é.mid')
    for name in "${names[@]}"; do
        cp "$data/${song[1]}" "$data/$name"
    done
    printf '%s\0' "${names[@]}" >"$data/names"
    edit 'names = open(path.replace("pairs.json", "names")).read().split("\0")[:-1]; pairs += [dict(midi_file=name, text_description="A text.") for name in names]'
    ask
    [ "$(grep -c ': new pair$' <<<"$output")" = 13 ]
    has_line 'new\nline.mid: new pair'
    has_line 'bell\x1b[1m.mid: new pair'
    for name in "${names[@]}"; do
        ask FILE="$name"
        [ "$(grep -c ': new pair$' <<<"$output")" = 3 ]
        name=${name//$'\n'/\\n}
        has_line "${name//$'\e'/\\x1b}: new pair"
    done
    [ ! -e "$root/pwned" ]
}

@test "FILE that no pair has is a clear error; one in the environment is none of ours" {
    run reprise why FILE=nobody.mid
    [ "$status" -ne 0 ]
    [[ $output == *"why: FILE=nobody.mid: no pair has this MIDI file"* ]]
    run reprise why FILE="$(basename "${song[3]}" | tail -c 6)" # a piece of a name is no name
    [ "$status" -ne 0 ]
    FILE=nobody.mid ask
    [[ $output == "Nothing would be done"* ]]
}

@test "settings by name, from what to what, and what depends on them" {
    ask POOLING=cls
    has_line "POOLING: (default) → cls: other embeddings"
    [[ $output != *"other tokens"* ]]
    has_line "To do: 0 MIDI files (shards: 0), 16 texts (shards: 6), 6 of 6 pieces, the outputs."
    ask BATCH_SIZE=5
    has_line "BATCH_SIZE: 2 → 5: shards are cut anew"
    ask POOLING=cls FILE="${song[3]}"
    has_line "  tokens     finished"
    has_line "  embedding  to be made: other settings"
    has_line "POOLING: (default) → cls: other embeddings"
    # Other words for the same are no change.
    ask POOLING=mean
    [[ $output == "Nothing would be done"* ]]
}

@test "a model whose contents changed" {
    cp -rs "$root/data/models/all-MiniLM-L6-v2" "$BATS_TEST_TMPDIR/model"
    reprise MODEL="$BATS_TEST_TMPDIR/model" >/dev/null 2>&1
    config=1_Pooling/config.json
    rm "$BATS_TEST_TMPDIR/model/$config"
    sed 's/"pooling_mode_mean_tokens": true/"pooling_mode_mean_tokens": false/; s/"pooling_mode_cls_token": false/"pooling_mode_cls_token": true/' \
        "$root/data/models/all-MiniLM-L6-v2/$config" >"$BATS_TEST_TMPDIR/model/$config"
    ask MODEL="$BATS_TEST_TMPDIR/model"
    has_line "$BATS_TEST_TMPDIR/model: its contents changed: other embeddings"
    [[ $output != *"other tokens"* ]]
    [[ $output == *"16 texts (shards: 6)"* ]]
}

@test "a shard that is missing or was damaged, a missing and an altered output" {
    shards=("$work"/tok/*/*.tok)
    rm "${shards[0]}" "$out/errors.jsonl"
    mv "${shards[1]}" "${shards[1]}.damaged"
    ask
    has_line "$out: an output is missing or was altered"
    grep -q "^${shards[0]}: the finished shard is missing ([0-9]* MIDI files)$" <<<"$output"
    grep -q "^${shards[1]}: the finished shard was damaged and set aside ([0-9]* MIDI files)$" <<<"$output"
    [[ $output == *" MIDI files (shards: 2), 0 texts (shards: 0), 0 of 6 pieces, the outputs."* ]]
    reprise >/dev/null 2>&1
    truncate -s -1 "$out/processed_data.json"
    ask
    has_line "$out: an output is missing or was altered"
    has_line "To do: 0 MIDI files (shards: 0), 0 texts (shards: 0), 0 of 6 pieces, the outputs."
    # Without its work files a complete output needs nothing.
    reprise >/dev/null 2>&1
    rm "${shards[0]}"
    ask
    [[ $output == "Nothing would be done"* ]]
}

@test "INPUT that cannot be read is an error, as for a build" {
    echo '[{"midi_file": ' >"$data/pairs.json"
    run reprise why
    [ "$status" -ne 0 ]
    [[ $output == *"plan: $data/pairs.json: line "* ]]
    [[ $output != *"Nothing would"* ]]
}

@test "a file that a limit kept out and that is tried again under another is not simply called changed" {
    [ "${BUILD:-release}" != asan ] || skip "sanitizers take more memory than a limit leaves"
    truncate -s 150M "$data/${song[3]}"
    reprise ITEM_MEMORY=100M >/dev/null 2>&1
    ask ITEM_MEMORY=0
    has_line "ITEM_MEMORY: 100M → 0: what a limit kept out is tried again"
    has_line "${song[3]}: file changed, or tried again under other limits"
    ask ITEM_MEMORY=0 FILE="${song[3]}"
    has_line "  tokens     to be made: file changed, or tried again under other limits"
    ask ITEM_MEMORY=100M
    [ "$output" = "Nothing would be done: $out holds what it should." ]
}
