/* SPDX-License-Identifier: MIT */
/*
 * ipcway serve, ipcway accept: programs that know nothing of ipcway as servers. Each conversation on a listening address is joined to a program
 * of its own: what comes is its stdin, what it prints goes back.
 *
 * All conversations run on one thread, over two flows each. A conversation ends in order: if the peer ends it, what it had sent still reaches the
 * program, then the program's stdin ends; what it still prints is for nobody. If the program ends, what it printed is delivered and the conversation closed; that
 * it closed its stdout is not enough, for it may be reading still. The slot is free once both are over, so that programs that ignore the end of
 * their stdin cannot pile up beyond --max.
 *
 * While all slots are taken nobody new is accepted: who dials waits in the kernel's queue.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "converse.h"
#include "flow.h"
#include "number.h"
#include "program.h"
#include "say.h"
#include "stop.h"
#include "talk.h"
#include "trace.h"

enum { IN, OUT };
static const int64_t retry = 100000000;     /* ns until somebody is accepted again after that failed, for want of descriptors mostly */
static const int64_t patience = 2000000000; /* ns that programs have to end after a signal */

static struct {
        int trace;
        int64_t max, count, timeout;
        struct list options;
        struct converse converse;
} set = { .max = 64, .count = -1, .timeout = IPW_FOREVER, .converse = { .linger = 1000000000, .until = IPW_FOREVER } };

#define COMMON_SETTINGS                                                                                                      \
        { SETTING_WORD,                                                                                                      \
          0,                                                                                                                 \
          "format",                                                                                                          \
          CONVERSE_FORMATS,                                                                                                  \
          &set.converse.format,                                                                                              \
          "how messages are parted for the program: lines (standard), as the bytes come (raw), ..." },                       \
                { SETTING_LIST, 'O',          "O",                                                                           \
                  "KEY=VALUE",  &set.options, "an option of the address, as ?key=value does; see: ipcway mechanisms NAME" }, \
        {                                                                                                                    \
                SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call on stderr, and what it is for"           \
        }

static const struct setting serve_settings[] = {
        { SETTING_NUMBER, 0, "max", "N", &set.max, "at most N conversations at a time; more have to wait (standard: 64)" },
        { SETTING_NUMBER, 'n', "count", "N", &set.count, "end after N conversations" },
        COMMON_SETTINGS,
        { 0 },
};
static const struct setting accept_settings[] = {
        { SETTING_TIME, 0, "linger", "T", &set.converse.linger,
          "without CMD, after the end of stdin: end when nothing has come for T (standard: 1s)" },
        { SETTING_TIME, 't', "timeout", "T", &set.timeout, "somebody must have dialled in T (500ms, 3s), else status 124" },
        COMMON_SETTINGS,
        { 0 },
};

struct guest {
        uint64_t number;       /* 0: a free slot */
        struct ipw_link *link; /* NULL: the conversation is over, the program has not ended yet */
        struct program program;
        struct flow flow[2];
        int deserted; /* the peer left while the program was still printing */
};

struct host {
        const char *who; /* "serve", "accept" */
        int quiet;       /* do not say how programs ended: it is our own status */
        struct talk talk;
        struct pollfd door;
        struct guest *guest;
        size_t room, present;
        char **argv;
        uint64_t accepted;
        int64_t retry_at;
        int status; /* of the last program that has ended */
};

/* Our own failures, as those who run another program say them. */
static int ours(int status)
{
        return status == FAILED || status == WRONG_USAGE ? OURS_FAILED : status;
}

/* ---- one conversation -------------------------------------------------------------------------------------------------------------- */

static void report_flow(const struct host *h, const struct guest *g, struct flow *f)
{
        unsigned lost = flow_close(f);

        if (f->end == FLOW_FAILED)
                say_error("%s: conversation %llu: %s", h->who, (unsigned long long)g->number, f->why.text);
        else if (lost && f == &g->flow[OUT])
                say_note("%s: conversation %llu: the peer has gone before all was delivered", h->who, (unsigned long long)g->number);
        f->end = FLOW_SOURCE_ENDED;
}

static void hang_up(struct host *h, struct guest *g)
{
        report_flow(h, g, &g->flow[IN]);
        report_flow(h, g, &g->flow[OUT]);
        (void)ipw_close(g->link);
        g->link = NULL;
        program_close_to(&g->program);
        program_close_from(&g->program);
}

/* The program has ended. */
static void take_leave(struct host *h, struct guest *g)
{
        h->status = program_wait(&g->program);
        if (h->quiet || (g->deserted && h->status == 128 + SIGPIPE))
                return; /* who prints for nobody has done nothing wrong */
        if (h->status > 128)
                say_error("%s: conversation %llu: %s was killed by signal %d", h->who, (unsigned long long)g->number, h->argv[0],
                          h->status - 128);
        else if (h->status)
                say_error("%s: conversation %llu: %s ended with status %d", h->who, (unsigned long long)g->number, h->argv[0], h->status);
}

static int is_over(const struct flow *f)
{
        return f->end != FLOW_GOES_ON;
}

static void turn(struct host *h, struct guest *g)
{
        struct pollfd ended = { .fd = g->program.ended, .events = POLLIN };

        if (g->program.pid && poll(&ended, 1, 0) == 1)
                take_leave(h, g);
        if (g->link) {
                flow_turn(&g->flow[IN]);
                flow_turn(&g->flow[OUT]);
                if (is_over(&g->flow[IN]))
                        program_close_to(&g->program); /* it sees the end, and may still answer */
                if (is_over(&g->flow[OUT]))
                        program_close_from(&g->program);
                g->deserted |= g->flow[OUT].end == FLOW_SINK_GONE;
                if (is_over(&g->flow[OUT]) && (is_over(&g->flow[IN]) || !g->program.pid))
                        hang_up(h, g);
        }
        if (!g->link && !g->program.pid) {
                g->number = 0;
                h->present--;
        }
}

static int welcome(struct host *h, struct guest *g, struct ipw_link *link)
{
        int r;

        *g = (struct guest){ .number = h->accepted, .link = link };
        r = program_start(&g->program, h->argv, h->who);
        if (r != DONE) {
                (void)ipw_close(link);
                g->number = 0;
                return r;
        }
        g->flow[IN] = (struct flow){ .from = link, .out = g->program.to, .format = converse_output(set.converse.format) };
        g->flow[OUT] = (struct flow){ .to = link, .input = { .fd = g->program.from, .format = converse_input(set.converse.format) } };
        g->flow[OUT].input.most = ipw_link_caps(link)->max_msg;
        g->flow[IN].from_name = g->flow[OUT].to_name = h->talk.target->text;
        g->flow[IN].to_name = g->flow[OUT].from_name = h->argv[0];
        h->present++;
        if (flow_open(&g->flow[IN]) < 0 || flow_open(&g->flow[OUT]) < 0) {
                say_error("%s: out of memory: conversation %llu is closed", h->who, (unsigned long long)g->number);
                hang_up(h, g);
        }
        return DONE;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------- */

static int is_full(const struct host *h)
{
        return h->present == h->room || (set.count > 0 && h->accepted == (uint64_t)set.count);
}

static struct guest *free_slot(struct host *h)
{
        for (size_t i = 0; i < h->room; i++)
                if (!h->guest[i].number)
                        return &h->guest[i];
        return NULL;
}

/* Takes in who waits. A program that cannot be run at all ends the server: it would fail for everybody. */
static int let_in(struct host *h)
{
        while (!is_full(h) && (!h->retry_at || now() >= h->retry_at)) {
                struct ipw_link *link;
                int r = ipw_accept(h->talk.link, &link, 0);

                h->retry_at = 0;
                if (r == -EAGAIN)
                        return DONE;
                if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS) {
                        say_note("%s: nobody can be accepted at the moment: %s", h->who, strerror(-r));
                        h->retry_at = now() + retry;
                        return DONE;
                }
                if (r < 0)
                        return ours(say_link(h->talk.link));
                h->accepted++;
                r = welcome(h, free_slot(h), link);
                if (r == OURS_FAILED) {
                        h->retry_at = now() + retry;
                        return DONE;
                }
                if (r != DONE)
                        return r;
        }
        return DONE;
}

/* Until anything happens. 1, -ECANCELED, -errno. */
static int sleep_on(const struct host *h, int64_t time)
{
        struct pollfd *p = malloc((h->room * 5 + 1) * sizeof(*p));
        size_t n = 0;
        int r;

        if (!p)
                return -ENOMEM;
        if (!is_full(h) && !h->retry_at)
                p[n++] = h->door;
        if (h->retry_at && (time == IPW_FOREVER || time > retry))
                time = retry;
        for (size_t i = 0; i < h->room; i++) {
                const struct guest *g = &h->guest[i];

                if (!g->number)
                        continue;
                if (g->link) {
                        n += flow_poll(&g->flow[IN], p + n, &time);
                        n += flow_poll(&g->flow[OUT], p + n, &time);
                }
                if (g->program.pid)
                        p[n++] = (struct pollfd){ .fd = g->program.ended, .events = POLLIN };
        }
        r = stop_poll_all(p, n, time);
        free(p);
        return r;
}

static int host_run(struct host *h)
{
        for (;;) {
                int status, r;

                for (size_t i = 0; i < h->room; i++)
                        if (h->guest[i].number)
                                turn(h, &h->guest[i]);
                if (set.count > 0 && h->accepted >= (uint64_t)set.count && h->present == 0)
                        return DONE;
                status = let_in(h);
                if (status != DONE)
                        return status;
                r = sleep_on(h, IPW_FOREVER);
                if (r == -ECANCELED)
                        return FAILED;
                if (r < 0) {
                        say_error("%s: cannot wait: %s", h->who, strerror(-r));
                        return OURS_FAILED;
                }
        }
}

/* After a signal or a failure: each program sees the end of its stdin, gets SIGTERM, and, if it does not end, SIGKILL. */
static void send_all_home(struct host *h)
{
        int64_t until = now() + patience;

        for (size_t i = 0; i < h->room; i++)
                if (h->guest[i].number) {
                        if (h->guest[i].link)
                                hang_up(h, &h->guest[i]);
                        if (h->guest[i].program.pid)
                                (void)kill(h->guest[i].program.pid, SIGTERM);
                }
        for (size_t i = 0; i < h->room; i++) {
                struct guest *g = &h->guest[i];
                struct pollfd ended = { .fd = g->program.ended, .events = POLLIN };
                int64_t left = until - now();

                if (!g->number || !g->program.pid)
                        continue;
                if (poll(&ended, 1, left > 0 ? (int)(left / 1000000) : 0) != 1)
                        (void)kill(g->program.pid, SIGKILL);
                take_leave(h, g);
        }
}

static int open_door(struct host *h, struct target *target, const struct arguments *a)
{
        int status = target_read(target, a->word[0], &set.options, NULL);

        if (status != DONE)
                return ours(status);
        if (!target_has_sides(target)) {
                say_error("%s: %s has no conversations that could be accepted; see: ipcway describe '%s'", h->who,
                          target->mechanism->scheme, target->text);
                return OURS_FAILED;
        }
        if (set.trace)
                trace_start();
        status = talk_open(&h->talk, target, IPW_PAIR | IPW_LISTEN, 0);
        if (status != DONE)
                return status == TIMED_OUT ? OURS_FAILED : ours(status);
        stop_note();
        if (ipw_pollfd(h->talk.link, IPW_RECV, &h->door) < 0)
                return ours(talk_close(&h->talk, say_link(h->talk.link)));
        return DONE;
}

static int serve_at(struct host *h)
{
        int status;

        h->guest = calloc(h->room, sizeof(*h->guest));
        if (!h->guest) {
                say_error("%s: out of memory", h->who);
                return OURS_FAILED;
        }
        status = host_run(h);
        send_all_home(h);
        free(h->guest);
        return status;
}

static int run_serve(const struct arguments *a)
{
        struct host h = { .who = "serve", .argv = a->rest };
        struct target target;
        int status;

        if (a->count != 1 || a->rest_count == 0) {
                say_error("serve: needs ADDR -- CMD [ARG...]; see: ipcway help serve");
                return OURS_FAILED;
        }
        if (set.max < 1 || set.max > 65536 || set.count == 0 || set.count < -1) {
                say_error("serve: --max must be 1 to 65536, and -n 1 or more");
                return OURS_FAILED;
        }
        h.room = (size_t)set.max;
        status = open_door(&h, &target, a);
        return status == DONE ? talk_close(&h.talk, serve_at(&h)) : status;
}

/* Waits for one peer, and takes no other. */
static int accept_one(struct host *h, struct ipw_link **link)
{
        int r;

        while ((r = ipw_accept(h->talk.link, link, 0)) == -EAGAIN) {
                r = stop_poll_all(&h->door, 1, talk_left(&h->talk));
                if (r == 0) {
                        say_error("accept: nobody dialled %s in the time given", h->talk.target->text);
                        return TIMED_OUT;
                }
                if (r == -ECANCELED)
                        return FAILED;
        }
        return r < 0 ? ours(say_link(h->talk.link)) : DONE;
}

static int run_accept(const struct arguments *a)
{
        struct host h = { .who = "accept", .quiet = 1, .argv = a->rest, .room = 1 };
        struct ipw_link *link = NULL;
        struct target target;
        int status;

        if (a->count != 1 || (a->dashes && a->rest_count == 0)) {
                say_error("accept: needs ADDR, or ADDR -- CMD [ARG...]; see: ipcway help accept");
                return OURS_FAILED;
        }
        status = open_door(&h, &target, a);
        if (status != DONE)
                return status;
        h.talk.until = set.timeout == IPW_FOREVER ? IPW_FOREVER : now() + set.timeout;
        status = accept_one(&h, &link);
        if (status == DONE) {
                (void)ipw_close(h.talk.link); /* nobody else is let in */
                h.talk.link = NULL;
        }
        if (status == DONE && !a->rest_count) {
                h.talk.link = link;
                return talk_close(&h.talk, converse(link, target.text, &set.converse));
        }
        if (status == DONE) {
                set.count = h.accepted = 1;
                h.guest = calloc(1, sizeof(*h.guest));
                status = h.guest ? welcome(&h, h.guest, link) : OURS_FAILED;
                if (status == DONE) {
                        status = host_run(&h);
                        send_all_home(&h);
                        status = status == DONE ? h.status : status;
                }
                free(h.guest);
        }
        return talk_close(&h.talk, status);
}

const struct command command_serve = {
        .name = "serve",
        .group = "Talk",
        .arguments = "ADDR -- CMD [ARG...]",
        .summary = "a program for each conversation on a listening address",
        .text = "Each message of a conversation is a line of the stdin of its own CMD, and each line that CMD prints is a message back (--format raw: the\n"
                "bytes as they are). When the peer ends, CMD's stdin ends; when CMD ends, the conversation does. A status of CMD that is not 0 is said on\n"
                "stderr. Goes on until Ctrl-C, which also ends what is running, or for -n conversations.\n"
                "\n"
                "  ipcway serve unix+seqpacket:/tmp/upper -- sed -u 's/.*/\\U&/'\n"
                "  ipcway serve unix+seqpacket:/tmp/sh --max 4 --format raw -- sh -c 'cat > /tmp/upload.$$'\n",
        .settings = serve_settings,
        .run = run_serve,
        .wrapper = "",
};

const struct command command_accept = {
        .name = "accept",
        .group = "Talk",
        .arguments = "ADDR [-- CMD [ARG...]]",
        .summary = "one conversation on a listening address",
        .text = "Waits until somebody dials, takes no other, and joins the conversation to CMD as `ipcway serve` does, or without CMD to stdin and stdout as\n"
                "`ipcway pair` does.\n"
                "\n"
                "Status: that of CMD, 128+N if signal N killed it; 125 ipcway itself failed, 126 CMD cannot be run, 127 it is not there.\n"
                "\n"
                "  ipcway accept unix+seqpacket:/tmp/in --timeout 10s\n"
                "  ipcway accept unix+seqpacket:/tmp/calc -- bc\n",
        .settings = accept_settings,
        .run = run_accept,
        .wrapper = "",
};
