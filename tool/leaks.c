/* SPDX-License-Identifier: MIT */
/*
 * ipcway leaks: what does not come back by itself, the surest and worst first, each with whose it is, why it matters and what mends it. The judgement is the
 * library's (ipw_probe_leaks()); memory that never had a name is shown when it is asked for, and is in the sum in any case.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "json.h"
#include "number.h"
#include "object.h"
#include "say.h"
#include "trace.h"
#include "waits.h"

static struct {
        int json, trace, all;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 'a', "all", NULL, &set.all,
          "memory that never had a name, too: memfd_create(2), and what a parent shares with its children" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON: one object for each, and the sum of memory" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

enum { NONE = 0, FOUND = 1, TROUBLE = 2 }; /* as diff(1) */

/* ---- which ------------------------------------------------------------------------------------------------------------------------------ */

/* A process, or an object. */
struct asked {
        pid_t pid; /* 0: an object */
        struct wanted object;
};

/* TROUBLE: it has said what is wrong. */
static int read_asked(struct asked *out, const char *word)
{
        char *end;
        long pid = strtol(word, &end, 10);

        if (*end)
                return wanted_read(&out->object, word) < 0 ? TROUBLE : NONE;
        if (pid <= 0 || pid > INT32_MAX) {
                say_error("\"%s\" is no process number", word);
                return TROUBLE;
        }
        if (kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
                say_error("there is no process %ld", pid);
                return TROUBLE;
        }
        out->pid = (pid_t)pid;
        return NONE;
}

static bool concerns(const struct ipw_leak *leak, const struct asked *a)
{
        if (!a->pid)
                return leak->object &&
                       (wanted_is(&a->object, leak->object) || (leak->object->peer && wanted_is(&a->object, leak->object->peer)));
        if (leak->pid == a->pid || leak->waits == a->pid)
                return true;
        for (size_t i = 0; leak->pid == 0 && i < leak->object->user_count; i++)
                if (leak->object->users[i].pid == a->pid)
                        return true;
        return false;
}

static bool never_had_a_name(const struct ipw_leak *leak)
{
        return leak->what == IPW_LEAK_MEMORY && strcmp(leak->object->kind, "shm+anon") == 0;
}

static bool is_wanted(const struct ipw_leak *leak, const struct asked *a, int n)
{
        for (int i = 0; i < n; i++)
                if (concerns(leak, &a[i]))
                        return true;
        return n == 0 && (set.all || !never_had_a_name(leak));
}

/* ---- words ------------------------------------------------------------------------------------------------------------------------------ */

static const char *const kinds[] = { "", "end", "in-flight", "descriptors", "closed", "unread", "memory" };

static void print_one(const struct ipw_leak *leak)
{
        printf("%s: %s\n", waits_sure(leak->sure), leak->text);
        if (leak->since) {
                time_t at = (time_t)leak->since;
                struct tm tm;
                char text[40] = "";

                if (localtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
                        printf("  since    %s\n", text);
        }
        printf("  matters  %s\n  helps    %s\n", leak->matters, leak->helps);
        if (*leak->doubt)
                printf("  but      %s\n", leak->doubt);
}

static json_t *leak_json(const struct ipw_probe *p, const struct ipw_leak *leak)
{
        const struct ipw_probe_process *process = leak->pid ? ipw_probe_process(p, leak->pid) : NULL;
        json_t *o = json_object();

        (void)json_object_set_new(o, "leak", json_string(kinds[leak->what]));
        (void)json_object_set_new(o, "sure", json_string(waits_sure(leak->sure)));
        (void)json_object_set_new(o, "pid", leak->pid ? json_integer(leak->pid) : json_null());
        (void)json_object_set_new(o, "process", process ? json_text(process->name) : json_null());
        (void)json_object_set_new(o, "fd", leak->fd >= 0 ? json_integer(leak->fd) : json_null());
        (void)json_object_set_new(o, "waits", leak->waits ? json_integer(leak->waits) : json_null());
        (void)json_object_set_new(o, "bytes", json_integer((json_int_t)leak->bytes));
        (void)json_object_set_new(o, "since", leak->since ? json_integer(leak->since) : json_null());
        (void)json_object_set_new(o, "text", json_text(leak->text));
        (void)json_object_set_new(o, "matters", json_text(leak->matters));
        (void)json_object_set_new(o, "helps", json_text(leak->helps));
        (void)json_object_set_new(o, "doubt", json_text(leak->doubt));
        (void)json_object_set_new(o, "object", leak->object ? object_json(p, leak->object) : json_null());
        return o;
}

/* ---- the sum ---------------------------------------------------------------------------------------------------------------------------- */

struct sum {
        uint64_t count, bytes;
};
struct sums {
        struct sum files, sysv, nameless;
};

static void add_memory(struct sums *sums, const struct ipw_leak *leak)
{
        struct sum *sum = never_had_a_name(leak)                        ? &sums->nameless
                          : strcmp(leak->object->kind, "shm+sysv") == 0 ? &sums->sysv
                                                                        : &sums->files;

        sum->count++;
        sum->bytes += leak->bytes;
}

static void print_sums(const struct sums *s)
{
        printf("memory without a name: %s: %s in %llu deleted files, %s in %llu removed System V segments, %s in %llu that never had one%s\n",
               number_size(s->files.bytes + s->sysv.bytes + s->nameless.bytes).text, number_size(s->files.bytes).text,
               (unsigned long long)s->files.count, number_size(s->sysv.bytes).text, (unsigned long long)s->sysv.count,
               number_size(s->nameless.bytes).text, (unsigned long long)s->nameless.count, set.all ? "" : " (--all)");
}

static json_t *sum_json(const struct sum *s)
{
        return json_pack("{s:I,s:I}", "count", (json_int_t)s->count, "bytes", (json_int_t)s->bytes);
}

static json_t *sums_json(const struct sums *s)
{
        return json_pack("{s:s,s:o,s:o,s:o}", "sum", "memory", "deleted", sum_json(&s->files), "sysv", sum_json(&s->sysv), "nameless",
                         sum_json(&s->nameless));
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------------------ */

static int print_all(struct ipw_probe *p, const struct asked *asked, int count)
{
        const struct ipw_leak *leaks;
        struct sums sums = { 0 };
        const char *const *gaps;
        int status = DONE, found = NONE;
        size_t n, shown = 0;
        int r = ipw_probe_leaks(p, &leaks, &n);

        if (r < 0) {
                say_error("leaks: %s", strerror(-r));
                return TROUBLE;
        }
        for (size_t i = 0; i < n && status == DONE; i++) {
                if (leaks[i].what == IPW_LEAK_MEMORY)
                        add_memory(&sums, &leaks[i]);
                if (!is_wanted(&leaks[i], asked, count))
                        continue;
                shown++;
                if (leaks[i].sure > IPW_SURE_POSSIBLE)
                        found = FOUND;
                if (set.json)
                        status = json_line(leak_json(p, &leaks[i]));
                else
                        print_one(&leaks[i]);
        }
        if (!shown && !set.json)
                printf("no leak %s\n", count ? "there" : "is seen");
        if (count == 0 && status == DONE) {
                if (set.json)
                        status = json_line(sums_json(&sums));
                else
                        print_sums(&sums);
        }
        gaps = ipw_probe_gaps(p, &n);
        for (size_t i = 0; i < n && count == 0; i++)
                if (strncmp(gaps[i], "POSIX", 5) != 0) /* of queues that nobody has open, clean tells */
                        say_note("not seen: %s", gaps[i]);
        waits_hidden(p);
        return status == DONE && say_finish() == DONE ? found : TROUBLE;
}

static int run(const struct arguments *a)
{
        struct asked *asked = calloc((size_t)a->count + 1, sizeof(*asked));
        struct ipw_probe *p = NULL;
        int n = 0, status = asked ? NONE : TROUBLE;

        while (status == NONE && n < a->count) {
                status = read_asked(&asked[n], a->word[n]);
                n++;
        }
        if (status == NONE && set.trace)
                trace_start();
        if (status == NONE)
                p = waits_take(IPW_PROBE_OBJECTS | IPW_PROBE_SHARED);
        status = p ? print_all(p, asked, a->count) : TROUBLE;
        ipw_probe_free(p);
        for (int i = 0; i < n; i++)
                if (asked[i].object.scheme)
                        wanted_free(&asked[i].object);
        free(asked);
        return status;
}

const struct command command_leaks = {
        .name = "leaks",
        .group = "See",
        .arguments = "[PID|ADDR...]",
        .summary = "ends that never come, descriptors and memory that do not come back, and who keeps them",
        .text = "Ends of pipes and sockets that never come because somebody has a forgotten copy open; descriptors that were sent and are not received, that run out, or\n"
                "whose connections are long closed; messages that nobody reads; memory without a name. The surest and worst first, each with why it matters,\n"
                "what helps, and what speaks against it. With a process or an address only what concerns it. It only looks.\n"
                "Status: 0 nothing that is likely or certain, 1 something, 2 trouble.\n"
                "\n"
                "  ipcway leaks\n"
                "  ipcway leaks 4711\n",
        .settings = settings,
        .run = run,
};
