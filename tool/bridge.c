/* SPDX-License-Identifier: MIT */
/*
 * ipcway bridge: messages from one address to another, whatever the two are.
 *
 * TO is opened first: nothing is taken from FROM while nobody could have it. Each message is taken only when TO has room, as far as TO can tell, so a
 * full TO holds the senders of FROM back, and who stops the bridge finds at most one message in hand for each direction. That one gets a last try;
 * then it is counted as lost. A message larger than TO carries ends the bridge: to leave it out would be a loss that nobody sees.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "flow.h"
#include "number.h"
#include "say.h"
#include "stop.h"
#include "talk.h"
#include "trace.h"

enum { USUAL, LISTEN, DIAL };
enum { FORTH, BACK, FLOWS };

static struct {
        int both, from_side, to_side, until_last, trace;
        int64_t count, timeout;
} set = { .count = -1, .timeout = IPW_FOREVER };

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "both", NULL, &set.both, "both ways, where both addresses can: messages of TO go to FROM, too" },
        { SETTING_WORD, 0, "from", "usual|listen|dial", &set.from_side, "which side to be at FROM, where there are two (usual: listen)" },
        { SETTING_WORD, 0, "to", "usual|listen|dial", &set.to_side, "which side to be at TO (usual: dial)" },
        { SETTING_FLAG, 0, "until-last", NULL, &set.until_last, "end when the last sender of FROM has gone, where the kernel can know" },
        { SETTING_NUMBER, 'n', "count", "N", &set.count, "end after N messages from FROM" },
        { SETTING_TIME, 't', "timeout", "T", &set.timeout, "the whole command must be done in T (500ms, 3s), else status 124" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call on stderr, and what it is for" },
        { 0 },
};

/* "usual" is left to the library. */
static unsigned side_of(const struct target *t, int side)
{
        return side == USUAL || !target_has_sides(t) ? 0 : side == LISTEN ? IPW_LISTEN : IPW_DIAL;
}

static int open_end(struct talk *t, struct target *target, unsigned direction, int side, int64_t timeout)
{
        unsigned role = set.both ? IPW_PAIR : target_role(target->mechanism, direction);

        if (set.both && side == USUAL)
                side = direction == IPW_RECV ? LISTEN : DIAL;
        return talk_open(t, target, role | side_of(target, side), timeout);
}

static void say_carried(const struct flow *f)
{
        say_note("carried %llu message%s, %s, from %.*s to %.*s", (unsigned long long)f->messages, f->messages == 1 ? "" : "s",
                 number_size(f->bytes).text, (int)strcspn(f->from_name, "?"), f->from_name, (int)strcspn(f->to_name, "?"), f->to_name);
}

static void compare(const struct flow *f)
{
        size_t from = ipw_link_caps(f->from)->max_msg, to = ipw_link_caps(f->to)->max_msg;

        if (from > to)
                say_note("%.*s carries messages up to %zu bytes, %.*s may bring larger ones: such a one would end the bridge",
                         (int)strcspn(f->to_name, "?"), f->to_name, to, (int)strcspn(f->from_name, "?"), f->from_name);
}

/*
 * A side that has gone takes nothing more, but what it had sent before is still to be carried. A side that has ended its way may still wait for answers: where
 * the end can be passed on alone, it is, and the other way goes on until it ends, too.
 */
static int is_over(const struct flow f[FLOWS], unsigned flows, int told[FLOWS])
{
        unsigned ended = 0;

        for (unsigned i = 0; i < flows; i++) {
                if (f[i].end == FLOW_FAILED || (f[i].end == FLOW_SOURCE_ENDED && flows == 1))
                        return 1;
                if (f[i].end == FLOW_SOURCE_ENDED && !told[i]) {
                        told[i] = 1;
                        if (ipw_finish(f[i].to) == -EOPNOTSUPP)
                                return 1;
                }
                ended += f[i].end != FLOW_GOES_ON;
        }
        return ended == flows;
}

/* Until FROM, or both, have ended, or anything went wrong. */
static int carry(struct flow f[FLOWS], unsigned flows, int64_t until)
{
        int told[FLOWS] = { 0 }, r;

        for (;;) {
                int64_t left = until == IPW_FOREVER ? IPW_FOREVER : until - now();

                for (unsigned i = 0; i < flows; i++)
                        flow_turn(&f[i]);
                if (is_over(f, flows, told))
                        return DONE;
                if (until != IPW_FOREVER && left <= 0) {
                        say_error("bridge: %s has not ended in the time given", f[FORTH].from_name);
                        return TIMED_OUT;
                }
                r = flows_wait(f, flows, NULL, 0, left);
                if (r == -ECANCELED)
                        return FAILED;
                if (r < 0) {
                        say_error("bridge: cannot wait: %s", strerror(-r));
                        return FAILED;
                }
        }
}

/* What one direction came to. A side that ended the conversation has a right to; what it did not take is a loss all the same. */
static int finish(struct flow *f, int status)
{
        unsigned lost;

        if (f->holds && f->end == FLOW_GOES_ON)
                flow_turn(f);
        if (f->end == FLOW_FAILED)
                status = say_why(&f->why);
        if (f->end == FLOW_SINK_GONE && !set.both) {
                say_error("bridge: the receiver of %s has gone", f->to_name);
                status = FAILED;
        }
        lost = flow_close(f);
        if (lost) {
                say_error("bridge: %u message was taken from %s and not delivered to %s", lost, f->from_name, f->to_name);
                status = status == DONE ? FAILED : status;
        }
        if (lost || f->messages || !set.both)
                say_carried(f);
        return status;
}

static int bridge(struct ipw_link *from, const char *from_name, struct ipw_link *to, const char *to_name, int64_t until)
{
        struct flow f[FLOWS] = { { .from = from, .to = to, .from_name = from_name, .to_name = to_name },
                                 { .from = to, .to = from, .from_name = to_name, .to_name = from_name } };
        unsigned flows = set.both ? 2 : 1;
        int status = DONE;

        f[FORTH].most = set.count < 0 ? 0 : (uint64_t)set.count;
        for (unsigned i = 0; i < flows && status == DONE; i++) {
                compare(&f[i]);
                if (flow_open(&f[i]) < 0)
                        status = say_why(&f[i].why);
        }
        if (status == DONE)
                status = carry(f, flows, until);
        for (unsigned i = 0; i < flows; i++)
                status = finish(&f[i], status);
        return status;
}

static int check(const struct arguments *a)
{
        if (a->count != 2 || a->dashes) {
                say_error("bridge: needs two addresses, FROM and TO; see: ipcway help bridge");
                return WRONG_USAGE;
        }
        if (set.count == 0 || set.count < -1) {
                say_error("bridge: -n must be 1 or more");
                return WRONG_USAGE;
        }
        return DONE;
}

/* Before anything is opened, for that may take long. */
static int check_role(const struct target *t, unsigned direction)
{
        if (!set.both)
                return target_need_role(t->mechanism, direction) ? DONE : FAILED;
        if (t->mechanism->roles & 1u << IPW_PAIR)
                return DONE;
        say_error("bridge: %s goes one way: %s does not offer the role PAIR, which --both needs", t->text, t->mechanism->scheme);
        return FAILED;
}

static int run(const struct arguments *a)
{
        static const char *const guess[][2] = { { "framing", "auto" }, { NULL, NULL } };
        static const struct list last = { { "until=last" }, 1 };
        struct target from_target, to_target;
        struct talk from, to;
        int status = check(a);

        if (status == DONE)
                status = target_read(&from_target, a->word[0], set.until_last ? &last : NULL, set.both ? NULL : guess);
        if (status == DONE)
                status = target_read(&to_target, a->word[1], NULL, set.both ? NULL : guess);
        if (status == DONE && strcmp(from_target.text, to_target.text) == 0 && !set.both) {
                say_error("bridge: both addresses are %s: what comes out would go in again, for ever", a->word[0]);
                status = WRONG_USAGE;
        }
        if (status == DONE)
                status = check_role(&from_target, IPW_RECV) == DONE ? check_role(&to_target, IPW_SEND) : FAILED;
        if (status != DONE)
                return status;
        if (set.trace)
                trace_start();
        stop_catch();
        status = open_end(&to, &to_target, IPW_SEND, set.to_side, set.timeout);
        if (status != DONE)
                return status;
        stop_note();
        status = open_end(&from, &from_target, IPW_RECV, set.from_side, talk_left(&to));
        if (status == DONE) {
                status = bridge(from.link, from_target.text, to.link, to_target.text, to.until);
                if (ipw_close(from.link) > 0)
                        status = FAILED;
        }
        return talk_close(&to, status);
}

const struct command command_bridge = {
        .name = "bridge",
        .group = "Talk",
        .arguments = "FROM TO",
        .summary = "carry messages from one address to another",
        .text = "Each message stays one message. Who sends to FROM is held back while TO is full. Ends when FROM ends (a name that others may open again\n"
                "ends with --until-last), after -n messages, or by Ctrl-C; then says on stderr what it carried, and what it took and could not deliver.\n"
                "\n"
                "  ipcway bridge fifo:/tmp/orders 'mq+sysv:/etc/hosts#A'\n"
                "  ipcway bridge --both unix+seqpacket:/tmp/front unix+seqpacket:/tmp/back\n",
        .settings = settings,
        .run = run,
};
