#!/usr/bin/env bats
# text2emb: embeddings are sentence-transformers', a text's bits do not depend on its neighbours, a shard keeps every item's place.

bats_require_minimum_version 1.5.0

load text_model

embed() { "$program" --model "${model_used:-$model}" "$@"; }

# A folder with the model's files as links, but for those named, which are copies.
copy_of_model() {
    model_used=$folder/model
    mkdir "$model_used"
    ln -s "$PWD/$model"/* "$model_used"
    for file in "$@"; do
        rm -r "${model_used:?}/${file%%/*}"
        cp -r "$model/${file%%/*}" "$model_used/"
    done
}

refused() { # refused REASON: embedding one line fails with it, and gives no output
    printf 'x\n' >"$folder/one.txt"
    run -1 --separate-stderr embed "$folder/one.txt" "$folder/one.npy"
    [ "$stderr" = "text2emb: $model_used: $1" ] || { echo "$stderr"; return 1; }
    [ ! -e "$folder/one.npy" ]
}

# A shard list of the texts in a JSON file, made by plan.
make_list() {
    python3 -c 'import json, sys; json.dump([{"midi_file": "none.mid", "text_description": t} for t in json.load(open(sys.argv[1]))], open(sys.argv[2], "w"))' \
        "$1" "$folder/pairs.json"
    local programs=build/${BUILD:-release}
    "$programs/plan" --tok "$programs/combine" --emb "$programs/combine" --piece "$programs/combine" --depends "$programs/combine" \
        "$folder/pairs.json" "$folder/work" 2>/dev/null
    cat "$folder"/work/plan/*.text >"$folder/list.text"
}

@test "embeddings equal sentence-transformers': cosine 0.999999, no element further off than 2e-6" {
    for kernels in "" amx avx512_paired avx512 avx2 plain; do
        KERNELS=$kernels run --separate-stderr embed tests/fixtures/text2emb/texts.txt "$folder/out.npy"
        [[ $status -eq 0 || ( -n $kernels && $stderr == *"KERNELS=$kernels: not an instruction set of this machine"* ) ]]
        [ "$status" -eq 0 ] || continue
        python3 - "$folder/out.npy" tests/fixtures/text2emb/embeddings.npy <<'END'
import array, math, sys
def rows(path):
    data = open(path, "rb").read()
    assert data[:8] == b"\x93NUMPY\x01\x00" and b"'<f4'" in data[:128] and b"(24, 384)" in data[:128]
    values = array.array("f", data[10 + int.from_bytes(data[8:10], "little"):])
    assert len(values) == 24 * 384
    return [values[i : i + 384] for i in range(0, len(values), 384)]
for a, b in zip(*map(rows, sys.argv[1:])):
    cosine = sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    assert cosine >= 0.999999, cosine
    assert max(abs(x - y) for x, y in zip(a, b)) <= 2e-6
END
    done
}

@test "a text has the same bits alone, in any batch and in any order, on every instruction set" {
    python3 - "$folder" <<'END'
import random, sys
source = random.Random(5)
words = open("tests/fixtures/text2emb/texts.txt").read().split()
lines = [f"{i} " + " ".join(source.choice(words) for _ in range(source.choice([1, 2, 5, 17, 40, 90]))) for i in range(30)]
order = list(range(30))
source.shuffle(order)
open(f"{sys.argv[1]}/texts", "w").writelines(line + "\n" for line in lines)
open(f"{sys.argv[1]}/shuffled", "w").writelines(lines[i] + "\n" for i in order)
open(f"{sys.argv[1]}/order", "w").write(" ".join(map(str, order)))
for i in range(30):
    open(f"{sys.argv[1]}/alone{i:02}", "w").write(lines[i] + "\n")
END
    for kernels in "" amx avx512_paired avx512 avx2 plain; do
        # A machine without the set has nothing to check.
        KERNELS=$kernels embed --batch-size 1 "$folder/texts" "$folder/1.npy" 2>"$folder/reason" || { grep -q 'not an instruction set' "$folder/reason"; continue; }
        for batch in 2 3 7 32; do
            KERNELS=$kernels embed --batch-size "$batch" "$folder/texts" "$folder/$batch.npy"
            cmp "$folder/1.npy" "$folder/$batch.npy"
        done
        KERNELS=$kernels embed "$folder/shuffled" "$folder/shuffled.npy"
        pairs=()
        for text in "$folder"/alone[0-9][0-9]; do pairs+=("$text" "$text.npy"); done
        KERNELS=$kernels embed "${pairs[@]}"
        python3 - "$folder" <<'END'
import sys
folder = sys.argv[1]
rows = lambda name: [data[i : i + 1536] for data in [open(f"{folder}/{name}.npy", "rb").read()[128:]] for i in range(0, len(data), 1536)]
together, order = rows("1"), list(map(int, open(f"{folder}/order").read().split()))
assert len(together) == 30 and len(set(together)) == 30
assert rows("shuffled") == [together[i] for i in order]
assert [rows(f"alone{i:02}")[0] for i in range(30)] == together
END
    done
}

@test "a text has the same bits before and after more words than the first layer's products are kept of" {
    printf '%s\n' 'a slow waltz for piano and strings' 'fast drums, a distorted guitar, and nothing else' >"$folder/first"
    printf '%s\n' 'slow strings and a waltz for piano' 'nothing else, and a distorted guitar, drums fast' >"$folder/last" # other texts: those that are the same are embedded once
    { cat "$folder/first"; grep -E '^[a-z]{3,}$' "$model/vocab.txt" | head -n 8000 | paste -sd "$(printf ' %.0s' {1..99})\n"; cat "$folder/last"; } >"$folder/texts"
    for precision in f32 bf16; do
        embed --precision "$precision" --batch-size 1 "$folder/texts" "$folder/texts.npy" "$folder/first" "$folder/first.npy"
        embed --precision "$precision" "$folder/last" "$folder/last.npy" "$folder/first" "$folder/alone.npy"
        tail -c 3072 "$folder/texts.npy" | cmp - <(tail -c 3072 "$folder/last.npy")
        cmp "$folder/first.npy" "$folder/alone.npy"
    done
}

# halve FOLDER TYPE: the default model with its weights' upper halves alone, in BF16, or in F32 with zeros below.
halve() {
    cp -r "$model" "$1"
    rm "$1/model.safetensors"
    python3 - "$model/model.safetensors" "$1/model.safetensors" "$2" <<'END'
import array, json, struct, sys
source, target, kind = sys.argv[1:]
data = open(source, "rb").read()
begin = 8 + struct.unpack("<Q", data[:8])[0]
header, out, at = json.loads(data[8:begin]), {}, 0
parts = []
for name, tensor in header.items():
    if name != "__metadata__":
        first, end = (begin + offset for offset in tensor["data_offsets"])
        part = data[first:end]
        if tensor["dtype"] == "F32":
            numbers = array.array("H", part)
            numbers[::2] = array.array("H", bytes(len(numbers)))
            part = (numbers[1::2] if kind == "BF16" else numbers).tobytes()
            tensor["dtype"] = kind
        out[name] = tensor | {"data_offsets": [at, at + len(part)]}
        parts.append(part)
        at += len(part)
head = json.dumps(out).encode()
head += b" " * (-len(head) % 8)
with open(target, "wb") as file:
    file.writelines([struct.pack("<Q", len(head)), head, *parts])
END
}

@test "weights of 16 bits give the bits that the same numbers give in f32" {
    halve "$folder/narrow" BF16
    halve "$folder/wide" F32
    head -3 tests/fixtures/text2emb/texts.txt >"$folder/texts"
    for set in avx512_paired avx512 avx2 plain; do
        KERNELS=$set "$program" --model "$folder/wide" --signature >/dev/null 2>&1 || continue
        KERNELS=$set "$program" --model "$folder/wide" "$folder/texts" "$folder/wide.npy"
        KERNELS=$set "$program" --model "$folder/narrow" "$folder/texts" "$folder/narrow.npy"
        cmp "$folder/wide.npy" "$folder/narrow.npy"
    done
}

@test "one process takes no more memory than the weights' file and 150 MB, in every precision" {
    [ "${BUILD:-release}" = release ] || skip "measured in the release build"
    halve "$folder/narrow" BF16
    for i in {1..6}; do sed "s/$/ $i/" tests/fixtures/text2emb/texts.txt; done >"$folder/texts"
    for weights in "$model" "$folder/narrow"; do
        bytes=$(stat -Lc %s "$weights/model.safetensors")
        for precision in f32 bf16 int8; do
            read -r memory _ < <("build/release/tests/peak" "$program" --model "$weights" --precision $precision "$folder/texts" "$folder/out.npy" 2>/dev/null)
            echo "$weights $precision: $memory KB, file $((bytes / 1024)) KB"
            # A small model is far below the bound; a fifth of the 150 MB tells whether packed weights are larger than the file's.
            [ "$memory" -le $((bytes / 1024 + 150 * 1024 / 5)) ]
        done
    done
}

@test "a shard keeps every item's place: rows of quarantined ones are zero, the others are those of the text file" {
    printf '["first text", "", "second text", " \\t\\u3000", "first text", "\\u0000\\u200b", "last"]' >"$folder/texts.json"
    make_list "$folder/texts.json"
    sed -i '3s/.*/["0123456789abcdef0123456789abcdef","","text.txt: No such file or directory"]/' "$folder/list.text"
    printf '%s\n' 'first text' last >"$folder/lines"
    run -0 --separate-stderr embed "$folder/list.text" "$folder/out.emb" "$folder/lines" "$folder/lines.npy"
    [ "$(grep -c 'not embedded: ' <<<"$stderr")" -eq 4 ]
    python3 - "$folder" "$(embed --signature)" <<'END'
import json, sys
folder, signature = sys.argv[1:]
data = open(f"{folder}/out.emb", "rb").read()
end = 8 + int.from_bytes(data[:8], "little")
header = json.loads(data[8:end])
meta, items = header["__metadata__"], json.loads(header["__metadata__"]["items"])
assert meta["format"] == "reprise emb 1" and meta["signature"] == signature
assert header["embedding"]["shape"] == [7, 384] and header["n_tokens"]["shape"] == [7]
rows = [data[end + header["embedding"]["data_offsets"][0] + 1536 * i :][:1536] for i in range(7)]
tokens = [int.from_bytes(data[end + header["n_tokens"]["data_offsets"][0] + 4 * i :][:4], "little") for i in range(7)]
errors = [item.get("error") for item in items]
blank = "empty text (white space or control characters only)"
assert errors[2] == "text.txt: No such file or directory" and errors[3] == errors[5] == blank and errors[1], errors
assert [error is None for error in errors] == [True, False, False, False, True, False, True], errors
assert tokens == [4, 0, 0, 0, 4, 0, 3], tokens
assert all(not any(rows[i]) for i in (1, 2, 3, 5))
npy = open(f"{folder}/lines.npy", "rb").read()[128:]
assert rows[0] == rows[4] == npy[:1536] and rows[6] == npy[1536:]
assert [item["key"] for item in items] == [json.loads(line)[0] for line in open(f"{folder}/list.text")]
END
}

@test "a shard list whose text does not fit its key is refused, and so is one cut short" {
    printf '["a text", "another"]' >"$folder/texts.json"
    make_list "$folder/texts.json"
    sed -i '2s/another/anothex/' "$folder/list.text"
    run -1 --separate-stderr embed "$folder/list.text" "$folder/out.emb"
    [ "$stderr" = "text2emb: $folder/list.text: line 2: the text is not the one its key was made from; the list is damaged" ]
    [ ! -e "$folder/out.emb" ]
    truncate -s -4 "$folder/list.text"
    run -1 embed "$folder/list.text" "$folder/out.emb"
    [ ! -e "$folder/out.emb" ]
}

@test "in a text file an empty line, or one that is not UTF-8, is an error that names it, and an earlier output stays" {
    echo earlier >"$folder/out.npy"
    printf 'one\n\nthree\n' >"$folder/lines"
    run -1 --separate-stderr embed "$folder/lines" "$folder/out.npy"
    [ "$stderr" = "text2emb: $folder/lines: line 2: empty text" ]
    printf 'one\ntwo\nthree\xe9\n' >"$folder/lines"
    run -1 --separate-stderr embed "$folder/lines" "$folder/out.npy"
    [ "$stderr" = "text2emb: $folder/lines: line 3: not UTF-8 at byte 5" ]
    [ "$(cat "$folder/out.npy")" = earlier ]
    [ -z "$(find "$folder" -name '.reprise-*')" ]
}

@test "a byte order mark and the line ends of Windows are no part of the lines" {
    printf 'one\ntwo\n' >"$folder/lines"
    embed --output ids "$folder/lines" "$folder/plain.ids"
    printf '\xef\xbb\xbfone\r\ntwo\r\n' >"$folder/lines"
    embed --output ids "$folder/lines" "$folder/marked.ids"
    cmp "$folder/plain.ids" "$folder/marked.ids"
}

@test "the signature tells what decides an embedding, and nothing else" {
    plain=$(embed --signature)
    [[ $plain =~ ^[0-9a-f]{32}$ ]]
    [ "$(embed --batch-size 5 --pooling mean --normalize 1 --signature)" = "$plain" ]
    all="$plain $(embed --pooling cls --signature) $(embed --normalize 0 --signature)"
    copy_of_model sentence_bert_config.json tokenizer.json model.safetensors
    [ "$(embed --signature)" = "$plain" ]
    sed -i 's/256/128/' "$model_used/sentence_bert_config.json"
    all+=" $(embed --signature)"
    echo unseen >"$folder/word"
    sed -i 's/"zone"/"zonf"/' "$model_used/tokenizer.json"
    all+=" $(embed --signature)"
    printf '\x00' | dd of="$model_used/model.safetensors" bs=1 seek=70000001 conv=notrunc status=none
    all+=" $(embed --signature)"
    [ "$(tr ' ' '\n' <<<"$all" | sort -u | wc -l)" -eq 6 ]
}

@test "what is not known in a model folder is refused by name" {
    copy_of_model config.json modules.json 1_Pooling tokenizer_config.json model.safetensors
    change() { cp "$model/$1" "$model_used/$1"; sed -i "$2" "$model_used/$1"; }
    change config.json 's/"model_type": "bert"/"model_type": "gpt2"/'
    refused 'config.json: model_type gpt2 is not known; bert, roberta, xlm-roberta, camembert, distilbert and mpnet are'
    change config.json 's/"hidden_act": "gelu"/"hidden_act": "relu"/'
    refused 'config.json: hidden_act relu is not known; gelu is'
    change config.json 's/"hidden_size": 384/"hidden_size": 1e99/'
    refused 'config.json: hidden_size is not a whole number from 1 to 16384'
    change config.json 's/"hidden_size": 384/"hidden_size": 768/'
    refused 'model.safetensors: tensor embeddings.word_embeddings.weight: by config.json its shape would be [30522, 768]'
    change config.json 's/"num_hidden_layers": 6/"num_hidden_layers": 7/'
    refused 'model.safetensors: there is no tensor encoder.layer.6.attention.self.query.weight'
    change config.json 's/$/]/'
    [[ $(embed --signature 2>&1) == "text2emb: $model_used: config.json: not JSON at byte "* ]]
    printf '{"model_type":"b\xc3"}' >"$model_used/config.json"
    [[ $(embed --signature 2>&1) == "text2emb: $model_used: config.json: not UTF-8 at byte 16" ]]
    change config.json ''
    change modules.json 's/models.Normalize/models.WordWeights/'
    refused 'modules.json: module 2 is WordWeights; known are Transformer, Pooling and then, not always, Dense (up to 8) and Normalize, in this order'
    change modules.json 's/"1_Pooling"/"..\/1_Pooling"/'
    outside="modules.json: a module's path is not one inside the folder, at most two folders deep and not hidden"
    refused "$outside"
    change modules.json 's/"1_Pooling"/"a\/b\/1_Pooling"/' # plan would not see a change in there
    refused "$outside"
    change modules.json 's/"1_Pooling"/".pooling"/'
    refused "$outside"
    change modules.json ''
    change 1_Pooling/config.json 's/"pooling_mode_cls_token": false/"pooling_mode": "attention"/'
    refused '1_Pooling/config.json: pooling_mode attention is not known'
    change 1_Pooling/config.json ''
    change tokenizer_config.json 's/"BertTokenizer"/"XLMRobertaTokenizer"/'
    mv "$model_used/tokenizer.json" "$folder"
    refused 'tokenizer_config.json: tokenizer_class XLMRobertaTokenizer is not known without a tokenizer.json'
    mv "$folder/tokenizer.json" "$model_used"
    change tokenizer_config.json ''
    mv "$model_used/model.safetensors" "$folder"
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:53aa51\nsize 90868376\n' >"$model_used/model.safetensors"
    refused 'model.safetensors: no weights but a pointer to them, as Git leaves it without LFS (git lfs pull fetches them)'
    mv "$folder/model.safetensors" "$model_used"
    truncate -s 90000000 "$model_used/model.safetensors"
    run -1 --separate-stderr embed --signature
    [[ $stderr == "text2emb: $model_used: model.safetensors: tensor "*" lie outside the "*" bytes of data" ]]
    rm "$model_used/model.safetensors"
    touch "$model_used/pytorch_model.bin"
    refused 'the weights are in pytorch_model.bin; model.safetensors is what is read'
}

@test "pooling and normalization come from the folder in its old and new key names, and without modules.json are mean and none" {
    cp tests/fixtures/text2emb/texts.txt "$folder/texts"
    copy_of_model modules.json 1_Pooling
    embed "$folder/texts" "$folder/mean.npy"
    embed --pooling cls "$folder/texts" "$folder/cls.npy"
    embed --normalize 0 "$folder/texts" "$folder/raw.npy"
    sed -i 's/"pooling_mode_cls_token": false/"pooling_mode_cls_token": true/; s/"pooling_mode_mean_tokens": true/"pooling_mode_mean_tokens": false/' "$model_used/1_Pooling/config.json"
    embed "$folder/texts" "$folder/old.npy"
    echo '{"embedding_dimension": 384, "pooling_mode": "cls", "include_prompt": true}' >"$model_used/1_Pooling/config.json"
    embed "$folder/texts" "$folder/new.npy"
    cmp "$folder/cls.npy" "$folder/old.npy"
    cmp "$folder/cls.npy" "$folder/new.npy"
    echo '{"pooling_mode": ["cls", "mean"]}' >"$model_used/1_Pooling/config.json"
    embed --normalize 0 "$folder/texts" "$folder/both.npy"
    [ "$(stat -c %s "$folder/both.npy")" -eq $((128 + 24 * 768 * 4)) ]
    # Texts that both token limits leave whole, as there is no sentence_bert_config.json without modules.json.
    rm "$model_used/modules.json"
    head -3 "$folder/texts" | cut -c 1-200 >"$folder/short"
    embed "$folder/short" "$folder/bare.npy"
    model_used=$model embed --normalize 0 "$folder/short" "$folder/raw.npy"
    cmp "$folder/raw.npy" "$folder/bare.npy"
}

@test "every kernel equals a reference in double precision, on every instruction set" {
    "build/${BUILD:-release}/tests/kernels_check"
}

@test "wrong usage: unknown names are refused with the accepted ones, exit status 2" {
    run -2 --separate-stderr embed --pooling median a b
    [[ $stderr == *"POOLING=median: unknown; accepted: cls, max, mean,"* ]]
    run -2 --separate-stderr embed --precision f8 a b
    [[ $stderr == *"PRECISION=f8: unknown; accepted: f32, f16, bf16, int8"* ]]
    run -2 embed --normalize 2 a b
    run -2 embed --batch-size 0 a b
    run -2 embed only-one
    run -2 embed "$folder/texts" -
    run -2 "$program" a b
    KERNELS=mmx run -1 --separate-stderr embed tests/fixtures/text2emb/texts.txt "$folder/out.npy"
    [[ $stderr == *"KERNELS=mmx: not an instruction set"* ]]
}
