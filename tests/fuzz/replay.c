/* Runs a fuzz target on files, without libFuzzer: for the findings of earlier runs. */
#include <stdio.h>

#include "../../tools/lib/whole_file.h"
#include "target.h"

int main(int argc, char **argv)
{
    struct whole_file file = {0};
    struct reason why;
    for (int i = 1; i < argc; i++) {
        if (whole_file_read(argv[i], &file, &why) < 0) {
            fprintf(stderr, "%s: %s\n", argv[i], why.text);
            return 1;
        }
        fprintf(stderr, "%s\n", argv[i]);
        uint8_t *exact = fuzz_copy(file.bytes, file.count);
        LLVMFuzzerTestOneInput(exact, file.count);
        free(exact);
    }
    whole_file_free(&file);
    return 0;
}
