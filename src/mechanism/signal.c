/* SPDX-License-Identifier: MIT */
/*
 * signal:INT,TERM,RTMIN+1 receives signals as messages; signal:PID sends them to a process. Digits are always a process, names always signals.
 *
 * Receiving is by signalfd(2), without a handler. That works only while the signals are blocked in every thread: where one thread has them open, the kernel
 * runs the handler or the default action there and nothing comes here, now and then, which is the worst kind of fault. So the masks of all threads are looked
 * at when the link is opened, and a wrong one is an error that names the thread. The mask itself is the caller's, as handlers are: the
 * library changes neither. Programs that this one starts inherit it, so whoever starts one gives it the mask from before.
 *
 * The kernel keeps one of each standard signal: more of them, before the first is received, are the same one, and nobody counts them. Real-time
 * signals are queued, each with its value; the lower number comes first. So a set is reliable only if all in it are real-time ones.
 *
 * Sending holds on to the process from the open on (a pidfd): when it is gone the send says so, and a later process with the same number gets nothing. A
 * standard signal without a value is sent as kill(2) does it, and the receiver has the sender from the kernel; all others as
 * sigqueue(3) does it, where the sender is what the sender says. A standard signal with a value may arrive without it, when the receiver has too many pending.
 *
 * It refuses to receive KILL and STOP, which nobody can, and what a fault raises (SEGV and its like): a blocked fault kills the process at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "event.h"
#include "mechanism.h"
#include "message.h"
#include "option.h"
#include "signal_name.h"
#include "sys.h"
#include "why.h"

enum { BACK_OFF_FIRST = 20000, BACK_OFF_LAST = 1000000 /* ns */, NAMES = 100 };

/* ---- sets of names ----------------------------------------------------------------------------------------------------------------- */

static bool is_pid(const struct ipw_address *a)
{
        return a->rest[0] >= '0' && a->rest[0] <= '9';
}

static int refuse_name(int number, const char *text, int length, struct ipw_why *why)
{
        switch (number) {
        case SIGKILL:
        case SIGSTOP:
                return why_set(why, EINVAL, "signal:%.*s: no process can receive, block or handle it: the kernel acts on it alone", length,
                               text);
        case SIGSEGV:
        case SIGBUS:
        case SIGFPE:
        case SIGILL:
        case SIGTRAP:
        case SIGSYS:
                return why_set(
                        why, EINVAL,
                        "signal:%.*s: is raised by a fault of the thread itself, which cannot go on to receive it; if it is blocked the "
                        "fault kills the process at once. Only a handler on a stack of its own can see it: sigaltstack(2)",
                        length, text);
        default:
                return why_set(
                        why, EINVAL,
                        "signal:%.*s: no signal is called so; names are as kill -l has them (INT, TERM, USR1, RTMIN+1), digits are a process "
                        "to send to",
                        length, text);
        }
}

/* "INT,TERM": at least one. `ordered`: of one sender they come as sent; `reliable`: none is merged with another. */
static int parse_set(const struct ipw_address *a, sigset_t *set, bool *reliable, bool *ordered, struct ipw_why *why)
{
        const char *at = a->rest;
        int first = 0;

        if (a->fragment)
                return why_set(why, EINVAL, "signal:%.80s: '#' means nothing here", a->rest);
        (void)sigemptyset(set);
        *reliable = *ordered = true;
        for (;; at++) {
                size_t length = strcspn(at, ",");
                int number = signal_number(at, length);

                if (number < 0 || number == SIGKILL || number == SIGSTOP || number == SIGSEGV || number == SIGBUS || number == SIGFPE ||
                    number == SIGILL || number == SIGTRAP || number == SIGSYS)
                        return refuse_name(number, at, (int)MIN(length, (size_t)40), why);
                (void)sigaddset(set, number);
                *ordered &= !first || first == number;
                *reliable &= number >= SIGRTMIN;
                first = number;
                at += length;
                if (!*at)
                        return 0;
        }
}

/* ---- receiving --------------------------------------------------------------------------------------------------------------------- */

/* Who it says it is from. What is sent by a call that lets the sender fill that in is a claim. */
static struct ipw_sender sender_of(const struct signalfd_siginfo *s)
{
        struct ipw_sender sender = { .pid = (pid_t)s->ssi_pid, .uid = s->ssi_uid, .gid = (gid_t)-1 };

        if (s->ssi_code == SI_USER || s->ssi_code == SI_TKILL || (s->ssi_code > 0 && s->ssi_pid))
                sender.source = 2;
        else if (s->ssi_code < 0 && s->ssi_code != SI_TIMER)
                sender.source = 1;
        return sender.source ? sender : (struct ipw_sender){ 0 };
}

static int signal_take(struct event_link *e, struct event *out)
{
        struct signalfd_siginfo s;
        ssize_t r = sys_read("the next pending signal, if there is one", e->fd, &s, sizeof(s));

        if (r < 0)
                return (int)r;
        *out = (struct event){
                .what = {
                        .number = (int32_t)s.ssi_signo,
                        .code = s.ssi_code,
                        .pid = (int32_t)s.ssi_pid,
                        .uid = (int32_t)s.ssi_uid,
                        .status = s.ssi_signo == SIGCHLD && s.ssi_code > 0 ? s.ssi_status : 0,
                        .value = s.ssi_int,
                        .overrun = s.ssi_overrun,
                },
                .sender = sender_of(&s),
        };
        return 0;
}

static void receiver_close(struct link *link, int inherited)
{
        struct event_link *e = container_of(link, struct event_link, link);

        event_close(e);
        free(e);
}

static const struct link_ops receiver_ops = {
        .recv = event_recv,
        .watch = event_watch,
        .pollfd = event_pollfd,
        .close = receiver_close,
};

/* ---- the masks of all threads ------------------------------------------------------------------------------------------------------ */

/* Bit number-1 of a mask as /proc prints it. */
static uint64_t as_bits(const sigset_t *set)
{
        uint64_t bits = 0;

        for (int n = 1; n <= SIGRTMAX; n++)
                bits |= sigismember(set, n) == 1 ? (uint64_t)1 << (n - 1) : 0;
        return bits;
}

/* The mask of one thread. The line stands behind one of any length (Groups), so the file is read in pieces that overlap. */
static int read_mask(int tasks, const char *tid, uint64_t *mask)
{
        static const char key[] = "\nSigBlk:\t";
        char path[64], text[1024 + 64], *found;
        size_t have = 0;
        _cleanup_(sys_closep)
        int fd = -1;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "%.20s/status", tid);
        fd = sys_openat("the signal mask of this thread", tasks, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fd;
        while ((n = sys_read("the signal mask of this thread", fd, text + have, 1024)) > 0) {
                have += (size_t)n;
                text[have] = 0;
                found = strstr(text, key);
                if (found && strlen(found) >= sizeof(key) - 1 + 16) {
                        *mask = strtoull(found + sizeof(key) - 1, NULL, 16);
                        return 0;
                }
                if (have > 40) {
                        memmove(text, text + have - 40, 40);
                        have = 40;
                }
        }
        return n < 0 ? (int)n : -ENODATA;
}

static int refuse_mask(const struct ipw_address *a, const char *tid, uint64_t open, struct ipw_why *why)
{
        char name[16] = "?";

        (void)signal_name(__builtin_ctzll(open) + 1, name, sizeof(name));
        return why_set(
                why, EINVAL,
                "signal:%.60s: thread %.12s does not block %s, and would take it before this link can. Block it in the first thread, before "
                "others start: sigaddset(&set, SIG%s); pthread_sigmask(SIG_BLOCK, &set, NULL)",
                a->rest, tid, name, name);
}

/* A thread that ends meanwhile blocks enough; one that starts has the mask of one that was looked at. */
static int check_masks(const struct ipw_address *a, const sigset_t *set, struct ipw_why *why)
{
        _Alignas(struct sys_entry) char list[2048];
        uint64_t wanted = as_bits(set), mask = 0;
        _cleanup_(sys_closep)
        int tasks = -1;
        ssize_t n;
        int r;

        tasks = sys_open("do all threads block these signals", "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        if (tasks < 0)
                return why_call(why, tasks, "/proc/self/task", "cannot look at the signal masks of the threads; is /proc mounted?");
        while ((n = sys_getdents("the threads of this process", tasks, list, sizeof(list))) > 0)
                for (const struct sys_entry *e = (void *)list; (const char *)e < list + n;
                     e = (const void *)((const char *)e + e->length)) {
                        if (e->name[0] == '.')
                                continue;
                        r = read_mask(tasks, e->name, &mask);
                        if (r == -ENOENT || r == -ESRCH)
                                continue;
                        if (r < 0)
                                return why_call(why, r, e->name, "cannot read the signal mask of this thread");
                        if (wanted & ~mask)
                                return refuse_mask(a, e->name, wanted & ~mask, why);
                }
        return n < 0 ? why_call(why, (int)n, "/proc/self/task", "cannot list the threads of this process") : 0;
}

/* With SIGCHLD ignored the kernel reaps children itself and sends nothing. */
static int check_child(const sigset_t *set, struct ipw_why *why)
{
        struct sigaction action;
        int r;

        if (sigismember(set, SIGCHLD) != 1)
                return 0;
        r = sys_sigaction("is SIGCHLD ignored", SIGCHLD, &action);
        if (r < 0)
                return why_call(why, r, "signal:CHLD", "cannot ask what SIGCHLD does");
        if (!(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN)
                return why_set(
                        why, EINVAL,
                        "signal:CHLD: SIGCHLD is ignored here, perhaps inherited so; then the kernel does not send it. First signal(SIGCHLD, "
                        "SIG_DFL)");
        return 0;
}

static int signal_describe(const struct ipw_address *, struct ipw_caps *, struct ipw_why *);

static void free_receiver(struct event_link **e)
{
        if (*e)
                receiver_close(&(*e)->link, 0);
}

static int open_receiver(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(free_receiver)
        struct event_link *e = NULL;
        bool reliable, ordered;
        struct ipw_caps caps;
        sigset_t set;
        int r;

        r = parse_set(a, &set, &reliable, &ordered, why);
        if (r == 0)
                r = signal_describe(a, &caps, why);
        if (r == 0)
                r = check_masks(a, &set, why);
        if (r == 0)
                r = check_child(&set, why);
        if (r < 0)
                return r;
        e = sys_alloc("a receiver of signals", sizeof(*e));
        if (!e)
                return why_set(why, ENOMEM, "signal:%.80s: out of memory", a->rest);
        event_start(e, &receiver_ops, &caps, signal_take);
        r = e->fd = sys_signalfd("pending signals as something to read", &set);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot receive these signals");
        *out = &steal(&e)->link;
        return 0;
}

/* ---- sending ----------------------------------------------------------------------------------------------------------------------- */

struct sender {
        struct link link;
        int pidfd;
        pid_t pid;
        int64_t pause; /* before the next try, while the receiver has too many pending */
};

static int check_number(int number)
{
        char name[16];

        return number == 0 || signal_name(number, name, sizeof(name)) > 0 ? 0 : -EINVAL;
}

static int send_one(struct sender *s, const struct ipw_message *m)
{
        struct pollfd p = { .fd = s->pidfd, .events = POLLIN };
        struct ipw_signal what;
        siginfo_t info = { 0 };
        bool plain;
        int r;

        message_copy(&what, m, 0, sizeof(what));
        r = check_number(what.number);
        if (r < 0)
                return r;
        r = sys_ppoll("is it still alive: one that is dead but not reaped would take it without a word", &p, 1, &(struct timespec){ 0 });
        if (r != 0)
                return r < 0 ? r : -EPIPE;
        plain = what.number < SIGRTMIN && !what.value;
        if (!plain) {
                info.si_signo = what.number;
                info.si_code = SI_QUEUE;
                info.si_pid = sys_pid();
                info.si_uid = sys_uid();
                info.si_value.sival_int = what.value;
        }
        r = sys_pidfd_send_signal("send it, to this process and no later one", s->pidfd, what.number, plain ? NULL : &info);
        if (r == 0)
                s->pause = BACK_OFF_FIRST;
        return r == -ESRCH ? -EPIPE : r;
}

static ssize_t sender_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct sender *s = container_of(link, struct sender, link);
        int r = 0;
        size_t i = 0;

        for (; i < n && r >= 0; i++)
                r = send_one(s, &m[i]);
        return r >= 0 ? (ssize_t)n : i > 1 ? (ssize_t)i - 1 : r;
}

/* Nothing tells when the receiver has taken some. */
static int sender_wait(struct link *link, unsigned direction, int64_t until)
{
        struct sender *s = container_of(link, struct sender, link);
        int64_t left = until == NEVER ? s->pause : until - clock_now();
        int r = left > 0 ? sys_sleep("too many signals are pending: look again soon", MIN(left, s->pause)) : 0;

        s->pause = MIN(s->pause * 2, (int64_t)BACK_OFF_LAST);
        return r;
}

static int sender_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        struct sender *s = container_of(link, struct sender, link);
        struct rlimit room = { 0 };
        int pid = (int)s->pid;

        switch (error) {
        case EAGAIN:
        case ETIMEDOUT:
                if (sys_getrlimit("how many may be pending", RLIMIT_SIGPENDING, &room) < 0)
                        room.rlim_cur = 0;
                (void)why_set(
                        why, error,
                        "signal:%d: its user has as many signals pending as may be, about %llu in all processes together (RLIMIT_SIGPENDING, "
                        "ulimit -i); not delivered. Receive some, or raise the limit",
                        pid, (unsigned long long)room.rlim_cur);
                return 0;
        case EPIPE:
                (void)why_set(why, error, "signal:%d: the process has ended; not delivered", pid);
                return 0;
        case EINVAL:
                (void)why_set(why, error,
                              "signal:%d: there is no such signal; they go from 1 to %d, without 32 and 33, which the C library keeps for "
                              "itself; 0 only asks",
                              pid, SIGRTMAX);
                return 0;
        case EPERM:
                (void)why_set(
                        why, error,
                        "signal:%d: belongs to another user; only root, or that user, may send it signals (CONT also within one session)",
                        pid);
                return 0;
        case EMSGSIZE:
                (void)why_set(why, error,
                              "signal:%d: a message here is a struct ipw_signal of %zu bytes; from a shell: ipcway signal send %d TERM",
                              pid, sizeof(struct ipw_signal), pid);
                return 0;
        default:
                return -ENOENT;
        }
}

static void sender_close(struct link *link, int inherited)
{
        struct sender *s = container_of(link, struct sender, link);

        sys_closep(&s->pidfd);
        free(s);
}

static const struct link_ops sender_ops = {
        .send = sender_send,
        .wait = sender_wait,
        .why = sender_why,
        .close = sender_close,
};

static void free_sender(struct sender **s)
{
        if (*s)
                sender_close(&(*s)->link, 0);
}

static int open_sender(const struct request *request, struct link **out, struct ipw_why *why)
{
        _cleanup_(free_sender)
        struct sender *s = NULL;
        struct ipw_caps caps;
        pid_t pid;
        int r;

        r = event_pid(request->address, &pid, why);
        if (r == 0)
                r = signal_describe(request->address, &caps, why);
        if (r < 0)
                return r;
        s = sys_alloc("a process to send to", sizeof(*s));
        if (!s)
                return why_set(why, ENOMEM, "signal:%d: out of memory", (int)pid);
        *s = (struct sender){ .link = { .ops = &sender_ops, .caps = caps }, .pid = pid, .pause = BACK_OFF_FIRST };
        r = s->pidfd = event_pidfd("signal", pid, why);
        if (r < 0)
                return r;
        *out = &steal(&s)->link;
        return 0;
}

/* ---- the row ----------------------------------------------------------------------------------------------------------------------- */

static int signal_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        bool reliable, ordered;
        sigset_t set;
        pid_t pid;
        int r;

        if (is_pid(a)) {
                r = event_pid(a, &pid, why);
                if (r == 0)
                        event_caps(caps, "signal", IPW_CAP_ENDS | IPW_CAP_TIMED_BY_POLLING);
                return r;
        }
        if (!*a->rest)
                return why_set(why, EINVAL, "signal:: names nothing; write signal:INT,TERM to receive, signal:PID to send");
        r = parse_set(a, &set, &reliable, &ordered, why);
        if (r == 0)
                event_caps(caps, "signal",
                           IPW_CAP_MANY_SENDERS | IPW_CAP_POLL | (reliable ? IPW_CAP_RELIABLE | (ordered ? IPW_CAP_ORDERED : 0) : 0));
        return r;
}

static int signal_open(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;

        if (is_pid(a) && request->ways == IPW_RECV)
                return why_set(
                        why, EOPNOTSUPP,
                        "signal:%.20s: digits are a process, which can be sent to (IPW_PUSH); to receive, name the signals: signal:INT,TERM",
                        a->rest);
        if (!is_pid(a) && request->ways == IPW_SEND)
                return why_set(why, EOPNOTSUPP,
                               "signal:%.60s: names signals, which can be received (IPW_PULL); to send, give the process: signal:PID",
                               a->rest);
        return request->ways == IPW_SEND ? open_sender(request, out, why) : open_receiver(request, out, why);
}

static const struct ipw_option signal_options[] = {
        OPTION_SPIN,
};

const struct mechanism mechanism_signal = {
        .about = {
                .scheme = "signal",
                .syntax = "signal:NAME,NAME... | signal:PID",
                .summary = "signals as messages, to receive them by name or send them to a process; standard ones merge while they wait, "
                           "real-time ones queue with a value",
                .good_for = "being told to stop, to reload; a number to a process that may not listen elsewhere",
                .sample = "signal:RTMIN+7",
                .roles = 1u << IPW_PUSH | 1u << IPW_PULL,
                .events = 1,
                .options = signal_options,
                .option_count = COUNT_OF(signal_options),
        },
        .describe = signal_describe,
        .open = signal_open,
};
