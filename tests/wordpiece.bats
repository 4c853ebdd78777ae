#!/usr/bin/env bats
# WordPiece ids are those of the tokenizers package, whose results for odd and ordinary lines are in fixtures/text2emb.

bats_require_minimum_version 1.5.0

load text_model

ids() { "$program" --model "${1:-$model}" --output ids "$folder/lines" "$folder/ids"; }

# The ids of one line.
ids_of() {
    printf '%s\n' "$1" >"$folder/lines"
    ids && cat "$folder/ids"
}

# A folder with the model's files, as links, to change some of them.
copy_of_model() {
    mkdir "$folder/model"
    ln -s "$PWD/$model"/* "$folder/model"
    for file in "$@"; do
        rm "$folder/model/$file"
        cp "$model/$file" "$folder/model/$file"
    done
}

@test "ids equal the tokenizers package's: accents, CJK, emoji, control characters, over-long words, special tokens in the text" {
    cp tests/fixtures/text2emb/lines.txt "$folder/lines"
    ids
    diff "$folder/ids" tests/fixtures/text2emb/lines.ids
}

@test "a text is cut to max_seq_length, special tokens included" {
    printf 'a%.0s ' {1..300} >"$folder/lines"
    ids
    [ "$(tr , '\n' <"$folder/ids" | wc -l)" -eq 256 ]
    [[ $(cat "$folder/ids") == '[101,1037,'*',1037,102]' ]]
}

@test "special tokens are found in the raw text, upper case only, inside words too" {
    [ "$(ids_of 'a[SEP]b')" = '[101,1037,102,1038,102]' ]
    [ "$(ids_of '[sep]')" = '[101,1031,19802,1033,102]' ]
}

@test "a word of 100 characters is split, one of 101 is unknown" {
    [ "$(ids_of "$(printf 'x%.0s' {1..101})")" = '[101,100,102]' ]
    [ "$(ids_of "$(printf 'x%.0s' {1..100})")" != '[101,100,102]' ]
}

@test "tokenizer_config.json decides: a cased tokenizer keeps upper case" {
    copy_of_model tokenizer_config.json
    [ "$(ids_of 'Café')" = '[101,7668,102]' ]
    sed -i 's/"do_lower_case": true/"do_lower_case": false/' "$folder/model/tokenizer_config.json"
    printf 'Cafe\n' >"$folder/lines"
    ids "$folder/model"
    [ "$(cat "$folder/ids")" = '[101,100,102]' ]
}

@test "text that is not UTF-8 is an error that names line and byte, and gives no output" {
    printf 'good\nba\xffd\n' >"$folder/lines"
    run -1 --separate-stderr ids
    [ "$stderr" = "text2emb: $folder/lines: line 2: not UTF-8 at byte 2" ]
    [ ! -e "$folder/ids" ]
}

@test "a vocabulary without a special token, too long or not UTF-8 is refused" {
    copy_of_model vocab.txt
    rm "$folder/model/tokenizer.json"
    printf 'x\n' >"$folder/lines"
    sed -i 's/^\[SEP\]$/[sop]/' "$folder/model/vocab.txt"
    run -1 --separate-stderr ids "$folder/model"
    [ "$stderr" = "text2emb: $folder/model: vocab.txt: there is no [SEP]" ]
    { cat "$model/vocab.txt"; echo one-more; } >"$folder/model/vocab.txt"
    run -1 --separate-stderr "$program" --model "$folder/model" "$folder/lines" "$folder/out.npy"
    [ "$stderr" = "text2emb: $folder/model: the tokenizer has ids up to 30522, config.json allows for 30522 tokens" ]
    printf '[PAD]\n\xc3(\n' >"$folder/model/vocab.txt"
    run -1 --separate-stderr ids "$folder/model"
    [ "$stderr" = "text2emb: $folder/model: vocab.txt: not UTF-8 at byte 6" ]
}

@test "a text of 100,000 characters takes no longer than its first tokens" {
    head -c 100000 /dev/zero | tr '\0' 'x' >"$folder/lines"
    printf '\n' >>"$folder/lines"
    yes 'many words' | head -c 5000000 | tr '\n' ' ' >>"$folder/lines"
    printf '\n' >>"$folder/lines"
    yes 'é́́' | head -n 100000 | tr -d '\n' >>"$folder/lines"
    SECONDS=0
    ids
    [ "$SECONDS" -le 5 ]
    [ "$(wc -l <"$folder/ids")" -eq 3 ]
    [ "$(head -1 "$folder/ids")" = '[101,100,102]' ]
}
