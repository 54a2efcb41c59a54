/* SPDX-License-Identifier: MIT */
/*
 * A process writes random words over every shared page of a ring while another uses it. That one may be told anything (a message, -EBADMSG, a time that is
 * over), but every call returns, and it neither crashes nor reads beyond the ring: before and behind each mapping of it lies a page that nobody may touch. The
 * sanitizers know nothing of such mappings, but see what then happens to the memory of the process.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipcway.h"
#include "janitor.h"

enum { SIZE = 8192, ROUNDS = 60, CALLS = 60, DEADLINE = 20, PAGE = 4096, GUARDS = 16, MESSAGE = 0x6d736721, SKIP = 0x736b6970 };

static char name[64], path[80], address[120];

static void clean(void)
{
        (void)unlink(path);
}

static uint64_t state = 88172645463325252u;
static uint64_t any(void)
{
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
}

/* Words that are likely to do harm: small, large, near what is there, and none of these. */
static uint64_t word(uint64_t was)
{
        switch (any() % 6) {
        case 0:
                return any();
        case 1:
                return any() % 64;
        case 2:
                return was + any() % 64 * 8;
        case 3:
                return UINT64_MAX - any() % 64;
        case 4:
                return (uint64_t)MESSAGE << 32 | any() % SIZE;
        default:
                return (any() % 3) << 32 | any() % 8;
        }
}

/* From there on, the next that begins a record says another size, or that it is nothing. */
static void forge(_Atomic uint64_t *words, size_t at, size_t count)
{
        for (; at < count; at++) {
                uint64_t kind = words[at] >> 32;

                if (kind != MESSAGE && kind != SKIP)
                        continue;
                words[at] = (uint64_t)(any() % 4 ? MESSAGE : SKIP) << 32 | any() % SIZE;
                return;
        }
}

static void __attribute__((noreturn)) scribble(unsigned seed)
{
        struct stat st;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        _Atomic uint64_t *words;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fd < 0 || fstat(fd, &st) < 0)
                _exit(2);
        words = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (words == MAP_FAILED)
                _exit(2);
        state += seed * 7919u;
        for (;;) {
                size_t count = (size_t)st.st_size / 8, at = any() % count;

                if (any() % 4) /* mostly where it hurts: head, slots, words */
                        at %= 3 * 4096 / 8;
                if (any() % 4)
                        words[at] = word(words[at]);
                else
                        forge(words, any() % count, count);
                if (any() % 8 == 0)
                        (void)usleep(20);
        }
}

static unsigned told[200];
static volatile unsigned sum; /* of what was lent: it is read for good */

static void judge(const char *call, ssize_t r)
{
        static const int may[] = { EAGAIN, ETIMEDOUT, EBADMSG, EMSGSIZE, ESTALE, EPIPE, EINVAL, EPROTO, ERANGE, EUSERS, EBUSY, ENOENT };

        if (r >= 0) {
                told[0]++;
                return;
        }
        for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++)
                if (r == -may[i]) {
                        told[-r]++;
                        return;
                }
        errx(1, "%s: %s, which it cannot know", call, strerror((int)-r));
}

/* What is lent is read and written to its end, wherever that is said to be: beyond the ring there is nothing. */
static void lend(struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_span s[4];
        ssize_t n = ipw_claim(out, any() % 1500, s, 4, 0);

        judge("claim", n);
        for (ssize_t k = 0; k < n; k++)
                memset(s[k].data, 1, s[k].size -= any() % 2 ? s[k].size / 3 : 0);
        if (n > 0)
                judge("commit", ipw_commit(out, s, any() % ((size_t)n + 1)));
        n = ipw_borrow(in, s, 4, 0);
        judge("borrow", n);
        for (ssize_t k = 0; k < n; k++) {
                if (s[k].size > SIZE)
                        errx(1, "%zu bytes are lent of a ring that has %d", s[k].size, SIZE);
                for (size_t at = 0; at < s[k].size; at++)
                        sum += ((unsigned char *)s[k].data)[at];
        }
        if (n > 0)
                judge("give back", ipw_give_back(in, s, any() % ((size_t)n + 1)));
}

static void use(struct ipw_link *in, struct ipw_link *out)
{
        static char data[8192];
        struct ipw_message m[4] = { 0 };
        struct pollfd p;

        for (int i = 0; i < CALLS; i++) {
                for (int k = 0; k < 4; k++)
                        m[k] = (struct ipw_message){ .data = data + k * 2048, .capacity = any() % 2048, .size = any() % 1500 };
                judge("send", ipw_send_many(out, m, 4, i % 8 ? 0 : IPW_MS(2)));
                judge("recv", i % 3 ? ipw_recv(in, m, i % 8 ? 0 : IPW_MS(2)) : ipw_recv_many(in, m, 4, 0));
                lend(in, out);
                if (i % 16 == 0) {
                        judge("pollfd", ipw_pollfd(in, IPW_RECV, &p));
                        judge("pollfd", ipw_pollfd(out, IPW_SEND, &p));
                }
        }
}

/* ---- pages that nobody may touch ------------------------------------------------------------------------------------------------------------ */

static void *guards[GUARDS];
static unsigned guard_count;

/* False: something else lies there. */
static bool guard(uintptr_t at)
{
        void *page = mmap((void *)at, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

        if (page == MAP_FAILED)
                return false;
        if (guard_count == GUARDS)
                errx(2, "too many guard pages");
        guards[guard_count++] = page;
        return (uintptr_t)page == at;
}

static bool is_guard(uintptr_t at)
{
        for (unsigned i = 0; i < guard_count; i++)
                if (guards[i] == (void *)at)
                        return true;
        return false;
}

/* Each mapping of the ring. The end of one that has something else behind it goes to `blocked`; 0: there is none. */
static unsigned guard_all(uintptr_t *blocked)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        char line[400];
        unsigned count = 0;
        struct stat st;

        *blocked = 0;
        if (stat(path, &st) < 0)
                err(2, "%s", path);
        while (maps && fgets(line, sizeof(line), maps)) {
                uintptr_t start, end;
                unsigned major_of, minor_of;
                uintmax_t inode;

                /* by its number: it got its name after it was mapped, and is listed without */
                if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %x:%x %ju", &start, &end, &major_of, &minor_of, &inode) != 5 ||
                    makedev(major_of, minor_of) != st.st_dev || inode != st.st_ino)
                        continue;
                count++;
                if (!is_guard(start - PAGE))
                        (void)guard(start - PAGE);
                if (!is_guard(end) && !guard(end))
                        *blocked = end;
        }
        if (maps)
                (void)fclose(maps);
        return count;
}

/* The kernel puts one mapping right below another. Then that place is made too small, and the next try comes to lie elsewhere. */
static struct ipw_link *open_guarded(unsigned how, unsigned mappings)
{
        for (;;) {
                struct ipw_link *l;
                struct ipw_why why;
                uintptr_t blocked;

                if (ipw_open(&l, address, how, 0, &why) < 0)
                        errx(1, "%s", why.text);
                if (guard_all(&blocked) != mappings)
                        errx(2, "the ring is not mapped %u times", mappings);
                if (!blocked)
                        return l;
                (void)ipw_close(l);
                if (!guard(blocked - PAGE))
                        errx(2, "the place of a guard page is taken");
        }
}

static void forget_guards(void)
{
        while (guard_count)
                (void)munmap(guards[--guard_count], PAGE);
}

/* ---- rounds ----------------------------------------------------------------------------------------------------------------------------------- */

static void play(unsigned round)
{
        static const struct {
                const char *options;
                unsigned sends, receives;
        } modes[] = { { "", IPW_PUSH, IPW_PULL },
                      { "&producers=1&consumers=1", IPW_PUSH, IPW_PULL },
                      { "", IPW_PUB, IPW_SUB },
                      { "", IPW_PAIR, IPW_PAIR } };
        unsigned mode = round % (sizeof(modes) / sizeof(modes[0]));
        struct ipw_link *in, *out, *more;
        struct ipw_why why;
        pid_t pid;

        (void)alarm(DEADLINE); /* a call that does not return */
        (void)snprintf(address, sizeof(address), "shm:/%s?size=%d%s%s", name, SIZE, modes[mode].sends == IPW_PAIR ? "" : "&slots=6",
                       modes[mode].options);
        out = open_guarded(modes[mode].sends, 1);
        in = open_guarded(modes[mode].receives, 2);
        pid = fork();
        if (pid < 0)
                err(2, "fork");
        if (pid == 0)
                scribble(round);
        use(in, out);
        judge("open", ipw_open(&more, address, modes[mode].receives, 0, &why) == 0 ? ipw_close(more) : -why.error);
        (void)ipw_close(in);
        (void)ipw_close(out);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        (void)unlink(path);
        forget_guards();
}

int main(void)
{
        (void)snprintf(name, sizeof(name), "ipcway-scribbler-%d", (int)getpid());
        (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
        janitor_start(clean);
        for (unsigned round = 0; round < ROUNDS; round++)
                play(round);
        printf("%u calls did, %u found the ring broken, %u waited in vain\n", told[0], told[EBADMSG], told[EAGAIN] + told[ETIMEDOUT]);
        return told[0] == 0 || told[EBADMSG] == 0;
}
