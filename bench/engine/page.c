/* SPDX-License-Identifier: MIT */
#include "page.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "picture.h"

enum { SCENES_MOST = 32, TEXT = 200 };

static const char style[] =
        ":root { color-scheme: light dark; }\n"
        "body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 0 1rem 4rem; color: #222; background: #fff; }\n"
        "h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 0.3rem; }\n"
        "table { border-collapse: collapse; font-size: 0.8rem; font-variant-numeric: tabular-nums; }\n"
        "th, td { text-align: right; padding: 0.15rem 0.6rem; border-bottom: 1px solid #8884; white-space: nowrap; }\n"
        "th:first-child, td:first-child, td.text { text-align: left; } td.text { white-space: normal; } .wide td.text { min-width: 14rem; }\n"
        ".wide { overflow-x: auto; } summary { cursor: pointer; padding: 0.4rem 0; } .small { font-size: 0.85rem; opacity: 0.85; }\n"
        "@media (max-width: 600px) { svg.ipcway { margin: 0 -1rem; width: calc(100% + 2rem) !important; } }\n"
        "@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181a1b; } }\n";

/* ---- what stands out --------------------------------------------------------------------------------------------------------------------- */

static bool belongs(const struct bench_cell *c, const struct bench_scene *s)
{
        return bench_is_good(c) && c->party == BENCH_DEFAULT && c->shape == s->shape && c->wait == s->wait && c->place == s->place &&
               c->producers <= 1 && c->consumers <= 1 && c->batch <= 1 && (!s->size || c->size == s->size);
}

static void put_named(FILE *out, const struct bench_cell *c, const char *figure)
{
        char who[TEXT];

        fputs("<b>", out);
        bench_xml(out, bench_text_who(who, sizeof(who), c));
        fprintf(out, "</b> (%s)", figure);
}

/* The quickest and the slowest of a latency. */
static void say_latency(FILE *out, const struct bench_run *run, const struct bench_scene *s)
{
        const struct bench_cell *best = NULL, *worst = NULL;
        char name[TEXT], text[32];

        for (size_t i = 0; i < run->n; i++) {
                const struct bench_cell *c = &run->cells[i];

                if (!belongs(c, s) || c->p50.value <= 0)
                        continue;
                if (!best || c->p50.value < best->p50.value)
                        best = c;
                if (!worst || c->p50.value > worst->p50.value)
                        worst = c;
        }
        if (!best || best == worst)
                return;
        bench_scene_name(s, name, sizeof(name));
        fputs("<li>", out);
        bench_xml(out, name);
        fputs(": half of the messages arrive soonest over ", out);
        put_named(out, best, bench_text_ns(text, sizeof(text), best->p50.value));
        fputs(" and latest over ", out);
        put_named(out, worst, bench_text_ns(text, sizeof(text), worst->p50.value));
        fprintf(out, ", %.1f times as long.</li>\n", worst->p50.value / best->p50.value);
}

/* Who carries the most small and the most large messages. */
static void say_throughput(FILE *out, const struct bench_run *run, const struct bench_scene *s)
{
        size_t sizes[2] = { SIZE_MAX, 0 };
        char name[TEXT], a[32], b[32];

        for (size_t i = 0; i < run->n; i++)
                if (belongs(&run->cells[i], s)) {
                        sizes[0] = run->cells[i].size < sizes[0] ? run->cells[i].size : sizes[0];
                        sizes[1] = run->cells[i].size > sizes[1] ? run->cells[i].size : sizes[1];
                }
        if (!sizes[1])
                return;
        bench_scene_name(s, name, sizeof(name));
        fputs("<li>", out);
        bench_xml(out, name);
        for (unsigned which = 0; which < (sizes[0] == sizes[1] ? 1 : 2); which++) {
                const struct bench_cell *best = NULL;

                for (size_t i = 0; i < run->n; i++)
                        if (belongs(&run->cells[i], s) && run->cells[i].size == sizes[which] &&
                            (!best || run->cells[i].per_second.value > best->per_second.value))
                                best = &run->cells[i];
                fprintf(out, "%s most messages of %s go over ", which ? ", and" : ":", bench_text_bytes(a, sizeof(a), sizes[which]));
                (void)bench_text_count(b, sizeof(b), best->per_second.value);
                (void)snprintf(name, sizeof(name), "%s/s", b);
                put_named(out, best, name);
        }
        fputs(".</li>\n", out);
}

/* ---- every figure ------------------------------------------------------------------------------------------------------------------------ */

static void put_figure(FILE *out, const struct bench_figure *f, const char *(*text)(char *, size_t, double), const char *after)
{
        char value[32], low[32], high[32];

        if (f->value < 0)
                fputs("<td></td>", out);
        else
                fprintf(out, "<td title=\"95 %% between %s%s and %s%s\">%s%s</td>", text(low, sizeof(low), f->low), after,
                        text(high, sizeof(high), f->high), after, text(value, sizeof(value), f->value), after);
}

static const char *few(char *text, size_t size, double value)
{
        (void)snprintf(text, size, "%.2f", value);
        return text;
}

static void put_row(FILE *out, const struct bench_cell *c)
{
        const struct bench_figure *times[] = { &c->p50, &c->p90, &c->p99, &c->p999, &c->p9999, &c->max };
        char who[TEXT], size[32];

        fputs("<tr><td title=\"", out);
        bench_xml(out, c->address);
        fputs("\">", out);
        bench_xml(out, bench_text_who(who, sizeof(who), c));
        fprintf(out, "</td><td>%s</td><td>%u to %u%s</td><td>%u</td>", bench_text_bytes(size, sizeof(size), c->size), c->producers,
                c->consumers, c->broadcast ? ", each all" : "", c->batch);
        if (!bench_is_good(c)) {
                fputs("<td class=\"text\" colspan=\"10\">", out);
                bench_xml(out, c->verdict);
                fputs("</td></tr>\n", out);
                return;
        }
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
                put_figure(out, times[i], bench_text_ns, "");
        put_figure(out, &c->per_second, bench_text_count, "/s");
        put_figure(out, &c->send_cpu, bench_text_ns, "");
        put_figure(out, &c->receive_cpu, bench_text_ns, "");
        put_figure(out, &c->switches, few, "");
        fputs("</tr>\n", out);
}

static void put_table(FILE *out, const struct bench_run *run, enum bench_shape shape, enum bench_wait wait, enum bench_place place)
{
        struct bench_scene s = { shape, wait, place, 0 };
        char name[TEXT];
        bool any = false;

        for (size_t i = 0; i < run->n; i++) {
                const struct bench_cell *c = &run->cells[i];

                if (c->shape != shape || c->wait != wait || c->place != place)
                        continue;
                if (!any) {
                        bench_scene_name(&s, name, sizeof(name));
                        fputs("<details><summary>", out);
                        bench_xml(out, name);
                        fputs("</summary>\n<div class=\"wide\"><table>\n<tr><th>way</th><th>size</th><th>senders, receivers</th><th>at once</th><th>50 %</th>"
                              "<th>90 %</th><th>99 %</th><th>99.9 %</th><th>99.99 %</th><th>longest</th><th>messages</th><th>sender's CPU</th>"
                              "<th>receiver's CPU</th><th>switches</th></tr>\n",
                              out);
                }
                any = true;
                put_row(out, c);
        }
        if (any)
                fputs("</table></div></details>\n", out);
}

/* ---- the whole --------------------------------------------------------------------------------------------------------------------------- */

static void put_machine(FILE *out, const struct bench_machine *m)
{
        const char *const rows[][2] = { { "processor", m->processor }, { "kernel", m->kernel },     { "virtual machine", m->guest },
                                        { "C library", m->libc },      { "compiler", m->compiler }, { "ipcway", m->version } };
        char when[64] = "";
        time_t seconds = (time_t)m->when;
        struct tm utc;

        fputs("<h2>The machine</h2>\n<table>\n", out);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                if (!*rows[i][1])
                        continue;
                fprintf(out, "<tr><td>%s</td><td class=\"text\">", rows[i][0]);
                bench_xml(out, rows[i][1]);
                fputs("</td></tr>\n", out);
        }
        if (gmtime_r(&seconds, &utc))
                (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M UTC", &utc);
        fprintf(out,
                "<tr><td>processors</td><td class=\"text\">%u, sockets %u</td></tr>\n<tr><td>measured</td><td class=\"text\">%s</td></tr>\n</table>\n",
                m->processors, m->sockets, when);
}

static void put_ways(FILE *out, const struct bench_run *run)
{
        fputs("<h2>What was opened</h2>\n<p>As a user gets it without options; tuned, with those shown; and who else was measured, with what was set.</p>\n"
              "<div class=\"wide\"><table>\n",
              out);
        for (size_t i = 0; i < run->n; i++) {
                const struct bench_cell *c = &run->cells[i];
                char who[TEXT];
                size_t before = 0;

                while (before < i && (run->cells[before].party != c->party || strcmp(run->cells[before].mechanism, c->mechanism) != 0 ||
                                      strcmp(run->cells[before].address, c->address) != 0))
                        before++;
                if (before < i)
                        continue;
                fputs("<tr><td>", out);
                bench_xml(out, bench_text_who(who, sizeof(who), c));
                fputs("</td><td class=\"text\"><code>", out);
                bench_xml(out, c->address);
                fputs("</code></td></tr>\n", out);
        }
        fputs("</table></div>\n", out);
}

void bench_page(FILE *out, const struct bench_run *run)
{
        struct bench_scene scenes[SCENES_MOST];
        size_t n = bench_scenes(run, scenes, SCENES_MOST), left_out = 0;
        char name[TEXT];

        for (size_t i = 0; i < run->n; i++)
                left_out += !bench_is_good(&run->cells[i]);
        fputs("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>ipcway bench</title>\n<style>\n",
              out);
        fputs(style, out);
        bench_picture_style(out);
        fputs("</style>\n</head>\n<body>\n<h1>How fast two processes talk</h1>\n<p class=\"small\">Measured by <code>ipcway bench</code> on ",
              out);
        bench_xml(out, *run->machine.processor ? run->machine.processor : "one machine");
        fputs(". Figures of another machine, or of another hour of this one, differ; the ratios between them much less.</p>\n<ul>\n", out);
        for (size_t i = 0; i < n; i++)
                if (scenes[i].shape == BENCH_PING_PONG && scenes[i].wait != BENCH_LOOP)
                        say_latency(out, run, &scenes[i]);
        for (size_t i = 0; i < n; i++)
                if (scenes[i].shape == BENCH_ONE_WAY) {
                        say_throughput(out, run, &scenes[i]);
                        break;
                }
        fputs("</ul>\n", out);
        for (size_t i = 0; i < n; i++) {
                bench_scene_name(&scenes[i], name, sizeof(name));
                fputs("<h2>", out);
                bench_xml(out, name);
                fputs("</h2>\n", out);
                bench_picture(out, run, &scenes[i], 0);
                if (scenes[i].size)
                        bench_picture_cpu(out, run, &scenes[i], 0);
        }
        fputs("<h2>Every figure</h2>\n<p class=\"small\">Each is the median of its rounds; pointed at, it tells what holds the true one with 95 %. A way's name tells "
              "its address.",
              out);
        if (left_out)
                fprintf(out, " %zu of %zu have none and say why.", left_out, run->n);
        fputs("</p>\n", out);
        for (int shape = 0; shape < BENCH_SHAPES; shape++)
                for (int place = 0; place < BENCH_PLACES; place++)
                        for (int wait = 0; wait < BENCH_WAITS; wait++)
                                put_table(out, run, (enum bench_shape)shape, (enum bench_wait)wait, (enum bench_place)place);
        put_ways(out, run);
        put_machine(out, &run->machine);
        fputs("<h2>How it was measured</h2>\n"
              "<p>Two processes or more hold all the ways at once and use one after the other, round by round, so that whatever the machine does meanwhile meets them "
              "all. Every message carries its number and bytes made from it, and is checked where it arrives. There and back: half of the time of a message and "
              "its answer. At a fixed rate: each message has a moment when it is due, and its time counts from then, also if its sender was late; a process that "
              "is held up for a while shows in every message that was due in that while, as it would for a user. A round in which a bare hand-over between the "
              "same processors changed by more than a fifth says <i>void</i>. Processor time and switches are the kernel's, of both sides.</p>\n</body>\n</html>\n",
              out);
}

/* ---- files ------------------------------------------------------------------------------------------------------------------------------- */

static int finish(FILE *out)
{
        int error = ferror(out) ? EIO : 0;

        if (fclose(out) != 0)
                error = errno;
        return -error;
}

int bench_page_save(const struct bench_run *run, const char *path)
{
        FILE *out = fopen(path, "we");

        if (!out)
                return -errno;
        bench_page(out, run);
        return finish(out);
}

int bench_pictures_save(const struct bench_run *run, const char *dir)
{
        struct bench_scene scenes[SCENES_MOST];
        size_t n = bench_scenes(run, scenes, SCENES_MOST);
        char path[4096];

        if (mkdir(dir, 0777) < 0 && errno != EEXIST)
                return -errno;
        for (size_t i = 0; i < n; i++)
                for (int cpu = 0; cpu < (scenes[i].size ? 2 : 1); cpu++) {
                        FILE *out;
                        int r = snprintf(path, sizeof(path), "%s/%s-%s-%s%s.svg", dir, bench_shape_names[scenes[i].shape],
                                         bench_wait_names[scenes[i].wait], bench_place_names[scenes[i].place], cpu ? "-cpu" : "");

                        if (r >= (int)sizeof(path))
                                return -ENAMETOOLONG;
                        out = fopen(path, "we");
                        if (!out)
                                return -errno;
                        if (cpu)
                                bench_picture_cpu(out, run, &scenes[i], 1);
                        else
                                bench_picture(out, run, &scenes[i], 1);
                        r = finish(out);
                        if (r < 0)
                                return r;
                }
        return 0;
}
