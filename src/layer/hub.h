/* SPDX-License-Identifier: MIT */
/* Many peers on one listening link. */
#pragma once

#include <stdbool.h>

#include "listener.h"

/*
 * A link over all peers that `listener` gives, for one direction: IPW_RECV takes from each in turn, IPW_SEND gives each message to one of them in turn.
 * `until_last`: receiving ends once there were peers and the last has gone. Takes the listener over, also on failure.
 */
int hub_new(struct listener *, unsigned direction, bool until_last, struct link **, struct ipw_why *);
