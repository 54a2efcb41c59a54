/* SPDX-License-Identifier: MIT */
/* ipcway recv: messages to stdout or to a file, each as soon as it has come. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "digest.h"
#include "each.h"
#include "event.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "stop.h"
#include "talk.h"
#include "trace.h"

enum { ROOM = 65536 };

static struct {
        int format, until_last, listen, dial, trace;
        const char *file, *exec, *verify;
        int64_t count, type, timeout, idle;
        struct list options;
} set = { .format = -1, .count = -1, .timeout = IPW_FOREVER, .idle = IPW_FOREVER };

static const struct setting settings[] = {
        { SETTING_NUMBER, 'n', "count", "N", &set.count, "end after N messages" },
        { SETTING_TIME, 't', "timeout", "T", &set.timeout, "the whole command must be done in T (500ms, 3s), else status 124" },
        { SETTING_TIME, 0, "idle", "T", &set.idle, "end well when nothing has come for T; 0 takes what is there" },
        { SETTING_FLAG, 0, "until-last", NULL, &set.until_last,
          "end when senders have come and the last has gone, where the kernel can know (the same as -O until=last)" },
        { SETTING_WORD, 0, "format", OUTPUT_FORMATS, &set.format,
          "how messages are parted: text (standard) adds a newline where none is, line always, ..." },
        { SETTING_WORD, 0, "out", OUTPUT_FORMATS, &set.format, NULL },
        { SETTING_TEXT, 0, "file", "OUT", &set.file,
          "write to OUT, raw unless --format says else, and say its digest; implies --until-last where that exists" },
        { SETTING_TEXT, 0, "verify", "SHA256", &set.verify, "with --file: status 1 if what came has another digest than this" },
        { SETTING_TEXT, 0, "exec", "CMD", &set.exec, "run sh -c CMD for each message, which is its stdin; status 1 if one of them failed" },
        { SETTING_NUMBER, 0, "type", "N", &set.type, "only messages of type N; negative: the lowest type up to -N first (mq+sysv)" },
        { SETTING_FLAG, 0, "listen", NULL, &set.listen, "wait for senders to dial, where there are two sides (standard)" },
        { SETTING_FLAG, 0, "dial", NULL, &set.dial, "dial a sender that listens" },
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address, as ?key=value does; see: ipcway mechanisms NAME" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call on stderr, and what it is for" },
        { 0 },
};

static int grow(struct ipw_message *m, size_t room)
{
        void *data = realloc(m->data, room);

        if (!data) {
                say_error("a message of %zu bytes has come, more than there is memory for", room);
                return FAILED;
        }
        m->data = data;
        m->capacity = room;
        return DONE;
}

/* The conversation ended before -n was reached. */
static int too_few(const struct talk *t, uint64_t got, const char *because)
{
        say_error("%s: %s after %llu of %lld messages", t->target->text, because, (unsigned long long)got, (long long)set.count);
        return FAILED;
}

static int run_each(const struct ipw_message *m, int *status)
{
        int r = each_run(set.exec, m);

        if (r < 0) {
                say_error("cannot run a program: %s", strerror(-r));
                return FAILED;
        }
        if (r > 0)
                *status = FAILED;
        return DONE;
}

/* A file in the making. */
struct file {
        struct progress progress;
        struct digest digest;
};

/* Lines have lost their newlines, and nobody can say whether the last had one: no file can be made of that unnoticed. */
static int refuse_lines(const struct talk *t)
{
        if (!set.file || set.format >= 0 || !t->target->framing_at || strncmp(ipw_link_caps(t->link)->stack, "line/", 5) != 0)
                return DONE;
        say_error("%s: a plain program sends; take its bytes as they are with -O framing=raw, or its lines with --format line",
                  t->target->text);
        return FAILED;
}

static int finish_file(struct file *file)
{
        struct digest copy = file->digest;

        say_moved(set.file, "received", &file->digest);
        if (!set.verify || strcasecmp(set.verify, digest_end(&copy).text) == 0)
                return DONE;
        say_error("%s: is not what it should be: --verify %s", set.file, set.verify);
        return FAILED;
}

/* All senders have gone. What one of them left unfinished is no message, and a file that lacks it is not whole. */
static int judge_end(struct talk *t, int end)
{
        struct ipw_stats stats = { 0 };

        if (ipw_link_stats(t->link, &stats) < 0 || !stats.discarded)
                return end;
        say_note("%s: %llu unfinished message%s discarded: %s died or gave up in the middle", t->target->text,
                 (unsigned long long)stats.discarded, stats.discarded > 1 ? "s were" : " was",
                 stats.discarded > 1 ? "senders" : "its sender");
        return set.file ? FAILED : end;
}

/* With ack=consumer a message is done with once it is written, or its program has ended well. What is not is given to another receiver after this one. */
static int acknowledge(const struct talk *t, const struct ipw_message *m)
{
        return t->acknowledges && ipw_ack(t->link, m) < 0 ? say_link(t->link) : DONE;
}

static int receive(struct talk *t, int fd, struct ipw_message *m, struct file *file)
{
        enum output_format format = set.format < 0 ? set.file ? OUTPUT_RAW : OUTPUT_TEXT : (enum output_format)set.format;
        int masked = !set.file && isatty(fd), status, end = DONE;

        for (uint64_t got = 0; set.count < 0 || got < (uint64_t)set.count;) {
                ssize_t r;

                m->selector = set.type;
                r = talk_recv(t, m, set.idle);
                if (r == -EMSGSIZE) {
                        status = grow(m, m->size);
                        if (status != DONE)
                                return status;
                        continue;
                }
                if (r == -EPIPE)
                        return judge_end(t, set.count > 0 ? too_few(t, got, "every sender has gone") : end);
                if (r == -ETIME) {
                        if (set.count < 0)
                                return end;
                        (void)too_few(t, got, "nothing more came");
                        return TIMED_OUT;
                }
                if (r == -ECANCELED && stop_came())
                        return FAILED;
                if (r < 0)
                        return say_link(t->link);
                if (refuse_lines(t) != DONE)
                        return FAILED;
                if (m->flags & IPW_HAS_LOST && m->lost)
                        say_note("%llu messages were lost before this one", (unsigned long long)m->lost);
                if (set.exec) {
                        int before = end;

                        end = DONE;
                        if (run_each(m, &end) != DONE || (end == DONE && acknowledge(t, m) != DONE))
                                return FAILED;
                        end = end == DONE ? before : end;
                        got++;
                        continue;
                }
                if (t->target->mechanism->events && (format == OUTPUT_TEXT || format == OUTPUT_LINE || format == OUTPUT_JSON))
                        r = event_print(fd, format == OUTPUT_JSON, m);
                else
                        r = output_message(fd, format, masked, m);
                if (r < 0) {
                        say_error("%s: cannot write: %s", set.file ? set.file : "stdout", strerror((int)-r));
                        return FAILED;
                }
                if (acknowledge(t, m) != DONE)
                        return FAILED;
                got++;
                if (set.file) {
                        progress_add(&file->progress, m->size);
                        digest_add(&file->digest, m->data, m->size);
                }
        }
        return end;
}

static int talk_over(struct talk *t, int fd)
{
        struct ipw_message m = { 0 };
        struct file file;
        int status = grow(&m, ROOM);

        if (set.file) {
                progress_start(&file.progress, set.file, 0);
                digest_start(&file.digest);
        }
        if (status == DONE)
                status = receive(t, fd, &m, &file);
        if (set.file) {
                progress_end(&file.progress);
                if (status == DONE && (set.format < 0 || set.format == OUTPUT_RAW))
                        status = finish_file(&file);
        }
        free(m.data);
        return status;
}

static int check(const struct arguments *a)
{
        if (a->count != 1 || a->dashes) {
                say_error("recv: needs one address%s; see: ipcway help recv", a->count ? ", nothing else" : "");
                return WRONG_USAGE;
        }
        if (set.exec && (set.file || set.format >= 0)) {
                say_error("recv: --exec and --file or --format exclude each other: CMD has the message as it is");
                return WRONG_USAGE;
        }
        if (set.verify && (!set.file || (set.format >= 0 && set.format != OUTPUT_RAW) || strlen(set.verify) != 64 ||
                           strspn(set.verify, "0123456789abcdefABCDEF") != 64)) {
                say_error("recv: --verify goes with --file, and is a SHA-256 digest: 64 hexadecimal digits");
                return WRONG_USAGE;
        }
        if (set.listen && set.dial) {
                say_error("recv: --listen and --dial exclude each other");
                return WRONG_USAGE;
        }
        if (set.count == 0 || set.count < -1) {
                say_error("recv: -n must be 1 or more");
                return WRONG_USAGE;
        }
        return DONE;
}

/*
 * A file must end some time. Where no sender's end is seen, the user has to say when it does. `flags` are what a link there could do at most, before it is open, and
 * what it does, when it is: a name that is kept for later senders has no end, either.
 */
static int check_file_ends(const struct target *t, uint32_t flags)
{
        if (!set.file || set.count > 0 || set.idle != IPW_FOREVER || set.timeout != IPW_FOREVER || flags & IPW_CAP_ENDS)
                return DONE;
        say_error("recv: %.*s never says that the file has ended: add --idle 1s, or -n N%s", (int)strcspn(t->text, "?"), t->text,
                  strstr(t->text, "until=forever") ? ", or leave until=forever away" : "");
        return WRONG_USAGE;
}

/* It keeps what it had until there is something to put in its place. */
static int open_file(void)
{
        int fd = open(set.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

        if (fd < 0)
                say_error("%s: %s", set.file, strerror(errno));
        return fd;
}

static int empty_file(int fd)
{
        struct stat st;

        if (fstat(fd, &st) == 0 && (!S_ISREG(st.st_mode) || ftruncate(fd, 0) == 0))
                return DONE;
        say_error("%s: %s", set.file, strerror(errno));
        return FAILED;
}

static int run(const struct arguments *a)
{
        static const char *const plain[][2] = { { "framing", "auto" }, { NULL, NULL } };
        static const char *const file[][2] = { { "until", "last" }, { "framing", "auto" }, { NULL, NULL } };
        struct target target;
        struct ipw_caps caps = { 0 };
        struct talk talk;
        int fd = STDOUT_FILENO, status = check(a);
        unsigned role;

        if (status == DONE && set.until_last) {
                if (set.options.count == LIST_MAX) {
                        say_error("recv: more than %d options", LIST_MAX);
                        return WRONG_USAGE;
                }
                set.options.item[set.options.count++] = "until=last";
        }
        if (status == DONE)
                status = target_read(&target, a->word[0], &set.options, set.file ? file : plain);
        if (status == DONE)
                status = target_check_type(&target, set.type);
        if (status == DONE && ipw_describe(target.text, &caps, NULL) == 0)
                status = check_file_ends(&target, caps.flags);
        if (status != DONE)
                return status;
        if (set.file && target.framing_at && target_has_sides(&target))
                target_reframe(&target, NULL); /* lines that are taken from many at once cannot be told from messages */
        target.role_given = a->role != 0;
        role = a->role ? a->role : target_need_role(target.mechanism, IPW_RECV);
        if (!role)
                return FAILED;
        if (set.file) {
                fd = open_file();
                if (fd < 0)
                        return FAILED;
        }
        if (set.trace)
                trace_start();
        event_block(target.text);
        status = talk_open(&talk, &target, role | (set.listen ? IPW_LISTEN : 0) | (set.dial ? IPW_DIAL : 0), set.timeout);
        if (status == DONE) {
                status = check_file_ends(&target, ipw_link_caps(talk.link)->flags);
                if (status == DONE && set.file)
                        status = empty_file(fd);
                status = talk_close(&talk, status == DONE ? talk_over(&talk, fd) : status);
        }
        if (set.file && close(fd) < 0 && status == DONE) {
                say_error("%s: cannot write: %s", set.file, strerror(errno));
                status = FAILED;
        }
        return status;
}

const struct command command_recv = {
        .name = "recv",
        .group = "Talk",
        .arguments = "ADDR [-n N]",
        .summary = "receive messages and print them",
        .text = "Without -n it goes on until the conversation ends, or Ctrl-C; a name that others may dial or reopen does not end by itself.\n"
                "Bytes that are not ipcway's frames, nor from nanomsg or nng (echo hello > fifo), are taken as lines, and a note on stderr says so.\n"
                "JSON Lines (--format json) are\n"
                "{\"data\",\"encoding\",\"size\",\"type\",\"sender\"...}; `send --json` reads them. ADDR \"-\" is the end that `ipcway run` gave this program.\n"
                "\n"
                "  ipcway recv fifo:/tmp/orders -n 1 --timeout 5s\n"
                "  ipcway recv 'mq+sysv:/etc/hosts#A' --type -3 --idle 1s --format json\n"
                "  ipcway recv unix+seqpacket:/tmp/in --file photo.jpg\n",
        .settings = settings,
        .run = run,
};
