/* SPDX-License-Identifier: MIT */
/* The words of suite.h: ends and messages. */
#include "suite.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include "runner.h"

/* ---- judging ------------------------------------------------------------------------------------------------------------------------ */

void check_why(struct ipw_link *l, int error, const char *word)
{
        struct ipw_why why;

        ipw_link_why(l, &why);
        CHECK(why.error == error, "ipw_link_why() says %d (%s), not %s", why.error, why.text, result_name(-error));
        CHECK(strlen(why.text) > 10, "the text for %s is only \"%s\"", result_name(-error), why.text);
        CHECK(!word || strstr(why.text, word), "the text for %s does not name \"%s\": \"%s\"", result_name(-error), word, why.text);
}

/* ---- ends --------------------------------------------------------------------------------------------------------------------------- */

static const struct run *paced; /* the run of this process, for who receives without saying for what */

bool offers(const struct run *run, unsigned role)
{
        return run->row->mechanism->roles & 1u << role;
}

unsigned how_here(const struct run *run, unsigned how)
{
        unsigned role = how & IPW_ROLE;

        if (!run->row->published || (role != IPW_PUSH && role != IPW_PULL))
                return how;
        return (how & ~(unsigned)IPW_ROLE) | (role == IPW_PUSH ? IPW_PUB : IPW_SUB);
}

bool keeps_all(const struct run *run)
{
        return has_option(run, "from", NULL);
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

void receiver_opened(void)
{
        (void)__atomic_add_fetch(&shared->receivers, 1, __ATOMIC_SEQ_CST);
        (void)syscall(SYS_futex, &shared->receivers, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* What is sent now and received by nobody will never be. */
static bool waits_for_nobody(const struct run *run)
{
        return !pushes_back(run) || (run->row->published && !keeps_all(run));
}

static struct ipw_link *open_paced(const struct run *run, const char *address, unsigned how)
{
        struct ipw_link *l;

        while (waits_for_nobody(run) && (how & IPW_ROLE) == IPW_PUSH && !__atomic_load_n(&shared->receivers, __ATOMIC_SEQ_CST))
                (void)syscall(SYS_futex, &shared->receivers, FUTEX_WAIT, 0, NULL, NULL, 0);
        l = open_or_fail(address, how_here(run, with_side(run, how)));
        if ((how & IPW_ROLE) == IPW_PULL)
                receiver_opened();
        return l;
}

struct ipw_link *open_end(struct run *run, unsigned how)
{
        return open_paced(run, address_of(run, how), how);
}

struct ipw_link *open_with(struct run *run, unsigned how, const char *option)
{
        char address[480];

        row_option(address, sizeof(address), address_of(run, how), option);
        return open_paced(run, address, how);
}

void leave_end(struct run *run, unsigned role)
{
        if (run->row->mechanism->anonymous)
                ipw_end_drop(address_of(run, role));
}

bool greets(const struct run *run)
{
        /* By its framing; or because over TCP nobody can say any more who a peer was that has closed before it was taken in. */
        return strcmp(run->row->framing, "sp") == 0 ||
               (strcmp(run->row->mechanism->scheme, "tcp") == 0 && !strstr(run->row->sample, "insecure=1"));
}

void greet(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        if (!greets(run))
                return;
        EQUAL(ipw_turn(in), 0); /* takes the peer in, and greets */
        EQUAL(ipw_turn(out), 0);
}

void open_both(struct run *run, unsigned flags, struct ipw_link **in, struct ipw_link **out)
{
        *in = open_end(run, IPW_PULL | flags);
        *out = open_end(run, IPW_PUSH | flags);
        greet(run, *in, *out);
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
        greet(run, *b, *a);
}

void renew(struct run *run)
{
        struct ipw_why why = { 0 };

        memset(shared->under_way, 0, sizeof(shared->under_way));
        shared->receivers = 0;
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

        paced = run;
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

bool pushes_back(const struct run *run)
{
        return run->bound.flags & IPW_CAP_RELIABLE;
}

bool fills_up(const struct run *run)
{
        return pushes_back(run) && !(run->bound.flags & IPW_CAP_UNBOUNDED);
}

/* A small message takes more of the receiver's memory than its bytes. */
static uint32_t charge(size_t size)
{
        return (uint32_t)size + 1024;
}

void pace(const struct run *run, size_t size, unsigned from)
{
        enum { MOST = 32768 };
        uint32_t *mine = &shared->under_way[from % 1024], now;

        if (pushes_back(run) || size < NAMED)
                return;
        while ((now = __atomic_load_n(mine, __ATOMIC_SEQ_CST)) && now + charge(size) > MOST)
                (void)syscall(SYS_futex, mine, FUTEX_WAIT, now, NULL, NULL, 0);
        (void)__atomic_add_fetch(mine, charge(size), __ATOMIC_SEQ_CST);
}

void arrived(const struct run *run, const void *data, size_t size)
{
        unsigned from, number;
        uint32_t *mine, now, left;

        if (pushes_back(run) || !read_name(data, size, &from, &number))
                return;
        mine = &shared->under_way[from % 1024];
        now = __atomic_load_n(mine, __ATOMIC_SEQ_CST);
        do {
                left = now > charge(size) ? now - charge(size) : 0; /* some send without waiting */
        } while (now && !__atomic_compare_exchange_n(mine, &now, left, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
        if (now)
                (void)syscall(SYS_futex, mine, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
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
                if (out[i] == run->row->forbidden || (i == size - 1 && out[i] == run->row->forbidden_last))
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
        pace(run, size, from);
        fill(run, outbox, size, from, number);
        return ipw_send(l, &(struct ipw_message){ .data = outbox, .size = size }, timeout);
}

void put(struct run *run, struct ipw_link *l, size_t size, unsigned from, unsigned number)
{
        EQUAL(try_put(run, l, size, from, number, SOON), size);
}

void check_no_room(struct run *run, struct ipw_link *out, ssize_t result, size_t size, unsigned from, unsigned *count)
{
        bool some = run->row->partial || is_bytes(run);

        while (some && result != -ETIMEDOUT) {
                if (result == -EINPROGRESS || result == (ssize_t)size)
                        ++*count;
                else
                        EQUAL(result, -EAGAIN);
                result = try_put(run, out, size, from, *count, IPW_MS(60));
        }
        EQUAL(result, some ? -ETIMEDOUT : -EAGAIN);
        check_why(out, (int)-result, NULL);
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
        if (n > 0 && paced)
                arrived(paced, inbox, (size_t)n);
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

        if (!pushes_back(run) && limit > 16384)
                limit = 16384; /* several senders at once stay far from what is dropped */

        return size < limit ? size : limit;
}

/* ---- other processes ---------------------------------------------------------------------------------------------------------------- */

void step_wait_turning(struct run *run, struct ipw_link *in, uint32_t step)
{
        struct pollfd fd;

        if (greets(run)) {
                EQUAL(ipw_pollfd(in, IPW_RECV, &fd), 0);
                while (__atomic_load_n(&shared->step, __ATOMIC_SEQ_CST) < step) {
                        CHECK(poll(&fd, 1, 10) >= 0, "poll: %s", strerror(errno));
                        EQUAL(ipw_turn(in), 0);
                }
                EQUAL(ipw_turn(in), 0); /* who came before that step is in */
        }
        step_wait(step);
}

int helper_main(int argc, char **argv)
{
        if (argc != 2 || strcmp(argv[1], "--helper-count-fds") != 0)
                return -1;
        stage = calloc(1, sizeof(*stage));
        return count_fds();
}
