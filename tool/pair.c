/* SPDX-License-Identifier: MIT */
/* ipcway pair: stdin and stdout as one end of a conversation. */
#include "command.h"
#include "converse.h"
#include "ipcway.h"
#include "say.h"
#include "stop.h"
#include "talk.h"
#include "trace.h"

static struct {
        int listen, dial, trace;
        int64_t timeout;
        struct list options;
        struct converse converse;
} set = { .timeout = IPW_FOREVER, .converse = { .linger = 1000000000, .until = IPW_FOREVER } };

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "listen", NULL, &set.listen, "wait for the other side to dial, where there are two sides" },
        { SETTING_FLAG, 0, "dial", NULL, &set.dial, "dial the other side" },
        { SETTING_WORD, 0, "format", CONVERSE_FORMATS, &set.converse.format,
          "how messages are parted on stdin and stdout: lines (standard), as the bytes come (raw), ..." },
        { SETTING_TIME, 0, "linger", "T", &set.converse.linger,
          "once one way has ended, and the other cannot know: end when nothing has moved for T (standard: 1s)" },
        { SETTING_TIME, 't', "timeout", "T", &set.timeout, "the whole command must be done in T (500ms, 3s), else status 124" },
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address, as ?key=value does; see: ipcway mechanisms NAME" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call on stderr, and what it is for" },
        { 0 },
};

static int run(const struct arguments *a)
{
        struct target target;
        struct talk talk;
        int status;

        if (a->count != 1 || a->dashes) {
                say_error("pair: needs one address%s; see: ipcway help pair", a->count ? ", nothing else" : "");
                return WRONG_USAGE;
        }
        if (set.listen && set.dial) {
                say_error("pair: --listen and --dial exclude each other");
                return WRONG_USAGE;
        }
        status = target_read(&target, a->word[0], &set.options, NULL);
        if (status != DONE)
                return status;
        if (!set.listen && !set.dial && target.mechanism->roles & 1u << IPW_PAIR && target_has_sides(&target)) {
                say_error("pair: %s: one side listens, the other one dials: say --listen or --dial", target.text);
                return WRONG_USAGE;
        }
        if (set.trace)
                trace_start();
        status = talk_open(&talk, &target, IPW_PAIR | (set.listen ? IPW_LISTEN : 0) | (set.dial ? IPW_DIAL : 0), set.timeout);
        if (status != DONE)
                return status;
        stop_note();
        set.converse.until = talk.until;
        return talk_close(&talk, converse(talk.link, target.text, &set.converse));
}

const struct command command_pair = {
        .name = "pair",
        .group = "Talk",
        .arguments = "ADDR --listen|--dial",
        .summary = "a conversation: stdin there, what comes back to stdout",
        .text = "One to one and both ways: each line of stdin is a message, and each message that comes is a line. Ends when the other side has ended the\n"
                "conversation. The end of stdin is told to it; where that cannot be (framing=sp, frame), a second of silence ends it (--linger). Who listens\n"
                "takes the first that dials.\n"
                "\n"
                "  ipcway pair unix+seqpacket:/tmp/talk --listen\n"
                "  echo 'are you there?' | ipcway pair unix+seqpacket:/tmp/talk --dial --linger 5s\n",
        .settings = settings,
        .run = run,
};
