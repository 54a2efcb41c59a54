/* SPDX-License-Identifier: MIT */
/*
 * A process writes random words over every shared page of a ring while another uses it. That one may be told anything (a message, -EBADMSG, a time that is
 * over), but every call returns, and it neither crashes nor reads beyond the ring: the sanitizers' builds look for that, and the mapping has nothing readable
 * behind it that it could run into unseen.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipcway.h"
#include "janitor.h"

enum { SIZE = 8192, ROUNDS = 60, CALLS = 60, DEADLINE = 60 };

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
                return (uint64_t)0x6d736721 << 32 | any() % 8192;
        default:
                return (any() % 3) << 32 | any() % 8;
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
                size_t at = any() % ((size_t)st.st_size / 8);

                if (any() % 4) /* mostly where it hurts: head, slots, words */
                        at %= 3 * 4096 / 8;
                words[at] = word(words[at]);
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

static void play(unsigned round)
{
        static const char *const modes[] = { "", "&producers=1&consumers=1", "" };
        bool to_all = round % 3 == 2;
        struct ipw_link *in, *out, *more;
        struct ipw_why why;
        pid_t pid;

        (void)snprintf(address, sizeof(address), "shm:/%s?size=%d&slots=6%s", name, SIZE, modes[round % 3]);
        if (ipw_open(&out, address, (to_all ? IPW_PUB : IPW_PUSH) | IPW_FRESH, 0, &why) < 0 ||
            ipw_open(&in, address, to_all ? IPW_SUB : IPW_PULL, 0, &why) < 0)
                errx(1, "%s", why.text);
        pid = fork();
        if (pid < 0)
                err(2, "fork");
        if (pid == 0)
                scribble(round);
        use(in, out);
        judge("open", ipw_open(&more, address, to_all ? IPW_SUB : IPW_PULL, 0, &why) == 0 ? ipw_close(more) : -why.error);
        (void)ipw_close(in);
        (void)ipw_close(out);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        (void)unlink(path);
}

int main(void)
{
        (void)snprintf(name, sizeof(name), "ipcway-scribbler-%d", (int)getpid());
        (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
        janitor_start(clean);
        (void)alarm(DEADLINE); /* a call that does not return */
        for (unsigned round = 0; round < ROUNDS; round++)
                play(round);
        printf("%u calls did, %u found the ring broken, %u waited in vain\n", told[0], told[EBADMSG], told[EAGAIN] + told[ETIMEDOUT]);
        return told[0] == 0 || told[EBADMSG] == 0;
}
