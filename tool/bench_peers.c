/* SPDX-License-Identifier: MIT */
/*
 * Where modules are looked for: in the folder of the command, in that of its build, and where they are installed. Nowhere else, and above all not where the
 * environment says: what is opened runs as whoever calls the command.
 */
#include "bench_peers.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct bench_peer peers[] = {
        { .library = "libnng" }, { .library = "libzmq" }, { .library = "Concurrency Kit" }, { .library = "Boost" }
};
static const char *const names[] = { "nng", "zmq", "ck", "boost" };
enum { PEERS = sizeof(peers) / sizeof(peers[0]) };

static int own_folder(char out[PATH_MAX])
{
        ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
        char *slash;

        if (n <= 0)
                return 0;
        out[n] = 0;
        slash = strrchr(out, '/');
        if (slash)
                *slash = 0;
        return slash != NULL;
}

static void open_module(struct bench_peer *peer, const char *name)
{
        static const char *const places[] = { "", "/../bench/peers", "/build/bench/peers", "/../" BENCH_LIBDIR "/ipcway" };
        char folder[PATH_MAX], path[PATH_MAX + 100];
        const struct bench_module *module;
        void *library = NULL;

        (void)snprintf(peer->why, sizeof(peer->why), "not here: built without %s", peer->library);
        if (!own_folder(folder))
                return;
        for (size_t i = 0; !library && i < sizeof(places) / sizeof(places[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s%s/ipcway-bench-%s.so", folder, places[i], name);
                if (access(path, R_OK) < 0)
                        continue;
                library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
                if (!library)
                        (void)snprintf(peer->why, sizeof(peer->why), "not here: %.140s", dlerror());
        }
        module = library ? dlsym(library, "bench_module") : NULL;
        if (!module)
                return;
        if (module->version == BENCH_MODULE_VERSION)
                peer->module = module;
        else
                (void)snprintf(peer->why, sizeof(peer->why), "not here: the module for %s is of another version", peer->library);
}

const struct bench_peer *bench_peers(size_t *n)
{
        static int opened;

        for (size_t i = 0; !opened && i < PEERS; i++)
                open_module(&peers[i], names[i]);
        opened = 1;
        *n = PEERS;
        return peers;
}
