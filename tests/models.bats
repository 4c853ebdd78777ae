#!/usr/bin/env bats
# Sentence encoders of every kind: ids and embeddings of the small folders in fixtures/models (tests/parity/architecture_parity.py --golden made them, with random weights) are those
# of sentence-transformers; outputs other than embeddings, prompts, truncation and storage do what they say.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/.."
    program=build/${BUILD:-release}/text2emb
    models=$BATS_TEST_DIRNAME/fixtures/models
    folder=$BATS_TEST_TMPDIR
}

embed() { "$program" --model "$@"; }

# compare FIRST.npy SECOND.npy: every row's cosine is at least 0.999999, and the shapes are equal
compare() {
    python3 - "$@" <<'END'
import array, ast, math, sys
def rows(path):
    data = open(path, "rb").read()
    end = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:end].decode())
    values = array.array("f", data[end:])
    assert header["descr"] == "<f4" and len(values) == header["shape"][0] * header["shape"][1], header
    return header["shape"], [values[i : i + header["shape"][1]] for i in range(0, len(values), header["shape"][1])]
(shape, mine), (other, theirs) = rows(sys.argv[1]), rows(sys.argv[2])
assert shape == other, (shape, other)
for a, b in zip(mine, theirs):
    assert sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)) >= 0.999999
    assert abs(math.hypot(*a) - math.hypot(*b)) <= 1e-5 * math.hypot(*b)
END
}

@test "ids are sentence-transformers': WordPiece, byte-level BPE, Unigram with its character map, prompt and lower case" {
    for model in distilbert mpnet roberta xlm-roberta; do
        embed "$models/$model" --output ids "$models/texts.txt" "$folder/ids"
        diff "$folder/ids" "$models/$model.ids"
    done
}

# What the tokenizers package gives for the same folders.
@test "ids of rare texts: U+0000 where texts are not cleaned, a mark behind a control that is not assigned" {
    cp -r "$models/distilbert" "$folder/model"
    sed -i 's/"clean_text": true/"clean_text": false/' "$folder/model/tokenizer.json"
    sed -i 's/BertTokenizer/PreTrainedTokenizerFast/' "$folder/model/tokenizer_config.json"
    printf 'ab\na\0b\n\0\n' >"$folder/lines"
    embed "$folder/model" --output ids "$folder/lines" "$folder/ids"
    diff "$folder/ids" <(printf '%s\n' '[2,43,462,3]' '[2,1,3]' '[2,1,3]')
    # x, U+E0A79, U+0341, U+0349, o: a cluster of less than 6 bytes is looked up as a whole, and what is found may be its beginning
    printf 'x\xf3\xa0\xa9\xb9\xcd\x81\xcd\x89o\n' >"$folder/lines"
    embed "$models/xlm-roberta" --prompt '' --output ids "$folder/lines" "$folder/ids"
    diff "$folder/ids" <(echo '[0,5,49,3,463,8,2]')
}

@test "embeddings are sentence-transformers': DistilBERT, MPNet, RoBERTa with Dense, XLM-R in parts with its prompt left out; f16 and bf16 weights" {
    for model in distilbert mpnet roberta xlm-roberta; do
        embed "$models/$model" "$models/texts.txt" "$folder/out.npy"
        compare "$folder/out.npy" "$models/$model.npy"
    done
}

@test "TRUNCATE_DIM keeps the first numbers, and with NORMALIZE=1 gives them length 1" {
    embed "$models/roberta" "$models/texts.txt" "$folder/all.npy"
    embed "$models/roberta" --truncate-dim 5 "$models/texts.txt" "$folder/cut.npy"
    embed "$models/roberta" --truncate-dim 5 --normalize 1 "$models/texts.txt" "$folder/long.npy"
    python3 - "$folder" <<'END'
import array, math, sys
rows = lambda name, n: [v[i : i + n] for v in [array.array("f", open(f"{sys.argv[1]}/{name}.npy", "rb").read()[128:])] for i in range(0, len(v), n)]
for whole, cut, long in zip(rows("all", 24), rows("cut", 5), rows("long", 5), strict=True):
    assert whole[:5] == cut and abs(math.hypot(*whole) - 1) < 1e-6 and math.hypot(*cut) < 0.99
    assert abs(math.hypot(*long) - 1) < 1e-6 and abs(long[0] * math.hypot(*cut) - cut[0]) < 1e-6
END
    run -1 --separate-stderr embed "$models/roberta" --truncate-dim 25 "$models/texts.txt" "$folder/no.npy"
    [[ $stderr == *"TRUNCATE_DIM=25: embeddings have 24 numbers" ]]
}

@test "a prompt goes before every text, by its name or as it stands, and the folder's own is the default" {
    printf 'waltz\n' >"$folder/plain"
    printf 'query: waltz\n' >"$folder/prompted"
    embed "$models/mpnet" "$folder/prompted" "$folder/wanted.npy"
    embed "$models/mpnet" --prompt 'query: ' "$folder/plain" "$folder/out.npy"
    cmp "$folder/wanted.npy" "$folder/out.npy"
    embed "$models/xlm-roberta" "$folder/plain" "$folder/default.npy"
    embed "$models/xlm-roberta" --prompt music "$folder/plain" "$folder/named.npy"
    embed "$models/xlm-roberta" --prompt document "$folder/plain" "$folder/none.npy"
    cmp "$folder/default.npy" "$folder/named.npy"
    ! cmp -s "$folder/default.npy" "$folder/none.npy"
    printf '\n' >"$folder/empty"
    run -1 --separate-stderr embed "$models/xlm-roberta" "$folder/empty" "$folder/no.npy"
    [[ $stderr == *"line 1: empty text"* ]]
}

@test "tokens are the last layer's states, whose mean is the embedding; f16 is the same, rounded" {
    head -7 "$models/texts.txt" >"$folder/texts"
    embed "$models/mpnet" "$folder/texts" "$folder/mean.npy"
    embed "$models/mpnet" --output tokens "$folder/texts" "$folder/states.npy"
    embed "$models/mpnet" --output tokens --type f16 "$folder/texts" "$folder/half.npy"
    embed "$models/mpnet" --output ids "$folder/texts" "$folder/ids"
    python3 - "$folder" <<'END'
import array, json, struct, sys
data = lambda name: open(f"{sys.argv[1]}/{name}.npy", "rb").read()
floats = lambda name: array.array("f", data(name)[128:])
states, mean = floats("states"), floats("mean")
half = [value for (value,) in struct.iter_unpack("<e", data("half")[128:])]
lengths = [len(json.loads(line)) for line in open(f"{sys.argv[1]}/ids")]
assert b"'<f4'" in data("states")[:128] and b"'<f2'" in data("half")[:128] and b"(%d, 32)" % sum(lengths) in data("states")[:128]
assert half == [struct.unpack("<e", struct.pack("<e", value))[0] for value in states]
at = 0
for text, length in enumerate(lengths):
    for i in range(32):
        assert abs(sum(states[(at + t) * 32 + i] for t in range(length)) / length - mean[text * 32 + i]) < 1e-5
    at += length
END
}

@test "make builds datasets of ids and of tokens, each with a signature of its own" {
    printf '[{"midi_file": "%s", "text_description": "A slow waltz"}, {"midi_file": "%s", "text_description": ""}]' "$PWD"/data/demo/midi/openmsx/5432gone_redfarn.mid{,} >"$folder/pairs.json"
    cd "$folder"
    for output in ids tokens embeddings; do
        make -s -C "$OLDPWD" BUILD="${BUILD:-release}" INPUT="$folder/pairs.json" OUTPUT_DIR="$folder/$output" WORK_DIR="$folder/work" MODEL="$models/mpnet" TEXT_OUTPUT=$output EMBEDDING_TYPE=f16 2>"$folder/log" ||
            { cat "$folder/log"; return 1; }
    done
    [ "$(find "$folder/work/emb" -mindepth 1 -maxdepth 1 | wc -l)" -eq 3 ]
    python3 - "$folder" <<'END'
import json, sys
item = {name: json.load(open(f"{sys.argv[1]}/{name}/processed_data.json")) for name in ("ids", "tokens", "embeddings")}
assert all(len(items) == 1 for items in item.values())
ids, tokens, embedding = (item[name][0]["text_features"] for name in ("ids", "tokens", "embeddings"))
assert len(ids["input_ids"]) == len(ids["attention_mask"]) == len(tokens["hidden_states"]) > 2 and set(ids["attention_mask"]) == {1}
assert all(len(row) == 32 for row in tokens["hidden_states"]) and len(embedding["embedding"]) == 32
assert "embedding" not in ids and "embedding" not in tokens
END
}
