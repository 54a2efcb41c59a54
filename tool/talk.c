/* SPDX-License-Identifier: MIT */
#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "number.h"
#include "say.h"
#include "stop.h"

enum { TOLD_OPEN = 1, TOLD_MESSAGE = 2, TOLD_ROOM = 4, TOLD_SETTLED = 8 };
static const int64_t second = 1000000000, look = 50000000, settling = 300000000;

int64_t talk_left(const struct talk *t)
{
        int64_t left = t->until - now();

        return t->until == IPW_FOREVER ? IPW_FOREVER : left > 0 ? left : 0;
}

/* How long the next wait may take. `cut`: it ends early, to announce what it is for. */
static int64_t patience(const struct talk *t, unsigned kind, int64_t left, int *cut)
{
        *cut = (t->told & kind) == 0 && say_terminal() && (left == IPW_FOREVER || left > second);
        return *cut ? second : left;
}

static void announce(struct talk *t, unsigned kind)
{
        const char *address = t->target->text;
        int length = (int)strcspn(address, "?");
        int fifo = strcmp(t->target->mechanism->scheme, "fifo") == 0;

        t->told |= kind;
        (void)dprintf(STDERR_FILENO, "ipcway: waiting for %s %.*s ... Ctrl-C ends\n",
                      kind == TOLD_OPEN      ? fifo ? t->sending ? "a reader of" : "a writer of" : "the other side of"
                      : kind == TOLD_MESSAGE ? "a message on"
                      : kind == TOLD_ROOM    ? "room in"
                                             : "the receiver to take all from",
                      length, address);
}

/* Opening cannot be interrupted. Where a signal is only noted, it is cut into slices, so that somebody looks. */
static int64_t slice(int64_t time)
{
        return stop_noting() && (time == IPW_FOREVER || time > look) ? look : time;
}

/* Some mechanisms have addresses that go to one and others that go to all. Which kind this is only opening tells. */
static unsigned to_all(const struct target *target, unsigned how)
{
        unsigned role = how & IPW_ROLE, all = role == IPW_PUSH ? IPW_PUB : role == IPW_PULL ? IPW_SUB : 0;

        return all && !target->role_given && target->mechanism->roles & 1u << role && target->mechanism->roles & 1u << all
                       ? (how & ~(unsigned)IPW_ROLE) | all
                       : 0;
}

int talk_acknowledges(const char *text)
{
        struct ipw_address *address;
        const char *ack;
        int answer;

        if (ipw_address_parse(&address, text, NULL) < 0)
                return 0;
        ack = ipw_address_option(address, "ack");
        answer = ack && strcmp(ack, "consumer") == 0;
        ipw_address_free(address);
        return answer;
}

/* Port 0 is any that is free: who is to dial it must be told which. */
static void note_port(const struct talk *t)
{
        const char *given = t->target->text, *colon = memrchr(given, ':', strcspn(given, "?"));
        char opened[256];

        if (!target_knows(t->target->mechanism, "insecure") || !colon || strspn(colon + 1, "0") == 0 ||
            strspn(colon + 1, "0") != strcspn(colon + 1, "?"))
                return;
        if (ipw_link_address(t->link, opened, sizeof(opened)) < (int)sizeof(opened))
                say_note("took a free port: %.*s", (int)strcspn(opened, "?"), opened);
}

int talk_open(struct talk *t, struct target *target, unsigned how, int64_t timeout)
{
        struct ipw_why why = { 0 }, first = { 0 };
        int64_t told_at = now() + second;
        int r, cut;

        *t = (struct talk){ .target = target, .until = timeout == IPW_FOREVER ? IPW_FOREVER : now() + timeout };
        t->sending = (how & IPW_ROLE) == IPW_PUSH || (how & IPW_ROLE) == IPW_PUB;
        if (t->sending && target->framing_at && target_has_sides(target))
                target_reframe(target, NULL); /* who dials cannot see what the other side reads: there is nothing to go by */
        stop_catch();
        for (;;) {
                int64_t whole = patience(t, TOLD_OPEN, talk_left(t), &cut), time = slice(whole);

                r = ipw_open(&t->link, target->text, how | IPW_WAKEABLE, time, &why);
                if (r == -EOPNOTSUPP && target->framing_at) {
                        target_reframe(target,
                                       NULL); /* what was given as fd:N is a socket: it needs no framing, and ours was only a default */
                        continue;
                }
                if (r == -EOPNOTSUPP && to_all(target, how)) {
                        how = to_all(target, how);
                        first = why;
                        continue;
                }
                if (r == -EOPNOTSUPP && first.error)
                        why = first;
                if (r != -ETIMEDOUT || stop_came() || (!cut && time == whole))
                        break;
                if (cut && now() >= told_at)
                        announce(t, TOLD_OPEN);
        }
        if (r < 0) {
                t->link = NULL;
                why.error = -r;
                return stop_came() ? FAILED : say_why(&why);
        }
        t->acknowledges = talk_acknowledges(target->text);
        note_port(t);
        if (!stop_noting())
                stop_arm(t->link);
        return DONE;
}

/* With framing=auto the first message decides what the bytes are. If they are not our frames, say so: the other side is a plain program. */
static void note_framing(struct talk *t)
{
        const char *stack = ipw_link_caps(t->link)->stack;
        size_t length = strcspn(stack, "/");

        if (t->noted || !t->target->framing_at)
                return;
        t->noted = 1;
        if (!stack[length] || strncmp(stack, "line/", 5) != 0)
                return;
        if (t->sending)
                say_note("the reader of %.*s does not speak ipcway's frames: sending lines (-O framing=frame|line|raw decides)",
                         (int)strcspn(t->target->text, "?"), t->target->text);
        else
                say_note("what comes on %.*s is not ipcway's frames: taking lines (-O framing=frame|line|raw decides)",
                         (int)strcspn(t->target->text, "?"), t->target->text);
}

/*
 * Does the reader take frames, or is it a plain program? One of ours says so by a lock, but a moment after it can be seen to read; and with a file a wrong
 * guess is a wrong file. So a reader that says nothing is given time before it is taken for a plain program. The new end is opened before the old one is
 * closed: a plain reader takes a moment without writers for the end.
 */
int talk_open_bytes(struct talk *t, struct target *target)
{
        int64_t until = now() + settling;
        struct ipw_why why = { 0 };

        if (!target->framing_at)
                return DONE;
        while (strncmp(ipw_link_caps(t->link)->stack, "line/", 5) == 0) {
                struct ipw_link *lines = t->link;
                int plain = now() >= until;

                if (plain)
                        target_reframe(target, "raw");
                else if (stop_poll(-1, 0, look / 10) < 0)
                        return FAILED;
                if (ipw_open(&t->link, target->text, IPW_PUSH | IPW_WAKEABLE, talk_left(t), &why) < 0) {
                        t->link = lines;
                        return say_why(&why);
                }
                stop_arm(t->link);
                (void)ipw_close(lines);
                if (plain)
                        say_note(
                                "the reader of %.*s does not speak ipcway's frames: sending the bytes as they are (-O framing=frame|line|raw decides)",
                                (int)strcspn(target->text, "?"), target->text);
        }
        return DONE;
}

ssize_t talk_send(struct talk *t, struct ipw_message *m, size_t n)
{
        ssize_t r;
        int cut;

        for (;;) {
                int64_t time = patience(t, TOLD_ROOM, talk_left(t), &cut);

                r = ipw_send_many(t->link, m, n, time);
                if (r != -ETIMEDOUT || !cut)
                        break;
                announce(t, TOLD_ROOM);
        }
        if (r == -EINPROGRESS)
                r = 1;
        if (r > 0)
                note_framing(t);
        return r;
}

ssize_t talk_recv(struct talk *t, struct ipw_message *m, int64_t idle)
{
        int64_t end = idle == IPW_FOREVER ? IPW_FOREVER : now() + idle;
        int idle_first = end != IPW_FOREVER && (t->until == IPW_FOREVER || end < t->until), cut;
        struct talk clock = { .until = idle_first ? end : t->until };
        ssize_t r;

        for (;;) {
                int64_t time = patience(t, TOLD_MESSAGE, talk_left(&clock), &cut);

                r = ipw_recv(t->link, m, time);
                if (r != -ETIMEDOUT || !cut)
                        break;
                announce(t, TOLD_MESSAGE);
        }
        if ((r == -ETIMEDOUT || r == -EAGAIN) && idle_first)
                return -ETIME;
        if (r >= 0)
                note_framing(t);
        return r;
}

int talk_flush(struct talk *t)
{
        int r, cut;

        for (;;) {
                int64_t time = patience(t, TOLD_SETTLED, talk_left(t), &cut);

                r = ipw_flush(t->link, time);
                if (r != -ETIMEDOUT || !cut)
                        return r;
                announce(t, TOLD_SETTLED);
        }
}

int talk_close(struct talk *t, int status)
{
        int lost;

        stop_note();
        lost = ipw_close(t->link);
        t->link = NULL;
        if (lost > 0) {
                say_error("%s: %d accepted message%s not delivered", t->target->text, lost, lost == 1 ? " was" : "s were");
                if (status == DONE)
                        status = FAILED;
        }
        stop_finish();
        return status;
}
