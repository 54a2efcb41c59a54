/* SPDX-License-Identifier: MIT */
/* Results of a benchmark in a file: whatever the bytes, what is taken for a run has texts that end and can be printed, figures in order, and histograms that add up. */
#include "result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static void check_text(const char *text, size_t room)
{
        size_t n = strnlen(text, room);

        must(n < room);
        for (size_t i = 0; i < n; i++)
                must((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void check_figure(struct bench_figure f)
{
        must(isfinite(f.value) && isfinite(f.low) && isfinite(f.high) && f.low <= f.value && f.value <= f.high);
}

static void check_cell(const struct bench_cell *c)
{
        uint64_t sum = 0;

        check_text(c->mechanism, sizeof(c->mechanism));
        check_text(c->address, sizeof(c->address));
        check_text(c->verdict, sizeof(c->verdict));
        must(c->party < BENCH_PARTIES && c->shape < BENCH_SHAPES && c->wait < BENCH_WAITS && c->place < BENCH_PLACES);
        must(isfinite(c->rate));
        check_figure(c->p50);
        check_figure(c->max);
        check_figure(c->switches);
        for (unsigned i = 0; c->latencies && i < BENCH_CLASSES; i++)
                must(!__builtin_add_overflow(sum, c->latencies->counts[i], &sum));
        must(!c->latencies || (sum == c->latencies->count && sum > 0));
        must(!c->latencies || bench_histogram_at(c->latencies, 1) == c->latencies->most);
        must(!c->latencies || bench_histogram_at(c->latencies, 0) >= c->latencies->least);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        int fd = memfd_create("result", MFD_CLOEXEC), r;
        struct bench_run *run = NULL;
        unsigned line = 0;
        char path[40];

        must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = bench_load(&run, path, &line);
        must(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
        must((r == 0) == (run != NULL) && (r == -EBADMSG) == (line > 0));
        for (size_t i = 0; run && i < run->n; i++)
                check_cell(&run->cells[i]);
        bench_free(run);
        must(close(fd) == 0);
        return 0;
}
