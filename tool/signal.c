/* SPDX-License-Identifier: MIT */
/* ipcway signal: send one, wait for some, and what they all mean. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "event.h"
#include "ipcway.h"
#include "nearest.h"
#include "number.h"
#include "say.h"
#include "signal_facts.h"
#include "signal_list.h"
#include "stop.h"
#include "trace.h"

static struct {
        int json, trace;
        int64_t count, timeout;
} set = { .count = -1, .timeout = -2 };

static const struct setting settings[] = {
        { SETTING_NUMBER, 'n', "count", "N", &set.count, "wait: end after N signals" },
        { SETTING_TIME, 't', "timeout", "T", &set.timeout,
          "wait: end after T with status 124; send: how long to wait if too many are pending (0)" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "wait and list: JSON instead of text" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call on stderr, and what it is for" },
        { 0 },
};

/* A name, or, where no process can be meant, a number. -EINVAL after having said what is wrong. */
static int read_signal(const char *word)
{
        struct nearest nearest = { .word = strncmp(word, "SIG", 3) == 0 ? word + 3 : word };
        static char names[64][16];
        int number = ipw_signal_number(word);
        int64_t digits;

        if (number > 0)
                return number;
        if (*word >= '0' && *word <= '9' && number_read(word, &digits) == 0 && digits <= SIGRTMAX && signal_facts((int)digits))
                return (int)digits;
        for (int n = 1; n < 64; n++)
                if (ipw_signal_name(n, names[n], sizeof(names[n])) > 0)
                        nearest_try(&nearest, names[n]);
        if (nearest.best)
                say_error("no signal is called '%s'; did you mean %s? See: ipcway signal list", word, nearest.best);
        else
                say_error("no signal is called '%s'; see: ipcway signal list", word);
        return -EINVAL;
}

/* ---- send -------------------------------------------------------------------------------------------------------------------------- */

static int send_one(const char *pid, struct ipw_signal *s)
{
        struct ipw_message m = { .data = s, .size = sizeof(*s) };
        struct ipw_link *link;
        struct ipw_why why = { 0 };
        char address[40];
        int status = DONE;

        if (!*pid || strspn(pid, "0123456789") != strlen(pid) ||
            (size_t)snprintf(address, sizeof(address), "signal:%s", pid) >= sizeof(address)) {
                say_error("'%s' is no process id; see: ipcway help signal", pid);
                return WRONG_USAGE;
        }
        if (ipw_open(&link, address, IPW_PUSH, 0, &why) < 0)
                return say_why(&why);
        if (ipw_send(link, &m, set.timeout == -2 ? 0 : set.timeout) < 0)
                status = say_link(link);
        (void)ipw_close(link);
        return status;
}

static int run_send(const struct arguments *a)
{
        const char *value = a->count == 4 ? a->word[3] : a->dashes && a->rest_count == 1 ? a->rest[0] : NULL;
        struct ipw_signal s = { 0 };
        int64_t number = 0;

        if (a->count < 3 || a->count > 4 || (a->dashes && (a->count != 3 || a->rest_count != 1))) {
                say_error("signal send: needs PID SIG [VALUE]; see: ipcway help signal");
                return WRONG_USAGE;
        }
        s.number = strcmp(a->word[2], "0") == 0 ? 0 : read_signal(a->word[2]);
        if (s.number < 0)
                return WRONG_USAGE;
        if (value && (number_read(value, &number) < 0 || number < INT32_MIN || number > INT32_MAX)) {
                say_error("signal send: the value '%s' is no number from %d to %d", value, INT32_MIN, INT32_MAX);
                return WRONG_USAGE;
        }
        s.value = (int32_t)number;
        return send_one(a->word[1], &s);
}

/* ---- wait -------------------------------------------------------------------------------------------------------------------------- */

/* What still ends a process that receives these. */
static const char *way_out(const char *address, char text[80])
{
        static const int ways[] = { SIGINT, SIGTERM, SIGHUP, SIGKILL };
        char list[600], name[16];

        (void)snprintf(list, sizeof(list), ",%s,", address + strlen("signal:"));
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                char wanted[20];

                (void)ipw_signal_name(ways[i], name, sizeof(name));
                (void)snprintf(wanted, sizeof(wanted), ",%s,", name);
                if (strstr(list, wanted))
                        continue;
                if (i == 0)
                        return "Ctrl-C ends";
                (void)snprintf(text, 80, "to end it: ipcway signal send %d %s", (int)getpid(), name);
                break;
        }
        return text;
}

static int make_address(const struct arguments *a, char *address, size_t room)
{
        size_t n = (size_t)snprintf(address, room, "signal:");

        for (int i = 1; i < a->count; i++) {
                char name[16];
                int number = read_signal(a->word[i]);

                if (number < 0)
                        return WRONG_USAGE;
                (void)ipw_signal_name(number, name, sizeof(name));
                n += (size_t)snprintf(address + n, n < room ? room - n : 0, "%s%s", i > 1 ? "," : "", name);
                if (n >= room) {
                        say_error("signal wait: too many words");
                        return WRONG_USAGE;
                }
        }
        return DONE;
}

static int receive(struct ipw_link *link)
{
        int64_t until = set.timeout < 0 ? IPW_FOREVER : now() + set.timeout;
        struct ipw_signal s;
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };

        for (int64_t got = 0; set.count < 0 || got < set.count; got++) {
                int64_t left = until == IPW_FOREVER ? IPW_FOREVER : until - now();
                ssize_t r = ipw_recv(link, &m, left < 0 && until != IPW_FOREVER ? 0 : left);

                if (r == -ECANCELED && stop_came())
                        return FAILED;
                if (r < 0)
                        return say_link(link);
                r = event_print(STDOUT_FILENO, set.json, &m);
                if (r < 0) {
                        say_error("stdout: cannot write: %s", strerror((int)-r));
                        return FAILED;
                }
        }
        return DONE;
}

static int run_wait(const struct arguments *a)
{
        char address[500], text[80] = "";
        struct ipw_link *link;
        struct ipw_why why = { 0 };
        int status;

        if (a->count < 2 || a->dashes || set.count == 0 || set.count < -1) {
                say_error(a->count < 2 ? "signal wait: needs the signals to wait for, such as USR1 TERM"
                                       : "signal wait: -n must be 1 or more, and nothing goes behind --");
                return WRONG_USAGE;
        }
        status = make_address(a, address, sizeof(address));
        if (status != DONE)
                return status;
        event_block(address);
        stop_catch();
        if (ipw_open(&link, address, IPW_PULL | IPW_WAKEABLE, 0, &why) < 0)
                return say_why(&why);
        stop_arm(link);
        (void)dprintf(STDERR_FILENO, "ipcway: process %d waits for %s; %s\n", (int)getpid(), address + strlen("signal:"),
                      way_out(address, text));
        status = receive(link);
        stop_arm(NULL);
        (void)ipw_close(link);
        stop_finish();
        return status;
}

/* ---- list -------------------------------------------------------------------------------------------------------------------------- */

static int run_list(const struct arguments *a)
{
        int number;

        if (a->count > 2 || a->dashes) {
                say_error("signal list: takes one signal at most; see: ipcway help signal");
                return WRONG_USAGE;
        }
        if (a->count == 1)
                return signal_list_all(set.json);
        number = read_signal(a->word[1]);
        return number < 0 ? WRONG_USAGE : signal_list_one(number, set.json);
}

static int run(const struct arguments *a)
{
        static const struct {
                const char *name;
                int (*run)(const struct arguments *);
        } verbs[] = { { "send", run_send }, { "wait", run_wait }, { "list", run_list } };

        if (set.trace)
                trace_start();
        for (size_t i = 0; a->count && i < sizeof(verbs) / sizeof(verbs[0]); i++)
                if (strcmp(verbs[i].name, a->word[0]) == 0)
                        return verbs[i].run(a);
        nearest_verb("signal", command_signal.verbs, a->count ? a->word[0] : NULL);
        return WRONG_USAGE;
}

const struct command command_signal = {
        .name = "signal",
        .group = "Be told",
        .arguments = "send|wait|list ...",
        .verbs = "send|wait|list",
        .summary = "send a signal, wait for some, or what they all mean",
        .text = "  signal send PID SIG [VALUE]   real-time signals (RTMIN+1) queue, each with its value; others merge while they wait. 0 only asks\n"
                "  signal wait SIG...            a line for each: which, from whom, with what value. Says its process id and how to end it\n"
                "  signal list [SIG]             all of them; or one, what to do about it, and a fault caught right\n"
                "\n"
                "STOP halts a process, CONT lets it go on. A process that ended and another one with its number are not mixed up once it is found.\n"
                "\n"
                "  ipcway signal wait USR1 RTMIN+1 &\n"
                "  ipcway signal send $! RTMIN+1 42\n"
                "  ipcway signal list SEGV\n",
        .settings = settings,
        .run = run,
};
