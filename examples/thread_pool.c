/* SPDX-License-Identifier: MIT */
/*
 * Threads that take tasks from one queue:   ./thread_pool
 *
 * "tasks" counts what is in the queue, and a thread sleeps there until there is something; "taking" is for one thread at a time. Each has handles of its own. The naive
 * version: threads look again and again; two take the same task; one holds the lock while it waits for a task, and keeps out who brings it.
 */
#include <err.h>
#include <ipcway.h>
#include <pthread.h>
#include <stdio.h>

enum { WORKERS = 4, TASKS = 100, TASKS_AT = 0, TAKING_AT = 64 };

static struct ipw_segment *memory;
static int queue[TASKS + WORKERS], first, sum;

static struct ipw_gate *gate_at(size_t offset, int initial)
{
        struct ipw_gate *g;
        struct ipw_why why;

        if (ipw_gate_at(&g, memory, offset, initial, &why) < 0)
                errx(1, "%s", why.text);
        return g;
}

static void *work(void *unused)
{
        struct ipw_gate *tasks = gate_at(TASKS_AT, -1), *taking = gate_at(TAKING_AT, -1);
        int task;

        do { /* waits without an end do not fail, and nobody dies here without the others */
                ipw_gate_acquire(tasks, 0, IPW_FOREVER), ipw_gate_acquire(taking, 0, IPW_FOREVER);
                sum += task = queue[first++];
                ipw_gate_release(taking);
        } while (task > 0); /* 0 says: go home */
        ipw_gate_close(tasks), ipw_gate_close(taking);
        return NULL;
}

int main(void)
{
        struct ipw_gate *tasks, *taking;
        pthread_t thread[WORKERS];

        if (ipw_segment_open(&memory, "shm+anon:?size=4K", 0, NULL) < 0)
                errx(1, "no shared memory");
        tasks = gate_at(TASKS_AT, 0), taking = gate_at(TAKING_AT, 1);
        for (int i = 0; i < WORKERS; i++)
                if (pthread_create(&thread[i], NULL, work, NULL))
                        errx(1, "cannot start a thread");
        for (int i = 0; i < TASKS + WORKERS; i++, ipw_gate_release(tasks))
                queue[i] = i < TASKS ? i + 1 : 0;
        for (int i = 0; i < WORKERS; i++)
                pthread_join(thread[i], NULL);
        printf("the sum of 1 to %d is %d\n", TASKS, sum);
        return ipw_gate_close(tasks) < 0 || ipw_gate_close(taking) < 0 || ipw_segment_close(memory) < 0;
}
