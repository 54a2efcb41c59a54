/* SPDX-License-Identifier: MIT */
/*
 * Proof by steps. A process does one thing to a ring (send, receive, either in place, open, close), one machine instruction at a time, and is killed, or stopped, at each point where
 * shared bytes have changed or a system call was made; with --all after every instruction that comes once the ring is touched. Each time a fresh ring, and each time the others must get on.
 *
 *      prove [--all] [--matrix] [--shown-in FILE] [OPERATION...]
 *
 * What the others see of each, as rows of a table, is printed by --matrix; --shown-in says whether a document still shows exactly that.
 *
 * Killed: the others send and receive within their time. What was committed is received, whole, once and in order; what was not does not exist. No lock stays,
 * every place among the users can be taken again, and the object can be removed.
 * Stopped: the others succeed or say -ETIMEDOUT. When it goes on, it succeeds: nothing was taken from it. Then everything that was sent is there, once.
 * Left alone: who sleeps is woken by the message and not by the end of its slice, which here is longer than anybody's patience.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "ipcway.h"
#include "janitor.h"
#include "ring.h"

int64_t prove_slice = 100000000;

enum { PATIENCE = 5, SLOTS = 6, BEFORE = 3, SIZE = 40, EVENTS = 400, GOT_IT = 20, LAP = 100, NUMBERS = 64 };
#define SOON    ((int64_t)PATIENCE * 1000000000)
#define SHORTLY IPW_MS(30)

enum operation {
        SEND,
        SEND_TO_SLEEPER,
        CLAIM,
        RECEIVE,
        BORROW,
        RECEIVE_NOTHING,
        ATTACH,
        DETACH,
        ATTACH_FIRST,
        MEND_SEND,
        MEND_RECEIVE,
        ATTACH_OVER,
        PAIR_SEND,
        PAIR_SEND_AGAIN,
        PAIR_CLAIM,
        PAIR_RECEIVE,
        PAIR_BORROW,
        PUBLISH,
        PUBLISH_TO_SLEEPERS,
        SUBSCRIBE,
        SUBSCRIBE_LENT,
        SUBSCRIBE_WAKE,
        JOIN,
        LEAVE,
        OPERATIONS
};
/* What there is to say of each; `way`: IPW_SEND or IPW_RECV of a message. */
static const struct {
        const char *name;
        unsigned way;
        bool lent, pair, to_all;
        unsigned dead; /* somebody has died in the middle of that, and holds the lock; after the one that is stepped had come, or before */
} about[] = {
        [SEND] = { "send", IPW_SEND },
        [SEND_TO_SLEEPER] = { "send-to-sleeper", IPW_SEND },
        [CLAIM] = { "claim-commit", IPW_SEND, .lent = true },
        [RECEIVE] = { "receive", IPW_RECV },
        [BORROW] = { "borrow-give-back", IPW_RECV, .lent = true },
        [RECEIVE_NOTHING] = { "receive-nothing" },
        [ATTACH] = { "attach" },
        [DETACH] = { "detach" },
        [ATTACH_FIRST] = { "attach-first" },
        [MEND_SEND] = { "mend-and-send", IPW_SEND, .dead = IPW_SEND },
        [MEND_RECEIVE] = { "mend-and-receive", IPW_RECV, .dead = IPW_RECV },
        [ATTACH_OVER] = { "attach-over-dead", .dead = IPW_SEND },
        [PAIR_SEND] = { "pair-send", IPW_SEND, .pair = true },
        [PAIR_SEND_AGAIN] = { "pair-send-again", IPW_SEND, .pair = true },
        [PAIR_CLAIM] = { "pair-claim-commit", IPW_SEND, .lent = true, .pair = true },
        [PAIR_RECEIVE] = { "pair-receive", IPW_RECV, .pair = true },
        [PAIR_BORROW] = { "pair-borrow-give-back", IPW_RECV, .lent = true, .pair = true },
        [PUBLISH] = { "publish", IPW_SEND, .to_all = true },
        [PUBLISH_TO_SLEEPERS] = { "publish-to-sleepers", IPW_SEND, .to_all = true },
        [SUBSCRIBE] = { "subscriber-receive", IPW_RECV, .to_all = true },
        [SUBSCRIBE_LENT] = { "subscriber-borrow", IPW_RECV, .lent = true, .to_all = true },
        [SUBSCRIBE_WAKE] = { "subscriber-wakes", IPW_RECV, .to_all = true },
        [JOIN] = { "subscriber-joins", .to_all = true },
        [LEAVE] = { "subscriber-leaves", .to_all = true },
};

/* What is done to the one that is stepped. */
enum fate { FINISH, KILL, STOP };
static const char *const fates[] = { "left alone", "killed", "stopped" };

/* One fresh ring, and what is known of it. */
struct world {
        char address[100], path[64];
        void *image;
        struct ring_shape shape;
        struct ring_words *words;
        struct ipw_link *in, *out;      /* of the survivors */
        pid_t subject, sleeper, second; /* of a broadcast two sleep */
        uint64_t tail, head;            /* before the operation; `head`: up to where the subject has taken */
        int before;                     /* messages that were there */
        bool quick;                     /* from system call to system call */
        char last[80];                  /* what happened at the point where it ended */
};

static bool every_instruction, quiet;
static char table[32768]; /* what the others see, each row once */
static enum operation operation;
static enum fate fate;
static unsigned point;
static unsigned runs;

static void __attribute__((noreturn, format(printf, 2, 3))) broken(struct world *w, const char *format, ...)
{
        va_list arguments;

        printf("BROKEN: %s, %s at point %u (%s): ", about[operation].name, fates[fate], point, w->last);
        va_start(arguments, format);
        (void)vprintf(format, arguments);
        va_end(arguments);
        printf("\n");
        if (w->subject > 0)
                (void)kill(w->subject, SIGKILL);
        if (w->sleeper > 0)
                (void)kill(w->sleeper, SIGKILL);
        if (w->second > 0)
                (void)kill(w->second, SIGKILL);
        exit(1); /* the janitor takes the ring away */
}

/* ---- messages: who, which, and a payload that follows from that ------------------------------------------------------------------------- */

static void fill(char *data, char from, int number)
{
        for (int i = 0; i < SIZE; i++)
                data[i] = (char)(i < 2 ? (i ? '0' + number : from) : from + number * 3 + i);
}

static ssize_t put(struct ipw_link *l, char from, int number, int64_t timeout)
{
        char data[SIZE];

        fill(data, from, number);
        return ipw_send(l, &(struct ipw_message){ .data = data, .size = SIZE }, timeout);
}

/* 'B' 0, 'S' 0, ...: 0 if that came whole; its number goes to `number`. */
static ssize_t take(struct ipw_link *l, char *from, int *number, int64_t timeout)
{
        char data[200], wanted[SIZE];
        struct ipw_message m = { .data = data, .capacity = sizeof(data) };
        ssize_t n = ipw_recv(l, &m, timeout);

        if (n < 0)
                return n;
        *from = data[0];
        *number = data[1] - '0';
        fill(wanted, *from, *number);
        return n == SIZE && memcmp(wanted, data, SIZE) == 0 ? 0 : -EBADMSG;
}

/* The same in place: of two spans the first is left out, and the second made smaller. */
static ssize_t put_lent(struct ipw_link *l, char from, int number, int64_t timeout)
{
        struct ipw_span s[2];
        ssize_t r = ipw_claim(l, SIZE * 2, s, 2, timeout);

        if (r != 2)
                return r < 0 ? r : -EBADMSG;
        fill(s[1].data, from, number);
        s[1].size = SIZE;
        r = ipw_abandon(l, s, 1);
        if (r == 0)
                r = ipw_commit(l, s, 2);
        return r == 1 ? SIZE : r;
}

/* Two are borrowed, and one is received. */
static ssize_t take_lent(struct ipw_link *l, char *from, int *number, int64_t timeout)
{
        char wanted[SIZE];
        struct ipw_span s[2];
        ssize_t n = ipw_borrow(l, s, 2, timeout);
        bool whole;

        if (n < 0)
                return n;
        *from = ((char *)s[0].data)[0];
        *number = ((char *)s[0].data)[1] - '0';
        fill(wanted, *from, *number);
        whole = s[0].size == SIZE && memcmp(wanted, s[0].data, SIZE) == 0;
        n = ipw_give_back(l, s, 1);
        return n == 0 && !whole ? -EBADMSG : n;
}

/* ---- the one that is stepped -------------------------------------------------------------------------------------------------------------- */

static struct ipw_link *open_as(const char *address, unsigned how)
{
        struct ipw_link *l = NULL;
        struct ipw_why why;

        if (ipw_open(&l, address, how, SOON, &why) < 0)
                errx(2, "%s", why.text);
        return l;
}

/* All that is there follows one upon the other, wherever it begins: messages from before, the survivors' own, then a lap of theirs. */
static bool follow(struct ipw_link *l, int before)
{
        char from, was = 0;
        int number, last = 0;
        ssize_t r;

        while ((r = take(l, &from, &number, 0)) == 0) {
                bool newest = was == 'B' && last == (before - 1) % NUMBERS;
                bool follows = from == was && (from == 'B' || from == 'F') ? number == (last + 1) % NUMBERS
                               : from == 'B'                               ? !was
                               : from == 'S'                               ? newest || was == 'X'
                               : from == 'X'                               ? !was || newest || was == 'S'
                               : from == 'F'                               ? !was || (was == 'X' && number == 0)
                                                                           : false;

                if (!follows)
                        return false;
                was = from;
                last = number;
        }
        return r == -EAGAIN;
}

static void __attribute__((noreturn)) be_subject(const struct world *w)
{
        struct ipw_link *l = NULL;
        char from;
        int number;
        ssize_t r = 0;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (about[operation].pair)
                l = open_as(w->address, IPW_PAIR);
        else if (about[operation].to_all && operation != JOIN)
                l = open_as(w->address, about[operation].way == IPW_SEND ? IPW_PUB : IPW_SUB);
        else if (about[operation].way == IPW_SEND || operation == DETACH)
                l = open_as(w->address, IPW_PUSH);
        else if (about[operation].way == IPW_RECV || operation == RECEIVE_NOTHING)
                l = open_as(w->address, IPW_PULL);
        if (operation == PAIR_SEND_AGAIN && put(l, 'A', 0, SOON) != SIZE) /* the next goes the shortest way, with what this has found out */
                errx(2, "cannot even begin");
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        switch (operation) {
        case SEND:
        case SEND_TO_SLEEPER:
        case MEND_SEND:
        case PAIR_SEND:
        case PAIR_SEND_AGAIN:
        case PUBLISH:
        case PUBLISH_TO_SLEEPERS:
                r = put(l, 'S', 0, SOON);
                break;
        case CLAIM:
        case PAIR_CLAIM:
                r = put_lent(l, 'S', 0, SOON);
                break;
        case RECEIVE:
        case BORROW:
        case MEND_RECEIVE:
        case PAIR_RECEIVE:
        case PAIR_BORROW:
        case SUBSCRIBE:
        case SUBSCRIBE_LENT:
        case SUBSCRIBE_WAKE:
                r = about[operation].lent ? take_lent(l, &from, &number, SOON) : take(l, &from, &number, SOON);
                r = r == 0 && from == 'B' && number == 0 ? 0 : -1;
                break;
        case RECEIVE_NOTHING:
                r = take(l, &from, &number, IPW_MS(60));
                if (r == 0 && from == 'X') { /* it was stopped for long, and then there was something */
                        (void)raise(SIGSTOP);
                        _exit(GOT_IT);
                }
                r = r == -ETIMEDOUT ? 0 : -1;
                break;
        case ATTACH:
        case ATTACH_FIRST:
        case ATTACH_OVER:
                l = open_as(w->address, IPW_PUSH);
                break;
        case JOIN:
                l = open_as(w->address, IPW_SUB);
                break;
        case DETACH:
        case LEAVE:
                (void)ipw_close(l);
                break;
        default:
                break;
        }
        (void)raise(SIGSTOP);
        if (about[operation].to_all && (about[operation].way == IPW_RECV || operation == JOIN))
                _exit(r < 0 || !follow(l, w->before));
        _exit(r < 0);
}

/* Has its side's lock, as in the middle of a send or receive, and is killed there. */
static void __attribute__((noreturn)) be_dead(const struct world *w)
{
        struct ipw_link *l = open_as(w->address, about[operation].dead == IPW_SEND ? IPW_PUSH : IPW_PULL);
        int fd = open(w->path, O_RDWR | O_CLOEXEC);
        void *image = mmap(NULL, w->shape.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        struct ring_words *words = (struct ring_words *)((char *)image + w->shape.words[0]);
        uint32_t mine = 0;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!l || image == MAP_FAILED)
                _exit(1);
        while (load_relaxed(&ring_slot(image, mine)->pid) != (uint32_t)getpid())
                mine++;
        store_release(about[operation].dead == IPW_SEND ? &words->writer : &words->reader,
                      ring_owner(mine, load_relaxed(&ring_slot(image, mine)->epoch)));
        (void)raise(SIGSTOP);
        _exit(1);
}

/* It sleeps until there is room. */
static void __attribute__((noreturn)) be_sleeping_sender(const struct world *w)
{
        struct ipw_link *l = open_as(w->address, IPW_PUB);
        ssize_t r;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        r = put(l, 'S', 0, SOON);
        _exit(r == SIZE ? 10 : r == -ETIMEDOUT ? 12 : 13);
}

static void __attribute__((noreturn)) be_sleeper(const struct world *w)
{
        struct ipw_link *l = open_as(w->address, about[operation].to_all ? IPW_SUB : IPW_PULL);
        char from;
        int number;
        ssize_t r;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        r = take(l, &from, &number, SOON);
        if (r == 0)
                _exit(from == 'S' ? 10 : 11);
        _exit(r == -ETIMEDOUT ? 12 : 13);
}

/* ---- stepping ------------------------------------------------------------------------------------------------------------------------------ */

static const char *what_changed(const struct world *w, const unsigned char *was)
{
        const unsigned char *now = w->image;
        size_t at = 0;

        while (at < w->shape.size && now[at] == was[at])
                at++;
        if (at == w->shape.size)
                return NULL;
        if (w->shape.cursors && at >= w->shape.cursors && at < w->shape.bytes[0])
                return "a cursor is stored";
        if (at < IMAGE_PAGE)
                return "the head page is written";
        if (at < w->shape.words[0])
                return "a slot is written";
        if (at >= w->shape.bytes[0])
                return "bytes of a record are written";
        at = (at - w->shape.words[0]) % sizeof(struct ring_words);
        if (at < offsetof(struct ring_words, writer))
                return "the tail is stored";
        if (at < offsetof(struct ring_words, writer_free))
                return "the writer lock changes hands";
        if (at >= offsetof(struct ring_words, head) && at < offsetof(struct ring_words, reader))
                return "the head is stored";
        if (at >= offsetof(struct ring_words, reader) && at < offsetof(struct ring_words, reader_free))
                return "the reader lock changes hands";
        if (at >= offsetof(struct ring_words, senders) && at < offsetof(struct ring_words, emptied))
                return "the list of senders changes";
        if (at >= offsetof(struct ring_words, receivers))
                return "the list of receivers changes";
        return "a sleeper's bit or turn changes";
}

static const char *name_of(long number)
{
        static char text[32];

        switch (number) {
        case SYS_futex:
                return "futex";
        case SYS_fcntl:
                return "fcntl (a byte's lock)";
        case SYS_openat:
                return "open";
        case SYS_close:
                return "close";
        case SYS_mmap:
                return "mmap";
        case SYS_munmap:
                return "munmap";
        case SYS_membarrier:
                return "membarrier";
        case SYS_madvise:
                return "madvise";
        case SYS_geteuid:
        case SYS_getpid:
                return "who are we";
        case SYS_read:
                return "read";
        case SYS_pidfd_open:
                return "pidfd_open";
        case SYS_ppoll:
                return "poll";
        case SYS_newfstatat:
        case SYS_fstat:
                return "stat";
        default:
                (void)snprintf(text, sizeof(text), "system call %ld", number);
                return text;
        }
}

/*
 * To attach takes thousands of instructions before the first of them touches the ring; until then only system calls count, and it runs from one to the next. The
 * last of those is membarrier(2).
 */
static const char *run_to_call(struct world *w, bool *over)
{
        struct user_regs_struct regs;
        int status;

        for (int i = 0; i < 2; i++) { /* into it, and out of it */
                if (ptrace(PTRACE_SYSCALL, w->subject, NULL, NULL) < 0 || waitpid(w->subject, &status, 0) < 0)
                        err(2, "PTRACE_SYSCALL");
                *over = !WIFSTOPPED(status) || WSTOPSIG(status) == SIGSTOP;
                if (*over)
                        return NULL;
        }
        if (ptrace(PTRACE_GETREGS, w->subject, NULL, &regs) < 0)
                err(2, "PTRACE_GETREGS");
        *over = regs.orig_rax == SYS_gettid;
        w->quick = regs.orig_rax != SYS_membarrier;
        return name_of((long)regs.orig_rax);
}

/* In its sleep again, or gone. */
static void let_sleeper_look(const struct world *w)
{
        char path[40], text[256] = "";

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)w->sleeper);
        while (!strstr(text, ") S ") && !strstr(text, ") Z ")) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);

                if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
                        err(2, "%s", path);
                (void)close(fd);
                (void)sched_yield();
        }
}

/* One instruction. What of it others could see; NULL: nothing. `over`: it has come to its end. */
static const char *step(struct world *w, unsigned char *was, bool *over)
{
        struct user_regs_struct regs;
        const char *seen = NULL, *changed;
        int status;
        long code;

        if (w->quick)
                return run_to_call(w, over);
        if (ptrace(PTRACE_GETREGS, w->subject, NULL, &regs) < 0)
                err(2, "PTRACE_GETREGS");
        code = ptrace(PTRACE_PEEKTEXT, w->subject, regs.rip, NULL);
        if ((code & 0xffff) == 0x050f)
                seen = name_of((long)regs.rax);
        if (seen && regs.rax == SYS_gettid) { /* it is done, and about to say so by raise(3) */
                *over = true;
                return NULL;
        }
        if (ptrace(PTRACE_SINGLESTEP, w->subject, NULL, NULL) < 0 || waitpid(w->subject, &status, 0) < 0)
                err(2, "PTRACE_SINGLESTEP");
        *over = WIFEXITED(status) || WIFSIGNALED(status) || (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
        if (WIFEXITED(status) && WEXITSTATUS(status))
                broken(w, "the operation itself failed");
        changed = what_changed(w, was);
        if (changed)
                memcpy(was, w->image, w->shape.size);
        return seen ? seen : changed;
}

static void thaw_sleepers(const struct world *w)
{
        if (w->sleeper)
                (void)kill(w->sleeper, SIGCONT);
        if (w->second)
                (void)kill(w->second, SIGCONT);
}

/* Up to that point. False: the operation has no such point. */
static bool step_to(struct world *w, unsigned wanted)
{
        unsigned char *was = malloc(w->shape.size);
        unsigned count = 0;
        bool over = false;

        if (!was)
                err(2, "malloc");
        memcpy(was, w->image, w->shape.size);
        while (count < wanted && !over) {
                const char *seen = step(w, was, &over);

                if (seen && fate == FINISH && w->sleeper)
                        let_sleeper_look(w);
                if (seen)
                        (void)snprintf(w->last, sizeof(w->last), "%s", seen);
                count += !over && (seen || every_instruction);
        }
        free(was);
        thaw_sleepers(w);
        return !over;
}

/* ---- a fresh world ------------------------------------------------------------------------------------------------------------------------- */

static void map_image(struct world *w)
{
        const char *what = NULL;
        struct stat st;
        int fd = open(w->path, O_RDWR | O_CLOEXEC);

        if (fd < 0 || fstat(fd, &st) < 0)
                err(2, "%s", w->path);
        w->image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (w->image == MAP_FAILED || ring_check(w->image, (uint64_t)st.st_size, &w->shape, &what) < 0)
                errx(2, "%s: %s", w->path, what ? what : "mmap");
        /* of a PAIR, the second ring carries what the second to come sends: that is the one that is stepped */
        w->words = (struct ring_words *)((char *)w->image + w->shape.words[about[operation].pair && about[operation].way == IPW_SEND]);
        /* closing a descriptor frees no lock of other descriptions */
        (void)close(fd);
}

static pid_t start(const struct world *w, void (*be)(const struct world *))
{
        pid_t pid = fork();

        if (pid < 0)
                err(2, "fork");
        if (pid == 0)
                be(w);
        return pid;
}

static unsigned sleepers(const struct world *w)
{
        return w->second ? 2 : 1;
}

static unsigned asleep(const struct world *w)
{
        const struct ring_wait *bed = operation == SUBSCRIBE_WAKE ? &w->words->emptied : &w->words->filled;

        return (unsigned)__builtin_popcountll(load_acquire(&bed->sleepers) & UINT32_MAX);
}

/* Asleep for good: its bit is set, and the kernel says so. */
static void await_sleeper(const struct world *w)
{
        char path[40], text[256];

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)w->sleeper);
        for (;;) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

                (void)close(fd);
                if (n <= 0)
                        errx(2, "the sleeper is gone");
                text[n] = 0;
                if (asleep(w) == sleepers(w) && strstr(text, ") S "))
                        return;
                (void)sched_yield();
        }
}

/*
 * It sleeps. If another is killed or stopped at some step, it does nothing between the steps either: no end of its slice comes between them, nor what it does when it
 * is woken.
 */
static void start_sleeper(struct world *w, void (*be)(const struct world *))
{
        int status;

        w->second = w->sleeper;
        w->sleeper = start(w, be);
        await_sleeper(w);
        while (fate != FINISH) {
                if (kill(w->sleeper, SIGSTOP) < 0 || waitpid(w->sleeper, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
                        errx(2, "the sleeper cannot be stopped");
                if (asleep(w) == sleepers(w))
                        break;
                (void)kill(w->sleeper, SIGCONT); /* it was the end of a slice */
                await_sleeper(w);
        }
}

static void put_before(struct world *w)
{
        for (int i = 0; i < BEFORE; i++)
                if (put(w->out, 'B', i, 0) != SIZE)
                        broken(w, "cannot even begin");
}

/* There is no room, and only the one that is stepped has still to take something. */
static void put_all(struct world *w)
{
        int number;
        char from;

        for (int i = 0; i < w->before; i++)
                if (put(w->out, 'B', i % NUMBERS, 0) != SIZE || take(w->in, &from, &number, 0) != 0)
                        broken(w, "cannot even begin");
}

/* Up to where the one that is stepped has taken. */
static uint64_t taken_by_subject(const struct world *w)
{
        uint32_t slot = 0;

        if (operation != SUBSCRIBE_WAKE)
                return load_acquire(&w->words->head);
        while (load_relaxed(&ring_slot(w->image, slot)->pid) != (uint32_t)w->subject)
                slot++;
        return load_acquire(&((const struct ring_cursor *)((const char *)w->image + w->shape.cursors))[slot].at);
}

static pid_t start_dead(const struct world *w)
{
        pid_t pid = start(w, be_dead);
        int status;

        if (waitpid(pid, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
                errx(2, "the one to die did not come so far");
        return pid;
}

static void let_die(pid_t pid)
{
        if (kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) < 0)
                err(2, "the one to die");
}

static void world_make(struct world *w)
{
        static unsigned serial;
        pid_t dead = 0;
        int status, number;
        char from;

        *w = (struct world){ .last = "its beginning" };
        (void)snprintf(w->address, sizeof(w->address), "shm:/ipcway-prove-%d-%u?size=4K&slots=%d&spin=0", (int)getpid(), ++serial, SLOTS);
        (void)snprintf(w->path, sizeof(w->path), "/dev/shm/ipcway-prove-%d-%u", (int)getpid(), serial);
        if (about[operation].pair) {
                w->in = w->out = open_as(w->address, IPW_PAIR);
        } else if (operation == ATTACH_FIRST) { /* somebody waits for the first sender, and would see the last one go */
                char address[120];

                (void)snprintf(address, sizeof(address), "%s&until=last", w->address);
                w->in = open_as(address, IPW_PULL);
        } else {
                w->out = open_as(w->address, about[operation].to_all ? IPW_PUB : IPW_PUSH);
        }
        map_image(w);
        w->before = operation == SUBSCRIBE_WAKE ? (int)(w->shape.capacity / (RING_HEADER + SIZE)) : BEFORE;
        if (operation == SEND_TO_SLEEPER) {
                start_sleeper(w, be_sleeper);
        } else if (operation != ATTACH_FIRST) {
                if (!w->in)
                        w->in = open_as(w->address, about[operation].to_all ? IPW_SUB : IPW_PULL);
                if (operation != RECEIVE_NOTHING && !about[operation].to_all)
                        put_before(w);
        }
        if (about[operation].dead)
                dead = start_dead(w);
        if (dead && !about[operation].way)
                let_die(dead);
        w->subject = start(w, be_subject);
        if (waitpid(w->subject, &status, 0) < 0 || !WIFSTOPPED(status))
                errx(2, "the one to be stepped did not start");
        if (dead && about[operation].way)
                let_die(dead);
        if (operation == PUBLISH_TO_SLEEPERS) {
                start_sleeper(w, be_sleeper);
                start_sleeper(w, be_sleeper);
        } else if (operation == SUBSCRIBE_WAKE) {
                put_all(w);
                start_sleeper(w, be_sleeping_sender);
        } else if (about[operation].to_all) { /* it has opened, if that is not what it is to do */
                put_before(w);
        }
        if (operation == PAIR_SEND_AGAIN && take(w->in, &from, &number, SOON) != 0)
                broken(w, "cannot even begin");
        w->tail = load_acquire(&w->words->tail);
        w->head = taken_by_subject(w);
        w->quick = operation == ATTACH || operation == ATTACH_FIRST || operation == ATTACH_OVER || operation == JOIN;
}

/* Its last words, or none. */
static void end_subject(struct world *w)
{
        int status;

        (void)kill(w->subject, SIGKILL);
        while (waitpid(w->subject, &status, 0) >= 0 && !WIFSIGNALED(status) && !WIFEXITED(status))
                ;
        w->subject = 0;
}

/* It goes on to its end, which must be a good one. */
static bool finish_subject(struct world *w)
{
        int status = 0;

        for (int i = 0; i < 2; i++) { /* to its second stop, then to its exit */
                if (ptrace(PTRACE_CONT, w->subject, NULL, NULL) < 0 || waitpid(w->subject, &status, 0) < 0)
                        err(2, "PTRACE_CONT");
                if (WIFEXITED(status) || WIFSIGNALED(status))
                        break;
        }
        w->subject = 0;
        if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != GOT_IT))
                broken(w, "it was stopped, and when it went on its operation failed (status 0x%x)", (unsigned)status);
        return WEXITSTATUS(status) == GOT_IT;
}

/* Everybody goes, and nothing is left. */
static void world_end(struct world *w)
{
        struct ipw_link *more[SLOTS] = { 0 };
        struct ipw_why why = { 0 };
        bool pair = about[operation].pair;
        int held = pair ? 1 : !!w->in + !!w->out, places = pair ? 2 : SLOTS, r;

        for (int i = 0; i < places - held; i++) { /* every place is free again */
                r = ipw_open(&more[i], w->address, pair ? IPW_PAIR : about[operation].to_all ? IPW_PUB : IPW_PUSH, SOON, &why);
                if (r < 0)
                        broken(w, "place %d of %d cannot be taken: %s", i + held, places, why.text);
        }
        if (load_relaxed(&w->words->writer) || load_relaxed(&w->words->reader))
                broken(w, "a lock is left");
        for (int i = 0; i < places - held; i++)
                (void)ipw_close(more[i]);
        (void)ipw_close(w->in);
        if (w->out)
                if (!pair)
                        (void)ipw_close(w->out);
        if (load_relaxed(&w->words->senders) || load_relaxed(&w->words->receivers))
                broken(w, "somebody is still listed as a user");
        r = ipw_remove(w->address, &why);
        if (r < 0)
                broken(w, "the ring cannot be removed: %s", why.text);
        (void)munmap(w->image, w->shape.size);
        runs++;
}

/* ---- judging ------------------------------------------------------------------------------------------------------------------------------- */

struct ledger {
        bool subject_sent, subject_took; /* at the point where it ended, or certainly */
        int next;                        /* of those that were there before */
        bool s, x;                       /* came: the subject's, the survivors' own */
};

/* Everything in the ring, until the survivors' own message, which is the last, or silence. */
static void drain(struct world *w, struct ledger *g, bool own)
{
        char from;
        int number;
        ssize_t r;

        for (;;) {
                r = take(w->in, &from, &number, own && !g->x ? SOON : 0);
                if (r == -EAGAIN && !(own && !g->x))
                        return;
                if (r < 0)
                        broken(w, "the survivors cannot receive: %s", strerror((int)-r));
                if (from == 'B' && number == g->next)
                        g->next++;
                else if (from == 'S' && !g->s)
                        g->s = true;
                else if (from == 'X' && !g->x)
                        g->x = true;
                else
                        broken(w, "message %c%d came, where %d of B was next", from, number, g->next);
        }
}

/* The sleeper's report: 'S' came to it, or nothing. */
static bool sleeper_got_it(struct world *w)
{
        int fd = (int)syscall(SYS_pidfd_open, w->sleeper, 0), status;
        struct pollfd p = { .fd = fd, .events = POLLIN };

        /* at the end of its patience it looks once more by itself; the wake must come before that */
        if (fd < 0 || poll(&p, 1, PATIENCE * 500) != 1)
                broken(w, "the sleeper is not woken");
        (void)close(fd);
        if (waitpid(w->sleeper, &status, 0) < 0)
                err(2, "waitpid");
        w->sleeper = 0;
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != 10 && WEXITSTATUS(status) != 11))
                broken(w, WEXITSTATUS(status) == 12 ? "the sleeper was never woken" : "the sleeper got nonsense (status 0x%x)",
                       (unsigned)status);
        return WEXITSTATUS(status) == 10;
}

static bool had_messages(void)
{
        return operation != SEND_TO_SLEEPER && operation != RECEIVE_NOTHING && operation != ATTACH_FIRST;
}

/* From then on there is a sender. */
static void join_survivor(struct world *w)
{
        if (!w->out)
                w->out = open_as(w->address, IPW_PUSH);
}

/* What the others see when it is killed there. */
static void add_row(const struct world *w, bool committed, bool taken)
{
        char row[200];
        size_t used = strlen(table);
        static const char *const sees[] = { "that it is gone",
                                            "the message, still there",
                                            "the next message; this one was in hand",
                                            "no message",
                                            "the message, whole",
                                            "every message; nobody waits for it",
                                            "room; who waits for it goes on, after its slice at the latest" };
        int which = operation == SUBSCRIBE_WAKE                                   ? 6
                    : about[operation].to_all && about[operation].way != IPW_SEND ? 5
                    : about[operation].way == IPW_SEND                            ? 3 + committed
                    : about[operation].way == IPW_RECV                            ? 1 + taken
                                                                                  : 0;

        (void)snprintf(row, sizeof(row), "| %s | %s | %s |\n", about[operation].name, w->last, sees[which]);
        if (!strstr(table, row) && (size_t)snprintf(table + used, sizeof(table) - used, "%s", row) >= sizeof(table) - used)
                errx(2, "the table has too many rows");
}

static void judge_killed(struct world *w)
{
        struct ledger g = { 0 };
        bool committed = load_acquire(&w->words->tail) != w->tail, taken = load_acquire(&w->words->head) != w->head;
        ssize_t r;

        end_subject(w);
        join_survivor(w);
        r = put(w->out, 'X', 0, SOON);
        if (r != SIZE)
                broken(w, "the survivors cannot send: %s", strerror((int)-r));
        if (operation == SEND_TO_SLEEPER) { /* it takes the first there is */
                bool got = sleeper_got_it(w);

                if (got != committed)
                        broken(w, "the message was%s committed, and came%s", committed ? "" : " not", got ? "" : " not");
                g.s = got;
                g.x = !got;
                w->in = open_as(w->address, IPW_PULL);
        } else {
                g.next = taken ? 1 : 0;
        }
        drain(w, &g, operation != SEND_TO_SLEEPER || g.s);
        if (had_messages() && g.next != BEFORE)
                broken(w, "%d messages of %d came", g.next, BEFORE);
        if (about[operation].way == IPW_SEND && g.s != committed)
                broken(w, "the message was%s committed, and came%s", committed ? "" : " not", g.s ? "" : " not");
        add_row(w, committed, taken);
        world_end(w);
}

static void judge_stopped(struct world *w)
{
        struct ledger g = { 0 };
        char from;
        int number;
        ssize_t sent, r = -ETIMEDOUT;

        if (operation == ATTACH_FIRST) {
                r = take(w->in, &from, &number, 0);
                if (r != -EAGAIN)
                        broken(w, "who waits for the first sender took it for gone while it came: %s", r ? strerror((int)-r) : "a message");
                join_survivor(w);
        }
        sent = put(w->out, 'X', 0, SHORTLY);
        if (sent != SIZE && sent != -ETIMEDOUT)
                broken(w, "a survivor's send: %s", strerror((int)-sent));
        if (about[operation].way == IPW_RECV) { /* one of them, and not the one that is being taken */
                r = take(w->in, &from, &number, SHORTLY);
                if (r == 0 && from == 'B' && number < 2 && (number == 1 || load_acquire(&w->words->reader) == 0))
                        g.next = number + 1;
                else if (r != -ETIMEDOUT)
                        broken(w, "a survivor's receive: %s", r ? strerror((int)-r) : "a message that is another's");
                if (r == 0 && number == 0) { /* it had not begun: the next is for it */
                        end_subject(w);
                        drain(w, &g, sent == SIZE);
                        if (g.next != BEFORE || g.x != (sent == SIZE))
                                broken(w, "%d of %d came", g.next, BEFORE);
                        world_end(w);
                        return;
                }
        }
        if (operation == RECEIVE_NOTHING && sent == SIZE && take(w->in, &from, &number, SHORTLY) == 0) /* or it would get that */
                g.x = true;
        g.x |= finish_subject(w);
        if (about[operation].way == IPW_RECV && r != 0)
                g.next = 1;
        if (operation == SEND_TO_SLEEPER) {
                if (sleeper_got_it(w))
                        g.s = true;
                else
                        g.x = true;
                w->in = open_as(w->address, IPW_PULL);
        }
        drain(w, &g, sent == SIZE);
        if (had_messages() && g.next != BEFORE)
                broken(w, "%d messages of %d came", g.next, BEFORE);
        if (about[operation].way == IPW_SEND && !g.s)
                broken(w, "what it sent after all never came");
        if (g.x != (sent == SIZE))
                broken(w, "the survivors' message %s, and came%s", sent == SIZE ? "was sent" : "timed out", g.x ? "" : " not");
        world_end(w);
}

/*
 * A PAIR has no locks, and nobody else on either side. Whatever becomes of the one that is stepped: what it has sent comes, then the end. Who takes its place finds what
 * it has not received, and what was sent to it since.
 */
static void judge_pair(struct world *w)
{
        bool committed, taken;
        struct ledger g = { 0 };
        struct ipw_link *next;
        ssize_t sent, r = 0;
        char from;
        int number;

        prove_slice = IPW_MS(5); /* it learns of the end at the end of one */
        if (fate == STOP) {
                r = put(w->out, 'X', 0, SHORTLY);
                if (r != SIZE)
                        broken(w, "its peer's send: %s", strerror((int)-r));
                (void)finish_subject(w);
        }
        committed = load_acquire(&w->words->tail) != w->tail;
        taken = load_acquire(&w->words->head) != w->head;
        if (fate != STOP)
                end_subject(w);
        sent = r == SIZE ? r : put(w->out, 'X', 0, SOON);
        if (sent != SIZE && sent != -EPIPE)
                broken(w, "its peer's send: %s", strerror((int)-sent));
        while ((r = take(w->in, &from, &number, SOON)) == 0) {
                if (from != 'S' || g.s)
                        broken(w, "message %c%d came", from, number);
                g.s = true;
        }
        if (r != -EPIPE)
                broken(w, "its peer waits for the dead: %s", strerror((int)-r));
        if (about[operation].way == IPW_SEND && g.s != (committed || fate != KILL))
                broken(w, "the message was%s committed, and came%s", committed ? "" : " not", g.s ? "" : " not");
        next = w->in;
        w->in = open_as(w->address, IPW_PAIR);
        g.next = taken;
        g.s = false;
        drain(w, &g, sent == SIZE);
        if (g.next != BEFORE || (about[operation].way == IPW_RECV && fate != KILL && !taken))
                broken(w, "%d messages of %d came", g.next, BEFORE);
        if (fate == KILL)
                add_row(w, committed, taken);
        prove_slice = IPW_MS(100);
        (void)ipw_close(w->in);
        w->in = next;
        world_end(w);
}

/* More than the ring holds, and the survivors' reader takes each at once. How many went. */
static int put_lap(struct world *w, int64_t timeout)
{
        char from;
        int number;

        for (int i = 0; i < LAP; i++) {
                ssize_t r = put(w->out, 'F', i % NUMBERS, timeout);

                if (r == -ETIMEDOUT)
                        return i;
                if (r != SIZE)
                        broken(w, "the survivors cannot send: %s", strerror((int)-r));
                r = take(w->in, &from, &number, SOON);
                if (r != 0 || from != 'F' || number != i % NUMBERS)
                        broken(w, "message F%d of a lap did not come to the survivors", i);
        }
        return LAP;
}

/* Both have got the same. Was it the subject's message? */
static bool sleepers_got_it(struct world *w)
{
        bool first = sleeper_got_it(w), second;

        w->sleeper = w->second;
        w->second = 0;
        second = sleeper_got_it(w);
        if (first != second)
                broken(w, "two sleepers got different messages");
        return first;
}

/*
 * A broadcast: the survivors' reader gets all, whatever becomes of the one that is stepped. Killed, it is in nobody's way. Stopped, it may be: then sends time out, and
 * nothing is written over that it has still to receive, also when it is only about to join.
 */
static void judge_to_all(struct world *w)
{
        bool committed = load_acquire(&w->words->tail) != w->tail;
        struct ledger g = { 0 };
        ssize_t sent;

        int before = operation == PUBLISH_TO_SLEEPERS ? 0 : BEFORE;

        prove_slice = IPW_MS(5); /* a death is found at the end of one */
        if (fate == FINISH && w->sleeper && !sleepers_got_it(w))
                broken(w, "the sleepers got another message");
        if (fate != STOP)
                end_subject(w);
        sent = put(w->out, 'X', 0, fate == STOP ? SHORTLY : SOON);
        if (sent != SIZE && (fate != STOP || sent != -ETIMEDOUT || about[operation].way != IPW_SEND))
                broken(w, "the survivors cannot send: %s", strerror((int)-sent));
        drain(w, &g, sent == SIZE);
        if (fate == STOP) {
                if (sent == SIZE)
                        (void)put_lap(w, IPW_MS(2));
                (void)finish_subject(w);
                drain(w, &g, false);
        }
        if (w->sleeper && sleepers_got_it(w) && !g.s)
                broken(w, "a message came to those who slept and to nobody else");
        if (g.next != before || g.x != (sent == SIZE))
                broken(w, "%d messages of %d came", g.next, before);
        if (g.s != (about[operation].way == IPW_SEND && (committed || fate != KILL)))
                broken(w, "the message was%s committed, and came%s", committed ? "" : " not", g.s ? "" : " not");
        if (put_lap(w, SOON) != LAP)
                broken(w, "the survivors wait for who is not there any more");
        if (fate == KILL)
                add_row(w, committed, false);
        prove_slice = IPW_MS(100);
        world_end(w);
}

/*
 * There is no room in a broadcast, one sender sleeps for that, and the receive that is stepped makes room and is to wake it. Killed, the sleeper finds the room, or the
 * death, by itself. Stopped before its cursor is stored, it has made none; after that there is room for one, who is awake or wakes up by itself.
 */
static void judge_wake(struct world *w)
{
        bool taken = taken_by_subject(w) != w->head, moved;
        struct ledger g = { 0 };
        ssize_t sent = -ETIMEDOUT;

        prove_slice = IPW_MS(5);
        if (fate == STOP) {
                sent = put(w->out, 'X', 0, SHORTLY);
                moved = load_acquire(&w->words->tail) != w->tail;
                if ((sent != SIZE && sent != -ETIMEDOUT) || moved != taken)
                        broken(w, "there is %s room, and a survivor's send says: %s", taken ? "some" : "no",
                               sent < 0 ? strerror((int)-sent) : "sent");
                (void)finish_subject(w);
        } else if (fate == KILL) {
                end_subject(w);
        }
        if (!sleeper_got_it(w))
                broken(w, "the sleeping sender has something else to say");
        if (fate == FINISH)
                end_subject(w);
        if (sent != SIZE)
                sent = put(w->out, 'X', 0, SOON);
        if (sent != SIZE)
                broken(w, "the survivors cannot send: %s", strerror((int)-sent));
        drain(w, &g, true);
        if (!g.s || !g.x)
                broken(w, "the sleeper's message came%s, and the survivors'%s", g.s ? "" : " not", g.x ? "" : " not");
        if (put_lap(w, SOON) != LAP)
                broken(w, "the survivors wait for who is not there any more");
        if (fate == KILL)
                add_row(w, false, taken);
        prove_slice = IPW_MS(100);
        world_end(w);
}

/* Is it no queue, so that there is another judge? */
static bool judge_apart(struct world *w)
{
        if (!about[operation].pair && !about[operation].to_all)
                return false;
        if (about[operation].pair)
                judge_pair(w);
        else if (operation == SUBSCRIBE_WAKE)
                judge_wake(w);
        else
                judge_to_all(w);
        return true;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------------------- */

/* Nobody is killed or stopped, but it is slow: the sleeper has time to wake up in between and to sleep again. */
static void run_alone(void)
{
        struct ledger g = { 0 };
        struct world w;

        fate = FINISH;
        point = 0;
        prove_slice = SOON * 10;
        world_make(&w);
        (void)step_to(&w, UINT32_MAX);
        if (judge_apart(&w))
                return;
        join_survivor(&w);
        end_subject(&w);
        prove_slice = 100000000;
        if (operation == SEND_TO_SLEEPER) {
                if (!sleeper_got_it(&w))
                        broken(&w, "the sleeper got another message");
                g.s = true;
                w.in = open_as(w.address, IPW_PULL);
        }
        if (about[operation].way == IPW_RECV)
                g.next = 1;
        drain(&w, &g, false);
        if (had_messages() && g.next != BEFORE)
                broken(&w, "%d messages of %d came", g.next, BEFORE);
        if (about[operation].way == IPW_SEND && !g.s)
                broken(&w, "the message never came");
        world_end(&w);
}

static void prove(void)
{
        unsigned points = 0;

        run_alone();
        for (fate = KILL; fate <= STOP; fate++)
                for (point = 1; point < (every_instruction ? UINT32_MAX : EVENTS); point++) {
                        struct world w;

                        world_make(&w);
                        if (!step_to(&w, point)) {
                                end_subject(&w);
                                if (w.sleeper && (kill(w.sleeper, SIGKILL) < 0 || waitpid(w.sleeper, NULL, 0) < 0))
                                        err(2, "the sleeper");
                                if (w.second && (kill(w.second, SIGKILL) < 0 || waitpid(w.second, NULL, 0) < 0))
                                        err(2, "the other sleeper");
                                world_end(&w);
                                break;
                        }
                        if (!judge_apart(&w)) {
                                if (fate == KILL)
                                        judge_killed(&w);
                                else
                                        judge_stopped(&w);
                        }
                        points++;
                }
        if (!quiet)
                printf("%-21s %u points\n", about[operation].name, points);
        (void)fflush(stdout);
}

static pid_t first_process;

/* Whatever the ring was called that was in use when we ended. */
static void clean(void)
{
        char pattern[64];
        glob_t found;

        (void)snprintf(pattern, sizeof(pattern), "/dev/shm/ipcway-prove-%d-*", (int)first_process);
        if (glob(pattern, 0, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc; i++)
                        (void)unlink(found.gl_pathv[i]);
        globfree(&found);
}

/* A step costs a third if both share a processor. */
static void share_processor(void)
{
        cpu_set_t one;

        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        (void)sched_setaffinity(0, sizeof(one), &one);
}

/* Where a process may not call membarrier(2), sleepers do something else, and what the others see there is not in the document. */
static void compare(const char *document)
{
        static char text[1 << 17];
        FILE *f = fopen(document, "re");
        const char *there;

        if (!f || fread(text, 1, sizeof(text) - 1, f) == 0)
                err(2, "%s", document);
        (void)fclose(f);
        if (!(syscall(SYS_membarrier, 0, 0, 0) & MEMBARRIER_CMD_GLOBAL_EXPEDITED))
                return;
        there = strstr(text, table);
        if (!there || there < text + 6 || strncmp(there - 6, "|---|\n", 6) != 0 || there[strlen(table)] != '\n')
                errx(1, "BROKEN: %s shows another table than --matrix", document);
        runs++;
}

int main(int argc, char **argv)
{
        const char *document = NULL;
        int first = 1;

        first_process = getpid();
        janitor_start(clean);
        share_processor();
        for (; first < argc && argv[first][0] == '-'; first++) {
                every_instruction |= strcmp(argv[first], "--all") == 0;
                quiet |= strcmp(argv[first], "--matrix") == 0;
                if (strcmp(argv[first], "--shown-in") == 0 && first + 1 < argc)
                        document = argv[++first];
        }
        for (operation = 0; operation < OPERATIONS; operation++) {
                bool wanted = first == argc;

                for (int i = first; i < argc; i++)
                        wanted |= strcmp(argv[i], about[operation].name) == 0;
                if (wanted)
                        prove();
        }
        if (document)
                compare(document);
        if (quiet)
                printf("%s", table);
        else
                printf("%u passed, 0 failed, 0 skipped\n", runs);
        return 0;
}
