/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
        int code;
        const char *name;
} codes[] = {
        { SI_USER, "SI_USER" },   { SI_KERNEL, "SI_KERNEL" },   { SI_QUEUE, "SI_QUEUE" }, { SI_TIMER, "SI_TIMER" },
        { SI_MESGQ, "SI_MESGQ" }, { SI_ASYNCIO, "SI_ASYNCIO" }, { SI_TKILL, "SI_TKILL" },
};
static const struct {
        int code;
        const char *name, *verb;
} ends[] = {
        { CLD_EXITED, "CLD_EXITED", "exited with status" }, { CLD_KILLED, "CLD_KILLED", "was killed by" },
        { CLD_DUMPED, "CLD_DUMPED", "dumped core by" },     { CLD_STOPPED, "CLD_STOPPED", "was stopped by" },
        { CLD_TRAPPED, "CLD_TRAPPED", "was trapped by" },   { CLD_CONTINUED, "CLD_CONTINUED", "went on" },
};
enum { CODES = sizeof(codes) / sizeof(codes[0]), ENDS = sizeof(ends) / sizeof(ends[0]) };

static struct ipw_signal read_event(const struct ipw_message *m)
{
        struct ipw_signal s = { 0 };

        memcpy(&s, m->data, m->size < sizeof(s) ? m->size : sizeof(s));
        return s;
}

static const char *name_of(int number, char room[16])
{
        if (ipw_signal_name(number, room, 16) < 0)
                (void)snprintf(room, 16, "%d", number);
        return room;
}

/* "process 12 was killed by TERM" */
static int about_child(const struct ipw_signal *s, char *text, size_t room)
{
        char name[16];

        for (size_t i = 0; i < ENDS; i++) {
                if (ends[i].code != s->code)
                        continue;
                if (s->code == CLD_EXITED)
                        return snprintf(text, room, "process %d %s %d", s->pid, ends[i].verb, s->status);
                if (s->code == CLD_CONTINUED)
                        return snprintf(text, room, "process %d %s", s->pid, ends[i].verb);
                return snprintf(text, room, "process %d %s %s", s->pid, ends[i].verb, name_of(s->status, name));
        }
        return snprintf(text, room, "process %d ended; how, only its parent was told", s->pid);
}

static int is_about_child(const struct ipw_signal *s)
{
        return s->number == SIGCHLD && ((s->code > 0 && s->code != SI_KERNEL) || s->status == -1);
}

struct event_text event_text(const struct ipw_message *m)
{
        struct ipw_signal s = read_event(m);
        struct event_text out;
        char name[16];
        int n;

        if (s.number == 0) {
                if (s.overrun)
                        (void)snprintf(out.text, sizeof(out.text), "tick, %u missed before it", s.overrun);
                else
                        (void)snprintf(out.text, sizeof(out.text), "tick");
                return out;
        }
        if (is_about_child(&s)) {
                (void)about_child(&s, out.text, sizeof(out.text));
                return out;
        }
        n = snprintf(out.text, sizeof(out.text), "%s ", name_of(s.number, name));
        if (m->sender.source && m->flags & IPW_HAS_SENDER)
                n += snprintf(out.text + n, sizeof(out.text) - (size_t)n, "from process %d (user %u)%s", s.pid, (unsigned)s.uid,
                              m->sender.source == 1 ? " as it says" : "");
        else
                n += snprintf(out.text + n, sizeof(out.text) - (size_t)n, "from the kernel");
        if (s.code == SI_QUEUE)
                (void)snprintf(out.text + n, sizeof(out.text) - (size_t)n, ", value %d", s.value);
        return out;
}

static json_t *code_json(const struct ipw_signal *s)
{
        if (is_about_child(s)) {
                for (size_t i = 0; i < ENDS; i++)
                        if (ends[i].code == s->code)
                                return json_string(ends[i].name);
                return json_null();
        }
        for (size_t i = 0; i < CODES; i++)
                if (codes[i].code == s->code)
                        return json_string(codes[i].name);
        return json_integer(s->code);
}

json_t *event_json(const struct ipw_message *m)
{
        struct ipw_signal s = read_event(m);
        json_t *o = json_object();
        char name[16];

        if (s.number == 0) {
                (void)json_object_set_new(o, "tick", json_true());
                (void)json_object_set_new(o, "missed", json_integer(s.overrun));
                return o;
        }
        (void)json_object_set_new(o, "signal", json_string(name_of(s.number, name)));
        (void)json_object_set_new(o, "number", json_integer(s.number));
        (void)json_object_set_new(o, "code", code_json(&s));
        (void)json_object_set_new(o, "pid", json_integer(s.pid));
        if (s.uid != -1)
                (void)json_object_set_new(o, "uid", json_integer((json_int_t)(uint32_t)s.uid));
        if (is_about_child(&s)) {
                (void)json_object_set_new(o, "status", s.status < 0 ? json_null() : json_integer(s.status));
                if (s.status > 0 && s.code != CLD_EXITED)
                        (void)json_object_set_new(o, "by", json_string(name_of(s.status, name)));
                return o;
        }
        (void)json_object_set_new(o, "proven", json_boolean(m->sender.source == 2));
        if (s.code == SI_QUEUE)
                (void)json_object_set_new(o, "value", json_integer(s.value));
        return o;
}

int event_print(int fd, int json, const struct ipw_message *m)
{
        json_t *o = json ? event_json(m) : NULL;
        char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;
        int r = 0;

        json_decref(o);
        if (json && !line)
                return -ENOMEM;
        if (dprintf(fd, "%s\n", json ? line : event_text(m).text) < 0)
                r = -errno;
        free(line);
        return r;
}

static sigset_t before;
static int changed;

void event_block(const char *address)
{
        const char *at = address + strlen("signal:");
        sigset_t set;

        if (strncmp(address, "signal:", strlen("signal:")) != 0)
                return;
        (void)sigemptyset(&set);
        for (size_t n;; at += n + 1) {
                char name[16];
                int number;

                n = strcspn(at, ",?#");
                (void)snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : 0, at);
                number = ipw_signal_number(name);
                if (number > 0)
                        (void)sigaddset(&set, number);
                if (at[n] != ',')
                        break;
        }
        (void)sigprocmask(SIG_BLOCK, &set, &before);
        changed = 1;
}

void event_restore_mask(void)
{
        if (changed)
                (void)sigprocmask(SIG_SETMASK, &before, NULL);
}
