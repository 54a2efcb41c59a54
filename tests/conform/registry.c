/* SPDX-License-Identifier: MIT */
/* The library's own list of mechanisms, and the fake ones behind it. */
#define registry       library_registry
#define registry_count library_registry_count
#include "../../src/core/registry.c"
#undef registry
#undef registry_count

extern const struct mechanism mechanism_fake, mechanism_fake_poll;
extern const struct mechanism *registry[];
extern size_t registry_count;

const struct mechanism *registry[64];
size_t registry_count;

static void __attribute__((constructor)) join(void)
{
        for (size_t i = 0; i < library_registry_count && i < 60; i++)
                registry[registry_count++] = library_registry[i];
        registry[registry_count++] = &mechanism_fake;
        registry[registry_count++] = &mechanism_fake_poll;
}
