/* SPDX-License-Identifier: MIT */
/* ipcway send: messages from the command line, from stdin, or a file cut into messages. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "digest.h"
#include "input.h"
#include "json.h"
#include "number.h"
#include "progress.h"
#include "say.h"
#include "stop.h"
#include "talk.h"
#include "trace.h"

enum { BATCH = 128, CHUNK = 65536 };

static struct {
        int format, json, listen, dial, trace;
        const char *file;
        int64_t type, priority, timeout;
        struct list options;
} set = { .timeout = IPW_FOREVER };

static const struct setting settings[] = {
        { SETTING_WORD, 0, "format", INPUT_FORMATS, &set.format,
          "how stdin is cut into messages: lines (standard), all in one (raw), ..." },
        { SETTING_WORD, 0, "in", INPUT_FORMATS, &set.format, NULL },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "stdin is JSON Lines: {\"data\":\"...\",\"encoding\":\"utf-8|base64\",\"type\":N}" },
        { SETTING_TEXT, 0, "file", "FILE", &set.file, "send FILE, in as many messages as it takes, and say its digest; - is stdin" },
        { SETTING_NUMBER, 0, "type", "N", &set.type, "type of each message, where messages have types (mq+sysv)" },
        { SETTING_NUMBER, 0, "priority", "N", &set.priority, "priority of each message, where they have one" },
        { SETTING_TIME, 't', "timeout", "T", &set.timeout, "the whole command must be done in T (500ms, 3s), else status 124" },
        { SETTING_FLAG, 0, "listen", NULL, &set.listen, "wait for a receiver to dial, where there are two sides (standard: dial)" },
        { SETTING_FLAG, 0, "dial", NULL, &set.dial, "dial a receiver that listens" },
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address, as ?key=value does; see: ipcway mechanisms NAME" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call on stderr, and what it is for" },
        { 0 },
};

static int failed(struct talk *t, ssize_t r)
{
        return r == -ECANCELED && stop_came() ? FAILED : say_link(t->link);
}

static int flush(struct talk *t)
{
        int r = talk_flush(t);

        return r < 0 ? failed(t, r) : DONE;
}

static int send_all(struct talk *t, struct ipw_message *m, size_t n)
{
        while (n) {
                ssize_t r = talk_send(t, m, n);

                if (r < 0)
                        return failed(t, r);
                m += r;
                n -= (size_t)r;
        }
        return DONE;
}

static struct ipw_message message(const void *data, size_t size)
{
        return (struct ipw_message){ .data = (void *)data, .size = size, .type = set.type, .priority = (uint32_t)set.priority };
}

static int send_words(struct talk *t, char **word, int count)
{
        struct ipw_message m[BATCH];
        int status = DONE;

        for (int i = 0, n; i < count && status == DONE; i += n) {
                for (n = 0; n < BATCH && i + n < count; n++)
                        m[n] = message(word[i + n], strlen(word[i + n]));
                status = send_all(t, m, (size_t)n);
        }
        return status;
}

static int send_json(struct talk *t, const char *line, size_t size, uint64_t number)
{
        struct ipw_message m = message(NULL, 0);
        char why[160];
        int r;

        r = json_message_read(line, size, &m, why, sizeof(why));
        if (r < 0) {
                say_error("stdin, line %llu: %s", (unsigned long long)number, r == -EINVAL ? why : strerror(-r));
                return FAILED;
        }
        r = send_all(t, &m, 1);
        free(m.data);
        return r;
}

static int input_failed(struct talk *t, struct input *in, ssize_t r, uint64_t number)
{
        switch (r) {
        case -EMSGSIZE:
                say_error("stdin: message %llu is longer than the %zu bytes that %s carries; --file sends bytes of any length in parts",
                          (unsigned long long)number, in->most, ipw_link_caps(t->link)->stack);
                return FAILED;
        case -EBADMSG:
                say_error("stdin ended in the middle of message %llu: what was announced did not come", (unsigned long long)number);
                return FAILED;
        case -ETIMEDOUT:
                say_error("stdin: no end in the time given; what was read was sent");
                return TIMED_OUT;
        case -ECANCELED:
                return FAILED;
        default:
                say_error("stdin: %s", strerror((int)-r));
                return FAILED;
        }
}

static int send_input(struct talk *t, struct input *in)
{
        struct ipw_message m[BATCH];
        uint64_t number = 1;

        for (;;) {
                size_t n = 0, size;
                char *data;
                int r, status = DONE;

                while ((r = input_next(in, &data, &size)) > 0) {
                        if (set.json) {
                                status = size ? send_json(t, data, size, number) : DONE;
                                number++;
                                break;
                        }
                        m[n++] = message(data, size);
                        if (n == BATCH)
                                break;
                }
                if (n) {
                        status = send_all(t, m, n);
                        number += n;
                }
                if (status != DONE)
                        return status;
                if (r > 0)
                        continue;
                if (r < 0)
                        return input_failed(t, in, r, number);
                r = input_fill(in, talk_left(t));
                if (r < 0)
                        return input_failed(t, in, r, number);
                if (r == 0)
                        return DONE;
        }
}

static int send_stdin(struct talk *t)
{
        struct input in = { .fd = STDIN_FILENO, .format = set.json ? INPUT_LINE : (enum input_format)set.format };
        int status;

        in.most = set.json ? SIZE_MAX / 4 : ipw_link_caps(t->link)->max_msg;
        status = send_input(t, &in);
        input_free(&in);
        return status;
}

static int send_chunks(struct talk *t, int fd, const char *name, size_t room, char *chunk)
{
        struct progress progress;
        struct digest digest;
        struct stat st;
        int status = DONE;

        digest_start(&digest);
        progress_start(&progress, name, fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
        while (status == DONE) {
                size_t have = 0;
                ssize_t n = 1;

                while (have < room && n > 0) {
                        n = read(fd, chunk + have, room - have);
                        if (n < 0 && errno == EINTR && !stop_came())
                                n = 1;
                        else if (n > 0)
                                have += (size_t)n;
                }
                if (n < 0) {
                        if (!stop_came())
                                say_error("%s: cannot read: %s", name, strerror(errno));
                        status = FAILED;
                } else if (have == 0) {
                        break;
                } else {
                        struct ipw_message m = message(chunk, have);

                        status = send_all(t, &m, 1);
                        digest_add(&digest, chunk, have);
                        progress_add(&progress, have);
                }
        }
        progress_end(&progress);
        if (status == DONE)
                status = flush(t);
        if (status == DONE)
                say_moved(name, "sent", &digest);
        return status;
}

static int send_file(struct talk *t, int fd, const char *name)
{
        size_t most = ipw_link_caps(t->link)->max_msg, room = most < CHUNK ? most : CHUNK;
        char *chunk = malloc(room);
        int status;

        if (!chunk) {
                say_error("out of memory");
                return FAILED;
        }
        status = send_chunks(t, fd, name, room, chunk);
        free(chunk);
        return status;
}

static int check(const struct arguments *a)
{
        if (a->count < 1) {
                say_error("send: needs an address; see: ipcway help send");
                return WRONG_USAGE;
        }
        if (set.file && (a->count + a->rest_count > 1 || set.json)) {
                say_error("send: --file, MESSAGE and --json exclude each other");
                return WRONG_USAGE;
        }
        if (set.listen && set.dial) {
                say_error("send: --listen and --dial exclude each other");
                return WRONG_USAGE;
        }
        return DONE;
}

/* Opening a log for writing mends its end. That is no fault of ours, and not to be hidden. */
static void tell_mended(const struct talk *t)
{
        struct ipw_stats stats = { 0 };

        if (ipw_link_stats(t->link, &stats) == 0 && stats.discarded)
                say_note("%s: a killed writer had left its last record half written; that was cut off", t->target->text);
}

static int talk_over(struct talk *t, const struct arguments *a, int fd)
{
        int words = a->count - 1 + a->rest_count, status;

        tell_mended(t);
        if (set.file)
                status = send_file(t, fd, fd == STDIN_FILENO ? "stdin" : set.file);
        else if (words || a->dashes)
                status = send_words(t, a->word + 1, a->count - 1);
        else
                status = send_stdin(t);
        if (status == DONE && a->rest_count)
                status = send_words(t, a->rest, a->rest_count);
        return status == DONE ? flush(t) : status;
}

static int run(const struct arguments *a)
{
        static const char *const defaults[][2] = { { "framing", "auto" }, { NULL, NULL } };
        struct target target;
        struct talk talk;
        int fd = STDIN_FILENO, status = check(a);
        unsigned role;

        /* An end that was handed to us has no reader yet that could be looked at: there it is what the address says, always, and not now this, now that. */
        if (status == DONE)
                status = target_read(&target, a->word[0], &set.options, strcmp(a->word[0], "-") == 0 ? NULL : defaults);
        if (status == DONE)
                status = target_check_type(&target, set.type);
        if (status == DONE)
                status = target_check_priority(&target, set.priority);
        if (status != DONE)
                return status;
        target.role_given = a->role != 0;
        role = a->role ? a->role : target_need_role(target.mechanism, IPW_SEND);
        if (!role)
                return FAILED;
        if (set.file && strcmp(set.file, "-") != 0) {
                fd = open(set.file, O_RDONLY | O_CLOEXEC);
                if (fd < 0) {
                        say_error("%s: %s", set.file, strerror(errno));
                        return FAILED;
                }
        }
        if (set.trace)
                trace_start();
        status = talk_open(&talk, &target, role | (set.listen ? IPW_LISTEN : 0) | (set.dial ? IPW_DIAL : 0), set.timeout);
        if (status == DONE) {
                status = set.file ? talk_open_bytes(&talk, &target) : DONE;
                status = talk_close(&talk, status == DONE ? talk_over(&talk, a, fd) : status);
        }
        if (fd != STDIN_FILENO)
                (void)close(fd);
        return status;
}

const struct command command_send = {
        .name = "send",
        .group = "Talk",
        .arguments = "ADDR [MESSAGE...]",
        .summary = "send messages: the arguments, lines of stdin, or a file",
        .text = "Each MESSAGE is one message; without any, each line of stdin is. Ends when the mechanism has them all (its level `ack`).\n"
                "A FIFO, pipe or socket waits for its other side; --timeout bounds that. If the reader of a FIFO or pipe is a plain program (cat), it\n"
                "gets lines, and a note on stderr says so. ADDR \"-\" is the end that `ipcway run` gave this program; over a pipe it sends frames there.\n"
                "\n"
                "  ipcway send fifo:/tmp/orders 'one coffee' 'two teas'\n"
                "  seq 1000 | ipcway send 'mq+sysv:/etc/hosts#A' --type 3\n"
                "  ipcway send unix+seqpacket:/tmp/in --file photo.jpg --timeout 10s\n",
        .settings = settings,
        .run = run,
};
