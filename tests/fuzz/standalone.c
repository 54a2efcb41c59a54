/* SPDX-License-Identifier: MIT */
/* Runs a target over the files of a folder: what the fuzzers once found stays found, with any compiler. */
#include <dirent.h>
#include <err.h>
#include <string.h>

#include "fuzz.h"

enum { LARGEST = 1 << 20 };

static void run(const char *folder, const char *name)
{
        uint8_t *data = malloc(LARGEST), *exact;
        char path[4096];
        size_t size;
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        f = fopen(path, "rb");
        if (!f || !data)
                err(1, "%s", path);
        size = fread(data, 1, LARGEST, f);
        fclose(f);
        exact = malloc(size + !size); /* of its exact size, so that a sanitizer sees a byte beyond */
        if (!exact)
                err(1, "%s", path);
        memcpy(exact, data, size);
        fprintf(stderr, "%s\n", path); /* the last one named is the one that failed */
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
        free(data);
}

int main(int argc, char **argv)
{
        unsigned count = 0;
        struct dirent *entry;
        DIR *folder;

        if (argc != 2)
                errx(2, "usage: %s FOLDER", argv[0]);
        folder = opendir(argv[1]);
        if (!folder)
                err(1, "%s", argv[1]);
        while ((entry = readdir(folder)))
                if (entry->d_name[0] != '.') {
                        run(argv[1], entry->d_name);
                        count++;
                }
        closedir(folder);
        if (count == 0)
                errx(1, "%s: no file in it", argv[1]);
        return 0;
}
