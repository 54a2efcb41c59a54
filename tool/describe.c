/* SPDX-License-Identifier: MIT */
/*
 * ipcway describe: what a link or a gate at an address could do at most, in numbers and in words, and which settings of this machine bound it. Opens nothing,
 * except a durable log: that is read and verified; a ring that exists is looked at from outside.
 * What does not hold is said as plainly as what does: the table is where people learn that a queue never tells them its reader has died.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "command.h"
#include "json.h"
#include "log.h"
#include "number.h"
#include "ring.h"
#include "say.h"
#include "table.h"
#include "target.h"

static struct {
        int json;
        struct list options;
} set;

static const struct setting settings[] = {
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address, as ?key=value does" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON instead of tables" },
        { 0 },
};

/* `no` is NULL where the absence is no loss that must be spelt out. */
struct fact {
        uint32_t flag;
        const char *name, *yes, *no;
};

static const struct fact facts_of_links[] = {
        { IPW_CAP_RELIABLE, "reliable", "nothing is dropped while both sides live",
          "messages may be dropped; what is known to be lost is counted" },
        { IPW_CAP_ORDERED, "ordered", "messages of one sender arrive in the order sent", "messages may overtake each other" },
        { IPW_CAP_ENDS, "ends", "when the other side goes, even by kill -9, this side is told",
          "there is no other side to miss: nobody notices that a peer died; use timeouts" },
        { IPW_CAP_SURVIVES, "survives", "unread messages outlive all processes, until a reboot",
          "unread messages are gone when the last process closes" },
        { IPW_CAP_MANY_SENDERS, "many senders", "many processes may send at once, whole messages each", "one sender" },
        { IPW_CAP_MANY_RECEIVERS, "many receivers", "many processes may receive; each message goes to one of them", "one receiver" },
        { IPW_CAP_BYTES, "bytes only", "there are no boundaries: what is sent as one message may arrive as several", NULL },
        { IPW_CAP_TYPES, "types", "a message has a type, a receiver may pick by type", "no types" },
        { IPW_CAP_IDENTITY, "identity", "the kernel says who sent a message", "who sent a message is not known for sure" },
        { IPW_CAP_ACCEPT, "accept", "one side listens, others dial it; ipw_accept() makes a conversation of each", NULL },
        { IPW_CAP_UNBOUNDED, "unbounded", "a send never waits for a receiver: what is sent stays, and the disk is the limit", NULL },
        { IPW_CAP_POLL, "pollable", "has a descriptor for poll(2) and epoll(7)", "no descriptor of its own to poll" },
        { IPW_CAP_LEND, "lends", "messages can be written and read in place", NULL },
        { IPW_CAP_TIMED_BY_POLLING, "timed by polling", "the kernel call has no timeout: finite ones look again every 20 us to 1 ms",
          NULL },
        { 0 },
};

/* Where a fact means something else. What is said to all has as many receivers as like, and a file is not memory. */
static const struct {
        const char *scheme;
        struct fact fact;
} otherwise[] = {
        { "file", { IPW_CAP_SURVIVES, .yes = "what was said stays in the file until somebody removes it" } },
        { "log", { IPW_CAP_SURVIVES, .yes = "records stay until somebody removes the log, or keep-size=, keep-age= drop them" } },
        { "file", { IPW_CAP_MANY_RECEIVERS, .no = "every receiver gets every message: none is taken away from another" } },
        { "udp", { IPW_CAP_MANY_RECEIVERS, .no = "one receiver has the port; in a multicast group every receiver gets every message" } },
};

static const char *meaning(const struct ipw_mechanism *m, const struct fact *f, int holds)
{
        for (size_t i = 0; i < sizeof(otherwise) / sizeof(otherwise[0]); i++) {
                const struct fact *other = &otherwise[i].fact;

                if (other->flag == f->flag && strcmp(otherwise[i].scheme, m->scheme) == 0 && (holds ? other->yes : other->no))
                        return holds ? other->yes : other->no;
        }
        return holds ? f->yes : f->no;
}

static const struct fact facts_of_gates[] = {
        { IPW_GATE_FREED, "freed", "what a holder held is free at once when it dies, even by kill -9",
          "a holder that dies takes its permit along; somebody must give it back by hand" },
        { IPW_GATE_SHARED, "shared", "many may hold it at once who all asked for that, or one exclusively", "no shared mode" },
        { IPW_GATE_COUNTS, "counts", "a number of permits", "one holder, or many shared ones" },
        { IPW_GATE_ANYBODY, "anybody releases", "any process may give what another took: it can tell a process to go on",
          "only who acquired it can release it" },
        { IPW_GATE_TIMED_BY_POLLING, "timed by polling", "the kernel call has no timeout: finite ones look again every 20 us to 1 ms",
          NULL },
        { 0 },
};

static const struct fact *facts_of(const struct ipw_mechanism *m)
{
        return m->gate ? facts_of_gates : facts_of_links;
}

/* Settings of the machine that bound a mechanism, by the word that its stack ends in. */
static const struct {
        const char *mechanism, *path, *meaning;
} limits[] = {
        { "pipe", "/proc/sys/fs/pipe-max-size", "largest buffer of one pipe that a user may ask for, bytes" },
        { "pipe", "/proc/sys/fs/pipe-user-pages-soft", "pages all pipes of one user may hold before new ones become small" },
        { "fifo", "/proc/sys/fs/pipe-max-size", "largest buffer of one FIFO that a user may ask for, bytes" },
        { "fifo", "/proc/sys/fs/pipe-user-pages-soft", "pages all pipes and FIFOs of one user may hold before new ones become small" },
        { "mq", "/proc/sys/fs/mqueue/msgsize_max",
          "largest message a queue may be made for without CAP_SYS_RESOURCE, bytes; root raises it: sysctl fs.mqueue.msgsize_max=N" },
        { "mq", "/proc/sys/fs/mqueue/msg_max",
          "most messages a queue may be made for without CAP_SYS_RESOURCE; root raises it: sysctl fs.mqueue.msg_max=N" },
        { "mq", "/proc/sys/fs/mqueue/queues_max", "queues on this machine" },
        { "mq", "RLIMIT_MSGQUEUE", "bytes that all queues of one user may take; ulimit -q, or limits.conf(5), raises it" },
        { "mq+sysv", "/proc/sys/kernel/msgmax", "largest message, bytes" },
        { "mq+sysv", "/proc/sys/kernel/msgmnb", "bytes a new queue holds" },
        { "mq+sysv", "/proc/sys/kernel/msgmni", "queues on this machine" },
        { "sem+sysv", "/proc/sys/kernel/sem", "semaphores in a set, in all sets, operations in one call, sets" },
        { "shm+sysv", "/proc/sys/kernel/shmmax", "largest segment, bytes" },
        { "shm+sysv", "/proc/sys/kernel/shmall", "memory in all segments, pages" },
        { "shm+sysv", "/proc/sys/kernel/shmmni", "segments on this machine" },
        { "unix", "/proc/sys/net/core/wmem_default", "send buffer a socket starts with, bytes" },
        { "unix", "/proc/sys/net/core/wmem_max",
          "half the largest send buffer that buffer= may ask for, bytes; bounds the largest record; root raises it: sysctl net.core.wmem_max=N" },
        { "unix", "/proc/sys/net/unix/max_dgram_qlen", "records that wait in a socket" },
};

struct number {
        const char *name, *meaning;
        uint64_t value;
        int size; /* bytes, and 0 means unknown */
};
enum { NUMBERS = 8 };

static void read_numbers(struct number out[NUMBERS], const struct ipw_caps *c)
{
        const struct number all[NUMBERS] = {
                { "min_msg", "bytes of the smallest message", c->min_msg, 0 },
                { "max_msg", "bytes of the largest message", c->max_msg, 1 },
                { "atomic_max", "up to this a message moves in one system call: a sender killed in it leaves all or nothing", c->atomic_max,
                  1 },
                { "capacity", "bytes that fit before a send must wait", c->capacity, 1 },
                { "depth", "messages that fit before a send must wait", c->depth, 1 },
                { "max_batch", "messages that one system call may carry", c->max_batch, 0 },
                { "max_fds", "descriptors per message", c->max_fds, 0 },
                { "max_priority", "highest priority", c->max_priority, 0 },
        };

        memcpy(out, all, sizeof(all));
}

static int is_bound_by(const char *scheme, const char *mechanism)
{
        return strcmp(mechanism, "unix") == 0 ? strncmp(scheme, "unix", 4) == 0 : strcmp(scheme, mechanism) == 0;
}

/* One number from /proc or of this process, or "" where this kernel has no such setting. */
static void read_limit(const char *path, char text[64])
{
        struct rlimit queues;
        FILE *f;

        text[0] = 0;
        if (strcmp(path, "RLIMIT_MSGQUEUE") == 0) {
                if (getrlimit(RLIMIT_MSGQUEUE, &queues) == 0 && queues.rlim_cur != RLIM_INFINITY)
                        (void)snprintf(text, 64, "%llu", (unsigned long long)queues.rlim_cur);
                return;
        }
        f = fopen(path, "re");
        if (!f)
                return;
        if (!fgets(text, 64, f))
                text[0] = 0;
        text[strcspn(text, "\n")] = 0;
        for (char *tab = text; (tab = strchr(tab, '\t'));)
                *tab = ' ';
        (void)fclose(f);
}

static int print_json(const struct target *t, const struct ipw_caps *caps)
{
        json_t *numbers = json_object(), *holds = json_object(), *bounds = json_array();
        struct number number[NUMBERS];
        json_t *ring = NULL, *all;
        int status = ring_json(t, &ring), r;
        json_t *log = NULL;

        read_numbers(number, caps);
        for (unsigned i = 0; i < NUMBERS && !t->mechanism->gate; i++)
                (void)json_object_set_new(numbers, number[i].name, json_integer((json_int_t)number[i].value));
        for (const struct fact *f = facts_of(t->mechanism); f->name; f++)
                (void)json_object_set_new(holds, f->name, json_boolean(caps->flags & f->flag));
        for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                char text[64];
                int64_t value;

                if (!is_bound_by(t->mechanism->scheme, limits[i].mechanism))
                        continue;
                read_limit(limits[i].path, text);
                if (number_read(text, &value) == 0)
                        (void)json_array_append_new(bounds, json_pack("{s:s,s:I,s:s}", "setting", limits[i].path, "value",
                                                                      (json_int_t)value, "meaning", limits[i].meaning));
        }
        all = json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:o}", "address", t->text, "mechanism", t->mechanism->scheme, "summary",
                        t->mechanism->summary, "stack", caps->stack, "numbers", numbers, "holds", holds, "limits", bounds);
        if (ring)
                (void)json_object_set_new(all, "ring", ring);
        if (status == DONE && strcmp(t->mechanism->scheme, "log") == 0)
                status = log_verify_json(t->text, &log);
        if (log)
                (void)json_object_set_new(all, "log", log);
        r = json_print(all);
        return r == DONE ? status : r;
}

static int print_numbers(const struct ipw_caps *caps)
{
        static const struct column columns[] = { { "NUMBER", 0, 0 }, { "VALUE", 1, 0 }, { "MEANING", 0, 1 } };
        struct table *table = table_new(columns, 3);
        struct number number[NUMBERS];

        read_numbers(number, caps);
        for (unsigned i = 0; table && i < NUMBERS; i++) {
                char text[48];

                if (number[i].size && number[i].value >= 1024 && strcmp(number[i].name, "depth") != 0)
                        (void)snprintf(text, sizeof(text), "%s", number_size(number[i].value).text);
                else if (number[i].size && !number[i].value)
                        (void)snprintf(text, sizeof(text), "unknown");
                else
                        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number[i].value);
                if (table_row(table, (const char *[]){ number[i].name, text, number[i].meaning }) < 0)
                        return FAILED;
        }
        return table ? table_print(table) : FAILED;
}

static int print_facts(const struct ipw_mechanism *m, const struct ipw_caps *caps)
{
        static const struct column columns[] = { { "HOLDS", 0, 0 }, { "", 0, 0 }, { "MEANING", 0, 1 } };
        struct table *table = table_new(columns, 3);

        for (const struct fact *f = facts_of(m); table && f->name; f++) {
                int holds = (caps->flags & f->flag) != 0;

                if (!holds && !f->no)
                        continue;
                if (table_row(table, (const char *[]){ f->name, holds ? "yes" : "no", meaning(m, f, holds) }) < 0)
                        return FAILED;
        }
        return table ? table_print(table) : FAILED;
}

static int print_limits(const struct ipw_mechanism *m)
{
        static const struct column columns[] = { { "SET BY", 0, 0 }, { "VALUE", 1, 0 }, { "MEANING", 0, 1 } };
        struct table *table = NULL;
        int rows = 0;

        for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                char text[64];

                if (!is_bound_by(m->scheme, limits[i].mechanism))
                        continue;
                read_limit(limits[i].path, text);
                if (!*text)
                        continue;
                if (!table)
                        table = table_new(columns, 3);
                if (!table || table_row(table, (const char *[]){ limits[i].path, text, limits[i].meaning }) < 0)
                        return FAILED;
                rows++;
        }
        if (!rows)
                return DONE;
        (void)printf("\n");
        (void)fflush(stdout);
        return table_print(table);
}

static int run(const struct arguments *a)
{
        struct ipw_caps caps;
        struct target target;
        struct ipw_why why = { 0 };
        int status;

        if (a->count != 1 || a->dashes) {
                say_error("describe: needs one address; see: ipcway help describe");
                return WRONG_USAGE;
        }
        status = target_read(&target, a->word[0], &set.options, NULL);
        if (status != DONE)
                return status;
        if (ipw_describe(target.text, &caps, &why) < 0)
                return say_why(&why);
        if (set.json)
                return print_json(&target, &caps);
        printf("%s  %s\n%s\n\n", target.text, caps.stack, target.mechanism->summary);
        (void)fflush(stdout);
        if (!target.mechanism->gate) {
                status = print_numbers(&caps);
                printf("\n");
                (void)fflush(stdout);
        }
        if (status == DONE)
                status = print_facts(target.mechanism, &caps);
        if (status == DONE)
                status = print_limits(target.mechanism);
        if (status == DONE)
                status = ring_print(&target);
        return status == DONE && strcmp(target.mechanism->scheme, "log") == 0 ? log_verify(target.text) : status;
}

const struct command command_describe = {
        .name = "describe",
        .group = "Learn",
        .arguments = "ADDR",
        .summary = "what a link or gate at this address can do at most, and what it cannot",
        .text = "Opens nothing, except a durable log, which it reads and verifies. Numbers are upper bounds; an open link may have less, never more.\n"
                "Of a ring in shared memory that exists it says who uses it, what waits in it and what the dead have left, and changes nothing.\n"
                "\n"
                "  ipcway describe fifo:/tmp/orders\n"
                "  ipcway describe 'mq+sysv:/etc/hosts#A' --json\n",
        .settings = settings,
        .run = run,
};
