/* SPDX-License-Identifier: MIT */
/* The words of suite.h: judging, ends, messages, other processes. */
#include "suite.h"

#include <dirent.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "runner.h"

/* ---- judging ------------------------------------------------------------------------------------------------------------------------ */

void here(const char *file, int line)
{
        stage->line = line;
        stage->file = file;
}

static void tell(const char *text)
{
        if (write(stage->report, text, strlen(text)) < 0)
                _exit(3);
}

void fail(const char *file, int line, const char *format, ...)
{
        char text[700], *at = text;
        const char *name = strrchr(file, '/');
        va_list arguments;

        at += snprintf(text, sizeof(text), "FAIL: %s:%d: ", name ? name + 1 : file, line);
        va_start(arguments, format);
        (void)vsnprintf(at, (size_t)(text + sizeof(text) - at), format, arguments);
        va_end(arguments);
        tell(text);
        _exit(1);
}

void skip(const char *capability)
{
        char text[200];

        (void)snprintf(text, sizeof(text), "skip:%s", capability);
        tell(text);
        _exit(0);
}

const char *result_name(long long result)
{
        const char *name = result < 0 && result > -4096 ? strerrorname_np((int)-result) : NULL;

        return name ? name : "no error";
}

void check_why(struct ipw_link *l, int error, const char *word)
{
        struct ipw_why why;

        ipw_link_why(l, &why);
        CHECK(why.error == error, "ipw_link_why() says %d (%s), not %s", why.error, why.text, result_name(-error));
        CHECK(strlen(why.text) > 10, "the text for %s is only \"%s\"", result_name(-error), why.text);
        CHECK(!word || strstr(why.text, word), "the text for %s does not name \"%s\": \"%s\"", result_name(-error), word, why.text);
}

/* ---- ends --------------------------------------------------------------------------------------------------------------------------- */

bool offers(const struct run *run, unsigned role)
{
        return run->row->mechanism->roles & 1u << role;
}

const char *address_of(const struct run *run, unsigned how)
{
        return (how & IPW_ROLE) == IPW_PULL || ((how & IPW_ROLE) == IPW_PAIR && how & IPW_LISTEN) ? run->pull : run->push;
}

bool has_option(const struct run *run, const char *name, const char *value)
{
        const struct ipw_mechanism *m = run->row->mechanism;

        for (size_t i = 0; i < m->option_count; i++)
                if (strcmp(m->options[i].name, name) == 0)
                        return !value || strstr(m->options[i].values, value);
        return false;
}

static struct ipw_link *open_or_fail(const char *address, unsigned how)
{
        struct ipw_why why = { 0 };
        struct ipw_link *l = NULL;
        int r = ipw_open(&l, address, how, SOON, &why);

        CHECK(r == 0, "ipw_open(\"%s\", 0x%x): %s: %s", address, how, result_name(r), why.text);
        return l;
}

/* A pair that stands over listeners must say which side it is. */
static unsigned with_side(const struct run *run, unsigned how)
{
        if ((how & IPW_ROLE) == IPW_PAIR && !(run->bound.flags & IPW_CAP_ACCEPT))
                how &= ~(unsigned)(IPW_LISTEN | IPW_DIAL);
        return how;
}

struct ipw_link *open_end(struct run *run, unsigned how)
{
        return open_or_fail(address_of(run, how), with_side(run, how));
}

struct ipw_link *open_with(struct run *run, unsigned how, const char *option)
{
        char address[480];

        row_option(address, sizeof(address), address_of(run, how), option);
        return open_or_fail(address, with_side(run, how));
}

void leave_end(struct run *run, unsigned role)
{
        if (run->row->mechanism->anonymous)
                ipw_end_drop(address_of(run, role));
}

void open_both(struct run *run, unsigned flags, struct ipw_link **in, struct ipw_link **out)
{
        *in = open_end(run, IPW_PULL | flags);
        *out = open_end(run, IPW_PUSH | flags);
}

static void make_ends(struct run *run, unsigned how)
{
        struct ipw_why why = { 0 };
        char a[64], b[64];
        int r = ipw_ends(a, b, run->address, how, &why);

        CHECK(r == 0, "ipw_ends(\"%s\"): %s: %s", run->address, result_name(r), why.text);
        strcpy(run->push, a);
        strcpy(run->pull, b);
}

void renew_pair(struct run *run)
{
        if (!run->row->mechanism->anonymous)
                return;
        leave_end(run, IPW_PUSH);
        leave_end(run, IPW_PULL);
        make_ends(run, IPW_PAIR);
}

void open_pair(struct run *run, struct ipw_link **a, struct ipw_link **b)
{
        renew_pair(run);
        *b = open_end(run, IPW_PAIR | IPW_LISTEN);
        *a = open_end(run, IPW_PAIR | IPW_DIAL);
}

void renew(struct run *run)
{
        struct ipw_why why = { 0 };

        if (run->row->mechanism->anonymous) {
                make_ends(run, IPW_PUSH);
                return;
        }
        (void)ipw_remove(run->address, &why); /* mostly there is none */
        strcpy(run->push, run->address);
        strcpy(run->pull, run->address);
}

void learn(struct run *run)
{
        struct ipw_link *in, *out;

        open_both(run, 0, &in, &out);
        run->gets = *ipw_link_caps(in);
        run->sends = *ipw_link_caps(out);
        (void)ipw_close(out);
        (void)ipw_close(in);
        renew(run);
}

/* ---- messages ----------------------------------------------------------------------------------------------------------------------- */

unsigned char *inbox, *outbox;

bool is_bytes(const struct run *run)
{
        return run->bound.flags & IPW_CAP_BYTES;
}

static uint64_t mix(uint64_t x)
{
        x += 0x9e3779b97f4a7c15;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
        x = (x ^ x >> 27) * 0x94d049bb133111eb;
        return x ^ x >> 31;
}

void fill(const struct run *run, void *data, size_t size, unsigned from, unsigned number)
{
        unsigned char *out = data;
        uint64_t state = mix((uint64_t)from << 32 | number), word = 0;
        char name[NAMED + 1];

        for (size_t i = 0; i < size; i++) {
                if (i % 8 == 0)
                        word = mix(state + i);
                out[i] = (unsigned char)(word >> i % 8 * 8);
                if (out[i] == run->row->forbidden)
                        out[i]++;
        }
        (void)snprintf(name, sizeof(name), "%04x%06x %c", from & 0xffff, number & 0xffffff, 'm');
        if (size >= NAMED)
                memcpy(data, name, NAMED);
}

bool read_name(const void *data, size_t size, unsigned *from, unsigned *number)
{
        char name[NAMED + 1] = "";

        if (size < NAMED)
                return false;
        memcpy(name, data, NAMED);
        return sscanf(name, "%4x%6x m", from, number) == 2 && name[NAMED - 1] == 'm';
}

void check_filled(const struct run *run, const void *data, size_t size, unsigned from, unsigned number)
{
        static unsigned char *wanted;
        unsigned real_from, real_number;

        if (!wanted)
                wanted = malloc(BOX);
        CHECK(wanted && size <= BOX, "the suite has no room for %zu bytes", size);
        fill(run, wanted, size, from, number);
        if (memcmp(wanted, data, size) == 0)
                return;
        if (read_name(data, size, &real_from, &real_number) && (real_from != from || real_number != number))
                CHECK(0, "message %u of sender %u came where %u of %u belongs", real_number, real_from, number, from);
        for (size_t i = 0; i < size; i++)
                CHECK(wanted[i] == ((const unsigned char *)data)[i], "message %u of sender %u: byte %zu of %zu is 0x%02x, not 0x%02x",
                      number, from, i, size, ((const unsigned char *)data)[i], wanted[i]);
}

ssize_t try_put(struct run *run, struct ipw_link *l, size_t size, unsigned from, unsigned number, int64_t timeout)
{
        fill(run, outbox, size, from, number);
        return ipw_send(l, &(struct ipw_message){ .data = outbox, .size = size }, timeout);
}

void put(struct run *run, struct ipw_link *l, size_t size, unsigned from, unsigned number)
{
        EQUAL(try_put(run, l, size, from, number, SOON), size);
}

void check_no_room(struct run *run, struct ipw_link *out, ssize_t result, unsigned *count)
{
        if (result == -EINPROGRESS && (run->row->partial || is_bytes(run))) {
                ++*count;
                result = try_put(run, out, 100, 1, *count, 0);
        }
        EQUAL(result, -EAGAIN);
        check_why(out, EAGAIN, NULL);
}

void get_all(struct run *run, struct ipw_link *in, struct ipw_link *out, size_t size, unsigned from, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                int r = ipw_flush(out, 0);

                CHECK(r == 0 || r == -EAGAIN, "ipw_flush(): %s", result_name(r));
                get(run, in, size, from, i);
        }
}

ssize_t try_get(struct ipw_link *l, int64_t timeout)
{
        struct ipw_message m = { .data = inbox, .capacity = BOX };
        ssize_t n = ipw_recv(l, &m, timeout);

        CHECK(n < 0 || (size_t)n == m.size, "ipw_recv() returned %zd with size %zu", n, m.size);
        CHECK(m.data == inbox && m.capacity == BOX, "ipw_recv() wrote what is the caller's");
        return n;
}

void get(struct run *run, struct ipw_link *l, size_t size, unsigned from, unsigned number)
{
        size_t have = 0;

        if (!is_bytes(run)) {
                EQUAL(try_get(l, SOON), size);
                check_filled(run, inbox, size, from, number);
                return;
        }
        while (have < size) {
                struct ipw_message m = { .data = inbox + have, .capacity = size - have };
                ssize_t n = ipw_recv(l, &m, SOON);

                CHECK(n > 0, "after %zu of %zu bytes: %s", have, size, result_name(n));
                have += (size_t)n;
        }
        check_filled(run, inbox, size, from, number);
}

size_t some_size(const struct run *run, unsigned number, size_t most)
{
        size_t limit = run->sends.max_msg < most ? run->sends.max_msg : most;
        static const size_t sizes[] = { NAMED, 100, 4000, 31, 5000, 64, 70000, 1000, 13, 300000 };
        size_t size = sizes[number % (sizeof(sizes) / sizeof(sizes[0]))];

        return size < limit ? size : limit;
}

/* ---- other processes ---------------------------------------------------------------------------------------------------------------- */

struct shared *shared;

pid_t peer(struct run *run, void (*work)(struct run *, void *), void *argument)
{
        pid_t parent = getpid(), pid = fork();

        CHECK(pid >= 0, "fork: %s", strerror(errno));
        if (pid)
                return pid;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(4);
        work(run, argument);
        _exit(0);
}

void peer_end(pid_t pid)
{
        int status;

        CHECK(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a peer ended with status 0x%x", status);
}

void peer_kill(pid_t pid)
{
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid, "cannot kill a peer: %s", strerror(errno));
}

void until_asleep(pid_t pid)
{
        char path[40], text[300], state = 'R';

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        for (int tries = 0; state != 'S'; tries++) {
                FILE *f = fopen(path, "r");
                size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

                if (f)
                        (void)fclose(f);
                text[n] = 0;
                CHECK(n && strrchr(text, ')'), "a peer is gone that should sleep");
                state = strrchr(text, ')')[2];
                CHECK(tries < 20000, "a peer never goes to sleep, its state is %c", state);
                (void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
        }
}

void step_to(uint32_t step)
{
        __atomic_store_n(&shared->step, step, __ATOMIC_RELEASE);
        (void)syscall(SYS_futex, &shared->step, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void step_wait(uint32_t step)
{
        uint32_t now;

        while ((now = __atomic_load_n(&shared->step, __ATOMIC_ACQUIRE)) < step)
                (void)syscall(SYS_futex, &shared->step, FUTEX_WAIT, now, NULL, NULL, 0);
}

unsigned any_number(unsigned below)
{
        static uint64_t state;

        state = mix(state + stage->seed + (uint64_t)getpid());
        return (unsigned)(state >> 20) % below;
}

unsigned kills_due(const struct run *run)
{
        return run->row->partial ? stage->kills : 20;
}

int count_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        int n = -3; /* ".", ".." and the directory itself */

        CHECK(dir, "/proc/self/fd: %s", strerror(errno));
        while (readdir(dir))
                n++;
        (void)closedir(dir);
        return n;
}

int helper_main(int argc, char **argv)
{
        if (argc != 2 || strcmp(argv[1], "--helper-count-fds") != 0)
                return -1;
        stage = calloc(1, sizeof(*stage));
        return count_fds();
}
