/* SPDX-License-Identifier: MIT */
/*
 * The ways that there are, for `ipcway advise`: each mechanism that carries messages, or is waited at, or is memory, with what the contract says it can do here at most, and
 * beside it the little that the contract does not say.
 *
 * The figures are rules of thumb: raw system calls, used well, on one machine, rounded to 1, 1.5, 2, 3, 5 and their tens; a pipe's message of 64 bytes is 1, and is taken for
 * 300 ns. They are good for "ten times dearer" and for nothing finer. ipcway-advise(1) shows this table.
 */
#include <stdio.h>
#include <string.h>

#include "advise.h"

static const struct advise_facts facts[] = {
        { "pipe", .rest = "", .most = "max=1G", .plain = "standard output and input", .pairs = true, .shell = true, .one = 1,
          .many_at_once = 0.05, .kib = 3, .polling = 1 },
        { "fifo", .rest = "{dir}/{name}", .most = "max=1G", .plain = "echo, cat, read", .shell = true, .one = 1.5, .many_at_once = 0.05,
          .kib = 3, .polling = 1 },
        { "mq", .rest = "/{name}", .plain = "mq_send(3)", .limit = "fs.mqueue.msgsize_max", .one = 3, .many_at_once = 3, .kib = 1,
          .polling = 3 },
        { "mq+sysv", .rest = "{key}", .plain = "msgsnd(2)", .limit = "kernel.msgmax", .number = true, .thread = true, .one = 3,
          .many_at_once = 3, .kib = 5, .polling = 3 },
        { "unix", .rest = "{dir}/{name}", .most = "max=1G", .plain = "connect(2), nc, socat", .tool = true, .pairs = true, .one = 5,
          .many_at_once = 0.05, .kib = 0.5, .polling = 5 },
        { "unix+seqpacket", .rest = "{dir}/{name}", .plain = "connect(2), socat", .limit = "net.core.wmem_max", .pairs = true, .one = 3,
          .many_at_once = 2, .kib = 0.5, .polling = 3 },
        { "unix+dgram", .rest = "{dir}/{name}", .plain = "sendto(2), socat", .limit = "net.core.wmem_max", .one = 3, .many_at_once = 2,
          .kib = 0.5, .polling = 3 },
        { "tcp", .rest = "127.0.0.1:7000", .many = "192.0.2.1:7000", .most = "max=1G", .plain = "connect(2), nc", .tool = true, .one = 15,
          .many_at_once = 0.1, .kib = 1, .polling = 10 },
        { "udp", .rest = "127.0.0.1:7000", .many = "192.0.2.1:7000", .all = "239.1.2.3:7000", .plain = "sendto(2), nc -u", .tool = true,
          .one = 10, .many_at_once = 5, .kib = 0.5, .polling = 5 },
        { "file", .rest = "{dir}/{name}", .most = "max=1G", .plain = "echo, tail -f, cat", .shell = true, .lines = true, .one = 20,
          .many_at_once = 1, .kib = 1.5, .polling = 10 },
        { "log", .rest = "{dir}/{name}", .most = "max=1G", .one = 5, .many_at_once = 0.5, .kib = 2, .polling = 10 },
        { "shm", .rest = "/{name}", .most = "size=4G", .one = 0.1, .many_at_once = 0.05, .kib = 0.1, .polling = 0.15 },
        { "shm+file", .rest = "{dir}/{name}", .like = "shm", .most = "size=4G", .written = true, .one = 0.1, .many_at_once = 0.05,
          .kib = 0.1, .polling = 0.15 },
        { "shm+sysv", .rest = "{key}", .like = "shm", .most = "size=4G", .number = true, .one_user = true, .one = 0.1, .many_at_once = 0.05,
          .kib = 0.1, .polling = 0.15 },
        { "shm+anon", .rest = "", .like = "shm", .most = "size=4G", .pairs = true, .one = 0.1, .many_at_once = 0.05, .kib = 0.1,
          .polling = 0.15 },
        /* turns: what it costs to take one and give it back when nobody else wants it */
        { "sem", .what = FOR_TURNS, .rest = "/{name}", .plain = "sem_open(3)", .one = 0.1 },
        { "sem+sysv", .what = FOR_TURNS, .rest = "{key}", .called = "sem+sysv?undo=1", .with = "undo=1", .plain = "semop(2) with SEM_UNDO",
          .number = true, .one = 2 },
        { "sem+sysv", .what = FOR_TURNS, .rest = "{key}", .plain = "semop(2)", .number = true, .one = 2 },
        { "sem+shm", .what = FOR_TURNS, .rest = "/{name}", .plain = "sem_init(3) in the same memory", .inside = true, .one = 0.1 },
        { "sem+file", .what = FOR_TURNS, .rest = "{dir}/{name}", .plain = "sem_init(3) in the same file", .inside = true, .one = 0.1 },
        { "lock", .what = FOR_TURNS, .rest = "{dir}/{name}", .plain = "flock(1)", .shell = true, .one = 3 },
        { "lock", .what = FOR_TURNS, .rest = "{dir}/{name}", .called = "lock?permits=N", .with = "permits=2", .one = 5 },
        /* memory */
        { "shm", .what = FOR_MEMORY, .rest = "/{name}", .plain = "shm_open(3)", .lasts = PERSIST_PROCESS },
        { "shm+file", .what = FOR_MEMORY, .rest = "{dir}/{name}", .plain = "mmap(2)", .lasts = PERSIST_POWER, .written = true },
        { "shm+sysv", .what = FOR_MEMORY, .rest = "{key}", .plain = "shmget(2)", .lasts = PERSIST_PROCESS, .number = true },
        { "shm+anon", .what = FOR_MEMORY, .rest = "", .lasts = PERSIST_NO, .pairs = true },
};

bool advise_offers(const struct ipw_mechanism *m, const char *option, const char *word)
{
        for (size_t i = 0; i < m->option_count; i++) {
                if (strcmp(m->options[i].name, option) != 0)
                        continue;
                if (!word)
                        return true;
                for (const char *at = m->options[i].values; *at;) {
                        size_t n = strcspn(at, "|");

                        if (strlen(word) == n && memcmp(at, word, n) == 0)
                                return true;
                        at += n + (at[n] == '|');
                }
        }
        return false;
}

/* An address of that kind, good enough to be described. */
static int describe(const struct advise_facts *f, const char *options, struct ipw_caps *caps)
{
        const char *rest = strcmp(f->rest, "{key}") == 0     ? "0x1"
                           : strcmp(f->rest, "/{name}") == 0 ? "/x"
                           : f->rest[0] == '{'               ? "/x"
                                                             : f->rest;
        struct ipw_why why;
        char address[80];

        (void)snprintf(address, sizeof(address), "%s:%s%s%s", f->scheme, rest, options ? "?" : "", options ? options : "");
        return ipw_describe(address, caps, &why);
}

static bool make_way(const struct ipw_mechanism *m, const struct advise_facts *f, struct advise_way *way)
{
        struct ipw_caps caps;

        *way = (struct advise_way){ .mechanism = m, .facts = f };
        (void)snprintf(way->name, sizeof(way->name), "%s", f->called ? f->called : f->scheme);
        if (describe(f, f->with ? f->with : f->most, &way->caps) < 0)
                return false;
        way->tidy = advise_offers(m, "keep", NULL) && describe(f, "keep=0", &caps) == 0;
        return true;
}

size_t advise_ways(enum advise_what what, struct advise_way ways[ADVISE_WAYS])
{
        size_t n = 0;

        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))
                for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]) && n < ADVISE_WAYS; i++)
                        if (facts[i].what == what && strcmp(facts[i].scheme, m->scheme) == 0 && make_way(m, &facts[i], &ways[n]))
                                n++;
        return n;
}
