/* SPDX-License-Identifier: MIT */
/*
 * Does the benchmark show what is there? Ways with a known delay are measured by a clock of their own: each process has one, a message carries its sender's, and its
 * receiver's is set to that and the delay, so that nothing depends on this machine. Only the process that is stopped is stopped for real.
 */
#include "engine.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

enum { SIZE = 64 };
static const int64_t US = 1000, MS = 1000000;

static char dir[] = "/tmp/ipcway-engine-XXXXXX";

/* ---- a clock that only moves when it is told to ------------------------------------------------------------------------------------------ */

static int64_t mine = 1000000000;

static int64_t fake_now(void)
{
        return mine;
}

static void fake_sleep_until(int64_t when)
{
        mine = when > mine ? when : mine;
}
static const struct bench_clock fake_clock = { fake_now, fake_sleep_until, 0 };

/* ---- a pipe that is as slow as it is told to be -------------------------------------------------------------------------------------------- */

static struct script {
        int64_t delay, slow;           /* of a message; of every 50th */
        int64_t stall;                 /* of the sender, in message 500 */
        int64_t call;                  /* what sending takes */
        int grows;                     /* the delay is doubled in later turns */
        int damaged, doubled, refused; /* message 3; make() */
        _Atomic unsigned turns, received;
        _Atomic int stuck;
        _Atomic pid_t receiver;
} * script;

struct record {
        int64_t stamp;
        char message[SIZE];
};

static void make(struct channel *c, const char *in)
{
        char path[200];

        (void)snprintf(path, sizeof(path), "%s/name%s", in, c->address); /* something that must not stay */
        if (mkdir(path, 0700) < 0 || pipe(c->fds) < 0 || pipe(c->fds + 2) < 0)
                trouble("%s: %s", path, strerror(errno));
        if (script->refused)
                trouble("no such thing on this machine");
}

static void join(struct channel *c, int process)
{
        c->out = c->fds[process ? 3 : 1];
        c->in = c->fds[process ? 0 : 2];
        if (process)
                script->receiver = getpid();
}

static void send_one(struct channel *c, const char *message, size_t n)
{
        struct record r = { .stamp = bench_clock->now() + script->call };
        uint64_t number;

        if (n != 1)
                trouble("%zu at once", n);
        memcpy(r.message, message, SIZE);
        memcpy(&number, message, 8);
        if (script->damaged && number == 3)
                r.message[40] ^= 1;
        if (script->stall && number == 500) {
                mine += script->stall;
                r.stamp = mine;
        }
        mine += script->call * (*c->address ? *c->address - '0' : 1);
        for (int i = 0; i <= (script->doubled && number == 3); i++)
                if (write(c->out, &r, sizeof(r)) != sizeof(r))
                        trouble("write");
}

/* One that is opened as "3" is three times as slow. */
static size_t recv_one(struct channel *c, char *message, size_t n)
{
        const int times = *c->address ? *c->address - '0' : 1;
        struct record r;
        uint64_t number;

        script->stuck = script->stuck ? script->stuck + 1 : 0;
        if (read(c->in, &r, sizeof(r)) != sizeof(r))
                trouble("read");
        memcpy(message, r.message, SIZE);
        memcpy(&number, message, 8);
        if (number == 0)
                script->turns++;
        script->received++;
        mine = mine > r.stamp ? mine : r.stamp;
        mine += times * (script->slow && number % 50 == 0 ? script->slow : script->delay) * (script->grows && script->turns > 24 ? 2 : 1);
        return n;
}

/* As a gate it takes so long to get. */
static void acquire(struct channel *c, int gate)
{
        mine += script->call * (*c->address - '0');
}

static void release(struct channel *c, int gate)
{
        mine += gate == FREE ? 0 : MS;
}

static const struct bench_way slow_pipe = {
        .make = make, .join = join, .send = send_one, .recv = recv_one, .acquire = acquire, .release = release
};

static void never(struct channel *c, const char *message, size_t n)
{
        script->stuck = 1;
        (void)pause();
}
static const struct bench_way stuck_pipe = { .make = make, .join = join, .send = never, .recv = recv_one };

/* ---- */

static const struct bench_plan plan = { .rounds = 5, .ms = 20, .rate_ms = 1000, .dir = dir };

static struct bench_job job_of(const struct bench_way *way, enum bench_shape shape, double rate)
{
        struct bench_job job = { .way = way, .cell = bench_cell_empty() };

        job.cell.shape = shape;
        job.cell.rate = rate;
        job.cell.size = SIZE;
        job.cell.wait = BENCH_SLEEPING;
        job.cell.place = BENCH_FREE;
        return job;
}

static void close_to(struct bench_figure f, double value)
{
        if (f.value < value * 0.95 || f.value > value * 1.05)
                fail_msg("%g, not %g", f.value, value);
}

static unsigned count_in_dir(void)
{
        DIR *d = opendir(dir);
        unsigned n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        assert_int_equal(closedir(d), 0);
        return n - 2;
}

static void measure(struct bench_job *job)
{
        assert_int_equal(bench_group(job, 1, -1, &plan), 0);
        assert_int_equal(count_in_dir(), 0);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
}

static void test_known_delay_there_and_back(void **s)
{
        struct bench_job job = job_of(&slow_pipe, BENCH_PING_PONG, 0);

        bench_clock = &fake_clock;
        *script = (struct script){ .delay = 200 * US, .slow = 2 * MS };
        measure(&job);
        assert_string_equal(job.cell.verdict, "");
        assert_int_equal(job.cell.rounds, 5);
        close_to(job.cell.p50, 200e3);
        close_to(job.cell.p99, 2e6);
        assert_true(job.cell.messages == job.cell.latencies->count);
        free(job.cell.latencies);
}

static void test_known_delay_at_a_rate(void **s)
{
        struct bench_job job = job_of(&slow_pipe, BENCH_RATE, 200);

        bench_clock = &fake_clock;
        *script = (struct script){ .delay = 200 * US, .slow = 2 * MS };
        measure(&job);
        assert_string_equal(job.cell.verdict, "");
        close_to(job.cell.p50, 200e3);
        close_to(job.cell.p99, 2e6);
        close_to(job.cell.per_second, 200);
        assert_int_equal(job.cell.messages, 5 * 200);
        free(job.cell.latencies);
}

/* One message of a thousand is sent 50 ms late; those that were due meanwhile are late, too. */
static void test_a_pause_is_everybodys(void **s)
{
        struct bench_job job = job_of(&slow_pipe, BENCH_RATE, 1000);
        uint64_t late = 0;

        bench_clock = &fake_clock;
        *script = (struct script){ .delay = 10 * US, .stall = 50 * MS };
        measure(&job);
        assert_string_equal(job.cell.verdict, "");
        close_to(job.cell.p50, 10e3);
        close_to(job.cell.p99, 40.6e6); /* ten of a thousand are later than this */
        close_to(job.cell.max, 50e6);
        for (unsigned i = bench_class_of(MS); i < BENCH_CLASSES; i++)
                late += job.cell.latencies->counts[i];
        assert_in_range(late, 5 * 48, 5 * 51);
        free(job.cell.latencies);
}

static void test_a_stopped_process_shows(void **s)
{
        const struct timespec pause = { .tv_nsec = 60 * MS }, moment = { .tv_nsec = MS };
        struct bench_job job = job_of(&slow_pipe, BENCH_RATE, 1000);
        struct bench_plan once = plan;
        int status;
        pid_t pid;

        once.rounds = 1;
        once.rate_ms = 400;
        *script = (struct script){ .delay = 0 };
        pid = fork();
        if (pid == 0) {
                while (script->received < 200) /* a hundred are the trial */
                        (void)nanosleep(&moment, NULL);
                (void)kill(script->receiver, SIGSTOP);
                (void)nanosleep(&pause, NULL);
                (void)kill(script->receiver, SIGCONT);
                _exit(0);
        }
        assert_true(pid > 0);
        assert_int_equal(bench_group(&job, 1, -1, &once), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_string_equal(job.cell.verdict, "");
        assert_true(job.cell.max.value >= 50e6);
        assert_true((double)bench_histogram_at(job.cell.latencies, 0.95) >= 20e6); /* of 400, and not of the one that was under way */
        free(job.cell.latencies);
}

static void test_broken_messages(void **s)
{
        struct bench_job job = job_of(&slow_pipe, BENCH_RATE, 1000);

        bench_clock = &fake_clock;
        *script = (struct script){ .damaged = 1 };
        measure(&job);
        assert_string_equal(job.cell.verdict, "failed: a message is not as it was sent: it begins with 0000000000000003");
        assert_true(job.cell.p50.value < 0 && !job.cell.latencies);

        job = job_of(&slow_pipe, BENCH_RATE, 1000);
        *script = (struct script){ .doubled = 1 };
        measure(&job);
        assert_string_equal(job.cell.verdict, "failed: message 3 of sender 0 came instead of 4");
}

static void test_what_is_not_here(void **s)
{
        struct bench_job job = job_of(&slow_pipe, BENCH_PING_PONG, 0);

        *script = (struct script){ .refused = 1 };
        measure(&job);
        assert_string_equal(job.cell.verdict, "not here: no such thing on this machine");
}

static void test_a_reference_that_drifts(void **s)
{
        struct bench_job jobs[2] = { job_of(&slow_pipe, BENCH_PING_PONG, 0), job_of(&slow_pipe, BENCH_PING_PONG, 0) };
        struct bench_plan longer = plan;

        bench_clock = &fake_clock;
        longer.rounds = 9;
        for (int drifts = 0; drifts < 2; drifts++) {
                *script = (struct script){ .delay = 100 * US, .grows = drifts };
                jobs[0].cell = jobs[1].cell = job_of(&slow_pipe, BENCH_PING_PONG, 0).cell;
                assert_int_equal(bench_group(jobs, 2, 0, &longer), 0);
                for (int i = 0; i < 2; i++) {
                        if (drifts)
                                assert_non_null(strstr(jobs[i].cell.verdict, "void: the reference became"));
                        else
                                assert_string_equal(jobs[i].cell.verdict, "");
                        free(jobs[i].cell.latencies);
                }
        }
}

/* ---- two in one play ----------------------------------------------------------------------------------------------------------------------- */

enum { BARS = 6 };

static int compare(struct bench_job jobs[2], enum bench_shape shape, const struct bench_bar *bars, size_t n, struct bench_ratio *out)
{
        struct bench_plan longer = plan;
        int r;

        longer.rounds = 9;
        for (int i = 0; i < 2; i++) {
                jobs[i] = job_of(&slow_pipe, shape, 0);
                jobs[i].burst = 16;
                (void)snprintf(jobs[i].address, sizeof(jobs[i].address), "%d", i ? 3 : 1);
        }
        r = bench_compare(jobs, bars, n, &longer, out);
        assert_int_equal(count_in_dir(), 0);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        return r;
}

static void near_to(double value, double wanted)
{
        if (value < wanted * 0.99 || value > wanted * 1.01)
                fail_msg("%g, not %g", value, wanted);
}

/* One is three times as slow as the other: each way of saying so, and what is promised of it. */
static void test_a_known_ratio(void **s)
{
        static const struct bench_bar bars[BARS] = {
                { BENCH_EACH, BENCH_TIMES_AS_LONG, 3.02 },     { BENCH_EACH, BENCH_TIMES_AS_LONG, 2.98 },
                { BENCH_MEDIAN, BENCH_TIMES_AS_FAST, 0.33 },   { BENCH_MEDIAN, BENCH_TIMES_AS_FAST, 0.34 },
                { BENCH_99TH, BENCH_NS_MORE, 4e6 + 4e6 / 64 }, { BENCH_99TH, BENCH_NS_MORE, 4e6 - 4e6 / 64 },
        };
        struct bench_ratio r[BARS];
        struct bench_job jobs[2];

        bench_clock = &fake_clock;
        *script = (struct script){ .delay = 200 * US, .slow = 2 * MS };
        assert_int_equal(compare(jobs, BENCH_PING_PONG, bars, BARS, r), 0);
        near_to(r[0].value, 3);
        near_to(r[2].value, 1. / 3);
        near_to(r[2].reference * 3, r[2].ours);
        for (int i = 0; i < BARS; i++) {
                assert_string_equal(r[i].verdict, i % 2 ? "short" : "holds");
                assert_true(r[i].low <= r[i].value && r[i].value <= r[i].high);
        }
}

/* What the receiver needs is not the sender's; and a gate that nobody else wants. */
static void test_sends_alone(void **s)
{
        static const struct bench_bar bar = { BENCH_EACH, BENCH_NS_MORE, 20001 };
        struct bench_job jobs[2];
        struct bench_ratio r;

        bench_clock = &fake_clock;
        *script = (struct script){ .delay = 200 * US, .call = 10 * US };
        assert_int_equal(compare(jobs, BENCH_SENDS, &bar, 1, &r), 0);
        near_to(r.reference, 10e3);
        near_to(r.value, 20e3);
        assert_string_equal(r.verdict, "holds");
        assert_int_equal(script->received % 16, 0);

        assert_int_equal(compare(jobs, BENCH_ALONE, &bar, 1, &r), 0);
        near_to(r.reference, 10e3);
        near_to(r.value, 20e3);
}

static void test_what_voids_a_bar(void **s)
{
        static const struct bench_bar bar = { BENCH_EACH, BENCH_TIMES_AS_LONG, 10 };
        struct bench_job jobs[2];
        struct bench_ratio r;

        bench_clock = &fake_clock;
        *script = (struct script){ .delay = 100 * US, .grows = 1 };
        assert_int_equal(compare(jobs, BENCH_PING_PONG, &bar, 1, &r), 0);
        near_to(r.value, 3);
        assert_string_equal(r.verdict, "void: the reference drifted");

        *script = (struct script){ .damaged = 1 };
        assert_int_equal(compare(jobs, BENCH_PING_PONG, &bar, 1, &r), -EIO);
        assert_non_null(strstr(jobs[0].cell.verdict, "failed: a message is not as it was sent"));
        *script = (struct script){ .refused = 1 };
        assert_int_equal(compare(jobs, BENCH_PING_PONG, &bar, 1, &r), -EIO);
        assert_string_equal(jobs[1].cell.verdict, "not here: no such thing on this machine");
}

/* As many as each needs take part in its turns; all are checked. */
static void test_pairs_of_real_ways(void **s)
{
        static const struct {
                const char *address[2];
                const struct bench_way *way[2];
                enum bench_shape shape;
                unsigned producers, consumers, broadcast; /* of the second */
                size_t size;
                int whole;
        } rows[] = {
                { { "shm:/ipcway-engine-{pid}-a{n}", "shm:/ipcway-engine-{pid}-b{n}" },
                  { &ours_in_place, &ours_in_place },
                  BENCH_ONE_WAY,
                  3,
                  2,
                  0,
                  64,
                  0 },
                { { "shm:/ipcway-engine-{pid}-a{n}", "shm:/ipcway-engine-{pid}-b{n}" },
                  { &ours_lent, &ours_in_place },
                  BENCH_ONE_WAY,
                  1,
                  3,
                  1,
                  64,
                  1 },
                { { "", "shm:/ipcway-engine-{pid}-b{n}?size=4M" }, { &bench_memcpy, &ours_lent }, BENCH_ONE_WAY, 1, 1, 0, 1 << 20, 1 },
                { { "", "shm:/ipcway-engine-{pid}-b{n}" }, { &bench_futex, &ours_in_place }, BENCH_PING_PONG, 1, 1, 0, 64, 0 },
                { { "", "pipe:" }, { &raw_pipe, &ours }, BENCH_SENDS, 1, 1, 0, 64, 0 },
                { { "", "unix:{dir}/s" }, { &raw_stream, &ours }, BENCH_ONE_WAY, 1, 1, 0, 64, 0 },
        };
        static const struct bench_bar bar = { BENCH_EACH, BENCH_TIMES_AS_LONG, 1 };
        struct bench_plan brief = { .rounds = 3, .ms = 1, .dir = dir };
        struct bench_job jobs[2];
        struct bench_ratio r;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                for (int k = 0; k < 2; k++) {
                        jobs[k] = job_of(rows[i].way[k], rows[i].shape, 0);
                        (void)snprintf(jobs[k].address, sizeof(jobs[k].address), "%s", rows[i].address[k]);
                        jobs[k].back = 1;
                        jobs[k].burst = rows[i].shape == BENCH_SENDS ? 8 : 0;
                        jobs[k].whole = rows[i].whole;
                        jobs[k].cell.size = rows[i].size;
                }
                if (strncmp(rows[i].address[1], "shm", 3) == 0)
                        jobs[0].back = jobs[1].back = 0;
                jobs[1].cell.producers = rows[i].producers;
                jobs[1].cell.consumers = rows[i].consumers;
                jobs[1].cell.broadcast = jobs[0].cell.broadcast = (int)rows[i].broadcast;
                if (bench_compare(jobs, &bar, 1, &brief, &r) != 0)
                        fail_msg("%zu: %s%s", i, jobs[0].cell.verdict, jobs[1].cell.verdict);
                assert_true(r.reference > 0 && r.ours > 0 && r.value > 0);
                assert_int_equal(count_in_dir(), 0);
        }
}

static void test_waiting(void **s)
{
        struct bench_plan brief = { .rounds = 1, .ms = 1, .dir = dir };
        struct bench_job job = job_of(&ours, BENCH_IDLE, 0);
        double switches, cpu;

        (void)snprintf(job.address, sizeof(job.address), "shm:/ipcway-engine-{pid}-{n}");
        job.cell.producers = 0;
        assert_int_equal(bench_idle(&job, 50 * MS, &brief, &switches, &cpu), 0);
        assert_true(switches >= 1 && cpu > 0 && cpu < 1);
}

static int soon(void)
{
        return script->stuck;
}

static void test_nothing_is_left(void **s)
{
        struct bench_job job = job_of(&stuck_pipe, BENCH_PING_PONG, 0);
        const struct timespec moment = { .tv_nsec = 10 * MS };
        struct bench_plan ending = plan;
        pid_t pid;

        ending.stopped = soon;
        *script = (struct script){ 0 };
        assert_int_equal(bench_group(&job, 1, -1, &ending), -EINTR);
        assert_int_equal(count_in_dir(), 0);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);

        *script = (struct script){ 0 };
        pid = fork();
        if (pid == 0) {
                (void)bench_group(&job, 1, -1, &plan);
                _exit(0);
        }
        while (!script->stuck)
                (void)nanosleep(&moment, NULL);
        assert_int_equal(count_in_dir(), 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        for (int i = 0; i < 1000 && count_in_dir(); i++)
                (void)nanosleep(&moment, NULL);
        assert_int_equal(count_in_dir(), 0);
}

/* Of the library itself: all shapes, and several of each side. */
static void test_real_ways(void **s)
{
        static const struct {
                const char *address;
                enum bench_shape shape;
                enum bench_wait wait;
                unsigned producers, consumers;
                int broadcast;
                size_t size;
        } rows[] = {
                { "pipe:", BENCH_PING_PONG, BENCH_SLEEPING, 1, 1, 0, 8 },
                { "pipe:", BENCH_ONE_WAY, BENCH_LOOP, 1, 1, 0, 100000 },
                { "unix:{dir}/s", BENCH_PING_PONG, BENCH_LOOP, 1, 1, 0, 64 },
                { "unix:{dir}/s-{n}", BENCH_ONE_WAY, BENCH_SLEEPING, 3, 1, 0, 64 },
                { "unix:{dir}/s-{n}", BENCH_RATE, BENCH_SLEEPING, 1, 3, 0, 64 },
                { "shm:/ipcway-engine-{pid}-{n}", BENCH_ONE_WAY, BENCH_SLEEPING, 2, 2, 0, 64 },
                { "shm:/ipcway-engine-{pid}-{n}?size=16M", BENCH_ONE_WAY, BENCH_POLLING, 1, 2, 1, 4 << 20 },
                { "file:{dir}/lines-{n}", BENCH_ONE_WAY, BENCH_SLEEPING, 1, 1, 0, 64 },
                { "udp:127.0.0.1:{port}", BENCH_ONE_WAY, BENCH_SLEEPING, 1, 1, 0, 64 },
        };
        struct bench_plan brief = { .rounds = 1, .ms = 1, .rate_ms = 20, .dir = dir };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct bench_job job = job_of(&ours, rows[i].shape, rows[i].shape == BENCH_RATE ? 2000 : 0);

                (void)snprintf(job.address, sizeof(job.address), "%s", rows[i].address);
                job.cell.wait = rows[i].wait;
                job.cell.producers = rows[i].producers;
                job.cell.consumers = rows[i].consumers;
                job.cell.broadcast = rows[i].broadcast;
                job.cell.size = rows[i].size;
                job.cell.batch = rows[i].shape == BENCH_ONE_WAY && rows[i].size == 64 ? 8 : 1;
                assert_int_equal(bench_group(&job, 1, -1, &brief), 0);
                if (*job.cell.verdict)
                        fail_msg("%s: %s", rows[i].address, job.cell.verdict);
                assert_true(job.cell.messages > 0 && job.cell.send_cpu.value >= 0);
                assert_int_equal(job.cell.latencies != NULL, rows[i].shape != BENCH_ONE_WAY);
                free(job.cell.latencies);
                assert_int_equal(count_in_dir(), 0);
        }
}

static const struct bench_clock *real_clock;

static int each(void **s)
{
        bench_clock = real_clock;
        return 0;
}

static int prepare(void **s)
{
        real_clock = bench_clock;
        script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        (void)signal(SIGPIPE, SIG_IGN);
        return script != MAP_FAILED && mkdtemp(dir) ? 0 : -1;
}

static int finish(void **s)
{
        return rmdir(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_known_delay_there_and_back, each),
                cmocka_unit_test_setup(test_known_delay_at_a_rate, each),
                cmocka_unit_test_setup(test_a_pause_is_everybodys, each),
                cmocka_unit_test_setup(test_a_stopped_process_shows, each),
                cmocka_unit_test_setup(test_broken_messages, each),
                cmocka_unit_test_setup(test_what_is_not_here, each),
                cmocka_unit_test_setup(test_a_reference_that_drifts, each),
                cmocka_unit_test_setup(test_a_known_ratio, each),
                cmocka_unit_test_setup(test_sends_alone, each),
                cmocka_unit_test_setup(test_what_voids_a_bar, each),
                cmocka_unit_test_setup(test_pairs_of_real_ways, each),
                cmocka_unit_test_setup(test_waiting, each),
                cmocka_unit_test_setup(test_nothing_is_left, each),
                cmocka_unit_test_setup(test_real_ways, each),
        };

        return cmocka_run_group_tests(tests, prepare, finish);
}
