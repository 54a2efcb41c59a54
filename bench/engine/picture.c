/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
        WIDTH = 520,
        LEFT = 56,
        RIGHT = 182, /* of it, for the names of the lines */
        TOP = 14,
        BOTTOM = 44,
        LINE = 16, /* of text */
        COLOURS = 16,
        LINES_MOST = 64,
        POINTS_MOST = 224,
        TEXT = 160,
};

/* ---- words ------------------------------------------------------------------------------------------------------------------------------- */

const char *bench_text_ns(char *text, size_t size, double ns)
{
        static const char *const units[] = { "ns", "us", "ms", "s" };
        unsigned unit = 0;

        for (; ns >= 999.5 && unit < 3; unit++)
                ns /= 1000;
        (void)snprintf(text, size, ns < 9.995 && unit ? "%.2f %s" : ns < 99.95 && unit ? "%.1f %s" : "%.0f %s", ns, units[unit]);
        return text;
}

const char *bench_text_bytes(char *text, size_t size, size_t bytes)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
        unsigned unit = 0;

        for (; bytes >= 1024 && bytes % 1024 == 0 && unit < 3; unit++)
                bytes /= 1024;
        (void)snprintf(text, size, "%zu %s", bytes, units[unit]);
        return text;
}

const char *bench_text_count(char *text, size_t size, double count)
{
        static const char *const units[] = { "", " k", " M", " G" };
        unsigned unit = 0;

        for (; count >= 999.5 && unit < 3; unit++)
                count /= 1000;
        (void)snprintf(text, size, count < 9.995 && unit ? "%.2f%s" : count < 99.95 && unit ? "%.1f%s" : "%.0f%s", count, units[unit]);
        return text;
}

const char *bench_text_who(char *text, size_t size, const struct bench_cell *c)
{
        if (c->party == BENCH_LIMIT)
                (void)snprintf(text, size, "bare hand-over");
        else if (c->party == BENCH_PEER)
                (void)snprintf(text, size, "%.*s", (int)strcspn(c->address, ":,"), c->address);
        else
                (void)snprintf(text, size, "%s%s", c->mechanism,
                               c->party == BENCH_TUNED ? ", tuned"
                               : c->party == BENCH_RAW ? ", bare calls"
                                                       : "");
        return text;
}

/* How long the UTF-8 character at `at` is; 0: it is none, or none that XML takes. */
static size_t character(const unsigned char *at)
{
        size_t n = at[0] < 0x80                    ? 1
                   : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                   : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                   : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                   : 0;

        for (size_t i = 1; i < n; i++)
                if ((at[i] & 0xc0) != 0x80)
                        return 0;
        if (n == 1 && (at[0] < 0x20 || at[0] == 0x7f))
                return 0;
        if (n == 3 &&
            ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xef && at[1] == 0xbf && at[2] > 0xbd)))
                return 0;
        if (n == 4 && ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f)))
                return 0;
        return n;
}

void bench_xml(FILE *out, const char *text)
{
        for (const char *at = text; *at;) {
                size_t n = character((const unsigned char *)at);

                if (*at == '&')
                        fputs("&amp;", out);
                else if (*at == '<')
                        fputs("&lt;", out);
                else if (*at == '>')
                        fputs("&gt;", out);
                else if (*at == '"')
                        fputs("&quot;", out);
                else if (n)
                        (void)fwrite(at, 1, n, out);
                else
                        fputc('?', out);
                at += n ? n : 1;
        }
}

void bench_scene_name(const struct bench_scene *s, char *text, size_t size)
{
        static const char *const shapes[] = { "there and back", "at a fixed rate, from when each was due", "as fast as it goes" };
        static const char *const waits[] = { "looking again and again", "asleep in between", "in an event loop" };
        static const char *const places[] = { "one core for both", "two cores", "two sockets", "where the kernel puts them" };
        char bytes[32] = "by size";

        if (s->size)
                (void)bench_text_bytes(bytes, sizeof(bytes), s->size);
        (void)snprintf(text, size, "%s, %s; %s; %s", bytes, shapes[s->shape], waits[s->wait], places[s->place]);
}

/* ---- which ------------------------------------------------------------------------------------------------------------------------------- */

static bool is_in(const struct bench_cell *c, const struct bench_scene *s)
{
        return bench_is_good(c) && c->shape == s->shape && c->wait == s->wait && c->place == s->place && (!s->size || c->size == s->size) &&
               c->producers <= 1 && c->consumers <= 1 && (c->batch <= 1 || c->party == BENCH_TUNED) &&
               (s->shape == BENCH_ONE_WAY ? c->per_second.value > 0 : c->latencies != NULL);
}

/* The size that most of it was measured at; of several the nearest to 64 bytes. */
static size_t usual_size(const struct bench_run *run, const struct bench_scene *s)
{
        size_t best = 0, best_count = 0;

        for (size_t i = 0; i < run->n; i++) {
                size_t count = 0, size = run->cells[i].size;

                for (size_t j = 0; j < run->n; j++)
                        count += is_in(&run->cells[j], s) && run->cells[j].size == size;
                if (count > best_count || (count == best_count && fabs((double)size - 64) < fabs((double)best - 64))) {
                        best_count = count;
                        best = size;
                }
        }
        return best;
}

size_t bench_scenes(const struct bench_run *run, struct bench_scene *scenes, size_t most)
{
        static const enum bench_wait waits[BENCH_WAITS] = { BENCH_SLEEPING, BENCH_LOOP, BENCH_POLLING };
        static const enum bench_place places[BENCH_PLACES] = { BENCH_OTHER_CORE, BENCH_FREE, BENCH_SAME_CORE, BENCH_OTHER_SOCKET };
        size_t n = 0;

        for (int shape = 0; shape < BENCH_SHAPES; shape++)
                for (int place = 0; place < BENCH_PLACES; place++)
                        for (int wait = 0; wait < BENCH_WAITS; wait++) {
                                struct bench_scene s = { (enum bench_shape)shape, waits[wait], places[place], 0 };
                                bool any = false;

                                for (size_t i = 0; i < run->n; i++)
                                        any |= is_in(&run->cells[i], &s);
                                if (!any || n == most)
                                        continue;
                                if (shape != BENCH_ONE_WAY)
                                        s.size = usual_size(run, &s);
                                scenes[n++] = s;
                        }
        return n;
}

/* ---- lines ------------------------------------------------------------------------------------------------------------------------------- */

struct point {
        double x, y; /* as logarithms, till they are placed */
};

struct line {
        const struct bench_cell *cell; /* one of those it is made of */
        unsigned colour;
        size_t n;
        struct point points[POINTS_MOST];
        double label; /* where its name stands */
        char who[TEXT], told[TEXT];
};

/* The axes are logarithms. */
struct frame {
        double low, high, x_low, x_high;
        int height;
};

static unsigned colour_of(const struct bench_run *run, const struct bench_cell *c)
{
        unsigned n = 0;

        if (c->party == BENCH_LIMIT)
                return COLOURS;
        for (const struct bench_cell *at = run->cells; at < c; at++) {
                const struct bench_cell *first = run->cells;

                while (strcmp(first->mechanism, at->mechanism) != 0)
                        first++;
                n += first == at && strcmp(at->mechanism, c->mechanism) != 0;
                if (strcmp(at->mechanism, c->mechanism) == 0)
                        break;
        }
        return n % COLOURS;
}

static void add(struct line *l, double x, double y)
{
        if (l->n < POINTS_MOST)
                l->points[l->n++] = (struct point){ x, y };
}

/* Over the number of nines: half of all messages stand at 0.3, 99 % at 2; the longest of all ends the line. */
static void trace_percentiles(struct line *l)
{
        const struct bench_histogram *h = l->cell->latencies;
        char a[32], b[32], c[32];
        double nines = log10((double)(h->count ? h->count : 1));

        for (int step = 0; step <= 80 && step / 20.0 <= nines; step++)
                add(l, step / 20.0, log10((double)bench_histogram_at(h, 1 - pow(10, -step / 20.0)) + 1));
        add(l, 4.6, log10((double)h->most + 1));
        (void)snprintf(l->told, sizeof(l->told), "half within %s, 99 %% within %s, all within %s",
                       bench_text_ns(a, sizeof(a), l->cell->p50.value), bench_text_ns(b, sizeof(b), l->cell->p99.value),
                       bench_text_ns(c, sizeof(c), (double)h->most));
}

static void trace_size(struct line *l, const struct bench_cell *c)
{
        char a[32], b[32];
        size_t used = strlen(l->told);

        add(l, log2((double)(c->size ? c->size : 1)), log10(c->per_second.value));
        (void)snprintf(l->told + used, sizeof(l->told) - used, "%s%s: %s/s", used ? "; " : "", bench_text_bytes(a, sizeof(a), c->size),
                       bench_text_count(b, sizeof(b), c->per_second.value));
}

/* One way may be tuned by other options where messages are large. */
static bool is_same(const struct bench_cell *a, const struct bench_cell *b)
{
        return a->party == b->party && strcmp(a->mechanism, b->mechanism) == 0 &&
               (a->party == BENCH_TUNED || strcmp(a->address, b->address) == 0);
}

static int by_x(const void *a, const void *b)
{
        double x = ((const struct point *)a)->x, y = ((const struct point *)b)->x;

        return (x > y) - (x < y);
}

static size_t trace(const struct bench_run *run, const struct bench_scene *s, struct line *lines)
{
        size_t n = 0;

        for (size_t i = 0; i < run->n; i++) {
                const struct bench_cell *c = &run->cells[i];
                struct line *l = lines;

                if (!is_in(c, s) || c->party == BENCH_RAW)
                        continue;
                while (l < lines + n && !is_same(l->cell, c))
                        l++;
                if (l == lines + LINES_MOST)
                        continue;
                if (l == lines + n) {
                        n++;
                        l->cell = c;
                        l->colour = colour_of(run, c);
                        (void)bench_text_who(l->who, sizeof(l->who), c);
                }
                if (s->size)
                        trace_percentiles(l);
                else
                        trace_size(l, c);
        }
        for (size_t i = 0; i < n; i++)
                qsort(lines[i].points, lines[i].n, sizeof(lines[i].points[0]), by_x);
        return n;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------------------------------- */

static double place_x(const struct frame *f, double x)
{
        return LEFT + (x - f->x_low) / (f->x_high - f->x_low) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct frame *f, double y)
{
        return f->height - BOTTOM - (y - f->low) / (f->high - f->low) * (f->height - TOP - BOTTOM);
}

/* Where the lines end, from above; and as many lines of text as there are names, none on another. */
static int by_end(const void *a, const void *b)
{
        const struct line *const *x = a, *const *y = b;
        double p = (*x)->points[(*x)->n - 1].y, q = (*y)->points[(*y)->n - 1].y;

        return (p < q) - (p > q);
}

static void place_labels(const struct frame *f, struct line *lines, size_t n)
{
        struct line *order[LINES_MOST];
        double at = f->height - BOTTOM + 4;

        for (size_t i = 0; i < n; i++) {
                order[i] = &lines[i];
                lines[i].label = place_y(f, lines[i].points[lines[i].n - 1].y);
        }
        qsort(order, n, sizeof(order[0]), by_end);
        for (size_t i = 1; i < n; i++)
                order[i]->label = fmax(order[i]->label, order[i - 1]->label + LINE);
        for (size_t i = n; i-- > 0;) {
                order[i]->label = fmin(order[i]->label, at);
                at = order[i]->label - LINE;
        }
}

static void start(FILE *out, int height, const char *what, int alone)
{
        fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ipcway\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>", WIDTH,
                height);
        bench_xml(out, what);
        fputs("</title>\n", out);
        if (alone) {
                fputs("<style>\n", out);
                bench_picture_style(out);
                fputs("</style>\n", out);
        }
}

/* "5.00 us" stands at no tick. */
static const char *without_zeros(char *text)
{
        char *point = strchr(text, '.'), *end = point ? point + 1 + strspn(point + 1, "0") : NULL;

        if (end && (*end < '0' || *end > '9'))
                memmove(point, end, strlen(end) + 1);
        return text;
}

static void draw_grid_y(FILE *out, const struct frame *f, bool is_time)
{
        static const int steps[] = { 1, 2, 5 };
        char text[32];

        for (int power = (int)floor(f->low); power <= (int)ceil(f->high); power++)
                for (unsigned i = 0; i < (f->high - f->low < 2.2 ? 3 : 1); i++) {
                        double value = steps[i] * pow(10, power), y = log10(value);

                        if (y < f->low - 1e-9 || y > f->high + 1e-9)
                                continue;
                        (void)(is_time ? bench_text_ns(text, sizeof(text), value) : bench_text_count(text, sizeof(text), value));
                        fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"end\" x=\"%d\" y=\"%.1f\">%s</text>\n", LEFT,
                                place_y(f, y), WIDTH - RIGHT, LEFT - 6, place_y(f, y) + 4, without_zeros(text));
                }
}

static void draw_tick_x(FILE *out, const struct frame *f, double x, const char *text)
{
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"mid\" x=\"%.1f\" y=\"%d\">%s</text>\n", place_x(f, x), TOP,
                f->height - BOTTOM, place_x(f, x), f->height - BOTTOM + 16, text);
}

static void draw_line(FILE *out, const struct frame *f, const struct line *l)
{
        static const char *const dashes[] = { "", " tuned", "", " limit", " peer" };
        const struct point *end = &l->points[l->n - 1];

        fprintf(out, "<g class=\"line c%u%s\"><title>", l->colour, dashes[l->cell->party]);
        bench_xml(out, l->who);
        fputs(" (", out);
        bench_xml(out, l->cell->address);
        fputs("): ", out);
        bench_xml(out, l->told);
        fputs("</title><path d=\"", out);
        for (size_t i = 0; i < l->n; i++)
                fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', place_x(f, l->points[i].x), place_y(f, l->points[i].y));
        fputs("\"/>", out);
        for (size_t i = 0; l->n < 12 && i < l->n; i++)
                fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>", place_x(f, l->points[i].x), place_y(f, l->points[i].y));
        fprintf(out, "<path class=\"lead\" d=\"M%.1f %.1fL%d %.1f\"/><text x=\"%d\" y=\"%.1f\">", place_x(f, end->x), place_y(f, end->y),
                WIDTH - RIGHT + 16, l->label, WIDTH - RIGHT + 20, l->label + 4);
        bench_xml(out, l->who);
        fputs("</text></g>\n", out);
}

static struct frame frame_of(const struct line *lines, size_t n, bool percentiles)
{
        struct frame f = { .low = HUGE_VAL, .high = -HUGE_VAL, .x_low = HUGE_VAL, .x_high = -HUGE_VAL };

        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < lines[i].n; j++) {
                        f.low = fmin(f.low, lines[i].points[j].y);
                        f.high = fmax(f.high, lines[i].points[j].y);
                        f.x_low = fmin(f.x_low, lines[i].points[j].x);
                        f.x_high = fmax(f.x_high, lines[i].points[j].x);
                }
        f.low -= 0.05;
        f.high += 0.05;
        if (percentiles) {
                f.x_low = 0;
                f.x_high = 4.6;
        } else if (f.x_high <= f.x_low) {
                f.x_low -= 1;
                f.x_high += 1;
        }
        f.height = (int)fmax(430, (double)n * LINE + TOP + BOTTOM);
        return f;
}

void bench_picture(FILE *out, const struct bench_run *run, const struct bench_scene *s, int alone)
{
        static const struct {
                double at;
                const char *text;
        } nines[] = { { 0.30103, "50 %" }, { 1, "90 %" }, { 2, "99 %" }, { 3, "99.9 %" }, { 4, "99.99 %" }, { 4.6, "all" } };
        struct line *lines = calloc(LINES_MOST + 1, sizeof(*lines));
        size_t n = lines ? trace(run, s, lines) : 0;
        char name[TEXT], text[32];
        struct frame f;

        if (!n) {
                free(lines);
                return;
        }
        f = frame_of(lines, n, s->size != 0);
        place_labels(&f, lines, n);
        bench_scene_name(s, name, sizeof(name));
        start(out, f.height, name, alone);
        draw_grid_y(out, &f, s->size != 0);
        for (size_t i = 0; s->size && i < sizeof(nines) / sizeof(nines[0]); i++)
                draw_tick_x(out, &f, nines[i].at, nines[i].text);
        for (int x = (int)fmax(0, ceil(f.x_low)); !s->size && x <= f.x_high; x += f.x_high - f.x_low > 12 ? 3 : 1)
                draw_tick_x(out, &f, x, bench_text_bytes(text, sizeof(text), (size_t)1 << x));
        fprintf(out, "<text class=\"mid\" x=\"%d\" y=\"%d\">%s</text>\n", (LEFT + WIDTH - RIGHT) / 2, f.height - 8,
                s->size ? "so many of all messages take at most so long, one way" : "bytes of a message; messages received in a second");
        for (size_t i = 0; i < n; i++)
                draw_line(out, &f, &lines[i]);
        fputs("</svg>\n", out);
        free(lines);
}

/* ---- processor time ---------------------------------------------------------------------------------------------------------------------- */

static int by_cpu(const void *a, const void *b)
{
        const struct bench_cell *const *x = a, *const *y = b;
        double p = (*x)->send_cpu.value + (*x)->receive_cpu.value, q = (*y)->send_cpu.value + (*y)->receive_cpu.value;

        return (p > q) - (p < q);
}

void bench_picture_cpu(FILE *out, const struct bench_run *run, const struct bench_scene *s, int alone)
{
        enum { BAR = 21, NAMES = 194, FIGURES = 70 };
        const struct bench_cell *cells[LINES_MOST];
        char name[TEXT], a[32], b[32], c[32];
        size_t n = 0;
        double most;
        int y = TOP;

        for (size_t i = 0; i < run->n && n < LINES_MOST; i++)
                if (is_in(&run->cells[i], s) && run->cells[i].send_cpu.value >= 0 && run->cells[i].receive_cpu.value >= 0)
                        cells[n++] = &run->cells[i];
        if (!n)
                return;
        qsort(cells, n, sizeof(cells[0]), by_cpu);
        most = fmax(1, cells[n - 1]->send_cpu.value + cells[n - 1]->receive_cpu.value);
        bench_scene_name(s, name, sizeof(name));
        start(out, TOP + (int)n * BAR + 30, name, alone);
        for (size_t i = 0; i < n; i++, y += BAR) {
                double room = WIDTH - NAMES - FIGURES, send = cells[i]->send_cpu.value / most * room,
                       receive = cells[i]->receive_cpu.value / most * room;
                char who[TEXT];

                fprintf(out, "<g class=\"bar c%u\"><title>", colour_of(run, cells[i]));
                bench_xml(out, cells[i]->address);
                fprintf(out, ": the sender %s, the receiver %s</title><text class=\"end\" x=\"%d\" y=\"%d\">",
                        bench_text_ns(a, sizeof(a), cells[i]->send_cpu.value), bench_text_ns(b, sizeof(b), cells[i]->receive_cpu.value),
                        NAMES - 6, y + 13);
                bench_xml(out, bench_text_who(who, sizeof(who), cells[i]));
                fprintf(out,
                        "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/><rect class=\"second\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>"
                        "<text x=\"%.1f\" y=\"%d\">%s</text></g>\n",
                        NAMES, y + 2, send, BAR - 5, NAMES + send, y + 2, receive, BAR - 5, NAMES + send + receive + 6, y + 13,
                        bench_text_ns(c, sizeof(c), cells[i]->send_cpu.value + cells[i]->receive_cpu.value));
        }
        fprintf(out,
                "<text class=\"mid\" x=\"%d\" y=\"%d\">processor time of a message: its sender's, and paler its receiver's</text>\n</svg>\n",
                WIDTH / 2, y + 20);
}

/* ---- style ------------------------------------------------------------------------------------------------------------------------------- */

void bench_picture_style(FILE *out)
{
        static const char *const colours[COLOURS] = { "#1f77b4", "#d9541e", "#2a9d4a", "#c2303a", "#8a5cc2", "#8c6a3f",
                                                      "#d264a8", "#5f7480", "#a3971a", "#1295a5", "#4b51c9", "#e08a00",
                                                      "#6a8f1f", "#a8447a", "#38706a", "#b06d55" };

        fputs("svg.ipcway { color: #222; font: 13.5px system-ui, sans-serif; display: block; width: 100%; max-width: 640px; height: auto; }\n"
              "svg.ipcway text { fill: currentColor; }\n"
              ".ipcway .end { text-anchor: end; } .ipcway .mid { text-anchor: middle; }\n"
              ".ipcway .grid { stroke: #8884; fill: none; }\n"
              ".ipcway .line path { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }\n"
              ".ipcway .line circle, .ipcway .bar rect { fill: var(--c); } .ipcway .bar .second { opacity: 0.5; }\n"
              ".ipcway .line text { fill: var(--c); }\n"
              ".ipcway .line .lead { stroke-width: 0.7; opacity: 0.6; }\n"
              ".ipcway .tuned path { stroke-dasharray: 7 3; }\n"
              ".ipcway .peer path { stroke-dasharray: 9 3 2 3; } .ipcway .lead { stroke-dasharray: none !important; }\n"
              ".ipcway:has(.line:hover) .line:not(:hover) { opacity: 0.15; }\n"
              ".ipcway .c16 { --c: currentColor; }\n",
              out);
        for (unsigned i = 0; i < COLOURS; i++)
                fprintf(out, ".ipcway .c%u { --c: %s; }%s", i, colours[i], i % 4 == 3 ? "\n" : " ");
        fputs("@media (prefers-color-scheme: dark) { svg.ipcway { color: #ddd; } .ipcway .line, .ipcway .bar { filter: brightness(1.35); } }\n",
              out);
}
