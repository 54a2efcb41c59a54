/* SPDX-License-Identifier: MIT */
/*
 * ipcway sem: semaphores, one step at a time or around a program.
 *
 * A permit taken by `wait` stays taken when the command ends: it is somebody else's to give. So what the kernel gives back by itself at the end of a
 * process (undo=1, locks) is refused there; `run` is for that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "ipcway.h"
#include "json.h"
#include "nearest.h"
#include "say.h"
#include "trace.h"
#include "turn.h"

#define NOT_GIVEN INT64_MIN

static struct {
        int once, json, trace, force;
        int64_t timeout, refused, value, count;
        struct list options;
} set = { .timeout = IPW_FOREVER, .refused = TIMED_OUT, .value = NOT_GIVEN, .count = 1 };

static const struct setting settings[] = {
        { SETTING_NUMBER, 0, "value", "N", &set.value, "create, run: permits if the semaphore does not exist yet (standard: 1)" },
        { SETTING_NUMBER, 0, "count", "N", &set.count, "post: so many permits (standard: 1)" },
        { SETTING_FLAG, 'n', "try", NULL, &set.once, "wait, run: do not wait" },
        { SETTING_TIME, 'w', "timeout", "T", &set.timeout, "wait, run: no longer than T (500ms, 3s)" },
        { SETTING_NUMBER, 'E', "conflict-exit-code", "N", &set.refused, "status N, not 124, when it was not got in time; and no words" },
        { SETTING_FLAG, 'f', "force", NULL, &set.force, "create: fine if it exists; remove: fine if it does not" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "value: JSON instead of a number" },
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address, as ?key=value does" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

static int fail_gate(struct ipw_gate *g)
{
        struct ipw_why why;

        ipw_gate_why(g, &why);
        (void)ipw_gate_close(g);
        return say_why(&why);
}

static int open_existing(struct ipw_gate **g, const struct target *t)
{
        struct ipw_why why = { 0 };

        return ipw_gate_open(g, t->text, IPW_EXISTING, &why) < 0 ? say_why(&why) : DONE;
}

static int create(struct target *t, const struct arguments *a)
{
        struct ipw_why why = { 0 };
        struct ipw_gate *g;
        int r = ipw_gate_open(&g, t->text, set.force ? 0 : IPW_FRESH, &why);

        if (r == -EEXIST) {
                say_error("%s: exists already, and is left as it is; -f takes that for done, `ipcway sem remove` makes room", t->text);
                return FAILED;
        }
        if (r < 0)
                return say_why(&why);
        return ipw_gate_close(g) < 0 ? FAILED : DONE;
}

/* What the kernel gives back when we end cannot be left taken. */
static int check_lasting(const struct target *t)
{
        struct ipw_why why = { 0 };
        struct ipw_caps caps;

        if (ipw_describe(t->text, &caps, &why) < 0)
                return say_why(&why);
        if (!(caps.flags & IPW_GATE_FREED))
                return DONE;
        say_error("%s: what this command took or gave would be undone as soon as it ends; use: ipcway %s", t->text,
                  strcmp(t->mechanism->scheme, "lock") == 0 ? "lock" : "sem run, or leave undo=1 away");
        return WRONG_USAGE;
}

static int wait_for_permit(struct target *t, const struct arguments *a)
{
        struct turn turn = { .target = t, .timeout = set.once ? 0 : set.timeout, .refused = (int)set.refused };
        int status = check_lasting(t);

        if (status != DONE)
                return status;
        status = turn_begin(&turn, IPW_EXISTING);
        if (turn.gate)
                (void)ipw_gate_close(turn.gate); /* without giving it back */
        return status == OURS_FAILED ? FAILED : status;
}

static int post(struct target *t, const struct arguments *a)
{
        struct ipw_gate *g;
        int status = check_lasting(t);

        if (status == DONE)
                status = open_existing(&g, t);
        if (status != DONE)
                return status;
        for (int64_t i = 0; i < set.count; i++)
                if (ipw_gate_release(g) < 0)
                        return fail_gate(g);
        return ipw_gate_close(g) < 0 ? FAILED : DONE;
}

static int value(struct target *t, const struct arguments *a)
{
        struct ipw_gate *g;
        int status = open_existing(&g, t), n;
        unsigned flags;

        if (status != DONE)
                return status;
        n = ipw_gate_value(g);
        if (n < 0)
                return fail_gate(g);
        flags = ipw_gate_flags(g);
        (void)ipw_gate_close(g);
        if (set.json)
                return json_print(json_pack("{s:s,s:i,s:b,s:b}", "address", t->text, "value", n, "counts", flags & IPW_GATE_COUNTS, "freed",
                                            flags & IPW_GATE_FREED));
        printf("%d\n", n);
        return say_finish();
}

static int remove_it(struct target *t, const struct arguments *a)
{
        struct ipw_why why = { 0 };
        int r = ipw_remove(t->text, &why);

        return r < 0 && !(r == -ENOENT && set.force) ? say_why(&why) : DONE;
}

static int run_program(struct target *t, const struct arguments *a)
{
        struct turn turn = { .target = t, .timeout = set.once ? 0 : set.timeout, .refused = (int)set.refused };
        int status = turn_begin(&turn, 0);

        return turn.gate ? turn_end(&turn, turn_run(&turn, a->rest, "sem run")) : status;
}

static const struct {
        const char *name;
        int (*run)(struct target *, const struct arguments *);
        int words; /* behind "--" */
} verbs[] = {
        { "create", create, 0 }, { "wait", wait_for_permit, 0 }, { "post", post, 0 },
        { "value", value, 0 },   { "remove", remove_it, 0 },     { "run", run_program, 1 },
};

/* --value is an option of the address, which a lock calls permits=. */
static int with_value(struct target *t)
{
        const char *option = target_knows(t->mechanism, "permits") ? "permits" : "value";
        struct ipw_address *address;
        struct ipw_why why = { 0 };
        char number[24];
        size_t length = strlen(t->text);

        if (set.value == NOT_GIVEN)
                return DONE;
        (void)snprintf(number, sizeof(number), "%lld", (long long)set.value);
        if (target_extend(t->text, sizeof(t->text), option, number))
                return DONE;
        (void)snprintf(t->text + length, sizeof(t->text) - length, "%c%s=%s", strchr(t->text, '?') ? '&' : '?', option, number);
        if (ipw_address_parse(&address, t->text, &why) == 0)
                ipw_address_free(address);
        say_error("--value: %s", why.text);
        return WRONG_USAGE;
}

static int run(const struct arguments *a)
{
        static const char *const undo[][2] = { { "undo", "1" }, { NULL } };
        struct target target;
        int status;

        for (size_t i = 0; a->count && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
                int wraps = verbs[i].words;

                if (strcmp(a->word[0], verbs[i].name) != 0)
                        continue;
                if (a->count != 2 || (a->rest_count > 0) != wraps || set.count < 1 || set.refused < 0 || set.refused > 255) {
                        say_error("sem %s: needs ADDR%s; see: ipcway help sem", verbs[i].name, wraps ? " -- CMD" : " and nothing else");
                        return wraps ? OURS_FAILED : WRONG_USAGE;
                }
                status = turn_target(&target, a->word[1], "sem", &set.options, wraps ? undo : NULL);
                if (status == DONE)
                        status = with_value(&target);
                if (status != DONE)
                        return wraps ? OURS_FAILED : status;
                if (set.trace)
                        trace_start();
                return verbs[i].run(&target, a);
        }
        nearest_verb("sem", command_sem.verbs, a->count ? a->word[0] : NULL);
        return WRONG_USAGE;
}

const struct command command_sem = {
        .name = "sem",
        .group = "Turns",
        .arguments = "VERB NAME|ADDR [-- CMD]",
        .verbs = "create|wait|post|value|remove|run",
        .bare = "sem",
        .summary = "semaphores: make, wait, post, look, or so many programs at once",
        .text = "  create   make it, with --value permits; fails if it exists\n"
                "  wait     take a permit and leave it taken\n"
                "  post     give a permit, or --count of them, no matter who took it\n"
                "  value    print how many are free\n"
                "  remove   remove it\n"
                "  run      take a permit, run CMD, give it back when CMD has ended; makes the semaphore if need be\n"
                "\n"
                "NAME is that of a POSIX semaphore: /jobs. Those have no owner: if ipcway is killed during `run`, its permit is gone until somebody posts.\n"
                "With sem+sysv:, and with lock:PATH (--value is then permits=), the kernel gives it back.\n"
                "\n"
                "Status: 124 not got in time (-E: another). `run`: that of CMD, 128+N if signal N killed it; 125 ipcway failed, 126 CMD cannot be run, 127 it is\n"
                "not there.\n"
                "\n"
                "  ipcway sem create /ready --value 0; ipcway sem wait /ready & sleep 1; ipcway sem post /ready\n"
                "  ls *.png | xargs -P 99 -I {} ipcway sem run lock:/tmp/convert --value 4 -- convert {} {}.jpg\n",
        .settings = settings,
        .run = run,
        .wrapper = "run",
};
