/* SPDX-License-Identifier: MIT */
/*
 * See result.h. Reading and writing walk the same tables of fields, so that they cannot come apart. A file from elsewhere may hold anything: texts must be printable
 * and fit, words be known, numbers be finite, classes rise and their counts make up the sum; a file is read if it is one, and at most 64 MiB.
 */
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT  "ipcway-bench"
#define VERSION "1"
enum { BYTES_MOST = 64 << 20, CELLS_MOST = 100000 };

const char *const bench_party_names[BENCH_PARTIES] = { "default", "tuned", "raw", "limit", "peer" };
const char *const bench_shape_names[BENCH_SHAPES] = { "ping-pong", "rate", "one-way" };
const char *const bench_wait_names[BENCH_WAITS] = { "polling", "sleeping", "loop" };
const char *const bench_place_names[BENCH_PLACES] = { "same-core", "other-core", "other-socket", "free" };

enum kind { TEXT, WORD, UNSIGNED, FLAG, SIZE, WIDE, TIME, REAL, FIGURE, HISTOGRAM };
struct field {
        enum kind kind;
        size_t at;
        size_t room;              /* TEXT */
        const char *const *words; /* WORD; room of them */
};

#define C(kind, name)                                            \
        {                                                        \
                kind, offsetof(struct bench_cell, name), 0, NULL \
        }
#define C_TEXT(name)                                                                                  \
        {                                                                                             \
                TEXT, offsetof(struct bench_cell, name), sizeof(((struct bench_cell *)0)->name), NULL \
        }
#define C_WORD(name, w, most)                                    \
        {                                                        \
                WORD, offsetof(struct bench_cell, name), most, w \
        }
static const struct field cell_fields[] = {
        C_TEXT(mechanism),
        C_TEXT(address),
        C_WORD(party, bench_party_names, BENCH_PARTIES),
        C_WORD(shape, bench_shape_names, BENCH_SHAPES),
        C_WORD(wait, bench_wait_names, BENCH_WAITS),
        C_WORD(place, bench_place_names, BENCH_PLACES),
        C(UNSIGNED, producers),
        C(UNSIGNED, consumers),
        C(FLAG, broadcast),
        C(SIZE, size),
        C(UNSIGNED, batch),
        C(REAL, rate),
        C(UNSIGNED, rounds),
        C(WIDE, messages),
        C(WIDE, lost),
        C(FIGURE, p50),
        C(FIGURE, p90),
        C(FIGURE, p99),
        C(FIGURE, p999),
        C(FIGURE, p9999),
        C(FIGURE, max),
        C(FIGURE, per_second),
        C(FIGURE, send_cpu),
        C(FIGURE, receive_cpu),
        C(FIGURE, switches),
        C(HISTOGRAM, latencies),
        C_TEXT(verdict),
};

#define M(kind, name)                                               \
        {                                                           \
                kind, offsetof(struct bench_machine, name), 0, NULL \
        }
#define M_TEXT(name)                                                                                        \
        {                                                                                                   \
                TEXT, offsetof(struct bench_machine, name), sizeof(((struct bench_machine *)0)->name), NULL \
        }
static const struct field machine_fields[] = {
        M_TEXT(processor), M_TEXT(kernel),          M_TEXT(guest),        M_TEXT(libc),  M_TEXT(compiler),
        M_TEXT(version),   M(UNSIGNED, processors), M(UNSIGNED, sockets), M(TIME, when),
};
enum { CELL_FIELDS = sizeof(cell_fields) / sizeof(cell_fields[0]), MACHINE_FIELDS = sizeof(machine_fields) / sizeof(machine_fields[0]) };

struct bench_cell bench_cell_empty(void)
{
        static const struct bench_figure none = { -1, -1, -1 };

        return (struct bench_cell){ .producers = 1,
                                    .consumers = 1,
                                    .batch = 1,
                                    .p50 = none,
                                    .p90 = none,
                                    .p99 = none,
                                    .p999 = none,
                                    .p9999 = none,
                                    .max = none,
                                    .per_second = none,
                                    .send_cpu = none,
                                    .receive_cpu = none,
                                    .switches = none };
}

int bench_append(struct bench_run *run, struct bench_cell *cell)
{
        struct bench_cell *more = reallocarray(run->cells, run->n + 1, sizeof(*more));

        if (!more)
                return -ENOMEM;
        run->cells = more;
        run->cells[run->n++] = *cell;
        cell->latencies = NULL;
        return 0;
}

void bench_free(struct bench_run *run)
{
        if (!run)
                return;
        for (size_t i = 0; i < run->n; i++)
                free(run->cells[i].latencies);
        free(run->cells);
        free(run);
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------------------ */

static int is_printable(unsigned char c)
{
        return c >= ' ' && c != 0x7f;
}

static void write_text(FILE *f, const char *text)
{
        for (; *text; text++)
                (void)fputc(is_printable((unsigned char)*text) ? *text : ' ', f);
}

/* "COUNT LEAST MOST SUM CLASS:COUNT CLASS:COUNT ..." */
static void write_histogram(FILE *f, const struct bench_histogram *h)
{
        if (!h || !h->count) {
                (void)fputc('-', f);
                return;
        }
        (void)fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %.17g", h->count, h->least, h->most, h->sum);
        for (unsigned i = 0; i < BENCH_CLASSES; i++)
                if (h->counts[i])
                        (void)fprintf(f, " %u:%" PRIu64, i, h->counts[i]);
}

static void write_fields(FILE *f, const char *name, const struct field *fields, size_t n, const void *from)
{
        (void)fputs(name, f);
        for (size_t i = 0; i < n; i++) {
                const void *at = (const char *)from + fields[i].at;
                const struct bench_figure *figure = at;

                (void)fputc('\t', f);
                switch (fields[i].kind) {
                case TEXT:
                        write_text(f, at);
                        break;
                case WORD:
                        (void)fputs(fields[i].words[*(const unsigned *)at], f);
                        break;
                case UNSIGNED:
                case FLAG:
                        (void)fprintf(f, "%u", *(const unsigned *)at);
                        break;
                case SIZE:
                        (void)fprintf(f, "%zu", *(const size_t *)at);
                        break;
                case WIDE:
                        (void)fprintf(f, "%" PRIu64, *(const uint64_t *)at);
                        break;
                case TIME:
                        (void)fprintf(f, "%" PRId64, *(const int64_t *)at);
                        break;
                case REAL:
                        (void)fprintf(f, "%.17g", *(const double *)at);
                        break;
                case FIGURE:
                        (void)fprintf(f, "%.17g %.17g %.17g", figure->value, figure->low, figure->high);
                        break;
                case HISTOGRAM:
                        write_histogram(f, *(struct bench_histogram *const *)at);
                        break;
                }
        }
        (void)fputc('\n', f);
}

int bench_save(const struct bench_run *run, const char *path)
{
        char beside[4096];
        FILE *f;
        int fd, r = 0;

        if ((size_t)snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= sizeof(beside))
                return -ENAMETOOLONG;
        fd = mkostemp(beside, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        f = fdopen(fd, "w");
        if (!f) {
                r = -errno;
                (void)close(fd);
                (void)unlink(beside);
                return r;
        }
        (void)fprintf(f, FORMAT "\t" VERSION "\t%s\n", run->complete ? "complete" : "part");
        write_fields(f, "machine", machine_fields, MACHINE_FIELDS, &run->machine);
        for (size_t i = 0; i < run->n; i++)
                write_fields(f, "cell", cell_fields, CELL_FIELDS, &run->cells[i]);
        (void)fprintf(f, "end\t%zu\n", run->n);
        errno = 0;
        if (ferror(f))
                r = -EIO; /* which of the writes it was is not kept */
        if (fclose(f) != 0 && r == 0)
                r = errno ? -errno : -EIO;
        if (r == 0 && rename(beside, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(beside);
        return r;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------------------ */

/* strtoull(3) takes signs and spaces, too. */
static int read_wide(const char *text, char **end, uint64_t most, uint64_t *out)
{
        unsigned long long v;

        if (*text < '0' || *text > '9')
                return -EBADMSG;
        errno = 0;
        v = strtoull(text, end, 10);
        if (errno || v > most)
                return -EBADMSG;
        *out = v;
        return 0;
}

static int read_real(const char *text, char **end, double *out)
{
        double v;

        if (!strchr("-0123456789", *text) || !*text)
                return -EBADMSG;
        v = strtod(text, end);
        if (!isfinite(v))
                return -EBADMSG;
        *out = v;
        return 0;
}

static int read_figure(const char *text, struct bench_figure *out)
{
        double *const parts[] = { &out->value, &out->low, &out->high };
        char *end;

        for (int i = 0; i < 3; i++, text = end + 1)
                if (read_real(text, &end, parts[i]) < 0 || *end != (i < 2 ? ' ' : '\0'))
                        return -EBADMSG;
        return out->low <= out->value && out->value <= out->high ? 0 : -EBADMSG;
}

static int read_histogram(const char *text, struct bench_histogram **out)
{
        struct bench_histogram *h;
        uint64_t class, counts = 0;
        int64_t last = -1;
        char *end;

        *out = NULL;
        if (strcmp(text, "-") == 0)
                return 0;
        h = calloc(1, sizeof(*h));
        if (!h)
                return -ENOMEM;
        *out = h; /* the cell's, which is freed however this ends */
        if (read_wide(text, &end, UINT64_MAX, &h->count) < 0 || *end != ' ' || read_wide(end + 1, &end, UINT64_MAX, &h->least) < 0 ||
            *end != ' ' || read_wide(end + 1, &end, UINT64_MAX, &h->most) < 0 || *end != ' ' || read_real(end + 1, &end, &h->sum) < 0 ||
            h->sum < 0)
                return -EBADMSG;
        while (*end == ' ') {
                if (read_wide(end + 1, &end, BENCH_CLASSES - 1, &class) < 0 || *end != ':' || (int64_t) class <= last ||
                    read_wide(end + 1, &end, UINT64_MAX - counts, &h->counts[class]) < 0 || h->counts[class] == 0)
                        return -EBADMSG;
                if (last < 0 && bench_class_of(h->least) != class)
                        return -EBADMSG;
                last = (int64_t) class;
                counts += h->counts[class];
        }
        return *end == 0 && counts == h->count && counts && bench_class_of(h->most) == (unsigned)last && h->least <= h->most ? 0 : -EBADMSG;
}

static int read_word(const struct field *f, const char *text, unsigned *out)
{
        for (unsigned i = 0; i < f->room; i++)
                if (strcmp(text, f->words[i]) == 0) {
                        *out = i;
                        return 0;
                }
        return -EBADMSG;
}

static int read_text(const struct field *f, const char *text, char *out)
{
        size_t n = strlen(text);

        if (n >= f->room)
                return -EBADMSG;
        for (size_t i = 0; i < n; i++)
                if (!is_printable((unsigned char)text[i]))
                        return -EBADMSG;
        memcpy(out, text, n + 1);
        return 0;
}

static int read_field(const struct field *f, const char *text, void *to)
{
        void *at = (char *)to + f->at;
        uint64_t wide = 0;
        char none = 0, *end = &none;
        int r = 0;

        switch (f->kind) {
        case TEXT:
                return read_text(f, text, at);
        case WORD:
                return read_word(f, text, at);
        case FIGURE:
                return read_figure(text, at);
        case HISTOGRAM:
                return read_histogram(text, at);
        case REAL:
                r = read_real(text, &end, at);
                break;
        case UNSIGNED:
        case FLAG:
                r = read_wide(text, &end, f->kind == FLAG ? 1 : UINT32_MAX, &wide);
                *(unsigned *)at = (unsigned)wide;
                break;
        case SIZE:
                r = read_wide(text, &end, SIZE_MAX, &wide);
                *(size_t *)at = (size_t)wide;
                break;
        case WIDE:
                r = read_wide(text, &end, UINT64_MAX, at);
                break;
        case TIME:
                r = read_wide(text, &end, INT64_MAX, &wide);
                *(int64_t *)at = (int64_t)wide;
                break;
        }
        return r < 0 || *end ? -EBADMSG : 0;
}

/* Of a line whose first field was `name`; takes it apart. */
static int read_fields(char *line, const char *name, const struct field *fields, size_t n, void *to)
{
        const char *word = strsep(&line, "\t");
        int r;

        if (!word || strcmp(word, name) != 0)
                return -EBADMSG;
        for (size_t i = 0; i < n; i++) {
                word = strsep(&line, "\t");
                r = word ? read_field(&fields[i], word, to) : -EBADMSG;
                if (r < 0)
                        return r;
        }
        return line ? -EBADMSG : 0;
}

static int read_cell(char *line, struct bench_run *run)
{
        struct bench_cell cell = bench_cell_empty();
        int r = run->n < CELLS_MOST ? read_fields(line, "cell", cell_fields, CELL_FIELDS, &cell) : -EBADMSG;

        if (r == 0)
                r = bench_append(run, &cell);
        free(cell.latencies);
        return r;
}

static int read_head(char *line, struct bench_run *run)
{
        const char *format = strsep(&line, "\t"), *version = strsep(&line, "\t");

        if (strcmp(format, FORMAT) != 0 || !version)
                return -EBADMSG;
        if (strcmp(version, VERSION) != 0)
                return -EPROTONOSUPPORT;
        if (!line || (strcmp(line, "complete") != 0 && strcmp(line, "part") != 0))
                return -EBADMSG;
        run->complete = *line == 'c';
        return 0;
}

static int read_end(const char *line, const struct bench_run *run)
{
        uint64_t n;
        char *end;

        return read_wide(line + strlen("end\t"), &end, CELLS_MOST, &n) < 0 || *end || n != run->n ? -EBADMSG : 0;
}

static int read_lines(FILE *f, struct bench_run *run, unsigned *number)
{
        int r = 0, ended = 0;
        char *line = NULL;
        size_t room = 0;
        ssize_t n;

        while (r == 0 && !ended && (n = getline(&line, &room, f)) > 0) {
                ++*number;
                if (line[n - 1] != '\n' || memchr(line, 0, (size_t)n))
                        r = -EBADMSG;
                line[n - 1] = 0;
                if (r < 0)
                        break;
                if (*number == 1)
                        r = read_head(line, run);
                else if (*number == 2)
                        r = read_fields(line, "machine", machine_fields, MACHINE_FIELDS, &run->machine);
                else if (strncmp(line, "end\t", 4) == 0)
                        ended = 1, r = read_end(line, run);
                else
                        r = read_cell(line, run);
        }
        if (r == 0 && ferror(f))
                r = -EIO;
        if (r == 0 && (!ended || fgetc(f) != EOF)) {
                ++*number;
                r = -EBADMSG; /* cut off, or more than its end */
        }
        free(line);
        return r;
}

int bench_load(struct bench_run **out, const char *path, unsigned *line)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;
        struct bench_run *run = NULL;
        unsigned number = 0;
        struct stat st;
        FILE *f = NULL;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                r = -errno;
        else if (!S_ISREG(st.st_mode))
                r = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        else if (st.st_size > BYTES_MOST)
                r = -EFBIG;
        if (r == 0) {
                f = fdopen(fd, "r");
                run = f ? calloc(1, sizeof(*run)) : NULL;
                r = run ? read_lines(f, run, &number) : -ENOMEM;
        }
        f ? fclose(f) : close(fd);
        if (r == 0)
                *out = run;
        else
                bench_free(run);
        if (r == -EBADMSG && line)
                *line = number;
        return r;
}

/* ---- the last whole run --------------------------------------------------------------------------------------------------------------------- */

/* A relative folder is to be ignored, says the specification. */
int bench_cache_path(char *path, size_t room)
{
        const char *folder = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
        int n;

        if (folder && *folder == '/')
                n = snprintf(path, room, "%s/ipcway/bench", folder);
        else if (home && *home == '/')
                n = snprintf(path, room, "%s/.cache/ipcway/bench", home);
        else
                return -ENOENT;
        return (size_t)n < room ? 0 : -ENAMETOOLONG;
}
