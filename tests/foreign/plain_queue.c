/* SPDX-License-Identifier: MIT */
/*
 * A program on a message queue as thousands exist: it knows mq_open(3) or msgget(2), and nothing of this library. Whoever comes first makes the queue.
 *
 *      plain_queue mq|mq+sysv NAME send TEXT...     a message each
 *      plain_queue mq|mq+sysv NAME receive COUNT    prints a line each
 *      plain_queue mq NAME exists                   exit status 0: it does
 */
#include <err.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

struct letter {
        long type;
        char text[512];
};

static int posix(const char *name, char **words)
{
        struct mq_attr small = { .mq_maxmsg = 4, .mq_msgsize = 512 };
        char text[8192];
        mqd_t queue;
        ssize_t n;

        if (strcmp(*words, "exists") == 0)
                return mq_open(name, O_RDONLY) < 0;
        queue = mq_open(name, O_RDWR | O_CREAT, 0600, &small);
        if (queue < 0)
                err(1, "mq_open");
        if (strcmp(*words, "send") == 0) {
                while (*++words)
                        if (mq_send(queue, *words, strlen(*words), 0) < 0)
                                err(1, "mq_send");
                return 0;
        }
        for (int left = words[1] ? atoi(words[1]) : 0; left > 0; left--) {
                n = mq_receive(queue, text, sizeof(text), NULL);
                if (n < 0)
                        err(1, "mq_receive");
                printf("%.*s\n", (int)n, text);
        }
        return 0;
}

static int system_v(const char *key, char **words)
{
        int queue = msgget((key_t)strtoul(key, NULL, 16), IPC_CREAT | 0600);
        struct letter letter = { .type = 1 };
        ssize_t n;

        if (queue < 0)
                err(1, "msgget");
        if (strcmp(*words, "send") == 0) {
                while (*++words) {
                        (void)snprintf(letter.text, sizeof(letter.text), "%s", *words);
                        if (msgsnd(queue, &letter, strlen(letter.text), 0) < 0)
                                err(1, "msgsnd");
                }
                return 0;
        }
        for (int left = words[1] ? atoi(words[1]) : 0; left > 0; left--) {
                n = msgrcv(queue, &letter, sizeof(letter.text), 0, 0);
                if (n < 0)
                        err(1, "msgrcv");
                printf("%.*s\n", (int)n, letter.text);
        }
        return 0;
}

int main(int argc, char **argv)
{
        if (argc < 4)
                errx(2, "usage: %s mq|mq+sysv NAME send TEXT...|receive COUNT|exists", argv[0]);
        return strcmp(argv[1], "mq") == 0 ? posix(argv[2], argv + 3) : system_v(argv[2], argv + 3);
}
