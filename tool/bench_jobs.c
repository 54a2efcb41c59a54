/* SPDX-License-Identifier: MIT */
/*
 * What is measured: all ways to pass messages, each as it comes and once more with the options that suit the situation, in the situations asked for. The
 * tunings stand in one table here, and in each line of the output as the options of its address.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_peers.h"
#include "command.h"
#include "ipcway.h"
#include "nearest.h"
#include "number.h"
#include "say.h"
#include "target.h"

enum { GROUP_MOST = 24, MANY = 4, USUAL_RATE = 10000, BATCH = 32, BATCH_BYTES = 8192, COPIED_FROM = 4096 };

struct situation {
        enum bench_shape shape;
        enum bench_wait wait;
        enum bench_place place;
        size_t size;
        unsigned producers, consumers;
        int to_all;
        double rate;
};

/* One way as somebody asked for it: its options, without the question mark. */
struct subject {
        const struct ipw_mechanism *mechanism;
        char options[128];
};

/* ---- what a way is called ------------------------------------------------------------------------------------------------------------------- */

static int is_pair(const struct situation *s)
{
        return s->producers == 1 && s->consumers == 1 && !s->to_all;
}

/* The sample of the mechanism with a name for each direction, unless one conversation has both. */
static void make_address(char out[256], const struct ipw_mechanism *m, const struct situation *s, const char *options)
{
        struct ipw_caps caps;
        int conversation = s->shape == BENCH_PING_PONG && ipw_describe(m->sample, &caps, NULL) == 0 && caps.flags & IPW_CAP_ACCEPT;
        int named = strstr(m->sample, "{dir}") || strstr(m->sample, ":/");
        const char *sample = m->sample, *key = strstr(sample, "/ipcway-{key}");

        if (key)
                (void)snprintf(out, 256, "%.*s/ipcway-bench-{pid}-{n}", (int)(key - sample), sample);
        else
                (void)snprintf(out, 256, "%s%s", sample, named && !conversation ? "-{n}" : "");
        if (*options)
                (void)snprintf(out + strlen(out), 256 - strlen(out), "?%s", options);
}

static void make_shown(char out[BENCH_TEXT_ADDRESS], const struct ipw_mechanism *m, const char *options)
{
        int n = (int)strcspn(m->syntax, ",");

        (void)snprintf(out, BENCH_TEXT_ADDRESS, "%.*s%s%.60s", n, m->syntax, *options ? "?" : "", options);
}

/* ---- tunings --------------------------------------------------------------------------------------------------------------------------------- */

static void add(char out[128], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char out[128], const char *format, ...)
{
        size_t at = strlen(out);
        va_list arguments;

        if (at)
                out[at++] = ',';
        va_start(arguments, format);
        (void)vsnprintf(out + at, 128 - at, format, arguments);
        va_end(arguments);
}

/* What this machine allows a socket to hold, in KiB. */
static long buffer_most(long most)
{
        static const char *const limits[] = { "/proc/sys/net/core/rmem_max", "/proc/sys/net/core/wmem_max" };

        for (int i = 0; i < 2; i++) {
                FILE *f = fopen(limits[i], "re");
                char text[32] = "";

                if (f && fgets(text, sizeof(text), f))
                        most = strtol(text, NULL, 10) / 1024 < most ? strtol(text, NULL, 10) / 1024 : most;
                if (f)
                        (void)fclose(f);
        }
        return most < 8 ? 8 : most;
}

/* What the manual offers for this situation, one to one. A sleeper looks again for 50 us first, as rings do anyhow. */
static void tune(char out[128], const char *scheme, const struct situation *s)
{
        int ring = strncmp(scheme, "shm", 3) == 0, one_way = s->shape == BENCH_ONE_WAY;
        int pipe = strcmp(scheme, "pipe") == 0 || strcmp(scheme, "fifo") == 0;
        int stream = strcmp(scheme, "unix") == 0 || strcmp(scheme, "tcp") == 0;

        if (ring && strcmp(scheme, "shm+anon") != 0 && is_pair(s))
                add(out, "producers=1,consumers=1");
        if (ring && s->size <= 256)
                add(out, "size=64K"); /* stays in the cache next to the processor */
        if (ring && s->size > 65536)
                add(out, "size=%zuK", s->size * 4 / 1024);
        if (pipe && s->producers == 1)
                add(out, "writers=1");
        if (stream && s->size > 1 << 20)
                add(out, "max=%zuM", s->size >> 20);
        if (strcmp(scheme, "unix+seqpacket") == 0 || strcmp(scheme, "unix+dgram") == 0)
                add(out, "buffer=%ldK", buffer_most(4096));
        if (strcmp(scheme, "udp") == 0)
                add(out, "buffer=%ldK", buffer_most(16384));
        if (strcmp(scheme, "mq") == 0)
                add(out, "size=%zu", s->size);
        if (strcmp(scheme, "log") == 0 && s->producers == 1)
                add(out, "writers=1");
        if (!ring && !one_way && s->wait == BENCH_SLEEPING && s->place != BENCH_SAME_CORE)
                add(out, "spin=50us");
}

static const struct {
        const char *scheme, *shown;
        const struct bench_way *way, *loop;
} raws[] = {
        { "pipe", "write, read", &raw_pipe, NULL },
        { "fifo", "write, read", &raw_fifo, NULL },
        { "unix", "send, recv of a known size", &raw_stream, NULL },
        { "unix+seqpacket", "send, recv", &raw_seqpacket, &raw_seqpacket_epoll },
        { "unix+dgram", "send, recv", &raw_dgram, NULL },
        { "tcp", "send, recv of a known size, TCP_NODELAY", &raw_tcp, NULL },
        { "udp", "send, recv", &raw_udp, NULL },
        { "mq", "mq_send, mq_receive", &raw_mq, NULL },
        { "mq+sysv", "msgsnd, msgrcv", &raw_queue, NULL },
        { "file", "fcntl, stat, write; read, inotify", &raw_file, NULL },
};

/* ---- jobs ------------------------------------------------------------------------------------------------------------------------------------ */

static int put(struct bench_jobs *g, const struct bench_job *job)
{
        if (g->n == g->room) {
                size_t room = g->room ? 2 * g->room : 32;
                struct bench_job *more = reallocarray(g->job, room, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                g->job = more;
                g->room = room;
        }
        g->job[g->n++] = *job;
        return 0;
}

static struct bench_job job_of(const struct situation *s, const char *mechanism, enum bench_party party, const struct bench_way *way)
{
        struct bench_job job = { .way = way, .cell = bench_cell_empty() };

        job.cell.party = party;
        job.cell.shape = s->shape;
        job.cell.wait = s->wait;
        job.cell.place = way->threads ? BENCH_FREE : s->place;
        job.cell.producers = s->producers;
        job.cell.consumers = s->consumers;
        job.cell.broadcast = s->to_all;
        job.cell.size = s->size;
        job.cell.rate = s->shape == BENCH_RATE ? s->rate : 0;
        (void)snprintf(job.cell.mechanism, sizeof(job.cell.mechanism), "%s", mechanism);
        return job;
}

static int put_ours(struct bench_jobs *g, const struct subject *subject, const struct situation *s, int tuned)
{
        const struct ipw_mechanism *m = subject->mechanism;
        struct bench_job job = job_of(s, m->scheme, tuned || *subject->options ? BENCH_TUNED : BENCH_DEFAULT, &ours);
        char options[128];

        (void)snprintf(options, sizeof(options), "%s", subject->options);
        if (tuned)
                tune(options, m->scheme, s);
        if (tuned && s->shape == BENCH_ONE_WAY && s->size <= BATCH_BYTES)
                job.cell.batch = BATCH;
        if (tuned && !*options && job.cell.batch == 1)
                return 0; /* nothing to tune */
        make_address(job.address, m, s, options);
        make_shown(job.cell.address, m, options);
        return put(g, &job);
}

static int put_raw(struct bench_jobs *g, const char *scheme, const struct situation *s)
{
        for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++) {
                const struct bench_way *way = s->wait == BENCH_LOOP ? raws[i].loop : raws[i].way;
                struct bench_job job;

                if (!way || strcmp(raws[i].scheme, scheme) != 0 || !is_pair(s) || (way->most && s->size > way->most))
                        continue;
                job = job_of(s, scheme, BENCH_RAW, way);
                (void)snprintf(job.cell.address, sizeof(job.cell.address), "%s", raws[i].shown);
                return put(g, &job);
        }
        return 0;
}

/* Of one that is not there it is said once. */
static int put_peers(struct bench_jobs *g, const struct situation *s, int first)
{
        size_t n;
        const struct bench_peer *peer = bench_peers(&n);

        for (; n--; peer++) {
                for (const struct bench_offer *o = peer->module ? peer->module->offers : NULL; o && o->way; o++) {
                        const struct bench_way *way = o->way;
                        struct bench_job job = job_of(s, o->mechanism, BENCH_PEER, way);

                        if ((way->pair_only && !is_pair(s)) || s->to_all || (way->most && s->size != way->most) ||
                            (way->no_loop && s->wait == BENCH_LOOP) || (way->no_poll && s->wait == BENCH_POLLING) ||
                            (way->no_sleep && s->wait == BENCH_SLEEPING && s->shape != BENCH_ONE_WAY) ||
                            (way->threads && s->place == BENCH_SAME_CORE))
                                continue;
                        (void)snprintf(job.cell.address, sizeof(job.cell.address), "%s", o->what);
                        job.text = peer->module->text;
                        job.last = peer->module->last;
                        if (put(g, &job) < 0)
                                return -ENOMEM;
                }
                if (!peer->module && first) {
                        struct bench_job job = job_of(s, "", BENCH_PEER, &ours);

                        (void)snprintf(job.cell.mechanism, sizeof(job.cell.mechanism), "%s", "unix");
                        (void)snprintf(job.cell.address, sizeof(job.cell.address), "%s", peer->library);
                        memcpy(job.cell.verdict, peer->why, sizeof(job.cell.verdict));
                        if (put(g, &job) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

static struct bench_jobs *new_group(struct bench_groups *all)
{
        struct bench_jobs *more = reallocarray(all->group, all->n + 1, sizeof(*more));

        if (!more)
                return NULL;
        all->group = more;
        all->group[all->n] = (struct bench_jobs){ .reference = -1 };
        return &all->group[all->n++];
}

/* Nobody sees a reference that was not asked for, or for the second time. */
static int put_reference(const struct bench_groups *all, struct bench_jobs *g, const struct situation *s, int shown)
{
        const int polling = s->wait == BENCH_POLLING && s->place != BENCH_SAME_CORE;
        struct situation bare = { BENCH_PING_PONG, s->wait == BENCH_POLLING ? BENCH_POLLING : BENCH_SLEEPING, s->place, 64, 1, 1, 0, 0 };
        struct bench_job job = job_of(&bare, shown ? "shm" : "", BENCH_LIMIT, polling ? &bench_handover : &bench_futex);

        (void)snprintf(job.cell.address, sizeof(job.cell.address), "%s",
                       polling ? "64 bytes and a flag in shared memory" : "64 bytes, a flag, futex");
        for (const struct bench_jobs *other = all->group; other < all->group + all->n; other++)
                if (other->reference >= 0 && other->job[other->reference].cell.wait == bare.wait &&
                    other->job[other->reference].cell.place == bare.place)
                        *job.cell.mechanism = 0;
        g->reference = (int)g->n;
        return put(g, &job);
}

/* Of small messages it is not the bytes that cost. */
static int put_copy(struct bench_jobs *g, const struct situation *s)
{
        struct bench_job job = job_of(s, "shm", BENCH_LIMIT, &bench_copy);

        if (s->shape != BENCH_ONE_WAY || s->size < COPIED_FROM || !is_pair(s) || s->wait == BENCH_LOOP || s->place == BENCH_SAME_CORE)
                return 0;
        (void)snprintf(job.cell.address, sizeof(job.cell.address), "memcpy into shared memory and out of it, always polling");
        return put(g, &job);
}

static int put_situation(struct bench_groups *all, const struct bench_wish *w, const struct subject *subjects, size_t n,
                         const struct situation *s)
{
        struct bench_jobs *g = NULL;

        for (size_t i = 0; i < n; i++) {
                const struct ipw_mechanism *m = subjects[i].mechanism;

                if (g && g->n >= GROUP_MOST) {
                        if (put_reference(all, g, s, w->limits) < 0)
                                return -ENOMEM;
                        g = NULL;
                }
                if (!g)
                        g = new_group(all);
                if (!g || put_ours(g, &subjects[i], s, 0) < 0 || (!*subjects[i].options && put_ours(g, &subjects[i], s, 1) < 0) ||
                    (w->raw && put_raw(g, m->scheme, s) < 0))
                        return -ENOMEM;
        }
        if (g && w->peers && put_peers(g, s, all->n == 1) < 0)
                return -ENOMEM;
        if (g && w->limits && put_copy(g, s) < 0)
                return -ENOMEM;
        return g && put_reference(all, g, s, w->limits) < 0 ? -ENOMEM : 0;
}

/* ---- situations ------------------------------------------------------------------------------------------------------------------------------ */

struct situations {
        struct situation s[512];
        size_t n;
};

static void situation(struct situations *all, struct situation s)
{
        if (all->n < sizeof(all->s) / sizeof(all->s[0]))
                all->s[all->n++] = s;
}

/* A core for each side, where there are two. */
static enum bench_place usual_place(void)
{
        int cpus[2];

        return bench_place_find(BENCH_OTHER_CORE, cpus) == 0 ? BENCH_OTHER_CORE : BENCH_FREE;
}

static void usual_situations(struct situations *all, int quick)
{
        static const size_t sizes[] = { 8, 64, 1024, 8192, 65536, 1 << 20, 4 << 20 };
        const enum bench_place place = usual_place();
        struct situation s = { BENCH_PING_PONG, BENCH_SLEEPING, place, 64, 1, 1, 0, USUAL_RATE };

        situation(all, s);
        if (!quick) {
                s.wait = BENCH_POLLING, situation(all, s);
                s.wait = BENCH_LOOP, situation(all, s);
                s.wait = BENCH_SLEEPING;
                s.place = BENCH_SAME_CORE, situation(all, s);
                s.place = BENCH_OTHER_SOCKET, situation(all, s);
                s.place = place;
                s.size = 1024, situation(all, s);
                s.size = 65536, situation(all, s);
                s.size = 64;
        }
        s.shape = BENCH_RATE, situation(all, s);
        if (!quick)
                s.wait = BENCH_LOOP, situation(all, s);
        s.wait = BENCH_SLEEPING;
        s.shape = BENCH_ONE_WAY;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                s.size = sizes[i];
                if (!quick || s.size == 64 || s.size == 65536)
                        situation(all, s);
        }
        if (quick)
                return;
        s.size = 64;
        s.place = BENCH_FREE;
        s.producers = MANY, situation(all, s);
        s.consumers = MANY, situation(all, s);
        s.producers = 1, situation(all, s);
        s.to_all = 1, situation(all, s);
}

/* A list of words. */
static int read_words(const char *option, const char *list, const char *const *words, unsigned known, int *out, unsigned *n)
{
        char text[200], *rest = text, *word;

        (void)snprintf(text, sizeof(text), "%s", list);
        *n = 0;
        while ((word = strsep(&rest, ","))) {
                unsigned k = 0;

                while (k < known && strcmp(words[k], word) != 0)
                        k++;
                if (k == known || *n == 16) {
                        char all[200] = "";

                        for (unsigned i = 0; i < known; i++)
                                (void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", words[i]);
                        say_error("--%s: '%.40s' is none; there are %s", option, word, all);
                        return -EINVAL;
                }
                out[(*n)++] = (int)k;
        }
        return 0;
}

static int read_sizes(const char *list, size_t *out, unsigned *n)
{
        char text[200], *rest = text, *word;
        int64_t size;

        (void)snprintf(text, sizeof(text), "%s", list);
        *n = 0;
        while ((word = strsep(&rest, ","))) {
                if (*n == 16 || number_read(word, &size) < 0 || size < 8 || size > 4 << 20) {
                        say_error("--size: '%.40s' must be 8 to 4M bytes, up to 16 sizes with commas between them: 64,4K,1M", word);
                        return -EINVAL;
                }
                out[(*n)++] = (size_t)size;
        }
        return 0;
}

static int asked_situations(struct situations *all, const struct bench_wish *w)
{
        int shapes[16] = { BENCH_PING_PONG, BENCH_RATE, BENCH_ONE_WAY }, waits[16] = { BENCH_SLEEPING },
            places[16] = { (int)usual_place() };
        unsigned n_shapes = 3, n_waits = 1, n_places = 1, n_sizes = 1;
        int several = w->senders > 1 || w->receivers > 1 || w->to_all;
        size_t sizes[16] = { 64 };

        if (several)
                shapes[0] = BENCH_ONE_WAY, n_shapes = 1, places[0] = BENCH_FREE;
        if ((w->shapes && read_words("shape", w->shapes, bench_shape_names, BENCH_SHAPES, shapes, &n_shapes) < 0) ||
            (w->waits && read_words("wait", w->waits, bench_wait_names, BENCH_WAITS, waits, &n_waits) < 0) ||
            (w->places && read_words("place", w->places, bench_place_names, BENCH_PLACES, places, &n_places) < 0) ||
            (w->sizes && read_sizes(w->sizes, sizes, &n_sizes) < 0))
                return WRONG_USAGE;
        for (unsigned a = 0; a < n_shapes; a++) {
                if (several && shapes[a] == BENCH_PING_PONG) {
                        say_error("--shape ping-pong: is between two, and not with --senders, --receivers or --to-all");
                        return WRONG_USAGE;
                }
                for (unsigned b = 0; b < n_waits; b++)
                        for (unsigned c = 0; c < n_places; c++)
                                for (unsigned d = 0; d < n_sizes; d++)
                                        situation(all, (struct situation){ (enum bench_shape)shapes[a], (enum bench_wait)waits[b],
                                                                           (enum bench_place)places[c], sizes[d],
                                                                           w->senders ? (unsigned)w->senders : 1,
                                                                           w->receivers ? (unsigned)w->receivers : 1, w->to_all,
                                                                           w->rate ? (double)w->rate : USUAL_RATE });
        }
        return DONE;
}

/* ---- which ways ------------------------------------------------------------------------------------------------------------------------------ */

static int carries_messages(const struct ipw_mechanism *m)
{
        return m->roles && !m->gate && !m->events && *m->sample && strcmp(m->scheme, "fd") != 0;
}

/* Of an address the mechanism and the options count: names are ours. */
static int read_subject(struct subject *s, const char *word)
{
        size_t length = strcspn(word, ":");
        const char *options = strchr(word, '?');
        struct nearest nearest = { .word = word };
        struct ipw_address *parsed;
        char address[256];
        struct ipw_why why;

        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m)) {
                nearest_try(&nearest, m->scheme);
                if (strlen(m->scheme) != length || memcmp(m->scheme, word, length) != 0)
                        continue;
                if (!carries_messages(m)) {
                        say_error("%s: carries no messages that could be measured; see: ipcway mechanisms", m->scheme);
                        return WRONG_USAGE;
                }
                s->mechanism = m;
                (void)snprintf(s->options, sizeof(s->options), "%s", options ? options + 1 : "");
                (void)snprintf(address, sizeof(address), "%s%s%.128s",
                               strstr(m->sample, "{port}")                               ? "tcp:127.0.0.1:1"
                               : strstr(m->sample, "{key}") && strstr(m->sample, "sysv") ? "mq+sysv:0x1"
                                                                                         : m->sample,
                               *s->options ? "?" : "", s->options);
                if (strstr(m->sample, "{port}"))
                        memcpy(address, m->scheme, 3);
                else if (strncmp(address, "mq+sysv:", 8) == 0)
                        (void)snprintf(address, sizeof(address), "%s:0x1%s%.128s", m->scheme, *s->options ? "?" : "", s->options);
                if (ipw_address_parse(&parsed, address, &why) < 0) {
                        say_error("%s", why.text);
                        return WRONG_USAGE;
                }
                ipw_address_free(parsed);
                return DONE;
        }
        say_error("\"%s\" begins with no mechanism%s%s%s; see: ipcway mechanisms", word, nearest.best ? "; did you mean " : "",
                  nearest.best ? nearest.best : "", nearest.best ? ":?" : "");
        return WRONG_USAGE;
}

int bench_jobs_make(struct bench_groups *all, const struct bench_wish *w)
{
        struct situations *situations = calloc(1, sizeof(*situations));
        int asked = w->sizes || w->shapes || w->waits || w->places || w->rate || w->senders || w->receivers || w->to_all;
        struct subject subjects[32];
        size_t n = 0;
        int r = DONE;

        *all = (struct bench_groups){ .whole = !asked && !w->address_count && !w->rounds };
        for (; r == DONE && n < (size_t)w->address_count && n < 32; n++)
                r = read_subject(&subjects[n], w->addresses[n]);
        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); !w->address_count && n < 32 && m; m = ipw_mechanism_next(m))
                if (carries_messages(m))
                        subjects[n++] = (struct subject){ .mechanism = m };
        if (r == DONE && situations && asked)
                r = asked_situations(situations, w);
        else if (r == DONE && situations)
                usual_situations(situations, w->quick);
        for (size_t i = 0; r == DONE && situations && i < situations->n; i++)
                if (put_situation(all, w, subjects, n, &situations->s[i]) < 0)
                        r = FAILED;
        if (!situations || r == FAILED) {
                say_error("no memory");
                r = FAILED;
        }
        free(situations);
        return r;
}

void bench_jobs_free(struct bench_groups *all)
{
        for (size_t g = 0; g < all->n; g++) {
                for (size_t i = 0; i < all->group[g].n; i++)
                        free(all->group[g].job[i].cell.latencies);
                free(all->group[g].job);
        }
        free(all->group);
}

struct bench_plan bench_jobs_plan(const struct bench_wish *w)
{
        struct bench_plan plan = { .rounds = w->quick ? 5 : 11, .ms = w->quick ? 3 : 10, .rate_ms = w->quick ? 20 : 50 };

        if (w->rounds)
                plan.rounds = (unsigned)w->rounds;
        return plan;
}

double bench_jobs_cost(const struct bench_job *job, const struct bench_plan *plan)
{
        double turn = job->cell.shape == BENCH_RATE ? plan->rate_ms : plan->ms;

        return (turn * (plan->rounds + 2) + 15) / 1e3;
}
