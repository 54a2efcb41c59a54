/* SPDX-License-Identifier: MIT */
/*
 * Two flows over one link, and each may end before the other. The end of stdin is told to the other side where one way can end alone (ipw_finish): from then
 * on only the other side's end is the end, for an answer may take its time. Where it cannot be told nobody could be sure that no answer comes. Hence the
 * silence: after it this side ends the conversation. Stdin that never held anything tells nothing: then this side only listens.
 *
 * The other side's end may be that of its way alone. What stdin still holds is sent, until nobody is there to take it, or until there is silence.
 */
#include "converse.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "flow.h"
#include "number.h"
#include "say.h"
#include "stop.h"

enum { THERE, BACK };

enum input_format converse_input(int format)
{
        static const enum input_format formats[] = { INPUT_LINE, INPUT_NUL, INPUT_PIECES, INPUT_LEN4BE };

        return formats[format];
}

enum output_format converse_output(int format)
{
        static const enum output_format formats[] = { OUTPUT_TEXT, OUTPUT_NUL, OUTPUT_RAW, OUTPUT_LEN4BE };

        return formats[format];
}

static int is_over(const struct flow *f)
{
        return f->end != FLOW_GOES_ON;
}

/* Both have moved what they could. 1: the conversation goes on. */
static int goes_on(const struct flow f[2])
{
        if (is_over(&f[BACK]) && (is_over(&f[THERE]) || f[BACK].end != FLOW_SOURCE_ENDED))
                return 0;
        return f[THERE].end != FLOW_FAILED && f[BACK].end != FLOW_FAILED;
}

static int64_t left_of(int64_t until)
{
        int64_t left = until - now();

        return until == IPW_FOREVER ? IPW_FOREVER : left > 0 ? left : 0;
}

static int run(struct flow f[2], const struct converse *c)
{
        int64_t quiet_since = 0;
        uint64_t moved = 0;
        int told = 0, r;

        for (;;) {
                int64_t time = left_of(c->until), quiet = IPW_FOREVER;

                flow_turn(&f[THERE]);
                flow_turn(&f[BACK]);
                if (!goes_on(f))
                        return DONE;
                if (f[THERE].end == FLOW_SOURCE_ENDED && f[THERE].messages && !told)
                        told = ipw_finish(f[THERE].to) == 0 ? 1 : -1;
                if (is_over(&f[BACK]) || (is_over(&f[THERE]) && f[THERE].messages && told < 1)) {
                        if (!quiet_since || moved != f[BACK].messages + f[THERE].messages)
                                quiet_since = now();
                        quiet = left_of(quiet_since + c->linger);
                        if (quiet == 0)
                                return DONE;
                }
                if (time == 0)
                        return TIMED_OUT;
                moved = f[BACK].messages + f[THERE].messages;
                r = flows_wait(f, 2, NULL, 0, quiet != IPW_FOREVER && (time == IPW_FOREVER || quiet < time) ? quiet : time);
                if (r == -ECANCELED)
                        return FAILED;
                if (r < 0) {
                        say_error("cannot wait: %s", strerror(-r));
                        return FAILED;
                }
        }
}

int converse(struct ipw_link *link, const char *name, const struct converse *c)
{
        struct flow f[2] = {
                { .to = link, .input = { .fd = STDIN_FILENO, .format = converse_input(c->format) } },
                { .from = link, .out = STDOUT_FILENO, .format = converse_output(c->format), .masked = isatty(STDOUT_FILENO) }
        };
        int status = DONE;
        unsigned lost;

        f[THERE].from_name = "stdin";
        f[BACK].to_name = "stdout";
        f[THERE].to_name = f[BACK].from_name = name;
        f[THERE].input.most = ipw_link_caps(link)->max_msg;
        for (int i = 0; i < 2 && status == DONE; i++)
                if (flow_open(&f[i]) < 0)
                        status = say_why(&f[i].why);
        if (status == DONE)
                status = run(f, c);
        for (int i = 0; i < 2; i++)
                if (f[i].end == FLOW_FAILED || (i == BACK && f[i].end == FLOW_SINK_GONE))
                        status = f[i].why.text[0] ? say_why(&f[i].why) : FAILED;
        if (status == TIMED_OUT)
                say_error("%s: the conversation did not end in the time given", name);
        lost = flow_close(&f[THERE]);
        if (lost) {
                say_error("%s: %u message of stdin was not delivered", name, lost);
                status = status == DONE ? FAILED : status;
        }
        lost = flow_close(&f[BACK]);
        if (lost && status == DONE)
                status = FAILED;
        return status;
}
