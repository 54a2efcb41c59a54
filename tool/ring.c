/* SPDX-License-Identifier: MIT */
/*
 * A ring as people ask after it: whose is it, who uses it and does each of them live, who waits for whom, what is left over. What is left over is never wrong by
 * itself: the next user that comes takes care of it. So it is said, and the exit status is that of a broken ring only.
 */
#include "ring.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <ipcway/probe.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "number.h"
#include "say.h"
#include "table.h"

/* 1: there is one; 0: there is none, and nothing to say; else FAILED has been said. */
static int take(const struct target *t, struct ipw_ring **ring, int *status)
{
        struct ipw_why why = { 0 };
        int r = -EOPNOTSUPP;

        *status = DONE;
        if (t->mechanism->segment && !t->mechanism->anonymous)
                r = ipw_probe_ring(ring, t->text, &why);
        if (r == 0)
                return 1;
        if (r != -EOPNOTSUPP && r != -ENOENT && r != -ENODATA && r != -EBADF) /* fd:N need not be open here */
                *status = say_why(&why);
        return 0;
}

static const char *state_of(const struct ipw_ring_user *user)
{
        static const char *const words[] = { "unknown", "alive", "stopped", "dead", "coming", "unknown" };

        return words[user->state > 0 && user->state <= IPW_USER_UNKNOWN ? user->state : 0];
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------------------- */

static json_t *awaits_json(unsigned awaits)
{
        static const char *const words[] = { "message", "room", "turn", "poll" };
        json_t *list = json_array();

        for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (awaits & 1u << i)
                        (void)json_array_append_new(list, json_string(words[i]));
        return list;
}

static json_t *user_json(const struct ipw_ring_user *u)
{
        return json_pack("{s:i,s:i,s:s,s:b,s:b,s:b,s:b,s:I,s:s,s:s,s:I,s:o}", "slot", (int)u->slot, "pid", (int)u->pid, "program", u->name,
                         "sends", !!(u->ways & IPW_SEND), "receives", !!(u->ways & IPW_RECV), "holds_send", !!(u->holds & IPW_SEND),
                         "holds_receive", !!(u->holds & IPW_RECV), "since_ns", (json_int_t)u->since, "state", state_of(u), "because",
                         u->text, "behind", (json_int_t)u->behind, "awaits", awaits_json(u->awaits));
}

int ring_json(const struct target *t, json_t **out)
{
        json_t *users, *stale, *fill, *all;
        struct ipw_ring *r;
        int status;

        if (!take(t, &r, &status))
                return status;
        users = json_array();
        stale = json_array();
        fill = json_array();
        for (size_t i = 0; i < r->user_count; i++)
                (void)json_array_append_new(users, user_json(&r->users[i]));
        for (size_t i = 0; i < r->stale_count; i++)
                (void)json_array_append_new(stale, json_string(r->stale[i]));
        for (unsigned i = 0; i < r->ways; i++)
                (void)json_array_append_new(fill, json_integer((json_int_t)r->fill[i]));
        all = json_pack("{s:I,s:i,s:i,s:i,s:s?,s:i,s:b,s:b,s:b,s:b,s:I,s:i,s:I,s:o,s:o,s:o}", "size", (json_int_t)r->size, "uid",
                        (int)r->uid, "gid", (int)r->gid, "mode", (int)r->mode, "broken", r->broken, "slots", (int)r->slots, "pair",
                        !!(r->shape & IPW_RING_PAIR), "one_sender", !!(r->shape & IPW_RING_ONE_SENDER), "one_receiver",
                        !!(r->shape & IPW_RING_ONE_RECEIVER), "broadcast", !!(r->shape & IPW_RING_BROADCAST), "made_ns",
                        (json_int_t)r->made, "maker", (int)r->maker, "capacity", (json_int_t)r->capacity, "fill", fill, "users", users,
                        "stale", stale);
        status = r->broken ? FAILED : DONE;
        ipw_ring_free(r);
        *out = all;
        return status;
}

/* ---- text ------------------------------------------------------------------------------------------------------------------------------- */

struct text {
        char text[80];
};

static struct text when(int64_t nanoseconds)
{
        time_t seconds = (time_t)(nanoseconds / 1000000000);
        struct text out = { "" };
        struct tm parts;

        if (!localtime_r(&seconds, &parts) || !strftime(out.text, sizeof(out.text), "%Y-%m-%d %H:%M:%S", &parts))
                (void)snprintf(out.text, sizeof(out.text), "at no time that can be");
        return out;
}

static struct text age(int64_t nanoseconds)
{
        static const struct {
                const char *word;
                int64_t seconds;
        } units[] = { { "day", 86400 }, { "hour", 3600 }, { "minute", 60 }, { "second", 1 } };
        int64_t seconds = (int64_t)time(NULL) - nanoseconds / 1000000000, n;
        struct text out = { "just now" };

        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                n = seconds / units[i].seconds;
                if (n <= 0)
                        continue;
                (void)snprintf(out.text, sizeof(out.text), "%" PRId64 " %s%s ago", n, units[i].word, n == 1 ? "" : "s");
                break;
        }
        return out;
}

static void print_owner(const struct ipw_ring *r)
{
        const struct passwd *user = getpwuid(r->uid);
        const struct group *group = getgrgid(r->gid);

        printf("owner     %s (%u), group %s (%u), mode %04o\n", user ? user->pw_name : "without a name", r->uid,
               group ? group->gr_name : "without a name", r->gid, r->mode);
}

static void print_shape(const struct ipw_ring *r)
{
        if (r->shape & IPW_RING_PAIR)
                printf("shape     for two, one on each side\n");
        else
                printf("shape     up to %u users: %s, %s%s\n", r->slots, r->shape & IPW_RING_ONE_SENDER ? "one sender" : "many senders",
                       r->shape & IPW_RING_ONE_RECEIVER ? "one receiver" : "many receivers",
                       r->shape & IPW_RING_BROADCAST ? ", each message to all of them" : "");
        printf("made      %s (%s) by process %d\n", when(r->made).text, age(r->made).text, (int)r->maker);
        for (unsigned i = 0; i < r->ways; i++)
                printf("%s     %" PRIu64 " of %" PRIu64 " bytes wait%s\n", i ? "     " : "holds", r->fill[i], r->capacity,
                       r->shape & IPW_RING_BROADCAST ? " for the slowest receiver"
                       : r->ways == 1                ? ""
                       : i                           ? ", sent by slot 1"
                                                     : ", sent by slot 0");
}

static struct text does(const struct ipw_ring_user *u)
{
        static const char *const words[] = { "", "receives", "sends", "both" };
        char behind[40] = "";
        struct text out;

        if (u->behind)
                (void)snprintf(behind, sizeof(behind), ", %" PRIu64 " bytes behind", u->behind);
        (void)snprintf(out.text, sizeof(out.text), "%s%s%s", words[u->ways & 3], behind,
                       u->holds & IPW_SEND   ? ", in a send"
                       : u->holds & IPW_RECV ? ", in a receive"
                                             : "");
        return out;
}

static struct text awaits(const struct ipw_ring_user *u)
{
        struct text out;

        (void)snprintf(out.text, sizeof(out.text), "%s%s",
                       u->awaits & IPW_AWAITS_MESSAGE ? "a message"
                       : u->awaits & IPW_AWAITS_ROOM  ? "room"
                       : u->awaits & IPW_AWAITS_TURN  ? "its turn"
                                                      : "",
                       u->awaits & IPW_AWAITS_POLL ? " (poll)" : "");
        return out;
}

static int print_users(const struct ipw_ring *r)
{
        static const struct column columns[] = { { "SLOT", 1, 0 },   { "PID", 1, 0 },   { "PROGRAM", 0, 0 }, { "DOES", 0, 0 },
                                                 { "AWAITS", 0, 0 }, { "SINCE", 0, 0 }, { "STATE", 0, 0 },   { "BECAUSE", 0, 1 } };
        struct table *table = NULL;

        if (!r->user_count) {
                printf("users     none\n");
                return DONE;
        }
        printf("\n");
        (void)fflush(stdout);
        table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
        for (size_t i = 0; table && i < r->user_count; i++) {
                const struct ipw_ring_user *u = &r->users[i];
                char slot[16], pid[16] = "";

                (void)snprintf(slot, sizeof(slot), "%u", u->slot);
                if (u->pid)
                        (void)snprintf(pid, sizeof(pid), "%d", (int)u->pid);
                if (table_row(table, (const char *[]){ slot, pid, u->name, does(u).text, awaits(u).text,
                                                       u->since ? when(u->since).text : "", state_of(u), u->text }) < 0)
                        return FAILED;
        }
        return table ? table_print(table) : FAILED;
}

int ring_print(const struct target *t)
{
        struct ipw_ring *r;
        int status;

        if (!take(t, &r, &status))
                return status;
        printf("\nThere is a ring of %" PRIu64 " bytes:\n", r->size);
        print_owner(r);
        if (r->broken)
                printf("broken    %s\n", r->broken);
        if (r->slots) {
                print_shape(r);
                status = print_users(r);
        }
        for (size_t i = 0; i < r->stale_count; i++)
                printf("%sstale     %s\n", i ? "" : "\n", r->stale[i]);
        (void)fflush(stdout);
        if (r->broken)
                status = FAILED;
        ipw_ring_free(r);
        return status;
}
